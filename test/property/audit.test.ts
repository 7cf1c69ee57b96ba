// Whatever is recorded is found sound; whatever is then done to it, short of nothing, is found.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type AuditEvent, chainEvent, type NewAuditEvent, verifyAuditTrail } from '../../src/authority/audit.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('', 'null', '","', '\u0000', '\ud800'),
)
const newEvent: fc.Arbitrary<NewAuditEvent> = fc.record({
  at: fc.integer({ min: -8.64e15, max: 8.64e15 }),
  event: text,
  actor: fc.option(text),
  serial: fc.option(text),
  detail: fc.option(text),
})

const trail = fc.array(newEvent, { minLength: 1, maxLength: 8 }).map((events) => {
  const chained: AuditEvent[] = []
  for (const event of events) chained.push(chainEvent(event, chained.at(-1) ?? null))
  return chained
})

function headOf(events: readonly AuditEvent[]): string {
  return events.at(-1)?.hash ?? ''
}

it('a trail that nobody touched is sound, also after it was written down and read again', () =>
  fc.assert(
    fc.asyncProperty(trail, async (events) => {
      const found = { valid: true, count: events.length, head: headOf(events) }
      expect(await verifyAuditTrail(events, { expectedHead: headOf(events) })).toEqual(found)
      const read = JSON.parse(Buffer.from(JSON.stringify(events), 'utf8').toString('utf8'))
      expect(await verifyAuditTrail(read, { expectedHead: headOf(events) })).toEqual(found)
    }),
  ))

type Change = (events: AuditEvent[]) => AuditEvent[]

const place = fc.nat({ max: 8 })
const change: fc.Arbitrary<Change> = fc.oneof(
  // A field is changed.
  fc
    .tuple(
      place,
      fc.constantFrom(...(['at', 'event', 'actor', 'serial', 'detail', 'previousHash', 'hash'] as const)),
      text,
    )
    .map(
      ([n, name, value]): Change =>
        (events) =>
          events.map((each, at) => (at === n ? { ...each, [name]: value } : each)),
    ),
  fc.tuple(place, newEvent).map(
    ([n, value]): Change =>
      (events) =>
        events.map((each, at) => (at === n ? { ...each, ...value } : each)),
  ),
  // Text moves from one field to the next.
  place.map(
    (n): Change =>
      (events) =>
        events.map((each, at) => (at === n ? { ...each, actor: each.serial, serial: each.actor } : each)),
  ),
  // Events come and go, and change places.
  fc.tuple(place, fc.nat({ max: 3 })).map(
    ([n, count]): Change =>
      (events) =>
        events.toSpliced(n, count),
  ),
  fc.tuple(place, place).map(
    ([from, to]): Change =>
      (events) =>
        events.toSpliced(to, 0, ...events.slice(from, from + 1)),
  ),
  fc.tuple(place, place).map(
    ([from, to]): Change =>
      (events) =>
        events.toSpliced(from, 1).toSpliced(to, 0, ...events.slice(from, from + 1)),
  ),
  // One is made up that fits what is before it, and what comes after it is numbered anew.
  fc.tuple(place, newEvent).map(
    ([n, value]): Change =>
      (events) => {
        const before = events.slice(0, n)
        const after = events.slice(n).map((each) => ({ ...each, position: each.position + 1 }))
        return [...before, chainEvent(value, before.at(-1) ?? null), ...after]
      },
  ),
  // All from some event on is written anew, with hashes that fit.
  fc.tuple(place, newEvent).map(
    ([n, value]): Change =>
      (events) => {
        const forged = events.slice(0, n)
        for (const each of [value, ...events.slice(n + 1)]) {
          const { at, event, actor, serial, detail } = each
          forged.push(chainEvent({ at, event, actor, serial, detail }, forged.at(-1) ?? null))
        }
        return forged
      },
  ),
)

it('a trail that was touched is not sound, if its head was kept elsewhere', () =>
  fc.assert(
    fc.asyncProperty(trail, fc.array(change, { minLength: 1, maxLength: 3 }), async (events, changes) => {
      const touched = changes.reduce((each, act) => act(each), events)
      const verdict = await verifyAuditTrail(touched, { expectedHead: headOf(events) })
      // What was recorded must be there still, from the beginning, and only more of it may follow.
      const isWhole = JSON.stringify(touched.slice(0, events.length)) === JSON.stringify(events)
      if (!isWhole) expect(verdict.valid).toBe(false)
      else if (touched.length === events.length) expect(verdict.valid).toBe(true)
    }),
    { numRuns: 1000 },
  ))

it('no two events have one hash', () =>
  fc.assert(
    fc.property(newEvent, newEvent, (a, b) => {
      const [one, other] = [chainEvent(a, null), chainEvent(b, null)]
      const { hash, ...says } = one
      const { hash: otherHash, ...otherSays } = other
      expect(hash === otherHash).toBe(JSON.stringify(says) === JSON.stringify(otherSays))
    }),
  ))
