// What every certificate of a chain must be, and what a chain of ours must be as a whole, by the same rules that a
// stranger would check it with (path-rules.ts). What is different is that it is ours: we can say what to mend.

import { ChainError } from '../errors.ts'
import { describe, factsAbout, type Member } from './chain-members.ts'
import type { Rules } from './chain-options.ts'
import { isFalselySelfSigned } from './issuance.ts'
import { nameConstraintRefusal } from './name-constraints.ts'
import {
  authorityRefusal,
  extensionRefusal,
  keyRefusal,
  leafUseRefusal,
  lengthRefusal,
  type PathProblem,
  purposeRefusal,
  type Refusal,
  signatureRefusal,
  subjectOf,
} from './path-rules.ts'
import { isRotation } from './rotation-name.ts'
import { smallExponentOf } from './strength.ts'
import { placeText } from './strict-pem.ts'

/** @internal No critical extension may be there that a reader might not know. */
export function requireUnderstood(member: Member): void {
  refuse(member, extensionRefusal(member.certificate), 'leave the extension out, or mark it as not critical')
}

/** @internal Checks what any member must be by itself, an authority or not. */
export function requireSound(member: Member, rules: Rules): void {
  requireUnderstood(member)
  const { certificate } = member
  if (certificate.version !== 3 && !rules.allowVersion1) {
    throw new ChainError(
      'ERR_TLACACOCA_CHAIN_VERSION',
      `${describe(member)} is of version ${certificate.version}, and everybody expects 3; make it anew, or allow it with "allowVersion1"`,
      factsAbout(member),
    )
  }
  requireKey(member, rules.allowWeak)
}

/** @internal The rules for the key of any certificate, that of an authority too. */
export function requireKey(member: Member, allowWeak: boolean): void {
  const refusal = keyRefusal(member.certificate)
  // What is odd about an RSA key is its size or its exponent, and TLS carries it all the same.
  if (allowWeak && (refusal?.problem === 'weak_key' || member.certificate.keyType === 'rsa')) return
  refuse(member, refusal, 'make a new key: P-256, or RSA with 2048 bits')
}

/** @internal A certificate with nothing above it must not claim a signature of its own that it has not got. */
export function requireOwnSignature(member: Member): void {
  if (!isFalselySelfSigned(member.certificate)) return
  const detail = `the signature of ${subjectOf(member.certificate)}, which names itself as its issuer, is wrong`
  refuse(member, { problem: 'malformed', detail }, 'the certificate has been damaged, so copy it anew')
}

/**
 * @internal Checks a chain as a whole.
 *
 * @param chain - The leaf first; every member was issued by the next one.
 * @param rooted - Whether the last one is a root, whose own signature nobody relies on.
 * @throws {ChainError} For the first rule that it breaks.
 */
export function requireFitChain(chain: readonly [Member, ...Member[]], rooted: boolean, rules: Rules): void {
  const certificates = chain.map(({ certificate }) => certificate)
  for (const [index, member] of chain.entries()) {
    const { certificate } = member
    const below = certificates[index - 1]
    if (below !== undefined && !isRotation(below)) {
      refuse(member, authorityRefusal(certificate), 'an issuer needs CA:TRUE, and keyCertSign if it lists key usages')
      refuse(member, lengthRefusal(certificate, certificates.slice(0, index)), 'it cannot issue through so many others')
    }
    if (!(rooted && index === chain.length - 1) && !rules.allowWeak) requireStrong(member)
    if (rules.purpose !== 'any') {
      refuse(
        member,
        purposeRefusal(certificate, rules.purpose),
        'its extended key usage must list the purpose, or be left out',
      )
    }
  }
  const [leaf] = chain
  if (rules.purpose !== 'any') {
    refuse(leaf, leafUseRefusal(leaf.certificate), 'its key usage must list digitalSignature, or be left out')
  }
  refuse(leaf, nameConstraintRefusal(certificates), 'an authority above it does not allow the name')
}

/** @internal @throws {ChainError} If there is a refusal; its message says what to do. */
export function refuse(member: Member, refusal: Refusal | null, remedy: string): void {
  if (refusal === null) return
  const where = member.place === null ? '' : ` (${placeText(member.place)})`
  throw new ChainError(chainErrorCode(refusal.problem), `${refusal.detail}${where}; ${remedy}`, factsAbout(member))
}

/** @internal The code that says of a chain of ours what a problem says of a stranger's path. */
export function chainErrorCode(problem: PathProblem): ChainError['code'] {
  return CODES[problem]
}

const CODES: Readonly<Record<PathProblem, ChainError['code']>> = {
  expired: 'ERR_TLACACOCA_CHAIN_EXPIRED',
  not_yet_valid: 'ERR_TLACACOCA_CHAIN_NOT_YET_VALID',
  unknown_authority: 'ERR_TLACACOCA_CHAIN_INCOMPLETE',
  bad_signature: 'ERR_TLACACOCA_CHAIN_EXTRANEOUS_CERTIFICATE',
  not_an_authority: 'ERR_TLACACOCA_CHAIN_NOT_AN_AUTHORITY',
  path_too_long: 'ERR_TLACACOCA_CHAIN_TOO_LONG',
  too_complex: 'ERR_TLACACOCA_CHAIN_NAME_CONSTRAINT',
  wrong_purpose: 'ERR_TLACACOCA_CHAIN_WRONG_PURPOSE',
  weak_key: 'ERR_TLACACOCA_CHAIN_WEAK',
  unsupported_key: 'ERR_TLACACOCA_CHAIN_WEAK',
  weak_signature: 'ERR_TLACACOCA_CHAIN_WEAK',
  unsupported_critical_extension: 'ERR_TLACACOCA_CHAIN_CRITICAL_EXTENSION',
  name_constraint: 'ERR_TLACACOCA_CHAIN_NAME_CONSTRAINT',
  malformed: 'ERR_TLACACOCA_CHAIN_CERTIFICATE_MALFORMED',
}

function requireStrong(member: Member): void {
  refuse(member, signatureRefusal(member.certificate), 'have it signed anew with SHA-256')
  const exponent = smallExponentOf(member.certificate)
  if (exponent === null) return
  const refusal: Refusal = { problem: 'weak_key', detail: `in ${subjectOf(member.certificate)} ${exponent}` }
  refuse(member, refusal, 'make a new key')
}
