/** JSON with exact 64-bit integers: Iceberg's snapshot ids do not fit JavaScript numbers. */

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
const parse = JSON.parse as (text: string, reviver: Reviver) => unknown

/** No longer than 64 bits: what is beyond them is wrong anyway, and millions of digits take long to read. */
const EXACT = /^-?[0-9]{1,20}$/

/** Parses JSON; integers beyond 2^53 become bigint. Throws SyntaxError, and RangeError where it is nested too deeply. */
export function parseExact(text: string): unknown {
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && EXACT.test(source ?? '')
      ? BigInt(source!)
      : value,
  )
}

const rawJson = (JSON as unknown as { rawJSON(this: void, text: string): unknown }).rawJSON

/** Writes JSON; bigints become integers. */
export function stringifyExact(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? rawJson(String(item)) : item,
  )
}
