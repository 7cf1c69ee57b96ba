// An identity as a program and its user see it. There is no key in it.

import type { Certificate, CertificateValidity } from '../../certificate/certificate.ts'
import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { CertificateError } from '../../errors.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import { type IdentityConcern, type IdentityNotes, lastUseOf } from './notes.ts'
import type { Pair } from './pair.ts'
import type { IdentityScope } from './scope.ts'

/** A server that an identity has to do with. */
export interface IdentitySite {
  readonly endpoint: Endpoint
  /** Null if the identity was never shown there. */
  readonly firstUsedAt: Date | null
  /** Null if it was never shown there. */
  readonly lastUsedAt: Date | null
  /** What the user was asked about the identity there, and said yes to. */
  readonly confirmed: readonly IdentityConcern[]
}

/** What a wallet says about an identity. It is a picture of the moment and does not change. */
export interface Identity {
  /** Names it in this wallet, for as long as it exists. It stays when the certificate is renewed. */
  readonly id: string
  /** What the user calls it. Servers never see it. */
  readonly name: string | null
  /** What the user has written about it. Servers never see it. */
  readonly notes: string | null
  readonly certificate: Certificate
  /** The authorities above the certificate that are known; empty for one that is self-signed. */
  readonly chain: readonly Certificate[]
  /** SHA-256 of the certificate: what servers know it by. */
  readonly fingerprint: Fingerprint
  /** The common name in the certificate, which servers do see. */
  readonly commonName: string | null
  /** The last instant at which the certificate is valid; null if the date cannot be read. */
  readonly notAfter: Date | null
  /** At the moment of asking; `unreadable` if the dates in the certificate make no sense. */
  readonly validity: CertificateValidity | 'unreadable'
  /** Whether it is in memory only, and gone when the wallet is closed. */
  readonly temporary: boolean
  /** Where it is shown. */
  readonly scopes: readonly IdentityScope[]
  /** Where it was shown, or may be. */
  readonly sites: readonly IdentitySite[]
  /** Null if nobody wrote it down, as for files that were put into the folder. */
  readonly createdAt: Date | null
  /** When it was last used or chosen. */
  readonly lastUsedAt: Date | null
  /** The certificates that it had before it was renewed, the newest first. */
  readonly formerCertificates: readonly Certificate[]
  /** The id of the identity that is about to replace it; see `IdentityWallet.rotate`. */
  readonly replacedBy: string | null
}

/** An identity that has been deleted and can still be had back. */
export interface DeletedIdentity extends Identity {
  /** When that was. */
  readonly deletedAt: Date
  /**
   * When it will be removed for good: `close`, when this wallet is closed; or, if another program deleted it and may still
   * want it back, when a wallet of the same folder is closed after this instant.
   */
  readonly removedAt: 'close' | Date
}

export function identityOf(pair: Pair, notes: IdentityNotes, now: Date): Identity {
  const { certificate } = pair
  return Object.freeze({
    id: pair.id,
    name: notes.name,
    notes: notes.notes,
    certificate,
    chain: pair.chain,
    fingerprint: certificate.fingerprint,
    commonName: readable(() => certificate.subject.commonName, null),
    notAfter: readable(() => certificate.notAfter, null),
    validity: readable(() => certificate.validityAt(now), 'unreadable'),
    temporary: pair.temporary,
    scopes: Object.freeze(notes.scopes.map(({ scope }) => scope)),
    sites: Object.freeze(
      notes.sites.map(({ endpoint, firstUsed, lastUsed, confirmed }) =>
        Object.freeze({ endpoint, firstUsedAt: dateOf(firstUsed), lastUsedAt: dateOf(lastUsed), confirmed }),
      ),
    ),
    createdAt: dateOf(notes.created),
    lastUsedAt: dateOf(lastUseOf(notes)),
    formerCertificates: pair.former,
    replacedBy: notes.rotation?.to ?? null,
  })
}

/** One odd certificate must not keep the others from being listed. */
function readable<T, U>(read: () => T, otherwise: U): T | U {
  try {
    return read()
  } catch (error) {
    if (error instanceof CertificateError) return otherwise
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}
