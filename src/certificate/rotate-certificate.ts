// A new key for a server, and the old key's word for it. The old key issues the new certificate as an authority would,
// and clients that know the recipe (glog 220115-keyRotation on gemini.thegonz.net; diohsc, this library) move their trust
// from the one to the other without asking anybody.
//
// The word is only worth something while nobody else has the old key: a key that was stolen cannot be rotated away.

import { CertificateError, PrivateKeyError } from '../errors.ts'
import { requireOneOf, requireOptions } from '../internal/arguments.ts'
import { systemClock } from '../internal/clock.ts'
import { canonicalHost } from '../names/host.ts'
import type { Certificate } from './certificate.ts'
import { type CertificateBuilder, loadCertificateBuilder } from './certificate-builder.ts'
import { type CertificateExtension, EXTENSION, isForServers, type KeyUsage, NO_ALT_NAMES } from './extensions.ts'
import type { GeneratedCertificate } from './generate.ts'
import { KEY_KINDS, type KeyKind, readValidity } from './generate-options.ts'
import { generateKey } from './key-generation.ts'
import { type Passphrase, requirePassphrase } from './passphrase.ts'
import { formatPem } from './pem.ts'
import { exportPkcs8, matchesCertificate, publicHalf, toPrivateKey } from './private-key.ts'
import { encryptPkcs8 } from './private-key-encryption.ts'
import { firstOf, RENEW_OPTIONS, type RenewOptions, requireOwn, requireText } from './renew.ts'
import { nextName } from './rotation-name.ts'
import { signerFor } from './signing.ts'

/** What to rotate. Certificate, key, passphrase and dates are given as for a renewal. */
export interface RotateOptions extends RenewOptions {
  /** The kind of the new key. By default that of the old one, or `P-256` if that kind is not made here. */
  readonly key?: KeyKind
  /** Encrypts the new private key. By default `passphrase` does, so that a key that was protected is followed by one. */
  readonly newPassphrase?: Passphrase
}

/** A new key, and the certificate that the old key issued for it. */
export interface RotatedCertificate extends GeneratedCertificate {
  /**
   * What the server is to show: the new certificate, and after it the old one, for clients that remember a fingerprint and
   * not the key to verify the signature with.
   */
  readonly chainPem: string
}

/**
 * Makes a new key for a server, and a certificate for it that the old key signs. It keeps the alternative names, the usages
 * and the other fields and extensions; its issuer is the old subject; its common name is the host, and its attribute `GN`
 * counts the server's keys: the second one is number 2. The old certificate may have expired.
 *
 * Show the new one for as long as clients may come by that know the old one only; when it is renewed, the old key's
 * signature is gone. Clients that miss a whole key, because the next rotation comes before their next visit, have to ask.
 *
 * @throws {PrivateKeyError} KEY_MISMATCH if the key is not that of the certificate; else as `loadPrivateKey` does.
 * @throws {CertificateError} CERTIFICATE_UNSUPPORTED if somebody else issued the old certificate, if it is a Misfin mailbox,
 *   not for servers or for no host, if its key is too weak to sign with, or if its name is no proper text;
 *   CERTIFICATE_MALFORMED if it cannot be read.
 * @throws {TypeError} For options of the wrong type, or unknown ones.
 * @throws {RangeError} For dates that cannot be in a certificate.
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { rotateCertificate, saveCertificateFiles } from 'tlacacoca/certificate'
 *
 * const { chainPem: certificatePem, privateKeyPem } = await rotateCertificate({
 *   certificate: await readFile('cert.pem'),
 *   privateKey: await readFile('key.pem'),
 *   validDays: 730,
 * })
 * const next = { certFile: 'next-cert.pem', keyFile: 'next-key.pem' }
 * await saveCertificateFiles({ certificatePem, privateKeyPem }, next)
 */
export async function rotateCertificate(options: RotateOptions): Promise<RotatedCertificate> {
  requireOptions('options', options, OPTIONS)
  const { passphrase } = options
  if (options.key !== undefined) requireOneOf('key', options.key, KEY_KINDS)
  // A passphrase of undefined would leave a key unencrypted that somebody meant to protect.
  if ('newPassphrase' in options) requirePassphrase('newPassphrase', options.newPassphrase)
  const newPassphrase = options.newPassphrase ?? passphrase
  if (newPassphrase !== undefined) requirePassphrase('passphrase', newPassphrase)
  const validity = readValidity(options, options.clock ?? systemClock)
  const old = firstOf(options.certificate)
  const host = requireServer(old)
  const oldKey = await toPrivateKey(options.privateKey, { passphrase })
  if (!matchesCertificate(oldKey, old)) {
    throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', 'the private key is not that of the certificate')
  }
  const signer = signerFor(oldKey, old.subjectPublicKeyInfo)

  const builder = await loadCertificateBuilder()
  const { privateKey } = await generateKey(options.key ?? kindOf(old))
  const spki = publicHalf(privateKey)
  const subject = nextName(old.subjectDer, host)
  const parts = { issuer: old.subjectDer, subject, validity, spki, extensions: extensionsFor(old, host, spki, builder) }
  const certificate = await builder.build(parts, signer)
  const certificatePem = certificate.toPem()
  const pkcs8 = exportPkcs8(privateKey)
  return {
    certificate,
    certificatePem,
    chainPem: certificatePem + old.toPem(),
    privateKeyPem:
      newPassphrase === undefined
        ? formatPem('PRIVATE KEY', pkcs8)
        : formatPem('ENCRYPTED PRIVATE KEY', await encryptPkcs8(pkcs8, newPassphrase, 'scrypt')),
    fingerprint: certificate.fingerprint,
  }
}

const OPTION_NAMES: Readonly<Record<keyof RotateOptions, true>> = { ...RENEW_OPTIONS, key: true, newPassphrase: true }
const OPTIONS = Object.keys(OPTION_NAMES)

/** The host that a certificate is for, if it is one that a server can hand over. */
function requireServer(old: Certificate): string {
  requireOwn(old, 'rotated')
  requireText(old, 'rotated')
  if (old.subject.valuesOf('UID').length > 0) throw unsupported('it is a mailbox, and its server issues those')
  if (!isForServers(old.extendedKeyUsage)) throw unsupported('it is not for servers')
  const host = hostOf(old)
  if (host === null) throw unsupported('neither its alternative names nor its common name say a host')
  return host
}

/** The common name, if it is one of the hosts or all there is to say one; else the first host, a plain name if possible. */
function hostOf(old: Certificate): string | null {
  const { dns, ip } = old.subjectAltNames
  const commonName = canonicalOf(old.subject.commonName ?? '')
  const hosts = [...dns, ...ip].flatMap((name) => canonicalOf(name) ?? [])
  if (!namesHosts(old)) return commonName
  if (commonName !== null && hosts.includes(commonName)) return commonName
  return hosts.find((host) => !host.startsWith('*')) ?? hosts[0] ?? null
}

function namesHosts(old: Certificate): boolean {
  return old.extensions.some(({ oid }) => oid === EXTENSION.subjectAltName)
}

/** A host in canonical text, perhaps with a wildcard before it; null if it is none. */
function canonicalOf(text: string): string | null {
  const wildcard = text.startsWith('*.') ? '*.' : ''
  try {
    const { host, isAddress } = canonicalHost(text.slice(wildcard.length))
    return isAddress && wildcard !== '' ? null : wildcard + host
  } catch {
    return null
  }
}

/** All that the old certificate has, but for what is about its key or its issuer. */
function extensionsFor(
  old: Certificate,
  host: string,
  spki: Uint8Array,
  { extensions: make }: CertificateBuilder,
): CertificateExtension[] {
  const kept = old.extensions.flatMap((extension) => {
    if (ABOUT_THE_KEY.has(extension.oid)) return []
    if (extension.oid !== EXTENSION.keyUsage) return [extension]
    const uses = (old.keyUsage ?? []).filter((use) => SIGNING.includes(use) && use !== 'digitalSignature')
    return [make.keyUsage(['digitalSignature', ...uses])]
  })
  // A common name alone is for clients of the past.
  const names = { ...NO_ALT_NAMES, [isAddress(host) ? 'ip' : 'dns']: [host] }
  return [
    ...kept,
    ...(namesHosts(old) ? [] : [make.subjectAltName(names, { critical: false })]),
    make.subjectKeyIdentifier(spki),
    make.authorityKeyIdentifier(old),
  ]
}

const ABOUT_THE_KEY: ReadonlySet<string> = new Set([EXTENSION.subjectKeyIdentifier, EXTENSION.authorityKeyIdentifier])

// The new key may be of a kind that cannot encrypt, and none that TLS needs ever has to.
const SIGNING: readonly KeyUsage[] = ['digitalSignature', 'nonRepudiation', 'keyCertSign', 'cRLSign']

function isAddress(host: string): boolean {
  return !host.startsWith('*') && canonicalHost(host).isAddress
}

/** What clients could verify so far, they can verify from now on. */
function kindOf({ keyType, keyCurve, keySize }: Certificate): KeyKind {
  const kind = keyType === 'ed25519' ? 'Ed25519' : keyType === 'rsa' ? `RSA-${keySize}` : keyCurve
  return KEY_KINDS.find((each) => each === kind) ?? 'P-256'
}

function unsupported(problem: string): CertificateError {
  return new CertificateError('ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED', `the certificate cannot be rotated: ${problem}`)
}
