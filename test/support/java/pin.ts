/** Writes `<name>.jars`, the checksums and paths of every jar that `<name>.pom.xml` resolves to. Needs Maven. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

for (const list of ['iceberg', 'kafka', 'spark']) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'headwater-pin-'))
  const pom = path.join(import.meta.dirname, `${list}.pom.xml`)
  const to = [`-DoutputDirectory=${folder}`, '-Dmdep.useRepositoryLayout=true']
  execFileSync('mvn', ['-q', '-B', '-ntp', '-f', pom, COPY, ...to, '-DincludeScope=runtime'])
  const lines = globSync('**/*.jar', { cwd: folder })
    .toSorted()
    .map((name) => {
      const bytes = readFileSync(path.join(folder, name))
      return `${createHash('sha256').update(bytes).digest('hex')} ${name}\n`
    })
  writeFileSync(path.join(import.meta.dirname, `${list}.jars`), lines.join(''))
  rmSync(folder, { recursive: true })
}
