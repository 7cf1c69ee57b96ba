// Visitors who take their time, or all of the server's. A deadline has to end each of them.

import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Script } from '../targets/target.ts'
import type { Kind } from './kind.ts'

export function slowKinds(script: Script): Kind[] {
  const { tls, beginning, tooSlow, long, unfinished } = script
  const { handshakeMs, requestMs, idleMs } = script.timeouts
  const plainest = script.good[0]
  const kinds: Kind[] = []
  const add = (name: string, staysMs: number, run: Kind['run'], weight = 2): void => {
    kinds.push({ name, group: 'slow', weight, staysMs, run })
  }

  add('says nothing at all', tls ? handshakeMs : requestMs, async (visit) => {
    const socket = await visit.tcp()
    await visit.cutOff(socket, tls ? handshakeMs : requestMs)
    await visit.isGone(socket)
  })
  if (tls) {
    add('half a ClientHello', handshakeMs, async (visit) => {
      const [socket, hello] = [await visit.tcp(), await clientHello()]
      socket.write(hello.subarray(0, hello.length / 2))
      await visit.cutOff(socket, handshakeMs)
    })
    add('a ClientHello byte by byte', handshakeMs, async (visit) => {
      const [socket, hello] = [await visit.tcp(), await clientHello()]
      await drip(socket, hello, 200, () => visit.cutOff(socket, handshakeMs))
    })
    add('no answer to the ServerHello', handshakeMs, async (visit) => {
      const [socket, hello] = [await visit.tcp(), await clientHello()]
      socket.write(hello)
      await visit.cutOff(socket, handshakeMs)
    })
    add('ends its side in mid handshake', handshakeMs, async (visit) => {
      const [socket, hello] = [await visit.tcp(), await clientHello()]
      socket.end(hello)
      await visit.cutOff(socket, handshakeMs)
    })
  }
  add('no request', requestMs, async (visit) => {
    const { stream } = await visit.open()
    if (!tooSlow.test(await visit.rest(stream, requestMs + 30_000)))
      throw new Error('it was not told that it is too slow')
  })
  add('a request byte by byte', requestMs, async (visit) => {
    const { stream } = await visit.open()
    stream.write(beginning)
    await drip(stream, Buffer.alloc(1000, 'a'), 100, async () => {
      if (!tooSlow.test(await visit.rest(stream, requestMs + 30_000)))
        throw new Error('it was not told that it is too slow')
    })
  })
  add('ends its side without a request', requestMs, async (visit) => {
    const { stream } = await visit.open()
    stream.end()
    await visit.cutOff(stream, requestMs)
  })
  add('never ends its side', requestMs, async (visit) => {
    const { stream } = await visit.open(await visit.identity(plainest?.visitor))
    stream.write(plainest?.request ?? '')
    await visit.rest(stream)
    await visit.isGone(stream)
  })
  if (long !== null) {
    add(
      'never reads the answer',
      idleMs,
      async (visit) => {
        const { stream } = await visit.open()
        stream.pause()
        stream.write(long.request)
        // Who does not read does not see the end either, and a byte sent earlier would be a sign of life.
        await wait(idleMs + 15_000)
        await visit.isGone(stream)
      },
      0.5,
    )
  }
  if (unfinished !== null) {
    const { request, timeoutMs, visitor } = unfinished
    add('a body that does not come', timeoutMs, async (visit) => {
      const { stream } = await visit.open(await visit.identity(visitor))
      stream.write(request)
      await visit.cutOff(stream, timeoutMs)
    })
    add('a body byte by byte', timeoutMs, async (visit) => {
      const { stream } = await visit.open(await visit.identity(visitor))
      stream.write(request)
      await drip(stream, Buffer.alloc(900, 'a'), 200, () => visit.cutOff(stream, timeoutMs))
    })
  }
  return kinds
}

/** Writes one byte at a time, beside what is done meanwhile. */
async function drip(stream: Socket, bytes: Buffer, everyMs: number, meanwhile: () => Promise<unknown>): Promise<void> {
  let next = 0
  const timer = setInterval(() => {
    if (next < bytes.length && stream.writable) stream.write(bytes.subarray(next, ++next))
    else clearInterval(timer)
  }, everyMs)
  try {
    await meanwhile()
  } finally {
    clearInterval(timer)
  }
}

let hello: Promise<Buffer> | undefined

/** A ClientHello as this Node sends it. */
export function clientHello(): Promise<Buffer> {
  hello ??= new Promise((resolve) => {
    const wire = new PassThrough()
    wire.once('data', resolve)
    connectTls({ socket: wire, servername: 'localhost' }).on('error', () => {})
  })
  return hello
}
