// What a program reads from and writes to after `connect`: a Duplex over the TLS socket whose end can be believed.
//
// - 'end' comes after the server's close_notify, and never otherwise. A stream that ends without one is destroyed with a
//   `TruncatedError`, after everything that did arrive has been read.
// - `end()` sends close_notify and leaves the other direction open, so that the answer still comes. The server's end, once
//   it has been read, ends this side too.
// - Errors of the connection are `TruncatedError` or `ConnectionError`. One that nobody listens for does not take the
//   process down, as it would with other streams of Node: it is the peer who chooses when a connection breaks. Whoever
//   reads or writes is told in any case.
//
// The TLS socket is read all the time, so that the state of OpenSSL is known when the transport ends; a reader that is
// slow stops the transport, not OpenSSL. What is buffered here is bounded by MAX_UNREAD and what one read of the
// transport decrypts to.

import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { ConnectionError, TruncatedError } from '../errors.ts'
import { alertName, complaint, receivedAlert } from './alert.ts'
import type { Gate } from './gate.ts'

/** The transport is not read while this much is decrypted and unread: four records of the largest size. */
const MAX_UNREAD = 64 * 1024

type Callback = (error?: Error | null) => void

export class ClientStream extends Duplex {
  readonly #tls: TLSSocket
  readonly #gate: Gate
  #ended = false
  #failure: Error | null = null
  #writing: Callback | null = null

  /**
   * To be made in the same turn in which the handshake finishes: what the TLS socket tells before nobody hears.
   *
   * @param tls - A TLS socket that is not read yet.
   * @param gate - The gate below it, which is open.
   */
  constructor(tls: TLSSocket, gate: Gate) {
    // With a high-water mark of 0 `_read` is called when nothing is left unread, and not before.
    super({ allowHalfOpen: false, readableHighWaterMark: 0 })
    this.#tls = tls
    this.#gate = gate
    this.on('error', () => {})
    tls.on('error', (error) => this.#tlsFailed(error))
    tls.once('close', () => {
      if (!this.#ended && !this.destroyed) this.#fail(broken('was closed'))
    })
    tls.on('data', (chunk: Buffer) => {
      this.push(chunk)
      if (this.readableLength > MAX_UNREAD) gate.reading = false
    })
    // A server can say all and end before the client has so much as finished its handshake.
    if (tls.readableEnded) this.#end()
    else tls.once('end', () => this.#end())
    gate.onTransportEnd = () => this.#judgeEnd()
    if (gate.transportEnded) this.#judgeEnd()
  }

  override _read(): void {
    if (this.#failure !== null) this.destroy(this.#failure)
    else if (!this.#ended) this.#gate.reading = true
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#send([chunk], callback)
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Callback): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback,
    )
  }

  override _final(callback: Callback): void {
    // Whether the close_notify arrives does not matter here: everything before it has been taken by the transport.
    this.#tls.end(() => callback())
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#gate.destroy()
    this.#tls.destroy()
    const reason = this.#coded(error)
    this.#writing?.(reason ?? broken('was closed while data were being sent'))
    callback(reason)
  }

  #send(chunks: readonly Buffer[], callback: Callback): void {
    // An empty write at the wrong moment makes Node 20 to 24 abort on an assertion, and it never means anything.
    const parts = chunks.filter((chunk) => chunk.length > 0)
    this.#writing = callback
    if (parts.length === 0) {
      this.#sent()
      return
    }
    this.#tls.cork()
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) this.#tls.write(part, () => this.#sent())
      else this.#tls.write(part)
    }
    this.#tls.uncork()
  }

  #sent(): void {
    const callback = this.#writing
    if (callback === null || this.destroyed) return
    // The gate confirms every write, also one for which the transport was no longer there.
    const { transportError } = this.#gate
    if (transportError !== null) {
      if (this.#ended) this.#fail(broken('broke while data were being sent', transportError))
      return
    }
    this.#writing = null
    callback()
  }

  /** The server has said that it is finished. Nothing that might follow means anything. */
  #end(): void {
    this.#ended = true
    this.#gate.reading = false
    this.push(null)
  }

  /** After the end of the transport: was it the server's end? */
  #judgeEnd(): void {
    // The last bytes need this turn of the event loop to get through OpenSSL, and 'end' needs the next tick.
    setImmediate(() => {
      if (this.destroyed) return
      if (!this.#gate.drained || this.#tls.readableLength > 0) {
        this.#judgeEnd()
        return
      }
      const { transportError } = this.#gate
      const options = transportError === null ? undefined : { cause: transportError }
      if (!this.#ended) this.#fail(new TruncatedError(undefined, options))
      else if (this.#writing !== null) this.#sent()
    })
  }

  #tlsFailed(error: Error): void {
    const alert = receivedAlert(error)
    const what = alert === undefined ? `broke: ${complaint(error)}` : `was ended by the alert ${alertName(alert)}`
    this.#fail(broken(what, error, alert))
  }

  /** Ends the stream with an error as soon as everything that arrived before it has been read. */
  #fail(error: Error): void {
    this.#failure ??= error
    if (this.readableLength === 0) this.destroy(this.#failure)
  }

  /** Whoever still writes when the server's end has ended this side cannot know better. Other errors are not ours. */
  #coded(error: Error | null): Error | null {
    const code = (error as NodeJS.ErrnoException | null)?.code
    return code === 'ERR_STREAM_WRITE_AFTER_END'
      ? broken('was ended by the server while data were being sent', error)
      : error
  }
}

function broken(what: string, cause: Error | null = null, alert?: number): ConnectionError {
  return new ConnectionError('ERR_TLACACOCA_CONNECTION_BROKEN', `the connection ${what}`, {
    ...(cause === null ? {} : { cause }),
    ...(alert === undefined ? {} : { alert }),
  })
}
