// What OpenSSL reads in our certificates, and whether it would have written the same.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { KEY_KINDS } from '../../src/certificate/generate-options.ts'
import { testCertificate } from '../support/certificates.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const asText = (pem: string): string => openssl(['x509', '-noout', '-text', '-nameopt', 'RFC2253,utf8,-esc_msb'], pem)

describe('openssl x509 -text', () => {
  it('shows what was asked for', async () => {
    const { certificatePem } = await generateSelfSignedCertificate({
      hostname: 'bücher.example',
      subjectAltNames: ['*.example.org', '2001:db8::1', '192.0.2.1'],
      commonName: 'Mary, O=Evil',
      organization: 'Ö & 漢字 🐙',
      userId: 'mary',
      usage: 'both',
      notBefore: new Date('2030-06-01T12:00:00Z'),
      notAfter: new Date('9999-12-31T23:59:59Z'),
    })
    const text = asText(certificatePem)
    for (const line of [
      'Version: 3 (0x2)',
      'Signature Algorithm: ecdsa-with-SHA256',
      'Issuer: UID=mary,CN=Mary\\, O=Evil,O=Ö & 漢字 🐙',
      'Subject: UID=mary,CN=Mary\\, O=Evil,O=Ö & 漢字 🐙',
      'Not Before: Jun  1 12:00:00 2030 GMT',
      'Not After : Dec 31 23:59:59 9999 GMT',
      'X509v3 Basic Constraints: critical\n                CA:FALSE\n',
      'X509v3 Key Usage: critical\n                Digital Signature\n',
      'X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication\n',
      'DNS:xn--bcher-kva.example, DNS:*.example.org, IP Address:2001:DB8:0:0:0:0:0:1, IP Address:192.0.2.1\n',
    ]) {
      expect(text).toContain(line)
    }
  })

  it('shows an authority', async () => {
    const { certificatePem } = await generateSelfSignedCertificate({ hostname: 'example.org', isCA: true })
    const text = asText(certificatePem)
    expect(text).toContain('X509v3 Basic Constraints: critical\n                CA:TRUE\n')
    expect(text).toContain('Digital Signature, Certificate Sign, CRL Sign\n')
  })
})

describe('openssl asn1parse', () => {
  it('finds UTCTime up to 2049 and GeneralizedTime from 2050 on', async () => {
    const times = async (notBefore: string, notAfter: string): Promise<string[]> => {
      const dates = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) }
      const { certificatePem } = await generateSelfSignedCertificate({ hostname: 'example.org', ...dates })
      const lines = openssl(['asn1parse'], certificatePem).matchAll(/(UTCTIME|GENERALIZEDTIME) +:(\S+)/g)
      return [...lines].map(([, kind, time]) => `${kind} ${time}`)
    }
    expect(await times('1950-01-01T00:00:00Z', '2049-12-31T23:59:59Z')).toEqual([
      'UTCTIME 500101000000Z',
      'UTCTIME 491231235959Z',
    ])
    expect(await times('2050-01-01T00:00:00Z', '9999-12-31T23:59:59Z')).toEqual([
      'GENERALIZEDTIME 20500101000000Z',
      'GENERALIZEDTIME 99991231235959Z',
    ])
  })

  it('finds names as UTF8String', async () => {
    const { certificatePem } = await generateSelfSignedCertificate({ hostname: 'example.org', organization: 'Ö' })
    const lines = openssl(['asn1parse'], certificatePem)
    expect(lines.match(/UTF8STRING/g)).toHaveLength(4)
    expect(lines).not.toMatch(/PRINTABLESTRING|T61STRING|BMPSTRING/)
  })
})

describe('openssl verify', () => {
  it.each(KEY_KINDS)('accepts the certificate of a %s key, signature and purpose', async (key) => {
    const { certPem } = await testCertificate({ key })
    const file = join(await temporaryFolder(), 'cert.pem')
    await writeFile(file, certPem)
    const verify = ['verify', '-CAfile', file, '-check_ss_sig', '-x509_strict', '-purpose', 'sslserver']
    expect(openssl([...verify, '-verify_hostname', 'example.org', file])).toContain(': OK')
    expect(opensslSucceeds([...verify, '-verify_hostname', 'example.com', file])).toBe(false)
  })

  it('refuses it once one bit of it is another', async () => {
    const { certificate } = await generateSelfSignedCertificate({ hostname: 'example.org' })
    const changed = certificate.der
    const at = Buffer.from(changed).indexOf('example.org')
    changed[at] = (changed[at] ?? 0) ^ 1
    const file = join(await temporaryFolder(), 'cert.pem')
    await writeFile(file, Certificate.from(changed).toPem())
    expect(opensslSucceeds(['verify', '-CAfile', file, '-check_ss_sig', file])).toBe(false)
  })
})

describe('openssl req -x509', () => {
  it('writes the same certificate for the same key, apart from the serial number and the signature', async () => {
    const { certificate, privateKeyPem } = await generateSelfSignedCertificate({
      hostname: 'example.org',
      subjectAltNames: ['192.0.2.1'],
      organization: 'Example',
      userId: 'mary',
    })
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'key.pem'), privateKeyPem)
    const pem = openssl([
      ...['req', '-x509', '-key', join(folder, 'key.pem'), '-utf8', '-sha256', '-days', '365'],
      ...['-subj', '/O=Example/CN=example.org/UID=mary', '-config', '/dev/null'],
      ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=critical,digitalSignature'],
      ...['-addext', 'extendedKeyUsage=serverAuth', '-addext', 'subjectAltName=DNS:example.org,IP:192.0.2.1'],
      ...['-addext', 'subjectKeyIdentifier=hash'],
    ])
    const theirs = Certificate.from(pem)
    expect(certificate.subjectDer).toEqual(theirs.subjectDer)
    expect(certificate.subjectPublicKeyInfo).toEqual(theirs.subjectPublicKeyInfo)
    expect(certificate.signatureAlgorithm).toEqual(theirs.signatureAlgorithm)
    const sorted = ({ extensions }: Certificate) => [...extensions].sort((a, b) => a.oid.localeCompare(b.oid))
    expect(sorted(certificate)).toEqual(sorted(theirs))
  })
})
