import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatIdents, parseIdents } from '../../src/identity/formats/idents-lgr.ts'

const record = fc.record({
  fingerprint: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  icon: fc.nat(0x10ffff),
  notes: fc.string({ unit: 'grapheme', maxLength: 40 }),
  flags: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  urls: fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { maxLength: 5 }),
})
const file = fc.array(record, { maxLength: 5 })

/** What is true of every answer, whatever was read. */
function check(bytes: Uint8Array): ReturnType<typeof parseIdents> {
  const before = Uint8Array.from(bytes)
  const answer = parseIdents(bytes)
  expect(Uint8Array.from(bytes)).toEqual(before)
  expect(answer.isComplete).toBe(answer.problems.length === 0)
  let last = -1
  for (const { offset, fingerprint } of answer.records) {
    expect(offset).toBeGreaterThan(last)
    last = offset
    // What it gives away is not the file itself.
    expect(fingerprint.buffer).not.toBe(bytes.buffer)
  }
  for (const { offset, message } of answer.problems) {
    expect(offset).toBeGreaterThanOrEqual(0)
    expect(offset).toBeLessThanOrEqual(bytes.length)
    expect(message).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
  }
  return answer
}

it('reads what was written', () => {
  fc.assert(
    fc.property(file, (records) => {
      const { records: read, problems } = check(formatIdents(records))
      expect(problems).toEqual([])
      expect(read.map(({ offset: _, ...rest }) => rest)).toEqual(records)
    }),
  )
})

it('answers for any bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void check(bytes)))
})

it('answers for any bytes behind a proper head', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      check(Buffer.concat([Buffer.from('lgL2\x01\0\0\0iden', 'latin1'), bytes]))
    }),
  )
})

it('never takes a file that was cut off for a whole one, unless it was cut between two records', () => {
  fc.assert(
    fc.property(file, fc.nat(), (records, cut) => {
      const bytes = formatIdents(records)
      const ends = records.map((_, index) => formatIdents(records.slice(0, index)).length)
      const length = cut % bytes.length
      expect(check(bytes.subarray(0, length)).isComplete).toBe(ends.includes(length))
    }),
  )
})

it('keeps the records before the one that was damaged', () => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 2, maxLength: 5 }), fc.nat(), fc.nat(255), (records, at, to) => {
      const bytes = Buffer.from(formatIdents(records))
      const intact = formatIdents(records.slice(0, -1)).length
      bytes[intact + (at % (bytes.length - intact))] = to
      const { records: read } = check(bytes)
      const { offset: _, ...first } = read[0] ?? { offset: 0 }
      expect(first).toEqual(records[0])
      expect(read.length).toBeGreaterThanOrEqual(records.length - 1)
    }),
  )
})

it('has no two readings: what was read and written again is the same file', () => {
  fc.assert(
    fc.property(file, fc.array(fc.record({ at: fc.nat(), to: fc.nat(255) }), { maxLength: 3 }), (records, changes) => {
      const bytes = Buffer.from(formatIdents(records))
      for (const { at, to } of changes) bytes[at % bytes.length] = to
      const { records: read, isComplete } = check(bytes)
      if (isComplete && bytes[4] === 1) expect(Buffer.from(formatIdents(read))).toEqual(bytes)
    }),
  )
})
