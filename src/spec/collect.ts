/** Gathers the specifications that a module exports, and checks them as a whole. */
import { error, type HeadwaterError } from '../base/errors.ts'
import { failed, ok, type Result } from '../base/result.ts'
import type { TypedEvent } from './define.ts'
import type { ContextSpec, EventSpec, SpecSet } from './field.ts'

const NO_CONTEXT: ContextSpec = { spec: 'context', doc: 'No context is declared.', fields: {} }

/**
 * Every event type and the context among the exports of `module`; other exports are ignored, and a declaration that is
 * exported under several names counts once.
 */
export function collectSpecs(module: Readonly<Record<string, unknown>>): Result<SpecSet> {
  const events: EventSpec[] = []
  const contexts: ContextSpec[] = []
  for (const value of new Set(Object.values(module))) {
    if (isSpec(value, 'event')) events.push(value as EventSpec)
    if (isSpec(value, 'context')) contexts.push(value as ContextSpec)
  }
  events.sort((a, b) => (a.name < b.name ? -1 : 1))
  const [context = NO_CONTEXT, second] = contexts
  if (second !== undefined) return failed(error('spec_invalid', 'Two contexts are exported.'))
  const problem = nameProblem(events) ?? contextProblem(events, context)
  if (problem !== undefined) return failed(problem)
  return ok({ events: new Map(events.map((event) => [event.name, event])), context })
}

/** What `defineEvent` or `defineContext` made, if by another copy of this package; other data may have a member `spec` too. */
function isSpec(value: unknown, spec: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { spec: declared, '~standard': standard } = value as Partial<TypedEvent<string, unknown>>
  return declared === spec && standard?.vendor === 'headwater'
}

function nameProblem(events: readonly EventSpec[]): HeadwaterError | undefined {
  const taken = new Set<string>()
  for (const event of events) {
    for (const name of [event.name, ...(event.was ?? [])]) {
      if (taken.has(name)) return error('spec_invalid', `Two event types go by the name ${name}.`)
      taken.add(name)
    }
  }
  return undefined
}

/** Context members are columns of every table, so that no event may have a field of the name. */
function contextProblem(
  events: readonly EventSpec[],
  context: ContextSpec,
): HeadwaterError | undefined {
  for (const event of events) {
    for (const name of Object.keys(event.fields)) {
      if (Object.hasOwn(context.fields, name)) {
        return error(
          'spec_invalid',
          `${event.name}.${name}: the context has a member of that name.`,
        )
      }
    }
  }
  return undefined
}
