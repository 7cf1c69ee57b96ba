// What the contexts of servers and of clients make of chain files: the same, by one reader.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import type { ChainOptions } from '../../src/certificate/chain-options.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { formatPem } from '../../src/certificate/pem.ts'
import { ChainError, ExtraneousPrivateKeyError, MoreThanOneLeafCertificateError } from '../../src/errors.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { createClientContext } from '../../src/tls/client-context.ts'
import { connect } from '../../src/tls/connect.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext, type ServerContext } from '../../src/tls/server-context.ts'
import { dangerouslyAcceptAny } from '../../src/tls/verifiers/dangerously-accept-any.ts'
import { certPem, family, HOST, keyPem, marked } from '../support/chain-fixtures.ts'
import { type Issued, type IssueOptions, issue } from '../support/issued-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { testServer } from '../support/tls-server.ts'

const { root, middle, leaf } = family()
const key = keyPem(leaf)

interface Source {
  readonly cert: string
  readonly key: string
}

/** Both ways in; each gives the certificate that would be shown. */
const entries: [string, (source: Source) => Promise<Certificate | undefined>][] = [
  [
    'certificates[0]',
    async (source) => (await createServerContext({ certificates: [source] })).certificates[0]?.certificate,
  ],
  ['identity', async (source) => (await createClientContext({ identity: source })).identity ?? undefined],
]

function keyedChain(issued: readonly Issued[], options: ChainOptions = {}): KeyedChain {
  const certificates = issued.map(({ certificate }) => certificate)
  return KeyedChain.fromCertificates(certificates, (issued[0] ?? leaf).keys.privateKey, options)
}

async function listen(context: ServerContext, make: typeof createServer = createServer): Promise<number> {
  const server = make(context, ({ stream }) => stream.end())
  onTestFinished(() => server.close({ graceMs: 0 }))
  return (await server.listen(0, '127.0.0.1')).port
}

/** All certificates that came over the wire, by subject. */
function shownTo(socket: TLSSocket): string[] {
  const names: string[] = []
  let each: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (each?.subject !== undefined && each !== each.issuerCertificate) {
    names.push(String(each.subject.CN))
    each = each.issuerCertificate as DetailedPeerCertificate | undefined
  }
  return each?.subject === undefined ? names : [...names, String(each.subject.CN)]
}

async function shownByServer(port: number, servername?: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(servername && { servername }) })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      resolve(shownTo(socket))
      socket.destroy()
    })
  })
}

const ORDERS = [
  [leaf, middle, root],
  [leaf, root, middle],
  [middle, leaf, root],
  [middle, root, leaf],
  [root, leaf, middle],
  [root, middle, leaf],
]

describe.each(entries)('a chain file of %s', (label, load) => {
  it('may be in any order', async () => {
    for (const order of ORDERS) {
      expect((await load({ cert: certPem(...order), key }))?.equals(leaf.certificate)).toBe(true)
    }
  })

  it('may lack authorities, and have comments', async () => {
    for (const certificates of [[leaf], [leaf, middle], [middle, leaf]]) {
      const cert = `# my capsule\n${certificates.map((each) => `subject=CN = x\n${certPem(each)}`).join('\n')}`
      expect((await load({ cert, key }))?.equals(leaf.certificate)).toBe(true)
    }
  })

  it.each([
    [
      'an unrelated authority',
      () => [leaf, middle, issue({ subject: 'stranger', ca: true })],
      'EXTRANEOUS_CERTIFICATE',
    ],
    ['an authority that did not sign', () => [leaf, issue({ subject: 'middle', ca: true })], 'EXTRANEOUS_CERTIFICATE'],
    ['an authority with a gap below', () => [leaf, root], 'EXTRANEOUS_CERTIFICATE'],
    ['a second leaf', () => [leaf, middle, issue({ subject: 'second', by: middle })], 'SEVERAL_LEAVES'],
    ['a renewed leaf before the old one', () => [issue({ key: leaf, names: [HOST] }), leaf], 'SEVERAL_LEAVES'],
    ['the leaf twice', () => [leaf, middle, leaf], 'DUPLICATE_CERTIFICATE'],
    ['an authority twice', () => [leaf, middle, middle], 'DUPLICATE_CERTIFICATE'],
    [
      'a leaf with a damaged signature',
      () => [issue({ by: middle, key: leaf, names: [HOST], spoil: true }), middle],
      'EXTRANEOUS_CERTIFICATE',
    ],
    [
      'an authority that may not sign',
      () => {
        const bad = family({ middle: { keyUsage: ['digitalSignature'] }, leaf: { key: leaf } })
        return [bad.leaf, bad.middle]
      },
      'NOT_AN_AUTHORITY',
    ],
  ] as const)('is refused with %s', async (_, certificates, code) => {
    const error = await load({ cert: certPem(...certificates()), key }).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ChainError)
    const { message, subjects, line, cause } = error as ChainError
    expect((error as ChainError).code).toBe(`ERR_TLACACOCA_CHAIN_${code}`)
    // Which entry, who and where.
    expect(message.startsWith(`${label}: `)).toBe(true)
    expect(message).toContain(`(line ${line})`)
    expect([subjects, line]).toEqual([(cause as ChainError).subjects, (cause as ChainError).line])
    expect(subjects.length).toBeGreaterThan(0)
    if (code === 'SEVERAL_LEAVES') expect(error).toBeInstanceOf(MoreThanOneLeafCertificateError)
  })

  it.each([
    ['a private key', key, 'EXTRANEOUS_KEY'],
    ['the private key of an authority', keyPem(middle), 'EXTRANEOUS_KEY'],
    ['junk', 'hello\n', 'PEM_INVALID'],
    ['a block without its first line', certPem(middle).split('\n').slice(1).join('\n'), 'PEM_INVALID'],
    ['a request', formatPem('CERTIFICATE REQUEST', leaf.certificate.der), 'UNEXPECTED_BLOCK'],
    ['a certificate of nonsense', formatPem('CERTIFICATE', Buffer.from('0')), 'CERTIFICATE_MALFORMED'],
  ])('is refused with %s in it', async (_, intruder, code) => {
    const error = await load({ cert: certPem(leaf) + intruder, key }).catch((caught: unknown) => caught)
    const line = certPem(leaf).split('\n').length
    expect(error).toMatchObject({ code: `ERR_TLACACOCA_CHAIN_${code}`, line })
    expect((error as ChainError).message.startsWith(`${label}: `)).toBe(true)
    expect((error as ChainError).message).toContain(`line ${line}`)
    expect(error instanceof ExtraneousPrivateKeyError).toBe(code === 'EXTRANEOUS_KEY')
    for (const pem of [key, keyPem(middle)]) expect(inspect(error, { depth: 10 })).not.toContain(pem.split('\n')[1])
  })

  it.each([
    ['an authority of the chain', middle, /"CN=middle" \(line \d+\), which is no leaf/],
    ['nobody here', issue(), /belongs to none of the certificates, which are "CN=example.org" \(line 1\)/],
  ])('is refused with the key of %s, as a mismatch', async (_, { keys }, says) => {
    const other = keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const error = await load({ cert: certPem(leaf, middle, root), key: other }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_KEY_MISMATCH', message: expect.stringMatching(says) })
    expect((error as Error).message.startsWith(`${label}: `)).toBe(true)
  })

  it.each<[string, IssueOptions]>([
    ['expired', { to: '20210101000000Z' }],
    ['not yet valid', { from: '20900101000000Z' }],
    ['of version 1', { version: 1 }],
    ['signed with SHA-1', { hash: 'sha1' }],
    ['with a key of 1024 bits', { key: 'RSA-1024' }],
    ['marked as an authority', { ca: true }],
    ['for servers only', { purposes: ['server'] }],
    ['for clients only', { purposes: ['client'] }],
    ['for no signing', { keyUsage: ['keyEncipherment'] }],
  ])('may hold a certificate of the small web: one %s', async (what, options) => {
    const own = issue({ names: [HOST], ...options })
    const outcome = await load({ cert: certPem(own), key: keyPem(own) }).catch((error: unknown) => error)
    // OpenSSL decides, and newer ones ask for more bits.
    if (what.includes('1024') && outcome instanceof Error) expect(outcome.message).toMatch(/key too small/)
    else expect((outcome as Certificate).equals(own.certificate)).toBe(true)
  })

  it('is refused with a key that TLS has no place for, of a leaf or of an authority', async () => {
    for (const kind of ['secp256k1', 'P-192'] as const) {
      const own = issue({ key: kind, names: [HOST] })
      const error = await load({ cert: certPem(own), key: keyPem(own) }).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_CONTEXT_INVALID', message: expect.stringContaining(kind) })
      expect((error as Error).message.startsWith(`${label}: `)).toBe(true)
    }
    const authority = issue({ subject: 'odd', ca: true, key: 'secp256k1' })
    const below = issue({ by: authority, names: [HOST] })
    await expect(load({ cert: certPem(below, authority), key: keyPem(below) })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CONTEXT_INVALID',
      message: expect.stringContaining('"CN=odd" has a key on the curve secp256k1'),
    })
  })
})

describe('over the wire', () => {
  it.each([
    ['createServer', createServer],
    ['createSecureServer', createSecureServer],
  ] as const)('%s sends the leaf first and no root, in whatever order the file has them', async (_, make) => {
    const context = await createServerContext({ certificates: [{ cert: certPem(root, middle, leaf), key }] })
    expect(await shownByServer(await listen(context, make))).toEqual(['example.org', 'middle'])
  })

  it('sends a root that is the leaf', async () => {
    const own = marked()
    const context = await createServerContext({ certificates: [{ cert: certPem(own), key: keyPem(own) }] })
    expect(await shownByServer(await listen(context))).toEqual(['example.org'])
  })

  it.each([
    ['text', () => ({ cert: certPem(root, middle, leaf), key })],
    ['a chain', () => ({ chain: keyedChain([leaf, middle, root]) })],
  ])('a client does the same, from %s', async (_, identity) => {
    const server = await testServer({
      onConnection: (socket) => setImmediate(() => socket.end(shownTo(socket).join())),
    })
    const endpoint = endpointFrom('localhost', server.port)
    const options = { endpoint, verify: dangerouslyAcceptAny(), identityOverTls12: 'allow' } as const
    const { stream } = await connect({ ...options, identity: identity() })
    expect(await text(stream)).toBe('example.org,middle')
  })
})

it('names the file in front, and once', async () => {
  const folder = await temporaryFolder()
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(certFile, certPem(leaf, root))
  await writeFile(keyFile, key)
  const error = await createServerContext({ certificates: [{ certFile, keyFile }] }).catch((caught: unknown) => caught)
  expect((error as ChainError).message).toMatch(/^certificates\[0\] \(.*cert\.pem\): "CN=root" \(line \d+\): no part/)
  expect((error as ChainError).message.split(certFile)).toHaveLength(2)
  await writeFile(keyFile, keyPem(root))
  await expect(createClientContext({ identity: { certFile, keyFile: certFile } })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_KEY_MALFORMED',
  })
  await writeFile(certFile, certPem(leaf))
  await expect(createClientContext({ identity: { certFile, keyFile } })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_KEY_MISMATCH',
    message: expect.stringContaining(`identity (${keyFile}): `),
  })
})

describe('a reload', () => {
  it('refuses a chain file that has got something into it, and keeps what was', async () => {
    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await writeFile(certFile, certPem(leaf, middle))
    await writeFile(keyFile, key)
    const context = await createServerContext({ certificates: [{ certFile, keyFile }] })
    const port = await listen(context)
    await writeFile(certFile, certPem(leaf, middle, issue({ subject: 'stranger', ca: true })))
    await expect(context.reload()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_EXTRANEOUS_CERTIFICATE' })
    expect(await shownByServer(port)).toEqual(['example.org', 'middle'])
    await writeFile(certFile, certPem(middle, leaf))
    expect((await context.reload()).certificates[0]?.chain[0]?.equals(leaf.certificate)).toBe(true)
  })

  it('keeps a chain that was given, beside files that change', async () => {
    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const write = async (own: Issued): Promise<void> => {
      await writeFile(certFile, certPem(own))
      await writeFile(keyFile, keyPem(own))
    }
    const other = (subject: string): Issued => issue({ subject, names: [[2, 'other.example']] })
    await write(other('before'))
    const chain = keyedChain([leaf, middle, root])
    const context = await createServerContext({ certificates: [{ chain }, { certFile, keyFile }] })
    const port = await listen(context)
    expect((await context.reload()).changed).toBe(false)
    expect(await shownByServer(port, 'other.example')).toEqual(['before'])
    await write(other('after'))
    expect((await context.reload()).changed).toBe(true)
    expect(await shownByServer(port, 'other.example')).toEqual(['after'])
    expect(await shownByServer(port)).toEqual(['example.org', 'middle'])
    expect(context.certificates[0]?.chain).toBe(chain.sent)
  })
})

describe('a chain that was made before', () => {
  it('answers to its own names, or to those that are given', async () => {
    const second = keyedChain([issue({ subject: 'second', names: [[2, 'second.example']] })])
    const port = await listen(
      await createServerContext({
        certificates: [{ chain: keyedChain([leaf]) }, { chain: second, hostnames: ['*.other.example'] }],
      }),
    )
    expect(await shownByServer(port, 'a.other.example')).toEqual(['second'])
    expect(await shownByServer(port, 'second.example')).toEqual(['example.org'])
    const byItsNames = await createServerContext({ certificates: [{ chain: keyedChain([leaf]) }, { chain: second }] })
    expect(byItsNames.certificates.map(({ label, hostnames }) => [label, hostnames])).toEqual([
      ['certificates[0]', ['www.example.org']],
      ['certificates[1]', ['second.example']],
    ])
  })

  it('is refused by the label of its entry if TLS has no place for its key', async () => {
    const chain = keyedChain([issue({ key: 'P-192' })], { purpose: 'client' })
    const code = 'ERR_TLACACOCA_CONTEXT_INVALID'
    const certificates = [{ chain: keyedChain([leaf]) }, { chain, hostnames: ['a.example'] }]
    await expect(createServerContext({ certificates })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/^certificates\[1\]: TLS cannot carry .*P-192/),
    })
    await expect(createClientContext({ identity: { chain } })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/^identity: TLS cannot carry/),
    })
  })

  it('counts among the types of keys, which Node mixes up', async () => {
    const edwards = keyedChain([issue({ key: 'Ed25519', names: [[2, 'other.example']] })])
    const context = await createServerContext({ certificates: [{ chain: keyedChain([leaf]) }, { chain: edwards }] })
    expect(() => context.options).toThrow(/different types \(ec, ed25519\)/)
  })

  const chain = keyedChain([leaf])
  it.each([
    ['with a passphrase', { chain, passphrase: 'open sesame' }, /has no option "passphrase"/],
    ['beside a key', { chain, key }, /has no option "key"/],
    ['beside files', { chain, certFile: 'a', keyFile: 'b' }, /has no option "(certFile|keyFile)"/],
    ['that is undefined', { chain: undefined }, /chain" expected a KeyedChain, got undefined/],
    ['that is a copy of one', { chain: { ...chain } }, /chain" expected a KeyedChain, got an object/],
    ['that is a certificate', { chain: leaf.certificate }, /chain" expected a KeyedChain, got an object/],
  ])('is a mistake of the program %s', async (_, source, message) => {
    const wrong = source as unknown as { chain: KeyedChain }
    for (const attempt of [createServerContext({ certificates: [wrong] }), createClientContext({ identity: wrong })]) {
      await expect(attempt).rejects.toThrow(TypeError)
      await expect(attempt).rejects.toThrow(message)
    }
  })
})
