/** Writes `<name>.jars`, the checksums and paths of every jar that `<name>.pom.xml` resolves to. Needs Maven. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { jarsOf } from '../../../scripts/pins/jars.ts'

for (const list of ['iceberg', 'kafka', 'spark', 'flink']) {
  const jars = jarsOf(path.join(import.meta.dirname, `${list}.pom.xml`))
  const lines = jars.map(({ sha256, name }) => `${sha256} ${name}\n`)
  writeFileSync(path.join(import.meta.dirname, `${list}.jars`), lines.join(''))
}
