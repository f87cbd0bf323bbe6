/** Collecting the exports of a module into one checked set. */
import { describe, expect, test } from 'vitest'
import { collectSpecs, defineContext, defineEvent, int, string } from '../../src/spec/index.ts'
import { expectFailure, valueOf } from './support.ts'

const doc = 'It happens.'
const played = defineEvent('played', { doc, fields: { title: int() } })
const browsed = defineEvent('browsed', { doc, fields: {} })
const app = defineContext({ doc: 'The app.', fields: { app: string() } })

describe('a module', () => {
  test('gives its event types sorted by name, and its context', () => {
    const specs = valueOf(collectSpecs({ played, app, browsed }))
    expect([...specs.events.keys()]).toEqual(['browsed', 'played'])
    expect(specs.events.get('played')).toBe(played)
    expect(specs.context).toBe(app)
  })

  test('may have other exports, even such as look like specifications', () => {
    const others = {
      default: undefined,
      nothing: null,
      text: 'event',
      count: 3,
      run: () => played,
      list: [played],
      builder: int(),
      nested: { played },
      foreign: { spec: 'event', name: 'x' },
      foreignContext: { spec: 'context' },
    }
    const specs = valueOf(collectSpecs({ ...others, browsed }))
    expect([...specs.events.keys()]).toEqual(['browsed'])
    expect(specs.context.fields).toEqual({})
  })

  test('may be empty', () => {
    const specs = valueOf(collectSpecs({}))
    expect(specs.events.size).toBe(0)
    expect(specs.context.fields).toEqual({})
  })

  test('may export one declaration under several names', () => {
    const specs = valueOf(collectSpecs({ played, default: played, app, context: app }))
    expect([...specs.events.keys()]).toEqual(['played'])
    expect(specs.context).toBe(app)
  })
})

describe('a module is refused that has', () => {
  test('two event types of one name', () => {
    const again = defineEvent('played', { doc, fields: {} })
    expectFailure(collectSpecs({ played, again }), 'spec_invalid', 'played')
  })

  test('an event type by the former name of another', () => {
    const renamed = defineEvent('play_begun', { doc, fields: {}, was: ['played'] })
    expectFailure(collectSpecs({ played, renamed }), 'spec_invalid', 'played')
    expectFailure(collectSpecs({ renamed, played }), 'spec_invalid', 'played')
  })

  test('two event types of one former name', () => {
    const one = defineEvent('one', { doc, fields: {}, was: ['old'] })
    const two = defineEvent('two', { doc, fields: {}, was: ['old'] })
    expectFailure(collectSpecs({ one, two }), 'spec_invalid', 'old')
  })

  test('an event type that was what it is', () => {
    const same = defineEvent('same', { doc, fields: {}, was: ['same'] })
    expectFailure(collectSpecs({ same }), 'spec_invalid', 'same')
  })

  test('two contexts', () => {
    const other = defineContext({ doc: 'Another.', fields: {} })
    expectFailure(collectSpecs({ app, other }), 'spec_invalid', 'Two contexts')
  })

  test('a field of the name of a context member', () => {
    const started = defineEvent('started', { doc, fields: { app: int() } })
    expectFailure(collectSpecs({ app, started }), 'spec_invalid', 'started.app')
  })
})
