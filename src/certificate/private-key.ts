// Private keys: reading them in every form that Node and OpenSSL write, and telling whether one fits a certificate.
//
// What a file is, is decided by its structure and never by the text of OpenSSL's errors, which changes with its version.
// A wrong passphrase shows as padding that is no padding or as contents that are no key; one wrong passphrase in 256
// gets past the first, hardly any past both. Damage to an encrypted key looks the same and is reported the same.
//
// Invariant: no error made here has a `cause`, and no message shows anything of a key or a passphrase.

import { createPrivateKey, createPublicKey, KeyObject, randomBytes, sign, verify } from 'node:crypto'
import { CertificateError, PrivateKeyError } from '../errors.ts'
import { requireOneOf, show } from '../internal/arguments.ts'
import type { Certificate } from './certificate.ts'
import { readWhole, TAG } from './der.ts'
import { openLegacyKey } from './legacy-key-encryption.ts'
import { type Passphrase, passphraseBytes, requirePassphrase } from './passphrase.ts'
import { formatPem, type PemBlock, parsePem } from './pem.ts'
import { encryptPkcs8, type KeyDerivation, readEncryptedPkcs8 } from './private-key-encryption.ts'
import { readPublicKeyInfo, requireOrdinaryKey } from './public-key.ts'
import { textOf } from './source.ts'

/** A private key as it stands in a file: PEM as text or bytes, or DER. */
export type PrivateKeySource = string | Uint8Array

/**
 * Reads a private key: PKCS#8, encrypted PKCS#8, PKCS#1 (`RSA PRIVATE KEY`), SEC1 (`EC PRIVATE KEY`), and the last two
 * under a passphrase in the old way (`Proc-Type: 4,ENCRYPTED`). Certificates and curve parameters beside the key are
 * skipped; a second private key is an error. A passphrase for a key that is not encrypted is ignored.
 *
 * Deriving a key from a passphrase takes a tenth of a second or more, on a thread of its own. A file that asks for an
 * excessive derivation (over 10,000,000 rounds of PBKDF2, say) is refused before.
 *
 * @returns Node's key object, of a kind that certificates can have: RSA, EC on a named curve, Ed25519 or Ed448.
 * @throws {PrivateKeyError} KEY_PASSPHRASE_REQUIRED if the key is encrypted and no passphrase was given;
 *   KEY_PASSPHRASE_WRONG if it does not open; KEY_MALFORMED for everything else that is wrong with it.
 * @example
 * import { loadPrivateKey } from 'tlacacoca/certificate'
 * import { readFile } from 'node:fs/promises'
 *
 * const key = await loadPrivateKey(await readFile('key.pem'), { passphrase: 'correct horse battery staple' })
 * console.log(key.asymmetricKeyType) // 'ec'
 */
export async function loadPrivateKey(
  source: PrivateKeySource,
  options: { readonly passphrase?: Passphrase | undefined } = {},
): Promise<KeyObject> {
  const { passphrase } = options
  // One that somebody chooses has a least and a greatest length; one that opens an old file may be anything.
  if (passphrase !== undefined && typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array)) {
    throw new TypeError('"passphrase" expected a string or bytes')
  }
  return openPrivateKey(readSource(source), passphrase)
}

/** @internal The private key in one PEM block of a label that private keys have. */
export async function openPrivateKey(block: PemBlock, passphrase: Passphrase | undefined): Promise<KeyObject> {
  if (block.headers.length > 0) {
    const opened = openLegacyKey(block, requireGiven(passphrase))
    return importKey(opened ?? wrongPassphrase(), 'wrong_passphrase')
  }
  if (formOf(block.der) !== 'encrypted') return importKey(block.der, 'malformed')

  const encrypted = reading(() => readEncryptedPkcs8(block.der))
  const given = requireGiven(passphrase)
  if (encrypted === 'openssl') return importByOpenssl(block.der, given)
  return importKey((await encrypted.open(given)) ?? wrongPassphrase(), 'wrong_passphrase')
}

/**
 * Encrypts a private key under a passphrase: PEM `ENCRYPTED PRIVATE KEY`, PKCS#8 with PBES2 (RFC 8018) and AES-256,
 * which Node and OpenSSL read. The passphrase is stretched by scrypt, or by 600,000 rounds of PBKDF2.
 *
 * @param key - The key: Node's key object, or PEM or DER that is not encrypted.
 * @throws {PrivateKeyError} As {@link loadPrivateKey} does.
 * @throws {RangeError} If the passphrase is empty or longer than 1024 bytes.
 * @example
 * import { encryptPrivateKey, generateSelfSignedCertificate } from 'tlacacoca/certificate'
 *
 * const { privateKeyPem } = await generateSelfSignedCertificate({ hostname: 'example.org' })
 * console.log(await encryptPrivateKey(privateKeyPem, { passphrase: 'correct horse battery staple' }))
 */
export async function encryptPrivateKey(
  key: KeyObject | PrivateKeySource,
  options: { readonly passphrase: Passphrase; readonly derivation?: KeyDerivation },
): Promise<string> {
  const { passphrase, derivation = 'scrypt' } = options
  requirePassphrase('passphrase', passphrase)
  requireOneOf('derivation', derivation, ['scrypt', 'pbkdf2'])
  const pkcs8 = exportPkcs8(await toPrivateKey(key))
  return formatPem('ENCRYPTED PRIVATE KEY', await encryptPkcs8(pkcs8, passphrase, derivation))
}

/**
 * Takes the passphrase off a private key: PEM `PRIVATE KEY`, PKCS#8 without encryption.
 *
 * @throws {PrivateKeyError} As {@link loadPrivateKey} does.
 * @example
 * import { decryptPrivateKey } from 'tlacacoca/certificate'
 * import { readFile } from 'node:fs/promises'
 *
 * console.log(await decryptPrivateKey(await readFile('key.pem'), { passphrase: 'correct horse battery staple' }))
 */
export async function decryptPrivateKey(
  source: PrivateKeySource,
  options: { readonly passphrase: Passphrase },
): Promise<string> {
  return formatPem('PRIVATE KEY', exportPkcs8(await loadPrivateKey(source, options)))
}

/**
 * Whether a private key belongs to a certificate: whether the certificate verifies what the key signs.
 *
 * Comparing the public halves would be cheaper and could be fooled, because a key file carries a public half of its own
 * that need not fit the private one.
 *
 * @throws {CertificateError} If the certificate's key is malformed or of an unsupported kind.
 */
export function matchesCertificate(key: KeyObject, certificate: Certificate): boolean {
  publicHalf(key) // throws unless the key is sound
  const publicKey = certificate.publicKey()
  if (publicKey.asymmetricKeyType !== key.asymmetricKeyType) return false
  const challenge = randomBytes(32)
  const hash = key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType === 'ed448' ? null : 'sha256'
  try {
    return verify(hash, challenge, publicKey, sign(hash, challenge, key))
  } catch {
    // A key that cannot sign at all, such as one of numbers that only look like a key.
    return false
  }
}

/** @internal A key object for whatever a caller may pass as a private key. */
export async function toPrivateKey(
  key: KeyObject | PrivateKeySource,
  options: { readonly passphrase?: Passphrase | undefined } = {},
): Promise<KeyObject> {
  if (!(key instanceof KeyObject)) return loadPrivateKey(key, options)
  if (key.type !== 'private') throw new TypeError(`"privateKey" expected a private key, got a ${key.type} one`)
  publicHalf(key)
  return key
}

/** @internal The DER of a PrivateKeyInfo. */
export function exportPkcs8(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' })
}

/**
 * @internal The SubjectPublicKeyInfo of a private key, checked.
 *
 * A private key file carries its public half too, and the point that makes `asymmetricKeyDetails` abort the process
 * (see public-key.ts) does so in a private key as well, and so does a private half that is longer than its curve. The
 * export of each half notices what is wrong with it.
 *
 * @throws {PrivateKeyError} KEY_MALFORMED unless the key is sound and of a kind that certificates have.
 */
export function publicHalf(key: KeyObject): Uint8Array {
  try {
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
    requireOrdinaryKey(readPublicKeyInfo(spki))
    if (key.asymmetricKeyType === 'ec') exportPkcs8(key).fill(0)
    return spki
  } catch {
    throw malformedKey('is not a sound key of a supported kind (RSA, EC on a named curve, Ed25519, Ed448)')
  }
}

type Form = 'pkcs8' | 'pkcs1' | 'sec1' | 'encrypted'

/** What the DER is by its first elements, which differ in all four forms. */
function formOf(der: Uint8Array): Form {
  return reading(() => {
    const inside = readWhole(der, TAG.sequence, 'the key').children()
    if (inside.readAny('the key').tag === TAG.sequence) return 'encrypted'
    const second = inside.readAny('the key').tag
    // After the version: an algorithm, the octets of an EC key, or the modulus of an RSA key.
    return second === TAG.sequence ? 'pkcs8' : second === TAG.octetString ? 'sec1' : 'pkcs1'
  })
}

function importKey(der: Uint8Array, otherwise: 'malformed' | 'wrong_passphrase'): KeyObject {
  const form = otherwise === 'malformed' ? formOf(der) : formIfKey(der)
  if (form === null || form === 'encrypted') return wrongPassphrase()
  let key: KeyObject
  try {
    key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: form })
  } catch {
    throw malformedKey('cannot be read')
  }
  publicHalf(key)
  return key
}

function formIfKey(der: Uint8Array): Form | null {
  try {
    return formOf(der)
  } catch {
    return null
  }
}

function importByOpenssl(der: Uint8Array, passphrase: Passphrase): KeyObject {
  let key: KeyObject
  try {
    const bytes = Buffer.from(passphraseBytes(passphrase))
    key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8', passphrase: bytes })
  } catch {
    return wrongPassphrase()
  }
  publicHalf(key)
  return key
}

function readSource(source: PrivateKeySource): PemBlock {
  if (typeof source !== 'string' && !(source instanceof Uint8Array)) {
    throw new TypeError(`"privateKey" expected PEM or DER, got ${source === null ? 'null' : `a ${typeof source}`}`)
  }
  const text = typeof source === 'string' ? source : textOf(source)
  if (typeof source !== 'string' && !text.includes('-----BEGIN ')) return { label: '', headers: [], der: source }

  const blocks = reading(() => parsePem(text)).filter((block) => block.label.endsWith('PRIVATE KEY'))
  const [block] = blocks
  if (block === undefined) throw malformedKey('is missing: there is no block of that kind in the PEM')
  if (blocks.length > 1) throw malformedKey(`is ambiguous: there are ${blocks.length} of them`)
  if (!LABELS.has(block.label)) throw malformedKey(`has the form ${show(block.label)}, which is not supported`)
  return block
}

const LABELS: ReadonlySet<string> = new Set([
  'PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'RSA PRIVATE KEY',
  'EC PRIVATE KEY',
])

/** The readers of DER and PEM speak of certificates; here the same mistakes are those of a key. */
function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof CertificateError) throw malformedKey('is not proper PEM or DER')
    throw error
  }
}

function requireGiven(passphrase: Passphrase | undefined): Passphrase {
  if (passphrase !== undefined) return passphrase
  throw new PrivateKeyError(
    'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
    'the private key is encrypted, and no passphrase was given',
  )
}

function wrongPassphrase(): never {
  throw new PrivateKeyError(
    'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    'the private key does not open with this passphrase, or is damaged',
  )
}

function malformedKey(problem: string): PrivateKeyError {
  return new PrivateKeyError('ERR_TLACACOCA_KEY_MALFORMED', `the private key ${problem}`)
}
