// From an error to what a client is told of it. Only a fault of the request is described; an error that is not in the
// tables is a failure of ours, whatever it says.

import { AuthorityError, CertificateRequestError, CsrNotAuthedError, StoreError } from '../../errors.ts'
import { type Answer, type Problem, refused } from './problem.ts'

export function failureAnswer(error: unknown): Answer {
  if (error instanceof CertificateRequestError) {
    // These say what is wrong with bytes that the client has sent, and know nothing else.
    return refused({ status: REQUEST_STATUS[error.code], code: error.code, detail: error.message }, error)
  }
  if (error instanceof CsrNotAuthedError) return refused({ ...NOT_AUTHED, code: error.code }, error)
  if (error instanceof AuthorityError) {
    const { code, field, reason } = error
    const words = { ...(field === undefined ? {} : { field }), ...(reason === undefined ? {} : { reason }) }
    const known = AUTHORITY[code]
    if (known === null) return refused(FAILED, error)
    return refused({ ...known, code, words }, error)
  }
  if (error instanceof StoreError) return refused(error.code === 'ERR_TLACACOCA_STORE_LOCKED' ? LOCKED : STORE, error)
  return refused(FAILED, error)
}

const REQUEST_STATUS: Readonly<Record<CertificateRequestError['code'], number>> = {
  ERR_TLACACOCA_CSR_MALFORMED: 400,
  ERR_TLACACOCA_CSR_TOO_LARGE: 413,
  ERR_TLACACOCA_CSR_UNPROVEN: 400,
  ERR_TLACACOCA_CSR_KEY_REFUSED: 422,
}

const NOT_AUTHED = { status: 403, detail: 'This request is not authorized.' }
const NO_TIME = { status: 503, detail: 'The certificate of the authority itself is not valid long enough to sign.' }

/** Null for what is none of the client's business. */
const AUTHORITY: Readonly<Record<AuthorityError['code'], Omit<Problem, 'code'> | null>> = {
  ERR_TLACACOCA_AUTHORITY_POLICY: { status: 422, detail: 'The profile of this certificate does not allow that.' },
  ERR_TLACACOCA_AUTHORITY_RENEWAL_REFUSED: { status: 403, detail: 'This certificate cannot be renewed by its holder.' },
  ERR_TLACACOCA_AUTHORITY_STATUS_FINAL: { status: 409, detail: 'The status of this certificate is final.' },
  ERR_TLACACOCA_AUTHORITY_NO_STORE: { status: 404, detail: 'This authority keeps no record of its certificates.' },
  ERR_TLACACOCA_AUTHORITY_CRL_UNAVAILABLE: { status: 503, detail: 'There is no revocation list at present.' },
  ERR_TLACACOCA_AUTHORITY_BUSY: {
    status: 503,
    detail: 'The same request is being signed right now. Ask again to get the certificate.',
    headers: { 'retry-after': '1' },
  },
  ERR_TLACACOCA_AUTHORITY_EXPIRING: NO_TIME,
  ERR_TLACACOCA_AUTHORITY_EXPIRED: NO_TIME,
  ERR_TLACACOCA_AUTHORITY_NOT_YET_VALID: NO_TIME,
  ERR_TLACACOCA_AUTHORITY_CLOSED: { status: 503, detail: 'The authority is going down.' },
  ERR_TLACACOCA_AUTHORITY_INCOMPLETE: null,
  ERR_TLACACOCA_AUTHORITY_EXPOSED: null,
  ERR_TLACACOCA_AUTHORITY_MISMATCH: null,
  ERR_TLACACOCA_AUTHORITY_NOT_AN_AUTHORITY: null,
  ERR_TLACACOCA_AUTHORITY_KEY_REFUSED: null,
  ERR_TLACACOCA_AUTHORITY_CHAIN_INVALID: null,
  ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED: null,
  ERR_TLACACOCA_AUTHORITY_PASSPHRASE_INVALID: null,
  ERR_TLACACOCA_AUTHORITY_PROFILE_UNKNOWN: null,
  ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID: null,
  ERR_TLACACOCA_AUTHORITY_SERIAL_UNKNOWN: null,
  ERR_TLACACOCA_AUTHORITY_HOOK_FAILED: null,
  ERR_TLACACOCA_AUTHORITY_SIGNATURE_WRONG: null,
}

/** Something that is none of the client's business. */
export const FAILED: Problem = {
  status: 500,
  code: 'internal_error',
  detail: 'Something failed here. It was not your request.',
}

const STORE: Problem = { status: 503, code: 'unavailable', detail: 'Certificates cannot be recorded at present.' }
const LOCKED: Problem = { ...STORE, headers: { 'retry-after': '5' } }
