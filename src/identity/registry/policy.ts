// What a registry allows. Everything has a default, and every default is the careful one.

import { Certificate } from '../../certificate/certificate.ts'
import { type RevocationChecker, requireRevocationChecker } from '../../certificate/revocation-checker.ts'
import {
  requireBoolean,
  requireInteger,
  requireList,
  requireOneOf,
  requireOptions,
  show,
} from '../../internal/arguments.ts'
import { parseHandle } from './handle.ts'

/** An authority whose certificates are known by what it calls their holders, so that renewing one needs no step. */
export interface IdentityAuthority {
  /**
   * Its certificate. It must have signed the users' certificates itself. That is checked here, so a server that welcomes
   * self-signed certificates as well asks its clients with `clientCertificates: 'request'`.
   */
  readonly certificate: Certificate
  /**
   * What the holder is known by: the one URI among the names of the certificate (default), or its serial number, as old
   * sites do. A certificate without it counts as any other.
   */
  readonly identifiedBy?: 'uri' | 'serial'
  /**
   * Knows which certificates the authority has taken back: `revocationChecker()` of a `CertificateAuthority`, for one.
   * Asked for every request. Default: nobody knows of any.
   */
  readonly revocation?: RevocationChecker
}

/** The rules of a site for its users. All of it is optional. */
export interface IdentityPolicy {
  /**
   * What to do with a known certificate after its last day. `grace` (default) lets it in for `graceMs` more, with a
   * notice; `reject` does not; `ignore` always does. A certificate that nobody knows is refused once it has expired.
   */
  readonly expiry?: 'reject' | 'grace' | 'ignore'
  /** Milliseconds; default 30 days. */
  readonly graceMs?: number
  /** How long before its last day a certificate gets the notice `expires_soon`. Milliseconds; default 14 days. */
  readonly expiresSoonMs?: number
  /**
   * What to do with a new certificate for the key of a known one. `confirm` (default) waits for `confirmSameKey`, which
   * the holder of the key asks for; `auto` lets it in at once; `never` takes it for a stranger.
   */
  readonly sameKey?: 'auto' | 'confirm' | 'never'
  /** Whether strangers can become users. Default `open`. */
  readonly registration?: 'open' | 'closed'
  /** Whether every user must have a handle. Default false. */
  readonly handleRequired?: boolean
  /** Handles that nobody can have, nor one that looks like them. Default: `admin`, `root`, `system` and a few more. */
  readonly reservedHandles?: Iterable<string>
  /** How long a link code is good. Milliseconds; default 10 minutes. */
  readonly linkCodeTtlMs?: number
  /** How long a request waits for a yes. Milliseconds; default 48 hours. */
  readonly requestTtlMs?: number
  /** How long a recovery waits for a veto. Milliseconds; default 72 hours. */
  readonly recoveryWaitMs?: number
  /** How long a recovery can be claimed after its wait. Milliseconds; default 30 days. */
  readonly recoveryClaimMs?: number
  /** How many recovery codes are made at once. Default 8. */
  readonly recoveryCodes?: number
  /** How long events are kept; see `prune`. Milliseconds; default 90 days. */
  readonly eventTtlMs?: number
  /** Default none: certificates from authorities count as any other. */
  readonly authorities?: Iterable<IdentityAuthority>
}

/** @internal A policy with nothing left open. */
export interface SettledPolicy {
  readonly expiry: 'reject' | 'grace' | 'ignore'
  readonly graceMs: number
  readonly expiresSoonMs: number
  readonly sameKey: 'auto' | 'confirm' | 'never'
  readonly registration: 'open' | 'closed'
  readonly handleRequired: boolean
  /** Skeletons. */
  readonly reservedHandles: ReadonlySet<string>
  readonly linkCodeTtlMs: number
  readonly requestTtlMs: number
  readonly recoveryWaitMs: number
  readonly recoveryClaimMs: number
  readonly recoveryCodes: number
  readonly eventTtlMs: number
  readonly authorities: readonly Required<IdentityAuthority>[]
}

/** @internal */
export function settlePolicy(policy: IdentityPolicy = {}): SettledPolicy {
  requireOptions('policy', policy, KNOWN)
  const { expiry = 'grace', sameKey = 'confirm', registration = 'open', handleRequired = false } = policy
  requireOneOf('policy.expiry', expiry, ['reject', 'grace', 'ignore'])
  requireOneOf('policy.sameKey', sameKey, ['auto', 'confirm', 'never'])
  requireOneOf('policy.registration', registration, ['open', 'closed'])
  requireBoolean('policy.handleRequired', handleRequired)
  const { recoveryCodes = 8, reservedHandles = RESERVED, authorities = [] } = policy
  requireInteger('policy.recoveryCodes', recoveryCodes, 1, 100)
  requireList('policy.reservedHandles', reservedHandles)
  requireList('policy.authorities', authorities)
  return {
    expiry,
    sameKey,
    registration,
    handleRequired,
    recoveryCodes,
    reservedHandles: new Set(Array.from(reservedHandles, (handle) => parseHandle(handle).skeleton)),
    authorities: Array.from(authorities, settleAuthority),
    graceMs: duration(policy, 'graceMs', 30 * DAY_MS),
    expiresSoonMs: duration(policy, 'expiresSoonMs', 14 * DAY_MS),
    linkCodeTtlMs: duration(policy, 'linkCodeTtlMs', 600_000, MAX_CODE_TTL_MS),
    requestTtlMs: duration(policy, 'requestTtlMs', 2 * DAY_MS),
    recoveryWaitMs: duration(policy, 'recoveryWaitMs', 3 * DAY_MS),
    recoveryClaimMs: duration(policy, 'recoveryClaimMs', 30 * DAY_MS),
    eventTtlMs: duration(policy, 'eventTtlMs', 90 * DAY_MS),
  }
}

const DAY_MS = 86_400_000
const MAX_DURATION_MS = 36_500 * DAY_MS
/** 50 bits are enough for a day. */
const MAX_CODE_TTL_MS = DAY_MS

const RESERVED = ['admin', 'administrator', 'moderator', 'operator', 'root', 'staff', 'support', 'system', 'sysop']

const KNOWN = [
  'expiry',
  'graceMs',
  'expiresSoonMs',
  'sameKey',
  'registration',
  'handleRequired',
  'reservedHandles',
  'linkCodeTtlMs',
  'requestTtlMs',
  'recoveryWaitMs',
  'recoveryClaimMs',
  'recoveryCodes',
  'eventTtlMs',
  'authorities',
]

type Duration = { [Key in keyof SettledPolicy]: Key extends `${string}Ms` ? Key : never }[keyof SettledPolicy]

function duration(policy: IdentityPolicy, name: Duration, preset: number, max = MAX_DURATION_MS): number {
  const value = policy[name] ?? preset
  requireInteger(`policy.${name}`, value, 0, max)
  return value
}

function settleAuthority(authority: IdentityAuthority, index: number): Required<IdentityAuthority> {
  const name = `policy.authorities[${index}]`
  requireOptions(name, authority, ['certificate', 'identifiedBy', 'revocation'])
  const { certificate, identifiedBy = 'uri', revocation = NOBODY_KNOWS } = authority
  if (!(certificate instanceof Certificate)) {
    throw new TypeError(`"${name}.certificate" expected a Certificate, got ${show(certificate)}`)
  }
  requireOneOf(`${name}.identifiedBy`, identifiedBy, ['uri', 'serial'])
  requireRevocationChecker(`${name}.revocation`, revocation)
  return { certificate, identifiedBy, revocation }
}

const NOBODY_KNOWS: RevocationChecker = { revocationOf: () => ({ kind: 'not_ours' }) }
