// What a side of TLS can be told, resolved and checked once. Every choice starts from the policy (../policy.ts) and can
// only take away from it: what is weaker has no spelling here, and what is misspelt is refused by name.
//
// A choice must leave something of every version that is enabled. Otherwise OpenSSL would quietly speak the other
// version only, or none, and nobody would know before the first peer fails.

import { createSecureContext } from 'node:tls'
import type { TLSVersion } from '../../certificate/peer.ts'
import { ContextError } from '../../errors.ts'
import { requireFunction, requireInteger, requireList, requireOneOf, requireOptions } from '../../internal/arguments.ts'
import { type Clock, systemClock } from '../../internal/clock.ts'
import { type PolicyOptions, policyOptions, requireProtocols, TLS_VERSIONS } from '../policy.ts'
import { type CipherSuite, COMMON_SUITES, FINITE_FIELD_SUITES, SUITES } from './cipher-suites.ts'
import { type DhParams, readDhParams } from './dh-parameters.ts'
import { groupWorksIn, NAMED_GROUPS, type NamedGroup } from './named-groups.ts'
import type { Limits, Timeouts } from './plan.ts'
import { SIGNATURE_SCHEMES, type SignatureScheme, schemeWorksIn } from './signature-schemes.ts'

/** What `ClientTLS` and `ServerTLS` have in common. All of it is optional, and nothing in it makes TLS weaker. */
export interface CommonTLSOptions {
  /** TLS 1.2 by default. There is nothing below. */
  readonly minVersion?: TLSVersion
  /** TLS 1.3 by default. */
  readonly maxVersion?: TLSVersion
  /** The suites to allow, in order of preference. By default all nine, and those of DHE on a server with `dhParams`. */
  readonly cipherSuites?: readonly CipherSuite[]
  /**
   * The groups for the key exchange to allow, in order of preference. By default those that OpenSSL prefers. Before TLS
   * 1.3 the curve of the peer's EC certificate has to be among them, too (RFC 8422 section 5.1), so keep `P-256`.
   */
  readonly groups?: readonly NamedGroup[]
  /**
   * The signature schemes to allow, in order of preference: for the peer's proof of its key and for our own. By default
   * those that OpenSSL has.
   */
  readonly signatureSchemes?: readonly SignatureScheme[]
  /** Application protocols (ALPN) in order of preference. None by default: Gemini and its relatives have none. */
  readonly alpn?: readonly string[]
  /** How much a peer may send, and how much is kept. */
  readonly limits?: Partial<Limits>
  /** How long things may take. */
  readonly timeouts?: Partial<Timeouts>
  /** For the dates of certificates and for deadlines. By default the computer's. */
  readonly clock?: Clock
}

/** @internal What Node's `createSecureContext` is given, apart from certificates. */
export interface SettingsContextOptions extends PolicyOptions {
  readonly ecdhCurve?: string
  readonly sigalgs?: string
  readonly dhparam?: string
}

/** @internal Everything decided. */
export interface TlsSettings {
  readonly side: 'client' | 'server'
  readonly minVersion: TLSVersion
  readonly maxVersion: TLSVersion
  /** The versions that are enabled, the oldest first. */
  readonly versions: readonly TLSVersion[]
  readonly cipherSuites: readonly CipherSuite[]
  /** Null: those of OpenSSL. */
  readonly groups: readonly NamedGroup[] | null
  /** Null: those of OpenSSL. */
  readonly signatureSchemes: readonly SignatureScheme[] | null
  readonly alpn: readonly string[]
  readonly limits: Limits
  readonly timeouts: Timeouts
  readonly clock: Clock
  readonly secureContextOptions: SettingsContextOptions
}

/** @internal The names of the options, for whoever checks that there are no others. */
export const COMMON_TLS_OPTIONS = [
  'minVersion',
  'maxVersion',
  'cipherSuites',
  'groups',
  'signatureSchemes',
  'alpn',
  'limits',
  'timeouts',
  'clock',
] as const satisfies readonly (keyof CommonTLSOptions)[]

/** @internal */
export const DEFAULT_LIMITS: Limits = {
  // Public chains have three or four, and OpenSSL takes 100 at most.
  maxChainLength: 10,
  maxCertificateBytes: 65_536,
  // A hello with post-quantum keys has 1,500 bytes; the chain is the rest.
  maxHandshakeBytes: 131_072,
  maxBufferedBytes: 1_048_576,
}

/** @internal */
export const DEFAULT_TIMEOUTS: Timeouts = {
  handshakeMs: 10_000,
  // A person may be asked.
  verifyMs: 30_000,
  certificateMs: 10_000,
}

/**
 * @internal Reads the options that both sides have, and `dhParams` of a server. Options of other names are for the caller
 * to look after.
 *
 * @throws {TypeError | RangeError} If an option has the wrong type or is out of range. What is not on a list of this
 *   policy is a TypeError that shows the list.
 * @throws {ContextError} If the options leave nothing of a version that is enabled, or this OpenSSL has not got what
 *   they ask for.
 */
export function readTlsSettings(
  options: CommonTLSOptions & { readonly dhParams?: DhParams | undefined },
  side: 'client' | 'server',
): TlsSettings {
  const { minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', alpn = [], clock = systemClock } = options
  const versions = versionsFrom(minVersion, maxVersion)
  requireProtocols('alpn', alpn)
  requireFunction('clock', clock)

  const dhparam = side === 'server' ? readDhParams(options.dhParams ?? 'none') : null
  const cipherSuites = readSuites(options.cipherSuites, versions, dhparam !== null)
  const groups = readChoice('groups', options.groups, NAMED_GROUPS, versions, groupWorksIn)
  const schemes = readChoice('signatureSchemes', options.signatureSchemes, SIGNATURE_SCHEMES, versions, schemeWorksIn)
  requireKnownToOpenssl('groups', groups, (list) => ({ ecdhCurve: list }))
  requireKnownToOpenssl('signatureSchemes', schemes, (list) => ({ sigalgs: list }))
  return Object.freeze({
    side,
    minVersion,
    maxVersion,
    versions,
    cipherSuites,
    groups,
    signatureSchemes: schemes,
    alpn: Object.freeze([...alpn]),
    limits: readNumbers('limits', options.limits, DEFAULT_LIMITS, false),
    timeouts: readNumbers('timeouts', options.timeouts, DEFAULT_TIMEOUTS, true),
    clock,
    secureContextOptions: Object.freeze({
      ...policyOptions(minVersion),
      maxVersion,
      ciphers: cipherSuites.map((suite) => SUITES[suite].openssl).join(':'),
      ...(groups === null ? {} : { ecdhCurve: groups.join(':') }),
      ...(schemes === null ? {} : { sigalgs: schemes.join(':') }),
      ...(dhparam === null ? {} : { dhparam }),
    }),
  })
}

function versionsFrom(minVersion: TLSVersion, maxVersion: TLSVersion): readonly TLSVersion[] {
  requireOneOf('minVersion', minVersion, TLS_VERSIONS)
  requireOneOf('maxVersion', maxVersion, TLS_VERSIONS)
  const versions = TLS_VERSIONS.slice(TLS_VERSIONS.indexOf(minVersion), TLS_VERSIONS.indexOf(maxVersion) + 1)
  if (versions.length === 0) throw new ContextError(`"minVersion" ${minVersion} is above "maxVersion" ${maxVersion}`)
  return Object.freeze(versions)
}

function readSuites(list: unknown, versions: readonly TLSVersion[], withDh: boolean): readonly CipherSuite[] {
  const allowed = withDh ? [...COMMON_SUITES, ...FINITE_FIELD_SUITES] : COMMON_SUITES
  const worksIn = (suite: CipherSuite, version: TLSVersion): boolean => SUITES[suite].version === version
  const chosen = readChoice('cipherSuites', list, allowed, versions, worksIn) ?? allowed
  // Those of a version that is not enabled are left out, for they would say what is not so.
  const suites = chosen.filter((suite) => versions.some((version) => worksIn(suite, version)))
  if (withDh && !suites.some((suite) => FINITE_FIELD_SUITES.includes(suite))) {
    throw new ContextError('"dhParams" is for the DHE suites of TLS 1.2, and none of them is enabled')
  }
  return Object.freeze(suites)
}

/** A list without repetitions that leaves something of each version; null if there is none. */
function readChoice<Name extends string>(
  name: string,
  list: unknown,
  allowed: readonly Name[],
  versions: readonly TLSVersion[],
  worksIn: (value: Name, version: TLSVersion) => boolean,
): readonly Name[] | null {
  if (list === undefined) return null
  requireList(name, list)
  const chosen = new Set<Name>()
  for (const [index, value] of [...list].entries()) {
    requireOneOf(`${name}[${index}]`, value, allowed)
    chosen.add(value)
  }
  for (const version of versions) {
    if ([...chosen].some((value) => worksIn(value, version))) continue
    throw new ContextError(`"${name}" has nothing for ${version}, which is enabled`)
  }
  return Object.freeze([...chosen])
}

/** OpenSSL says of a list only that something in it is wrong, so each name is tried alone. */
function requireKnownToOpenssl(
  name: string,
  list: readonly string[] | null,
  optionsOf: (list: string) => { ecdhCurve?: string; sigalgs?: string },
): void {
  for (const each of list ?? []) {
    try {
      createSecureContext({ ca: [], ...optionsOf(each) })
    } catch (cause) {
      throw new ContextError(`"${name}" has ${each}, which this OpenSSL (${process.versions.openssl}) has not got`, {
        cause,
      })
    }
  }
}

/** Whole numbers above zero by name. A deadline may be null; more milliseconds than Node's timers take are none. */
function readNumbers<Numbers extends { readonly [Name in keyof Numbers]: number | null }>(
  name: string,
  given: Partial<Numbers> | undefined,
  defaults: Numbers,
  orNull: boolean,
): Numbers {
  const names = Object.keys(defaults) as (keyof Numbers & string)[]
  if (given === undefined) return Object.freeze({ ...defaults })
  requireOptions(name, given, names)
  const numbers = { ...defaults }
  for (const key of names) {
    const value = given[key]
    if (value === undefined) continue
    if (!(orNull && value === null)) requireInteger(`${name}.${key}`, value, 1, 2 ** 31 - 1)
    numbers[key] = value
  }
  return Object.freeze(numbers)
}
