import { type Fingerprint, type FingerprintSubject, parseFingerprint } from '../../certificate/fingerprint.ts'
import type { PeerVerifier } from '../../certificate/peer-verifier.ts'
import { requireString, show } from '../../internal/arguments.ts'

/**
 * Accepts the servers whose certificate, or public key, has one of these fingerprints, and nobody else. The host name,
 * the dates and the issuer are not looked at: the list says it all.
 *
 * @param fingerprints - In every spelling that `parseFingerprint` takes. At least one: an empty list is a mistake.
 * @param options.of - What a fingerprint is of that does not say so itself. Default: the certificate.
 * @throws {TypeError} If the list is empty, or none.
 * @throws {InvalidNameError} ERR_TLACACOCA_FINGERPRINT_INVALID
 * @example
 * import { pins } from 'tlacacoca/tls'
 *
 * const verify = pins(['SHA256:FGpLJ3GyogDwWNDlFrr2+CTxkT8QUK0tcRGFgmUzolc'])
 */
export function pins(
  fingerprints: readonly (Fingerprint | string)[],
  options: { readonly of?: FingerprintSubject } = {},
): PeerVerifier {
  if (!Array.isArray(fingerprints) || fingerprints.length === 0) {
    throw new TypeError(`"fingerprints" expected a list of at least one, got ${show(fingerprints)}`)
  }
  const pinned = new Set<string>()
  for (const [index, text] of fingerprints.entries()) {
    requireString(`fingerprints[${index}]`, text)
    pinned.add(parseFingerprint(text, options))
  }
  return {
    name: 'pins',
    verify({ certificate }) {
      const isPinned =
        pinned.has(certificate.fingerprint) ||
        pinned.has(certificate.publicKeyFingerprint) ||
        pinned.has(certificate.sha512Fingerprint)
      if (isPinned) {
        return { accept: true, ground: 'pins' }
      }
      return { accept: false, reason: 'not_pinned', detail: 'it has none of the pinned fingerprints' }
    },
  }
}
