// What a rotation plan does to its wallet.

import { requireString } from '../../internal/arguments.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import { signRotation } from '../rotation-statement.ts'
import { deleteIdentity } from './deletion.ts'
import type { DeletedIdentity, Identity } from './identity.ts'
import type { RotationState } from './notes.ts'
import { progressOf, withStep } from './rotation-notes.ts'
import type { RotationHost, RotationSite, StatementOptions } from './rotation-plan.ts'
import { readStatementOptions } from './statement-options.ts'
import type { WalletCore } from './wallet-core.ts'
import { notFound } from './wallet-state.ts'

export class WalletRotation implements RotationHost {
  readonly #core: WalletCore
  readonly #deletedHere: Set<string>

  constructor(core: WalletCore, deletedHere: Set<string>) {
    this.#core = core
    this.#deletedHere = deletedHere
  }

  identity(id: string): Identity {
    return this.#core.identity(id)
  }

  sites(from: string): readonly RotationSite[] {
    this.#core.state.require(from)
    return Object.freeze(
      progressOf(this.#core.state.notes(from)).map(({ endpoint, state, at, note }) =>
        Object.freeze({ endpoint, state, since: at === null || state === 'pending' ? null : new Date(at), note }),
      ),
    )
  }

  async statement(from: string, to: string, endpoint: Endpoint, options: StatementOptions): Promise<string> {
    const { state } = this.#core
    const old = state.require(from)
    const newCertificate = state.require(to).certificate
    const oldKey = await this.#core.key(old)
    const terms = readStatementOptions(options, this.#core.now)
    return signRotation({ origin: endpoint, oldCertificate: old.certificate, oldKey, newCertificate, ...terms })
  }

  async mark(from: string, endpoint: Endpoint, state: RotationState, note: string | null): Promise<void> {
    if (note !== null) requireString('note', note)
    const core = this.#core
    await core.alterWhere(from, async (writer) => {
      core.state.require(from)
      const to = core.state.successorOf(from)
      if (to === null) throw notFound(from, 'there is no rotation any more of')
      const step = { endpoint, state, note, at: core.stamp() }
      await writer.changeMetadata((metadata) => withStep(metadata, from, to.id, step))
    })
  }

  async finish(from: string): Promise<DeletedIdentity> {
    return deleteIdentity(this.#core, this.#deletedHere, from, { evenIfRotating: false })
  }

  async abandon(from: string): Promise<void> {
    await this.#core.changeNotes(from, (notes) => ({ ...notes, rotation: null }))
  }
}
