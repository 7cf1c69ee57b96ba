import { createHash, createPublicKey } from 'node:crypto'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import {
  createCertificateRequest,
  type NewCertificateRequest,
} from '../../src/certificate/certificate-request-create.ts'
import { formatPem } from '../../src/certificate/pem.ts'
import { testCertificate } from '../support/certificates.ts'
import { altNames, element, extension, name, sequence, utf8 } from '../support/crafted-certificates.ts'
import { attribute, craftRequest, exactly, extensionRequest } from '../support/hostile-requests.ts'

let made: NewCertificateRequest
let request: CertificateRequest
beforeAll(async () => {
  made = await createCertificateRequest({
    subject: [
      ['CN', 'Ana'],
      ['UID', 'ana'],
    ],
    subjectAltNames: {
      dns: ['example.org', '*.example.org'],
      ip: ['::1'],
      email: ['ana@example.org'],
      uri: ['urn:x:y'],
    },
  })
  request = made.request
})

const MALFORMED = { name: 'CertificateRequestError', code: 'ERR_TLACACOCA_CSR_MALFORMED' }
const TOO_LARGE = { name: 'CertificateRequestError', code: 'ERR_TLACACOCA_CSR_TOO_LARGE' }

describe('a certificate request', () => {
  it('says which key it is for', () => {
    const spki = createPublicKey(made.privateKeyPem).export({ format: 'der', type: 'spki' })
    const digest = (algorithm: string) => createHash(algorithm).update(spki).digest('hex')
    expect(Buffer.from(request.subjectPublicKeyInfo)).toEqual(spki)
    expect(request.publicKeyFingerprint).toBe(`spki-sha256:${digest('sha256')}`)
    expect(request.publicKeySha1).toBe(digest('sha1'))
    expect(request).toMatchObject({ keyType: 'ec', keyCurve: 'P-256', keySize: 256, keyExponent: null })
    expect(request.sha256).toBe(createHash('sha256').update(request.der).digest('hex'))
  })

  it('says what its sender would like to be called', () => {
    expect(request.subject.toString()).toBe('UID=ana,CN=Ana')
    expect(Buffer.from(request.subjectDer).includes('Ana')).toBe(true)
    expect(request.subjectAltNames).toEqual({
      dns: ['example.org', '*.example.org'],
      ip: ['::1'],
      email: ['ana@example.org'],
      uri: ['urn:x:y'],
    })
    expect(request.requestedExtensions.map(({ oid, critical }) => [oid, critical])).toEqual([['2.5.29.17', false]])
  })

  it('says how it is signed', () => {
    expect(request.signatureAlgorithm).toEqual({
      oid: '1.2.840.10045.4.3.2',
      name: 'ecdsa-with-SHA256',
      hash: 'sha256',
    })
  })

  it('has no names and no extensions if it asks for none', () => {
    const plain = CertificateRequest.from(craftRequest())
    expect(plain.requestedExtensions).toEqual([])
    expect(plain.subjectAltNames).toEqual({ dns: [], ip: [], email: [], uri: [] })
    expect(plain.challengePassword).toBeNull()
  })

  it('shows the extensions that it asks for as they stand, and takes none of them at their word', () => {
    const wish = extension('2.5.29.19', Buffer.from('30030101ff', 'hex'), Buffer.from('0101ff', 'hex'))
    const { requestedExtensions } = CertificateRequest.from(craftRequest({ attributes: [extensionRequest(wish)] }))
    expect(requestedExtensions).toEqual([
      { oid: '2.5.29.19', critical: true, value: new Uint8Array([0x30, 3, 1, 1, 0xff]) },
    ])
  })

  it('leaves names out of the lists that have no list, and keeps them in the extension', () => {
    const names = extension('2.5.29.17', sequence(element(0xa4, name('Ana')), element(0x82, utf8('example.org'))))
    const read = CertificateRequest.from(craftRequest({ attributes: [extensionRequest(names)] }))
    expect(read.subjectAltNames).toEqual({ dns: ['example.org'], ip: [], email: [], uri: [] })
    expect(read.requestedExtensions).toHaveLength(1)
  })

  it('is a value that cannot be changed', () => {
    const der = request.der
    der.fill(0)
    request.subjectDer.fill(0)
    request.subjectPublicKeyInfo.fill(0)
    request.requestedExtensions[0]?.value.fill(0)
    expect(() => Object.assign(request, { sha256: 'x' })).toThrow(TypeError)
    expect(() => (request.subjectAltNames.dns as string[]).push('x')).toThrow(TypeError)
    expect(() => Object.assign(request.signatureAlgorithm, { hash: 'x' })).toThrow(TypeError)
    expect(request.sha256).toBe(createHash('sha256').update(request.der).digest('hex'))
    expect(request.requestedExtensions[0]?.value[0]).toBe(0x30)
    const given = Buffer.from(request.der)
    const read = CertificateRequest.from(given)
    given.fill(0)
    expect(read.toPem()).toBe(made.requestPem)
    expect(() => read.requireProof()).not.toThrow()
  })

  it('is known as one only if this library read it', () => {
    expect(CertificateRequest.is(request)).toBe(true)
    expect(CertificateRequest.is(Object.create(CertificateRequest.prototype))).toBe(false)
    expect(CertificateRequest.is({ ...request })).toBe(false)
    expect(CertificateRequest.is(null)).toBe(false)
    expect(CertificateRequest.is(made.requestPem)).toBe(false)
  })
})

describe('CertificateRequest.from', () => {
  it.each([
    ['PEM', () => made.requestPem],
    ['PEM in bytes', () => Buffer.from(made.requestPem)],
    ['DER', () => request.der],
    ['a Buffer', () => Buffer.from(request.der)],
    [
      'a view into something larger',
      () => Buffer.concat([Buffer.alloc(7), request.der, Buffer.alloc(7)]).subarray(7, -7),
    ],
    ['PEM with line ends of Windows', () => made.requestPem.replaceAll('\n', '\r\n')],
    ['PEM with an explanation', () => `Certificate Request:\n    Data:\n${made.requestPem}\nThat is all.\n`],
    ['PEM with a byte order mark', () => `\ufeff${made.requestPem}`],
    ['the older label', () => made.requestPem.replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')],
  ])('reads %s', (_, input) => {
    const read = CertificateRequest.from(input())
    expect(read.sha256).toBe(request.sha256)
    expect(read.toPem()).toBe(made.requestPem)
  })

  it.each([
    ['nothing', () => ''],
    ['text', () => 'hello'],
    ['two requests', () => made.requestPem + made.requestPem],
    ['a request and a certificate', async () => made.requestPem + (await testCertificate()).certPem],
    ['another label', () => made.requestPem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
    [
      'a label without its end',
      () => made.requestPem.replace('END CERTIFICATE REQUEST', 'END NEW CERTIFICATE REQUEST'),
    ],
    ['header lines', () => made.requestPem.replace('-----\n', '-----\nX-Header: a\n\n')],
    ['junk in the base64', () => made.requestPem.replace('MII', 'M*II')],
    ['a certificate in DER', async () => (await testCertificate()).certificate.der],
    ['a public key', () => formatPem('CERTIFICATE REQUEST', request.subjectPublicKeyInfo)],
  ])('refuses %s', async (_, input) => {
    const given = await input()
    expect(() => CertificateRequest.from(given)).toThrow(expect.objectContaining(MALFORMED))
  })

  it('refuses a private key beside the request, and says why without showing it', () => {
    for (const pem of [made.requestPem + made.privateKeyPem, made.privateKeyPem]) {
      expect(() => CertificateRequest.from(pem)).toThrow(
        expect.objectContaining({ ...MALFORMED, message: expect.stringMatching(/private key/) }),
      )
      expect(() => CertificateRequest.from(pem)).not.toThrow(made.privateKeyPem.split('\n')[1])
    }
  })

  it('reads 32 KiB and not a byte more', () => {
    const largest = exactly(32 * 1024)
    expect(largest).toHaveLength(32 * 1024)
    expect(CertificateRequest.from(largest).keyType).toBe('ed25519')
    expect(CertificateRequest.from(formatPem('CERTIFICATE REQUEST', largest)).keyType).toBe('ed25519')
    const tooLarge = exactly(32 * 1024 + 1)
    for (const input of [
      tooLarge,
      formatPem('CERTIFICATE REQUEST', tooLarge),
      'x'.repeat(1 << 20),
      Buffer.alloc(1 << 20),
    ]) {
      expect(() => CertificateRequest.from(input)).toThrow(expect.objectContaining(TOO_LARGE))
    }
  })

  it('reads 100 names', () => {
    const names = altNames(...Array.from({ length: 100 }, (_, index) => [2, `h${index}.example`] as const))
    const read = CertificateRequest.from(craftRequest({ attributes: [extensionRequest(names)] }))
    expect(read.subjectAltNames.dns).toHaveLength(100)
  })

  it.each([undefined, null, 5, {}, ['x'], { raw: new Uint8Array(3) }])('takes no %j', (input) => {
    expect(() => CertificateRequest.from(input as never)).toThrow(TypeError)
  })

  it('does not read a certificate for a request, nor the other way round', async () => {
    const { certPem } = await testCertificate()
    expect(() => CertificateRequest.from(certPem)).toThrow(expect.objectContaining(MALFORMED))
    expect(() => Certificate.from(made.requestPem)).toThrow()
  })
})

describe('a challenge password', () => {
  const secret = 'sesame-sesame'
  const withPassword = (tag: number, value: Uint8Array) =>
    craftRequest({ attributes: [attribute('1.2.840.113549.1.9.7', element(tag, value))] })

  it.each([
    ['UTF8String', 0x0c, utf8(secret)],
    ['PrintableString', 0x13, utf8(secret)],
    ['BMPString', 0x1e, Buffer.from(secret, 'utf16le').swap16()],
  ])('is read from a %s', (_, tag, value) => {
    expect(CertificateRequest.from(withPassword(tag, value)).challengePassword).toBe(secret)
  })

  it('is not in what a program prints of the request, nor in messages about it', () => {
    const read = CertificateRequest.from(withPassword(0x0c, utf8(secret)))
    for (const shown of [
      inspect(read, { showHidden: true, depth: null, getters: true }),
      JSON.stringify(read),
      String(read),
      JSON.stringify({ ...read }),
      Object.keys(read).join(),
    ]) {
      expect(shown).not.toContain(secret)
    }
    const broken = craftRequest({
      attributes: [
        attribute('1.2.840.113549.1.9.7', element(0x0c, Buffer.concat([utf8(secret), Buffer.from([0xff])]))),
      ],
    })
    try {
      CertificateRequest.from(broken)
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject(MALFORMED)
      expect(inspect(error, { showHidden: true, depth: null })).not.toContain(secret)
    }
  })
})
