// The requests of OpenSSL and GnuTLS are read here, and ours there.

import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const KINDS = [
  ['P-256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], { keyType: 'ec', keyCurve: 'P-256' }],
  ['P-384', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], { keyType: 'ec', keyCurve: 'P-384' }],
  ['RSA', ['rsa', '-pkeyopt', 'rsa_keygen_bits:2048'], { keyType: 'rsa', keySize: 2048, keyExponent: 65537n }],
  ['Ed25519', ['ed25519'], { keyType: 'ed25519' }],
  ['Ed448', ['ed448'], { keyType: 'ed448' }],
] as const

async function byOpenssl(key: readonly string[], ...args: readonly string[]): Promise<string> {
  const file = join(await temporaryFolder(), 'key.pem')
  await writeFile(file, openssl(['genpkey', '-algorithm', ...key]))
  return openssl(['req', '-new', '-key', file, '-config', '/dev/null', ...args])
}

describe('a request of openssl req', () => {
  const names =
    'subjectAltName=DNS:example.org,DNS:*.example.org,IP:192.0.2.1,IP:2001:db8::1,email:ana@example.org,URI:urn:x:y'

  it.each(KINDS)('is read and proves its %s key', async (_, key, facts) => {
    const request = CertificateRequest.from(
      await byOpenssl(key, '-subj', '/C=MX/O=Ñ/CN=Ana', '-utf8', '-addext', names),
    )
    request.requireProof()
    expect(request).toMatchObject(facts)
    expect(request.subject.toString()).toBe('CN=Ana,O=Ñ,C=MX')
    expect(request.subjectAltNames).toEqual({
      dns: ['example.org', '*.example.org'],
      ip: ['192.0.2.1', '2001:db8::1'],
      email: ['ana@example.org'],
      uri: ['urn:x:y'],
    })
  })

  it.each([
    ['with an explanation', ['-text']],
    ['under the older label', ['-newhdr']],
    ['with a longer hash', ['-sha512']],
    ['with other string types', ['-multivalue-rdn']],
  ])('is read %s', async (_, args) => {
    const pem = await byOpenssl(KINDS[0][1], '-subj', '/emailAddress=a@example.org+CN=a_b*', ...args)
    const request = CertificateRequest.from(pem)
    request.requireProof()
    expect(request.subject.valuesOf('CN')).toEqual(['a_b*'])
  })

  it('is read in DER, and with every extension that somebody may want', async () => {
    const extensions = [
      'basicConstraints=critical,CA:TRUE,pathlen:3',
      'keyUsage=critical,keyCertSign,cRLSign',
      'extendedKeyUsage=serverAuth,anyExtendedKeyUsage',
      'subjectAltName=otherName:1.3.6.1.4.1.311.20.2.3;UTF8:admin@example.org,dirName:who,RID:1.2.3',
      '1.2.3.4=DER:0500',
    ].flatMap((each) => ['-addext', each])
    const folder = await temporaryFolder()
    const config = join(folder, 'openssl.cnf')
    await writeFile(config, '[req]\ndistinguished_name=dn\n[dn]\n[who]\nCN=somebody\n')
    const out = join(folder, 'request.der')
    await byOpenssl(KINDS[0][1], '-subj', '/CN=x', ...extensions, '-config', config, '-outform', 'DER', '-out', out)
    const request = CertificateRequest.from(execFileSync('cat', [out]))
    request.requireProof()
    expect(request.requestedExtensions.map(({ oid }) => oid)).toEqual([
      ...['2.5.29.19', '2.5.29.15', '2.5.29.37', '2.5.29.17', '1.2.3.4'],
    ])
    expect(request.subjectAltNames).toEqual({ dns: [], ip: [], email: [], uri: [] })
  })

  it('is refused with SHA-1, and with a signature by PSS', async () => {
    const sha1 = CertificateRequest.from(await byOpenssl(KINDS[2][1], '-subj', '/CN=x', '-sha1'))
    expect(() => sha1.requireProof()).toThrow(/SHA-256 or better/)
    const pss = CertificateRequest.from(
      await byOpenssl(
        KINDS[2][1],
        '-subj',
        '/CN=x',
        '-sigopt',
        'rsa_padding_mode:pss',
        '-sigopt',
        'rsa_pss_saltlen:32',
      ),
    )
    expect(() => pss.requireProof()).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_CSR_UNPROVEN' }))
  })

  it('is read with a challenge password', async () => {
    const folder = await temporaryFolder()
    const config = join(folder, 'openssl.cnf')
    const section = '[attributes]\nchallengePassword=sesame\n'
    await writeFile(config, `[req]\nprompt=no\ndistinguished_name=dn\nattributes=attributes\n[dn]\nCN=x\n${section}`)
    const request = CertificateRequest.from(await byOpenssl(KINDS[0][1], '-config', config))
    expect(request.challengePassword).toBe('sesame')
  })
})

describe('a request of certtool', () => {
  it.each([
    ['ecdsa', ['--key-type=ecdsa', '--curve=secp256r1'], { keyType: 'ec', keyCurve: 'P-256' }],
    ['rsa', ['--key-type=rsa', '--bits=2048'], { keyType: 'rsa', keySize: 2048 }],
    ['ed25519', ['--key-type=ed25519'], { keyType: 'ed25519' }],
  ])('is read and proves its %s key', async (_, key, facts) => {
    const folder = await temporaryFolder()
    const [keyFile, template, out] = ['key.pem', 'template', 'request.pem'].map((each) => join(folder, each)) as [
      string,
      string,
      string,
    ]
    certtool(['--generate-privkey', ...key, '--outfile', keyFile])
    await writeFile(
      template,
      'cn = "Ana"\norganization = "Ñ"\ncountry = MX\ndns_name = "example.org"\nip_address = "192.0.2.1"\n' +
        'email = "ana@example.org"\nuri = "urn:x:y"\nchallenge_password = "sesame"\ntls_www_server\nsigning_key\n',
    )
    certtool(['--generate-request', '--load-privkey', keyFile, '--template', template, '--outfile', out])
    const request = CertificateRequest.from(execFileSync('cat', [out]))
    request.requireProof()
    expect(request).toMatchObject({ ...facts, challengePassword: 'sesame' })
    expect(request.subject.commonName).toBe('Ana')
    expect(request.subject.valuesOf('O')).toEqual(['Ñ'])
    expect(request.subjectAltNames).toEqual({
      dns: ['example.org'],
      ip: ['192.0.2.1'],
      email: ['ana@example.org'],
      uri: ['urn:x:y'],
    })
  })
})

describe('a request of ours', () => {
  it.each(['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'secp256k1'] as const)(
    'for a %s key is verified and shown by openssl and certtool',
    async (key) => {
      const { requestPem } = await createCertificateRequest({
        key,
        subject: [
          ['C', 'MX'],
          ['O', 'Ñ, O=Evil'],
          ['UID', 'ana'],
          ['emailAddress', 'ana@example.org'],
        ],
        subjectAltNames: {
          dns: ['bücher.example', '*.example.org'],
          ip: ['2001:db8::1'],
          email: ['ana@example.org'],
          uri: ['urn:x:y'],
        },
      })
      expect(opensslSucceeds(['req', '-verify', '-noout'], requestPem)).toBe(true)
      const text = openssl(['req', '-noout', '-text', '-nameopt', 'RFC2253,utf8,-esc_msb'], requestPem)
      for (const line of [
        'Version: 1 (0x0)',
        'Subject: emailAddress=ana@example.org,UID=ana,O=Ñ\\, O=Evil,C=MX',
        'DNS:xn--bcher-kva.example, DNS:*.example.org, IP Address:2001:DB8:0:0:0:0:0:1, email:ana@example.org, URI:urn:x:y',
      ]) {
        expect(text).toContain(line)
      }
      if (key === 'secp256k1') return // GnuTLS has no such curve
      const shown = certtool(['--crq-info'], requestPem)
      expect(shown).toContain('Self signature: verified')
      expect(shown).toContain('DNSname: xn--bcher-kva.example')
    },
  )

  it('that asks for nothing is verified too', async () => {
    const { requestPem } = await createCertificateRequest()
    expect(opensslSucceeds(['req', '-verify', '-noout'], requestPem)).toBe(true)
    expect(openssl(['req', '-noout', '-text'], requestPem)).toContain('(none)')
  })

  it('is what openssl itself makes of the same wishes', async () => {
    const { request, privateKeyPem } = await createCertificateRequest({
      subject: [['CN', 'Ana']],
      subjectAltNames: { dns: ['example.org'] },
    })
    const file = join(await temporaryFolder(), 'key.pem')
    await writeFile(file, privateKeyPem)
    const args = ['-subj', '/CN=Ana', '-addext', 'subjectAltName=DNS:example.org']
    const theirs = CertificateRequest.from(openssl(['req', '-new', '-key', file, '-config', '/dev/null', ...args]))
    const signedPart = (der: Uint8Array) => Buffer.from(der).subarray(0, 4 + 3 + 150)
    // Up to the length of the signature, which varies by an octet or two, all octets are the same.
    expect(signedPart(theirs.der).subarray(4)).toEqual(signedPart(request.der).subarray(4))
  })
})

function certtool(args: readonly string[], input = ''): string {
  return execFileSync('certtool', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
}
