/** Apache's REST compatibility kit (RCK), run against a catalog. */
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { classPath, finished, startJava } from './artifacts.ts'

const TIMEOUT_MS = 300_000

/** The kit's parts, and a class for each. */
const PARTS = {
  tables: 'org.apache.iceberg.rest.RESTCompatibilityKitCatalogTests',
  views: 'org.apache.iceberg.rest.RESTCompatibilityKitViewCatalogTests',
} as const

export interface KitReport {
  /** Names of tests. */
  readonly passed: readonly string[]
  readonly skipped: readonly string[]
  readonly failures: readonly { readonly test: string; readonly message: string }[]
}

/**
 * Runs the kit against the catalog at `uri`, which must be empty and share the disk with this process. `properties` are those of Apache's
 * REST client, such as `token` and `warehouse`, and the kit's own, such as `rck.requires-namespace-create` or `rck.supports-serverside-retry`.
 */
export async function runCompatibilityKit(
  uri: string,
  options: {
    readonly parts?: readonly (keyof typeof PARTS)[]
    readonly properties?: Readonly<Record<string, string>>
  } = {},
): Promise<KitReport> {
  const jars = await classPath('iceberg')
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-kit-'))
  const { parts = ['tables', 'views'] } = options
  try {
    const properties = { 'rck.local': 'false', uri, ...options.properties }
    const child = startJava(
      jars,
      'org.junit.platform.console.ConsoleLauncher',
      [
        'execute',
        '--disable-banner',
        '--details=none',
        `--reports-dir=${folder}`,
        ...parts.map((part) => `--select-class=${PARTS[part]}`),
      ],
      Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
    )
    child.stdin!.end()
    const { stdout, stderr } = await finished(child, TIMEOUT_MS)
    const report = reportOf(folder)
    const count = report.passed.length + report.failures.length
    if (count === 0) throw new Error(`the kit ran no test: ${stdout}\n${stderr.slice(-4000)}`)
    return report
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What JUnit wrote: one element a test, empty or closed by itself where it passed. */
function reportOf(folder: string): KitReport {
  const passed: string[] = []
  const skipped: string[] = []
  const failures: { test: string; message: string }[] = []
  for (const file of globSync('*.xml', { cwd: folder })) {
    const text = readFileSync(path.join(folder, file), 'utf8')
    for (const match of text.matchAll(
      /<testcase name="([^"]*)"([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g,
    )) {
      const test = unescape(match[1]!)
      const body = match[4] ?? ''
      const failure = /<(?:failure|error)(?: message="([^"]*)")?[^>]*>([\s\S]{0,2000})/.exec(body)
      if (failure !== null) failures.push({ test, message: unescape(failure[1] ?? failure[2]!) })
      else if (/<skipped/.test(body)) skipped.push(test)
      else passed.push(test)
    }
  }
  return { passed, skipped, failures }
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  amp: '&',
}

function unescape(text: string): string {
  return text
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name]!)
}
