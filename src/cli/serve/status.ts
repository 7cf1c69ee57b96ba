// What a denial is called in Gemini. `Record` makes it exhaustive: a reason without a status does not compile.

import type { DenialReason, Denied } from '../../middleware/index.ts'

const STATUS: Readonly<Record<DenialReason, string>> = {
  rate_limit: '44', // the rest of the line is the number of seconds to wait
  access_denied: '50 this address is not welcome here',
  cert_required: '60 a client certificate is needed here',
  cert_not_authorized: '61 this certificate has no right to this',
  cert_not_valid: '62 this certificate has expired, or is not yet valid',
  identity_changed: '61 this account knows another certificate',
  busy: '41 too many connections, try again in a moment',
  bad_request: '59 this is not a request',
  too_large: '59 the request is too long',
  timeout: '40 the request took too long',
  wrong_host: '53 this is not served here',
  internal_error: '40 something went wrong here',
}

/** The status of a denial, with what belongs to it. */
export function statusOf(denied: Denied): string {
  const seconds = denied.denialReason === 'rate_limit' ? ` ${denied.retryAfterSeconds ?? 60}` : ''
  return `${STATUS[denied.denialReason]}${seconds}`
}
