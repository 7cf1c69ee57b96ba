import { isCertificateValidForHostname } from '../certificate/hostname.ts'
import { validatePath } from '../certificate/path-validation.ts'
import { authoritiesOf, TrustStore } from '../certificate/trust-store.ts'
import { requireFunction, requireOptions, show } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import type { TofuPolicy } from './policy.ts'

/**
 * Authorities as the `vouches` of a policy: they vouch for a certificate that they issued, directly or by others (RFC 5280),
 * for the host that is visited (RFC 9525), and that is within its dates. It is asked only where a certificate changed and
 * nothing else speaks for the new one, and accepts nothing by itself: see `changed.authority_vouched` of the policy.
 *
 * @param trust - The authorities, or `system` for those that this Node trusts.
 * @throws {TypeError} If `trust` is neither, or an option is wrong.
 * @example
 * import { TofuStore, vouchedBy } from 'tlacacoca/tofu'
 *
 * const known = await TofuStore.open({
 *   appName: 'my-client',
 *   policy: { vouches: vouchedBy('system'), changed: { authority_vouched: 'accept' } },
 * })
 * await known.close()
 */
export function vouchedBy(
  trust: 'system' | TrustStore,
  options: { readonly clock?: Clock } = {},
): NonNullable<TofuPolicy['vouches']> {
  requireOptions('options', options, ['clock'])
  const { clock = systemClock } = options
  requireFunction('clock', clock)
  if (trust !== 'system' && !TrustStore.is(trust)) {
    throw new TypeError(`"trust" expected a TrustStore or 'system', got ${show(trust)}`)
  }
  // Reading all of the system's takes a moment, which is only worth it if they are needed.
  let store = trust === 'system' ? null : trust
  return ({ endpoint, certificate, chain }) => {
    if (!isCertificateValidForHostname(certificate, endpoint.host)) return { vouched: false }
    store ??= TrustStore.system()
    const path = validatePath({
      leaf: certificate,
      intermediates: chain.slice(1),
      authorities: authoritiesOf(store),
      at: new Date(clock()),
      purpose: 'server',
    })
    return { vouched: path.valid }
  }
}
