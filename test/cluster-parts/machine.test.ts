/** What a local cluster stands on, without Java: which Java will do, one command at a time, processes known by their mark, and files of configuration. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { nodeFiles } from '../../src/base/node/files.ts'
import { systemRandom } from '../../src/base/random.ts'
import { ok } from '../../src/base/result.ts'
import { clusterDown, clusterStatus, DEFAULT_SIZE, readState } from '../../src/cluster/index.ts'
import { findJava, majorOf } from '../../src/cluster/java.ts'
import { addresses, configuration, portNames } from '../../src/cluster/layout.ts'
import { locked } from '../../src/cluster/lock.ts'
import { freePort, isFree } from '../../src/cluster/ports.ts'
import { seen, startProcess, stopProcess } from '../../src/cluster/processes.ts'

const ports = { files: nodeFiles, clock: systemClock, random: systemRandom, request: fetch }
let folder: string

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-parts-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

describe('Java', () => {
  test.each([
    ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17],
    ['java version "1.8.0_412"', 8],
    ['openjdk version "25" 2025-09-16 LTS', 25],
    ['command not found', undefined],
  ])('%j is version %s', (output, major) => {
    expect(majorOf(output)).toBe(major)
  })

  const home = (says: string): string => {
    mkdirSync(path.join(folder, 'bin'))
    const java = path.join(folder, 'bin', 'java')
    writeFileSync(java, `#!/bin/sh\necho '${says}' >&2\n`)
    chmodSync(java, 0o755)
    return folder
  }

  test('of JAVA_HOME is taken', async () => {
    const java = await findJava(home('openjdk version "21.0.1" 2023-10-17'), systemClock)
    expect(java).toEqual(ok(path.join(folder, 'bin', 'java')))
  })

  test.each(['openjdk version "11.0.2" 2019-01-15', 'openjdk version "25" 2025-09-16'])(
    '%s is refused, and the message says which to install',
    async (says) => {
      const java = await findJava(home(says), systemClock)
      expect(java).toMatchObject({ ok: false, error: { code: 'java_unsuitable' } })
      const message = java.ok ? '' : java.error.message
      expect(message).toContain(says)
      expect(message).toContain('apt-get install openjdk-17')
    },
  )

  test('that is not there is missed', async () => {
    const java = await findJava(path.join(folder, 'nowhere'), systemClock)
    expect(java).toMatchObject({ ok: false, error: { code: 'java_missing' } })
  })
})

describe('a folder', () => {
  test('lets one command in at a time', async () => {
    let inside = 0
    let most = 0
    const work = async (): Promise<ReturnType<typeof ok>> => {
      inside++
      most = Math.max(most, inside)
      await new Promise((resolve) => setTimeout(resolve, 20))
      inside--
      return ok(undefined)
    }
    const hasty: Clock = { ...systemClock, after: (_, wake) => systemClock.after(5, wake) }
    const done = await Promise.all(
      Array.from({ length: 5 }, () => locked(folder, { ...ports, clock: hasty }, work)),
    )
    expect(done.every(({ ok: fine }) => fine)).toBe(true)
    expect(most).toBe(1)
    expect(await nodeFiles.list(folder)).toEqual([])
  })

  test('is taken from a command that was killed', async () => {
    const child = spawn(process.execPath, ['--version'])
    await new Promise((resolve) => child.once('close', resolve))
    writeFileSync(path.join(folder, 'lock'), String(child.pid))
    expect(await locked(folder, ports, () => Promise.resolve(ok('done')))).toEqual(ok('done'))
  })

  test('that another command has is waited for, but not for ever', async () => {
    writeFileSync(path.join(folder, 'lock'), String(process.pid))
    let now = 0
    const fast: Clock = {
      ...systemClock,
      monotonic: () => (now += 60_000),
      after: (_, wake) => systemClock.after(1, wake),
    }
    const busy = await locked(folder, { ...ports, clock: fast }, () => Promise.resolve(ok('done')))
    expect(busy).toMatchObject({ ok: false, error: { code: 'cluster_busy' } })
    expect(existsSync(path.join(folder, 'lock'))).toBe(true)
  })

  test('without a cluster has no status, and nothing to end', async () => {
    for (const result of [await clusterStatus(folder, ports), await clusterDown(folder, ports)]) {
      expect(result).toMatchObject({ ok: false, error: { code: 'cluster_missing' } })
    }
    expect(await nodeFiles.list(folder)).toEqual([])
  })

  test.each(['{', '{"version":2,"processes":[]}', '[]'])(
    'with a file of %s is refused',
    async (text) => {
      writeFileSync(path.join(folder, 'cluster.json'), text)
      const state = await readState(folder, nodeFiles)
      expect(state).toMatchObject({ ok: false, error: { code: 'cluster_invalid' } })
    },
  )
})

describe('a process', () => {
  const MARK = '-Dheadwater.process=x.broker-1'
  const start = (script: string): number =>
    startProcess({
      command: process.execPath,
      args: ['-e', script, '--', MARK],
      env: process.env,
      folder,
      output: path.join(folder, 'out'),
    })!

  test('is known by its mark alone', async () => {
    const pid = start('setInterval(() => {}, 1000)')
    expect((await seen(pid, MARK, ports))?.residentBytes).toBeGreaterThan(1e6)
    expect(await seen(pid, '-Dheadwater.process=x.broker', ports)).toBeUndefined()
    expect(await stopProcess(pid, MARK, ports)).toBe(true)
    expect(await seen(pid, MARK, ports)).toBeUndefined()
  })

  test('that does not heed SIGTERM is killed', async () => {
    const pid = start(
      "process.on('SIGTERM', () => {}); console.log('deaf'); setInterval(() => {}, 1000)",
    )
    const output = path.join(folder, 'out')
    while (!(await nodeFiles.read(output)).length) await new Promise((go) => setTimeout(go, 10))
    let now = 0
    const fast: Clock = { ...systemClock, monotonic: () => (now += 5000) }
    expect(await stopProcess(pid, MARK, { ...ports, clock: fast })).toBe(true)
    expect(await seen(pid, MARK, ports)).toBeUndefined()
  })

  test('of a program that is not there has no id', () => {
    const plan = { command: path.join(folder, 'nothing'), args: [], env: {}, folder }
    expect(startProcess({ ...plan, output: path.join(folder, 'out') })).toBeUndefined()
  })
})

test('a port is free, not one that is taken, and outside the range of outgoing connections', async () => {
  const taken = new Set<number>()
  for (let i = 0; i < 50; i++) {
    const port = await freePort(systemRandom, taken)
    expect(port).toBeLessThan(32_768)
    expect(taken.has(port)).toBe(false)
    expect(await isFree(port)).toBe(true)
    taken.add(port)
  }
})

test('three brokers vote, and keep their records three times', () => {
  const size = { ...DEFAULT_SIZE, brokers: 3 }
  const numbers = Object.fromEntries(portNames(size).map((name, i) => [name, 20_000 + i]))
  const layout = { id: 'x', size, ports: numbers, ...addresses('/data/cluster', size, numbers) }
  const files = configuration('/data/cluster', layout)
  const broker = files.get('/data/cluster/conf/broker-2.properties')!.split('\n')
  expect(broker).toContain('node.id=2')
  expect(broker).toContain(
    'controller.quorum.voters=1@127.0.0.1:20001,2@127.0.0.1:20003,3@127.0.0.1:20005',
  )
  expect(broker).toContain('advertised.listeners=BROKER://127.0.0.1:20002')
  expect(broker).toContain('default.replication.factor=3')
  expect(broker).toContain('min.insync.replicas=2')
  expect(broker).toContain('auto.create.topics.enable=false')
  expect(layout.kafka.brokers).toEqual(['127.0.0.1:20000', '127.0.0.1:20002', '127.0.0.1:20004'])
})
