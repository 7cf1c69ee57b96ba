/** Something that an authority did, for logs and counters. */
export type AuthorityEvent =
  | {
      readonly kind: 'issued'
      readonly serialNumber: string
      readonly profile: string
      readonly clientHash: string | null
    }
  | {
      readonly kind: 'refused'
      readonly profile: string
      readonly clientHash: string | null
      readonly error: unknown
    }
  | {
      readonly kind: 'postsign_failed'
      readonly serialNumber: string
      /** How often it was tried by now. */
      readonly attempts: number
      readonly error: unknown
    }
  /** What failed in the background, such as a store that could not be read. It is tried again. */
  | { readonly kind: 'notices_failed'; readonly error: unknown }
  /** Signatures that a program was killed in the middle of. They count as revoked. */
  | { readonly kind: 'abandoned'; readonly count: number }
