import { X509Certificate } from 'node:crypto'
import { inspect, isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { bytes, craft, crafted, element, generalizedTime, sequence, utcTime } from '../support/crafted-certificates.ts'
import { vectorNames, vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }
const PEM = vectorPem('example-org')
const DER = new X509Certificate(PEM).raw

describe('Certificate.from', () => {
  it.each([
    ['PEM text', PEM],
    ['PEM as bytes', Buffer.from(PEM)],
    ['PEM as bytes with a byte order mark', Buffer.from(`\ufeff${PEM}`)],
    ['DER', DER],
    ['DER in a plain Uint8Array', new Uint8Array(DER)],
    ["Node's X509Certificate", new X509Certificate(PEM)],
    ['what a TLS socket returns', { raw: DER, subject: {}, issuer: {} }],
    ['a Certificate', Certificate.from(PEM)],
  ])('reads %s', (_, input) => {
    expect(Certificate.from(input).fingerprint).toBe(
      'sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257',
    )
  })

  it.each([
    ['nothing', new Uint8Array(0)],
    ['one octet', bytes('30')],
    ['an empty text', ''],
    ['a text without a certificate', 'hello'],
    ['an object of a peer that sent no certificate', {}],
    ['a certificate request', vectorPem('request')],
    ['the DER of a certificate request', Buffer.from(vectorPem('request').replace(/-----.*-----/g, ''), 'base64')],
    ['two certificates', PEM + vectorPem('p256')],
    ['the same certificate twice', PEM + PEM],
    ['a certificate and a byte', Buffer.concat([DER, bytes('00')])],
    ['a certificate without its last byte', DER.subarray(0, -1)],
    ['a certificate inside a sequence', sequence(DER)],
    ['four parts', element(0x30, element(0x30), element(0x30), element(0x03), element(0x05))],
    ['an empty sequence', bytes('30 00')],
    ['an indefinite length', bytes('30 80 00 00')],
    ['a length of 127 octets', bytes('30 ff 00 00')],
    ['a length of 4 GiB', bytes('30 84 ff ff ff ff')],
    ['a length of 2^64', bytes('30 88 ff ff ff ff ff ff ff ff')],
    ['a padded length', Buffer.concat([bytes('30 83 00 01 99'), DER.subarray(4)])],
    ['random text in bytes', Buffer.from('0this is not a certificate')],
    ['a SET in place of the SEQUENCE', Buffer.concat([bytes('31'), DER.subarray(1)])],
    ['a hundred thousand nested sequences', nested(100_000)],
    ['a signature of no octets', craft({ signature: bytes('03 00') })],
    ['a signature with unused bits', craft({ signature: bytes('03 03 04 12 30') })],
    ['a signature that is no bit string', craft({ signature: bytes('04 02 00 01') })],
  ])('refuses %s', (_, input) => {
    expect(() => Certificate.from(input as Uint8Array)).toThrow(expect.objectContaining(MALFORMED))
  })

  it.each([undefined, null, 5, true, Symbol('x'), () => DER, [1, 2]])('throws a TypeError for %s', (input) => {
    expect(() => Certificate.from(input as unknown as Uint8Array)).toThrow(TypeError)
  })

  it('cuts a certificate at no place without refusing it', () => {
    for (let length = 0; length < DER.length; length++) {
      expect(() => Certificate.from(DER.subarray(0, length))).toThrow(expect.objectContaining(MALFORMED))
    }
  })
})

describe('the bytes of a certificate', () => {
  it('do not change with the ones it was made from', () => {
    const source = Buffer.from(DER)
    const certificate = Certificate.from(source)
    source.fill(0)
    expect(Buffer.from(certificate.der)).toEqual(Buffer.from(DER))
    expect(certificate.notAfter.toISOString()).toBe('2036-11-21T02:07:53.000Z')
  })

  it.each(['der', 'subjectPublicKeyInfo', 'subjectDer', 'issuerDer', 'tbsDer'] as const)(
    'do not change through %s, which shares its memory with nobody',
    (part) => {
      const certificate = Certificate.from(PEM)
      const before = Buffer.from(certificate[part]).toString('hex')
      const given = certificate[part]
      expect(given.buffer.byteLength).toBe(given.byteLength)
      given.fill(0)
      expect(Buffer.from(certificate[part]).toString('hex')).toBe(before)
    },
  )

  it('do not change through the value of an extension, nor the dates through theirs', () => {
    const certificate = Certificate.from(PEM)
    for (const { value } of certificate.extensions) value.fill(0)
    certificate.notAfter.setTime(0)
    expect(certificate.isCA).toBe(true)
    expect(certificate.notAfter.toISOString()).toBe('2036-11-21T02:07:53.000Z')
  })

  it('come out as the PEM that went in', () => {
    expect(Certificate.from(PEM).toPem()).toBe(PEM)
  })

  it('are told apart by whatever compares or shows objects', () => {
    const [one, other] = [Certificate.from(PEM), Certificate.from(vectorPem('p256'))]
    expect(one).not.toEqual(other)
    expect(one).toEqual(Certificate.from(PEM))
    expect(isDeepStrictEqual(one, other)).toBe(false)
    expect(inspect(one)).toContain(one.fingerprint)
  })

  it('decide about equality', () => {
    expect(Certificate.from(PEM).equals(Certificate.from(DER))).toBe(true)
    expect(Certificate.from(PEM).equals(Certificate.from(vectorPem('p256')))).toBe(false)
  })
})

describe('the certificate of which all fingerprints are known', () => {
  const certificate = Certificate.from(PEM)

  it.each([
    ['fingerprint', 'sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'],
    [
      'sha512Fingerprint',
      'sha512:1e59688e1086b6e5b29a3cf3f420c5a318878c7b3cb74fb8b418a1b45959569d3d538a9861b7580c452527985ae8732e64908df5f09d683063490a337019e3bf',
    ],
    ['publicKeyFingerprint', 'spki-sha256:d9a58b8f8208aa121b737a8ed2df5ff8b3fa2491710973af80f69d9a26626261'],
    ['sha1', '2fab7d5af55ef57c520373d15afab04713730a59'],
    ['serialNumber', '4c5bd401a0f12441854780c69f45560e0e17f96f'],
    ['isCA', true],
    ['pathLength', null],
    ['keyUsage', null],
    ['extendedKeyUsage', null],
    ['keyType', 'ec'],
    ['keyCurve', 'P-256'],
    ['keySize', 256],
    ['keyExponent', null],
    ['version', 3],
    ['isSelfIssued', true],
    ['subjectKeyIdentifier', '87838307fa200d4cafec4a9384cc9c10dac98a44'],
    ['authorityKeyIdentifier', '87838307fa200d4cafec4a9384cc9c10dac98a44'],
  ] as const)('has %s', (fact, expected) => {
    expect(certificate[fact]).toBe(expected)
  })

  it('has names, dates and a signature algorithm', () => {
    expect(String(certificate.subject)).toBe('CN=example.org')
    expect(certificate.subjectAltNames).toEqual({ dns: ['example.org'], ip: [], email: [], uri: [] })
    expect(certificate.notBefore.toISOString()).toBe('2026-11-24T02:07:53.000Z')
    expect(certificate.notAfter.getTime()).toBe(2110846073000)
    expect(certificate.signatureAlgorithm).toEqual({
      oid: '1.2.840.10045.4.3.2',
      name: 'ecdsa-with-SHA256',
      hash: 'sha256',
    })
  })
})

// OpenSSL reads the same bytes another way, so wherever it has the same fact it must be the same.
describe.each(vectorNames())('%s agrees with OpenSSL', (vector) => {
  const certificate = Certificate.from(vectorPem(vector))
  const node = new X509Certificate(vectorPem(vector))

  it('about the fingerprints', () => {
    const digits = (text: string) => text.replaceAll(':', '').toLowerCase()
    expect(certificate.fingerprint).toBe(`sha256:${digits(node.fingerprint256)}`)
    expect(certificate.sha512Fingerprint).toBe(`sha512:${digits(node.fingerprint512)}`)
    expect(certificate.sha1).toBe(digits(node.fingerprint))
  })

  it('about the serial number, the dates, the authority and the subject', () => {
    const bare = (hex: string) => hex.toLowerCase().replace(/^(-?)0+(?=.)/, '$1')
    expect(bare(certificate.serialNumber)).toBe(bare(node.serialNumber))
    expect(certificate.notBefore).toEqual(new Date(node.validFrom))
    expect(certificate.notAfter).toEqual(new Date(node.validTo))
    expect(certificate.isCA).toBe(node.ca)
    // Node 24 ends the process for some keys when it is asked for the whole of this object.
    if (Number.parseInt(process.versions.node, 10) > 22) return
    expect(certificate.subject.commonName ?? undefined).toBe(node.toLegacyObject().subject?.CN)
  })

  it('about the public key', () => {
    if (['dsa', 'unknown-curve', 'explicit-curve'].includes(vector)) return
    const spki = node.publicKey.export({ type: 'spki', format: 'der' })
    // OpenSSL writes every point in full. The exact bytes of a compressed one are in the certificate only.
    if (vector !== 'compressed-point') expect(Buffer.from(certificate.subjectPublicKeyInfo)).toEqual(spki)
    const details = node.publicKey.asymmetricKeyDetails
    if (certificate.keyType === 'rsa') {
      expect(certificate.keySize).toBe(details?.modulusLength)
      expect(certificate.keyExponent).toBe(details?.publicExponent)
    }
    expect(certificate.publicKey().equals(node.publicKey)).toBe(true)
    expect(certificate.toX509Certificate().fingerprint256).toBe(node.fingerprint256)
  })
})

describe('odd and legal', () => {
  it.each([
    ['negative-serial', '-80'],
    ['zero-serial', '00'],
    ['serial-of-40-octets', `7${'f'.repeat(79)}`],
    ['year-9999', '01'],
  ])('%s has the serial number %s', (vector, serial) => {
    expect(Certificate.from(vectorPem(vector)).serialNumber).toBe(serial)
  })

  it.each([
    ['02 01 00', '00'],
    ['02 01 7f', '7f'],
    ['02 02 00 80', '80'],
    ['02 02 00 ff', 'ff'],
    ['02 02 01 00', '0100'],
    ['02 01 ff', '-01'],
    ['02 01 80', '-80'],
    ['02 02 ff 7f', '-81'],
    ['02 02 80 00', '-8000'],
    ['02 04 80 01 02 03', '-7ffefdfd'],
  ])('reads the serial number %s as %s', (serial, expected) => {
    expect(crafted({ serial: bytes(serial) }).serialNumber).toBe(expected)
  })

  it.each(['02 00', '02 02 00 7f', '02 02 ff 80', '02 03 00 00 80'])('refuses the serial number %s', (serial) => {
    const certificate = crafted({ serial: bytes(serial) })
    expect(() => certificate.serialNumber).toThrow(expect.objectContaining(MALFORMED))
    expect(certificate.fingerprint).toMatch(/^sha256:/)
  })

  it('reads version 1, which has no extensions', () => {
    const certificate = Certificate.from(vectorPem('version-1'))
    expect(certificate).toMatchObject({
      version: 1,
      isCA: false,
      pathLength: null,
      keyUsage: null,
      extendedKeyUsage: null,
    })
    expect(certificate.extensions).toEqual([])
    expect(certificate.subjectAltNames).toEqual({ dns: [], ip: [], email: [], uri: [] })
  })

  it.each([
    ['a0 03 02 01 00', 1],
    ['a0 03 02 01 01', 2],
    ['a0 03 02 01 02', 3],
  ])('reads the explicit version %s as %i', (version, expected) => {
    expect(crafted({ version: bytes(version) }).version).toBe(expected)
  })

  it.each([
    'a0 03 02 01 03',
    'a0 03 02 01 ff',
    'a0 00',
    'a0 06 02 01 02 02 01 02',
    'a0 03 04 01 02',
    'a0 07 02 05 01 00 00 00 02',
  ])('refuses the version %s', (version) => {
    expect(() => crafted({ version: bytes(version) }).version).toThrow(expect.objectContaining(MALFORMED))
  })

  it('reads extensions in a certificate that forgets to say version 3, as TLS libraries do', () => {
    const der = vectorDer('p256')
    const marker = Buffer.from(bytes('a0 03 02 01 02'))
    const at = der.indexOf(marker)
    const certificate = Certificate.from(Buffer.from(der).fill(0, at + 4, at + 5))
    expect(certificate.version).toBe(1)
    expect(certificate.subjectAltNames.dns).toEqual(['example.org'])
  })

  it('reads an empty subject', () => {
    const { subject, issuer, isSelfIssued } = Certificate.from(vectorPem('empty-subject'))
    expect([subject.toString(), subject.commonName, subject.isEmpty, issuer.toString()]).toEqual(['', null, true, ''])
    expect(isSelfIssued).toBe(true)
  })

  it('reads past an unknown critical extension and shows it', () => {
    const certificate = Certificate.from(vectorPem('unknown-critical'))
    expect(certificate.subjectAltNames.dns).toEqual(['example.org'])
    const unknown = certificate.extensions.find((each) => each.oid === '1.3.6.1.4.1.99999.1')
    expect(unknown).toMatchObject({ critical: true })
    expect(Buffer.from(unknown?.value ?? []).toString()).toBe('\x0c\x05hello')
  })

  it('steps over the unique identifiers of version 2', () => {
    const { extensions } = crafted({
      rest: [element(0x81, bytes('00 01')), element(0x82, bytes('00 02')), element(0xa3, sequence(keyIdentifier()))],
    })
    expect(extensions.map((each) => each.oid)).toEqual(['2.5.29.14'])
  })

  it.each([
    ['unknown parts', [element(0xa4, bytes('05 00'))]],
    [
      'extensions before a unique identifier',
      [element(0xa3, sequence(keyIdentifier())), element(0x82, bytes('00 02'))],
    ],
    ['extensions twice', [element(0xa3, sequence(keyIdentifier())), element(0xa3, sequence(keyIdentifier()))]],
    ['an empty list of extensions', [element(0xa3, sequence())]],
    ['something after the list of extensions', [element(0xa3, sequence(keyIdentifier()), bytes('05 00'))]],
  ])('refuses %s when the extensions are read, and has a fingerprint', (_, rest) => {
    const certificate = crafted({ rest })
    expect(() => certificate.extensions).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.isCA).toThrow(expect.objectContaining(MALFORMED))
    expect(certificate.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/)
  })
})

it('has no second fingerprint for bits of the signature that OpenSSL would clear', () => {
  const der = vectorDer('rsa2048')
  const at = der.length - 257
  expect(der.subarray(at - 4, at + 1).toString('hex')).toBe('0382010100')
  der.writeUInt8(3, at)
  expect(new X509Certificate(der).raw.equals(der)).toBe(false)
  expect(() => Certificate.from(der)).toThrow(expect.objectContaining(MALFORMED))
})

describe('dates', () => {
  const until = (notAfter: Uint8Array) => crafted({ validity: sequence(utcTime('500101000000Z'), notAfter) })

  it.each([
    [utcTime('491231235959Z'), '2049-12-31T23:59:59.000Z'],
    [utcTime('500101000000Z'), '1950-01-01T00:00:00.000Z'],
    [utcTime('240229120000Z'), '2024-02-29T12:00:00.000Z'],
    [generalizedTime('20500101000000Z'), '2050-01-01T00:00:00.000Z'],
    [generalizedTime('99991231235959Z'), '9999-12-31T23:59:59.000Z'],
    // Against RFC 5280, which wants UTCTime there, but it can only mean one thing.
    [generalizedTime('20300101000000Z'), '2030-01-01T00:00:00.000Z'],
    [generalizedTime('00500101000000Z'), '0050-01-01T00:00:00.000Z'],
    [generalizedTime('00000229000000Z'), '0000-02-29T00:00:00.000Z'],
  ])('reads %s as %s', (time, expected) => {
    expect(until(time).notAfter.toISOString()).toBe(expected)
  })

  it.each([
    ['month 13', utcTime('301301000000Z')],
    ['month 0', utcTime('300001000000Z')],
    ['30 February', utcTime('300230000000Z')],
    ['29 February of a common year', utcTime('300229000000Z')],
    ['29 February 2100', generalizedTime('21000229000000Z')],
    ['31 April', utcTime('300431000000Z')],
    ['day 0', utcTime('300100000000Z')],
    ['hour 24', utcTime('300101240000Z')],
    ['minute 60', utcTime('300101006000Z')],
    ['second 60', utcTime('300101000060Z')],
    ['no seconds', utcTime('3001010000Z')],
    ['no zone', utcTime('300101000000')],
    ['a lower-case zone', utcTime('300101000000z')],
    ['an offset', utcTime('300101000000+0100')],
    ['a fraction', generalizedTime('20300101000000.5Z')],
    ['a sign among the digits', utcTime('3001010000+1Z')],
    ['a space among the digits', utcTime('300101 00000Z')],
    ['a NUL among the digits', utcTime('30010100000\0Z')],
    ['digits that are not ASCII', utcTime('３００１Z')],
    ['two digits of a year in GeneralizedTime', generalizedTime('300101000000Z')],
    ['four in UTCTime', utcTime('20300101000000Z')],
    ['nothing', utcTime('')],
    ['another type', element(0x0c, Buffer.from('300101000000Z'))],
  ])('refuses %s: it is never NaN, and never "not expired"', (_, time) => {
    const certificate = until(time)
    expect(() => certificate.notAfter).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.notBefore).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.validityAt(new Date())).toThrow(expect.objectContaining(MALFORMED))
  })

  it('refuses a third date', () => {
    const time = utcTime('300101000000Z')
    expect(() => crafted({ validity: sequence(time, time, time) }).notAfter).toThrow(expect.objectContaining(MALFORMED))
  })

  it.each([
    ['2026-11-24T02:07:52.999Z', 'not_yet_valid'],
    ['2026-11-24T02:07:53.000Z', 'valid'],
    ['2036-11-21T02:07:53.000Z', 'valid'],
    ['2036-11-21T02:07:53.001Z', 'expired'],
  ])('at %s it is %s', (at, validity) => {
    expect(Certificate.from(PEM).validityAt(new Date(at))).toBe(validity)
  })

  it('is never valid if it ends before it begins', () => {
    const certificate = crafted({ validity: sequence(utcTime('300101000000Z'), utcTime('290101000000Z')) })
    for (const year of [2028, 2029, 2030, 2031]) {
      expect(certificate.validityAt(new Date(`${year}-06-01T00:00:00Z`))).not.toBe('valid')
    }
  })

  it('does not judge by a date that is none', () => {
    expect(() => Certificate.from(PEM).validityAt(new Date(Number.NaN))).toThrow(RangeError)
    expect(() => Certificate.from(PEM).validityAt(0 as unknown as Date)).toThrow(TypeError)
  })
})

function vectorDer(vector: string): Buffer {
  return Buffer.from(Certificate.from(vectorPem(vector)).der)
}

function keyIdentifier(): Uint8Array {
  return sequence(bytes('06 03 55 1d 0e'), element(0x04, bytes('04 01 00')))
}

/** Sequences in one another, the outermost of exact length. */
function nested(depth: number): Uint8Array {
  const headers: Uint8Array[] = []
  let length = 0
  for (let i = 0; i < depth; i++) {
    const header =
      length < 0x80
        ? Uint8Array.of(0x30, length)
        : Uint8Array.of(0x30, 0x83, length >> 16, (length >> 8) & 255, length & 255)
    headers.push(header)
    length += header.length
  }
  return Buffer.concat(headers.reverse())
}
