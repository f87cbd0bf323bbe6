import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['headwater-source'] },
  ssr: { resolve: { conditions: ['headwater-source'] } },
  test: {
    pool: 'forks',
    reporters: ['default', './test/reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/cluster/**'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // What needs Kafka and Flink: after the others, one file at a time, since each starts several virtual machines.
        extends: true,
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
