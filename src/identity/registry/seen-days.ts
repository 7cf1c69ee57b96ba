// Who was seen on which day, so that a visit does not cost a write. The first visit of a user on a day is written. Other
// certificates of the same user that come later that day are remembered here and written with the first visit of the next
// day on which the user comes; so there is one write for each user and day, and no certificate looks unused that is not.
// If the program ends in between, that knowledge is lost, and nothing else.

import type { SeenCredential } from './identity-store.ts'

interface SeenUser {
  writtenDay: number
  readonly unwritten: Map<string, SeenCredential>
}

/** @internal */
export class SeenDays {
  readonly #users = new Map<string, SeenUser>()
  readonly #maxUsers: number

  constructor(maxUsers = 10_000) {
    this.#maxUsers = maxUsers
  }

  /**
   * Notes a visit.
   *
   * @param writtenDay - The day on which the user was last seen by the store.
   * @returns What is to be written now; null if the user was written today already.
   */
  note(userId: string, writtenDay: number | null, visit: SeenCredential): readonly SeenCredential[] | null {
    const user = this.#userFor(userId, writtenDay ?? Number.NEGATIVE_INFINITY)
    const earlier = user.unwritten.get(visit.credentialId)
    if (user.writtenDay >= visit.day && earlier?.day === visit.day) return null
    user.unwritten.set(visit.credentialId, visit)
    if (user.writtenDay >= visit.day) return null
    // Also if the write is lost: then the store is busy, and would not be less so if everybody tried again.
    user.writtenDay = visit.day
    const seen = [...user.unwritten.values()]
    user.unwritten.clear()
    return seen
  }

  /** The day on which a credential was seen, if the store has not been told yet. */
  dayOf(userId: string, credentialId: string): number | null {
    return this.#users.get(userId)?.unwritten.get(credentialId)?.day ?? null
  }

  #userFor(userId: string, writtenDay: number): SeenUser {
    const known = this.#users.get(userId)
    if (known !== undefined) {
      known.writtenDay = Math.max(known.writtenDay, writtenDay)
      return known
    }
    if (this.#users.size >= this.#maxUsers) this.#forgetFirst()
    const user = { writtenDay, unwritten: new Map<string, SeenCredential>() }
    this.#users.set(userId, user)
    return user
  }

  #forgetFirst(): void {
    for (const userId of this.#users.keys()) {
      this.#users.delete(userId)
      return
    }
  }
}
