/** Gateway and JobManager over HTTP: whole results out of pages, and every failure with its code. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { type GatewaySession, openSession } from '../../src/engine/flink/gateway.ts'
import { JobManager } from '../../src/engine/flink/jobs.ts'
import type { Endpoint } from '../../src/engine/flink/rest.ts'
import { unwrap } from '../support/platform.ts'

/** Answers by method and path, used up one after another; the last stays. */
let answers: Record<string, { readonly status?: number; readonly body: unknown }[]>
let requests: string[]
let endpoint: Endpoint

const server = http.createServer((request, response) => {
  const what = `${request.method} ${request.url}`
  requests.push(what)
  const left = answers[what]
  const answer = (left !== undefined && left.length > 1 ? left.shift() : left?.[0]) ?? {
    status: 404,
    body: { errors: ['Not found: ' + what] },
  }
  response.writeHead(answer.status ?? 200)
  response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body))
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, headers: {} }
})
afterAll(() => void server.close())
beforeEach(() => {
  requests = []
  answers = {
    'POST /v3/sessions': [{ body: { sessionHandle: 's' } }],
    'POST /v3/sessions/s/statements': [{ body: { operationHandle: 'o' } }],
    'DELETE /v3/sessions/s/operations/o/close': [{ body: { status: 'CLOSED' } }],
    'DELETE /v3/sessions/s': [{ body: { status: 'CLOSED' } }],
  }
})

const ports = { fetch: globalThis.fetch, clock: systemClock }
const RESULT = 'GET /v3/sessions/s/operations/o/result'

async function session(): Promise<GatewaySession> {
  return unwrap(await openSession(endpoint, 'test', {}, ports))
}

function page(rows: readonly unknown[][], next: number | undefined, more: object = {}): object {
  const data = rows.map((fields) => ({ kind: 'INSERT', fields }))
  const uri = `/v3/sessions/s/operations/o/result/${next}?rowFormat=JSON`
  return {
    resultType: next === undefined ? 'EOS' : 'PAYLOAD',
    results: { columns: [{ name: 'job id' }], data },
    ...(next === undefined ? {} : { nextResultUri: uri }),
    ...more,
  }
}

test('a statement is waited for, and its pages are one result', async () => {
  answers[`${RESULT}/0?rowFormat=JSON`] = [
    { body: { resultType: 'NOT_READY' } },
    { body: { resultType: 'NOT_READY' } },
    { body: page([['a']], 1, { jobID: 'j' }) },
  ]
  answers[`${RESULT}/1?rowFormat=JSON`] = [{ body: page([['b']], undefined) }]
  const opened = await session()
  const result = unwrap(await opened.run('SHOW JOBS'))
  expect(result).toEqual({ columns: ['job id'], rows: [['a'], ['b']], jobId: 'j' })
  await opened.close()
  expect(requests.slice(-2)).toEqual([
    'DELETE /v3/sessions/s/operations/o/close',
    'DELETE /v3/sessions/s',
  ])
})

test('what Flink refuses is told by its innermost reason', async () => {
  const trace = [
    'org.apache.flink.table.gateway.api.utils.SqlGatewayException: Failed to fetchResults.',
    '\tat org.apache.flink.Some.method(Some.java:1)',
    'Caused by: org.apache.flink.table.api.ValidationException: SQL validation failed.',
    "Caused by: org.apache.calcite.sql.validate.SqlValidatorException: Object 'seen' not found",
    '\tat org.apache.calcite.Other.method(Other.java:2)',
  ].join('\n')
  answers[`${RESULT}/0?rowFormat=JSON`] = [
    { status: 500, body: { errors: ['Internal server error.', trace] } },
  ]
  const result = await (await session()).run('SELECT 1')
  expect(result).toMatchObject({ ok: false, error: { code: 'flink_refused' } })
  expect(!result.ok && result.error.detail).toMatch(/: Object 'seen' not found\.$/)
})

test('an answer that is not Flink’s is one that it did not give', async () => {
  answers['POST /v3/sessions'] = [{ status: 502, body: '<html>Bad gateway</html>' }]
  const refused = { ok: false, error: { code: 'flink_unavailable' } }
  expect(await openSession(endpoint, 'test', {}, ports)).toMatchObject(refused)
  const nobody = { url: 'http://127.0.0.1:1', headers: {} }
  expect(await openSession(nobody, 'test', {}, ports)).toMatchObject(refused)
  answers['POST /v3/sessions'] = [{ body: {} }]
  const strange = { ok: false, error: { code: 'flink_invalid' } }
  expect(await openSession(endpoint, 'test', {}, ports)).toMatchObject(strange)
  answers['POST /v3/sessions'] = [{ body: 'no JSON' }]
  expect(await openSession(endpoint, 'test', {}, ports)).toMatchObject(refused)
})

test('a job is stopped once its savepoint is there, or told why it cannot be', async () => {
  const jobs = new JobManager(endpoint, ports)
  answers['POST /jobs/j/stop'] = [{ status: 202, body: { 'request-id': 't' } }]
  answers['GET /jobs/j/savepoints/t'] = [
    { body: { status: { id: 'IN_PROGRESS' }, operation: null } },
    { body: { status: { id: 'COMPLETED' }, operation: { location: 'file:/savepoint' } } },
  ]
  expect(unwrap(await jobs.stop('j', undefined))).toBe('file:/savepoint')
  const trace = 'java.util.concurrent.CompletionException: x\nCaused by: java.io.IOException: full'
  const failure = { class: 'x', 'stack-trace': trace }
  answers['GET /jobs/j/savepoints/t'] = [
    { body: { status: { id: 'COMPLETED' }, operation: { 'failure-cause': failure } } },
  ]
  const refused = await jobs.stop('j', undefined)
  expect(refused).toMatchObject({ ok: false, error: { code: 'flink_refused' } })
  expect(!refused.ok && refused.error.detail).toContain('could not be stopped: full.')
})

test('the newest checkpoint is one that can be started from', async () => {
  const jobs = new JobManager(endpoint, ports)
  const latest = (completed: object, savepoint: object | null): object => ({
    counts: { completed: 3, failed: 1 },
    latest: { completed, savepoint, failed: null, restored: null },
  })
  const gone = { external_path: '<checkpoint-not-externally-addressable>', latest_ack_timestamp: 9 }
  const savepoint = { external_path: 'file:/s', latest_ack_timestamp: 5 }
  answers['GET /jobs/j/checkpoints'] = [{ body: latest(gone, savepoint) }]
  const expected = { completed: 3, failed: 1, newest: { path: 'file:/s', at: 5 } }
  expect(unwrap(await jobs.checkpoints('j'))).toEqual(expected)
  answers['GET /jobs/j/checkpoints'] = [{ body: latest(gone, null) }]
  expect(unwrap(await jobs.checkpoints('j')).newest).toBeUndefined()
})
