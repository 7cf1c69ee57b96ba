// The callbacks that a program gives to `start`, in both spellings, as what a connection needs.

import { requireFunction, requireOptions } from '../../internal/arguments.ts'
import { Connection } from './connection.ts'
import type { ConnectionSink, VerifyCallback } from './connection-sink.ts'
import { errorOf } from './failures.ts'
import type { Plan } from './plan.ts'

/** What a program does for a connection: sending, closing, looking at the peer. */
export interface WireCallbacks {
  /** Sends bytes over the transport. They belong to the callback. It is called from within the methods of a connection. */
  readonly writeToWire: (bytes: Uint8Array) => void
  /**
   * Closes the transport: once, after the last `writeToWire`, and nothing that comes from it matters any more.
   *
   * @param immediate - True: something went wrong; let go of everything as soon as what was written has left. False: both
   *   sides have finished.
   */
  readonly wireClose?: (immediate: boolean) => void
  readonly verify?: VerifyCallback
  /** Takes the plaintext; then `dataFromWire` returns none. Needed to get it at once if anything takes its time. */
  readonly data?: (plaintext: Uint8Array) => void
}

const NAMES = ['writeToWire', 'wireClose', 'verify', 'data'] as const satisfies readonly (keyof WireCallbacks)[]

/** @internal */
export function requireCallbacks(callbacks: WireCallbacks): void {
  requireOptions('callbacks', callbacks, NAMES)
  requireFunction('writeToWire', callbacks.writeToWire)
  for (const name of NAMES) if (callbacks[name] !== undefined) requireFunction(name, callbacks[name])
}

/** @internal Starts a connection for callbacks. One that throws ends the connection with what it threw. */
export function startWith(plan: Plan, callbacks: WireCallbacks): Connection {
  const { writeToWire, wireClose, verify, data } = callbacks
  return Connection.start(plan, (connection): ConnectionSink => {
    const guarded = (call: () => void): void => {
      try {
        call()
      } catch (thrown) {
        connection.destroy(errorOf(thrown))
      }
    }
    return {
      wire: (parts, confirm) => {
        const [first = NOTHING] = parts
        // In a copy of their own: OpenSSL's buffers may be part of something larger.
        const bytes = new Uint8Array(parts.length === 1 ? first : Buffer.concat(parts))
        guarded(() => writeToWire(bytes))
        confirm()
      },
      close: (immediate) => guarded(() => wireClose?.(immediate)),
      data: data === undefined ? null : (chunk) => guarded(() => data(chunk)),
      verify: verify ?? null,
      deadlineChanged: () => {},
      opened: () => {},
      peerFinished: () => {},
      failed: () => {},
    }
  })
}

const NOTHING = new Uint8Array(0)
