// A connection of ours with Node's own TLS at the other end, where everything is left to chance that can happen: what the
// two programs do and when, also from inside callbacks; into what pieces the wire cuts, and whether it damages what it
// carries, or ends. The same seed makes the same choices.
//
// Both programs send one long pattern, so that what arrives can be held against it: it is a beginning of what was sent,
// and all of it if the connection has finished.

import type { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import type { TLSVersion } from '../../src/certificate/peer.ts'
import { VerificationRefused } from '../../src/errors.ts'
import type { AlertCode } from '../../src/tls/alert.ts'
import type { ChainAnswer } from '../../src/tls/sans-io/answer.ts'
import { ClientCertificateStore } from '../../src/tls/sans-io/client-certificate-store.ts'
import type { ClientTLS } from '../../src/tls/sans-io/client-tls.ts'
import type { VerifyCallback } from '../../src/tls/sans-io/connection-sink.ts'
import { ServerCertificates } from '../../src/tls/sans-io/server-certificates.ts'
import type { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { pins } from '../../src/tls/verifiers/pins.ts'
import { NodePeer, type NodePeerOptions, nodeContext } from './fuzz-peer.ts'
import { FuzzRandom } from './fuzz-random.ts'
import { NotToday, WatchedConnection } from './fuzz-watch.ts'
import { turn } from './sans-io.ts'
import { clientChain, clientTls, clientTrust, only, serverChain, serverTls, withIdentity } from './sans-io-world.ts'

type Peer = Pick<NodePeerOptions, 'side' | 'secureContext' | 'asks'>

/** What the connections of one side and version have in common. */
export interface FuzzGround {
  readonly side: 'client' | 'server'
  readonly version: TLSVersion
  readonly ours: readonly (ClientTLS | ServerTLS)[]
  /** So many of them, from the first, take any peer of these. */
  readonly calm: number
  readonly peers: readonly Peer[]
  readonly peerFingerprints: ReadonlySet<string | undefined>
  readonly clock: { now: number }
}

/** Chains for whoever asks, given at once, late or never. */
class Dealer extends ClientCertificateStore {
  readonly #turns: number
  readonly #chain: KeyedChain | null

  constructor(turns: number, chain: KeyedChain | null) {
    super()
    this.#turns = turns
    this.#chain = chain
  }

  override getDefaultCertificateChain(answer: ChainAnswer): void {
    later(this.#turns, () => answer(this.#chain))
  }

  override getCertificateChainForRoots(_roots: unknown, answer: ChainAnswer): void {
    later(this.#turns, () => answer(this.#chain))
  }
}

class ServerDealer extends ServerCertificates {
  readonly #turns: number
  readonly #chain: KeyedChain | null

  constructor(turns: number, chain: KeyedChain | null) {
    super()
    this.#turns = turns
    this.#chain = chain
  }

  override getCertificateChainForServerName(_name: string | null, answer: ChainAnswer): void {
    later(this.#turns, () => answer(this.#chain))
  }
}

function later(turns: number, act: () => void): void {
  if (turns === NEVER) return
  if (turns === 0) act()
  else setImmediate(() => later(turns - 1, act))
}

const NEVER = -1

export function fuzzGround(side: 'client' | 'server', version: TLSVersion): FuzzGround {
  const clock = { now: Date.now() }
  const common = { ...only(version), clock: () => clock.now }
  const small = { limits: { maxHandshakeBytes: 3000, maxBufferedBytes: 4000 } }
  if (side === 'client') {
    const pinned = { ...common, verifier: pins([serverChain.leaf.fingerprint]) }
    return {
      side,
      version,
      clock,
      calm: 4,
      ours: [
        clientTls({ ...pinned, ...withIdentity() }),
        clientTls({ ...pinned, ...withIdentity() }),
        clientTls(pinned),
        clientTls({ ...common, ...withIdentity() }),
        clientTls({ ...pinned, ...withIdentity(), ...small }),
        clientTls({ ...pinned, clientCertificateStore: new Dealer(3, clientChain), identityOverTls12: 'allow' }),
        clientTls({ ...pinned, clientCertificateStore: new Dealer(1, null) }),
        clientTls({ ...pinned, clientCertificateStore: new Dealer(NEVER, null) }),
        clientTls({ ...pinned, clientCertificateStore: new Dealer(0, clientChain), clientCertificateMode: 'restart' }),
        clientTls({ ...pinned, clientCertificateStore: new Dealer(2, null), clientCertificateMode: 'restart' }),
      ],
      peers: [
        { side: 'server', secureContext: nodeContext(version, 'server'), asks: true },
        { side: 'server', secureContext: nodeContext(version, 'server') },
      ],
      peerFingerprints: new Set([serverChain.leaf.fingerprint]),
    }
  }
  const requests = { ...common, clientCertificates: 'request' } as const
  return {
    side,
    version,
    clock,
    calm: 3,
    ours: [
      serverTls(requests),
      serverTls(requests),
      serverTls(common),
      serverTls({ ...common, clientCertificates: 'require' }),
      serverTls({ ...common, clientCertificates: { trustRoot: clientTrust } }),
      serverTls({ ...requests, ...small }),
      serverTls({ ...requests, certificates: new ServerDealer(2, serverChain) }),
      serverTls({ ...requests, certificates: new ServerDealer(1, null) }),
      serverTls({ ...requests, certificates: new ServerDealer(NEVER, null) }),
    ],
    peers: [
      { side: 'client', secureContext: nodeContext(version, 'client') },
      { side: 'client', secureContext: nodeContext(version, 'client') },
      { side: 'client', secureContext: nodeContext(version, 'nobody') },
    ],
    peerFingerprints: new Set([clientChain.leaf.fingerprint, undefined]),
  }
}

export interface SessionResult {
  readonly outcome: string
  readonly faults: readonly string[]
  readonly thrown: ReadonlySet<string>
  /** How far it has come. */
  readonly opened: boolean
  readonly received: number
}

/** Runs the connection of a seed to its end. */
export async function fuzzSession(ground: FuzzGround, seed: number): Promise<SessionResult> {
  const session = new Session(ground, new FuzzRandom(seed))
  await session.run()
  return session.conclude()
}

/** What is sent, by both sides: each byte follows from its place. */
function pattern(from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at++) bytes.writeUInt8(((from + at) * 31 + ((from + at) >> 8)) & 0xff, at)
  return bytes
}

const SIZES = [0, 1, 2, 17, 300, 1024, 5000, 17_000, 40_000]
const PIECES = [1, 3, 40, 400, 1500, 20_000, 1_000_000]
// A handshake has some 1,500 bytes in one direction, and what is said afterwards more.
const REACH = [300, 1600, 3000, 20_000]
const ACTIVE_TURNS = 24

class Session {
  readonly #ground: FuzzGround
  readonly #random: FuzzRandom
  readonly #peer: NodePeer
  readonly #us: WatchedConnection
  readonly #toUs: Lane
  readonly #toPeer: Lane
  /** How lively both programs are: one action in so many turns, and in so many callbacks. */
  readonly #pace: number
  readonly #insidePace: number
  /** Nobody does any harm, and everything has to arrive. */
  readonly #isCalm: boolean
  #depth = 0
  /** What we and the peer have sent, as far as it was taken. */
  #sent = 0
  #peerSent = 0
  #peerDone = false
  #peerKilled = false

  constructor(ground: FuzzGround, random: FuzzRandom) {
    this.#ground = ground
    this.#random = random
    this.#pace = random.pick([3, 6, 20])
    this.#insidePace = random.pick([4, 15, 1_000_000])
    this.#isCalm = random.once(4)
    this.#toUs = new Lane(random, this.#isCalm, (piece) => this.#us.receive(piece))
    this.#toPeer = new Lane(random, this.#isCalm, (piece) => this.#peer.receive(piece))
    const writes = random.below(4)
    this.#peer = new NodePeer({
      ...random.pick(ground.peers),
      onSecure: () => {
        for (let each = 0; each < writes; each++) this.#peerWrites()
        // Not at once: Node's way to shut down makes OpenSSL throw away what it has not read yet.
        if (random.once(3)) setImmediate(() => this.#peerEnds())
      },
    })
    let finishesAt = random.once(3) ? random.below(4) : -1
    this.#us = new WatchedConnection(random.pick(this.#isCalm ? ground.ours.slice(0, ground.calm) : ground.ours), {
      verify: this.#verifier(),
      returning: random.once(3),
      inside: (callback, us) => {
        if (us.started === null || this.#depth > 2) return
        // From inside OpenSSL's reading, with more to read behind it.
        if (callback === 'data' && finishesAt-- === 0) us.attempt('finish', () => us.connection.applicationFinished())
        if (!random.once(this.#insidePace)) return
        this.#depth++
        if (callback === 'data' && random.once(2)) this.#toUs.deliverOne()
        else this.#act()
        this.#depth--
      },
    })
  }

  async run(): Promise<void> {
    const random = this.#random
    const isPatient = random.once(2)
    const polite = random.once(2) || this.#isCalm
    for (let turns = 0, quiet = 0; quiet < 8; turns++) {
      if (turns < ACTIVE_TURNS) {
        if (random.once(this.#pace)) this.#act()
        if (random.once(this.#pace * 2)) this.#peerActs()
      } else if (polite) {
        this.#us.attempt('applicationFinished', () => this.#us.connection.applicationFinished())
        this.#peerEnds()
      }
      if (!isPatient || turns % 3 === 2) quiet = this.#carry() || turns < ACTIVE_TURNS ? 0 : quiet + 1
      await turn()
    }
  }

  async conclude(): Promise<SessionResult> {
    const us = this.#us
    if (!us.isOver) {
      this.#ground.clock.now += 60_000
      us.connection.tick()
      await this.#settle()
    }
    const { state } = us.connection
    if (['hello', 'handshaking', 'verifying'].includes(state)) us.faults.push(`no deadline ends it: ${state}`)
    if (!us.isOver) us.wireEnded()
    await this.#settle()
    // The peer has finished, and only our own end is missing.
    if (!us.isOver) us.attempt('applicationFinished', () => us.connection.applicationFinished())
    await this.#settle()
    const outcome = await us.conclude()
    this.#compare(outcome)
    this.#peer.destroy()
    return {
      outcome,
      faults: us.faults,
      thrown: us.thrown,
      opened: us.established === 'fulfilled',
      received: us.plaintext.reduce((sum, { length }) => sum + length, 0),
    }
  }

  async #settle(): Promise<void> {
    for (let turns = 0; turns < 8; turns++) {
      if (this.#carry()) turns = 0
      await turn()
    }
  }

  #compare(outcome: string): void {
    const { faults, plaintext, asked } = this.#us
    const received = Buffer.concat(plaintext)
    const peerReceived = Buffer.concat(this.#peer.plaintext)
    if (!received.equals(pattern(0, received.length))) faults.push('what it has given out was never sent')
    if (!peerReceived.equals(pattern(0, peerReceived.length))) faults.push('what the peer has got was never sent')
    if (received.length > this.#peerSent) faults.push('it has given out more than was sent')
    if (peerReceived.length > this.#sent) faults.push('the peer has got more than was sent')
    if (outcome === 'finished' && received.length !== this.#peerSent) faults.push('it calls a part the whole')
    if (this.#isCalm && outcome !== 'finished') faults.push('nothing was wrong')
    const undisturbed = outcome === 'finished' && !this.#toPeer.wasDamaged && !this.#peerKilled
    if (undisturbed && peerReceived.length !== this.#sent) faults.push('it said the end before the end')
    if (peerReceived.length > 0 && this.#us.established !== 'fulfilled') faults.push('it sent data before it was open')
    for (const [leaf] of asked) {
      if (!this.#ground.peerFingerprints.has(leaf?.fingerprint)) faults.push('it showed somebody else to the verifier')
    }
  }

  #carry(): boolean {
    const out = this.#us.take()
    const back = this.#peer.take()
    this.#toPeer.add(out)
    this.#toUs.add(back)
    const moved = this.#toPeer.deliverSome() || this.#toUs.deliverSome()
    if (this.#us.isSilent && this.#toPeer.isEmpty) this.#toPeer.end(() => this.#peer.wireEnded())
    if (this.#peer.isSilent && this.#toUs.isEmpty) this.#toUs.end(() => this.#us.wireEnded())
    if (this.#toUs.wasCut) this.#toUs.end(() => this.#us.wireEnded())
    if (this.#toPeer.wasCut) this.#toPeer.end(() => this.#peer.wireEnded())
    return moved || out.length > 0 || back.length > 0
  }

  /** Our program does something. */
  #act(): void {
    const random = this.#random
    const us = this.#us
    const { connection } = us
    const choice = random.below(40)
    if (choice < 24) {
      const bytes = pattern(this.#sent, random.pick(SIZES))
      us.attempt('dataFromApplication', () => {
        // Counted before, because what is written may arrive within the call.
        this.#sent += bytes.length
        try {
          connection.dataFromApplication(bytes)
        } catch (error) {
          this.#sent -= bytes.length
          throw error
        }
      })
    } else if (choice < 28)
      us.attempt('exportKeyingMaterial', () => void connection.exportKeyingMaterial(32, 'EXPORTER-x'))
    else if (choice < 31) us.attempt('dataFromWire', () => us.receive(new Uint8Array(0)))
    else if (choice < 33) connection.tick()
    else if (choice < 35 || this.#isCalm) us.attempt('applicationFinished', () => connection.applicationFinished())
    else if (choice < 37) this.#sendAlert()
    else if (choice === 37) connection.destroy()
    else if (choice === 38) us.attempt('wireFinished', () => connection.wireFinished())
    else {
      this.#ground.clock.now += random.below(8000)
      connection.tick()
    }
  }

  #sendAlert(): void {
    const random = this.#random
    const code = random.pick([0, 90, 80, 49, 42, 112, 100, random.below(256)]) as AlertCode
    const level = random.pick(['warning', 'fatal', undefined] as const)
    this.#us.attempt('sendAlert', () => this.#us.connection.sendAlert(code, level))
  }

  #peerActs(): void {
    const choice = this.#random.below(this.#isCalm ? 13 : 16)
    if (choice < 11) this.#peerWrites()
    else if (choice < 13) this.#peerEnds()
    else if (choice === 13) {
      this.#peerKilled = true
      this.#peer.destroy()
    }
  }

  #peerWrites(): void {
    const { socket, secure } = this.#peer
    if (!secure || socket.destroyed || socket.writableEnded) return
    const bytes = pattern(this.#peerSent, this.#random.pick(SIZES))
    // An empty write at the wrong moment makes Node abort.
    if (bytes.length === 0) return
    this.#peerSent += bytes.length
    socket.write(bytes)
  }

  #peerEnds(): void {
    if (this.#peerDone || !this.#peer.secure) return
    this.#peerDone = true
    this.#peer.socket.end()
  }

  #verifier(): VerifyCallback {
    const random = this.#random
    const choice = random.below(this.#isCalm ? 16 : 24)
    const turns = 1 + random.below(5)
    const wait = async (): Promise<void> => {
      for (let each = 0; each < turns; each++) await turn()
    }
    if (choice < 9) return () => {}
    if (choice < 16) return wait
    const refusal = random.pick([
      new NotToday(),
      new VerificationRefused(random.pick([42, 44, 49, 116, 255]) as AlertCode),
    ])
    if (choice === 16) {
      return () => {
        throw refusal
      }
    }
    if (choice === 17) {
      return async () => {
        await wait()
        throw refusal
      }
    }
    if (choice === 18) return () => new Promise(() => {})
    if (choice === 19) return (_chain, connection) => void connection.destroy()
    if (choice === 20) {
      return async (_chain, connection) => {
        await wait()
        connection.destroy(new NotToday())
      }
    }
    if (choice === 21)
      return (_chain, connection) => void this.#us.attempt('finish', () => connection.applicationFinished())
    return async () => {
      if (random.once(2)) await wait()
      this.#sendAlert()
      await wait()
    }
  }
}

type Damage = (bytes: Buffer, at: number, random: FuzzRandom) => Buffer

const DAMAGES: readonly Damage[] = [
  (bytes, at, random) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt8(copy.readUInt8(at) ^ (1 << random.below(8)), at)
    return copy
  },
  (bytes, at, random) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(60))]),
  (bytes, at, random) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random.below(80)))]),
  (bytes, at, random) => Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(60)), bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]),
  (bytes, at, random) => {
    const record = Buffer.of(20 + random.below(4), 3, 3, 0, 2, 1 + random.below(2), random.below(256))
    return Buffer.concat([bytes.subarray(0, at), record, bytes.subarray(at)])
  },
]

/** One direction of the wire. */
class Lane {
  readonly #random: FuzzRandom
  readonly #receive: (piece: Uint8Array) => void
  readonly #most: number
  readonly #inOrder: number
  /** After so many bytes it damages something, or is cut. */
  #damageAt: number
  #cutAt: number
  #pieces: Uint8Array[] = []
  #ended = false
  wasCut = false
  wasDamaged = false

  constructor(random: FuzzRandom, isCalm: boolean, receive: (piece: Uint8Array) => void) {
    this.#random = random
    this.#receive = receive
    this.#most = random.pick(PIECES)
    this.#inOrder = random.pick([1, 2, 5, 1000, 1000])
    this.#damageAt = !isCalm && random.once(3) ? random.below(random.pick(REACH)) : Number.POSITIVE_INFINITY
    this.#cutAt = !isCalm && random.once(8) ? random.below(random.pick(REACH)) : Number.POSITIVE_INFINITY
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0
  }

  add(bytes: Buffer): void {
    if (bytes.length === 0 || this.wasCut) return
    let carried = bytes
    if (this.#damageAt < bytes.length) {
      carried = this.#random.pick(DAMAGES)(bytes, this.#damageAt, this.#random)
      this.#damageAt = Number.POSITIVE_INFINITY
      this.wasDamaged = true
    }
    this.#damageAt -= bytes.length
    if (this.#cutAt < carried.length) {
      carried = carried.subarray(0, this.#cutAt)
      this.wasCut = true
      this.wasDamaged = true
    }
    this.#cutAt -= bytes.length
    // Pieces of single bytes are for handshakes; tens of thousands of them would tell no more.
    const most = carried.length > 8000 ? Math.max(this.#most, 400) : this.#most
    this.#pieces.push(...this.#random.pieces(carried, most))
  }

  deliverOne(): boolean {
    const piece = this.#pieces.shift()
    if (piece === undefined) return false
    this.#receive(piece)
    return true
  }

  /** Delivers a few pieces, or all. */
  deliverSome(): boolean {
    let moved = false
    while (this.deliverOne()) {
      moved = true
      if (this.#random.once(this.#inOrder) && this.#pieces.length < 50) break
    }
    return moved
  }

  end(tell: () => void): void {
    if (this.#ended || (this.wasCut && !this.isEmpty)) return
    this.#ended = true
    tell()
  }
}
