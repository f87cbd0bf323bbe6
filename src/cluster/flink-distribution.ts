/** Apache Flink as its maintainers publish it for Python, fetched by pip, checked by its SHA-256 and unpacked into the cache. */
import path from 'node:path'
import { sleep } from '../base/clock.ts'
import { error, type HeadwaterError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { uuid } from '../base/random.ts'
import { failed, ok, type Result } from '../base/result.ts'
import { type Ended, runCommand } from './command.ts'
import type { FetchPorts } from './fetch.ts'

export const FLINK_VERSION = '2.1.3'
/** The source package holds the whole distribution; Maven Central lacks two of its jars. */
const PACKAGE = `apache-flink-libraries==${FLINK_VERSION}`
const SHA256 = 'b48d3944755b9303f99d205ea1a9bcb798fc563a872c782393fb466f16d4f91c'
export const FLINK_ARCHIVE_BYTES = 310_160_572
const PARTS = ['lib', 'plugins'] as const

export interface DistributionOptions {
  /** Absolute path of the cache. */
  readonly cache: string
  /** Environment of pip, which its own settings come from. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told how many bytes of the archive have come since it was last told. */
  readonly onBytes?: (count: number) => void
}

/** The folder of the distribution in a cache. */
export function flinkFolder(cache: string): string {
  return path.join(cache, 'flink', FLINK_VERSION)
}

/** Absolute path of a folder with `lib` and `plugins`. Fails with pip_missing, artifact_unavailable or artifact_corrupt. */
export async function flinkDistribution(
  { cache, env, onBytes }: DistributionOptions,
  ports: FetchPorts,
): Promise<Result<string>> {
  const { files, random, clock } = ports
  const folder = flinkFolder(cache)
  if ((await files.info(folder)) !== undefined) return ok(folder)
  const work = `${folder}.${uuid(random)}`
  const temporary = path.join(work, 'tmp')
  await files.makeDirectory(temporary)
  try {
    const pip = await runCommand('python3', ['-m', 'pip', '--version'], clock, { env })
    if (pip.code !== 0) return failed(error('pip_missing', pip.output.trim()))
    const fetched = await watched(download(work, temporary, env, ports), temporary, onBytes, ports)
    if (fetched.code !== 0) return failed(refusal(fetched))
    const unpacked = path.join(work, 'flink')
    await files.makeDirectory(unpacked)
    const archive = (await files.list(work)).find((name) => name.endsWith('.tar.gz')) ?? 'nothing'
    const top = archive.replace(/\.tar\.gz$/, '')
    const members = PARTS.map((part) => `${top}/deps/${part}`)
    const args = ['-xzf', path.join(work, archive), '-C', unpacked, '--strip-components=2']
    const tar = await runCommand('tar', [...args, ...members], clock, {
      timeoutMs: limits.distributionMsMax,
    })
    if (tar.code !== 0) {
      return failed(error('artifact_corrupt', `${PACKAGE} cannot be unpacked: ${tar.output}`))
    }
    // Another process may have been first; its files are the same.
    await files.rename(unpacked, folder).catch(() => undefined)
    return ok(folder)
  } finally {
    await files.removeDirectory(work)
  }
}

async function download(
  work: string,
  temporary: string,
  env: DistributionOptions['env'],
  { files, clock }: FetchPorts,
): Promise<Ended> {
  const requirements = path.join(work, 'requirements.txt')
  await files.write(requirements, `${PACKAGE} --hash=sha256:${SHA256}\n`)
  const args = ['--no-deps', '--no-binary', ':all:', '-r', requirements, '-d', work]
  return runCommand('python3', ['-m', 'pip', '-q', 'download', ...args], clock, {
    env: { ...env, TMPDIR: temporary },
    timeoutMs: limits.distributionMsMax,
  })
}

/** pip says nothing of its progress but to a terminal, so its temporary files are looked at. */
async function watched(
  running: Promise<Ended>,
  temporary: string,
  onBytes: DistributionOptions['onBytes'],
  { files, clock }: FetchPorts,
): Promise<Ended> {
  const state: { ended: Ended | undefined } = { ended: undefined }
  const end = running.then((ended) => (state.ended = ended))
  let told = 0
  while (state.ended === undefined) {
    await Promise.race([end, sleep(clock, limits.distributionPollMs)])
    let most = 0
    for (const name of await files.list(temporary)) {
      const info = await files.info(path.join(temporary, name, archiveName)).catch(() => undefined)
      most = Math.max(most, info?.size ?? 0)
    }
    if (most > told) onBytes?.(most - told)
    told = Math.max(told, most)
  }
  return end
}

const archiveName = `${PACKAGE.replaceAll('-', '_').replace('==', '-')}.tar.gz`

function refusal({ output }: Ended): HeadwaterError {
  const corrupt = /DO NOT MATCH THE HASHES/i.test(output)
  const said = output.trim().split('\n').slice(-8).join('\n  ')
  return error(corrupt ? 'artifact_corrupt' : 'artifact_unavailable', `pip: ${said}`)
}
