// A certificate that vouches for itself: a new key, what it is for, and a signature by that key. In the small web nobody
// else signs; clients remember the certificate (trust on first use), and servers know their users by theirs.

import type { KeyPairKeyObjectResult } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import { type CertificateBuilder, loadCertificateBuilder } from './certificate-builder.ts'
import type { CertificateExtension, SubjectAltNames } from './extensions.ts'
import type { Fingerprint } from './fingerprint.ts'
import { type GenerateOptions, type GenerationPlan, readGenerateOptions } from './generate-options.ts'
import { generateKey } from './key-generation.ts'
import type { WritableAttribute } from './name-fields.ts'
import { formatPem } from './pem.ts'
import { exportPkcs8 } from './private-key.ts'
import { encryptPkcs8 } from './private-key-encryption.ts'
import { signerFor } from './signing.ts'

/** A certificate and its private key, ready to be used or written to files. */
export interface GeneratedCertificate {
  readonly certificate: Certificate
  /** The certificate as PEM. */
  readonly certificatePem: string
  /** The private key as PEM: PKCS#8, encrypted if a passphrase was given. */
  readonly privateKeyPem: string
  /** SHA-256 of the certificate: what clients remember of a server, and servers of a user. */
  readonly fingerprint: Fingerprint
}

/**
 * Makes a key and a self-signed certificate for it: X.509 version 3, a random serial number of 128 bits, by default a
 * P-256 key for a server, valid for 365 days from an hour ago, its common name and its alternative name the host.
 *
 * The options are checked before a key is generated. Keys are generated on the thread pool: RSA takes from a tenth of a
 * second to some seconds, the others a millisecond.
 *
 * @throws {TypeError} For an option of the wrong type, an unknown or missing one, or two that exclude each other.
 * @throws {RangeError} For a value that cannot be in a certificate; the message names the option.
 * @example
 * import { generateSelfSignedCertificate, saveCertificateFiles } from 'tlacacoca/certificate'
 *
 * // A server.
 * const server = await generateSelfSignedCertificate({ hostname: 'example.org', subjectAltNames: ['*.example.org'] })
 * await saveCertificateFiles(server, { certFile: 'cert.pem', keyFile: 'key.pem' })
 *
 * // An identity for a client, whose key is encrypted.
 * const passphrase = 'correct horse battery staple'
 * const identity = await generateSelfSignedCertificate({ usage: 'client', commonName: 'Ana', passphrase })
 * console.log(identity.fingerprint)
 *
 * // A mailbox of Misfin: mary@example.org.
 * await generateSelfSignedCertificate({ hostname: 'example.org', userId: 'mary', commonName: 'Mary Shelley', usage: 'both' })
 */
export async function generateSelfSignedCertificate(options: GenerateOptions): Promise<GeneratedCertificate> {
  const plan = readGenerateOptions(options)
  const keys = await generateKey(plan.key)
  const certificate = await selfSign(plan, keys)
  const pkcs8 = exportPkcs8(keys.privateKey)
  return {
    certificate,
    certificatePem: certificate.toPem(),
    privateKeyPem:
      plan.passphrase === null
        ? formatPem('PRIVATE KEY', pkcs8)
        : formatPem('ENCRYPTED PRIVATE KEY', await encryptPkcs8(pkcs8, plan.passphrase, 'scrypt')),
    fingerprint: certificate.fingerprint,
  }
}

/** @internal The certificate of a plan, for a key that exists already. */
export async function selfSign(plan: GenerationPlan, keys: KeyPairKeyObjectResult): Promise<Certificate> {
  const builder = await loadCertificateBuilder()
  const spki = keys.publicKey.export({ format: 'der', type: 'spki' })
  const attributes = nameAttributes(plan)
  const name = builder.name(attributes)
  const extensions = selfSignedExtensions(builder, { ...plan, spki, nameless: attributes.length === 0 })
  const parts = { issuer: name, subject: name, validity: plan.validity, spki, extensions }
  return builder.build(parts, signerFor(keys.privateKey, spki))
}

/** What decides about the extensions of a self-signed certificate. */
interface ExtensionFacts extends Pick<GenerationPlan, 'hosts' | 'usage' | 'isCA'> {
  readonly spki: Uint8Array
  /** Whether the subject is empty, so that the alternative names are all there is. */
  readonly nameless: boolean
}

/** @internal The extensions of a self-signed certificate. */
export function selfSignedExtensions(
  { extensions: make }: CertificateBuilder,
  facts: ExtensionFacts,
): CertificateExtension[] {
  const { hosts, usage, isCA, spki } = facts
  return [
    make.basicConstraints({ ca: isCA }),
    // Nothing but signing: a key that may decrypt the key exchange (keyEncipherment) is one for TLS without forward
    // secrecy.
    make.keyUsage(isCA ? ['digitalSignature', 'keyCertSign', 'cRLSign'] : ['digitalSignature']),
    make.extendedKeyUsage(PURPOSES[usage]),
    ...(hosts.length === 0 ? [] : [make.subjectAltName(altNames(hosts), { critical: facts.nameless })]),
    make.subjectKeyIdentifier(spki),
  ]
}

const PURPOSES = {
  server: ['serverAuth'],
  client: ['clientAuth'],
  both: ['serverAuth', 'clientAuth'],
} as const

function altNames(hosts: GenerationPlan['hosts']): SubjectAltNames {
  const textOf = (addresses: boolean) => hosts.filter((each) => each.isAddress === addresses).map((each) => each.host)
  return { dns: textOf(false), ip: textOf(true), email: [], uri: [] }
}

// From the most general to the most specific, as X.501 orders names.
function nameAttributes(plan: GenerationPlan): WritableAttribute[] {
  return [
    { oid: '2.5.4.10', value: plan.organization },
    { oid: '2.5.4.3', value: plan.commonName },
    { oid: '0.9.2342.19200300.100.1.1', value: plan.userId },
  ].flatMap(({ oid, value }) => (value === null ? [] : [{ oid, value }]))
}
