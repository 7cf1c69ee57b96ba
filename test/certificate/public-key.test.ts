import { spawnSync } from 'node:child_process'
import { createECDH } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { readPublicKeyInfo } from '../../src/certificate/public-key.ts'
import { bytes, craft, crafted, ecKey, element, oid, sequence, spki } from '../support/crafted-certificates.ts'
import { vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }
const UNSUPPORTED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED' }

const P256 = '1.2.840.10045.3.1.7'
const P521 = '1.3.132.0.35'
const EC = oid('1.2.840.10045.2.1')
const RSA = [oid('1.2.840.113549.1.1.1'), bytes('05 00')]
const point = createECDH('prime256v1').generateKeys()
const compressed = Buffer.from(createECDH('prime256v1').generateKeys('hex', 'compressed'), 'hex')

/** The SubjectPublicKeyInfo of an RSA key from its two integers in hex. */
function rsaKey(modulus: string, exponent: string): Uint8Array {
  return spki(RSA, sequence(element(0x02, bytes(modulus)), element(0x02, bytes(exponent))))
}

const MODULUS = `00 ${'c3'.repeat(256)}`

describe('the key of a certificate', () => {
  it.each([
    ['p256', 'ec', 'P-256', 256],
    ['p384', 'ec', 'P-384', 384],
    ['p521', 'ec', 'P-521', 521],
    ['p224', 'ec', 'P-224', 224],
    ['secp256k1', 'ec', 'secp256k1', 256],
    ['brainpool-p256r1', 'ec', 'brainpoolP256r1', 256],
    ['compressed-point', 'ec', 'P-256', 256],
    ['unknown-curve', 'ec', '1.3.132.0.16', null],
    ['ed25519', 'ed25519', null, 256],
    ['ed448', 'ed448', null, 456],
    ['rsa2048', 'rsa', null, 2048],
    ['rsa1024', 'rsa', null, 1024],
    ['rsa-pss-key', 'rsa', null, 2048],
    ['dsa', 'other', null, null],
  ])('%s is of type %s, curve %s, size %s', (vector, keyType, keyCurve, keySize) => {
    expect(Certificate.from(vectorPem(vector))).toMatchObject({ keyType, keyCurve, keySize })
  })

  it.each(['dsa', 'unknown-curve'])('%s is not handed to OpenSSL', (vector) => {
    const certificate = Certificate.from(vectorPem(vector))
    expect(() => certificate.publicKey()).toThrow(expect.objectContaining(UNSUPPORTED))
    expect(() => certificate.toX509Certificate()).toThrow(expect.objectContaining(UNSUPPORTED))
  })

  it('on a curve by explicit parameters is malformed, and the certificate has fingerprints all the same', () => {
    const certificate = Certificate.from(vectorPem('explicit-curve'))
    expect(() => certificate.keyType).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.publicKey()).toThrow(expect.objectContaining(MALFORMED))
    expect(certificate.publicKeyFingerprint).toMatch(/^spki-sha256:[0-9a-f]{64}$/)
  })
})

describe('an EC key', () => {
  it('is read with its point in either form', () => {
    expect(readPublicKeyInfo(ecKey(P256, point))).toMatchObject({ type: 'ec', curve: 'P-256', size: 256 })
    expect(readPublicKeyInfo(ecKey(P256, compressed))).toMatchObject({ type: 'ec', curve: 'P-256', size: 256 })
    expect(readPublicKeyInfo(ecKey(P521, Buffer.concat([bytes('04'), Buffer.alloc(132, 1)]))).size).toBe(521)
  })

  it.each([
    ['the point at infinity', ecKey(P256, bytes('00'))],
    ['nothing', ecKey(P256, bytes(''))],
    ['the point at infinity with the length of another', ecKey(P256, Buffer.alloc(65))],
    ['an uncompressed point that is cut short', ecKey(P256, point.subarray(0, -1))],
    ['a byte too much', ecKey(P256, Buffer.concat([point, bytes('00')]))],
    [
      'an uncompressed point that is said to be compressed',
      ecKey(P256, Buffer.concat([bytes('02'), point.subarray(1)])),
    ],
    [
      'a compressed point that is said to be uncompressed',
      ecKey(P256, Buffer.concat([bytes('04'), compressed.subarray(1)])),
    ],
    ['the hybrid form', ecKey(P256, Buffer.concat([bytes('06'), point.subarray(1)]))],
    ['a point of another curve', ecKey('1.3.132.0.34', point)],
    ['an unknown curve and no point', ecKey('1.2.3.4', bytes('00'))],
    ['an unknown curve and an odd point', ecKey('1.2.3.4', bytes('04 01 02 03'))],
    ['an unknown curve and half a point', ecKey('1.2.3.4', bytes('04'))],
    ['no curve', spki([EC], point)],
    ['the curve of the issuer', spki([EC, bytes('05 00')], point)],
    ['two curves', spki([EC, oid(P256), oid(P256)], point)],
    ['bits that are no octets', sequence(sequence(EC, oid(P256)), element(0x03, bytes('04'), point))],
    ['no bit string', sequence(sequence(EC, oid(P256)), element(0x04, point))],
    ['something after the key', sequence(sequence(EC, oid(P256)), element(0x03, bytes('00'), point), bytes('05 00'))],
  ])('is refused with %s', (_, key) => {
    expect(() => readPublicKeyInfo(key)).toThrow(expect.objectContaining(MALFORMED))
    const certificate = crafted({ spki: key })
    expect(() => certificate.keyType).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.publicKey()).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.toX509Certificate()).toThrow(expect.objectContaining(MALFORMED))
    expect(certificate.fingerprint).toMatch(/^sha256:/)
  })

  it('whose point is on no curve is refused by OpenSSL, as an error of ours', () => {
    const offCurve = Buffer.from(point)
    offCurve.writeUInt8(offCurve.readUInt8(64) ^ 1, 64)
    expect(() => crafted({ spki: ecKey(P256, offCurve) }).publicKey()).toThrow(expect.objectContaining(UNSUPPORTED))
  })
})

describe('an RSA key', () => {
  it.each([
    [MODULUS, '01 00 01', 2048, 65537n],
    [MODULUS, '03', 2048, 3n],
    [MODULUS, '01', 2048, 1n],
    ['00 80', '03', 8, 3n],
    ['7f', '03', 7, 3n],
    ['01', '03', 1, 3n],
    ['01 00', '03', 9, 3n],
  ])('%.8s… with the exponent %s has %i bits', (modulus, exponent, size, value) => {
    expect(readPublicKeyInfo(rsaKey(modulus, exponent))).toMatchObject({ type: 'rsa', size, exponent: value })
  })

  it.each([
    ['a modulus of zero', rsaKey('00', '03')],
    ['a negative modulus', rsaKey('c3 c3', '03')],
    ['an exponent of zero', rsaKey(MODULUS, '00')],
    ['a negative exponent', rsaKey(MODULUS, 'ff')],
    ['a padded modulus', rsaKey('00 00 c3', '03')],
    ['an empty modulus', rsaKey('', '03')],
    ['a third number', spki(RSA, sequence(bytes('02 01 0f'), bytes('02 01 03'), bytes('02 01 03')))],
    ['one number', spki(RSA, sequence(bytes('02 01 0f')))],
    ['numbers outside of a sequence', spki(RSA, bytes('02 01 0f 02 01 03'))],
    ['nothing', spki(RSA, bytes(''))],
  ])('is refused with %s', (_, key) => {
    expect(() => readPublicKeyInfo(key)).toThrow(expect.objectContaining(MALFORMED))
  })
})

describe('an Edwards key', () => {
  const ED25519 = oid('1.3.101.112')

  it.each([
    ['31 octets', spki([ED25519], Buffer.alloc(31))],
    ['33 octets', spki([ED25519], Buffer.alloc(33))],
    ['parameters', spki([ED25519, bytes('05 00')], Buffer.alloc(32))],
    ['the octets of Ed25519 for Ed448', spki([oid('1.3.101.113')], Buffer.alloc(32))],
  ])('is refused with %s', (_, key) => {
    expect(() => readPublicKeyInfo(key)).toThrow(expect.objectContaining(MALFORMED))
  })
})

// What would end this process is tried in others. The first of the tests shows that the danger is real.
describe('a certificate with the point at infinity for a key', () => {
  const der = craft({ spki: ecKey(P256, bytes('00')) })
  // Releases of 24 have mended it in the meantime.
  const dangerous = [20, 22].includes(Number(process.versions.node.split('.')[0]))

  function run(program: string) {
    const module = fileURLToPath(new URL('../../src/certificate/certificate.ts', import.meta.url))
    const source = `
      import { createPublicKey, X509Certificate } from 'node:crypto'
      import { Certificate } from ${JSON.stringify(module)}
      const der = Buffer.from('${Buffer.from(der).toString('hex')}', 'hex')
      const attempt = (what) => { try { what(); console.log('done') } catch (error) { console.log(error.code) } }
      ${program}
      console.log('alive')`
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source])
    return { signal: child.signal, output: child.stdout.toString() }
  }

  it.runIf(dangerous)("ends the process if it reaches Node's details, and no try helps", () => {
    const { signal, output } = run('attempt(() => new X509Certificate(der).publicKey.asymmetricKeyDetails)')
    expect(signal).toBe('SIGABRT')
    expect(output).not.toContain('alive')
  })

  it('is refused before it gets there', () => {
    const { signal, output } = run(`
      const certificate = Certificate.from(der)
      attempt(() => certificate.publicKey().asymmetricKeyDetails)
      attempt(() => certificate.publicKey().export({ format: 'jwk' }))
      attempt(() => certificate.toX509Certificate().publicKey.asymmetricKeyDetails)
      attempt(() => certificate.keySize)
      attempt(() => certificate.fingerprint)
      attempt(() => certificate.publicKeyFingerprint)
      attempt(() => certificate.validityAt(new Date()))`)
    expect(signal).toBeNull()
    const refused = 'ERR_TLACACOCA_CERTIFICATE_MALFORMED\n'
    expect(output).toBe(`${refused.repeat(4)}done\ndone\ndone\nalive\n`)
  })
})

describe('a point of an Edwards curve with which anybody can sign', () => {
  it.each([
    ['01', 32],
    ['00', 32],
    [`ec${'ff'.repeat(30)}7f`, 32],
    ['c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', 32],
    ['01', 57],
    // Not below the prime, so the same key in another form.
    [`ee${'ff'.repeat(30)}7f`, 32],
  ])('is no key: %s', (start, octets) => {
    const point = Buffer.alloc(octets)
    Buffer.from(start, 'hex').copy(point)
    const algorithm = oid(octets === 32 ? '1.3.101.112' : '1.3.101.113')
    const certificate = Certificate.from(craft({ spki: spki([algorithm], point) }))
    expect(() => certificate.publicKey()).toThrow(expect.objectContaining(MALFORMED))
    expect(certificate.fingerprint).toMatch(/^sha256:/)
  })
})
