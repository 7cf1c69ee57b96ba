// A TLS connection without a socket, a timer or a file: bytes come in by a call and go out by a callback.
//
// Theory of operation
//
//     wire in  -> dataFromWire -> [hello] -> Engine (OpenSSL) -> data, or what dataFromWire returns
//     wire out <- writeToWire  <- [gate]  <- Engine (OpenSSL) <- dataFromApplication
//
//     hello ──> handshaking ──> verifying ──> (handshaking) ──> open ──> finishing ──> closed
//       └───────────┴───────────────┴──────────────┴──────────────┴──────────┴──> invalidated
//
// hello: there is no engine yet. A server reads the client's hello first and chooses a certificate for it; a client asks
// its store for one. Both may take their time; what arrives meanwhile is kept.
//
// handshaking: everything goes through the engine.
//
// verifying: the peer has proven its key (see engine.ts for why that is so) and the gate is closed, so nothing that this
// side has to say after the proof has left: of a client neither certificate nor data, of a server neither data nor
// ticket. First come the basic checks, the plan's: path and host name, or a pin, or the issuer of a client's
// certificate. Then comes the program's own callback, which can only refuse. Undecided means no: whatever throws refuses,
// and so does the deadline. What arrives meanwhile is kept, and not decrypted. To refuse means: what the gate held is
// dropped, an alert is sent, and the connection is invalidated.
//
// open: in both directions. finishing: one side has said close_notify, the other may still speak. closed: both have.
// invalidated: everything else that can happen. The two ends are final and reached once; then the engine is destroyed,
// `wireClose` is called, and every call throws an InvalidatedError; but what comes from the wire of one that is closed is
// ignored.
//
// Invariants
//
// 1. `peer` is null until the peer has been accepted. No plaintext is accepted from or given to the application before.
// 2. Whatever arrives, no method hangs or throws anything but a TlacacocaError, or a TypeError for misuse.
// 3. The end of the wire is no end of the data: without a close_notify it is a TruncatedError.
// 4. What a peer can make this side keep is bounded by `limits`, in every state; and so is what the application hands in
//    before the connection is open.
// 5. `wireClose` comes once, after the last `writeToWire`.
//
// Time: the connection asks its clock but sets no timer. `nextDeadline` says when `tick` should be called.

import type { Peer, TLSVersion } from '../../certificate/peer.ts'
import {
  type AlertLevel,
  AlertUnavailableError,
  BadTLSDataError,
  BufferFullError,
  ConnectionError,
  InvalidatedError,
  TruncatedError,
} from '../../errors.ts'
import { requireInteger, requireString, show } from '../../internal/arguments.ts'
import { Backlog } from '../../internal/backlog.ts'
import { LatePromise } from '../../internal/late-promise.ts'
import { AlertCode, alertName, resolveAlertLevel } from '../alert.ts'
import { type ClientHelloInfo, readClientHello } from '../client-hello.ts'
import { type ConnectionInfo, connectionInfo } from './connection-info.ts'
import { type CloseReason, type ConnectionSink, type ConnectionState, NOWHERE } from './connection-sink.ts'
import { Deadlines } from './deadlines.ts'
import { Engine, type EngineSink } from './engine.ts'
import { alertUnavailable, endedByOurAlert, engineFailure, Refusal, refusalOf } from './failures.ts'
import { type MaybePromise, settled } from './maybe-promise.ts'
import type { Identity, Plan } from './plan.ts'
import { type Accepted, verifyPeer } from './verification.ts'

const MADE = Symbol('made')
const nothing = (): void => {}
const NOTHING = new Uint8Array(0)

/** Made by `start` of a {@link ClientTLS} or a {@link ServerTLS}. */
export class Connection implements AsyncDisposable {
  readonly #plan: Plan
  #sink: ConnectionSink = NOWHERE
  readonly #established = new LatePromise<ConnectionInfo>()
  readonly #closed = new LatePromise<CloseReason>()
  /** Tells the verifier that nobody waits for it any more. */
  #abandoned: AbortController | null = null
  #state: ConnectionState = 'hello'
  #failure: Error | null = null
  #engine: Engine | null = null
  #identity: Identity | null = null
  #clientHello: ClientHelloInfo | null = null
  #accepted: Accepted | null = null
  #info: ConnectionInfo | null = null
  #proven = false
  /** From the wire, kept until the state allows to go on. */
  readonly #pending = new Backlog()
  #handshakeBytes = 0
  #helloNeeds = 1
  #receiving = false
  /** From the application, kept until the connection is open. */
  readonly #queue = new Backlog()
  /** Decrypted, for whoever reads by `dataFromWire`. */
  #plaintext: Buffer[] = []
  /** An alert of ours that ends the connection waits for what was written before it. */
  #ending = false
  /** `applicationFinished` was called; our close_notify has left; the peer's has come. */
  #finishing = false
  #onFinished = nothing
  #finished = false
  #peerFinished = false
  /** The wire has ended while the peer was being judged. */
  #judgeWireEnd: (() => void) | null = null
  readonly #deadlines: Deadlines

  /** @internal */
  constructor(made: symbol, plan: Plan) {
    if (made !== MADE) throw new TypeError('a Connection comes from ClientTLS or ServerTLS and cannot be constructed')
    this.#plan = plan
    this.#deadlines = new Deadlines(plan.timeouts, plan.clock, () => this.#sink.deadlineChanged())
  }

  /** @internal */
  static start(plan: Plan, sinkFor: (connection: Connection) => ConnectionSink): Connection {
    const connection = new Connection(MADE, plan)
    connection.#sink = sinkFor(connection)
    connection.#begin()
    return connection
  }

  /** How far it has come. */
  get state(): ConnectionState {
    return this.#state
  }

  /** The peer, once it has been accepted: of a client a `VerifiedPeer`. Null before, and if there is no certificate. */
  get peer(): Peer | null {
    return this.#accepted?.peer ?? null
  }

  /** What was agreed on. Null until the connection is open; it stays when the connection is over. */
  get info(): ConnectionInfo | null {
    return this.#info
  }

  /** Fulfilled when the connection is open; rejected with the error that prevented it. */
  get established(): Promise<ConnectionInfo> {
    return this.#established.promise
  }

  /** Fulfilled when the connection is over, however it ended; never rejected. */
  get closed(): Promise<CloseReason> {
    return this.#closed.promise
  }

  /** When `tick` should be called, in milliseconds since 1970 by the clock of the settings; null for never. */
  get nextDeadline(): number | null {
    return this.#deadlines.next
  }

  /** @internal How long it is until then. */
  get remainingMs(): number | null {
    return this.#deadlines.remainingMs
  }

  /**
   * Whether more from the wire is welcome. False while much of it waits for a decision; it is still kept, up to
   * `limits.maxBufferedBytes`.
   */
  get wantsWire(): boolean {
    return this.#pending.bytes < WELCOME_BYTES
  }

  /**
   * Takes bytes from the wire, in any portions, and sends what there is to answer.
   *
   * @returns The plaintext that this call made available, or that came late after the last one; nothing if `start` was
   *   given a `data` callback, which then has got it.
   * @throws {TLSAlertError} If the peer ended the connection by an alert.
   * @throws {BadTLSDataError} If the bytes are not what TLS allows here, or go beyond a limit; the peer was told.
   * @throws {InvalidatedError} If the connection was invalidated before.
   * @throws What a verify callback threw, if it did so at once. What it throws later is in `closed`.
   */
  dataFromWire(input: Uint8Array): Uint8Array {
    requireBytes('input', input)
    // RFC 8446 section 6.1: whatever comes after a close_notify is ignored.
    if (this.#state === 'closed') return this.#takePlaintext()
    this.#requireAlive()
    // Ours to keep: the caller may use its buffer again, and some of it may have to wait.
    this.receive(input.length === 0 ? NOTHING : Uint8Array.prototype.slice.call(input))
    if (this.#failure !== null) throw this.#failure
    return this.#takePlaintext()
  }

  /** @internal The same for bytes that nobody changes; what goes wrong is told to the sink. */
  receive(input: Uint8Array): void {
    if (this.#isOver() || input.length === 0 || this.#peerFinished) return
    if (this.#receiving || this.#engine === null || this.#state === 'verifying') {
      this.#keep(input)
      if (!this.#receiving && this.#state === 'hello') this.#readHello()
      return
    }
    this.#feed(input)
    this.#feedPending()
  }

  /**
   * Encrypts data and sends it. Before the connection is open, it is kept until then.
   *
   * @throws {InvalidatedError} If the connection is over, or `applicationFinished` was called.
   * @throws {BufferFullError} If more than `limits.maxBufferedBytes` would have to be kept; none of it was taken.
   */
  dataFromApplication(output: Uint8Array): void {
    requireBytes('output', output)
    this.#requireAlive()
    this.#requireSpeaking()
    if (this.#info !== null) {
      this.#engine?.write([Uint8Array.prototype.slice.call(output)])
      return
    }
    const { maxBufferedBytes } = this.#plan.limits
    if (this.#queue.bytes + output.length > maxBufferedBytes) {
      throw new BufferFullError(`before the connection is open, at most ${maxBufferedBytes} bytes are kept`)
    }
    this.#queue.push(Uint8Array.prototype.slice.call(output))
  }

  /** @internal For an open connection: `done` is called when the wire has taken it. */
  write(chunks: readonly Uint8Array[], done: () => void): void {
    if (!this.#ending) this.#engine?.write(chunks, done)
  }

  /**
   * Says close_notify, after everything that was written. The other direction stays open.
   *
   * @throws {InvalidatedError} If the connection is over.
   */
  applicationFinished(): void {
    this.#requireAlive()
    this.finish()
  }

  /** @internal `done` is called when the wire has taken the close_notify. */
  finish(done: () => void = nothing): void {
    if (this.#finishing || this.#ending || this.#isOver()) return
    this.#finishing = true
    this.#onFinished = done
    if (this.#info !== null) this.#end()
  }

  /**
   * Sends an alert. It leaves after everything that was written, and the peer reads exactly this one. A fatal alert ends
   * the connection, and so does `user_canceled`: nothing can be written any more, and when it has left the connection is
   * invalidated. `close_notify` is the same as {@link applicationFinished}.
   *
   * @param level - Needed where the standard leaves it open: see {@link InvalidAlertLevel}.
   * @throws {InvalidAlertLevel} If the alert may not have this level, or needs one.
   * @throws {AlertUnavailableError} If the peer could not read it as the connection stands: a warning under encryption, or
   *   anything behind our close_notify. After a fatal one the connection is over all the same.
   * @throws {InvalidatedError} If the connection is over, or about to be by another alert.
   */
  sendAlert(code: AlertCode, level?: AlertLevel): void {
    this.#requireAlive()
    if (this.#ending) throw new InvalidatedError('another alert is about to end the connection')
    const resolved = resolveAlertLevel(code, level, this.#version())
    if (code === AlertCode.close_notify) {
      this.finish()
      return
    }
    const ends = resolved === 'fatal' || code === AlertCode.user_canceled
    if (!ends && !this.#isClear()) {
      throw new AlertUnavailableError(`a warning (${alertName(code)}) cannot be sent by itself once TLS encrypts`)
    }
    const done = (sent: boolean): void => {
      if (ends) this.#invalidate(sent ? endedByOurAlert(code) : alertUnavailable(code))
    }
    this.#ending = ends
    // RFC 8446 section 6.1: whatever comes after a close_notify is ignored.
    if (!(this.#finishing && this.#info !== null) && this.#sendAlert(resolved, code, done)) return
    if (ends) this.#invalidate(alertUnavailable(code))
    throw alertUnavailable(code)
  }

  /**
   * Tells the connection that nothing more comes from the wire. Unless the peer has said close_notify before, the
   * connection ends with a {@link TruncatedError}. Does nothing if it is over.
   */
  wireFinished(cause?: Error): void {
    if (this.#isOver() || this.#peerFinished) return
    const options = cause === undefined ? undefined : { cause }
    const judge = (): void => {
      if (this.#isOver() || this.#peerFinished) return
      if (this.#state === 'verifying' && (this.#pending.bytes > 0 || this.#engine?.ended === true)) {
        // There may be a close_notify in what waits for the decision, or behind the proof.
        this.#judgeWireEnd = judge
        return
      }
      const message = this.#info === null ? 'the connection ended during the handshake' : undefined
      this.#invalidate(new TruncatedError(message, options))
    }
    // OpenSSL has seen all of it, but Node tells of a close_notify or an alert a little later.
    if (this.#engine === null) judge()
    else setImmediate(judge)
  }

  /**
   * Acts on deadlines that have passed. Call it when {@link Connection.nextDeadline} has come; any other time does no harm.
   */
  tick(): void {
    if (!this.#deadlines.hasPassed) return
    const what = this.#state === 'verifying' ? 'the peer was neither accepted nor refused' : 'there was no handshake'
    this.#invalidate(new ConnectionError('ERR_TLACACOCA_TIMEOUT', `${what} in time`))
  }

  /**
   * Derives a secret that only the two ends of this connection share (RFC 5705, RFC 8446 section 7.5).
   *
   * @param length - In bytes: 1 to 8160.
   * @param label - Which of the secrets, as registered for the purpose: up to 249 bytes.
   * @param context - What else it shall depend on. With TLS 1.2, an empty one differs from none.
   * @throws {InvalidatedError} If the connection is not open.
   * @throws {ConnectionError} EXPORTER_UNAVAILABLE with a peer whose TLS 1.2 lacks extended_master_secret (RFC 7627
   *   section 5.4): somebody in the middle could make two connections that have all their secrets in common.
   */
  exportKeyingMaterial(length: number, label: string, context?: Uint8Array): Uint8Array {
    // What HKDF-Expand can give by SHA-256 (RFC 5869 section 2.3), and HkdfLabel can hold (RFC 8446 section 7.1).
    requireInteger('length', length, 1, 255 * 32)
    requireString('label', label)
    requireInteger('label.length', Buffer.byteLength(label), 1, 255 - 'tls13 '.length)
    if (context !== undefined) requireBytes('context', context)
    if (this.#engine === null || this.#info === null || this.#isOver()) throw new InvalidatedError('it is not open')
    if (this.#info.version === 'TLSv1.2' && !this.#info.extensions.serverHello.includes('extended_master_secret')) {
      throw new ConnectionError(
        'ERR_TLACACOCA_EXPORTER_UNAVAILABLE',
        'the peer speaks TLS 1.2 without extended_master_secret, so no secret belongs to this connection alone',
      )
    }
    const buffer = context === undefined ? undefined : Buffer.from(context)
    return this.#engine.tls.exportKeyingMaterial(length, label, buffer as Buffer)
  }

  /** Gives the connection up: nothing more is sent, and the peer is not told. Does nothing if it is over. */
  destroy(reason?: Error): void {
    if (this.#isOver()) return
    this.#invalidate(reason ?? new ConnectionError('ERR_TLACACOCA_ABORTED', 'the connection was given up'))
  }

  /** Gives it up, as `destroy` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy()
  }

  // hello

  #begin(): void {
    const plan = this.#plan
    if (plan.side === 'server') {
      this.#deadlines.handshake()
      return
    }
    this.#deadlines.certificate()
    this.#await(
      () => plan.begin(),
      (identity) => {
        this.#deadlines.handshake()
        this.#start(identity)
      },
    )
  }

  /** Reads the hello of a client as soon as all of it is there. */
  #readHello(): void {
    const plan = this.#plan
    // A client has its own hello to send first; what a server says before that is kept.
    if (plan.side !== 'server' || this.#clientHello !== null || this.#pending.bytes < this.#helloNeeds) return
    const reading = readClientHello(this.#pending.join())
    if (reading.kind === 'incomplete') {
      this.#helloNeeds = reading.need
    } else if (reading.kind === 'other') {
      this.#start({ secureContext: plan.withoutCertificate, chain: null })
    } else {
      const { hello } = reading
      this.#clientHello = hello
      this.#await(
        () => plan.choose(hello),
        (identity) => {
          if (identity === null) throw unknownName(hello.sni)
          this.#start(identity)
        },
      )
    }
  }

  #start(identity: Identity): void {
    const plan = this.#plan
    this.#identity = identity
    this.#state = 'handshaking'
    const client = plan.side === 'client' ? plan : null
    this.#engine = new Engine(
      {
        side: plan.side,
        secureContext: identity.secureContext,
        alpn: plan.alpn,
        serverName: client?.serverName ?? null,
        requestCertificate: plan.side === 'server' && plan.requestsCertificate,
        recordsServerFlight: client !== null && client.answerRequest !== null,
      },
      this.#engineSink(),
    )
    this.#feedPending()
  }

  // handshaking

  #engineSink(): EngineSink {
    return {
      wire: (parts, confirm) => {
        if (!this.#isOver()) this.#sink.wire(parts, confirm)
      },
      plaintext: (chunk) => {
        if (this.#sink.data === null) this.#plaintext.push(chunk)
        else if (!this.#isOver()) this.#sink.data(chunk)
      },
      proven: () => this.#verify(),
      established: () => this.#open(),
      ended: () => this.#peerEnded(),
      failed: (error, alert) => this.#invalidate(engineFailure(error, alert)),
    }
  }

  #feed(input: Uint8Array): void {
    const portion = this.#proven ? input : this.#untilLimit(input)
    this.#receiving = true
    if (portion.length > 0) this.#engine?.feed(portion)
    this.#receiving = false
    if (portion.length < input.length && !this.#isOver()) this.#keepRest(input.subarray(portion.length))
  }

  /** What may still come before the proof. The rest of a portion may come after it. */
  #untilLimit(input: Uint8Array): Uint8Array {
    const portion = input.subarray(0, this.#plan.limits.maxHandshakeBytes - this.#handshakeBytes)
    this.#handshakeBytes += portion.length
    return portion
  }

  #keepRest(rest: Uint8Array): void {
    if (this.#proven) {
      this.#keep(rest, 'first')
      return
    }
    const { maxHandshakeBytes } = this.#plan.limits
    const error = new BadTLSDataError(`the handshake of the peer has more than ${maxHandshakeBytes} bytes`)
    this.#refuse(new Refusal(error, AlertCode.illegal_parameter))
  }

  #keep(input: Uint8Array, place: 'first' | 'last' = 'last'): void {
    const { maxBufferedBytes, maxHandshakeBytes } = this.#plan.limits
    const limit = this.#state === 'hello' ? Math.min(maxHandshakeBytes, maxBufferedBytes) : maxBufferedBytes
    if (place === 'first') this.#pending.unshift(input)
    else this.#pending.push(input)
    if (this.#pending.bytes > limit) {
      const error = new BadTLSDataError(`the peer sent more than ${limit} bytes before it could have an answer`)
      this.#refuse(new Refusal(error, AlertCode.unexpected_message))
    }
  }

  #feedPending(): void {
    while (this.#engine !== null && !this.#receiving && this.#state !== 'verifying') {
      const next = this.#pending.shift()
      if (next === undefined) return
      this.#feed(next)
    }
  }

  // verifying

  #verify(): void {
    this.#proven = true
    this.#state = 'verifying'
    this.#deadlines.verify()
    this.#await(
      () =>
        verifyPeer({
          engine: this.#engine as Engine,
          plan: this.#plan,
          version: this.#version(),
          localChain: this.#identity?.chain ?? null,
          clientHello: this.#clientHello,
          signal: () => this.#abandonment(),
          askProgram: (chain) => (this.#isOver() ? undefined : settled(this.#sink.verify?.(chain, this))),
        }),
      (accepted) => {
        this.#accepted = accepted
        this.#accept()
      },
    )
  }

  #accept(): void {
    this.#state = 'handshaking'
    this.#deadlines.handshake()
    // What a callback hands in meanwhile comes after what has been waiting.
    const receiving = this.#receiving
    this.#receiving = true
    this.#engine?.release()
    this.#receiving = receiving
    this.#feedPending()
    if (this.#judgeWireEnd !== null) setImmediate(this.#judgeWireEnd)
  }

  // open

  #open(): void {
    const engine = this.#engine as Engine
    const plan = this.#plan
    this.#state = 'open'
    this.#deadlines.none()
    this.#info = connectionInfo(engine, {
      version: this.#version() as TLSVersion,
      serverName: plan.side === 'client' ? plan.serverName : (this.#clientHello?.sni ?? null),
      clientHello: this.#clientHello,
      peerChain: this.#accepted?.chain ?? [],
      localChain: this.#identity?.chain ?? null,
    })
    // Whoever finishes from here on, such as a callback that is told to send what has waited, ends it at once.
    const finishing = this.#finishing
    const queue = this.#queue.take()
    this.#established.resolve(this.#info)
    if (queue.length > 0) engine.write(queue)
    if (this.#isOver()) return
    this.#sink.opened()
    if (finishing) this.#end()
  }

  #end(): void {
    /* v8 ignore next -- @preserve both callers have just looked; a program hears of the opening in a later turn */
    if (this.#isOver()) return
    this.#state = 'finishing'
    this.#engine?.end(() => {
      this.#finished = true
      this.#onFinished()
      this.#closeIfDone()
    })
  }

  #peerEnded(): void {
    /* v8 ignore next -- @preserve the engine is closed together with the connection, and says nothing from then on */
    if (this.#isOver()) return
    this.#peerFinished = true
    this.#state = 'finishing'
    this.#pending.take()
    this.#sink.peerFinished()
    this.#closeIfDone()
  }

  // closed and invalidated

  #closeIfDone(): void {
    if (!this.#finished || !this.#peerFinished || this.#isOver()) return
    this.#state = 'closed'
    this.#tearDown()
    this.#sink.close(false)
    this.#closed.resolve({ kind: 'finished' })
  }

  /** Invalidates the connection, after an alert that says why. */
  #refuse({ reason, alert }: Refusal): void {
    if (this.#isOver()) return
    this.#ending = true
    // Whoever refuses names an alert and means the end, also by one that is usually a warning.
    const level = alert === AlertCode.user_canceled || alert === AlertCode.close_notify ? 'warning' : 'fatal'
    // If it cannot be sent there is nobody to tell: the program gets the reason in any case.
    if (!this.#sendAlert(level, alert, () => this.#invalidate(reason))) this.#invalidate(reason)
  }

  /** Sends an alert of our own; `user_canceled`, which ends nothing by itself, with a close_notify behind it. */
  #sendAlert(level: AlertLevel, code: number, done: (sent: boolean) => void): boolean {
    const alerts = [{ level, code }]
    if (code === AlertCode.user_canceled) alerts.push({ level: 'warning', code: AlertCode.close_notify })
    if (this.#engine !== null) return this.#engine.sendAlerts(alerts, done)
    // Before the first hello an alert is sent in clear (RFC 8446 section 6), as a record of TLS 1.2 like all of them.
    this.#sink.wire(
      alerts.map((alert) => Uint8Array.of(21, 3, 3, 0, 2, alert.level === 'fatal' ? 2 : 1, alert.code)),
      () => {},
    )
    done(true)
    return true
  }

  #invalidate(error: Error): void {
    if (this.#isOver()) return
    this.#state = 'invalidated'
    this.#failure = error
    this.#tearDown()
    this.#abandoned?.abort(error)
    this.#sink.close(true)
    this.#sink.failed(error)
    this.#established.reject(error)
    this.#closed.resolve({ kind: 'failed', error })
  }

  #tearDown(): void {
    this.#deadlines.none()
    this.#pending.take()
    this.#queue.take()
    this.#engine?.destroy()
  }

  // helpers

  /** Goes on with what a question answers, now or later, unless the connection is over by then. */
  #await<Value>(question: () => MaybePromise<Value>, next: (value: Value) => void): void {
    const fail = (thrown: unknown): void => this.#refuse(refusalOf(thrown))
    const proceed = (value: Value): void => {
      if (this.#isOver()) return
      try {
        next(value)
      } catch (error) {
        fail(error)
      }
    }
    let answer: MaybePromise<Value>
    try {
      answer = question()
    } catch (error) {
      fail(error)
      return
    }
    if (answer instanceof Promise) answer.then(proceed, fail)
    else proceed(answer)
  }

  /** Made for those who ask: most verifiers answer at once. */
  #abandonment(): AbortSignal {
    this.#abandoned ??= new AbortController()
    if (this.#isOver()) this.#abandoned.abort(this.#failure ?? undefined)
    return this.#abandoned.signal
  }

  #takePlaintext(): Uint8Array {
    const [first] = this.#plaintext
    if (first === undefined) return NOTHING
    const all = this.#plaintext.length === 1 ? first : Buffer.concat(this.#plaintext)
    this.#plaintext = []
    return all
  }

  #version(): TLSVersion | null {
    return this.#engine?.serverHello?.version ?? null
  }

  /** Whether what leaves now is not encrypted. */
  #isClear(): boolean {
    const version = this.#version()
    return version === null || (version === 'TLSv1.2' && this.#accepted === null)
  }

  #isOver(): boolean {
    return this.#state === 'closed' || this.#state === 'invalidated'
  }

  #requireSpeaking(): void {
    if (this.#finishing) throw new InvalidatedError('the application has finished this direction already')
    if (this.#ending) throw new InvalidatedError('an alert is about to end the connection')
  }

  #requireAlive(): void {
    if (this.#state === 'closed') throw new InvalidatedError('the connection is closed')
    if (this.#failure !== null) {
      throw new InvalidatedError('the connection was invalidated before', { cause: this.#failure })
    }
  }
}

function requireBytes(name: string, value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`"${name}" expected a Uint8Array, got ${show(value)}`)
}

function unknownName(sni: string | null): Refusal {
  const whom = sni === null ? 'a client that names no host' : `the name ${show(sni)}`
  const reason = new ConnectionError('ERR_TLACACOCA_UNKNOWN_SERVER_NAME', `there is no certificate for ${whom}`)
  return new Refusal(reason, AlertCode.unrecognized_name)
}

/** More than this is not welcome while it has to wait: four records of the largest size. */
const WELCOME_BYTES = 64 * 1024
