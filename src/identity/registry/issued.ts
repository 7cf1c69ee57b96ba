// Certificates from an authority that the policy names. They are renewed every few weeks, by a new key as often as not,
// so they are known by what the authority calls the holder, and not by themselves.
//
// Whether a path leads to the authority is found out here, for the very authority that the name counts for: another one
// that the server trusts must not be able to speak for the users of this one. So it does not take a server that checks
// issuers. One that names them to its clients is not sent self-signed certificates by some; where both kinds are welcome,
// it asks with `clientCertificates: 'request'` and nobody has checked anything before. What the server's TLS did check and
// refuse stays refused.

import type { Certificate } from '../../certificate/certificate.ts'
import { validatePath } from '../../certificate/path-validation.ts'
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
  /** By fingerprint. Of all that is looked at, nothing but the present instant ever changes. */
  readonly #known = new Map<string, Found | null>()

  constructor(authorities: readonly Required<IdentityAuthority>[]) {
    this.#authorities = authorities
  }

  /** Null for a certificate that is known by itself, as are those whose time, or whose authority's, is over. */
  identify(peer: Peer, now: number): IssuedIdentity | null {
    if (peer.issuance === 'unissued' || this.#authorities.length === 0) return null
    let found = this.#known.get(peer.fingerprint)
    if (found === undefined) {
      found = this.#find(peer.certificate)
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      this.#known.set(peer.fingerprint, found)
    }
    return found !== null && found.from <= now && now <= found.until ? found.identity : null
  }

  #find(leaf: Certificate): Found | null {
    try {
      for (const authority of this.#authorities) {
        const both = [leaf, authority.certificate]
        const from = Math.max(...both.map((each) => each.notBefore.getTime()))
        const until = Math.min(...both.map((each) => each.notAfter.getTime()))
        const question = { leaf, intermediates: [], authorities: [authority.certificate], purpose: 'client' } as const
        if (from > until || !validatePath({ ...question, at: new Date(from) }).valid) continue
        const name = nameOf(leaf, authority)
        return name === null ? null : { identity: { authority, name }, from, until }
      }
    } catch (error) {
      // What cannot be read has no name in it. The certificate itself is refused or not for other reasons.
      /* v8 ignore if -- @preserve only a fault of our own could be another error */
      if (!(error instanceof CertificateError)) throw error
    }
    return null
  }
}

/** An identity, and between which instants the path to its authority is good, both included. */
interface Found {
  readonly identity: IssuedIdentity
  readonly from: number
  readonly until: number
}

const MAX_KNOWN = 10_000

function nameOf(leaf: Certificate, { certificate, identifiedBy }: Required<IdentityAuthority>): string | null {
  // Two URIs would let the holder of both choose who to be.
  const { uri: uris } = leaf.subjectAltNames
  const id = identifiedBy === 'serial' ? leaf.serialNumber : uris.length === 1 ? uris[0] : null
  return id === null || id === undefined ? null : `${certificate.publicKeyFingerprint} ${identifiedBy} ${id}`
}
