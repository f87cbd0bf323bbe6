/** A full or unwritable disk: 503 with the reason, readiness down, and everything acknowledged is there when space returns. */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { expect, test } from 'vitest'
import type { FileHandle, Files } from '../../src/base/files.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { defineEvent, int } from '../../src/spec/index.ts'
import { ask, landed, projectOf, start } from '../support/platform.ts'
import { temporaryFolder } from '../support/project.ts'

const specs = {
  tick: defineEvent('tick', { doc: 'A tick.', fields: { i: int() } }),
}

/** The files of Node, on which every change below a folder fails with a code while there is one. */
function failingFiles(folder: string): { files: Files; fail(code: string | undefined): void } {
  let failure: string | undefined
  const check = (target: string): void => {
    if (failure === undefined || !target.startsWith(folder)) return
    throw Object.assign(new Error(`${failure}: no space left`), { code: failure })
  }
  const handleOf = (handle: FileHandle, target: string): FileHandle => ({
    append: async (parts) => {
      check(target)
      await handle.append(parts)
    },
    write: async (position, data) => {
      check(target)
      await handle.write(position, data)
    },
    read: (position, length) => handle.read(position, length),
    sync: async () => {
      check(target)
      await handle.sync()
    },
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  })
  const files: Files = {
    ...nodeFiles,
    open: async (target, mode) => {
      if (mode === 'append') check(target)
      return handleOf(await nodeFiles.open(target, mode), target)
    },
    write: async (target, data, options) => {
      check(target)
      await nodeFiles.write(target, data, options)
    },
    makeDirectory: async (target) => {
      check(target)
      await nodeFiles.makeDirectory(target)
    },
  }
  return { files, fail: (code) => void (failure = code) }
}

test.each([
  ['a full disk', 'log', 'ENOSPC'],
  ['an unwritable folder', 'log', 'EACCES'],
  ['a failing disk', 'log', 'EIO'],
  ['a lake without space', 'lake', 'ENOSPC'],
])('%s', { timeout: 30_000 }, async (_name, part, code) => {
  const { folder, remove } = temporaryFolder('disk')
  const { files, fail } = failingFiles(path.join(folder, '.headwater', part))
  const platform = await start(projectOf(folder, specs), { files })
  const boot = randomBytes(16).toString('base64url')
  let seq = 0
  let accepted = 0
  const refused: { status: number; code: string; retryAfter: string | null }[] = []
  const send = async (): Promise<boolean> => {
    const header = { boot, seq, first: seq, count: 1, sent: 5, booted: Date.now(), ctx: {} }
    const chunk = { type: 'tick', n: [0], at: [1], cols: { i: [seq] } }
    const body = `${JSON.stringify(header)}\n${JSON.stringify(chunk)}`
    const answer = await fetch(`${platform.url}/v1/events`, { method: 'POST', body })
    const json = (await answer.json()) as { error?: { code: string } }
    if (answer.status === 200) {
      seq++
      accepted++
      return true
    }
    const retryAfter = answer.headers.get('retry-after')
    refused.push({ status: answer.status, code: json.error!.code, retryAfter })
    return false
  }
  const ready = async (): Promise<number> => (await fetch(`${platform.url}/readyz`)).status
  const failing = async (): Promise<number> => {
    const text = await (await fetch(`${platform.url}/metrics`)).text()
    return Number(/^headwater_engine_failing (\d)$/m.exec(text)![1])
  }
  const until = async (condition: () => Promise<boolean>): Promise<void> => {
    for (let i = 0; !(await condition()); i++) {
      if (i > 300) throw new Error('never')
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }
  for (let i = 0; i < 20; i++) expect(await send()).toBe(true)
  expect(await ready()).toBe(200)

  fail(code)
  if (part === 'log') {
    expect(await send()).toBe(false)
    expect(refused[0]).toMatchObject({ status: 503, code: expect.stringMatching(/^disk_/) })
    expect(Number(refused[0]!.retryAfter)).toBeGreaterThan(0)
  } else {
    // The log takes events while the lake cannot, and the metrics say so.
    for (let i = 0; i < 20; i++) expect(await send()).toBe(true)
    await until(async () => (await failing()) === 1)
  }
  expect(await ready()).toBe(part === 'log' ? 503 : 200)
  expect((await fetch(`${platform.url}/healthz`)).status).toBe(200)

  fail(undefined)
  await until(async () => (await ready()) === 200 && (await failing()) === 0)
  await until(send)
  await landed(platform)
  const rows = await ask(
    platform.lake,
    'select count(*)::integer as n, count(distinct i)::integer as different, max(i)::integer as most from tick',
  )
  expect(rows).toEqual([{ n: accepted, different: accepted, most: accepted - 1 }])
  await platform.close()
  remove()
})
