// Names that only their owner can recognise: HMAC-SHA256 of the host, in the form of a host that cannot exist (`.invalid`
// is nobody's, RFC 6761 section 6.4). So a hashed subject is a subject like any other wherever names are checked, ordered
// or parsed, and the ports of one host still have their beginning in common.
//
// What is a hash already stands for itself: what a list shows can be looked up, revoked and marked by what it shows.

import { StoreError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { NAME_KEY_LENGTH, NameHmac } from './name-hmac.ts'
import type { PinStore, PinUpdate } from './pin-store.ts'

/** Hashes the names of subjects under one key. */
export class NameHasher {
  readonly #hmac: NameHmac
  // Most visits are to few hosts, and a hash costs more than the look-up that follows.
  readonly #recent = new Map<string, string>()

  constructor(key: Uint8Array) {
    if (!(key instanceof Uint8Array)) throw new TypeError(`"key" expected a Uint8Array, got ${typeof key}`)
    if (key.length !== NAME_KEY_LENGTH) {
      throw new RangeError(`"key" expected ${NAME_KEY_LENGTH} bytes, got ${key.length}`)
    }
    this.#hmac = new NameHmac(key)
  }

  /** The subject under which `subject` is kept. */
  subject(subject: string): string {
    // Lines of history about the whole store have no name.
    if (subject === '' || HASHED.test(subject)) return subject
    // A mailbox is one name, without a port.
    if (subject.includes('@')) return `${this.#hash(subject)}@${DOMAIN}`
    const end = subject.lastIndexOf(':')
    return end === -1 ? this.#host(subject) : this.#host(subject.slice(0, end)) + subject.slice(end)
  }

  /** What the kept subjects begin with whose own begin with `prefix`, which has to be a whole host and a colon. */
  prefix(prefix: string): string {
    if (prefix === '') return prefix
    const [, host, rest] = WHOLE_HOST.exec(prefix) ?? []
    if (host === undefined || rest === undefined) {
      const message = `names are kept as hashes, which cannot be looked for by a part such as ${show(prefix)}`
      throw new StoreError('ERR_TLACACOCA_STORE_HASHED', message)
    }
    return HASHED_HOST.test(host) ? prefix : this.#host(host) + rest
  }

  #host(host: string): string {
    return `${this.#hash(host)}.${DOMAIN}`
  }

  #hash(name: string): string {
    const known = this.#recent.get(name)
    if (known !== undefined) return known
    const hashed = this.#hmac.base32(name)
    if (this.#recent.size >= RECENT_NAMES) this.#recent.clear()
    this.#recent.set(name, hashed)
    return hashed
  }
}

/**
 * Refuses what cannot be done without the names of all hosts.
 *
 * @param what - What cannot be done, as in "pins cannot be ...".
 * @throws {StoreError} `STORE_HASHED` if the store keeps hashes.
 */
export function requireNames(store: PinStore, what: string): void {
  if (store.hashesNames !== true) return
  const message = `pins cannot be ${what}: this store keeps the names of hosts as hashes, and nobody can tell them from that`
  throw new StoreError('ERR_TLACACOCA_STORE_HASHED', message)
}

/** The same update with hashed subjects. */
export function hashedUpdate(update: PinUpdate, names: NameHasher): PinUpdate {
  return {
    ...update,
    changes: update.changes.map((change) => {
      const subject = names.subject(change.subject)
      return { ...change, subject, put: change.put.map((pin) => ({ ...pin, subject })) }
    }),
    log: update.log.map((line) => ({ ...line, subject: names.subject(line.subject) })),
  }
}

const RECENT_NAMES = 1000
const DOMAIN = 'hashed.invalid'

// 256 bits are 51.2 letters of five bits.
const HASHED = /^[a-z2-7]{52}(?:\.hashed\.invalid(?::\d+)?|@hashed\.invalid)$/
const HASHED_HOST = /^[a-z2-7]{52}\.hashed\.invalid$/

// The colons within an IPv6 address are between brackets.
const WHOLE_HOST = /^(\[[^\]]*\]|[^[\]:]+)(:\d*)$/
