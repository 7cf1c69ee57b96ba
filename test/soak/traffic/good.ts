// Visitors who do nothing wrong, some of them in unusual ways. Every one has to get the right answer.

import { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import type { Script } from '../targets/target.ts'
import type { Kind } from './kind.ts'
import { isRight, type Visit } from './visit.ts'

const ways: readonly (readonly [string, ConnectionOptions])[] = [
  ['TLS 1.3', { minVersion: 'TLSv1.3' }],
  ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
  ['TLS 1.3, no name', { minVersion: 'TLSv1.3', servername: '' }],
  ['TLS 1.2, no name', { maxVersion: 'TLSv1.2', servername: '' }],
]

export function goodKinds(script: Script): Kind[] {
  const [plainest] = script.good
  if (plainest === undefined) return []
  const kinds: Kind[] = []
  const add = (name: string, weight: number, run: Kind['run'], group: Kind['group'] = 'good'): void => {
    kinds.push({ name, group, weight, run })
  }
  for (const exchange of script.good) {
    for (const [way, options] of script.tls ? ways : [['', {}] as const]) {
      add(`${exchange.name} ${way}`.trim(), 4, (visit) => visit.ask(exchange, options))
    }
  }
  for (const exchange of script.identities) {
    for (const [way, options] of ways.slice(0, 2)) {
      add(
        `${exchange.name}, ${way}`,
        exchange.visitor === 'odd' ? 1 : 4,
        (visit) => visit.ask(exchange, options),
        'identities',
      )
    }
  }
  add('ends its side with the request', 4, async (visit) => {
    const { stream } = await visit.open(await visit.identity(plainest.visitor))
    stream.end(plainest.request)
    isRight(plainest, await visit.rest(stream))
  })
  add('in pieces', 2, async (visit) => {
    const { stream } = await visit.open(await visit.identity(plainest.visitor))
    for (const byte of Buffer.from(plainest.request)) {
      stream.write(Uint8Array.of(byte))
      await wait(5)
    }
    isRight(plainest, await visit.rest(stream))
  })
  if (script.tls) {
    add('TLS in single bytes', 1, (visit) => inSingleBytes(visit, plainest))
    add('a ClientHello of 30 KB', 1, async (visit) => {
      const ALPNProtocols = Array.from({ length: 150 }, (_, index) => `${index}`.padEnd(200, '-'))
      await visit.ask(plainest, { ALPNProtocols })
    })
  }
  const { long } = script
  if (long !== null) {
    const whole = async (visit: Visit, pauseMs: number): Promise<void> => {
      const { stream } = await visit.open()
      stream.write(long.request)
      let length = 0
      for await (const chunk of stream) {
        length += (chunk as Buffer).length
        if (pauseMs > 0) await wait(pauseMs)
      }
      if (length !== long.answerBytes) throw new Error(`${length} bytes of ${long.answerBytes}`)
    }
    add('a long answer', 1, (visit) => whole(visit, 0))
    add('a long answer, read slowly', 1, (visit) => whole(visit, 5))
  }
  return kinds
}

/** Each byte of the handshake and of the request in a packet of its own. */
async function inSingleBytes(visit: Visit, exchange: Script['good'][number]): Promise<void> {
  const socket = await visit.tcp()
  const thin = new Duplex({
    read: () => void socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      for (const byte of chunk) socket.write(Uint8Array.of(byte))
      done()
    },
  })
  socket.on('data', (chunk) => thin.push(chunk)).on('end', () => thin.push(null))
  const stream = visit.startTls(thin, await visit.identity(exchange.visitor))
  stream.write(exchange.request)
  isRight(exchange, await visit.rest(stream))
}
