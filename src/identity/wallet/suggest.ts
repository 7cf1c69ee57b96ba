// What to offer to a user whose request was answered by 60, 61 or 62.
//
// The specification wants a new certificate to be limited to the path of the request and below. Many sites ask on `/join`
// and then expect it everywhere, and there the narrow scope breaks ("the Station problem"). So the whole site is offered
// first, and the narrow scope second. And because two sites that see one certificate know that it is one user, a new
// identity is offered before one that another host knows.

import { show } from '../../internal/arguments.ts'
import { parseRequestPath } from '../../names/request-path.ts'
import { hostsOf } from './clearance.ts'
import type { Identity } from './identity.ts'
import type { Place } from './place.ts'
import { IdentityScope } from './scope.ts'
import type { WalletState } from './wallet-state.ts'

/** The statuses by which Gemini and its relatives ask for another certificate. */
export type CertificateStatus = 60 | 61 | 62

/**
 * Something to offer to the user, in a plain sentence, and what to do if it is taken.
 *
 * - `create`: `wallet.create({ scope })`.
 * - `use`: `wallet.use(identity.id, scope)`. This host knows the identity already, or nobody does.
 * - `renew`: `wallet.renew(identity.id)`, and `wallet.use(identity.id, scope)`.
 * - `reuse`: if the user confirms the warning, `wallet.confirm(identity.id, scope.endpoint, 'second_host')`, and then
 *   `wallet.use(identity.id, scope)`.
 */
export type IdentityOffer =
  | { readonly kind: 'create'; readonly scope: IdentityScope; readonly text: string; readonly warning: null }
  | {
      readonly kind: 'use'
      readonly identity: Identity
      readonly scope: IdentityScope
      readonly text: string
      readonly warning: null
    }
  | {
      readonly kind: 'renew' | 'reuse'
      readonly identity: Identity
      readonly scope: IdentityScope
      readonly text: string
      readonly warning: string
    }

/** What to say to the user, and what to offer, the best first. */
export interface IdentityAdvice {
  readonly status: CertificateStatus
  /** What happened, in a sentence for the user. */
  readonly explanation: string
  /** The identity that is in use for the URL, if there is one. */
  readonly current: Identity | null
  /** The best first. There may be none. */
  readonly offers: readonly IdentityOffer[]
}

export function advise(state: WalletState, place: Place, status: CertificateStatus, now: Date): IdentityAdvice {
  const identities = state.identities(now)
  const match = state.match(place)
  const current = identities.find(({ id }) => id === match?.id) ?? null
  const offers = [...offersFor({ state, place, status, identities, current, currentScope: match?.scope ?? null })]
  return Object.freeze({ status, explanation: explain(status, place, current), current, offers: Object.freeze(offers) })
}

interface Situation {
  readonly state: WalletState
  readonly place: Place
  readonly status: CertificateStatus
  readonly identities: readonly Identity[]
  readonly current: Identity | null
  readonly currentScope: IdentityScope | null
}

/** In order. Nothing is offered that is in use already, other than to renew it. */
function* offersFor(situation: Situation): Generator<IdentityOffer> {
  const { state, place, status, identities, current, currentScope } = situation
  const host = place.endpoint.host
  const [scope, ...narrower] = scopesFor(situation)
  const others = identities
    .filter((each) => each !== current)
    .map((identity) => {
      const hosts = hostsOf(state.notes(identity.id))
      return { identity, isKnownHere: hosts.has(host), aHost: [...hosts][0] ?? null }
    })
    // One that was replaced here is out of use, and only kept until all sites know.
    .filter(({ identity }) => {
      const successor = state.successorOf(identity.id)
      return successor === null || !hostsOf(state.notes(successor.id)).has(host)
    })
  const valid = others.filter(({ identity }) => identity.validity === 'valid')

  // 62 means the certificate itself, and an expired one says why.
  const isToRenew = current !== null && currentScope !== null && current.validity === 'expired'
  if (isToRenew && status === 62) yield renew(current, currentScope)
  for (const { identity, isKnownHere } of valid) if (isKnownHere) yield use(identity, scope)
  if (isToRenew && status !== 62) yield renew(current, currentScope)
  for (const { identity, isKnownHere } of others) {
    if (isKnownHere && identity.validity === 'expired') yield renew(identity, scope)
  }
  for (const each of [scope, ...narrower]) yield create(each)
  const strangers = valid.filter(({ identity, isKnownHere }) => !isKnownHere && identity.replacedBy === null)
  for (const { identity, aHost } of strangers) if (aHost === null) yield use(identity, scope)
  for (const { identity, aHost } of strangers) if (aHost !== null) yield reuse(identity, scope, aHost)
}

/** The whole site and the path with what is below it, the better one first; one, if they are the same. */
function scopesFor({ place, status, current }: Situation): readonly [IdentityScope, ...IdentityScope[]] {
  const origin = IdentityScope.of({ ...place, path: ROOT })
  const path = IdentityScope.of(place)
  if (path.isWholeOrigin) return [origin]
  // 61 says that the identity in use may be welcome at other places of the site, so it keeps them.
  return status === 61 && current !== null ? [path, origin] : [origin, path]
}

const ROOT = parseRequestPath('/')

function create(scope: IdentityScope): IdentityOffer {
  return Object.freeze({ kind: 'create', scope, text: `Create a new identity for ${describe(scope)}.`, warning: null })
}

function use(identity: Identity, scope: IdentityScope): IdentityOffer {
  return Object.freeze({
    kind: 'use',
    identity,
    scope,
    text: `Use ${nameOf(identity)} for ${describe(scope)}.`,
    warning: null,
  })
}

function renew(identity: Identity, scope: IdentityScope): IdentityOffer {
  return Object.freeze({
    kind: 'renew',
    identity,
    scope,
    text: `Renew ${nameOf(identity)}, which expired on ${dayOf(identity.notAfter)}, and use it for ${describe(scope)}.`,
    warning: 'A site that knows you by the certificate alone will take the renewed one for that of somebody else.',
  })
}

function reuse(identity: Identity, scope: IdentityScope, otherHost: string): IdentityOffer {
  return Object.freeze({
    kind: 'reuse',
    identity,
    scope,
    text: `Use ${nameOf(identity)} for ${describe(scope)}.`,
    warning: `${otherHost} knows this identity: the two sites can find out that you are the same user.`,
  })
}

function explain(status: CertificateStatus, place: Place, current: Identity | null): string {
  const site = IdentityScope.of(place).authority
  if (current === null) {
    return status === 62
      ? `${site} does not accept the certificate that it was shown.`
      : `${site} wants to recognise you by a certificate.`
  }
  const name = nameOf(current)
  switch (status) {
    case 60:
      return `${site} asks for a certificate although ${name} is in use here, so it was probably not sent: over TLS 1.2 that needs your consent.`
    case 61:
      return `${site} does not let ${name} in here. It may do so elsewhere, or after you have registered.`
    case 62:
      if (current.validity === 'expired')
        return `${name} expired on ${dayOf(current.notAfter)}, and ${site} refuses it.`
      if (current.validity === 'not_yet_valid') {
        return `${name} is not valid yet, and ${site} refuses it. Is the clock of this computer right?`
      }
      return `${site} does not accept the certificate of ${name}. It may have been revoked there.`
  }
}

function describe(scope: IdentityScope): string {
  const { authority, isWholeOrigin, path } = scope
  return isWholeOrigin ? `all of ${authority}` : `${show(String(path))} and everything below it on ${authority}`
}

function nameOf({ name, commonName, id }: Identity): string {
  const text = name ?? commonName
  return text === null || text === '' ? `the identity ${id.slice(0, 8)}` : show(text)
}

function dayOf(date: Date | null): string {
  return date?.toISOString().slice(0, 10) ?? 'a day that cannot be read'
}
