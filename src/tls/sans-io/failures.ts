// Why connections end, in both languages: what the program gets as an error, and what the peer gets as an alert.

import {
  AlertUnavailableError,
  BadTLSDataError,
  CertificateChangedError,
  CertificateError,
  ConnectionError,
  InvalidNameError,
  NotTrustedError,
  PeerRefusedError,
  TLSAlertError,
  VerificationRefused,
} from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { AlertCode, alertName, alertNameOf, complaint } from '../alert.ts'
import type { Alert } from './clear-alerts.ts'

/** What OpenSSL has given up for: the peer's alert if it sent one, and else something that it should not have sent. */
export function engineFailure(cause: Error, alert: Alert | null): TLSAlertError | BadTLSDataError {
  if (alert !== null) return new TLSAlertError({ ...alert, name: alertNameOf(alert.code) }, { cause })
  return new BadTLSDataError(`the peer does not agree on TLS: ${complaint(cause)}`, { cause })
}

export function endedByOurAlert(code: number): ConnectionError {
  return new ConnectionError('ERR_TLACACOCA_ABORTED', `the connection was ended by our alert ${alertName(code)}`)
}

export function alertUnavailable(code: number): AlertUnavailableError {
  return new AlertUnavailableError(`the peer could not read the alert ${alertName(code)} as the connection stands`)
}

/** A refusal, and the alert that goes with it. */
export class Refusal extends Error {
  readonly reason: Error
  readonly alert: number

  constructor(reason: Error, alert: number) {
    super(reason.message)
    this.reason = reason
    // What a program has got wrong shall not keep it from refusing.
    this.alert = Number.isInteger(alert) && alert >= 0 && alert <= 255 ? alert : AlertCode.internal_error
  }
}

/** What was thrown, if it is an error, or an error that shows it. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(typeof thrown === 'string' ? thrown : show(thrown))
}

/** What was thrown to refuse a peer, and the alert that says so. */
export function refusalOf(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  const reason = errorOf(thrown)
  return new Refusal(reason, alertFor(reason))
}

function alertFor(reason: Error): number {
  if (reason instanceof VerificationRefused) return reason.alert
  if (reason instanceof PeerRefusedError) return alertForProblem(reason.reason)
  if (reason instanceof ConnectionError && reason.code === 'ERR_TLACACOCA_IDENTITY_WITHHELD')
    return AlertCode.user_canceled
  const isAboutPeer = ABOUT_PEERS.some((kind) => reason instanceof kind)
  // RFC 8446 section 6.2: an error unrelated to the peer, such as a file or a store that cannot be read.
  return isAboutPeer ? AlertCode.certificate_unknown : AlertCode.internal_error
}

const ABOUT_PEERS = [CertificateChangedError, NotTrustedError, CertificateError, InvalidNameError]

/** The alert for a problem with a certificate, by its word: one of path validation, or of any verifier. */
export function alertForProblem(problem: string): number {
  return ALERT_OF_PROBLEM[problem] ?? AlertCode.certificate_unknown
}

// What is not here is nobody's business.
const ALERT_OF_PROBLEM: Readonly<Record<string, number>> = {
  expired: AlertCode.certificate_expired,
  not_yet_valid: AlertCode.certificate_expired,
  unknown_authority: AlertCode.unknown_ca,
  bad_signature: AlertCode.bad_certificate,
  malformed: AlertCode.bad_certificate,
  wrong_purpose: AlertCode.unsupported_certificate,
  weak_key: AlertCode.insufficient_security,
  weak_signature: AlertCode.insufficient_security,
  unsupported_key: AlertCode.unsupported_certificate,
}
