/** Which changes of a field's type old files and old clients can follow (Iceberg spec, schema evolution). */

export type TypeChange =
  { readonly allowed: true } | { readonly allowed: false; readonly reason: string }

const ALLOWED: TypeChange = { allowed: true }

/** Judges a change between two Iceberg type names without children. */
export function decided(from: string, to: string): TypeChange {
  if (from === to) return ALLOWED
  if (from === 'int' && to === 'long') return ALLOWED
  const [old, wanted] = [decimalOf(from), decimalOf(to)]
  if (old !== undefined && wanted !== undefined) {
    if (wanted.scale !== old.scale) return refused(from, to, 'the scale of a decimal is fixed')
    if (wanted.precision > old.precision) return ALLOWED
    return refused(from, to, 'digits would be lost')
  }
  return refused(from, to, 'old files could not be read')
}

function refused(from: string, to: string, why: string): TypeChange {
  return { allowed: false, reason: `its type cannot change from ${from} to ${to}: ${why}` }
}

function decimalOf(type: string): { precision: number; scale: number } | undefined {
  const match = /^decimal\((\d+), ?(\d+)\)$/.exec(type)
  return match === null ? undefined : { precision: Number(match[1]), scale: Number(match[2]) }
}
