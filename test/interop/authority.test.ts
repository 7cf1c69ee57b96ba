// Certificates of an authority, judged by programs that we did not write.

import { createPrivateKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CertificateAuthority, type SignRequest } from '../../src/authority/certificate-authority.ts'
import { createAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { connect } from '../../src/tls/connect.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { authorities } from '../../src/tls/verifiers/authorities.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { sServer } from '../support/openssl-peer.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { hasOpenssl } from '../support/tls-clients.ts'

interface Place {
  readonly folder: string
  readonly authority: CertificateAuthority
  readonly caFile: string
}

async function place(key: 'P-256' | 'P-384' | 'RSA-3072' = 'P-256'): Promise<Place> {
  const folder = await temporaryFolder()
  const directory = join(folder, 'ca')
  const identity = await createAuthorityDirectory(directory, {
    subject: [
      ['O', 'The club'],
      ['CN', 'Club authority'],
    ],
    key,
    dangerouslyUnencrypted: true,
  })
  const authority = await CertificateAuthority.from(identity)
  onTestFinished(() => authority.close())
  return { folder, authority, caFile: join(directory, 'ca.cert.pem') }
}

async function issue(
  authority: CertificateAuthority,
  wishes: Omit<SignRequest, 'request'>,
  key?: 'RSA-2048' | 'Ed25519',
) {
  const { request, privateKeyPem } = await createCertificateRequest(key === undefined ? {} : { key })
  return { ...(await authority.sign({ request, ...wishes })), privateKeyPem }
}

const CLIENT = { subject: [['CN', 'Ana']] } as const satisfies Omit<SignRequest, 'request'>
const SERVER = {
  profile: 'server',
  subject: [['CN', 'capsule.example']],
  subjectAltNames: { dns: ['capsule.example', 'localhost'], ip: ['127.0.0.1', '::1'] },
} as const satisfies Omit<SignRequest, 'request'>
const MAILBOX = {
  profile: 'misfin-mailbox',
  subject: [
    ['UID', 'ana'],
    ['CN', 'Ana of the club'],
  ],
  subjectAltNames: { dns: ['mail.example'] },
} as const satisfies Omit<SignRequest, 'request'>

describe.skipIf(!hasOpenssl)('openssl', () => {
  it.each(['P-256', 'P-384', 'RSA-3072'] as const)('verifies every profile of an authority with %s', async (key) => {
    const { folder, authority, caFile } = await place(key)
    for (const [wishes, purposes] of [
      [CLIENT, ['sslclient']],
      [SERVER, ['sslserver']],
      [MAILBOX, ['sslclient', 'sslserver']],
    ] as const) {
      for (const subjectKey of [undefined, 'RSA-2048', 'Ed25519'] as const) {
        const { certificatePem } = await issue(authority, wishes, subjectKey)
        const file = join(folder, 'leaf.pem')
        await writeFile(file, certificatePem)
        for (const purpose of ['sslclient', 'sslserver'] as const) {
          const isMeant = (purposes as readonly string[]).includes(purpose)
          const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', caFile, file]
          expect(opensslSucceeds(args), `${purpose} ${JSON.stringify(wishes)}`).toBe(isMeant)
        }
      }
    }
  })

  it('verifies what an authority below it has signed, and nothing below that one', async () => {
    const { folder, authority, caFile } = await place()
    const { request, privateKeyPem } = await createCertificateRequest({})
    const below = await authority.signIntermediate({ request, subject: [['CN', 'Below']], validity: '2y' })
    expect(below.certificate).toMatchObject({ isCA: true, pathLength: 0 })
    const identity = {
      certificate: below.certificate,
      chain: [authority.certificate],
      privateKey: createPrivateKey(privateKeyPem),
      path: null,
      warnings: [],
    }
    const second = await CertificateAuthority.from(identity, { store: 'none' })
    const leaf = await issue(second, SERVER)
    const [leafFile, belowFile] = [join(folder, 'leaf.pem'), join(folder, 'below.pem')]
    await Promise.all([writeFile(leafFile, leaf.certificatePem), writeFile(belowFile, below.certificatePem)])
    expect(
      openssl([
        'verify',
        '-x509_strict',
        '-purpose',
        'sslserver',
        '-CAfile',
        caFile,
        '-untrusted',
        belowFile,
        leafFile,
      ]),
    ).toContain('OK')
    expect(leaf.chain.map(({ fingerprint }) => fingerprint)).toEqual([
      below.certificate.fingerprint,
      authority.certificate.fingerprint,
    ])
    const another = await createCertificateRequest({})
    const further = second.signIntermediate({ request: another.request, subject: [['CN', 'Too far']] })
    await expect(further).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field: 'pathLength' })
  })

  it('reads in a certificate what the profile says, and nothing else', async () => {
    const { authority } = await place()
    const { certificatePem } = await issue(authority, SERVER)
    const shown = openssl(['x509', '-noout', '-text'], certificatePem)
    expect(shown).toMatch(/Version: 3 \(0x2\)/)
    expect(shown).toMatch(/Issuer: O = The club, CN = Club authority/)
    expect(shown).toMatch(/Subject: CN = capsule\.example/)
    expect(shown).toMatch(/Basic Constraints: critical\s+CA:FALSE/)
    expect(shown).toMatch(/Key Usage: critical\s+Digital Signature\n/)
    expect(shown).toMatch(/Extended Key Usage: \s+TLS Web Server Authentication\n/)
    expect(shown).toMatch(/DNS:capsule\.example, DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1\n/)
    expect(shown).toMatch(/Subject Key Identifier/)
    expect(shown).toMatch(/Authority Key Identifier/)
    expect(shown.match(/X509v3 /g)?.length).toBe(1 + 6)
    // 17 octets, of which the first is neither zero nor negative.
    expect(shown).toMatch(/Serial Number:\s+(?:[1-7][0-9a-f]|0[1-9a-f])(?::[0-9a-f]{2}){16}\n/)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'as a server takes an issued client certificate over %s',
    async (version) => {
      const { folder, authority, caFile } = await place()
      const server = await issue(authority, SERVER)
      const client = await issue(authority, CLIENT)
      const files = { cert: join(folder, 'server.pem'), key: join(folder, 'server.key') }
      await Promise.all([writeFile(files.cert, server.certificatePem), writeFile(files.key, server.privateKeyPem)])
      const switches = ['-Verify', '2', '-verify_return_error', '-CAfile', caFile, '-no_ticket']
      const only = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'
      const { port, peer } = await sServer(files, [...switches, only])
      const connection = await connect({
        endpoint: parseEndpoint(`127.0.0.1:${port}`),
        verify: authorities([authority.certificate]),
        identity: { cert: client.chainPem, key: client.privateKeyPem },
        identityOverTls12: 'allow',
      })
      connection.stream.write('the members say hello\n')
      await peer.printed(/the members say hello/)
      expect(peer.output).toContain('Ana')
      await connection.close()
    },
  )
})

describe('a server of ours', () => {
  it('tells certificates of its authority from others, in one handshake with both sides issued', async () => {
    const { authority } = await place()
    const server = await issue(authority, SERVER)
    const client = await issue(authority, CLIENT)
    const other = await issue((await place()).authority, CLIENT)
    const context = await createServerContext({
      certificates: [{ cert: server.chainPem, key: server.privateKeyPem }],
      clientCertificates: { trustedAuthorities: [authority.certificate] },
    })
    const listener = createServer(context, ({ stream, peer }) => {
      stream.end(`${peer?.certificate.subject} ${peer?.issuance}`)
    })
    const { port } = await listener.listen(0, '127.0.0.1')
    onTestFinished(() => listener.close({ graceMs: 0 }))
    const ask = async (identity: { cert: string; key: string }): Promise<string> => {
      const { stream } = await connect({
        endpoint: parseEndpoint(`localhost:${port}`),
        verify: authorities([authority.certificate]),
        identity,
      })
      return text(stream)
    }
    expect(await ask({ cert: client.chainPem, key: client.privateKeyPem })).toBe('CN=Ana issued')
    expect(await ask({ cert: other.chainPem, key: other.privateKeyPem })).toBe('CN=Ana unissued')
  })
})
