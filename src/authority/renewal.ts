// Renewal: whoever shows a certificate of ours gets the next one. It is the same person by the same policy as it is now,
// not a copy of what was signed then; and who was turned out stays out.

import type { AlternativeNames } from '../certificate/alternative-names.ts'
import type { Certificate } from '../certificate/certificate.ts'
import type { CertificateRequest } from '../certificate/certificate-request.ts'
import type { NameField } from '../certificate/name-fields.ts'
import { Peer } from '../certificate/peer.ts'
import { weaknessOfKey } from '../certificate/strength.ts'
import { AuthorityError, CertificateRequestError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { parseDuration } from './duration.ts'
import type { IssuedRow, IssuedStore } from './issued-store.ts'
import { NO_GRACE, type ReadProfile } from './profile.ts'
import type { ProfileSet } from './profiles.ts'
import type { SigningJob } from './signing.ts'

/** Why a certificate is not renewed. */
export type RenewalProblem =
  | 'unknown'
  | 'revoked'
  | 'held'
  | 'not_allowed'
  | 'too_early'
  | 'expired'
  | 'rekey_required'
  | 'rekey_refused'

/** From when on a certificate can be renewed: its end, if it cannot be. */
export function renewAfter({ notBefore, notAfter }: Certificate, profile: ReadProfile | null): Date {
  const renewal = profile?.renewal ?? null
  if (renewal === null) return notAfter
  const lifetime = notAfter.getTime() - notBefore.getTime()
  const window = renewal.window === 'last-third' ? lifetime / 3 : lengthOf(renewal.window)
  return new Date(Math.ceil((notAfter.getTime() - Math.min(window, lifetime)) / 1000) * 1000)
}

/**
 * What to sign for the holder of a certificate.
 *
 * @throws {AuthorityError} AUTHORITY_RENEWAL_REFUSED, with the reason.
 */
export async function renewalJob(
  { current, request }: { readonly current: Peer; readonly request: CertificateRequest | null },
  { store, profiles, now }: { readonly store: IssuedStore; readonly profiles: ProfileSet; readonly now: Date },
): Promise<SigningJob> {
  if (!Peer.is(current)) throw new TypeError(`"current" expected the peer of a TLS connection, got ${show(current)}`)
  const { certificate } = current
  const row = await store.get(certificate.serialNumber)
  if (row?.certificate?.equals(certificate) !== true) throw notRenewed('unknown', 'this authority has not issued it')
  if (row.status === 'revoked' || row.status === 'held') throw notRenewed(row.status, `it is ${row.status}`)
  const profile = profiles.find(row.profile)
  requireRenewable(row, certificate, profile, now)
  const { renewal } = profile
  const keepsKey = request === null || request.publicKeyFingerprint === certificate.publicKeyFingerprint
  if (keepsKey && renewal.rekey === 'required') {
    throw notRenewed('rekey_required', 'it needs a new key; send a request for one')
  }
  if (request !== null && renewal.rekey === 'never')
    throw notRenewed('rekey_refused', 'it keeps its key; send no request')
  if (request === null) requireStrongKey(certificate)
  return {
    profile,
    spki: request?.subjectPublicKeyInfo ?? certificate.subjectPublicKeyInfo,
    key: request ?? certificate,
    request,
    clientHash: row.clientHash,
    requester: { peer: current },
    renewalOf: row,
    subject: certificate.subject.attributes.map(({ type, value }): NameField => [type, value]),
    subjectAltNames: certificate.subjectAltNames satisfies AlternativeNames,
    isRepeatable: request !== null,
  }
}

type Renewable = ReadProfile & { readonly renewal: NonNullable<ReadProfile['renewal']> }

function requireRenewable(
  row: IssuedRow,
  certificate: Certificate,
  profile: ReadProfile | null,
  now: Date,
): asserts profile is Renewable {
  if (profile === null || profile.renewal === null) {
    throw notRenewed('not_allowed', `certificates of the profile "${row.profile}" are not renewed`)
  }
  const from = renewAfter(certificate, profile)
  if (now < from) throw notRenewed('too_early', `it can be renewed from ${from.toISOString()} on`)
  const { graceAfterExpiry } = profile.renewal
  const grace = graceAfterExpiry === NO_GRACE ? 0 : lengthOf(graceAfterExpiry)
  if (now.getTime() > certificate.notAfter.getTime() + grace) {
    throw notRenewed('expired', `it ended at ${certificate.notAfter.toISOString()}; ask for a new one`)
  }
}

/** What was good enough then need not be now. */
function requireStrongKey(certificate: Certificate): void {
  const weakness = weaknessOfKey(certificate)
  if (weakness === null) return
  const message = `the key is not certified again: ${weakness}; send a request with a new one`
  throw new CertificateRequestError('ERR_TLACACOCA_CSR_KEY_REFUSED', message)
}

/** @internal */
export function notRenewed(reason: RenewalProblem, problem: string): AuthorityError {
  const message = `the certificate is not renewed: ${problem}`
  return new AuthorityError('ERR_TLACACOCA_AUTHORITY_RENEWAL_REFUSED', message, { reason })
}

function lengthOf(duration: string | number): number {
  return parseDuration(duration).from(new Date(0)).getTime()
}
