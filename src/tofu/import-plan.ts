// An import in two steps. The plan is made without a lock, because it may ask a person about every conflict; nothing is
// changed by it. Applying it is one transaction, which checks again everything that the plan was made on, and happens
// whole or not at all.

import { type Fingerprint, isFingerprint } from '../certificate/fingerprint.ts'
import { ImportError } from '../errors.ts'
import { requireDate, requireFunction, requireOneOf, requireOptions, show } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { systemClock } from '../internal/clock.ts'
import { parseEndpoint } from '../names/endpoint.ts'
import { normalizeHost } from '../names/host.ts'
import { requireNames } from './hashed-names.ts'
import { bySubject, endpointOf, latestLive } from './host-info.ts'
import { type Merged, mergeSubject, replaceSubject } from './import-merge.ts'
import { isLive, PIN_STATES, type Pin, type PinChange } from './pin.ts'
import type { Awaitable, ContestedSubject, PinStage, PinStore, StagedPins, SubjectChange } from './pin-store.ts'
import { PlainStage } from './plain-stage.ts'

/** What an import does, counted in hosts unless it says otherwise. */
export interface ImportCounts {
  /** Hosts that had no live pin and get one. */
  readonly added: number
  /** Hosts whose live pins become others. */
  readonly updated: number
  /** Hosts of the file that keep the live pins they have. */
  readonly skipped: number
  /** Hosts that are not in the file and lose their pins, in a replacing import. */
  readonly removed: number
  /** Marks `distrusted` that come in, counted one by one. */
  readonly distrusted: number
}

/**
 * Decides on a host that is pinned to another fingerprint than the file says. Only `true`, itself or as a promise,
 * takes the file's.
 */
export type ConflictDecider = (
  host: string,
  port: number,
  oldFingerprint: Fingerprint,
  newFingerprint: Fingerprint,
) => Awaitable<boolean>

/** How to import. */
export interface ImportPlanOptions {
  /** `merge` adds to what is there; `replace` makes the store what the file says, apart from marks. Default `merge`. */
  readonly mode?: 'merge' | 'replace'
  /** Asked about every conflict of a merge. Without it, conflicts are skipped. */
  readonly onConflict?: ConflictDecider
  readonly clock?: Clock
}

/** Some of the pins to import. */
export interface ImportPortion {
  readonly pins: readonly Pin[]
  /** Whether everything before this portion is void. */
  readonly restart?: boolean
}

/** A planned import. Apply it, or dispose of it. */
export interface ImportPlan extends AsyncDisposable {
  /** What applying it will do. */
  readonly counts: ImportCounts
  /** @internal */
  apply(): Promise<ImportCounts>
}

/**
 * Plans an import: collects the pins, compares them with the store, asks about conflicts. Changes nothing.
 *
 * @param pins - The pins, with subjects in canonical form. If it throws, there is no plan.
 * @throws {StoreError} `STORE_HASHED` if the mode is `replace` and the store keeps hashes of names.
 * @throws {RangeError} If a subject or a fingerprint is not in canonical form, or a subject has the same one twice.
 * @throws {TypeError} If a state is none, or an instant no `Date`.
 * @example
 * import { parseFingerprint } from 'tlacacoca/certificate'
 * import { applyImport, MemoryPinStore, type Pin, planImport } from 'tlacacoca/tofu'
 *
 * const now = new Date()
 * const pin: Pin = {
 *   subject: 'example.org:1965',
 *   digest: parseFingerprint('146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'),
 *   state: 'trusted',
 *   keyDigest: null,
 *   notAfter: null,
 *   firstSeen: now,
 *   lastSeen: now,
 *   daysSeen: 1,
 *   source: 'another program',
 *   note: null,
 * }
 * const plan = await planImport(new MemoryPinStore(), [{ pins: [pin] }])
 * console.log(`${plan.counts.added} servers are new`)
 * await applyImport(plan)
 */
export async function planImport(
  store: PinStore,
  pins: AsyncIterable<ImportPortion> | Iterable<ImportPortion>,
  options: ImportPlanOptions = {},
): Promise<ImportPlan> {
  return planCanonicalImport(store, canonical(pins), options)
}

/** @internal The same for pins that were read by somebody who makes sure that they are canonical. */
export async function planCanonicalImport(
  store: PinStore,
  pins: AsyncIterable<ImportPortion> | Iterable<ImportPortion>,
  options: ImportPlanOptions,
): Promise<ImportPlan> {
  requireOptions('options', options, ['mode', 'onConflict', 'clock'])
  if (options.mode !== undefined) requireOneOf('mode', options.mode, ['merge', 'replace'])
  if (options.onConflict !== undefined) requireFunction('onConflict', options.onConflict)
  // Nobody could be told, before or afterwards, which hosts it removes.
  if (options.mode === 'replace') requireNames(store, 'replaced')
  const stage = store.stage === undefined ? new PlainStage(store) : await store.stage()
  try {
    for await (const portion of pins) {
      if (portion.restart === true) stage.reset()
      stage.add(portion.pins)
    }
    const draft = new Draft(await stage.compare({ skipKnown: options.mode !== 'replace' }), options)
    await draft.decide()
    if (options.mode === 'replace') await draft.removeOthers(store)
    return new Plan(stage, draft)
  } catch (error) {
    await stage.close()
    throw error
  }
}

/**
 * Applies a planned import, whole or not at all.
 *
 * @throws {ImportError} `ERR_TLACACOCA_IMPORT_OUTDATED` if the store changed in a way that the plan did not foresee.
 * @throws {TypeError} If the plan was applied or disposed of before.
 * @example
 * import { applyImport, MemoryPinStore, planImport } from 'tlacacoca/tofu'
 *
 * const plan = await planImport(new MemoryPinStore(), [], { mode: 'replace' })
 * if (plan.counts.removed === 0) await applyImport(plan)
 * else await plan[Symbol.asyncDispose]()
 */
export function applyImport(plan: ImportPlan): Promise<ImportCounts> {
  return plan.apply()
}

async function* canonical(
  portions: AsyncIterable<ImportPortion> | Iterable<ImportPortion>,
): AsyncGenerator<ImportPortion> {
  for await (const portion of portions) {
    for (const pin of portion.pins) requireCanonical(pin)
    yield portion
  }
}

// A pin under another spelling would never be found again, and the host would be met for the first time once more.
function requireCanonical({ subject, digest, state, keyDigest, notAfter, firstSeen, lastSeen }: Pin): void {
  if (!isFingerprint(digest)) throw new RangeError(`"digest" expected a canonical fingerprint, got ${show(digest)}`)
  if (keyDigest !== null && !isFingerprint(keyDigest)) {
    throw new RangeError(`"keyDigest" expected a canonical fingerprint or null, got ${show(keyDigest)}`)
  }
  requireOneOf('state', state, PIN_STATES)
  if (notAfter !== null) requireDate('notAfter', notAfter)
  requireDate('firstSeen', firstSeen)
  requireDate('lastSeen', lastSeen)
  // A mailbox is kept under `user@host`.
  const endpoint = subject.slice(subject.lastIndexOf('@') + 1)
  const canonical = subject.includes('@') ? normalizeHost(endpoint) : parseEndpoint(endpoint).toString()
  if (canonical !== endpoint) throw new RangeError(`"subject" expected ${show(canonical)}, got ${show(endpoint)}`)
}

class Plan implements ImportPlan {
  readonly counts: ImportCounts
  readonly #stage: PinStage
  readonly #draft: Draft
  #open = true

  constructor(stage: PinStage, draft: Draft) {
    this.#stage = stage
    this.#draft = draft
    this.counts = draft.counts()
  }

  async apply(): Promise<ImportCounts> {
    if (!this.#open) throw new TypeError('the plan was applied or disposed of before')
    try {
      if (await this.#stage.commit(this.#draft.update())) return this.counts
    } finally {
      await this[Symbol.asyncDispose]()
    }
    throw new ImportError(
      'ERR_TLACACOCA_IMPORT_OUTDATED',
      'the pins changed since the import was planned; plan it again',
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.#stage.close()
  }
}

/** A plan in the making. */
class Draft {
  readonly #staged: StagedPins
  readonly #replace: boolean
  readonly #onConflict: ConflictDecider | undefined
  readonly #now: Date
  readonly #changes: SubjectChange[] = []
  readonly #log: PinChange[] = []
  #added: number
  #updated = 0
  #skipped: number
  #removed = 0
  #distrusted = 0

  constructor(staged: StagedPins, options: ImportPlanOptions) {
    this.#staged = staged
    this.#replace = options.mode === 'replace'
    this.#onConflict = options.onConflict
    this.#now = new Date((options.clock ?? systemClock)())
    this.#added = staged.fresh
    this.#skipped = staged.known
  }

  counts(): ImportCounts {
    return {
      added: this.#added,
      updated: this.#updated,
      skipped: this.#skipped,
      removed: this.#removed,
      distrusted: this.#distrusted,
    }
  }

  update() {
    const summary = this.#line('', 'imported', null, null, 'import')
    return {
      changes: this.#changes,
      log: [...this.#log, summary],
      // What is not in the file goes, so nothing may have come in between either.
      ...(this.#replace ? { atVersion: this.#staged.version } : {}),
    }
  }

  async decide(): Promise<void> {
    for await (const portion of this.#staged.contested()) {
      for (const contested of portion) await this.#decideOn(contested)
    }
  }

  /** Removes the pins of every subject that the file does not mention. */
  async removeOthers(store: PinStore): Promise<void> {
    for await (const portion of store.scan()) {
      for (const [subject, pins] of bySubject(portion)) {
        const remove = pins.filter((pin) => pin.state !== 'distrusted').map((pin) => pin.digest)
        if (remove.length === 0 || this.#staged.includes(subject)) continue
        this.#changes.push({ subject, expect: pins, put: [], remove })
        const live = latestLive(pins)
        if (live === undefined) continue
        this.#removed++
        this.#log.push(this.#line(subject, 'revoked', live.digest, null, 'import'))
      }
    }
  }

  async #decideOn(contested: ContestedSubject): Promise<void> {
    const merged = this.#replace ? replaceSubject(contested) : mergeSubject(contested)
    if (merged.outcome !== 'conflict') return this.#take(contested, merged, 'import')
    const accepted = await this.#ask(contested.subject, merged.old, merged.new)
    this.#take(contested, accepted ? merged.accepted : merged.refused, 'callback')
  }

  async #ask(subject: string, old: Fingerprint, incoming: Fingerprint): Promise<boolean> {
    const endpoint = endpointOf(subject)
    if (this.#onConflict === undefined || endpoint === null) return false
    return (await this.#onConflict(endpoint.host, endpoint.port, old, incoming)) === true
  }

  #take({ subject, stored }: ContestedSubject, merged: Merged, decidedBy: string): void {
    if (merged.outcome === 'added') this.#added++
    else if (merged.outcome === 'updated') this.#updated++
    else this.#skipped++
    this.#distrusted += merged.marks.length
    if (merged.change === null) return

    this.#changes.push(merged.change)
    for (const mark of merged.marks) this.#log.push(this.#line(subject, 'distrusted', null, mark.digest, 'import'))
    if (merged.outcome !== 'updated') return
    const old = latestLive(stored)?.digest ?? null
    const live = latestLive(merged.change.put.filter((pin) => isLive(pin.state)))?.digest ?? null
    this.#log.push(this.#line(subject, 'imported', old, live, decidedBy))
  }

  #line(
    subject: string,
    cause: PinChange['cause'],
    old: Fingerprint | null,
    incoming: Fingerprint | null,
    decidedBy: string,
  ): PinChange {
    return { at: this.#now, subject, cause, old, new: incoming, decidedBy }
  }
}
