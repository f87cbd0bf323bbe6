/** The project that the platforms of the benchmarks run on. */
import { type Config, type Project, readConfig } from '../src/platform/index.ts'
import {
  boolean,
  collectSpecs,
  defineContext,
  defineEvent,
  int,
  long,
  string,
} from '../src/spec/index.ts'
import { updateLock } from '../src/spec/lock.ts'
import { contextFields, declaredTypes, type ValueKind } from './types.ts'

const kinds = { int, long, string, boolean }
const build = (fields: Readonly<Record<string, ValueKind>>) =>
  Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, kinds[kind]()]))

/** A project in `folder` with so many declared event types. */
export function benchProject(folder: string, types: number, options: Config): Project {
  const collected = collectSpecs({
    context: defineContext({ doc: 'The device.', fields: build(contextFields) }),
    ...Object.fromEntries(
      declaredTypes(types).map(({ name, fields }) => [
        name,
        defineEvent(name, { doc: 'A type of the benchmark.', fields: build(fields) }),
      ]),
    ),
  })
  if (!collected.ok) throw collected.error
  const locked = updateLock(undefined, collected.value)
  if (!locked.ok) throw locked.error
  const config = readConfig({ http: { port: 0 }, ...options })
  if (!config.ok) throw config.error
  return {
    folder,
    config: config.value,
    specs: collected.value,
    lock: locked.value.lock,
    locked: true,
    data: folder,
  }
}
