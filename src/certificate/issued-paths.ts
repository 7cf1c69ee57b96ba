// Paths to the authorities of one trust store, found once and remembered while they hold.
//
// Looking for a path verifies signatures, which costs as much as a small handshake, and a client comes with the same
// certificates again and again. Of all that makes a path valid only the dates change with time. So a path that was found
// is good for exactly the time in which all of its members are within their dates, both ends included; outside of it, and
// for everybody for whom none was found, the search is made again.
//
// Invariant: what is remembered is bounded, and only somebody with a certificate of an authority can take a place.

import type { Certificate } from './certificate.ts'
import type { IssuanceStatus } from './issuance-checker.ts'
import { validatePath } from './path-validation.ts'

/** When all the members of a path are within their dates, in milliseconds. */
interface Span {
  readonly from: number
  readonly to: number
}

/** A few hundred bytes each. */
const MAX_KNOWN = 1000

export class IssuedPaths {
  readonly #authorities: readonly Certificate[]
  readonly #known = new Map<string, Span>()

  constructor(authorities: readonly Certificate[]) {
    this.#authorities = authorities
  }

  /** Whether the first certificate of the chain was issued, for a client, by way of the others. */
  judge(chain: readonly Certificate[], at: Date): IssuanceStatus {
    const [leaf, ...intermediates] = chain
    if (leaf === undefined) return { kind: 'unissued', problem: 'no certificate' }
    // Everything that the search looks at, and nothing else.
    const key = chain.map(({ fingerprint }) => fingerprint).join()
    const known = this.#known.get(key)
    if (known !== undefined && known.from <= at.getTime() && at.getTime() <= known.to) return ISSUED

    const result = validatePath({ leaf, intermediates, authorities: this.#authorities, at, purpose: 'client' })
    if (!result.valid) return { kind: 'unissued', problem: result.problem }
    this.#remember(key, {
      from: Math.max(...result.path.map(({ notBefore }) => notBefore.getTime())),
      to: Math.min(...result.path.map(({ notAfter }) => notAfter.getTime())),
    })
    return ISSUED
  }

  #remember(key: string, span: Span): void {
    // The oldest goes: a map keeps the order in which its keys came.
    const [oldest] = this.#known.keys()
    if (this.#known.size >= MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(key, span)
  }
}

const ISSUED: IssuanceStatus = Object.freeze({ kind: 'issued' })
