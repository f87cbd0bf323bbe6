/** Decides what is worth doing for a table: a pure function of what it is made of, the time and the policy, with the reason of each choice. */
import { limits } from '../../base/limits.ts'
import type { IcebergType } from '../../spec/iceberg-type.ts'
import type { SurveyDelete, SurveyFile, SurveyManifest, TableSurvey } from '../upkeep.ts'

export interface CompactionPolicy {
  /** Size of a finished file, bytes. */
  readonly targetBytes: number
  /** Files of like size that become one while their day goes on: each row is written again log(target) / log(fanIn) times. */
  readonly fanIn: number
  /** How long after its end a day is taken to be over, ms; and how long no file has come to it then. */
  readonly settleMs: number
}

/** Files of one day that become one file. */
export interface CompactJob {
  readonly kind: 'compact'
  readonly table: string
  readonly day: number
  /** In the order of their times. */
  readonly files: readonly SurveyFile[]
  readonly bytes: number
  readonly rows: number
  /** Position deletes that are applied. */
  readonly deletes: readonly SurveyDelete[]
  /** Those of them that concern no other file. */
  readonly spent: readonly SurveyDelete[]
  readonly reason: string
}

export interface ManifestJob {
  readonly kind: 'manifests'
  readonly table: string
  readonly manifests: readonly SurveyManifest[]
  readonly reason: string
}

export interface ExpireJob {
  readonly kind: 'expire' | 'collect'
  readonly table: string
  readonly objects: number
  readonly reason: string
}

export type Job = CompactJob | ManifestJob | ExpireJob

/** Why something is left as it is. */
export interface LeftAlone {
  /** Days since 1970; undefined: the table as a whole. */
  readonly day: number | undefined
  readonly files: number
  readonly bytes: number
  readonly reason: string
}

export interface TablePlan {
  readonly table: string
  /** The worthiest first. */
  readonly jobs: readonly Job[]
  readonly left: readonly LeftAlone[]
}

const DAY_MS = 86_400_000
/** A file of this share of the target is finished. */
const FINISHED = 0.75
/** A file that is larger than this many times all smaller ones gains nothing from them. */
const LOPSIDED = 4
/** Deleted rows, as a share of those they lie among, from which on they are worth a rewrite. */
const DELETED_SHARE = 0.05

export function planTable(survey: TableSurvey, policy: CompactionPolicy, now: number): TablePlan {
  const { name: table, files } = survey
  const unfit = unfitColumn(survey)
  const days = Map.groupBy(unfit === undefined ? files : [], ({ day }) => day)
  const compactions: CompactJob[] = []
  const left: LeftAlone[] = []
  for (const [day, ofDay] of days) {
    const decided = planDay(survey, day, ofDay, policy, now)
    compactions.push(...decided.jobs)
    left.push(...decided.left)
  }
  if (survey.foreignFiles > 0) {
    const reason =
      'their partition spec is not by day(event time): the engine that wrote them compacts them'
    left.push({ day: undefined, files: survey.foreignFiles, bytes: 0, reason })
  }
  if (unfit !== undefined) {
    const bytes = sum(files, (file) => file.bytes)
    const reason = `the column ${unfit} has a type that headwater cannot write`
    left.push({ day: undefined, files: files.length, bytes, reason })
  }
  if (files.length === 0 && left.length === 0) {
    left.push({ day: undefined, files: 0, bytes: 0, reason: 'the table is empty' })
  }
  compactions.sort((a, b) => worth(b) - worth(a) || a.day - b.day)
  const jobs: Job[] = [...planHistory(survey), ...planManifests(survey), ...compactions]
  return { table, jobs, left: left.sort((a, b) => (a.day ?? 0) - (b.day ?? 0)) }
}

/** A column of another engine, of a type that a rewrite would lose. */
function unfitColumn({ schema }: TableSurvey): string | undefined {
  return schema.fields.find(({ type }) => !isWritable(type))?.name
}

function isWritable(type: IcebergType): boolean {
  if (typeof type === 'string') return WRITABLE.test(type)
  switch (type.type) {
    case 'struct':
      return type.fields.every((field) => isWritable(field.type))
    case 'list':
      return isWritable(type.element)
    case 'map':
      return isWritable(type.key) && isWritable(type.value)
  }
}

const WRITABLE =
  /^(boolean|int|long|float|double|date|time|timestamp|timestamptz|string|uuid|binary|decimal\(\d+, ?\d+\))$/

/** Files that go per byte that is written. */
function worth({ files, bytes }: CompactJob): number {
  return (files.length - 1) / Math.max(bytes, 1 << 20)
}

function planHistory({ name: table, expired, garbage }: TableSurvey): ExpireJob[] {
  const jobs: ExpireJob[] = []
  if (expired > 0) {
    const reason = `${expired} snapshots or refs are older than the table keeps them`
    jobs.push({ kind: 'expire', table, objects: expired, reason })
  }
  if (garbage > limits.garbageWorthMin) {
    const reason = `${garbage} objects left the table ${limits.garbageAgeMs / 60_000} min ago or earlier`
    jobs.push({ kind: 'collect', table, objects: garbage, reason })
  }
  return jobs
}

interface Decided {
  readonly jobs: readonly CompactJob[]
  readonly left: readonly LeftAlone[]
}

function planDay(
  survey: TableSurvey,
  day: number,
  files: readonly SurveyFile[],
  policy: CompactionPolicy,
  now: number,
): Decided {
  const leave = (reason: string): Decided => {
    const bytes = sum(files, (file) => file.bytes)
    return { jobs: [], left: [{ day, files: files.length, bytes, reason }] }
  }
  if (new Set(files.map(({ location }) => location)).size < files.length) {
    return leave('it names a file twice, whose rows count twice: mend the table first')
  }
  const deletes = survey.deletes.filter((each) => each.day === day || each.day === undefined)
  const other = deletes.find(({ kind }) => kind !== 'position')
  if (other !== undefined) {
    return leave(`it has ${other.kind} deletes: the engine that wrote them applies them`)
  }
  const make = (group: readonly SurveyFile[], reason: string): CompactJob =>
    compactJob(survey, day, group, files, deletes, reason)
  const ofDay = deletes.filter((each) => each.day === day)
  const deleted = sum(ofDay, ({ rows }) => rows)
  const touched = files.filter(({ sequence }) => ofDay.some((each) => sequence <= each.sequence))
  if (deleted > 0 && deleted >= DELETED_SHARE * sum(touched, ({ rows }) => rows)) {
    const reason = `${deleted} deleted rows of ${sum(touched, ({ rows }) => rows)} are read for nothing`
    if (touched.length > 0)
      return { jobs: pack(touched, policy).map((group) => make(group, reason)), left: [] }
  }
  const small = files.filter(({ bytes }) => bytes < FINISHED * policy.targetBytes)
  if (small.length < 2) return leave(finished(files, small))
  const settled = settledFor(day, files, now)
  if (settled < policy.settleMs) {
    const groups = tiers(small, policy)
    const reason = `${policy.fanIn} files of like size make one while the day goes on`
    if (groups.length > 0) return { jobs: groups.map((group) => make(group, reason)), left: [] }
    return leave(`the day goes on, and no ${policy.fanIn} files are of like size`)
  }
  const worthy = balanced(small)
  if (worthy.length < 2) return leave('one file is much larger than the others together')
  const groups = pack(worthy, policy).filter((group) => group.length > 1)
  const reason = 'the day is over'
  return { jobs: groups.map((group) => make(group, reason)), left: [] }
}

function finished(files: readonly SurveyFile[], small: readonly SurveyFile[]): string {
  if (files.length === 1) return 'it is one file'
  return small.length === 0 ? 'its files have their size' : 'only one of its files is small'
}

/** Milliseconds since the day was over and got its last file; negative while it goes on. */
function settledFor(day: number, files: readonly SurveyFile[], now: number): number {
  const last = Math.max((day + 1) * DAY_MS, ...files.map(({ added }) => added ?? 0))
  return now - last
}

/** Files by size, each class `fanIn` times the one below; classes that are full, each cut to what fits one file. */
function tiers(
  small: readonly SurveyFile[],
  { targetBytes, fanIn }: CompactionPolicy,
): SurveyFile[][] {
  const classOf = ({ bytes }: SurveyFile): number =>
    // Files below a 256th of the target are one class: each costs about as much as the next.
    Math.min(2, Math.floor(Math.log(targetBytes / Math.max(1, bytes)) / Math.log(fanIn)))
  const groups: SurveyFile[][] = []
  for (const [, same] of Map.groupBy(small, classOf)) {
    if (same.length < fanIn) continue
    let group: SurveyFile[] = []
    for (const file of byTime(same)) {
      const full = sum(group, ({ bytes }) => bytes) + file.bytes > targetBytes
      if (full || group.length >= limits.compactFilesMax) {
        groups.push(group)
        group = []
      }
      group.push(file)
    }
    if (group.length >= fanIn) groups.push(group)
  }
  return groups.filter((group) => group.length > 1)
}

/** The small files without those that are so much larger than the rest that they would be written again for little. */
function balanced(small: readonly SurveyFile[]): SurveyFile[] {
  const sorted = small.toSorted((a, b) => a.bytes - b.bytes)
  while (sorted.length > 1) {
    const largest = sorted.at(-1)!
    const others = sum(sorted, ({ bytes }) => bytes) - largest.bytes
    if (largest.bytes <= LOPSIDED * others) break
    sorted.pop()
  }
  return sorted
}

/** Runs of files by time, about one target each: none is so small again that it would be joined once more. */
function pack(files: readonly SurveyFile[], { targetBytes }: CompactionPolicy): SurveyFile[][] {
  const total = sum(files, ({ bytes }) => bytes)
  const share = total / Math.max(1, Math.round(total / targetBytes))
  const groups: SurveyFile[][] = [[]]
  let filled = 0
  for (const file of byTime(files)) {
    const group = groups.at(-1)!
    // A file goes where most of it fits.
    const full = filled + file.bytes / 2 > share * groups.length
    if ((full && group.length > 0) || group.length >= limits.compactFilesMax) groups.push([file])
    else group.push(file)
    filled += file.bytes
  }
  return groups
}

function byTime(files: readonly SurveyFile[]): SurveyFile[] {
  return files.toSorted(
    (a, b) =>
      Number((a.first ?? 0n) - (b.first ?? 0n)) ||
      a.sequence - b.sequence ||
      (a.location < b.location ? -1 : 1),
  )
}

function compactJob(
  { name: table }: TableSurvey,
  day: number,
  group: readonly SurveyFile[],
  all: readonly SurveyFile[],
  deletes: readonly SurveyDelete[],
  reason: string,
): CompactJob {
  const inside = new Set(group)
  const applied = deletes.filter((each) => group.some(({ sequence }) => sequence <= each.sequence))
  const spent = applied.filter(
    (each) =>
      each.day === day && all.every((file) => inside.has(file) || file.sequence > each.sequence),
  )
  const bytes = sum(group, (file) => file.bytes)
  const rows = sum(group, (file) => file.rows)
  return {
    kind: 'compact',
    table,
    day,
    files: byTime(group),
    bytes,
    rows,
    deletes: applied,
    spent,
    reason,
  }
}

/** Manifests of one size that are many, and those whose days overlap so much that a reader of a day opens many. */
function planManifests({ name: table, manifests }: TableSurvey): ManifestJob[] {
  const jobs: ManifestJob[] = []
  const groups = Map.groupBy(manifests, ({ tier, specId }) => `${specId}/${tier}`)
  for (const same of groups.values()) {
    if (same.length < limits.manifestsPerTierMax) continue
    const reason = `${same.length} manifests are of like size`
    // Large ones that lie side by side cost a reader nothing.
    if (same[0]!.tier < 2 || depth(same) > 1) {
      jobs.push({ kind: 'manifests', table, manifests: same, reason })
    }
  }
  if (jobs.length > 0) return jobs
  const large = manifests.filter(({ tier }) => tier > 0)
  const deepest = depth(large)
  if (deepest > limits.manifestDepthMax) {
    const specId = large[0]!.specId
    const reason = `a day lies in ${deepest} large manifests`
    jobs.push({
      kind: 'manifests',
      table,
      manifests: large.filter((each) => each.specId === specId),
      reason,
    })
  }
  return jobs
}

/** How many manifests one day lies in at most. */
function depth(manifests: readonly SurveyManifest[]): number {
  const edges = manifests.flatMap(({ days }) => {
    const [first, last] = days ?? [-Infinity, Infinity]
    return [
      { day: first, step: 1 },
      { day: last + 0.5, step: -1 },
    ]
  })
  let [open, most] = [0, 0]
  for (const { step } of edges.sort((a, b) => a.day - b.day)) {
    open += step
    most = Math.max(most, open)
  }
  return most
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
