// The example of this repository; a project of your own has this file beside its specs.ts.
export default {
  specs: './examples/streaming/specs.ts',
  data: './.headwater',
  // The fleet says from which address each device would come, as a proxy in front does.
  http: { trustProxyHops: 1 },
  dev: { run: './examples/streaming/fleet.ts' },
}
