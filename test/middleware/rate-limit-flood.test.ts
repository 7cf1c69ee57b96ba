import { describe, expect, it } from 'vitest'
import { BanList } from '../../src/middleware/ban-list.ts'
import { MemoryRateLimitStore } from '../../src/middleware/memory-rate-limit-store.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import { ClientAddress, parseClientAddress } from '../../src/names/client-address.ts'
import { request } from './requests.ts'

// An IPv6 /32 has 2^32 networks to send from. What is counted here is the memory of the tables themselves; the time that
// a flood takes is for the benchmarks.
const FLOOD = 10_000_000
const spoofed = (i: number): ClientAddress => ClientAddress.fromWords(6, 0x20010db8, Math.imul(i, 0x9e3779b1), i, 1)

function arrayBuffers(): number {
  return process.memoryUsage().arrayBuffers
}

describe('ten million spoofed addresses', () => {
  it('leave the memory of a limiter as it was, give nothing to who is limited, and deny nobody who has tokens', () => {
    const before = arrayBuffers()
    const limiter = new RateLimiter({ capacity: 10, refillPerSecond: 0.001, maxKeys: 100_000 })
    const built = arrayBuffers()
    expect(built - before).toBeLessThanOrEqual(100_000 * 16 + 4096)
    const limited = Array.from({ length: 100 }, (_, i) => parseClientAddress(`198.51.100.${i}`))
    const req = request()
    for (const address of limited) expect(limiter.decide({ ...req, address, cost: 10 }).allowed).toBe(true)
    let refused = 0
    for (let i = 0; i < FLOOD; i++) if (!limiter.decide({ ...req, address: spoofed(i) }).allowed) refused++
    expect(refused).toBe(0)
    expect(arrayBuffers()).toBeLessThanOrEqual(built + 4096)
    expect(limiter.maxKeys).toBe(100_000)
    expect(limiter.counters.forgotten).toBeGreaterThan(FLOOD - 100_000 - 101)
    expect(limited.filter((address) => limiter.decide({ ...req, address }).allowed)).toEqual([])
    for (let i = 0; i < 1000; i++) {
      const address = ClientAddress.fromWords(4, 0, 0, 0, 0x0a000000 + i)
      expect(limiter.decide({ ...req, address, cost: 10 }).allowed).toBe(true)
    }
  })
})

describe('a million spoofed keys', () => {
  it('leave the memory of a store as it was, and the buckets that are empty', () => {
    const store = new MemoryRateLimitStore({ maxKeys: 10_000 })
    const bucket = { capacity: 5, refillPerSecond: 0.001 }
    store.consume('mine', bucket, 5)
    expect(store.byteLength).toBe(160_000)
    let refused = 0
    for (let i = 0; i < 1_000_000; i++) if (!store.consume(`address:2001:db8:${i}::/64`, bucket, 1).allowed) refused++
    expect(refused).toBe(0)
    expect(store.byteLength).toBe(160_000)
    expect(store.consume('mine', bucket, 1).allowed).toBe(false)
  })

  it('leave the memory of a ban list as it was, and the bans that run', () => {
    const bans = new BanList({ maxKeys: 10_000 })
    const built = arrayBuffers()
    const mine = parseClientAddress('198.51.100.1')
    bans.ban(mine, 100_000)
    let banned = 0
    for (let i = 0; i < 1_000_000; i++) if (bans.report(spoofed(i)) > 0) banned++
    expect(banned).toBe(0)
    expect(arrayBuffers()).toBeLessThanOrEqual(built + 4096)
    expect(bans.secondsLeft(mine)).toBeGreaterThan(90_000)
    expect(bans.size).toBe(1)
  })
})
