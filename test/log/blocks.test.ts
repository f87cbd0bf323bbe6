/** Frames gathered in blocks are the bytes that the protocol says, whatever their sizes and however often blocks are used again. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GroupBytes, SpareBlocks } from '../../src/log/blocks.ts'
import { encodeFrame, writeFrame } from '../../src/log/frame.ts'
import type { Frame } from '../../src/log/log.ts'
import { anyFrame, frameOf } from './support.ts'

const plain = (frame: Frame, durable: number): Buffer => Buffer.concat(encodeFrame(frame, durable))

test('a frame written into a block is the frame in parts', () => {
  fc.assert(
    fc.property(anyFrame, fc.maxSafeNat(), fc.nat(100), (frame, durable, position) => {
      const expected = plain(frame, durable)
      const block = Buffer.alloc(position + expected.length + 50, 0xee)
      expect(writeFrame(block, position, frame, durable)).toBe(position + expected.length)
      expect(block.subarray(position, position + expected.length)).toEqual(expected)
      expect(block.subarray(0, position).every((byte) => byte === 0xee)).toBe(true)
      expect(block.subarray(position + expected.length).every((byte) => byte === 0xee)).toBe(true)
    }),
  )
})

test('groups of any sizes are their frames in order, in few parts', () => {
  const sizes = fc.array(fc.oneof(fc.nat(5000), fc.integer({ min: 60_000, max: 300_000 })), {
    maxLength: 40,
  })
  const spare = new SpareBlocks()
  fc.assert(
    fc.property(sizes, fc.maxSafeNat(), (group, durable) => {
      const frames = group.map((size, i) => frameOf(i, size))
      const bytes = new GroupBytes(spare)
      for (const frame of frames) bytes.add(frame, durable)
      const expected = Buffer.concat(frames.map((frame) => plain(frame, durable)))
      expect(Buffer.concat(bytes.parts()).equals(expected)).toBe(true)
      bytes.release()
    }),
    { numRuns: 30 },
  )
})

test('small frames of a group make one part', () => {
  const bytes = new GroupBytes(new SpareBlocks())
  for (let id = 0; id < 40; id++) bytes.add(frameOf(id, 4000), 0)
  expect(bytes.parts()).toHaveLength(1)
})

test('a block that was given back is taken again', () => {
  const spare = new SpareBlocks()
  const first = new GroupBytes(spare)
  first.add(frameOf(1), 0)
  const { buffer } = first.parts()[0]!
  first.release()
  const second = new GroupBytes(spare)
  second.add(frameOf(2), 0)
  expect(second.parts()[0]!.buffer).toBe(buffer)
})
