/** Flink by its Kubernetes operator: a session cluster that survives its JobManager, and the SQL Gateway that jobs are submitted by. */
import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { IPersistentVolumeClaim } from 'kubernetes-models/v1'
import { FLINK_SETTINGS } from '../flink-settings.ts'
import {
  type Deployed,
  FLINK_IMAGE,
  FLINK_USER,
  GATEWAY_PORT,
  type Manifest,
  METRICS_PORT,
  PLANS,
  REST_PORT,
} from './deployment.ts'

export function flinkName({ name }: Pick<Deployed, 'name'>): string {
  return `${name}-flink`
}

export function gatewayName({ name }: Pick<Deployed, 'name'>): string {
  return `${name}-gateway`
}

/** Settings of a cluster whose checkpoints lie under `state`, such as `s3://bucket/flink`. */
export function clusterSettings(
  { plan }: Pick<Deployed, 'plan'>,
  state: string,
): Record<string, string> {
  const rocksdb = plan.flink.backend === 'rocksdb'
  return {
    ...FLINK_SETTINGS,
    'execution.checkpointing.interval': `${plan.load.intervalSeconds} s`,
    'execution.checkpointing.dir': `${state}/checkpoints`,
    'execution.checkpointing.savepoint-dir': `${state}/savepoints`,
    'state.backend.type': plan.flink.backend,
    'execution.checkpointing.incremental': String(rocksdb),
    'metrics.reporter.prom.factory.class':
      'org.apache.flink.metrics.prometheus.PrometheusReporterFactory',
    'metrics.reporter.prom.port': String(METRICS_PORT),
  }
}

/** Where checkpoints lie; a bucket of one's own goes in its place. */
const STATE = 's3://headwater/flink'

export function flinkManifests(deployed: Deployed): Manifest[] {
  const { plan } = deployed
  const name = flinkName(deployed)
  const { cores } = plan.load.machine
  const slots = Math.min(cores, Math.max(2, Math.ceil(plan.flink.cores / plan.flink.taskManagers)))
  const settings = {
    ...clusterSettings(deployed, STATE),
    'taskmanager.numberOfTaskSlots': String(slots),
    // A JobManager that is replaced finds its jobs and their checkpoints.
    'high-availability.type': 'kubernetes',
    'high-availability.storageDir': `${STATE}/high-availability`,
  }
  const secrets = [{ secretRef: { name: deployed.name } }]
  const container = { name: 'flink-main-container', envFrom: secrets }
  return [
    {
      apiVersion: 'flink.apache.org/v1beta1',
      kind: 'FlinkDeployment',
      metadata: { name },
      spec: {
        image: FLINK_IMAGE,
        flinkVersion: 'v2_1',
        serviceAccount: 'flink',
        mode: 'standalone',
        flinkConfiguration: settings,
        podTemplate: {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name, annotations: scraped(METRICS_PORT) },
          spec: { containers: [container] },
        },
        jobManager: { replicas: 1, resource: { cpu: 1, memory: '2048m' } },
        taskManager: {
          replicas: plan.flink.taskManagers,
          resource: { cpu: slots, memory: `${2048 + 1024 * slots}m` },
        },
      },
    },
    plansClaim(deployed),
    gatewayDeployment(deployed, secrets),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: gatewayName(deployed) },
      spec: {
        selector: { app: gatewayName(deployed) },
        ports: [{ name: 'http', port: GATEWAY_PORT, targetPort: 'http' }],
      },
    },
  ]
}

/** Names of the claim of the folder that the Gateway and `headwater deploy` share. */
export function plansName({ name }: Pick<Deployed, 'name'>): string {
  return `${name}-plans`
}

function plansClaim(deployed: Deployed): IPersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: plansName(deployed) },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  }
}

function gatewayDeployment(
  deployed: Deployed,
  envFrom: { secretRef: { name: string } }[],
): IDeployment {
  const app = gatewayName(deployed)
  const probe = { httpGet: { path: '/v3/info', port: 'http' } }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app },
    spec: {
      replicas: 1,
      // Never two on one folder of plans.
      strategy: { type: 'Recreate' },
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: {
          securityContext: { fsGroup: FLINK_USER },
          volumes: [{ name: 'plans', persistentVolumeClaim: { claimName: plansName(deployed) } }],
          containers: [
            {
              name: 'gateway',
              image: FLINK_IMAGE,
              args: gatewayArguments(),
              env: [
                { name: 'FLINK_PROPERTIES', value: flinkProperties(`${flinkName(deployed)}-rest`) },
              ],
              envFrom,
              ports: [{ name: 'http', containerPort: GATEWAY_PORT }],
              volumeMounts: [{ name: 'plans', mountPath: PLANS }],
              readinessProbe: { ...probe, periodSeconds: 5 },
              livenessProbe: { ...probe, initialDelaySeconds: 30, failureThreshold: 6 },
              resources: {
                requests: { cpu: '500m', memory: '1536Mi' },
                limits: { memory: '1536Mi' },
              },
            },
          ],
        },
      },
    },
  }
}

/** Of Flink's image. */
export function gatewayArguments(): string[] {
  const prefix = '-Dsql-gateway.endpoint.rest'
  return [
    'bin/sql-gateway.sh',
    'start-foreground',
    `${prefix}.address=0.0.0.0`,
    `${prefix}.port=${GATEWAY_PORT}`,
  ]
}

/** Where the Gateway finds the JobManager. */
export function flinkProperties(host: string): string {
  return `rest.address: ${host}\nrest.port: ${REST_PORT}\n`
}

/** For a Prometheus that finds its targets by annotations. */
export function scraped(port: number): Record<string, string> {
  return { 'prometheus.io/scrape': 'true', 'prometheus.io/port': String(port) }
}
