// A server that takes a new key can let the old one speak for it: the new certificate is issued by the old key, as an
// authority would do it (glog 220115-keyRotation on gemini.thegonz.net; the client diohsc transfers trust so).
//
// Node's `checkIssued` says no to certificates of the published recipe (their key identifiers and names differ), so
// the signature alone is verified, with the key that was pinned. That key may have signed for others too, and for other
// ends; what is no certificate of this very server does not count:
//
//   1. The certificate names the host, as a DNS or IP name or, as the recipe has it, as common name.
//   2. It is no mailbox of a Misfin server. Those are signed by the server's key and name its host; a UID tells them.
//   3. The hash in the signature is one of which no two certificates with the same value can be made.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import { type Fingerprint, publicKeyFingerprint } from '../certificate/fingerprint.ts'
import { isCertificateValidForHostname } from '../certificate/hostname.ts'
import { keyObjectOf } from '../certificate/public-key.ts'
import { CertificateError } from '../errors.ts'
import type { Endpoint } from '../names/endpoint.ts'
import type { Pin } from './pin.ts'

/** Public keys (SubjectPublicKeyInfo in DER) by their fingerprints. */
export type PublicKeys = ReadonlyMap<Fingerprint, Uint8Array>

/** The live pin whose key signed the certificate, if there is one. */
export function signedByPinnedKey(
  live: readonly Pin[],
  certificate: Certificate,
  endpoint: Endpoint,
  keys: PublicKeys | undefined,
): Pin | undefined {
  if (keys === undefined) return undefined
  return live.find((pin) => {
    if (pin.keyDigest === null) return false
    const spki = keys.get(pin.keyDigest)
    // The digest was compared with what servers showed; the key itself only ever came out of the store.
    if (spki === undefined || publicKeyFingerprint(spki) !== pin.keyDigest) return false
    return unlessUnreadable(() => isForServer(certificate, endpoint) && isSignedBy(certificate, keyObjectOf(spki)))
  })
}

const STRONG_HASHES: ReadonlySet<string | null> = new Set(['sha256', 'sha384', 'sha512'])
const HASHLESS: ReadonlySet<string> = new Set(['Ed25519', 'Ed448'])

function isForServer(certificate: Certificate, endpoint: Endpoint): boolean {
  const { name, hash } = certificate.signatureAlgorithm
  if (!STRONG_HASHES.has(hash) && !HASHLESS.has(name)) return false
  if (certificate.subject.valuesOf('UID').length > 0) return false
  return isCertificateValidForHostname(certificate, endpoint.host, { dangerouslyAllowCommonName: true })
}

function isSignedBy(certificate: Certificate, key: KeyObject): boolean {
  const x509 = certificate.toX509Certificate()
  try {
    return x509.verify(key)
  } catch {
    // A signature of another algorithm than the key's: OpenSSL throws for some and says false for others.
    return false
  }
}

/** A certificate or key that cannot be read was vouched for by nobody. */
function unlessUnreadable(test: () => boolean): boolean {
  try {
    return test()
  } catch (error) {
    if (error instanceof CertificateError) return false
    throw error
  }
}
