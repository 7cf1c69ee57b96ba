// Writing PKCS#12 (RFC 7292), with the certificates encrypted in one part and the key in another, as everybody does.
//
// How much a guess at the passphrase costs is decided by the cheapest of three derivations: the MAC, the certificates and
// the key. All three get the same number of iterations.

import { type KeyObject, randomBytes } from 'node:crypto'
import { PrivateKeyError } from '../errors.ts'
import {
  requireInteger,
  requireList,
  requireOneOf,
  requireOptions,
  requireString,
  show,
} from '../internal/arguments.ts'
import { Certificate } from './certificate.ts'
import { TAG } from './der.ts'
import { element, integer, oid } from './der-writer.ts'
import { type Passphrase, passphraseBytes, requirePassphrase } from './passphrase.ts'
import { EXPLICIT } from './pkcs12-bags.ts'
import { type Encrypted, encryptPbes2, encryptTripleDes } from './pkcs12-encryption.ts'
import { secretsOf } from './pkcs12-keys.ts'
import { writeMac } from './pkcs12-mac.ts'
import { ATTRIBUTE, BAG, CONTENT, SHA1, SHA1_OID, SHA256, SHA256_OID, X509_CERTIFICATE } from './pkcs12-oids.ts'
import { fits, requireModestKey } from './pkcs12-private-key.ts'
import { exportPkcs8, type PrivateKeySource, toPrivateKey } from './private-key.ts'

/** What goes into a PKCS#12 file. */
export interface Pkcs12Identity {
  /** The certificate of the key and those above it, in any order. */
  readonly certificates: Iterable<Certificate>
  /** The private key: Node's key object, or PEM or DER that is not encrypted. */
  readonly privateKey: KeyObject | PrivateKeySource
  /** What readers show as its name: up to 255 characters. Default: none. */
  readonly friendlyName?: string
}

/** How a PKCS#12 file is written. */
export interface Pkcs12WriteOptions {
  readonly passphrase: Passphrase
  /**
   * Who shall read it. `modern` (the default): AES-256, PBKDF2 with SHA-256 and a MAC by SHA-256, for OpenSSL, GnuTLS,
   * Java, .NET and Windows. `legacy`: triple DES and SHA-1, for phones and Macs: Android up to 12, iOS and macOS say of a
   * modern file that the passphrase is wrong. The passphrase of a legacy file should be long and used for nothing else.
   */
  readonly compatibility?: 'modern' | 'legacy'
  /**
   * How often the passphrase is hashed, for each of the three derivations of the file. Default 200,000 for modern files:
   * .NET refuses files that ask for more than 300,000 in one or 600,000 in all. Default 50,000 for legacy ones, which is
   * what Java wrote in its time. From 2,048 to 600,000.
   */
  readonly iterations?: number
}

// So many of triple DES, under a passphrase that can be read in two ways, `readPkcs12` still reads unasked.
const MAX_ITERATIONS = 600_000

const PROFILES = {
  modern: { encrypt: encryptPbes2, hash: SHA256, hashOid: SHA256_OID, saltBytes: 16, iterations: 200_000 },
  legacy: { encrypt: encryptTripleDes, hash: SHA1, hashOid: SHA1_OID, saltBytes: 8, iterations: 50_000 },
} as const

/**
 * Writes a private key with its certificates as a PKCS#12 container (RFC 7292; `.p12`, `.pfx`), to carry an identity to
 * another device or program. Key and certificates are encrypted and the whole is authenticated by the passphrase.
 *
 * @throws {PrivateKeyError} KEY_MISMATCH unless one of the certificates is that of the key; otherwise as `loadPrivateKey`.
 * @throws {Pkcs12Error} PKCS12_EXCESSIVE for an RSA key of more than 8,192 bits.
 * @throws {RangeError} If the passphrase is empty, longer than 1024 bytes or has a zero byte in it.
 * @example
 * import { writeFile } from 'node:fs/promises'
 * import { generateSelfSignedCertificate, writePkcs12 } from 'tlacacoca/certificate'
 *
 * const { certificate, privateKeyPem } = await generateSelfSignedCertificate({ usage: 'client', commonName: 'Ana' })
 * const file = await writePkcs12(
 *   { certificates: [certificate], privateKey: privateKeyPem, friendlyName: 'Ana' },
 *   { passphrase: 'correct horse battery staple', compatibility: 'legacy' },
 * )
 * await writeFile('ana.p12', file, { mode: 0o600 })
 */
export async function writePkcs12(identity: Pkcs12Identity, options: Pkcs12WriteOptions): Promise<Uint8Array> {
  requireOptions('identity', identity, ['certificates', 'privateKey', 'friendlyName'])
  requireOptions('options', options, ['passphrase', 'compatibility', 'iterations'])
  const { passphrase, compatibility = 'modern' } = options
  requirePassphrase('passphrase', passphrase)
  // Programs in C end it there. And the derivation of PKCS#12 takes `a`, a zero and `a` for `a`.
  if (passphraseBytes(passphrase).includes(0)) throw new RangeError('"passphrase" expected no zero bytes')
  requireOneOf('compatibility', compatibility, ['modern', 'legacy'])
  const { encrypt, hash, hashOid, saltBytes, iterations: usual } = PROFILES[compatibility]
  const { iterations = usual } = options
  requireInteger('iterations', iterations, 2048, MAX_ITERATIONS)
  const { friendlyName } = identity
  if (friendlyName !== undefined) requireFriendlyName(friendlyName)
  const certificates = readCertificates(identity.certificates)
  const [secret] = secretsOf(passphrase)
  const key = await toPrivateKey(identity.privateKey)
  requireModestKey(key)
  const leaf = certificates.find((each) => fits(key, each))
  if (leaf === undefined) {
    throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', 'the private key belongs to none of the certificates')
  }

  const attributes = attributesOf(leaf, friendlyName)
  const others = certificates.filter((each) => each !== leaf)
  const certificateBags = [certificateBag(leaf, attributes), ...others.map((each) => certificateBag(each))]
  const [certificateSafe, keySafe] = await Promise.all([
    encrypt(element(TAG.sequence, ...certificateBags), secret, iterations).then(encryptedContent),
    encrypt(exportPkcs8(key), secret, iterations).then((shrouded) => plainContent(keyBag(shrouded, attributes))),
  ])
  const authSafe = element(TAG.sequence, certificateSafe, keySafe)
  const mac = await writeMac(authSafe, secret, { hash, hashOid, salt: randomBytes(saltBytes), iterations })
  return new Uint8Array(element(TAG.sequence, integer(3), contentInfo(CONTENT.data, octetString(authSafe)), mac))
}

function readCertificates(value: Iterable<Certificate>): readonly Certificate[] {
  requireList('certificates', value)
  const certificates = [...value].map((each: unknown, index) => {
    if (each instanceof Certificate) return each
    throw new TypeError(`"certificates[${index}]" expected a Certificate, got ${show(each)}`)
  })
  // Twice the same certificate is once the same certificate.
  return [...new Map(certificates.map((each) => [each.fingerprint, each])).values()]
}

function requireFriendlyName(value: unknown): asserts value is string {
  requireString('friendlyName', value)
  if (value.length === 0 || value.length > 255) throw new RangeError('"friendlyName" expected 1 to 255 characters')
  if (UNFIT.test(value)) throw new RangeError('"friendlyName" expected text without control characters')
}

/** Control characters, and halves of characters that stand alone. */
const UNFIT = /[\p{Cc}\p{Cs}]/u

/** PKCS#9 attributes (RFC 2985). The mark that pairs key and certificate is the certificate's SHA-1, as with OpenSSL. */
function attributesOf(leaf: Certificate, friendlyName: string | undefined): readonly Uint8Array[] {
  const localKeyId = attribute(ATTRIBUTE.localKeyId, octetString(Buffer.from(leaf.sha1, 'hex')))
  if (friendlyName === undefined) return [localKeyId]
  const name = element(TAG.bmpString, Buffer.from(friendlyName, 'utf16le').swap16())
  return [attribute(ATTRIBUTE.friendlyName, name), localKeyId]
}

function attribute(kind: string, value: Uint8Array): Uint8Array {
  return element(TAG.sequence, oid(kind), element(TAG.set, value))
}

function certificateBag(certificate: Certificate, attributes: readonly Uint8Array[] = []): Uint8Array {
  const value = element(TAG.sequence, oid(X509_CERTIFICATE), element(EXPLICIT, octetString(certificate.der)))
  return bag(BAG.certificate, value, attributes)
}

/** The safe contents that are one encrypted key. */
function keyBag({ algorithm, octets }: Encrypted, attributes: readonly Uint8Array[]): Uint8Array {
  const value = element(TAG.sequence, algorithm, octetString(octets))
  return element(TAG.sequence, bag(BAG.shroudedKey, value, attributes))
}

function bag(kind: string, value: Uint8Array, attributes: readonly Uint8Array[]): Uint8Array {
  const set = attributes.length === 0 ? [] : [setOf(attributes)]
  return element(TAG.sequence, oid(kind), element(EXPLICIT, value), ...set)
}

/** X.690 section 11.6: in DER, the elements of a SET OF are in the order of their octets. */
function setOf(elements: readonly Uint8Array[]): Uint8Array {
  return element(TAG.set, ...[...elements].sort(Buffer.compare))
}

function plainContent(safeContents: Uint8Array): Uint8Array {
  return contentInfo(CONTENT.data, octetString(safeContents))
}

function encryptedContent({ algorithm, octets }: Encrypted): Uint8Array {
  const inside = element(TAG.sequence, oid(CONTENT.data), algorithm, element(0x80, octets))
  return contentInfo(CONTENT.encryptedData, element(TAG.sequence, integer(0), inside))
}

function contentInfo(kind: string, content: Uint8Array): Uint8Array {
  return element(TAG.sequence, oid(kind), element(EXPLICIT, content))
}

function octetString(octets: Uint8Array): Uint8Array {
  return element(TAG.octetString, octets)
}
