// The body of a Node request as a web stream. `Readable.toWeb` destroys the socket when the reader has had enough, and
// with it the answer that says why.

import type { IncomingMessage } from 'node:http'

/** Reads no further than somebody asks for, and leaves the message alone until then and after it is cancelled. */
export function bodyStream(message: IncomingMessage): ReadableStream<Uint8Array> {
  let detach: (() => void) | null = null

  function attach(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const onData = (chunk: Uint8Array): void => {
      message.pause()
      // Copied, because a small chunk is a view of a pool that is used for other things as well.
      controller.enqueue(Uint8Array.from(chunk))
    }
    const onEnd = (): void => {
      stop()
      controller.close()
    }
    const onError = (cause: Error): void => {
      stop()
      controller.error(cause)
    }
    const onClose = (): void => onError(new Error('the client went away'))
    const stop = (): void => {
      message.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
    }
    detach = stop
    message.on('end', onEnd).on('error', onError).on('close', onClose).on('data', onData)
    // Of what is over already there will be no event.
    if (message.destroyed) onClose()
  }

  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (detach === null) attach(controller)
        message.resume()
      },
      cancel() {
        detach?.()
        message.pause()
      },
    },
    { highWaterMark: 0 },
  )
}
