import { requireOptions } from '../internal/arguments.ts'
import type { AddressRange } from '../names/address-range.ts'
import { ClientAddress } from '../names/client-address.ts'
import type { ConnectionGuard } from '../net/connection-guard.ts'
import { type AddressList, AddressTable } from './address-table.ts'
import { ALLOWED, type Denied, type Middleware, type MiddlewareRequest, type MiddlewareResult } from './middleware.ts'

export interface AccessControlOptions {
  /** Who may come in. Once it is given, even empty, nobody else may, unless `defaultAllow` says so. */
  readonly allowList?: Iterable<string>
  /** Who may not, whatever the allow list says. */
  readonly denyList?: Iterable<string>
  /** What happens to those on neither list. Default: true without an allow list, false with one. */
  readonly defaultAllow?: boolean
}

/** Why an address may come in or not. */
export interface AccessExplanation {
  readonly allowed: boolean
  /** Which of the three decided. */
  readonly decidedBy: 'denyList' | 'allowList' | 'default'
  /** The range on that list that holds the address: the largest, if there are several. Null for the default. */
  readonly range: AddressRange | null
}

// The deny list goes first, so it has the lower tag.
const DENY = 1
const ALLOW = 2

/**
 * Decides by the client's address: deny list, then allow list, then default.
 *
 * Entries are addresses or ranges such as `203.0.113.0/24` and `2001:db8::/32`. They are compared by bits: an
 * IPv4-mapped IPv6 address is the IPv4 address, in rules and in clients, and `::/0` holds no IPv4 address. The lists are
 * read once; a list of a million entries answers as fast as a list of ten. To change them, make a new one.
 *
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for an entry that is no range, with its list and index. No
 *   entry is ever skipped.
 * @throws {TypeError} If a list is not a list of strings, or an option is not known.
 * @example
 * import { AccessControl } from 'tlacacoca/middleware'
 *
 * const access = new AccessControl({ allowList: ['192.0.2.0/24', '2001:db8::/32'], denyList: ['192.0.2.66'] })
 */
export class AccessControl implements Middleware, ConnectionGuard {
  readonly name = 'access_control'
  readonly #table: AddressTable
  readonly #defaultAllow: boolean

  constructor(options: AccessControlOptions = {}) {
    requireOptions('options', options, ['allowList', 'denyList', 'defaultAllow'])
    const { allowList, denyList, defaultAllow = allowList === undefined } = options
    if (typeof defaultAllow !== 'boolean') throw new TypeError('"defaultAllow" expected true or false')
    const lists: AddressList[] = []
    if (denyList !== undefined) lists.push({ name: 'denyList', tag: DENY, ranges: denyList })
    if (allowList !== undefined) lists.push({ name: 'allowList', tag: ALLOW, ranges: allowList })
    this.#table = new AddressTable(lists)
    this.#defaultAllow = defaultAllow
  }

  decide(request: MiddlewareRequest): MiddlewareResult {
    return this.#allows(request.address) ? ALLOWED : DENIED
  }

  /** The same decision about an address alone, for `guards` of a server: it is then made before the TLS handshake. */
  opened(address: ClientAddress): { readonly accept: boolean } {
    return { accept: this.#allows(address) }
  }

  /** Says which list, and which range on it, decides about an address. */
  explain(address: ClientAddress): AccessExplanation {
    const allowed = this.#allows(address)
    const range = ClientAddress.is(address) ? this.#table.rangeAt(address) : null
    if (range === null) return { allowed, decidedBy: 'default', range }
    return { allowed, decidedBy: allowed ? 'allowList' : 'denyList', range }
  }

  #allows(address: ClientAddress): boolean {
    // Text, or whatever else a program without types passes in, is nobody's address, whatever the default.
    if (!ClientAddress.is(address)) return false
    const tag = this.#table.tagAt(address)
    return tag === 0 ? this.#defaultAllow : tag === ALLOW
  }
}

const DENIED: Denied = Object.freeze({ allowed: false, denialReason: 'access_denied' })
