// Reading PKCS#12 (RFC 7292). The order of things is what makes it safe: the structure is read and the price of everything
// that can be seen is charged; then the MAC is verified; then, and only then, anything is decrypted, and the price of what
// comes to light is charged before that is opened in turn.

import { PrivateKeyError } from '../errors.ts'
import { requireInteger, requireOptions } from '../internal/arguments.ts'
import { Certificate } from './certificate.ts'
import { TAG } from './der.ts'
import type { Passphrase } from './passphrase.ts'
import { BagCollection, EXPLICIT } from './pkcs12-bags.ts'
import { type BerNode, excessive, loadForge, malformed, parseBer, unsupported } from './pkcs12-ber.ts'
import { type Open, type ReadingContext, readEncryption } from './pkcs12-encryption.ts'
import { type NamedKey, type Pkcs12Contents, pairUp } from './pkcs12-entries.ts'
import { RoundAccount, secretsOf } from './pkcs12-keys.ts'
import { readMac } from './pkcs12-mac.ts'
import { CONTENT, nameOf } from './pkcs12-oids.ts'
import { importPrivateKey } from './pkcs12-private-key.ts'

/** How a PKCS#12 file is read. */
export interface Pkcs12ReadOptions {
  /** What it was written with. An empty text for a file without one. */
  readonly passphrase: Passphrase
  /**
   * The most iterations that all key derivations of the file together may ask for. A derivation that makes several blocks
   * of hash output counts as often: three times for triple DES. Default 5,000,000, which is some seconds of one core.
   */
  readonly maxIterations?: number
}

// What Java allows for one derivation. Three with a million each, as a careful user of OpenSSL may ask for, are within it.
const DEFAULT_MAX_ITERATIONS = 5_000_000

const MAX_BYTES = 4 * 1024 * 1024

/**
 * Reads a PKCS#12 container (RFC 7292; `.p12`, `.pfx`), as browsers, phones, Windows, Java and OpenSSL write it.
 *
 * It must have a MAC, by SHA-1, SHA-2 or PBMAC1 (RFC 9579). It may be encrypted by PBES2 with PBKDF2 and AES or triple
 * DES, by triple DES or RC2 in the way of PKCS#12, or not at all. Keys may be RSA of up to 8,192 bits, EC, Ed25519 and
 * Ed448. They are paired with their certificates, and these with the certificates above them, whatever their order.
 *
 * The file says how much work it takes to open it. That is added up before anything is derived, and refused beyond
 * `maxIterations`; no more than 4 MiB, 100 keys and 1,000 certificates are read. The work leaves the event loop free.
 *
 * @throws {PrivateKeyError} KEY_PASSPHRASE_WRONG if the passphrase does not fit. Damage to what the MAC covers looks the
 *   same. KEY_MALFORMED for a key that is not sound or of another kind.
 * @throws {CertificateError} CERTIFICATE_MALFORMED for a certificate that is none.
 * @throws {Pkcs12Error} PKCS12_NO_MAC, PKCS12_EXCESSIVE, PKCS12_UNSUPPORTED with the name of what is, or PKCS12_MALFORMED.
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { KeyedChain, readPkcs12 } from 'tlacacoca/certificate'
 *
 * const { entries } = await readPkcs12(await readFile('identity.p12'), { passphrase: 'correct horse battery staple' })
 * for (const { certificate, chain, privateKey, friendlyName } of entries) {
 *   console.log(friendlyName, certificate.fingerprint)
 *   const identity = KeyedChain.fromCertificates([certificate, ...chain], privateKey, { purpose: 'client' })
 *   console.log(identity.sent.length)
 * }
 */
export async function readPkcs12(bytes: Uint8Array, options: Pkcs12ReadOptions): Promise<Pkcs12Contents> {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('"bytes" expected the bytes of a PKCS#12 file')
  requireOptions('options', options, ['passphrase', 'maxIterations'])
  const { passphrase, maxIterations = DEFAULT_MAX_ITERATIONS } = options
  if (typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array)) {
    throw new TypeError('"passphrase" expected a string or bytes; an empty one for a file without')
  }
  requireInteger('maxIterations', maxIterations, 1, 2 ** 31 - 1)
  if (bytes.length > MAX_BYTES) throw excessive(`it has ${bytes.length} bytes; ${MAX_BYTES} are read at most`)

  // Whoever owns the bytes may go on with them.
  const file = Uint8Array.from(bytes)
  const secrets = secretsOf(passphrase)
  const forge = await loadForge()
  const context: ReadingContext = { forge, account: new RoundAccount(maxIterations) }
  const { authSafe, macData } = readContainer(parseBer(forge, file, 'the file'))
  const mac = readMac(macData, context.account, secrets)
  const safes = readSafes(parseBer(forge, authSafe, 'the authenticated safe'), context)
  const bags = new BagCollection(context)
  for (const safe of safes) if ('plain' in safe) bags.addAll(safe.plain)

  const secret = await mac.verify(authSafe)
  if (secret === null) throw wrongPassphrase('does not open with this passphrase, or is damaged')
  for (const safe of safes) {
    if ('plain' in safe) continue
    const contents = (await safe.open(secret)) ?? foreignPassphrase()
    bags.addAll(parseBer(forge, contents, 'what was encrypted'))
  }
  const keys: NamedKey[] = []
  for (const bag of bags.keys) {
    keys.push({ ...bag, key: await importPrivateKey((await bag.open(secret)) ?? foreignPassphrase()) })
  }
  const certificates = bags.certificates.map((bag) => ({ ...bag, certificate: Certificate.from({ raw: bag.der }) }))
  return pairUp(certificates, keys)
}

/** The PFX (RFC 7292 section 4): what is authenticated, and by what. */
function readContainer(pfx: BerNode): { readonly authSafe: Uint8Array; readonly macData: BerNode | undefined } {
  const inside = pfx.children(TAG.sequence, 'the file')
  const version = inside.read('the version').integer('the version')
  if (version !== 3) throw unsupported(`it has the version ${version}, and there is only 3`)
  const { type, content } = readContentInfo(inside.read('the authenticated safe'))
  const macData = inside.done ? undefined : inside.read('the MAC')
  inside.finish('the file')
  if (type !== CONTENT.data) throw unsupported(`it is authenticated by ${nameOf(type)}, not by a passphrase`)
  return { authSafe: content.octets('the authenticated safe'), macData }
}

/** Bags that lie open, or what opens them. */
type Safe = { readonly plain: BerNode } | { readonly open: Open }

function readSafes(authenticatedSafe: BerNode, context: ReadingContext): Safe[] {
  return authenticatedSafe
    .children(TAG.sequence, 'the authenticated safe')
    .rest()
    .map((each): Safe => {
      const { type, content } = readContentInfo(each)
      if (type === CONTENT.data) {
        return { plain: parseBer(context.forge, content.octets('a part of it'), 'a part of it') }
      }
      if (type === CONTENT.encryptedData) return { open: readEncryptedData(content, context) }
      throw unsupported(`a part of it is protected by ${nameOf(type)}, not by a passphrase`)
    })
}

function readContentInfo(node: BerNode): { readonly type: string; readonly content: BerNode } {
  const inside = node.children(TAG.sequence, 'a content')
  const type = inside.read('the kind of a content').oid('the kind of a content')
  const wrapper = inside.read('a content').children(EXPLICIT, 'a content')
  inside.finish('a content')
  const content = wrapper.read('a content')
  wrapper.finish('a content')
  return { type, content }
}

/** EncryptedData (RFC 5652 section 8). Attributes that are not protected may follow, and mean nothing here. */
function readEncryptedData(node: BerNode, context: ReadingContext): Open {
  const outer = node.children(TAG.sequence, 'an encrypted part')
  outer.read('the version of an encrypted part').integer('the version of an encrypted part')
  const inside = outer.read('an encrypted part').children(TAG.sequence, 'an encrypted part')
  const type = inside.read('the kind of an encrypted part').oid('the kind of an encrypted part')
  if (type !== CONTENT.data) throw malformed('an encrypted part holds something else than bags')
  const algorithm = inside.read('the encryption')
  const encrypted = inside.read('what was encrypted').octets('what was encrypted', IMPLICIT)
  inside.finish('an encrypted part')
  return readEncryption(algorithm, encrypted, context)
}

/** The tag of what is implicitly tagged with 0. */
const IMPLICIT = 0x80

function wrongPassphrase(problem: string): PrivateKeyError {
  return new PrivateKeyError('ERR_TLACACOCA_KEY_PASSPHRASE_WRONG', `the PKCS#12 file ${problem}`)
}

/** The MAC has been verified, so this is no accident. Some programs take a second passphrase for the encryption. */
function foreignPassphrase(): never {
  throw wrongPassphrase('has parts that were encrypted under another passphrase than the one that authenticates it')
}
