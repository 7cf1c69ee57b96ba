// A visit: judge, ask whom the policy names, record. What is recorded is recorded only if the pins still are those that
// were judged; if somebody else was faster, the certificate is judged again on what is there now. So of many first
// contacts at once one records its certificate, and all the others are compared with that one; and a "yes" that a person
// gave to one situation is never applied to another.

import type { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { CertificateChangedError, NotTrustedError, StoreError } from '../errors.ts'
import type { Clock } from '../internal/clock.ts'
import type { Endpoint } from '../names/endpoint.ts'
import { materialOf, pinFor, seenMaterialOf, voidAnnouncements } from './new-pin.ts'
import { isLive, type Pin } from './pin.ts'
import { type PinStore, SEEN_INTERVAL_MS } from './pin-store.ts'
import type { SettledPolicy } from './policy.ts'
import {
  type AcceptedVerdict,
  type ChangeVerdict,
  type DistrustedVerdict,
  type FirstUseVerdict,
  judgeSettled,
  type TrustedVerdict,
  type Verdict,
  withVouch,
  withYes,
} from './verdict.ts'

/** Something that a log should know. */
export type TofuEvent =
  /** A certificate that was not simply the pinned one was accepted, and recorded. */
  | { readonly kind: 'accepted'; readonly verdict: FirstUseVerdict | ChangeVerdict; readonly decidedBy: Decider }
  /** A certificate was refused. */
  | {
      readonly kind: 'refused'
      readonly verdict: FirstUseVerdict | ChangeVerdict | DistrustedVerdict
      readonly decidedBy: Decider
    }
  /** The database could not be opened for writing: pins can be verified, and nothing can be recorded. */
  | { readonly kind: 'snapshot'; readonly path: string; readonly code: StoreError['code'] }

/** Who decided: the words of the policy, or its callback. */
export type Decider = 'policy' | 'callback'

/** What a visit needs. */
export interface VisitContext {
  readonly store: PinStore
  readonly clock: Clock
  readonly policy: SettledPolicy
  readonly emit: (event: TofuEvent) => void
}

/** Who is visited, and what they show. */
export interface VisitQuestion {
  readonly endpoint: Endpoint
  readonly certificate: Certificate
  readonly chain?: readonly Certificate[] | undefined
}

/** How a visit ended. */
export type VisitOutcome =
  | { readonly accepted: true; readonly verdict: AcceptedVerdict }
  | { readonly accepted: false; readonly verdict: Verdict; readonly error: CertificateChangedError | NotTrustedError }

/** A question and its answer, together with what the answer rests on. */
export interface Situation {
  readonly pins: readonly Pin[]
  readonly verdict: Verdict
}

// Each round is lost to somebody who recorded something. This many in a row are no accident.
const ROUNDS = 10

/** Judges a certificate, asks if need be, and records what was accepted. */
export async function visit(context: VisitContext, question: VisitQuestion): Promise<VisitOutcome> {
  for (let round = 0; round < ROUNDS; round++) {
    const { pins, verdict } = await lookAt(context, question)
    if (verdict.kind === 'trusted') {
      await noteVisit(context, verdict)
      return { accepted: true, verdict }
    }
    if (verdict.kind === 'distrusted') return refuse(context, verdict, 'policy')

    const { accept, decidedBy } = await decide(context.policy, verdict)
    if (!accept) return refuse(context, verdict, decidedBy)
    if (await record(context, { pins, verdict }, decidedBy)) {
      const accepted = withYes(verdict)
      context.emit({ kind: 'accepted', verdict: accepted, decidedBy })
      return { accepted: true, verdict: accepted }
    }
  }
  const message = `the pins of ${question.endpoint} changed ${ROUNDS} times while its certificate was being judged`
  throw new StoreError('ERR_TLACACOCA_STORE_LOCKED', message)
}

/** Reads what is pinned and judges by it. Changes nothing. */
export async function lookAt(context: VisitContext, question: VisitQuestion): Promise<Situation> {
  const { store, clock, policy } = context
  const { endpoint, certificate } = question
  const pins = await store.read(endpoint.toString())
  const now = new Date(clock())
  const verdict = judgeSettled(pins, certificate, { endpoint, now }, policy)
  if (verdict.kind !== 'changed') return { pins, verdict }

  // Only now the old keys are worth fetching: perhaps one of them signed the new certificate.
  const publicKeys = await keysOf(store, pins)
  const closer = judgeSettled(pins, certificate, { endpoint, now, publicKeys, chain: question.chain }, policy)
  if (closer.kind !== 'changed' || policy.vouches === undefined) return { pins, verdict: closer }
  const { vouched } = await policy.vouches({ endpoint, certificate, chain: question.chain ?? [certificate] })
  return { pins, verdict: vouched === true ? withVouch(closer, policy) : closer }
}

async function keysOf(store: PinStore, pins: readonly Pin[]): Promise<Map<Fingerprint, Uint8Array>> {
  const keys = new Map<Fingerprint, Uint8Array>()
  for (const { state, keyDigest } of pins) {
    if (!isLive(state) || keyDigest === null) continue
    const key = await store.publicKey(keyDigest)
    if (key !== undefined) keys.set(keyDigest, key)
  }
  return keys
}

async function noteVisit(context: VisitContext, verdict: TrustedVerdict): Promise<void> {
  const { pin, certificate, endpoint } = verdict
  const now = context.clock()
  if (Math.abs(now - pin.lastSeen.getTime()) < SEEN_INTERVAL_MS && pin.keyDigest !== null) return
  await context.store.seen(endpoint, pin.digest, now, seenMaterialOf(certificate, pin))
}

/** Asks, if it is to be asked and somebody is there. Where nobody answers, the answer is no. */
async function decide(
  { onFirstUse, onChanged }: SettledPolicy,
  verdict: FirstUseVerdict | ChangeVerdict,
): Promise<{ readonly accept: boolean; readonly decidedBy: Decider }> {
  const ask =
    verdict.kind === 'first_use' ? onFirstUse && (() => onFirstUse(verdict)) : onChanged && (() => onChanged(verdict))
  if (verdict.word !== 'ask' || ask === undefined) return { accept: verdict.accepted, decidedBy: 'policy' }
  const answer = await ask()
  return { accept: answer?.accept === true, decidedBy: 'callback' }
}

function refuse(
  context: VisitContext,
  verdict: FirstUseVerdict | ChangeVerdict | DistrustedVerdict,
  decidedBy: Decider,
): VisitOutcome {
  context.emit({ kind: 'refused', verdict, decidedBy })
  return { accepted: false, verdict, error: errorFor(verdict) }
}

function errorFor(
  verdict: FirstUseVerdict | ChangeVerdict | DistrustedVerdict,
): CertificateChangedError | NotTrustedError {
  const { endpoint, presented } = verdict
  switch (verdict.kind) {
    case 'first_use':
      return new NotTrustedError('ERR_TLACACOCA_FIRST_USE_REFUSED', { endpoint, presented })
    case 'distrusted':
      return new NotTrustedError('ERR_TLACACOCA_CERTIFICATE_DISTRUSTED', { endpoint, presented })
    case 'renewed':
    case 'rotated':
    case 'changed':
      return new CertificateChangedError({ endpoint, pinned: verdict.pinned, presented })
  }
}

interface AcceptedSituation extends Situation {
  readonly verdict: FirstUseVerdict | ChangeVerdict
}

/** Makes an accepted certificate the pinned one, if the pins still are those that were judged. */
async function record(context: VisitContext, situation: AcceptedSituation, decidedBy: Decider): Promise<boolean> {
  const { pins, verdict } = situation
  const { certificate, endpoint: subject, kind } = verdict
  const now = new Date(context.clock())
  const old = kind === 'first_use' ? null : verdict.pinned
  // A renewal keeps the key, and with it the owner's word for it.
  const state = kind === 'renewed' && verdict.pin.state === 'verified' ? 'verified' : 'trusted'
  const pin = pinFor(certificate, { subject, now, state, source: kind, among: pins })
  const retired = pins.filter((each) => isRetiredBy(verdict, each)).map((each): Pin => ({ ...each, state: 'replaced' }))
  // An announcement that came true has done its work, whether it named the certificate or the key.
  const fulfilled = pins.filter((each) => each.state === 'announced' && each.digest === pin.keyDigest)
  const isVouchedFor = kind === 'renewed' || kind === 'rotated'
  const gone = [...fulfilled, ...voidAnnouncements(pins, () => isVouchedFor)].map((each) => each.digest)
  const remove = [...new Set(gone)].filter((digest) => digest !== pin.digest)
  return context.store.update({
    changes: [{ subject, expect: pins, put: [...retired, pin], remove }],
    log: [{ at: now, subject, cause: kind, old, new: pin.digest, decidedBy }],
    remember: [materialOf(certificate)],
  })
}

/**
 * Which live pins a new certificate takes the place of. A server with several (one for each of its machines) keeps the
 * others if it is clear which one was renewed or rotated. A plain change is not to leave anything else acceptable.
 */
function isRetiredBy(verdict: FirstUseVerdict | ChangeVerdict, pin: Pin): boolean {
  if (verdict.kind === 'first_use' || !isLive(pin.state)) return false
  if (verdict.kind === 'changed' || pin.digest === verdict.pinned) return true
  return pin.keyDigest !== null && pin.keyDigest === verdict.pin.keyDigest
}
