/** Looks up the parts of Iceberg schemas by field id, at any depth. */
import type { IcebergField, IcebergType } from '../spec/iceberg-type.ts'

/** A field and how to get to it: the names from the top-level column down, or no path where a list or a map lies between. */
export interface PlacedField {
  readonly field: IcebergField
  readonly path: readonly string[] | undefined
}

/** Every field of a schema by its id; elements, keys and values are fields called so. */
export function fieldsById(fields: readonly IcebergField[]): Map<number, PlacedField> {
  const found = new Map<number, PlacedField>()
  const visit = (field: IcebergField, above: readonly string[] | undefined): void => {
    const path = above === undefined ? undefined : [...above, field.name]
    found.set(field.id, { field, path })
    const struct = typeof field.type === 'object' && field.type.type === 'struct'
    for (const child of childFields(field.type)) visit(child, struct ? path : undefined)
  }
  for (const field of fields) visit(field, [])
  return found
}

/** The fields right inside a type. */
export function childFields(type: IcebergType): readonly IcebergField[] {
  if (typeof type === 'string') return []
  switch (type.type) {
    case 'struct':
      return type.fields
    case 'list': {
      const { element, 'element-id': id, 'element-required': required } = type
      return [{ id, name: 'element', required, type: element }]
    }
    case 'map': {
      const { key, value, 'key-id': keyId, 'value-id': id, 'value-required': required } = type
      return [
        { id: keyId, name: 'key', required: true, type: key },
        { id, name: 'value', required, type: value },
      ]
    }
  }
}

/** Primitive types by field id, at any depth. */
export function primitivesOf(fields: readonly IcebergField[]): Map<number, string> {
  return new Map(
    [...fieldsById(fields)].flatMap(([id, { field }]) =>
      typeof field.type === 'string' ? [[id, field.type] as const] : [],
    ),
  )
}
