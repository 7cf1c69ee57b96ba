import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { weaknessOfKey, weaknessOfSignature } from '../../src/certificate/strength.ts'
import { bytes, crafted, element, oid, sequence, spki } from '../support/crafted-certificates.ts'
import { vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }

describe('a signature algorithm', () => {
  it.each([
    ['p256', 'ecdsa-with-SHA256', 'sha256'],
    ['p384', 'ecdsa-with-SHA384', 'sha384'],
    ['p521', 'ecdsa-with-SHA512', 'sha512'],
    ['rsa2048', 'sha256WithRSAEncryption', 'sha256'],
    ['rsa-sha1', 'sha1WithRSAEncryption', 'sha1'],
    ['rsa-md5', 'md5WithRSAEncryption', 'md5'],
    ['rsa-pss-signature', 'rsassaPss', 'sha256'],
    ['rsa-pss-sha1-signature', 'rsassaPss', 'sha1'],
    ['rsa-pss-key', 'rsassaPss', 'sha512'],
    ['ed25519', 'Ed25519', null],
    ['ed448', 'Ed448', null],
    ['dsa', 'dsa-with-SHA256', 'sha256'],
  ])('of %s is %s with %s', (vector, name, hash) => {
    expect(Certificate.from(vectorPem(vector)).signatureAlgorithm).toMatchObject({ name, hash })
  })

  it('that is unknown has its number for a name', () => {
    const unknown = sequence(oid('1.2.3.4'))
    expect(crafted({ innerAlgorithm: unknown, outerAlgorithm: unknown }).signatureAlgorithm).toEqual({
      oid: '1.2.3.4',
      name: '1.2.3.4',
      hash: null,
    })
  })

  it.each([
    ['two that differ', sequence(oid('1.2.840.10045.4.3.2')), sequence(oid('1.2.840.10045.4.3.3'))],
    ['two that differ in their parameters', sequence(oid('1.2.3')), sequence(oid('1.2.3'), bytes('05 00'))],
    ['no identifier', sequence(), sequence()],
    ['a third part', sequence(oid('1.2.3'), bytes('05 00 05 00')), sequence(oid('1.2.3'), bytes('05 00 05 00'))],
  ])('is malformed as %s', (_, innerAlgorithm, outerAlgorithm) => {
    const certificate = crafted({ innerAlgorithm, outerAlgorithm })
    expect(() => certificate.signatureAlgorithm).toThrow(expect.objectContaining(MALFORMED))
    expect(certificate.fingerprint).toMatch(/^sha256:/)
  })

  it.each([
    ['without parameters', sequence(oid('1.2.840.113549.1.1.10'))],
    ['with all of them left out', sequence(oid('1.2.840.113549.1.1.10'), sequence())],
  ])('of RSASSA-PSS %s has SHA-1, as RFC 4055 says', (_, algorithm) => {
    expect(crafted({ innerAlgorithm: algorithm, outerAlgorithm: algorithm }).signatureAlgorithm.hash).toBe('sha1')
  })
})

describe('weakness', () => {
  it.each([
    ['p256', null, null],
    ['ed25519', null, null],
    ['rsa2048', null, null],
    ['unknown-curve', null, null],
    ['p224', /224 bits/, null],
    ['rsa1024', /1024 bits/, null],
    ['rsa-sha1', null, /sha1/],
    ['rsa-md5', null, /md5/],
    ['rsa-pss-sha1-signature', null, /sha1/],
  ])('of %s: key %s, signature %s', (vector, key, signature) => {
    const certificate = Certificate.from(vectorPem(vector))
    for (const [found, expected] of [
      [weaknessOfKey(certificate), key],
      [weaknessOfSignature(certificate), signature],
    ] as const) {
      if (expected === null) expect(found).toBeNull()
      else expect(found).toMatch(expected)
    }
  })

  it.each([
    ['01', /exponent/],
    ['02', /exponent/],
    ['01 00 00', /exponent/],
    ['03', null],
    ['01 00 01', null],
  ])('of an RSA key with the exponent %s: %s', (exponent, expected) => {
    const modulus = element(0x02, bytes('00'), Buffer.alloc(256, 0xc3))
    const key = sequence(modulus, element(0x02, bytes(exponent)))
    const certificate = crafted({ spki: spki([oid('1.2.840.113549.1.1.1'), bytes('05 00')], key) })
    if (expected === null) expect(weaknessOfKey(certificate)).toBeNull()
    else expect(weaknessOfKey(certificate)).toMatch(expected)
  })
})
