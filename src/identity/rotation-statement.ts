// How a user carries an account from one certificate to the next: the old key signs a statement that names the new
// certificate, and the server that gets it over a connection with the new certificate knows both keys in one hand.
//
// The statement is bytes with lengths in front, so that there is one encoding for one meaning, and it fits into a Gemini
// URL (1024 bytes) with an RSA key of 2048 bits too. It carries the old public key, because servers keep no more than
// digests; the digest is what ties the key to the account. What is signed begins with a text that nothing else signed
// with these keys begins with: TLS signs 64 spaces first (RFC 8446 section 4.4.3), X.509 signs DER.
//
// Invariant: whatever `openRotation` returns was signed by the private half of the key that is in it, for this server and
// for this new certificate, and has not expired. Whose key that is, the caller has to know.

import { createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto'
import { Certificate } from '../certificate/certificate.ts'
import { type Fingerprint, publicKeyFingerprint } from '../certificate/fingerprint.ts'
import { matchesCertificate } from '../certificate/private-key.ts'
import { keyObjectOf, readPublicKeyInfo } from '../certificate/public-key.ts'
import { signerFor } from '../certificate/signing.ts'
import { CertificateError, IdentityError, PrivateKeyError } from '../errors.ts'
import { requireDate, requireOptions, requireString, show } from '../internal/arguments.ts'
import { Endpoint } from '../names/endpoint.ts'

/** What to say in a rotation statement. */
export interface RotationOptions {
  /** The server that the statement is for. Every other one refuses it. */
  readonly origin: Endpoint
  /** The user's id on that server, if it is known: then the statement is good for no other user. */
  readonly user?: string
  /** The certificate that the server knows. */
  readonly oldCertificate: Certificate
  /** Its private key. */
  readonly oldKey: KeyObject
  readonly newCertificate: Certificate
  /** 16 bytes that no other statement has. Default: random ones. */
  readonly nonce?: Uint8Array
  /** After this instant nobody accepts it. Servers refuse statements that are good for more than 31 days. */
  readonly expiresAt: Date
}

/** What is to be checked of a rotation statement. */
export interface RotationExpectation {
  /** The server that the statement must be for: this one. */
  readonly origin: Endpoint
  /** The certificate that the user is known by. */
  readonly oldCertificate: Certificate
  /** SHA-256 fingerprint of the certificate that the peer has proven to hold. */
  readonly newFingerprint: Fingerprint
  /** The instant at which to judge whether it has expired. */
  readonly now: Date
  /** The user's id here; a statement that names another one is refused. */
  readonly user?: string
}

/** A rotation statement whose signature is right. */
export interface RotationStatement {
  /** `host:port`. */
  readonly origin: string
  /** The only user it is good for, by the id on that server; null for whoever has the certificate. */
  readonly user: string | null
  readonly oldFingerprint: Fingerprint
  /** Fingerprint of the key that signed it. */
  readonly oldPublicKeyFingerprint: Fingerprint
  readonly newFingerprint: Fingerprint
  /** In hex. A statement is used once: whoever accepts one remembers the nonce until it expires. */
  readonly nonce: string
  /** From this instant on it is good for nothing. */
  readonly expiresAt: Date
}

/**
 * Writes a statement that a new certificate takes the place of an old one, signed by the old key. To be handed to the
 * server over a connection that shows the new certificate.
 *
 * @returns Text without spaces, which may stand in a query.
 * @throws {PrivateKeyError} ERR_TLACACOCA_KEY_MISMATCH if the key is not that of the old certificate.
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED if the key is too weak to sign with.
 * @throws {RangeError} If both certificates are the same, or the nonce has another length.
 * @example
 * import { generateSelfSignedCertificate, loadCertificate, loadPrivateKey, parseEndpoint } from 'tlacacoca'
 * import { signRotation } from 'tlacacoca/identity'
 * import { readFile } from 'node:fs/promises'
 *
 * const { certificate } = await generateSelfSignedCertificate({ usage: 'client', commonName: 'ana' })
 * const statement = await signRotation({
 *   origin: parseEndpoint('example.org:1965'),
 *   oldCertificate: await loadCertificate('ana.crt'),
 *   oldKey: await loadPrivateKey(await readFile('ana.key')),
 *   newCertificate: certificate,
 *   expiresAt: new Date(Date.now() + 86_400_000),
 * })
 * console.log(`gemini://example.org/account/rotate?${statement}`)
 */
export async function signRotation(options: RotationOptions): Promise<string> {
  requireOptions('options', options, KNOWN)
  const { origin, user = '', oldCertificate, oldKey, newCertificate, nonce = randomBytes(NONCE_BYTES) } = options
  requireEndpoint(origin)
  requireString('user', user)
  requireCertificate('oldCertificate', oldCertificate)
  requireCertificate('newCertificate', newCertificate)
  requireDate('expiresAt', options.expiresAt)
  if (oldCertificate.equals(newCertificate)) throw new RangeError('"newCertificate" is the old one')
  if (!(nonce instanceof Uint8Array)) throw new TypeError(`"nonce" expected bytes, got ${show(nonce)}`)
  if (nonce.length !== NONCE_BYTES) throw new RangeError(`"nonce" expected ${NONCE_BYTES} bytes, got ${nonce.length}`)
  if (!matchesCertificate(oldKey, oldCertificate)) {
    throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', 'the private key is not that of the old certificate')
  }
  const publicKey = createPublicKey(oldKey).export({ format: 'der', type: 'spki' })
  const payload = encode({
    origin: String(origin),
    user,
    oldDigest: digestOf(oldCertificate.fingerprint),
    newDigest: digestOf(newCertificate.fingerprint),
    publicKey: oldCertificate.subjectPublicKeyInfo,
    nonce,
    expiresAt: options.expiresAt.getTime(),
  })
  const signature = await signerFor(oldKey, publicKey).sign(signedBytes(payload))
  return `${PREFIX}.${payload.toString('base64url')}.${Buffer.from(signature).toString('base64url')}`
}

/**
 * Checks a rotation statement against the certificate that a user is known by. `IdentityRegistry.rotate` does this and
 * the rest: that it is used once, and that the old certificate has not been revoked.
 *
 * @throws {IdentityError} ERR_TLACACOCA_IDENTITY_ROTATION_INVALID, with a `reason`: `malformed`, `other_origin`,
 *   `other_certificate`, `other_user`, `expired`, `too_long`, `weak_key` or `bad_signature`.
 * @example
 * import { type Certificate, type Peer, parseEndpoint } from 'tlacacoca'
 * import { verifyRotation } from 'tlacacoca/identity'
 *
 * function mayTakeOver(statement: string, known: Certificate, peer: Peer): void {
 *   const origin = parseEndpoint('example.org:1965')
 *   verifyRotation(statement, { origin, oldCertificate: known, newFingerprint: peer.fingerprint, now: new Date() })
 * }
 */
export function verifyRotation(text: string, expectation: RotationExpectation): RotationStatement {
  requireOptions('expectation', expectation, ['origin', 'oldCertificate', 'newFingerprint', 'now', 'user'])
  const { oldCertificate, user } = expectation
  requireCertificate('oldCertificate', oldCertificate)
  const statement = openRotation(text, expectation)
  if (
    statement.oldFingerprint !== oldCertificate.fingerprint ||
    statement.oldPublicKeyFingerprint !== oldCertificate.publicKeyFingerprint
  ) {
    throw invalidRotation('other_certificate', 'it speaks for another certificate')
  }
  if (user !== undefined && statement.user !== null && statement.user !== user) {
    throw invalidRotation('other_user', 'it speaks for another user')
  }
  return statement
}

/**
 * @internal Checks everything about a statement but whether the key that signed it is anybody's.
 *
 * @throws {IdentityError} ERR_TLACACOCA_IDENTITY_ROTATION_INVALID.
 */
export function openRotation(
  text: string,
  expectation: { readonly origin: Endpoint; readonly newFingerprint: Fingerprint; readonly now: Date },
): RotationStatement {
  requireString('text', text)
  const { origin, newFingerprint, now } = expectation
  requireEndpoint(origin)
  requireDate('now', now)
  const { payload, signature } = split(text)
  const facts = decode(payload)
  if (facts.origin !== String(origin)) {
    throw invalidRotation('other_origin', `it is for ${show(facts.origin)} and not for ${origin}`)
  }
  if (!facts.newDigest.equals(digestOf(newFingerprint))) {
    throw invalidRotation('other_certificate', 'it names another new certificate than the one shown')
  }
  if (facts.newDigest.equals(facts.oldDigest)) throw malformedRotation('both certificates are the same')
  if (facts.expiresAt <= now.getTime()) throw invalidRotation('expired', 'it has expired')
  // The nonce has to be remembered for so long.
  if (facts.expiresAt > now.getTime() + MAX_LIFE_MS) throw invalidRotation('too_long', 'it is good for over 31 days')
  requireSignature(facts.publicKey, payload, signature)
  return Object.freeze({
    origin: facts.origin,
    user: facts.user === '' ? null : facts.user,
    oldFingerprint: fingerprintOf(facts.oldDigest),
    oldPublicKeyFingerprint: publicKeyFingerprint(facts.publicKey),
    newFingerprint,
    nonce: facts.nonce.toString('hex'),
    expiresAt: new Date(facts.expiresAt),
  })
}

/** @internal The error for a statement that is not accepted. */
export function invalidRotation(reason: string, what: string): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_ROTATION_INVALID', `the rotation statement is refused: ${what}`, {
    reason,
  })
}

interface Facts {
  readonly origin: string
  /** Empty for nobody in particular. */
  readonly user: string
  readonly oldDigest: Uint8Array
  readonly newDigest: Uint8Array
  readonly publicKey: Uint8Array
  readonly nonce: Uint8Array
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

const KNOWN = ['origin', 'user', 'oldCertificate', 'oldKey', 'newCertificate', 'nonce', 'expiresAt']
const PREFIX = 'rotation1'
const DOMAIN = Buffer.from('tlacacoca identity rotation statement, version 1\0', 'latin1')
const NONCE_BYTES = 16
const DIGEST_BYTES = 32
const MAX_LIFE_MS = 31 * 86_400_000
/** An RSA key of 8192 bits and everything else fit into this many times over. */
const MAX_TEXT = 16_384

function signedBytes(payload: Uint8Array): Buffer {
  return Buffer.concat([DOMAIN, payload])
}

/** The payload: origin, user and key with their lengths in two bytes, then what has a fixed length. */
function encode(facts: Facts): Buffer {
  const expiry = Buffer.alloc(8)
  expiry.writeBigInt64BE(BigInt(facts.expiresAt))
  return Buffer.concat([
    withLength(Buffer.from(facts.origin)),
    withLength(Buffer.from(facts.user)),
    withLength(facts.publicKey),
    facts.oldDigest,
    facts.newDigest,
    facts.nonce,
    expiry,
  ])
}

function withLength(bytes: Uint8Array): Buffer {
  if (bytes.length > 0xffff) throw new RangeError('a part of a rotation statement is longer than 65,535 bytes')
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

function decode(payload: Buffer): Facts & Record<'oldDigest' | 'newDigest' | 'nonce', Buffer> {
  let at = 0
  const take = (count: number): Buffer => {
    if (at + count > payload.length) throw malformedRotation('it ends early')
    at += count
    return payload.subarray(at - count, at)
  }
  const takeWithLength = (): Buffer => take(take(2).readUInt16BE())
  const facts = {
    origin: textOf(takeWithLength()),
    user: textOf(takeWithLength()),
    publicKey: takeWithLength(),
    oldDigest: take(DIGEST_BYTES),
    newDigest: take(DIGEST_BYTES),
    nonce: take(NONCE_BYTES),
    expiresAt: Number(take(8).readBigInt64BE()),
  }
  if (at !== payload.length) throw malformedRotation('something comes after its end')
  // Beyond the range of `Date` there are no instants (ECMAScript, section Time Values).
  if (Math.abs(facts.expiresAt) > 8.64e15) throw malformedRotation('its expiry is no instant')
  return facts
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformedRotation('a text in it is not UTF-8')
  }
}

function split(text: string): { payload: Buffer; signature: Buffer } {
  if (text.length > MAX_TEXT) throw malformedRotation('it is too long')
  const [prefix, payload, signature, ...rest] = text.split('.')
  if (prefix !== PREFIX || payload === undefined || signature === undefined || rest.length > 0) {
    throw malformedRotation('it is not of a form that is known here')
  }
  return { payload: bytesOf(payload), signature: bytesOf(signature) }
}

function bytesOf(base64url: string): Buffer {
  const bytes = Buffer.from(base64url, 'base64url')
  // Buffer skips what is not base64. What reads differently when written again is another text for the same bytes.
  if (bytes.length === 0 || bytes.toString('base64url') !== base64url) throw malformedRotation('it is not base64url')
  return bytes
}

function requireSignature(publicKey: Uint8Array, payload: Uint8Array, signature: Uint8Array): void {
  try {
    const { type, size, exponent } = readPublicKeyInfo(publicKey)
    // As `signerFor` refuses to sign; and with e = 1 everything is its own signature.
    const tooWeak = (type === 'rsa' && (size ?? 0) < 2048) || (type === 'ec' && (size ?? 0) < 256)
    if (tooWeak || (exponent !== null && (exponent < 3n || exponent % 2n === 0n))) {
      throw invalidRotation('weak_key', 'the key that signed it is too weak')
    }
    const key = keyObjectOf(publicKey)
    if (verify(hashFor(type, size ?? 0), signedBytes(payload), key, signature)) return
  } catch (error) {
    if (error instanceof IdentityError) throw error
    if (error instanceof CertificateError) throw malformedRotation('the key in it cannot be read')
    // OpenSSL's complaint about a signature that it cannot even try.
  }
  throw invalidRotation('bad_signature', 'the signature does not fit')
}

/** The hash that `signerFor` signs with: as strong as the key. */
function hashFor(type: string, size: number): string | null {
  if (type === 'rsa') return 'sha256'
  if (type !== 'ec') return null
  return size <= 256 ? 'sha256' : size <= 384 ? 'sha384' : 'sha512'
}

function digestOf(fingerprint: Fingerprint): Buffer {
  if (!fingerprint.startsWith('sha256:')) {
    throw new TypeError(`expected the SHA-256 fingerprint of a certificate, got ${show(fingerprint)}`)
  }
  return Buffer.from(fingerprint.slice('sha256:'.length), 'hex')
}

function fingerprintOf(digest: Buffer): Fingerprint {
  return `sha256:${digest.toString('hex')}` as Fingerprint
}

function malformedRotation(what: string): IdentityError {
  return invalidRotation('malformed', what)
}

function requireEndpoint(origin: unknown): asserts origin is Endpoint {
  if (!Endpoint.is(origin)) throw new TypeError(`"origin" expected an Endpoint, got ${show(origin)}`)
}

function requireCertificate(name: string, value: unknown): asserts value is Certificate {
  if (!(value instanceof Certificate)) throw new TypeError(`"${name}" expected a Certificate, got ${show(value)}`)
}
