// The callbacks of an authority, one object for each request. A hook says yes by saying yes: whatever else it does (returns
// nothing, throws, never decides) is a no.

import type { AlternativeNames } from '../certificate/alternative-names.ts'
import type { Certificate } from '../certificate/certificate.ts'
import type { CertificateRequest } from '../certificate/certificate-request.ts'
import type { SubjectAltNames } from '../certificate/extensions.ts'
import type { NameField } from '../certificate/name-fields.ts'
import type { CertificateDraft } from './draft.ts'
import type { Duration } from './duration.ts'
import type { Awaitable } from './issued-store.ts'
import type { SigningContext } from './signing-context.ts'

/** What `authorize` decides: an object, or the duration alone. `undefined` is no decision, and so a no. */
export type Authorization =
  | {
      readonly allow: true
      /** Instead of the profile's, and within its bounds. */
      readonly validity?: Duration
      /** The name that is certified, instead of what the caller or the profile says. */
      readonly subject?: readonly NameField[]
      /** Likewise. */
      readonly subjectAltNames?: AlternativeNames
    }
  | Duration
  | undefined

/** A certificate that was issued, with everything that its holder needs. */
export interface IssuedCertificate {
  readonly certificate: Certificate
  /** The authorities above it, the one that signed it first. */
  readonly chain: readonly Certificate[]
  /** The certificate alone. */
  readonly certificatePem: string
  /** The certificate and the chain, as servers and clients load it. */
  readonly chainPem: string
  /** Lower-case hex. */
  readonly serialNumber: string
  /** The name of the profile. */
  readonly profile: string
  /** From when on it can be renewed. */
  readonly renewAfter: Date
}

/** Makes the hooks for one request. */
export type HooksFactory = (context: SigningContext) => SigningHooks | Promise<SigningHooks>

/**
 * The base class of hooks. Override what you need; `authorize` is the one that decides, and says no by default.
 *
 * No hook has a time limit, since a person may have to decide: whoever asks waits for as long as it takes, and while one
 * `postsign` is told again, the others wait. So give a limit to what your hooks call, as `AbortSignal.timeout` is one.
 *
 * @example
 * import { CertificateAuthority, type CertificateDraft, CsrNotAuthedError, SigningHooks } from 'tlacacoca/authority'
 *
 * const members = new Map([['f00d', 'Ana']])
 * class Hooks extends SigningHooks {
 *   override authorize() {
 *     const name = members.get(this.clientHash ?? '')
 *     if (name === undefined) throw new CsrNotAuthedError('no member has this hash')
 *     return { allow: true, validity: '30d', subject: [['CN', name]] } as const
 *   }
 *   override presign(draft: CertificateDraft) {
 *     draft.crlUrls.push('http://ca.example.org/crl')
 *   }
 * }
 * const authority = await CertificateAuthority.open('/var/lib/ca', { hooks: (context) => new Hooks(context) })
 * await authority.close()
 */
export class SigningHooks {
  /** What is known of the request. */
  protected readonly context: SigningContext

  constructor(context: SigningContext) {
    this.context = context
  }

  /** Who asks, as the request said: 1 to 128 letters and digits. It is a name and no proof. Null if it was not said. */
  get clientHash(): string | null {
    return this.context.clientHash
  }

  /** SHA-1 of the public key (its SubjectPublicKeyInfo in DER) in lower-case hex, as ssl_api has it. */
  get publicKeyHash(): string {
    return this.context.publicKeySha1
  }

  /** SHA-256 of the public key in hex: what to compare by. */
  get publicKeySha256(): string {
    return this.context.publicKey.slice('spki-sha256:'.length)
  }

  /** The request. Null for a renewal that keeps its key, and when `postsign` is told again later. */
  get request(): CertificateRequest | null {
    return this.context.request
  }

  /** The request as PEM, parsed, and as DER; null when there is none. */
  get requestTuple(): readonly [pem: string, request: CertificateRequest, der: Uint8Array] | null {
    const { request } = this
    return request === null ? null : [request.toPem(), request, request.der]
  }

  /**
   * Decides about a request. Its sender has proven to hold the key, and the key is a good one; everything else in the
   * request is a claim.
   *
   * @param _subjectAltNames - What the request would like, hosts and addresses in canonical form. None of it is certified
   *   unless you or the profile say so.
   * @throws {CsrNotAuthedError} To refuse. Anything else that is thrown refuses as well.
   */
  authorize(_subjectAltNames: SubjectAltNames): Awaitable<Authorization> {
    return undefined
  }

  /** May change what is about to be signed. It is checked against the profile again afterwards. */
  presign(_draft: CertificateDraft): Awaitable<void> {}

  /**
   * Told of a certificate once it is stored. If it throws, it is told again later, with growing pauses, until it does
   * not, also after a restart: so it may be told twice. With `store: 'none'` an error fails the request.
   */
  postsign(_issued: IssuedCertificate): Awaitable<void> {}
}
