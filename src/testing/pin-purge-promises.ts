// What `PinStore` promises of `purge`. Like every check: an empty store, one thing done, and a throw if it did not come out
// as promised.

import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import type { PinChange } from '../tofu/pin.ts'
import type { PinStore } from '../tofu/pin-store.ts'
import { at, byDigest, certificate, DAY, key, line, material, pin, put } from './contract-pins.ts'

/** The checks of promise 12. */
export const PIN_PURGE_PROMISES: Record<string, (store: PinStore) => Promise<void>> = {
  '12 purge removes subjects of which nothing was seen since, whole, and no others': async (store) => {
    const old = { lastSeen: at(-1) }
    const states = ['trusted', 'replaced', 'announced'] as const
    const gone = states.map((state) => pin('gone.example:1965', state, { ...old, state }))
    const exact = [pin('exact.example:1965', 'x', { lastSeen: at(0) })]
    const mixed = [pin('mixed.example:1965', 'old', { ...old, state: 'replaced' }), pin('mixed.example:1965', 'new')]
    for (const pins of [gone, exact, mixed]) await put(store, [], ...pins)
    const purged = await store.purge({ before: at(0), verified: false, at: at(5) })
    deepStrictEqual(purged, { subjects: 1, pins: 3, lines: 1, erased: purged.erased })
    strictEqual(typeof purged.erased, 'boolean')
    deepStrictEqual(await store.list(), [...exact, ...byDigest(mixed)])
    deepStrictEqual(await store.history('gone.example:1965'), [])
    strictEqual((await store.history('exact.example:1965')).length, 1)
    const again = await store.purge({ before: at(0), verified: false, at: at(6) })
    deepStrictEqual(again, { subjects: 0, pins: 0, lines: 0, erased: again.erased })
  },
  '12 purge leaves subjects with a verified pin, unless it is told not to': async (store) => {
    const subject = 'a.example:1965'
    const pins = [pin(subject, 'x', { state: 'verified' }), pin(subject, 'y', { state: 'replaced' })]
    await put(store, [], ...pins)
    const kept = await store.purge({ before: at(DAY), verified: false, at: at(2 * DAY) })
    deepStrictEqual([kept.subjects, kept.pins, kept.lines], [0, 0, 0])
    deepStrictEqual(await store.list(), byDigest(pins))
    const purged = await store.purge({ before: at(DAY), verified: true, at: at(2 * DAY) })
    deepStrictEqual([purged.subjects, purged.pins, purged.lines], [1, 2, 1])
    deepStrictEqual(await store.list(), [])
  },
  '12 purge keeps marks, which count for nothing, and the lines that set them': async (store) => {
    const subject = 'a.example:1965'
    const mark = pin(subject, 'bad', { state: 'distrusted', lastSeen: at(9 * DAY) })
    const good = pin(subject, 'good')
    const set: PinChange = { ...line(subject), cause: 'distrusted', new: mark.digest }
    const lifted: PinChange = { ...line(subject), cause: 'distrusted', new: certificate('lifted') }
    const before: PinChange = { ...line(subject), cause: 'first_use', new: mark.digest }
    const log = [before, line(subject), lifted, set]
    await store.update({ changes: [{ subject, expect: [], put: [mark, good], remove: [] }], log })
    const purged = await store.purge({ before: at(DAY), verified: false, at: at(2 * DAY) })
    deepStrictEqual([purged.subjects, purged.pins, purged.lines], [1, 1, 3])
    deepStrictEqual(await store.read(subject), [mark])
    deepStrictEqual(await store.history(subject), [set])
  },
  '12 purge removes old history of subjects that have no pins any more': async (store) => {
    for (const [subject, last] of [['old.example:1965', 0] as const, ['new.example:1965', 2 * DAY] as const]) {
      await put(store, [], pin(subject, 'x'))
      const change = { subject, expect: [pin('', 'x')], put: [], remove: [certificate('x')] }
      await store.update({ changes: [change], log: [{ ...line(subject), at: at(last), cause: 'revoked' }] })
    }
    const purged = await store.purge({ before: at(DAY), verified: false, at: at(3 * DAY) })
    deepStrictEqual([purged.subjects, purged.pins, purged.lines], [0, 0, 2])
    deepStrictEqual(await store.history('old.example:1965'), [])
    strictEqual((await store.history('new.example:1965')).length, 2)
  },
  '12 purge removes what was remembered, if no pin names it': async (store) => {
    const subjects = ['gone.example:1965', 'here.example:1965']
    const pins = [
      pin('gone.example:1965', 'gone'),
      { ...pin('gone.example:1965', 'both'), keyDigest: key('both') },
      pin('here.example:1965', 'both', { lastSeen: at(2 * DAY) }),
      { ...pin('here.example:1965', 'by-key', { lastSeen: at(2 * DAY) }), digest: key('by-key'), keyDigest: null },
    ]
    const changes = subjects.map((subject) => ({
      subject,
      expect: [],
      put: pins.filter((each) => each.subject === subject),
      remove: [],
    }))
    const remember = ['gone', 'both', 'by-key', 'nobody'].map(material)
    await store.update({ changes, log: [line('')], remember })
    await store.purge({ before: at(DAY), verified: false, at: at(3 * DAY) })
    const kept = { gone: false, both: true, 'by-key': true, nobody: false }
    for (const [name, isKept] of Object.entries(kept)) {
      strictEqual((await store.publicKey(key(name))) !== undefined, isKept, name)
    }
    strictEqual(await store.sha512(certificate('gone')), undefined)
    strictEqual(await store.sha512(certificate('both')), material('both').sha512)
  },
  '12 purge moves the version and says so in the history, even if there was nothing to remove': async (store) => {
    await put(store, [], pin('a.example:1965', 'x'))
    const versions = [await store.version()]
    for (const before of [at(-DAY), at(DAY)]) {
      await store.purge({ before, verified: false, at: at(5) })
      versions.push(await store.version())
    }
    strictEqual(new Set(versions).size, 3)
    const purged: PinChange = { at: at(5), subject: '', cause: 'purged', old: null, new: null, decidedBy: 'user' }
    deepStrictEqual(await store.history(''), [purged, purged])
    await put(store, [], pin('a.example:1965', 'x'))
    ok(!versions.includes(await store.version()))
  },
}
