// The transport in memory between a socket and Node's TLS client, and the reason why `connect` can keep two promises
// that a plain `tls.connect` cannot.
//
//     network  <->  transport (net.Socket)  <->  Gate  <->  tls.TLSSocket (OpenSSL)  <->  ClientStream
//
// First promise: a server that is refused learns nothing. Node asks whether a server is acceptable too late: with
// TLS 1.2 the client's certificate is on the wire, in clear, before any event fires; with TLS 1.3 it follows in the same
// turn of the event loop, so that only a synchronous answer could stop it. The gate stands where the bytes pass. It lets
// the hello messages out (see hello-filter.ts) and holds the first record of the client's own flight. OpenSSL produces
// that record only after it has seen the server's proof of possession: the signature in CertificateVerify and the
// Finished of TLS 1.3, the signature over the ServerKeyExchange in TLS 1.2 (every suite of policy.ts has one). So
// `onHold` is called when there is a proven certificate to judge and nothing of ours has left. `open` lets go what is
// held and everything after it; to refuse, destroy the gate. Meanwhile the write is not confirmed to OpenSSL, so it
// produces no second one: what is held is bounded by itself.
//
// Second promise: the end of the stream is the server's. Anybody on the path can end a TCP connection, and Node reports
// that exactly as it reports a close_notify. So the end of the transport never reaches OpenSSL. When the TLS socket
// ends, it has read a close_notify; when the transport has ended, all that came has gone through, and the TLS socket has
// not ended, the data are truncated. `onTransportEnd` and `drained` are there to tell.
//
// Backpressure goes through in both directions: while OpenSSL or the reader behind it does not want more, the transport
// is not read, and a write is confirmed when the transport has taken it.

import { Duplex } from 'node:stream'
import { HelloFilter } from './hello-filter.ts'

/** The plain side of a transport as OpenSSL sees it. Destroying the gate destroys the transport. */
export class Gate extends Duplex {
  readonly #transport: Duplex
  readonly #filter = new HelloFilter()
  readonly #onHold: (held: Uint8Array) => void
  #state: 'hello' | 'holding' | 'open' = 'hello'
  #confirm: (() => void) | null = null
  #full = false
  #stopped = false
  #ended = false
  #error: Error | null = null

  /**
   * Called once, when nothing more will come from the transport. Some of it may still be on its way: see `drained`.
   * Never called after the gate was destroyed.
   */
  onTransportEnd: () => void = () => {}

  /**
   * @param onHold - Called once, when the client's own flight is ready, with what is held of it so far. The call comes from
   *   inside OpenSSL's write, so it must not destroy anything before it returns.
   */
  constructor(transport: Duplex, onHold: (held: Uint8Array) => void) {
    // The TLS socket takes this over: its end must not cut off what the server still says.
    super({ allowHalfOpen: true })
    this.#transport = transport
    this.#onHold = onHold
    transport.on('data', (chunk: Buffer) => {
      this.#full = !this.push(chunk)
      this.#steer()
    })
    transport.once('end', () => this.#transportEnd(null))
    transport.on('error', (error) => this.#transportEnd(error))
    transport.once('close', () => this.#transportEnd(null))
  }

  /** Whether the transport has ended, with or without an error. */
  get transportEnded(): boolean {
    return this.#ended
  }

  /** What broke the transport; null if it ended by itself, or not yet. */
  get transportError(): Error | null {
    return this.#error
  }

  /** Whether everything that came from the transport so far has been handed to OpenSSL. */
  get drained(): boolean {
    return this.readableLength === 0
  }

  /** Whether the transport may be read. Bytes that were read already go on in any case. */
  set reading(wanted: boolean) {
    this.#stopped = !wanted
    this.#steer()
  }

  /** Lets go what is held, and everything from now on. */
  open(): void {
    if (this.#state === 'open' || this.destroyed) return
    this.#state = 'open'
    const confirm = this.#confirm
    this.#confirm = null
    this.#send([this.#filter.takeWaiting()], () => confirm?.())
  }

  override _read(): void {
    this.#full = false
    this.#steer()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#state === 'open') this.#send([chunk], callback)
    else this.#sort([chunk], callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    const parts = chunks.map(({ chunk }) => chunk)
    if (this.#state === 'open') this.#send(parts, callback)
    else this.#sort(parts, callback)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#filter.takeWaiting()
    this.#confirm = null
    this.#transport.destroy()
    callback(error)
  }

  #sort(parts: readonly Buffer[], confirm: () => void): void {
    const passing: Uint8Array[] = []
    let held: Uint8Array | null = null
    for (const part of parts) {
      const sorted = this.#filter.push(part)
      passing.push(...sorted.pass)
      held = sorted.held
    }
    if (held === null) {
      this.#send(passing, confirm)
      return
    }
    this.#send(passing, () => {})
    this.#confirm = confirm
    this.#state = 'holding'
    this.#onHold(held)
  }

  // A write that the transport refuses is confirmed all the same. An error here would make Node throw away what the
  // server has said before, and the transport reports the failure by its own 'error' in any case.
  #send(parts: readonly Uint8Array[], confirm: () => void): void {
    if (parts.length === 0) {
      confirm()
      return
    }
    this.#transport.cork()
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) this.#transport.write(part, () => confirm())
      else this.#transport.write(part)
    }
    this.#transport.uncork()
  }

  #steer(): void {
    if (this.#full || this.#stopped) this.#transport.pause()
    else this.#transport.resume()
  }

  #transportEnd(error: Error | null): void {
    if (this.#ended || this.destroyed) return
    this.#ended = true
    this.#error = error
    this.onTransportEnd()
  }
}
