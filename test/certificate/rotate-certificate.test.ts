import { createPrivateKey } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { loadCertificateBuilder } from '../../src/certificate/certificate-builder.ts'
import { type GeneratedCertificate, generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { parseCertificates } from '../../src/certificate/load.ts'
import { readNameFields } from '../../src/certificate/name-fields.ts'
import { decryptPrivateKey, encryptPrivateKey, loadPrivateKey } from '../../src/certificate/private-key.ts'
import { renewCertificate } from '../../src/certificate/renew.ts'
import { type RotateOptions, rotateCertificate } from '../../src/certificate/rotate-certificate.ts'
import { signerFor } from '../../src/certificate/signing.ts'
import { testCertificate } from '../support/certificates.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'

const now = Date.parse('2031-01-01T00:00:00Z')
const clock = () => now

let old: GeneratedCertificate
let options: RotateOptions
beforeAll(async () => {
  old = await generateSelfSignedCertificate({
    hostname: 'example.org',
    subjectAltNames: ['*.example.org', '::1'],
    organization: 'Ö, O=x',
    usage: 'both',
    clock: () => Date.parse('2030-12-01T00:00:00Z'),
  })
  options = { certificate: old.certificate, privateKey: old.privateKeyPem, clock }
})

describe('a rotated certificate', () => {
  it('has a new key, is issued by the old one, and keeps the names, the usages and the other extensions', async () => {
    const { certificate, certificatePem, privateKeyPem, chainPem, fingerprint } = await rotateCertificate(options)
    expect(certificate.publicKeyFingerprint).not.toBe(old.certificate.publicKeyFingerprint)
    expect(certificate.toX509Certificate().checkPrivateKey(createPrivateKey(privateKeyPem))).toBe(true)
    expect(certificate.toX509Certificate().verify(old.certificate.publicKey())).toBe(true)
    expect(certificate.toX509Certificate().verify(certificate.publicKey())).toBe(false)
    expect(certificate.issuerDer).toEqual(old.certificate.subjectDer)
    expect(String(certificate.subject)).toBe('GN=2,CN=example.org,O=Ö\\, O=x')
    expect(certificate.subjectAltNames).toEqual(old.certificate.subjectAltNames)
    expect(certificate.keyUsage).toEqual(['digitalSignature'])
    expect(certificate.extendedKeyUsage).toEqual(['serverAuth', 'clientAuth'])
    expect([certificate.isCA, certificate.version]).toEqual([false, 3])
    expect(certificate.authorityKeyIdentifier).toBe(old.certificate.subjectKeyIdentifier)
    expect(certificate.subjectKeyIdentifier).not.toBe(old.certificate.subjectKeyIdentifier)
    expect(certificate.serialNumber).toMatch(/^[0-9a-f]{32}$/)
    expect(certificatePem).toBe(certificate.toPem())
    expect(fingerprint).toBe(certificate.fingerprint)
    expect(parseCertificates(chainPem).map((each) => each.fingerprint)).toEqual([fingerprint, old.fingerprint])
  })

  it.each([
    [{}, '2030-12-31T23:00:00.000Z', '2032-01-01T00:00:00.000Z'],
    [{ validDays: 2 }, '2030-12-31T23:00:00.000Z', '2031-01-03T00:00:00.000Z'],
    [{ notAfter: new Date('9999-12-31T23:59:59Z') }, '2030-12-31T23:00:00.000Z', '9999-12-31T23:59:59.000Z'],
    [
      { notBefore: new Date('2035-01-01T00:00:00Z'), validDays: 1 },
      '2035-01-01T00:00:00.000Z',
      '2035-01-02T00:00:00.000Z',
    ],
  ])('has dates of its own, as a renewal: %o', async (dates, notBefore, notAfter) => {
    const { certificate } = await rotateCertificate({ ...options, ...dates })
    expect(certificate.notBefore.toISOString()).toBe(notBefore)
    expect(certificate.notAfter.toISOString()).toBe(notAfter)
  })

  it('can be made when the old one has expired: who forgot to renew in time needs it most', async () => {
    const { certificate } = await rotateCertificate({ ...options, clock: () => Date.parse('2040-01-01T00:00:00Z') })
    expect(certificate.toX509Certificate().verify(old.certificate.publicKey())).toBe(true)
    expect(certificate.notAfter.toISOString()).toBe('2040-12-31T00:00:00.000Z')
  })

  it('is followed by the next one, which counts on', async () => {
    let { certificate, privateKeyPem }: GeneratedCertificate = old
    for (const number of [2, 3, 4]) {
      const next = await rotateCertificate({ certificate, privateKey: privateKeyPem, clock })
      expect(next.certificate.subject.valuesOf('GN')).toEqual([String(number)])
      expect(next.certificate.subject.valuesOf('CN')).toEqual(['example.org'])
      expect(next.certificate.issuerDer).toEqual(certificate.subjectDer)
      expect(next.certificate.toX509Certificate().verify(certificate.publicKey())).toBe(true)
      expect(next.certificate.extensions.map(({ oid }) => oid).toSorted()).toEqual(
        [...old.certificate.extensions.map(({ oid }) => oid), '2.5.29.35'].toSorted(),
      )
      expect(next.certificate.authorityKeyIdentifier).toBe(certificate.subjectKeyIdentifier)
      ;({ certificate, privateKeyPem } = next)
    }
  })

  it('can be renewed: its key signs for itself then, and its name stays', async () => {
    const rotated = await rotateCertificate(options)
    const renewed = await renewCertificate({
      certificate: rotated.certificate,
      privateKey: rotated.privateKeyPem,
      clock,
    })
    expect(renewed.certificate.publicKeyFingerprint).toBe(rotated.certificate.publicKeyFingerprint)
    expect(renewed.certificate.subjectDer).toEqual(rotated.certificate.subjectDer)
    expect(renewed.certificate.isSelfIssued).toBe(true)
    expect(renewed.certificate.toX509Certificate().verify(renewed.certificate.publicKey())).toBe(true)
    const again = await rotateCertificate({
      certificate: renewed.certificate,
      privateKey: rotated.privateKeyPem,
      clock,
    })
    expect(String(again.certificate.subject)).toContain('GN=3,')
  })
})

describe('the keys', () => {
  const KINDS = ['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'secp256k1', 'brainpoolP512r1'] as const

  it.each(KINDS)('stay of the kind they were, %s', async (key) => {
    const { certificate, keyPem } = await testCertificate({ key })
    const next = await rotateCertificate({ certificate, privateKey: keyPem })
    const facts = ({ keyType, keyCurve, keySize }: Certificate) => [keyType, keyCurve, keySize]
    expect(facts(next.certificate)).toEqual(facts(certificate))
    expect(next.certificate.signatureAlgorithm).toEqual(certificate.signatureAlgorithm)
    expect(next.certificate.toX509Certificate().verify(certificate.publicKey())).toBe(true)
  })

  it.each(KINDS.flatMap((before) => [[before, before === 'Ed25519' ? 'RSA-2048' : 'Ed25519'] as const]))(
    'can be of another kind than before: %s, then %s',
    async (before, after) => {
      const { certificate, keyPem } = await testCertificate({ key: before })
      const next = await rotateCertificate({ certificate, privateKey: keyPem, key: after })
      expect(next.certificate.keyType).toBe(after === 'Ed25519' ? 'ed25519' : 'rsa')
      expect(next.certificate.toX509Certificate().verify(certificate.publicKey())).toBe(true)
      expect(next.certificate.toX509Certificate().checkPrivateKey(createPrivateKey(next.privateKeyPem))).toBe(true)
    },
  )

  it('may have been encrypted, and the new one is encrypted with the same passphrase then, or with its own', async () => {
    const passphrase = 'secret'
    const privateKey = await encryptPrivateKey(old.privateKeyPem, { passphrase, derivation: 'pbkdf2' })
    const same = await rotateCertificate({ ...options, privateKey, passphrase })
    expect(same.privateKeyPem).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    expect(await decryptPrivateKey(same.privateKeyPem, { passphrase })).toContain('BEGIN PRIVATE KEY')
    const other = await rotateCertificate({ ...options, privateKey, passphrase, newPassphrase: Buffer.from('other') })
    await expect(loadPrivateKey(other.privateKeyPem, { passphrase })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    })
    const key = await loadPrivateKey(other.privateKeyPem, { passphrase: 'other' })
    expect(other.certificate.toX509Certificate().checkPrivateKey(key)).toBe(true)
    const first = await rotateCertificate({ ...options, newPassphrase: 'first' })
    expect(first.privateKeyPem).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    expect((await rotateCertificate(options)).privateKeyPem).toContain('BEGIN PRIVATE KEY')
  })
})

describe('the names', () => {
  const { key: privateKey, certPem, certificate: forged } = forgeCertificate({ commonName: 'example.org' })

  it('of a certificate with a common name alone become alternative names too', async () => {
    const { certificate } = await rotateCertificate({ certificate: certPem, privateKey })
    expect(certificate.subjectAltNames.dns).toEqual(['example.org'])
    expect(String(certificate.subject)).toBe('GN=2,CN=example.org')
  })

  it.each([
    ['192.0.2.7', { ip: ['192.0.2.7'] }],
    ['*.example.org', { dns: ['*.example.org'] }],
    ['EXAMPLE.org', { dns: ['example.org'] }],
  ])('are taken from the common name %s', async (commonName, names) => {
    const former = forgeCertificate({ commonName })
    const { certificate } = await rotateCertificate({ certificate: former.certPem, privateKey: former.key })
    expect(certificate.subjectAltNames).toMatchObject(names)
  })

  it.each([
    [
      'of the common name, if it is among them',
      { hostname: 'a.example', subjectAltNames: ['b.example'], commonName: 'b.example' },
      'b.example',
    ],
    [
      'that is the first plain one, if the common name is none',
      { hostname: '*.example', subjectAltNames: ['b.example'], commonName: 'A capsule' },
      'b.example',
    ],
    ['that is a wildcard, if there is no other', { hostname: '*.a.example' }, '*.a.example'],
    ['that is an address, if there is no other', { hostname: '::1', commonName: 'A capsule' }, '::1'],
  ])('have the host as common name: the one %s', async (_, wanted, commonName) => {
    const { certificate, privateKeyPem } = await generateSelfSignedCertificate(wanted)
    const next = await rotateCertificate({ certificate, privateKey: privateKeyPem })
    expect(next.certificate.subject.valuesOf('CN')).toEqual([commonName])
    expect(next.certificate.subjectAltNames).toEqual(certificate.subjectAltNames)
    // The common name may be another one than before; it is a rotation of this server all the same.
    const third = await rotateCertificate({ certificate: next.certificate, privateKey: next.privateKeyPem })
    expect(third.certificate.subject.valuesOf('GN')).toEqual(['3'])
  })

  it('have no common name if the host is too long for one', async () => {
    const hostname = `${'a'.repeat(60)}.${'b'.repeat(60)}.example`
    const { certificate, privateKeyPem } = await generateSelfSignedCertificate({ hostname })
    const next = await rotateCertificate({ certificate, privateKey: privateKeyPem })
    expect(String(next.certificate.subject)).toBe('GN=2')
    expect(next.certificate.subjectAltNames.dns).toEqual([hostname])
  })

  it.each([
    [
      [
        ['O', 'x'],
        ['CN', 'example.org'],
        ['GN', 'Mary'],
      ],
      'GN=2,CN=example.org,GN=Mary,O=x',
    ],
    [
      [
        ['GN', '7'],
        ['CN', 'example.org'],
        ['OU', 'y'],
      ],
      'GN=8,CN=example.org,OU=y',
    ],
    [
      [
        ['CN', 'example.org'],
        ['GN', '007'],
      ],
      'GN=2,CN=example.org,GN=007',
    ],
    [
      [
        ['CN', 'old'],
        ['CN', 'example.org'],
        ['serialNumber', '5'],
      ],
      'GN=2,CN=example.org,serialNumber=5',
    ],
  ] as const)('keep what else there is: %j', async (fields, subject) => {
    const certificate = await named(fields)
    const next = await rotateCertificate({ certificate, privateKey })
    expect(String(next.certificate.subject)).toBe(subject)
  })

  it.each([
    [
      'another organization',
      [
        ['O', 'other'],
        ['GN', '2'],
      ],
      [['O', 'CA']],
    ],
    ['an organization more', [['GN', '2']], [['O', 'CA']]],
    ['a number that does not follow', [['GN', '3']], []],
    [
      'the number of the issuer',
      [
        ['GN', '2'],
        ['O', 'x'],
      ],
      [['GN', '2']],
    ],
    ['no number', [['CN', 'example.org']], [['CN', 'CA']]],
  ] as const)('do not make a rotation of what an authority issued: %s', async (_, subject, issuer) => {
    const certificate = await named(subject, issuer)
    await expect(rotateCertificate({ certificate, privateKey })).rejects.toThrow('somebody else')
    await expect(renewCertificate({ certificate, privateKey })).rejects.toThrow('somebody else')
  })

  type Fields = readonly (readonly [string, string])[]

  /** A certificate for example.org with these names. Who signed it does not matter here. */
  async function named(fields: Fields, issuerFields = fields): Promise<Certificate> {
    const builder = await loadCertificateBuilder()
    const [subject, issuer] = [builder.name(readNameFields(fields)), builder.name(readNameFields(issuerFields))]
    const spki = forged.subjectPublicKeyInfo
    const validity = { notBefore: new Date('2020-01-01'), notAfter: new Date('2049-01-01') }
    const names = { dns: ['example.org'], ip: [], email: [], uri: [] }
    const extensions = [builder.extensions.subjectAltName(names, { critical: false })]
    return builder.build({ issuer, subject, validity, spki, extensions }, signerFor(privateKey, spki))
  }
})

describe('what a server is to show', () => {
  it.each([
    ['an ordinary certificate', false],
    ['one that may sign others, as a Misfin server has', true],
  ])('is taken by a keyed chain: %s', async (_, isCA) => {
    const first = await generateSelfSignedCertificate({ hostname: 'example.org', isCA })
    const second = await rotateCertificate({ certificate: first.certificate, privateKey: first.privateKeyPem })
    const third = await rotateCertificate({ certificate: second.certificate, privateKey: second.privateKeyPem })
    for (const { chainPem, certificatePem, certificate, privateKeyPem: key } of [second, third]) {
      expect(certificate.isCA).toBe(isCA)
      const chain = await KeyedChain.fromPem({ cert: chainPem, key, rules: 'smallweb' })
      expect(chain.sent.map((each) => each.toPem()).join('')).toBe(chainPem)
      // As it is served, it can be read for what comes next.
      expect((await rotateCertificate({ certificate: chainPem, privateKey: key })).certificate.issuerDer).toEqual(
        certificate.subjectDer,
      )
      const bytes = Buffer.from(chainPem)
      const renewed = await renewCertificate({ certificate: bytes, privateKey: key })
      expect(renewed.certificate.publicKeyFingerprint).toBe(certificate.publicKeyFingerprint)
      const alone = await KeyedChain.fromPem({ cert: certificatePem, key, rules: 'smallweb' })
      expect(alone.sent).toHaveLength(1)
    }
  })

  it('does not make a chain of the old certificate and another one that only has the names', async () => {
    const second = await rotateCertificate(options)
    const namesake = await generateSelfSignedCertificate({ hostname: 'example.org', organization: 'Ö, O=x' })
    const cert = second.certificatePem + namesake.certificatePem
    await expect(KeyedChain.fromPem({ cert, key: second.privateKeyPem, rules: 'smallweb' })).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_TLACACOCA_CHAIN_/),
    })
  })
})

describe('rotateCertificate refuses', () => {
  const unsupported = 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED'

  it('the key of another certificate', async () => {
    const { privateKeyPem: privateKey } = await generateSelfSignedCertificate({ hostname: 'example.org' })
    await expect(rotateCertificate({ ...options, privateKey })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_MISMATCH',
    })
  })

  it.each([
    ['a mailbox, which its server issues', { hostname: 'example.org', userId: 'mary' }, 'a mailbox'],
    ['an identity of a client', { usage: 'client', commonName: 'example.org' }, 'not for servers'],
    ['one for no host', { usage: 'client', commonName: 'Ana' }, 'not for servers'],
  ] as const)('%s', async (_, made, message) => {
    const { certificate, privateKeyPem: privateKey } = await generateSelfSignedCertificate(made)
    await expect(rotateCertificate({ certificate, privateKey })).rejects.toMatchObject({
      code: unsupported,
      message: expect.stringContaining(message),
    })
  })

  it('a certificate that names no host', async () => {
    const { certPem: certificate, key: privateKey } = forgeCertificate({ commonName: 'A capsule' })
    await expect(rotateCertificate({ certificate, privateKey })).rejects.toMatchObject({
      code: unsupported,
      message: expect.stringContaining('a host'),
    })
  })

  it('a certificate that an authority issued', async () => {
    const issuer = forgeCertificate({ commonName: 'authority', ca: true })
    const { certPem: certificate, key: privateKey } = forgeCertificate({ issuer, hosts: ['example.org'] })
    await expect(rotateCertificate({ certificate, privateKey })).rejects.toMatchObject({
      code: unsupported,
      message: expect.stringContaining('somebody else'),
    })
  })

  it('an encrypted key without its passphrase, or with another', async () => {
    const privateKey = await encryptPrivateKey(old.privateKeyPem, { passphrase: 'secret', derivation: 'pbkdf2' })
    await expect(rotateCertificate({ ...options, privateKey })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
    })
    await expect(rotateCertificate({ ...options, privateKey, passphrase: 'x' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    })
  })

  it('what is no certificate', async () => {
    await expect(rotateCertificate({ ...options, certificate: 'x' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED',
    })
  })

  it.each([
    ['"notAfter"', { notAfter: new Date('2030-12-31T00:00:00Z') }],
    ['"validDays"', { validDays: 0 }],
    ['exclude each other', { validDays: 1, notAfter: new Date('2040-01-01T00:00:00Z') }],
    ['"key" expected one of', { key: 'RSA-1024' }],
    ['"newPassphrase" expected', { newPassphrase: undefined }],
    ['"newPassphrase" expected', { newPassphrase: '' }],
    ['no option "passPhrase"', { passPhrase: 'secret' }],
    ['"privateKey" expected PEM or DER', { privateKey: undefined }],
  ])('misuse: %s', async (message, change) => {
    await expect(rotateCertificate({ ...options, ...change } as RotateOptions)).rejects.toThrow(message)
  })
})
