/** The Flink of the cluster that `headwater cluster up` started beside a project, if one runs. */
import path from 'node:path'
import { nodeFiles } from '../base/node/files.ts'
import { readState } from '../cluster/index.ts'
import { type FlinkConfig, flinkDefaults } from '../platform/index.ts'
import { orThrow } from './folder.ts'

/** `data` is the data folder of the project. Throws HeadwaterError where the state of the cluster cannot be read. */
export async function localFlink(data: string): Promise<FlinkConfig | undefined> {
  const local = orThrow(await readState(path.join(data, 'cluster'), nodeFiles))
  if (local === undefined) return undefined
  const { gateway, rest, savepoints } = local.flink
  return flinkDefaults({ gateway, rest, savepoints })
}
