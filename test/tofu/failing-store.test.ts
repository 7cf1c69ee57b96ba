// A store that cannot answer must never read as one that knows nothing: to the attacker in the middle, a first visit is
// the way in.

import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/errors.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'

const endpoint = parseEndpoint('example.org:1965')
const { certificate: first, keyPem } = await testCertificate()
const { certificate: renewed } = await testCertificate({ keyPem })
const { certificate: other } = await testCertificate()

const METHODS = ['lastSeen', 'read', 'update', 'seen', 'publicKey'] as const
const failure = new StoreError('ERR_TLACACOCA_STORE_FAILED', 'the store is on fire')

/** A store in which one method fails, as a rejection or as an exception. */
function failing(method: (typeof METHODS)[number], how: 'throws' | 'rejects'): MemoryPinStore {
  const store = new MemoryPinStore()
  const fail = (): never | Promise<never> => {
    if (how === 'throws') throw failure
    return Promise.reject(failure)
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === method && broken) return fail
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

let broken = false

describe.each(METHODS)('a store whose %s fails', (method) => {
  it.each(['throws', 'rejects'] as const)('(%s) accepts nobody that it would have to ask it about', async (how) => {
    broken = false
    let now = Date.parse('2030-06-01T12:00:00Z')
    const known = new TofuStore(failing(method, how), { clock: () => now })
    await known.trust(endpoint, first)
    now += 2 * 86_400_000
    broken = true

    const needed: Record<string, readonly string[]> = {
      'the pinned one': ['lastSeen', 'read', 'seen'],
      'a renewal': ['lastSeen', 'read', 'update'],
      'a stranger': ['lastSeen', 'read', 'publicKey'],
      'a first visit': ['lastSeen', 'read', 'update'],
    }
    const elsewhere = parseEndpoint('elsewhere.example:1965')
    const visits = {
      'the pinned one': () => known.verifyOrTrust(endpoint, first),
      'a renewal': () => known.verifyOrTrust(endpoint, renewed),
      'a stranger': () => known.verifyOrTrust(endpoint, other),
      'a first visit': () => known.verifyOrTrust(elsewhere, other),
    }
    for (const [what, visit] of Object.entries(visits)) {
      if (needed[what]?.includes(method)) await expect(visit(), what).rejects.toBe(failure)
    }
    const verifier = known.verifier()
    if (method === 'lastSeen' || method === 'read' || method === 'update') {
      const candidate = { endpoint: elsewhere, certificate: other, chain: [other], protocol: 'TLSv1.3' as const }
      await expect(verifier.verify({ ...candidate, signal: new AbortController().signal })).rejects.toBe(failure)
    }
    broken = false
    expect(await known.judge(elsewhere, other).catch(() => null)).not.toMatchObject({ kind: 'trusted' })
  })
})
