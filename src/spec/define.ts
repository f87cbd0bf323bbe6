/** Declares event types and the batch context. */
import type { StandardSchemaV1 } from './standard.ts'
import { standardOf } from './standard.ts'
import { type Builders, fieldsOf, type ValuesOf } from './build.ts'
import type { ContextSpec, EventSpec } from './field.ts'
import { checkContext, checkEvent } from './names.ts'

/** An event type that knows the TypeScript type of its fields. */
export interface TypedEvent<N extends string, V> extends EventSpec {
  readonly name: N
  /** Standard Schema (standardschema.dev): validates one event's fields as an object. */
  readonly '~standard': StandardSchemaV1.Props<V>
}

export interface TypedContext<V> extends ContextSpec {
  readonly '~standard': StandardSchemaV1.Props<V>
}

export interface EventOptions<B extends Builders> {
  /** When the event happens, in one sentence. */
  readonly doc: string
  /** The team that answers for it. */
  readonly owner?: string
  readonly fields: B
  /** Why it is not to be logged any more. */
  readonly deprecated?: string
  /** Former names of the event type. */
  readonly was?: readonly string[]
}

/** Declares an event type. Throws HeadwaterError `spec_invalid`. */
export function defineEvent<const N extends string, const B extends Builders>(
  name: N,
  options: EventOptions<B>,
): TypedEvent<N, ValuesOf<B>> {
  const { doc, owner, deprecated, was } = options
  const event: EventSpec & { readonly name: N } = {
    spec: 'event',
    name,
    doc,
    fields: fieldsOf(options.fields),
    ...(owner === undefined ? {} : { owner }),
    ...(deprecated === undefined ? {} : { deprecated }),
    ...(was === undefined ? {} : { was }),
  }
  checkEvent(event)
  return Object.freeze({ ...event, '~standard': standardOf<ValuesOf<B>>(event.fields) })
}

/** Declares what is true of a whole batch. One per set of specifications. Throws HeadwaterError `spec_invalid`. */
export function defineContext<const B extends Builders>(options: {
  readonly doc: string
  readonly fields: B
}): TypedContext<Partial<ValuesOf<B>>> {
  const context: ContextSpec = {
    spec: 'context',
    doc: options.doc,
    fields: fieldsOf(options.fields),
  }
  checkContext(context)
  return Object.freeze({
    ...context,
    '~standard': standardOf<Partial<ValuesOf<B>>>(context.fields),
  })
}
