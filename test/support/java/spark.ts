/** Spark SQL over a REST catalog, in a process of its own. */
import { type SqlEngine, sqlEngine } from '../script.ts'
import { compiled, opened, startJava } from './artifacts.ts'

export type Spark = SqlEngine

/** Starts a session whose catalog `lake` is the REST catalog at `uri`. `properties` are the catalog's, such as `token`. */
export function startSpark(
  uri: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<Spark> {
  // Without its cache, so that it sees what others have committed.
  const catalog = { type: 'rest', uri, 'cache-enabled': 'false', ...properties }
  return startSparkWith({
    'spark.sql.extensions': 'org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions',
    'spark.sql.catalog.lake': 'org.apache.iceberg.spark.SparkCatalog',
    'spark.sql.defaultCatalog': 'lake',
    ...Object.fromEntries(
      Object.entries(catalog).map(([name, value]) => [`spark.sql.catalog.lake.${name}`, value]),
    ),
  })
}

/** Starts a session with settings as in `spark-defaults.conf`. */
export async function startSparkWith(settings: Readonly<Record<string, string>>): Promise<Spark> {
  const classes = await compiled('SparkScript', 'spark')
  const args = Object.entries({ ...SMALL, ...settings }).map(([name, value]) => `${name}=${value}`)
  return sqlEngine('Spark', startJava(classes, 'SparkScript', args, OPENS))
}

const SMALL = {
  'spark.ui.enabled': 'false',
  'spark.driver.host': '127.0.0.1',
  'spark.driver.bindAddress': '127.0.0.1',
  'spark.sql.shuffle.partitions': '2',
  'spark.sql.session.timeZone': 'UTC',
  'spark.sql.jsonGenerator.ignoreNullFields': 'false',
}

/** Its own launcher's list. */
const OPENS = opened([
  'java.lang',
  'java.lang.invoke',
  'java.lang.reflect',
  'java.io',
  'java.net',
  'java.nio',
  'java.util',
  'java.util.concurrent',
  'java.util.concurrent.atomic',
  'sun.nio.ch',
  'sun.nio.cs',
  'sun.security.action',
  'sun.util.calendar',
])
