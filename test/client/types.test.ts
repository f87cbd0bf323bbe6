/** What a type-checked app can and cannot say to a client; that the lines marked as errors do not compile is checked by tsc. */
import { describe, expect, expectTypeOf, test } from 'vitest'
import { type Client, createClient } from '../../src/client/index.ts'
import { createClient as createNodeClient } from '../../src/client/node.ts'
import type * as streaming from '../../examples/streaming/specs.ts'
import type * as template from '../../template/specs.ts'
import { defineContext, defineEvent, int, string } from '../../src/spec/index.ts'

const specs = {
  context: defineContext({ doc: 'The app.', fields: { app: string(), member: int().optional() } }),
  tick: defineEvent('tick', { doc: 'A tick.', fields: { i: int(), note: string().optional() } }),
}
type Specs = typeof specs

/** The lines are never run: tsc fails where one of them compiles. */
const expectErrors = (lines: () => unknown): void => expect(lines).toBeTypeOf('function')
const url = 'http://collector'

describe('a client', () => {
  test('takes the events of its specifications, also those of a module that is imported as a type', () => {
    const client = createNodeClient<typeof template>({ url })
    client.log('page_viewed', { path: '/', load_time: 5 })
    client.log('order_placed', { order_id: '7', items: 2, gift: false })
    expect(client.stats.numbered).toBe(2)
    expectTypeOf<Parameters<Client<Specs>['log']>[0]>().toEqualTypeOf<'tick'>()
    type Played = Parameters<Client<typeof streaming>['log']>[0]
    expectTypeOf<'play_started'>().toExtend<Played>()
  })

  test('refuses other events, fields and values', () => {
    expectErrors(() => {
      const client = createClient<Specs>({ url })
      // @ts-expect-error -- there is no such event type
      client.log('tock', { i: 1 })
      // @ts-expect-error -- the context is no event type
      client.log('context', { app: 'x' })
      // @ts-expect-error -- fields are missing altogether
      client.log('tick')
      // @ts-expect-error -- a required field is missing
      client.log('tick', {})
      // @ts-expect-error -- there is no such field
      client.log('tick', { i: 1, colour: 'red' })
      // @ts-expect-error -- a value of another type
      client.log('tick', { i: '1' })
      // @ts-expect-error -- required is not null
      client.log('tick', { i: null })
      return client
    })
  })

  test('refuses a context that is not the one of its specifications', () => {
    expectErrors(() => {
      const client = createClient<Specs>({ url, context: { app: 'x', install: 'i', session: 's' } })
      client.setContext({ member: 7 })
      client.setContext({ session: 'another', member: undefined })
      // What is not known at the start is set before the first event.
      createClient<Specs>({ url, context: { member: 7 } })
      // @ts-expect-error -- a required member is never null
      client.setContext({ app: null })
      // @ts-expect-error -- a value of another type
      client.setContext({ member: '7' })
      // @ts-expect-error -- there is no such member
      client.setContext({ colour: 'red' })
      return client
    })
  })

  test('refuses options that are none', () => {
    expectErrors(() => [
      // @ts-expect-error -- an address is needed
      createClient<Specs>({}),
      // @ts-expect-error -- there is no such option
      createClient<Specs>({ url, flushSeconds: 1 }),
      // @ts-expect-error -- the specifications are a type, not a value
      createClient(specs),
    ])
  })
})
