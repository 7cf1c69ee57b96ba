// URLs as people type them and servers redirect to them, made into what is sent as a request.

import { type Endpoint, endpointFrom } from '../../certificate/index.ts'
import { InvalidNameError } from '../../errors.ts'
import { escapeText } from '../../logging/safe-text.ts'
import { BadInput } from '../exit-code.ts'

/** A page of a Gemini server. */
export interface GeminiUrl {
  readonly endpoint: Endpoint
  /** Absolute, with nothing but ASCII in it, as a server wants it. */
  readonly text: string
}

/** Gemini specification: a request is 1,024 bytes at most, without its line end. */
const MAX_BYTES = 1024

/** Reads what somebody typed; a scheme may be left out. */
export function readUrl(text: string): GeminiUrl {
  return requestFor(parse(text.includes('://') ? text : `gemini://${text}`), text)
}

/** Where a redirect leads to; null if that is another scheme. */
export function redirectFrom({ text: base }: GeminiUrl, reference: string): GeminiUrl | null {
  const url = parse(reference, base)
  return url.protocol === 'gemini:' ? requestFor(url, reference) : null
}

function parse(text: string, base?: string): URL {
  try {
    return new URL(text, base)
  } catch (cause) {
    throw new BadInput(`${escapeText(text)} is no URL`, { cause })
  }
}

function requestFor(url: URL, given: string): GeminiUrl {
  const shown = escapeText(given)
  if (url.protocol !== 'gemini:') throw new BadInput(`${shown} is no URL of Gemini`)
  if (url.username !== '' || url.password !== '')
    throw new BadInput(`${shown} has a user's name in it, which Gemini forbids`)
  const endpoint = endpointOf(url, shown)
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  const port = endpoint.port === 1965 ? '' : `:${endpoint.port}`
  const text = `gemini://${host}${port}${url.pathname === '' ? '/' : url.pathname}${url.search}`
  if (text.length > MAX_BYTES) throw new BadInput(`the URL has ${text.length} bytes, and Gemini allows ${MAX_BYTES}`)
  return { endpoint, text }
}

function endpointOf(url: URL, shown: string): Endpoint {
  try {
    // For schemes that it does not know, the platform escapes letters outside of ASCII instead of encoding the name.
    const host = decodeURIComponent(url.hostname).replace(/^\[(.*)\]$/, '$1')
    return endpointFrom(host, url.port === '' ? 1965 : Number(url.port))
  } catch (cause) {
    if (!(cause instanceof InvalidNameError || cause instanceof URIError || cause instanceof RangeError)) throw cause
    throw new BadInput(`${shown} names no host, or no port: ${cause.message}`, { cause })
  }
}
