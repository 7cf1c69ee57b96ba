// The follower of our own records, put off until it is needed.
//
// To follow records through a handshake means to derive keys and to open what OpenSSL has just sealed: a fifth of what a
// handshake costs beside OpenSSL's own work, for an alert that hardly any connection sends. So what the follower has to
// be told is only kept, and told when the first alert is to be sealed. Kept is a handshake and a little; from then on it
// follows as the bytes leave, because with the handshake behind it that costs next to nothing.
//
// Invariant: the follower hears everything, in the order in which it happened.

import type { AlertLevel } from '../../errors.ts'
import { OutgoingRecords } from './outgoing-records.ts'
import type { ServerHelloInfo } from './server-hello.ts'

/** More than most handshakes have on one side, and not much for a connection to hold on to. */
const MAX_KEPT_BYTES = 8192

export class RecordsOnDemand {
  readonly #side: 'client' | 'server'
  #follower: OutgoingRecords | null = null
  /** What has happened, until there is a follower; null when it is forgotten. */
  #past: ((follower: OutgoingRecords) => void)[] | null = []
  #keptBytes = 0
  /** Those of our own direction. They are secret. */
  #lines: Buffer[] = []

  constructor(side: 'client' | 'server') {
    this.#side = side
  }

  /** A line of Node's 'keylog' event. It is overwritten when it is not needed any more. */
  keylog(line: Buffer): void {
    if (!isAbout(line, this.#side)) return
    this.#lines.push(line)
    this.#tell((follower) => follower.keylog(line))
    if (this.#follower !== null || this.#past === null) this.#eraseLines()
  }

  /** See {@link OutgoingRecords.serverHello}. */
  serverHello(info: ServerHelloInfo): void {
    this.#tell((follower) => follower.serverHello(info))
  }

  /** See {@link OutgoingRecords.sent}. The bytes must not change afterwards. */
  sent(bytes: Uint8Array): void {
    if (this.#follower !== null) {
      this.#follower.sent(bytes)
      return
    }
    this.#past?.push((follower) => follower.sent(bytes))
    this.#keptBytes += bytes.length
    if (this.#keptBytes > MAX_KEPT_BYTES) this.#catchUp()
  }

  /** See {@link OutgoingRecords.sealAlert}. */
  sealAlert(level: AlertLevel, code: number): Uint8Array | null {
    return this.#catchUp()?.sealAlert(level, code) ?? null
  }

  /** Overwrites all secrets. Nothing can be sealed any more. */
  forget(): void {
    this.#follower?.forget()
    this.#past = null
    this.#eraseLines()
  }

  #tell(event: (follower: OutgoingRecords) => void): void {
    if (this.#follower !== null) event(this.#follower)
    else this.#past?.push(event)
  }

  #catchUp(): OutgoingRecords | null {
    if (this.#past === null || this.#follower !== null) return this.#follower
    const follower = new OutgoingRecords(this.#side)
    for (const event of this.#past) event(follower)
    this.#past = []
    this.#follower = follower
    this.#eraseLines()
    return follower
  }

  #eraseLines(): void {
    for (const line of this.#lines) line.fill(0)
    this.#lines = []
  }
}

const SPACE = 0x20
const LABELS = {
  client: new Set(['CLIENT_RANDOM', 'CLIENT_HANDSHAKE_TRAFFIC_SECRET', 'CLIENT_TRAFFIC_SECRET_0']),
  server: new Set(['CLIENT_RANDOM', 'SERVER_HANDSHAKE_TRAFFIC_SECRET', 'SERVER_TRAFFIC_SECRET_0']),
}

/** Whether a line has a secret of this side's direction. */
function isAbout(line: Buffer, side: 'client' | 'server'): boolean {
  return LABELS[side].has(line.toString('latin1', 0, Math.max(0, line.indexOf(SPACE))))
}
