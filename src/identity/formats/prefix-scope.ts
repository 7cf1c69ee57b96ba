// Scopes of programs that compare texts: Lagrange, Amfora and Kristall show an identity wherever the URL begins like the
// scope. `gemini://example.org` covers `gemini://example.org.evil.example/` there, and `/club` covers `/clubhouse`.
//
// On the way in, the text is read for what its author meant, which is never more than it covers: the whole of one site, or
// a path and what is below. On the way out, a slash is put at the end, so that the other program covers no more than we.

import { InvalidNameError } from '../../errors.ts'
import { parseTarget } from '../../names/request-target.ts'
import { DEFAULT_PORTS, GROUPS, type SchemeGroup } from '../wallet/place.ts'
import { type IdentityScope, pathScope } from '../wallet/scope.ts'

/** What became of a scope: itself, or a sentence that says why it is none of ours. */
export type ScopeReading = { readonly scope: string } | { readonly problem: string }

/** Reads the beginning of URLs as a canonical scope. */
export function readPrefixScope(text: string): ScopeReading {
  try {
    const target = parseTarget(text, { schemes: PORTS, served: 'any' })
    if (target.query !== null) {
      return { problem: 'has a query, and scopes end with the path; add the page as a scope if it is meant' }
    }
    return { scope: String(pathScope(target)) }
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof InvalidNameError)) throw error
    return { problem: `is no scope: ${error.message}` }
  }
}

/**
 * A scope as the beginning of URLs, which covers no more than the scope does.
 *
 * `isNarrower` says whether it covers less: the page of the path itself is not in it, only what is below.
 */
export function toPrefix(scope: IdentityScope): { readonly prefix: string; readonly isNarrower: boolean } {
  const text = String(scope)
  return text.endsWith('/') ? { prefix: text, isNarrower: false } : { prefix: `${text}/`, isNarrower: true }
}

const PORTS = Object.fromEntries(
  (Object.keys(GROUPS) as SchemeGroup[]).flatMap((group) =>
    GROUPS[group].map((scheme) => [scheme, DEFAULT_PORTS[group]]),
  ),
)
