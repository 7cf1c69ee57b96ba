import { describe, expect, it } from 'vitest'
import { type ClientHelloInfo, clientHelloInfoOf, readClientHello } from '../../src/tls/client-hello.ts'
import { extensionName, groupName } from '../../src/tls/sans-io/registry.ts'
import { extension, handshakeMessage, handshakeRecord, inRecords, u16, vector } from '../support/handshake-bytes.ts'
import { gnutlsClient, hasGnutls, nodeClient, opensslClient, recordHello } from '../support/recorded-handshakes.ts'
import { hasOpenssl } from '../support/tls-clients.ts'

const [TLS_1_2, TLS_1_3] = [0x0303, 0x0304]

/** Without the one that is no suite but says, in older versions of OpenSSL, what an extension does (RFC 5746 3.3). */
const suites = ({ cipherSuites }: ClientHelloInfo): number[] => cipherSuites.filter((suite) => suite !== 0x00ff)

/** What there is to know of a hello that has come whole; it must not matter in what pieces it came. */
function readEveryWay(hello: Buffer): ClientHelloInfo {
  const whole = readClientHello(hello)
  if (whole.kind !== 'hello') throw new Error(`that is no hello: ${hello.toString('hex')}`)
  expect(whole.sni).toBe(whole.hello.sni)
  for (let end = 0; end < hello.length; end++) {
    const reading = readClientHello(hello.subarray(0, end))
    // What it needs is more than it has, and never more than there will be.
    if (reading.kind !== 'incomplete') throw new Error(`a hello after ${end} bytes`)
    expect(reading.need).toBeGreaterThan(end)
    expect(reading.need).toBeLessThanOrEqual(hello.length)
  }
  // Whatever follows is not part of it.
  expect(readClientHello(Buffer.concat([hello, Uint8Array.of(20, 3, 3, 0, 1, 1)]))).toEqual(whole)
  // In as many records as it may have.
  const message = hello.subarray(5)
  for (const size of [Math.ceil(message.length / 32), 100, message.length]) {
    expect(readClientHello(Buffer.concat(inRecords(message, size)))).toEqual(whole)
  }
  expect(clientHelloInfoOf(hello)).toEqual(whole.hello)
  expect(Buffer.from(whole.hello.random)).toEqual(hello.subarray(11, 43))
  expect(Buffer.from(whole.hello.sessionId)).toEqual(hello.subarray(44, 44 + (hello[43] ?? 0)))
  return whole.hello
}

describe('the hello of Node tells', () => {
  it('all that it was told to offer', async () => {
    const hello = await recordHello(
      nodeClient({
        servername: 'example.org',
        ALPNProtocols: ['gemini', 'http/1.1'],
        ciphers: 'TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
        ecdhCurve: 'P-384:X25519',
        sigalgs: 'ed25519:rsa_pss_rsae_sha256',
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
      }),
    )
    const info = readEveryWay(hello)
    const { random, sessionId, versions, groups, signatureSchemes, alpn, sni, extensions } = info
    expect(suites(info)).toEqual([0x1302, 0x1301, 0xc02f])
    expect({ versions, groups, signatureSchemes, alpn, sni }).toEqual({
      versions: [TLS_1_3, TLS_1_2],
      groups: [24, 29],
      signatureSchemes: [0x0807, 0x0804],
      alpn: ['gemini', 'http/1.1'],
      sni: 'example.org',
    })
    expect([random.length, sessionId.length]).toEqual([32, 32])
    expect(extensions.map(extensionName)).toEqual(
      expect.arrayContaining([
        'server_name',
        'application_layer_protocol_negotiation',
        'supported_versions',
        'key_share',
      ]),
    )
  })

  it.each([
    { what: 'a name in capitals with its dot', options: { servername: 'EXAMPLE.org.' }, sni: 'EXAMPLE.org.' },
    {
      what: 'a name that is not ASCII, byte for byte',
      options: { servername: 'ñandú.example' },
      sni: 'Ã±andÃº.example',
    },
    { what: 'no name', options: {}, sni: null },
  ])('$what', async ({ options, sni }) => {
    expect(readEveryWay(await recordHello(nodeClient(options))).sni).toBe(sni)
  })

  it('its version, if that is the only one and older than the list', async () => {
    const hello = readEveryWay(await recordHello(nodeClient({ maxVersion: 'TLSv1.2' })))
    expect(hello).toMatchObject({ versions: [TLS_1_2], sessionId: new Uint8Array(0), alpn: [] })
    expect(hello.extensions.map(extensionName)).not.toContain('supported_versions')
  })
})

describe.skipIf(!hasOpenssl)('the hello of openssl s_client tells', () => {
  it('all that it was told to offer', async () => {
    const hello = await recordHello(
      opensslClient(
        ...['-servername', 'one.example', '-alpn', 'titan,gemini', '-groups', 'X448:P-521:ffdhe2048', '-tls1_3'],
        ...['-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256', '-sigalgs', 'ECDSA+SHA512:ed448'],
      ),
    )
    const info = readEveryWay(hello)
    const { versions, signatureSchemes, alpn, sni, extensions, groups } = info
    expect(suites(info)).toEqual([0x1303])
    expect({ versions, signatureSchemes, alpn, sni }).toEqual({
      versions: [TLS_1_3],
      signatureSchemes: [0x0603, 0x0808],
      alpn: ['titan', 'gemini'],
      sni: 'one.example',
    })
    expect(groups.map(groupName)).toEqual(['X448', 'P-521', 'ffdhe2048'])
    expect(extensions.map(extensionName)).toContain('psk_key_exchange_modes')
  })

  it.each([
    { what: 'no name', args: ['-noservername'], expected: { sni: null } },
    {
      what: 'TLS 1.2',
      args: ['-tls1_2', '-servername', 'a.example'],
      expected: { versions: [TLS_1_2], sni: 'a.example' },
    },
    {
      what: 'no groups, if it has no curves',
      args: ['-tls1_2', '-cipher', 'AES128-GCM-SHA256'],
      expected: { groups: [] },
    },
  ])('$what', async ({ args, expected }) => {
    expect(readEveryWay(await recordHello(opensslClient(...args)))).toMatchObject(expected)
  })
})

describe.skipIf(!hasGnutls)('the hello of gnutls-cli tells', () => {
  it('all that it was told to offer', async () => {
    const priority = [
      'NONE:+VERS-TLS1.3:+VERS-TLS1.2:+CIPHER-ALL:+MAC-ALL:+COMP-NULL:+ECDHE-ECDSA',
      'GROUP-SECP256R1:+GROUP-X25519:+GROUP-FFDHE3072:+SIGN-EdDSA-Ed25519:+SIGN-ECDSA-SECP256R1-SHA256',
    ].join(':+')
    const client = gnutlsClient('--priority', priority, '--alpn', 'gemini', '--sni-hostname', 'two.example')
    const { versions, groups, signatureSchemes, alpn, sni, extensions } = readEveryWay(await recordHello(client))
    expect({ versions, signatureSchemes, alpn, sni }).toEqual({
      versions: [TLS_1_3, TLS_1_2],
      signatureSchemes: [0x0807, 0x0403],
      alpn: ['gemini'],
      sni: 'two.example',
    })
    expect(groups.map(groupName)).toEqual(['P-256', 'X25519', 'ffdhe3072'])
    expect(extensions.map(extensionName)).toContain('record_size_limit')
  })
})

// From here on the bytes are made. One thing differs from row to row.
const SERVER_NAME = extension(0, vector(2, Uint8Array.of(0), vector(2, Buffer.from('a.example'))))
const VERSIONS = extension(43, vector(1, u16(TLS_1_3)))
const GROUPS = extension(10, vector(2, u16(29)))
const SCHEMES = extension(13, vector(2, u16(0x0403)))
const PROTOCOLS = extension(16, vector(2, vector(1, Buffer.from('gemini'))))
const EXTENSIONS = [SERVER_NAME, VERSIONS, GROUPS, SCHEMES, PROTOCOLS]

interface Change {
  readonly session?: number
  readonly suites?: Buffer
  readonly compressions?: Buffer
  readonly extensions?: readonly Buffer[] | null
  readonly after?: readonly Buffer[]
}

function helloMessage({
  session = 32,
  suites = u16(0x1301),
  compressions = Buffer.of(0),
  ...change
}: Change = {}): Buffer {
  const { extensions = EXTENSIONS, after = [] } = change
  return handshakeMessage(
    1,
    u16(TLS_1_2),
    Buffer.alloc(32, 5),
    vector(1, Buffer.alloc(session, 9)),
    vector(2, suites),
    vector(1, compressions),
    ...(extensions === null ? [] : [vector(2, ...extensions)]),
    ...after,
  )
}

describe('a hello', () => {
  const read = (change: Change = {}) => readClientHello(handshakeRecord(helloMessage(change)))
  const instead = (replaced: Buffer, ...replacement: Buffer[]): Change => ({
    extensions: EXTENSIONS.flatMap((each) => (each === replaced ? replacement : [each])),
  })

  it.each([
    {
      what: 'nothing',
      change: {},
      expected: { sni: 'a.example', versions: [TLS_1_3], groups: [29], alpn: ['gemini'] },
    },
    { what: 'its session', change: { session: 0 }, expected: { sessionId: new Uint8Array(0) } },
    {
      what: 'its extensions',
      change: { extensions: null },
      expected: { sni: null, versions: [TLS_1_2], extensions: [] },
    },
    {
      what: 'every extension',
      change: { extensions: [] },
      expected: { sni: null, versions: [TLS_1_2], extensions: [] },
    },
    { what: 'what is read of them', change: { extensions: [extension(0x2a2a)] }, expected: { extensions: [0x2a2a] } },
  ])('without $what is one', ({ change, expected }) => {
    expect(read(change)).toMatchObject({ kind: 'hello', hello: expected })
  })

  it('with values that mean nothing, as clients send them on purpose, is one', () => {
    const versions = extension(43, vector(1, u16(0x8a8a), u16(TLS_1_3)))
    const change = {
      ...instead(VERSIONS, extension(0x1a1a), versions, extension(0x3a3a, Buffer.of(0))),
      suites: Buffer.from('2a2a1301', 'hex'),
    }
    expect(read(change)).toMatchObject({ hello: { versions: [0x8a8a, TLS_1_3], cipherSuites: [0x2a2a, 0x1301] } })
  })

  it('with very many extensions is read, if it is not too long', () => {
    const many = Array.from({ length: 8_000 }, (_, index) => extension(index + 100))
    const records = inRecords(helloMessage({ extensions: many }), 16_384)
    const reading = readClientHello(Buffer.concat(records))
    expect(reading.kind === 'hello' && reading.hello.extensions.length).toBe(8_000)
  })

  it.each<{ what: string; change: Change }>([
    { what: 'a session that is too long', change: { session: 33 } },
    { what: 'no cipher suite', change: { suites: Buffer.alloc(0) } },
    { what: 'half a cipher suite', change: { suites: Buffer.of(0x13, 1, 0x13) } },
    { what: 'no compression, not even none', change: { compressions: Buffer.alloc(0) } },
    { what: 'something behind the extensions', change: { after: [Buffer.of(0)] } },
    {
      what: 'part of the extensions',
      change: { extensions: null, after: [Buffer.of(0, 9), SERVER_NAME.subarray(0, 8)] },
    },
    { what: 'half a length of extensions', change: { extensions: null, after: [Buffer.of(0)] } },
    { what: 'half an extension', change: instead(GROUPS, GROUPS.subarray(0, -1)) },
    { what: 'half a header of an extension', change: { extensions: [...EXTENSIONS, Buffer.of(0, 7, 0)] } },
    { what: 'an extension twice', change: instead(GROUPS, GROUPS, GROUPS) },
    { what: 'an unknown extension twice', change: instead(GROUPS, extension(99), extension(99)) },
    { what: 'two names', change: instead(SERVER_NAME, SERVER_NAME, SERVER_NAME) },
    {
      what: 'two names in one list',
      change: instead(SERVER_NAME, extension(0, vector(2, SERVER_NAME.subarray(6), SERVER_NAME.subarray(6)))),
    },
    { what: 'a name of another type', change: instead(SERVER_NAME, extension(0, vector(2, Buffer.of(1, 0, 1, 65)))) },
    { what: 'an empty name', change: instead(SERVER_NAME, extension(0, vector(2, Buffer.of(0, 0, 0)))) },
    { what: 'an empty list of names', change: instead(SERVER_NAME, extension(0, vector(2))) },
    { what: 'a name and more', change: instead(SERVER_NAME, extension(0, SERVER_NAME.subarray(4), Buffer.of(0))) },
    { what: 'an answer to a name', change: instead(SERVER_NAME, extension(0)) },
    { what: 'no version in the list', change: instead(VERSIONS, extension(43, vector(1))) },
    { what: 'half a version', change: instead(VERSIONS, extension(43, vector(1, Buffer.of(3, 4, 3)))) },
    { what: 'a version without a list', change: instead(VERSIONS, extension(43, u16(TLS_1_3))) },
    { what: 'no group in the list', change: instead(GROUPS, extension(10, vector(2))) },
    { what: 'half a group', change: instead(GROUPS, extension(10, vector(2, Buffer.of(29)))) },
    { what: 'groups and more', change: instead(GROUPS, extension(10, vector(2, u16(29)), u16(23))) },
    { what: 'no signature scheme in the list', change: instead(SCHEMES, extension(13, vector(2))) },
    { what: 'half a signature scheme', change: instead(SCHEMES, extension(13, vector(2, Buffer.of(4, 3, 8)))) },
    { what: 'no protocol in the list', change: instead(PROTOCOLS, extension(16, vector(2))) },
    { what: 'an empty protocol', change: instead(PROTOCOLS, extension(16, vector(2, vector(1)))) },
    { what: 'half a protocol', change: instead(PROTOCOLS, extension(16, vector(2, Buffer.of(6, 103, 101)))) },
  ])('with $what is none', ({ change }) => {
    expect(read(change)).toEqual({ kind: 'other' })
  })

  it('that is cut short, with all lengths put right, is none', () => {
    const body = helloMessage().subarray(4)
    // Up to here there may be no extensions.
    const extensionsAt = helloMessage({ extensions: null }).length - 4
    for (let end = 0; end < body.length; end++) {
      const { kind } = readClientHello(handshakeRecord(handshakeMessage(1, body.subarray(0, end))))
      expect(kind).toBe(end === extensionsAt ? 'hello' : 'other')
    }
  })

  it.each([
    { what: 'text', bytes: Buffer.from('gemini://example.org/\r\n') },
    { what: 'a hello of SSL 2', bytes: Buffer.from('802e0100020015000000100100800200800300800400800500800600', 'hex') },
    { what: 'a record that is no handshake', bytes: Buffer.of(23, 3, 3, 0, 1, 0) },
    { what: 'a record of another protocol', bytes: Buffer.of(22, 2, 0, 0, 1, 1) },
    { what: 'an empty record', bytes: Buffer.of(22, 3, 1, 0, 0) },
    { what: 'a record that is too long', bytes: Buffer.of(22, 3, 1, 0x40, 1) },
    { what: 'another message', bytes: handshakeRecord(handshakeMessage(2, helloMessage().subarray(4))) },
    {
      what: 'another record in the middle',
      bytes: Buffer.concat([handshakeRecord(helloMessage().subarray(0, 20)), Buffer.of(21)]),
    },
    {
      what: 'a hello in 33 records',
      bytes: Buffer.concat(inRecords(helloMessage(), Math.floor(helloMessage().length / 33))),
    },
    {
      what: 'a hello of 40,000 bytes',
      bytes: Buffer.concat(inRecords(helloMessage({ extensions: [extension(99, Buffer.alloc(40_000))] }), 16_000)),
    },
  ])('is not $what', ({ bytes }) => {
    expect(readClientHello(bytes)).toEqual({ kind: 'other' })
  })
})

describe('a hello of ours', () => {
  const record = handshakeRecord(helloMessage())

  it('is one whole record', () => {
    expect(clientHelloInfoOf(record)).toMatchObject({ sni: 'a.example', groups: [29] })
  })

  it.each([
    { what: 'followed by something', bytes: Buffer.concat([record, Buffer.of(20)]) },
    {
      what: 'followed by something in its record',
      bytes: handshakeRecord(Buffer.concat([helloMessage(), Buffer.of(1)])),
    },
    { what: 'in two records', bytes: Buffer.concat(inRecords(helloMessage(), 50)) },
    { what: 'in part', bytes: record.subarray(0, -1) },
    { what: 'without anything in it', bytes: handshakeRecord(handshakeMessage(1)) },
    { what: 'in a record of another type', bytes: Buffer.concat([Buffer.of(23), record.subarray(1)]) },
    { what: 'nor a ServerHello', bytes: handshakeRecord(handshakeMessage(2, helloMessage().subarray(4))) },
    { what: 'nor nothing', bytes: Buffer.alloc(0) },
  ])('is not one $what', ({ bytes }) => {
    expect(clientHelloInfoOf(bytes)).toBeNull()
  })
})

it('what is known of a hello is not changed by what becomes of the buffer', () => {
  const record = handshakeRecord(helloMessage())
  const hello = clientHelloInfoOf(record)
  record.fill(0)
  expect(hello).toMatchObject({
    random: new Uint8Array(32).fill(5),
    sessionId: new Uint8Array(32).fill(9),
    alpn: ['gemini'],
  })
})
