// Identities out of other programs, and into them. Their file formats are not this file's matter.

import { KeyObject } from 'node:crypto'
import { Certificate } from '../../certificate/certificate.ts'
import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { KeyedChain } from '../../certificate/keyed-chain.ts'
import { InvalidNameError, TlacacocaError } from '../../errors.ts'
import { requireList, requireOptions, show } from '../../internal/arguments.ts'
import type { ImportedIdentity } from '../formats/imported-identity.ts'
import type { Identity } from './identity.ts'
import { type IdentityNotes, withScope } from './notes.ts'
import { pathScope } from './scope.ts'
import { cleanText, MAX_NAME, MAX_NOTES } from './texts.ts'
import { type Addition, newId, type WalletCore } from './wallet-core.ts'

/** What became of identities that were imported. */
export interface ImportReport {
  /** As they are in the wallet now. */
  readonly added: readonly Identity[]
  /** Those that are not in the wallet now, and those that were there before. */
  readonly skipped: readonly {
    readonly name: string | null
    readonly fingerprint: Fingerprint
    /** `known`: the wallet has this certificate. `unusable`: see the message. */
    readonly reason: 'known' | 'unusable'
    readonly message: string
  }[]
  /** What could not be taken over of those that were added: scopes of protocols without identities, for one. */
  readonly problems: readonly string[]
}

/** Adds identities, as far as the wallet does not have them yet. */
export async function importIdentities(
  core: WalletCore,
  identities: readonly ImportedIdentity[],
): Promise<ImportReport> {
  const skipped: ImportReport['skipped'][number][] = []
  const problems: string[] = []
  const usable = identities.flatMap((identity) => {
    const certificates = usableCertificates(identity, core.now)
    if (certificates instanceof TlacacocaError) {
      skipped.push({ ...titleOf(identity), reason: 'unusable', message: certificates.message })
      return []
    }
    return [{ identity, certificates }]
  })
  const added: string[] = []
  // The permanent ones first: if they cannot be stored, nothing has been added.
  for (const home of [core.storage, core.temporary]) {
    const ours = usable.filter(({ identity }) => identity.temporary === (home === core.temporary))
    if (ours.length === 0) continue
    // Before the lock is taken, since it can take a while.
    const ready = await Promise.all(
      ours.map(async (each) => ({ ...each, sealed: await home.seal(each.identity.privateKey) })),
    )
    await core.alter(home, async (writer) => {
      const known = new Map(core.state.pairs().map((pair) => [pair.certificate.fingerprint, pair.deleted]))
      const additions: Addition[] = []
      for (const { identity, certificates, sealed } of ready) {
        const { fingerprint } = identity.certificate
        const wasDeleted = known.get(fingerprint)
        if (wasDeleted !== undefined) {
          const message = wasDeleted ? 'it was deleted, and can still be had back' : 'it is in the wallet already'
          skipped.push({ ...titleOf(identity), reason: 'known', message })
          continue
        }
        known.set(fingerprint, false)
        if (certificates.length <= identity.chain.length) {
          problems.push(`${fingerprint}: the certificates above it do not belong to it and were left out`)
        }
        additions.push({ id: newId(), certificates, sealed, change: notesOf(core, identity, problems) })
      }
      await core.add(home, additions, writer)
      added.push(...additions.map(({ id }) => id))
    })
  }
  return Object.freeze({ added: Object.freeze(added.map((id) => core.identity(id))), skipped, problems })
}

/** An identity with its key, on its way out. */
export async function exportIdentity(core: WalletCore, id: string): Promise<ImportedIdentity> {
  const pair = core.state.require(id)
  const { name, notes, scopes } = core.state.notes(id)
  return Object.freeze({
    certificate: pair.certificate,
    chain: pair.chain,
    privateKey: await core.key(pair),
    name,
    notes,
    scopes: Object.freeze(scopes.map(({ scope }) => String(scope))),
    temporary: pair.temporary,
  })
}

/** Checks what somebody hands in. That is misuse where it has the wrong type; whether it is any good is looked at later. */
export function readIdentityList(value: unknown): readonly ImportedIdentity[] {
  requireList('identities', value)
  return [...value].map((each) => {
    requireOptions('identities', each, PARTS)
    const { certificate, privateKey } = each as ImportedIdentity
    if (!(certificate instanceof Certificate)) throw new TypeError('"identities" expected each to have a Certificate')
    if (!(privateKey instanceof KeyObject))
      throw new TypeError('"identities" expected each to have a private KeyObject')
    return each as ImportedIdentity
  })
}

const PARTS = ['certificate', 'chain', 'privateKey', 'name', 'notes', 'scopes', 'temporary']

function usableCertificates(identity: ImportedIdentity, at: Date): readonly Certificate[] | TlacacocaError {
  const { certificate, chain, privateKey } = identity
  for (const above of chain.length === 0 ? [[]] : [chain, []]) {
    try {
      const certificates = [certificate, ...above]
      KeyedChain.fromCertificates(certificates, privateKey, { purpose: 'client', at })
      return certificates
    } catch (error) {
      if (!(error instanceof TlacacocaError)) throw error
      if (above.length === 0) return error
    }
  }
  /* v8 ignore next -- @preserve the last turn of the loop returns either way; the compiler cannot know */
  return []
}

/** What to note of an identity. */
function notesOf(core: WalletCore, identity: ImportedIdentity, problems: string[]): Addition['change'] {
  const scopes = identity.scopes.flatMap((url) => {
    try {
      return [pathScope(url)]
    } catch (error) {
      /* v8 ignore if -- @preserve only a fault of our own could be another error */
      if (!(error instanceof InvalidNameError)) throw error
      problems.push(`${identity.certificate.fingerprint}: the scope ${show(url)} was left out: ${error.message}`)
      return []
    }
  })
  return (notes) =>
    scopes.reduce<IdentityNotes>((result, scope) => withScope(result, scope, core.stamp()), {
      ...notes,
      name: cleanText(identity.name, MAX_NAME),
      notes: cleanText(identity.notes, MAX_NOTES),
      created: core.clock(),
    })
}

function titleOf({ name, certificate }: ImportedIdentity): { name: string | null; fingerprint: Fingerprint } {
  return { name: cleanText(name, MAX_NAME), fingerprint: certificate.fingerprint }
}
