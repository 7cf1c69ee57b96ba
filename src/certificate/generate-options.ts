// What may go into a self-signed certificate, checked before the first random bit is drawn: whoever mistypes a host
// name learns it at once, by the option's name, and not from a client a year later.
//
// An option of an unknown name is an error, and so is a passphrase of `undefined`: both would silently leave a key
// unencrypted that somebody meant to protect.

import { requireDate, requireInteger, requireOneOf, requireString, show } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { type CanonicalHost, canonicalHost } from '../names/host.ts'
import { type Passphrase, requirePassphrase } from './passphrase.ts'

/**
 * The keys that can be generated. `P-256` is understood everywhere, small and fast; `Ed25519` is as good, but some
 * older clients do not know it. RSA is for peers that know nothing else.
 *
 * TLS 1.3 has no place for `secp256k1`, and has one for the brainpool curves that few implement: most TLS stacks refuse
 * certificates with these keys, browsers' and Node 20 among them. Node 22.23 and later take the brainpool ones by TLS 1.3,
 * and Node 24 crashes when a program asks for details of them (`getPeerCertificate`). They are for signatures elsewhere.
 */
export type KeyKind =
  | 'P-256'
  | 'P-384'
  | 'Ed25519'
  | 'RSA-2048'
  | 'RSA-3072'
  | 'RSA-4096'
  | 'secp256k1'
  | 'brainpoolP256r1'
  | 'brainpoolP384r1'
  | 'brainpoolP512r1'

export const KEY_KINDS = [
  'P-256',
  'P-384',
  'Ed25519',
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
  'secp256k1',
  'brainpoolP256r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
] as const satisfies readonly KeyKind[]

/** What a certificate may be used for (extended key usage, RFC 5280 section 4.2.1.12). */
export type CertificateUsage = 'server' | 'client' | 'both'

/** What a new self-signed certificate is to say. */
export interface GenerateOptions {
  /**
   * The host that the certificate is for: a name (international ones become A-labels), a wildcard for one label
   * (`*.example.org`) or an IP address. Required for a server. It becomes the first alternative name of its kind.
   */
  readonly hostname?: string
  /** More hosts, written like `hostname`. */
  readonly subjectAltNames?: readonly string[]
  /**
   * The common name, up to 64 characters: a person's or a mailbox's name, say. By default the host, unless that is
   * longer. With `''` there is none, so that a client identity can be nameless.
   */
  readonly commonName?: string
  /** The organization, up to 64 characters. */
  readonly organization?: string
  /** The user id (UID, 0.9.2342.19200300.100.1.1), up to 256 characters: the mailbox, for Misfin. */
  readonly userId?: string
  /** Default `P-256`. */
  readonly key?: KeyKind
  /** For how many whole days the certificate is valid, counted from now or from `notBefore`. Default 365. */
  readonly validDays?: number
  /** The last instant at which it is valid, instead of `validDays`: up to 9999-12-31T23:59:59Z. */
  readonly notAfter?: Date
  /** The first instant at which it is valid. By default an hour ago, so that peers whose clocks are slow accept it. */
  readonly notBefore?: Date
  /** Default `server`; `both` for a certificate that is itself an authority (`isCA`). */
  readonly usage?: CertificateUsage
  /** Whether it may sign other certificates, as a Misfin server's does for its mailboxes. Default false. */
  readonly isCA?: boolean
  /** Encrypts the private key: 1 to 1024 bytes. Leave the option out for a key that is not encrypted. */
  readonly passphrase?: Passphrase
  /** Where "now" comes from. Default: the computer's clock. */
  readonly clock?: Clock
}

/** The options, checked and completed. */
export interface GenerationPlan {
  readonly key: KeyKind
  readonly commonName: string | null
  readonly organization: string | null
  readonly userId: string | null
  /** Each host once, that of `hostname` first. */
  readonly hosts: readonly CanonicalHost[]
  readonly validity: Validity
  readonly usage: CertificateUsage
  readonly isCA: boolean
  readonly passphrase: Passphrase | null
}

/** Whole seconds, both of them instants at which the certificate is valid. */
export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {TypeError} For an option of the wrong type, an unknown or a missing one, or two that exclude each other.
 * @throws {RangeError} For a value that cannot be in a certificate.
 */
export function readGenerateOptions(options: GenerateOptions): GenerationPlan {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`"options" expected an object, got ${show(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw new TypeError(`${show(name)} is not an option of generateSelfSignedCertificate`)
  }
  const { hostname, subjectAltNames = [], key = 'P-256', isCA = false } = options
  requireOneOf('key', key, KEY_KINDS)
  if (typeof isCA !== 'boolean') throw new TypeError(`"isCA" expected true or false, got ${show(isCA)}`)
  const usage = options.usage ?? (isCA ? 'both' : 'server')
  requireOneOf('usage', usage, ['server', 'client', 'both'])
  if (!Array.isArray(subjectAltNames)) {
    throw new TypeError(`"subjectAltNames" expected an array, got ${show(subjectAltNames)}`)
  }

  const hosts: CanonicalHost[] = hostname === undefined ? [] : [readHost('hostname', hostname)]
  for (const [index, name] of subjectAltNames.entries()) hosts.push(readHost(`subjectAltNames[${index}]`, name))
  const userId = readText('userId', options.userId, 1, MAX_USER_ID)
  const organization = readText('organization', options.organization, 1, MAX_NAME)
  const commonName = readText('commonName', options.commonName, 0, MAX_NAME)
  if (hostname === undefined && usage !== 'client') {
    throw new TypeError('"hostname" is missing; only a certificate with "usage" client can do without')
  }
  if (hostname === undefined && commonName === null && userId === null) {
    throw new TypeError('"commonName" is missing; give \'\' if the identity is to have no name')
  }

  return {
    key,
    commonName: commonName === null ? defaultCommonName(hosts[0]) : commonName === '' ? null : commonName,
    organization,
    userId,
    hosts: unique(hosts),
    validity: readValidity(options, options.clock ?? systemClock),
    usage,
    isCA,
    passphrase: readPassphrase(options),
  }
}

/**
 * The validity that the options ask for. It begins an hour before now unless `notBefore` says otherwise: peers whose
 * clocks are minutes off are common, and to them a fresh certificate would be one from the future.
 */
export function readValidity(
  options: Pick<GenerateOptions, 'validDays' | 'notBefore' | 'notAfter'>,
  clock: Clock,
): Validity {
  const { validDays, notBefore, notAfter } = options
  if (notBefore !== undefined) requireDate('notBefore', notBefore)
  if (notAfter !== undefined) requireDate('notAfter', notAfter)
  if (validDays !== undefined) requireInteger('validDays', validDays, 1, MAX_DAYS)
  if (validDays !== undefined && notAfter !== undefined) {
    throw new TypeError('"validDays" and "notAfter" exclude each other')
  }

  const now = clock()
  if (!Number.isFinite(now)) throw new RangeError(`"clock" expected to give a time, got ${show(now)}`)
  const start = wholeSecond(notBefore?.getTime() ?? now - BACKDATED_MS)
  const end = wholeSecond(notAfter?.getTime() ?? (notBefore?.getTime() ?? now) + (validDays ?? 365) * DAY_MS)
  if (start < EARLIEST || start > LATEST) {
    throw new RangeError(`"notBefore" expected a year from 1950 to 9999, got ${instant(start)}`)
  }
  if (end > LATEST) {
    const option = notAfter === undefined ? 'validDays' : 'notAfter'
    throw new RangeError(`"${option}" expected an end before the year 10000, got ${instant(end)}`)
  }
  // An end in the past is accepted only from somebody who names the beginning too, and so means it.
  const earliestEnd = notBefore === undefined ? now : start
  if (end <= earliestEnd) {
    throw new RangeError(`"notAfter" expected an instant after ${instant(earliestEnd)}, got ${instant(end)}`)
  }
  return { notBefore: new Date(start), notAfter: new Date(end) }
}

const OPTION_NAMES: Readonly<Record<keyof GenerateOptions, true>> = {
  hostname: true,
  subjectAltNames: true,
  commonName: true,
  organization: true,
  userId: true,
  key: true,
  validDays: true,
  notAfter: true,
  notBefore: true,
  usage: true,
  isCA: true,
  passphrase: true,
  clock: true,
}
const OPTIONS: ReadonlySet<string> = new Set(Object.keys(OPTION_NAMES))

// RFC 5280 appendix A: ub-common-name and ub-organization-name. RFC 1274 section 9.4.2: ub-user-identifier.
const MAX_NAME = 64
const MAX_USER_ID = 256

const DAY_MS = 86_400_000
const BACKDATED_MS = 3_600_000
// From the first year that a certificate can write as UTCTime to the last instant of RFC 5280 section 4.1.2.5.
const EARLIEST = Date.UTC(1950, 0, 1)
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59)
const MAX_DAYS = Math.floor((LATEST - EARLIEST) / DAY_MS)

/** A host as it may stand in a certificate: like everywhere, and also with `*` as its whole left-most label. */
function readHost(option: string, text: string): CanonicalHost {
  requireString(option, text)
  try {
    if (!text.startsWith('*.')) return canonicalHost(text)
    const parent = canonicalHost(text.slice(2))
    if (!parent.isAddress && parent.host.length <= 251) return { host: `*.${parent.host}`, isAddress: false }
  } catch (cause) {
    throw new RangeError(`"${option}" expected a host name or an IP address, got ${show(text)}`, { cause })
  }
  throw new RangeError(`"${option}" expected a host name after the wildcard, got ${show(text)}`)
}

function readText(option: string, value: unknown, min: number, max: number): string | null {
  if (value === undefined) return null
  requireString(option, value)
  // X.520 counts characters, and a character outside the first plane is one.
  const length = Array.from(value).length
  if (length < min || length > max)
    throw new RangeError(`"${option}" expected ${min} to ${max} characters, got ${length}`)
  // A NUL or a line end in a name has fooled readers before; half a surrogate pair has no UTF-8 form.
  if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value)) {
    throw new RangeError(`"${option}" expected text without control characters, got ${show(value)}`)
  }
  return value
}

/** The host, if it fits: a longer one is named by the subject alternative name alone (RFC 5280 section 4.1.2.6). */
function defaultCommonName(host: CanonicalHost | undefined): string | null {
  return host !== undefined && host.host.length <= MAX_NAME ? host.host : null
}

function readPassphrase(options: GenerateOptions): Passphrase | null {
  if (!('passphrase' in options)) return null
  requirePassphrase('passphrase', options.passphrase)
  return options.passphrase
}

function unique(hosts: readonly CanonicalHost[]): CanonicalHost[] {
  return [...new Map(hosts.map((host) => [host.host, host])).values()]
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

function instant(ms: number): string {
  // Beyond the year 275760 there is no Date.
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : 'a later one'
}
