// What Node's TLS socket takes for its transport: a Duplex with nothing behind it but two functions.

import { Duplex } from 'node:stream'

/**
 * Takes what OpenSSL wants to send. OpenSSL writes one portion at a time and waits for `confirm` before the next, so
 * whoever keeps a portion unconfirmed also bounds what there is to keep.
 */
export type Output = (parts: readonly Buffer[], confirm: () => void) => void

export class WirePort extends Duplex {
  readonly #output: Output

  constructor(output: Output) {
    // Half open, because the TLS socket takes this over: the peer's end must not cut off ours.
    super({ allowHalfOpen: true, autoDestroy: false })
    this.#output = output
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, confirm: () => void): void {
    this.#output([chunk], confirm)
  }

  override _writev(chunks: { chunk: Buffer }[], confirm: () => void): void {
    this.#output(
      chunks.map(({ chunk }) => chunk),
      confirm,
    )
  }
}
