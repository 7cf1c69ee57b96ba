import { requireBoolean, requireInteger, requireOptions, requirePositive, show } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { doAtOnce, doInSlices } from '../internal/slices.ts'
import { type AddressRange, parseAddressRange } from '../names/address-range.ts'
import { ClientAddress } from '../names/client-address.ts'
import type { ConnectionDecision, ConnectionGuard } from '../net/connection-guard.ts'
import type { AddressEntries } from './address-list.ts'
import { AddressTable } from './address-table.ts'
import {
  ALLOWED,
  type Allowed,
  type Denied,
  type Middleware,
  type MiddlewareRequest,
  type MiddlewareResult,
} from './middleware.ts'
import { monotonicClock, SteadyTime } from './steady-time.ts'
import { type TemporaryRange, TemporaryRanges } from './temporary-ranges.ts'

/** Who may come in and who may not. */
export interface AccessRules {
  /** Who may come in. Once it is given, even empty, nobody else may, unless `defaultAllow` says so. */
  readonly allowList?: AddressEntries
  /** Who may not, whatever the allow lists say. */
  readonly denyList?: AddressEntries
  /** More lists of the first kind, by the names that decisions call them. An empty object counts as a list, too. */
  readonly allowLists?: Readonly<Record<string, AddressEntries>>
  /** More lists of the second kind. Where several hold an address, the one that stands first is named. */
  readonly denyLists?: Readonly<Record<string, AddressEntries>>
  /** What happens to those on no list. Default: true without an allow list, false with one. */
  readonly defaultAllow?: boolean
}

export interface AccessControlOptions extends AccessRules {
  /**
   * How many temporary entries of each kind there may be. Default 10,000. Where there is no room for another, the one
   * that ends first is given up. Bans that clients bring upon themselves are better kept by a {@link BanList}.
   */
  readonly maxTemporary?: number
  /** Milliseconds that go forward, for temporary entries. Default: the process's monotonic clock. */
  readonly clock?: Clock
}

/** Why an address may come in or not. */
export interface AccessExplanation {
  /** Whether it may come in. */
  readonly allowed: boolean
  /** Which kind of list decided. */
  readonly decidedBy: 'denyList' | 'allowList' | 'default'
  /** The name of that list, or null: for the two lists without one, for temporary entries and for the default. */
  readonly list: string | null
  /** The range on that list that holds the address: the most specific, if there are several. Null for the default. */
  readonly range: AddressRange | null
  /** For how many seconds more that range counts, if it is a temporary entry. Otherwise null. */
  readonly secondsLeft: number | null
}

/** An entry that counts for a time. */
export interface TemporaryEntry {
  /** True for one that lets in, false for one that keeps out. */
  readonly allowed: boolean
  readonly range: AddressRange
  /** For how many seconds more it counts. */
  readonly secondsLeft: number
}

/**
 * Decides by the client's address: deny lists, then allow lists, then default.
 *
 * Entries are compared by bits: an IPv4-mapped IPv6 address is the IPv4 address, in rules and in clients, and `::/0` holds
 * no IPv4 address. The lists are read once; a million entries answer as fast as ten. {@link AccessControl.replace} changes
 * them while the server runs.
 *
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for an entry that is no range, with its list and index. No
 *   entry is ever skipped.
 * @throws {TypeError} If a list is not a list of strings, or an option is not known.
 * @throws {RangeError} If there are more than 255 lists.
 * @example
 * import { AccessControl } from 'tlacacoca/middleware'
 *
 * const access = new AccessControl({ allowList: ['192.0.2.0/24', '2001:db8::/32'], denyList: ['192.0.2.66'] })
 * access.denyFor('192.0.2.7', 3600)
 */
export class AccessControl implements Middleware, ConnectionGuard {
  readonly name = 'access_control'
  readonly #time: SteadyTime
  readonly #denied: TemporaryRanges
  readonly #allowed: TemporaryRanges
  /** Whether there has been a temporary entry. Most guards never have one. */
  #hasTemporary = false
  #rules: CompiledRules
  /** How many replacements have been called for, and which of them the rules come from. */
  #called = 0
  #holding = 0

  constructor(options: AccessControlOptions = {}) {
    requireOptions('options', options, [...RULES, 'maxTemporary', 'clock'])
    const { maxTemporary = 10_000, clock = monotonicClock, ...rules } = options
    requireInteger('maxTemporary', maxTemporary, 1, 1_000_000)
    this.#time = new SteadyTime(clock)
    this.#denied = new TemporaryRanges(false, maxTemporary)
    this.#allowed = new TemporaryRanges(true, maxTemporary)
    this.#rules = doAtOnce(compileRules(rules))
  }

  /** Denies as `access_denied`, with the entry as its rule; see `explain` for more. */
  decide(request: MiddlewareRequest): MiddlewareResult {
    const { address } = request
    // Text, or whatever else a program without types passes in, is nobody's address, whatever the default.
    if (!ClientAddress.is(address)) return DENIED
    const rules = this.#rules
    const decider = this.#deciderOf(rules, address)
    if (decider === null) return rules.defaultAllow ? ALLOWED : DENIED_BY_DEFAULT
    return allows(rules, decider)
      ? new AllowedByRange(rules, address, decider)
      : new DeniedByRange(rules, address, decider)
  }

  /** The same decision about an address alone, for `guards` of a server: it is then made before the TLS handshake. */
  opened(address: ClientAddress): ConnectionDecision {
    if (!ClientAddress.is(address)) return REFUSED
    const rules = this.#rules
    const decider = this.#deciderOf(rules, address)
    if (allows(rules, decider)) return ACCEPTED
    return decider === null ? REFUSED_BY_DEFAULT : new RefusedByRange(rules, address, decider)
  }

  /** Says which list, and which range on it, decides about an address. */
  explain(address: ClientAddress): AccessExplanation {
    if (!ClientAddress.is(address)) return BY_DEFAULT
    const rules = this.#rules
    const decider = this.#deciderOf(rules, address)
    const allowed = allows(rules, decider)
    if (decider === null) return { ...BY_DEFAULT, allowed }
    const decidedBy = allowed ? 'allowList' : 'denyList'
    const secondsLeft = typeof decider === 'number' ? null : this.#secondsUntil(decider.until)
    return { allowed, decidedBy, ...ruleOf(rules, address, decider), secondsLeft }
  }

  /**
   * Puts other rules in the place of those that hold now: all of them, from one moment to the next. Large lists take their
   * time, and the event loop stays free for everything else meanwhile. Temporary entries stay.
   *
   * @param rules - All of them, as for the constructor. What is not given is not there any more.
   * @returns Fulfilled when the new rules hold, or those of a call that came later and was done sooner: of several
   *   replacements the last one holds in the end, and none waits for another.
   * @throws {InvalidNameError} Like the constructor; then the rules that hold now go on.
   * @throws {TypeError} Like the constructor.
   */
  async replace(rules: AccessRules): Promise<void> {
    const call = ++this.#called
    const compiled = await doInSlices(compileRules(rules))
    if (call < this.#holding) return
    this.#holding = call
    this.#rules = compiled
  }

  /**
   * Denies a range for a time, as if it stood on a deny list: no allow list lets it in. An entry that is there already is
   * prolonged, never shortened.
   *
   * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` if the range is none.
   * @throws {RangeError} If `seconds` is not a finite number above 0.
   */
  denyFor(range: string, seconds: number): void {
    this.#addFor(this.#denied, range, seconds)
  }

  /** Allows a range for a time, as if it stood on an allow list: deny lists still come first. See {@link denyFor}. */
  allowFor(range: string, seconds: number): void {
    this.#addFor(this.#allowed, range, seconds)
  }

  /** Ends the temporary entries for exactly this range. Whether there were any. */
  removeTemporary(range: string): boolean {
    const parsed = parseAddressRange(range)
    const [wasDenied, wasAllowed] = [this.#denied.remove(parsed), this.#allowed.remove(parsed)]
    return wasDenied || wasAllowed
  }

  /** The temporary entries that count now. */
  get temporaryEntries(): readonly TemporaryEntry[] {
    const now = this.#time.now()
    return [...this.#denied.list(now), ...this.#allowed.list(now)].map((entry) => ({
      allowed: entry.allows,
      range: entry.range,
      secondsLeft: this.#secondsUntil(entry.until),
    }))
  }

  /** Deny lists, denied for a time, allow lists, allowed for a time: the first of these that holds the address. */
  #deciderOf(rules: CompiledRules, address: ClientAddress): Decider {
    const tag = rules.table.tagAt(address)
    if (this.#hasTemporary) return this.#deciderAmong(tag, rules, address)
    return tag === 0 ? null : tag
  }

  #deciderAmong(tag: number, { denyLists }: CompiledRules, address: ClientAddress): Decider {
    if (tag !== 0 && tag <= denyLists) return tag
    const now = this.#time.now()
    return this.#denied.find(address, now) ?? (tag === 0 ? this.#allowed.find(address, now) : tag)
  }

  #addFor(ranges: TemporaryRanges, range: string, seconds: number): void {
    requirePositive('seconds', seconds)
    const now = this.#time.now()
    ranges.add(parseAddressRange(range), now + seconds * 1000, now)
    this.#hasTemporary = true
  }

  #secondsUntil(until: number): number {
    return Math.max(0, (until - this.#time.now()) / 1000)
  }
}

const RULES = ['allowList', 'denyList', 'allowLists', 'denyLists', 'defaultAllow'] as const

interface CompiledRules {
  readonly table: AddressTable
  /** What the lists are called, by tag. */
  readonly names: readonly (string | null)[]
  /** The tags of deny lists go up to this, those of allow lists begin above it. */
  readonly denyLists: number
  readonly defaultAllow: boolean
}

/** What decides about an address: the tag of a list, a temporary entry, or null, which is the default. */
type Decider = number | TemporaryRange | null

function allows(rules: CompiledRules, decider: Decider): boolean {
  if (decider === null) return rules.defaultAllow
  return typeof decider === 'number' ? decider > rules.denyLists : decider.allows
}

function ruleOf(
  rules: CompiledRules,
  address: ClientAddress,
  decider: number | TemporaryRange,
): { readonly list: string | null; readonly range: AddressRange | null } {
  if (typeof decider !== 'number') return { list: null, range: decider.range }
  return { list: rules.names[decider] ?? null, range: rules.table.rangeAt(address) }
}

function* compileRules(rules: AccessRules): Generator<void, CompiledRules> {
  requireOptions('rules', rules, RULES)
  const { allowList, denyList, allowLists, denyLists } = rules
  const { defaultAllow = allowList === undefined && allowLists === undefined } = rules
  requireBoolean('defaultAllow', defaultAllow)
  const denied = listsOf('denyList', denyList, denyLists)
  const lists = [...denied, ...listsOf('allowList', allowList, allowLists)]
  if (lists.length > MAX_LISTS) throw new RangeError(`"rules" expected at most ${MAX_LISTS} lists, got ${lists.length}`)
  const table = yield* AddressTable.build(lists.map(({ place, ranges }, i) => ({ name: place, tag: i + 1, ranges })))
  return { table, names: [null, ...lists.map(({ name }) => name)], denyLists: denied.length, defaultAllow }
}

// A tag is a byte, and 0 means none.
const MAX_LISTS = 255

interface List {
  readonly name: string | null
  /** Where it stands among the options. */
  readonly place: string
  readonly ranges: AddressEntries
}

function listsOf(
  option: 'allowList' | 'denyList',
  unnamed: AddressEntries | undefined,
  named: Readonly<Record<string, AddressEntries>> = {},
): List[] {
  if (typeof named !== 'object' || named === null || Symbol.iterator in named) {
    throw new TypeError(`"${option}s" expected an object of lists by name, got ${show(named)}`)
  }
  const lists: List[] = unnamed === undefined ? [] : [{ name: null, place: option, ranges: unnamed }]
  for (const [name, ranges] of Object.entries(named)) lists.push({ name, place: `${option}s.${name}`, ranges })
  return lists
}

const ACCEPTED: ConnectionDecision = Object.freeze({ accept: true })
const REFUSED: ConnectionDecision = Object.freeze({ accept: false })
const REFUSED_BY_DEFAULT: ConnectionDecision = Object.freeze({ accept: false, detail: 'default' })
const DENIED: Denied = Object.freeze({ allowed: false, denialReason: 'access_denied' })
const DENIED_BY_DEFAULT: Denied = Object.freeze({ ...DENIED, rule: 'default' })
const BY_DEFAULT: AccessExplanation = Object.freeze({
  allowed: false,
  decidedBy: 'default',
  list: null,
  range: null,
  secondsLeft: null,
})

/** Which rule a decision comes from, in words. */
function ruleText(rules: CompiledRules, address: ClientAddress, decider: number | TemporaryRange): string {
  const kind = allows(rules, decider) ? 'allowList' : 'denyList'
  const { list, range } = ruleOf(rules, address, decider)
  const temporary = typeof decider === 'number' ? '' : ' (temporary)'
  return `${kind}${list === null ? '' : ` ${list}`}${temporary}: ${range}`
}

// Decisions that know which rule they come from, and put it into words only for those who ask. They share no base class:
// making one would take twice as long, and they are made for every connection that a list decides about.

class AllowedByRange implements Allowed {
  readonly allowed = true
  readonly #rules: CompiledRules
  readonly #address: ClientAddress
  readonly #decider: number | TemporaryRange

  constructor(rules: CompiledRules, address: ClientAddress, decider: number | TemporaryRange) {
    this.#rules = rules
    this.#address = address
    this.#decider = decider
  }

  get rule(): string {
    return ruleText(this.#rules, this.#address, this.#decider)
  }
}

class DeniedByRange implements Denied {
  readonly allowed = false
  readonly denialReason = 'access_denied'
  readonly #rules: CompiledRules
  readonly #address: ClientAddress
  readonly #decider: number | TemporaryRange

  constructor(rules: CompiledRules, address: ClientAddress, decider: number | TemporaryRange) {
    this.#rules = rules
    this.#address = address
    this.#decider = decider
  }

  get rule(): string {
    return ruleText(this.#rules, this.#address, this.#decider)
  }
}

class RefusedByRange implements ConnectionDecision {
  readonly accept = false
  readonly #rules: CompiledRules
  readonly #address: ClientAddress
  readonly #decider: number | TemporaryRange

  constructor(rules: CompiledRules, address: ClientAddress, decider: number | TemporaryRange) {
    this.#rules = rules
    this.#address = address
    this.#decider = decider
  }

  get detail(): string {
    return ruleText(this.#rules, this.#address, this.#decider)
  }
}
