// A server that takes a new key can let the old one speak for it: the new certificate is issued by the old key, as an
// authority would do it (glog 220115-keyRotation on gemini.thegonz.net; the client diohsc transfers trust so).
//
// Node's `checkIssued` says no to certificates of the published recipe (their key identifiers and names differ), so
// the signature alone is verified, with the key that was pinned. That key may have signed for others too, for other ends
// and at other times; what is no word of this very server for a key of its own, now, does not count:
//
//   1. The certificate names the host, as a DNS or IP name or, as the recipe has it, as common name.
//   2. It is no mailbox of a Misfin server and no identity of a client. Those are signed by the server's key too, and may name
//      its host; a UID tells the former, and the purposes of the certificate the latter.
//   3. The hash in the signature is one of which no two certificates with the same value can be made.
//   4. It is within its dates, which are part of what was signed. An old word must not be good for ever.
//   5. Its key was never pinned here before. A server that goes back to an older key, because the newer one was stolen,
//      would otherwise be moved on again by the thief: the older key has signed for the newer one, and cannot unsay it.
//   6. The pinned key is not marked as never to be trusted.
//
// Whether the pinned certificate has expired does not matter. It is the key that is believed: the server would be trusted
// if it showed the expired certificate itself, and nobody comes into the possession of a key by waiting.
//
// One step at a time: a key that the pinned one signed for has no say before it is pinned itself, so a certificate with
// another one between it and the pinned key is a change. Otherwise a server's key could vouch for whatever its next keys
// vouch for, and rules 2 to 5 would have to hold for certificates that are only claimed to have been in use.

import type { Certificate } from '../certificate/certificate.ts'
import { isForServers } from '../certificate/extensions.ts'
import { type Fingerprint, publicKeyFingerprint } from '../certificate/fingerprint.ts'
import { isCertificateValidForHostname } from '../certificate/hostname.ts'
import { keyObjectOf } from '../certificate/public-key.ts'
import { CertificateError } from '../errors.ts'
import type { Endpoint } from '../names/endpoint.ts'
import type { Pin } from './pin.ts'

/** Public keys (SubjectPublicKeyInfo in DER) by their fingerprints. */
export type PublicKeys = ReadonlyMap<Fingerprint, Uint8Array>

/** What a rotation is judged by. */
export interface RotationQuestion {
  /** All pins of the endpoint, of every state. */
  readonly pins: readonly Pin[]
  /** Those that are live, in the order in which they are tried. */
  readonly live: readonly Pin[]
  readonly certificate: Certificate
  readonly endpoint: Endpoint
  readonly now: Date
  readonly publicKeys: PublicKeys | undefined
  /** What the server sent, its own certificate first. */
  readonly chain: readonly Certificate[] | undefined
}

/** The live pin whose key signed the certificate as its successor, if there is one. */
export function signedByPinnedKey(question: RotationQuestion): Pin | undefined {
  const { pins, live, certificate } = question
  if (pins.some((pin) => isOfItsKey(pin, certificate))) return undefined
  return live.find((pin) =>
    unlessUnreadable(() => {
      const spki = keyOf(pin, question)
      if (spki === undefined || isMarked(publicKeyFingerprint(spki), pins)) return false
      // A signature of another algorithm than the key's is none; OpenSSL says so without an error.
      return isForServer(question) && certificate.toX509Certificate().verify(keyObjectOf(spki))
    }),
  )
}

/** The key that a pin is about: as the store has it, or else out of a certificate that has the fingerprint pinned. */
function keyOf(pin: Pin, { publicKeys, chain }: RotationQuestion): Uint8Array | undefined {
  const stored = pin.keyDigest === null ? undefined : publicKeys?.get(pin.keyDigest)
  // The digest was compared with what servers showed; the key itself only ever came out of the store.
  if (stored !== undefined && publicKeyFingerprint(stored) === pin.keyDigest) return stored
  // A list of known hosts has fingerprints only. A server that rotates may show its former certificate after the new one.
  return chain?.find((each) => names(pin, each))?.subjectPublicKeyInfo
}

function isMarked(key: Fingerprint, pins: readonly Pin[]): boolean {
  return pins.some((pin) => pin.state === 'distrusted' && pin.digest === key)
}

/** Whether the key of a certificate was in use here, or was marked. What was only announced has not been in use. */
function isOfItsKey(pin: Pin, certificate: Certificate): boolean {
  return pin.state !== 'announced' && names(pin, certificate)
}

/** Whether a pin is of a certificate or of its key. One that was imported may know the certificate only. */
function names({ digest, keyDigest }: Pin, certificate: Certificate): boolean {
  const key = certificate.publicKeyFingerprint
  if (keyDigest === key || digest === key) return true
  return digest === (digest.startsWith('sha512:') ? certificate.sha512Fingerprint : certificate.fingerprint)
}

const STRONG_HASHES: ReadonlySet<string | null> = new Set(['sha256', 'sha384', 'sha512'])
const HASHLESS: ReadonlySet<string> = new Set(['Ed25519', 'Ed448'])

function isForServer({ certificate, endpoint, now }: RotationQuestion): boolean {
  const { name, hash } = certificate.signatureAlgorithm
  if (!STRONG_HASHES.has(hash) && !HASHLESS.has(name)) return false
  if (certificate.subject.valuesOf('UID').length > 0 || certificate.validityAt(now) !== 'valid') return false
  if (!isForServers(certificate.extendedKeyUsage)) return false
  return isCertificateValidForHostname(certificate, endpoint.host, { dangerouslyAllowCommonName: true })
}

/** A certificate or key that cannot be read was vouched for by nobody. */
function unlessUnreadable(test: () => boolean): boolean {
  try {
    return test()
  } catch (error) {
    if (error instanceof CertificateError) return false
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}
