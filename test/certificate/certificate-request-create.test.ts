import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import {
  type CertificateRequestOptions,
  createCertificateRequest,
} from '../../src/certificate/certificate-request-create.ts'
import { KEY_KINDS } from '../../src/certificate/generate-options.ts'
import { encryptPrivateKey, loadPrivateKey } from '../../src/certificate/private-key.ts'

const passphrase = 'correct horse battery staple'

describe('createCertificateRequest', () => {
  it('asks for nothing but a certificate if it is told nothing', async () => {
    const { request, requestPem, privateKeyPem } = await createCertificateRequest()
    expect(request.subject.isEmpty).toBe(true)
    expect(request.requestedExtensions).toEqual([])
    expect(request.keyCurve).toBe('P-256')
    expect(requestPem).toMatch(/^-----BEGIN CERTIFICATE REQUEST-----\n/)
    expect(privateKeyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    expect(CertificateRequest.from(requestPem).sha256).toBe(request.sha256)
  })

  it.each(KEY_KINDS)('makes a %s key and proves that it has it', async (key) => {
    const { request, privateKeyPem } = await createCertificateRequest({ key, subject: [['CN', 'Ana']] })
    expect(() => CertificateRequest.from(request.der).requireProof()).not.toThrow()
    expect(await loadPrivateKey(privateKeyPem)).toMatchObject({ type: 'private' })
  })

  it('writes fields in the order in which they are given, also the same one twice', async () => {
    const { request } = await createCertificateRequest({
      subject: [
        ['C', 'MX'],
        ['O', 'Tlacacoca, O=Evil'],
        ['OU', 'one'],
        ['OU', 'two'],
        ['CN', 'Ana ñ 🐙'],
        ['emailAddress', 'ana@example.org'],
        ['2.25.327847519394146920', 'of any type'],
      ],
    })
    expect(request.subject.attributes.map(({ type, value }) => `${type}=${value}`)).toEqual([
      'C=MX',
      'O=Tlacacoca, O=Evil',
      'OU=one',
      'OU=two',
      'CN=Ana ñ 🐙',
      'emailAddress=ana@example.org',
      '2.25.327847519394146920=of any type',
    ])
    // RFC 5280 appendix A.1: PrintableString, UTF8String, IA5String.
    const der = Buffer.from(request.subjectDer)
    expect(der.includes(Buffer.from('13024d58', 'hex'))).toBe(true)
    expect(der.includes(Buffer.from('0c036f6e65', 'hex'))).toBe(true)
    expect(der.includes(Buffer.from('160f', 'hex'))).toBe(true)
  })

  it('marks the names as critical where there is no other', async () => {
    const subjectAltNames = { dns: ['example.org'] }
    const nameless = await createCertificateRequest({ subjectAltNames })
    const named = await createCertificateRequest({ subjectAltNames, subject: [['CN', 'Ana']] })
    expect(nameless.request.requestedExtensions[0]?.critical).toBe(true)
    expect(named.request.requestedExtensions[0]?.critical).toBe(false)
  })
})

describe('a key that exists', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  let encrypted: string
  beforeAll(async () => {
    encrypted = await encryptPrivateKey(privateKey, { passphrase, derivation: 'pbkdf2' })
  })

  it.each([
    ['an object', () => ({ key: privateKey })],
    ['PEM', () => ({ key: pem })],
    ['PEM in bytes', () => ({ key: Buffer.from(pem) })],
    ['DER', () => ({ key: privateKey.export({ format: 'der', type: 'pkcs8' }) })],
    ['an encrypted one', () => ({ key: encrypted, passphrase })],
  ] as [string, () => CertificateRequestOptions][])('can be %s', async (_, options) => {
    const made = await createCertificateRequest(options())
    expect(made.request.keyCurve).toBe('P-384')
    const returned = createPrivateKey({ key: made.privateKeyPem, passphrase })
    expect(returned.equals(privateKey)).toBe(true)
  })

  it('comes back encrypted if there is a passphrase, and not otherwise', async () => {
    expect((await createCertificateRequest({ key: privateKey })).privateKeyPem).toBe(pem)
    const { privateKeyPem } = await createCertificateRequest({ key: privateKey, passphrase })
    expect(privateKeyPem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    expect((await loadPrivateKey(privateKeyPem, { passphrase })).equals(privateKey)).toBe(true)
    await expect(loadPrivateKey(privateKeyPem, { passphrase: 'wrong' })).rejects.toThrow()
  })

  it('is refused if it does not open, or is too weak', async () => {
    await expect(createCertificateRequest({ key: encrypted })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
    })
    await expect(createCertificateRequest({ key: encrypted, passphrase: 'wrong' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    })
    for (const weak of [
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('ec', { namedCurve: 'secp224r1' }),
      generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
    ]) {
      await expect(createCertificateRequest({ key: weak.privateKey })).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED',
      })
    }
  })
})

describe('misuse', () => {
  const { publicKey } = generateKeyPairSync('ed25519')
  it.each([
    ['an unknown option', { subjectAltName: {} }, TypeError, '"subjectAltName"'],
    ['an unknown kind of key', { key: 'P-257' }, TypeError, '"key" expected one of'],
    ['a public key', { key: publicKey }, TypeError, 'got a public one'],
    ['a passphrase that is not there', { passphrase: undefined }, TypeError, '"passphrase"'],
    ['an empty passphrase', { passphrase: '' }, RangeError, '"passphrase"'],
    ['a subject in one text', { subject: 'CN=Ana' }, TypeError, '"subject" expected a list'],
    ['a field that is no pair', { subject: [['CN']] }, TypeError, '"subject[0]"'],
    ['an unknown type', { subject: [['cn', 'Ana']] }, TypeError, '"subject[0]"'],
    ['an empty value', { subject: [['CN', '']] }, RangeError, '"subject[0]" (CN)'],
    ['a line end in a value', { subject: [['CN', 'Ana\nO=Evil']] }, RangeError, '"subject[0]" (CN)'],
    ['names in one list', { subjectAltNames: ['example.org'] }, TypeError, '"subjectAltNames" expected an object'],
    ['names of an unknown kind', { subjectAltNames: { upn: ['x'] } }, TypeError, '"subjectAltNames"'],
    ['a host that is none', { subjectAltNames: { dns: ['a b'] } }, RangeError, '"subjectAltNames.dns[0]"'],
    ['an address among hosts', { subjectAltNames: { dns: ['::1'] } }, RangeError, '"subjectAltNames.dns[0]"'],
    ['no object', 5, TypeError, '"options"'],
  ])('is refused: %s', async (_, options, kind, message) => {
    const made = createCertificateRequest(options as never)
    await expect(made).rejects.toThrow(kind)
    await expect(made).rejects.toThrow(message)
  })
})
