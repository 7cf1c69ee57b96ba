import { requireInteger, requireOptions } from '../internal/arguments.ts'
import type { ClientAddress } from '../names/client-address.ts'
import type { ConnectionDecision, ConnectionGuard } from '../net/connection-guard.ts'
import { AddressKeys, type ClientPrefixes, requireAddress } from './address-keys.ts'
import type { AddressEntries } from './address-list.ts'
import { AddressTable } from './address-table.ts'
import { ALLOWED, type Denied, type Middleware, type MiddlewareRequest, type MiddlewareResult } from './middleware.ts'

/** How many connections there may be. */
export interface ConnectionLimiterOptions extends ClientPrefixes {
  /**
   * How many connections one client may have open; one more is closed before its handshake. Default 32: a page with its
   * pictures, for a few people behind one address.
   */
  readonly maxPerAddress?: number
  /** How many connections all clients together may have open. Default: no limit but the server's `maxConnections`. */
  readonly maxTotal?: number
  /**
   * With more open connections than that, requests are denied as `busy`: clients get an answer, and soon give their place
   * to the next. Below `maxTotal` and the server's `maxConnections`, where they get none. Default: never.
   */
  readonly busyAbove?: number
  /** Who is not limited: addresses and ranges, as for `AccessControl`. Their connections are open ones all the same. */
  readonly exempt?: AddressEntries
}

/** What a {@link ConnectionLimiter} has done since it was made, and what it holds now. */
export interface ConnectionCounts {
  /** Connections that are open now. */
  readonly open: number
  /** Clients that have one open now, without those that are exempt. */
  readonly clients: number
  /** Connections that were one too many for their client. */
  readonly refusedByMaxPerAddress: number
  /** Connections that were one too many in all. */
  readonly refusedByMaxTotal: number
  /** Requests that were denied as `busy`. */
  readonly deniedBusy: number
}

/**
 * Limits how many connections are open at once, in all and for each client. It belongs in the `guards` of a server, which
 * tells it of each connection's beginning and end; with `busyAbove` the same one belongs in the chain as well.
 *
 * Only open connections are remembered, so memory is bounded by their number. Several servers can share one.
 *
 * @throws {RangeError} If a number is out of its range, or `busyAbove` could never be reached.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for an entry of `exempt` that is no range.
 * @example
 * import { ConnectionLimiter, createPlaintextServer, MiddlewareChain, RateLimiter } from 'tlacacoca/middleware'
 *
 * const connections = new ConnectionLimiter({ maxPerAddress: 10, busyAbove: 800 })
 * const guard = new MiddlewareChain([connections, new RateLimiter()]) // for `admit`
 * const server = createPlaintextServer(({ stream }) => stream.end('2 text/gemini\r\nhello\n'), {
 *   maxConnections: 1000,
 *   guards: [connections],
 * })
 */
export class ConnectionLimiter implements ConnectionGuard, Middleware {
  readonly name = 'connection_limit'
  readonly #maxPerAddress: number
  readonly #maxTotal: number
  readonly #busyAbove: number
  readonly #exempt: AddressTable | null
  readonly #keys: AddressKeys
  readonly #clients = new Map<string, number>()
  readonly #tooMany: ConnectionDecision
  readonly #full: ConnectionDecision
  readonly #busy: Denied
  #open = 0
  #refusedByMaxPerAddress = 0
  #refusedByMaxTotal = 0
  #deniedBusy = 0

  constructor(options: ConnectionLimiterOptions = {}) {
    requireOptions('options', options, KNOWN)
    const { maxPerAddress = 32, maxTotal, busyAbove, exempt } = options
    requireInteger('maxPerAddress', maxPerAddress, 1, Number.MAX_SAFE_INTEGER)
    if (maxTotal !== undefined) requireInteger('maxTotal', maxTotal, 1, Number.MAX_SAFE_INTEGER)
    if (busyAbove !== undefined) requireInteger('busyAbove', busyAbove, 1, Number.MAX_SAFE_INTEGER)
    if (maxTotal !== undefined && busyAbove !== undefined && busyAbove >= maxTotal) {
      throw new RangeError(`"busyAbove" expected a number below "maxTotal", ${maxTotal}, got ${busyAbove}`)
    }
    this.#maxPerAddress = maxPerAddress
    this.#maxTotal = maxTotal ?? Number.POSITIVE_INFINITY
    this.#busyAbove = busyAbove ?? Number.POSITIVE_INFINITY
    this.#keys = new AddressKeys(options)
    this.#exempt = exempt === undefined ? null : AddressTable.of({ name: 'exempt', tag: 1, ranges: exempt })
    this.#tooMany = Object.freeze({ accept: false, detail: `maxPerAddress: ${maxPerAddress}` })
    this.#full = Object.freeze({ accept: false, detail: `maxTotal: ${maxTotal}` })
    this.#busy = Object.freeze({ allowed: false, denialReason: 'busy', rule: `busyAbove: ${busyAbove}` })
  }

  /** Takes a place for a connection, if there is one. */
  opened(address: ClientAddress): ConnectionDecision {
    if (this.#isExempt(address)) {
      this.#open++
      return ACCEPTED
    }
    if (this.#open >= this.#maxTotal) {
      this.#refusedByMaxTotal++
      return this.#full
    }
    const key = this.#keys.textOf(address)
    const held = this.#clients.get(key) ?? 0
    if (held >= this.#maxPerAddress) {
      this.#refusedByMaxPerAddress++
      return this.#tooMany
    }
    this.#clients.set(key, held + 1)
    this.#open++
    return ACCEPTED
  }

  /** Gives the place back. To be called once for each connection that was accepted, as servers do. */
  closed(address: ClientAddress): void {
    if (this.#isExempt(address)) {
      this.#open--
      return
    }
    const key = this.#keys.textOf(address)
    const held = this.#clients.get(key)
    if (held === undefined) throw new RangeError(`a connection of ${address} was closed that had not been opened`)
    if (held === 1) this.#clients.delete(key)
    else this.#clients.set(key, held - 1)
    this.#open--
  }

  /** `busy` while more than `busyAbove` connections are open. */
  decide({ address }: MiddlewareRequest): MiddlewareResult {
    if (this.#open <= this.#busyAbove || this.#isExempt(address)) return ALLOWED
    this.#deniedBusy++
    return this.#busy
  }

  /** How many connections a client has open, with all addresses that count as the same; 0 for one that is exempt. */
  openFor(address: ClientAddress): number {
    return this.#isExempt(address) ? 0 : (this.#clients.get(this.#keys.textOf(address)) ?? 0)
  }

  /** How many connections are open. */
  get open(): number {
    return this.#open
  }

  /** For monitoring: a copy of all counters. */
  get counts(): ConnectionCounts {
    return {
      open: this.#open,
      clients: this.#clients.size,
      refusedByMaxPerAddress: this.#refusedByMaxPerAddress,
      refusedByMaxTotal: this.#refusedByMaxTotal,
      deniedBusy: this.#deniedBusy,
    }
  }

  #isExempt(address: ClientAddress): boolean {
    requireAddress(address)
    return this.#exempt !== null && this.#exempt.tagAt(address) !== 0
  }
}

const ACCEPTED: ConnectionDecision = Object.freeze({ accept: true })

const KNOWN = [
  'maxPerAddress',
  'maxTotal',
  'busyAbove',
  'ipv4PrefixLength',
  'ipv6PrefixLength',
  'exempt',
] as const satisfies readonly (keyof ConnectionLimiterOptions)[]
