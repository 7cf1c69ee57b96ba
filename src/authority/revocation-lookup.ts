// Which of an authority's certificates have been taken back, by its store: read anew for each question, so that a
// revocation counts from the next one on.
//
// A certificate is known by what was signed, not by its serial number alone, which anybody can write into one of his own.
// Nor by its fingerprint: whoever sees an ECDSA signature can make a second one of it that is as valid, and a revoked
// certificate must not come back that way. So `revoked` and `held` go by what was signed, and `good` is only the very one.

import { createHash } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import { comparableName } from '../certificate/distinguished-name.ts'
import { keyIdentifier } from '../certificate/extension-maker.ts'
import { subjectKey } from '../certificate/issuance.ts'
import type { RevocationChecker, RevocationStatus } from '../certificate/revocation-checker.ts'
import { CertificateError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { isThenable } from '../internal/thenable.ts'
import type { IssuedRow, IssuedStore } from './issued-store.ts'

/** A checker for the certificates that `authority` has issued and `store` remembers. */
export class RevocationLookup implements RevocationChecker {
  readonly #authority: Certificate
  readonly #store: Pick<IssuedStore, 'get'>
  readonly #name: string
  readonly #keyIdentifier: string

  constructor(authority: Certificate, store: Pick<IssuedStore, 'get'>) {
    this.#authority = authority
    this.#store = store
    this.#name = subjectKey(authority)
    this.#keyIdentifier =
      authority.subjectKeyIdentifier ?? Buffer.from(keyIdentifier(authority.subjectPublicKeyInfo)).toString('hex')
  }

  revocationOf(certificate: Certificate): RevocationStatus | Promise<RevocationStatus> {
    if (!this.#isNamedBy(certificate) || this.#isItself(certificate)) return NOT_OURS
    const row = this.#store.get(certificate.serialNumber)
    return isThenable(row)
      ? Promise.resolve(row).then((found) => this.#judge(certificate, found))
      : this.#judge(certificate, row)
  }

  #judge(certificate: Certificate, row: IssuedRow | null): RevocationStatus {
    if (row === null || row.tbsSha256 !== sha256(certificate.tbsDer)) return this.#stranger(certificate)
    switch (row.status) {
      case 'issued':
        return row.certificate?.equals(certificate) ? GOOD : UNKNOWN
      case 'pending':
        // It was never handed out.
        return UNKNOWN
      case 'held':
        return { kind: 'held', at: new Date(row.statusAt) }
      case 'revoked':
        return revoked(row)
      default:
        // A row that is none: of a later release, or of a store that makes things up.
        throw new TypeError(`the store has a certificate that is ${show(row.status satisfies never)}`)
    }
  }

  /** Two authorities may have one name; a certificate that says which key signed it may name the other one. */
  #stranger({ authorityKeyIdentifier }: Certificate): RevocationStatus {
    return authorityKeyIdentifier === null || authorityKeyIdentifier === this.#keyIdentifier ? UNKNOWN : NOT_OURS
  }

  /** Whether the issuer that a certificate names has this authority's name (RFC 5280 section 7.1). */
  #isNamedBy(certificate: Certificate): boolean {
    const issuer = certificate.issuerDer
    if (Buffer.compare(issuer, this.#authority.subjectDer) === 0) return true
    try {
      return comparableName(issuer, 'the issuer') === this.#name
    } catch (error) {
      // This authority's own name can be read, so one that cannot is another's.
      if (error instanceof CertificateError) return false
      /* v8 ignore next -- @preserve only a fault of our own could be another error */
      throw error
    }
  }

  /** One of the authority's own certificates, signed by itself, which no list of its own could take back. */
  #isItself(certificate: Certificate): boolean {
    return certificate.isSelfIssued && certificate.publicKeyFingerprint === this.#authority.publicKeyFingerprint
  }
}

const GOOD: RevocationStatus = Object.freeze({ kind: 'good' })
const UNKNOWN: RevocationStatus = Object.freeze({ kind: 'unknown' })
const NOT_OURS: RevocationStatus = Object.freeze({ kind: 'not_ours' })

function revoked({ revocation, statusAt }: IssuedRow): RevocationStatus {
  return { kind: 'revoked', reason: revocation?.reason ?? 'unspecified', at: new Date(revocation?.at ?? statusAt) }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
