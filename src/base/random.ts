/** Randomness as a parameter: system entropy in production, a seed in tests and benchmarks. */

export interface Random {
  /** A number in [0, 1). */
  float(): number
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
}

/** Bytes from the platform's cryptographic source (browser and Node); numbers, which only spread load, from the cheap one. */
export const systemRandom: Random = {
  float: () => Math.random(),
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
}

/** A repeatable sequence: mulberry32 (Tommy Ettinger), full period 2^32. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    float,
    bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(float() * 256)),
  }
}

/** An integer in [0, bound). */
export function below(random: Random, bound: number): number {
  return Math.floor(random.float() * bound)
}

/** A random version-4 UUID as canonical text (RFC 9562 §5.4). */
export function uuid(random: Random): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}
