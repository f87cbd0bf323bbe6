/** The world of the simulated devices: its titles, members and app versions, and chance with a seed. */

/** Draws from a seeded sequence. */
export interface Chance {
  float(): number
  bytes(count: number): Uint8Array
  below(bound: number): number
  pick<T>(items: readonly T[]): T
  /** True with probability `share`. */
  happens(share: number): boolean
}

/** Mulberry32: small, fast, and repeatable. Not for secrets. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (bound: number): number => Math.floor(float() * bound)
  return {
    float,
    below,
    bytes: (count) => Uint8Array.from({ length: count }, () => below(256)),
    pick: (items) => items[below(items.length)]!,
    happens: (share) => float() < share,
  }
}

export type Platform = 'tv' | 'web' | 'ios' | 'android'

export const PLATFORMS: readonly Platform[] = [
  'tv',
  'tv',
  'web',
  'web',
  'ios',
  'android',
  'android',
]
export const MODELS: Readonly<Record<Platform, readonly string[]>> = {
  tv: ['Bravia 9', 'QN90', 'Fire Stick', 'Roku Ultra'],
  web: ['Chrome', 'Firefox', 'Safari'],
  ios: ['iPhone 17', 'iPhone 15', 'iPad Air'],
  android: ['Pixel 10', 'Galaxy S25', 'Redmi 14'],
}
/** The last one is a beta that logs nonsense now and then. */
export const VERSIONS: readonly string[] = ['8.1.0', '8.2.0', '8.2.1', '8.3.0-beta']
export const BUGGY_VERSION = '8.3.0-beta'
export const COUNTRIES: readonly string[] = ['DE', 'FR', 'GB', 'US', 'BR', 'IN', 'JP']
export const LANGUAGES: readonly string[] = ['de', 'fr', 'en', 'pt', 'hi', 'ja']
export const LISTS: readonly string[] = [
  'trending',
  'continue',
  'top_10',
  'because_you_watched',
  'new',
]
export const QUERIES: readonly string[] = [
  'dark',
  'star',
  'the crown',
  'naïve 東京',
  'cooking',
  'chess',
]
export const EXPERIMENTS: readonly string[] = ['autoplay_previews', 'row_order', 'start_screen']
export const ENDPOINTS: readonly string[] = ['/home', '/search', '/title', '/license', '/profiles']

export function titleOf(chance: Chance): number {
  return 80_000_000 + Math.floor(chance.float() ** 2 * 5000)
}

export function idOf(chance: Chance): string {
  return Array.from(chance.bytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
