import type { LookupResult } from '../../middleware/certificate-lookup.ts'
import type { User } from './account.ts'
import type { Resolution } from './resolution.ts'

/** @internal A resolution as a rule of `CertificateAuth` understands it. */
export function lookupResultOf(resolution: Resolution): LookupResult<User> {
  switch (resolution.kind) {
    case 'known':
      return { kind: 'known', user: resolution.user }
    case 'pending':
    case 'anonymous':
      return { kind: resolution.kind }
    case 'unknown':
      // The key is a user's, and so is the account; only this certificate is not.
      return { kind: resolution.sameKey ? 'identity_changed' : 'unknown' }
    case 'refused':
      return resolution.reason === 'superseded'
        ? { kind: 'identity_changed' }
        : { kind: 'refused', detail: resolution.reason }
  }
}
