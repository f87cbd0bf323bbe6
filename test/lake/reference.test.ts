/** Apache's reference catalog passes Apache's own kit: what the other tests lean on is what it claims to be. */
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { javaIsThere } from '../support/java/artifacts.ts'
import { runCompatibilityKit } from '../support/java/compatibility-kit.ts'
import { startReferenceCatalog } from '../support/java/reference-catalog.ts'
import { startSpark } from '../support/java/spark.ts'
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

test.skipIf(!javaIsThere())('is written and read by Spark', { timeout: 400_000 }, async () => {
  const catalog = await startReferenceCatalog(path.join(folder, 'spark'))
  const spark = await startSpark(catalog.uri)
  await spark.sql('CREATE NAMESPACE ns')
  await spark.sql('CREATE TABLE ns.t (id BIGINT, name STRING) USING iceberg')
  await spark.sql(`INSERT INTO ns.t VALUES (1, 'ä\n"'), (9007199254740993, NULL)`)
  const rows = await spark.sql('SELECT CAST(id AS STRING) AS id, name FROM ns.t ORDER BY t.id')
  expect(rows).toEqual([
    { id: '1', name: 'ä\n"' },
    { id: '9007199254740993', name: null },
  ])
  await expect(spark.sql('SELECT * FROM ns.none')).rejects.toThrow('TABLE_OR_VIEW_NOT_FOUND')
  await spark.stop()
  await catalog.kill()
})
