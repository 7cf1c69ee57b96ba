// Deleting identities so that they can be had back, and removing them for good.

import { IdentityError } from '../../errors.ts'
import type { DeletedIdentity } from './identity.ts'
import { identityOf } from './identity.ts'
import { withNotes } from './notes.ts'
import type { Pair } from './pair.ts'
import { isDone, progressOf } from './rotation-notes.ts'
import type { WalletCore } from './wallet-core.ts'
import { notFound } from './wallet-state.ts'

/** So long after it was deleted, an identity is removed even if the program that deleted it never got to do so. */
const A_DAY_MS = 86_400_000

export async function deleteIdentity(
  core: WalletCore,
  deletedHere: Set<string>,
  id: string,
  { evenIfRotating }: { readonly evenIfRotating: boolean },
): Promise<DeletedIdentity> {
  await core.alterWhere(id, async (writer) => {
    core.state.require(id)
    if (!evenIfRotating) requireNotRotating(core, id)
    const old = core.state.predecessorOf(id)
    await writer.changeMetadata((metadata) => {
      const marked = withNotes(metadata, id, (notes) => ({ ...notes, deleted: core.clock() }))
      // A plan needs the identity that it leads to.
      if (!evenIfRotating || old === null) return marked
      return withNotes(marked, old.id, (notes) => ({ ...notes, rotation: null }))
    })
    await writer.moveAside(id)
    deletedHere.add(id)
  })
  const pair = core.state.pair(id)
  /* v8 ignore if -- @preserve it was moved aside a moment ago, and stays in the state; the compiler cannot know */
  if (pair === undefined) throw notFound(id)
  return deletedIdentity(core, deletedHere, pair)
}

export async function undeleteIdentity(core: WalletCore, deletedHere: Set<string>, id: string): Promise<void> {
  await core.alterWhere(id, async (writer) => {
    if (core.state.pair(id)?.deleted !== true) throw notFound(id, 'there is no deleted identity')
    await writer.putBack(id)
    deletedHere.delete(id)
    await writer.changeMetadata((metadata) => withNotes(metadata, id, (notes) => ({ ...notes, deleted: null })))
  })
}

export function deletedIdentity(core: WalletCore, deletedHere: ReadonlySet<string>, pair: Pair): DeletedIdentity {
  const notes = core.state.notes(pair.id)
  const deleted = notes.deleted ?? core.clock()
  return Object.freeze({
    ...identityOf(pair, notes, core.now),
    deletedAt: new Date(deleted),
    removedAt: pair.temporary || deletedHere.has(pair.id) ? 'close' : new Date(deleted + A_DAY_MS),
  })
}

/** Removes for good what was deleted here, and what others deleted long ago. */
export async function removeDeleted(core: WalletCore, deletedHere: ReadonlySet<string>): Promise<void> {
  const isDue = ({ id, deleted, temporary }: Pair): boolean => {
    if (!deleted || temporary) return false
    const since = core.state.notes(id).deleted
    return deletedHere.has(id) || since === null || since + A_DAY_MS <= core.clock()
  }
  if (!core.state.pairs().some(isDue)) return
  await core.alterWithin(core.storage, async (writer) => {
    const due = core.state.pairs().filter(isDue)
    // If nobody knows when it was deleted, the day begins now.
    const undated = due.filter(({ id }) => !deletedHere.has(id) && core.state.notes(id).deleted === null)
    const gone = await writer.remove(due.filter((pair) => !undated.includes(pair)).map(({ id }) => id))
    await writer.changeMetadata((metadata) => {
      const dated = undated.reduce(
        (result, { id }) => withNotes(result, id, (notes) => ({ ...notes, deleted: core.clock() })),
        metadata,
      )
      return gone.reduce((result, id) => withNotes(result, id, () => null), dated)
    })
  })
}

/** @throws {IdentityError} IDENTITY_ROTATING while an identity is half exchanged for another, whichever of the two it is. */
function requireNotRotating({ state }: WalletCore, id: string): void {
  const old = state.successorOf(id) === null ? state.predecessorOf(id) : state.require(id)
  if (old === null || isDone(state.notes(old.id))) return
  const open = progressOf(state.notes(old.id)).filter((site) => site.state !== 'done' && site.state !== 'skipped')
  throw new IdentityError(
    'ERR_TLACACOCA_IDENTITY_ROTATING',
    `${old.id} is being replaced, and ${open.map(({ endpoint }) => String(endpoint)).join(', ')} know nothing of it yet`,
  )
}
