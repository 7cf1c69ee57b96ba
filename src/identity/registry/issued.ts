// Certificates from an authority that the policy names. They are renewed every few weeks, by a new key as often as not,
// so they are known by what the authority calls the holder, and not by themselves.
//
// `issuance: 'issued'` says that the server's TLS found a valid path to one of the authorities it trusts, not to which.
// So the signature is checked here once more, with the key of the very authority that the name counts for: another one
// that the server trusts must not be able to speak for the users of this one.

import { isIssuedBy } from '../../certificate/issuance.ts'
import type { Peer } from '../../certificate/peer.ts'
import { CertificateError } from '../../errors.ts'
import type { IdentityAuthority } from './policy.ts'

/** What an authority says of a peer. */
export interface IssuedIdentity {
  readonly authority: Required<IdentityAuthority>
  /** The name of the holder, made unambiguous by the key of the authority. */
  readonly name: string
}

/** @internal Finds out which of the named authorities has issued a peer's certificate, and remembers it. */
export class Authorities {
  readonly #authorities: readonly Required<IdentityAuthority>[]
  /** By fingerprint: who signed it, which never changes. The checking of a signature takes a fifth of a millisecond. */
  readonly #known = new Map<string, IssuedIdentity | null>()

  constructor(authorities: readonly Required<IdentityAuthority>[]) {
    this.#authorities = authorities
  }

  /** Null for a certificate that is known by itself. */
  identify(peer: Peer): IssuedIdentity | null {
    if (peer.issuance !== 'issued' || this.#authorities.length === 0) return null
    const known = this.#known.get(peer.fingerprint)
    if (known !== undefined) return known
    const found = this.#find(peer)
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(peer.fingerprint, found)
    return found
  }

  #find({ certificate }: Peer): IssuedIdentity | null {
    try {
      for (const authority of this.#authorities) {
        if (!isIssuedBy(certificate, authority.certificate)) continue
        // Two URIs would let the holder of both choose who to be.
        const { uri: uris } = certificate.subjectAltNames
        const id = authority.identifiedBy === 'serial' ? certificate.serialNumber : uris.length === 1 ? uris[0] : null
        if (id === null || id === undefined) return null
        const name = `${authority.certificate.publicKeyFingerprint} ${authority.identifiedBy} ${id}`
        return { authority, name }
      }
    } catch (error) {
      // What cannot be read has no name in it. The certificate itself is refused or not for other reasons.
      if (!(error instanceof CertificateError)) throw error
    }
    return null
  }
}

const MAX_KNOWN = 10_000
