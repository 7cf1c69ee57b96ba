// Identities made up for the contract suite.

import { strictEqual } from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import type {
  IdentityStore,
  Linked,
  LinkRequest,
  NewCredential,
  NewLinkCode,
} from '../identity/registry/identity-store.ts'

export const NOW = Date.parse('2030-06-01T12:00:00.123Z')
export const TODAY = Math.floor(NOW / 86_400_000)
export const ORIGIN = 'example.org:1965'

/** A certificate of this name, for the key of this name. */
export function newCertificate(name: string, facts: Partial<NewCredential> = {}): NewCredential {
  return {
    id: `id of ${name}`,
    certificate: digest(`certificate ${name}`),
    publicKey: digest(`key ${name}`),
    fingerprint: `sha256:${hash('sha256', name, 'hex')}` as Fingerprint,
    label: null,
    notBefore: NOW - 1000,
    notAfter: NOW + 1000,
    ...facts,
  }
}

/** What the store sees of a certificate of this name. */
export function marksOf(name: string) {
  const { certificate, publicKey } = newCertificate(name)
  return { certificates: [certificate], publicKey }
}

/** Registers a user of this name by a certificate of this name. */
export async function registerUser(
  store: IdentityStore,
  name: string,
  facts: Partial<NewCredential> = {},
): Promise<Linked> {
  const outcome = await store.register({
    userId: `user ${name}`,
    handle: { shown: name, key: digest(`handle ${name}`) },
    credential: newCertificate(name, facts),
    at: NOW,
  })
  if (outcome.kind !== 'linked') throw new Error(`registering ${name} came to ${outcome.kind}`)
  return outcome
}

/** Links a second certificate to the user of the first, by a code. */
export async function linkSecond(
  store: IdentityStore,
  by: string,
  name: string,
  options: { readonly kind?: 'add' | 'replace'; readonly facts?: Partial<NewCredential> } = {},
): Promise<Linked> {
  const { kind = 'add', facts = {} } = options
  await store.addLinkCode(linkCode(`for ${name}`, by, { kind }))
  const outcome = await store.redeemLinkCode({
    code: digest(`for ${name}`),
    origin: ORIGIN,
    credential: newCertificate(name, facts),
    at: NOW,
  })
  if (outcome.kind !== 'linked') throw new Error(`linking ${name} came to ${outcome.kind}`)
  return outcome
}

export function linkCode(code: string, by: string, facts: Partial<NewLinkCode> = {}): NewLinkCode {
  return { code: digest(code), kind: 'add', by, origin: ORIGIN, at: NOW, expiresAt: NOW + 1000, ...facts }
}

export function linkRequest(name: string, handle: string, facts: Partial<LinkRequest> = {}): LinkRequest {
  return {
    id: `link of ${name}`,
    handleKey: digest(`handle ${handle}`),
    credential: newCertificate(name),
    at: NOW,
    expiresAt: NOW + 1000,
    ...facts,
  }
}

export function recoveryRequest(name: string, handle: string, code: string, usableFrom = NOW) {
  return {
    ...linkRequest(name, handle, { expiresAt: NOW + 2000 }),
    code: digest(code),
    readyAt: NOW + 1000,
    usableFrom,
  }
}

export function digest(text: string): string {
  return hash('sha256', text, 'hex')
}

/** What became of a credential. */
export async function statusOf(store: IdentityStore, { user, credential }: Linked): Promise<string | undefined> {
  const account = await store.account(user.id, NOW)
  return account?.credentials.find((each) => each.id === credential.id)?.status
}

/** Starts so many of something at once, spread over stores, and counts how they came out. */
export async function raceFor<Store>(
  stores: readonly Store[],
  count: number,
  attempt: (store: Store, n: number) => unknown,
): Promise<Record<string, number>> {
  const outcomes = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const store = stores[n % stores.length]
      if (store === undefined) throw new Error('no store')
      const outcome = await attempt(store, n)
      return typeof outcome === 'object' && outcome !== null && 'kind' in outcome
        ? String(outcome.kind)
        : String(outcome)
    }),
  )
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

export async function expectKind(outcome: unknown, kind: string, what?: string): Promise<void> {
  const settled = await outcome
  const found = typeof settled === 'object' && settled !== null && 'kind' in settled ? settled.kind : settled
  // Node 26 takes a message that is undefined for a mistake.
  if (what === undefined) strictEqual(found, kind)
  else strictEqual(found, kind, what)
}
