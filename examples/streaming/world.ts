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

/** How a kind of device is used. */
export interface Habits {
  /** Share of all devices. */
  readonly share: number
  /** How often something happens on it, against the others. */
  readonly pace: number
  /** Chance that a thing done while browsing is to search, and to press play. */
  readonly search: number
  readonly play: number
  /** Chance, at each thing done, that the app is started anew. */
  readonly restart: number
  /** How often its network fails, against the others. */
  readonly trouble: number
  readonly models: readonly string[]
  readonly userAgent: string
}

const APPLE = 'AppleWebKit/605.1.15 (KHTML, like Gecko)'
const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)'

export const HABITS: Readonly<Record<Platform, Habits>> = {
  // Watched for long, searched with a remote control, always on the network.
  tv: {
    share: 0.45,
    pace: 0.7,
    search: 0.02,
    play: 0.14,
    restart: 0.001,
    trouble: 0.3,
    models: ['Bravia 9', 'QN90', 'Fire Stick', 'Roku Ultra'],
    userAgent: `Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) ${WEBKIT} Version/8.0 TV Safari/537.36`,
  },
  web: {
    share: 0.2,
    pace: 1.5,
    search: 0.12,
    play: 0.07,
    restart: 0.004,
    trouble: 0.7,
    models: ['Chrome', 'Firefox', 'Safari'],
    userAgent: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/142.0.0.0 Safari/537.36`,
  },
  // Taken out for minutes, on trains and in lifts.
  ios: {
    share: 0.15,
    pace: 1.1,
    search: 0.09,
    play: 0.09,
    restart: 0.006,
    trouble: 2,
    models: ['iPhone 17', 'iPhone 15', 'iPad Air'],
    userAgent: `Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) ${APPLE} Mobile/15E148`,
  },
  android: {
    share: 0.2,
    pace: 1,
    search: 0.09,
    play: 0.09,
    restart: 0.006,
    trouble: 2.5,
    models: ['Pixel 10', 'Galaxy S25', 'Redmi 14'],
    userAgent: `Mozilla/5.0 (Linux; Android 15; Pixel 10) ${WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36`,
  },
}

export function platformOf(chance: Chance): Platform {
  let left = chance.float()
  for (const [platform, { share }] of Object.entries(HABITS)) {
    left -= share
    if (left < 0) return platform as Platform
  }
  return 'tv'
}

/** The last one is a beta that logs nonsense now and then. */
export const VERSIONS: readonly string[] = ['8.1.0', '8.2.0', '8.2.1', '8.3.0-beta']
export const BUGGY_VERSION = '8.3.0-beta'

/** A country: its language, and where a network of its providers begins (IPv4, two bytes). */
export interface Country {
  readonly code: string
  readonly language: string
  readonly network: string
}

export const COUNTRIES: readonly Country[] = [
  { code: 'DE', language: 'de', network: '91.10' },
  { code: 'FR', language: 'fr', network: '90.30' },
  { code: 'GB', language: 'en', network: '86.130' },
  { code: 'US', language: 'en', network: '73.20' },
  { code: 'BR', language: 'pt', network: '177.34' },
  { code: 'IN', language: 'hi', network: '49.36' },
  { code: 'JP', language: 'ja', network: '126.50' },
]
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
/** Experiment → its cells. */
export const EXPERIMENTS: Readonly<Record<string, readonly string[]>> = {
  autoplay_previews: ['off', 'on'],
  row_order: ['a', 'b'],
  start_screen: ['home', 'profiles', 'last_title'],
}
export const BUTTONS: readonly string[] = ['up', 'down', 'left', 'right', 'ok', 'back', 'menu']
export const ENDPOINTS: readonly string[] = ['/home', '/search', '/title', '/license', '/profiles']

export function titleOf(chance: Chance): number {
  return 80_000_000 + Math.floor(chance.float() ** 2 * 5000)
}

export function idOf(chance: Chance): string {
  return Array.from(chance.bytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
