/** The epochs between collector and engine: one is filled while another is written, and memory is reused. */
import { limits } from '../base/limits.ts'
import { Epoch, type Schemas } from '../columns/epoch.ts'

/** Epochs that wait for the engine, at most, besides the open one. */
const WAITING_MAX = 2

export class EpochQueue {
  readonly #schemas: Schemas
  readonly #waiting: Epoch[] = []
  readonly #spare: Epoch[] = []
  readonly #rowsMax: number
  /** Rows that the engine is writing. */
  #written = 0
  #open: Epoch

  constructor(schemas: Schemas, rowsMax: number = limits.epochRowsMax) {
    this.#schemas = schemas
    this.#rowsMax = rowsMax
    this.#open = new Epoch(schemas)
  }

  /** Whether no further rows are taken until the engine has written some. */
  get behind(): boolean {
    return this.rows + this.#written >= this.#rowsMax || this.#waiting.length > WAITING_MAX
  }

  /** Rows that are not yet handed to the engine. */
  get rows(): number {
    return this.#waiting.reduce((sum, epoch) => sum + epoch.rows, this.#open.rows)
  }

  /** What is written next: the oldest closed epoch, else the open one if it holds anything. */
  get next(): { readonly epoch: Epoch; readonly closed: boolean } | undefined {
    const [oldest] = this.#waiting
    if (oldest !== undefined) return { epoch: oldest, closed: true }
    return this.#open.empty ? undefined : { epoch: this.#open, closed: false }
  }

  /** The epoch for batches received on `day` (days since 1970); undefined while behind. */
  open(day: number): Epoch | undefined {
    if (this.behind) return undefined
    const { day: openDay, empty, files } = this.#open
    if (!empty && (openDay !== day || files > limits.epochFilesMax)) this.#seal()
    this.#open.day = day
    return this.#open
  }

  /** Hands the oldest epoch with rows to the engine. */
  take(): Epoch | undefined {
    if (this.#waiting.length === 0 && !this.#open.empty) this.#seal()
    const epoch = this.#waiting.shift()
    this.#written += epoch?.rows ?? 0
    return epoch
  }

  /** Takes an epoch back once it is committed. The memory of one that grew beyond what is usual is let go. */
  release(epoch: Epoch): void {
    this.#written -= epoch.rows
    if (epoch.rows > limits.epochRowsFull || this.#spare.length >= WAITING_MAX) return
    epoch.reset()
    this.#spare.push(epoch)
  }

  #seal(): void {
    this.#waiting.push(this.#open)
    this.#open = this.#spare.pop() ?? new Epoch(this.#schemas)
  }
}
