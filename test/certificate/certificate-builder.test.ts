import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import {
  type CertificateBuilder,
  type CertificateParts,
  loadCertificateBuilder,
} from '../../src/certificate/certificate-builder.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { type Signer, signerFor } from '../../src/certificate/signing.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const spki = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' })

let builder: CertificateBuilder
let parts: CertificateParts
let signer: Signer
beforeAll(async () => {
  builder = await loadCertificateBuilder()
  signer = signerFor(keys.privateKey, keys.publicKey.export({ format: 'der', type: 'spki' }))
  parts = {
    serialNumber: '7f01',
    issuer: builder.name([{ oid: '2.5.4.3', value: 'An authority' }]),
    subject: builder.name([{ oid: '2.5.4.3', value: 'Ana' }]),
    validity: { notBefore: new Date('2030-01-01T00:00:00Z'), notAfter: new Date('2050-01-01T00:00:00Z') },
    spki,
    extensions: [builder.extensions.basicConstraints({ ca: false })],
  }
})

describe('a certificate for somebody else', () => {
  it('has the issuer, the subject, the key and the serial number that it is given, octet by octet', async () => {
    const certificate = await builder.build(parts, signer)
    expect(certificate.issuer.toString()).toBe('CN=An authority')
    expect(certificate.subject.toString()).toBe('CN=Ana')
    expect(Buffer.from(certificate.issuerDer).equals(parts.issuer)).toBe(true)
    expect(Buffer.from(certificate.subjectDer).equals(parts.subject)).toBe(true)
    expect(Buffer.from(certificate.subjectPublicKeyInfo).equals(spki)).toBe(true)
    expect(certificate.serialNumber).toBe('7f01')
    expect(certificate.version).toBe(3)
    expect([certificate.notBefore, certificate.notAfter]).toEqual([parts.validity.notBefore, parts.validity.notAfter])
  })

  it('is signed in two steps, and what is signed is known before', async () => {
    const signedPart = builder.signedPart(parts, signer)
    const before = createHash('sha256').update(signedPart).digest('hex')
    const certificate = builder.assemble(signedPart, signer, await signer.sign(signedPart))
    expect(createHash('sha256').update(certificate.tbsDer).digest('hex')).toBe(before)
    expect(certificate.toX509Certificate().verify(keys.publicKey)).toBe(true)
    expect(builder.signedPart(parts, signer)).toEqual(signedPart)
  })

  it('is what a signature belongs to, whatever signs', async () => {
    const signedPart = builder.signedPart(parts, signer)
    const certificate = builder.assemble(signedPart, signer, Uint8Array.of(1, 2, 3))
    expect(certificate.toX509Certificate().verify(keys.publicKey)).toBe(false)
    expect(verify('sha256', certificate.tbsDer, keys.publicKey, await signer.sign(signedPart))).toBe(true)
  })

  it('is accepted by openssl verify under its issuer, with everything that an authority writes', async () => {
    const root = await generateSelfSignedCertificate({ hostname: 'ca.example', isCA: true, commonName: 'Root' })
    const make = builder.extensions
    const rootSigner = signerFor(createPrivateKey(root.privateKeyPem), root.certificate.subjectPublicKeyInfo)
    const certificate = await builder.build(
      {
        ...parts,
        issuer: root.certificate.subjectDer,
        validity: { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) },
        extensions: [
          make.basicConstraints({ ca: false }),
          make.keyUsage(['digitalSignature']),
          make.extendedKeyUsage(['clientAuth', '1.2.3.4']),
          make.subjectAltName(
            { dns: ['example.org'], ip: ['::1'], email: ['a@b.c'], uri: ['urn:x:y'] },
            { critical: false },
          ),
          make.subjectKeyIdentifier(spki),
          make.authorityKeyIdentifier(root.certificate),
          make.crlDistributionPoints(['http://ca.example/crl']),
          make.authorityInformationAccess({ issuers: ['http://ca.example/ca.pem'] }),
        ],
      },
      rootSigner,
    )
    const text = openssl(['x509', '-noout', '-text'], certificate.toPem())
    for (const line of ['URI:http://ca.example/crl', 'CA Issuers - URI:http://ca.example/ca.pem', '1.2.3.4']) {
      expect(text).toContain(line)
    }
    const file = join(await temporaryFolder(), 'root.pem')
    await writeFile(file, root.certificatePem)
    expect(opensslSucceeds(['verify', '-x509_strict', '-CAfile', file], certificate.toPem())).toBe(true)
  })
})

describe('signerFor', () => {
  it.each([
    ['X25519', () => generateKeyPairSync('x25519'), '1.3.101.110'],
    ['DSA', () => generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }), '1.2.840.10040.4.1'],
  ] as const)('signs nothing with a key of another kind: %s', (_, make, algorithm) => {
    const { privateKey, publicKey } = make()
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    expect(() => signerFor(privateKey, spki)).toThrow(
      expect.objectContaining({
        code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED',
        message: `keys of the algorithm ${algorithm} cannot be used here`,
      }),
    )
  })
})

describe('a serial number', () => {
  it.each([
    ['01', '01'],
    ['7f'.repeat(20), '7f'.repeat(20)],
    ['80', '80'],
    ['ff'.repeat(19), 'ff'.repeat(19)],
  ])('of %s is that number', async (serialNumber, read) => {
    const certificate = await builder.build({ ...parts, serialNumber }, signer)
    expect(certificate.serialNumber).toBe(read)
    const shown = openssl(['x509', '-noout', '-serial'], certificate.toPem())
    expect(shown.trim().toLowerCase()).toBe(`serial=${read}`)
  })

  // RFC 5280 section 4.1.2.2: positive, and at most 20 octets with the sign.
  it.each(['', '0', '00', '0001', '80'.repeat(20), '01'.repeat(21), 'FF', 'xx', '1', '-01', '01 '])(
    'of %j is refused',
    (serialNumber) => {
      expect(() => builder.signedPart({ ...parts, serialNumber }, signer)).toThrow('"serialNumber"')
    },
  )

  it('is 128 random bits if none is given', async () => {
    const { serialNumber: _, ...others } = parts
    const seen = new Set<string>()
    for (let time = 0; time < 20; time++) {
      const { serialNumber } = await builder.build(others, signer)
      expect(serialNumber).toMatch(/^(?!00)[0-9a-f]{32}$/)
      seen.add(serialNumber)
    }
    expect(seen.size).toBe(20)
  })
})

describe('extensions', () => {
  it('must be there, and each once', () => {
    const [first] = parts.extensions
    expect(() => builder.signedPart({ ...parts, extensions: [] }, signer)).toThrow('"extensions"')
    expect(() => builder.signedPart({ ...parts, extensions: [first, first] as never }, signer)).toThrow('"extensions"')
  })
})

describe('a name', () => {
  it('is written in the string types that its attributes want', () => {
    const der = builder.name([
      { oid: '2.5.4.6', value: 'MX', as: 'printableString' },
      { oid: '1.2.840.113549.1.9.1', value: 'a@b.c', as: 'ia5String' },
      { oid: '2.25.327847519394146920', value: 'x' },
    ])
    const shown = openssl(['asn1parse', '-inform', 'DER'], der)
    expect([...shown.matchAll(/(\w+) +:(\S+)$/gm)].map(([, type, value]) => `${type} ${value}`)).toEqual([
      'OBJECT countryName',
      'PRINTABLESTRING MX',
      'OBJECT emailAddress',
      'IA5STRING a@b.c',
      'OBJECT 2.25.327847519394146920',
      'UTF8STRING x',
    ])
  })

  it('is empty if it has no attribute', () => {
    expect(Buffer.from(builder.name([])).toString('hex')).toBe('3000')
  })
})

it('a public key is certified as it came, also where another encoder would write it otherwise', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const der = rsa.publicKey.export({ format: 'der', type: 'spki' })
  const certificate = await builder.build({ ...parts, spki: der }, signer)
  expect(Buffer.from(certificate.subjectPublicKeyInfo).equals(der)).toBe(true)
  expect(createPublicKey(certificate.toPem()).equals(rsa.publicKey)).toBe(true)
  expect(Certificate.from(certificate.toPem()).equals(certificate)).toBe(true)
})
