// Whatever is decided on what somebody saw must not be written over what somebody else wrote meanwhile. Each race here is
// started on purpose: by many calls at once, or by acting in the middle of somebody else's decision.

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import type { PinStore } from '../../src/tofu/pin-store.ts'
import { SqlitePinStore } from '../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const endpoint = parseEndpoint('example.org:1965')
const made = await Promise.all(Array.from({ length: 16 }, () => testCertificate()))
const certificates = made.map((each) => each.certificate)
const [first, second, third] = made.map((each) => each.certificate) as [Cert, Cert, Cert]
const { certificate: renewed } = await testCertificate({ keyPem: made[0]?.keyPem ?? '' })

type Cert = (typeof certificates)[number]

/** A store that answers late and in another order than it was asked, as one at the other end of a network does. */
function slow(store: MemoryPinStore): PinStore {
  let asked = 0
  const read = async (subject: string) => {
    const pins = store.read(subject)
    await turns(1 + (asked++ % 3))
    return pins
  }
  return new Proxy<PinStore>(store, {
    get(_, name) {
      if (name === 'read') return read
      const value: unknown = Reflect.get(store, name)
      return typeof value === 'function' ? value.bind(store) : value
    },
  })
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}

describe.each<{ where: string; stores: () => Promise<PinStore[]> }>([
  { where: 'memory', stores: async () => [new MemoryPinStore()] },
  { where: 'a store that is slow to read', stores: async () => [slow(new MemoryPinStore())] },
  {
    where: 'one file that is opened twice',
    stores: async () => {
      const path = join(await temporaryFolder(), 'pins.db')
      return [await SqlitePinStore.open(path), await SqlitePinStore.open(path)]
    },
  },
])('in $where', ({ stores }) => {
  async function open(options = {}): Promise<{ all: TofuStore[]; close: () => Promise<void> }> {
    const all = (await stores()).map((store) => new TofuStore(store, options))
    return { all, close: async () => void (await Promise.all(all.map((store) => store.close()))) }
  }

  it('of many first contacts with different certificates one wins, and all the others see it', async () => {
    const { all, close } = await open()
    for (let round = 0; round < 10; round++) {
      const host = parseEndpoint(`host${round}.example:1965`)
      const results = await Promise.allSettled(
        certificates.map(async (certificate, n) => at(all, n).verifyOrTrust(host, certificate)),
      )
      const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      expect(winners).toMatchObject([{ kind: 'first_use' }])
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ pinned: winners[0]?.presented })
      }
    }
    await close()
  })

  it('of many first contacts with the same certificate one is the first, and the others recognise it', async () => {
    const { all, close } = await open()
    const visits = await Promise.all(Array.from({ length: 16 }, (_, n) => at(all, n).verifyOrTrust(endpoint, first)))
    expect(visits.filter((visit) => visit.kind === 'first_use')).toHaveLength(1)
    expect(visits.filter((visit) => visit.kind === 'trusted')).toHaveLength(15)
    await close()
  })

  it('of many that pin if nothing is pinned, one does', async () => {
    const { all, close } = await open()
    const results = await Promise.all(certificates.map((each, n) => at(all, n).pinIfAbsent(endpoint, each)))
    expect(results.filter((result) => result.pinned)).toHaveLength(1)
    expect(new Set(results.map((result) => result.pin.digest)).size).toBe(1)
    await close()
  })

  it('of many that replace the same pin, one does', async () => {
    const { all, close } = await open()
    await at(all, 0).trust(endpoint, first)
    const done = await Promise.all(
      certificates.slice(1).map((each, n) => at(all, n).replace(endpoint, first.fingerprint, each)),
    )
    expect(done.filter(Boolean)).toHaveLength(1)
    await close()
  })

  it('many that trust at once all succeed, and one pin is left', async () => {
    const { all, close } = await open()
    await Promise.all(certificates.map((each, n) => at(all, n).trust(endpoint, each)))
    const live = (await at(all, 0).pins(endpoint)).filter((pin) => pin.state === 'trusted')
    expect(live).toHaveLength(1)
    expect(await at(all, 0).history(endpoint)).toHaveLength(certificates.length)
    await close()
  })

  it('a yes to a change counts for what was asked, not for what came in the meantime', async () => {
    const { all, close } = await open()
    await at(all, 0).trust(endpoint, first)
    const asked: string[] = []
    const verifier = at(all, 0).verifier({
      changed: 'ask',
      onChanged: async (verdict) => {
        asked.push(verdict.pinned)
        // While the person reads the question, another window replaces the pin.
        if (asked.length === 1) await at(all, 1).trust(endpoint, third)
        return { accept: asked.length === 1 }
      },
    })
    expect(await verifier.verify(candidate(second))).toMatchObject({ accept: false, reason: 'changed' })
    // The person was asked again, about the new situation, and the first yes changed nothing.
    expect(asked).toEqual([first.fingerprint, third.fingerprint])
    expect(await at(all, 0).getHostInfo(endpoint)).toMatchObject({ fingerprint: third.fingerprint })
    await close()
  })

  it('a yes is not asked for twice if the other window took the same certificate', async () => {
    const { all, close } = await open()
    await at(all, 0).trust(endpoint, first)
    let asked = 0
    const verifier = at(all, 0).verifier({
      changed: 'ask',
      onChanged: async () => {
        asked++
        await at(all, 1).trust(endpoint, second)
        return { accept: true }
      },
    })
    expect(await verifier.verify(candidate(second))).toEqual({ accept: true, ground: 'trusted' })
    expect(asked).toBe(1)
    await close()
  })

  it('a yes does not outweigh a mark that was set in the meantime', async () => {
    const { all, close } = await open()
    await at(all, 0).trust(endpoint, first)
    const verifier = at(all, 0).verifier({
      changed: 'ask',
      onChanged: async () => {
        await at(all, 1).distrust(endpoint, second.publicKeyFingerprint)
        return { accept: true }
      },
    })
    expect(await verifier.verify(candidate(second))).toMatchObject({ accept: false, reason: 'distrusted' })
    expect(await at(all, 0).getHostInfo(endpoint)).toMatchObject({ fingerprint: first.fingerprint })
    await close()
  })

  it('a yes to a first visit does not replace a pin that was made in the meantime', async () => {
    const { all, close } = await open()
    const verifier = at(all, 0).verifier({
      onFirstUse: async () => {
        await at(all, 1).trust(endpoint, second)
        return { accept: true }
      },
    })
    expect(await verifier.verify(candidate(first))).toMatchObject({ accept: false, reason: 'changed' })
    expect(await at(all, 0).getHostInfo(endpoint)).toMatchObject({ fingerprint: second.fingerprint })
    await close()
  })

  it('a renewal does not bring back what was revoked in the meantime', async () => {
    const { all, close } = await open()
    await at(all, 0).trust(endpoint, first)
    const verifier = at(all, 0).verifier({
      renewed: 'ask',
      firstUse: 'refuse',
      onChanged: async () => {
        await at(all, 1).revoke(endpoint)
        return { accept: true }
      },
    })
    expect(await verifier.verify(candidate(renewed))).toMatchObject({ accept: false, reason: 'first_use' })
    expect(await at(all, 0).pins(endpoint)).toEqual([])
    await close()
  })

  it('whoever is overtaken every time gives up with an error', async () => {
    const { all, close } = await open()
    await at(all, 0).trust(endpoint, first)
    let n = 0
    const verifier = at(all, 0).verifier({
      changed: 'ask',
      onChanged: async () => {
        n++
        await at(all, 1).trust(endpoint, n % 2 === 0 ? first : third)
        return { accept: true }
      },
    })
    await expect(verifier.verify(candidate(second))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_LOCKED',
      message: expect.stringContaining('the pins of example.org:1965 changed 10 times'),
    })
    expect(n).toBe(10)
    expect((await at(all, 0).getHostInfo(endpoint))?.fingerprint).not.toBe(second.fingerprint)
    await close()
  })
})

function at(all: readonly TofuStore[], n: number): TofuStore {
  const store = all[n % all.length]
  if (store === undefined) throw new Error('no store')
  return store
}

function candidate(certificate: Cert) {
  return {
    endpoint,
    certificate,
    chain: [certificate],
    protocol: 'TLSv1.3' as const,
    signal: new AbortController().signal,
  }
}
