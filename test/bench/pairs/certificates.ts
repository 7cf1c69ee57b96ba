import { createHash, generateKeyPair, sign, X509Certificate } from 'node:crypto'
import { promisify } from 'node:util'
import { Certificate, generateSelfSignedCertificate, getCertificateFingerprint } from 'tlacacoca'
import type { Pair, PairSource } from '../measure.ts'
import { loadPeer } from '../peers.ts'
import { haveOpenssl, runOpenssl } from '../programs.ts'

interface SelfSigned {
  generate(names: readonly object[], options: object): Promise<unknown>
}

export const certificateSources: readonly PairSource[] = [
  {
    name: 'fingerprint of a DER certificate',
    async prepare() {
      const { certificate } = await generateSelfSignedCertificate({ hostname: 'example.org' })
      return { given: Buffer.from(certificate.der).toString('base64'), close() {} }
    },
    make: fingerprintPair,
  },
  ...(['P-256', 'Ed25519'] as const).map((key) => ({
    name: `self-signed ${key} certificate, against plain @peculiar/x509`,
    make: () => generationPair(key),
  })),
]

function fingerprintPair(given: string): Pair<Buffer> {
  const der = Buffer.from(given, 'base64')
  return {
    goal: 1.1,
    inputs: (count) => Array.from({ length: count }, () => der),
    floor: (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    ours: (bytes) => getCertificateFingerprint(bytes),
    peers: {
      'Certificate.from(der).fingerprint': (bytes) => Certificate.from(bytes).fingerprint,
      'X509Certificate.fingerprint256': (bytes) =>
        `sha256:${new X509Certificate(bytes).fingerprint256.replaceAll(':', '').toLowerCase()}`,
    },
  }
}

/** The floor is the key and one signature, with no certificate around it; the goal is half of what x509 takes. */
async function generationPair(key: 'P-256' | 'Ed25519'): Promise<Pair> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const algorithm = key === 'P-256' ? { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } : { name: 'Ed25519' }
  const text = Buffer.alloc(300)
  const makeKey = promisify(generateKeyPair)
  const selfsigned = loadPeer<SelfSigned>('selfsigned')
  return {
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
      ...(selfsigned === null || key !== 'P-256'
        ? {}
        : {
            selfsigned: () =>
              selfsigned.generate([{ name: 'commonName', value: 'example.org' }], { keyType: 'ec', curve: 'P-256' }),
          }),
      ...(haveOpenssl ? { 'an openssl process': () => runOpenssl(opensslArgs(key)) } : {}),
    },
    compared: false,
  }
}

function opensslArgs(key: 'P-256' | 'Ed25519'): string[] {
  const kind = key === 'P-256' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'ed25519']
  return ['req', '-x509', ...kind, '-nodes', '-keyout', '-', '-subj', '/CN=example.org', '-days', '90']
}
