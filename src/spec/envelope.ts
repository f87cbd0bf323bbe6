/** The columns that every event table begins with; their ids are permanent. */
import type { IcebergField } from './iceberg-type.ts'

const field = (
  id: number,
  name: string,
  type: string,
  required: boolean,
  doc: string,
): IcebergField => ({ id, name, required, type, doc })

/** Ids 1 … 99 belong to the envelope. */
export const ENVELOPE: readonly IcebergField[] = [
  field(1, 'event_time', 'timestamptz', true, 'When the event happened (PROTOCOL.md §6).'),
  field(2, 'event_time_error', 'double', false, 'Uncertainty of event_time, ms; null: unknown.'),
  field(3, 'received_at', 'timestamptz', true, 'When the collector had the batch.'),
  field(4, 'boot', 'string', true, 'One start of a client.'),
  field(5, 'n', 'long', true, 'Number of the event in its boot; (boot, n) identifies it.'),
  field(6, 'seq', 'int', true, 'Number of the batch in its boot.'),
  field(7, 'within', 'long', false, 'Number of the start of the enclosing span.'),
  field(8, 'at', 'double', true, 'Monotonic time of the boot as the client sent it, ms.'),
  field(9, 'install', 'string', false, 'One installation of the app.'),
  field(10, 'session', 'string', false, 'One visit.'),
  field(11, 'sdk', 'string', false, 'Name and version of the client.'),
  field(12, 'source', 'string', false, 'Name of the write key.'),
  field(13, 'clock', 'string', false, 'monotonic or wall: what event_time was reckoned from.'),
  field(14, 'geo_country', 'string', false, 'Country of the address, ISO 3166-1 alpha-2.'),
  field(15, 'ua_browser', 'string', false, 'Browser, from the user agent.'),
  field(16, 'ua_os', 'string', false, 'Operating system, from the user agent.'),
  field(17, 'ua_device', 'string', false, 'Kind of device, from the user agent.'),
  field(18, 'robot', 'boolean', false, 'Whether the user agent is that of a robot.'),
  field(19, '_extra', 'string', false, 'JSON of fields that no specification knows.'),
  field(20, 'time_flag', 'string', false, 'Why event_time is received_at (PROTOCOL.md §6).'),
]
