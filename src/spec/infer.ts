/** TypeScript types out of a module of specifications; the client imports these and nothing else of them. */
import type { TypedContext, TypedEvent } from './define.ts'

export type { JsonValue } from './build.ts'

/** Event type → the type of its fields, for `import type * as specs from './specs.ts'`. */
export type EventsOf<S> = {
  [K in keyof S as S[K] extends TypedEvent<infer N, unknown> ? N : never]: S[K] extends TypedEvent<
    string,
    infer V
  >
    ? V
    : never
}

/** The type of the batch context. */
export type ContextOf<S> = [Extract<S[keyof S], { readonly spec: 'context' }>] extends [never]
  ? Readonly<Record<string, unknown>>
  : Extract<S[keyof S], { readonly spec: 'context' }> extends TypedContext<infer V>
    ? V
    : never
