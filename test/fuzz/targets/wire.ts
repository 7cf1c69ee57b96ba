// What comes over a connection before anybody is known: TLS in clear, the header of a proxy, the line of a request.

import { Readable } from 'node:stream'
import { createAddressReader } from '../../../src/authority/http/client-address.ts'
import { CertificateError } from '../../../src/errors.ts'
import { parseClientAddress } from '../../../src/names/client-address.ts'
import { type ProxyHeaderReading, readProxyHeader } from '../../../src/net/proxy-protocol.ts'
import { readRequest } from '../../../src/net/read-request.ts'
import { clientHelloInfoOf, readClientHello } from '../../../src/tls/client-hello.ts'
import {
  certificateRequestIn12,
  certificateRequestIn13,
  decodeDistinguishedName,
} from '../../../src/tls/sans-io/certificate-request.ts'
import { ClearAlerts } from '../../../src/tls/sans-io/clear-alerts.ts'
import { HandshakeStream } from '../../../src/tls/sans-io/handshake-stream.ts'
import { HelloFilter } from '../../../src/tls/sans-io/hello-filter.ts'
import { readKeylog } from '../../../src/tls/sans-io/keylog.ts'
import { MessageBoundaries } from '../../../src/tls/sans-io/message-boundaries.ts'
import { RecordWalker } from '../../../src/tls/sans-io/record-walker.ts'
import { openServerHandshake13 } from '../../../src/tls/sans-io/server-handshake.ts'
import { ServerHelloTap } from '../../../src/tls/sans-io/server-hello.ts'
import { name } from '../../support/crafted-certificates.ts'
import { extension, handshakeMessage, handshakeRecord, inRecords, u16, vector } from '../../support/handshake-bytes.ts'
import { binaryHeader, binaryParts, localHeader, textHeader, withChecksum } from '../../support/proxy-headers.ts'
import { hex, trace } from '../../support/rfc8448.ts'
import { type FuzzTarget, hold, pieces, reading, same } from '../engine/target.ts'

const RANDOM = Buffer.alloc(32, 7)
const MAX = 1500

/** A hello with every extension that is read. */
const hello = handshakeMessage(
  1,
  u16(0x0303),
  RANDOM,
  vector(1, RANDOM),
  vector(2, u16(0x1301), u16(0xc02b)),
  vector(1, Buffer.of(0)),
  vector(
    2,
    extension(0, vector(2, Buffer.of(0), vector(2, Buffer.from('example.org')))),
    extension(10, vector(2, u16(29), u16(23))),
    extension(13, vector(2, u16(0x0403), u16(0x0804))),
    extension(16, vector(2, vector(1, Buffer.from('gemini')))),
    extension(43, vector(1, u16(0x0304), u16(0x0303))),
  ),
)
const serverHello = (random: Uint8Array, suite: number, ...extensions: Buffer[]): Buffer =>
  handshakeMessage(2, u16(0x0303), random, vector(1), u16(suite), Buffer.of(0), vector(2, ...extensions))
const RETRY = hex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c')
const VERSION_13 = extension(43, u16(0x0304))
const request12 = handshakeMessage(
  13,
  vector(1, Buffer.of(1, 64)),
  vector(2, u16(0x0403)),
  vector(2, vector(2, name('Ana'))),
)
const request13 = handshakeMessage(
  13,
  vector(1),
  vector(2, extension(13, vector(2, u16(0x0403))), extension(47, vector(2, vector(2, name('Ana'))))),
)
const done = handshakeMessage(14)
const keyExchange = handshakeMessage(12, Buffer.of(3), u16(23), vector(1, RANDOM), u16(0x0403), vector(2, RANDOM))
const CHANGE = Buffer.of(20, 3, 3, 0, 1, 1)
const flights: readonly Buffer[] = [
  handshakeRecord(
    Buffer.concat([serverHello(RANDOM, 0xc02b), handshakeMessage(11, vector(3)), keyExchange, request12, done]),
  ),
  Buffer.concat([
    handshakeRecord(serverHello(RETRY, 0x1301, VERSION_13, extension(51, u16(23)))),
    CHANGE,
    handshakeRecord(serverHello(RANDOM, 0x1301, extension(51, u16(23), vector(2, RANDOM)), VERSION_13)),
  ]),
  Buffer.concat([hex(trace.serverHelloRecord), CHANGE, hex(trace.serverFlightRecord)]),
  Buffer.concat([handshakeRecord(serverHello(RANDOM, 0xc02f)), CHANGE, Buffer.of(23, 3, 3, 0, 3, 1, 2, 3)]),
]

export const clientHello: FuzzTarget = {
  name: 'client-hello',
  source: ['tls/client-hello.ts', 'tls/sans-io/wire-reader.ts'],
  holds:
    'a prefix asks for more bytes than it has and less than 32 KiB; what follows a hello changes nothing; records of another size neither',
  shape: 'bytes',
  maxBytes: MAX,
  outcomes: ['hello', 'other', 'incomplete'],
  seeds: () => [
    handshakeRecord(hello),
    Buffer.concat(inRecords(hello, 50)),
    hex(trace.clientHelloRecord),
    Buffer.concat([handshakeRecord(hello), CHANGE]),
  ],
  run(input) {
    const read = readClientHello(input)
    const own = clientHelloInfoOf(input)
    if (own !== null)
      same(JSON.stringify(read), JSON.stringify({ kind: 'hello', sni: own.sni, hello: own }), 'one record')
    if (read.kind === 'incomplete') hold(read.need > input.length && read.need <= 32_768, `needs ${read.need}`)
    if (read.kind !== 'hello') return read.kind
    same(JSON.stringify(readClientHello(Buffer.concat([input, RANDOM]))), JSON.stringify(read), 'with more behind it')
    // However many bytes are there so far, the answer is the same or that there is more to come.
    const part = readClientHello(input.subarray(0, (input[11] ?? 0) % input.length))
    hold(part.kind !== 'other', 'its beginning is none')
    const { sni, alpn, cipherSuites, extensions } = read.hello
    hold(
      (sni?.length ?? 0) + alpn.join('').length + 2 * cipherSuites.length + 4 * extensions.length <= input.length,
      'no more than there is',
    )
    return 'hello'
  },
}

export const serverFlight: FuzzTarget = {
  name: 'server-flight',
  source: ['tls/sans-io/server-hello.ts', 'tls/sans-io/handshake-stream.ts', 'tls/sans-io/certificate-request.ts'],
  holds: 'the same in any pieces: the handshake messages, and what the server chose',
  shape: 'bytes',
  maxBytes: MAX,
  outcomes: ['chosen', 'nothing'],
  seeds: () => flights,
  run(input) {
    const cut = pieces(input, input[3] ?? 1)
    const chosen = JSON.stringify(tapped(cut))
    same(chosen, JSON.stringify(tapped([input])), 'chosen, in pieces')
    same(events(cut), events([input]), 'messages, in pieces')
    const request = certificateRequestIn12(input)
    if (request !== null) hold(request.signatureSchemes.length > 0, 'a request of nothing')
    return chosen === 'null' ? 'nothing' : 'chosen'
  },
}

function tapped(cut: readonly Uint8Array[]): unknown {
  const tap = new ServerHelloTap()
  let answer: unknown = null
  for (const piece of cut) answer = tap.push(piece) ?? answer
  return answer
}

function events(cut: readonly Uint8Array[]): string {
  const stream = new HandshakeStream([1, 2, 12, 13])
  const all = cut.flatMap((piece) =>
    stream
      .push(piece)
      .map((event) => (event.kind === 'message' ? [event.type, Buffer.from(event.body).toString('hex')] : event.kind)),
  )
  return JSON.stringify(all)
}

export const certificateRequest13: FuzzTarget = {
  name: 'tls13-certificate-request',
  source: ['tls/sans-io/certificate-request.ts', 'tls/sans-io/wire-reader.ts'],
  holds: 'names that are not empty and schemes, or no request; each name is read or refused',
  shape: 'bytes',
  maxBytes: 600,
  outcomes: ['read', 'none'],
  seeds: () => [
    request13,
    Buffer.concat([handshakeMessage(8, vector(2)), request13]),
    Buffer.concat([request13, done]),
  ],
  run(input) {
    const request = certificateRequestIn13(input)
    if (request === null) return 'none'
    hold(
      request.signatureSchemes.length > 0 && request.authorities.every(({ length }) => length > 0),
      'a request of nothing',
    )
    for (const each of request.authorities) {
      reading(
        () => decodeDistinguishedName(each),
        [CertificateError],
        () => {},
      )
    }
    return 'read'
  },
}

export const tlsRecords: FuzzTarget = {
  name: 'tls-records',
  source: [
    'tls/sans-io/record-walker.ts',
    'tls/sans-io/clear-alerts.ts',
    'tls/sans-io/hello-filter.ts',
    'tls/sans-io/message-boundaries.ts',
  ],
  holds: 'records, alerts, messages and held bytes are the same in any pieces; the filter loses and invents no byte',
  shape: 'bytes',
  maxBytes: MAX,
  outcomes: ['whole', 'not whole'],
  seeds: () => [
    handshakeRecord(hello),
    ...flights,
    Buffer.concat([handshakeRecord(hello), CHANGE, handshakeRecord(hello), Buffer.of(23, 3, 3, 0, 1, 9)]),
    Buffer.of(21, 3, 3, 0, 2, 2, 40),
    Buffer.of(21, 3, 3, 0, 2, 1, 0, 21, 3, 3, 0, 2, 1, 90, 22, 3, 3, 0, 0),
  ],
  run(input) {
    const cut = pieces(input, input[4] ?? 1)
    const whole = walked([input])
    same(walked(cut), whole, 'records, in pieces')
    for (const version of ['TLSv1.2', 'TLSv1.3', null] as const) {
      same(alerts(cut, version), alerts([input], version), 'alerts, in pieces')
    }
    same(messages(cut), messages([input]), 'messages, in pieces')
    same(filtered(cut, input), filtered([input], input), 'what is held, in pieces')
    return whole.endsWith('true') ? 'whole' : 'not whole'
  },
}

function walked(cut: readonly Uint8Array[]): string {
  const records: string[] = []
  const walker = new RecordWalker(
    (type, length) => (type % 2 === 0 ? length : Math.min(length, 3)),
    (type, length, kept) => void records.push(`${type} ${length} ${Buffer.from(kept).toString('hex')}`),
  )
  for (const piece of cut) walker.walk(piece)
  return `${records.join()} ${walker.atBoundary}`
}

function alerts(cut: readonly Uint8Array[], version: 'TLSv1.2' | 'TLSv1.3' | null): string {
  const heard = new ClearAlerts(() => version)
  for (const piece of cut) heard.push(piece)
  return JSON.stringify([heard.fatal, heard.ending])
}

function messages(cut: readonly Uint8Array[]): string {
  const boundaries = new MessageBoundaries()
  return `${cut.flatMap((piece) => boundaries.push(piece)).join()} ${boundaries.between}`
}

function filtered(cut: readonly Uint8Array[], input: Uint8Array): string {
  const filter = new HelloFilter()
  const passed: Uint8Array[] = []
  for (const piece of cut) passed.push(...filter.push(piece).pass)
  const sent = Buffer.concat(passed)
  hold(Buffer.compare(Buffer.concat([sent, filter.waiting]), input) === 0, 'every byte is sent or waits, once')
  return sent.toString('hex')
}

const SECRET = hex(trace.secrets.serverHandshake)

export const encryptedFlight: FuzzTarget = {
  name: 'tls13-encrypted-flight',
  source: ['tls/sans-io/server-handshake.ts', 'tls/sans-io/record-protection.ts'],
  holds: 'nothing but what the server wrote under its keys opens',
  shape: 'bytes',
  maxBytes: MAX,
  outcomes: ['opened', 'nothing'],
  seeds: () => [
    Buffer.concat([hex(trace.serverHelloRecord), CHANGE, hex(trace.serverFlightRecord)]),
    hex(trace.serverFlightRecord),
  ],
  run(input) {
    const opened = openServerHandshake13(input, SECRET, trace.cipherSuite)
    if (opened.length === 0) return 'nothing'
    same(Buffer.from(opened).toString('hex'), trace.serverFlight, 'what the server wrote')
    return 'opened'
  },
}

export const keylogLine: FuzzTarget = {
  name: 'keylog-line',
  source: ['tls/sans-io/keylog.ts'],
  holds: 'written again in lower case it is the line',
  shape: 'text',
  seeds: () => [
    `CLIENT_RANDOM ${'0a'.repeat(32)} ${'ff'.repeat(48)}\n`,
    `SERVER_HANDSHAKE_TRAFFIC_SECRET ${'0a'.repeat(32)} ${'1b'.repeat(32)}`,
  ],
  outcomes: ['read', 'none'],
  run(input) {
    const read = readKeylog(input, ['CLIENT_RANDOM', 'SERVER_HANDSHAKE_TRAFFIC_SECRET'])
    if (read === null) return 'none'
    const line = `${read.label} ${read.clientRandom.toString('hex')} ${read.secret.toString('hex')}`
    const text = Buffer.from(input).toString('latin1').replace(/\n$/, '')
    same(text.slice(0, read.label.length) + text.slice(read.label.length).toLowerCase(), line, 'written again')
    return 'read'
  },
}

export const proxyHeader: FuzzTarget = {
  name: 'proxy-header',
  source: ['net/proxy-protocol.ts', 'net/crc32c.ts'],
  holds: 'asks for more than it has; what follows changes nothing; the addresses are addresses; the same byte by byte',
  shape: 'bytes',
  maxBytes: 600,
  outcomes: ['header', 'incomplete', 'malformed'],
  words: [
    'PROXY ',
    'TCP4 ',
    'TCP6 ',
    'UNKNOWN',
    '\r\n',
    ' 0 ',
    ' 65535',
    Buffer.from('0d0a0d0a000d0a515549540a', 'hex'),
  ],
  seeds: () => [
    textHeader({}),
    Buffer.from('PROXY TCP6 2001:db8::1 ::1 1 65535\r\nrest'),
    Buffer.from('PROXY UNKNOWN\r\n'),
    binaryHeader({}),
    binaryHeader({ source: '2001:db8::1', destination: '::1' }, [{ type: 4, value: Buffer.from('x') }]),
    withChecksum(binaryHeader({})),
    localHeader([{ type: 0x20, value: Buffer.from('ssl') }]),
    binaryParts(0x21, 0x31, Buffer.alloc(216)),
  ],
  run(input) {
    const read = readProxyHeader(input)
    if (read.kind === 'incomplete') hold(read.need > input.length && read.need <= 70_000, `needs ${read.need}`)
    if (read.kind !== 'header') return read.kind
    hold(read.length <= input.length, 'longer than what is there')
    const own = describe(read)
    same(describe(readProxyHeader(input.subarray(0, read.length))), own, 'alone')
    same(describe(readProxyHeader(Buffer.concat([input, RANDOM]))), own, 'with more behind it')
    same(
      readProxyHeader(input.subarray(0, (input[read.length - 1] ?? 0) % read.length)).kind,
      'incomplete',
      'its beginning',
    )
    for (const end of [read.source, read.destination]) {
      if (end === null) continue
      same(parseClientAddress(String(end.address)).toString(), String(end.address), 'an address')
      hold(end.port >= 0 && end.port <= 65_535, `port ${end.port}`)
    }
    return 'header'
  },
}

function describe(read: ProxyHeaderReading): string {
  if (read.kind !== 'header') return read.kind
  return [
    read.length,
    read.source?.address,
    read.source?.port,
    read.destination?.address,
    read.destination?.port,
  ].join()
}

export const requestLine: FuzzTarget = {
  name: 'request-line',
  source: ['net/read-request.ts'],
  holds: 'the same in any pieces; line and rest are the bytes that came; never more than the limit',
  shape: 'bytes',
  maxBytes: 200,
  outcomes: ['request', 'bad_request', 'too_large', 'closed'],
  seeds: () => [
    'gemini://example.org/\r\n',
    'titan://a/;size=3\r\nabc',
    'ü\r\n',
    'x'.repeat(64),
    `${'y'.repeat(60)}\r\n`,
  ],
  words: ['\r\n', '\r', '\n', '\0'],
  async run(input) {
    const [whole, cut] = await Promise.all([
      readLine([Buffer.from(input)]),
      readLine(pieces(input, input[0] ?? 1).map((piece) => Buffer.from(piece))),
    ])
    if (whole.kind !== 'request' || cut.kind !== 'request') {
      same(cut.kind, whole.kind, 'in pieces')
      return whole.kind
    }
    same(cut.line, whole.line, 'in pieces')
    hold(
      Buffer.byteLength(whole.line) <= LIMIT && !/[\0\r\n]/.test(whole.line),
      `the line ${JSON.stringify(whole.line)}`,
    )
    const all = Buffer.concat([Buffer.from(`${whole.line}\r\n`), whole.rest])
    hold(Buffer.compare(all, input) === 0, 'every byte is in the line or the rest')
    return 'request'
  },
}

const LIMIT = 64

async function readLine(chunks: readonly Buffer[]) {
  const stream = Readable.from(chunks, { objectMode: false })
  const read = await readRequest(stream, { maxBytes: LIMIT })
  stream.destroy()
  return read
}

export const forwardedAddress: FuzzTarget = {
  name: 'forwarded-address',
  source: ['authority/http/client-address.ts'],
  holds: 'an address or nobody; whatever a client sends before the proxy, it is believed no more than the proxy',
  shape: 'text',
  seeds: () => [
    '192.0.2.1',
    '198.51.100.7, [2001:db8::1]:4711',
    'for=192.0.2.9;proto=https',
    'for="[2001:db8::1]:4711", for=unknown',
    'for="_x"',
    '192.0.2.1:80',
  ],
  words: ['for=', 'For="', '";', 'by=', ';proto=', ', ', '\\"', '10.0.0.1', 'unknown'],
  outcomes: ['somebody'],
  run(input) {
    const value = Buffer.from(input)
      .toString('latin1')
      .replace(/[^\t\x20-\x7e\xa1-\xff]/g, '')
    for (const header of ['x-forwarded-for', 'forwarded'] as const) {
      const read = createAddressReader(['10.0.0.0/8'], header)
      const claimed = read('10.0.0.1', new Headers({ [header]: value }))
      hold(claimed !== null, 'the proxy at least')
      // The proxy writes behind what the client has sent; a quote that was left open would swallow it.
      const node = header === 'forwarded' ? 'for=203.0.113.9' : '203.0.113.9'
      const behind = read('10.0.0.1', new Headers({ [header]: `${value}, ${node}` }))
      hold(['203.0.113.9', '10.0.0.1'].includes(String(behind)), `${behind} in place of what the proxy wrote`)
      // Nobody else is believed at all.
      same(String(read('192.0.2.77', new Headers({ [header]: value }))), '192.0.2.77', 'the address of the socket')
    }
    return 'somebody'
  },
}
