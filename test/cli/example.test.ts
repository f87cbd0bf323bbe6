/** The example is a believable streaming service: what its apps log, and how its devices behave. */
import { describe, expect, test } from 'vitest'
import { FAULTS } from '../../examples/streaming/faults.ts'
import * as streaming from '../../examples/streaming/specs.ts'
import {
  chanceOf,
  COUNTRIES,
  EXPERIMENTS,
  HABITS,
  platformOf,
} from '../../examples/streaming/world.ts'
import { type Field, type FieldType } from '../../src/spec/field.ts'
import { collectSpecs } from '../../src/spec/index.ts'
import { unwrap } from '../support/platform.ts'

const specs = unwrap(collectSpecs(streaming))
const events = [...specs.events.values()]

/** Every kind within a field. */
function kindsOf({ type }: Field): FieldType['kind'][] {
  switch (type.kind) {
    case 'list':
      return ['list', ...kindsOf(type.element)]
    case 'map':
      return ['map', ...kindsOf(type.value)]
    case 'struct':
      return ['struct', ...Object.values(type.fields).flatMap((field) => kindsOf(field))]
    default:
      return [type.kind]
  }
}

describe('the specifications', () => {
  test('are fourteen event types or more, each with an owner, a meaning and fields', () => {
    expect(events.length).toBeGreaterThanOrEqual(14)
    for (const { name, doc, owner, fields } of events) {
      expect([name, doc.length > 10, owner === undefined]).toEqual([name, true, false])
      expect(Object.keys(fields).length, name).toBeGreaterThan(0)
    }
  })

  test('cover navigation, discovery, playback, performance, experiments and membership', () => {
    expect(new Set(events.map(({ owner }) => owner))).toEqual(
      new Set(['navigation', 'discovery', 'playback', 'performance', 'experiments', 'membership']),
    )
    expect([...specs.events.keys()]).toEqual(
      expect.arrayContaining([
        'app_started',
        'rebuffered',
        'api_called',
        'error_shown',
        'cell_exposed',
        'searched',
      ]),
    )
  })

  test('have impressions as a list of structs, and a field of every kind', () => {
    const { type } = specs.events.get('rows_presented')!.fields['impressions']!
    expect(type.kind === 'list' && type.element.type.kind).toBe('struct')
    const used = [...events, specs.context].flatMap(({ fields }) =>
      Object.values(fields).flatMap((field) => kindsOf(field)),
    )
    expect([...new Set(used)].toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'binary',
      'boolean',
      'date',
      'decimal',
      'double',
      'enum',
      'int',
      'json',
      'list',
      'long',
      'map',
      'string',
      'struct',
      'timestamp',
    ])
  })

  test('have a context of app, version, platform, device, member, profile, country and cells', () => {
    expect(Object.keys(specs.context.fields)).toEqual(
      expect.arrayContaining([
        'app',
        'app_version',
        'platform',
        'device_model',
        'member_id',
        'profile_id',
        'country',
        'cells',
      ]),
    )
  })
})

describe('the fleet', () => {
  test('is of every platform, in its share', () => {
    const chance = chanceOf(1)
    const counts = new Map<string, number>()
    for (let i = 0; i < 20_000; i++) {
      const platform = platformOf(chance)
      counts.set(platform, (counts.get(platform) ?? 0) + 1)
    }
    const shares = Object.values(HABITS).map(({ share }) => share)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1)
    for (const [platform, { share }] of Object.entries(HABITS)) {
      expect(counts.get(platform)! / 20_000).toBeCloseTo(share, 1)
    }
  })

  test('has every fault: lost answers, repeats, delays and offline spells, mobile more often than television', () => {
    for (const share of Object.values(FAULTS)) expect(share).toBeGreaterThan(0)
    expect(HABITS.android.trouble).toBeGreaterThan(HABITS.tv.trouble)
    expect(Object.values(EXPERIMENTS).every((cells) => cells.length > 1)).toBe(true)
    expect(COUNTRIES.length).toBeGreaterThan(4)
  })
})
