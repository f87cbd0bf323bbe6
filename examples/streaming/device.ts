/** One simulated device: an app that starts, browses, searches and plays as its kind does, and counts exactly what it logged. */
import { randomBytes } from 'node:crypto'
import { type Client, createClient, type DropReason, nodeTransport } from 'headwater/client/node'
import { type FaultOptions, FaultyNetwork } from './faults.ts'
import type * as specs from './specs.ts'
import {
  BUGGY_VERSION,
  BUTTONS,
  type Chance,
  COUNTRIES,
  type Country,
  ENDPOINTS,
  EXPERIMENTS,
  HABITS,
  type Habits,
  idOf,
  LANGUAGES,
  LISTS,
  type Platform,
  platformOf,
  QUERIES,
  titleOf,
  VERSIONS,
} from './world.ts'

type Screen = 'home' | 'search' | 'title' | 'player' | 'account' | 'profiles'

/** What must be found of an event type. */
export interface Tally {
  landed: number
  quarantined: number
}

/** What a device has logged and the network did; numbers that were dropped are taken off again. */
export class DeviceReport {
  readonly byType = new Map<string, Tally>()
  readonly dropped = new Map<DropReason, number>()
  boots = 0

  count(type: string, good: boolean, by: 1 | -1): void {
    let tally = this.byType.get(type)
    if (tally === undefined) this.byType.set(type, (tally = { landed: 0, quarantined: 0 }))
    if (good) tally.landed += by
    else tally.quarantined += by
  }
}

export interface DeviceOptions {
  readonly url: string
  readonly key: string | undefined
  readonly chance: Chance
  readonly faults: FaultOptions
  readonly report: DeviceReport
  /** How long an event waits for others, ms. */
  readonly flushMs: number
}

interface Playback {
  readonly id: string
  readonly runtime: number
  position: number
  watched: number
}

export class Device {
  readonly #options: DeviceOptions
  readonly #chance: Chance
  readonly #network: FaultyNetwork
  readonly #platform: Platform
  readonly #habits: Habits
  readonly #country: Country
  readonly #model: string
  /** Experiment → cell of the member. */
  readonly #cells: Readonly<Record<string, string>>
  readonly #version: string
  readonly #install: string
  readonly #installedOn: string
  /** How wrong the device's wall clock is, ms: of one in seven by hours. */
  readonly #skew: number
  /** Clients of earlier boots, which may have something left to send. */
  readonly #earlier = new Set<Client<typeof specs>>()
  /** Undefined until the app is started. */
  #client: Client<typeof specs> | undefined
  /** Type and goodness of each event of this boot, by number. */
  #logged: { readonly type: string; readonly good: boolean }[] = []
  #screen: Screen = 'home'
  #playback: Playback | undefined

  constructor(options: DeviceOptions) {
    const { chance, faults } = options
    this.#options = options
    this.#chance = chance
    this.#platform = platformOf(chance)
    this.#habits = HABITS[this.#platform]
    this.#country = chance.pick(COUNTRIES)
    this.#model = chance.pick(this.#habits.models)
    this.#version = chance.pick(VERSIONS)
    this.#install = idOf(chance)
    this.#installedOn = new Date(Date.now() - chance.below(700) * 86_400_000)
      .toISOString()
      .slice(0, 10)
    this.#skew = chance.happens(0.15) ? (chance.float() - 0.5) * 3 * 86_400_000 : 0
    this.#cells = Object.fromEntries(
      Object.entries(EXPERIMENTS).map(([name, cells]) => [name, chance.pick(cells)]),
    )
    const address = `${this.#country.network}.${chance.below(256)}.${1 + chance.below(254)}`
    const headers = { 'user-agent': this.#habits.userAgent, 'x-forwarded-for': address }
    const transport = nodeTransport({ connections: 1, headers })
    this.#network = new FaultyNetwork(transport, chance, scaled(faults, this.#habits.trouble))
  }

  /** How often something happens here, against other devices. */
  get pace(): number {
    return this.#habits.pace
  }

  /** One thing that a member or an app does; answers how many events it logged. */
  step(): number {
    const before = this.#logged.length
    const roll = this.#chance.float()
    if (this.#client === undefined) this.#restart('cold')
    else if (roll < this.#habits.restart) this.#restart(this.#chance.pick(['cold', 'warm']))
    else if (this.#version === BUGGY_VERSION && this.#chance.happens(0.02)) this.#misbehave()
    else if (this.#chance.happens(0.003)) this.#switchProfile()
    else if (this.#chance.happens(0.006)) this.#fail()
    else if (this.#playback === undefined) this.#browse()
    else this.#watch(this.#playback)
    return Math.max(1, this.#logged.length - before)
  }

  /** Bodies that the network delivered more often than once. */
  get repeats(): number {
    return this.#network.repeats
  }

  /** Mends the network and sends everything that is left; true when all of it was answered for. */
  async finish(timeoutMs: number): Promise<boolean> {
    this.#network.healed = true
    const clients = [...this.#earlier, ...(this.#client === undefined ? [] : [this.#client])]
    const finished = await Promise.all(clients.map((client) => client.flush({ timeoutMs })))
    return finished.every(Boolean)
  }

  #start(): Client<typeof specs> {
    const { url, key, report, flushMs } = this.#options
    report.boots++
    const logged: { readonly type: string; readonly good: boolean }[] = []
    this.#logged = logged
    const started = performance.now()
    return createClient<typeof specs>({
      url,
      ...(key === undefined ? {} : { key }),
      sdk: `${this.#platform}/0.1.0`,
      flushMs,
      transport: this.#network,
      // A boot is another one in each run, whatever the seed: (boot, n) is an identity.
      random: { float: () => this.#chance.float(), bytes: (count) => randomBytes(count) },
      clock: {
        wall: () => Date.now() + this.#skew,
        monotonic: () => performance.now() - started,
        after: (ms, wake) => {
          const timer = setTimeout(wake, ms)
          return () => clearTimeout(timer)
        },
      },
      context: this.#member(),
      onDrop: (reason, first, count) => {
        report.dropped.set(reason, (report.dropped.get(reason) ?? 0) + count)
        for (const event of logged.slice(first, first + count)) {
          report.count(event.type, event.good, -1)
        }
      },
    })
  }

  #member(): NonNullable<Parameters<typeof createClient<typeof specs>>[0]['context']> {
    const chance = this.#chance
    return {
      install: this.#install,
      session: idOf(chance),
      app: 'netcast',
      app_version: this.#version,
      platform: this.#platform,
      device_model: this.#model,
      member_id: 1_000_000 + chance.below(500_000),
      profile_id: idOf(chance),
      country: this.#country.code,
      language: this.#country.language,
      cells: this.#cells,
    }
  }

  /** Logs what fits its specification. */
  #log: Client<typeof specs>['log'] = (name, fields) => {
    this.#count(name, true)
    this.#client!.log(name, fields)
  }

  /** Logs what does not, as a program does that was not type-checked. */
  #logBad(name: string, fields: Readonly<Record<string, unknown>>): void {
    this.#count(name, false)
    this.#client!.log(name as never, fields as never)
  }

  #count(type: string, good: boolean): void {
    this.#logged.push({ type, good })
    this.#options.report.count(type, good, 1)
  }

  #go(screen: Screen): void {
    const from = this.#screen
    this.#screen = screen
    this.#log('screen_viewed', { screen, from, load_time: 40 + this.#chance.below(900) })
  }

  #browse(): void {
    const chance = this.#chance
    const { play, search } = this.#habits
    let roll = chance.float()
    const within = (share: number): boolean => (roll -= share) < 0
    if (within(play)) this.#play()
    else if (within(search)) this.#search()
    else if (within(0.4)) this.#present()
    else if (within(0.1)) this.#go(chance.pick(['home', 'search', 'title', 'account', 'profiles']))
    else if (within(0.12)) this.#press()
    else if (within(0.03)) this.#expose()
    else if (within(0.002)) this.#plan()
    else this.#call()
  }

  #press(): void {
    const button = this.#chance.pick(BUTTONS)
    const held = this.#chance.happens(0.1) ? 300 + this.#chance.below(1500) : undefined
    this.#log('button_pressed', { screen: this.#screen, button, held })
  }

  #expose(): void {
    const [experiment, cell] = this.#chance.pick(Object.entries(this.#cells))
    this.#log('cell_exposed', { experiment, cell })
  }

  #present(): void {
    const chance = this.#chance
    const row = chance.below(20)
    const impressions = Array.from({ length: 1 + chance.below(6) }, (_, position) => ({
      title_id: titleOf(chance),
      row,
      position,
      artwork: chance.happens(0.8) ? `art_${chance.below(9000)}` : undefined,
      visible: 500 + chance.below(4000),
    }))
    const scores = chance.happens(0.3) ? impressions.map(() => chance.float()) : undefined
    this.#log('rows_presented', { screen: this.#screen, impressions, scores })
  }

  #search(): void {
    const chance = this.#chance
    this.#log('searched', {
      query: chance.pick(QUERIES),
      results: chance.below(60),
      latency: 20 + chance.below(400),
    })
  }

  #call(): void {
    const chance = this.#chance
    const latency = 15 + Math.floor(chance.float() ** 3 * 2000)
    this.#log('api_called', {
      endpoint: chance.pick(ENDPOINTS),
      status: chance.happens(0.97) ? 200 : 503,
      latency,
      timings: chance.happens(0.2) ? { dns: 3, connect: 11, wait: latency } : undefined,
    })
  }

  #plan(): void {
    const chance = this.#chance
    const plan = chance.pick(['basic', 'standard', 'premium'] as const)
    const price = { basic: '7.99', standard: '12.99', premium: '17.99' }[plan]
    this.#log('plan_changed', { plan, price, effective: new Date(Date.now()) })
  }

  #play(): void {
    const chance = this.#chance
    const title = titleOf(chance)
    this.#log('title_selected', {
      title_id: title,
      row: chance.below(20),
      position: chance.below(8),
      list: chance.pick(LISTS),
    })
    const runtime = 1_200_000 + chance.below(6_000_000)
    // Half of what is played goes on where it was left.
    const position = chance.happens(0.5) ? chance.below(runtime) : 0
    this.#playback = { id: idOf(chance), runtime, position, watched: 0 }
    this.#screen = 'player'
    this.#log('play_started', {
      playback_id: this.#playback.id,
      // One title in a hundred has an id beyond what a number of JavaScript holds.
      title_id: chance.happens(0.01) ? 2n ** 60n + BigInt(title) : title,
      position,
      muted: chance.happens(0.1),
      subtitle: chance.happens(0.3) ? chance.pick(LANGUAGES) : undefined,
      start_time: 200 + Math.floor(chance.float() ** 3 * 8000),
      license_token: chance.happens(0.2) ? chance.bytes(12) : undefined,
    })
  }

  #watch(playback: Playback): void {
    const chance = this.#chance
    const { id: playback_id, runtime } = playback
    playback.position = Math.min(runtime, playback.position + 60_000)
    playback.watched += 60_000
    const { position } = playback
    const roll = chance.float()
    if (position === runtime || roll < 0.04) this.#end(playback)
    else if (roll < 0.07) this.#log('play_paused', { playback_id, position })
    else if (roll < 0.09) {
      const wait = 100 + Math.floor(chance.float() ** 4 * 15_000)
      this.#log('rebuffered', { playback_id, position, wait })
    } else if (roll < 0.14) this.#call()
    else {
      const bitrate = chance.pick([1200, 2400, 5800, 5800, 8000, 16_000])
      this.#log('play_progressed', { playback_id, position, bitrate, buffer: chance.float() * 30 })
    }
  }

  #end({ id: playback_id, position, runtime, watched }: Playback): void {
    const stopped = this.#chance.happens(0.02) ? 'error' : 'stopped'
    const reason = position === runtime ? 'finished' : stopped
    this.#log('play_ended', { playback_id, position, watched, reason })
    this.#playback = undefined
    this.#go('home')
  }

  #fail(): void {
    const details = this.#chance.happens(0.5) ? { stack: ['a', 'b'], retry: 2 } : undefined
    const code = `E${this.#chance.below(40)}`
    this.#log('error_shown', {
      code,
      message: 'segment could not be loaded',
      fatal: false,
      details,
    })
  }

  #switchProfile(): void {
    this.#client!.setContext({ profile_id: idOf(this.#chance) })
    this.#log('profile_switched', { kids: this.#chance.happens(0.2) })
  }

  /** The app ends, if it runs, and starts again: what the old boot still has arrives beside the new one's. */
  #restart(kind: 'cold' | 'warm'): void {
    if (this.#client !== undefined) void this.#leave(this.#client)
    this.#playback = undefined
    this.#screen = 'home'
    this.#client = this.#start()
    this.#log('app_started', {
      kind,
      time_to_interactive: (kind === 'cold' ? 900 : 200) + this.#chance.below(3000),
      memory: 80 + this.#chance.float() * 400,
      installed_on: this.#installedOn,
    })
  }

  /** Ends a client; what it could not send is kept until the end. */
  async #leave(client: Client<typeof specs>): Promise<void> {
    this.#earlier.add(client)
    await client.close()
    if (client.stats.queued === 0) this.#earlier.delete(client)
  }

  /** What a beta does that nobody type-checked. */
  #misbehave(): void {
    const playback_id = idOf(this.#chance)
    switch (this.#chance.below(6)) {
      case 0:
        return this.#logBad('play_paused', { playback_id, position: '12000' })
      case 1:
        return this.#logBad('searched', { query: 'cut \ud83d', results: 1, latency: 5 })
      case 2:
        return this.#logBad('api_called', { endpoint: '/home', status: 42, latency: 10 })
      case 3:
        return this.#logBad('cell_exposed', { experiment: 'row_order' })
      case 4:
        return this.#logBad('heartbeat', { uptime: 12 })
      default: {
        // A field that no specification knows does no harm: the event lands, and the field with it.
        const fields = { code: 'E0', message: 'debug', fatal: false, debug_level: 3 }
        return this.#log('error_shown', fields)
      }
    }
  }
}

/** Faults that happen `by` times as often. */
function scaled(faults: FaultOptions, by: number): FaultOptions {
  const { lostAnswers, late, offline } = faults
  return { ...faults, lostAnswers: lostAnswers * by, late: late * by, offline: offline * by }
}
