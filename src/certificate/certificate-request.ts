// A request for a certificate: PKCS#10 (RFC 2986). Somebody shows a public key, proves to hold the private one, and says
// what they would like to be called.
//
// It is what a stranger sends to an authority, so everything in it is a claim, and it is read whole and strictly at once:
// no getter throws later, and a request that two programs could read differently is none. Nothing of it goes to OpenSSL
// before its key has been found to be an ordinary one (see certificate-request-proof.ts).
//
// Invariant: nothing about a request ever changes. What goes in is copied, what comes out is a copy or frozen.

import { hash } from 'node:crypto'
import { inspect } from 'node:util'
import { requireProof } from './certificate-request-proof.ts'
import { type RequestFacts, readRequest } from './certificate-request-reader.ts'
import { derOfRequest } from './certificate-request-source.ts'
import type { DistinguishedName } from './distinguished-name.ts'
import type { CertificateExtension, SubjectAltNames } from './extensions.ts'
import { type Fingerprint, publicKeyFingerprint } from './fingerprint.ts'
import { formatPem } from './pem.ts'
import type { KeyType } from './public-key.ts'
import type { SignatureAlgorithm } from './signature-algorithm.ts'

/**
 * A certificate request (PKCS#10, RFC 2986): a public key, and what its holder asks for. An authority takes the key from
 * it and decides about everything else on its own.
 *
 * Read it, then let {@link CertificateRequest.requireProof} show that the sender holds the key.
 *
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { CertificateRequest } from 'tlacacoca/certificate'
 *
 * const request = CertificateRequest.from(await readFile('request.pem'))
 * request.requireProof()
 * console.log(request.publicKeyFingerprint, request.subject.toString(), request.subjectAltNames.dns)
 */
export class CertificateRequest {
  /** SHA-256 of the DER in hex. The same key and names give another one each time, with keys that sign at random. */
  readonly sha256: string
  readonly #der: Uint8Array
  readonly #facts: RequestFacts
  #isProven = false

  private constructor(der: Uint8Array) {
    this.#der = der
    this.#facts = readRequest(der)
    this.sha256 = hash('sha256', der, 'hex')
    Object.freeze(this)
  }

  /**
   * Reads a request: PEM with exactly one in it (`CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST`, with text around it
   * as `openssl req -text` writes it), or DER. It is at most 32 KiB long and asks for at most 100 names.
   *
   * @throws {CertificateRequestError} CSR_MALFORMED for what is no request, is damaged, or could be read in two ways: an
   *   attribute that is there twice, control characters in a name. CSR_TOO_LARGE. CSR_KEY_REFUSED if the key has not the
   *   form of its algorithm, as the point at infinity has not.
   * @throws {TypeError} For anything but text or bytes.
   */
  static from(input: string | Uint8Array): CertificateRequest {
    return new CertificateRequest(derOfRequest(input))
  }

  /** Whether a value is a request that this library read. */
  static is(value: unknown): value is CertificateRequest {
    return typeof value === 'object' && value !== null && #facts in value
  }

  /** The DER, in a copy. */
  get der(): Uint8Array {
    return new Uint8Array(this.#der)
  }

  /** PEM, in lines of 64 characters. */
  toPem(): string {
    return formatPem('CERTIFICATE REQUEST', this.#der)
  }

  /** What the sender would like to be called. Types may come twice, and `commonName` is the last one. */
  get subject(): DistinguishedName {
    return this.#facts.subject
  }

  /** The subject's DER. */
  get subjectDer(): Uint8Array {
    return new Uint8Array(this.#facts.subjectDer)
  }

  /** The SubjectPublicKeyInfo in DER: the public key with its algorithm. */
  get subjectPublicKeyInfo(): Uint8Array {
    return new Uint8Array(this.#facts.spki)
  }

  /** SHA-256 of the public key: `spki-sha256:` and 64 hex digits. */
  get publicKeyFingerprint(): Fingerprint {
    return publicKeyFingerprint(this.#facts.spki)
  }

  /** SHA-1 of the public key in lower-case hex, for programs that know keys by it. Compare by the fingerprint instead. */
  get publicKeySha1(): string {
    return hash('sha1', this.#facts.spki, 'hex')
  }

  /** The kind of the public key. */
  get keyType(): KeyType {
    return this.#facts.key.type
  }

  /** The curve of an EC key, such as `P-256`, or its dotted identifier; null for every other kind. */
  get keyCurve(): string | null {
    return this.#facts.key.curve
  }

  /** The size of the public key in bits; null if the kind or the curve is unknown. */
  get keySize(): number | null {
    return this.#facts.key.size
  }

  /** The public exponent of an RSA key; null for every other kind. */
  get keyExponent(): bigint | null {
    return this.#facts.key.exponent
  }

  /** How the request is signed. */
  get signatureAlgorithm(): SignatureAlgorithm {
    return this.#facts.signatureAlgorithm
  }

  /** The extensions that the sender would like, whatever is in them: authorities, purposes, URLs of anybody. */
  get requestedExtensions(): readonly CertificateExtension[] {
    return this.#facts.extensions.map((each) => ({ ...each, value: new Uint8Array(each.value) }))
  }

  /**
   * The alternative names that the sender would like: printable ASCII, and otherwise as they stand, in any case, with
   * wildcards, of anybody's host. Kinds that have no list here (a user's principal name, say) are in the extension only.
   */
  get subjectAltNames(): SubjectAltNames {
    return this.#facts.altNames
  }

  /**
   * The password by which the sender may one day want to revoke the certificate (RFC 2985 section 5.4.1); null if there
   * is none. It is a secret, and it is in the DER and the PEM too.
   */
  get challengePassword(): string | null {
    return this.#facts.challengePassword
  }

  /**
   * Makes sure that whoever made the request holds its private key: that the key is a sound one, written in the one form
   * that its kind has, and verifies the request's signature, by SHA-256 or better. The key is judged before OpenSSL sees
   * it. Once it has passed, asking again costs nothing.
   *
   * @throws {CertificateRequestError} CSR_KEY_REFUSED for a key that is weak (RSA below 2048 bits or with an exponent
   *   below 65537, curves below 256 bits), damaged, or of a kind that is not certified. CSR_UNPROVEN if the signature does
   *   not verify, or is made with SHA-1 or older.
   */
  requireProof(): void {
    if (this.#isProven) return
    requireProof(this.#facts)
    this.#isProven = true
  }

  /** @internal What a debugger shows. It can be told to call getters, and one of them gives a secret. */
  [inspect.custom](): string {
    return `CertificateRequest { sha256: '${this.sha256}' }`
  }
}
