/** What is deployed, as plain data: everything that manifests are written from. */
import type { Plan } from '../size.ts'

export interface DeployedTopic {
  /** With its prefix. */
  readonly name: string
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
}

export interface Deployed {
  /** What names of resources begin with. */
  readonly name: string
  /** Folder of the project inside the repository that images are built from, `.` where it is the repository. */
  readonly project: string
  /** Folder of the manifests inside the repository. */
  readonly folder: string
  readonly httpPort: number
  readonly catalogPort: number
  readonly topics: readonly DeployedTopic[]
  /** For the numbers of machines. */
  readonly plan: Plan
}

/** A document of YAML, before it is text. */
export type Manifest = object

/** Environment of every process of headwater: `headwater.config.ts` reads it. */
export const ENVIRONMENT = {
  /** `collector`: only take events; else the lake, its catalog and maintenance as well. */
  role: 'HEADWATER_ROLE',
  brokers: 'HEADWATER_BROKERS',
  lake: 'HEADWATER_LAKE',
  data: 'HEADWATER_DATA',
  writeKey: 'HEADWATER_WRITE_KEY',
  catalogToken: 'HEADWATER_CATALOG_TOKEN',
  catalog: 'HEADWATER_CATALOG',
  gateway: 'HEADWATER_GATEWAY',
  jobManager: 'HEADWATER_JOBMANAGER',
  plans: 'HEADWATER_PLANS',
} as const

export const FLINK_IMAGE = 'headwater-flink'
export const HEADWATER_IMAGE = 'headwater'
/** Port of Flink's metrics. */
export const METRICS_PORT = 9249
export const GATEWAY_PORT = 8083
export const REST_PORT = 8081
/** User of Flink's image. */
export const FLINK_USER = 9999
/** Where compiled plans lie, which `headwater deploy` and the Gateway see alike. */
export const PLANS = '/plans'
