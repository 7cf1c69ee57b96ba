// What an import does to one subject. Pure, so that the rules fit in a table of tests:
//
//   1. A mark `distrusted` that is stored stays, and nothing that it speaks against becomes live.
//   2. Merging: a subject with a live pin keeps its live pins. Other live pins for it are a conflict, which somebody
//      decides. Without a yes, nothing that could make another certificate acceptable comes in: no pin, no announcement,
//      no key for a pin we have. Nor a mark on what is live, which would make the next visit a first one.
//   3. Replacing: the file is taken for the truth, but for rule 1. What is known of a pin that both have stays known.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import { latestLive } from './host-info.ts'
import { afterMark, isNamedBy, voidAnnouncements } from './new-pin.ts'
import { isLive, type Pin } from './pin.ts'
import type { ContestedSubject, SubjectChange } from './pin-store.ts'

/** What becomes of a subject. */
export interface Merged {
  readonly outcome: 'added' | 'updated' | 'skipped'
  /** What to write; null if nothing. */
  readonly change: SubjectChange | null
  /** The marks `distrusted` that come in. */
  readonly marks: readonly Pin[]
}

/** A conflict, and what it comes to by either answer. */
export interface Conflict {
  readonly outcome: 'conflict'
  readonly old: Fingerprint
  readonly new: Fingerprint
  readonly accepted: Merged
  readonly refused: Merged
}

/** Merges what a file says of a subject into what is stored. */
export function mergeSubject(contested: ContestedSubject): Merged | Conflict {
  const { stored, incoming } = contested
  const marks = [...stored, ...incoming].filter((pin) => pin.state === 'distrusted')
  const wanted = incoming.filter((pin) => isLive(pin.state) && !marks.some((mark) => isNamedBy(pin, mark.digest)))
  const old = latestLive(stored)
  if (old === undefined) {
    return build(contested, wanted.length > 0 ? 'added' : 'skipped', wanted, wanted.length > 0)
  }

  const kept = stored.filter((pin) => isLive(pin.state))
  const refused = build(contested, 'skipped', kept, false)
  const news = latestLive(wanted.filter((pin) => !kept.some((known) => isNamedBy(known, pin.digest))))
  if (news === undefined) return refused
  const target = wanted.map((pin) => kept.find((known) => known.digest === pin.digest) ?? pin)
  return {
    outcome: 'conflict',
    old: old.digest,
    new: news.digest,
    accepted: build(contested, 'updated', target, true),
    refused,
  }
}

/** Puts what a file says of a subject in the place of what is stored. */
export function replaceSubject({ subject, stored, incoming }: ContestedSubject): Merged {
  const kept = stored.filter((pin) => pin.state === 'distrusted')
  const marks = incoming.filter((pin) => pin.state === 'distrusted' && !kept.some((mark) => mark.digest === pin.digest))
  const all = [...kept, ...marks]
  const others = incoming.filter(
    (pin) => pin.state !== 'distrusted' && !all.some((mark) => isNamedBy(pin, mark.digest)),
  )
  const result = new Map([...all, ...others.map((pin) => combined(pin, stored))].map((pin) => [pin.digest, pin]))
  heedMarks(result, stored)

  const before = liveDigests(stored)
  const after = liveDigests([...result.values()])
  const outcome = before === after ? 'skipped' : before === '' ? 'added' : 'updated'
  return { outcome, change: difference(subject, stored, result), marks }
}

/** Builds the pins of a subject whose live ones are to be `target`. */
function build(
  { subject, stored, incoming }: ContestedSubject,
  outcome: Merged['outcome'],
  target: readonly Pin[],
  withAnnouncements: boolean,
): Merged {
  const result = new Map(stored.map((pin) => [pin.digest, pin]))
  for (const pin of stored) if (isLive(pin.state)) result.set(pin.digest, { ...pin, state: 'replaced' })
  for (const pin of target) result.set(pin.digest, pin)
  if (target.length > 0) {
    const isStillTrusted = (live: Pin) => target.some(({ digest }) => digest === live.digest)
    for (const { digest } of voidAnnouncements(stored, isStillTrusted)) {
      if (result.get(digest)?.state === 'announced') result.delete(digest)
    }
  }

  const marks: Pin[] = []
  for (const pin of incoming) {
    const present = result.get(pin.digest)
    if (pin.state === 'distrusted') {
      if (present?.state === 'distrusted' || target.some((live) => isNamedBy(live, pin.digest))) continue
      marks.push(pin)
      result.set(pin.digest, pin)
    } else if (
      present === undefined &&
      (pin.state === 'replaced' || (pin.state === 'announced' && withAnnouncements))
    ) {
      result.set(pin.digest, pin)
    }
  }
  heedMarks(result, stored)
  return { outcome, change: difference(subject, stored, result), marks }
}

/** Lets marks and pins that come together take effect on one another; those that were stored together have done so. */
function heedMarks(result: Map<Fingerprint, Pin>, stored: readonly Pin[]): void {
  const pins = [...result.values()]
  for (const mark of pins) {
    if (mark.state !== 'distrusted') continue
    const affected = stored.includes(mark) ? pins.filter((pin) => !stored.includes(pin)) : pins
    for (const pin of afterMark(affected, mark.digest)) result.set(pin.digest, pin)
  }
}

/** A pin of the file, with what we know of it ourselves. */
function combined(pin: Pin, stored: readonly Pin[]): Pin {
  const known = stored.find((each) => each.digest === pin.digest)
  if (known === undefined) return pin
  return {
    ...pin,
    keyDigest: known.keyDigest ?? pin.keyDigest,
    notAfter: known.notAfter ?? pin.notAfter,
    firstSeen: new Date(Math.min(known.firstSeen.getTime(), pin.firstSeen.getTime())),
    lastSeen: new Date(Math.max(known.lastSeen.getTime(), pin.lastSeen.getTime())),
    daysSeen: Math.max(known.daysSeen, pin.daysSeen),
    source: pin.source ?? known.source,
    note: pin.note ?? known.note,
  }
}

function liveDigests(pins: readonly Pin[]): string {
  return pins
    .filter((pin) => isLive(pin.state))
    .map((pin) => pin.digest)
    .sort()
    .join(' ')
}

function difference(
  subject: string,
  stored: readonly Pin[],
  result: ReadonlyMap<Fingerprint, Pin>,
): SubjectChange | null {
  const before = new Map(stored.map((pin) => [pin.digest, pin]))
  const put = [...result.values()].filter((pin) => !isSame(before.get(pin.digest), pin))
  const remove = stored.filter((pin) => !result.has(pin.digest)).map((pin) => pin.digest)
  return put.length === 0 && remove.length === 0 ? null : { subject, expect: stored, put, remove }
}

function isSame(a: Pin | undefined, b: Pin): boolean {
  return (
    a !== undefined &&
    a.state === b.state &&
    a.keyDigest === b.keyDigest &&
    a.notAfter?.getTime() === b.notAfter?.getTime() &&
    a.firstSeen.getTime() === b.firstSeen.getTime() &&
    a.lastSeen.getTime() === b.lastSeen.getTime() &&
    a.daysSeen === b.daysSeen &&
    a.source === b.source &&
    a.note === b.note
  )
}
