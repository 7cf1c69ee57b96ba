import { createPrivateKey, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { KEY_KINDS } from '../../src/certificate/generate-options.ts'
import { matchesCertificate } from '../../src/certificate/private-key.ts'

const now = Date.parse('2030-06-01T12:00:00.500Z')
const clock = () => now
const host = { hostname: 'example.org', clock } as const

describe('a certificate by default', () => {
  it('is a version 3 certificate of a P-256 key for one server', async () => {
    const { certificate, certificatePem, privateKeyPem, fingerprint } = await generateSelfSignedCertificate(host)
    expect(certificate.version).toBe(3)
    expect([certificate.keyType, certificate.keyCurve]).toEqual(['ec', 'P-256'])
    expect(certificate.signatureAlgorithm.name).toBe('ecdsa-with-SHA256')
    expect(certificate.subject.toString()).toBe('CN=example.org')
    expect(certificate.isSelfIssued).toBe(true)
    expect(certificate.subjectAltNames).toEqual({ dns: ['example.org'], ip: [], email: [], uri: [] })
    expect(certificate.isCA).toBe(false)
    expect(certificate.keyUsage).toEqual(['digitalSignature'])
    expect(certificate.extendedKeyUsage).toEqual(['serverAuth'])
    expect(certificate.subjectKeyIdentifier).toMatch(/^[0-9a-f]{40}$/)
    expect(certificatePem).toBe(certificate.toPem())
    expect(fingerprint).toBe(certificate.fingerprint)
    expect(privateKeyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    expect(matchesCertificate(createPrivateKey(privateKeyPem), certificate)).toBe(true)
  })

  it('lasts 365 days from now, and begins an hour ago for peers whose clocks are slow', async () => {
    const { certificate } = await generateSelfSignedCertificate(host)
    expect(certificate.notBefore.toISOString()).toBe('2030-06-01T11:00:00.000Z')
    expect(certificate.notAfter.toISOString()).toBe('2031-06-01T12:00:00.000Z')
  })

  it('has a serial number of 128 random bits that is positive', async () => {
    const serials = new Set<string>()
    for (let i = 0; i < 40; i++) serials.add((await generateSelfSignedCertificate(host)).certificate.serialNumber)
    expect(serials.size).toBe(40)
    for (const serial of serials) expect(serial).toMatch(/^[0-9a-f]{32}$/)
    // Of 40 numbers, some have their first bit set, in which case a 00 must go before it in DER.
    expect([...serials].some((serial) => serial >= '8')).toBe(true)
  })

  it('is another one each time', async () => {
    const [first, second] = await Promise.all([
      generateSelfSignedCertificate(host),
      generateSelfSignedCertificate(host),
    ])
    expect(first.certificate.publicKeyFingerprint).not.toBe(second.certificate.publicKeyFingerprint)
    expect(first.fingerprint).not.toBe(second.fingerprint)
  })
})

describe('a key', () => {
  const expected = {
    'P-256': ['ec', 'P-256', 256, 'ecdsa-with-SHA256'],
    'P-384': ['ec', 'P-384', 384, 'ecdsa-with-SHA384'],
    Ed25519: ['ed25519', null, 256, 'Ed25519'],
    'RSA-2048': ['rsa', null, 2048, 'sha256WithRSAEncryption'],
    'RSA-3072': ['rsa', null, 3072, 'sha256WithRSAEncryption'],
    'RSA-4096': ['rsa', null, 4096, 'sha256WithRSAEncryption'],
    secp256k1: ['ec', 'secp256k1', 256, 'ecdsa-with-SHA256'],
    brainpoolP256r1: ['ec', 'brainpoolP256r1', 256, 'ecdsa-with-SHA256'],
    brainpoolP384r1: ['ec', 'brainpoolP384r1', 384, 'ecdsa-with-SHA384'],
    brainpoolP512r1: ['ec', 'brainpoolP512r1', 512, 'ecdsa-with-SHA512'],
  } as const

  it.each(KEY_KINDS)('of the kind %s signs its own certificate with a hash as strong as itself', async (key) => {
    const { certificate, privateKeyPem } = await generateSelfSignedCertificate({ ...host, key })
    const { keyType, keyCurve, keySize, signatureAlgorithm } = certificate
    expect([keyType, keyCurve, keySize, signatureAlgorithm.name]).toEqual(expected[key])
    expect(certificate.toX509Certificate().verify(certificate.publicKey())).toBe(true)

    const privateKey = createPrivateKey(privateKeyPem)
    const publicKey = createPublicKey(privateKey)
    expect(publicKey.export({ format: 'der', type: 'spki' })).toEqual(Buffer.from(certificate.subjectPublicKeyInfo))
    const [hash, message] = [key === 'Ed25519' ? null : 'sha256', randomBytes(20)]
    expect(verify(hash, message, publicKey, sign(hash, message, privateKey))).toBe(true)
  })

  it('has the public exponent 65537 if it is RSA', async () => {
    const { certificate } = await generateSelfSignedCertificate({ ...host, key: 'RSA-2048' })
    expect(certificate.keyExponent).toBe(65537n)
  })

  it('leaves no crypto provider behind that others would meet', async () => {
    const before = globalThis.crypto
    await generateSelfSignedCertificate({ ...host, key: 'secp256k1' })
    expect(globalThis.crypto).toBe(before)
    expect(before.constructor.name).toBe('Crypto')
    await import('reflect-metadata')
    const { cryptoProvider } = await import('@peculiar/x509')
    expect(cryptoProvider.get()).toBe(before)
  })
})

describe('the names', () => {
  it('go where they belong: IDNs as A-labels, wildcards, addresses by their bytes, each once, the host first', async () => {
    const { certificate } = await generateSelfSignedCertificate({
      hostname: 'BÜCHER.example.',
      subjectAltNames: ['*.Example.org', '::1', '192.0.2.1', 'xn--bcher-kva.example', '2001:DB8:0:0::1', '[::1]'],
      clock,
    })
    expect(certificate.subject.commonName).toBe('xn--bcher-kva.example')
    expect(certificate.subjectAltNames).toEqual({
      dns: ['xn--bcher-kva.example', '*.example.org'],
      ip: ['::1', '192.0.2.1', '2001:db8::1'],
      email: [],
      uri: [],
    })
  })

  it('can be an address alone', async () => {
    const { certificate } = await generateSelfSignedCertificate({ hostname: '127.0.0.1', clock })
    expect(certificate.subject.toString()).toBe('CN=127.0.0.1')
    expect(certificate.subjectAltNames).toMatchObject({ dns: [], ip: ['127.0.0.1'] })
  })

  it('of a Misfin mailbox are UID, CN and the host', async () => {
    const { certificate } = await generateSelfSignedCertificate({
      hostname: 'example.org',
      userId: 'mary',
      commonName: 'Mary Shelley',
      usage: 'both',
      clock,
    })
    expect(certificate.subject.valuesOf('0.9.2342.19200300.100.1.1')).toEqual(['mary'])
    expect(certificate.subject.commonName).toBe('Mary Shelley')
    expect(certificate.subjectAltNames.dns).toEqual(['example.org'])
  })

  it.each([
    'x, O=Evil',
    'x+O=Evil',
    'x\\, O=Evil',
    '"x", O=Evil',
    '#0c0141',
    ' leading and trailing ',
    'CN=x',
    'ünïcödé 🐙 漢字',
    '=',
    '\\',
    '*',
  ])('are never parsed: the name %j stays one attribute', async (text) => {
    const { certificate } = await generateSelfSignedCertificate({
      ...host,
      commonName: text,
      organization: text,
      userId: text,
    })
    expect(certificate.subject.attributes.map(({ type, value }) => [type, value])).toEqual([
      ['O', text],
      ['CN', text],
      ['UID', text],
    ])
  })

  it('survive whatever is in them', async () => {
    const printable = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text) && Array.from(text).length <= 64)
    await fc.assert(
      fc.asyncProperty(printable, printable, async (commonName, organization) => {
        const { certificate } = await generateSelfSignedCertificate({ ...host, commonName, organization })
        expect(certificate.subject.attributes.map(({ value }) => value)).toEqual([organization, commonName])
      }),
      { numRuns: 100 },
    )
  })

  it('can be left out for a client, but only on purpose', async () => {
    const { certificate } = await generateSelfSignedCertificate({ usage: 'client', commonName: '', clock })
    expect(certificate.subject.isEmpty).toBe(true)
    expect(certificate.subjectAltNames.dns).toEqual([])
    await expect(generateSelfSignedCertificate({ usage: 'client' })).rejects.toThrow('"commonName" is missing')
    await expect(generateSelfSignedCertificate({})).rejects.toThrow('"hostname" is missing')
  })

  it('are in the critical alternative names alone if the host is too long for a common name', async () => {
    const hostname = `${'a'.repeat(60)}.example`
    const { certificate } = await generateSelfSignedCertificate({ hostname, clock })
    expect(certificate.subject.isEmpty).toBe(true)
    expect(certificate.subjectAltNames.dns).toEqual([hostname])
    expect(certificate.extensions.find(({ oid }) => oid === '2.5.29.17')?.critical).toBe(true)
  })
})

describe('the usages', () => {
  it.each([
    [{ usage: 'server' }, ['serverAuth']],
    [{ usage: 'client' }, ['clientAuth']],
    [{ usage: 'both' }, ['serverAuth', 'clientAuth']],
    [{ isCA: true }, ['serverAuth', 'clientAuth']],
    [{ isCA: true, usage: 'server' }, ['serverAuth']],
  ] as const)('of %o are %j', async (options, purposes) => {
    const { certificate } = await generateSelfSignedCertificate({ ...host, ...options })
    expect(certificate.extendedKeyUsage).toEqual(purposes)
  })

  it('of an authority include signing certificates', async () => {
    const { certificate } = await generateSelfSignedCertificate({ ...host, isCA: true })
    expect(certificate.isCA).toBe(true)
    expect(certificate.keyUsage).toEqual(['digitalSignature', 'keyCertSign', 'cRLSign'])
  })
})

describe('the dates', () => {
  it.each([
    [{ validDays: 1 }, '2030-06-01T11:00:00.000Z', '2030-06-02T12:00:00.000Z'],
    [{ notAfter: new Date('2049-12-31T23:59:59Z') }, '2030-06-01T11:00:00.000Z', '2049-12-31T23:59:59.000Z'],
    [{ notAfter: new Date('2050-01-01T00:00:00Z') }, '2030-06-01T11:00:00.000Z', '2050-01-01T00:00:00.000Z'],
    [{ notAfter: new Date('9999-12-31T23:59:59.999Z') }, '2030-06-01T11:00:00.000Z', '9999-12-31T23:59:59.000Z'],
    [{ notBefore: new Date('2040-01-01T00:00:00Z') }, '2040-01-01T00:00:00.000Z', '2040-12-31T00:00:00.000Z'],
    [
      { notBefore: new Date('1950-01-01T00:00:00Z'), notAfter: new Date('1999-12-31T00:00:00Z') },
      '1950-01-01T00:00:00.000Z',
      '1999-12-31T00:00:00.000Z',
    ],
  ])('of %o are in whole seconds from %s to %s', async (options, from, to) => {
    const { certificate } = await generateSelfSignedCertificate({ ...host, ...options })
    expect([certificate.notBefore.toISOString(), certificate.notAfter.toISOString()]).toEqual([from, to])
  })
})
