/** Everything that a deployment is made of, as files: images, a compose file, Kubernetes manifests and alert rules, all from one description. */
import { stringify } from 'yaml'
import { alerts } from './alerts.ts'
import { composeManifest } from './compose.ts'
import type { Deployed, Manifest } from './deployment.ts'
import { dockerIgnore, flinkDockerfile, headwaterDockerfile } from './docker.ts'
import { flinkManifests } from './flink.ts'
import { deployManifest, headwaterManifests } from './headwater.ts'
import { kafkaManifests, topicManifests } from './kafka.ts'

export type { Deployed, DeployedTopic } from './deployment.ts'

/** `command` is how the files are made, for their first line. */
export function manifestFiles(deployed: Deployed, command: string): ReadonlyMap<string, string> {
  const head = `# Made by \`${command}\`.\n`
  const yaml = (...documents: readonly Manifest[]): string =>
    head + documents.map((each) => stringify(each, WRITING)).join('---\n')
  return new Map([
    ['Dockerfile', head + headwaterDockerfile(deployed)],
    ['Dockerfile.dockerignore', dockerIgnore()],
    ['flink.Dockerfile', head + flinkDockerfile()],
    ['compose.yaml', yaml(composeManifest(deployed))],
    ['kubernetes/kafka.yaml', yaml(...kafkaManifests(deployed))],
    ['kubernetes/topics.yaml', yaml(...topicManifests(deployed))],
    ['kubernetes/flink.yaml', yaml(...flinkManifests(deployed))],
    ['kubernetes/headwater.yaml', yaml(...headwaterManifests(deployed))],
    ['kubernetes/deploy.yaml', yaml(deployManifest(deployed))],
    ['alerts.yaml', yaml(alertRules(deployed))],
  ])
}

/** Objects that occur twice are written twice, and long lines stay lines. */
const WRITING = { aliasDuplicateObjects: false, lineWidth: 0, singleQuote: true } as const

function prefixOf({ topics, name }: Deployed): string {
  return topics[0]?.name.split('.events.')[0] ?? name
}

function alertRules(deployed: Deployed): Manifest {
  const all = alerts(prefixOf(deployed), deployed.plan.load.intervalSeconds)
  const rules = all.map(({ alert, expr, for: time, severity, summary, runbook }) => ({
    alert: `Headwater${alert}`,
    expr,
    for: time,
    labels: { severity },
    annotations: { summary, runbook: `docs/cluster.md#${runbook}` },
  }))
  return { groups: [{ name: 'headwater', rules }] }
}
