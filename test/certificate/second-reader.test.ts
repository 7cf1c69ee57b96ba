import 'reflect-metadata'
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension, X509Certificate, X509Crl } from '@peculiar/x509'
import { CertificateAuthority } from 'tlacacoca/authority'
import {
  type Certificate,
  createCertificateRequest,
  generateSelfSignedCertificate,
  type KeyKind,
} from 'tlacacoca/certificate'
import { describe, expect, it } from 'vitest'
import { fixedClock } from '../../src/testing/fixed-clock.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// What we write, read and verified by somebody else's reader, which shares no code with ours. OpenSSL and GnuTLS read it
// too, in other tests; this one wants no program and tells of each part what it is.

const clock = fixedClock(new Date('2030-06-01T12:00:00Z'))
const KINDS: readonly KeyKind[] = ['P-256', 'P-384', 'Ed25519', 'RSA-2048']

/** The names of a certificate as the other reader has them. */
function namesOf(read: X509Certificate): string[] {
  const extension = read.getExtension(SubjectAlternativeNameExtension)
  return extension?.names.toJSON().map(({ type, value }) => `${type} ${value}`) ?? []
}

function expectSame(read: X509Certificate, ours: Certificate): void {
  expect(read.serialNumber.padStart(ours.serialNumber.length, '0')).toBe(ours.serialNumber)
  expect(read.notBefore).toEqual(ours.notBefore)
  expect(read.notAfter).toEqual(ours.notAfter)
  expect(Buffer.from(read.publicKey.rawData)).toEqual(Buffer.from(ours.subjectPublicKeyInfo))
  // Unknown critical extensions would be refused by others.
  expect(read.extensions.map(({ type, critical }) => `${type} ${critical}`)).toEqual(
    ours.extensions.map(({ oid, critical }) => `${oid} ${critical}`),
  )
}

describe('a second reader', () => {
  it.each(KINDS)('finds in a certificate for %s what was asked for, and its signature good', async (key) => {
    const { certificate } = await generateSelfSignedCertificate({
      hostname: 'bücher.example',
      subjectAltNames: ['*.example.org', '192.0.2.1', '2001:db8::1'],
      organization: 'Bücher & Söhne, "Ltd"',
      usage: 'both',
      key,
      clock,
    })
    const read = new X509Certificate(certificate.der)
    expectSame(read, certificate)
    expect(read.subjectName.getField('CN')).toEqual(['xn--bcher-kva.example'])
    expect(read.subjectName.getField('O')).toEqual(['Bücher & Söhne, "Ltd"'])
    expect(namesOf(read)).toEqual([
      'dns xn--bcher-kva.example',
      'dns *.example.org',
      'ip 192.0.2.1',
      expect.stringMatching(/^ip 2001:0?db8:/),
    ])
    expect(await read.verify({ date: new Date('2030-06-02T00:00:00Z') })).toBe(true)
    expect(await read.verify({ date: new Date('2029-06-02T00:00:00Z') }), 'before it begins').toBe(false)
  })

  it.each(KINDS)('finds a request for %s signed by its own key, and a changed one not', async (key) => {
    const { requestPem } = await createCertificateRequest({ subject: [['CN', 'Ana']], key })
    const read = new Pkcs10CertificateRequest(requestPem)
    expect(read.subjectName.getField('CN')).toEqual(['Ana'])
    expect(await read.verify()).toBe(true)
    const changed = Buffer.from(read.rawData)
    changed[changed.indexOf('Ana')] = 'U'.charCodeAt(0)
    expect(await new Pkcs10CertificateRequest(changed).verify()).toBe(false)
  })

  it('finds what an authority signs to be signed by it, and its list too', async () => {
    await using authority = await CertificateAuthority.create(`${await temporaryFolder()}/ca`, {
      subject: [['CN', 'Club']],
      dangerouslyUnencrypted: true,
      clock,
    })
    const { requestPem } = await createCertificateRequest({ subject: [['CN', 'Ana']] })
    const issued = await authority.sign({ request: requestPem, subject: [['CN', 'Ana']], validity: '30d' })
    const above = new X509Certificate(authority.certificate.der)
    const read = new X509Certificate(issued.certificate.der)
    expectSame(read, issued.certificate)
    expect(read.issuer).toBe(above.subject)
    const at = new Date('2030-06-02T00:00:00Z')
    expect(await read.verify({ date: at, publicKey: above })).toBe(true)
    expect(await read.verify({ date: at }), 'by its own key').toBe(false)

    await authority.revoke(issued.certificate.serialNumber, { reason: 'key_compromise' })
    const list = new X509Crl((await authority.crl()).der)
    expect(await list.verify({ publicKey: above })).toBe(true)
    expect(await list.verify({ publicKey: read }), 'by the key of somebody who is on it').toBe(false)
    expect(list.entries.map(({ serialNumber }) => BigInt(`0x${serialNumber}`))).toEqual([
      BigInt(`0x${issued.certificate.serialNumber}`),
    ])
  })
})
