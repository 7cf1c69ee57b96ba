// What is in a PKCS#12 container once it lies open: certificates and keys, each in a bag with a name and a mark by which
// they are paired. Bags of other kinds (revocation lists, secrets of Java) are left alone.

import { TAG } from './der.ts'
import { type BerNode, excessive, malformed } from './pkcs12-ber.ts'
import { type Open, type ReadingContext, readEncryption } from './pkcs12-encryption.ts'
import { ATTRIBUTE, BAG, X509_CERTIFICATE } from './pkcs12-oids.ts'

/** What a bag says about its contents beside them. */
export interface BagAttributes {
  readonly friendlyName: string | null
  /** In hex; a key and its certificate have the same. */
  readonly localKeyId: string | null
}

export interface CertificateBag extends BagAttributes {
  readonly der: Uint8Array
}

export interface KeyBag extends BagAttributes {
  /** The DER of a PrivateKeyInfo; null if it does not open. */
  readonly open: Open
}

// As .NET has them for keys; stores of authorities hold some hundred certificates.
const MAX_CERTIFICATES = 1000
const MAX_KEYS = 100
/** An RSA key of 16,384 bits takes 9,300. */
const MAX_KEY_BYTES = 16 * 1024

/** All bags of a file, in its order. */
export class BagCollection {
  readonly certificates: CertificateBag[] = []
  readonly keys: KeyBag[] = []
  readonly #context: ReadingContext

  constructor(context: ReadingContext) {
    this.#context = context
  }

  /** Takes the bags of a SafeContents (RFC 7292 section 4.2), and charges what its keys will cost. */
  addAll(safeContents: BerNode): void {
    // Contents can stand in contents. A list instead of recursion.
    const open = [safeContents]
    for (let contents = open.pop(); contents !== undefined; contents = open.pop()) {
      for (const bag of contents.children(TAG.sequence, 'the safe contents').rest()) {
        const inside = bag.children(TAG.sequence, 'a bag')
        const kind = inside.read('the kind of a bag').oid('the kind of a bag')
        const wrapper = inside.read('the content of a bag').children(EXPLICIT, 'the content of a bag')
        const value = wrapper.read('the content of a bag')
        wrapper.finish('the content of a bag')
        const attributes = readAttributes(inside.done ? undefined : inside.read('the attributes'))
        inside.finish('a bag')
        if (kind === BAG.safeContents) open.push(value)
        else this.#add(kind, value, attributes)
      }
    }
  }

  #add(kind: string, value: BerNode, attributes: BagAttributes): void {
    if (kind === BAG.certificate) {
      this.#addCertificate(value, attributes)
    } else if (kind === BAG.key) {
      const der = value.der('a private key', MAX_KEY_BYTES)
      this.#addKey({ ...attributes, open: async () => der })
    } else if (kind === BAG.shroudedKey) {
      const inside = value.children(TAG.sequence, 'an encrypted key')
      const algorithm = inside.read('the encryption of a key')
      const encrypted = inside.read('an encrypted key').octets('an encrypted key')
      inside.finish('an encrypted key')
      if (encrypted.length > MAX_KEY_BYTES) throw malformed('a private key is larger than any there is')
      this.#addKey({ ...attributes, open: readEncryption(algorithm, encrypted, this.#context) })
    }
  }

  #addKey(bag: KeyBag): void {
    if (this.keys.push(bag) > MAX_KEYS) throw excessive(`there are more than ${MAX_KEYS} private keys in it`)
  }

  #addCertificate(value: BerNode, attributes: BagAttributes): void {
    const inside = value.children(TAG.sequence, 'a certificate')
    // The other kind, SDSI, has never been seen.
    if (inside.read('the kind of a certificate').oid('the kind of a certificate') !== X509_CERTIFICATE) return
    const wrapper = inside.read('a certificate').children(EXPLICIT, 'a certificate')
    const der = wrapper.read('a certificate').octets('a certificate')
    wrapper.finish('a certificate')
    inside.finish('a certificate')
    if (this.certificates.push({ ...attributes, der }) > MAX_CERTIFICATES) {
      throw excessive(`there are more than ${MAX_CERTIFICATES} certificates in it`)
    }
  }
}

/** The tag of what is explicitly tagged with 0. */
export const EXPLICIT = 0xa0

function readAttributes(set: BerNode | undefined): BagAttributes {
  let friendlyName: string | null = null
  let localKeyId: string | null = null
  for (const attribute of set?.children(TAG.set, 'the attributes').rest() ?? []) {
    const inside = attribute.children(TAG.sequence, 'an attribute')
    const kind = inside.read('the kind of an attribute').oid('the kind of an attribute')
    const values = inside.read('the values of an attribute').children(TAG.set, 'the values of an attribute')
    if (kind === ATTRIBUTE.friendlyName && !values.done) {
      // Some writers end it with a zero, as a passphrase.
      friendlyName = values.read('a name').bmpString()?.replace(/\0+$/, '') ?? null
    } else if (kind === ATTRIBUTE.localKeyId && !values.done) {
      localKeyId = values.read('a local key identifier').octets('a local key identifier').toString('hex')
    }
  }
  return { friendlyName, localKeyId }
}
