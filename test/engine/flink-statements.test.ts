/** What Flink is told: tables of sources, inserts, settings; and what makes two compilations the same. */
import { describe, expect, test } from 'vitest'
import { landingPipeline } from '../../src/engine/flink/pipeline.ts'
import {
  type CompiledPart,
  compileParts,
  kafkaConnector,
  sessionSettings,
  setupStatements,
  statementSet,
} from '../../src/engine/flink/statements.ts'
import * as spec from '../../src/spec/index.ts'
import { projectOf } from '../support/platform.ts'

const seen = spec.defineEvent('seen', {
  doc: 'Seen.',
  fields: { size: spec.int(), marks: spec.list(spec.binary()) },
})
const renamed = spec.defineEvent('looked_at', { doc: 'Seen.', was: ['watched'], fields: {} })

function compiled(module: object): CompiledPart[] {
  const { specs, lock } = projectOf('/nowhere', module)
  return compileParts(landingPipeline(specs, lock), 'logs')
}

const kafka = kafkaConnector({
  servers: 'a:9092,b:9092',
  prefix: 'headwater',
  group: 'lake',
  former: new Set(['events.watched']),
  properties: { 'security.protocol': 'SASL_SSL', 'sasl.jaas.config': "password='it''s'" },
})
const catalog = {
  uri: 'http://127.0.0.1:8643/iceberg',
  namespace: 'logs',
  properties: { token: 'secret' },
}

describe('a compiled part', () => {
  test('is an insert by name, from the table of a topic', () => {
    const [part] = compiled({ seen })
    expect(part).toMatchObject({ name: 'seen', tables: ['seen'] })
    expect(part!.inserts[0]!.split('\n')[0]).toBe(
      "INSERT INTO `lake`.`logs`.`seen` /*+ OPTIONS('distribution-mode' = 'none', 'uid-suffix' = 'seen') */ " +
        '(`event_time`, `event_time_error`, `received_at`, `boot`, `n`, `seq`, `within`, `at`, `install`, `session`, `sdk`, `source`, ' +
        '`clock`, `geo_country`, `ua_browser`, `ua_os`, `ua_device`, `robot`, `_extra`, `time_flag`, `size`, `marks`)',
    )
    const [, table] = setupStatements(part!.sources, kafka, catalog)
    expect(table).toMatchInlineSnapshot(`
      "CREATE TEMPORARY TABLE \`events.seen\` (
        \`part\` INT,
        \`event_time\` ARRAY<TIMESTAMP_LTZ(6)>,
        \`event_time_error\` DOUBLE,
        \`received_at\` TIMESTAMP_LTZ(6),
        \`boot\` STRING,
        \`n\` ARRAY<BIGINT>,
        \`seq\` INT,
        \`within\` ARRAY<BIGINT>,
        \`at\` ARRAY<DOUBLE>,
        \`install\` STRING,
        \`session\` STRING,
        \`sdk\` STRING,
        \`source\` STRING,
        \`clock\` STRING,
        \`geo_country\` STRING,
        \`ua_browser\` STRING,
        \`ua_os\` STRING,
        \`ua_device\` STRING,
        \`robot\` BOOLEAN,
        \`_extra\` ARRAY<STRING>,
        \`time_flag\` ARRAY<STRING>,
        \`cols\` ROW<\`size\` ARRAY<INT>, \`marks\` ARRAY<ARRAY<BYTES NOT NULL>>>,
        \`arrived\` AS PROCTIME()
      ) WITH ('connector' = 'kafka', 'format' = 'json', 'json.fail-on-missing-field' = 'false', 'json.ignore-parse-errors' = 'false', 'json.timestamp-format.standard' = 'ISO-8601', 'properties.auto.offset.reset' = 'earliest', 'properties.bootstrap.servers' = 'a:9092,b:9092', 'properties.group.id' = 'lake', 'properties.sasl.jaas.config' = 'password=''it''''s''', 'properties.security.protocol' = 'SASL_SSL', 'scan.startup.mode' = 'group-offsets', 'topic' = 'headwater.events.seen')"
    `)
  })

  test('has a fingerprint that follows its SQL, and nothing else', () => {
    const [before, ledger] = compiled({ seen })
    const other = { ...seen, doc: 'Looked at.' }
    expect(compiled({ other })[0]!.fingerprint).toBe(before!.fingerprint)
    const more = spec.defineEvent('seen', {
      doc: 'Seen.',
      fields: { size: spec.int(), marks: spec.list(spec.binary()), name: spec.string() },
    })
    expect(compiled({ more })[0]!.fingerprint).not.toBe(before!.fingerprint)
    expect(compiled({ more, renamed }).at(-1)).toEqual(ledger)
  })

  test('holds no secrets, which are in the options of sources and catalog', () => {
    expect(JSON.stringify(compiled({ seen }))).not.toMatch(/secret|password/)
    const setup = setupStatements(compiled({ seen })[0]!.sources, kafka, catalog)
    expect(setup[0]).toContain("'token' = 'secret'")
    expect(setup[1]).toContain("'properties.sasl.jaas.config' = 'password=''it''''s'''")
  })
})

test('a renamed event type is read from its former topic as well, while there is one', () => {
  const [part] = compiled({ renamed })
  const { source } = part!.sources[0]!
  expect(kafka(source)['topic']).toBe('headwater.events.looked_at;headwater.events.watched')
  const without = kafkaConnector({
    servers: 'a:1',
    prefix: 'p',
    group: 'g',
    former: new Set(),
    properties: {},
  })
  expect(without(source)['topic']).toBe('p.events.looked_at')
})

test('ledger and quarantine are one part', () => {
  const part = compiled({ seen }).at(-1)!
  expect(part.tables).toEqual(['batches', 'quarantine'])
  expect(statementSet(part.inserts)).toMatch(
    /^STATEMENT SET\nBEGIN\nINSERT [^;]+;\nINSERT [^;]+;\nEND$/,
  )
  expect(sessionSettings(3_600_000)['table.exec.state.ttl']).toBe('3600000 ms')
})
