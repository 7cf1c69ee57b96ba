// A fingerprint in the DNS: the line of a zone file that DANE wants (RFC 6698 section 2.2). Two of its many forms say what
// a fingerprint says, which is what the server itself shows (usage 3, DANE-EE), and by SHA-256 (matching type 1):
//
//   _1965._tcp.example.org. IN TLSA 3 0 1 146a4b27…   the certificate
//   _1965._tcp.example.org. IN TLSA 3 1 1 d9a58b8f…   its public key, which RFC 7671 section 5.1 recommends
//
// This is text, to be put into a zone and to be read out of one. Nothing here asks the DNS or checks DNSSEC, and a record
// that came without it is worth no more than the network between.

import { InvalidNameError } from '../errors.ts'
import { requireInteger, requireOptions, requireString, show } from '../internal/arguments.ts'
import { Endpoint, endpointFrom, portFrom } from '../names/endpoint.ts'
import { type Fingerprint, fingerprintSubject } from './fingerprint.ts'
import { type PublishedFingerprint, sha256DigestOf } from './published-fingerprint.ts'

/** How to write a record. */
export interface TlsaOptions {
  /** For how many seconds resolvers may keep it. By default the zone decides. */
  readonly ttlSeconds?: number
}

/**
 * The TLSA record for a server, as a line of a zone file without a line end: `3 0 1` for the fingerprint of a certificate,
 * `3 1 1` for that of a public key.
 *
 * @throws {TypeError} If the endpoint or the fingerprint is not one that this library parsed.
 * @throws {RangeError} For SHA-512, and for an IP address, which has no place in the DNS for such a record.
 * @example
 * import { fingerprintToTlsaRecord, loadCertificate, parseEndpoint } from 'tlacacoca/certificate'
 *
 * const { publicKeyFingerprint } = await loadCertificate('cert.pem')
 * console.log(fingerprintToTlsaRecord(parseEndpoint('example.org:1965'), publicKeyFingerprint))
 */
export function fingerprintToTlsaRecord(
  endpoint: Endpoint,
  fingerprint: Fingerprint,
  options: TlsaOptions = {},
): string {
  if (!Endpoint.is(endpoint)) throw new TypeError(`"endpoint" expected an endpoint, got ${show(endpoint)}`)
  if (endpoint.isAddress) throw new RangeError(`"endpoint" expected a host name, got ${show(String(endpoint))}`)
  const digest = sha256DigestOf(fingerprint)
  requireOptions('options', options, ['ttlSeconds'])
  const { ttlSeconds } = options
  if (ttlSeconds !== undefined) requireInteger('ttlSeconds', ttlSeconds, 0, MAX_TTL)
  const ttl = ttlSeconds === undefined ? '' : `${ttlSeconds} `
  const selector = fingerprintSubject(fingerprint) === 'certificate' ? 0 : 1
  return `_${endpoint.port}._tcp.${endpoint.host}. ${ttl}IN TLSA 3 ${selector} 1 ${digest}`
}

/**
 * Reads one TLSA record, as it stands in a zone file or as `dig` prints it: with or without TTL and class, with a comment,
 * the digest in pieces, in parentheses over several lines.
 *
 * @throws {InvalidNameError} ERR_TLACACOCA_FINGERPRINT_INVALID for anything but `3 0 1` and `3 1 1`; the message says what
 *   the record is about instead. ERR_TLACACOCA_ENDPOINT_INVALID unless its name is `_port._tcp.host.`, with the dot: what a
 *   name without it stands for, only the zone can say.
 * @example
 * import { parseTlsaRecord } from 'tlacacoca/certificate'
 *
 * const digest = 'd9a58b8f8208aa121b737a8ed2df5ff8b3fa2491710973af80f69d9a26626261'
 * const { endpoint, fingerprint } = parseTlsaRecord(`_1965._tcp.example.org. 3600 IN TLSA 3 1 1 ${digest}`)
 * console.log(String(endpoint), fingerprint) // example.org:1965 spki-sha256:d9a58b8f…
 */
export function parseTlsaRecord(text: string): PublishedFingerprint {
  requireString('text', text)
  if (text.length > MAX_TEXT) throw invalid(text, 'it is too long')
  const [owner = '', ...rest] = fieldsOf(text)
  const type = rest.findIndex((field) => field.toUpperCase() === 'TLSA')
  if (type < 0 || !BEFORE_TYPE.test(rest.slice(0, type).join(' '))) {
    throw invalid(text, 'after the name, perhaps a TTL and the class IN, there should be TLSA')
  }
  const [usage = '', selector = '', matching = '', ...pieces] = rest.slice(type + 1)
  const problem = problemOf(usage, selector, matching)
  if (problem !== null) throw invalid(text, problem)
  const digest = pieces.join('').toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(digest)) throw invalid(text, 'a SHA-256 has 64 hex digits')
  const fingerprint = `${selector === '0' ? 'sha256' : 'spki-sha256'}:${digest}` as Fingerprint
  return { endpoint: endpointOf(owner), fingerprint }
}

// RFC 2181 section 8.
const MAX_TTL = 2_147_483_647
// A name, a record and a comment.
const MAX_TEXT = 4000

// RFC 1035 section 5.1: a TTL and the class, in either order, or one of them or neither. BIND also takes `1h30m`.
const BEFORE_TYPE = /^(?:IN|(?:IN )?(?:[0-9]+|(?:[0-9]+[smhdw])+)|(?:[0-9]+|(?:[0-9]+[smhdw])+) IN)?$/i

/** The fields of one record (RFC 1035 section 5.1): it may go over a line's end in parentheses only. */
function fieldsOf(text: string): string[] {
  const plain = text.replace(/;[^\n]*/g, '').trim()
  const joined = plain.replace(/\(([^()]*)\)/, (_, inside: string) => ` ${inside.replace(/\s/g, ' ')} `)
  if (/[()"\\]/.test(joined)) throw invalid(text, 'it has parentheses, quotes or a backslash that do not belong there')
  if (/[\r\n]/.test(joined)) throw invalid(text, 'there is more than one line, and they are not in parentheses')
  return joined.split(/[ \t]+/).filter((field) => field !== '')
}

/** Says what a record is about that does not say what a fingerprint says (RFC 6698 section 7, RFC 7218). */
function problemOf(usage: string, selector: string, matching: string): string | null {
  if (usage !== '3') {
    return `its usage is ${USAGES.get(usage) ?? show(usage)}, and only 3 (DANE-EE) is about the server's own certificate`
  }
  if (selector !== '0' && selector !== '1') {
    return `its selector is ${show(selector)}, and there are 0 (the certificate) and 1 (the public key)`
  }
  if (matching === '1') return null
  return `its matching type is ${MATCHING.get(matching) ?? show(matching)}, and only 1 (SHA-256) is read here`
}

const USAGES: ReadonlyMap<string, string> = new Map([
  ['0', '0 (PKIX-TA, an authority)'],
  ['1', '1 (PKIX-EE, a certificate that an authority must vouch for too)'],
  ['2', '2 (DANE-TA, an authority)'],
])
const MATCHING: ReadonlyMap<string, string> = new Map([
  ['0', '0 (no hash at all)'],
  ['2', '2 (SHA-512)'],
])

/** RFC 6698 section 3: `_port._transport.host`. */
function endpointOf(owner: string): Endpoint {
  const [, digits = '', host = ''] = /^_([0-9]+)\._tcp\.(.*[^.])\.$/i.exec(owner) ?? []
  const port = portFrom(digits)
  const endpoint = port === null || host === '' ? null : endpointFrom(host, port)
  if (endpoint !== null && !endpoint.isAddress) return endpoint
  throw new InvalidNameError(
    'ERR_TLACACOCA_ENDPOINT_INVALID',
    `${show(owner)} is not the name of a TLSA record: it should be _port._tcp.host. with a dot at its end`,
  )
}

function invalid(text: string, reason: string): InvalidNameError {
  return new InvalidNameError('ERR_TLACACOCA_FINGERPRINT_INVALID', `${show(text)} is no usable TLSA record: ${reason}`)
}
