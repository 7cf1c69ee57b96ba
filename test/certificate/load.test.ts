import { X509Certificate } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import {
  getCertificateFingerprint,
  getCertificateFingerprintFromPath,
  isCertificateExpired,
  isCertificateNotYetValid,
  loadCertificate,
} from '../../src/certificate/load.ts'
import { crafted, sequence, utcTime } from '../support/crafted-certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }
const PEM = vectorPem('example-org')
const DER = new X509Certificate(PEM).raw
const SHA256 = 'sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'
const SHA512 =
  'sha512:1e59688e1086b6e5b29a3cf3f420c5a318878c7b3cb74fb8b418a1b45959569d3d538a9861b7580c452527985ae8732e64908df5f09d683063490a337019e3bf'
const KEY = 'spki-sha256:d9a58b8f8208aa121b737a8ed2df5ff8b3fa2491710973af80f69d9a26626261'

async function file(contents: string | Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), 'cert')
  await writeFile(path, contents)
  return path
}

describe('a file with a certificate', () => {
  it.each([
    ['PEM', PEM],
    ['PEM from Windows', `\ufeff${PEM.replaceAll('\n', '\r\n')}`],
    ['PEM with the text of openssl around it', openssl(['x509', '-text'], PEM)],
    ['DER', DER],
  ])('is loaded from %s', async (_, contents) => {
    const path = await file(contents)
    expect((await loadCertificate(path)).fingerprint).toBe(SHA256)
    expect(await getCertificateFingerprintFromPath(path)).toBe(SHA256)
    expect(await getCertificateFingerprintFromPath(path, { algorithm: 'sha512' })).toBe(SHA512)
    expect(await getCertificateFingerprintFromPath(path, { of: 'public-key' })).toBe(KEY)
  })

  it.each([
    ['two of them', PEM + vectorPem('p256')],
    ['a private key beside it', `${PEM}-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n`],
    ['nothing in it', ''],
    ['text', 'hello'],
    ['half of it', PEM.slice(0, 300)],
    ['DER and more', Buffer.concat([DER, Buffer.from([0])])],
    ['zeros', Buffer.alloc(1000)],
  ])('is malformed with %s', async (_, contents) => {
    const path = await file(contents)
    await expect(loadCertificate(path)).rejects.toMatchObject(MALFORMED)
    await expect(getCertificateFingerprintFromPath(path)).rejects.toMatchObject(MALFORMED)
  })

  it('that is not there has a code of its own', async () => {
    const path = join(await temporaryFolder(), 'nothing.pem')
    const missing = { name: 'FileError', code: 'ERR_TLACACOCA_FILE_NOT_FOUND', path }
    await expect(loadCertificate(path)).rejects.toMatchObject(missing)
    await expect(getCertificateFingerprintFromPath(path)).rejects.toMatchObject(missing)
  })

  it('that is a folder, or larger than any certificate, is unreadable', async () => {
    const unreadable = { name: 'FileError', code: 'ERR_TLACACOCA_FILE_UNREADABLE' }
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'cert.pem'))
    await expect(loadCertificate(join(folder, 'cert.pem'))).rejects.toMatchObject(unreadable)
    await expect(loadCertificate(await file('x'.repeat(1024 * 1024 + 1)))).rejects.toMatchObject(unreadable)
  })
})

describe('getCertificateFingerprint', () => {
  it.each([
    ['PEM', PEM],
    ['PEM as bytes', Buffer.from(PEM)],
    ['DER', DER],
    ['X509Certificate', new X509Certificate(PEM)],
    ['Certificate', Certificate.from(PEM)],
  ])('of %s is the same', (_, input) => {
    expect(getCertificateFingerprint(input)).toBe(SHA256)
    expect(getCertificateFingerprint(input, {})).toBe(SHA256)
    expect(getCertificateFingerprint(input, { algorithm: 'sha512' })).toBe(SHA512)
    expect(getCertificateFingerprint(input, { of: 'public-key' })).toBe(KEY)
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a sequence', Buffer.from('3000', 'hex')],
    ['a certificate request', Buffer.from(vectorPem('request').replace(/-----.*-----/g, ''), 'base64')],
    ['a certificate and more', Buffer.concat([DER, DER])],
    ['less than a certificate', DER.subarray(0, 300)],
  ])('is not given to %s, however fast it is', (_, bytes) => {
    expect(() => getCertificateFingerprint(bytes)).toThrow(expect.objectContaining(MALFORMED))
    expect(() => getCertificateFingerprint(bytes, { of: 'public-key' })).toThrow(expect.objectContaining(MALFORMED))
  })

  it.each([
    { algorithm: 'sha1' },
    { algorithm: 'SHA256' },
    { of: 'key' },
    { of: 'public-key', algorithm: 'sha512' },
  ] as const)('knows no %j', (options) => {
    expect(() => getCertificateFingerprint(PEM, options as { of: 'certificate' })).toThrow(TypeError)
  })
})

describe('the dates', () => {
  const before = new Date('2026-11-24T02:07:52Z')
  const during = new Date('2030-01-01T00:00:00Z')
  const after = new Date('2036-11-21T02:07:54Z')

  it('are asked about by an instant', () => {
    expect([before, during, after].map((at) => isCertificateExpired(PEM, { at }))).toEqual([false, false, true])
    expect([before, during, after].map((at) => isCertificateNotYetValid(PEM, { at }))).toEqual([true, false, false])
  })

  it('are asked about now, if no instant is given', () => {
    const [past, future] = [new Date(Date.now() - 86_400_000), new Date(Date.now() + 86_400_000)].map((date) =>
      utcTime(`${date.toISOString().replace(/\D/g, '').slice(2, 14)}Z`),
    )
    if (past === undefined || future === undefined) throw new Error('unreachable')
    expect(isCertificateExpired(crafted({ validity: sequence(past, past) }))).toBe(true)
    expect(isCertificateExpired(crafted({ validity: sequence(past, future) }))).toBe(false)
    expect(isCertificateNotYetValid(crafted({ validity: sequence(future, future) }))).toBe(true)
    expect(isCertificateNotYetValid(crafted({ validity: sequence(past, future) }))).toBe(false)
  })

  it('that cannot be read are an error to both questions', () => {
    const broken = crafted({ validity: sequence(utcTime('250101000000Z'), utcTime('301301000000Z')) })
    expect(() => isCertificateExpired(broken)).toThrow(expect.objectContaining(MALFORMED))
    expect(() => isCertificateNotYetValid(broken)).toThrow(expect.objectContaining(MALFORMED))
  })
})
