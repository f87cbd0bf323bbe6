/** Apache's own compatibility kit passes against our catalog: tables and views. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { runCompatibilityKit } from '../support/java/compatibility-kit.ts'
import { temporaryFolder } from '../support/project.ts'
import { startCatalog } from './catalog.ts'

const { folder, remove } = temporaryFolder('rest-kit')
afterAll(remove)

test.skipIf(!javaIsThere())('passes the compatibility kit', { timeout: 400_000 }, async () => {
  // The kit puts some tables where it likes.
  const catalog = await startCatalog(path.join(folder, 'lake'), { locations: ['file:/tmp'] })
  const report = await runCompatibilityKit(catalog.uri, {
    properties: { 'rck.requires-namespace-create': 'true' },
  })
  await catalog.close()
  expect(report.failures).toEqual([])
  expect(report.passed.length).toBeGreaterThan(140)
})
