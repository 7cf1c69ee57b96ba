import type { Certificate } from '../../certificate/certificate.ts'

/** The certificates of an identity, and where its key is. The key itself is read when it is needed. */
export interface Pair {
  readonly id: string
  readonly certificate: Certificate
  /** The authorities above it that are known. A self-signed one has none. */
  readonly chain: readonly Certificate[]
  /** The certificates that it had before it was renewed, the newest first. Their key is the same. */
  readonly former: readonly Certificate[]
  /** Whether it has been deleted and can still be had back. */
  readonly deleted: boolean
  /** Whether it is in memory only. */
  readonly temporary: boolean
}

/** What is wrong in the folder of a wallet. Nothing is changed about it. */
export interface WalletProblem {
  /** The file, or the folder itself. */
  readonly path: string
  /** A sentence for a person. */
  readonly message: string
}
