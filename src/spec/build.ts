/** The builder of fields: `long().unit('ms').optional()`. Building is chaining; what comes out is plain frozen data. */
import { error } from '../base/errors.ts'
import type { Field, FieldType } from './field.ts'

/** Any value that JSON can carry. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined }

/** A field under construction, of values `T`; `O` says whether a value may be absent. Every modifier answers a new builder. */
export class FieldBuilder<T, O extends boolean = false> {
  /** Types only: never set. */
  declare readonly value: T
  declare readonly absent: O
  /** What has been built so far. */
  readonly field: Field

  constructor(field: Field) {
    this.field = Object.freeze(field)
  }

  /** What the field means, for the catalogue and the table's column comment. */
  doc(text: string): this {
    return this.with({ doc: text })
  }

  /** The unit of the value, such as `ms` or `bytes`. */
  unit(text: string): this {
    return this.with({ unit: text })
  }

  /** Declares personal data; `what` says which. */
  personal(what: string): this {
    return this.with({ personal: what })
  }

  /** Why the field is not to be used any more. */
  deprecated(why: string): this {
    return this.with({ deprecated: why })
  }

  /** Former names: old clients go on to send them, and the column is the same. */
  was(...names: string[]): this {
    return this.with({ was: names })
  }

  /** A value may be absent. */
  optional(): FieldBuilder<T, true> {
    return new FieldBuilder<T, true>({ ...this.field, optional: true })
  }

  protected with(change: Partial<Field>): this {
    const make = this.constructor as new (field: Field) => this
    return new make({ ...this.field, ...change })
  }
}

/** Fields with an order: numbers and times. */
export class RangeBuilder<T, O extends boolean = false> extends FieldBuilder<T, O> {
  /** The least value allowed. */
  min(least: number): this {
    return this.#bounded({ min: least })
  }

  /** The greatest value allowed. */
  max(most: number): this {
    return this.#bounded({ max: most })
  }

  /** Refuses bounds that are no numbers, or that no value lies between. */
  #bounded(change: Pick<Field, 'min' | 'max'>): this {
    const { min = -Number.MAX_VALUE, max = Number.MAX_VALUE } = { ...this.field, ...change }
    if (!Number.isFinite(min) || !Number.isFinite(max) || min > max) {
      throw error('spec_invalid', `From ${min} to ${max} is not a range.`)
    }
    return this.with(change)
  }

  override optional(): RangeBuilder<T, true> {
    return new RangeBuilder<T, true>({ ...this.field, optional: true })
  }
}

/** Fields with a length: strings (UTF-16 units), bytes, lists and maps (elements). */
export class LengthBuilder<T, O extends boolean = false> extends FieldBuilder<T, O> {
  /** The greatest length allowed. */
  maxLength(most: number): this {
    if (!Number.isSafeInteger(most) || most < 0) {
      throw error('spec_invalid', `maxLength(${most}) is not a length.`)
    }
    return this.with({ maxLength: most })
  }

  override optional(): LengthBuilder<T, true> {
    return new LengthBuilder<T, true>({ ...this.field, optional: true })
  }
}

export type Builder = FieldBuilder<unknown, boolean>
export type Builders = { readonly [name: string]: Builder }

/** Absent members may be left out. */
export type ValuesOf<B extends Builders> = {
  [N in keyof B as B[N]['absent'] extends true ? never : N]: B[N]['value']
} & {
  [N in keyof B as B[N]['absent'] extends true ? N : never]?: B[N]['value'] | null | undefined
}

type ValueOf<B extends Builder> = B['absent'] extends true ? B['value'] | null : B['value']

const plain = (type: FieldType): Field => ({ type: Object.freeze(type), optional: false })

export function boolean(): FieldBuilder<boolean> {
  return new FieldBuilder(plain({ kind: 'boolean' }))
}

/** A 32-bit integer. */
export function int(): RangeBuilder<number> {
  return new RangeBuilder(plain({ kind: 'int' }))
}

/** A 64-bit integer: a number up to 2^53 − 1, a bigint beyond. */
export function long(): RangeBuilder<number | bigint> {
  return new RangeBuilder(plain({ kind: 'long' }))
}

export function double(): RangeBuilder<number> {
  return new RangeBuilder(plain({ kind: 'double' }))
}

/** An exact decimal of `precision` digits, `scale` of them after the point; values are text such as `'12.50'`. */
export function decimal(precision: number, scale: number): RangeBuilder<string> {
  const valid =
    Number.isInteger(precision) &&
    Number.isInteger(scale) &&
    precision >= 1 &&
    precision <= 38 &&
    scale >= 0 &&
    scale <= precision
  if (!valid) throw error('spec_invalid', `decimal(${precision}, ${scale}) is not a decimal type.`)
  return new RangeBuilder(plain({ kind: 'decimal', precision, scale }))
}

export function string(): LengthBuilder<string> {
  return new LengthBuilder(plain({ kind: 'string' }))
}

/** One of the given strings. Throws HeadwaterError `spec_invalid`, as other bad types and bounds do. */
export function enumOf<const V extends readonly [string, ...string[]]>(
  ...values: V
): FieldBuilder<V[number]> {
  if (values[0] === undefined) throw error('spec_invalid', 'enumOf() needs a value.')
  if (new Set(values).size !== values.length) {
    throw error('spec_invalid', `enumOf(${values.join(', ')}) names a value twice.`)
  }
  return new FieldBuilder(plain({ kind: 'enum', values: Object.freeze([...values]) }))
}

/** A calendar date, `YYYY-MM-DD`. */
export function date(): FieldBuilder<string> {
  return new FieldBuilder(plain({ kind: 'date' }))
}

/** A moment: milliseconds since 1970, or a Date. */
export function timestamp(): RangeBuilder<number | Date> {
  return new RangeBuilder(plain({ kind: 'timestamp' }))
}

export function binary(): LengthBuilder<Uint8Array> {
  return new LengthBuilder(plain({ kind: 'binary' }))
}

export function list<B extends Builder>(element: B): LengthBuilder<readonly ValueOf<B>[]> {
  return new LengthBuilder(plain({ kind: 'list', element: element.field }))
}

/** A map with string keys. */
export function map<B extends Builder>(
  value: B,
): LengthBuilder<{ readonly [key: string]: ValueOf<B> }> {
  return new LengthBuilder(plain({ kind: 'map', value: value.field }))
}

export function struct<B extends Builders>(members: B): FieldBuilder<ValuesOf<B>> {
  return new FieldBuilder(plain({ kind: 'struct', fields: fieldsOf(members) }))
}

/** Any JSON value, stored as its text: the escape hatch. */
export function json(): LengthBuilder<JsonValue> {
  return new LengthBuilder(plain({ kind: 'json' }))
}

/** The plain data of builders. */
export function fieldsOf(builders: Builders): { readonly [name: string]: Field } {
  const fields = Object.entries(builders).map(([name, builder]) => [name, builder.field] as const)
  return Object.freeze(Object.fromEntries(fields))
}
