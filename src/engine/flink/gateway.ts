/** Flink's SQL Gateway over REST, version 3: sessions, and statements with their whole results. */
import { error } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import {
  type Endpoint,
  type Json,
  listOf,
  member,
  objectsOf,
  poll,
  request,
  type RestPorts,
  textOf,
} from './rest.ts'

export interface StatementResult {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Json[])[]
  /** The job that the statement started. */
  readonly jobId: string | undefined
}

/** A session: settings, catalogs and temporary tables that its statements share. */
export interface GatewaySession {
  /**
   * Runs a statement to its end; of one that starts a job: until it is submitted. Fails with `flink_refused` and Flink's reason, or
   * `flink_unavailable` after `flinkStatementMsMax`.
   */
  run(
    statement: string,
    settings?: Readonly<Record<string, string>>,
  ): Promise<Result<StatementResult>>
  /** Jobs go on. A session that cannot be closed ends by itself. */
  close(): Promise<void>
}

export async function openSession(
  endpoint: Endpoint,
  name: string,
  settings: Readonly<Record<string, string>>,
  ports: RestPorts,
): Promise<Result<GatewaySession>> {
  const body = { sessionName: name, properties: settings }
  const opened = await request(ports, endpoint, 'POST', '/v3/sessions', body)
  if (!opened.ok) return opened
  const handle = opened.value['sessionHandle']
  if (typeof handle !== 'string') return failed(noForm(endpoint, 'a session'))
  const session = `/v3/sessions/${encodeURIComponent(handle)}`
  return ok({
    run: (statement, more = {}) => runStatement(endpoint, session, statement, more, ports),
    close: async () => {
      await request(ports, endpoint, 'DELETE', session)
    },
  })
}

async function runStatement(
  endpoint: Endpoint,
  session: string,
  statement: string,
  executionConfig: Readonly<Record<string, string>>,
  ports: RestPorts,
): Promise<Result<StatementResult>> {
  const body = { statement, executionConfig }
  const sent = await request(ports, endpoint, 'POST', `${session}/statements`, body)
  if (!sent.ok) return sent
  const operation = sent.value['operationHandle']
  if (typeof operation !== 'string') return failed(noForm(endpoint, 'a statement'))
  const path = `${session}/operations/${encodeURIComponent(operation)}`
  const result = await fetchResult(endpoint, path, ports)
  // The gateway keeps operations until their session ends.
  await request(ports, endpoint, 'DELETE', `${path}/close`)
  return result
}

async function fetchResult(
  endpoint: Endpoint,
  operation: string,
  ports: RestPorts,
): Promise<Result<StatementResult>> {
  const end = ports.clock.monotonic() + limits.flinkStatementMsMax
  let path = `${operation}/result/0?rowFormat=JSON`
  let columns: readonly string[] = []
  let jobId: string | undefined
  const rows: (readonly Json[])[] = []
  for (;;) {
    const page = await poll(ports.clock, end - ports.clock.monotonic(), async () => {
      const answer = await request(ports, endpoint, 'GET', path)
      return answer.ok && answer.value['resultType'] === 'NOT_READY' ? ok(undefined) : answer
    })
    if (!page.ok) return page
    if (page.value === undefined) {
      const what = `${endpoint.url} did not end a statement in ${limits.flinkStatementMsMax} ms`
      return failed(error('flink_unavailable', `${what}.`))
    }
    const { results, jobID, resultType, nextResultUri } = page.value
    if (typeof jobID === 'string') jobId = jobID
    if (results !== undefined) {
      const { columns: named, data } = member(page.value, 'results')
      columns = objectsOf(named).map(({ name }) => textOf(name))
      rows.push(...objectsOf(data).map(({ fields }) => listOf(fields)))
    }
    if (resultType === 'EOS') return ok({ columns, rows, jobId })
    if (typeof nextResultUri !== 'string') return failed(noForm(endpoint, 'a result'))
    if (rows.length > limits.flinkRowsMax) {
      return failed(error('flink_invalid', `A result of ${endpoint.url} has too many rows.`))
    }
    path = nextResultUri
  }
}

function noForm({ url }: Endpoint, what: string): ReturnType<typeof error> {
  return error('flink_invalid', `${url} answers with no ${what.replace(/^an? /, '')} that we know.`)
}
