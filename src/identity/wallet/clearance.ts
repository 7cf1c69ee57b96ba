// Whether an identity may be shown to a server without asking the user once more.

import type { TLSVersion } from '../../certificate/peer.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import type { IdentityConcern, IdentityNotes } from './notes.ts'
import { endpointsOf, siteOf } from './notes.ts'
import type { WalletState } from './wallet-state.ts'

/** Whether an identity may be shown somewhere, or why the user is to be asked first. */
export type Clearance =
  | { readonly cleared: true }
  | {
      readonly cleared: false
      readonly concerns: readonly IdentityConcern[]
      /** Sentences for the user. */
      readonly explanation: string
    }

/** Where, and how, an identity is to be shown. */
export interface ClearanceQuestion {
  readonly endpoint: Endpoint
  readonly protocol: TLSVersion
}

export function judgeClearance(state: WalletState, id: string, { endpoint, protocol }: ClearanceQuestion): Clearance {
  const notes = state.notes(id)
  const confirmed = siteOf(notes, endpoint)?.confirmed ?? []
  const explanations: Partial<Record<IdentityConcern, string>> = {}
  if (protocol === 'TLSv1.2' && !confirmed.includes('tls12')) {
    explanations.tls12 = `${endpoint} speaks TLS 1.2, which sends certificates in clear: whoever listens on the way learns who you are.`
  }
  const other = otherHost(state, id, endpoint)
  if (other !== null) {
    explanations.second_host = `${other} knows this identity. If you show it to ${endpoint.host} too, the two can find out that you are the same user.`
  }
  const concerns = Object.keys(explanations) as IdentityConcern[]
  if (concerns.length === 0) return { cleared: true }
  return { cleared: false, concerns, explanation: Object.values(explanations).join(' ') }
}

/** A host that knows the identity, if the one of this endpoint does not, and the user has not confirmed that it may. */
export function otherHost(state: WalletState, id: string, endpoint: Endpoint): string | null {
  const hosts = hostsOf(state.notes(id))
  // The new one of two is shown where the old one was, which is what it is for.
  const predecessor = state.predecessorOf(id)
  if (predecessor !== null) for (const host of hostsOf(state.notes(predecessor.id))) hosts.add(host)
  if (hosts.has(endpoint.host)) return null
  return [...hosts][0] ?? null
}

/** The hosts that know an identity, or may. */
export function hostsOf(notes: IdentityNotes): Set<string> {
  const confirmed = notes.sites.filter((site) => site.confirmed.includes('second_host'))
  return new Set([...endpointsOf(notes), ...confirmed.map(({ endpoint }) => endpoint)].map(({ host }) => host))
}
