// An authority's own certificate and key, in a directory of plain PEM files that every other tool reads as well:
//
//   ca.private_key.pem   the key, encrypted under a passphrase
//   ca.public_key.pem    its public half
//   ca.csr.pem           the request that an authority above could sign
//   ca.cert.pem          the certificate
//   ca.chain.pem         the authorities above it; only if somebody puts it there
//
// A directory is created once, and after that it is only read: whoever comes with one of their own finds it unchanged.
//
// Invariant: no file of these names is ever replaced, and the certificate is written last. So a certificate that is there
// is one of a complete authority, and of two creations in one place one fails.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'

export { type CreateAuthorityOptions, createAuthorityDirectory } from './identity-directory-create.ts'
export { type OpenAuthorityOptions, openAuthorityDirectory } from './identity-directory-open.ts'

/** An authority: the certificate by which others know it, and the key by which it signs. */
export interface AuthorityIdentity {
  readonly certificate: Certificate
  /** The authorities above it, the nearest one first; none if it is a root, or if they are not known. */
  readonly chain: readonly Certificate[]
  /** Node's key object. */
  readonly privateKey: KeyObject
  /** The directory that it came from; null if it came from somewhere else. */
  readonly path: string | null
  /** What is not right with it although it can be used. */
  readonly warnings: readonly AuthorityWarning[]
}

/** What is not right with an authority although it can be used. */
export interface AuthorityWarning {
  readonly code: /** A group can read, change or replace the file of the key. */
    | 'key_file_exposed'
    /** Whoever gets at the file of the key has the key. */
    | 'key_not_encrypted'
    /** Everybody can read the file with the passphrase. */
    | 'passphrase_file_exposed'
    /** Less than 90 days are left; in the last 30 nothing is signed any more. */
    | 'expires_soon'
    /** It, or one above it, is signed by an algorithm that verifiers refuse. */
    | 'weak_signature'
    /** An authority above it is not valid now. */
    | 'chain_not_valid'
    /** An authority above it is not known, so nobody can verify what it signs without knowing that one already. */
    | 'chain_incomplete'
  /** A sentence for a person. */
  readonly message: string
}
