/** What the address and the user agent of a request tell; look-ups are cached, and the address is not kept. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { isIP } from 'node:net'
import bowser from 'bowser'
import { isbot } from 'isbot'
import { type CountryResponse, Reader } from 'maxmind'
import { limits } from '../base/limits.ts'
import type { Enrichment } from './intake.ts'

export interface Enricher {
  /** The same object for the same address and agent, as long as it is remembered. */
  enrich(address: string, agent: string): Enrichment
}

export interface EnrichOptions {
  readonly country: boolean
  readonly userAgent: boolean
}

type AgentFacts = Pick<Enrichment, 'ua_browser' | 'ua_os' | 'ua_device' | 'robot'>

/** Opens the country data if it is wanted. */
export async function openEnricher(options: EnrichOptions): Promise<Enricher> {
  const countries = options.country ? await openCountries() : undefined
  const agents = new Recent<AgentFacts>(limits.enrichCacheEntriesMax)
  const known = new Recent<Enrichment>(limits.enrichCacheEntriesMax)
  return {
    enrich: (address, header) => {
      // What is remembered is bounded, whatever is sent.
      const agent = header.slice(0, limits.userAgentCharsMax)
      return known.of(`${address} ${agent}`, () => {
        const country = countries?.(address)
        const facts = options.userAgent
          ? agents.of(agent, () => readAgent(agent))
          : { robot: false }
        return country === undefined ? facts : { geo_country: country, ...facts }
      })
    },
  }
}

async function openCountries(): Promise<(address: string) => string | undefined> {
  const require = createRequire(import.meta.url)
  const file =
    require.resolve('@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb')
  const reader = new Reader<CountryResponse & { country_code?: string }>(await readFile(file))
  return (address) => {
    // Such as a forged header.
    if (isIP(address) === 0) return undefined
    try {
      const found = reader.get(address)
      return found?.country_code ?? found?.country?.iso_code
    } catch {
      // One that the data has no form for, such as with a zone, has no country.
      return undefined
    }
  }
}

function readAgent(agent: string): AgentFacts {
  if (agent === '') return { robot: false }
  const robot = isbot(agent)
  const { browser, os, platform } = bowser.parse(agent)
  return {
    ...(browser.name === undefined || browser.name === '' ? {} : { ua_browser: browser.name }),
    ...(os.name === undefined ? {} : { ua_os: os.name }),
    ...(platform.type === undefined ? {} : { ua_device: platform.type }),
    robot,
  }
}

/** A bounded memory of look-ups: the oldest are forgotten first. */
class Recent<T> {
  readonly #most: number
  readonly #known = new Map<string, T>()

  constructor(most: number) {
    this.#most = most
  }

  of(key: string, look: () => T): T {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#known.size >= this.#most) {
      const [oldest] = this.#known.keys()
      if (oldest !== undefined) this.#known.delete(oldest)
    }
    const found = look()
    this.#known.set(key, found)
    return found
  }
}

/**
 * The address of the client: that of the connection, or with `hops` trusted proxies in front the one that the outermost of them saw
 * (X-Forwarded-For is appended to on the right).
 */
export function clientAddress(
  connection: string | undefined,
  forwarded: string | readonly string[] | undefined,
  hops: number,
): string {
  const plain = (connection ?? '').replace(/^::ffff:/, '')
  if (hops === 0 || forwarded === undefined) return plain
  const chain = String(forwarded).split(',')
  return (chain.at(-hops) ?? chain[0] ?? plain).trim()
}
