// Each check gets an empty store, does one thing, and throws if it did not come out as promised.

import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import type { Pin, PinChange } from '../tofu/pin.ts'
import type { PinListing, PinStore, PinUpdate } from '../tofu/pin-store.ts'
import {
  at,
  byDigest,
  certificate,
  DAY,
  insertion,
  key,
  line,
  material,
  pin,
  put,
  STATES,
  T0,
} from './contract-pins.ts'
import { PIN_PURGE_PROMISES } from './pin-purge-promises.ts'

/** Opens another store over the same pins; null where there cannot be one. */
type Reopen = (() => Promise<PinStore>) | null

/** What `PinStore` promises, by the numbers in its comment. */
export const PIN_STORE_PROMISES: Record<string, (store: PinStore, reopen: Reopen) => Promise<void>> = {
  '1 what is read is what was put, every field of it': async (store) => {
    const full = pin('a.example:1965', 'full', {
      state: 'verified',
      keyDigest: key('full'),
      notAfter: at(40_000_000),
      firstSeen: at(1),
      lastSeen: at(2),
      daysSeen: 17,
      source: 'user',
      note: 'line one\nline "two" \u{1f512}',
    })
    const bare = pin('a.example:1965', 'bare', { keyDigest: null, notAfter: null, source: null, note: null })
    await put(store, [], full, bare)
    deepStrictEqual(await store.read('a.example:1965'), byDigest([full, bare]))
  },
  '1 every state is kept': async (store) => {
    const pins = STATES.map((state) => pin('a.example:1965', state, { state }))
    await put(store, [], ...pins)
    deepStrictEqual(await store.read('a.example:1965'), byDigest(pins))
  },
  '1 every kind of fingerprint is kept': async (store) => {
    const digests = [certificate('x'), key('x'), `sha512:${hash('sha512', 'x', 'hex')}` as Fingerprint]
    const pins = digests.map((digest) => ({ ...pin('a.example:1965', 'x'), digest }))
    await put(store, [], ...pins)
    deepStrictEqual(await store.read('a.example:1965'), byDigest(pins))
  },
  '1 subjects are compared byte by byte': async (store) => {
    const subjects = ['a.example:1965', 'a.example:19650', 'a.example:196', 'A.example:1965', 'xa.example:1965']
    for (const subject of subjects) await put(store, [], pin(subject, subject))
    for (const subject of subjects) deepStrictEqual(await store.read(subject), [pin(subject, subject)])
    deepStrictEqual(await store.read('a_example:1965'), [])
    deepStrictEqual(await store.read('%'), [])
  },
  '1 what was handed over or out can be changed without effect': async (store) => {
    const instant = new Date(T0)
    await put(store, [], pin('a.example:1965', 'x', { firstSeen: instant }))
    instant.setTime(0)
    const [read] = await store.read('a.example:1965')
    strictEqual(read?.firstSeen.getTime(), T0)
  },
  '2 an update with another expectation changes nothing': async (store) => {
    const old = pin('a.example:1965', 'old')
    await put(store, [], old)
    const wrong: [string, Pick<Pin, 'digest' | 'state'>[]][] = [
      ['nothing', []],
      ['another digest', [pin('', 'other')]],
      ['another state', [{ ...old, state: 'replaced' }]],
      ['more', [old, pin('', 'other')]],
    ]
    for (const [what, expect] of wrong) {
      const change = { subject: old.subject, expect, put: [pin(old.subject, 'new')], remove: [old.digest] }
      strictEqual(await store.update({ changes: [change], log: [line(old.subject)] }), false, what)
    }
    deepStrictEqual(await store.read(old.subject), [old])
    deepStrictEqual((await store.history(old.subject)).length, 1)
  },
  '2 one wrong expectation among many stops all of them': async (store) => {
    await put(store, [], pin('known.example:1965', 'x'))
    const subjects = ['a.example:1965', 'b.example:1965', 'known.example:1965', 'z.example:1965']
    const changes = subjects.map((subject) => ({ subject, expect: [], put: [pin(subject, 'new')], remove: [] }))
    strictEqual(await store.update({ changes, log: [line('a.example:1965')] }), false)
    deepStrictEqual(await store.list(), [pin('known.example:1965', 'x')])
    deepStrictEqual(await store.history('a.example:1965'), [])
  },
  '2 an update replaces, adds and removes': async (store) => {
    const subject = 'a.example:1965'
    const [one, two, three] = [pin(subject, 'one'), pin(subject, 'two'), pin(subject, 'three')]
    await put(store, [], one, two)
    const retired: Pin = { ...one, state: 'replaced' }
    const change = { subject, expect: [two, one], put: [retired, three], remove: [two.digest] }
    strictEqual(await store.update({ changes: [change], log: [line(subject)] }), true)
    deepStrictEqual(await store.read(subject), byDigest([retired, three]))
  },
  '2 an update for another version changes nothing': async (store) => {
    const version = await store.version()
    await put(store, [], pin('a.example:1965', 'x'))
    const late = insertion('b.example:1965', 'y')
    strictEqual(await store.update({ ...late, atVersion: version }), false)
    deepStrictEqual(await store.read('b.example:1965'), [])
    strictEqual(await store.update({ ...late, atVersion: await store.version() }), true)
  },
  '2 every update moves the version, and no version comes back': async (store) => {
    const versions = new Set([await store.version()])
    await put(store, [], pin('a.example:1965', 'x'))
    versions.add(await store.version())
    const change = { subject: 'a.example:1965', expect: [pin('', 'x')], put: [], remove: [certificate('x')] }
    await store.update({ changes: [change], log: [line('a.example:1965')] })
    versions.add(await store.version())
    await store.clear(at(5))
    versions.add(await store.version())
    await put(store, [], pin('a.example:1965', 'x'))
    versions.add(await store.version())
    strictEqual(versions.size, 5)
  },
  '3 of many updates that expect the same, one happens': async (store, reopen) => {
    const stores = reopen === null ? [store] : [store, await reopen(), await reopen()]
    for (let round = 0; round < 10; round++) {
      const subject = `host${round}.example:1965`
      const answers = await Promise.all(
        Array.from({ length: 24 }, async (_, n) =>
          (stores[n % stores.length] ?? store).update(insertion(subject, `${n}`)),
        ),
      )
      const winners = answers.flatMap((won, n) => (won ? [n] : []))
      strictEqual(winners.length, 1)
      deepStrictEqual(await store.read(subject), [pin(subject, `${winners[0]}`)])
    }
  },
  '4 what one has written, the others see': async (store, reopen) => {
    const other = reopen === null ? store : await reopen()
    await put(store, [], pin('a.example:1965', 'x'))
    deepStrictEqual(await other.read('a.example:1965'), [pin('a.example:1965', 'x')])
    strictEqual(await other.lastSeen('a.example:1965', certificate('x')), T0)
    await put(other, [pin('a.example:1965', 'x')], pin('a.example:1965', 'x', { state: 'replaced' }))
    strictEqual(await store.lastSeen('a.example:1965', certificate('x')), undefined)
  },
  '4 pins outlive the store that wrote them': async (store, reopen) => {
    if (reopen === null) return
    await put(store, [], pin('a.example:1965', 'x'))
    await store.close()
    deepStrictEqual(await (await reopen()).read('a.example:1965'), [pin('a.example:1965', 'x')])
  },
  '5 lastSeen answers for live pins with a known key only': async (store) => {
    const subject = 'a.example:1965'
    const pins = STATES.map((state) => pin(subject, state, { state, lastSeen: at(7) }))
    await put(store, [], ...pins, pin(subject, 'keyless', { keyDigest: null }))
    for (const { state, digest } of pins) {
      const live = state === 'trusted' || state === 'verified'
      strictEqual(await store.lastSeen(subject, digest), live ? T0 + 7 : undefined, state)
    }
    strictEqual(await store.lastSeen(subject, certificate('keyless')), undefined)
    strictEqual(await store.lastSeen(subject, certificate('unknown')), undefined)
    strictEqual(await store.lastSeen('b.example:1965', certificate('trusted')), undefined)
  },
  '6 seen counts a day only if 24 hours have passed': async (store) => {
    const subject = 'a.example:1965'
    const digest = certificate('x')
    await put(store, [], pin(subject, 'x'))
    const steps = [
      { ms: DAY - 1, lastSeen: 0, daysSeen: 1 },
      { ms: DAY, lastSeen: DAY, daysSeen: 2 },
      { ms: DAY + 5, lastSeen: DAY, daysSeen: 2 },
      { ms: 9 * DAY, lastSeen: 9 * DAY, daysSeen: 3 },
      // The clock had been wrong, and was put right.
      { ms: 2 * DAY, lastSeen: 2 * DAY, daysSeen: 4 },
    ]
    for (const { ms, lastSeen, daysSeen } of steps) {
      await store.seen(subject, digest, T0 + ms)
      deepStrictEqual(await store.read(subject), [pin(subject, 'x', { lastSeen: at(lastSeen), daysSeen })])
    }
  },
  '6 seen fills in what was not known, and only that': async (store) => {
    const subject = 'a.example:1965'
    await put(store, [], pin(subject, 'x', { keyDigest: null, notAfter: null }))
    await store.seen(subject, certificate('x'), T0, material('x'))
    const complete = pin(subject, 'x', { keyDigest: key('x'), notAfter: at(99) })
    deepStrictEqual(await store.read(subject), [complete])
    await store.seen(subject, certificate('x'), T0, { ...material('x'), keyDigest: key('y'), notAfter: at(1) })
    deepStrictEqual(await store.read(subject), [complete])
    deepStrictEqual(bytes(await store.publicKey(key('x'))), material('x').publicKey)
    strictEqual(await store.sha512(certificate('x')), material('x').sha512)
  },
  '6 seen fills in no key beside a mark': async (store) => {
    const subject = 'a.example:1965'
    const known = pin(subject, 'x', { keyDigest: null })
    const mark = pin(subject, 'bad', { state: 'distrusted' })
    await put(store, [], known, mark)
    await store.seen(subject, known.digest, T0, material('x'))
    deepStrictEqual(await store.read(subject), byDigest([known, mark]))
    strictEqual(await store.lastSeen(subject, known.digest), undefined)
  },
  '6 seen touches nothing but live pins, and never the version': async (store) => {
    const subject = 'a.example:1965'
    const dead = (['replaced', 'distrusted', 'announced'] as const).map((state) => pin(subject, state, { state }))
    await put(store, [], ...dead)
    const version = await store.version()
    for (const { digest } of dead) await store.seen(subject, digest, T0 + 3 * DAY, material('x'))
    await store.seen('b.example:1965', certificate('x'), T0, material('x'))
    deepStrictEqual(await store.list(), byDigest(dead))
    strictEqual(await store.version(), version)
    strictEqual((await store.history(subject)).length, 1)
  },
  '7 list gives whole subjects in order, by prefix, from a place on, up to a limit': async (store) => {
    const subjects = ['[::1]:1965', 'a.example:1', 'a.example:1965', 'a.example:9', 'b.example:1965', 'é.example:1']
    for (const subject of subjects.toReversed()) await put(store, [], pin(subject, 'x'), pin(subject, 'y'))
    const cases: [PinListing | undefined, string[]][] = [
      [undefined, subjects],
      [{ prefix: 'a.example:' }, ['a.example:1', 'a.example:1965', 'a.example:9']],
      [{ prefix: 'a.example:1965' }, ['a.example:1965']],
      [{ prefix: 'a.exampl' }, ['a.example:1', 'a.example:1965', 'a.example:9']],
      [{ prefix: '%' }, []],
      [{ after: 'a.example:1965' }, ['a.example:9', 'b.example:1965', 'é.example:1']],
      [{ after: 'a.example:2' }, ['a.example:9', 'b.example:1965', 'é.example:1']],
      [{ limit: 2 }, ['[::1]:1965', 'a.example:1']],
      [{ prefix: 'a.', after: 'a.example:1', limit: 1 }, ['a.example:1965']],
      [{ limit: 100 }, subjects],
    ]
    for (const [listing, expected] of cases) {
      const pins = byDigest([pin('', 'x'), pin('', 'y')])
      const whole = expected.flatMap((subject) => pins.map((each) => ({ ...each, subject })))
      deepStrictEqual(await store.list(listing), whole, JSON.stringify(listing))
    }
  },
  '7 scan gives everything, in order, in portions of whole subjects': async (store) => {
    const subjects = Array.from({ length: 700 }, (_, n) => `host${String(n).padStart(4, '0')}.example:1965`)
    const changes = subjects.map((subject) => {
      const names = subject.startsWith('host05') ? ['x', 'y', 'z'] : ['x', 'y']
      return { subject, expect: [], put: names.map((name) => pin(subject, name)), remove: [] }
    })
    strictEqual(await store.update({ changes, log: [line('')] }), true)
    const seen: Pin[] = []
    for await (const portion of store.scan()) {
      ok(portion.length > 0)
      ok(portion[0]?.subject !== seen.at(-1)?.subject, 'a subject was split')
      seen.push(...portion)
    }
    deepStrictEqual(
      seen,
      changes.flatMap((change) => byDigest(change.put)),
    )
  },
  '7 scan shows one moment': async (store) => {
    const before = Array.from({ length: 3000 }, (_, n) => `host${String(n).padStart(4, '0')}.example:1965`)
    const changes = before.map((subject) => ({ subject, expect: [], put: [pin(subject, 'x')], remove: [] }))
    await store.update({ changes, log: [line('')] })
    const seen: string[] = []
    for await (const portion of store.scan()) {
      if (seen.length === 0) {
        await store.update(insertion('zzz.example:1965', 'late'))
        const subject = 'host2999.example:1965'
        await store.update({
          changes: [{ subject, expect: [pin('', 'x')], put: [], remove: [certificate('x')] }],
          log: [line(subject)],
        })
      }
      seen.push(...portion.map((each) => each.subject))
    }
    deepStrictEqual(seen, before)
  },
  '7 a scan can be given up': async (store) => {
    await put(store, [], pin('a.example:1965', 'x'))
    for await (const portion of store.scan()) {
      strictEqual(portion.length, 1)
      break
    }
    strictEqual(await store.update(insertion('b.example:1965', 'y')), true)
  },
  '8 history is kept in order, also of pins that are gone': async (store) => {
    const subject = 'a.example:1965'
    const first: PinChange = { ...line(subject), cause: 'first_use', new: certificate('x'), decidedBy: null }
    const second: PinChange = { ...line(subject), at: at(9), cause: 'revoked', old: certificate('x') }
    const other: PinChange = { ...line('b.example:1965'), cause: 'trusted', new: certificate('y') }
    const x = pin(subject, 'x')
    await store.update({ changes: [{ subject, expect: [], put: [x], remove: [] }], log: [first, other] })
    await store.update({ changes: [{ subject, expect: [x], put: [], remove: [x.digest] }], log: [second] })
    deepStrictEqual(await store.read(subject), [])
    deepStrictEqual(await store.history(subject), [first, second])
    deepStrictEqual(await store.history('b.example:1965'), [other])
    deepStrictEqual(await store.history('c.example:1965'), [])
  },
  '9 clear keeps the marks and the lines that set them, and nothing else': async (store) => {
    const marked = 'a.example:1965'
    const mark = pin(marked, 'bad', { state: 'distrusted' })
    const set: PinChange = { ...line(marked), cause: 'distrusted', new: mark.digest }
    const earlier: PinChange = { ...line(marked), cause: 'first_use', new: certificate('good') }
    const log = [earlier, set]
    await store.update({
      changes: [
        {
          subject: marked,
          expect: [],
          put: [mark, pin(marked, 'good'), pin(marked, 'old', { state: 'replaced' })],
          remove: [],
        },
      ],
      log,
      remember: [material('good')],
    })
    await put(store, [], pin('b.example:1965', 'x'))
    deepStrictEqual(await store.clear(at(5)), { subjects: 2, pins: 3, kept: 1 })
    deepStrictEqual(await store.list(), [mark])
    deepStrictEqual(await store.history(marked), [set])
    deepStrictEqual(await store.history('b.example:1965'), [])
    strictEqual((await store.history(''))[0]?.cause, 'cleared')
    strictEqual(await store.publicKey(key('good')), undefined)
    strictEqual(await store.sha512(certificate('good')), undefined)
    deepStrictEqual(await store.clear(at(6)), { subjects: 0, pins: 0, kept: 1 })
  },
  '2 a pin that cannot be kept is an error, and changes nothing': async (store) => {
    const subject = 'a.example:1965'
    const mistakes = [{ firstSeen: new Date(Number.NaN) }, { state: 'revoked' as Pin['state'] }]
    for (const mistake of mistakes) {
      const update = {
        changes: [{ subject, expect: [], put: [pin(subject, 'x'), { ...pin(subject, 'y'), ...mistake }], remove: [] }],
        log: [line(subject)],
      }
      await fails(
        async () => store.update(update),
        () => true,
      )
      deepStrictEqual(await store.read(subject), [])
      deepStrictEqual(await store.history(subject), [])
    }
  },
  '11 after close nothing answers': async (store) => {
    await put(store, [], pin('a.example:1965', 'x'))
    await store.close()
    await store.close()
    const calls: Record<string, () => unknown> = {
      lastSeen: () => store.lastSeen('a.example:1965', certificate('x')),
      read: () => store.read('a.example:1965'),
      update: () => store.update(insertion('b.example:1965', 'y')),
      seen: () => store.seen('a.example:1965', certificate('x'), T0),
      list: () => store.list(),
      scan: () => store.scan()[Symbol.asyncIterator]().next(),
      history: () => store.history('a.example:1965'),
      version: () => store.version(),
      clear: () => store.clear(at(0)),
      purge: () => store.purge({ before: at(0), verified: false, at: at(0) }),
      publicKey: () => store.publicKey(key('x')),
      sha512: () => store.sha512(certificate('x')),
    }
    for (const [name, call] of Object.entries(calls)) {
      await fails(
        async () => call(),
        (error) => error instanceof StoreError && error.code === 'ERR_TLACACOCA_STORE_CLOSED',
        name,
      )
    }
  },
  ...PIN_PURGE_PROMISES,
  '13 a stage gives back its labels': async (store) => {
    if (store.stage === undefined) return
    await put(store, [], pin('known.example:1965', 'x'))
    const stage = await store.stage()
    stage.add([
      { ...pin('known.example:1965', 'y'), label: 'one' },
      { ...pin('mark.example:1965', 'bad', { state: 'distrusted' }), label: 'two \u{1f512}' },
      { ...pin('fresh.example:1965', 'x'), label: 'three' },
    ])
    const labels: [string, string | undefined][] = []
    for await (const portion of (await stage.compare({ skipKnown: false })).contested()) {
      for (const { subject, label, incoming } of portion) {
        labels.push([subject, label])
        deepStrictEqual(incoming, [
          subject === 'known.example:1965' ? pin(subject, 'y') : pin(subject, 'bad', { state: 'distrusted' }),
        ])
      }
    }
    deepStrictEqual(labels.sort(), [
      ['known.example:1965', 'one'],
      ['mark.example:1965', 'two \u{1f512}'],
    ])
    strictEqual(await stage.commit({ changes: [], log: [line('')] }), true)
    await stage.close()
    deepStrictEqual(await store.read('fresh.example:1965'), [pin('fresh.example:1965', 'x')])
  },
  '13 a stage commits what was collected, whole': async (store) => {
    if (store.stage === undefined) return
    const known = pin('known.example:1965', 'x')
    await put(store, [], known)
    const stage = await store.stage()
    stage.add([pin('void.example:1965', 'x')])
    stage.reset()
    const fresh = [
      pin('a.example:1965', 'x'),
      ...byDigest([
        pin('b.example:1965', 'y', { keyDigest: null, notAfter: null, note: 'n' }),
        pin('b.example:1965', 'z'),
      ]),
    ]
    const mark = pin('c.example:1965', 'bad', { state: 'distrusted' })
    const several = [pin('d.example:1965', 'x'), pin('d.example:1965', 'y', { state: 'replaced' })]
    stage.add([...fresh, mark])
    stage.add([...several, pin(known.subject, 'y')])
    const staged = await stage.compare({ skipKnown: false })
    strictEqual(staged.fresh, 2)
    const contested = []
    for await (const portion of staged.contested()) contested.push(...portion)
    contested.sort((one, other) => (one.subject < other.subject ? -1 : 1))
    deepStrictEqual(contested, [
      { subject: mark.subject, stored: [], incoming: [mark] },
      { subject: 'd.example:1965', stored: [], incoming: byDigest(several) },
      { subject: known.subject, stored: [known], incoming: [pin(known.subject, 'y')] },
    ])
    ok(staged.includes('a.example:1965') && staged.includes(known.subject) && !staged.includes('void.example:1965'))
    deepStrictEqual(await store.list(), [known])
    const changes = [{ subject: mark.subject, expect: [], put: [mark], remove: [] }]
    strictEqual(await stage.commit({ changes, log: [line('')] }), true)
    await stage.close()
    deepStrictEqual(await store.list(), [...fresh, mark, known])
  },
  '13 a stage leaves out what is pinned already, if it is told to': async (store) => {
    if (store.stage === undefined) return
    const same = pin('same.example:1965', 'x')
    const other = pin('other.example:1965', 'x')
    const replaced = pin('replaced.example:1965', 'x', { state: 'replaced' })
    const both = pin('both.example:1965', 'x')
    for (const each of [same, other, replaced, both]) await put(store, [], each)
    const incoming = [
      same,
      both,
      pin(both.subject, 'y'),
      { ...replaced, state: 'trusted' as const },
      pin(other.subject, 'y'),
      pin('new.example:1', 'x'),
    ]
    const stage = await store.stage()
    stage.add(incoming)
    const staged = await stage.compare({ skipKnown: true })
    const contested: string[] = []
    for await (const portion of staged.contested()) contested.push(...portion.map((each) => each.subject))
    const expected = [both.subject, other.subject, replaced.subject]
    deepStrictEqual([staged.known, staged.fresh, contested.sort()], [1, 1, expected])
    ok(staged.includes(same.subject))
    strictEqual(await stage.commit({ changes: [], log: [line('')] }), true)
    await stage.close()
    deepStrictEqual(await store.list(), [both, pin('new.example:1', 'x'), other, replaced, same])
  },
  '13 a stage commits nothing if something came in between': async (store) => {
    if (store.stage === undefined) return
    const late: [string, PinUpdate][] = [
      ['a fresh subject', { changes: [], log: [line('')] }],
      ['a decided one', { changes: [{ subject: 'b.example:1965', expect: [], put: [], remove: [] }], log: [line('')] }],
    ]
    for (const [n, [what, update]] of late.entries()) {
      const subject = n === 0 ? `fresh.example:1965` : 'b.example:1965'
      const stage = await store.stage()
      stage.add([pin('fresh.example:1965', 'x'), pin('other.example:1965', 'x')])
      await stage.compare({ skipKnown: false })
      const [before] = [await store.list()]
      await store.update(insertion(subject, 'late'))
      strictEqual(await stage.commit(update), false, what)
      await stage.close()
      deepStrictEqual(await store.list(), [...before, pin(subject, 'late')])
      await store.clear(at(1))
    }
  },
}

/** A copy without the `Buffer` that a database may hand out. */
function bytes(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : new Uint8Array(value)
}

async function fails(act: () => Promise<unknown>, isRight: (error: unknown) => boolean, name = ''): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (isRight(error)) return
    throw error
  }
  throw new Error(`${name} answered`)
}
