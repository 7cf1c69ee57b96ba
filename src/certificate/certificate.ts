// One X.509 certificate: its exact DER, and a lazy reading of it.
//
// Most certificates are only fingerprinted, so making a `Certificate` costs a copy, a hash and a walk over the outermost
// elements; every other fact is read when it is first asked for. The reading is ours and not OpenSSL's: `new
// X509Certificate` takes 105 us on Node 20, and some keys make Node abort the process (see public-key.ts).
//
// Liberal in what has a fingerprint, strict in what is read: version 1, a negative serial, an empty subject, an unknown
// critical extension are all fine, while a fact that is malformed throws `CertificateError` each time it is asked for. It
// never reads as absent, as false or as NaN.
//
// Invariant: nothing about a certificate ever changes. What goes in is copied, what comes out is a copy or frozen.

import { hash, type KeyObject, X509Certificate } from 'node:crypto'
import { CertificateError } from '../errors.ts'
import { requireDate } from '../internal/arguments.ts'
import { DerElement, DerReader, integerBytes, malformed, signedHex, smallInteger, TAG, timeOf } from './der.ts'
import { type DistinguishedName, readName } from './distinguished-name.ts'
import {
  type CertificateExtension,
  EXTENSION,
  type KeyUsage,
  NO_ALT_NAMES,
  readAuthorityKeyIdentifier,
  readAuthoritySerialNumber,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectAltNames,
  readSubjectKeyIdentifier,
  type SubjectAltNames,
} from './extensions.ts'
import { certificateFingerprint, certificateSha512, type Fingerprint, publicKeyFingerprint } from './fingerprint.ts'
import { type CertificateOutline, outlineOf } from './outline.ts'
import { formatPem } from './pem.ts'
import { type KeyType, keyObjectOf, type PublicKeyInfo, readPublicKeyInfo } from './public-key.ts'
import { readSignatureAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts'
import { type CertificateSource, derOf } from './source.ts'

/** What a certificate can be made from; a `Certificate` stands for itself. */
export type CertificateInput = CertificateSource | Certificate

/** Whether an instant is within a certificate's dates. */
export type CertificateValidity = 'valid' | 'expired' | 'not_yet_valid'

/**
 * An X.509 certificate (RFC 5280). It proves nothing by itself: anybody can show anybody's certificate. That somebody
 * holds its key is what a `Peer` says.
 *
 * Every getter throws {@link CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if that part of the certificate cannot
 * be read. The fingerprints, the DER and the PEM are always there.
 *
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { Certificate } from 'tlacacoca/certificate'
 *
 * const certificate = Certificate.from(await readFile('cert.pem'))
 * console.log(certificate.fingerprint, certificate.subject.toString(), certificate.notAfter)
 */
export class Certificate {
  /**
   * SHA-256 of the DER: `sha256:` and 64 hex digits. It is the one fact that is not lazy: as a property of its own it is
   * what a debugger shows, and what tells two certificates apart for whatever compares objects by their properties.
   */
  readonly fingerprint: Fingerprint
  readonly #der: Uint8Array
  readonly #at: CertificateOutline
  #sha512: Fingerprint | undefined
  #publicKeyFingerprint: Fingerprint | undefined
  #subject: DistinguishedName | undefined
  #issuer: DistinguishedName | undefined
  #times: { readonly notBefore: number; readonly notAfter: number } | undefined
  #extensions: readonly CertificateExtension[] | undefined
  #altNames: SubjectAltNames | undefined
  #key: PublicKeyInfo | undefined

  private constructor(der: Uint8Array) {
    this.#at = outlineOf(der)
    this.#der = der
    this.fingerprint = certificateFingerprint(der)
    Object.freeze(this)
  }

  /**
   * Makes a certificate from whatever holds one. PEM may have text around its block (as `openssl x509 -text` writes it),
   * but no second certificate, no private key and no other block; see `parseCertificates` for several.
   *
   * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if there is not exactly one certificate in it.
   */
  static from(input: CertificateInput): Certificate {
    return input instanceof Certificate ? input : new Certificate(derOf(input))
  }

  /** The DER, in a copy. */
  get der(): Uint8Array {
    return new Uint8Array(this.#der)
  }

  /** SHA-512 of the DER: `sha512:` and 128 hex digits. */
  get sha512Fingerprint(): Fingerprint {
    this.#sha512 ??= certificateSha512(this.#der)
    return this.#sha512
  }

  /** SHA-256 of the public key: `spki-sha256:` and 64 hex digits. It stays the same when a certificate is renewed. */
  get publicKeyFingerprint(): Fingerprint {
    this.#publicKeyFingerprint ??= publicKeyFingerprint(this.#view('spki', 'spkiEnd'))
    return this.#publicKeyFingerprint
  }

  /** SHA-1 of the DER in hex, to show beside what old programs show. Never compare by it: collisions can be bought. */
  get sha1(): string {
    return hash('sha1', this.#der, 'hex')
  }

  /** The SubjectPublicKeyInfo in DER: the public key with its algorithm. */
  get subjectPublicKeyInfo(): Uint8Array {
    return new Uint8Array(this.#view('spki', 'spkiEnd'))
  }

  /** Whom the certificate is about, according to itself. */
  get subject(): DistinguishedName {
    this.#subject ??= readName(this.#view('subject', 'spki'), 'the subject')
    return this.#subject
  }

  /** Who signed it, according to itself. */
  get issuer(): DistinguishedName {
    this.#issuer ??= readName(this.#view('issuer', 'validity'), 'the issuer')
    return this.#issuer
  }

  /** The subject's DER. */
  get subjectDer(): Uint8Array {
    return new Uint8Array(this.#view('subject', 'spki'))
  }

  /** The issuer's DER. */
  get issuerDer(): Uint8Array {
    return new Uint8Array(this.#view('issuer', 'validity'))
  }

  /**
   * Whether subject and issuer are the same, octet by octet. A self-signed certificate is self-issued, but not every
   * self-issued one is self-signed: the signature is not looked at.
   */
  get isSelfIssued(): boolean {
    return Buffer.compare(this.#view('subject', 'spki'), this.#view('issuer', 'validity')) === 0
  }

  /** The serial number in lower-case hex, whole octets, with a minus sign in front if it is negative. */
  get serialNumber(): string {
    const element = new DerElement(this.#der, this.#at.serial, this.#at.signatureAlgorithm)
    return signedHex(integerBytes(element, 'the serial number'))
  }

  /** The first instant at which it is valid. */
  get notBefore(): Date {
    return new Date(this.#validity().notBefore)
  }

  /** The last instant at which it is valid. */
  get notAfter(): Date {
    return new Date(this.#validity().notAfter)
  }

  /**
   * Whether an instant is within the certificate's dates (RFC 5280 section 4.1.2.5: both ends belong to it). Only the
   * dates are looked at.
   */
  validityAt(at: Date): CertificateValidity {
    requireDate('at', at)
    const { notBefore, notAfter } = this.#validity()
    if (at.getTime() < notBefore) return 'not_yet_valid'
    return at.getTime() > notAfter ? 'expired' : 'valid'
  }

  /** The names it was issued for (RFC 5280 section 4.2.1.6); empty lists if it has none. */
  get subjectAltNames(): SubjectAltNames {
    this.#altNames ??= this.#read(EXTENSION.subjectAltName, readSubjectAltNames) ?? NO_ALT_NAMES
    return this.#altNames
  }

  /** Whether it may sign certificates (basicConstraints, RFC 5280 section 4.2.1.9). */
  get isCA(): boolean {
    return this.#read(EXTENSION.basicConstraints, readBasicConstraints)?.ca ?? false
  }

  /** How many further authorities may stand below it; null if that is not limited. */
  get pathLength(): number | null {
    return this.#read(EXTENSION.basicConstraints, readBasicConstraints)?.pathLength ?? null
  }

  /** What its key may be used for; null if the certificate does not say, which means anything. */
  get keyUsage(): readonly KeyUsage[] | null {
    return this.#read(EXTENSION.keyUsage, readKeyUsage)
  }

  /** For which purposes, by short name (`serverAuth`) or dotted identifier; null if it does not say: for any. */
  get extendedKeyUsage(): readonly string[] | null {
    return this.#read(EXTENSION.extendedKeyUsage, readExtendedKeyUsage)
  }

  /** The subject key identifier in hex; null if it has none. */
  get subjectKeyIdentifier(): string | null {
    return this.#read(EXTENSION.subjectKeyIdentifier, readSubjectKeyIdentifier)
  }

  /** The issuer's key identifier in hex; null if it has none. */
  get authorityKeyIdentifier(): string | null {
    return this.#read(EXTENSION.authorityKeyIdentifier, readAuthorityKeyIdentifier)
  }

  /** @internal The serial number of the issuer's certificate in lower-case hex; null if it is not given. */
  get authoritySerialNumber(): string | null {
    return this.#read(EXTENSION.authorityKeyIdentifier, readAuthoritySerialNumber)
  }

  /**
   * All extensions, in order. The same one twice is an error. They are read whatever the version says: programs that
   * forget to set it to 3 exist, and TLS libraries heed their extensions.
   */
  get extensions(): readonly CertificateExtension[] {
    return this.#readExtensions().map((each) => ({ ...each, value: new Uint8Array(each.value) }))
  }

  /** The kind of its public key. */
  get keyType(): KeyType {
    return this.#publicKeyInfo().type
  }

  /** The curve of an EC key, such as `P-256`, or its dotted identifier; null for every other kind. */
  get keyCurve(): string | null {
    return this.#publicKeyInfo().curve
  }

  /** The size of its public key in bits; null if the kind or the curve is unknown. */
  get keySize(): number | null {
    return this.#publicKeyInfo().size
  }

  /** The public exponent of an RSA key; null for every other kind. */
  get keyExponent(): bigint | null {
    return this.#publicKeyInfo().exponent
  }

  /**
   * How it is signed. The certificate says it twice, once inside what is signed; if the two differ, it is malformed
   * (RFC 5280 section 4.1.1.2).
   */
  get signatureAlgorithm(): SignatureAlgorithm {
    const inner = this.#view('signatureAlgorithm', 'issuer')
    const outer = this.#view('tbsEnd', 'signature')
    if (Buffer.compare(inner, outer) !== 0) throw malformed('it names two different signature algorithms')
    return readSignatureAlgorithm(outer)
  }

  /** The version that it claims: 1, 2 or 3. */
  get version(): 1 | 2 | 3 {
    if (this.#at.version === -1) return 1
    const wrapper = new DerElement(this.#der, this.#at.version, this.#at.serial).children()
    const version = smallInteger(wrapper.read(TAG.integer, 'the version'), 'the version')
    wrapper.finish('the version')
    if (version === 0) return 1
    if (version === 1) return 2
    if (version === 2) return 3
    throw malformed(`it has the version ${version + 1}, and there are 1 to 3`)
  }

  /** PEM, in lines of 64 characters. */
  toPem(): string {
    return formatPem('CERTIFICATE', this.#der)
  }

  /**
   * Node's own object, for what only OpenSSL can do. Some public keys make Node abort the process when it is asked for
   * their details, so a key that has not the form of its algorithm is refused here, and so is one that OpenSSL cannot read
   * and one of an algorithm or on a curve that this library does not know. Takes two parsings by OpenSSL, 0.2 ms or so.
   *
   * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED or ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED.
   */
  toX509Certificate(): X509Certificate {
    this.publicKey()
    try {
      return new X509Certificate(this.#der)
    } catch (cause) {
      throw new CertificateError('ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED', 'OpenSSL cannot read the certificate', {
        cause,
      })
    }
  }

  /**
   * Its public key as Node's object, under the same conditions as {@link Certificate.toX509Certificate}.
   *
   * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED or ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED.
   */
  publicKey(): KeyObject {
    return keyObjectOf(this.#view('spki', 'spkiEnd'))
  }

  /** Whether another certificate is the same, octet by octet. */
  equals(other: Certificate): boolean {
    return Buffer.compare(this.#der, other.#der) === 0
  }

  /** @internal What the signature is over: the TBSCertificate in DER. */
  get tbsDer(): Uint8Array {
    return new Uint8Array(this.#view('tbs', 'tbsEnd'))
  }

  /** The bytes from one part up to another, which must not get out. */
  #view(from: keyof CertificateOutline, to: keyof CertificateOutline): Uint8Array {
    return this.#der.subarray(this.#at[from], this.#at[to])
  }

  #validity(): { readonly notBefore: number; readonly notAfter: number } {
    if (this.#times === undefined) {
      const reader = new DerElement(this.#der, this.#at.validity, this.#at.subject).children()
      const notBefore = timeOf(reader.readAny('notBefore'), 'notBefore')
      const notAfter = timeOf(reader.readAny('notAfter'), 'notAfter')
      reader.finish('the validity')
      this.#times = { notBefore, notAfter }
    }
    return this.#times
  }

  #publicKeyInfo(): PublicKeyInfo {
    this.#key ??= readPublicKeyInfo(this.#view('spki', 'spkiEnd'))
    return this.#key
  }

  #readExtensions(): readonly CertificateExtension[] {
    if (this.#extensions === undefined) {
      const rest = new DerReader(this.#der, this.#at.spkiEnd, this.#at.tbsEnd)
      // Two unique identifiers (section 4.1.2.8), which nobody uses, may stand before the extensions.
      rest.optional(0x81, 'the unique identifier of the issuer')
      rest.optional(0x82, 'the unique identifier of the subject')
      const list = rest.optional(0xa3, 'the extensions')?.content
      rest.finish('the certificate')
      this.#extensions = list === undefined ? [] : readExtensions(list)
    }
    return this.#extensions
  }

  /** Reads one extension; null if the certificate has not got it. */
  #read<T>(oid: string, reader: (value: Uint8Array) => T): T | null {
    const extension = this.#readExtensions().find((each) => each.oid === oid)
    return extension === undefined ? null : reader(extension.value)
  }
}
