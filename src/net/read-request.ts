// Reading the one line that a request is, from somebody who may send too much, too slowly, or nonsense.
//
//   bytes of the request CR LF bytes that belong to nobody yet
//
// The limits are absolute: so many bytes, so long from the first moment. An idle timeout would let a client drip one
// byte at a time for days.
//
// Invariant: when the promise is settled, the stream has the listeners that it had before and stands still, neither
// flowing nor ended nor destroyed by us; and of a request that was read, every byte behind it is in `rest` or still in
// the stream.

import { isUtf8 } from 'node:buffer'
import type { Readable } from 'node:stream'
import { requireInteger } from '../internal/arguments.ts'
import { Backlog } from '../internal/backlog.ts'

/** What came of the attempt to read a request. */
export type RequestReading =
  /** `line` is the request without its CR LF; `rest` is what arrived behind it. */
  | { readonly kind: 'request'; readonly line: string; readonly rest: Buffer }
  /** A CR without LF, an LF without CR, a NUL, or bytes that are not UTF-8. */
  | { readonly kind: 'bad_request' }
  /** More than `maxBytes` without a line end. */
  | { readonly kind: 'too_large' }
  /** No line end within `timeoutMs`. */
  | { readonly kind: 'timeout' }
  /** The client went away first; `error` says how, unless it just ended the stream. */
  | { readonly kind: 'closed'; readonly error: Error | null }

/** How much, and how long, a request may take. */
export interface ReadRequestOptions {
  /** How many bytes a request may have, without the CR LF. Default 1,024, which is what Gemini allows. */
  readonly maxBytes?: number
  /** How long it may take from the call on, in milliseconds, whatever trickles in meanwhile. Default 10,000. */
  readonly timeoutMs?: number
}

/**
 * Reads one request, a line that ends in CR LF, from a stream. It never rejects for what a client does.
 *
 * What follows the line is the caller's. The part of it that has arrived with the line is in `rest` and no longer in
 * the stream; the stream stands still and keeps everything after it. To read all of it as one, put the first part back:
 * `if (rest.length > 0) stream.unshift(rest)`.
 *
 * @throws {RangeError} If an option is out of range.
 * @throws {TypeError} If the stream gives something else than bytes.
 * @example
 * import { readRequest } from 'tlacacoca'
 * import { Readable } from 'node:stream'
 *
 * const stream = Readable.from([Buffer.from('example.org / 5\r\nhel'), Buffer.from('lo')])
 * const reading = await readRequest(stream, { timeoutMs: 5_000 })
 * if (reading.kind === 'request') console.log(reading.line, reading.rest.length) // 'example.org / 5' 3
 */
export async function readRequest(stream: Readable, options: ReadRequestOptions = {}): Promise<RequestReading> {
  const { maxBytes = 1024, timeoutMs = 10_000 } = options
  requireInteger('maxBytes', maxBytes, 1, 2 ** 24)
  requireInteger('timeoutMs', timeoutMs, 1, 2 ** 31 - 1)
  // Ended, failed or destroyed: none of its events will come any more.
  if (!stream.readable) return { kind: 'closed', error: stream.errored ?? null }

  return new Promise((resolve, reject) => {
    const line = new RequestLine(maxBytes)
    const onReadable = (): void => {
      for (let chunk: unknown = stream.read(); chunk !== null; chunk = stream.read()) {
        if (!(chunk instanceof Uint8Array)) {
          release()
          reject(new TypeError('"stream" expected to give bytes: no encoding, no objects'))
          break
        }
        const reading = line.add(chunk)
        if (reading !== null) {
          settle(reading)
          break
        }
      }
    }
    const onError = (error: Error): void => settle({ kind: 'closed', error })
    const onEnd = (): void => settle({ kind: 'closed', error: null })
    const release = (): void => {
      clearTimeout(timer)
      stream.off('readable', onReadable).off('error', onError).off('end', onEnd).off('close', onEnd)
    }
    const settle = (reading: RequestReading): void => {
      release()
      resolve(reading)
    }
    const timer = setTimeout(settle, timeoutMs, { kind: 'timeout' })
    stream.on('readable', onReadable).on('error', onError).on('end', onEnd).on('close', onEnd)
  })
}

const CR = 13
const LF = 10

/** A line that grows until it is complete or cannot become one. */
class RequestLine {
  readonly #maxBytes: number
  readonly #chunks = new Backlog()
  #length = 0
  #endsInCR = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(chunk: Uint8Array): RequestReading | null {
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i]
      if (this.#endsInCR) {
        if (octet !== LF) return { kind: 'bad_request' }
        this.#chunks.push(chunk.subarray(0, i))
        return this.#finish(chunk.subarray(i + 1))
      }
      if (octet === CR) this.#endsInCR = true
      else if (octet === LF || octet === 0) return { kind: 'bad_request' }
      else if (++this.#length > this.#maxBytes) return { kind: 'too_large' }
    }
    this.#chunks.push(chunk)
    return null
  }

  #finish(rest: Uint8Array): RequestReading {
    // Cut to the length of the line: whether the CR came with it or later makes no difference.
    const line = this.#chunks.join().subarray(0, this.#length)
    if (!isUtf8(line)) return { kind: 'bad_request' }
    return {
      kind: 'request',
      line: line.toString('utf8'),
      rest: Buffer.from(rest.buffer, rest.byteOffset, rest.length),
    }
  }
}
