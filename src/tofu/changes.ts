// What people change by hand: trust, replace, revoke, distrust. Each is decided on the pins as they are and written only
// if they still are so; if not, it is decided again.

import { Certificate } from '../certificate/certificate.ts'
import { type Fingerprint, isFingerprint } from '../certificate/fingerprint.ts'
import { NotTrustedError, StoreError } from '../errors.ts'
import { requireBoolean, requireOptions, requireString, show } from '../internal/arguments.ts'
import { latestLive } from './host-info.ts'
import { afterMark, isNamedBy, materialOf, pinFor, voidAnnouncements } from './new-pin.ts'
import { isLive, type Pin, type PinChange } from './pin.ts'
import type { PinStore, PinUpdate } from './pin-store.ts'

/** What can be pinned or marked: a certificate, or the fingerprint of one or of a public key. */
export type Pinnable = Certificate | Fingerprint

/** What somebody says of a pin. */
export interface TrustOptions {
  /** Whether the fingerprint was compared with the owner's word by another way than the network. Default false. */
  readonly verified?: boolean
  /** Whether the pins that are live stay so, for a server with several certificates. Default false: they are replaced. */
  readonly keepOthers?: boolean
  /** A remark, kept with the pin. */
  readonly note?: string
}

/** @internal */
export function requireTrustOptions(options: TrustOptions): void {
  requireOptions('options', options, ['verified', 'keepOthers', 'note'])
  if (options.verified !== undefined) requireBoolean('verified', options.verified)
  if (options.keepOthers !== undefined) requireBoolean('keepOthers', options.keepOthers)
  if (options.note !== undefined) requireString('note', options.note)
}

/** Makes a certificate the pinned one, whatever was pinned before. */
export async function trust(store: PinStore, subject: string, what: Pinnable, now: Date, options: TrustOptions) {
  requirePinnable(what)
  await changing(store, subject, (pins) => trusting(subject, pins, what, now, options))
}

/** The same if `expected` is the one and only live pin, and otherwise nothing. */
export async function replace(
  store: PinStore,
  subject: string,
  expected: Fingerprint,
  what: Pinnable,
  now: Date,
  options: TrustOptions,
): Promise<boolean> {
  requireFingerprint('expected', expected)
  requirePinnable(what)
  const pins = await store.read(subject)
  const live = pins.filter((pin) => isLive(pin.state))
  if (live.length !== 1 || live[0]?.digest !== expected) return false
  return store.update(trusting(subject, pins, what, now, options))
}

/** Pins a certificate if the subject has no live pin. */
export async function pinIfAbsent(
  store: PinStore,
  subject: string,
  what: Pinnable,
  now: Date,
): Promise<{ readonly pinned: boolean; readonly pin: Pin }> {
  requirePinnable(what)
  let found: Pin | undefined
  const update = await changing(store, subject, (pins) => {
    found = latestLive(pins)
    return found === undefined ? trusting(subject, pins, what, now, {}, 'first_use') : null
  })
  const pin = found ?? update?.changes[0]?.put.find((each) => isLive(each.state))
  if (pin === undefined) throw new TypeError('an update without a pin was written')
  return { pinned: found === undefined, pin }
}

/** Removes everything but the marks. */
export async function revoke(store: PinStore, subject: string, now: Date): Promise<boolean> {
  const update = await changing(store, subject, (pins) => revoking([[subject, pins]], now))
  return update !== null
}

/** The update that removes the pins of some subjects, except marks; null if there are none. */
export function revoking(subjects: readonly (readonly [string, readonly Pin[]])[], now: Date): PinUpdate | null {
  const changes = subjects.flatMap(([subject, pins]) => {
    const remove = pins.filter((pin) => pin.state !== 'distrusted').map((pin) => pin.digest)
    return remove.length === 0 ? [] : [{ subject, expect: pins, put: [], remove }]
  })
  if (changes.length === 0) return null
  const log = changes.map(({ subject, expect }) =>
    line(now, subject, 'revoked', latestLive(expect)?.digest ?? null, null),
  )
  return { changes, log }
}

/** Marks a certificate or key as never to be trusted again. */
export async function distrust(store: PinStore, subject: string, what: Pinnable, now: Date, note: string | undefined) {
  requirePinnable(what)
  const digest = typeof what === 'string' ? what : what.fingerprint
  await untilWritten(store, subject, async () => {
    const pins = await store.read(subject)
    const present = pins.find((pin) => pin.digest === digest)
    if (present?.state === 'distrusted') return null
    const mark: Pin = {
      subject,
      digest,
      state: 'distrusted',
      keyDigest: typeof what === 'string' ? (present?.keyDigest ?? null) : what.publicKeyFingerprint,
      notAfter: present?.notAfter ?? null,
      firstSeen: now,
      lastSeen: now,
      daysSeen: present?.daysSeen ?? 0,
      source: 'user',
      note: note ?? present?.note ?? null,
    }
    const others = afterMark(pins, digest, await sha512sOf(store, pins))
    const sha512 = typeof what === 'string' ? null : what.sha512Fingerprint
    const alias = pins.filter((pin) => pin.digest === sha512).map((pin): Pin => ({ ...pin, state: 'replaced' }))
    const put = [mark, ...others, ...alias]
    return {
      changes: [{ subject, expect: pins, put, remove: announcementsToRemove(pins, put, []) }],
      log: [line(now, subject, 'distrusted', present?.digest ?? null, digest)],
    }
  })
}

async function sha512sOf(store: PinStore, pins: readonly Pin[]): Promise<Map<Fingerprint, Fingerprint>> {
  const known = new Map<Fingerprint, Fingerprint>()
  for (const { digest } of pins) {
    const sha512 = await store.sha512(digest)
    if (sha512 !== undefined) known.set(digest, sha512)
  }
  return known
}

/** Takes a mark back. What it named is not trusted by that; it is merely unknown. */
export async function liftDistrust(store: PinStore, subject: string, digest: Fingerprint, now: Date): Promise<boolean> {
  requireFingerprint('fingerprint', digest)
  const update = await changing(store, subject, (pins) => {
    if (!pins.some((pin) => pin.state === 'distrusted' && pin.digest === digest)) return null
    return {
      changes: [{ subject, expect: pins, put: [], remove: [digest] }],
      log: [line(now, subject, 'distrust_lifted', digest, null)],
    }
  })
  return update !== null
}

/** Remembers what a server, over a verified connection, said that it will use next. */
export async function announce(store: PinStore, subject: string, what: Pinnable, now: Date): Promise<boolean> {
  requirePinnable(what)
  const update = await changing(store, subject, (pins) => {
    const pin = pinFor(what, { subject, now, state: 'announced', source: 'announced', among: [] })
    const known = pins.some((each) => each.digest === pin.digest && each.state !== 'replaced')
    if (latestLive(pins) === undefined || known || isMarked(pins, what)) return null
    return {
      changes: [{ subject, expect: pins, put: [{ ...pin, daysSeen: 0 }], remove: [] }],
      log: [line(now, subject, 'announced', null, pin.digest)],
    }
  })
  return update !== null
}

function trusting(
  subject: string,
  pins: readonly Pin[],
  what: Pinnable,
  now: Date,
  options: TrustOptions,
  cause: 'trusted' | 'first_use' = 'trusted',
): PinUpdate {
  if (isMarked(pins, what)) {
    const presented = typeof what === 'string' ? what : what.fingerprint
    throw new NotTrustedError('ERR_TLACACOCA_CERTIFICATE_DISTRUSTED', { endpoint: subject, presented })
  }
  const state = options.verified === true ? 'verified' : 'trusted'
  const source = cause === 'first_use' ? cause : 'user'
  const pin = pinFor(what, { subject, now, state, source, note: options.note, among: pins })
  const old = latestLive(pins.filter((each) => each.digest !== pin.digest)) ?? latestLive(pins)
  const retired = options.keepOthers
    ? []
    : pins
        .filter((each) => isLive(each.state) && each.digest !== pin.digest)
        .map((each): Pin => ({ ...each, state: 'replaced' }))
  const put = [...retired, typeof what === 'string' ? unlessUncertain(pin, pins) : pin]
  return {
    changes: [{ subject, expect: pins, put, remove: announcementsToRemove(pins, put, [pin]) }],
    log: [line(now, subject, cause, old?.digest ?? null, pin.digest)],
    ...(typeof what === 'string' ? {} : { remember: [materialOf(what)] }),
  }
}

/** Those that are void when `put` has been written, in which `successors` are what is trusted from now on. */
function announcementsToRemove(
  pins: readonly Pin[],
  put: readonly Pin[],
  successors: readonly Pin[],
): readonly Fingerprint[] {
  const written = new Map(put.map((pin) => [pin.digest, pin.state]))
  const gone = voidAnnouncements(
    pins,
    (live) =>
      isLive(written.get(live.digest) ?? live.state) ||
      successors.some((each) => namesKeyOf(each, live) || namesKeyOf(live, each)),
  )
  return gone.map(({ digest }) => digest).filter((digest) => !written.has(digest))
}

function namesKeyOf(pin: Pin, { keyDigest }: Pin): boolean {
  return keyDigest !== null && isNamedBy(pin, keyDigest)
}

/** See `afterMark`: beside a mark by SHA-512, a SHA-256 alone does not say whether it is the marked one. */
function unlessUncertain(pin: Pin, pins: readonly Pin[]): Pin {
  const marked = pins.some((each) => each.state === 'distrusted' && each.digest.startsWith('sha512:'))
  return marked ? { ...pin, keyDigest: null } : pin
}

function isMarked(pins: readonly Pin[], what: Pinnable): boolean {
  return pins.some((pin) => pin.state === 'distrusted' && isFingerprintOf(pin.digest, what))
}

function isFingerprintOf(digest: Fingerprint, what: Pinnable): boolean {
  if (typeof what === 'string') return digest === what
  return (
    isNamedBy({ digest: what.fingerprint, keyDigest: what.publicKeyFingerprint }, digest) ||
    digest === what.sha512Fingerprint
  )
}

// Each round is lost to another program that changed the same subject in the instant between reading and writing.
const ROUNDS = 50

/** Reads, decides and writes until all were done on the same pins. Null if there was nothing to write. */
export async function untilWritten(
  store: PinStore,
  whose: string,
  decide: () => Promise<PinUpdate | null>,
): Promise<PinUpdate | null> {
  for (let round = 0; round < ROUNDS; round++) {
    const update = await decide()
    if (update === null || (await store.update(update))) return update
  }
  throw new StoreError('ERR_TLACACOCA_STORE_LOCKED', `the pins of ${whose} are changed by others without a pause`)
}

function changing(store: PinStore, subject: string, decide: (pins: readonly Pin[]) => PinUpdate | null) {
  return untilWritten(store, subject, async () => decide(await store.read(subject)))
}

function requireFingerprint(name: string, value: unknown): asserts value is Fingerprint {
  if (!isFingerprint(value)) {
    throw new TypeError(`"${name}" expected a fingerprint in canonical text (see parseFingerprint), got ${show(value)}`)
  }
}

function requirePinnable(what: unknown): asserts what is Pinnable {
  if (what instanceof Certificate || isFingerprint(what)) return
  throw new TypeError(`expected a Certificate or a fingerprint in canonical text, got ${show(what)}`)
}

function line(
  at: Date,
  subject: string,
  cause: PinChange['cause'],
  old: Fingerprint | null,
  incoming: Fingerprint | null,
): PinChange {
  return { at, subject, cause, old, new: incoming, decidedBy: 'user' }
}
