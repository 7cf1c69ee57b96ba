import { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ClientHelloInfo, clientHelloInfoOf, readClientHello } from '../../src/tls/client-hello.ts'
import {
  type CertificateRequestInfo,
  certificateRequestIn12,
  certificateRequestIn13,
} from '../../src/tls/sans-io/certificate-request.ts'
import { type ServerHelloInfo, ServerHelloTap } from '../../src/tls/sans-io/server-hello.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { extension, handshakeMessage, handshakeRecord, inRecords, u16, vector } from '../support/handshake-bytes.ts'
import { nodeClient, recordHandshake, recordHello } from '../support/recorded-handshakes.ts'
import { testServer } from '../support/tls-server.ts'

// Whoever connects, and whoever is connected to, may send anything. What reads it first gives facts or says that there
// are none, whatever it is and in whatever pieces it comes.

const authority = forgeCertificate({ commonName: 'authority', ca: true })

/** What a server of Node sends, from its hello on: TLS 1.2, or TLS 1.3 with a HelloRetryRequest. */
async function recordFlight(version: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
  const { port } = await testServer({
    ca: [authority.certPem],
    ecdhCurve: 'P-256',
    maxVersion: version,
    onConnection: (socket) => socket.end(),
  })
  return (await recordHandshake(port, nodeClient({ ecdhCurve: 'X25519:P-256' }))).fromServer
}

function tapped(pieces: Iterable<Uint8Array>): ServerHelloInfo | null {
  const tap = new ServerHelloTap()
  let answer: ServerHelloInfo | null = null
  for (const piece of pieces) answer = tap.push(piece) ?? answer
  return answer
}

/** Cuts bytes at places that are given as fractions of the length. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = [0, ...places.map((place) => Math.floor(place * bytes.length)).sort((a, b) => a - b), bytes.length]
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
}

/** Whether OpenSSL accepts a hello, and the name that it reads in it. */
async function askOpenssl(
  hello: Uint8Array,
  context: SecureContext,
): Promise<{ accepted: boolean; sni: string | null }> {
  const answer: Buffer[] = []
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      answer.push(chunk)
      done()
    },
  })
  let sni: string | null = null
  const socket = new TLSSocket(wire, {
    isServer: true,
    secureContext: context,
    SNICallback(name, done) {
      sni = name
      done(null, context)
    },
  })
  socket.on('error', () => {})
  wire.on('error', () => {})
  // It answers in the turn in which it is read. Some things it does not answer at all: it takes them for HTTP, or for
  // the beginning of something longer.
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  await turn()
  wire.push(hello)
  await turn()
  await turn()
  socket.destroy()
  wire.destroy()
  // A handshake record; the other possibility is an alert.
  return { accepted: answer[0]?.[0] === 22, sni }
}

const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 })

function changed(bytes: Uint8Array, changes: readonly (readonly [number, number])[]): Buffer {
  const copy = Buffer.from(bytes)
  for (const [at, value] of changes) copy[at % copy.length] = value
  return copy
}

const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })

describe('bytes without any order', () => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  const framed = fc.oneof(
    bytes,
    bytes.map(handshakeRecord),
    fc
      .tuple(fc.constantFrom(1, 2, 8, 11, 12, 13, 14), bytes)
      .map(([type, body]) => handshakeRecord(handshakeMessage(type, body))),
    fc
      .tuple(fc.constantFrom(1, 2, 13), bytes)
      .map(([type, rest]) => handshakeRecord(handshakeMessage(type, u16(0x0303), Buffer.alloc(32), rest))),
  )

  it('throw nothing, and mean nothing that is not there', () => {
    fc.assert(
      fc.property(framed, places, (input, where) => {
        const reading = readClientHello(input)
        if (reading.kind === 'incomplete') expect(reading.need).toBeGreaterThan(input.length)
        const own = clientHelloInfoOf(input)
        if (own !== null) expect(reading).toEqual({ kind: 'hello', sni: own.sni, hello: own })
        expect(tapped(cut(input, where))).toEqual(tapped([input]))
        for (const request of [certificateRequestIn12(input), certificateRequestIn13(input.subarray(5))]) {
          if (request !== null) expect(input.length).toBeGreaterThan(request.signatureSchemes.length * 2)
        }
      }),
      { numRuns: 5000 },
    )
  })
})

describe('a hello', () => {
  it('of which any one byte has any other value is read, or left to OpenSSL', async () => {
    const hello = await recordHello(nodeClient({ servername: 'example.org', ALPNProtocols: ['gemini', 'titan'] }))
    expect(readClientHello(hello).kind).toBe('hello')
    // The lengths of the record and of the message. What is longer than what came has not come whole.
    const lengths = [3, 4, 6, 7, 8]
    const kinds = new Map<string, number>()
    const copy = Buffer.from(hello)
    for (const [at, was] of hello.entries()) {
      for (let value = 0; value < 256; value++) {
        copy[at] = value
        const { kind } = readClientHello(copy)
        if (kind === 'incomplete' && !lengths.includes(at)) throw new Error(`incomplete for ${value} at ${at}`)
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      }
      copy[at] = was
    }
    // The readings are of all kinds, so this was about something.
    expect([...kinds.keys()].sort()).toEqual(['hello', 'incomplete', 'other'])
    expect(Math.min(...kinds.values())).toBeGreaterThan(50)
  })

  // The certificate is chosen by what is read here, and the handshake is done by what OpenSSL reads. If they differed,
  // somebody would be shown the wrong certificate, or be turned away for no reason.
  it('of which any one byte has another value means the same to OpenSSL, if it accepts it at all', async () => {
    const hello = await recordHello(nodeClient({ servername: 'example.org', ALPNProtocols: ['gemini', 'titan'] }))
    const { certPem, keyPem } = forgeCertificate({ hosts: ['example.org'] })
    const context = createSecureContext({ cert: certPem, key: keyPem })
    const tally = { accepted: 0, refused: 0 }
    for (const [at, was] of hello.entries()) {
      for (const value of new Set([0, 1, 255, was ^ 1, was ^ 0x80, (was + 2) % 256])) {
        const damaged = changed(hello, [[at, value]])
        const reading = readClientHello(damaged)
        if (reading.kind === 'incomplete') continue
        const verdict = await askOpenssl(damaged, context)
        tally[verdict.accepted ? 'accepted' : 'refused']++
        const ours = reading.kind === 'hello' ? { accepted: true, sni: reading.sni } : { accepted: false, sni: null }
        if (verdict.accepted && !(ours.accepted && ours.sni === verdict.sni)) {
          throw new Error(`${value} at ${at}: ${JSON.stringify({ ours, verdict })}`)
        }
      }
    }
    expect(Math.min(tally.accepted, tally.refused)).toBeGreaterThan(100)
  })

  it('says what was put into it', () => {
    const number = fc.nat({ max: 0xffff })
    const numbers = fc.array(number, { minLength: 1, maxLength: 100 })
    const octets = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
    const name = octets(1, 255)
    const anyHello = fc.record({
      random: octets(32, 32),
      sessionId: octets(0, 32),
      versions: fc.array(number, { minLength: 1, maxLength: 127 }),
      cipherSuites: numbers,
      groups: fc.option(numbers),
      signatureSchemes: fc.option(numbers),
      alpn: fc.option(fc.array(name, { minLength: 1, maxLength: 5 })),
      sni: fc.option(name),
      others: fc.uniqueArray(fc.integer({ min: 60, max: 0xffff }), { maxLength: 20 }),
    })
    const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
    fc.assert(
      fc.property(anyHello, fc.nat({ max: 30 }), fc.integer({ min: 500, max: 16_384 }), (made, turn, size) => {
        const extensions: (readonly [number, Buffer])[] = [[43, vector(1, ...made.versions.map(u16))]]
        if (made.groups !== null) extensions.push([10, vector(2, ...made.groups.map(u16))])
        if (made.signatureSchemes !== null) extensions.push([13, vector(2, ...made.signatureSchemes.map(u16))])
        if (made.alpn !== null) extensions.push([16, vector(2, ...made.alpn.map((each) => vector(1, each)))])
        if (made.sni !== null) extensions.push([0, vector(2, Buffer.of(0), vector(2, made.sni))])
        for (const type of made.others) extensions.push([type, Buffer.from('whatever')])
        // In any order.
        extensions.push(...extensions.splice(0, turn % extensions.length))
        const message = handshakeMessage(
          1,
          u16(0x0303),
          made.random,
          vector(1, made.sessionId),
          vector(2, ...made.cipherSuites.map(u16)),
          vector(1, Buffer.of(0)),
          vector(2, ...extensions.map(([type, content]) => extension(type, content))),
        )
        const expected: ClientHelloInfo = {
          random: made.random,
          sessionId: made.sessionId,
          versions: made.versions,
          cipherSuites: made.cipherSuites,
          groups: made.groups ?? [],
          signatureSchemes: made.signatureSchemes ?? [],
          alpn: made.alpn?.map(latin1) ?? [],
          sni: made.sni === null ? null : latin1(made.sni),
          extensions: extensions.map(([type]) => type),
        }
        const reading = readClientHello(Buffer.concat(inRecords(message, size)))
        expect(reading).toEqual({ kind: 'hello', sni: expected.sni, hello: expected })
      }),
    )
  })
})

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('what a server of %s sends', (version) => {
  it('means the same in whatever pieces it comes', async () => {
    const flight = await recordFlight(version)
    const whole = tapped([flight])
    expect(whole).toMatchObject({ version, group: 23 })
    fc.assert(
      fc.property(places, (where) => {
        expect(tapped(cut(flight, where))).toEqual(whole)
      }),
    )
  })

  it('means the same in whatever pieces it comes, or nothing, when it is damaged', async () => {
    const flight = (await recordFlight(version)).subarray(0, 1200)
    const meant = new Set<boolean>()
    fc.assert(
      fc.property(changes, places, (what, where) => {
        const damaged = changed(flight, what)
        const whole = tapped([damaged])
        meant.add(whole !== null)
        expect(tapped(cut(damaged, where))).toEqual(whole)
      }),
      { numRuns: 2000 },
    )
    expect([...meant].sort()).toEqual([false, true])
  })
})

it('a request for a certificate that is damaged is read, or is none', async () => {
  const flight = await recordFlight('TLSv1.2')
  const request = certificateRequestIn12(flight)
  if (request === null) throw new Error('there is no request')
  expect(request.authorities).toEqual([new Uint8Array(authority.name)])
  const schemes = vector(2, ...request.signatureSchemes.map(u16))
  const names = vector(2, vector(2, authority.name))
  const messages = handshakeMessage(13, vector(1), vector(2, extension(13, schemes), extension(47, names)))
  expect(certificateRequestIn13(messages)).toEqual(request)
  const isSound = (read: CertificateRequestInfo | null): boolean =>
    read === null || (read.signatureSchemes.length > 0 && read.authorities.every((each) => each.length > 0))
  fc.assert(
    fc.property(changes, (what) => {
      expect(isSound(certificateRequestIn12(changed(flight, what)))).toBe(true)
      expect(isSound(certificateRequestIn13(changed(messages, what)))).toBe(true)
    }),
    { numRuns: 3000 },
  )
})
