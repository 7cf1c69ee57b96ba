import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { carriesCertificate, HelloFilter } from '../../../src/tls/sans-io/hello-filter.ts'

const record = (type: number, ...payload: number[]) =>
  Buffer.from([type, 3, 3, payload.length >> 8, payload.length & 0xff, ...payload])
const handshake = (type: number, ...body: number[]) =>
  record(22, type, 0, body.length >> 8, body.length & 0xff, ...body)

const HELLO = handshake(1, 7, 7, 7)
const CCS = record(20, 1)
const ALERT = record(21, 2, 40)
const CERTIFICATE = handshake(11, 0, 0, 6, 0, 0, 3, 9, 9, 9)
const EMPTY_CERTIFICATE = handshake(11, 0, 0, 0)
const KEY_EXCHANGE = handshake(16, 1, 2)
const ENCRYPTED = record(23, 1, 0, 0, 0)

/** What passes and what is held of these bytes, in pieces as given. */
function sort(...pieces: Buffer[]) {
  const filter = new HelloFilter()
  const passed: Uint8Array[] = []
  let held: Uint8Array | null = null
  for (const piece of pieces) {
    const sorted = filter.push(piece)
    passed.push(...sorted.pass)
    held = sorted.held
  }
  return { passed: Buffer.concat(passed), held: held === null ? null : Buffer.from(held) }
}

const NOTHING = Buffer.alloc(0)

describe('the hello filter', () => {
  it.each([
    { what: 'a ClientHello', records: [HELLO] },
    { what: 'the second ClientHello after a HelloRetryRequest', records: [HELLO, HELLO] },
    { what: 'the ChangeCipherSpec before the second ClientHello', records: [HELLO, CCS, HELLO] },
    { what: 'an alert in clear', records: [HELLO, ALERT] },
  ])('lets $what pass', ({ records }) => {
    expect(sort(...records)).toEqual({ passed: Buffer.concat(records), held: null })
  })

  it.each([
    { what: 'a certificate', records: [CERTIFICATE] },
    { what: 'a message that says there is no certificate', records: [EMPTY_CERTIFICATE] },
    { what: 'a key exchange', records: [KEY_EXCHANGE] },
    { what: 'an encrypted record', records: [ENCRYPTED] },
    { what: 'a ChangeCipherSpec before an encrypted record', records: [CCS, ENCRYPTED] },
    { what: 'two ChangeCipherSpecs', records: [CCS, CCS, HELLO] },
    { what: 'a third ClientHello', records: [HELLO, HELLO] },
    { what: 'a hello with something behind it in its record', records: [record(22, 1, 0, 0, 1, 7, 11, 0, 0, 0)] },
    { what: 'a hello that is only part of a message', records: [record(22, 1, 0, 0, 9, 7)] },
    { what: 'an encrypted alert', records: [record(21, ...Array<number>(26).fill(5))] },
    { what: 'a handshake record of random bytes', records: [record(22, 1, 8, 6, 3, 5, 0, 9)] },
    { what: 'what is no TLS', records: [Buffer.from('GET / HTTP/1.1\r\n\r\n'.padEnd(70_000))] },
    { what: 'a heartbeat', records: [record(24, 1, 0, 1, 65)] },
  ])('holds $what', ({ records }) => {
    expect(sort(HELLO, ...records)).toEqual({
      passed: records[0] === HELLO ? Buffer.concat([HELLO, HELLO]) : HELLO,
      held: records[0] === HELLO ? HELLO : Buffer.concat(records),
    })
  })

  it('holds everything after the first record that it holds, a hello too', () => {
    expect(sort(HELLO, CERTIFICATE, HELLO, ALERT)).toEqual({
      passed: HELLO,
      held: Buffer.concat([CERTIFICATE, HELLO, ALERT]),
    })
  })

  it('keeps an incomplete record, and a ChangeCipherSpec whose successor is not known, without deciding', () => {
    expect(sort(HELLO.subarray(0, -1))).toEqual({ passed: NOTHING, held: null })
    expect(sort(HELLO, CCS)).toEqual({ passed: HELLO, held: null })
    const filter = new HelloFilter()
    filter.push(Buffer.concat([HELLO, CCS]))
    expect(Buffer.from(filter.takeWaiting())).toEqual(CCS)
    expect(filter.takeWaiting()).toHaveLength(0)
  })

  it('decides the same however the bytes are cut', () => {
    const anyRecord = fc.constantFrom(HELLO, CCS, ALERT, CERTIFICATE, KEY_EXCHANGE, ENCRYPTED)
    fc.assert(
      fc.property(
        fc.array(anyRecord, { maxLength: 6 }),
        fc.array(fc.nat({ max: 60 }), { maxLength: 8 }),
        (records, cuts) => {
          const whole = Buffer.concat(records)
          const edges = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length]
          const pieces = edges.slice(1).map((edge, index) => whole.subarray(edges[index], edge))
          expect(sort(...pieces)).toEqual(sort(whole))
        },
      ),
    )
  })
})

describe('carriesCertificate', () => {
  it.each([
    { what: 'a Certificate message', bytes: CERTIFICATE, carries: true },
    { what: 'one that is the beginning of a long one', bytes: record(22, 11, 1, 0, 0, 0, 255, 253, 0), carries: true },
    { what: 'an empty Certificate message', bytes: EMPTY_CERTIFICATE, carries: false },
    { what: 'another message', bytes: KEY_EXCHANGE, carries: false },
    { what: 'an encrypted record', bytes: ENCRYPTED, carries: false },
    { what: 'too few bytes', bytes: CERTIFICATE.subarray(0, 10), carries: false },
  ])('is $carries for $what', ({ bytes, carries }) => {
    expect(carriesCertificate(bytes)).toBe(carries)
  })
})
