/** Apache's reference catalog passes Apache's own kit: what the other tests lean on is what it claims to be. */
import { afterAll, expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { runCompatibilityKit } from '../support/java/compatibility-kit.ts'
import { startReferenceCatalog } from '../support/java/reference-catalog.ts'
import { temporaryFolder } from '../support/project.ts'

const { folder, remove } = temporaryFolder('reference')
afterAll(remove)

test.skipIf(!javaIsThere())('passes the compatibility kit', { timeout: 400_000 }, async () => {
  const catalog = await startReferenceCatalog(folder)
  const report = await runCompatibilityKit(catalog.uri)
  await catalog.kill()
  expect(report.failures).toEqual([])
  expect(report.passed.length).toBeGreaterThan(140)
})
