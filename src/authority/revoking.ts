// Taking certificates back: what `revoke`, `hold`, `release`, `crl` and `revocationChecker` of an authority do. The store
// decides what is possible and remembers it; this knows what follows from it.

import type { RevocationChecker, RevocationReason } from '../certificate/revocation-checker.ts'
import { AuthorityError } from '../errors.ts'
import {
  requireBoolean,
  requireDate,
  requireInteger,
  requireOneOf,
  requireOptions,
  requireString,
  show,
} from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { type Crl, type CrlIssuer, readOwnCrl, requireCrlSign, signCrl } from './crl.ts'
import type { IssuedStore, StatusChange } from './issued-store.ts'
import { RevocationLookup } from './revocation-lookup.ts'

/** What is said about a revocation. */
export interface RevokeOptions {
  /**
   * Why. After a `key_compromise` every other certificate of this authority for the same key is revoked too, and it never
   * issues one for that key again.
   */
  readonly reason: RevocationReason
  /** Who did it, for the audit trail. */
  readonly by?: string
  /** Since when the key is, or may be, in other hands; not in the future. Default: nothing is said about it. */
  readonly invalidityDate?: Date
}

/** What is said about a hold or a release. */
export interface HoldOptions {
  /** Who did it, for the audit trail. */
  readonly by?: string
}

/** How a revocation list is asked for. */
export interface CrlOptions {
  /** Make a new one, although the last one is still good. Default false. */
  readonly force?: boolean
}

/** What an authority needs to take certificates back. */
export interface RevokingParts {
  readonly issuer: CrlIssuer
  readonly store: IssuedStore
  readonly clock: Clock
  /** How long a revocation list is valid, in milliseconds. Default: 7 days. */
  readonly crlValidityMs?: number
}

/** The side of an authority that takes certificates back. */
export class Revoking {
  readonly #issuer: CrlIssuer
  readonly #store: IssuedStore
  readonly #clock: Clock
  readonly #crlValidityMs: number
  readonly #checker: RevocationChecker
  /** The list that is being made. */
  #making: Promise<Crl> | null = null
  /** The last list that is known to be signed with this key. */
  #last: Crl | null = null

  /** @throws {RangeError} If lists would be valid for less than two seconds, or more than a year. */
  constructor(parts: RevokingParts) {
    const { issuer, store, clock, crlValidityMs = WEEK_MS } = parts
    requireCrlValidity(crlValidityMs)
    this.#issuer = issuer
    this.#store = store
    this.#clock = clock
    this.#crlValidityMs = crlValidityMs
    this.#checker = new RevocationLookup(issuer.certificate, store)
  }

  /**
   * Revokes a certificate for good.
   *
   * @returns The serial numbers that were revoked by this: none if it had been revoked before, which stays as it is; and
   *   after a `key_compromise` those of other certificates for the same key as well.
   * @throws {AuthorityError} AUTHORITY_SERIAL_UNKNOWN.
   */
  async revoke(serial: string, options: RevokeOptions): Promise<readonly string[]> {
    const { number, by } = readChange(serial, options, ['reason', 'by', 'invalidityDate'])
    const { reason, invalidityDate } = options
    requireOneOf('reason', reason, REASONS)
    const at = this.#clock()
    if (invalidityDate !== undefined) requirePast('invalidityDate', invalidityDate, at)
    const outcome = await this.#store.revoke({
      serial: number,
      at,
      reason,
      invalidityDate: invalidityDate?.getTime() ?? null,
      by,
      withKey: reason === 'key_compromise',
    })
    if (outcome.kind === 'unknown') throw unknownSerial(serial)
    return outcome.kind === 'revoked' ? outcome.serials : []
  }

  /**
   * Makes a certificate invalid for now.
   *
   * @throws {AuthorityError} AUTHORITY_SERIAL_UNKNOWN, or AUTHORITY_STATUS_FINAL if it is revoked.
   */
  async hold(serial: string, options: HoldOptions = {}): Promise<void> {
    const outcome = await this.#store.hold(this.#statusChange(serial, options))
    if (outcome.kind === 'unknown') throw unknownSerial(serial)
    if (outcome.kind === 'revoked') throw final(`${show(serial)} is revoked, and cannot be put on hold any more`)
  }

  /**
   * Makes a certificate valid again that was on hold.
   *
   * @throws {AuthorityError} AUTHORITY_SERIAL_UNKNOWN, or AUTHORITY_STATUS_FINAL if it is not on hold.
   */
  async release(serial: string, options: HoldOptions = {}): Promise<void> {
    const outcome = await this.#store.release(this.#statusChange(serial, options))
    if (outcome.kind === 'unknown') throw unknownSerial(serial)
    if (outcome.kind === 'not_held') throw final(`${show(serial)} is not on hold; what is revoked stays so`)
  }

  /**
   * The current revocation list. A new one is made and signed if something was revoked, held or released since the last
   * one, or half of its time is over; so asking often is cheap.
   *
   * @throws {AuthorityError} AUTHORITY_CRL_UNAVAILABLE if the authority's certificate does not let it sign lists.
   */
  async crl(options: CrlOptions = {}): Promise<Crl> {
    requireOptions('options', options, ['force'])
    const { force = false } = options
    requireBoolean('force', force)
    // A list that was begun before this call may lack what its caller has just revoked. One begun from here on does not.
    await this.#making?.catch(() => undefined)
    const current = force ? null : await this.#current()
    if (current !== null) return current
    this.#making ??= this.#make().finally(() => {
      this.#making = null
    })
    return this.#making
  }

  /** Answers from the store, anew each time. */
  checker(): RevocationChecker {
    return this.#checker
  }

  async #current(): Promise<Crl | null> {
    const stored = await this.#store.currentCrl()
    if (stored === null) return null
    const { thisUpdate, nextUpdate } = stored
    const now = this.#clock()
    if (now < thisUpdate || now >= (thisUpdate + nextUpdate) / 2) return null
    // An authority that got another key has a list in its store that nobody would believe.
    if (this.#last?.number !== stored.number) this.#last = readOwnCrl(this.#issuer, stored)
    return this.#last
  }

  async #make(): Promise<Crl> {
    // Before a number is taken for nothing.
    requireCrlSign(this.#issuer.certificate)
    const thisUpdate = this.#clock()
    const { number, entries } = await this.#store.beginCrl(thisUpdate)
    const crl = await signCrl(this.#issuer, {
      number,
      thisUpdate,
      nextUpdate: thisUpdate + this.#crlValidityMs,
      entries,
    })
    await this.#store.completeCrl({
      number,
      thisUpdate: crl.thisUpdate.getTime(),
      nextUpdate: crl.nextUpdate.getTime(),
      der: crl.der,
    })
    return crl
  }

  #statusChange(serial: string, options: HoldOptions): StatusChange {
    const { number, by } = readChange(serial, options, ['by'])
    return { serial: number, at: this.#clock(), by }
  }
}

const DAY_MS = 86_400_000
// Long enough for a weekend on which the authority is down, short enough that an old list is not worth replaying.
const WEEK_MS = 7 * DAY_MS

/** @internal @throws {RangeError} If lists would be valid for less than two seconds, or more than a year. */
export function requireCrlValidity(ms: unknown): void {
  // Their times are in whole seconds, and half of the time is for the next one to arrive.
  requireInteger('crlValidityMs', ms, 2_000, 366 * DAY_MS)
}

const REASONS: readonly RevocationReason[] = [
  'unspecified',
  'key_compromise',
  'affiliation_changed',
  'superseded',
  'cessation_of_operation',
  'privilege_withdrawn',
]

function readChange(
  serial: string,
  options: HoldOptions,
  known: readonly string[],
): { readonly number: string; readonly by: string | null } {
  requireString('serial', serial)
  requireOptions('options', options, known)
  if (options.by !== undefined) requireString('by', options.by)
  const number = canonicalSerial(serial)
  if (number === null) throw unknownSerial(serial)
  return { number, by: options.by ?? null }
}

/**
 * @internal A serial number as it is stored: lower-case hex without a sign octet. It is also read as openssl and browsers
 * show it, in upper case and with colons. Null for what is no serial number.
 */
export function canonicalSerial(text: string): string | null {
  const hex = text.toLowerCase().replaceAll(':', '')
  if (!/^(?:[0-9a-f]{2}){1,21}$/.test(hex)) return null
  return hex.replace(/^(?:00)+(?=..)/, '')
}

function requirePast(name: string, date: Date, now: number): void {
  requireDate(name, date)
  if (date.getTime() > now)
    throw new RangeError(`"${name}" expected a date that is not in the future, got ${date.toISOString()}`)
}

function unknownSerial(serial: string): AuthorityError {
  return new AuthorityError(
    'ERR_TLACACOCA_AUTHORITY_SERIAL_UNKNOWN',
    `this authority has issued no certificate with the serial number ${show(serial)}; those that it has issued are in its list`,
  )
}

function final(problem: string): AuthorityError {
  return new AuthorityError('ERR_TLACACOCA_AUTHORITY_STATUS_FINAL', `the certificate with the serial number ${problem}`)
}
