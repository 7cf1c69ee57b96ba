import { connect, type TlsOptions } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { clientHelloInfoOf } from '../../../src/tls/client-hello.ts'
import { cipherSuiteName, extensionName, groupName } from '../../../src/tls/sans-io/registry.ts'
import { type ServerHelloInfo, ServerHelloTap } from '../../../src/tls/sans-io/server-hello.ts'
import { forgeCertificate } from '../../support/forged-certificates.ts'
import {
  cuttings,
  extension,
  handshakeMessage,
  handshakeRecord,
  reframed,
  u16,
  vector,
} from '../../support/handshake-bytes.ts'
import {
  type Client,
  gnutlsClient,
  hasGnutls,
  nodeClient,
  opensslClient,
  opensslServer,
  recordHandshake,
} from '../../support/recorded-handshakes.ts'
import { closed, hasOpenssl } from '../../support/tls-clients.ts'
import { testServer } from '../../support/tls-server.ts'

const ec = forgeCertificate({ hosts: ['example.org'] })
const rsa = forgeCertificate({ hosts: ['example.org'], key: 'RSA-2048' })
const RETRY_RANDOM = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex')

/** What a tap says of these pieces; it is asked about each, and must answer at most once. */
function tapped(pieces: readonly Uint8Array[]): { answer: ServerHelloInfo | null; done: boolean } {
  const tap = new ServerHelloTap()
  const answers = pieces.map((piece) => tap.push(piece)).filter((answer) => answer !== null)
  expect(answers.length).toBeLessThanOrEqual(1)
  return { answer: answers[0] ?? null, done: tap.done }
}

/** The one answer to all ways of cutting the same bytes, by names. */
function readEveryWay(fromServer: Buffer) {
  const whole = tapped([fromServer])
  for (const pieces of cuttings(fromServer)) expect(tapped(pieces)).toEqual(whole)
  for (const size of [1, 3, 4, 5, 100, 16_384]) expect(tapped([reframed(fromServer, size)])).toEqual(whole)
  const { answer } = whole
  if (answer === null) throw new Error('there is no ServerHello in it')
  return {
    info: answer,
    version: answer.version,
    suite: cipherSuiteName(answer.cipherSuite),
    group: answer.group === null ? null : groupName(answer.group),
    extensions: answer.extensions.map(extensionName),
  }
}

describe('of a handshake of Node, the tap tells', () => {
  const ELLIPTIC = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1', X25519: 'X25519' }
  const inNode = (group: string | null): string => ELLIPTIC[group as keyof typeof ELLIPTIC] ?? 'DH'

  it.each([
    { version: 'TLSv1.3', ecdhCurve: 'X25519', ciphers: 'TLS_AES_128_GCM_SHA256' },
    { version: 'TLSv1.3', ecdhCurve: 'P-256', ciphers: 'TLS_AES_256_GCM_SHA384' },
    { version: 'TLSv1.3', ecdhCurve: 'P-384', ciphers: 'TLS_CHACHA20_POLY1305_SHA256' },
    { version: 'TLSv1.3', ecdhCurve: 'P-521', ciphers: 'TLS_AES_128_GCM_SHA256' },
    { version: 'TLSv1.2', ecdhCurve: 'X25519:P-256', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    { version: 'TLSv1.2', ecdhCurve: 'P-256', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    { version: 'TLSv1.2', ecdhCurve: 'P-384:P-256', ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' },
    { version: 'TLSv1.2', ecdhCurve: 'P-521:P-256', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    { version: 'TLSv1.2', ecdhCurve: 'X25519', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', certificate: rsa },
    { version: 'TLSv1.2', ecdhCurve: 'P-256', ciphers: 'ECDHE-RSA-AES256-GCM-SHA384', certificate: rsa },
    { version: 'TLSv1.2', ecdhCurve: 'P-384', ciphers: 'ECDHE-RSA-CHACHA20-POLY1305', certificate: rsa },
  ] as const)('$version with $ecdhCurve and $ciphers', async ({ version, ecdhCurve, ciphers, certificate = ec }) => {
    const only = { minVersion: version, maxVersion: version, ciphers }
    const { port } = await testServer({ certificate, ...only, ecdhCurve, onConnection: (socket) => socket.end() })
    const { fromClient, fromServer, said } = await recordHandshake(port, nodeClient({ ...only, ecdhCurve }))
    const { info, suite, group } = readEveryWay(fromServer)
    expect(`${info.version} ${suite} ${inNode(group)}`).toBe(said)
    expect(group).toBe(ecdhCurve.split(':')[0])
    // Where these two stand does not depend on anything.
    expect(Buffer.from(info.random)).toEqual(fromServer.subarray(11, 43))
    expect(Buffer.from(info.sessionId)).toEqual(fromServer.subarray(44, 44 + (fromServer[43] ?? 0)))
    const hello = clientHelloInfoOf(fromClient.subarray(0, 5 + fromClient.readUInt16BE(3)))
    expect(hello?.random).toEqual(new Uint8Array(fromClient.subarray(11, 43)))
    if (version === 'TLSv1.3') expect(info.sessionId).toEqual(hello?.sessionId)
  })

  it('the group that came of a HelloRetryRequest', async () => {
    const { port } = await testServer({ certificate: ec, ecdhCurve: 'P-384', onConnection: (socket) => socket.end() })
    const client = nodeClient({ ecdhCurve: 'X25519:P-384' })
    const { fromServer, said } = await recordHandshake(port, client)
    expect(fromServer.subarray(11, 43)).toEqual(RETRY_RANDOM)
    const { info, version, group, extensions } = readEveryWay(fromServer)
    expect({ version, group, extensions }).toEqual({
      version: 'TLSv1.3',
      group: 'P-384',
      extensions: ['supported_versions', 'key_share'],
    })
    expect(said).toContain('secp384r1')
    expect(Buffer.from(info.random)).not.toEqual(RETRY_RANDOM)
  })

  it('no group of a session of TLS 1.2 that is resumed, which has no key exchange', async () => {
    const { port } = await testServer({
      certificate: ec,
      maxVersion: 'TLSv1.2',
      onConnection: (socket) => socket.end(),
    })
    let session: Buffer | undefined
    const first: Client = async (target) => {
      const socket = connect({ port: target, host: '127.0.0.1', rejectUnauthorized: false })
      socket.on('session', (ticket) => {
        session = ticket
      })
      socket.resume()
      await closed(socket)
      return ''
    }
    expect(readEveryWay((await recordHandshake(port, first)).fromServer).group).toBe('X25519')
    if (session === undefined) throw new Error('there is no session')
    const again = readEveryWay((await recordHandshake(port, nodeClient({ session }))).fromServer)
    expect(again).toMatchObject({ version: 'TLSv1.2', group: null })
    expect(again.info.sessionId.length).toBe(32)
  })

  it('the group behind a chain of 60 KB, of which nothing is kept', async () => {
    const hosts = Array.from({ length: 1100 }, (_, index) => `${index}.${'long'.repeat(12)}.example`)
    const large = forgeCertificate({ hosts })
    expect(large.der.length).toBeGreaterThan(60_000)
    const only = { maxVersion: 'TLSv1.2', ecdhCurve: 'P-256' } as const satisfies TlsOptions
    const { port } = await testServer({ certificate: large, ...only, onConnection: (socket) => socket.end() })
    const { fromServer } = await recordHandshake(port, nodeClient(only))
    expect(tapped([fromServer]).answer?.group).toBe(23)
    expect(tapped(Array.from(fromServer, (_, at) => fromServer.subarray(at, at + 1))).answer?.group).toBe(23)
  })

  it('whatever Node and its OpenSSL agree on by themselves', async () => {
    const { port } = await testServer({ certificate: ec, onConnection: (socket) => socket.end() })
    const { fromServer } = await recordHandshake(port, nodeClient())
    const { version, group } = readEveryWay(fromServer)
    expect({ version, group }).toEqual({ version: 'TLSv1.3', group: expect.stringMatching(/^X25519(MLKEM768)?$/) })
  })
})

describe.skipIf(!hasOpenssl)('of openssl s_server, the tap tells', () => {
  const AES = 'TLS_AES_256_GCM_SHA384'
  const RSA_AES = 'RSA_WITH_AES_256_GCM_SHA384'

  it.each([
    { client: ['-tls1_3', '-groups', 'X448'], group: 'X448', suite: AES },
    { client: ['-tls1_3', '-groups', 'ffdhe2048'], group: 'ffdhe2048', suite: AES },
    { client: ['-tls1_3', '-groups', 'ffdhe3072'], group: 'ffdhe3072', suite: AES },
    { client: ['-tls1_2', '-groups', 'X448', '-cipher', 'ECDHE'], group: 'X448', suite: `TLS_ECDHE_${RSA_AES}` },
    { client: ['-tls1_2', '-cipher', 'DHE-RSA-AES128-GCM-SHA256'], suite: 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256' },
    { client: ['-tls1_2', '-cipher', 'DHE-RSA-AES256-GCM-SHA384'], suite: `TLS_DHE_${RSA_AES}` },
    { client: ['-tls1_2', '-cipher', 'DHE-RSA-CHACHA20-POLY1305'], suite: 'TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256' },
    // The key goes out by the certificate: there is no ServerKeyExchange, and ServerHelloDone has to do.
    { client: ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'], suite: '0x009c' },
  ])('the choices for $client', async ({ client, group = null, suite }) => {
    const version = client[0] === '-tls1_3' ? 'TLSv1.3' : 'TLSv1.2'
    const port = await opensslServer(rsa)
    const { fromServer, said } = await recordHandshake(port, opensslClient(...client))
    const read = readEveryWay(fromServer)
    expect({ version: read.version, group: read.group, suite: read.suite }).toEqual({ version, group, suite })
    expect(read.extensions).toContain(version === 'TLSv1.3' ? 'supported_versions' : 'renegotiation_info')
    expect(said).toMatch(/Cipher is (?!\(NONE\))/)
  })

  it('the group that came of a HelloRetryRequest, which OpenSSL follows by a ChangeCipherSpec', async () => {
    const port = await opensslServer(ec, '-groups', 'P-521')
    const { fromServer } = await recordHandshake(port, opensslClient('-groups', 'X25519:P-521'))
    expect(fromServer.subarray(11, 43)).toEqual(RETRY_RANDOM)
    const retry = 5 + fromServer.readUInt16BE(3)
    expect(fromServer.subarray(retry, retry + 6)).toEqual(Buffer.from([20, 3, 3, 0, 1, 1]))
    expect(readEveryWay(fromServer).group).toBe('P-521')
    // That much is no answer yet, and not the end either.
    expect(tapped([fromServer.subarray(0, retry + 6)])).toEqual({ answer: null, done: false })
  })
})

describe.skipIf(!hasOpenssl || !hasGnutls)('between openssl s_server and gnutls-cli, the tap tells', () => {
  it.each([
    { priority: 'NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1', version: 'TLSv1.3', group: 'P-384' },
    { priority: 'NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE4096', version: 'TLSv1.3', group: 'ffdhe4096' },
    { priority: 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-X25519', version: 'TLSv1.2', group: 'X25519' },
    { priority: 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA', version: 'TLSv1.2', group: null },
  ])('the choices for $priority', async ({ priority, version, group }) => {
    const port = await opensslServer(rsa)
    const { fromServer, said } = await recordHandshake(port, gnutlsClient('--priority', priority))
    expect(said).toContain('Handshake was completed')
    expect(readEveryWay(fromServer)).toMatchObject({ version, group })
  })
})

// From here on the bytes are made. One thing differs from row to row.
const IS_1_3 = extension(43, u16(0x0304))
const SHARE = extension(51, u16(29), vector(2, Buffer.alloc(32, 7)))

function serverHello(
  change: {
    version?: number
    random?: Uint8Array
    session?: number
    suite?: number
    compression?: number
    extensions?: readonly Uint8Array[] | null
    after?: Uint8Array
  } = {},
): Buffer {
  const { version = 0x0303, random = Buffer.alloc(32, 5), session = 32, suite = 0x1301, compression = 0 } = change
  const { extensions = [IS_1_3, SHARE], after = Buffer.alloc(0) } = change
  return handshakeMessage(
    2,
    u16(version),
    random,
    vector(1, Buffer.alloc(session, 9)),
    u16(suite),
    Uint8Array.of(compression),
    extensions === null ? Buffer.alloc(0) : vector(2, ...extensions),
    after,
  )
}

const RETRY = serverHello({ random: RETRY_RANDOM, extensions: [IS_1_3, extension(51, u16(23))] })
const HELLO_1_2 = serverHello({ suite: 0xc02b, extensions: [extension(65281, Uint8Array.of(0))] })
const keyExchange = (...parts: Uint8Array[]): Buffer => handshakeMessage(12, ...parts)
const CURVE = Uint8Array.of(3, 0, 29)
const KEY = vector(1, Buffer.alloc(32, 1))
const SIGNATURE = Buffer.concat([u16(0x0403), vector(2, Buffer.alloc(70, 2))])
const CERTIFICATE = handshakeMessage(11, vector(3, vector(3, Buffer.alloc(900))))
const DONE = handshakeMessage(14)
const CCS = Buffer.from([20, 3, 3, 0, 1, 1])
const ALERT = Buffer.from([21, 3, 3, 0, 2, 1, 90])
const ENCRYPTED = Buffer.from([23, 3, 3, 0, 5, 1, 2, 3, 4, 5])

describe('the tap answers for', () => {
  it.each([
    { what: 'a ServerHello of TLS 1.3', bytes: [handshakeRecord(serverHello())], group: 29 },
    {
      what: 'one without a key share, as for a key that was agreed on before',
      bytes: [handshakeRecord(serverHello({ extensions: [IS_1_3, extension(41, u16(0))] }))],
      group: null,
    },
    { what: 'one without a session', bytes: [handshakeRecord(serverHello({ session: 0 }))], group: 29 },
    { what: 'one after a HelloRetryRequest', bytes: [RETRY, serverHello()].map(handshakeRecord), group: 29 },
    { what: 'one in the record of that', bytes: [handshakeRecord(Buffer.concat([RETRY, serverHello()]))], group: 29 },
    {
      what: 'one of TLS 1.2, with the curve',
      bytes: [HELLO_1_2, CERTIFICATE, keyExchange(CURVE, KEY, SIGNATURE)].map(handshakeRecord),
      group: 29,
    },
    {
      what: 'one of TLS 1.2 without extensions',
      bytes: [serverHello({ extensions: null }), DONE].map(handshakeRecord),
      group: null,
    },
    { what: 'one of TLS 1.2 that is resumed', bytes: [handshakeRecord(HELLO_1_2), CCS], group: null },
    { what: 'one after an alert that means nothing', bytes: [ALERT, handshakeRecord(serverHello())], group: 29 },
    { what: 'one after a HelloRequest', bytes: [handshakeMessage(0), serverHello()].map(handshakeRecord), group: 29 },
  ])('$what', ({ bytes, group }) => {
    const whole = Buffer.concat(bytes)
    for (const pieces of cuttings(whole)) {
      const { answer, done } = tapped(pieces)
      expect({ group: answer?.group, done }).toEqual({ group, done: true })
    }
  })
})

describe('the tap gives up at', () => {
  it.each([
    { what: 'another version', bytes: handshakeRecord(serverHello({ version: 0x0302 })) },
    { what: 'a version behind which there is another', bytes: handshakeRecord(serverHello({ version: 0x0304 })) },
    {
      what: 'TLS 1.2 by the extension',
      bytes: handshakeRecord(serverHello({ extensions: [extension(43, u16(0x303))] })),
    },
    { what: 'a draft', bytes: handshakeRecord(serverHello({ extensions: [extension(43, u16(0x7f1c))] })) },
    { what: 'two versions', bytes: handshakeRecord(serverHello({ extensions: [extension(43, u16(772), u16(772))] })) },
    { what: 'the version twice', bytes: handshakeRecord(serverHello({ extensions: [IS_1_3, SHARE, IS_1_3] })) },
    {
      what: 'any extension twice',
      bytes: handshakeRecord(serverHello({ extensions: [IS_1_3, extension(9), extension(9)] })),
    },
    { what: 'a session that is too long', bytes: handshakeRecord(serverHello({ session: 33 })) },
    { what: 'compression', bytes: handshakeRecord(serverHello({ compression: 1 })) },
    { what: 'bytes behind the extensions', bytes: handshakeRecord(serverHello({ after: Uint8Array.of(0) })) },
    { what: 'a hello that is cut short', bytes: handshakeRecord(handshakeMessage(2, serverHello().subarray(4, -1))) },
    { what: 'an empty hello', bytes: handshakeRecord(handshakeMessage(2)) },
    {
      what: 'an empty key share',
      bytes: handshakeRecord(serverHello({ extensions: [IS_1_3, extension(51, u16(29), u16(0))] })),
    },
    {
      what: 'a key share without a key',
      bytes: handshakeRecord(serverHello({ extensions: [IS_1_3, extension(51, u16(29))] })),
    },
    { what: 'a HelloRetryRequest with a key', bytes: handshakeRecord(serverHello({ random: RETRY_RANDOM })) },
    {
      what: 'a HelloRetryRequest of TLS 1.2',
      bytes: handshakeRecord(serverHello({ random: RETRY_RANDOM, extensions: [] })),
    },
    { what: 'a second HelloRetryRequest', bytes: Buffer.concat([RETRY, RETRY].map(handshakeRecord)) },
    { what: 'TLS 1.2 after a HelloRetryRequest', bytes: Buffer.concat([RETRY, HELLO_1_2].map(handshakeRecord)) },
    { what: 'another message before the hello', bytes: handshakeRecord(CERTIFICATE) },
    { what: 'a second hello', bytes: Buffer.concat([HELLO_1_2, HELLO_1_2].map(handshakeRecord)) },
    { what: 'something encrypted', bytes: ENCRYPTED },
    {
      what: 'something encrypted before the curve is known',
      bytes: Buffer.concat([handshakeRecord(HELLO_1_2), ENCRYPTED]),
    },
    {
      what: 'a curve that is spelled out',
      bytes: Buffer.concat([HELLO_1_2, keyExchange(Uint8Array.of(1, 0, 29), KEY, SIGNATURE)].map(handshakeRecord)),
    },
    {
      what: 'a key exchange without a key',
      bytes: Buffer.concat([HELLO_1_2, keyExchange(CURVE, Uint8Array.of(0), SIGNATURE)].map(handshakeRecord)),
    },
    {
      what: 'a key exchange without a signature',
      bytes: Buffer.concat([HELLO_1_2, keyExchange(CURVE, KEY)].map(handshakeRecord)),
    },
    {
      what: 'a key exchange with something behind it',
      bytes: Buffer.concat([HELLO_1_2, keyExchange(CURVE, KEY, SIGNATURE, KEY)].map(handshakeRecord)),
    },
    { what: 'an empty record', bytes: Buffer.from([22, 3, 3, 0, 0]) },
    { what: 'a record that is too long', bytes: Buffer.from([22, 3, 3, 0x40, 1]) },
    { what: 'a record of another protocol', bytes: Buffer.from([22, 2, 0, 0, 4]) },
    { what: 'a record of an unknown type', bytes: Buffer.from([24, 3, 3, 0, 4]) },
    { what: 'a ChangeCipherSpec that is none', bytes: Buffer.from([20, 3, 3, 0, 1, 2]) },
    { what: 'a ChangeCipherSpec with more in it', bytes: Buffer.from([20, 3, 3, 0, 2, 1, 1]) },
    { what: 'an alert of another length', bytes: Buffer.from([21, 3, 3, 0, 3, 1, 90, 0]) },
    {
      what: 'an alert inside of a message',
      bytes: Buffer.concat([handshakeRecord(serverHello().subarray(0, 40)), ALERT]),
    },
    {
      what: 'a ChangeCipherSpec inside of a message',
      bytes: Buffer.concat([
        handshakeRecord(serverHello().subarray(0, 40)),
        CCS,
        handshakeRecord(serverHello().subarray(40)),
      ]),
    },
    { what: 'an alert inside of its header', bytes: Buffer.concat([handshakeRecord(Uint8Array.of(2, 0)), ALERT]) },
    { what: 'what is no TLS', bytes: Buffer.from('20 text/gemini\r\n# Hello\r\n') },
  ])('$what', ({ bytes }) => {
    for (const pieces of cuttings(bytes)) expect(tapped(pieces)).toEqual({ answer: null, done: true })
  })

  it.each([
    { what: 'a hello of 16 MB, at its first byte', bytes: () => handshakeRecord(Uint8Array.of(2, 255, 255, 255)) },
    { what: 'a hello of 70,000 bytes, as soon', bytes: () => handshakeRecord(Uint8Array.of(2, 1, 0x11, 0x70)) },
    {
      what: 'certificates of 16 MB, as soon',
      bytes: () => handshakeRecord(Buffer.concat([HELLO_1_2, Uint8Array.of(11, 255, 0, 0)])),
    },
    {
      what: 'more certificates than anybody takes',
      bytes: () => Buffer.concat(Array<Buffer>(300).fill(handshakeRecord(CERTIFICATE))),
      after: HELLO_1_2,
    },
    { what: 'alerts without end', bytes: () => Buffer.concat(Array<Buffer>(40_000).fill(ALERT)) },
    { what: 'ChangeCipherSpecs without end', bytes: () => Buffer.concat(Array<Buffer>(50_000).fill(CCS)) },
  ])('$what', ({ bytes, after }) => {
    const first = after === undefined ? [] : [handshakeRecord(after)]
    expect(tapped([...first, bytes()])).toEqual({ answer: null, done: true })
  })

  it('no hello that has not come whole', () => {
    const record = handshakeRecord(serverHello())
    for (let end = 0; end < record.length; end++) {
      expect(tapped([record.subarray(0, end)])).toEqual({ answer: null, done: false })
    }
  })
})

it('a tap that is done pays no more attention', () => {
  const tap = new ServerHelloTap()
  const record = handshakeRecord(serverHello())
  expect(tap.push(record)?.group).toBe(29)
  expect([tap.push(record), tap.done]).toEqual([null, true])
})

it('what a tap says is not changed by what becomes of the buffers', () => {
  const bytes = handshakeRecord(serverHello())
  const answer = new ServerHelloTap().push(bytes)
  bytes.fill(0)
  expect(answer).toMatchObject({ random: new Uint8Array(32).fill(5), sessionId: new Uint8Array(32).fill(9) })
})

describe('numbers are named', () => {
  it.each([
    [groupName(29), 'X25519'],
    [groupName(0x11ec), 'X25519MLKEM768'],
    [groupName(256), 'ffdhe2048'],
    [groupName(0x2a2a), '0x2a2a'],
    [groupName(1), '0x0001'],
    [cipherSuiteName(0x1303), 'TLS_CHACHA20_POLY1305_SHA256'],
    [cipherSuiteName(0xccaa), 'TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256'],
    [cipherSuiteName(0x000a), '0x000a'],
    [extensionName(0), 'server_name'],
    [extensionName(23), 'extended_master_secret'],
    [extensionName(65281), 'renegotiation_info'],
    [extensionName(0x2a2a), '10794'],
  ])('%s', (name, expected) => {
    expect(name).toBe(expected)
  })
})
