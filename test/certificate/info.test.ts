import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { getCertificateInfo } from '../../src/certificate/info.ts'
import { crafted, sequence, utcTime } from '../support/crafted-certificates.ts'
import { vectorNames, vectorPem } from '../support/vectors.ts'

const at = new Date('2030-01-01T00:00:00Z')

describe('getCertificateInfo', () => {
  it('tells all there is to tell', () => {
    expect(getCertificateInfo(vectorPem('example-org'), { at })).toEqual({
      subject: 'CN=example.org',
      issuer: 'CN=example.org',
      commonName: 'example.org',
      serialNumber: '4c5bd401a0f12441854780c69f45560e0e17f96f',
      notBefore: new Date('2026-11-24T02:07:53Z'),
      notAfter: new Date('2036-11-21T02:07:53Z'),
      validity: 'valid',
      isExpired: false,
      subjectAltNames: { dns: ['example.org'], ip: [], email: [], uri: [] },
      isCA: true,
      isSelfIssued: true,
      version: 3,
      signatureAlgorithm: 'ecdsa-with-SHA256',
      key: { type: 'ec', curve: 'P-256', size: 256 },
      fingerprints: {
        sha256: 'sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257',
        sha512:
          'sha512:1e59688e1086b6e5b29a3cf3f420c5a318878c7b3cb74fb8b418a1b45959569d3d538a9861b7580c452527985ae8732e64908df5f09d683063490a337019e3bf',
        publicKey: 'spki-sha256:d9a58b8f8208aa121b737a8ed2df5ff8b3fa2491710973af80f69d9a26626261',
        sha1: '2fab7d5af55ef57c520373d15afab04713730a59',
      },
    })
  })

  it.each([
    ['2026-11-24T02:07:52Z', 'not_yet_valid', false],
    ['2036-11-21T02:07:53Z', 'valid', false],
    ['2036-11-21T02:07:54Z', 'expired', true],
  ])('at %s it is %s', (instant, validity, isExpired) => {
    expect(getCertificateInfo(vectorPem('example-org'), { at: new Date(instant) })).toMatchObject({
      validity,
      isExpired,
    })
  })

  it('is plain data that JSON writes whole', () => {
    const info = getCertificateInfo(vectorPem('names'), { at })
    const back = JSON.parse(JSON.stringify(info))
    expect(back).toEqual({ ...info, notBefore: info.notBefore.toISOString(), notAfter: info.notAfter.toISOString() })
  })

  it.each(vectorNames().filter((vector) => vector !== 'explicit-curve'))('reads %s', (vector) => {
    const certificate = Certificate.from(vectorPem(vector))
    expect(getCertificateInfo(certificate, { at }).fingerprints.sha256).toBe(certificate.fingerprint)
  })

  it('says that dates cannot be read instead of guessing', () => {
    const broken = crafted({ validity: sequence(utcTime('250101000000Z'), utcTime('301301000000Z')) })
    expect(() => getCertificateInfo(broken)).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }),
    )
  })

  it('takes an instant for `at` and nothing else', () => {
    expect(() => getCertificateInfo(vectorPem('p256'), { at: new Date(Number.NaN) })).toThrow(RangeError)
    expect(() => getCertificateInfo(vectorPem('p256'), { at: 5 as unknown as Date })).toThrow(TypeError)
  })
})
