// `identity delete`. The library can take a deletion back until the wallet is closed; here that is the end of the command.

import type { Command } from 'commander'
import type { Identity } from '../../identity/wallet/identity.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { Cli, Outcome } from '../command.ts'
import { requireYes } from '../io.ts'
import { findIdentity, identityJson, openWallet, titleOf } from './wallet.ts'

interface DeleteOptions {
  readonly evenIfRotating?: boolean
  readonly force?: boolean
}

/** `identity delete`. Says what is lost by it first. */
export async function deleteOne(
  { io }: Cli,
  text: string,
  { evenIfRotating = false, force = false }: DeleteOptions,
  command: Command,
): Promise<Outcome> {
  await using wallet = await openWallet(io, command)
  const identity = findIdentity(wallet, text)
  await requireYes(io, lossOf(identity, 'Delete it for good?'), force)
  const deleted = await wallet.delete(identity.id, { evenIfRotating })
  // Now and not at the end of the block, so that what fails is not said to be done.
  await wallet.close()
  return { json: { deleted: identityJson(deleted) }, text: `${titleOf(deleted)} is deleted, and its key with it.` }
}

/** What somebody loses with an identity, and a question. */
export function lossOf(identity: Identity, question: string): string {
  const known = [...new Set([...identity.sites, ...identity.scopes].map(({ endpoint }) => String(endpoint)))]
  const sites =
    known.length === 0
      ? 'It was shown nowhere, as far as this wallet knows.'
      : `Whoever you are at ${listed(known)} is lost with it, unless the site knows you by another certificate.`
  const name = titleOf(identity)
  return `${name} (${escapeText(identity.fingerprint)}): its key cannot be had back. ${sites} ${question}`
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 10)
  const others = names.length - shown.length
  return `${shown.join(', ')}${others === 0 ? '' : ` and ${others} more`}`
}
