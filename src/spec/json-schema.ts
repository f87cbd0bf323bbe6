/** Specifications as JSON Schema (json-schema.org, draft 2020-12) of values as they travel (PROTOCOL.md §5). */
import { unreachable } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import type { ContextSpec, EventSpec, Field, Fields } from './field.ts'
import { docOf } from './tables.ts'

type JsonType = 'array' | 'boolean' | 'integer' | 'null' | 'number' | 'object' | 'string'

/** The keywords that are used; those with a colon are annotations, which JSON Schema lets a validator pass over. */
export interface JsonSchema {
  readonly $schema?: string
  readonly title?: string
  readonly description?: string
  readonly deprecated?: true
  readonly type: JsonType | readonly JsonType[]
  readonly enum?: readonly (string | null)[]
  readonly format?: 'date'
  readonly pattern?: string
  readonly contentEncoding?: 'base64'
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly items?: JsonSchema
  readonly maxItems?: number
  readonly properties?: { readonly [name: string]: JsonSchema }
  readonly required?: readonly string[]
  readonly additionalProperties?: false | JsonSchema
  readonly propertyNames?: { readonly maxLength: number }
  readonly maxProperties?: number
  readonly 'headwater:owner'?: string
  readonly 'headwater:unit'?: string
  readonly 'headwater:personal'?: string
  readonly 'headwater:was'?: readonly string[]
  /** Bounds that no keyword can state: those of text that stands for a number, and of a JSON text. */
  readonly 'headwater:min'?: number
  readonly 'headwater:max'?: number
  readonly 'headwater:maxLength'?: number
}

type Keywords = { readonly [K in keyof JsonSchema]: JsonSchema[K] | undefined }

/**
 * The JSON Schema of one event's fields, or of the context. It refuses nothing that the collector takes by the present
 * names; what JSON Schema cannot say, such as that a day exists, only the collector refuses.
 */
export function jsonSchemaOf(spec: EventSpec | ContextSpec): JsonSchema {
  const event = spec.spec === 'event' ? spec : undefined
  return present({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: event?.name ?? 'context',
    description: docOf(spec),
    deprecated: event?.deprecated === undefined ? undefined : true,
    ...objectSchema(spec.fields),
    'headwater:owner': event?.owner,
    'headwater:was': event?.was,
  })
}

function fieldSchema(field: Field): JsonSchema {
  const schema = valueSchema(field)
  return present({
    ...(field.optional ? nullable(schema) : schema),
    description: docOf(field),
    deprecated: field.deprecated === undefined ? undefined : true,
    'headwater:unit': field.unit,
    'headwater:personal': field.personal,
    'headwater:was': field.was,
  })
}

/** The schema of a value that is there. */
function valueSchema({ type, min, max, maxLength }: Field): Keywords {
  switch (type.kind) {
    case 'boolean':
      return { type: 'boolean' }
    case 'int':
      return { type: 'integer', ...range(-(2 ** 31), 2 ** 31 - 1, min, max) }
    case 'long':
      return {
        type: ['integer', 'string'],
        ...range(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, min, max),
        pattern: '^-?[0-9]{1,19}$',
        'headwater:min': min,
        'headwater:max': max,
      }
    case 'double':
    case 'timestamp':
      return { type: 'number', minimum: min, maximum: max }
    case 'decimal':
      return {
        type: 'string',
        pattern: decimalPattern(type.precision, type.scale),
        'headwater:min': min,
        'headwater:max': max,
      }
    case 'string':
      return { type: 'string', maxLength: maxLength ?? limits.stringLengthMax }
    case 'enum':
      return { type: 'string', enum: type.values }
    case 'date':
      return { type: 'string', format: 'date', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }
    case 'binary': {
      const length = maxLength === undefined ? undefined : Math.ceil(maxLength / 3) * 4
      return { type: 'string', contentEncoding: 'base64', maxLength: length }
    }
    case 'json':
      return {
        type: ['array', 'boolean', 'number', 'object', 'string'],
        'headwater:maxLength': maxLength ?? limits.stringLengthMax,
      }
    case 'list':
      return {
        type: 'array',
        items: fieldSchema(type.element),
        maxItems: maxLength ?? limits.listElementsMax,
      }
    case 'map':
      return {
        type: 'object',
        additionalProperties: fieldSchema(type.value),
        propertyNames: { maxLength: limits.stringLengthMax },
        maxProperties: maxLength ?? limits.listElementsMax,
      }
    case 'struct':
      return objectSchema(type.fields)
    default:
      return unreachable(type)
  }
}

function objectSchema(fields: Fields): JsonSchema {
  const entries = Object.entries(fields)
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, field]) => [name, fieldSchema(field)])),
    required: entries.filter(([, field]) => !field.optional).map(([name]) => name),
    additionalProperties: false,
  }
}

/** An absent value may also travel as null. */
function nullable(schema: Keywords): Keywords {
  const type = [schema.type ?? []].flat()
  return { ...schema, type: [...type, 'null'], enum: schema.enum && [...schema.enum, null] }
}

/** The narrower of the kind's own range and the field's. */
function range(least: number, most: number, min = least, max = most) {
  return { minimum: Math.max(least, min), maximum: Math.min(most, max) }
}

/** Digits as the column takes them: zeros in front are free. */
function decimalPattern(precision: number, scale: number): string {
  const whole = precision === scale ? '0+' : `0*[0-9]{1,${precision - scale}}`
  return scale === 0 ? `^-?${whole}$` : `^-?${whole}(\\.[0-9]{1,${scale}})?$`
}

function present(keywords: Keywords): JsonSchema {
  const stated = Object.entries(keywords).filter(([, value]) => value !== undefined && value !== '')
  return Object.fromEntries(stated) as unknown as JsonSchema
}
