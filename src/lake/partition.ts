/** Partition specs of a table and the partition values of its files, whichever spec they were written under. */
import type { Bound } from './data-file.ts'
import type { ManifestEntry } from './manifest.ts'
import { currentSchema, type Metadata } from './metadata.ts'
import { primitivesOf } from './schema-types.ts'
import { type PartitionField, partitionFields, resultType } from './transforms.ts'
import { fromBigEndian, storageOf } from './values.ts'

export interface Spec {
  readonly id: number
  readonly fields: readonly PartitionField[]
  /** Types of the fields' columns, and of their values; undefined where they are not known. */
  readonly sources: readonly (string | undefined)[]
  readonly types: readonly (string | undefined)[]
  /** Whether all its files are in one partition. */
  readonly unpartitioned: boolean
}

/** Values by partition field id; null where there is none, absent where they are not known. */
export type PartitionValues = ReadonlyMap<number, Bound | null>

/** Every partition spec of a table by its id. */
export function specsOf(metadata: Metadata): Map<number, Spec> {
  const columns = new Map<number, string>()
  // Columns that are gone still have partitions; of those that were widened the newest type counts.
  for (const { fields } of [...metadata.schemas, currentSchema(metadata)]) {
    for (const [id, type] of primitivesOf(fields)) columns.set(id, type)
  }
  return new Map(
    metadata['partition-specs'].map((spec) => {
      const fields = partitionFields(spec.fields)
      const sources = fields.map(({ sourceId }) => columns.get(sourceId ?? -1))
      const types = fields.map(({ transform }, i) => {
        const source = sources[i]
        return source === undefined ? undefined : resultType(transform, source)
      })
      const unpartitioned = fields.every(({ transform }) => transform.kind === 'void')
      const id = spec['spec-id']
      return [id, { id, fields, sources, types, unpartitioned }]
    }),
  )
}

/** The partition of a file that was written under `spec`. */
export function partitionValues({ dataFile }: ManifestEntry, spec: Spec): PartitionValues {
  const record = dataFile['partition'] as Readonly<Record<string, unknown>>
  const values = new Map<number, Bound | null>()
  spec.fields.forEach(({ id, name }, i) => {
    const value = boundOf(spec.types[i], record[name])
    if (value !== undefined) values.set(id, value)
  })
  return values
}

/** Equal for files of one partition: those of one spec with equal values. */
export function partitionKey(entry: ManifestEntry, spec: Spec): string {
  const values = partitionValues(entry, spec)
  const record = entry.dataFile['partition'] as Readonly<Record<string, unknown>>
  const parts = spec.fields.map(({ id, name }) => {
    const known = values.get(id)
    // A value whose type is not known is compared as it was written.
    return keyPart(known === undefined ? record[name] : known)
  })
  return `${spec.id}:${JSON.stringify(parts)}`
}

function keyPart(value: unknown): string {
  return value instanceof Uint8Array
    ? `x${Buffer.from(value).toString('hex')}`
    : `${String(value)}:${value === null}`
}

/** A partition value as bounds are held; undefined where it is none of the type. */
function boundOf(type: string | undefined, value: unknown): Bound | null | undefined {
  if (value === null) return null
  switch (type === undefined ? undefined : storageOf(type)) {
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'int':
    case 'float':
    case 'double':
      return typeof value === 'number' ? value : undefined
    case 'long':
      return typeof value === 'number' || typeof value === 'bigint' ? BigInt(value) : undefined
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'bytes':
      return value instanceof Uint8Array ? value : undefined
    case 'decimal':
      return value instanceof Uint8Array ? fromBigEndian(value) : undefined
    case undefined:
      return undefined
  }
}

/** Values of columns that are partitions as they are, by column id: files that were moved into a table may not have them inside. */
export function identityValues(
  metadata: Metadata,
): (file: { readonly specId: number; readonly partition: PartitionValues }) => PartitionValues {
  const specs = specsOf(metadata)
  return ({ specId, partition }) => {
    const values = new Map<number, Bound | null>()
    for (const { id, sourceId, transform } of specs.get(specId)?.fields ?? []) {
      const value = partition.get(id)
      if (transform.kind !== 'identity' || sourceId === undefined || value === undefined) continue
      values.set(sourceId, value)
    }
    return values
  }
}
