/** Logs a page view every 100 ms and an order now and then, as an app would. */
import { createClient } from 'headwater/client/node'
import type * as specs from './specs.ts'

const client = createClient<typeof specs>({
  url: process.env['HEADWATER_URL'] ?? 'http://127.0.0.1:8642',
  key: process.env['HEADWATER_KEY'],
  context: { app_version: '1.0.0', platform: 'server' },
})

let views = 0
const timer = setInterval(() => {
  views++
  client.log('page_viewed', { path: `/articles/${views % 7}`, load_time: 20 + (views % 50) })
  if (views % 20 === 0) {
    client.log('order_placed', { order_id: `order-${views}`, items: 1 + (views % 3), gift: false })
  }
}, 100)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(timer)
    void client.close()
  })
}
