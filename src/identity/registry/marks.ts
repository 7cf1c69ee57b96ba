// What a store gets to see of certificates, handles and codes: keyed digests.
//
// The key is the pepper, if there is one. It is not in the database, so that whoever steals the database cannot tell
// whose certificates these are, nor match them with another site's. Without a pepper the key is random and kept in the
// database: then it does not hide anything from a thief, but codes and erased certificates are not there in the clear.
//
// A registry that is opened with another pepper would not recognise anybody: revoked certificates would be strangers. So
// the store keeps a digest by which the pepper is known, and the wrong one is an error.

import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Fingerprint } from '../../certificate/fingerprint.ts'
import type { Peer } from '../../certificate/peer.ts'
import { IdentityError } from '../../errors.ts'
import type { CertificateMarks, IdentityStore } from './identity-store.ts'

/** Which kind of thing a digest is of: the same text as two kinds has two digests. */
type Kind = 'certificate' | 'public-key' | 'issued' | 'handle' | 'link-code' | 'recovery-code'

/** @internal Makes the digests of one registry. */
export class Marks {
  readonly #key: Uint8Array
  /** Whether fingerprints may be kept in the clear beside their digests. */
  readonly showsFingerprints: boolean

  private constructor(key: Uint8Array, showsFingerprints: boolean) {
    this.#key = key
    this.showsFingerprints = showsFingerprints
  }

  /**
   * The digests of the registry that is in a store. The first registry settles how they are made.
   *
   * @throws {IdentityError} ERR_TLACACOCA_IDENTITY_PEPPER_MISMATCH.
   */
  static async settle(
    store: IdentityStore,
    pepper: Uint8Array | null,
    random: (size: number) => Uint8Array,
  ): Promise<Marks> {
    const offered = pepper === null ? `key:${hex(random(32))}` : `pepper:${pepperDigest(pepper)}`
    const kept = await store.settle('marks', offered)
    if (pepper === null) {
      if (!/^key:[0-9a-f]{64}$/.test(kept))
        throw mismatch('the identities were stored with a pepper, and none was given')
      return new Marks(Buffer.from(kept.slice('key:'.length), 'hex'), true)
    }
    if (kept.startsWith('key:')) throw mismatch('the identities were stored without a pepper, and one was given')
    if (!isSame(kept, offered)) throw mismatch('the identities were stored with another pepper')
    return new Marks(Buffer.from(pepper), false)
  }

  of(kind: Kind, text: string): string {
    return createHmac('sha256', this.#key).update(`tlacacoca ${kind}\0`).update(text).digest('base64url')
  }

  /** What a certificate may be known by: what its authority calls it, then what it is. */
  ofPeer(peer: Peer, issuedAs: string | null): CertificateMarks {
    const certificate = this.of('certificate', peer.fingerprint)
    const key = (): string => this.of('public-key', peer.certificate.publicKeyFingerprint)
    let publicKey: string | undefined
    return {
      certificates: issuedAs === null ? [certificate] : [this.of('issued', issuedAs), certificate],
      // Nobody asks for it where the certificate is known, which is nearly always.
      get publicKey() {
        publicKey ??= key()
        return publicKey
      },
    }
  }

  ofStatement(oldFingerprint: Fingerprint, oldPublicKey: Fingerprint): CertificateMarks {
    return { certificates: [this.of('certificate', oldFingerprint)], publicKey: this.of('public-key', oldPublicKey) }
  }
}

function pepperDigest(pepper: Uint8Array): string {
  return createHmac('sha256', pepper).update('tlacacoca pepper\0').digest('hex')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function isSame(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}

function mismatch(message: string): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_PEPPER_MISMATCH', message)
}
