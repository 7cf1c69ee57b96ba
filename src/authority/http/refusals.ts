// The refusals that do not come out of an error.

import type { DenialReason } from '../../middleware/middleware.ts'
import type { SigningLimit } from '../limiter.ts'
import { FAILED } from './failure.ts'
import { REQUEST_TYPES } from './media-type.ts'
import type { Problem } from './problem.ts'
import type { BodyReading } from './read-body.ts'

export const OTHER_SITE: Problem = {
  status: 403,
  code: 'other_site',
  detail: 'Pages of other sites cannot ask for certificates.',
}

export const NO_CERTIFICATE: Problem = {
  status: 403,
  code: 'cert_required',
  detail: 'Show the certificate to be renewed in the TLS handshake of this connection, in full and not resumed.',
}

export const NOT_A_REQUEST: Problem = {
  status: 400,
  code: 'ERR_TLACACOCA_CSR_MALFORMED',
  detail: 'The body is neither DER nor PEM.',
}

export const NOTHING_EXPECTED: Problem = {
  status: 400,
  code: 'bad_request',
  detail: 'A renewal is for the same key and has no body. For another key, send its request to /rekey.',
}

/** RFC 9110 section 15.5.16: `Accept` says what would have been read. */
export function mediaTypeProblem(detail: string): Problem {
  return { status: 415, code: 'media_type', detail, headers: { accept: REQUEST_TYPES.join(', ') } }
}

export const BODY_PROBLEMS: Readonly<Record<Exclude<BodyReading['kind'], 'body'>, Problem>> = {
  too_large: { status: 413, code: 'too_large', detail: 'The request is larger than any request for a certificate.' },
  timeout: { status: 408, code: 'timeout', detail: 'The request did not arrive in time.' },
  broken: { status: 400, code: 'bad_request', detail: 'The request did not arrive as a whole.' },
}

export function limitProblem(limit: SigningLimit): Problem {
  if (limit?.allowed !== false) return FAILED
  const { denialReason = 'rate_limit', retryAfterSeconds } = limit
  const problem = Object.hasOwn(DENIED, denialReason) ? DENIED[denialReason] : FAILED
  if (retryAfterSeconds === undefined) return problem
  return { ...problem, headers: { 'retry-after': String(Math.ceil(retryAfterSeconds)) } }
}

const denied = (status: number, code: string, detail: string): Problem => ({ status, code, detail })

/** The denial reasons of middleware in the words of HTTP. */
const DENIED: Readonly<Record<DenialReason, Problem>> = {
  rate_limit: denied(429, 'rate_limit', 'There were too many requests. Try again later.'),
  access_denied: denied(403, 'access_denied', 'There are no certificates for this address.'),
  cert_required: denied(403, 'cert_required', 'Show a certificate in the TLS handshake.'),
  cert_not_authorized: denied(403, 'cert_not_authorized', 'This certificate may not ask for that.'),
  cert_not_valid: denied(403, 'cert_not_valid', 'The certificate that was shown is not valid.'),
  identity_changed: denied(403, 'identity_changed', 'The certificate that was shown is not the one that is known.'),
  busy: denied(503, 'busy', 'There is too much to do. Try again later.'),
  bad_request: denied(400, 'bad_request', 'The request cannot be understood.'),
  too_large: BODY_PROBLEMS.too_large,
  timeout: BODY_PROBLEMS.timeout,
  wrong_host: denied(421, 'wrong_host', 'This host is not served here.'),
  internal_error: FAILED,
}
