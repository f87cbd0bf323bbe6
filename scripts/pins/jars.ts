/** The jars that a pom resolves to, with their checksums, as Maven finds them. Needs Maven. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

export interface PinnedJar {
  /** Lower-case hexadecimal. */
  readonly sha256: string
  readonly bytes: number
  /** Path inside a Maven repository. */
  readonly name: string
}

export function jarsOf(pom: string): PinnedJar[] {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-pin-'))
  const to = [`-DoutputDirectory=${folder}`, '-Dmdep.useRepositoryLayout=true']
  execFileSync('mvn', ['-q', '-B', '-ntp', '-f', pom, COPY, ...to, '-DincludeScope=runtime'])
  const jars = globSync('**/*.jar', { cwd: folder })
    .toSorted()
    .map((name) => {
      const bytes = readFileSync(path.join(folder, name))
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      return { sha256, bytes: bytes.length, name }
    })
  rmSync(folder, { recursive: true })
  return jars
}
