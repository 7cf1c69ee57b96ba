// Alerts that come in clear, read as they pass.
//
// OpenSSL acts on them, but Node does not tell of all: of a warning never, and of a fatal one whose number OpenSSL has no
// word for not even that the connection is over. Nor does it tell of a close_notify in the middle of a handshake.

import type { TLSVersion } from '../../certificate/peer.ts'
import type { AlertLevel } from '../../errors.ts'
import { AlertCode } from '../alert.ts'
import { RecordWalker } from './record-walker.ts'

/** An alert, of either side. */
export interface Alert {
  readonly level: AlertLevel
  readonly code: number
}

const CHANGE_CIPHER_SPEC = 20
const ALERT = 21
const APPLICATION_DATA = 23

/** Takes what a peer sends during the handshake, in any pieces. */
export class ClearAlerts {
  #fatal: Alert | null = null
  /** The alert in the last record, if that is one. */
  #last: Alert | null = null
  #encrypted = false
  readonly #version: () => TLSVersion | null
  readonly #walker: RecordWalker

  /** @param version - Which one is agreed on: with TLS 1.2 a ChangeCipherSpec means what it says, and so does a level. */
  constructor(version: () => TLSVersion | null) {
    this.#version = version
    this.#walker = new RecordWalker(
      // An encrypted one is longer, by its tag at least.
      (type, length) => (type === ALERT && length === 2 ? length : 0),
      (type, _length, kept) => {
        this.#last = null
        this.#encrypted ||= type === APPLICATION_DATA || (type === CHANGE_CIPHER_SPEC && version() === 'TLSv1.2')
        if (kept.length > 0 && !this.#encrypted) this.#take(kept)
      },
    )
  }

  /** The one that has ended the connection. */
  get fatal(): Alert | null {
    return this.#fatal
  }

  /** The one that OpenSSL must have meant if it gives up now: a fatal one, or one that nothing has followed. */
  get ending(): Alert | null {
    return this.#fatal ?? (this.#walker.atBoundary ? this.#last : null)
  }

  push(bytes: Uint8Array): void {
    if (!this.#encrypted) this.#walker.walk(bytes)
  }

  #take(kept: Uint8Array): void {
    const [level, code = 0] = kept
    if (level !== 1 && level !== 2) return
    // RFC 8446 section 6: only these two close a connection. Every other alert is an error, and fatal whatever it says.
    const closes = code === AlertCode.close_notify || code === AlertCode.user_canceled
    const isFatal = level === 2 || (this.#version() === 'TLSv1.3' && !closes)
    this.#last = { level: isFatal ? 'fatal' : 'warning', code }
    if (isFatal || code === AlertCode.close_notify) this.#fatal ??= this.#last
  }
}
