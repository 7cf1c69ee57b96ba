// Verifiers made of verifiers.

import type { PeerCandidate, PeerVerifier, VerifierDecision } from '../../certificate/peer-verifier.ts'
import { requireFunction, show } from '../../internal/arguments.ts'
import { acceptedBy, ask, type Refusal } from './ask.ts'

/**
 * Accepts a server that at least one of the verifiers accepts. They are asked in order, until one accepts; one that
 * throws counts as a no of that one. If nobody accepts, the reasons of all are given, and the first error among them.
 *
 * @throws {TypeError} If there is none.
 * @example
 * import { anyOf, authorities, pins } from 'tlacacoca/tls'
 *
 * const verify = anyOf(authorities('system'), pins(['146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257']))
 */
export function anyOf(...verifiers: readonly PeerVerifier[]): PeerVerifier {
  const members = requireVerifiers(verifiers)
  return {
    name: nameOf('anyOf', members),
    async verify(candidate: PeerCandidate): Promise<VerifierDecision> {
      const refusals: Refusal[] = []
      for (const member of members) {
        const decision = await ask(member, candidate)
        if (decision.accept === true) return { accept: true, ground: acceptedBy(member, decision) }
        refusals.push(decision)
      }
      const error = refusals.find((refusal) => refusal.error !== undefined)?.error
      return {
        accept: false,
        reason: refusals.map(({ reason }) => reason).join(', '),
        detail: refusals.map(({ detail }, at) => `${members[at]?.name}: ${detail}`).join('; '),
        ...(error === undefined ? {} : { error }),
      }
    },
  }
}

/**
 * Accepts a server that all of the verifiers accept. They are asked in order, until one refuses, and its reason is the
 * reason; one that throws refuses. So put a verifier last that remembers what it has accepted, or that asks a person.
 *
 * @throws {TypeError} If there is none: nobody has ever refused then.
 * @example
 * import { allOf, authorities, pins } from 'tlacacoca/tls'
 *
 * const key = 'spki-sha256:d9a58b8f8208aa121b737a8ed2df5ff8b3fa2491710973af80f69d9a26626261'
 * const verify = allOf(authorities('system'), pins([key]))
 */
export function allOf(...verifiers: readonly PeerVerifier[]): PeerVerifier {
  const members = requireVerifiers(verifiers)
  return {
    name: nameOf('allOf', members),
    async verify(candidate: PeerCandidate): Promise<VerifierDecision> {
      const grounds: string[] = []
      for (const member of members) {
        const decision = await ask(member, candidate)
        if (decision.accept !== true) return { ...decision, detail: `${member.name}: ${decision.detail}` }
        grounds.push(acceptedBy(member, decision))
      }
      return { accept: true, ground: grounds.join(', ') }
    },
  }
}

function requireVerifiers(verifiers: readonly PeerVerifier[]): readonly PeerVerifier[] {
  if (verifiers.length === 0) throw new TypeError('"verifiers" expected at least one, got none')
  for (const [index, verifier] of verifiers.entries()) {
    if (typeof verifier !== 'object' || verifier === null) {
      throw new TypeError(`"verifiers[${index}]" expected a PeerVerifier, got ${show(verifier)}`)
    }
    requireFunction(`verifiers[${index}].verify`, verifier.verify)
  }
  return [...verifiers]
}

function nameOf(kind: string, members: readonly PeerVerifier[]): string {
  return `${kind}(${members.map(({ name }) => name).join(', ')})`
}
