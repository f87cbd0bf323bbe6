import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['headwater-source'] },
  ssr: { resolve: { conditions: ['headwater-source'] } },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', './test/reporter.ts'],
  },
})
