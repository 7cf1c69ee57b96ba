import { randomFillSync } from 'node:crypto'
import { requireInteger, requireString } from '../internal/arguments.ts'
import { ClientAddress } from '../names/client-address.ts'
import { parseRequestPath, type RequestPath } from '../names/request-path.ts'
import type { ConnectionDecision, ConnectionGuard } from '../net/connection-guard.ts'
import { AddressKeys, requireAddress } from './address-keys.ts'
import { AddressTable } from './address-table.ts'
import type { BanList } from './ban-list.ts'
import { BucketTable, type KeyKind, MAX_KEYS } from './bucket-table.ts'
import { hashText } from './half-sip-hash.ts'
import { ALLOWED, type Denied, type Middleware, type MiddlewareRequest, type MiddlewareResult } from './middleware.ts'
import { askStore, denial, forBan, type StoreAnswer } from './rate-limit-answer.ts'
import { type CompiledBy, keyText, parsed } from './rate-limit-key.ts'
import type { RateLimitStore } from './rate-limit-store.ts'
import { checkOptions, type RateLimitCounters, type RateLimiterOptions } from './rate-limiter-options.ts'
import { type BucketOptions, Refill, type TokenBucketResult } from './refill.ts'
import { monotonicClock, SteadyTime } from './steady-time.ts'

/** @internal What a request asks of one limit. */
export interface Claim {
  readonly address: ClientAddress
  readonly cost: number
  readonly units: number
  /** The text of its key, where there is a store. */
  readonly key: string
  readonly k0: number
  readonly k1: number
  readonly kind: KeyKind
}

/**
 * Limits how often each client may ask: a token bucket (see {@link TokenBucket}) for every IPv4 address and every IPv6
 * /64, or for whatever else it counts by. A refusal says `rate_limit` and after how many seconds the same request will
 * pass; without that number, the request costs more than a bucket holds and never will.
 *
 * Memory is fixed at construction. A flood of new addresses cannot make it grow, nor lock out anybody who has tokens. It
 * can make the limiter forget who has none only by using up the tokens of about as many addresses as there is memory for.
 *
 * A certificate costs its owner nothing, and a path can be made up: limits by these stand beside one by address, see
 * {@link RateLimits}. Requests without a certificate pass a limit by certificate.
 *
 * `decide` throws a `RangeError` if the cost is not a finite number above 0; in a chain that is a refusal.
 *
 * @throws {RangeError} If a number is out of its range; a rate of NaN or Infinity would never limit anybody.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for an entry of `exempt` that is no range,
 *   `ERR_TLACACOCA_TARGET_INVALID` for a `path` that is none.
 * @example
 * import { RateLimiter } from 'tlacacoca/middleware'
 *
 * const requests = new RateLimiter({ capacity: 10, refillPerSecond: 1, exempt: ['127.0.0.1', '::1'] })
 * const searches = new RateLimiter({ name: 'search', path: '/search', by: ['address', 'path'], capacity: 3 })
 * console.log(requests.name, searches.name)
 */
export class RateLimiter<Store extends RateLimitStore | undefined = undefined> implements Middleware, ConnectionGuard {
  readonly name: string
  readonly #bucket: BucketOptions
  readonly #refill: Refill
  readonly #oneToken: number
  readonly #keys: AddressKeys
  /** Null for addresses alone in memory: the words of an address are their own key. */
  readonly #by: CompiledBy | null
  readonly #path: RequestPath | null
  readonly #store: RateLimitStore | null
  readonly #bans: BanList | null
  readonly #table: BucketTable
  readonly #time: SteadyTime
  readonly #exempt: AddressTable | null
  readonly #cost: ((request: MiddlewareRequest) => number) | null
  readonly #seed = randomFillSync(new Int32Array(2))
  /** Whether only addresses, memory and costs matter: the shortest way. */
  readonly #isPlain: boolean
  /** Why it cannot be asked about connections, or null. */
  readonly #noGuard: string | null
  #allowed = 0
  #denied = 0
  #banned = 0
  #exempted = 0
  #unlimited = 0
  #failed = 0

  constructor(options: RateLimiterOptions<Store> = {}) {
    const by = checkOptions(options)
    const { capacity = 10, refillPerSecond = 1, maxKeys = 65_536, clock = monotonicClock } = options
    const { name = 'rate_limit', path, exempt, cost, store, bans } = options
    requireInteger('maxKeys', maxKeys, 1, MAX_KEYS)
    if (path !== undefined) requireString('path', path)
    this.name = name
    this.#bucket = Object.freeze({ capacity, refillPerSecond })
    this.#refill = new Refill(this.#bucket)
    this.#oneToken = this.#refill.cost(1)
    this.#time = new SteadyTime(clock)
    this.#keys = new AddressKeys(options)
    this.#exempt = exempt === undefined ? null : AddressTable.of({ name: 'exempt', tag: 1, ranges: exempt })
    this.#cost = cost ?? null
    this.#path = path === undefined ? null : parseRequestPath(path)
    this.#store = store ?? null
    this.#bans = bans ?? null
    const isOnly = (subject: string): boolean => Array.isArray(by) && `${by}` === subject
    this.#by = store === undefined && isOnly('address') ? null : by
    this.#isPlain = this.#by === null && this.#keys.isExact && path === undefined && bans === undefined
    this.#noGuard =
      store !== undefined
        ? 'asks a store, which cannot answer at once'
        : path !== undefined || !(isOnly('address') || isOnly('global'))
          ? 'needs a request, and a connection is none'
          : null
    this.#table = new BucketTable(store !== undefined || isOnly('global') ? 1 : maxKeys)
  }

  /** Takes the tokens of a request, and denies as `rate_limit` if there are too few. */
  decide(request: MiddlewareRequest): StoreAnswer<Store, MiddlewareResult>
  decide(request: MiddlewareRequest): MiddlewareResult | Promise<MiddlewareResult> {
    if (!this.#isPlain) return this.#decideByClaim(request)
    const { address } = request
    if (this.#isExempt(address)) {
      this.#exempted++
      return ALLOWED
    }
    const units = this.#cost === null && request.cost === undefined ? this.#oneToken : this.#unitsOf(request)
    // As `AddressKeys` does it, but written out: this is on the way of every request.
    const keys = this.#keys
    const isIPv4 = address.family === 4
    const k0 = isIPv4 ? 0 : address.w0 & keys.mask0
    const k1 = isIPv4 ? address.w3 & keys.ipv4Mask : address.w1 & keys.mask1
    const missing = this.#takeKey(k0, k1, isIPv4 ? -1 : 1, units)
    if (missing > 0) return this.deny(address, this.#denial(units, missing))
    this.#allowed++
    return ALLOWED
  }

  /**
   * Takes one token for a connection, for `guards` of a server: then handshakes are limited, not requests. One limiter
   * in both places would count everybody twice.
   *
   * @throws {TypeError} If it counts by something that a connection does not have, or asks a store.
   */
  opened(address: ClientAddress): ConnectionDecision {
    if (this.#noGuard !== null) throw new TypeError(`the limiter "${this.name}" ${this.#noGuard}`)
    if (this.#isExempt(address)) {
      this.#exempted++
      return { accept: true }
    }
    if (this.#bans !== null && this.#bans.secondsLeft(address) > 0) {
      this.#banned++
      return { accept: false, detail: 'banned' }
    }
    const claim = this.#by === null ? this.#claimOfAddress(address, 1) : this.#claimOfKey('global', address, 1)
    return this.settle(claim) === ALLOWED ? { accept: true } : { accept: false, detail: this.name }
  }

  /**
   * What a request would be told now, and how many tokens there are. Takes nothing, and looks at the bucket only: not at
   * who is exempt or banned.
   *
   * @param subject - A request, or an address where addresses are what is counted by.
   * @param cost - Default: what the request costs, and 1 for an address.
   */
  peek(subject: ClientAddress | MiddlewareRequest, cost?: number): StoreAnswer<Store, TokenBucketResult>
  peek(subject: ClientAddress | MiddlewareRequest, cost?: number): TokenBucketResult | Promise<TokenBucketResult> {
    const claim = this.#claimOf(subject, cost)
    if (claim === null) return { allowed: true, remaining: this.#bucket.capacity }
    if (this.#store !== null) return this.#store.peek(claim.key, this.#bucket, claim.cost)
    return this.#refill.answer(this.#usedBy(claim), claim.units)
  }

  /** Gives all tokens back to a client, or to whatever a request is counted by. */
  reset(subject: ClientAddress | MiddlewareRequest): StoreAnswer<Store, void>
  reset(subject: ClientAddress | MiddlewareRequest): void | Promise<void> {
    const claim = this.#claimOf(subject, 1)
    if (claim === null) return
    if (this.#store !== null) return this.#store.reset(claim.key, this.#bucket)
    this.#table.reset(this.#table.setOf(claim.k0, claim.k1), claim.k0, claim.k1, claim.kind)
  }

  /** How many clients have less than all their tokens. Looks at the whole table; 0 where the buckets are in a store. */
  get size(): number {
    return this.#table.countUsed(this.#time.now() * this.#refill.unitsPerMs)
  }

  /** For how many clients there is memory; 0 where the buckets are in a store. */
  get maxKeys(): number {
    return this.#store === null ? this.#table.capacity : 0
  }

  /** What it has done until now, for monitoring. */
  get counters(): RateLimitCounters {
    return {
      allowed: this.#allowed,
      denied: this.#denied,
      banned: this.#banned,
      exempt: this.#exempted,
      unlimited: this.#unlimited,
      failed: this.#failed,
      forgotten: this.#table.forgotten,
    }
  }

  /** @internal What a request asks of this limit; a result where that is settled without the bucket. */
  claim(request: MiddlewareRequest): Claim | MiddlewareResult {
    if (this.#isExempt(request.address)) {
      this.#exempted++
      return ALLOWED
    }
    const claim = this.#claimOf(request, undefined)
    if (claim === null) {
      this.#unlimited++
      return ALLOWED
    }
    const seconds = this.#bans === null ? 0 : this.#bans.secondsLeft(request.address)
    if (seconds === 0) return claim
    this.#banned++
    return forBan(this.#store === null ? this.#verdict(claim) : ALLOWED, seconds, this.name)
  }

  /** @internal What `settle` would say now. Takes and counts nothing. */
  look(claim: Claim): MiddlewareResult | Promise<MiddlewareResult> {
    return this.#store === null || claim.units > this.#refill.capacity
      ? this.#verdict(claim)
      : askStore(this.#store, 'peek', this.#question(claim))
  }

  /** @internal Takes what a claim asks for, or counts the denial. */
  settle(claim: Claim): MiddlewareResult | Promise<MiddlewareResult> {
    const { address, units } = claim
    if (this.#store === null) {
      const missing = this.#takeKey(claim.k0, claim.k1, claim.kind, units)
      if (missing > 0) return this.deny(address, this.#denial(units, missing))
      this.#allowed++
      return ALLOWED
    }
    // Whatever the store would say.
    if (units > this.#refill.capacity) return this.deny(address, this.#denial(units, 0))
    const answer = askStore(this.#store, 'consume', this.#question(claim))
    return answer instanceof Promise
      ? answer.then((result) => this.#count(address, result))
      : this.#count(address, answer)
  }

  /** @internal Counts a denial, for the ban list too, and gives what is said to the client. */
  deny(address: ClientAddress, denied: Denied): Denied {
    if (denied.denialReason === 'internal_error') {
      this.#failed++
      return denied
    }
    this.#denied++
    const seconds = this.#bans === null ? 0 : this.#bans.report(address)
    return seconds === 0 ? denied : forBan(denied, seconds, this.name)
  }

  /** @internal Whether it keeps its buckets itself, and so answers at once. */
  get isInMemory(): boolean {
    return this.#store === null
  }

  #unitsOf(request: MiddlewareRequest): number {
    return this.#refill.cost(this.#costOf(request))
  }

  #decideByClaim(request: MiddlewareRequest): MiddlewareResult | Promise<MiddlewareResult> {
    const claim = this.claim(request)
    return 'allowed' in claim ? claim : this.settle(claim)
  }

  #count(address: ClientAddress, result: MiddlewareResult): MiddlewareResult {
    if (!result.allowed) return this.deny(address, result)
    this.#allowed++
    return result
  }

  #question({ key, cost }: Claim) {
    return { key, bucket: this.#bucket, cost, rule: this.name }
  }

  /** What a claim would be told now, by what is in memory. */
  #verdict(claim: Claim): MiddlewareResult {
    const missing = this.#usedBy(claim) + claim.units - this.#refill.capacity
    return missing > 0 ? this.#denial(claim.units, missing) : ALLOWED
  }

  #denial(units: number, missing: number): Denied {
    if (units <= this.#refill.capacity) return denial(this.name, this.#refill.secondsFor(missing))
    return { ...denial(this.name, undefined), detail: 'the request costs more than the limit ever allows' }
  }

  /** What a request, or an address alone, asks of its bucket; null if it has none here. */
  #claimOf(subject: ClientAddress | MiddlewareRequest, givenCost: number | undefined): Claim | null {
    if (ClientAddress.is(subject)) return this.#claimOfAddress(subject, givenCost ?? 1)
    requireAddress(subject?.address)
    if (this.#path !== null && !parsed(subject.target).path.startsWith(this.#path)) return null
    const by = this.#by
    const key = by === null ? '' : keyText(by, subject, this.#keys)
    if (key === null) return null
    const cost = givenCost ?? this.#costOf(subject)
    return by === null ? this.#claimOfAddress(subject.address, cost) : this.#claimOfKey(key, subject.address, cost)
  }

  #claimOfAddress(address: ClientAddress, cost: number): Claim {
    if (this.#by !== null) {
      if (`${this.#by}` !== 'address') {
        throw new TypeError(`the limiter "${this.name}" does not count by addresses alone: it needs a request`)
      }
      return this.#claimOfKey(`address:${this.#keys.textOf(address)}`, address, cost)
    }
    const units = this.#refill.cost(cost)
    const keys = this.#keys
    const [k0, k1, kind] = [keys.first(address), keys.second(address), keys.kind(address)]
    return { address, cost, units, key: '', k0, k1, kind }
  }

  #claimOfKey(text: string, address: ClientAddress, cost: number): Claim {
    const units = this.#refill.cost(cost)
    if (this.#store !== null) return { address, cost, units, key: `${this.name}:${text}`, k0: 0, k1: 0, kind: 1 }
    hashText(this.#seed, text, HASH)
    return { address, cost, units, key: '', k0: HASH[0] as number, k1: HASH[1] as number, kind: 1 }
  }

  #costOf(request: MiddlewareRequest): number {
    return this.#cost === null ? (request.cost ?? 1) : this.#cost(request)
  }

  #usedBy({ k0, k1, kind }: Claim): number {
    const now = this.#time.now() * this.#refill.unitsPerMs
    return Math.max(0, this.#table.fullAt(this.#table.setOf(k0, k1), k0, k1, kind) - now)
  }

  /** How many units are missing; they were taken if it is 0 or less. */
  #takeKey(k0: number, k1: number, kind: KeyKind, units: number): number {
    const { capacity, unitsPerMs } = this.#refill
    const set = this.#table.setOf(k0, k1)
    return this.#table.take(set, k0, k1, kind, units, capacity, this.#time.now() * unitsPerMs)
  }

  #isExempt(address: ClientAddress): boolean {
    requireAddress(address)
    return this.#exempt !== null && this.#exempt.tagAt(address) !== 0
  }
}

const HASH = new Int32Array(2)
