/** Table metadata as catalogs send it, brought to the form of ours; and what headwater wrote into it. */
import { error } from '../../base/errors.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { IcebergField, IcebergType } from '../../spec/iceberg-type.ts'
import { type Metadata, readMetadata, type Schema } from '../metadata.ts'

/** A table as the catalog has it. */
export interface Loaded {
  readonly metadata: Metadata
  /** Location of the metadata file; empty where the catalog keeps none. */
  readonly file: string
}

/** What the newest commit of a headwater to a table says (PROTOCOL.md §14). */
export interface Mark {
  /** Whose log the offset belongs to. */
  readonly writer: string
  /** Identity of the change, the same in every table that it changed. */
  readonly commit: string
  readonly offset: number
}

/** Reads the answer to loading, creating or committing a table. */
export function readLoaded(name: string, body: unknown): Result<Loaded> {
  const answer = body as { metadata?: unknown; 'metadata-location'?: unknown } | null | undefined
  const raw = answer?.metadata
  if (typeof raw !== 'object' || raw === null) {
    return failed(error('catalog_invalid', `table ${name}: no metadata in the answer.`))
  }
  const present = Object.entries(raw).filter(([, value]) => value !== null)
  const full: Record<string, unknown> = Object.fromEntries(present)
  try {
    if (Array.isArray(full['schemas'])) full['schemas'] = full['schemas'].map(canonicalSchema)
  } catch (cause) {
    return failed(error('catalog_invalid', `table ${name}: a schema is not one.`, cause))
  }
  const metadata = readMetadata(full, `table ${name}`)
  if (!metadata.ok) return failed(error('catalog_invalid', metadata.error.detail))
  const file = answer?.['metadata-location']
  return ok({ metadata: metadata.value, file: typeof file === 'string' ? file : '' })
}

/** What a headwater wrote last; undefined before its first commit. */
export function markOf({ properties }: Metadata): Mark | undefined {
  const { [WRITER]: writer, [COMMIT]: commit, [OFFSET]: text } = properties
  const offset = Number(text ?? NaN)
  if (writer === undefined || commit === undefined || !Number.isSafeInteger(offset))
    return undefined
  return { writer, commit, offset }
}

const WRITER = 'headwater.writer'
const COMMIT = 'headwater.commit'
const OFFSET = 'headwater.offset'

/** A mark as table properties, and as a snapshot's summary. */
export function markProperties({ writer, commit, offset }: Mark): Record<string, string> {
  return { [WRITER]: writer, [COMMIT]: commit, [OFFSET]: String(offset) }
}

/** Members of a schema in the order of ours, so that equal schemas are equal text. */
function canonicalSchema(schema: Schema): Schema {
  return { ...schema, fields: schema.fields.map(canonicalField) }
}

/** A column with its members in the order of ours. */
export function canonicalField(field: IcebergField): IcebergField {
  const { id, name, required, type, doc, ...rest } = field
  const canonical = { id, name, required, type: canonicalType(type) }
  return { ...canonical, ...(typeof doc === 'string' ? { doc } : {}), ...rest }
}

function canonicalType(type: IcebergType): IcebergType {
  if (typeof type === 'string') {
    const decimal = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(type)
    return decimal === null ? type : `decimal(${decimal[1]}, ${decimal[2]})`
  }
  switch (type.type) {
    case 'struct':
      return { type: 'struct', fields: type.fields.map(canonicalField) }
    case 'list':
      return {
        type: 'list',
        'element-id': type['element-id'],
        element: canonicalType(type.element),
        'element-required': type['element-required'],
      }
    case 'map':
      return {
        type: 'map',
        'key-id': type['key-id'],
        key: type.key,
        'value-id': type['value-id'],
        value: canonicalType(type.value),
        'value-required': type['value-required'],
      }
  }
}
