/** A network as devices meet it: offline spells, lost answers, bodies that arrive twice or late. All of it from a seed. */
import type { Transport } from 'headwater/client/node'
import type { Chance } from './world.ts'

export interface FaultOptions {
  /** Share of requests whose answer is lost after they arrived. */
  readonly lostAnswers: number
  /** Share of requests that arrive twice. */
  readonly twice: number
  /** Share of requests that are held up. */
  readonly late: number
  readonly lateMsMax: number
  /** Share of requests that begin an offline spell. */
  readonly offline: number
  readonly offlineMsMax: number
}

export const FAULTS: FaultOptions = {
  lostAnswers: 0.02,
  twice: 0.02,
  late: 0.05,
  lateMsMax: 1500,
  offline: 0.01,
  offlineMsMax: 6000,
}

export const NO_FAULTS: FaultOptions = {
  lostAnswers: 0,
  twice: 0,
  late: 0,
  lateMsMax: 0,
  offline: 0,
  offlineMsMax: 0,
}

/** One device's way to the collector. */
export class FaultyNetwork implements Transport {
  /** Bodies that arrived once more than the client knows. */
  repeats = 0
  healed = false
  readonly #inner: Transport
  readonly #chance: Chance
  readonly #faults: FaultOptions
  #offlineUntil = 0

  constructor(inner: Transport, chance: Chance, faults: FaultOptions) {
    this.#inner = inner
    this.#chance = chance
    this.#faults = faults
  }

  async send(...call: Parameters<Transport['send']>): ReturnType<Transport['send']> {
    if (this.healed) return this.#inner.send(...call)
    const { lostAnswers, twice, late, lateMsMax, offline, offlineMsMax } = this.#faults
    const now = performance.now()
    if (now < this.#offlineUntil) return undefined
    if (this.#chance.happens(offline)) {
      this.#offlineUntil = now + this.#chance.float() * offlineMsMax
      return undefined
    }
    if (this.#chance.happens(late)) {
      const held = this.#chance.float() * lateMsMax
      await new Promise((resolve) => setTimeout(resolve, held))
    }
    const answer = await this.#inner.send(...call)
    if (answer === undefined) return undefined
    if (this.#chance.happens(twice)) {
      this.repeats++
      await this.#inner.send(...call)
    }
    if (this.#chance.happens(lostAnswers)) {
      this.repeats++
      return undefined
    }
    return answer
  }
}
