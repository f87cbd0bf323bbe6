/** The cluster on this machine, with its real processes: started, found ready, crashed, started again over its data, and ended without a trace. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clusterDown, type ClusterState, clusterStatus } from '../../src/cluster/index.ts'
import { clusterPorts, isRunning, startTestCluster, type TestCluster } from '../support/cluster.ts'
import { flinkRows } from '../support/flink-sql.ts'
import { root } from '../support/source.ts'

const run = promisify(execFile)

/** `headwater cluster …` as a process; answers what it prints. */
async function headwater(...args: readonly string[]): Promise<string> {
  const main = path.join(root, 'src/cli/main.ts')
  const node = ['--conditions=headwater-source', main, 'cluster', ...args]
  return (await run(process.execPath, node)).stdout
}

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startTestCluster({ slots: 2 })
})

afterAll(() => cluster.remove())

const pidOf = (name: string): number =>
  cluster.state.processes.find((each) => each.name === name)!.pid

const ALL = ['broker-1', 'jobmanager', 'taskmanager-1', 'gateway']

describe('a cluster that is up', () => {
  test('tells of every process that it is alive and ready, its memory and its log', async () => {
    const lines = (await headwater('status', '--json', '--folder', cluster.folder))
      .trim()
      .split('\n')
    const processes = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(processes.map(({ name }) => name)).toEqual(ALL)
    for (const each of processes) {
      expect(each).toMatchObject({ alive: true, ready: true, pid: pidOf(String(each['name'])) })
      expect(each['memoryBytes']).toBeGreaterThan(50e6)
      expect(readFileSync(String(each['log']), 'utf8')).toContain('INFO')
    }
    const text = await headwater('status', '--folder', cluster.folder)
    for (const name of ALL)
      expect(text).toMatch(new RegExp(`^${name}\\s+ready\\s+${pidOf(name)} `, 'm'))
  })

  test('listens on loopback alone', async () => {
    const listeners = await listenersOf(cluster.state.processes.map(({ pid }) => pid))
    expect(listeners.length).toBeGreaterThanOrEqual(5)
    expect(listeners.filter((address) => !address.startsWith('127.0.0.1:'))).toEqual([])
  })

  test('writes an Iceberg table in a job of its TaskManager, and reads it back', async () => {
    const { gateway } = cluster.state.flink
    const warehouse = path.join(cluster.folder, 'warehouse')
    await flinkRows(gateway, [
      "SET 'execution.runtime-mode' = 'batch'",
      `CREATE CATALOG ice WITH ('type'='iceberg', 'catalog-type'='hadoop', 'warehouse'='file://${warehouse}')`,
      'CREATE DATABASE ice.ev',
      'CREATE TABLE ice.ev.t (a BIGINT, b STRING)',
      "INSERT INTO ice.ev.t VALUES (1, 'x'), (2, 'y'), (3, CAST(NULL AS STRING))",
    ])
    const rows = await flinkRows(gateway, [
      "SET 'execution.runtime-mode' = 'batch'",
      `CREATE CATALOG ice WITH ('type'='iceberg', 'catalog-type'='hadoop', 'warehouse'='file://${warehouse}')`,
      'SELECT a, b FROM ice.ev.t ORDER BY a',
    ])
    expect(rows).toEqual([
      [1, 'x'],
      [2, 'y'],
      [3, null],
    ])
  })

  test('has the connector of Kafka, which finds no topic that nobody declared', async () => {
    const [address] = cluster.state.kafka.brokers
    const table = `CREATE TABLE k (a BIGINT) WITH ('connector'='kafka', 'topic'='undeclared',
      'properties.bootstrap.servers'='${address}', 'format'='json', 'scan.startup.mode'='earliest-offset', 'scan.bounded.mode'='latest-offset')`
    await expect(
      flinkRows(cluster.state.flink.gateway, [
        "SET 'restart-strategy.type' = 'none'",
        table,
        'SELECT * FROM k',
      ]),
    ).rejects.toThrow('UnknownTopicOrPartition')
  })

  test('is left alone by another up', async () => {
    const before = cluster.state
    expect(await cluster.up()).toEqual([])
    expect(cluster.state).toEqual(before)
  })
})

describe('after a crash', () => {
  test.each(['taskmanager-1', 'gateway', 'jobmanager', 'broker-1'])(
    'of %s, status says so and up starts it alone, at its address',
    async (name) => {
      const before = cluster.state
      await cluster.kill(name)
      const status = await clusterStatus(cluster.folder, clusterPorts)
      const gone = status.ok ? status.value.processes.filter(({ alive }) => !alive) : []
      expect(gone.map((each) => each.name)).toEqual([name])
      expect(await cluster.up()).toEqual([name])
      expect(cluster.state).toMatchObject({ ...before, processes: expect.anything() as unknown })
      const others = othersOf(name)
      expect(others(cluster.state)).toEqual(others(before))
      const after = await clusterStatus(cluster.folder, clusterPorts)
      expect(after.ok && after.value.processes.every(({ ready }) => ready)).toBe(true)
    },
  )

  test('jobs run on the TaskManager that replaced the one that was killed', async () => {
    await cluster.kill('taskmanager-1')
    await cluster.up()
    expect(await flinkRows(cluster.state.flink.gateway, ['SELECT 1 + 1'])).toEqual([[2]])
  })
})

describe('another size', () => {
  test('starts what is new, and TaskManagers again whose slots changed', async () => {
    expect(await cluster.up({ taskManagers: 2, slots: 1 })).toEqual([
      'taskmanager-1',
      'taskmanager-2',
    ])
    const overview = await fetch(`${cluster.state.flink.rest}/overview`)
    expect(await overview.json()).toMatchObject({ 'slots-total': 2, taskmanagers: 2 })
    expect(await cluster.up({ taskManagers: 1 })).toEqual([])
    expect(cluster.state.processes.map(({ name }) => name).toSorted()).toEqual(ALL.toSorted())
  })

  test('of brokers is refused, since data lies on those that there are', async () => {
    await expect(cluster.up({ brokers: 3 })).rejects.toMatchObject({ code: 'cluster_differs' })
  })
})

describe('down', () => {
  test('ends everything, twice, and up takes the data up again', async () => {
    const pids = cluster.state.processes.map(({ pid }) => pid)
    const identity = readFileSync(
      path.join(cluster.folder, 'kafka/broker-1/meta.properties'),
      'utf8',
    )
    const said = await headwater('down', '--folder', cluster.folder)
    expect(said).toMatch(/^Ended .*, broker-1\.$/m)
    expect(pids.filter(isRunning)).toEqual([])
    expect(await headwater('down', '--folder', cluster.folder)).toBe('Nothing ran.\n')
    expect(await headwater('status', '--folder', cluster.folder)).toBe('Nothing runs.\n')
    expect(existsSync(path.join(cluster.folder, 'lock'))).toBe(false)
    expect((await cluster.up()).length).toBe(4)
    expect(readFileSync(path.join(cluster.folder, 'kafka/broker-1/meta.properties'), 'utf8')).toBe(
      identity,
    )
  })

  test('ends no stranger that got the id of a process that crashed', async () => {
    const file = path.join(cluster.folder, 'cluster.json')
    await cluster.kill('gateway')
    const state = JSON.parse(readFileSync(file, 'utf8')) as ClusterState
    const processes = state.processes.map((each) =>
      each.name === 'gateway' ? { ...each, pid: process.pid } : each,
    )
    writeFileSync(file, JSON.stringify({ ...state, processes }))
    const down = await clusterDown(cluster.folder, clusterPorts)
    expect(down).toMatchObject({ ok: true, value: ['jobmanager', 'taskmanager-1', 'broker-1'] })
    expect(isRunning(process.pid)).toBe(true)
  })
})

/** Ids of the processes but for one. */
function othersOf(name: string): (state: ClusterState) => readonly number[] {
  return ({ processes }) => processes.filter((each) => each.name !== name).map(({ pid }) => pid)
}

/** `address:port` of everything the processes listen on, from what the kernel says. */
async function listenersOf(pids: readonly number[]): Promise<string[]> {
  const { stdout } = await run('ss', ['-H', '-ltnp'])
  return stdout
    .split('\n')
    .filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)))
    .map((line) => line.split(/\s+/)[3]!)
}
