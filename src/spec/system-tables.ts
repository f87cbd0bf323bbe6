/** The columns of the tables that headwater fills itself: the ledger and the quarantine (PROTOCOL.md §10, §11). */
import type { IcebergField, IcebergType } from './iceberg-type.ts'

const column = (
  id: number,
  name: string,
  type: IcebergType,
  required: boolean,
  doc: string,
): IcebergField => ({ id, name, required, type, doc })

const DROPPED: IcebergType = {
  type: 'list',
  'element-id': 60,
  'element-required': true,
  element: {
    type: 'struct',
    fields: [
      column(61, 'reason', 'string', true, 'Why the device dropped them.'),
      column(62, 'first', 'long', true, 'First number dropped.'),
      column(63, 'count', 'long', true, 'How many.'),
    ],
  },
}

const TYPES: IcebergType = {
  type: 'list',
  'element-id': 64,
  'element-required': true,
  element: {
    type: 'struct',
    fields: [
      column(65, 'type', 'string', true, 'Event type.'),
      column(66, 'landed', 'int', true, 'Events of it in its table.'),
      column(67, 'quarantined', 'int', true, 'Events of it in quarantine.'),
    ],
  },
}

/** The ledger's own columns; the context's follow, with ids from 100. */
export const LEDGER: readonly IcebergField[] = [
  column(1, 'received_at', 'timestamptz', true, 'When the collector had the batch.'),
  column(2, 'boot', 'string', true, 'One start of a client.'),
  column(3, 'seq', 'int', true, 'Number of the batch in its boot.'),
  column(4, 'first', 'long', true, 'Number of its first event.'),
  column(5, 'count', 'int', true, 'Numbers it covers.'),
  column(6, 'status', 'string', true, 'accepted, duplicate or quarantined.'),
  column(7, 'landed', 'int', true, 'Events in their tables.'),
  column(8, 'quarantined', 'int', true, 'Events in quarantine.'),
  column(9, 'missing', 'int', true, 'Numbers that no event has.'),
  column(10, 'fingerprint', 'long', true, 'CRC-32 of its chunk lines.'),
  column(11, 'sent', 'double', true, 'Time of sending as the client gave it, ms.'),
  column(12, 'booted', 'double', true, 'Wall clock of the device at the start of the boot, ms.'),
  column(13, 'clock', 'string', true, 'What sent is measured on: monotonic or wall.'),
  column(14, 'rtt', 'double', false, 'Shortest round trip measured by the client, ms.'),
  column(15, 'event_time_error', 'double', false, 'Uncertainty of event_time, ms; null: unknown.'),
  column(16, 'install', 'string', false, 'One installation of the app.'),
  column(17, 'session', 'string', false, 'One visit.'),
  column(18, 'sdk', 'string', false, 'Name and version of the client.'),
  column(19, 'source', 'string', false, 'Name of the write key.'),
  column(20, 'geo_country', 'string', false, 'Country of the address, ISO 3166-1 alpha-2.'),
  column(21, 'ua_browser', 'string', false, 'Browser, from the user agent.'),
  column(22, 'ua_os', 'string', false, 'Operating system, from the user agent.'),
  column(23, 'ua_device', 'string', false, 'Kind of device, from the user agent.'),
  column(24, 'robot', 'boolean', false, 'Whether the user agent is that of a robot.'),
  column(25, 'bytes', 'long', true, 'Bytes of its lines.'),
  column(26, 'dropped', DROPPED, false, 'Events that the device numbered and dropped.'),
  column(27, 'event_to', 'timestamptz', false, 'Latest event_time in it; null: no event has one.'),
  column(28, 'types', TYPES, false, 'Events by type; null: its numbers are not its own (§11).'),
]

export const QUARANTINE: readonly IcebergField[] = [
  column(1, 'received_at', 'timestamptz', true, 'When the collector had it.'),
  column(2, 'source', 'string', false, 'Name of the write key.'),
  column(3, 'sdk', 'string', false, 'Name and version of the client.'),
  column(4, 'boot', 'string', false, 'One start of a client.'),
  column(5, 'seq', 'int', false, 'Number of the batch in its boot.'),
  column(6, 'n', 'long', false, 'Number of the event; null: the row stands for several.'),
  column(7, 'events', 'int', true, 'How many numbered events the row stands for.'),
  column(8, 'type', 'string', false, 'Event type, as sent.'),
  column(9, 'field', 'string', false, 'Field that does not fit.'),
  column(10, 'reason', 'string', true, 'Code of the error table.'),
  column(11, 'message', 'string', true, 'What is wrong, in words.'),
  column(12, 'payload', 'string', false, 'JSON of the event as sent.'),
  column(13, 'bytes', 'binary', false, 'What could not be read.'),
  column(14, 'bytes_total', 'long', false, 'How many bytes there were.'),
  column(15, 'context', 'string', false, 'JSON of the batch context.'),
]
