/** What a field is: plain frozen data, one shape per kind (DESIGN: specs are data, never classes). */

/** The type of a value, without the modifiers that belong to a named field. */
export type FieldType =
  | { readonly kind: 'boolean' | 'date' | 'timestamp' | 'binary' | 'json' }
  | { readonly kind: 'int' | 'long' | 'double' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'string' }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'list'; readonly element: Field }
  | { readonly kind: 'map'; readonly value: Field }
  | { readonly kind: 'struct'; readonly fields: Fields }

/** A type with its modifiers. `min` and `max` are in the field's unit, `maxLength` in UTF-16 units or elements. */
export interface Field {
  readonly type: FieldType
  readonly optional: boolean
  readonly doc?: string
  readonly unit?: string
  /** What personal data the field holds, in words; absent: none. */
  readonly personal?: string
  /** Why not to use it any more. */
  readonly deprecated?: string
  /** Former names; still accepted from old clients. */
  readonly was?: readonly string[]
  readonly min?: number
  readonly max?: number
  readonly maxLength?: number
}

export type Fields = { readonly [name: string]: Field }

/** An event type: its name is that of its table. */
export interface EventSpec {
  readonly spec: 'event'
  readonly name: string
  readonly doc: string
  readonly owner?: string
  readonly fields: Fields
  readonly deprecated?: string
  readonly was?: readonly string[]
}

/** The batch context: what is true of a whole batch. One per spec set. */
export interface ContextSpec {
  readonly spec: 'context'
  readonly doc: string
  readonly fields: Fields
}

/** Everything `specs.ts` exports, checked as a whole. Event types sorted by name. */
export interface SpecSet {
  readonly events: ReadonlyMap<string, EventSpec>
  readonly context: ContextSpec
}
