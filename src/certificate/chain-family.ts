import { NoLeafCertificateError } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import { type Member, requireDistinct, requireReadable } from './chain-members.ts'
import type { Rules } from './chain-options.ts'
import { requireSound } from './chain-rules.ts'
import { isIssuedBy, isSelfSigned, issuerKey, subjectKey } from './issuance.ts'
import { isRotation } from './rotation-name.ts'

/**
 * Certificates that are each fit to be used, and who issued whom among them. Signatures are verified once each, and only
 * where the names fit.
 */
export class Family {
  readonly members: readonly Member[]
  readonly #bySubject = new Map<string, Member[]>()
  readonly #issuers = new Map<Member, readonly Member[]>()
  readonly #selfSigned = new Map<Member, boolean>()
  #parents: ReadonlySet<Member> | undefined

  /** @throws {ChainError} For the first certificate that is not fit, or is there twice. */
  constructor(members: readonly Member[], rules: Rules) {
    if (members.length === 0) throw new NoLeafCertificateError('there is no certificate at all; add the one of the key')
    for (const member of members) requireReadable(member)
    requireDistinct(members)
    for (const member of members) requireSound(member, rules)
    this.members = members
    for (const member of members) {
      const name = subjectKey(member.certificate)
      const namesakes = this.#bySubject.get(name) ?? []
      this.#bySubject.set(name, namesakes)
      namesakes.push(member)
    }
  }

  isSelfSigned(member: Member): boolean {
    const known = this.#selfSigned.get(member) ?? isSelfSigned(member.certificate)
    this.#selfSigned.set(member, known)
    return known
  }

  /** Those that could have issued a member: more than one if an authority has several certificates for one key. */
  issuersOf(member: Member): readonly Member[] {
    const known = this.#issuers.get(member)
    if (known !== undefined) return known
    const issuers = this.isSelfSigned(member)
      ? []
      : this.namesakesOfIssuer(member).filter(
          (each) => each !== member && isIssuedBy(member.certificate, each.certificate),
        )
    this.#issuers.set(member, issuers)
    return issuers
  }

  /** Those that have the name of a member's issuer, whether or not they signed it. */
  namesakesOfIssuer(member: Member): readonly Member[] {
    return this.#bySubject.get(issuerKey(member.certificate)) ?? []
  }

  #issuesAnother(member: Member): boolean {
    this.#parents ??= new Set(this.members.flatMap((each) => this.issuersOf(each)))
    return this.#parents.has(member)
  }

  /** Certificates that are no authorities and issued none of the others. */
  plainLeaves(): Member[] {
    return this.members.filter((each) => !claimsAuthority(each.certificate) && !this.#issuesAnother(each))
  }

  /**
   * Leaves by the exception: self-signed, or signed by the former key of the same server, and marked as authorities, and
   * issued none of the others either.
   */
  markedLeaves(among: Iterable<Member>): Member[] {
    return [...among].filter(
      (each) =>
        claimsAuthority(each.certificate) &&
        (this.isSelfSigned(each) || isRotation(each.certificate)) &&
        !this.#issuesAnother(each),
    )
  }
}

/** Whether a certificate says that it is an authority. Before version 3 none can. */
export function claimsAuthority(certificate: Certificate): boolean {
  return certificate.version === 3 && certificate.isCA
}
