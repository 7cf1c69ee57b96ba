import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
import { type GeneratedCertificate, generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { encryptPrivateKey } from '../../src/certificate/private-key.ts'
import { type RenewOptions, renewCertificate } from '../../src/certificate/renew.ts'
import { testCertificate } from '../support/certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const now = Date.parse('2031-01-01T00:00:00Z')
const clock = () => now

let old: GeneratedCertificate
let options: RenewOptions
beforeAll(async () => {
  old = await generateSelfSignedCertificate({
    hostname: 'example.org',
    subjectAltNames: ['*.example.org', '::1'],
    organization: 'Ö, O=x',
    userId: 'mary',
    usage: 'both',
    clock: () => Date.parse('2030-01-01T00:00:00Z'),
  })
  options = { certificate: old.certificate, privateKey: old.privateKeyPem, clock }
})

describe('a renewed certificate', () => {
  it('keeps the key, the names, the usages, and has dates and a serial number of its own', async () => {
    const { certificate, certificatePem, fingerprint } = await renewCertificate(options)
    expect(certificate.subjectDer).toEqual(old.certificate.subjectDer)
    expect(certificate.issuerDer).toEqual(old.certificate.issuerDer)
    expect(certificate.publicKeyFingerprint).toBe(old.certificate.publicKeyFingerprint)
    expect(certificate.extensions).toEqual(old.certificate.extensions)
    expect(certificate.notBefore.toISOString()).toBe('2030-12-31T23:00:00.000Z')
    expect(certificate.notAfter.toISOString()).toBe('2032-01-01T00:00:00.000Z')
    expect(certificate.serialNumber).toMatch(/^[0-9a-f]{32}$/)
    expect(certificate.serialNumber).not.toBe(old.certificate.serialNumber)
    expect(certificate.toX509Certificate().verify(old.certificate.publicKey())).toBe(true)
    expect(certificatePem).toBe(certificate.toPem())
    expect(fingerprint).toBe(certificate.fingerprint)
    expect(fingerprint).not.toBe(old.fingerprint)
  })

  it.each([
    [{ validDays: 2 }, '2031-01-03T00:00:00.000Z'],
    [{ notAfter: new Date('9999-12-31T23:59:59Z') }, '9999-12-31T23:59:59.000Z'],
    [{ notBefore: new Date('2035-01-01T00:00:00Z'), validDays: 1 }, '2035-01-02T00:00:00.000Z'],
  ])('lasts as long as %o says', async (dates, notAfter) => {
    const { certificate } = await renewCertificate({ ...options, ...dates })
    expect(certificate.notAfter.toISOString()).toBe(notAfter)
  })

  it('can be made from PEM, DER or objects, and from a key under a passphrase', async () => {
    const passphrase = 'secret'
    const encrypted = await encryptPrivateKey(old.privateKeyPem, { passphrase, derivation: 'pbkdf2' })
    for (const each of [
      { certificate: old.certificatePem },
      { certificate: old.certificate.der },
      { certificate: old.certificate.toX509Certificate() },
      { privateKey: createPrivateKey(old.privateKeyPem) },
      { privateKey: Buffer.from(old.privateKeyPem) },
      { privateKey: encrypted, passphrase },
    ]) {
      const { certificate } = await renewCertificate({ ...options, ...each })
      expect(certificate.publicKeyFingerprint).toBe(old.certificate.publicKeyFingerprint)
    }
  })

  it.each(['P-384', 'Ed25519', 'RSA-2048', 'secp256k1', 'brainpoolP512r1'] as const)(
    'of a %s key is signed as the first one was',
    async (key) => {
      const { certificate, keyPem } = await testCertificate({ key })
      const renewed = await renewCertificate({ certificate, privateKey: keyPem })
      expect(renewed.certificate.signatureAlgorithm).toEqual(certificate.signatureAlgorithm)
      expect(renewed.certificate.toX509Certificate().verify(certificate.publicKey())).toBe(true)
    },
  )
})

describe('a certificate of another maker', () => {
  async function byOpenssl(...args: string[]): Promise<{ certificate: Certificate; privateKey: string }> {
    const privateKey = openssl(['genpkey', '-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'])
    const file = join(await temporaryFolder(), 'key.pem')
    await writeFile(file, privateKey)
    const pem = openssl(['req', '-x509', '-key', file, '-config', '/dev/null', '-days', '30', ...args])
    return { certificate: Certificate.from(pem), privateKey }
  }

  it('keeps its extensions, also those that nobody knows, but names no authority key', async () => {
    const theirs = await byOpenssl(
      ...['-subj', '/CN=example.org', '-addext', 'subjectAltName=DNS:example.org,email:a@example.org,URI:gemini://x/'],
      ...['-addext', 'subjectKeyIdentifier=hash', '-addext', 'authorityKeyIdentifier=keyid:always,issuer:always'],
      ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', '2.25.327847519394146920=critical,DER:0401ff'],
    )
    expect(theirs.certificate.extensions.map(({ oid }) => oid)).toContain('2.5.29.35')
    const { certificate } = await renewCertificate(theirs)
    expect(certificate.extensions).toEqual(theirs.certificate.extensions.filter(({ oid }) => oid !== '2.5.29.35'))
    expect(certificate.subjectDer).toEqual(theirs.certificate.subjectDer)
  })

  it('of version 1 becomes one of version 3', async () => {
    const privateKey = openssl(['genpkey', '-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'])
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'key.pem'), privateKey)
    const request = ['req', '-new', '-key', join(folder, 'key.pem'), '-subj', '/CN=old', '-config', '/dev/null']
    await writeFile(join(folder, 'csr.pem'), openssl(request))
    const files = ['-in', join(folder, 'csr.pem'), '-signkey', join(folder, 'key.pem')]
    const first = Certificate.from(openssl(['x509', '-req', '-days', '30', ...files]))
    expect(first.version).toBe(1)
    const { certificate } = await renewCertificate({ certificate: first, privateKey })
    expect([certificate.version, certificate.isCA, certificate.extensions.length]).toEqual([3, false, 1])
    expect(certificate.subjectDer).toEqual(first.subjectDer)
  })

  // The encodings of a name that occur, and some that do not. Its octets are its identity, so they may not change.
  const string = (tag: number, text: string) => element(tag, Buffer.from(text, 'latin1'))
  const attribute = (value: Uint8Array, type = '2.5.4.3') => element(0x30, oid(type), value)
  const name = (...sets: Uint8Array[][]) => element(0x30, ...sets.map((attributes) => element(0x31, ...attributes)))
  it.each([
    ['no attribute', name()],
    ['a PrintableString', name([attribute(string(0x13, 'example.org'))])],
    ['a TeletexString', name([attribute(string(0x14, 'caf\xe9'))])],
    ['a BMPString', name([attribute(element(0x1e, Buffer.from([0, 0x61, 0x20, 0xac])))])],
    ['a UniversalString', name([attribute(element(0x1c, Buffer.from([0, 0, 0, 0x61])))])],
    ['an IA5String', name([attribute(string(0x16, 'a@example.org'), '1.2.840.113549.1.9.1')])],
    ['a NumericString', name([attribute(string(0x12, '12 34'), '2.5.4.5')])],
    ['a VisibleString', name([attribute(string(0x1a, 'x'))])],
    ['an empty string', name([attribute(string(0x0c, ''))])],
    ['a NUL inside', name([attribute(string(0x0c, 'a\0b'))])],
    ['a number', name([attribute(integer(5))])],
    ['a sequence', name([attribute(element(0x30, integer(5)))])],
    ['an OID with a large arc', name([attribute(string(0x0c, 'x'), '2.25.2147483647')])],
    [
      'two attributes in one set',
      name([attribute(string(0x0c, 'b'), '2.5.4.10'), attribute(string(0x13, 'a'))], [attribute(string(0x0c, 'c'))]),
    ],
    ['many attributes', name(...Array.from({ length: 100 }, (_, index) => [attribute(string(0x0c, `ou ${index}`))]))],
    ['a long attribute', name([attribute(string(0x0c, 'x'.repeat(70_000)))])],
  ])('keeps its name, octet by octet: %s', async (_, der) => {
    // Only the names matter here; the signature is not looked at.
    const pair = await testCertificate()
    const certificate = withName(pair.certificate, der)
    const renewed = await renewCertificate({ certificate, privateKey: pair.keyPem })
    expect(Buffer.from(renewed.certificate.subjectDer).equals(der)).toBe(true)
    expect(Buffer.from(renewed.certificate.issuerDer).equals(der)).toBe(true)
  })

  it.each([
    ['broken UTF-8', name([attribute(string(0x0c, '\xff\xfe'))])],
    ['a BMPString of half a character', name([attribute(element(0x1e, Buffer.from([0, 0x61, 0])))])],
  ])('is refused rather than renamed if its name is no text: %s', async (_, der) => {
    const pair = await testCertificate()
    const certificate = withName(pair.certificate, der)
    await expect(renewCertificate({ certificate, privateKey: pair.keyPem })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED',
    })
  })
})

/** The certificate with another subject and issuer, and the signature of before. */
function withName(certificate: Certificate, name: Uint8Array): Certificate {
  const tbs = Buffer.from(certificate.tbsDer)
  const old = Buffer.from(certificate.subjectDer)
  const issuerAt = tbs.indexOf(old)
  const subjectAt = tbs.indexOf(old, issuerAt + 1)
  const headerLength = (tbs[1] ?? 0) < 0x80 ? 2 : 2 + ((tbs[1] ?? 0) & 0x7f)
  const content = [
    tbs.subarray(headerLength, issuerAt),
    name,
    tbs.subarray(issuerAt + old.length, subjectAt),
    name,
    tbs.subarray(subjectAt + old.length),
  ]
  const whole = Buffer.from(certificate.der)
  const rest = whole.subarray(whole.indexOf(tbs) + tbs.length)
  return Certificate.from(element(0x30, element(0x30, ...content), rest))
}

describe('renewCertificate refuses', () => {
  it.each(['ec', 'rsa', 'ed25519'])('a key that is another one (%s)', async (type) => {
    const { privateKey } =
      type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : type === 'rsa'
          ? generateKeyPairSync('rsa', { modulusLength: 2048 })
          : generateKeyPairSync('ed25519')
    await expect(renewCertificate({ ...options, privateKey })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_MISMATCH',
    })
  })

  it('a certificate that somebody else signed', async () => {
    const other = await testCertificate({ host: 'example.com' })
    const subject = Buffer.from(other.certificate.subjectDer)
    const der = Buffer.from(other.certificate.der)
    // The first of the two names is the issuer.
    der.set(Buffer.from('Example.com'), der.indexOf(subject) + subject.indexOf('example.com'))
    await expect(renewCertificate({ certificate: der, privateKey: other.keyPem })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED',
      message: expect.stringContaining('somebody else'),
    })
  })

  it.each([
    ['RSA of 1024 bits', ['rsa:1024']],
    ['a curve of 224 bits', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-224']],
    ['a key bound to RSASSA-PSS', ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048']],
  ])('%s', async (_, key) => {
    const file = join(await temporaryFolder(), 'key.pem')
    const pem = openssl([
      'req',
      '-x509',
      '-newkey',
      ...key,
      '-nodes',
      '-keyout',
      file,
      '-subj',
      '/CN=x',
      '-config',
      '/dev/null',
    ])
    const privateKey = openssl(['pkey', '-in', file])
    await expect(renewCertificate({ certificate: pem, privateKey })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED',
    })
  })

  it('an encrypted key without its passphrase, or with another', async () => {
    const privateKey = await encryptPrivateKey(old.privateKeyPem, { passphrase: 'secret', derivation: 'pbkdf2' })
    await expect(renewCertificate({ ...options, privateKey })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
    })
    await expect(renewCertificate({ ...options, privateKey, passphrase: 'x' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    })
  })

  it('what is no certificate', async () => {
    await expect(renewCertificate({ ...options, certificate: 'x' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED',
    })
  })

  it.each([
    ['"notAfter"', { notAfter: new Date('2030-12-31T00:00:00Z') }],
    ['"validDays"', { validDays: 0 }],
    ['exclude each other', { validDays: 1, notAfter: new Date('2040-01-01T00:00:00Z') }],
    ['"privateKey" expected PEM or DER', { privateKey: undefined }],
    ['"privateKey" expected a private key, got a public one', { privateKey: 'PUBLIC' }],
    ['"passphrase" expected', { passphrase: 5 }],
  ])('misuse: %s', async (message, change) => {
    const publicKey = old.certificate.publicKey()
    const given = 'privateKey' in change && change.privateKey === 'PUBLIC' ? { privateKey: publicKey } : change
    await expect(renewCertificate({ ...options, ...given } as RenewOptions)).rejects.toThrow(message)
  })

  it('no options', async () => {
    await expect(renewCertificate(undefined as never)).rejects.toThrow(TypeError)
  })

  // It would be renewed for 365 days, and nobody would notice.
  it('an option that it does not know', async () => {
    const { certPem: certificate, keyPem: privateKey } = await testCertificate()
    const options = { certificate, privateKey, validdays: 730 }
    await expect(renewCertificate(options)).rejects.toThrow(/^"options" has no option "validdays"/)
  })
})
