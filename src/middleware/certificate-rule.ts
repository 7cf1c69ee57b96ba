// One rule, as it is written and as it is kept. Everything that can be wrong with a rule is found here, at
// construction, with the rule named: a rule that silently covers nothing is an open door.

import type { Certificate } from '../certificate/certificate.ts'
import { type Fingerprint, parseFingerprint } from '../certificate/fingerprint.ts'
import { type IssuanceChecker, requireIssuanceChecker } from '../certificate/issuance-checker.ts'
import { type RevocationChecker, requireRevocationChecker } from '../certificate/revocation-checker.ts'
import {
  requireBoolean,
  requireList,
  requireOneOf,
  requireOptions,
  requireString,
  show,
} from '../internal/arguments.ts'
import { parseAt } from '../internal/parse-at.ts'
import { parseEndpoint } from '../names/endpoint.ts'
import { normalizeHost } from '../names/host.ts'
import { parseRequestPath, type RequestPath } from '../names/request-path.ts'
import type { CertificateLookup } from './certificate-lookup.ts'
import type { Allowed, Denied } from './middleware.ts'

/** What is asked of clients below a path. */
export interface CertificateRule {
  /**
   * The path and everything below it, as in a URL. `/admin/` and `/admin` are the same rule: it covers `/admin`,
   * `/admin/` and `/admin/x`, and not `/administrator`.
   */
  readonly path: string
  /** The host it is for, with or without a port. Default: every host. */
  readonly host?: string
  /** The scheme it is for. Default: every scheme, so that Titan's uploads need what Gemini's reads do. */
  readonly scheme?: string
  /**
   * Whether a certificate must be shown. Default true. Say false to make an exception below a stricter rule; a list of
   * fingerprints, `issued` and `issuedBy` need a certificate all the same.
   */
  readonly requireCertificate?: boolean
  /**
   * Which certificates may enter, in any spelling of their fingerprints; of a public key with `spki-sha256:` in front.
   * An empty list admits nobody. Default: all.
   */
  readonly allowedFingerprints?: Iterable<string>
  /**
   * Whether the certificate must come from an authority that the server trusts, as its context judged in the handshake
   * (`clientCertificates: { trustedAuthorities }`). Default false.
   */
  readonly issued?: boolean
  /**
   * The authorities one of which must have issued the certificate, such as a `TrustStore`. It is judged on each request
   * with what the client has sent, and for the time of the request: a certificate below an authority that has expired is
   * refused on open connections too, and `expired: 'allow'` does not help one that has expired itself. So different paths
   * can ask for different authorities, on a server that accepts any certificate (`clientCertificates: 'request'`).
   * Default: anybody may have issued it.
   *
   * A trust store takes a microsecond for certificates that it has seen, a millisecond for others, and up to 20 for a chain
   * that was made to lead nowhere. Let a rate limit go first.
   */
  readonly issuedBy?: IssuanceChecker
  /**
   * Who knows which certificates have been taken back, such as a `CertificateAuthority` with its `revocationChecker()`. It
   * is asked on each request, so a revocation counts from the next one on, on open connections too, and about the whole
   * chain that the client has sent. A certificate of somebody else passes on to the other conditions: `issued` and
   * `allowedFingerprints` say who may enter. Default: nobody.
   */
  readonly revocation?: RevocationChecker
  /** Who knows the users; asked last, and only about a certificate that was shown. Default: nobody. */
  readonly lookup?: CertificateLookup
  /** What to do with a certificate after its last day. Default `refuse`. */
  readonly expired?: 'refuse' | 'allow'
  /** What to do with a certificate before its first day. Default `refuse`. */
  readonly notYetValid?: 'refuse' | 'allow'
}

/** A rule in the form that it is applied in. */
export interface CompiledRule {
  /** What it is for, as a text for logs: `/club/`, `titan://example.org/club/`, `//example.org:1965/`. */
  readonly text: string
  readonly path: RequestPath
  readonly host: string | null
  readonly port: number | null
  readonly scheme: string | null
  readonly needsCertificate: boolean
  readonly members: FingerprintList | null
  readonly issued: boolean
  readonly issuedBy: IssuanceChecker | null
  readonly revocation: RevocationChecker | null
  readonly lookup: CertificateLookup | null
  readonly allowsExpired: boolean
  readonly allowsNotYetValid: boolean
  /** The two answers that are the same each time. */
  readonly allowed: Allowed
  readonly certRequired: Denied
}

export function compileRule(rule: CertificateRule, name: string): CompiledRule {
  requireOptions(name, rule, KNOWN)
  const { host, scheme, allowedFingerprints, issuedBy, revocation, lookup } = rule
  const { requireCertificate = true, issued = false, expired = 'refuse', notYetValid = 'refuse' } = rule
  requireBoolean(`${name}.requireCertificate`, requireCertificate)
  requireBoolean(`${name}.issued`, issued)
  requireOneOf(`${name}.expired`, expired, ['refuse', 'allow'])
  requireOneOf(`${name}.notYetValid`, notYetValid, ['refuse', 'allow'])
  if (issuedBy !== undefined) requireIssuanceChecker(`${name}.issuedBy`, issuedBy)
  if (revocation !== undefined) requireRevocationChecker(`${name}.revocation`, revocation)
  if (lookup !== undefined && typeof lookup?.lookup !== 'function') {
    throw new TypeError(`"${name}.lookup" expected an object with a method lookup, got ${show(lookup)}`)
  }
  const members =
    allowedFingerprints === undefined ? null : readList(`${name}.allowedFingerprints`, allowedFingerprints)
  const place: Place = {
    path: parseAt(`${name}.path`, rule.path, parseRequestPath),
    ...(host === undefined ? { host: null, port: null } : parseAt(`${name}.host`, host, readHost)),
    scheme: scheme === undefined ? null : readScheme(`${name}.scheme`, scheme),
  }
  const text = textOf(place)
  return {
    ...place,
    text,
    needsCertificate: requireCertificate || issued || issuedBy !== undefined || members !== null,
    members,
    issued,
    issuedBy: issuedBy ?? null,
    revocation: revocation ?? null,
    lookup: lookup ?? null,
    allowsExpired: expired === 'allow',
    allowsNotYetValid: notYetValid === 'allow',
    allowed: Object.freeze({ allowed: true, rule: text }),
    certRequired: Object.freeze({ allowed: false, denialReason: 'cert_required', rule: text }),
  }
}

type Place = Pick<CompiledRule, 'path' | 'host' | 'port' | 'scheme'>

/** As much of a URL as the rule says. */
function textOf({ path, host, port, scheme }: Place): string {
  const authority =
    host === null ? '' : `//${host.includes(':') ? `[${host}]` : host}${port === null ? '' : `:${port}`}`
  return `${scheme === null ? '' : `${scheme}:`}${authority}${path}`
}

/** The certificates and public keys that may enter. Fingerprints are public, so comparing them needs no secrecy. */
export class FingerprintList {
  readonly #members: ReadonlySet<Fingerprint>
  readonly #hasKeys: boolean
  readonly #hasSha512: boolean

  constructor(members: Iterable<Fingerprint>) {
    this.#members = new Set(members)
    const all = [...this.#members]
    this.#hasKeys = all.some((member) => member.startsWith('spki-'))
    this.#hasSha512 = all.some((member) => member.startsWith('sha512:'))
  }

  has(certificate: Certificate): boolean {
    // The rarer ones are computed only if somebody asks for them.
    if (this.#members.has(certificate.fingerprint)) return true
    if (this.#hasKeys && this.#members.has(certificate.publicKeyFingerprint)) return true
    return this.#hasSha512 && this.#members.has(certificate.sha512Fingerprint)
  }
}

const KNOWN: readonly (keyof CertificateRule)[] = [
  'path',
  'host',
  'scheme',
  'requireCertificate',
  'allowedFingerprints',
  'issued',
  'issuedBy',
  'revocation',
  'lookup',
  'expired',
  'notYetValid',
]

function readList(name: string, texts: Iterable<string>): FingerprintList {
  requireList(name, texts)
  return new FingerprintList(Array.from(texts, (text, index) => parseAt(`${name}[${index}]`, text, parseFingerprint)))
}

function readHost(text: string): { readonly host: string; readonly port: number | null } {
  try {
    return { host: normalizeHost(text), port: null }
  } catch {
    const { host, port } = parseEndpoint(text)
    return { host, port }
  }
}

function readScheme(name: string, scheme: unknown): string {
  requireString(name, scheme)
  // RFC 3986 section 3.1: schemes are compared in lower case.
  const lower = scheme.toLowerCase()
  if (!/^[a-z][a-z0-9+.-]*$/.test(lower)) throw new TypeError(`"${name}" expected a scheme, got ${show(scheme)}`)
  return lower
}
