/** Statements through the SQL Gateway's REST API, for tests. */

const POLL_MS = 100
const POLLS_MAX = 900

interface Result {
  readonly resultType: 'NOT_READY' | 'PAYLOAD' | 'EOS'
  readonly nextResultUri?: string
  readonly results?: { readonly data: readonly { readonly fields: readonly unknown[] }[] }
}

/** Runs them in a session of their own, each to its end; answers the rows of the last. Throws with the Gateway's message. */
export async function flinkRows(
  gateway: string,
  statements: readonly string[],
): Promise<(readonly unknown[])[]> {
  const { sessionHandle } = await post<{ sessionHandle: string }>(`${gateway}/v3/sessions`, {
    properties: { 'table.dml-sync': 'true' },
  })
  const session = `${gateway}/v3/sessions/${sessionHandle}`
  try {
    let rows: (readonly unknown[])[] = []
    for (const statement of statements) {
      const { operationHandle } = await post<{ operationHandle: string }>(`${session}/statements`, {
        statement,
      })
      rows = await rowsOf(gateway, `${session}/operations/${operationHandle}/result/0`)
    }
    return rows
  } finally {
    await fetch(session, { method: 'DELETE' })
  }
}

async function rowsOf(gateway: string, first: string): Promise<(readonly unknown[])[]> {
  const rows: (readonly unknown[])[] = []
  let url = `${first}?rowFormat=JSON`
  for (let poll = 0; poll < POLLS_MAX; poll++) {
    const result = await answer<Result>(await fetch(url))
    rows.push(...(result.results?.data ?? []).map(({ fields }) => fields))
    if (result.resultType === 'EOS') return rows
    if (result.nextResultUri !== undefined) url = `${gateway}${result.nextResultUri}`
    if (result.results === undefined || result.results.data.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
  throw new Error('the Gateway has no result yet')
}

async function post<T>(url: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  return answer(await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }))
}

async function answer<T>(response: Response): Promise<T> {
  const text = await response.text()
  if (!response.ok) throw new Error(`HTTP ${response.status}: ${causes(text)}`)
  return JSON.parse(text) as T
}

/** What the exceptions say, without the places where they were thrown. */
function causes(text: string): string {
  const lines = text.split(String.raw`\n`)
  return lines.filter((line) => !/^(\\t)?(at |\.\.\. )/.test(line)).join('\n')
}
