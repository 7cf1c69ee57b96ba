// The alerts of TLS, by number. OpenSSL's words for them change from version to version; the number at the end of its
// message does not.

/** The names of RFC 8446 section 6 and, for those that TLS 1.3 no longer has, RFC 5246 section 7.2. */
const NAMES: Readonly<Record<number, string>> = {
  0: 'close_notify',
  10: 'unexpected_message',
  20: 'bad_record_mac',
  21: 'decryption_failed',
  22: 'record_overflow',
  30: 'decompression_failure',
  40: 'handshake_failure',
  41: 'no_certificate',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  60: 'export_restriction',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  100: 'no_renegotiation',
  109: 'missing_extension',
  110: 'unsupported_extension',
  111: 'certificate_unobtainable',
  112: 'unrecognized_name',
  113: 'bad_certificate_status_response',
  114: 'bad_certificate_hash_value',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
}

/** `certificate_required (116)`; an alert without a name is its number. */
export function alertName(alert: number): string {
  const name = NAMES[alert]
  return name === undefined ? String(alert) : `${name} (${alert})`
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
