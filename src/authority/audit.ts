// The audit trail: what an authority has done, each event chained to the one before it by a hash. Whoever changes,
// removes, inserts or reorders events afterwards breaks the chain; whoever cuts off its end is found by whoever has kept
// the last hash elsewhere. It is no protection from somebody who can write the whole file anew, unless the hash is kept
// elsewhere: so keep it elsewhere.

import { createHash } from 'node:crypto'
import { requireInteger, requireOptions, requireString, show } from '../internal/arguments.ts'

/** Something to be recorded. */
export interface NewAuditEvent {
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  /**
   * What happened, in one word: `issued`, `renewed`, `abandoned` (before it was signed), `revoked`, `held`, `released`,
   * `key_blocked`, `crl`, or a word of your own.
   */
  readonly event: string
  /** Who did it, as far as it is known. */
  readonly actor: string | null
  /** The certificate that it is about. */
  readonly serial: string | null
  /** More about it, such as the reason of a revocation. */
  readonly detail: string | null
}

/** Something that was recorded. */
export interface AuditEvent extends NewAuditEvent {
  /** 1 for the first one, then without gaps. */
  readonly position: number
  /** The hash of the event before it; 64 zeros for the first one. */
  readonly previousHash: string
  /** SHA-256 over everything else, in hex. */
  readonly hash: string
}

/** The hash before the first event. */
export const AUDIT_START = '0'.repeat(64)

/** @internal The event as it is recorded after another one; null before the first. */
export function chainEvent(event: NewAuditEvent, last: Pick<AuditEvent, 'position' | 'hash'> | null): AuditEvent {
  const { at } = event
  const [actor, serial, detail] = [wellFormed(event.actor), wellFormed(event.serial), wellFormed(event.detail)]
  const position = (last?.position ?? 0) + 1
  const previousHash = last?.hash ?? AUDIT_START
  const chained = { at, event: wellFormed(event.event), actor, serial, detail, position, previousHash }
  return Object.freeze({ ...chained, hash: hashOf(chained) })
}

/** How an audit trail was found. */
export type AuditVerdict =
  | {
      readonly valid: true
      readonly count: number
      /** The hash of the last event, to be kept elsewhere; 64 zeros if there is none. */
      readonly head: string
    }
  | {
      readonly valid: false
      /** The position at which the trail stops being what was recorded. */
      readonly position: number
      readonly problem: string
    }

/**
 * Verifies an audit trail from its first event on.
 *
 * @param options.expectedHead - The hash of an event that was kept elsewhere. The trail must have it; so nothing up to it
 *   can be missing or other than it was, though there may be more behind it.
 * @throws {RangeError} If `expectedHead` is no hash.
 * @example
 * import { CertificateAuthority, verifyAuditTrail } from 'tlacacoca/authority'
 *
 * const authority = await CertificateAuthority.open('/var/lib/ca')
 * const verdict = await verifyAuditTrail(authority.audit())
 * console.log(verdict.valid ? `sound, ${verdict.count} events, ${verdict.head}` : `broken at ${verdict.position}`)
 */
export async function verifyAuditTrail(
  events: Iterable<AuditEvent> | AsyncIterable<AuditEvent>,
  options: { readonly expectedHead?: string } = {},
): Promise<AuditVerdict> {
  requireOptions('options', options, ['expectedHead'])
  const { expectedHead } = options
  if (expectedHead !== undefined) requireHash(expectedHead)
  let last: AuditEvent | null = null
  let isFound = expectedHead === undefined || expectedHead === AUDIT_START
  for await (const event of events) {
    const position: number = (last?.position ?? 0) + 1
    if (!isEvent(event)) return broken(position, 'there is something else than an event')
    if (event.position !== position) return broken(position, `there is event ${event.position} in its place`)
    if (event.previousHash !== (last?.hash ?? AUDIT_START))
      return broken(position, 'it does not follow the one before it')
    if (event.hash !== hashOf(event)) return broken(position, 'it was changed')
    isFound ||= event.hash === expectedHead
    last = event
  }
  const [count, head] = [last?.position ?? 0, last?.hash ?? AUDIT_START]
  return isFound ? { valid: true, count, head } : broken(count + 1, 'the event that was expected is not there')
}

/** Two values that are not of these types can have one JSON. */
function isEvent(event: unknown): boolean {
  if (typeof event !== 'object' || event === null) return false
  const { at, event: what, actor, serial, detail } = event as Partial<AuditEvent>
  return (
    Number.isSafeInteger(at) &&
    typeof what === 'string' &&
    [actor, serial, detail].every((text) => text === null || typeof text === 'string')
  )
}

function requireHash(text: unknown): void {
  requireString('expectedHead', text)
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw new RangeError(`"expectedHead" expected 64 lower-case hex digits, got ${show(text)}`)
  }
}

/** Half a surrogate pair cannot be stored, and would come back as another text than the one that was hashed. */
function wellFormed<Text extends string | null>(text: Text): Text {
  return (text === null ? null : Buffer.from(text, 'utf8').toString('utf8')) as Text
}

function broken(position: number, problem: string): AuditVerdict {
  return { valid: false, position, problem }
}

/** JSON of a list is one text for one event, and no two events have the same. */
function hashOf(event: Omit<AuditEvent, 'hash'>): string {
  const { position, previousHash, at, event: what, actor, serial, detail } = event
  const text = JSON.stringify([FORMAT, position, previousHash, at, what, actor, serial, detail])
  return createHash('sha256').update(text).digest('hex')
}

const FORMAT = 'tlacacoca audit 1'

/** @internal @throws {TypeError} @throws {RangeError} Unless it is an event that can be recorded. */
export function requireAuditEvent(event: NewAuditEvent): void {
  requireOptions('event', event, ['at', 'event', 'actor', 'serial', 'detail'])
  requireInteger('event.at', event.at, -8.64e15, 8.64e15)
  requireString('event.event', event.event)
  for (const name of ['actor', 'serial', 'detail'] as const) {
    const value = event[name]
    if (value !== null) requireString(`event.${name}`, value)
  }
}
