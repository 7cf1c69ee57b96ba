import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CertificateError } from '../../../src/errors.ts'
import {
  certificateRequestIn12,
  certificateRequestIn13,
  decodeDistinguishedName,
} from '../../../src/tls/sans-io/certificate-request.ts'
import { type ForgedCertificate, forgeCertificate } from '../../support/forged-certificates.ts'
import {
  extension,
  handshakeMessage,
  handshakeRecord,
  inRecords,
  reframed,
  u16,
  vector,
} from '../../support/handshake-bytes.ts'
import { nodeClient, opensslClient, opensslServer, recordHandshake } from '../../support/recorded-handshakes.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { hasOpenssl } from '../../support/tls-clients.ts'
import { testServer } from '../../support/tls-server.ts'

const server = forgeCertificate({ hosts: ['example.org'] })
const authorities = ['Uno', 'Dos, S.A.', 'Tlācacoca', 'a'.repeat(60)].map((commonName) =>
  forgeCertificate({ commonName, ca: true }),
)
const NAMES = ['CN=Uno', 'CN=Dos\\, S.A.', 'CN=Tlācacoca', `CN=${'a'.repeat(60)}`]
const pems = (certificates: readonly ForgedCertificate[]): string[] => certificates.map(({ certPem }) => certPem)
const sorted = (names: Iterable<Uint8Array>): string[] =>
  Array.from(names, (each) => Buffer.from(each).toString('hex')).sort()

/** What `openssl s_client -msg` printed of the messages of the server: their bytes in clear, whatever the version. */
function messagesIn(said: string, ...types: string[]): Buffer {
  const found = [...said.matchAll(/^<<< TLS [\d.]+, Handshake \[length \w+\], (\w+)\n((?: {4}[0-9a-f ]+\n)+)/gm)]
  const wanted = found.filter(([, type = '']) => types.includes(type))
  return Buffer.from(wanted.map(([, , bytes = '']) => bytes.replace(/\s/g, '')).join(''), 'hex')
}

describe('in the first flight of a TLS 1.2 server', () => {
  it.each([
    { what: 'all authorities', ca: authorities },
    { what: 'one authority', ca: authorities.slice(2, 3) },
  ])('Node names $what', async ({ ca }) => {
    const { port } = await testServer({
      certificate: server,
      ca: pems(ca),
      maxVersion: 'TLSv1.2',
      onConnection: (socket) => socket.end(),
    })
    const { fromServer } = await recordHandshake(port, nodeClient())
    const request = certificateRequestIn12(fromServer)
    expect(sorted(request?.authorities ?? [])).toEqual(sorted(ca.map(({ name }) => name)))
    // ecdsa_secp256r1_sha256, which everybody has.
    expect(request?.signatureSchemes).toContain(0x0403)
    for (const size of [1, 7, 100, 16_384]) expect(certificateRequestIn12(reframed(fromServer, size))).toEqual(request)
  })

  it('a server that takes any certificate names no authority', async () => {
    const { port } = await testServer({
      certificate: server,
      maxVersion: 'TLSv1.2',
      onConnection: (socket) => socket.end(),
    })
    const { fromServer } = await recordHandshake(port, nodeClient())
    expect(certificateRequestIn12(fromServer)).toMatchObject({ authorities: [] })
  })

  it('a server that asks for none has no request', async () => {
    const { port } = await testServer({
      certificate: server,
      requestCert: false,
      maxVersion: 'TLSv1.2',
      onConnection: (socket) => socket.end(),
    })
    const { fromServer } = await recordHandshake(port, nodeClient())
    expect(certificateRequestIn12(fromServer)).toBeNull()
  })

  it('there is no request until it has come whole, with what ends the flight', async () => {
    const { port } = await testServer({
      certificate: server,
      ca: pems(authorities),
      maxVersion: 'TLSv1.2',
      onConnection: (socket) => socket.end(),
    })
    const { fromServer } = await recordHandshake(port, nodeClient())
    const ends = Array.from(fromServer, (_, at) => certificateRequestIn12(fromServer.subarray(0, at)) !== null)
    const first = ends.indexOf(true)
    expect(ends.slice(first)).not.toContain(false)
    // ServerHelloDone is these four bytes, at the end of a record.
    expect(fromServer.subarray(first - 4, first)).toEqual(Buffer.from([14, 0, 0, 0]))
  })
})

describe.skipIf(!hasOpenssl)('of openssl s_server', () => {
  async function ask(version: string, ...args: string[]): Promise<{ said: string; fromServer: Buffer }> {
    const folder = await temporaryFolder()
    const file = join(folder, 'authorities.pem')
    await writeFile(file, pems(authorities).join('\n'))
    const port = await opensslServer(server, '-CAfile', file, version, ...args)
    return recordHandshake(port, opensslClient('-msg', '-nameopt', 'RFC2253,-esc_msb,utf8', version))
  }
  /** The names that s_client printed, and the hashes and keys of signatures. */
  const printed = (said: string): string[] =>
    (
      /Acceptable client certificate CA names\n((?:.+\n)+?)(?:Client Certificate Types|Requested Signature)/.exec(
        said,
      )?.[1] ?? ''
    )
      .split('\n')
      .slice(0, -1)
      .sort()

  it.each(['-verify', '-Verify'])('the names are the ones that s_client reads with TLS 1.2 and %s', async (verify) => {
    const { said, fromServer } = await ask('-tls1_2', verify, '1', '-client_sigalgs', 'ed25519:ECDSA+SHA384')
    const request = certificateRequestIn12(fromServer)
    expect(sorted(request?.authorities ?? [])).toEqual(sorted(authorities.map(({ name }) => name)))
    const names = (request?.authorities ?? []).map((der) => String(decodeDistinguishedName(der)))
    expect(names.toSorted()).toEqual(NAMES.toSorted())
    expect(names.toSorted()).toEqual(printed(said))
    expect(request?.signatureSchemes).toEqual([0x0807, 0x0503])
  })

  it.each(['-verify', '-Verify'])('the names are the ones that s_client reads with TLS 1.3 and %s', async (verify) => {
    const { said, fromServer } = await ask('-tls1_3', verify, '1', '-client_sigalgs', 'ed25519:ECDSA+SHA384')
    const messages = messagesIn(said, 'EncryptedExtensions', 'CertificateRequest', 'Certificate', 'CertificateVerify')
    const request = certificateRequestIn13(messages)
    expect(sorted(request?.authorities ?? [])).toEqual(sorted(authorities.map(({ name }) => name)))
    const names = (request?.authorities ?? []).map((der) => String(decodeDistinguishedName(der)))
    expect(names.toSorted()).toEqual(NAMES.toSorted())
    expect(names.toSorted()).toEqual(printed(said))
    expect(request?.signatureSchemes).toEqual([0x0807, 0x0503])
    // It is encrypted, so there is none in clear.
    expect(certificateRequestIn12(fromServer)).toBeNull()
    // By itself, and with nothing behind it, it is the same. Cut short it is none.
    expect(certificateRequestIn13(messagesIn(said, 'CertificateRequest'))).toEqual(request)
    const upToIt = messagesIn(said, 'EncryptedExtensions', 'CertificateRequest')
    expect(certificateRequestIn13(upToIt)).toEqual(request)
    for (let end = 0; end < upToIt.length; end++) expect(certificateRequestIn13(upToIt.subarray(0, end))).toBeNull()
  })

  it('there is no request if it does not verify', async () => {
    const { fromServer } = await ask('-tls1_2')
    expect(certificateRequestIn12(fromServer)).toBeNull()
    const { said } = await ask('-tls1_3')
    const messages = messagesIn(said, 'EncryptedExtensions', 'CertificateRequest', 'Certificate', 'CertificateVerify')
    expect(messages.length).toBeGreaterThan(300)
    expect(certificateRequestIn13(messages)).toBeNull()
  })
})

// From here on the bytes are made. One thing differs from row to row.
const NOTHING = Buffer.alloc(0)
const NAME = Buffer.from('3010310e300c06035504030c05416e79206f', 'hex')
const SCHEMES = vector(2, u16(0x0403), u16(0x0804))
const TYPES = vector(1, Uint8Array.of(64, 1))
const ONE_NAME = vector(2, vector(2, NAME))
const EXPECTED = { authorities: [new Uint8Array(NAME)], signatureSchemes: [0x0403, 0x0804] }

describe('a request of TLS 1.2', () => {
  const before = [
    handshakeMessage(2, Buffer.alloc(40)),
    handshakeMessage(11, Buffer.alloc(30)),
    handshakeMessage(12, Buffer.alloc(50)),
  ]
  const done = handshakeMessage(14)
  const flight = (...messages: Uint8Array[]): Buffer => handshakeRecord(Buffer.concat([...before, ...messages]))

  it('is read', () => {
    expect(certificateRequestIn12(flight(handshakeMessage(13, TYPES, SCHEMES, ONE_NAME), done))).toEqual(EXPECTED)
    const none = flight(handshakeMessage(13, TYPES, SCHEMES, vector(2)), done)
    expect(certificateRequestIn12(none)).toEqual({ ...EXPECTED, authorities: [] })
  })

  it('may fill its list of names', () => {
    const many = Array.from({ length: 3276 }, () => vector(2, NAME))
    expect(
      certificateRequestIn12(largeFlight(handshakeMessage(13, TYPES, SCHEMES, vector(2, ...many))))?.authorities,
    ).toHaveLength(3276)
  })

  function largeFlight(request: Buffer): Buffer {
    return Buffer.concat(inRecords(Buffer.concat([...before, request, done]), 16_384))
  }

  it.each([
    { what: 'that has no type of certificate', messages: [handshakeMessage(13, vector(1), SCHEMES, ONE_NAME), done] },
    { what: 'that has no signature scheme', messages: [handshakeMessage(13, TYPES, vector(2), ONE_NAME), done] },
    {
      what: 'with half a signature scheme',
      messages: [handshakeMessage(13, TYPES, vector(2, u16(1), NOTHING, Uint8Array.of(4)), ONE_NAME), done],
    },
    { what: 'with an empty name', messages: [handshakeMessage(13, TYPES, SCHEMES, vector(2, vector(2))), done] },
    {
      what: 'with a name that is longer than the list',
      messages: [handshakeMessage(13, TYPES, SCHEMES, vector(2, u16(18), NAME.subarray(1))), done],
    },
    { what: 'of TLS 1.1, without signature schemes', messages: [handshakeMessage(13, TYPES, ONE_NAME), done] },
    { what: 'that ends too early', messages: [handshakeMessage(13, TYPES, SCHEMES), done] },
    { what: 'with something behind the names', messages: [handshakeMessage(13, TYPES, SCHEMES, ONE_NAME, NAME), done] },
    {
      what: 'that comes twice',
      messages: [handshakeMessage(13, TYPES, SCHEMES, ONE_NAME), handshakeMessage(13, TYPES, SCHEMES, ONE_NAME), done],
    },
    {
      what: 'behind which something else comes',
      messages: [handshakeMessage(13, TYPES, SCHEMES, ONE_NAME), handshakeMessage(22), done],
    },
    { what: 'behind the end of the flight', messages: [done, handshakeMessage(13, TYPES, SCHEMES, ONE_NAME), done] },
  ])('$what is none', ({ messages }) => {
    expect(certificateRequestIn12(flight(...messages))).toBeNull()
  })
})

describe('a request of TLS 1.3', () => {
  const ALGORITHMS = extension(13, SCHEMES)
  const AUTHORITIES = extension(47, ONE_NAME)
  const EXTENSIONS = handshakeMessage(8, vector(2))
  const request = (...extensions: Uint8Array[]): Buffer => handshakeMessage(13, vector(1), vector(2, ...extensions))

  it.each([
    { what: 'with its extensions in any order', messages: [EXTENSIONS, request(AUTHORITIES, ALGORITHMS)] },
    {
      what: 'with extensions that do not matter here',
      messages: [EXTENSIONS, request(ALGORITHMS, extension(50, SCHEMES), AUTHORITIES)],
    },
    {
      what: 'and what comes behind it',
      messages: [EXTENSIONS, request(ALGORITHMS, AUTHORITIES), handshakeMessage(11, NOTHING), Uint8Array.of(15)],
    },
  ])('$what is read', ({ messages }) => {
    expect(certificateRequestIn13(Buffer.concat(messages))).toEqual(EXPECTED)
  })

  it('need not name anybody', () => {
    expect(certificateRequestIn13(request(ALGORITHMS))).toEqual({ ...EXPECTED, authorities: [] })
  })

  it.each([
    { what: 'without signature schemes', messages: [request(AUTHORITIES)] },
    { what: 'with an empty list of signature schemes', messages: [request(extension(13, vector(2)), AUTHORITIES)] },
    { what: 'with an empty list of names', messages: [request(ALGORITHMS, extension(47, vector(2)))] },
    { what: 'with an empty name', messages: [request(ALGORITHMS, extension(47, vector(2, vector(2))))] },
    { what: 'with something behind the names', messages: [request(ALGORITHMS, extension(47, ONE_NAME, NAME))] },
    {
      what: 'with something behind the signature schemes',
      messages: [request(extension(13, SCHEMES, NAME), AUTHORITIES)],
    },
    { what: 'with an extension that comes twice', messages: [request(ALGORITHMS, AUTHORITIES, AUTHORITIES)] },
    { what: 'with an unknown extension that comes twice', messages: [request(ALGORITHMS, extension(9), extension(9))] },
    {
      what: 'with a context, as after a handshake',
      messages: [handshakeMessage(13, vector(1, NAME), vector(2, ALGORITHMS))],
    },
    {
      what: 'with something behind the extensions',
      messages: [handshakeMessage(13, vector(1), vector(2, ALGORITHMS), NAME)],
    },
    { what: 'in the form of TLS 1.2', messages: [handshakeMessage(13, TYPES, SCHEMES, ONE_NAME)] },
    { what: 'behind a certificate', messages: [EXTENSIONS, handshakeMessage(11), request(ALGORITHMS)] },
    { what: 'of which nothing came', messages: [] },
  ])('$what is none', ({ messages }) => {
    expect(certificateRequestIn13(Buffer.concat(messages))).toBeNull()
  })
})

it('a request is not changed by what becomes of the buffer', () => {
  const bytes = handshakeMessage(13, vector(1), vector(2, extension(13, SCHEMES), extension(47, ONE_NAME)))
  const request = certificateRequestIn13(bytes)
  bytes.fill(0)
  expect(request).toEqual(EXPECTED)
})

it('a name that is none is an error with a code', () => {
  expect(() => decodeDistinguishedName(Uint8Array.of(0x30, 3, 1))).toThrow(CertificateError)
  expect(() => decodeDistinguishedName(NOTHING)).toThrow(CertificateError)
})
