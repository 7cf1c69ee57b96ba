// One connection of ours against Node's own TLS, with somebody in between who changes what Node says, to its end. The
// client asks a question, the server answers and ends, the client ends.

import type { TLSVersion } from '../../src/certificate/peer.ts'
import type { ClientTLS } from '../../src/tls/sans-io/client-tls.ts'
import type { VerifyCallback } from '../../src/tls/sans-io/connection-sink.ts'
import type { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { NodePeer, type NodePeerOptions, nodeContext } from './fuzz-peer.ts'
import { WatchedConnection, type WatchOptions } from './fuzz-watch.ts'
import { recordsIn, turn, type WireEnd } from './sans-io.ts'
import { clientChain, clientTls, only, serverChain, serverTls, VERSIONS, withIdentity } from './sans-io-world.ts'

export const QUESTION = 'gemini://www.example.org/\r\n'
export const ANSWER = '20 text/plain\r\nthis is all of it\n'

/** Two sides and two versions. */
export const GROUNDS = VERSIONS.flatMap((version) =>
  (['client', 'server'] as const).map((side) => ground(side, version)),
)

/** What the connections of one side and version have in common. */
export interface Ground {
  readonly side: 'client' | 'server'
  readonly version: TLSVersion
  readonly tls: ClientTLS | ServerTLS
  readonly peer: Pick<NodePeerOptions, 'side' | 'secureContext' | 'asks'>
  /** The fingerprint of the certificate whose key the peer has. */
  readonly peerFingerprint: string
  /** The clock of `tls`. */
  readonly clock: { now: number }
}

function ground(side: 'client' | 'server', version: TLSVersion): Ground {
  const clock = { now: Date.now() }
  const common = { ...only(version), clock: () => clock.now }
  return {
    side,
    version,
    clock,
    tls:
      side === 'client'
        ? clientTls({ ...common, ...withIdentity() })
        : serverTls({ ...common, clientCertificates: 'request' }),
    peer:
      side === 'client'
        ? { side: 'server', secureContext: nodeContext(version, 'server'), asks: true }
        : { side: 'client', secureContext: nodeContext(version, 'client') },
    peerFingerprint: (side === 'client' ? serverChain : clientChain).leaf.fingerprint,
  }
}

/** What becomes of a record on its way; it gets them in order, with a number from 0 on. */
export type Change = (record: Buffer, index: number) => readonly Uint8Array[]

export interface TrialOptions {
  readonly change?: Change
  /** What comes before everything else. */
  readonly before?: Uint8Array
  /** So many bytes arrive, and then the end of the wire. */
  readonly endAt?: number
  readonly verify?: VerifyCallback
  readonly watch?: Omit<WatchOptions, 'verify'>
  /** Into what pieces that which arrives is cut. */
  readonly cut?: (bytes: Buffer) => readonly Uint8Array[]
}

export interface Trial {
  readonly us: WatchedConnection
  readonly peer: NodePeer
  readonly outcome: string
  /** Whether it came to its end without the clock, and without an end of the wire that nobody wanted. */
  readonly byItself: boolean
  /** The records of the peer, as it sent them. */
  readonly records: readonly Buffer[]
}

/** Runs a connection to its end: by itself, or by a deadline, or because the wire ends. */
export async function trial(ground: Ground, options: TrialOptions = {}): Promise<Trial> {
  const { us, peer, deliver } = begin(ground, options)
  await untilQuiet(deliver)
  const byItself = us.isOver
  if (!us.isOver) {
    ground.clock.now += 60_000
    us.connection.tick()
    await untilQuiet(deliver)
  }
  // An open connection may be idle for ever.
  if (!us.isOver) us.wireEnded()
  const outcome = await us.conclude()
  peer.destroy()
  if (outcome !== 'finished' && us.text !== '' && !expected(ground.side).startsWith(us.text)) {
    us.faults.push(`it gave out ${JSON.stringify(us.text)}`)
  }
  if (outcome === 'finished' && us.text !== expected(ground.side)) us.faults.push('it calls a part the whole')
  for (const [leaf] of us.asked) {
    if (leaf?.fingerprint !== ground.peerFingerprint) us.faults.push('it showed somebody else to the verifier')
  }
  return { us, peer, outcome, byItself, records: recordsIn(Buffer.concat(peer.writes)).map(({ bytes }) => bytes) }
}

/** The same, for a test to drive. */
export function begin(
  ground: Ground,
  options: TrialOptions = {},
): { us: WatchedConnection; peer: NodePeer; deliver: () => boolean } {
  const isClient = ground.side === 'client'
  const peer = new NodePeer({
    ...ground.peer,
    ...(isClient
      ? { onData: (_chunk, socket) => socket.end(ANSWER) }
      : { onSecure: (socket) => void socket.write(QUESTION) }),
  })
  const { verify, watch } = options
  const us = new WatchedConnection(ground.tls, { ...watch, ...(verify === undefined ? {} : { verify }) })
  if (isClient) us.attempt('dataFromApplication', () => us.connection.dataFromApplication(Buffer.from(QUESTION)))
  let answered = false
  const converse = (): void => {
    if (isClient) {
      if (us.connection.state === 'finishing') us.attempt('finish', () => us.connection.applicationFinished())
      return
    }
    if (peer.heardEnd && !peer.socket.writableEnded) peer.socket.end()
    if (us.text !== QUESTION || answered || us.isOver) return
    answered = true
    us.attempt('dataFromApplication', () => us.connection.dataFromApplication(Buffer.from(ANSWER)))
    us.attempt('applicationFinished', () => us.connection.applicationFinished())
  }
  const wire = new ChangedWire(us, peer, options)
  return {
    us,
    peer,
    deliver: () => {
      const moved = wire.deliver()
      converse()
      return moved
    },
  }
}

/** What a connection has heard when it has heard everything. */
export function expected(side: 'client' | 'server'): string {
  return side === 'client' ? ANSWER : QUESTION
}

// Signing takes no turn of its own, and Node says things one or two turns later.
const QUIET_TURNS = 6

/** Delivers, turn by turn, until nothing moves any more. */
export async function untilQuiet(deliver: () => boolean): Promise<void> {
  for (let quiet = 0; quiet < QUIET_TURNS; ) {
    // OpenSSL says no more before what it has said last is on its way, and a network gives it the time for that.
    await turn()
    await turn()
    quiet = deliver() ? 0 : quiet + 1
  }
}

class ChangedWire {
  readonly #us: WatchedConnection
  readonly #peer: NodePeer
  readonly #options: TrialOptions
  #record = 0
  #partial: Buffer = Buffer.alloc(0)
  #before: Uint8Array
  #left: number
  readonly #told = new Set<WireEnd>()

  constructor(us: WatchedConnection, peer: NodePeer, options: TrialOptions) {
    this.#us = us
    this.#peer = peer
    this.#options = options
    this.#before = options.before ?? new Uint8Array(0)
    this.#left = options.endAt ?? Number.POSITIVE_INFINITY
  }

  deliver(): boolean {
    const toPeer = this.#us.take()
    if (toPeer.length > 0) this.#peer.receive(toPeer)
    if (toPeer.length === 0) this.#end(this.#us, this.#peer)
    const toUs = this.#changed()
    if (toUs.length === 0) this.#end(this.#peer, this.#us)
    this.#toUs(toUs)
    return toPeer.length > 0 || toUs.length > 0
  }

  #changed(): Buffer {
    const before = this.#before
    this.#before = new Uint8Array(0)
    const bytes = this.#peer.take()
    const { change } = this.#options
    if (change === undefined) return Buffer.concat([before, bytes])
    const all = Buffer.concat([this.#partial, bytes])
    const records = recordsIn(all)
    this.#partial = all.subarray(records.reduce((sum, record) => sum + record.bytes.length, 0))
    return Buffer.concat([before, ...records.flatMap((record) => change(record.bytes, this.#record++))])
  }

  #toUs(bytes: Buffer): void {
    if (bytes.length === 0 || this.#left < 0) return
    const arriving = bytes.subarray(0, this.#left)
    const { cut = (whole: Buffer) => [whole] } = this.#options
    if (arriving.length > 0) for (const piece of cut(arriving)) this.#us.receive(piece)
    this.#left -= arriving.length
    if (this.#left > 0) return
    this.#left = -1
    this.#us.wireEnded()
  }

  #end(from: WireEnd, to: WireEnd): void {
    if (!from.isSilent || this.#told.has(from)) return
    this.#told.add(from)
    to.wireEnded()
  }
}
