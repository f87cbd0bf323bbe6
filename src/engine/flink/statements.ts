/** The landing pipeline in Flink's SQL: the tables of its sources, the inserts of each part, and what a session must have set. */
import { createHash } from 'node:crypto'
import { flinkDialect } from './dialect.ts'
import type { Part, Sink } from './pipeline.ts'
import type { RecordSource } from './records.ts'
import { querySql } from './sql.ts'
import { flinkName, flinkType } from './types.ts'

/** Where records come from, for Flink's connector: options of the table of a source. */
export type Connector = (source: RecordSource) => Readonly<Record<string, string>>

/** The lake's catalog as Flink reaches it. */
export interface LakeCatalog {
  /** Iceberg REST catalog, such as `http://127.0.0.1:8643/iceberg`. */
  readonly uri: string
  readonly namespace: string
  /** More properties of Iceberg's catalog: `token`, `credential`, `warehouse`, `io-impl`, `s3.endpoint`, … */
  readonly properties: Readonly<Record<string, string>>
}

/** A part of the pipeline in SQL. Its text holds no secrets: those are options of sources and catalog. */
export interface CompiledPart {
  readonly name: string
  readonly sources: readonly CompiledSource[]
  /** Names of the tables that it writes. */
  readonly tables: readonly string[]
  readonly inserts: readonly string[]
  /** Equal exactly where the SQL is. */
  readonly fingerprint: string
}

export interface CompiledSource {
  readonly source: RecordSource
  /** The columns of its table, as they stand in CREATE TABLE. */
  readonly columns: string
}

const CATALOG = 'lake'

export function compileParts(parts: readonly Part[], namespace: string): CompiledPart[] {
  return parts.map((part) => {
    const sources = part.sources.map((source) => ({ source, columns: columnsSql(source) }))
    const inserts = part.sinks.map((sink) => insertSql(sink, namespace))
    const text = JSON.stringify([sources.map(({ columns }) => columns), inserts])
    return {
      name: part.name,
      sources,
      tables: part.sinks.map(({ table }) => table.name),
      inserts,
      fingerprint: fingerprintOf(text),
    }
  })
}

/** Sixteen hexadecimal digits of a text's SHA-256. */
export function fingerprintOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** `arrived` is the time of processing, by which Flink keeps the first of copies without waiting for more. */
function columnsSql({ columns }: RecordSource): string {
  const list = columns.map(({ name, type }) => `${flinkName(name)} ${flinkType(type)}`)
  return [...list, `${flinkName('arrived')} AS PROCTIME()`].map((line) => `  ${line}`).join(',\n')
}

/**
 * Rows go to the writer that has them, instead of all rows of a day to one; the operators of the sink have names of their own, so that
 * what they remember is found again in a job with other tables.
 */
function insertSql({ table, rows }: Sink, namespace: string): string {
  const target = [CATALOG, namespace, table.name].map(flinkName).join('.')
  const hints = optionsSql({ 'uid-suffix': table.name, 'distribution-mode': 'none' })
  const columns = table.fields.map(({ name }) => flinkName(name)).join(', ')
  return `INSERT INTO ${target} /*+ OPTIONS(${hints}) */ (${columns})\n${querySql(flinkDialect, rows)}`
}

/** Statements that a session needs before it can run anything of the pipeline. They may hold secrets. */
export function setupStatements(
  sources: readonly CompiledSource[],
  connector: Connector,
  catalog: LakeCatalog,
): string[] {
  const lake = optionsSql({ ...catalogProperties(catalog), type: 'iceberg' })
  return [
    `CREATE CATALOG ${flinkName(CATALOG)} WITH (${lake})`,
    ...sources.map(({ source, columns }) => {
      const options = optionsSql({ ...connector(source), ...FORMAT })
      return `CREATE TEMPORARY TABLE ${flinkName(source.name)} (\n${columns}\n) WITH (${options})`
    }),
  ]
}

/** Iceberg's client waits without end for a catalog that the network has cut off, and its job with it. */
const PATIENCE: Readonly<Record<string, string>> = {
  'rest.client.connection-timeout-ms': '10000',
  'rest.client.socket-timeout-ms': '60000',
}

/** The properties of the lake's catalog, as Iceberg's sinks have them in a plan too. */
export function catalogProperties({ uri, properties }: LakeCatalog): Record<string, string> {
  return { ...PATIENCE, ...properties, 'catalog-type': 'rest', uri }
}

/** A record that cannot be read stops the job, which says where it is: nothing is skipped in silence. */
const FORMAT: Readonly<Record<string, string>> = {
  format: 'json',
  'json.timestamp-format.standard': 'ISO-8601',
  'json.ignore-parse-errors': 'false',
  'json.fail-on-missing-field': 'false',
}

/** All inserts as one job. */
export function statementSet(inserts: readonly string[]): string {
  return `STATEMENT SET\nBEGIN\n${inserts.map((insert) => `${insert};\n`).join('')}END`
}

/** Settings that the SQL relies on, for the session. `stateTtlMs`: how long copies of a batch are known. */
export function sessionSettings(stateTtlMs: number): Record<string, string> {
  return {
    'execution.runtime-mode': 'streaming',
    'table.local-time-zone': 'UTC',
    'table.exec.state.ttl': `${stateTtlMs} ms`,
    'table.exec.iceberg.use-v2-sink': 'true',
    'table.dml-sync': 'false',
    // Inserts that share a source, or a query over it, read it once.
    'table.optimizer.reuse-optimize-block-with-digest-enabled': 'true',
  }
}

/** Options in SQL, in the order of their names. */
function optionsSql(options: Readonly<Record<string, string>>): string {
  return Object.entries(options)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${textSql(name)} = ${textSql(value)}`)
    .join(', ')
}

function textSql(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Kafka's connector. `group` holds the offsets that a job without state starts from; without any it starts at the oldest record. */
export interface KafkaTarget {
  readonly servers: string
  readonly prefix: string
  readonly group: string
  /** Topics of former names of event types that are still there, without the prefix. */
  readonly former: ReadonlySet<string>
  /** Kafka's client properties, such as `security.protocol`. */
  readonly properties: Readonly<Record<string, string>>
}

export function kafkaConnector(target: KafkaTarget): Connector {
  const client = Object.entries(target.properties).map(
    ([name, value]) => [`properties.${name}`, value] as const,
  )
  return ({ name, former }) => ({
    ...Object.fromEntries(client),
    connector: 'kafka',
    topic: [name, ...former.filter((each) => target.former.has(each))]
      .map((each) => `${target.prefix}.${each}`)
      .join(';'),
    'properties.bootstrap.servers': target.servers,
    'properties.group.id': target.group,
    'properties.auto.offset.reset': 'earliest',
    'scan.startup.mode': 'group-offsets',
  })
}
