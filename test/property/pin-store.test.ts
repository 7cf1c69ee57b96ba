// Whatever is done to a store, in whatever order: the file and the memory come to the same, and the quick look-up of the
// usual visit, which sees one row and no marks, never accepts what a look at all pins would not.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import type { Fingerprint } from '../../src/certificate/fingerprint.ts'
import { NotTrustedError, TlacacocaError } from '../../src/errors.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { applyImport, planImport } from '../../src/tofu/import-plan.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import { openPins } from '../../src/tofu/open-pins.ts'
import { PIN_STATES, type Pin } from '../../src/tofu/pin.ts'
import type { PinStore } from '../../src/tofu/pin-store.ts'
import { SqlitePinStore } from '../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'

// Two keys, with two certificates each.
const made = [await testCertificate(), await testCertificate()]
const renewed = await Promise.all(made.map(({ keyPem }) => testCertificate({ keyPem })))
const certificates = [...made, ...renewed].map((each) => each.certificate)
const endpoints = [endpointFrom('a.example', 1965), endpointFrom('a.example', 1966), endpointFrom('b.example', 1965)]

const certificate = fc.constantFrom(...certificates)
const endpoint = fc.constantFrom(...endpoints)
const what = certificate.chain((each) =>
  fc.constantFrom<Certificate | Fingerprint>(each, each.fingerprint, each.sha512Fingerprint, each.publicKeyFingerprint),
)
const digest = what.map((each) => (typeof each === 'string' ? each : each.fingerprint))

interface Subject {
  readonly pins: PinStore
  readonly store: TofuStore
}

type Step = (subject: Subject) => Promise<unknown>

type Mode = 'merge' | 'replace'

const stepsOf = (...modes: Mode[]): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ endpoint, certificate }).map(
        (s): Step =>
          ({ store }) =>
            store.verifyOrTrust(s.endpoint, s.certificate),
      ),
    },
    {
      weight: 2,
      arbitrary: fc.record({ endpoint, certificate }).map(
        (s): Step =>
          ({ store }) =>
            store.verify(s.endpoint, s.certificate),
      ),
    },
    fc.record({ endpoint, what, keepOthers: fc.boolean() }).map(
      (s): Step =>
        ({ store }) =>
          store.trust(s.endpoint, s.what, { keepOthers: s.keepOthers }),
    ),
    fc.record({ endpoint, what }).map(
      (s): Step =>
        ({ store }) =>
          store.pinIfAbsent(s.endpoint, s.what),
    ),
    fc.record({ endpoint, digest, what }).map(
      (s): Step =>
        ({ store }) =>
          store.replace(s.endpoint, s.digest, s.what),
    ),
    fc.record({ endpoint, what }).map(
      (s): Step =>
        ({ store }) =>
          store.distrust(s.endpoint, s.what),
    ),
    fc.record({ endpoint, digest }).map(
      (s): Step =>
        ({ store }) =>
          store.liftDistrust(s.endpoint, s.digest),
    ),
    fc.record({ endpoint, what }).map(
      (s): Step =>
        ({ store }) =>
          store.announce(s.endpoint, s.what),
    ),
    endpoint.map(
      (each): Step =>
        ({ store }) =>
          store.revoke(each),
    ),
    fc.constant<Step>(({ store }) => store.revokeByHostname('a.example')),
    fc.constant<Step>(({ store }) => store.clear()),
    fc.record({ notSeenForDays: fc.constantFrom(1, 151, 152), verified: fc.boolean() }).map(
      (s): Step =>
        ({ store }) =>
          store.purge(s),
    ),
    fc
      .record({
        pins: fc.uniqueArray(
          fc
            .record({ endpoint, certificate, digest, state: fc.constantFrom(...PIN_STATES), knowsKey: fc.boolean() })
            .map(pinOf),
          { selector: (pin) => `${pin.subject} ${pin.digest}`, maxLength: 6 },
        ),
        mode: fc.constantFrom(...modes),
        yes: fc.boolean(),
      })
      .map(
        (s): Step =>
          async ({ pins }) => {
            const options = { mode: s.mode, onConflict: () => s.yes, clock: () => NOW }
            return applyImport(await planImport(pins, [{ pins: s.pins }], options))
          },
      ),
  )

const NOW = Date.parse('2030-06-01T12:00:00Z')

/** A pin as a file may have it. A key that it names is the right one: whoever lies there trusts another certificate. */
function pinOf(s: {
  endpoint: (typeof endpoints)[number]
  certificate: Certificate
  digest: Fingerprint
  state: Pin['state']
  knowsKey: boolean
}): Pin {
  const owner = certificates.find((each) => each.fingerprint === s.digest || each.sha512Fingerprint === s.digest)
  const day = new Date('2030-01-01T00:00:00Z')
  return {
    subject: s.endpoint.toString(),
    digest: s.digest,
    state: s.state,
    keyDigest: s.knowsKey && owner !== undefined ? owner.publicKeyFingerprint : null,
    notAfter: null,
    firstSeen: day,
    lastSeen: day,
    daysSeen: 1,
    source: null,
    note: null,
  }
}

/** What came of a step: its answer, or the code of its error. */
async function outcomeOf(step: Step, subject: Subject): Promise<unknown> {
  try {
    const answer = await step(subject)
    return typeof answer === 'object' && answer !== null && 'kind' in answer ? answer.kind : answer
  } catch (error) {
    if (error instanceof TlacacocaError) return error.code
    throw error
  }
}

it('the file and the memory agree, and the quick look-up accepts nothing that the judge would not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-'))
  const file = await SqlitePinStore.open(join(folder, 'pins.db'))
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(stepsOf('merge', 'replace'), { minLength: 1, maxLength: 12 }), async (sequence) => {
        const subjects: Subject[] = [new MemoryPinStore(), file].map((pins) => ({
          pins,
          // What a policy may trust is trusted here, so that nothing is refused for want of a yes.
          store: new TofuStore(pins, { clock: () => NOW, policy: { rotated: 'accept' } }),
        }))
        const [memory, disk] = subjects as [Subject, Subject]
        await emptied(disk)
        for (const step of sequence) {
          expect(await outcomeOf(step, disk)).toEqual(await outcomeOf(step, memory))
          expect(await disk.pins.list()).toEqual(await memory.pins.list())
          for (const { pins, store } of subjects) await neverTooQuick(pins, store)
        }
        for (const each of endpoints) expect(await disk.store.history(each)).toEqual(await memory.store.history(each))
      }),
      { numRuns: 150 },
    )
  } finally {
    file.close()
    await rm(folder, { recursive: true })
  }
}, 120_000)

it('a store that hashes names answers as one that does not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-'))
  const { store: pins } = await openPins(join(folder, 'pins.db'), { hashNames: true })
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(stepsOf('merge'), { minLength: 1, maxLength: 12 }), async (sequence) => {
        const [plain, hashed] = [new MemoryPinStore(), pins].map((each) => ({
          pins: each,
          store: new TofuStore(each, { clock: () => NOW, policy: { rotated: 'accept' } }),
        })) as [Subject, Subject]
        await emptied(hashed)
        for (const step of sequence) {
          expect(await outcomeOf(step, hashed)).toEqual(await outcomeOf(step, plain))
          for (const each of endpoints) {
            expect(await hashed.store.pins(each)).toEqual(await plain.store.pins(each))
            expect(await hashed.store.countByHostname(each.host)).toBe(await plain.store.countByHostname(each.host))
          }
        }
        await neverTooQuick(hashed.pins, hashed.store)
        for (const each of endpoints) {
          expect(await hashed.store.history(each)).toEqual(await plain.store.history(each))
        }
      }),
      { numRuns: 150 },
    )
  } finally {
    await pins.close()
    await rm(folder, { recursive: true })
  }
}, 120_000)

async function emptied({ pins, store }: Subject): Promise<void> {
  for (const mark of await store.listDistrusted()) {
    const change = { subject: mark.subject, expect: await pins.read(mark.subject), put: [], remove: [] }
    const remove = change.expect.map((pin) => pin.digest)
    const line = { at: new Date(NOW), cause: 'revoked' as const, old: null, new: null, decidedBy: null }
    await pins.update({ changes: [{ ...change, remove }], log: [{ ...line, subject: mark.subject }] })
  }
  await store.clear()
}

/** The look-up of the usual visit answers only where the judge, who sees every pin and mark, says `trusted`. */
async function neverTooQuick(pins: PinStore, store: TofuStore): Promise<void> {
  for (const each of endpoints) {
    for (const shown of certificates) {
      const quick = await pins.lastSeen(each.toString(), shown.fingerprint)
      const verdict = await store.judge(each, shown)
      if (quick !== undefined) expect(verdict.kind).toBe('trusted')
      if (verdict.kind === 'distrusted') {
        await expect(store.verify(each, shown)).rejects.toBeInstanceOf(NotTrustedError)
      }
    }
  }
}
