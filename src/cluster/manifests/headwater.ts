/** headwater on Kubernetes: one process that keeps the lake, any number of collectors before it, and the job that deploys the landing. */
import type { IDeployment } from 'kubernetes-models/apps/v1'
import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import type { IJob } from 'kubernetes-models/batch/v1'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1'
import type { IContainer, IPersistentVolumeClaim, IService } from 'kubernetes-models/v1'
import {
  type Deployed,
  ENVIRONMENT,
  FLINK_USER,
  GATEWAY_PORT,
  HEADWATER_IMAGE,
  type Manifest,
  PLANS,
  REST_PORT,
} from './deployment.ts'
import { flinkName, gatewayName, plansName, scraped } from './flink.ts'
import { bootstrapOf } from './kafka.ts'

/** A bucket of one's own goes in its place. */
const LAKE = 's3://headwater/lake'
const DATA = '/data'

export function headwaterManifests(deployed: Deployed): Manifest[] {
  return [
    ...keeper(deployed),
    collectors(deployed),
    service(collectorName(deployed), deployed.httpPort),
    scaling(deployed),
    disruption(deployed),
  ]
}

/** Nodes may be drained, a few collectors at a time. */
function disruption(deployed: Deployed): IPodDisruptionBudget {
  const name = collectorName(deployed)
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name },
    // Rounded up, so that one of two may go.
    spec: { maxUnavailable: '20%', selector: { matchLabels: { app: name } } },
  }
}

/**
 * The job that brings Flink's job to what the specifications say; it is replaced with every change. It runs where the Gateway does, whose
 * folder of plans it shares, and as its user.
 */
export function deployManifest(deployed: Deployed): IJob {
  const name = `${deployed.name}-deploy`
  const user = { runAsUser: FLINK_USER, runAsGroup: FLINK_USER, fsGroup: FLINK_USER }
  const beside = {
    labelSelector: { matchLabels: { app: gatewayName(deployed) } },
    topologyKey: 'kubernetes.io/hostname',
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      backoffLimit: 3,
      ttlSecondsAfterFinished: 86_400,
      template: {
        metadata: { labels: { app: name } },
        spec: {
          restartPolicy: 'Never',
          securityContext: user,
          affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [beside] } },
          volumes: [{ name: 'plans', persistentVolumeClaim: { claimName: plansName(deployed) } }],
          containers: [
            {
              name: 'deploy',
              image: HEADWATER_IMAGE,
              args: ['deploy'],
              env: environment(deployed, { [ENVIRONMENT.plans]: PLANS }),
              envFrom: secrets(deployed),
              volumeMounts: [{ name: 'plans', mountPath: PLANS }],
            },
          ],
        },
      },
    },
  }
}

function collectorName({ name }: Deployed): string {
  return `${name}-collector`
}

function keeperName({ name }: Deployed): string {
  return `${name}-lake`
}

/** One, since a lake has one owner: never two at a time, on a disk that follows it. */
function keeper(deployed: Deployed): Manifest[] {
  const name = keeperName(deployed)
  const claim: IPersistentVolumeClaim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '20Gi' } } },
  }
  const container = headwaterContainer(deployed, { [ENVIRONMENT.data]: DATA })
  const ports = [
    { name: 'http', containerPort: deployed.httpPort },
    { name: 'catalog', containerPort: deployed.catalogPort },
  ]
  const process: IDeployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, annotations: scraped(deployed.httpPort) },
        spec: {
          securityContext: { fsGroup: 1000 },
          terminationGracePeriodSeconds: GRACE_SECONDS,
          containers: [{ ...container, ports, volumeMounts: [{ name: 'data', mountPath: DATA }] }],
          volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }],
        },
      },
    },
  }
  return [claim, process, service(name, deployed.catalogPort, 'catalog')]
}

function collectors(deployed: Deployed): IDeployment {
  const name = collectorName(deployed)
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      // None goes before another is ready.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      template: {
        metadata: { labels: { app: name }, annotations: scraped(deployed.httpPort) },
        spec: {
          terminationGracePeriodSeconds: GRACE_SECONDS,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: { app: name } },
            },
          ],
          containers: [headwaterContainer(deployed, { [ENVIRONMENT.role]: 'collector' })],
        },
      },
    },
  }
}

/** Longer than a process takes to answer what it took. */
const GRACE_SECONDS = 60

/** As many as the plan has, and half as many more for peaks. */
function scaling(deployed: Deployed): IHorizontalPodAutoscaler {
  const { processes } = deployed.plan.collector
  const name = collectorName(deployed)
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: Math.max(2, Math.ceil(processes / 2)),
      maxReplicas: Math.max(4, Math.ceil(processes * 1.5)),
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
        },
      ],
    },
  }
}

function headwaterContainer(deployed: Deployed, own: Readonly<Record<string, string>>): IContainer {
  const probe = (path: string): { httpGet: { path: string; port: string } } => ({
    httpGet: { path, port: 'http' },
  })
  return {
    name: 'headwater',
    image: HEADWATER_IMAGE,
    env: environment(deployed, own),
    envFrom: secrets(deployed),
    ports: [{ name: 'http', containerPort: deployed.httpPort }],
    readinessProbe: { ...probe('/readyz'), periodSeconds: 2 },
    livenessProbe: { ...probe('/healthz'), initialDelaySeconds: 10, failureThreshold: 6 },
    resources: { requests: { cpu: '1', memory: '512Mi' }, limits: { memory: '1Gi' } },
  }
}

function environment(
  deployed: Deployed,
  own: Readonly<Record<string, string>>,
): { name: string; value: string }[] {
  const all = {
    [ENVIRONMENT.brokers]: bootstrapOf(deployed),
    [ENVIRONMENT.lake]: LAKE,
    [ENVIRONMENT.catalog]: `http://${keeperName(deployed)}:${deployed.catalogPort}`,
    [ENVIRONMENT.gateway]: `http://${gatewayName(deployed)}:${GATEWAY_PORT}`,
    [ENVIRONMENT.jobManager]: `http://${flinkName(deployed)}-rest:${REST_PORT}`,
    ...own,
  }
  return Object.entries(all).map(([name, value]) => ({ name, value }))
}

/** The secret has the write key, the catalog's token, and what the object store asks for. */
function secrets({ name }: Deployed): { secretRef: { name: string } }[] {
  return [{ secretRef: { name } }]
}

function service(name: string, port: number, target = 'http'): IService {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ name: target, port, targetPort: target }] },
  }
}
