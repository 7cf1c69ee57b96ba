import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPem } from '../../../src/certificate/pem.ts'
import { readIdentities } from '../../../src/identity/formats/read-identities.ts'
import { issue } from '../../support/issued-certificates.ts'
import { openssl } from '../../support/openssl.ts'
import { rsaPrivateKey } from '../../support/rsa-der.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { madeIdentity, opensslIdentity } from './made-identities.ts'

const ana = await madeIdentity('Ana')
const ben = await madeIdentity('Ben')

async function read(pem: string | { cert: string; key: string }, passphrase?: string) {
  const { identities, problems } = await readIdentities({ pem }, passphrase === undefined ? {} : { passphrase })
  return { found: identities.map(({ certificate }) => certificate.fingerprint), identities, problems }
}
const codes = (problems: readonly { readonly code: string }[]) =>
  problems.map(({ code }) => code.replace('ERR_TLACACOCA_', ''))

it('reads a pair', async () => {
  const { identities, problems } = await read({ cert: ana.certPem, key: ana.keyPem })
  expect(problems).toEqual([])
  expect(identities).toHaveLength(1)
  const [identity] = identities
  expect(identity?.certificate.equals(ana.certificate)).toBe(true)
  expect(identity?.privateKey.equals(ana.privateKey)).toBe(true)
  expect(identity).toMatchObject({ chain: [], name: null, notes: null, scopes: [], temporary: false })
  expect(Object.isFrozen(identity)).toBe(true)
})

it.each([
  { order: 'certificate and key', pem: ana.certPem + ana.keyPem },
  { order: 'key and certificate', pem: ana.keyPem + ana.certPem },
  {
    order: 'both in Windows lines with words around',
    pem: `Ana:\n${ana.keyPem}and\n${ana.certPem}`.replaceAll('\n', '\r\n'),
  },
  { order: 'everything twice', pem: ana.certPem + ana.keyPem + ana.keyPem + ana.certPem },
])('reads a combined text: $order', async ({ pem }) => {
  const { found, problems } = await read(pem)
  expect(problems).toEqual([])
  expect(found).toEqual([ana.certificate.fingerprint])
})

it('reads several identities out of one text, whatever their order', async () => {
  const { found, problems } = await read(ana.certPem + ben.certPem + ben.keyPem + ana.keyPem)
  expect(problems).toEqual([])
  expect([...found].sort()).toEqual([ana.certificate.fingerprint, ben.certificate.fingerprint].sort())
})

it('finds the certificates above one', async () => {
  const root = issue({ subject: 'Root', ca: true })
  const leaf = issue({ subject: 'Ana', by: root })
  const key = leaf.keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const { identities, problems } = await read(root.certificate.toPem() + key + leaf.certificate.toPem())
  expect(problems).toEqual([])
  expect(identities[0]?.certificate.equals(leaf.certificate)).toBe(true)
  expect(identities[0]?.chain.map(({ fingerprint }) => fingerprint)).toEqual([root.certificate.fingerprint])
})

describe('keys that openssl makes', () => {
  it.each([
    { kind: 'EC', command: ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'] },
    { kind: 'EC in the old form, with parameters', command: ['ecparam', '-name', 'prime256v1', '-genkey'] },
    { kind: 'RSA', command: ['genpkey', '-algorithm', 'RSA'] },
    { kind: 'RSA in the old form', command: ['genrsa', '-traditional'] },
    { kind: 'Ed25519', command: ['genpkey', '-algorithm', 'ED25519'] },
    { kind: 'Ed448', command: ['genpkey', '-algorithm', 'ED448'] },
  ])('reads $kind', async ({ command }) => {
    const made = await opensslIdentity(await temporaryFolder(), 'ana', command)
    const { found, problems } = await read(made.keyPem + made.certPem)
    expect(problems).toEqual([])
    expect(found).toEqual([made.certificate.fingerprint])
  })

  it.each([
    { kind: 'PKCS#8', args: ['pkcs8', '-topk8', '-v2', 'aes-256-cbc'] },
    { kind: 'the old form', args: ['ec', '-aes256'] },
  ])('opens one that is encrypted as $kind, with its passphrase only', async ({ args }) => {
    const folder = await temporaryFolder()
    const made = await opensslIdentity(folder, 'ana', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout'])
    openssl([...args, '-in', made.key, '-out', join(folder, 'closed'), '-passout', 'pass:secret'])
    const pem = (await readFile(join(folder, 'closed'), 'utf8')) + made.certPem

    expect(await read(pem, 'secret')).toMatchObject({ found: [made.certificate.fingerprint], problems: [] })
    const without = await read(pem)
    expect(without.found).toEqual([])
    expect(codes(without.problems)).toEqual(['KEY_PASSPHRASE_REQUIRED', 'IDENTITY_KEY_MISSING'])
    expect(without.problems[0]).toMatchObject({ line: 1, message: expect.stringContaining('"passphrase"') })
    const wrong = await read(pem, 'guess')
    expect(codes(wrong.problems)).toEqual(['KEY_PASSPHRASE_WRONG', 'IDENTITY_KEY_MISSING'])
    expect(JSON.stringify(wrong.problems)).not.toMatch(/guess|secret/)
  })
})

describe('what is wrong with one identity leaves the others alone', () => {
  const good = ben.certPem + ben.keyPem
  const bare = ana.certPem.trimEnd().split('\n')
  interface Row {
    readonly pem: string
    readonly code: string
    readonly line?: number
  }
  const lineOf = (pem: string, text: string) => pem.slice(0, pem.indexOf(text)).split('\n').length

  it.each([
    { what: 'a certificate without its key', pem: ana.certPem, code: 'IDENTITY_KEY_MISSING' },
    { what: 'a key without its certificate', pem: ana.keyPem, code: 'IDENTITY_CERTIFICATE_MISSING' },
    {
      what: 'a block that does not end',
      pem: `${bare.slice(0, -1).join('\n')}\n`,
      line: bare.length,
      code: 'IDENTITY_FORMAT_INVALID',
    },
    { what: 'a block that is no base64', pem: ana.certPem.replace('\nMII', '\n!II'), code: 'IDENTITY_FORMAT_INVALID' },
    {
      what: 'a request',
      pem: ana.certPem.replaceAll('CERTIFICATE', 'CERTIFICATE REQUEST'),
      code: 'IDENTITY_FORMAT_UNSUPPORTED',
    },
    {
      what: 'a block that is called a certificate',
      pem: ana.keyPem.replaceAll('PRIVATE KEY', 'CERTIFICATE'),
      code: 'CERTIFICATE_MALFORMED',
    },
    {
      what: 'a block that is called a key',
      pem: ana.certPem.replaceAll('CERTIFICATE', 'PRIVATE KEY'),
      code: 'KEY_MALFORMED',
    },
    {
      what: 'a key of SSH',
      pem: ana.keyPem.replaceAll('PRIVATE', 'OPENSSH PRIVATE'),
      code: 'IDENTITY_FORMAT_UNSUPPORTED',
    },
  ])('$what', async ({ pem, code, line = 1 }: Row) => {
    for (const text of [pem + good, `${good}# here\n${pem}`]) {
      const { found, problems } = await read(text)
      expect(found).toEqual([ben.certificate.fingerprint])
      expect(codes(problems)).toEqual([code])
      expect(problems[0]?.line).toBe(text.startsWith(good) ? lineOf(text, '# here') + line : 1)
      expect(problems[0]?.message).toContain(`line ${problems[0]?.line}: `)
    }
  })

  it('a key of another certificate', async () => {
    const { found, problems } = await read({ cert: good + ana.certPem, key: (await madeIdentity()).keyPem })
    expect(found).toEqual([ben.certificate.fingerprint])
    expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_KEY_MISMATCH', file: 'pem.key', line: 1 }])
    expect(problems[0]?.message).toContain(ana.certificate.fingerprint)
  })
})

it('says of each of several keys that it belongs to none of the certificates, with its place', async () => {
  const { keyPem } = await madeIdentity()
  const { found, problems } = await read({ cert: ana.certPem, key: ben.keyPem + keyPem })
  expect(found).toEqual([])
  const wrong = { code: 'ERR_TLACACOCA_KEY_MISMATCH', file: 'pem.key' }
  const lines = ben.keyPem.trimEnd().split('\n').length
  expect(problems).toMatchObject([
    { ...wrong, line: 1, message: 'pem.key, line 1: the private key belongs to none of the certificates' },
    { ...wrong, line: lines + 1 },
    { code: 'ERR_TLACACOCA_IDENTITY_KEY_MISSING', file: 'pem.cert', line: 1 },
  ])
})

it('says of a PKCS#12 file what belongs to nothing in it', async () => {
  const folder = await temporaryFolder()
  const [cert, pkcs12] = [join(folder, 'ana.crt'), join(folder, 'ana.p12')]
  await writeFile(cert, ana.certPem)
  openssl(['pkcs12', '-export', '-nokeys', '-in', cert, '-passout', 'pass:secret', '-out', pkcs12])
  const { identities, problems } = await readIdentities({ pkcs12: await readFile(pkcs12), passphrase: 'secret' })
  expect(identities).toEqual([])
  expect(problems).toMatchObject([
    {
      code: 'ERR_TLACACOCA_IDENTITY_KEY_MISSING',
      message: `the private key of the certificate ${ana.certificate.fingerprint} is missing`,
      file: null,
      line: null,
    },
  ])
})

it('does not take two halves of two keys for a pair', async () => {
  // A key file carries a public half of its own. Here it is that of the certificate, and the secret is somebody else's.
  const mixed = ana.privateKey.export({ format: 'der', type: 'pkcs8' })
  ben.privateKey.export({ format: 'der', type: 'pkcs8' }).copy(mixed, 36, 36, 68)
  const { found, problems } = await read(ana.certPem + formatPem('PRIVATE KEY', mixed))
  expect(found).toEqual([])
  expect(problems.length).toBeGreaterThan(0)
})

it('says of a text without a block what it is', async () => {
  expect((await read('hello')).problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_INVALID', line: null }])
  expect((await read('')).problems).toHaveLength(1)
})

it('shows nothing of a damaged key', async () => {
  const { problems } = await read(ana.keyPem.replace('\nM', '\n!'))
  const secret = ana.keyPem.split('\n')[1] ?? ''
  expect(JSON.stringify(problems)).not.toContain(secret.slice(1, 20))
})

it('reads no more than 2,000 certificates and keys', async () => {
  const { found, problems } = await read(ana.certPem.repeat(1_999) + ana.keyPem + ben.certPem + ben.keyPem)
  expect(found).toEqual([ana.certificate.fingerprint])
  expect(codes(problems)).toEqual(['IDENTITY_FORMAT_EXCESSIVE'])
})

it('opens no more than 32 encrypted keys', async () => {
  // The old form is opened in no time.
  const encrypted = openssl(['ec', '-aes256', '-passout', 'pass:secret'], ana.keyPem)
  const { problems } = await read(encrypted.repeat(33) + ana.certPem, 'guess')
  expect(codes(problems).filter((code) => code === 'KEY_PASSPHRASE_WRONG')).toHaveLength(32)
  expect(codes(problems)).toContain('IDENTITY_FORMAT_EXCESSIVE')
})

it('does not sign with an RSA key that takes long to sign with', async () => {
  // No such key was ever made; only its size counts.
  const { n: _, ...jwk } = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'jwk' })
  const { e, d, p, q, dp, dq, qi } = jwk
  const numbers = [e, d, p, q, dp, dq, qi].map((part = '') => Buffer.from(part, 'base64url'))
  const der = rsaPrivateKey(Buffer.alloc(8200 / 8, 0xff), ...numbers)
  const huge = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
  const { found, problems } = await read(huge + ben.certPem + ben.keyPem)
  expect(found).toEqual([ben.certificate.fingerprint])
  expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE', line: 1 }])
  expect(problems[0]?.message).toContain('8200 bits')
})

it('lists no more than a thousand problems', async () => {
  const { problems } = await read('-----BEGIN X-----\nAA==\n-----END X-----\n'.repeat(3_000))
  expect(problems).toHaveLength(1_001)
  expect(problems.at(-1)?.code).toBe('ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE')
})

it('refuses a text of more than 4 MiB', async () => {
  await expect(read(' '.repeat(4 * 1024 * 1024 + 1))).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE',
  })
})

it('reads a text of edges only', async () => {
  const { problems } = await read('-----BEGIN CERTIFICATE-----\n'.repeat(100_000))
  expect(problems).toHaveLength(1_001)
})

it.each([
  { what: 'nothing', source: {} },
  { what: 'two sources', source: { pem: '', lagrange: '.' } },
  { what: 'a misspelt source', source: { pen: '' } },
  { what: 'a pair without its key', source: { pem: { cert: '' } } },
  { what: 'a passphrase in the wrong place', source: { pem: '', passphrase: 'secret' } },
  { what: 'bytes for a text', source: { pem: Buffer.alloc(0) } },
  { what: 'a number for a certificate', source: { kristall: { cert: 5, key: '' } } },
  { what: 'nothing for a key', source: { kristall: { cert: '' } } },
])('calls $what a mistake of the program', async ({ source }) => {
  await expect(readIdentities(source as never)).rejects.toBeInstanceOf(TypeError)
})

it('calls a passphrase of the wrong type a mistake of the program, without showing it', async () => {
  const failure = readIdentities({ pem: '' }, { passphrase: 4711 as never })
  await expect(failure).rejects.toThrow(/^"passphrase" expected a string or bytes/)
  await expect(failure).rejects.not.toThrow(/4711/)
})

it('loses nobody by damage to somebody else, whatever it is', async () => {
  const before = ana.certPem + ana.keyPem
  const damage = fc.record({ at: fc.nat(before.length - 1), length: fc.nat(80), text: fc.string({ maxLength: 20 }) })
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, length, text }) => {
      const damaged = before.slice(0, at) + text + before.slice(Math.min(at + length, before.length - 1))
      const { found, problems } = await read(damaged + ben.certPem + ben.keyPem)
      expect(found).toContain(ben.certificate.fingerprint)
      expect(found.length).toBeLessThanOrEqual(2)
      for (const { message } of problems) expect(message).not.toMatch(/[\x00-\x1f]/)
    }),
  )
})
