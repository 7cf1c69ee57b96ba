// The parts that the formats share: fields between spaces, hosts, digests, dates.

import { type Fingerprint, parseFingerprint } from '../../certificate/fingerprint.ts'
import { InvalidNameError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { type Endpoint, endpointFrom, parseEndpoint } from '../../names/endpoint.ts'
import { type KnownHost, Unfit } from './known-host.ts'

/** A part of a line, and the column that it begins in. */
export interface Field {
  readonly text: string
  readonly column: number
}

/** The port of Gemini, which most clients leave out. */
export const GEMINI_PORT = 1965

/** The fields of a line that are separated by one space each. */
export function fieldsBetweenSpaces(line: string): Field[] {
  let column = 1
  return line.split(' ').map((text) => {
    const field = { text, column }
    column += text.length + 1
    return field
  })
}

/** The fields of a line that are separated by any spaces and tabs. */
export function fieldsBetweenBlanks(line: string): Field[] {
  return [...line.matchAll(/[^ \t]+/g)].map((match) => ({ text: match[0], column: match.index + 1 }))
}

/** One field of several. */
export function fieldAt(fields: readonly Field[], index: number, what: string): Field {
  const field = fields[index]
  if (field === undefined || field.text === '') throw new Unfit(field?.column ?? 1, `there is no ${what}`)
  return field
}

/**
 * The server that `host` or `host:port` names, as a subject.
 *
 * @param ports - Whether the program writes every port, or all but 1965. It decides what `2001:db8::1:300` is, because
 *   programs join an IPv6 address and a port without brackets.
 */
export function subjectFrom({ text, column }: Field, ports: 'all' | 'others'): string {
  return canonical(column, () => readEndpoint(text, ports).toString())
}

/** The server on port 1965 that a bare host names, for programs that remember no port. */
export function subjectWithoutPort({ text, column }: Field): string {
  return canonical(column, () => endpointFrom(text, GEMINI_PORT).toString())
}

/** The same for a host and a port that stand apart. */
export function subjectOf(host: Field, port: number): string {
  return canonical(host.column, () => endpointFrom(host.text, port).toString())
}

/** A fingerprint, of hex digits that were checked to be as many as they should. */
export function digestFrom(algorithm: 'sha256' | 'sha512' | 'spki-sha256', hex: string): Fingerprint {
  return parseFingerprint(`${algorithm}:${hex.toLowerCase()}`)
}

/** A host with nothing known but its fingerprint. */
export function hostWith(facts: Pick<KnownHost, 'subject' | 'column' | 'digest'> & Partial<KnownHost>): KnownHost {
  return {
    kind: 'host',
    subject: facts.subject,
    column: facts.column,
    digest: facts.digest,
    otherDigest: facts.otherDigest ?? null,
    state: facts.state ?? 'trusted',
    notAfter: facts.notAfter ?? null,
    firstSeen: facts.firstSeen ?? null,
    lastSeen: facts.lastSeen ?? null,
    daysSeen: facts.daysSeen ?? 1,
  }
}

/** Seconds since 1970 as a date. */
export function dateFromSeconds({ text, column }: Field): Date {
  if (/^[0-9]{1,12}$/.test(text) && Number(text) <= END_OF_9999) return new Date(Number(text) * 1000)
  throw new Unfit(column, `${show(text)} is not the end of a certificate in seconds since 1970`)
}

// RFC 5280 section 4.1.2.5: no certificate ends later.
const END_OF_9999 = 253_402_300_799

/** `host`, or `host:port` for another port than 1965, as programs join them that write IPv6 addresses bare. */
export function hostAndOtherPort({ host, port }: Endpoint): string {
  return port === GEMINI_PORT ? host : `${host}:${port}`
}

function readEndpoint(text: string, ports: 'all' | 'others'): Endpoint {
  const colon = text.lastIndexOf(':')
  const isBare = !text.startsWith('[') && text.indexOf(':') < colon
  if (!isBare) return parseEndpoint(text, { defaultPort: GEMINI_PORT })
  const joined = endpointOrNull(`[${text.slice(0, colon)}]${text.slice(colon)}`)
  const address = endpointOrNull(`[${text}]:${GEMINI_PORT}`)
  if (ports === 'all' && joined !== null) return joined
  // A program that leaves 1965 out never writes it.
  if (joined !== null && address !== null && joined.port !== GEMINI_PORT) {
    const message = `${show(text)} may be an IPv6 address, or one with a port; write it with brackets`
    throw new InvalidNameError('ERR_TLACACOCA_ENDPOINT_INVALID', message)
  }
  return address ?? joined ?? parseEndpoint(text, { defaultPort: GEMINI_PORT })
}

function endpointOrNull(text: string): Endpoint | null {
  try {
    return parseEndpoint(text)
  } catch (error) {
    if (error instanceof InvalidNameError) return null
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

function canonical<T>(column: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof InvalidNameError) throw new Unfit(column, error.message)
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}
