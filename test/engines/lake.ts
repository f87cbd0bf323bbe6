/** A lake that engines are pointed at: the streaming example with what its fleet sent, and a catalog with the token of docs/lake.md. */
import path from 'node:path'
import { FAULTS } from '../../examples/streaming/faults.ts'
import { startFleet } from '../../examples/streaming/fleet.ts'
import * as streaming from '../../examples/streaming/specs.ts'
import { createClient } from '../../src/client/node.ts'
import type { Platform } from '../../src/platform/index.ts'
import { defineEvent, int, string } from '../../src/spec/index.ts'
import { landed, projectOf, start } from '../support/platform.ts'
import { writeProject } from '../support/project.ts'

export const TOKEN = 'a-long-random-text'

const specs = {
  ...streaming,
  noted: defineEvent('noted', {
    doc: 'What engines write beside.',
    owner: 'tests',
    fields: { size: int(), name: string() },
  }),
}

export interface EngineLake {
  readonly folder: string
  readonly platform: Platform
  /** The catalog's, with `/iceberg`. */
  readonly uri: string
  /** Logs events `noted` and waits until they are queryable. */
  note(events: readonly { readonly size: number; readonly name: string }[]): Promise<void>
  close(): Promise<void>
}

/** `headwater sql` works in the folder too. */
export async function startLake(folder: string, seed: number): Promise<EngineLake> {
  const config = {
    engine: { epochMs: 200 },
    catalog: { tokens: { analysts: { token: TOKEN, scope: 'write' as const } } },
  }
  writeProject(folder, 'examples/streaming/specs.ts')
  const platform = await start(projectOf(path.join(folder), specs, { config }))
  const fleet = startFleet({
    url: platform.url,
    devices: 60,
    rate: 2500,
    seed,
    faults: FAULTS,
    flushMs: 500,
  })
  await new Promise((resolve) => setTimeout(resolve, 2500))
  const { complete } = await fleet.stop(20_000)
  if (!complete) throw new Error('the fleet did not get everything through')
  const client = createClient<Pick<typeof specs, 'context' | 'noted'>>({ url: platform.url })
  client.setContext({ app: 'test', app_version: '1', platform: 'web' })
  const note: EngineLake['note'] = async (events) => {
    for (const event of events) client.log('noted', event)
    if (!(await client.flush())) throw new Error('the events did not get through')
    await landed(platform)
  }
  await note([{ size: 0, name: 'ours' }])
  return { folder, platform, uri: platform.catalogUrl!, note, close: () => platform.close() }
}
