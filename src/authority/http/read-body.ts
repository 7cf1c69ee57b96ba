// The body of a request: at most so many bytes, and within so much time, whatever its headers promise.

/** What became of reading a body. */
export type BodyReading =
  | { readonly kind: 'body'; readonly bytes: Uint8Array }
  | { readonly kind: 'too_large' }
  | { readonly kind: 'timeout' }
  /** The client went away, or sent something that is no body. */
  | { readonly kind: 'broken'; readonly cause: unknown }

export interface BodyLimits {
  readonly maxBytes: number
  /** For the body as a whole: a byte now and then buys no more time. */
  readonly timeoutMs: number
}

/**
 * Reads the whole body. What is too large or too slow is not read any further.
 *
 * @throws {TypeError} If somebody else has read it, or is about to.
 */
export async function readBody(request: Request, { maxBytes, timeoutMs }: BodyLimits): Promise<BodyReading> {
  // Only a hint, but whoever says that it will be too large need not be read.
  if (Number(request.headers.get('content-length')) > maxBytes) return { kind: 'too_large' }
  if (request.body === null) return { kind: 'body', bytes: new Uint8Array(0) }
  if (request.bodyUsed || request.body.locked) {
    throw new TypeError('"request" expected a body that nobody reads; mount the handler where no body parser is')
  }

  const reader = request.body.getReader()
  const timer: { current?: NodeJS.Timeout } = {}
  const late = new Promise<'timeout'>((resolve) => {
    timer.current = setTimeout(resolve, timeoutMs, 'timeout')
  })
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const next = await Promise.race([reader.read(), late])
      if (next === 'timeout') return { kind: 'timeout' }
      if (next.done) return { kind: 'body', bytes: Buffer.concat(chunks, size) }
      size += next.value.length
      if (size > maxBytes) return { kind: 'too_large' }
      chunks.push(next.value)
    }
  } catch (cause) {
    return { kind: 'broken', cause }
  } finally {
    clearTimeout(timer.current)
    // Of a body that was read to its end, this does nothing. The client may be gone, which is no news here.
    reader.cancel().catch(() => {})
  }
}
