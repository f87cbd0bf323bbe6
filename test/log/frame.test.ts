/** Frames on disk are what PROTOCOL.md §12 says, to the byte. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32 } from 'node:zlib'
import {
  checksumHolds,
  decodeFrame,
  encodeFrame,
  encodeProbe,
  frameBytes,
  frameShape,
} from '../../src/log/frame.ts'
import { anyFrame, plain } from './support.ts'

const offset: fc.Arbitrary<number> = fc.maxSafeNat()

describe('frames', () => {
  test('have the fields of the protocol at their places', () => {
    const parts = encodeFrame(
      {
        kind: 'batch',
        boot: Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i),
        seq: 0x01020304,
        first: 0x05_06070809,
        count: 0x0a,
        fingerprint: 0x0b0c0d0e,
        meta: Buffer.from('{"m":1}'),
        payload: Buffer.from('payload'),
      },
      0x11_12131415,
    )
    const bytes = Buffer.concat(parts)
    expect(bytes.subarray(8).toString('hex')).toBe(
      [
        '01', // kind
        '01', // version
        '0000',
        '04030201', // seq
        'a0a1a2a3a4a5a6a7a8a9aaabacadaeaf', // boot
        '0908070605000000', // first
        '0a000000', // count
        '0e0d0c0b', // fingerprint
        '1514131211000000', // durable
        '07000000', // length of meta
        Buffer.from('{"m":1}payload').toString('hex'),
      ].join(''),
    )
    expect(bytes.readUInt32LE(0)).toBe(bytes.byteLength - 8)
    expect(bytes.readUInt32LE(4)).toBe(crc32(bytes.subarray(8)))
  })

  test('come back as they were', () => {
    fc.assert(
      fc.property(anyFrame, offset, (frame, durable) => {
        const parts = encodeFrame(frame, durable)
        expect(parts[2]).toBe(frame.payload)
        const bytes = Buffer.concat(parts)
        expect(bytes.byteLength).toBe(frameBytes(frame))
        expect(frameShape(bytes)).toEqual({ kind: frame.kind, bytes: bytes.byteLength, durable })
        expect(checksumHolds(bytes)).toBe(true)
        expect(plain(decodeFrame(bytes))).toEqual(plain(frame))
      }),
    )
  })

  test('with any bit turned are not taken for good', () => {
    fc.assert(
      fc.property(anyFrame, offset, fc.nat(), (frame, durable, at) => {
        const bytes = Buffer.concat(encodeFrame(frame, durable))
        const bit = at % (bytes.byteLength * 8)
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        const shape = frameShape(bytes)
        expect(shape?.bytes === bytes.byteLength && checksumHolds(bytes)).toBe(false)
      }),
    )
  })

  test('of kind probe are known as such', () => {
    const bytes = encodeProbe(12_345)
    expect(frameShape(bytes)).toEqual({ kind: 'probe', bytes: bytes.byteLength, durable: 12_345 })
    expect(checksumHolds(bytes)).toBe(true)
  })
})
