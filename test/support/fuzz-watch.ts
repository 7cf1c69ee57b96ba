// A connection of ours, watched for every promise that holds whatever arrives: see the invariants at the head of
// connection.ts. What is broken is collected in `faults`, so that a test can say which damage broke it.

import type { Certificate } from '../../src/certificate/certificate.ts'
import { InvalidatedError, TlacacocaError } from '../../src/errors.ts'
import type { ClientTLS } from '../../src/tls/sans-io/client-tls.ts'
import type { Connection } from '../../src/tls/sans-io/connection.ts'
import type { CloseReason, VerifyCallback } from '../../src/tls/sans-io/connection-sink.ts'
import type { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { turn, type WireEnd } from './sans-io.ts'

/** What a verifier of a test throws, which is the one error without a code that may come out of a connection. */
export class NotToday extends Error {
  override readonly name = 'NotToday'
}

export type Callback = 'writeToWire' | 'wireClose' | 'data' | 'verify'

export interface WatchOptions {
  readonly verify?: VerifyCallback
  /** No `data` callback. */
  readonly returning?: boolean
  /** Called from inside every callback. */
  readonly inside?: (callback: Callback, us: WatchedConnection) => void
}

export class WatchedConnection implements WireEnd {
  readonly faults: string[] = []
  readonly plaintext: Buffer[] = []
  readonly writes: Buffer[] = []
  readonly closes: boolean[] = []
  /** The chains that the verifier was asked about. */
  readonly asked: (readonly Certificate[])[] = []
  /** The codes of what was thrown, each once. */
  readonly thrown = new Set<string>()
  reason: CloseReason | null = null
  established: 'pending' | 'fulfilled' | 'rejected' = 'pending'
  readonly #made: { connection: Connection | null } = { connection: null }
  #waiting: Buffer[] = []
  #accepted = false

  constructor(tls: ClientTLS | ServerTLS, { verify, returning = false, inside }: WatchOptions = {}) {
    const enter = (callback: Callback): void => inside?.(callback, this)
    const connection = tls.start({
      writeToWire: (bytes) => {
        if (this.closes.length > 0) this.faults.push('it wrote after wireClose')
        this.writes.push(Buffer.from(bytes))
        this.#waiting.push(Buffer.from(bytes))
        enter('writeToWire')
      },
      wireClose: (immediate) => {
        this.closes.push(immediate)
        enter('wireClose')
      },
      verify: (chain, asking) => this.#verify(verify, chain, asking, enter),
      ...(returning
        ? {}
        : {
            data: (plaintext: Uint8Array) => {
              if (this.closes.length > 0) this.faults.push('it gave out plaintext after wireClose')
              this.#take(plaintext)
              enter('data')
            },
          }),
    })
    this.#made.connection = connection
    void connection.closed.then((reason) => {
      this.reason = reason
    })
    connection.established.then(
      () => {
        this.established = 'fulfilled'
      },
      (error) => {
        this.established = 'rejected'
        this.#judge('established', error)
      },
    )
  }

  /** Null while `start` has not returned. */
  get started(): Connection | null {
    return this.#made.connection
  }

  get connection(): Connection {
    if (this.#made.connection === null) throw new Error('it has not started')
    return this.#made.connection
  }

  get isOver(): boolean {
    const { state } = this.connection
    return state === 'closed' || state === 'invalidated'
  }

  get text(): string {
    return Buffer.concat(this.plaintext).toString()
  }

  /** The code that it ended with, or `finished`, or where it stands. */
  get outcome(): string {
    if (this.reason === null) return this.connection.state
    if (this.reason.kind === 'finished') return 'finished'
    const { error } = this.reason
    return error instanceof TlacacocaError ? error.code : error.name
  }

  get isSilent(): boolean {
    return this.closes.length > 0
  }

  take(): Buffer {
    const all = Buffer.concat(this.#waiting)
    this.#waiting = []
    return all
  }

  receive(bytes: Uint8Array): void {
    if (this.isSilent) return
    this.attempt('dataFromWire', () => this.#take(this.connection.dataFromWire(bytes)))
  }

  wireEnded(): void {
    this.attempt('wireFinished', () => this.connection.wireFinished())
  }

  /** Does something that may fail, though by an error with a code only. */
  attempt(what: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#judge(what, error)
    }
  }

  /** Looks at a connection that ought to be over, and gives the outcome. What is wrong with it is in `faults`. */
  async conclude(): Promise<string> {
    for (let turns = 0; turns < 4 && this.reason === null; turns++) await turn()
    const { connection, faults } = this
    const { state } = connection
    if (!this.isOver) faults.push(`it hangs: ${state}`)
    if (this.reason === null) faults.push('`closed` is pending')
    else if (this.reason.kind === 'failed') this.#judge('closed', this.reason.error)
    if (this.closes.length !== 1) faults.push(`wireClose came ${this.closes.length} times`)
    else if (this.closes[0] !== (state === 'invalidated')) faults.push(`wireClose(${this.closes[0]}) when ${state}`)
    if (this.established === 'pending') faults.push('`established` is pending')
    if ((this.established === 'fulfilled') !== (connection.info !== null))
      faults.push('`info` and `established` differ')
    if (connection.info !== null && !this.#accepted) faults.push('it opened without the verifier')
    if (connection.peer !== null && !this.#accepted) faults.push('there is a peer that nobody has accepted')
    if (connection.nextDeadline !== null) faults.push('it has a deadline')
    this.#requireDead()
    return this.outcome
  }

  #verify(
    verify: VerifyCallback | undefined,
    chain: readonly Certificate[],
    asking: Connection,
    enter: (callback: Callback) => void,
  ): void | Promise<void> {
    this.asked.push(chain)
    if (this.asked.length > 1) this.faults.push('the verifier was asked twice')
    if (asking.peer !== null) this.faults.push('there was a peer before it was accepted')
    enter('verify')
    const answer = verify?.(chain, asking)
    if (!(answer instanceof Promise)) {
      this.#accepted = true
      return
    }
    return answer.then(() => {
      this.#accepted = true
    })
  }

  #take(plaintext: Uint8Array): void {
    if (plaintext.length === 0) return
    if (!this.#accepted) this.faults.push('it gave out plaintext before the peer was accepted')
    this.plaintext.push(Buffer.from(plaintext))
  }

  #judge(what: string, error: unknown): void {
    if (error instanceof TlacacocaError) this.thrown.add(error.code)
    else if (!(error instanceof NotToday)) this.faults.push(`${what}: ${error instanceof Error ? error.stack : error}`)
  }

  /** Every call says that it is over, and those that need not say so do nothing. */
  #requireDead(): void {
    const { connection, faults } = this
    const calls: Record<string, () => unknown> = {
      dataFromApplication: () => connection.dataFromApplication(Buffer.of(1)),
      applicationFinished: () => connection.applicationFinished(),
      sendAlert: () => connection.sendAlert(80, 'fatal'),
      exportKeyingMaterial: () => connection.exportKeyingMaterial(32, 'label'),
    }
    // RFC 8446 section 6.1: after a close_notify anything may come, and it is ignored.
    if (connection.state === 'closed') this.#take(connection.dataFromWire(Buffer.of(23)))
    else calls.dataFromWire = () => connection.dataFromWire(Buffer.of(23))
    for (const [name, call] of Object.entries(calls)) {
      try {
        call()
        faults.push(`${name} works though it is over`)
      } catch (error) {
        if (!(error instanceof InvalidatedError)) faults.push(`${name} threw ${error}`)
      }
    }
    connection.wireFinished()
    connection.tick()
    connection.destroy()
    if (this.closes.length > 1) faults.push('it was closed again')
  }
}
