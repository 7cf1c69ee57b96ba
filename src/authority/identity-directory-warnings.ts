// What is said about an authority that can be used all the same.

import type { Certificate } from '../certificate/certificate.ts'
import { isSelfSigned } from '../certificate/issuance.ts'
import { datesRefusal, signatureRefusal, subjectOf } from '../certificate/path-rules.ts'
import type { AuthorityWarning } from './identity-directory.ts'

/** Warnings in the order in which they came up. */
export class Warnings {
  readonly #list: AuthorityWarning[] = []

  get list(): readonly AuthorityWarning[] {
    return Object.freeze([...this.#list])
  }

  keyFileExposed(keyPath: string): void {
    this.#add(
      'key_file_exposed',
      `a group can read, change or replace ${keyPath}; use mode 0600, and 0700 for its directory`,
    )
  }

  keyNotEncrypted(keyPath: string): void {
    this.#add('key_not_encrypted', `the key in ${keyPath} is not encrypted`)
  }

  passphraseFileExposed(path: string): void {
    this.#add('passphrase_file_exposed', `everybody on this computer can read the passphrase in ${path}; use mode 0600`)
  }

  /** What the certificates themselves give cause to say. */
  about(certificate: Certificate, chain: readonly Certificate[], at: Date): void {
    if (certificate.notAfter.getTime() - at.getTime() < EXPIRES_SOON_MS) {
      this.#add('expires_soon', `${subjectOf(certificate)} expires at ${certificate.notAfter.toISOString()}`)
    }
    for (const member of [certificate, ...chain]) {
      // Whoever trusts a root does not trust it for its signature.
      const weak = isSelfSigned(member) ? null : signatureRefusal(member)
      if (weak !== null) this.#add('weak_signature', `${weak.detail}, which verifiers refuse`)
    }
    for (const member of chain) {
      const dates = datesRefusal(member, at)
      if (dates !== null) this.#add('chain_not_valid', dates.detail)
    }
    const top = chain.at(-1) ?? certificate
    if (!isSelfSigned(top)) {
      this.#add('chain_incomplete', `who issued ${subjectOf(top)} is not known; put the authorities into ca.chain.pem`)
    }
  }

  #add(code: AuthorityWarning['code'], message: string): void {
    this.#list.push(Object.freeze({ code, message }))
  }
}

// 90 days: three times as long as nothing is signed before the end, and time to make a successor known.
const EXPIRES_SOON_MS = 90 * 86_400_000
