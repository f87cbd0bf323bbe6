/** The bench of a month at smoke size: what has to stay bounded does. */
import { expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { simulate } from '../../bench/month.ts'

const HOUR_MS = 3_600_000

test(
  'files, manifests and metadata are bounded while commits go on',
  { timeout: 120_000 },
  async () => {
    const readings = await simulate(
      [
        { forMs: 3 * 24 * HOUR_MS, everyMs: HOUR_MS / 4 },
        { forMs: HOUR_MS / 4, everyMs: 1000 },
      ],
      2,
    )
    expect(readings).toHaveLength(4)
    for (const reading of readings) {
      expect(reading.files).toBeLessThan(100)
      expect(reading.manifests).toBeLessThan(2 * limits.manifestsPerTierMax)
      expect(reading.snapshots).toBeLessThan(
        limits.snapshotAgeMs / 1000 + limits.snapshotKeepMs / limits.snapshotEveryMs + 100,
      )
      expect(reading.amplification).toBeLessThan(4)
    }
    const [last] = readings.slice(-1)
    // A day of links and lists that nothing names would be far more.
    expect(last!.objects).toBeLessThan(10_000)
    expect(last!.day).toBeGreaterThan(3)
  },
)
