/** What this app logs. Each export becomes a table; specs.lock.json, which `headwater dev` writes, gives its columns permanent ids. */
import { boolean, defineContext, defineEvent, enumOf, int, string } from 'headwater/spec'

export const context = defineContext({
  doc: 'What holds for all events until the app changes it.',
  fields: {
    app_version: string().doc('Version of the app.'),
    platform: enumOf('server', 'web', 'ios', 'android', 'tv').doc('Kind of device.'),
    member_id: string().optional().personal('account').doc('Account; absent before signing in.'),
  },
})

export const pageViewed = defineEvent('page_viewed', {
  doc: 'A page has become visible.',
  fields: { path: string(), load_time: int().unit('ms').min(0) },
})

export const orderPlaced = defineEvent('order_placed', {
  doc: 'The member bought something.',
  fields: { order_id: string(), items: int().min(1), gift: boolean() },
})
