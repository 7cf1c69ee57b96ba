// Trust on first use: the decision, and nothing else.
//
// What is remembered of an endpoint goes in, and the certificate that it presents now; one verdict comes out. No
// database, no socket and no hidden clock, so that the rules fit in a table of tests. They are tried in this order:
//
//   1. distrusted  a mark says never again, for the certificate or for its key. Nothing outweighs it.
//   2. trusted     a live pin has the fingerprint of the certificate, or of its key.
//   3. renewed     another certificate, but the key of a live pin.
//   4. rotated     another key, which the server announced, or which the key of a live pin signed.
//   5. changed     there is a live pin, and none of the above.
//   6. first_use   there is no live pin. What was replaced or announced does not count as one.
//
// Expiry is reported and never acted on. Operators renew, but the date is printed in the certificate, and somebody in
// the middle can wait for it. An unknown date is not a passed one.
//
// Invariant: `trusted` is returned if and only if fingerprints are equal. No policy changes a kind.

import type { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { requireDate } from '../internal/arguments.ts'
import type { Endpoint } from '../names/endpoint.ts'
import { dayOf, explain } from './explanation.ts'
import { isLive, type Pin } from './pin.ts'
import { type ChangeReason, type PolicyWord, type SettledPolicy, settlePolicy, type TofuPolicy } from './policy.ts'
import { type PublicKeys, signedByPinnedKey } from './rotation.ts'

/** The rules, each of which a policy has one word for. Nothing can be said against the first and for the last. */
export type TofuRule = 'trusted' | 'first_use' | 'renewed' | 'rotated' | `changed.${ChangeReason}` | 'distrusted'

/** What every verdict says. */
export interface VerdictFacts {
  /** The endpoint, as `host:port`. */
  readonly endpoint: string
  /** SHA-256 fingerprint of the certificate that was presented. */
  readonly presented: Fingerprint
  /** SHA-256 fingerprint of its public key. */
  readonly presentedKey: Fingerprint
  readonly certificate: Certificate
  /** Whether the presented certificate is within its dates. Trust on first use does not demand it. */
  readonly validity: 'valid' | 'expired' | 'not_yet_valid'
  /** Which rule decides about it: the kind, and where a kind has several the reason. */
  readonly rule: TofuRule
  /** What the policy has to say by that rule. Where it is `ask`, nobody has been asked yet unless `accepted` is true. */
  readonly word: PolicyWord
  /** What happened and what it means, in plain words, as one paragraph. Nothing in it is of the peer's choosing. */
  readonly explanation: string
}

/** What is known of a server that was seen before. */
export interface PinnedFacts {
  /** The pin that was compared with: of several, the one seen last. */
  readonly pin: Pin
  /** Its fingerprint. */
  readonly pinned: Fingerprint
  /** Whether the pinned certificate's time had passed; null if its end is not known. */
  readonly pinnedExpired: boolean | null
  /** Whole days until the end of the pinned certificate, negative if it has passed; null if it is not known. */
  readonly pinnedExpiresInDays: number | null
  /** Whole days since the pinned certificate was first seen. */
  readonly knownForDays: number
  /** On how many days it was seen. */
  readonly daysSeen: number
  /** When it was last seen, to within a day. */
  readonly lastSeen: Date
}

/** The certificate, or its key, is the pinned one. */
export interface TrustedVerdict extends VerdictFacts, PinnedFacts {
  readonly kind: 'trusted'
  readonly accepted: true
  /** Whether the pin is of the certificate or of the public key. */
  readonly reason: 'pinned_certificate' | 'pinned_key'
}

/** There is nothing to compare with. */
export interface FirstUseVerdict extends VerdictFacts {
  readonly kind: 'first_use'
  /** What the policy, or whoever was asked, has made of it. */
  readonly accepted: boolean
  readonly reason: 'never_seen'
}

/** A new certificate for the pinned key. */
export interface RenewedVerdict extends VerdictFacts, PinnedFacts {
  readonly kind: 'renewed'
  /** What the policy, or whoever was asked, has made of it. */
  readonly accepted: boolean
  readonly reason: 'same_key'
}

/** A new key that the old one vouches for. */
export interface RotatedVerdict extends VerdictFacts, PinnedFacts {
  readonly kind: 'rotated'
  /** What the policy, or whoever was asked, has made of it. */
  readonly accepted: boolean
  /** The pinned key signed the new certificate, or the server announced it over a verified connection. */
  readonly reason: 'signed_by_pinned_key' | 'announced'
}

/** Another certificate, for which nothing that was pinned speaks. */
export interface ChangedVerdict extends VerdictFacts, PinnedFacts {
  readonly kind: 'changed'
  /** What the policy, or whoever was asked, has made of it. */
  readonly accepted: boolean
  /**
   * `authority_vouched`: the policy's `vouches` said so. `pinned_expired`: the pinned certificate's time had passed, so
   * a new one was due. `early`: neither; also where the end of the pinned one is not known.
   */
  readonly reason: 'pinned_expired' | 'authority_vouched' | 'early'
  /** The pin of the presented certificate, if it was pinned here before and then replaced. */
  readonly formerPin: Pin | null
}

/** The certificate or its key is marked as never to be trusted at this endpoint. */
export interface DistrustedVerdict extends VerdictFacts {
  readonly kind: 'distrusted'
  readonly accepted: false
  readonly reason: 'marked'
  readonly mark: Pin
}

/** A certificate that came in place of the pinned one. */
export type ChangeVerdict = RenewedVerdict | RotatedVerdict | ChangedVerdict

/** Handle it with a `switch` on `kind` and no `default`, so that a new kind is a compile error in your code. */
export type Verdict = TrustedVerdict | FirstUseVerdict | ChangeVerdict | DistrustedVerdict

/** The usual visit: the certificate is the pinned one. It is short because it costs one look-up; `judge` knows more. */
export type TrustedVisit = Pick<
  TrustedVerdict,
  'kind' | 'accepted' | 'reason' | 'endpoint' | 'presented' | 'certificate' | 'lastSeen' | 'explanation'
>

/** A verdict on a certificate that may be used. */
export type AcceptedVerdict = TrustedVisit | ((FirstUseVerdict | ChangeVerdict) & { readonly accepted: true })

/** What a decision rests on, apart from the pins and the certificate. */
export interface JudgeOptions {
  readonly endpoint: Endpoint
  /** The instant at which dates are looked at. */
  readonly now: Date
  /** What to accept. `accepted` is false where the policy would have to ask. */
  readonly policy?: TofuPolicy
  /** The public keys that pins name by their `keyDigest`. A rotation is recognised by them, or else by the `chain`. */
  readonly publicKeys?: PublicKeys
  /** What the server sent, its own certificate first. The pinned one may be in it, and so the key that it is about. */
  readonly chain?: readonly Certificate[] | undefined
}

/**
 * Compares the certificate that a server presents with what is pinned for its endpoint. Pure: it stores nothing and
 * asks nobody.
 *
 * @param pins - All pins of the endpoint, of every state.
 * @throws {CertificateError} `ERR_TLACACOCA_CERTIFICATE_MALFORMED` if the dates of the certificate cannot be read.
 * @example
 * import { parseEndpoint } from 'tlacacoca'
 * import { loadCertificate } from 'tlacacoca/certificate'
 * import { judgePins } from 'tlacacoca/tofu'
 *
 * const certificate = await loadCertificate('server.pem')
 * const verdict = judgePins([], certificate, { endpoint: parseEndpoint('example.org:1965'), now: new Date() })
 * console.log(verdict.kind) // 'first_use'
 */
export function judgePins(pins: readonly Pin[], certificate: Certificate, options: JudgeOptions): Verdict {
  requireDate('now', options.now)
  return judgeSettled(pins, certificate, options, settlePolicy(options.policy))
}

/** @internal The same, for a policy that was checked before. */
export function judgeSettled(
  pins: readonly Pin[],
  certificate: Certificate,
  options: JudgeOptions,
  policy: SettledPolicy,
): Verdict {
  const shown = new Shown(certificate)
  const seen = {
    endpoint: options.endpoint.toString(),
    presented: certificate.fingerprint,
    presentedKey: certificate.publicKeyFingerprint,
    certificate,
    validity: certificate.validityAt(options.now),
  }

  const mark = pins.find((pin) => pin.state === 'distrusted' && shown.has(pin.digest))
  if (mark !== undefined) {
    const never = { accepted: false, rule: 'distrusted', word: 'refuse' } as const
    return explained({ kind: 'distrusted', reason: 'marked', ...never, ...seen, mark })
  }

  const live = pins.filter((pin) => isLive(pin.state)).sort((a, b) => b.lastSeen.getTime() - a.lastSeen.getTime())
  const match = live.find((pin) => shown.has(pin.digest))
  if (match !== undefined) {
    const reason = match.digest === seen.presentedKey ? 'pinned_key' : 'pinned_certificate'
    const always = { accepted: true, rule: 'trusted', word: 'accept' } as const
    return explained({ kind: 'trusted', reason, ...always, ...seen, ...factsOf(match, options.now) })
  }

  const sameKey = live.find((pin) => pin.keyDigest === seen.presentedKey)
  if (sameKey !== undefined) {
    const facts = { ...byRule('renewed', policy), ...seen, ...factsOf(sameKey, options.now) }
    return explained({ kind: 'renewed', reason: 'same_key', ...facts })
  }

  const latest = live[0]
  if (latest === undefined) {
    return explained({ kind: 'first_use', reason: 'never_seen', ...byRule('first_use', policy), ...seen })
  }

  if (pins.some((pin) => pin.state === 'announced' && shown.has(pin.digest))) {
    const facts = { ...byRule('rotated', policy), ...seen, ...factsOf(latest, options.now) }
    return explained({ kind: 'rotated', reason: 'announced', ...facts })
  }
  const { endpoint, now, publicKeys, chain } = options
  const signer = signedByPinnedKey({ pins, live, certificate, endpoint, now, publicKeys, chain })
  if (signer !== undefined) {
    const facts = { ...byRule('rotated', policy), ...seen, ...factsOf(signer, options.now) }
    return explained({ kind: 'rotated', reason: 'signed_by_pinned_key', ...facts })
  }

  const facts = factsOf(latest, options.now)
  const reason = facts.pinnedExpired === true ? 'pinned_expired' : 'early'
  // Marks, live pins and announcements were looked for above: one that matches only now was replaced.
  const formerPin = pins.find((pin) => shown.has(pin.digest)) ?? null
  return explained({ kind: 'changed', reason, ...byRule(`changed.${reason}`, policy), ...seen, ...facts, formerPin })
}

/** @internal The verdict when an authority has been asked, and vouches. */
export function withVouch(verdict: ChangedVerdict, policy: SettledPolicy): ChangedVerdict {
  const reason = 'authority_vouched'
  return explained({ ...verdict, reason, ...byRule(`changed.${reason}`, policy) })
}

/** @internal The verdict when everybody has been asked, and the answer is yes. */
export function withYes<V extends FirstUseVerdict | ChangeVerdict>(verdict: V): V & { readonly accepted: true } {
  return explained({ ...verdict, accepted: true } as const)
}

type RuleWithAWord = Exclude<TofuRule, 'trusted' | 'distrusted'>

/** What a policy says by a rule, before anybody has been asked. */
function byRule(rule: RuleWithAWord, policy: SettledPolicy): Pick<FirstUseVerdict, 'rule' | 'word' | 'accepted'> {
  const word = wordFor(rule, policy)
  return { rule, word, accepted: word === 'accept' }
}

function wordFor(rule: RuleWithAWord, policy: SettledPolicy): PolicyWord {
  switch (rule) {
    case 'first_use':
      return policy.firstUse
    case 'renewed':
    case 'rotated':
      return policy[rule]
    case 'changed.pinned_expired':
      return policy.changed.pinned_expired
    case 'changed.authority_vouched':
      return policy.changed.authority_vouched
    case 'changed.early':
      return policy.changed.early === 'dangerouslyAccept' ? 'accept' : policy.changed.early
  }
}

/** @internal The usual visit. Its text is written when somebody reads it. */
export class KnownVisit implements TrustedVisit {
  readonly kind = 'trusted'
  readonly accepted = true
  readonly reason = 'pinned_certificate'
  readonly endpoint: string
  readonly certificate: Certificate
  readonly #lastSeen: number

  constructor(endpoint: string, certificate: Certificate, lastSeen: number) {
    this.endpoint = endpoint
    this.certificate = certificate
    this.#lastSeen = lastSeen
  }

  get presented(): Fingerprint {
    return this.certificate.fingerprint
  }

  get lastSeen(): Date {
    return new Date(this.#lastSeen)
  }

  get explanation(): string {
    return `${this.endpoint} shows the certificate that is pinned for it, last seen on ${dayOf(this.lastSeen)}.`
  }
}

/** The fingerprints of the presented certificate. SHA-512 is computed only where a pin asks for it. */
class Shown {
  readonly #certificate: Certificate

  constructor(certificate: Certificate) {
    this.#certificate = certificate
  }

  has(digest: Fingerprint): boolean {
    if (digest.startsWith('sha512:')) return digest === this.#certificate.sha512Fingerprint
    return digest === this.#certificate.fingerprint || digest === this.#certificate.publicKeyFingerprint
  }
}

const DAY_MS = 86_400_000

function factsOf(pin: Pin, now: Date): PinnedFacts {
  const untilEnd = pin.notAfter === null ? null : pin.notAfter.getTime() - now.getTime()
  return {
    pin,
    pinned: pin.digest,
    // RFC 5280 section 4.1.2.5: notAfter itself still belongs to the validity, hence `<`.
    pinnedExpired: untilEnd === null ? null : untilEnd < 0,
    pinnedExpiresInDays: untilEnd === null ? null : Math.floor(untilEnd / DAY_MS),
    knownForDays: Math.max(0, Math.floor((now.getTime() - pin.firstSeen.getTime()) / DAY_MS)),
    daysSeen: pin.daysSeen,
    lastSeen: pin.lastSeen,
  }
}

type Unexplained<V> = V extends VerdictFacts ? Omit<V, 'explanation'> : never

/** Adds the text, which is written when somebody reads it. */
function explained<F extends Unexplained<Verdict>>(facts: F): F & { readonly explanation: string } {
  return {
    ...facts,
    get explanation() {
      return explain(facts)
    },
  }
}
