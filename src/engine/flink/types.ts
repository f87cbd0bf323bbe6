/** Iceberg types as Flink writes them in SQL. */
import { unreachable } from '../../base/assert.ts'
import type { IcebergType } from '../../spec/iceberg-type.ts'

const PRIMITIVES: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  int: 'INT',
  long: 'BIGINT',
  double: 'DOUBLE',
  date: 'DATE',
  timestamptz: 'TIMESTAMP_LTZ(6)',
  string: 'STRING',
  binary: 'BYTES',
}

/** SQL text of a type; throws for a type that no headwater table has. */
export function flinkType(type: IcebergType): string {
  if (typeof type === 'string') return primitive(type)
  switch (type.type) {
    case 'struct': {
      const members = type.fields.map(
        (field) => `${flinkName(field.name)} ${nested(field.type, field.required)}`,
      )
      return `ROW<${members.join(', ')}>`
    }
    case 'list':
      return `ARRAY<${nested(type.element, type['element-required'])}>`
    case 'map':
      return `MAP<${nested(type.key, true)}, ${nested(type.value, type['value-required'])}>`
    default:
      return unreachable(type)
  }
}

function nested(type: IcebergType, required: boolean): string {
  return required ? `${flinkType(type)} NOT NULL` : flinkType(type)
}

function primitive(type: string): string {
  const decimal = /^decimal\((\d+), ?(\d+)\)$/.exec(type)
  if (decimal !== null) return `DECIMAL(${decimal[1]}, ${decimal[2]})`
  const name = PRIMITIVES[type]
  if (name === undefined) throw new Error(`headwater bug: no Flink type for ${type}`)
  return name
}

/** A name in Flink's quotation marks. */
export function flinkName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
