import {
  requireFunction,
  requireInteger,
  requireOptions,
  requirePositive,
  requireString,
} from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import type { ClientAddress } from '../names/client-address.ts'
import type { ConnectionDecision, ConnectionGuard } from '../net/connection-guard.ts'
import { tell } from '../net/report.ts'
import { AddressKeys, type ClientPrefixes, requireAddress } from './address-keys.ts'
import type { AddressEntries } from './address-list.ts'
import { AddressTable } from './address-table.ts'
import { BanTable } from './ban-table.ts'
import { MAX_KEYS } from './bucket-table.ts'
import { ALLOWED, type Middleware, type MiddlewareRequest, type MiddlewareResult } from './middleware.ts'
import { Refill } from './refill.ts'
import { monotonicClock, SteadyTime } from './steady-time.ts'

/** When somebody is banned, and for how long. */
export interface BanListOptions extends ClientPrefixes {
  /** How many offences are tolerated; one more is a ban. A whole number above 0. Default 10. */
  readonly tolerated?: number
  /** How many offences are forgiven per second. Default 1/60: one a minute. */
  readonly forgivenPerSecond?: number
  /** How long the first ban lasts, in whole seconds. Default 60. */
  readonly firstBanSeconds?: number
  /** By how much each further ban is longer than the one before, 1 or more. Default 4. */
  readonly factor?: number
  /** How long a ban is at most. Default 86,400: a day. */
  readonly maxBanSeconds?: number
  /** After how many seconds without a ban one of the earlier ones is forgotten. Default 86,400. */
  readonly forgetAfterSeconds?: number
  /** Who is never banned: addresses and ranges, as for `AccessControl`. */
  readonly exempt?: AddressEntries
  /**
   * For how many clients there is memory, 32 bytes each, taken at once. It should be larger than the number of bans that
   * run at the same time. Rounded up to a multiple of 8. Default 65,536, which is 2 MB.
   */
  readonly maxKeys?: number
  /** Its name in reports and results. Default `bans`. */
  readonly name?: string
  /** Milliseconds that go forward; only differences count. Default: the process's monotonic clock. */
  readonly clock?: Clock
  /** Told of each ban that offences have led to. Whatever it does, throwing included, changes nothing. */
  readonly onBan?: (ban: Ban) => void
}

/** A ban that begins. */
export interface Ban {
  /** Whose last offence it was. All addresses that count as the same client are banned. */
  readonly address: ClientAddress
  /** How long it lasts. */
  readonly seconds: number
  /** How many earlier bans have made it longer; 0 for the first. */
  readonly step: number
}

/** What a list has done since it was made. */
export interface BanCounters {
  /** Offences that were reported; those during a ban and those of exempt clients do not count. */
  readonly offences: number
  /** Bans that offences have led to, and those by `ban`. */
  readonly bans: number
  /** Requests and connections that were refused. */
  readonly denied: number
  /** Records that had to make room for others while they were worth something. */
  readonly forgotten: number
}

/**
 * Bans clients that go on misbehaving, each time for longer: for a minute, four minutes, a quarter of an hour, up to a
 * day. What an offence is, you say, by `report`; a {@link RateLimiter} with `bans` reports those that it denies.
 *
 * It is a middleware, which denies with `rate_limit`, the seconds that are left and the detail `banned`, and a connection
 * guard, which refuses before the handshake. Offences during a ban do not prolong it, so the seconds are true.
 *
 * Memory is fixed at construction. Where it is used up, that record gives way which would be worthless first. A ban that
 * runs gives way only to another ban, and only where about as many are banned as there is memory for.
 *
 * @throws {RangeError} If a number is out of its range.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for an entry of `exempt` that is no range.
 * @example
 * import { BanList, createPlaintextServer, RateLimiter } from 'tlacacoca/middleware'
 *
 * const bans = new BanList({ exempt: ['127.0.0.1', '::1'] })
 * const limiter = new RateLimiter({ bans })
 * const server = createPlaintextServer(({ stream }) => stream.end(), { guards: [bans] })
 * console.log(limiter.name, bans.size, server.address)
 */
export class BanList implements Middleware, ConnectionGuard {
  readonly name: string
  readonly #table: BanTable
  readonly #keys: AddressKeys
  readonly #refill: Refill
  readonly #time: SteadyTime
  readonly #exempt: AddressTable | null
  readonly #onBan: ((ban: Ban) => unknown) | null
  readonly #firstSeconds: number
  readonly #factor: number
  readonly #maxSeconds: number
  readonly #watchers = new Set<(address: ClientAddress, seconds: number) => unknown>()
  /** From this step on, all bans are the longest: more of them would only take longer to forget. */
  readonly #lastStep: number
  #offences = 0
  #bans = 0
  #denied = 0

  constructor(options: BanListOptions = {}) {
    requireOptions('options', options, KNOWN)
    const { tolerated = 10, forgivenPerSecond = 1 / 60, exempt, onBan, clock = monotonicClock } = options
    const { firstBanSeconds = 60, factor = 4, maxBanSeconds = 86_400, forgetAfterSeconds = 86_400 } = options
    const { maxKeys = 65_536, name = 'bans' } = options
    requireInteger('tolerated', tolerated, 1, 1e9)
    requirePositive('forgivenPerSecond', forgivenPerSecond)
    requireInteger('firstBanSeconds', firstBanSeconds, 1, MAX_SECONDS)
    requirePositive('factor', factor)
    if (factor < 1) throw new RangeError(`"factor" expected 1 or more, got ${factor}`)
    requireInteger('maxBanSeconds', maxBanSeconds, firstBanSeconds, MAX_SECONDS)
    requireInteger('forgetAfterSeconds', forgetAfterSeconds, 1, MAX_SECONDS)
    requireInteger('maxKeys', maxKeys, 1, MAX_KEYS / 2)
    requireString('name', name)
    if (onBan !== undefined) requireFunction('onBan', onBan)
    this.name = name
    this.#keys = new AddressKeys(options)
    this.#refill = new Refill({ capacity: tolerated, refillPerSecond: forgivenPerSecond })
    this.#time = new SteadyTime(clock)
    this.#exempt = exempt === undefined ? null : AddressTable.of({ name: 'exempt', tag: 1, ranges: exempt })
    this.#onBan = onBan ?? null
    this.#firstSeconds = firstBanSeconds
    this.#factor = factor
    this.#maxSeconds = maxBanSeconds
    this.#lastStep = lastStepOf(firstBanSeconds, factor, maxBanSeconds)
    this.#table = new BanTable(maxKeys, this.#refill.unitsPerMs, forgetAfterSeconds * 1000)
  }

  /** Denies as `rate_limit` while the client is banned. It counts no offence. */
  decide(request: MiddlewareRequest): MiddlewareResult {
    const seconds = this.secondsLeft(request.address)
    if (seconds === 0) return ALLOWED
    this.#denied++
    return { allowed: false, denialReason: 'rate_limit', retryAfterSeconds: seconds, rule: this.name, detail: 'banned' }
  }

  /** Refuses a connection of who is banned, for `guards` of a server. */
  opened(address: ClientAddress): ConnectionDecision {
    if (this.secondsLeft(address) === 0) return { accept: true }
    this.#denied++
    return { accept: false, detail: 'banned' }
  }

  /**
   * Reports an offence. It counts for all addresses of the client, and not while it is banned.
   *
   * @param weight - For how many offences it counts, a number above 0. Default 1.
   * @returns How many seconds the client is banned for from now on; 0 if it is not.
   */
  report(address: ClientAddress, weight = 1): number {
    const refill = this.#refill
    const units = refill.cost(weight)
    if (this.#isExempt(address)) return 0
    const nowMs = this.#time.now()
    const slot = this.#find(address)
    const leftMs = slot < 0 ? 0 : this.#table.bannedUntil(slot) - nowMs
    if (leftMs > 0) return Math.ceil(leftMs / 1000)
    this.#offences++
    const now = nowMs * refill.unitsPerMs
    const used = slot < 0 ? 0 : Math.max(0, this.#table.forgivenAt(slot) - now)
    if (used + units > refill.capacity) return this.#banForOffences(address, slot, nowMs)
    const at = slot < 0 ? this.#add(address, false, nowMs) : slot
    if (at >= 0) this.#table.setForgivenAt(at, now + used + units)
    return 0
  }

  /**
   * Bans a client, at least for so long. It is no step towards longer bans.
   *
   * @param seconds - A whole number.
   * @returns How many seconds the ban lasts from now on; 0 for who is exempt.
   */
  ban(address: ClientAddress, seconds: number): number {
    requireInteger('seconds', seconds, 1, MAX_SECONDS)
    if (this.#isExempt(address)) return 0
    const nowMs = this.#time.now()
    const slot = this.#slotForBan(address, this.#find(address), nowMs)
    const until = Math.max(this.#table.bannedUntil(slot), nowMs + seconds * 1000)
    this.#table.setBan(slot, until, this.#table.step(slot, nowMs))
    this.#bans++
    const left = Math.ceil((until - nowMs) / 1000)
    this.#tellWatchers(address, left)
    return left
  }

  /** Ends a ban and forgets all that was held against the client. Tells whether it was banned. */
  lift(address: ClientAddress): boolean {
    requireAddress(address)
    const slot = this.#find(address)
    const banned = slot >= 0 && this.#table.bannedUntil(slot) > this.#time.now()
    if (slot >= 0) this.#table.remove(slot)
    this.#tellWatchers(address, 0)
    return banned
  }

  /**
   * Has somebody told of each ban that begins or is prolonged, by offences or by hand, and for how many seconds it lasts
   * from now on; and of each `lift`, with 0 seconds, whether there was a ban or not. Whatever the listener does, throwing
   * included, changes nothing.
   *
   * @returns A function that ends it.
   * @example
   * import { BanList } from 'tlacacoca/middleware'
   *
   * const bans = new BanList()
   * const stop = bans.watch((address, seconds) => console.log(seconds > 0 ? `banned ${address}` : `lifted ${address}`))
   * stop()
   */
  watch(listener: (address: ClientAddress, seconds: number) => unknown): () => void {
    requireFunction('listener', listener)
    // A function of its own for each call: the same listener twice is two, and each ends for itself.
    const own = (address: ClientAddress, seconds: number): unknown => listener(address, seconds)
    this.#watchers.add(own)
    return () => {
      this.#watchers.delete(own)
    }
  }

  /** How many seconds a client is banned for, rounded up; 0 if it is not. */
  secondsLeft(address: ClientAddress): number {
    if (this.#isExempt(address)) return 0
    const slot = this.#find(address)
    if (slot < 0) return 0
    return Math.max(0, Math.ceil((this.#table.bannedUntil(slot) - this.#time.now()) / 1000))
  }

  /** How many clients are banned. Looks at the whole table. */
  get size(): number {
    return this.#table.countBans(this.#time.now())
  }

  /** For how many clients there is memory. */
  get maxKeys(): number {
    return this.#table.capacity
  }

  /** What it has done until now, for monitoring. */
  get counters(): BanCounters {
    return {
      offences: this.#offences,
      bans: this.#bans,
      denied: this.#denied,
      forgotten: this.#table.forgotten,
    }
  }

  #banForOffences(address: ClientAddress, known: number, nowMs: number): number {
    const slot = this.#slotForBan(address, known, nowMs)
    const step = this.#table.step(slot, nowMs)
    const seconds = Math.ceil(Math.min(this.#maxSeconds, this.#firstSeconds * this.#factor ** step))
    this.#table.setBan(slot, nowMs + seconds * 1000, Math.min(step + 1, this.#lastStep))
    // After the ban it begins anew, but the next ban will be longer.
    this.#table.setForgivenAt(slot, 0)
    this.#bans++
    // Watchers first: `onBan` may lift the ban, of which they must hear last.
    this.#tellWatchers(address, seconds)
    if (this.#onBan !== null) tell(this.#onBan, { address, seconds, step })
    return this.secondsLeft(address)
  }

  #tellWatchers(address: ClientAddress, seconds: number): void {
    for (const watcher of this.#watchers) tell(watcher, address, seconds)
  }

  /** The slot of a client, or -1. */
  #find(address: ClientAddress): number {
    const keys = this.#keys
    return this.#table.find(keys.first(address), keys.second(address), keys.kind(address))
  }

  #add(address: ClientAddress, banned: boolean, nowMs: number): number {
    const keys = this.#keys
    return this.#table.add(keys.first(address), keys.second(address), keys.kind(address), banned, nowMs)
  }

  #slotForBan(address: ClientAddress, known: number, nowMs: number): number {
    return known < 0 ? this.#add(address, true, nowMs) : known
  }

  #isExempt(address: ClientAddress): boolean {
    requireAddress(address)
    return this.#exempt !== null && this.#exempt.tagAt(address) !== 0
  }
}

const KNOWN = [
  'tolerated',
  'forgivenPerSecond',
  'firstBanSeconds',
  'factor',
  'maxBanSeconds',
  'forgetAfterSeconds',
  'ipv4PrefixLength',
  'ipv6PrefixLength',
  'exempt',
  'maxKeys',
  'name',
  'clock',
  'onBan',
]

// About a century. Who is never to come back belongs into a deny list.
const MAX_SECONDS = 3e9

function lastStepOf(first: number, factor: number, max: number): number {
  let step = 0
  // A factor that hardly grows would take for ever, and a thousand steps to be forgotten are enough.
  while (first * factor ** step < max && factor > 1 && step < 1000) step++
  return step
}
