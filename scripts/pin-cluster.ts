/** Writes src/cluster/pins.ts, the checksums of every jar of a cluster, from the poms of scripts/pins. Needs Maven. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { jarsOf, type PinnedJar } from './pins/jars.ts'

const lists = ['kafka', 'flink', 'image'] as const

function listOf(name: (typeof lists)[number]): string {
  const jars = jarsOf(path.join(import.meta.dirname, 'pins', `${name}.pom.xml`))
  return `export const ${name.toUpperCase()}_JARS: readonly Artifact[] = [\n${jars.map(entry).join('')}]\n`
}

function entry({ sha256, bytes, name }: PinnedJar): string {
  return `  {\n    name: '${name}',\n    bytes: ${bytes},\n    sha256: '${sha256}',\n  },\n`
}

const head = `/** Jars of clusters with their checksums: \`node scripts/pin-cluster.ts\` writes them from the poms of scripts/pins. */
import type { Artifact } from './fetch.ts'
`

writeFileSync('src/cluster/pins.ts', [head, ...lists.map(listOf)].join('\n'))
