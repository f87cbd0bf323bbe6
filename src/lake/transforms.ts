/** Partition transforms (Iceberg spec, "Partition Transforms"): what a value becomes, and of what type. */
import type { Bound } from './data-file.ts'
import { bucketHash } from './murmur3.ts'

/** A transform as text says it; `unknown` for one of a later specification, which readers must pass over. */
export type Transform =
  | { readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'void' | 'unknown' }
  | { readonly kind: 'bucket' | 'truncate'; readonly width: number }

/** A field of a partition spec. `sourceId` is undefined where there are several. */
export interface PartitionField {
  readonly id: number
  readonly name: string
  readonly sourceId: number | undefined
  readonly transform: Transform
}

/** The fields of a spec out of its JSON; those of format version 1 have no ids and are numbered from 1000. */
export function partitionFields(fields: readonly unknown[]): PartitionField[] {
  return fields.map((field, i) => {
    const json = (field ?? {}) as Readonly<Record<string, unknown>>
    const several = json['source-ids'] as readonly unknown[] | undefined
    const source = json['source-id'] ?? (several?.length === 1 ? several[0] : undefined)
    return {
      id: typeof json['field-id'] === 'number' ? json['field-id'] : 1000 + i,
      name: String(json['name']),
      sourceId: typeof source === 'number' ? source : undefined,
      transform: parseTransform(String(json['transform'])),
    }
  })
}

export function parseTransform(text: string): Transform {
  switch (text) {
    case 'identity':
    case 'year':
    case 'month':
    case 'day':
    case 'hour':
    case 'void':
      return { kind: text }
  }
  const [, kind, digits] = /^(bucket|truncate)\[(\d+)\]$/.exec(text) ?? []
  const width = Number(digits)
  if (kind === undefined || !Number.isSafeInteger(width) || width < 1 || width > 0x7fffffff) {
    return { kind: 'unknown' }
  }
  return { kind: kind as 'bucket' | 'truncate', width }
}

/** The type of a transform's values; undefined where it is not known. */
export function resultType(transform: Transform, source: string): string | undefined {
  switch (transform.kind) {
    case 'identity':
    case 'truncate':
    case 'void':
      return source
    case 'bucket':
    case 'year':
    case 'month':
    case 'hour':
      return 'int'
    case 'day':
      return 'date'
    case 'unknown':
      return undefined
  }
}

/** What a value of a type becomes; undefined where that is not known. */
export function applyTransform(
  transform: Transform,
  type: string,
  value: Bound,
): Bound | undefined {
  switch (transform.kind) {
    case 'identity':
      return value
    case 'bucket': {
      const hash = bucketHash(type, value)
      return hash === undefined ? undefined : (hash & 0x7fffffff) % transform.width
    }
    case 'truncate':
      return CUTTABLE.test(type) ? truncated(transform.width, value) : undefined
    case 'year':
    case 'month':
    case 'day':
    case 'hour':
      return timePart(transform.kind, type, value)
    case 'void':
    case 'unknown':
      return undefined
  }
}

/** The types that can be truncated. */
const CUTTABLE = /^(int|long|string|binary|decimal\(.*\))$/

function truncated(width: number, value: Bound): Bound | undefined {
  switch (typeof value) {
    case 'number':
      return value - (((value % width) + width) % width)
    case 'bigint': {
      const step = BigInt(width)
      return value - (((value % step) + step) % step)
    }
    case 'string': {
      let end = 0
      for (let count = 0; count < width && end < value.length; count++) {
        end += value.codePointAt(end)! > 0xffff ? 2 : 1
      }
      return value.slice(0, end)
    }
    case 'boolean':
      return undefined
    default:
      return value.subarray(0, width)
  }
}

type TimePart = 'year' | 'month' | 'day' | 'hour'

const HOUR_US = 3_600_000_000n

function timePart(kind: TimePart, type: string, value: Bound): Bound | undefined {
  if (type === 'date') return kind === 'hour' ? undefined : calendar(kind, Number(value))
  if (!type.startsWith('timestamp')) return undefined
  const perHour = type.endsWith('_ns') ? HOUR_US * 1000n : HOUR_US
  const hours = floored(value as bigint, perHour)
  return kind === 'hour' ? Number(hours) : calendar(kind, Number(floored(hours, 24n)))
}

function floored(value: bigint, by: bigint): bigint {
  return value % by < 0n ? value / by - 1n : value / by
}

/** Days, years or months since 1970 of a day since 1970; Howard Hinnant's civil_from_days, whose years begin in March. */
function calendar(kind: Exclude<TimePart, 'hour'>, days: number): number {
  if (kind === 'day') return days
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const day = shifted - era * 146_097
  const leaps = Math.floor(day / 1460) - Math.floor(day / 36_524) + Math.floor(day / 146_096)
  const year = Math.floor((day - leaps) / 365)
  const dayOfYear = day - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const march = Math.floor((5 * dayOfYear + 2) / 153)
  const month = march < 10 ? march + 3 : march - 9
  const years = year + era * 400 + (month <= 2 ? 1 : 0) - 1970
  return kind === 'year' ? years : years * 12 + month - 1
}
