// The alerts of TLS, by number. OpenSSL's words for them change from version to version; the number at the end of its
// message does not.

import type { TLSVersion } from '../certificate/peer.ts'
import { type AlertLevel, InvalidAlertLevel } from '../errors.ts'
import { requireInteger, requireOneOf } from '../internal/arguments.ts'

/**
 * The alerts by the names of RFC 8446 section 6 and, for those that TLS 1.3 no longer has, of RFC 5246 section 7.2.
 *
 * @example
 * import { AlertCode, alertNameOf } from 'tlacacoca/tls'
 *
 * const code: AlertCode = AlertCode.certificate_revoked
 * console.log(code, alertNameOf(code)) // 44 certificate_revoked
 */
export const AlertCode = Object.freeze({
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  decryption_failed: 21,
  record_overflow: 22,
  decompression_failure: 30,
  handshake_failure: 40,
  no_certificate: 41,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  export_restriction: 60,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  no_renegotiation: 100,
  missing_extension: 109,
  unsupported_extension: 110,
  certificate_unobtainable: 111,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  bad_certificate_hash_value: 114,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
} as const)

/** The number of an alert that has a name. */
export type AlertCode = (typeof AlertCode)[keyof typeof AlertCode]

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(AlertCode).map(([name, code]) => [code, name]))

/**
 * The standard's name of an alert, such as `certificate_required`; null if the number has none.
 *
 * @example
 * import { alertNameOf } from 'tlacacoca/tls'
 *
 * console.log(alertNameOf(116), alertNameOf(255)) // certificate_required null
 */
export function alertNameOf(code: number): string | null {
  return NAMES.get(code) ?? null
}

/** `certificate_required (116)`; an alert without a name is its number. */
export function alertName(alert: number): string {
  const name = alertNameOf(alert)
  return name === null ? String(alert) : `${name} (${alert})`
}

/**
 * The level at which an alert is sent: `level` if it may have it, or the only or usual one if `level` is not given.
 *
 * TLS 1.3 (RFC 8446 section 6): `close_notify` and `user_canceled` may be warnings, and usually are; every other alert is
 * fatal. TLS 1.2 (RFC 5246 section 7.2.2, and the standards of the extensions), which also holds while no version is
 * agreed on: some are always fatal, one is always a warning, and of some, mostly about certificates, the sender has to
 * say whether it goes on without one. An alert that this library does not know can only be sent as a fatal one, and only
 * by saying so: that is how every peer must take it.
 *
 * @param code - 0 to 255.
 * @param version - Null while none is negotiated.
 * @throws {InvalidAlertLevel} If the alert may not have this level, or needs one.
 * @throws {TypeError | RangeError} If `code` is no number of an alert, or `level` is something else.
 */
export function resolveAlertLevel(code: number, level: AlertLevel | undefined, version: TLSVersion | null): AlertLevel {
  requireInteger('code', code, 0, 255)
  if (level !== undefined) requireOneOf('level', level, ['warning', 'fatal'])
  const rule = ruleFor(code, version)
  const resolved = level ?? rule.usual
  if (resolved !== null && rule.possible.includes(resolved)) return resolved
  const where = version === null ? 'while no version of TLS is negotiated' : `in ${version.replace('v', ' ')}`
  const possible = rule.possible.join(' or ')
  throw new InvalidAlertLevel(
    level === undefined
      ? `the alert ${alertName(code)} needs a level ${where}: ${possible}`
      : `the alert ${alertName(code)} can only be ${possible} ${where}, not ${level}`,
  )
}

interface LevelRule {
  readonly possible: readonly AlertLevel[]
  /** What an alert is when nobody says; null if somebody has to. */
  readonly usual: AlertLevel | null
}

const ALWAYS_FATAL: LevelRule = { possible: ['fatal'], usual: 'fatal' }
const ALWAYS_WARNING: LevelRule = { possible: ['warning'], usual: 'warning' }
const USUALLY_WARNING: LevelRule = { possible: ['warning', 'fatal'], usual: 'warning' }
const EITHER: LevelRule = { possible: ['warning', 'fatal'], usual: null }
const UNKNOWN: LevelRule = { possible: ['fatal'], usual: null }

/** What closes a connection in good order. */
const CLOSING: ReadonlySet<number> = new Set([AlertCode.close_notify, AlertCode.user_canceled])

/** Where RFC 5246 and RFC 6066 (sections 3 and 5) leave the level to the sender. */
const SENDERS_CHOICE: ReadonlySet<number> = new Set([
  AlertCode.no_certificate,
  AlertCode.bad_certificate,
  AlertCode.unsupported_certificate,
  AlertCode.certificate_revoked,
  AlertCode.certificate_expired,
  AlertCode.certificate_unknown,
  AlertCode.certificate_unobtainable,
  AlertCode.unrecognized_name,
])

function ruleFor(code: number, version: TLSVersion | null): LevelRule {
  if (!NAMES.has(code)) return UNKNOWN
  if (CLOSING.has(code)) return USUALLY_WARNING
  if (version === 'TLSv1.3') return ALWAYS_FATAL
  if (code === AlertCode.no_renegotiation) return ALWAYS_WARNING
  return SENDERS_CHOICE.has(code) ? EITHER : ALWAYS_FATAL
}

/** The alert that the peer sent, from the error that OpenSSL made of it; undefined if it is about something else. */
export function receivedAlert(error: Error): number | undefined {
  const number = /SSL alert number (\d+)/.exec(error.message)?.[1]
  return number === undefined ? undefined : Number(number)
}

/** What OpenSSL complains about, in its own few words and on one line. */
export function complaint(error: Error): string {
  const { reason } = error as { reason?: unknown }
  return typeof reason === 'string' && reason !== '' ? reason : error.message.trim().replace(/\s+/g, ' ')
}
