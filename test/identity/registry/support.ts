// People with certificates, and registries that know them.

import type { Certificate } from '../../../src/certificate/certificate.ts'
import type { Peer, PeerFacts } from '../../../src/certificate/peer.ts'
import type { IdentityEvent, IdentityOptions } from '../../../src/identity/registry/context.ts'
import { IdentityRegistry } from '../../../src/identity/registry/identity-registry.ts'
import type { IdentityStore } from '../../../src/identity/registry/identity-store.ts'
import { MemoryIdentityStore } from '../../../src/identity/registry/memory-identity-store.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import { type Issued, type IssueOptions, issue } from '../../support/issued-certificates.ts'
import { fakePeer } from '../../support/peer.ts'

export const NOW = new Date('2030-06-01T12:00:00Z')
export const DAY = 86_400_000
export const HOUR = 3_600_000

/** Somebody with a key and a certificate, as a handshake has proven it. */
export interface Person {
  readonly peer: Peer
  readonly certificate: Certificate
  readonly issued: Issued
}

/** A new person, with a key of their own unless it is said otherwise. */
export function person(options: IssueOptions = {}, facts: Partial<Omit<PeerFacts, 'certificate'>> = {}): Person {
  const issued = issue({ subject: 'somebody', ...options })
  return { issued, certificate: issued.certificate, peer: fakePeer(issued.certificate, facts) }
}

export const stranger = (): Peer => person().peer

/** A certificate that ends so many milliseconds after `NOW`. */
export function until(ms: number, options: IssueOptions = {}): Person {
  return person({ to: timeOf(NOW.getTime() + ms), ...options })
}

export function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
}

export interface Opened {
  readonly registry: IdentityRegistry
  readonly clock: ReturnType<typeof fixedClock>
  readonly events: IdentityEvent[]
  readonly store: IdentityStore
}

/** A registry in memory, whose clock stands at `NOW`. */
export function openRegistry(
  options: Partial<IdentityOptions> = {},
  store: IdentityStore = new MemoryIdentityStore(),
): Opened {
  const clock = fixedClock(NOW)
  const events: IdentityEvent[] = []
  const onEvent = (event: IdentityEvent) => void events.push(event)
  const registry = new IdentityRegistry(store, { origin: 'example.org:1965', clock, onEvent, ...options })
  return { registry, clock, events, store }
}

/** A registry with one user, `ana`. */
export async function withAna(options: Partial<IdentityOptions> = {}, ana: Person = person()) {
  const opened = openRegistry(options)
  const { user, credential } = await opened.registry.register(ana.peer, { handle: 'ana', label: 'laptop' })
  return { ...opened, ana: ana.peer, person: ana, user, credential }
}

/** The calls of a store, by the names of its methods. */
export function counting(store: IdentityStore): { store: IdentityStore; calls: string[] } {
  const calls: string[] = []
  const counted = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.push(String(name))
        return value.apply(target, args)
      }
    },
  })
  return { store: counted, calls }
}

/** The code of the error that something is refused with, and its reason. */
export async function refusalOf(act: Promise<unknown>): Promise<string> {
  try {
    await act
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    const reason = 'reason' in error && typeof error.reason === 'string' ? ` ${error.reason}` : ''
    return `${String(error.code).replace('ERR_TLACACOCA_', '')}${reason}`
  }
  return 'nothing'
}
