// What comes out of another program, and what could not be taken over.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../../certificate/certificate.ts'
import type { CertificateError, FileError, IdentityError, Pkcs12Error, PrivateKeyError } from '../../errors.ts'

/** An identity of another program. */
export interface ImportedIdentity {
  readonly certificate: Certificate
  /** The certificates above it that were with it: its issuer first. */
  readonly chain: readonly Certificate[]
  /** Fits the certificate; that was tried by a signature. */
  readonly privateKey: KeyObject
  /** What the other program calls it, as it was written there; null if that program has no names. */
  readonly name: string | null
  /** What its user has written about it there; null if nothing. */
  readonly notes: string | null
  /** Where it is shown: canonical URLs, each for its path and what is below. `pathScope` reads them. */
  readonly scopes: readonly string[]
  /** Whether the other program meant to forget it when it ends. */
  readonly temporary: boolean
}

/** What kind of thing was wrong. */
export type ImportProblemCode =
  | Extract<IdentityError['code'], `ERR_TLACACOCA_IDENTITY_${'FORMAT' | 'KEY' | 'CERTIFICATE' | 'SCOPE'}_${string}`>
  | CertificateError['code']
  | PrivateKeyError['code']
  | Pkcs12Error['code']
  | FileError['code']

/** Something that was not taken over. What it does not concern was. */
export interface ImportProblem {
  readonly code: ImportProblemCode
  /** Where, what, and what to do about it, on one line. It shows nothing of a key or a passphrase. */
  readonly message: string
  /** The file; or which of several texts, such as `pem.key`. Null if there is only one. */
  readonly file: string | null
  /** From 1, as are columns; null for what has no lines. */
  readonly line: number | null
  /** In characters; null for what has no lines. */
  readonly column: number | null
  /** Of binary files: the bytes before it. */
  readonly offset: number | null
}

/** What was found, and what could not be taken over. */
export interface IdentityImport {
  /** Each with the key that fits it. */
  readonly identities: readonly ImportedIdentity[]
  /** Empty if everything was taken over. */
  readonly problems: readonly ImportProblem[]
}

/** Where a problem is. */
export interface ImportPlace {
  readonly file?: string | null
  readonly line?: number | null
  readonly column?: number | null
  readonly offset?: number | null
}
