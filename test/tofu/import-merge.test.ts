import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fingerprint } from '../../src/certificate/fingerprint.ts'
import { type Merged, mergeSubject, replaceSubject } from '../../src/tofu/import-merge.ts'
import { isLive, PIN_STATES, type Pin } from '../../src/tofu/pin.ts'

const subject = 'example.org:1965'
const EARLY = new Date('2026-01-01T00:00:00Z')
const LATE = new Date('2026-06-01T00:00:00Z')

function certificate(name: string): Fingerprint {
  return `sha256:${hash('sha256', name, 'hex')}` as Fingerprint
}

function key(name: string): Fingerprint {
  return `spki-sha256:${hash('sha256', name, 'hex')}` as Fingerprint
}

function pin(name: string, facts: Partial<Pin> = {}): Pin {
  return {
    subject,
    digest: certificate(name),
    state: 'trusted',
    keyDigest: key(name),
    notAfter: null,
    firstSeen: EARLY,
    lastSeen: LATE,
    daysSeen: 3,
    source: null,
    note: null,
    ...facts,
  }
}

/** The pins that are stored after a change. */
function pinsAfter(stored: readonly Pin[], { change }: Merged): Pin[] {
  const pins = new Map(stored.map((each) => [each.digest, each]))
  for (const digest of change?.remove ?? []) pins.delete(digest)
  for (const each of change?.put ?? []) pins.set(each.digest, each)
  return [...pins.values()]
}

/** States by the names of the certificates: `{ a: 'trusted' }`. */
function states(pins: readonly Pin[]): Record<string, string> {
  const names = ['a', 'b', 'c', 'd']
  const nameOf = (pinned: Pin) =>
    names.find((name) => pinned.digest === certificate(name)) ??
    names.map((name) => `key ${name}`).find((name) => pinned.digest === key(name.slice(4))) ??
    pinned.digest
  return Object.fromEntries(pins.map((each) => [nameOf(each), each.state]))
}

const mark = (name: string) => pin(name, { state: 'distrusted' })
const keyMark = (name: string) => pin(name, { digest: key(name), keyDigest: null, state: 'distrusted' })
const was = (name: string) => pin(name, { state: 'replaced' })
const next = (name: string) => pin(name, { state: 'announced' })

// What happens without a question: either there is no conflict, or nobody says yes.
describe('merging', () => {
  it.each<{ what: string; stored: Pin[]; incoming: Pin[]; outcome: string; left: Record<string, string> }>([
    { what: 'a new host', stored: [], incoming: [pin('a')], outcome: 'added', left: { a: 'trusted' } },
    {
      what: 'a new host with several pins and history',
      stored: [],
      incoming: [pin('a'), pin('b', { state: 'verified' }), was('c'), next('d')],
      outcome: 'added',
      left: { a: 'trusted', b: 'verified', c: 'replaced', d: 'announced' },
    },
    { what: 'the same pin', stored: [pin('a')], incoming: [pin('a')], outcome: 'skipped', left: { a: 'trusted' } },
    {
      what: 'the same pin in a better state',
      stored: [pin('a')],
      incoming: [pin('a', { state: 'verified', keyDigest: key('b'), daysSeen: 99 })],
      outcome: 'skipped',
      left: { a: 'trusted' },
    },
    {
      what: 'the key of the pin that is stored',
      stored: [pin('a')],
      incoming: [pin('a', { digest: key('a'), keyDigest: null })],
      outcome: 'skipped',
      left: { a: 'trusted' },
    },
    {
      what: 'another pin',
      stored: [pin('a')],
      incoming: [pin('b')],
      outcome: 'conflict',
      left: { a: 'trusted' },
    },
    {
      what: 'another pin beside the same',
      stored: [pin('a')],
      incoming: [pin('a'), pin('b')],
      outcome: 'conflict',
      left: { a: 'trusted' },
    },
    {
      what: 'an announcement for a known host',
      stored: [pin('a')],
      incoming: [pin('a'), next('b')],
      outcome: 'skipped',
      left: { a: 'trusted' },
    },
    {
      what: 'history for a known host',
      stored: [pin('a')],
      incoming: [pin('a'), was('b')],
      outcome: 'skipped',
      left: { a: 'trusted', b: 'replaced' },
    },
    {
      what: 'history that is live here',
      stored: [pin('a')],
      incoming: [was('a')],
      outcome: 'skipped',
      left: { a: 'trusted' },
    },
    {
      what: 'a mark for a known host',
      stored: [pin('a')],
      incoming: [mark('b'), keyMark('c')],
      outcome: 'skipped',
      left: { a: 'trusted', b: 'distrusted', 'key c': 'distrusted' },
    },
    // A mark on what is live would make the next visit a first one: whoever wrote the file could be waiting for it.
    {
      what: 'a mark on what is live',
      stored: [pin('a')],
      incoming: [mark('a'), keyMark('a')],
      outcome: 'skipped',
      left: { a: 'trusted' },
    },
    {
      what: 'a mark on what was replaced',
      stored: [pin('a'), was('b')],
      incoming: [mark('b')],
      outcome: 'skipped',
      left: { a: 'trusted', b: 'distrusted' },
    },
    {
      what: 'what is marked',
      stored: [mark('a')],
      incoming: [pin('a')],
      outcome: 'skipped',
      left: { a: 'distrusted' },
    },
    {
      what: 'something else where there is a mark',
      stored: [mark('a')],
      incoming: [pin('b')],
      outcome: 'added',
      left: { a: 'distrusted', b: 'trusted' },
    },
    {
      what: 'a certificate whose key is marked',
      stored: [keyMark('a')],
      incoming: [pin('a')],
      outcome: 'skipped',
      left: { 'key a': 'distrusted' },
    },
    {
      what: 'a file that marks what it pins',
      stored: [],
      incoming: [pin('a'), keyMark('a')],
      outcome: 'skipped',
      left: { 'key a': 'distrusted' },
    },
    {
      what: 'what was replaced here, where nothing is live',
      stored: [was('a')],
      incoming: [pin('a')],
      outcome: 'added',
      left: { a: 'trusted' },
    },
    { what: 'history alone', stored: [], incoming: [was('a')], outcome: 'skipped', left: { a: 'replaced' } },
    { what: 'an announcement alone', stored: [], incoming: [next('a')], outcome: 'skipped', left: {} },
  ])('$what: $outcome', ({ stored, incoming, outcome, left }) => {
    const merged = mergeSubject({ subject, stored, incoming })
    expect(merged.outcome).toBe(outcome)
    expect(states(pinsAfter(stored, merged.outcome === 'conflict' ? merged.refused : merged))).toEqual(left)
  })

  it.each<{ what: string; stored: Pin[]; incoming: Pin[]; left: Record<string, string> }>([
    {
      what: 'replaces the pin',
      stored: [pin('a')],
      incoming: [pin('b')],
      left: { a: 'replaced', b: 'trusted' },
    },
    {
      what: 'replaces all pins that the file has not',
      stored: [pin('a'), pin('b')],
      incoming: [pin('b'), pin('c'), next('d')],
      left: { a: 'replaced', b: 'trusted', c: 'trusted', d: 'announced' },
    },
    {
      what: 'forgets what the pin that goes has announced',
      stored: [pin('a'), next('c'), next('d')],
      incoming: [pin('b'), next('d')],
      left: { a: 'replaced', b: 'trusted', d: 'announced' },
    },
    {
      what: 'keeps what a pin that stays may have announced',
      stored: [pin('a'), pin('b'), next('d')],
      incoming: [pin('b'), pin('c')],
      left: { a: 'replaced', b: 'trusted', c: 'trusted', d: 'announced' },
    },
    {
      what: 'lets the file’s mark on the old pin in',
      stored: [pin('a')],
      incoming: [pin('b'), mark('a')],
      left: { a: 'distrusted', b: 'trusted' },
    },
  ])('a yes to a conflict $what', ({ stored, incoming, left }) => {
    const merged = mergeSubject({ subject, stored, incoming })
    if (merged.outcome !== 'conflict') throw new Error('no conflict')
    expect(merged.accepted.outcome).toBe('updated')
    expect(states(pinsAfter(stored, merged.accepted))).toEqual(left)
  })

  it('tells the pin seen last on either side', () => {
    const stored = [pin('a', { lastSeen: EARLY }), pin('b')]
    const incoming = [pin('c'), pin('d', { lastSeen: EARLY })]
    expect(mergeSubject({ subject, stored, incoming })).toMatchObject({ old: certificate('b'), new: certificate('c') })
  })

  it('takes no key from the file for a pin that is stored without one', () => {
    const stored = [pin('a', { keyDigest: null })]
    const merged = mergeSubject({ subject, stored, incoming: [pin('a', { keyDigest: key('attacker') })] })
    expect(merged).toMatchObject({ outcome: 'skipped', change: null })
  })

  it('makes a new pin look for marks the long way beside a mark by SHA-512', () => {
    const sha512 = `sha512:${hash('sha512', 'a', 'hex')}` as Fingerprint
    const stored = [pin('x', { digest: sha512, state: 'distrusted' })]
    const merged = mergeSubject({ subject, stored, incoming: [pin('a')] })
    if (merged.outcome === 'conflict') throw new Error('a conflict')
    expect(pinsAfter(stored, merged)).toMatchObject([{ digest: sha512 }, { digest: certificate('a'), keyDigest: null }])
  })
})

describe('replacing', () => {
  it.each<{ what: string; stored: Pin[]; incoming: Pin[]; outcome: string; left: Record<string, string> }>([
    { what: 'a new host', stored: [], incoming: [pin('a')], outcome: 'added', left: { a: 'trusted' } },
    { what: 'another pin', stored: [pin('a')], incoming: [pin('b')], outcome: 'updated', left: { b: 'trusted' } },
    { what: 'the same pin', stored: [pin('a')], incoming: [pin('a')], outcome: 'skipped', left: { a: 'trusted' } },
    {
      what: 'a host with marks',
      stored: [pin('a'), was('b'), mark('c')],
      incoming: [pin('d')],
      outcome: 'updated',
      left: { c: 'distrusted', d: 'trusted' },
    },
    {
      what: 'what is marked',
      stored: [mark('a'), keyMark('b')],
      incoming: [pin('a'), pin('b')],
      outcome: 'skipped',
      left: { a: 'distrusted', 'key b': 'distrusted' },
    },
    {
      what: 'a mark of the file on what is live',
      stored: [pin('a')],
      incoming: [mark('a')],
      outcome: 'updated',
      left: { a: 'distrusted' },
    },
  ])('$what: $outcome', ({ stored, incoming, outcome, left }) => {
    const merged = replaceSubject({ subject, stored, incoming })
    expect(merged.outcome).toBe(outcome)
    expect(states(pinsAfter(stored, merged))).toEqual(left)
  })

  it('keeps what is known of a pin that both have', () => {
    const stored = [pin('a', { notAfter: LATE, daysSeen: 40, lastSeen: EARLY, source: 'first_use' })]
    const incoming = [pin('a', { keyDigest: key('attacker'), state: 'verified', note: 'theirs' })]
    expect(pinsAfter(stored, replaceSubject({ subject, stored, incoming }))).toEqual([
      { ...stored[0], state: 'verified', lastSeen: LATE, note: 'theirs' },
    ])
  })
})

describe('whatever is stored and whatever comes,', () => {
  const names = fc.constantFrom('a', 'b', 'c')
  const anyPin = fc
    .record({
      name: names,
      kind: fc.constantFrom('certificate', 'key'),
      state: fc.constantFrom(...PIN_STATES),
      knowsKey: fc.boolean(),
    })
    .map(({ name, kind, state, knowsKey }) =>
      kind === 'key'
        ? pin(name, { digest: key(name), keyDigest: null, state })
        : pin(name, { state, keyDigest: knowsKey ? key(name) : null }),
    )
  const anyPins = fc.uniqueArray(anyPin, { selector: (each) => each.digest, maxLength: 5 })
  // A store never holds a live pin that it knows to be marked.
  const consistent = anyPins.filter((pins) => !hasMarkedLivePin(pins))

  function hasMarkedLivePin(pins: readonly Pin[]): boolean {
    const marks = pins.filter((each) => each.state === 'distrusted').map((each) => each.digest)
    return pins.some(
      (each) =>
        isLive(each.state) &&
        (marks.includes(each.digest) || (each.keyDigest !== null && marks.includes(each.keyDigest))),
    )
  }

  function results(stored: Pin[], incoming: Pin[]): { merged: Merged; answer: 'merge' | 'yes' | 'replace' }[] {
    const merged = mergeSubject({ subject, stored, incoming })
    const replaced = { merged: replaceSubject({ subject, stored, incoming }), answer: 'replace' as const }
    return merged.outcome === 'conflict'
      ? [{ merged: merged.refused, answer: 'merge' }, { merged: merged.accepted, answer: 'yes' }, replaced]
      : [{ merged, answer: 'merge' }, replaced]
  }

  it('marks stay, and nothing that is marked is live', () => {
    fc.assert(
      fc.property(consistent, anyPins, (stored, incoming) => {
        for (const { merged } of results(stored, incoming)) {
          const left = pinsAfter(stored, merged)
          expect(hasMarkedLivePin(left)).toBe(false)
          for (const each of stored) if (each.state === 'distrusted') expect(left).toContainEqual(each)
        }
      }),
    )
  })

  it('without a yes, a host that is known trusts nothing new, and is not forgotten', () => {
    fc.assert(
      fc.property(consistent, anyPins, (stored, incoming) => {
        const live = stored.filter((each) => isLive(each.state))
        fc.pre(live.length > 0)
        for (const { merged, answer } of results(stored, incoming)) {
          if (answer !== 'merge') continue
          const left = pinsAfter(stored, merged)
          expect(left.filter((each) => isLive(each.state))).toEqual(live)
          const announced = (pins: Pin[]) => pins.filter((each) => each.state === 'announced')
          expect(announced(stored)).toEqual(expect.arrayContaining(announced(left)))
        }
      }),
    )
  })

  it('a change says what it was decided on, and nothing is written twice', () => {
    fc.assert(
      fc.property(consistent, anyPins, (stored, incoming) => {
        for (const { merged } of results(stored, incoming)) {
          if (merged.change === null) continue
          expect(merged.change.expect).toEqual(stored)
          expect(new Set(merged.change.put.map((each) => each.digest)).size).toBe(merged.change.put.length)
          for (const each of merged.change.put) expect(stored).not.toContainEqual(each)
        }
      }),
    )
  })
})
