import type { Config } from 'headwater/platform'

// Everything is optional; docs/configuration.md of headwater lists all options with their defaults.
export default {
  specs: './specs.ts',
  data: './.headwater',
  dev: { run: './log.ts' },
} satisfies Config
