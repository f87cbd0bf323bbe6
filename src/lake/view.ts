/** Metadata of views (Iceberg view specification, format version 1) and what a commit may require and change of it: pure functions. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { unreachable } from '../base/assert.ts'
import { error, HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { parseExact, stringifyExact } from './json.ts'
import type { Schema } from './metadata.ts'
import { misfit, schemaShape } from './metadata-shape.ts'
import { type NewSchema, placeSchema } from './schema-updates.ts'

export interface ViewVersion {
  readonly 'version-id': number
  readonly 'timestamp-ms': number
  readonly 'schema-id': number
  readonly summary: Readonly<Record<string, string>>
  readonly representations: readonly {
    readonly type: string
    readonly sql?: string | undefined
    readonly dialect?: string | undefined
  }[]
  readonly 'default-catalog'?: string | null | undefined
  readonly 'default-namespace': readonly string[]
}

export interface ViewMetadata {
  readonly 'view-uuid': string
  readonly 'format-version': 1
  readonly location: string
  readonly schemas: readonly Schema[]
  readonly 'current-version-id': number
  readonly versions: readonly ViewVersion[]
  readonly 'version-log': readonly {
    readonly 'timestamp-ms': number
    readonly 'version-id': number
  }[]
  readonly properties: Readonly<Record<string, string>>
}

const texts = z.record(z.string(), z.string())

const representationShape = z
  .looseObject({
    type: z.string(),
    sql: z.string().optional(),
    dialect: z.string().optional(),
  })
  .refine(({ type, sql, dialect }) => type !== 'sql' || (sql !== undefined && dialect), {
    error: 'a representation of type sql has sql and dialect',
  })

const versionShape = z.looseObject({
  'version-id': z.int(),
  'timestamp-ms': z.int().min(0),
  'schema-id': z.int(),
  summary: texts,
  representations: z.array(representationShape),
  'default-catalog': z.string().nullish(),
  'default-namespace': z.array(z.string()),
})

/** A version as a client brings it. */
export const newVersionShape: z.ZodType<ViewVersion> = versionShape

const viewShape = z.looseObject({
  'view-uuid': z.string().min(1),
  'format-version': z.literal(1),
  location: z.string().min(1),
  schemas: z.array(schemaShape).min(1),
  'current-version-id': z.int(),
  versions: z.array(versionShape).min(1),
  'version-log': z.array(z.looseObject({ 'timestamp-ms': z.int(), 'version-id': z.int() })),
  properties: texts.default({}),
})

export const viewRequirementShape = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('assert-view-uuid'), uuid: z.string() }),
])

export type ViewRequirement = z.output<typeof viewRequirementShape>

/** The first requirement that a view does not meet, as `commit_conflict`; undefined when it meets all. */
export function unmetByView(
  requirements: readonly ViewRequirement[],
  view: ViewMetadata,
): HeadwaterError | undefined {
  const found = view['view-uuid']
  const wrong = requirements.find(({ uuid }) => uuid.toLowerCase() !== found.toLowerCase())
  return wrong === undefined
    ? undefined
    : error(
        'commit_conflict',
        `Requirement failed: view UUID does not match: expected ${wrong.uuid} != ${found}`,
      )
}

export const viewUpdateShape = z.discriminatedUnion('action', [
  z.looseObject({ action: z.literal('assign-uuid'), uuid: z.string().min(1) }),
  z.looseObject({ action: z.literal('upgrade-format-version'), 'format-version': z.int() }),
  z.looseObject({
    action: z.literal('add-schema'),
    schema: schemaShape as z.ZodType<NewSchema>,
  }),
  z.looseObject({ action: z.literal('set-location'), location: z.string().min(1) }),
  z.looseObject({ action: z.literal('set-properties'), updates: texts }),
  z.looseObject({ action: z.literal('remove-properties'), removals: z.array(z.string()) }),
  z.looseObject({ action: z.literal('add-view-version'), 'view-version': newVersionShape }),
  z.looseObject({ action: z.literal('set-current-view-version'), 'view-version-id': z.int() }),
])

export type ViewUpdate = z.output<typeof viewUpdateShape>

/** What a new view has before its first update. */
export interface NewView {
  readonly uuid: string
  readonly location: string
}

type Draft = { -readonly [Key in keyof ViewMetadata]: ViewMetadata[Key] }

interface Work {
  readonly draft: Draft
  readonly now: number
  readonly added: Set<number>
  schema: number | undefined
  version: number | undefined
}

/** The view after all updates; the same object when they change nothing. Fails with `update_invalid`. `now` in ms since 1970. */
export function applyViewUpdates(
  base: ViewMetadata | NewView,
  updates: readonly ViewUpdate[],
  now: number,
): Result<ViewMetadata> {
  const known = 'versions' in base ? base : undefined
  const draft: Draft = known === undefined ? empty(base as NewView) : { ...known }
  const work: Work = { draft, now, added: new Set(), schema: undefined, version: undefined }
  try {
    for (const update of updates) apply(work, update)
    return finished(work, known)
  } catch (cause) {
    if (cause instanceof HeadwaterError) return failed(cause)
    throw cause
  }
}

function empty({ uuid, location }: NewView): Draft {
  return {
    'view-uuid': uuid,
    'format-version': 1,
    location,
    schemas: [],
    'current-version-id': -1,
    versions: [],
    'version-log': [],
    properties: {},
  }
}

function invalid(message: string): HeadwaterError {
  return error('update_invalid', message)
}

function apply(work: Work, update: ViewUpdate): void {
  const { draft } = work
  switch (update.action) {
    case 'assign-uuid':
      if (draft.versions.length > 0 && update.uuid !== draft['view-uuid']) {
        throw invalid('Cannot reassign uuid.')
      }
      draft['view-uuid'] = update.uuid
      return
    case 'upgrade-format-version':
      if (update['format-version'] !== 1) {
        throw invalid(`Unsupported format version: ${update['format-version']}.`)
      }
      return
    case 'add-schema': {
      // Views have no format version that would forbid a type.
      const placed = placeSchema(update.schema, draft.schemas, 3)
      draft.schemas = placed.list
      work.schema = placed.id
      return
    }
    case 'set-location':
      draft.location = update.location
      return
    case 'set-properties':
      draft.properties = { ...draft.properties, ...update.updates }
      return
    case 'remove-properties': {
      const removals = new Set(update.removals)
      draft.properties = Object.fromEntries(
        Object.entries(draft.properties).filter(([name]) => !removals.has(name)),
      )
      return
    }
    case 'add-view-version':
      return addVersion(work, update['view-version'])
    case 'set-current-view-version':
      return setCurrent(work, update['view-version-id'])
    default:
      unreachable(update)
  }
}

function addVersion(work: Work, raw: ViewVersion): void {
  const { draft, schema, added } = work
  if (raw['schema-id'] === -1 && schema === undefined) {
    throw invalid('Cannot set last added schema: no schema has been added.')
  }
  const version = { ...raw, 'schema-id': raw['schema-id'] === -1 ? schema! : raw['schema-id'] }
  if (!draft.schemas.some((each) => each['schema-id'] === version['schema-id'])) {
    throw invalid(`Cannot add version with unknown schema: ${version['schema-id']}.`)
  }
  const dialects = dialectsOf(version)
  const twice = dialects.find((dialect, i) => dialects.indexOf(dialect) !== i)
  if (twice !== undefined) {
    throw invalid(`Invalid view version: Cannot add multiple queries for dialect ${twice}.`)
  }
  const known = draft.versions.find((each) => isDeepStrictEqual(essence(each), essence(version)))
  const id =
    known?.['version-id'] ??
    draft.versions.reduce(
      (next, each) => Math.max(next, each['version-id'] + 1),
      Math.max(1, version['version-id']),
    )
  if (known === undefined) {
    draft.versions = [...draft.versions, { ...version, 'version-id': id }]
    added.add(id)
  }
  work.version = id
}

/** What makes two versions behave the same. */
function essence(version: ViewVersion): unknown {
  return [
    version.summary,
    version.representations,
    version['default-catalog'] ?? null,
    version['default-namespace'],
    version['schema-id'],
  ]
}

function dialectsOf({ representations }: ViewVersion): string[] {
  return representations.flatMap(({ dialect }) => dialect?.toLowerCase() ?? [])
}

function setCurrent(work: Work, wanted: number): void {
  const { draft, added, now } = work
  if (wanted === -1 && work.version === undefined) {
    throw invalid('Cannot set last version id: no current version id has been set.')
  }
  const id = wanted === -1 ? work.version! : wanted
  const version = draft.versions.find((each) => each['version-id'] === id)
  if (version === undefined) throw invalid(`Cannot set current version to unknown version: ${id}.`)
  if (draft['current-version-id'] === id) return
  draft['current-version-id'] = id
  const time = added.has(id) ? version['timestamp-ms'] : now
  draft['version-log'] = [...draft['version-log'], { 'timestamp-ms': time, 'version-id': id }]
}

function finished(work: Work, base: ViewMetadata | undefined): Result<ViewMetadata> {
  const { draft, added } = work
  if (base !== undefined && isDeepStrictEqual(draft, base)) return ok(base)
  const current = currentVersion(draft)
  if (current === undefined) return failed(invalid('Invalid view: no versions were added.'))
  if (base !== undefined) {
    const problem = lostDialect(currentVersion(base)!, current, draft.properties)
    if (problem !== undefined) return failed(problem)
  }
  expireVersions(draft, added)
  const problem = viewProblem(draft)
  return problem === undefined
    ? ok(draft)
    : failed(invalid(`The view would not be valid: ${problem}.`))
}

export function currentVersion(view: ViewMetadata): ViewVersion | undefined {
  return view.versions.find((each) => each['version-id'] === view['current-version-id'])
}

/** A new version may not silently lose a query language that engines read. */
function lostDialect(
  before: ViewVersion,
  after: ViewVersion,
  properties: Readonly<Record<string, string>>,
): HeadwaterError | undefined {
  if (properties['replace.drop-dialect.allowed'] === 'true') return undefined
  const [old, now] = [dialectsOf(before), dialectsOf(after)]
  if (old.every((dialect) => now.includes(dialect))) return undefined
  return invalid(
    `Cannot replace view due to loss of view dialects (replace.drop-dialect-allowed=false):\nPrevious dialects: [${old.join(', ')}]\nNew dialects: [${now.join(', ')}]`,
  )
}

function expireVersions(draft: Draft, added: ReadonlySet<number>): void {
  const text = draft.properties['version.history.num-entries'] ?? String(limits.viewVersionsKept)
  const wanted = Number(text)
  if (!Number.isInteger(wanted) || wanted < 1) {
    throw invalid(`version.history.num-entries must be positive but was ${text}.`)
  }
  const current = draft['current-version-id']
  const needed = new Set([...added, current])
  const most = Math.max(needed.size, wanted)
  if (draft.versions.length <= most) return
  const others = draft.versions
    .map((each) => each['version-id'])
    .filter((id) => id !== current)
    .sort((a, b) => b - a)
  const kept = new Set([current, ...others.slice(0, most - 1)])
  draft.versions = draft.versions.filter((each) => kept.has(each['version-id']))
  // A log with holes would say that a version was current while it was not.
  const log = draft['version-log']
  const lastGone = log.findLastIndex((entry) => !kept.has(entry['version-id']))
  draft['version-log'] = log.slice(lastGone + 1)
}

function viewProblem(value: unknown): string | undefined {
  const problem = misfit(viewShape, value)
  if (problem !== undefined) return problem
  return currentVersion(value as ViewMetadata) === undefined
    ? 'the current version is missing'
    : undefined
}

/** Reads a view's metadata file; `lake_invalid` with its name and what is wrong. */
export function parseView(text: string, file: string): Result<ViewMetadata> {
  let value: unknown
  try {
    value = parseExact(text)
  } catch (cause) {
    return failed(error('lake_invalid', `${file} is not JSON.`, cause))
  }
  const problem = viewProblem(value)
  if (problem !== undefined) return failed(error('lake_invalid', `${file}: ${problem}.`))
  return ok({ ...(value as ViewMetadata), properties: (value as ViewMetadata).properties ?? {} })
}

export function stringifyView(view: ViewMetadata): string {
  return stringifyExact(view)
}
