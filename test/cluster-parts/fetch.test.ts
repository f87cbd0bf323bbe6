/** Pinned files over real HTTP: what breaks off is gone on with, what is wrong is refused, and what is there is not fetched. */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { limits } from '../../src/base/limits.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { seededRandom } from '../../src/base/random.ts'
import { type Artifact, fetchArtifacts } from '../../src/cluster/fetch.ts'

const BYTES = Buffer.from(seededRandom(1).bytes(300_000))
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const JAR: Artifact = { name: 'org/a/1/a-1.jar', sha256: sha256(BYTES), bytes: BYTES.length }

interface Asked {
  readonly url: string
  readonly range: string | undefined
}

let folder: string
let server: http.Server
let repository: string
let asked: Asked[]
/** What the server does with a request; `from` is where the range begins. */
let serve: (response: http.ServerResponse, from: number, count: number) => void

const whole: typeof serve = (response, from) => {
  response.writeHead(from === 0 ? 200 : 206).end(BYTES.subarray(from))
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-fetch-'))
  asked = []
  serve = whole
  server = http.createServer((request, response) => {
    const { range } = request.headers
    asked.push({ url: request.url!, range })
    serve(response, Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0), asked.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  repository = `http://127.0.0.1:${(server.address() as AddressInfo).port}/maven2`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(folder, { recursive: true })
})

/** Pauses take no time, and a stalled transfer is noticed soon. */
const hasty: Clock = {
  ...systemClock,
  after: (ms, wake) => systemClock.after(ms === limits.downloadIdleMsMax ? 300 : 1, wake),
}

const fetched = (
  artifacts: readonly Artifact[] = [JAR],
  onBytes?: (count: number) => void,
): ReturnType<typeof fetchArtifacts> =>
  fetchArtifacts(
    artifacts,
    { repository, folder, ...(onBytes === undefined ? {} : { onBytes }) },
    { files: nodeFiles, clock: hasty, random: seededRandom(2), request: fetch },
  )

const file = (): string => path.join(folder, JAR.name)
/** Names beside the artifact; nothing else may be left there. */
const names = (): string[] => readdirSync(path.dirname(file()))

describe('an artifact', () => {
  test('is fetched once, and found the next time', async () => {
    let bytes = 0
    expect(await fetched([JAR], (count) => (bytes += count))).toEqual({ ok: true, value: [file()] })
    expect(bytes).toBe(BYTES.length)
    expect(readFileSync(file())).toEqual(BYTES)
    expect(names()).toEqual(['a-1.jar'])
    expect(await fetched()).toEqual({ ok: true, value: [file()] })
    expect(asked).toEqual([{ url: '/maven2/org/a/1/a-1.jar', range: undefined }])
  })

  test('goes on where its transfer broke off', async () => {
    serve = (response, from, count) => {
      if (count > 2) return whole(response, from, count)
      response.writeHead(from === 0 ? 200 : 206, { 'content-length': BYTES.length - from })
      response.write(BYTES.subarray(from, from + 100_000), () => response.destroy())
    }
    expect(await fetched()).toMatchObject({ ok: true })
    expect(readFileSync(file())).toEqual(BYTES)
    expect(asked).toHaveLength(3)
    const starts = asked.map(({ range }) => Number(range?.slice(6, -1) ?? 0))
    expect(starts[0]! < starts[1]! && starts[1]! < starts[2]!).toBe(true)
  })

  test('goes on where its transfer stalled', async () => {
    serve = (response, from, count) => {
      if (count > 1) return whole(response, from, count)
      response.writeHead(200, { 'content-length': BYTES.length })
      response.write(BYTES.subarray(0, 100_000))
    }
    expect(await fetched()).toMatchObject({ ok: true })
    expect(readFileSync(file())).toEqual(BYTES)
  })

  test('goes on with what a process left that was killed, if nobody writes to it', async () => {
    mkdirSync(path.dirname(file()), { recursive: true })
    const left = `${file()}.someone.part`
    writeFileSync(left, BYTES.subarray(0, 200_000))
    const old = systemClock.wall() / 1000 - 3600
    utimesSync(left, old, old)
    expect(await fetched()).toMatchObject({ ok: true })
    expect(asked).toEqual([{ url: '/maven2/org/a/1/a-1.jar', range: 'bytes=200000-' }])
    expect(readFileSync(file())).toEqual(BYTES)
    expect(names()).toEqual(['a-1.jar'])
  })

  test('that another process writes is let alone', async () => {
    mkdirSync(path.dirname(file()), { recursive: true })
    writeFileSync(`${file()}.someone.part`, BYTES.subarray(0, 200_000))
    expect(await fetched()).toMatchObject({ ok: true })
    expect(asked).toEqual([{ url: '/maven2/org/a/1/a-1.jar', range: undefined }])
    expect(names()).toEqual(['a-1.jar', 'a-1.jar.someone.part'])
  })

  test('begins again where what was left is of another file', async () => {
    mkdirSync(path.dirname(file()), { recursive: true })
    const left = `${file()}.someone.part`
    writeFileSync(left, Buffer.alloc(1000, 7))
    utimesSync(left, 1, 1)
    expect(await fetched()).toMatchObject({ ok: true })
    expect(readFileSync(file())).toEqual(BYTES)
    expect(asked.map(({ range }) => range)).toEqual(['bytes=1000-', undefined])
  })

  test('with another checksum is refused and not kept', async () => {
    serve = (response) => response.end('not a jar')
    expect(await fetched()).toMatchObject({ ok: false, error: { code: 'artifact_corrupt' } })
    expect(names()).toEqual([])
  })

  test('that does not exist is asked for once', async () => {
    serve = (response) => response.writeHead(404).end()
    const result = await fetched()
    expect(result).toMatchObject({ ok: false, error: { code: 'artifact_unavailable' } })
    expect(result.ok ? '' : result.error.detail).toContain(`${repository}/${JAR.name}: HTTP 404`)
    expect(asked).toHaveLength(1)
  })

  test('of a server that fails is asked for a bounded number of times', async () => {
    serve = (response) => response.writeHead(503).end()
    expect(await fetched()).toMatchObject({ ok: false, error: { code: 'artifact_unavailable' } })
    expect(asked).toHaveLength(limits.downloadAttemptsMax)
    expect(existsSync(file())).toBe(false)
  })
})

test('many artifacts come several at a time, never more', async () => {
  const many = Array.from({ length: 40 }, (_, i) => ({ ...JAR, name: `org/a/${i}/a.jar` }))
  let open = 0
  let most = 0
  serve = (response) => {
    open++
    most = Math.max(most, open)
    setTimeout(() => {
      open--
      response.end(BYTES)
    }, 10)
  }
  const result = await fetched(many)
  expect(result).toEqual({ ok: true, value: many.map(({ name }) => path.join(folder, name)) })
  expect(most).toBe(limits.downloadsMax)
})
