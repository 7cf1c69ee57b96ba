// Rate limits by address. The requests are made anew for each round, outside the time that is taken: an address that was
// just seen would be found in the processor's cache, and one from a socket is not.
//
// The floor is the least code for a limit of this kind: a table of eight-way sets of 16 bytes a slot, the bits of the
// address as key, a plain multiplication to find the set, the clock that ours reads too. It trusts its input, can be aimed
// at, takes the key of one family for that of the other, and knows no cost, no exemption and no reason.

import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  MemoryRateLimitStore,
  type MiddlewareRequest,
  parseClientAddress,
  RateLimiter,
  targetFromParts,
} from 'tlacacoca/middleware'
import { ClientAddress } from '../../../src/names/client-address.ts'
import { median, type Result } from '../measure.ts'
import { loadPeer } from '../peers.ts'

const BATCH = 8192
const ROUNDS = 61
const WARM_UP = 30
const GOAL = 1.15
const CAPACITY = 1_000_000
const PER_SECOND = 100_000_000

interface Asked {
  readonly request: MiddlewareRequest
  /** The same address as a socket has it. */
  readonly text: string
}

interface Contender {
  readonly name: string
  /** How many of them are allowed. */
  run(batch: readonly Asked[]): number | Promise<number>
  /** How much memory its table takes, where it is fixed. */
  readonly byteLength?: number
  close?(): void
}

const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/a/b' }, { served: 'any' })

export async function* rateLimits(): AsyncGenerator<Result[]> {
  for (const keys of [1, 64, 100_000, 1_000_000]) {
    const random = numbers()
    const words = Array.from({ length: keys }, () => random.next().value)
    const contenders = [floor(2 * keys), ours(2 * keys), shared(2 * keys), ...peers()]
    yield await compared(`rate limit, ${keys} keys`, contenders, () => {
      const word = words[random.next().value % keys] as number
      return ClientAddress.fromWords(4, 0, 0, 0, word)
    })
  }
  const contenders = [floor(1_000_000), ours(1_000_000)]
  yield await compared('rate limit, each request from another spoofed IPv6 /64', contenders, spoofed())
  yield await growth(10_000_000)
}

/** The time for one request of each contender, in turns. */
async function compared(name: string, contenders: readonly Contender[], next: () => ClientAddress): Promise<Result[]> {
  const times = contenders.map((): number[] => [])
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      // Each comes after each of the others as often.
      const index = (turn + round) % contenders.length
      const contender = contenders[index] as Contender
      const batch = fresh(next)
      const start = process.hrtime.bigint()
      const answer = contender.run(batch)
      const allowed = typeof answer === 'number' ? answer : await answer
      const spent = Number(process.hrtime.bigint() - start) / BATCH
      if (allowed !== BATCH) throw new Error(`${name}: ${contender.name} allows ${allowed} of ${BATCH}`)
      if (round >= WARM_UP) times[index]?.push(spent)
    }
  }
  for (const contender of contenders) contender.close?.()
  return contenders.map((contender, index) => ({
    name,
    contender: contender.name,
    amount: median(times[index] ?? []),
    unit: 'ns',
    ratioToFloor: median((times[index] ?? []).map((time, round) => time / (times[0]?.[round] ?? Number.NaN))),
    goal: contender.name === 'ours' ? GOAL : null,
  }))
}

/** By how much memory grows when so many addresses come; of the peers, which never end, by a fiftieth of them. */
async function growth(count: number): Promise<Result[]> {
  const name = `memory of ${count / 1e6} million spoofed IPv6 /64`
  const amounts: [string, number][] = []
  const make = [() => floor(1_000_000), () => ours(1_000_000), ...peers().map((peer) => () => peer)]
  for (const each of make) amounts.push(await grown(each, count))
  const least = amounts[0]?.[1] ?? Number.NaN
  return amounts.map(([contender, amount]) => ({
    name,
    contender,
    amount,
    unit: 'bytes',
    ratioToFloor: amount / least,
    // 32 bytes a slot, of which the floor has 16.
    goal: contender === 'ours' ? 2 : null,
  }))
}

/** In a function of its own, so that nothing is left of one when the next is measured. */
async function grown(make: () => Contender, count: number): Promise<[string, number]> {
  const before = held()
  const contender = make()
  const part = contender.byteLength === undefined ? 50 : 1
  const next = spoofed()
  for (let done = 0; done < count / part; done += BATCH) await contender.run(fresh(next))
  const bytes = (held() - before) * part
  contender.close?.()
  return [contender.name, bytes]
}

function held(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function fresh(next: () => ClientAddress): Asked[] {
  return Array.from({ length: BATCH }, () => {
    const text = String(next())
    return { request: { target, address: parseClientAddress(text), peer: null }, text }
  })
}

function floor(maxKeys: number): Contender {
  const sets = Math.ceil(maxKeys / 8)
  const moments = new Float64Array(sets * 16)
  const words = new Int32Array(moments.buffer)
  const take = ({ address }: MiddlewareRequest): boolean => {
    const isIPv4 = address.family === 4
    const k0 = isIPv4 ? 0 : address.w0 | 0
    const k1 = isIPv4 ? address.w3 | 0 : address.w1 | 0
    const now = (Math.floor(performance.now()) * PER_SECOND) / 1000
    const first = (((Math.imul(Math.imul(k0, 0x85ebca6b) ^ k1, 0x9e3779b1) >>> 0) * (sets / 2 ** 32)) | 0) * 8
    let slot = first
    let earliest = Number.POSITIVE_INFINITY
    let full = 0
    for (let i = first; i < first + 8; i++) {
      const moment = moments[i * 2 + 1] as number
      if (words[i * 4] === k0 && words[i * 4 + 1] === k1) {
        slot = i
        full = moment
        break
      }
      if (moment < earliest) {
        earliest = moment
        slot = i
      }
    }
    const then = Math.max(full, now) + 1
    if (then - now > CAPACITY) return false
    words[slot * 4] = k0
    words[slot * 4 + 1] = k1
    moments[slot * 2 + 1] = then
    return true
  }
  return {
    name: 'floor',
    byteLength: moments.byteLength,
    run(batch) {
      let allowed = 0
      for (const { request } of batch) if (take(request)) allowed++
      return allowed
    },
  }
}

function ours(maxKeys: number): Contender {
  const limiter = new RateLimiter({ capacity: CAPACITY, refillPerSecond: PER_SECOND, maxKeys })
  return {
    name: 'ours',
    byteLength: limiter.maxKeys * 16,
    run(batch) {
      let allowed = 0
      for (const { request } of batch) if (limiter.decide(request).allowed) allowed++
      return allowed
    },
  }
}

/** The same limit over a store in memory, by texts. */
function shared(maxKeys: number): Contender {
  const store = new MemoryRateLimitStore({ maxKeys })
  const limiter = new RateLimiter({ capacity: CAPACITY, refillPerSecond: PER_SECOND, store })
  return {
    name: 'ours, with a store',
    async run(batch) {
      let allowed = 0
      for (const { request } of batch) {
        const answer = limiter.decide(request)
        const result = answer instanceof Promise ? await answer : answer
        if (result.allowed) allowed++
      }
      return allowed
    },
  }
}

interface Flexible {
  readonly RateLimiterMemory: new (options: {
    points: number
    duration: number
  }) => {
    consume(key: string): Promise<unknown>
  }
}

interface Express {
  readonly MemoryStore: new () => {
    init(options: { windowMs: number }): void
    increment(key: string): Promise<{ totalHits: number }>
    shutdown(): void
  }
}

function peers(): Contender[] {
  const found: Contender[] = [mapOfBuckets()]
  const flexible = loadPeer<Flexible>('rate-limiter-flexible')
  if (flexible !== null) {
    // An hour: its timers, one for each key, must not fire in the middle.
    const limiter = new flexible.RateLimiterMemory({ points: 1e9, duration: 3600 })
    found.push({
      name: 'rate-limiter-flexible',
      async run(batch) {
        for (const { text } of batch) await limiter.consume(text)
        return batch.length
      },
    })
  }
  const express = loadPeer<Express>('express-rate-limit')
  if (express !== null) {
    const store = new express.MemoryStore()
    store.init({ windowMs: 3_600_000 })
    found.push({
      name: 'express-rate-limit MemoryStore',
      async run(batch) {
        let allowed = 0
        for (const { text } of batch) if ((await store.increment(text)).totalHits < 1e9) allowed++
        return allowed
      },
      close: () => store.shutdown(),
    })
  }
  return found
}

function mapOfBuckets(): Contender {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const take = (key: string): boolean => {
    const now = performance.now()
    const bucket = buckets.get(key)
    if (bucket === undefined) {
      buckets.set(key, { tokens: CAPACITY - 1, at: now })
      return true
    }
    bucket.tokens = Math.min(CAPACITY, bucket.tokens + ((now - bucket.at) * PER_SECOND) / 1000)
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }
  return {
    name: 'Map of buckets',
    run(batch) {
      let allowed = 0
      for (const { text } of batch) if (take(text)) allowed++
      return allowed
    },
  }
}

/** Numbers that look random and are the same in every run. */
function* numbers(): Generator<number, never> {
  for (let state = 0x2545f491; ; ) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    yield state >>> 0
  }
}

/** Networks of 2001:db8::/32, none of which comes twice. */
function spoofed(): () => ClientAddress {
  let count = 0
  return () => ClientAddress.fromWords(6, 0x20010db8, Math.imul(count++, 0x9e3779b1), 0, 1)
}
