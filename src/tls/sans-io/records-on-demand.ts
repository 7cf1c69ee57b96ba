// The follower of our own records, put off until it is needed.
//
// To follow records through a handshake means to derive keys and to open what OpenSSL has just sealed: 15 to 50 us on each
// side, a few per cent of a handshake, for an alert that hardly any connection sends. So what the follower has to be told
// is only kept, which takes 1 to 5 us, and told when the first alert is to be sealed. Kept is a handshake and a
// little; behind that it follows as the bytes leave, because there a record takes well under a microsecond.
//
// Invariant: the follower hears everything, in the order in which it happened.

import type { AlertLevel } from '../../errors.ts'
import { labelOf } from './keylog.ts'
import { OutgoingRecords } from './outgoing-records.ts'
import type { ServerHelloInfo } from './server-hello.ts'

/** More than most handshakes have on one side, and not much for a connection to hold on to. */
const MAX_KEPT_BYTES = 8192

const LABELS = {
  client: ['CLIENT_RANDOM', 'CLIENT_HANDSHAKE_TRAFFIC_SECRET', 'CLIENT_TRAFFIC_SECRET_0'],
  server: ['CLIENT_RANDOM', 'SERVER_HANDSHAKE_TRAFFIC_SECRET', 'SERVER_TRAFFIC_SECRET_0'],
}

export class RecordsOnDemand {
  readonly #side: 'client' | 'server'
  /** What has happened. */
  #past: (SecretLine | ServerHelloInfo | Uint8Array)[] = []
  #pastBytes = 0
  /** From then on it is told at once. */
  #follower: OutgoingRecords | null = null
  #forgotten = false

  constructor(side: 'client' | 'server') {
    this.#side = side
  }

  /** A line of Node's 'keylog' event. Nobody else may need it: it is overwritten when it has served its purpose. */
  keylog(line: Uint8Array): void {
    if (this.#forgotten || labelOf(line, LABELS[this.#side]) === null) return
    if (this.#follower === null) {
      this.#past.push(new SecretLine(line))
    } else {
      this.#follower.keylog(line)
      line.fill(0)
    }
  }

  /** See {@link OutgoingRecords.serverHello}. */
  serverHello(info: ServerHelloInfo): void {
    if (this.#follower !== null) this.#follower.serverHello(info)
    else if (!this.#forgotten) this.#past.push(info)
  }

  /** See {@link OutgoingRecords.sent}. The bytes must not change afterwards. */
  sent(bytes: Uint8Array): void {
    if (this.#follower !== null) {
      this.#follower.sent(bytes)
    } else if (!this.#forgotten) {
      this.#past.push(bytes)
      this.#pastBytes += bytes.length
      if (this.#pastBytes > MAX_KEPT_BYTES) this.#follow()
    }
  }

  /** See {@link OutgoingRecords.sealAlert}. */
  sealAlert(level: AlertLevel, code: number): Uint8Array | null {
    return this.#forgotten ? null : this.#follow().sealAlert(level, code)
  }

  /** Overwrites all secrets. Nothing can be sealed any more. */
  forget(): void {
    this.#forgotten = true
    this.#follower?.forget()
    this.#dropPast()
  }

  #follow(): OutgoingRecords {
    if (this.#follower !== null) return this.#follower
    const follower = new OutgoingRecords(this.#side)
    for (const thing of this.#past) {
      if (thing instanceof SecretLine) follower.keylog(thing.line)
      else if (thing instanceof Uint8Array) follower.sent(thing)
      else follower.serverHello(thing)
    }
    this.#dropPast()
    this.#follower = follower
    return follower
  }

  #dropPast(): void {
    for (const thing of this.#past) if (thing instanceof SecretLine) thing.line.fill(0)
    this.#past = []
  }
}

class SecretLine {
  readonly line: Uint8Array

  constructor(line: Uint8Array) {
    this.line = line
  }
}
