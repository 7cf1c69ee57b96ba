// What OpenSSL makes of rotated certificates, and we of those that it makes by the published recipe.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { DerReader, TAG } from '../../src/certificate/der.ts'
import { renewCertificate } from '../../src/certificate/renew.ts'
import { rotateCertificate } from '../../src/certificate/rotate-certificate.ts'
import { testCertificate } from '../support/certificates.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Whether openssl verifies the signature of a certificate with the key of another one, and looks at nothing else. */
async function isSignedBy(signed: Certificate, signer: Certificate): Promise<boolean> {
  const folder = await temporaryFolder()
  const file = (name: string) => join(folder, name)
  const outer = new DerReader(signed.der).read(TAG.sequence, 'the certificate').children()
  const body = outer.read(TAG.sequence, 'the body').encoded
  outer.read(TAG.sequence, 'the algorithm')
  const signature = outer.read(TAG.bitString, 'the signature').content.subarray(1)
  await writeFile(file('body'), body)
  await writeFile(file('signature'), signature)
  await writeFile(file('signer.pem'), signer.toPem())
  await writeFile(file('key.pem'), openssl(['x509', '-in', file('signer.pem'), '-noout', '-pubkey']))
  const common = ['-pubin', '-inkey', file('key.pem'), '-sigfile', file('signature')]
  const hash = signed.signatureAlgorithm.hash
  const digest = hash === null ? ['-rawin'] : ['-rawin', '-digest', hash]
  return opensslSucceeds(['pkeyutl', '-verify', ...common, ...digest, '-in', file('body')])
}

describe('OpenSSL verifies the old key’s signature on the new certificate', () => {
  it.each([
    ['P-256', 'P-384'],
    ['P-384', 'Ed25519'],
    ['Ed25519', 'P-256'],
    ['RSA-2048', 'P-256'],
    ['secp256k1', 'P-256'],
    ['brainpoolP384r1', 'RSA-2048'],
  ] as const)('for %s, then %s', async (before, after) => {
    const { certificate, keyPem } = await testCertificate({ key: before })
    const next = await rotateCertificate({ certificate, privateKey: keyPem, key: after })
    expect(await isSignedBy(next.certificate, certificate)).toBe(true)
    expect(
      await isSignedBy(next.certificate, (await testCertificate({ key: before, freshKey: true })).certificate),
    ).toBe(false)
  })

  it('as a chain too, if the old certificate may sign others', async () => {
    const { certificate, keyPem, certPem } = await testCertificate({ isCA: true })
    const next = await rotateCertificate({ certificate, privateKey: keyPem })
    const third = await rotateCertificate({ certificate: next.certificate, privateKey: next.privateKeyPem })
    const folder = await temporaryFolder()
    const files = { first: join(folder, '1.pem'), second: join(folder, '2.pem'), third: join(folder, '3.pem') }
    await writeFile(files.first, certPem)
    await writeFile(files.second, next.certificatePem)
    await writeFile(files.third, third.certificatePem)
    const verify = (trusted: string, presented: string) =>
      opensslSucceeds(['verify', '-partial_chain', '-no-CAfile', '-no-CApath', '-trusted', trusted, presented])
    expect(verify(files.first, files.second)).toBe(true)
    expect(verify(files.second, files.third)).toBe(true)
    expect(verify(files.first, files.third)).toBe(false)
  })
})

it('a key that could encrypt is followed by one that is for signatures only', async () => {
  const key = join(await temporaryFolder(), 'key.pem')
  await writeFile(key, openssl(['genpkey', '-algorithm', 'rsa', '-pkeyopt', 'rsa_keygen_bits:2048']))
  const uses = 'keyUsage=critical,keyEncipherment,dataEncipherment,keyCertSign'
  const extensions = ['-addext', uses, '-addext', 'subjectAltName=DNS:example.org', '-addext', '1.2.3.4=DER:0500']
  const self = ['req', '-x509', '-key', key, '-config', '/dev/null', '-days', '30', '-subj', '/CN=example.org']
  const certificate = openssl([...self, ...extensions])
  const next = await rotateCertificate({ certificate, privateKey: openssl(['pkey', '-in', key]), key: 'P-256' })
  expect(next.certificate.keyUsage).toEqual(['digitalSignature', 'keyCertSign'])
  expect(next.certificate.extensions.find(({ oid }) => oid === '1.2.3.4')).toMatchObject({ critical: false })
})

it('a certificate by the published recipe is taken for a rotation: it can be rotated on, and renewed', async () => {
  const folder = await temporaryFolder()
  const file = (name: string) => join(folder, name)
  const newKey = async (name: string) =>
    writeFile(file(name), openssl(['genpkey', '-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']))
  await newKey('old.key')
  await newKey('new.key')
  const self = ['req', '-new', '-x509', '-sha256', '-config', '/dev/null', '-days', '3000']
  await writeFile(file('old.crt'), openssl([...self, '-subj', '/CN=*.example.org', '-key', file('old.key')]))
  const request = openssl([...self, '-subj', '/CN=*.example.org/GN=2', '-key', file('new.key')])
  const ca = ['-CA', file('old.crt'), '-CAkey', file('old.key'), '-CAcreateserial', '-days', '3000']
  const certificate = Certificate.from(openssl(['x509', ...ca], request))
  expect(String(certificate.issuer)).toBe('CN=*.example.org')

  const privateKey = openssl(['pkey', '-in', file('new.key')])
  const third = await rotateCertificate({ certificate, privateKey })
  expect(String(third.certificate.subject)).toBe('GN=3,CN=*.example.org')
  expect(await isSignedBy(third.certificate, certificate)).toBe(true)
  const renewed = await renewCertificate({ certificate, privateKey })
  expect(await isSignedBy(renewed.certificate, certificate)).toBe(true)
})
