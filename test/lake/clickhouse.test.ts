/** ClickHouse reads every table as headwater does, column for column: after appends, compaction, manifest merges, expiry and evolution. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import * as streaming from '../../examples/streaming/specs.ts'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { createClient } from '../../src/client/node.ts'
import type { KeptLake } from '../../src/lake/index.ts'
import { decodeManifestList } from '../../src/lake/manifest.ts'
import { currentSnapshot, type Metadata, parseMetadata } from '../../src/lake/metadata.ts'
import type { Platform } from '../../src/platform/index.ts'
import type { IcebergField } from '../../src/spec/iceberg-type.ts'
import { defineEvent, int, long, string } from '../../src/spec/index.ts'
import { ask, landed as settled, projectOf, start, unwrap } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'
import { clickhouse, icebergTable, type Row } from './clickhouse.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** What both engines are asked of a column: an expression each, so that equal tables give equal numbers. */
function checks({ name, type }: IcebergField): [duck: string, click: string][] {
  const duck = `"${name}"`
  const click = `\`${name}\``
  const counted: [string, string] = [`count(${duck})`, `count(${click})`]
  if (typeof type !== 'string') {
    switch (type.type) {
      case 'list': {
        const sizes: [string, string] = [`sum(len(${duck}))`, `sum(length(${click}))`]
        const members = typeof type.element === 'object' && type.element.type === 'struct'
        if (!members) return [sizes]
        const numbers = type.element.fields.filter(({ type: of }) => of === 'int' || of === 'long')
        return [
          sizes,
          ...numbers.map(({ name: member }): [string, string] => [
            `sum(list_sum(list_transform(${duck}, lambda x: x."${member}")))`,
            `sum(arraySum(arrayMap(x -> assumeNotNull(x.\`${member}\`), ${click})))`,
          ]),
        ]
      }
      case 'map':
        return [[`sum(cardinality(${duck}))`, `sum(length(${click}))`]]
      case 'struct':
        return type.fields.flatMap(({ name: member, type: of }): [string, string][] =>
          of === 'int' || of === 'long' || of === 'double'
            ? [[`sum(${duck}."${member}")`, `sum(${click}.\`${member}\`)`]]
            : [],
        )
    }
  }
  switch (type) {
    case 'boolean':
      return [counted, [`count(*) filter (where ${duck})`, `countIf(${click})`]]
    case 'int':
    case 'long':
      return [counted, [`sum(${duck})::varchar`, `toString(sum(toInt128(${click})))`]]
    case 'date':
      return [counted, [`sum(epoch(${duck}))`, `sum(toInt64(toInt32(${click})) * 86400)`]]
    case 'timestamptz':
      return [
        counted,
        [
          `sum(epoch_us(${duck}))::varchar`,
          `toString(sum(toInt128(toUnixTimestamp64Micro(${click}))))`,
        ],
      ]
    case 'string':
      return [
        counted,
        [`count(distinct ${duck})`, `uniqExact(${click})`],
        [`sum(strlen(${duck}))`, `sum(length(${click}))`],
      ]
    case 'binary':
      return [
        counted,
        [`count(distinct ${duck})`, `uniqExact(${click})`],
        [`sum(octet_length(${duck}))`, `sum(length(${click}))`],
      ]
    default:
      return [counted, [`sum(${duck})`, `sum(${click})`]]
  }
}

/** One query per engine over all columns of a table. */
function questions(name: string, fields: readonly IcebergField[]): { duck: string; click: string } {
  const all: [string, string][] = [['count(*)', 'count()'], ...fields.flatMap(checks)]
  const duck = all.map(([expression], i) => `${expression} as c${i}`).join(', ')
  const click = all.map(([, expression], i) => `${expression} as c${i}`).join(', ')
  return {
    duck: `select ${duck} from "${name}"`,
    click: `select ${click} from ${icebergTable(name)}`,
  }
}

/** Numbers to nine digits: sums of doubles depend on their order. */
function numbersOf(row: Row): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(9)) : roundText(value),
    ]),
  )
}

/** Integers that came as text stay exact; no value and nothing summed are the same. */
function roundText(value: unknown): unknown {
  if (value === null) return 0
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^-?\d+$/.test(text) && text.length > 15 ? text : Number(Number(text).toPrecision(9))
}

/** How the newest metadata of a table is built. */
function shapeOf(
  folder: string,
  table: string,
): { snapshots: number; sequence: number; manifests: number } {
  const metadata = path.join(folder, '.headwater/lake/headwater', table, 'metadata')
  const version = readFileSync(path.join(metadata, 'version-hint.text'), 'utf8')
  const file = path.join(metadata, `v${version}.metadata.json`)
  const { value } = parseMetadata(readFileSync(file, 'utf8'), file) as { value: Metadata }
  const snapshot = currentSnapshot(value)
  const list = snapshot === undefined ? undefined : fileURLToPath(snapshot['manifest-list'])
  return {
    snapshots: value.snapshots.length,
    sequence: value['last-sequence-number'],
    manifests: list === undefined ? 0 : decodeManifestList(readFileSync(list)).length,
  }
}

/** Compares every table of the lake; answers the rows of each. */
async function compare(folder: string, platform: Platform): Promise<Map<string, number>> {
  const { lake } = platform
  const state = lake.state
  const tables = [...state.tables.values()]
  const asked = tables.map(({ name, schema }) => questions(name, schema.fields))
  const theirs = clickhouse(
    folder,
    asked.map(({ click }) => click),
  )
  const rows = new Map<string, number>()
  for (const [i, { name }] of tables.entries()) {
    const [ours] = await ask(lake, asked[i]!.duck)
    expect({ table: name, ...numbersOf(theirs[i]![0]!) }).toEqual({
      table: name,
      ...numbersOf(ours!),
    })
    rows.set(name, Number(ours!['c0']))
  }
  return rows
}

describe('ClickHouse', () => {
  const { folder, remove } = temporaryFolder('clickhouse')
  afterAll(remove)

  test(
    'finds what the devices sent, through compaction, merges and expiry',
    { timeout: 120_000 },
    async () => {
      let ahead = 0
      const clock: Clock = { ...systemClock, wall: () => systemClock.wall() + ahead }
      const config = { engine: { epochMs: 200 }, maintenance: { fanIn: 4, share: 1 } }
      const platform = await start(projectOf(folder, streaming, { config }), { clock })
      // Also when the time is over: the folder must not go while it is written to.
      onTestFinished(() => platform.close())
      const { counts } = platform.maintainer!
      const landed = new Map<string, number>()
      const log = async (seed: number): Promise<void> => {
        const { url } = platform
        const fleet = startFleet({ url, devices: 20, rate: 500, seed, faults: FAULTS })
        await pause(500)
        const report = await fleet.stop(20_000)
        expect(report.complete).toBe(true)
        for (const [type, tally] of Object.entries(report.byType)) {
          if (tally.landed > 0) landed.set(type, (landed.get(type) ?? 0) + tally.landed)
        }
        await settled(platform)
      }
      // Each round is a commit at least, however slow the machine; beside them files become fewer.
      for (let round = 1; round <= 6; round++) await log(round)
      const compactions = (): number => counts.jobs.get('compact') ?? 0
      await expect.poll(compactions, { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
      expect(counts.failures).toBe(0)
      expect(counts.filesAfter).toBeLessThanOrEqual(counts.filesBefore / 4)
      // Manifests are merged here and now, rather than when they are many.
      const { upkeep } = platform.lake as KeptLake
      const { manifests } = await upkeep.survey('batches')
      const paths = manifests.map((manifest) => manifest.path)
      expect(unwrap(await upkeep.mergeManifests('batches', paths))).toBe(1)
      const merged = shapeOf(folder, 'batches')
      expect(merged.manifests).toBeLessThan(manifests.length)
      expect(Object.fromEntries(await compare(folder, platform))).toMatchObject(
        Object.fromEntries(landed),
      )
      // Time passes: with the next commits every snapshot but the newest few is too old.
      ahead = limits.snapshotAgeMs + 60_000
      await log(7)
      const expired = shapeOf(folder, 'batches')
      expect(expired.sequence).toBeGreaterThan(merged.sequence)
      expect(expired.snapshots).toBeLessThanOrEqual(
        expired.sequence - merged.sequence + limits.snapshotsMin,
      )
      expect(Object.fromEntries(await compare(folder, platform))).toMatchObject(
        Object.fromEntries(landed),
      )
    },
  )

  test('follows a table through its evolution', { timeout: 60_000 }, async () => {
    const own = temporaryFolder('evolution')
    const doc = 'Something.'
    const first = {
      seen: defineEvent('seen', { doc, fields: { size: int(), old_name: string() } }),
    }
    const second = {
      seen: defineEvent('seen', {
        doc,
        fields: {
          size: long(),
          name: string().was('old_name'),
          note: string().optional(),
        },
      }),
    }
    const one = projectOf(own.folder, first)
    const before = await start(one)
    const early = createClient<typeof first>({ url: before.url })
    for (let i = 0; i < 100; i++) early.log('seen', { size: i, old_name: `early ${i}` })
    expect(await early.flush()).toBe(true)
    await before.close()
    const after = await start(projectOf(own.folder, second, { before: one.lock }))
    const late = createClient<typeof second>({ url: after.url })
    for (let i = 0; i < 50; i++)
      late.log('seen', { size: 2 ** 40 + i, name: `late ${i}`, note: 'x' })
    expect(await late.flush()).toBe(true)
    await settled(after)
    expect((await compare(own.folder, after)).get('seen')).toBe(150)
    const [rows] = clickhouse(own.folder, [
      `select count(note) as noted, countIf(startsWith(name, 'early')) as early, toString(sum(toInt128(size))) as total from ${icebergTable('seen')}`,
    ])
    expect(rows).toEqual([{ noted: 50, early: 100, total: String(50 * 2 ** 40 + 4950 + 1225) }])
    await after.close()
    own.remove()
  })
})
