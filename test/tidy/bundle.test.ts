/** What a web page pays for the client. */
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { root } from '../support/source.ts'

const gzippedBytesMax = 3000

describe('the client in a browser', () => {
  test('is one small module without dependencies, and holds nothing of the specifications', async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [join(root, 'src/client/index.ts')],
      absWorkingDir: root,
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      write: false,
      metafile: true,
    })
    const inputs = Object.keys(metafile.inputs)
    expect(inputs).toContain('src/client/index.ts')
    expect(inputs.filter((path) => !/^src\/(client|base)\//.test(path))).toEqual([])
    expect(gzipSync(outputFiles[0]!.contents).length).toBeLessThan(gzippedBytesMax)
  })
})
