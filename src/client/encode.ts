/** Turns what an app logs into values that JSON carries (PROTOCOL.md §5), estimating their size on the way. */
import * as limits from '../base/client-limits.ts'

/** Room that is left for a value, in characters; an object, since encoding counts it down. */
export interface Room {
  left: number
}

/**
 * The wire form of a value: a copy, so that the app may go on to change what it logged. Absent is null. Throws for what has
 * no such form, and when the room is used up; a cycle ends at the depth.
 */
export function encode(value: unknown, room: Room, depth: number = limits.clientDepthMax): unknown {
  // Eight characters stand for a number or a boolean with its comma.
  room.left -= typeof value === 'string' ? value.length + 3 : 8
  if (room.left < 0) throw new TypeError()
  if (value === undefined || value === null) return null
  if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value))
    return value
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : `${value}`
  }
  if (typeof value !== 'object' || depth === 0) throw new TypeError()
  if (value instanceof Date) return encode(value.getTime(), room)
  if (value instanceof Uint8Array) return encode(base64(value), room)
  if (Array.isArray(value)) return Array.from(value, (item) => encode(item, room, depth - 1))
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
    return encode((value as { toJSON: () => unknown }).toJSON(), room, depth - 1)
  }
  // A Map, an Error and their like would arrive as an empty object.
  if (Object.prototype.toString.call(value) !== '[object Object]') throw new TypeError()
  return encodeObject(value, room, depth - 1)
}

/** The members of an object in their wire form. Throws as `encode` does. */
export function encodeObject(value: object, room: Room, depth?: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      room.left -= name.length
      return [name, encode(member, room, depth)]
    }),
  )
}

/**
 * A context with a change. What has no wire form must not be left out, where nobody would see it: a text that is no Unicode stands
 * for it, which fits no field but one of free JSON.
 */
export function contextWith(context: object, change: object): Record<string, unknown> {
  return Object.fromEntries([
    ...Object.entries(context),
    ...Object.entries(change).map(([name, value]) => {
      try {
        return [
          name,
          value === undefined ? value : encode(value, { left: limits.clientContextCharsMax }),
        ]
      } catch {
        return [name, '\ud800']
      }
    }),
  ])
}

export function base64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}
