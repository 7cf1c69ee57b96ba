import type { Peer } from '../../src/certificate/peer.ts'
import type { MiddlewareRequest } from '../../src/middleware/middleware.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { parseTarget } from '../../src/names/request-target.ts'

export const schemes = { gemini: 1965, titan: 1965 }

export interface RequestOptions {
  /** Default `gemini://example.org/`. */
  readonly url?: string
  /** Default 192.0.2.1. */
  readonly from?: string
  readonly peer?: Peer | null
  readonly cost?: number
}

/** A request as a handler would pass it on, parsed by the library's own parsers. */
export function request(options: RequestOptions = {}): MiddlewareRequest {
  const { url = 'gemini://example.org/', from = '192.0.2.1', peer = null, cost } = options
  return {
    target: parseTarget(url, { schemes, served: 'any' }),
    address: parseClientAddress(from),
    peer,
    ...(cost === undefined ? {} : { cost }),
  }
}

/** Puts a value where the types would not have it, as a program in JavaScript can. */
export function untyped<T>(value: unknown): T {
  return value as T
}
