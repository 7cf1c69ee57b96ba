// OpenSSL, without a socket: Node's TLS socket over a port in memory, with a gate on the way out.
//
// What Node does and what this rests on; the tripwire tests fail if a release changes any of it:
//
// - What is fed is decrypted, and answered, before `feed` returns.
// - OpenSSL has one write on its way and waits until it is confirmed, which Node does a turn of the event loop later.
// - An error of OpenSSL is known when `feed` returns: by `errored` during the handshake, and by '_tlsError' after it.
// - A client's own flight leaves after the server's proof has been checked: with TLS 1.3 'secureConnect' comes before
//   it, with TLS 1.2 the signature over the key exchange has been verified. A server says 'secure' before it sends
//   anything that follows the client's Finished.
// - The end of the stream that Node reports is a close_notify, because the end of a wire is never told to it.
//
// The gate. As a client it lets the hello messages pass (see hello-filter.ts) and holds what follows. As a server it
// lets everything pass until the client has proven its key. Then `proven` is called, once, after OpenSSL has returned,
// and nothing leaves until `release`. The write in question stays unconfirmed, so that OpenSSL makes no second one: what
// is held is bounded by itself. To refuse, seal an alert and destroy the engine; what was held is gone.

import { connect as connectTls, type SecureContext, TLSSocket } from 'node:tls'
import type { Certificate } from '../../certificate/certificate.ts'
import { Backlog } from '../../internal/backlog.ts'
import { AlertCode, receivedAlert } from '../alert.ts'
import { peerChain } from '../peer-of.ts'
import { type CertificateRequestInfo, certificateRequestIn12, certificateRequestIn13 } from './certificate-request.ts'
import { type Alert, ClearAlerts } from './clear-alerts.ts'
import { EncryptedAlerts } from './encrypted-alerts.ts'
import { HelloFilter } from './hello-filter.ts'
import { readKeylog } from './keylog.ts'
import { erase } from './record-keys.ts'
import { RecordsOnDemand } from './records-on-demand.ts'
import { openServerHandshake13 } from './server-handshake.ts'
import { type ServerHelloInfo, ServerHelloTap } from './server-hello.ts'
import { WirePort } from './wire-port.ts'

export interface EngineOptions {
  readonly side: 'client' | 'server'
  readonly secureContext: SecureContext
  /** The protocols of ALPN as they stand in the extension, or null. */
  readonly alpn: Buffer | null
  /** As a client: the name to ask for, or null. */
  readonly serverName: string | null
  /** As a server: whether the client is asked for a certificate. */
  readonly requestCertificate: boolean
  /** As a client: keep what the server sends until it is proven, and the secret that opens it. */
  readonly recordsServerFlight: boolean
}

/**
 * Where everything goes: during `feed`, or in a later turn. `wire` and `plaintext` are called from inside OpenSSL, so
 * they must not throw; the others when it has returned.
 */
export interface EngineSink {
  /** To the wire. `confirm` asks for more; it is called once. */
  wire(parts: readonly Uint8Array[], confirm: () => void): void
  /** Decrypted, in order. Never before `established`. */
  plaintext(chunk: Buffer): void
  /** The peer has proven its key, if it has a certificate at all; nothing leaves until `release`. */
  proven(): void
  /** The handshake is over on both sides, and the gate is open. */
  established(): void
  /** The peer's close_notify. */
  ended(): void
  /** OpenSSL is done with this connection. It has said so to the peer, unless it was the peer who ended it: by `alert`. */
  failed(error: Error, alert: Alert | null): void
}

export class Engine {
  /** What Node knows of the connection. */
  readonly tls: TLSSocket
  /** The hello of the server, by whichever side it was sent; null until it is known. */
  serverHello: ServerHelloInfo | null = null
  readonly #options: EngineOptions
  readonly #sink: EngineSink
  readonly #port: WirePort
  readonly #records: RecordsOnDemand
  readonly #tap = new ServerHelloTap()
  readonly #filter: HelloFilter | null
  /** What a server has sent until it was proven, and the secret of TLS 1.3 that opens it: see `certificateRequest`. */
  readonly #serverFlight = new Backlog()
  #serverSecret: Buffer | null = null
  #gate: 'filtering' | 'open' | 'holding' | 'closed'
  #held: Buffer[] = []
  #confirmHeld: (() => void) | null = null
  /** Decrypted in the same turn in which the handshake was done. */
  #early: Buffer[] = []
  #peerChain: readonly Certificate[] | null = null
  /** Until the handshake is done. */
  #clearAlerts: ClearAlerts | null = new ClearAlerts(() => this.serverHello?.version ?? null)
  readonly #encryptedAlerts: EncryptedAlerts
  /** An alert that has ended the connection without a word from Node. */
  #untoldAlert: Alert | null = null
  /** Whether the last thing that OpenSSL has said is an alert. */
  #saidAlert = false
  /** How many calls of the sink there are at the moment that OpenSSL's output is passed on by. */
  #sending = 0
  /** Writes from inside such a call, and whatever has to come after them. */
  #postponed: (() => void)[] = []
  #unsent = 0
  #alertsToSend: { readonly alerts: readonly Alert[]; readonly done: (sent: boolean) => void } | null = null
  #feeding = true
  #endAfterFeeding: (() => void) | null = null
  #handshakeDone = false
  #proofReported = false
  #establishedReported = false
  #endReported = false
  #ended = false
  #error: Error | null = null

  constructor(options: EngineOptions, sink: EngineSink) {
    const { side, secureContext, alpn, serverName } = options
    this.#options = options
    this.#sink = sink
    this.#records = new RecordsOnDemand(side)
    this.#encryptedAlerts = new EncryptedAlerts(side === 'client' ? 'server' : 'client', () => this.serverHello)
    this.#filter = side === 'client' ? new HelloFilter() : null
    this.#gate = side === 'client' ? 'filtering' : 'open'
    this.#port = new WirePort((parts, confirm) => this.#output(parts, confirm))
    // OpenSSL is not asked whom to trust: whoever holds the gate is.
    const common = { secureContext, rejectUnauthorized: false, ...(alpn === null ? {} : { ALPNProtocols: alpn }) }
    this.tls =
      side === 'client'
        ? connectTls({ ...common, socket: this.#port, ...(serverName === null ? {} : { servername: serverName }) })
        : new TLSSocket(this.#port, { ...common, isServer: true, requestCert: options.requestCertificate })
    this.#listen()
    // Without these, what is fed in this very turn would wait for the next one.
    this.#port.read(0)
    this.tls.read(0)
    this.#feeding = false
  }

  /** What has been held back so far; in TLS 1.2 it may show whether a certificate of ours is about to leave in clear. */
  get held(): Uint8Array {
    return this.#filter?.waiting ?? Buffer.concat(this.#held)
  }

  /** Whether the peer has said close_notify, though it may not have been reported yet. */
  get ended(): boolean {
    return this.#ended
  }

  /** What the peer has sent, once it is proven: its own certificate first, nothing if it has none that can be read. */
  peerChain(): readonly Certificate[] {
    this.#peerChain ??= Object.freeze([...peerChain(this.tls)])
    return this.#peerChain
  }

  /** What a proven server wants of a client certificate, or null if it wants none. Only with `recordsServerFlight`. */
  certificateRequest(): CertificateRequestInfo | null {
    const flight = this.#serverFlight.join()
    if (this.serverHello?.version === 'TLSv1.2') return certificateRequestIn12(flight)
    if (this.serverHello === null || this.#serverSecret === null) return null
    return certificateRequestIn13(openServerHandshake13(flight, this.#serverSecret, this.serverHello.cipherSuite))
  }

  /** Gives OpenSSL what came over the wire. */
  feed(bytes: Uint8Array): void {
    this.#lookForAlert()
    if (this.#isClosed()) return
    if (this.#options.side === 'client') this.#readServer(bytes)
    this.#clearAlerts?.push(bytes)
    this.#encryptedAlerts.push(bytes)
    this.#saidAlert = false
    this.#feeding = true
    this.#port.push(bytes)
    this.#feeding = false
    const end = this.#endAfterFeeding
    this.#endAfterFeeding = null
    if (!this.#isClosed()) end?.()
    this.#settle(this.#saidAlert)
    // Nearly always it is a close_notify, of which Node tells before that.
    if (this.#encryptedAlerts.suspects) setImmediate(() => this.#lookForAlert())
  }

  /** Encrypts and sends. `done` is called when the wire has taken all of it. Only after `established`. */
  write(chunks: readonly Uint8Array[], done: () => void = nothing): void {
    // An empty write at the wrong moment makes Node 20 to 24 abort on an assertion, and it never means anything.
    const parts = chunks.filter(({ length }) => length > 0)
    const last = parts.pop()
    if (last === undefined) {
      done()
      return
    }
    this.#unsent++
    this.#inOrder(() => {
      if (parts.length > 0) this.tls.cork()
      for (const part of parts) this.tls.write(part)
      this.tls.write(last, (error) => {
        this.#unsent--
        if (error) return
        done()
        this.#sendAlertsWhenIdle()
      })
      if (parts.length > 0) this.tls.uncork()
    })
  }

  /** Sends what is written and a close_notify. `done` is called when the wire has taken it. */
  end(done: () => void): void {
    const end = (): void => {
      this.#inOrder(() => this.#endInOrder(done))
    }
    // To shut down, Node makes OpenSSL read on and throw away what it finds.
    if (this.#feeding) this.#endAfterFeeding = end
    else end()
  }

  #endInOrder(done: () => void): void {
    let hasLeft = false
    const tell = (): void => {
      if (hasLeft) return
      hasLeft = true
      done()
    }
    const saidBefore = this.#saidAlert
    this.#saidAlert = false
    this.tls.end(tell)
    const saysIt = this.#saidAlert
    this.#saidAlert ||= saidBefore
    // It is the last that OpenSSL says, and Node takes some turns of the event loop to tell. Meanwhile the peer would
    // wait for the end of the wire.
    if (saysIt && this.#unsent === 0) tell()
  }

  /**
   * Writes now, or in a moment if OpenSSL is in the middle of a write: Node's streams forget what is written from inside
   * a write of several chunks.
   */
  #inOrder(write: () => void): void {
    if (this.#sending === 0 && this.#postponed.length === 0) {
      write()
      return
    }
    if (this.#postponed.push(write) > 1) return
    queueMicrotask(() => {
      // Each stays in the list until it is through, so that what it brings about comes after the others.
      for (let next = this.#postponed[0]; next !== undefined; next = this.#postponed[0]) {
        if (this.#gate !== 'closed') next()
        this.#postponed.shift()
      }
    })
  }

  /** Opens the gate. What was held leaves first. */
  release(): void {
    /* v8 ignore next -- @preserve whoever releases has just looked, and nothing of the program's runs in between */
    if (this.#gate === 'closed') return
    this.#forgetFlight()
    const held = this.#filter === null ? this.#held : [this.#filter.takeWaiting()]
    const confirm = this.#confirmHeld
    this.#held = []
    this.#confirmHeld = null
    this.#gate = 'open'
    if (held.some(({ length }) => length > 0)) this.#send(held, confirm ?? nothing)
    else confirm?.()
    if (this.#isReady()) this.#establish()
  }

  /**
   * Sends alerts that the peer will read, as soon as everything written before has left. Nothing of OpenSSL's leaves
   * behind a fatal one or a close_notify. A warning must not be sent once TLS encrypts, where OpenSSL would go on with a
   * number in the sequence that is taken.
   *
   * @param done - Called when they have left (true), or turned out not to be possible when their turn came (false).
   * @returns Whether it is possible; if not, `done` is not called.
   */
  sendAlerts(alerts: readonly Alert[], done: (sent: boolean) => void): boolean {
    if (this.#gate === 'closed' || this.#alertsToSend !== null) return false
    if (this.#unsent > 0 && this.#gate === 'open') {
      this.#alertsToSend = { alerts, done }
      return true
    }
    if (!this.#seal(alerts)) return false
    done(true)
    return true
  }

  /** Lets go of everything. Nothing is sent or reported any more. */
  destroy(): void {
    this.#close()
    this.#port.destroy()
    this.tls.destroy()
  }

  #listen(): void {
    const { tls } = this
    tls.on('keylog', (line: Buffer) => this.#keylog(line))
    tls.on('data', (chunk: Buffer) => {
      if (!this.#establishedReported) this.#early.push(chunk)
      else if (this.#gate === 'open') this.#sink.plaintext(chunk)
    })
    tls.once(this.#options.side === 'client' ? 'secureConnect' : 'secure', () => {
      this.#handshakeDone = true
      this.#clearAlerts = null
      // From inside OpenSSL: a server holds its next write from now on. A client is held already, unless the peer was
      // judged by what TLS 1.2 had proven before.
      if (this.#options.side === 'server') {
        this.#gate = 'holding'
        // Looking at the certificate empties OpenSSL's list of errors. What it found odd about a chain that is not its to
        // judge would otherwise be taken for a failure of the connection.
        this.peerChain()
      }
      /* v8 ignore next -- @preserve what is fed is read before `feed` returns; this is for a Node where it is not */
      if (!this.#feeding) this.#settle(true)
    })
    tls.once('end', () => {
      this.#ended = true
      this.#settle(true)
    })
    tls.on('error', (error: Error) => this.#broke(error))
    // After the handshake 'error' is for sockets of clients, and of servers that a `tls.Server` has made.
    tls.on('_tlsError', (error: Error) => this.#broke(error))
    tls.once('close', () => {
      if (!this.#handshakeDone) this.#broke(new Error('the handshake was broken off'))
    })
  }

  #broke(error: Error): void {
    this.#error ??= error
    if (!this.#feeding) this.#settle(true)
  }

  #keylog(line: Buffer): void {
    /* v8 ignore next -- @preserve a program can end it while OpenSSL writes, and keys are told of before that */
    if (this.#gate === 'closed') return
    this.#encryptedAlerts.keylog(line)
    this.#records.keylog(line)
    if (!this.#options.recordsServerFlight) return
    this.#serverSecret ??= readKeylog(line, ['SERVER_HANDSHAKE_TRAFFIC_SECRET'])?.secret ?? null
  }

  #readServer(bytes: Uint8Array): void {
    if (this.#options.recordsServerFlight && !this.#proofReported) this.#serverFlight.push(bytes)
    this.#readServerHello(bytes)
  }

  #readServerHello(bytes: Uint8Array): void {
    if (this.serverHello !== null || this.#tap.done) return
    const hello = this.#tap.push(bytes)
    if (hello === null) return
    this.serverHello = hello
    this.#records.serverHello(hello)
  }

  /** Called by OpenSSL. */
  #output(parts: readonly Buffer[], confirm: () => void): void {
    this.#saidAlert = endsInAlert(parts.at(-1) ?? NOTHING)
    if (this.#options.side === 'server') for (const part of parts) this.#readServerHello(part)
    switch (this.#gate) {
      case 'open':
        this.#send(parts, confirm)
        return
      case 'filtering':
        this.#sort(parts, confirm)
        return
      case 'holding':
        this.#held.push(...parts)
        this.#confirmHeld = confirm
        return
      case 'closed':
    }
  }

  #sort(parts: readonly Buffer[], confirm: () => void): void {
    const filter = this.#filter as HelloFilter
    const passing: Uint8Array[] = []
    let holds = false
    for (const part of parts) {
      const sorted = filter.push(part)
      passing.push(...sorted.pass)
      holds = sorted.held !== null
    }
    if (holds) {
      this.#gate = 'holding'
      this.#confirmHeld = confirm
      /* v8 ignore next -- @preserve only early data, which is off, would be in one write with a hello */
      if (passing.length > 0) this.#send(passing, nothing)
      // Not from inside OpenSSL, and not before it is known whether OpenSSL has only an alert to send.
      if (!this.#feeding) queueMicrotask(() => this.#settle(true))
    } else {
      this.#send(passing, confirm)
    }
  }

  #send(parts: readonly Uint8Array[], confirm: () => void): void {
    if (parts.length === 0) {
      confirm()
      return
    }
    for (const part of parts) this.#records.sent(part)
    this.#sending++
    this.#sink.wire(parts, confirm)
    this.#sending--
  }

  /** OpenSSL has returned: what is there to report? */
  #settle(answered: boolean): void {
    if (this.#gate === 'closed') return
    const error = this.#error ?? this.tls.errored ?? this.#untold()
    if (error !== null) {
      // What came before it came in good order.
      if (this.#isReady()) this.#establish()
      this.#fail(error, answered)
      return
    }
    if (!this.#proofReported && this.#isProven()) {
      this.#proofReported = true
      this.#sink.proven()
      return
    }
    if (this.#isReady()) this.#establish()
    this.#reportEnd()
  }

  /** A fatal alert ends the connection, also one of which Node tells nothing. */
  #untold(): Error | null {
    this.#untoldAlert ??= this.#clearAlerts?.fatal ?? null
    return this.#untoldAlert === null ? null : new Error('the peer sent an alert for which OpenSSL has no word')
  }

  /** The same, if it was encrypted. */
  #lookForAlert(): void {
    if (this.#isClosed() || this.#ended || !this.#encryptedAlerts.suspects) return
    this.#untoldAlert ??= this.#encryptedAlerts.takeFatal()
    if (this.#untoldAlert !== null) this.#settle(true)
  }

  #isReady(): boolean {
    return this.#handshakeDone && this.#proofReported && this.#gate === 'open' && !this.#establishedReported
  }

  /** Whether the peer has proven its key, as far as it is going to. */
  #isProven(): boolean {
    if (this.#handshakeDone) return true
    return this.#gate === 'holding' && this.tls.getProtocol() === 'TLSv1.2'
  }

  #establish(): void {
    this.#establishedReported = true
    this.#sink.established()
    for (const chunk of this.#early.splice(0)) if (this.#gate !== 'closed') this.#sink.plaintext(chunk)
    this.#reportEnd()
  }

  #reportEnd(): void {
    if (!this.#ended || this.#endReported || !this.#establishedReported || this.#isClosed()) return
    this.#endReported = true
    this.#sink.ended()
  }

  // The compiler would otherwise believe that no callback can have changed it.
  #isClosed(): boolean {
    return this.#gate === 'closed'
  }

  #fail(error: Error, answered: boolean): void {
    /* v8 ignore next -- @preserve whoever asks has just looked, but for what a program does when it hears of an opening */
    if (this.#isClosed()) return
    const number = receivedAlert(error)
    const untold = this.#untoldAlert ?? this.#clearAlerts?.ending ?? null
    const alert: Alert | null = number === undefined ? untold : { level: 'fatal', code: number }
    if (alert === null) this.#sayWhy(answered)
    this.#close()
    this.#sink.failed(error, alert)
  }

  /** OpenSSL has sent an alert by itself, in clear while the gate holds its flight; unless it could not, or it is held. */
  #sayWhy(answered: boolean): void {
    if (!answered || this.#gate === 'holding') this.#seal([{ level: 'fatal', code: AlertCode.internal_error }])
  }

  #sendAlertsWhenIdle(): void {
    const waiting = this.#alertsToSend
    if (waiting === null || this.#unsent > 0 || this.#gate === 'closed') return
    this.#alertsToSend = null
    waiting.done(this.#seal(waiting.alerts))
  }

  #seal(alerts: readonly Alert[]): boolean {
    const sealed: Uint8Array[] = []
    for (const { level, code } of alerts) {
      const record = this.#records.sealAlert(level, code)
      if (record === null) return false
      sealed.push(record)
    }
    // Before it leaves: whoever sends it may call in again, and what OpenSSL had to say then would be sealed under the
    // same key and number.
    if (alerts.some(isLast)) this.#close()
    this.#sink.wire(sealed, nothing)
    return true
  }

  #close(): void {
    this.#gate = 'closed'
    this.#held = []
    this.#early = []
    this.#confirmHeld = null
    this.#filter?.takeWaiting()
    this.#forgetFlight()
    this.#encryptedAlerts.forget()
    this.#records.forget()
  }

  #forgetFlight(): void {
    this.#serverFlight.take()
    erase(this.#serverSecret)
    this.#serverSecret = null
  }
}

/** Whether an alert is the end of what this side says. */
function isLast({ level, code }: Alert): boolean {
  return level === 'fatal' || code === AlertCode.close_notify
}

function nothing(): void {}
const NOTHING = new Uint8Array(0)

/** Whether a write of OpenSSL ends in an alert: two bytes in clear, or encrypted in one of the ways that there are. */
function endsInAlert(bytes: Uint8Array): boolean {
  return [2, 18, 19, 26].some((length) => {
    const [type, major, , high, low] = bytes.subarray(Math.max(0, bytes.length - length - 5))
    return (type === 21 || (type === 23 && length === 19)) && major === 3 && high === 0 && low === length
  })
}
