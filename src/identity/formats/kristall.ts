// Kristall keeps its identities in its settings, and gives out one at a time, as a certificate and a key. Where it shows
// one is a pattern over the whole URL, in which `*` is any text, also across the end of a host name.

import { show } from '../../internal/arguments.ts'
import type { ImportContext } from './import-context.ts'
import { readPrefixScope, type ScopeReading } from './prefix-scope.ts'

/** The scopes of a host filter: one or none. */
export function scopesOfFilter(filter: string | null, context: ImportContext): readonly string[] {
  if (filter === null || filter === '') return Object.freeze([])
  const reading = readFilter(filter)
  if ('scope' in reading) return Object.freeze([reading.scope])
  const what = `the host filter ${show(filter)} ${reading.problem}`
  context.report('ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED', {}, what)
  return Object.freeze([])
}

/** `gemini://host/path*`, with or without a star in front. */
function readFilter(filter: string): ScopeReading {
  const pattern = filter.startsWith('*') ? filter.slice(1) : filter
  if (!pattern.endsWith('*')) return { problem: 'is for one page, and scopes include what is below; choose a scope' }
  const prefix = pattern.slice(0, -1)
  if (/[*?[\]\\]/.test(prefix)) return { problem: 'covers more than one site or path; choose a scope for each' }
  return readPrefixScope(prefix)
}
