// TLS over any Duplex: a socket, a pipe, a channel of another protocol.
//
//     program  <->  TLSDuplex  <->  Connection (no sockets)  <->  transport
//
// - Nothing is decrypted for the program, and nothing of the program's leaves, before the peer has been accepted. What
//   is written earlier waits.
// - 'end' comes after the peer's close_notify, and never otherwise. A stream that ends without one is destroyed with a
//   `TruncatedError`, after everything that did arrive has been read.
// - `end()` sends close_notify and leaves the other direction open. The peer's end, once it has been read, ends this
//   side too, unless `allowHalfOpen` says otherwise.
// - Backpressure goes through. A reader that is slow stops the transport, not OpenSSL, so that the state of TLS is known
//   when the transport ends; what is buffered here is bounded by MAX_UNREAD and what one read of the transport decrypts
//   to. A transport that is slow stops OpenSSL, and so the writer.
// - Reading and writing do not wait for each other when the connection breaks: a write that is under way fails at once,
//   and with it the stream, though something may be unread. Otherwise an error waits until that has been read.
// - An error that nobody listens for does not take the process down, as it would with other streams of Node: it is the
//   peer who chooses when a connection breaks. Whoever reads, writes or waits for `established` is told in any case.

import { Duplex } from 'node:stream'
import type { Peer } from '../../certificate/peer.ts'
import { ConnectionError, TruncatedError } from '../../errors.ts'
import { requireBoolean, requireFunction, requireOptions, show } from '../../internal/arguments.ts'
import { drainAndDestroy, requireDrainLimits } from '../../net/drain.ts'
import { ClientTLS } from './client-tls.ts'
import { Connection } from './connection.ts'
import type { ConnectionInfo } from './connection-info.ts'
import type { ConnectionSink, VerifyCallback } from './connection-sink.ts'
import type { Plan } from './plan.ts'
import { ServerTLS } from './server-tls.ts'

/** What {@link tlsDuplex} takes besides a transport and a side of TLS. */
export interface TLSDuplexOptions {
  /** Looks at the peer after the basic checks; throws to refuse it. */
  readonly verify?: VerifyCallback
  /** Whether this side stays open when the peer's end has been read, until `end()` is called. False by default. */
  readonly allowHalfOpen?: boolean
  /** Destroys the stream with ERR_TLACACOCA_ABORTED. */
  readonly signal?: AbortSignal
}

/**
 * Speaks TLS over a transport. The transport belongs to the result from here on: it is destroyed with it.
 *
 * @param transport - A Duplex of bytes that nobody reads, connected or about to be.
 * @returns At once; see {@link TLSDuplex.established}.
 * @throws {TypeError} If an argument is wrong.
 * @example
 * import type { Duplex } from 'node:stream'
 * import { text } from 'node:stream/consumers'
 * import { ClientTLS, tlsDuplex } from 'tlacacoca/tls'
 *
 * async function fetchThrough(tunnel: Duplex): Promise<string> {
 *   const stream = tlsDuplex(tunnel, new ClientTLS({ serverHostname: 'example.org', port: 1965 }))
 *   stream.write('gemini://example.org/\r\n')
 *   return text(stream) // rejects if the server is refused, or breaks off
 * }
 */
export function tlsDuplex(transport: Duplex, tls: ClientTLS | ServerTLS, options: TLSDuplexOptions = {}): TLSDuplex {
  requireTransport(transport)
  requireOptions('options', options, OPTION_NAMES)
  const { verify, allowHalfOpen, signal } = options
  if (verify !== undefined) requireFunction('verify', verify)
  if (allowHalfOpen !== undefined) requireBoolean('allowHalfOpen', allowHalfOpen)
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`"signal" expected an AbortSignal, got ${show(signal)}`)
  }
  return new TLSDuplex(MADE, transport, planOf(tls), { verify, allowHalfOpen, signal })
}

const OPTION_NAMES = ['verify', 'allowHalfOpen', 'signal'] as const satisfies readonly (keyof TLSDuplexOptions)[]
const MADE = Symbol('made')

/** The transport is not read while this much is decrypted and unread: four records of the largest size. */
const MAX_UNREAD = 64 * 1024

type Callback = (error?: Error | null) => void

/** @internal */
export interface TLSDuplexSettings {
  readonly verify?: VerifyCallback | undefined
  readonly allowHalfOpen?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called once the peer is accepted and both directions are open. */
  readonly onOpen?: () => void
  /** What the program gets to see of an error. */
  readonly describe?: (error: Error, opened: boolean) => Error
}

/** Made by {@link tlsDuplex}: the decrypted side of a transport. */
export class TLSDuplex extends Duplex {
  /** The connection below: its state, its facts, its alerts. */
  readonly connection: Connection
  readonly #transport: Duplex
  readonly #settings: TLSDuplexSettings
  #opened = false
  #peerFinished = false
  #failure: Error | null = null
  /** A write, or an end, that waits for the connection to open. */
  #waiting: (() => void) | null = null
  /** The callbacks of the write, and of the end, that is on its way. */
  #writing: Callback | null = null
  #ending: Callback | null = null
  /** How many writes the transport has not confirmed, and whom to tell when it has. */
  #unflushed = 0
  #flushed: (() => void) | null = null
  #transportError: Error | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAt = 0
  #spoke = false
  #lettingGo = false

  /** @internal */
  constructor(made: symbol, transport: Duplex, plan: Plan, settings: TLSDuplexSettings) {
    if (made !== MADE) throw new TypeError('a TLSDuplex comes from tlsDuplex and cannot be constructed')
    // With a high-water mark of 0 `_read` is called when nothing is left unread, and not before.
    super({ allowHalfOpen: settings.allowHalfOpen ?? false, readableHighWaterMark: 0, writableHighWaterMark: 65536 })
    this.#transport = transport
    this.#settings = settings
    this.on('error', () => {})
    const connection = Connection.start(plan, (made) => this.#sink(made))
    this.connection = connection
    transport.on('data', (chunk: Buffer) => {
      connection.receive(chunk)
      this.#steer()
    })
    if (transport.readableEnded) connection.wireFinished()
    else transport.once('end', () => connection.wireFinished())
    transport.on('error', (error) => {
      this.#transportError = error
      connection.wireFinished(error)
    })
    transport.once('close', () => this.#transportClosed())
    if (settings.signal !== undefined) this.#endWith(settings.signal)
  }

  /** @internal */
  static over(transport: Duplex, plan: Plan, settings: TLSDuplexSettings): TLSDuplex {
    return new TLSDuplex(MADE, transport, plan, settings)
  }

  /** The peer, once it has been accepted: of a client a `VerifiedPeer`. Null before, and if there is no certificate. */
  get peer(): Peer | null {
    return this.connection.peer
  }

  /** Fulfilled when the peer is accepted and both directions are open; rejected with the error that prevented it. */
  get established(): Promise<ConnectionInfo> {
    return this.connection.established
  }

  /** @internal */
  override _read(): void {
    if (this.#failure !== null && this.readableLength === 0) this.destroy(this.#failure)
    else this.#steer()
  }

  /** @internal */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#send([chunk], callback)
  }

  /** @internal */
  override _writev(chunks: { chunk: Buffer }[], callback: Callback): void {
    const parts = chunks.map(({ chunk }) => chunk)
    this.#writing = callback
    // Node's streams forget what is written from inside a write of several chunks, as a transport without delay brings
    // about; so this call returns first.
    process.nextTick(() => {
      if (this.#writing === callback) this.#send(parts, callback)
    })
  }

  /** @internal */
  override _final(callback: Callback): void {
    if (this.#failure !== null) {
      callback(this.#failure)
      return
    }
    this.#ending = callback
    this.#whenOpen(() =>
      this.connection.finish(() =>
        this.#whenFlushed(() => {
          this.#ended()
          // A peer that only looks at the transport must see an end as well.
          if (!this.#transport.destroyed) this.#transport.end()
        }),
      ),
    )
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.connection.destroy(error ?? undefined)
    if (!this.#lettingGo) this.#transport.destroy()
    const reason = this.#coded(error)
    if (this.#writing !== null) this.#sent(reason ?? broken('was closed while data were being sent'))
    callback(reason)
  }

  #sink(connection: Connection): ConnectionSink {
    return {
      wire: (parts, confirm) => this.#toTransport(parts, confirm),
      data: (chunk) => {
        this.push(chunk)
      },
      verify: this.#settings.verify ?? null,
      deadlineChanged: () => this.#setTimer(connection),
      opened: () => {
        this.#opened = true
        const waiting = this.#waiting
        this.#waiting = null
        waiting?.()
        this.#settings.onOpen?.()
      },
      peerFinished: () => {
        this.#peerFinished = true
        this.push(null)
      },
      close: () => this.#letGo(),
      failed: (error) => this.#fail(this.#settings.describe?.(error, this.#opened) ?? error),
    }
  }

  #send(chunks: readonly Buffer[], callback: Callback): void {
    const problem = this.#failure ?? (this.#opened && !this.#carries() ? broken('cannot be written to any more') : null)
    if (problem !== null) {
      this.#writing = null
      callback(problem)
      return
    }
    this.#writing = callback
    this.#whenOpen(() => this.connection.write(chunks, () => this.#sent()))
  }

  #sent(error: Error | null = null): void {
    const callback = this.#writing
    this.#writing = null
    callback?.(error)
  }

  #ended(error: Error | null = null): void {
    const callback = this.#ending
    this.#ending = null
    callback?.(error)
  }

  /** Whether what is sent can still get to the transport. */
  #carries(): boolean {
    return !this.#transport.destroyed && !this.#transport.writableEnded
  }

  #whenOpen(action: () => void): void {
    if (this.#opened) action()
    else this.#waiting = action
  }

  #toTransport(parts: readonly Uint8Array[], confirm: () => void): void {
    const transport = this.#transport
    // Its own 'error' or 'close' reports what has become of it.
    if (!this.#carries() || this.#settings.signal?.aborted) {
      confirm()
      return
    }
    this.#spoke = true
    const last = parts.length - 1
    if (last > 0) transport.cork()
    for (const [index, part] of parts.entries()) {
      if (index < last) transport.write(part)
    }
    this.#unflushed++
    transport.write(parts[last] ?? Buffer.alloc(0), () => {
      this.#unflushed--
      if (this.#unflushed > 0) return
      const flushed = this.#flushed
      this.#flushed = null
      flushed?.()
    })
    if (last > 0) transport.uncork()
    if (transport.writableNeedDrain) transport.once('drain', confirm)
    else confirm()
  }

  #whenFlushed(action: () => void): void {
    if (this.#unflushed === 0) action()
    else this.#flushed = action
  }

  /** Reads the transport, or not: as the reader of this side and the connection want it. */
  #steer(): void {
    if (this.readableLength > MAX_UNREAD || !this.connection.wantsWire) this.#transport.pause()
    else if (this.#transport.isPaused()) this.#transport.resume()
  }

  /** One timer for all deadlines, which mostly move away: it comes too early rather than to be set again each time. */
  #setTimer(connection: Connection): void {
    const inMs = connection.remainingMs
    const at = inMs === null ? Number.POSITIVE_INFINITY : performance.now() + inMs
    if (inMs !== null && this.#timer !== undefined && this.#timerAt <= at) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (inMs === null) return
    this.#timerAt = at
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        connection.tick()
        this.#setTimer(connection)
      },
      Math.max(0, inMs),
    )
  }

  #transportClosed(): void {
    // Whoever is being judged has gone, and cannot be told.
    if (this.connection.state === 'verifying') this.connection.destroy(goneMeanwhile(this.#transportError))
    else this.connection.wireFinished()
    // The peer had finished, and this side had more to say.
    if (this.#peerFinished && (this.#writing !== null || this.#ending !== null)) {
      this.#fail(broken('broke while data were being sent', this.#transportError))
    }
  }

  /** TLS is over. What was written last shall still arrive; to somebody to whom nothing was said, nothing is owed. */
  #letGo(): void {
    if (this.#transport.destroyed || this.destroyed || !this.#spoke) return
    this.#lettingGo = true
    if (!this.#transport.writableEnded) this.#transport.end()
    void drainAndDestroy(this.#transport, DRAIN_LIMITS)
  }

  /** Ends the stream with an error: as soon as everything is read that arrived before, or at once if a writer waits. */
  #fail(error: Error): void {
    this.#failure ??= error
    if (this.readableLength === 0 || this.#writing !== null || this.#ending !== null) this.destroy(this.#failure)
  }

  /** Whoever still writes when the peer's end has ended this side cannot know better. Other errors are not ours. */
  #coded(error: Error | null): Error | null {
    const code = (error as NodeJS.ErrnoException | null)?.code
    return code === 'ERR_STREAM_WRITE_AFTER_END'
      ? broken('was ended by the peer while data were being sent', error)
      : error
  }

  #endWith(signal: AbortSignal): void {
    const abort = (): void => {
      const options = { cause: signal.reason }
      this.destroy(new ConnectionError('ERR_TLACACOCA_ABORTED', 'the connection was aborted', options))
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    this.once('close', () => signal.removeEventListener('abort', abort))
  }
}

const DRAIN_LIMITS = requireDrainLimits({})

function requireTransport(transport: unknown): asserts transport is Duplex {
  const fits =
    transport instanceof Duplex &&
    !transport.readableObjectMode &&
    !transport.writableObjectMode &&
    transport.readableEncoding === null &&
    !transport.destroyed
  if (!fits) throw new TypeError(`"transport" expected a Duplex of bytes that is not destroyed, got ${show(transport)}`)
}

function planOf(tls: unknown): Plan {
  if (ClientTLS.is(tls)) return ClientTLS.planOf(tls)
  if (ServerTLS.is(tls)) return ServerTLS.planOf(tls)
  throw new TypeError(`"tls" expected a ClientTLS or a ServerTLS, got ${show(tls)}`)
}

function goneMeanwhile(cause: Error | undefined): TruncatedError {
  const options = cause === undefined ? undefined : { cause }
  return new TruncatedError('the connection ended during the handshake', options)
}

function broken(what: string, cause?: unknown): ConnectionError {
  const options = cause === undefined ? undefined : { cause }
  return new ConnectionError('ERR_TLACACOCA_CONNECTION_BROKEN', `the connection ${what}`, options)
}
