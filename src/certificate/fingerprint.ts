// Fingerprints: one canonical text for the program, and every spelling of the field for people and files.
//
// A fingerprint is a hash, but of what, and by which algorithm? Half of the small web hashes the certificate, the other
// half the public key in it, and mostly neither is written down. So the canonical text always says both:
//
//   sha256:      + 64 hex digits    SHA-256 of the certificate's DER
//   sha512:      + 128 hex digits   SHA-512 of the certificate's DER
//   spki-sha256: + 64 hex digits    SHA-256 of the SubjectPublicKeyInfo's DER
//
// Two fingerprints are the same if and only if their texts are. Where a spelling leaves something open, these rules
// decide, and nothing else:
//
//   1. An algorithm that is written is believed; one that is not follows from the length.
//   2. 64 or 128 hex digits are hex, although they are base64 letters too: no hash that is known here is 48 or 96 bytes.
//   3. Unless the text says `spki-`, it is a certificate's; the caller can say otherwise with `of`.
//   4. SHA-1 (40 digits) is recognised in order to be refused: collisions can be bought (RFC 9155).

import { hash } from 'node:crypto'
import { InvalidNameError } from '../errors.ts'
import { requireOneOf, requireString, show } from '../internal/arguments.ts'

declare const brand: unique symbol

/** A fingerprint in canonical text. Compare with `===`; make one with {@link parseFingerprint}. */
export type Fingerprint = string & { readonly [brand]: 'Fingerprint' }

/** What a fingerprint is the hash of. */
export type FingerprintSubject = 'certificate' | 'public-key'

/** The spellings that {@link formatFingerprint} writes and {@link parseFingerprint} reads. */
export type FingerprintStyle =
  | 'canonical'
  | 'hex'
  | 'hex-upper'
  | 'colons'
  | 'colons-lower'
  | 'prefixed'
  | 'prefixed-upper'
  | 'labelled'
  | 'openssl'
  | 'base64'
  | 'base64url'
  | 'base64url-unpadded'
  | 'openssh'

/** @internal */
export const STYLES = [
  'canonical',
  'hex',
  'hex-upper',
  'colons',
  'colons-lower',
  'prefixed',
  'prefixed-upper',
  'labelled',
  'openssl',
  'base64',
  'base64url',
  'base64url-unpadded',
  'openssh',
] as const satisfies readonly FingerprintStyle[]

const CANONICAL = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|spki-sha256:[0-9a-f]{64})$/

// `sha256:`, `SHA256:`, `SHA-256 `, `sha256 Fingerprint=` and their like; the digest follows.
const PREFIX = /^(spki-)?sha-?([0-9]{1,4})(?::| Fingerprint=| )/i

// Twice the longest spelling there is. Whatever is longer is not worth looking at.
const MAX_TEXT = 400

/**
 * Reads a fingerprint in any spelling of the field: hex in either case, with or without colons; base64; base64url,
 * padded or not; each alone or after `sha256:`, `SHA256:`, `SHA-256 `, `sha512:`, `SHA-512 ` or `spki-sha256:`; the
 * forms that OpenSSH and `openssl x509 -fingerprint` print.
 *
 * @param text - The fingerprint. Spaces around it are not removed.
 * @param options.of - What it is the hash of. Without it, `spki-` in front means a public key and everything else a
 *   certificate. `'public-key'` reads a plain or `sha256:` hash as one of a public key, which is how Lagrange and Amfora
 *   write theirs; `'certificate'` refuses one that says `spki-`.
 * @throws {InvalidNameError} ERR_TLACACOCA_FINGERPRINT_INVALID for anything else, SHA-1 included.
 * @example
 * import { parseFingerprint } from 'tlacacoca/certificate'
 *
 * const pinned = parseFingerprint('SHA256:FGpLJ3GyogDwWNDlFrr2+CTxkT8QUK0tcRGFgmUzolc')
 * console.log(pinned) // sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257
 */
export function parseFingerprint(text: string, options: { readonly of?: FingerprintSubject } = {}): Fingerprint {
  requireString('text', text)
  if (options.of !== undefined) requireOneOf('of', options.of, ['certificate', 'public-key'])
  if (isFingerprint(text) && options.of === undefined) return text
  if (text.length > MAX_TEXT) throw invalid(text, 'it is too long')

  const prefix = PREFIX.exec(text)
  const named = prefix?.[2]
  const digest = prefix === null ? text : text.slice(prefix[0].length)
  const hex = hexOf(digest)
  if (named === '1' || (named === undefined && hex?.length === 40)) {
    throw invalid(text, 'SHA-1 is not accepted, because two certificates with one SHA-1 can be made; use SHA-256')
  }
  if (named !== undefined && named !== '256' && named !== '512') throw invalid(text, `SHA-${named} is not known here`)
  if (hex === null) throw invalid(text, 'it is neither hex nor base64 of a SHA-256 or SHA-512')

  const bits = hex.length * 4
  if (bits !== 256 && bits !== 512) throw invalid(text, `it has ${bits} bits, and SHA-256 and SHA-512 have others`)
  if (named !== undefined && Number(named) !== bits) throw invalid(text, `it says SHA-${named} and has ${bits} bits`)

  const saysKey = prefix?.[1] !== undefined
  if (saysKey && options.of === 'certificate') {
    throw invalid(text, 'it is the fingerprint of a public key, and one of a certificate is wanted')
  }
  if (!saysKey && options.of !== 'public-key') return `sha${bits}:${hex}` as Fingerprint
  if (bits !== 256) throw invalid(text, 'public keys are fingerprinted with SHA-256 only')
  return `spki-sha256:${hex}` as Fingerprint
}

/**
 * Whether a value is a fingerprint in canonical text already.
 *
 * @example
 * import { isFingerprint, parseFingerprint } from 'tlacacoca/certificate'
 *
 * const written = 'SHA256:' + 'AB:'.repeat(31) + 'AB'
 * console.log(isFingerprint(written), isFingerprint(parseFingerprint(written))) // false true
 */
export function isFingerprint(value: unknown): value is Fingerprint {
  return typeof value === 'string' && CANONICAL.test(value)
}

/**
 * What a fingerprint is the hash of, according to its text.
 *
 * @example
 * import { fingerprintSubject, parseFingerprint } from 'tlacacoca/certificate'
 *
 * console.log(fingerprintSubject(parseFingerprint(`spki-sha256:${'ab'.repeat(32)}`))) // public-key
 */
export function fingerprintSubject(fingerprint: Fingerprint): FingerprintSubject {
  return fingerprint.startsWith('spki-') ? 'public-key' : 'certificate'
}

/**
 * Writes a fingerprint in a spelling of the field. All but `canonical` forget whether it is a certificate's or a public
 * key's; tell `parseFingerprint` with `of` when you read one of a key back.
 *
 * | style | written | known from |
 * | --- | --- | --- |
 * | `canonical` | `sha256:146a…` | this library, wasat |
 * | `hex` | `146a…` | Lagrange, Misfin, Geopard |
 * | `hex-upper` | `146A…` | Amfora, tootik |
 * | `colons` | `14:6A:…` | browsers |
 * | `colons-lower` | `14:6a:…` | |
 * | `prefixed` | `SHA256:146a…` | Telescope, gmid |
 * | `prefixed-upper` | `SHA256:146A…` | jetforce, gmnisrv |
 * | `labelled` | `SHA-256 14:6A:…` | gmni |
 * | `openssl` | `sha256 Fingerprint=14:6A:…` | `openssl x509 -fingerprint` |
 * | `base64` | `FGpL…=` | go-gemini, ncgopher |
 * | `base64url` | `FGpL…=` | jetforce, astrobotany |
 * | `base64url-unpadded` | `FGpL…` | |
 * | `openssh` | `SHA256:FGpL…` | OpenSSH |
 *
 * @example
 * import { formatFingerprint, parseFingerprint } from 'tlacacoca/certificate'
 *
 * const fingerprint = parseFingerprint('146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257')
 * console.log(formatFingerprint(fingerprint, 'colons')) // 14:6A:4B:27:…
 */
export function formatFingerprint(fingerprint: Fingerprint, style: FingerprintStyle): string {
  if (!isFingerprint(fingerprint)) {
    throw new TypeError(`"fingerprint" expected a fingerprint in canonical text, got ${show(fingerprint)}`)
  }
  requireOneOf('style', style, STYLES)
  const hex = fingerprint.slice(fingerprint.indexOf(':') + 1)
  const bits = hex.length * 4
  switch (style) {
    case 'canonical':
      return fingerprint
    case 'hex':
      return hex
    case 'hex-upper':
      return hex.toUpperCase()
    case 'colons':
      return colons(hex).toUpperCase()
    case 'colons-lower':
      return colons(hex)
    case 'prefixed':
      return `SHA${bits}:${hex}`
    case 'prefixed-upper':
      return `SHA${bits}:${hex.toUpperCase()}`
    case 'labelled':
      return `SHA-${bits} ${colons(hex).toUpperCase()}`
    case 'openssl':
      return `sha${bits} Fingerprint=${colons(hex).toUpperCase()}`
    case 'base64':
      return base64(hex)
    case 'base64url':
      return base64(hex).replaceAll('+', '-').replaceAll('/', '_')
    case 'base64url-unpadded':
      return Buffer.from(hex, 'hex').toString('base64url')
    case 'openssh':
      return `SHA${bits}:${base64(hex).replaceAll('=', '')}`
  }
}

/** @internal The SHA-256 fingerprint of a certificate, given its DER. */
export function certificateFingerprint(der: Uint8Array): Fingerprint {
  return `sha256:${hash('sha256', der, 'hex')}` as Fingerprint
}

/** @internal The SHA-512 fingerprint of a certificate, given its DER. */
export function certificateSha512(der: Uint8Array): Fingerprint {
  return `sha512:${hash('sha512', der, 'hex')}` as Fingerprint
}

/** @internal The fingerprint of a public key, given its SubjectPublicKeyInfo in DER. */
export function publicKeyFingerprint(spki: Uint8Array): Fingerprint {
  return `spki-sha256:${hash('sha256', spki, 'hex')}` as Fingerprint
}

/** The digest in lower-case hex if the text is hex, colon-separated hex or strict base64, whatever its length. */
function hexOf(digest: string): string | null {
  if (/^[0-9a-f]+$/i.test(digest) && HEX_LENGTHS.has(digest.length)) return digest.toLowerCase()
  if (/^[0-9a-f]{2}(?::[0-9a-f]{2})+$/i.test(digest)) return digest.replaceAll(':', '').toLowerCase()
  // base64 and base64url have the same letters but for two; a text with some of both is neither.
  if (/[+/]/.test(digest) && /[-_]/.test(digest)) return null
  const unpadded = digest.replace(/={1,2}$/, '')
  const standard = unpadded.replaceAll('-', '+').replaceAll('_', '/')
  const bytes = Buffer.from(standard, 'base64')
  // Buffer skips what is not base64 and ignores surplus bits; writing the bytes again shows whether it did. The padding
  // may be missing (OpenSSH), but not be half of what it should be.
  const padded = bytes.toString('base64')
  if (padded.replaceAll('=', '') !== standard) return null
  if (digest.length !== unpadded.length && digest.length !== padded.length) return null
  return bytes.length === 0 ? null : bytes.toString('hex')
}

// MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512. Those that are not accepted are here for a message that says so.
const HEX_LENGTHS = new Set([32, 40, 56, 64, 96, 128])

function colons(hex: string): string {
  return hex.replace(/..(?!$)/g, '$&:')
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

function invalid(text: string, reason: string): InvalidNameError {
  return new InvalidNameError('ERR_TLACACOCA_FINGERPRINT_INVALID', `${show(text)} is not a fingerprint: ${reason}`)
}
