import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordSuite } from '../../src/tls/sans-io/cipher-suites.ts'
import { fromHex, readKeylog } from '../../src/tls/sans-io/keylog.ts'
import { MessageBoundaries } from '../../src/tls/sans-io/message-boundaries.ts'
import { OutgoingRecords } from '../../src/tls/sans-io/outgoing-records.ts'
import { hasExplicitNonce, type RecordKeys, trafficKeys, writeKeys12 } from '../../src/tls/sans-io/record-keys.ts'
import { openRecord, sealedBytes, sealRecord } from '../../src/tls/sans-io/record-protection.ts'
import { RecordWalker } from '../../src/tls/sans-io/record-walker.ts'
import { openServerHandshake13 } from '../../src/tls/sans-io/server-handshake.ts'
import { ServerHelloTap } from '../../src/tls/sans-io/server-hello.ts'
import { hex, trace } from '../support/rfc8448.ts'

const NUMBERS = [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0x009e, 0x009f, 0xccaa]

const keys: fc.Arbitrary<RecordKeys> = fc
  .tuple(fc.constantFrom(...NUMBERS), fc.uint8Array({ minLength: 48, maxLength: 48 }))
  .map(([number, secret]) => {
    const suite = recordSuite(number)
    if (suite === null) throw new Error(`no suite ${number}`)
    const randoms = { client: secret.subarray(0, 32), server: secret.subarray(16) }
    return suite.version === 'TLSv1.3' ? trafficKeys(suite, secret) : writeKeys12(suite, secret, 'client', randoms)
  })
const sequences = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat())
// In TLS 1.3 a type of 0 would be padding.
const contents = fc.record({ type: fc.integer({ min: 20, max: 23 }), bytes: fc.uint8Array({ maxLength: 300 }) })
const nonces = fc.uint8Array({ minLength: 8, maxLength: 8 })

function seal(key: RecordKeys, sequence: number, content: { type: number; bytes: Uint8Array }, nonce: Uint8Array) {
  return sealRecord(key, sequence, content, hasExplicitNonce(key.suite) ? nonce : undefined)
}

describe('a record', () => {
  it('opens to what was sealed, and says how long it is', () => {
    fc.assert(
      fc.property(keys, sequences, contents, nonces, (key, sequence, content, nonce) => {
        const record = seal(key, sequence, content, nonce)
        const body = record.subarray(5)
        expect(body).toHaveLength(sealedBytes(key.suite, content.bytes.length))
        expect(record.readUInt16BE(3)).toBe(body.length)
        const opened = openRecord(key, sequence, record[0] ?? 0, body)
        expect(opened?.type).toBe(content.type)
        expect(Buffer.compare(opened?.bytes ?? Buffer.alloc(0), content.bytes)).toBe(0)
      }),
    )
  })

  it('does not open with one bit changed, at another place, or with another type', () => {
    fc.assert(
      fc.property(
        keys,
        sequences,
        sequences,
        contents,
        nonces,
        fc.nat(),
        (key, sequence, other, content, nonce, bit) => {
          const record = seal(key, sequence, content, nonce)
          const type = record[0] ?? 0
          const body = Buffer.from(record.subarray(5))
          if (other !== sequence) {
            // With an explicit nonce the sequence is authenticated all the same.
            expect(openRecord(key, other, type, body)).toBeNull()
          }
          expect(openRecord(key, sequence, type ^ 1, body)).toBeNull()
          const at = bit % (8 * body.length)
          body[at >> 3] = (body[at >> 3] ?? 0) ^ (1 << (at & 7))
          expect(openRecord(key, sequence, type, body)).toBeNull()
        },
      ),
    )
  })

  it('is opened or not, and never throws, whatever it is', () => {
    fc.assert(
      fc.property(
        keys,
        sequences,
        fc.integer({ min: 0, max: 255 }),
        fc.uint8Array({ maxLength: 64 }),
        (key, ...rest) => {
          expect(openRecord(key, ...rest)).toBeNull()
        },
      ),
    )
  })
})

/** Cuts bytes at these places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

const places = fc.array(fc.nat(), { maxLength: 12 })

describe('the walker', () => {
  it('finds the same records in any pieces, and keeps of them what is wanted', () => {
    const record = fc.record({
      type: fc.integer({ min: 20, max: 23 }),
      body: fc.uint8Array({ maxLength: 40 }),
      wanted: fc.nat({ max: 50 }),
    })
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), places, (records, cuts) => {
        const bytes = Buffer.concat(records.flatMap(({ type, body }) => [Buffer.of(type, 3, 3, 0, body.length), body]))
        const begun: number[][] = []
        const ended: [number, number, number[]][] = []
        const walker = new RecordWalker(
          (type, length) => {
            begun.push([type, length])
            return records[begun.length - 1]?.wanted ?? 0
          },
          (type, length, kept) => ended.push([type, length, [...kept]]),
        )
        for (const piece of cut(bytes, cuts)) walker.walk(piece)
        expect(walker.atBoundary).toBe(true)
        expect(begun).toEqual(records.map(({ type, body }) => [type, body.length]))
        expect(ended).toEqual(
          records.map(({ type, body, wanted }) => [type, body.length, [...body.subarray(0, wanted)]]),
        )
      }),
    )
  })

  it('is never at a boundary again after what is no record', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 5, maxLength: 60 }), places, (bytes, cuts) => {
        fc.pre((bytes[0] ?? 0) < 20 || (bytes[0] ?? 0) > 23 || bytes[1] !== 3)
        const walker = new RecordWalker(
          () => expect.fail('nothing begins'),
          () => expect.fail('nothing ends'),
        )
        for (const piece of cut(bytes, cuts)) walker.walk(piece)
        walker.walk(Buffer.alloc(100))
        expect(walker.atBoundary).toBe(false)
      }),
    )
  })
})

describe('the boundaries of messages', () => {
  it('are the same in any pieces', () => {
    const message = fc.record({ type: fc.nat({ max: 255 }), body: fc.uint8Array({ maxLength: 30 }) })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), places, fc.boolean(), (messages, cuts, isWhole) => {
        const all = Buffer.concat(messages.flatMap(({ type, body }) => [Buffer.of(type, 0, 0, body.length), body]))
        const bytes = isWhole ? all : all.subarray(0, Math.max(0, all.length - 1))
        const boundaries = new MessageBoundaries()
        const ended = cut(bytes, cuts).flatMap((piece) => boundaries.push(piece))
        const types = messages.map(({ type }) => type)
        expect(ended).toEqual(isWhole ? types : types.slice(0, -1))
        const last = messages.at(-1)
        // All but one octet of an empty message is part of its header.
        expect(boundaries.between).toBe(isWhole || last === undefined)
      }),
    )
  })

  it('do not mind how long a message says that it is', () => {
    const boundaries = new MessageBoundaries()
    expect(boundaries.push(hex('ffffffff00'))).toEqual([])
    expect(boundaries.between).toBe(false)
  })
})

describe('a line of the keylog', () => {
  it('is read as it was written, in small letters or capitals', () => {
    const octets = fc.uint8Array({ minLength: 1, maxLength: 48 })
    fc.assert(
      fc.property(octets, octets, fc.boolean(), fc.constantFrom('', '\n'), (random, secret, capitals, end) => {
        const digits = `${Buffer.from(random).toString('hex')} ${Buffer.from(secret).toString('hex')}`
        const line = Buffer.from(`LABEL ${capitals ? digits.toUpperCase() : digits}${end}`)
        expect(readKeylog(line, ['LABEL'])).toEqual({
          label: 'LABEL',
          clientRandom: Buffer.from(random),
          secret: Buffer.from(secret),
        })
        expect(readKeylog(line, ['OTHER'])).toBeNull()
      }),
    )
  })

  it('is read or not, and never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        readKeylog(Buffer.from(`LABEL ${text}`), ['LABEL'])
        readKeylog(Buffer.from(text), ['LABEL'])
        const digits = Buffer.from(text, 'latin1')
        const expected = /^([0-9a-fA-F]{2})+$/.test(digits.toString('latin1')) ? hex(text) : null
        expect(fromHex(digits)).toEqual(expected)
      }),
    )
  })
})

describe('hostile bytes', () => {
  const { serverHandshake, serverApplication } = trace.secrets
  const hello = new ServerHelloTap().push(hex(trace.serverHelloRecord))
  const lines = [
    `SERVER_HANDSHAKE_TRAFFIC_SECRET ${'00'.repeat(32)} ${serverHandshake}`,
    `SERVER_TRAFFIC_SECRET_0 ${'00'.repeat(32)} ${serverApplication}`,
  ]
  const recorded = hex(trace.serverHelloRecord + trace.serverFlightRecord + trace.ticketRecord + trace.serverDataRecord)

  // Among them the headers, and what makes application data a ChangeCipherSpec, or a handshake in clear.
  const headers = [trace.serverHelloRecord, trace.serverFlightRecord, trace.ticketRecord, ''].map(
    (_, index, all) => hex(all.slice(0, index).join('')).length,
  )
  const anywhere = fc.oneof(fc.nat(), fc.constantFrom(...headers))
  const flips = fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constantFrom(1, 3))

  it('in what is sent never throw, and never lead to an alert that could not be read', () => {
    fc.assert(
      fc.property(anywhere, flips, places, (place, flip, cuts) => {
        const bytes = Buffer.from(recorded)
        const at = place % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ flip
        const records = new OutgoingRecords('server')
        for (const line of lines) records.keylog(Buffer.from(line))
        if (hello !== null) records.serverHello(hello)
        for (const piece of cut(bytes, cuts)) records.sent(piece)
        const sealed = records.sealAlert('warning', 0)
        // The bodies of the ServerHello, the ticket and the data are not read: only a peer would mind.
        if (sealed !== null) expect(Buffer.from(sealed).toString('hex')).toBe(trace.serverCloseNotifyRecord)
      }),
      { numRuns: 500 },
    )
  })

  it('in the flight of a server never throw, and what is opened is the beginning of what was sealed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(), (place, flip, length) => {
        const bytes = Buffer.from(recorded.subarray(0, length % (recorded.length + 1)))
        if (bytes.length > 0) bytes[place % bytes.length] = (bytes[place % bytes.length] ?? 0) ^ flip
        const opened = Buffer.from(openServerHandshake13(bytes, hex(serverHandshake), trace.cipherSuite)).toString(
          'hex',
        )
        expect([trace.serverFlight, '']).toContain(opened)
      }),
      { numRuns: 500 },
    )
  })
})
