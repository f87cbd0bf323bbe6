/** headwater/spec: declare events, and get types, tables and checks from the same declaration. */
export {
  binary,
  boolean,
  date,
  decimal,
  double,
  enumOf,
  int,
  json,
  list,
  long,
  map,
  string,
  struct,
  timestamp,
} from './build.ts'
export { collectSpecs } from './collect.ts'
export { defineContext, defineEvent } from './define.ts'
export type { ContextSpec, EventSpec, Field, FieldType, Fields, SpecSet } from './field.ts'
export { type JsonSchema, jsonSchemaOf } from './json-schema.ts'
export type { ContextOf, EventsOf, JsonValue } from './infer.ts'
