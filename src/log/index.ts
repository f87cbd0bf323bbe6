/** The durable log: the port, its file form and its memory form. */
export { openFileLog, type FileLog, type FileLogOptions, type LogLimits } from './file-log.ts'
export type { Appended, Frame, Log, LogHealth, StoredFrame } from './log.ts'
export { memoryLog, type MemoryLogLimits } from './memory-log.ts'
export type { Cut } from './recover.ts'
