import { createHash, generateKeyPair, sign, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { Certificate, generateSelfSignedCertificate, getCertificateFingerprint } from 'tlacacoca'
import type { Pair } from '../measure.ts'

export async function certificatePairs(): Promise<Pair[]> {
  const { certificate } = await generateSelfSignedCertificate({ hostname: 'example.org' })
  const der = Buffer.from(certificate.der)
  const digest = (): string => `sha256:${createHash('sha256').update(der).digest('hex')}`

  return [
    {
      name: 'fingerprint of a DER certificate',
      goal: 1.1,
      floor: digest,
      ours: () => getCertificateFingerprint(der),
      peers: {
        'Certificate.from(der).fingerprint': () => Certificate.from(der).fingerprint,
        'X509Certificate.fingerprint256': () =>
          `sha256:${new X509Certificate(der).fingerprint256.replaceAll(':', '').toLowerCase()}`,
      },
    },
    await generationPair('P-256'),
    await generationPair('Ed25519'),
  ]
}

/** The floor is the key and one signature, with no certificate around it; the goal is half of what x509 takes. */
async function generationPair(key: 'P-256' | 'Ed25519'): Promise<Pair> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const algorithm = key === 'P-256' ? { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } : { name: 'Ed25519' }
  const text = Buffer.alloc(300)
  const makeKey = promisify(generateKeyPair)
  return {
    name: `self-signed ${key} certificate, against plain @peculiar/x509`,
    goal: 0.5,
    floor: async () => {
      const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.createSelfSigned(
        { name: 'CN=example.org', keys, signingAlgorithm: algorithm },
        crypto as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[1],
      )
      return certificate.toString('pem')
    },
    ours: async () => (await generateSelfSignedCertificate({ hostname: 'example.org', key })).certificatePem,
    peers: {
      'key and one signature': async () => {
        const made =
          key === 'P-256' ? await makeKey('ec', { namedCurve: 'P-256' }) : await makeKey('ed25519', undefined)
        return sign(key === 'P-256' ? 'sha256' : null, text, made.privateKey)
      },
    },
    same: null,
  }
}
