import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { type ProxyHeaderReading, readProxyHeader } from '../../src/net/proxy-protocol.ts'
import { binaryHeader, localHeader, textHeader, withChecksum } from '../support/proxy-headers.ts'

const port = fc.integer({ min: 0, max: 65_535 })
const ipv4 = fc.ipV4()
const ipv6 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'))
const ends = fc.oneof(
  fc.record({ source: ipv4, destination: ipv4, sourcePort: port, destinationPort: port }),
  fc.record({ source: ipv6, destination: ipv6, sourcePort: port, destinationPort: port }),
)
// Not type 3, the checksum, which `withChecksum` adds.
const extension = fc.record({
  type: fc.integer({ min: 4, max: 255 }),
  value: fc.uint8Array({ maxLength: 40 }),
})
const extensions = fc.array(extension, { maxLength: 5 })
const text = ends.map((each) => textHeader(each))
const binary = fc.tuple(ends, extensions).map(([each, more]) => binaryHeader(each, more))
const local = extensions.map((more) => localHeader(more))
const header = fc.oneof(text, binary, binary.map(withChecksum), local)

/** Reads as a server does: as many bytes as are needed, up to the end of what there is. */
function readInPieces(bytes: Uint8Array, pieces: readonly number[]): { reading: ProxyHeaderReading; taken: number } {
  let taken = 0
  let need = 1
  for (let step = 0; ; step++) {
    const piece = pieces[step % pieces.length] ?? 1
    const next = Math.min(taken + Math.max(1, Math.min(piece, need - taken)), bytes.length)
    const reading = readProxyHeader(bytes.subarray(0, next))
    if (reading.kind !== 'incomplete' || next === bytes.length) return { reading, taken: next }
    expect(reading.need).toBeGreaterThan(next)
    taken = next
    need = reading.need
  }
}

describe('a header of the PROXY protocol', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(ends, extensions, fc.boolean(), (each, more, checked) => {
        const plain = binaryHeader(each, more)
        for (const bytes of [textHeader(each), checked ? withChecksum(plain) : plain]) {
          const reading = readProxyHeader(bytes)
          if (reading.kind !== 'header') throw new Error(JSON.stringify(reading))
          expect(reading.length).toBe(bytes.length)
          expect(String(reading.source?.address)).toBe(String(parseClientAddress(each.source)))
          expect(String(reading.destination?.address)).toBe(String(parseClientAddress(each.destination)))
          expect([reading.source?.port, reading.destination?.port]).toEqual([each.sourcePort, each.destinationPort])
        }
      }),
    )
  })

  it('is the same in any pieces, and nothing behind it is taken', () => {
    fc.assert(
      fc.property(
        header,
        fc.uint8Array({ maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        (bytes, rest, pieces) => {
          const { reading, taken } = readInPieces(Buffer.concat([bytes, rest]), pieces)
          expect(reading).toEqual(readProxyHeader(bytes))
          expect(reading.kind).toBe('header')
          expect(taken).toBe(bytes.length)
        },
      ),
    )
  })

  it('is not there before its last byte is', () => {
    fc.assert(
      fc.property(header, (bytes) => {
        for (let end = 0; end < bytes.length; end++) {
          expect(readProxyHeader(bytes.subarray(0, end)).kind).toBe('incomplete')
        }
      }),
      { numRuns: 30 },
    )
  })

  it('with a checksum is refused or incomplete if any bit of it is another', () => {
    fc.assert(
      fc.property(binary.map(withChecksum), fc.nat(), (bytes, where) => {
        const reading = readProxyHeader(withBitChanged(bytes, where))
        // A change of a type can make the checksum an extension that nobody knows. No other change goes through.
        if (reading.kind === 'header') expect(hasChecksum(withBitChanged(bytes, where))).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('of the proxy itself names nobody, whichever bit of it is another', () => {
    fc.assert(
      fc.property(local.map(withChecksum), fc.nat(), (bytes, where) => {
        const reading = readProxyHeader(withBitChanged(bytes, where))
        if (reading.kind === 'header') expect([reading.source, reading.destination]).toEqual([null, null])
      }),
      { numRuns: 500 },
    )
  })

  it('is refused with anything inside it that is no extension', () => {
    fc.assert(
      fc.property(ends, extensions, fc.uint8Array({ minLength: 1, maxLength: 2 }), (each, more, garbage) => {
        const longer = Buffer.concat([binaryHeader(each, more), garbage])
        longer.writeUInt16BE(longer.length - 16, 14)
        expect(readProxyHeader(longer).kind).toBe('malformed')
      }),
    )
  })

  it('is never read from bytes at random or changed, and never throws or asks for what it has', () => {
    const mutated = fc
      .tuple(header, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }))
      .map(([bytes, changes]) => {
        const copy = Buffer.from(bytes)
        for (const [at, octet] of changes) copy[at % copy.length] = octet
        return copy
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
        const reading = readProxyHeader(bytes)
        if (reading.kind === 'incomplete') expect(reading.need).toBeGreaterThan(bytes.length)
        if (reading.kind === 'header') {
          expect(reading.length).toBeLessThanOrEqual(bytes.length)
          // Whatever was changed: what was read can be written again, and says the same.
          expect(readProxyHeader(bytes.subarray(0, reading.length))).toEqual(reading)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

function withBitChanged(bytes: Buffer, where: number): Buffer {
  const bit = where % (bytes.length * 8)
  const changed = Buffer.from(bytes)
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return changed
}

/** Whether the extensions of a header, walked as the specification has it, have a checksum among them. */
function hasChecksum(bytes: Buffer): boolean {
  const length = 16 + bytes.readUInt16BE(14)
  let at = 16 + ([0, 12, 36, 216][bytes.readUInt8(13) >> 4] ?? length)
  while (at + 3 <= length) {
    if (bytes[at] === 3) return true
    at += 3 + bytes.readUInt16BE(at + 1)
  }
  return false
}
