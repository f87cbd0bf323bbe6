/** What a deployment is made of: SQL compiled to Flink's plan, kept in a folder so that it can be gone back to. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { error } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { limits } from '../../base/limits.ts'
import { failed, ok, type Result } from '../../base/result.ts'
import type { GatewaySession } from './gateway.ts'
import { mergePlans } from './plan.ts'
import { type CompiledPart, fingerprintOf, statementSet } from './statements.ts'

/** Everything that a job is started from, but for secrets and addresses. */
export interface Bundle {
  readonly fingerprint: string
  readonly parts: readonly CompiledPart[]
  /** Flink's plan of all parts. */
  readonly plan: string
}

/** What makes two deployments the same: their SQL and the settings of the job. */
export function deploymentFingerprint(
  parts: readonly CompiledPart[],
  settings: Readonly<Record<string, string>>,
): string {
  const names = parts.map(({ name, fingerprint }) => [name, fingerprint])
  return fingerprintOf(
    JSON.stringify([names, Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1))]),
  )
}

/**
 * Has Flink plan each part, which changes nothing that runs. `folder` is seen by the gateway under the same absolute path. Fails with
 * what Flink refuses: a table that is not there, a column that does not fit.
 */
export async function compileBundle(
  session: GatewaySession,
  parts: readonly CompiledPart[],
  fingerprint: string,
  folder: string,
  files: Files,
): Promise<Result<Bundle>> {
  await files.makeDirectory(folder)
  const plans = new Map<string, string>()
  for (const { name, inserts } of parts) {
    const file = path.join(folder, `${fingerprint}.${name}.part`)
    await files.remove(file)
    const target = pathToFileURL(file).href
    const compiled = await session.run(`COMPILE PLAN '${target}' FOR ${statementSet(inserts)}`)
    if (!compiled.ok) return compiled
    if ((await files.info(file)) === undefined) {
      const why = 'the gateway wrote a plan to it that is not there: both must see one folder'
      return failed(error('flink_invalid', `${folder}: ${why}.`))
    }
    plans.set(name, Buffer.from(await files.read(file)).toString())
    await files.remove(file)
  }
  const plan = mergePlans(plans)
  return plan.ok ? ok({ fingerprint, parts, plan: plan.value }) : plan
}

/** Keeps a bundle, and forgets the oldest ones. */
export async function storeBundle(folder: string, bundle: Bundle, files: Files): Promise<void> {
  await files.makeDirectory(folder)
  await files.write(bundleFile(folder, bundle.fingerprint), JSON.stringify(bundle), { sync: true })
  const names = (await files.list(folder)).filter((name) => name.endsWith(BUNDLE))
  const dated = await Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, name)
      return { file, modified: (await files.info(file))?.modified ?? 0 }
    }),
  )
  const old = dated.sort((a, b) => b.modified - a.modified).slice(limits.flinkBundlesMax)
  for (const { file } of old) await files.remove(file)
}

/** The bundle of a fingerprint; undefined where the folder does not have it. */
export async function loadBundle(
  folder: string,
  fingerprint: string,
  files: Files,
): Promise<Bundle | undefined> {
  const file = bundleFile(folder, fingerprint)
  if ((await files.info(file)) === undefined) return undefined
  try {
    return JSON.parse(Buffer.from(await files.read(file)).toString()) as Bundle
  } catch {
    // Written in part by somebody who died: it is as if it were not there.
    return undefined
  }
}

const BUNDLE = '.bundle.json'

function bundleFile(folder: string, fingerprint: string): string {
  return path.join(folder, `${fingerprint}${BUNDLE}`)
}
