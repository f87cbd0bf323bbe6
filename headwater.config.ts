// The example of this repository; a project of your own has this file beside its specs.ts.
export default {
  specs: './examples/streaming/specs.ts',
  data: './.headwater',
  dev: { run: './examples/streaming/fleet.ts' },
}
