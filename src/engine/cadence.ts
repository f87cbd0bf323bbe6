/** How long to gather rows before an epoch is written: as fresh as asked for, slower only when writing takes its time. */
import { limits } from '../base/limits.ts'

export interface CadenceOptions {
  /** Wanted time between commits, ms. */
  readonly epochMs: number
  /** Share of the time that writing may take, 0 … 1. */
  readonly writeShare: number
}

/** Milliseconds from the start of one epoch's write to the start of the next. */
export function nextEpochMs(options: CadenceOptions, lastWriteMs: number): number {
  const needed = lastWriteMs / options.writeShare
  return Math.min(limits.epochMsMax, Math.max(options.epochMs, needed))
}
