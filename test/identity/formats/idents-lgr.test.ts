import { describe, expect, it } from 'vitest'
import { formatIdents, parseIdents } from '../../../src/identity/formats/idents-lgr.ts'
import { block, iden, le32, lgr } from './made-identities.ts'

const fingerprint = Buffer.alloc(32, 0xab)

// Written down by hand from the layout, not by any code of ours.
const BY_HAND = [
  '6c674c32 01000000', // "lgL2", version 1
  '6964656e', // "iden"
  '20000000 abababababababababababababababababababababababababababababababab',
  '11f50100', // the icon, U+1F511
  '03000000 e282ac', // notes: one euro sign
  '02000000', // flags: imported
  '02000000', // two URLs
  '09000000 67656d696e693a2f2f', // "gemini://"
  '01000000 78', // "x"
]
const bytes = Buffer.from(BY_HAND.join('').replaceAll(' ', ''), 'hex')
const record = { fingerprint, icon: 0x1f511, notes: '€', flags: 2, urls: ['gemini://', 'x'] }

it('reads a file written down by hand', () => {
  const { records, problems, isComplete } = parseIdents(bytes)
  expect(problems).toEqual([])
  expect(isComplete).toBe(true)
  expect(records).toEqual([{ ...record, fingerprint: new Uint8Array(fingerprint), offset: 8 }])
})

it('writes the same file, byte for byte', () => {
  expect(Buffer.from(formatIdents([record]))).toEqual(bytes)
})

it('keeps negative flags', () => {
  const written = formatIdents([{ ...record, flags: -1 }])
  expect(parseIdents(written).records[0]?.flags).toBe(-1)
})

it('reads a file without records, which is what Lagrange writes for nobody', () => {
  expect(parseIdents(lgr())).toEqual({ records: [], problems: [], isComplete: true })
})

it('says at which byte a file was cut off, wherever that is, and keeps the records before', () => {
  const whole = Buffer.concat([bytes, iden(fingerprint, { notes: 'second' })])
  for (let length = 0; length < whole.length; length++) {
    const { records, problems, isComplete } = parseIdents(whole.subarray(0, length))
    const isWhole = length === 8 || length === bytes.length
    expect(isComplete, `${length} bytes`).toBe(isWhole)
    expect(records.length, `${length} bytes`).toBe(length < bytes.length ? 0 : 1)
    if (isWhole) continue
    expect(problems).toHaveLength(1)
    expect(problems[0]?.kind).toBe('INVALID')
    expect(problems[0]?.offset).toBeLessThanOrEqual(length)
    expect(problems[0]?.message).toMatch(/the file ends/)
  }
})

describe.each([
  { what: 'a fingerprint', at: 12 },
  { what: 'notes', at: 52 },
  { what: 'a URL', at: 67 },
])('a length of 4 GiB for $what', ({ what, at }) => {
  it('is refused with its place', () => {
    const hostile = Buffer.from(bytes)
    hostile.writeUInt32LE(0xffffffff, at)
    const { problems, records } = parseIdents(hostile)
    expect(records).toEqual([])
    expect(problems).toMatchObject([{ kind: 'INVALID', offset: at }])
    expect(problems[0]?.message).toContain(`${what} should have 4294967295 bytes`)
  })
})

it('refuses 4,294,967,295 URLs before it looks for the first', () => {
  const hostile = Buffer.from(bytes)
  hostile.writeUInt32LE(0xffffffff, 63)
  expect(parseIdents(hostile).problems).toMatchObject([{ kind: 'EXCESSIVE', offset: 63 }])
})

it('refuses as many URLs as are read at most if they are not there', () => {
  const hostile = Buffer.concat([
    lgr(Buffer.from('iden'), block(fingerprint), le32(0), block(''), le32(0)),
    le32(10_000),
  ])
  expect(parseIdents(hostile).problems).toMatchObject([{ kind: 'INVALID', offset: hostile.length }])
})

it.each([
  { name: 'another beginning', file: Buffer.from('lgL1\x01\0\0\0', 'latin1'), kind: 'INVALID', offset: 0 },
  { name: 'a later version', file: Buffer.from('lgL2\x02\0\0\0', 'latin1'), kind: 'UNSUPPORTED', offset: 4 },
  { name: 'big-endian numbers', file: Buffer.from('lgL2\0\0\0\x01', 'latin1'), kind: 'UNSUPPORTED', offset: 4 },
  { name: 'another record', file: Buffer.concat([lgr(), Buffer.from('book')]), kind: 'INVALID', offset: 8 },
  { name: 'long notes', file: lgr(iden(fingerprint, { notes: 'n'.repeat(65_537) })), kind: 'EXCESSIVE', offset: 52 },
])('does not read $name', ({ file, kind, offset }) => {
  expect(parseIdents(file)).toMatchObject({ records: [], problems: [{ kind, offset }], isComplete: false })
})

it('shows nothing of a file that a terminal would obey', () => {
  const { problems } = parseIdents(Buffer.from('\x1b]0;\x01\0\0\0', 'latin1'))
  expect(problems[0]?.message).not.toMatch(/[\x00-\x1f]/)
})

it('reads on behind a text that is none, and behind a fingerprint that is none', () => {
  const file = lgr(
    iden(Buffer.alloc(20), { notes: 'short' }),
    Buffer.concat([Buffer.from('iden'), block(fingerprint), le32(0), block(Uint8Array.of(0xff)), le32(0), le32(0)]),
    iden(fingerprint, { notes: 'last' }),
  )
  const { records, problems, isComplete } = parseIdents(file)
  expect(records.map(({ notes }) => notes)).toEqual(['short', '', 'last'])
  expect(problems.map(({ message }) => message)).toEqual([
    'the fingerprint has 20 bytes, not 32',
    'notes is not UTF-8, and was left out',
  ])
  // Who writes it again would lose something.
  expect(isComplete).toBe(false)
})

it('stops at ten thousand records', () => {
  const file = Buffer.concat([lgr(), ...Array.from({ length: 10_001 }, () => iden(fingerprint))])
  const { records, problems } = parseIdents(file)
  expect(records).toHaveLength(10_000)
  expect(problems).toMatchObject([{ kind: 'EXCESSIVE' }])
})
