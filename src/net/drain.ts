// Closing a connection so that the other side gets to read what was written last.
//
// A socket that is closed while input waits in it, or that gets input afterwards, answers with a TCP reset, and a reset
// makes the other side throw away what it has not read yet: the status line that says why an upload was refused. So
// input is read and dropped for a while first. The while is bounded twice, because whoever sends can send for ever.

import type { Duplex } from 'node:stream'
import { requireInteger } from '../internal/arguments.ts'

/** How long, and how much, is read and dropped before a connection is destroyed. */
export interface DrainLimits {
  /** In milliseconds from the call on. Default 1,000: some round trips on a bad line. */
  readonly drainMs?: number
  /**
   * In bytes. Default 1,048,576: what a client may well have sent before it hears of a refusal (send and receive
   * buffers grow to some hundred KiB each), so also most uploads as a whole, since many clients listen only then.
   */
  readonly drainBytes?: number
}

/** @internal @throws {RangeError} If a limit is out of range. */
export function requireDrainLimits(limits: DrainLimits): Required<DrainLimits> {
  const { drainMs = 1000, drainBytes = 2 ** 20 } = limits
  requireInteger('drainMs', drainMs, 1, 2 ** 31 - 1)
  requireInteger('drainBytes', drainBytes, 0, Number.MAX_SAFE_INTEGER)
  return { drainMs, drainBytes }
}

/**
 * @internal Reads and drops what comes until the other side ends too, or a limit is reached, then destroys the stream.
 * The writable side must have been ended. Resolves when the stream is closed; never rejects.
 */
export function drainAndDestroy(stream: Duplex, { drainMs, drainBytes }: Required<DrainLimits>): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) return resolve()
    let drained = 0
    const ignore = (): void => {}
    const destroy = (): void => {
      stream.destroy()
    }
    const onData = (chunk: Uint8Array): void => {
      drained += chunk.length
      if (drained > drainBytes) destroy()
    }
    const onEnd = (): void => {
      // What was written may still be on its way out.
      if (stream.writableFinished) destroy()
      else stream.once('finish', destroy)
    }
    const timer = setTimeout(destroy, drainMs)
    stream.once('close', () => {
      clearTimeout(timer)
      stream.off('data', onData).off('end', onEnd).off('finish', destroy)
      // An error comes before the close or not at all, so from here on nobody needs to listen.
      stream.off('error', ignore)
      resolve()
    })
    stream.on('error', ignore)
    if (stream.readableEnded) onEnd()
    else stream.on('data', onData).once('end', onEnd).resume()
  })
}
