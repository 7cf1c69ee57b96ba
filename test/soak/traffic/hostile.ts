// Visitors who send what they should not. Requests have their right refusal; what is no TLS has only an end.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { type Script, UNWELCOME_NETWORK } from '../targets/target.ts'
import type { Kind } from './kind.ts'
import type { Visit } from './visit.ts'

export function hostileKinds(script: Script): Kind[] {
  const requests = script.hostile.map(
    (exchange): Kind => ({
      name: exchange.name,
      group: 'hostile',
      weight: 1,
      run: (visit) => visit.ask(exchange),
    }),
  )
  const { unwelcome } = script
  if (unwelcome !== null) {
    const run: Kind['run'] = (visit) => visit.ask(unwelcome)
    requests.push({ name: unwelcome.name, group: 'hostile', weight: 2, network: UNWELCOME_NETWORK, run })
  }
  return script.tls ? [...requests, ...brokenTls(script)] : requests
}

function brokenTls(script: Script): Kind[] {
  const { handshakeMs, requestMs } = script.timeouts
  const instead = (name: string, bytes: () => Uint8Array): Kind => ({
    name,
    group: 'hostile',
    weight: 2,
    async run(visit) {
      const socket = await visit.tcp()
      socket.write(bytes())
      await visit.cutOff(socket, handshakeMs)
    },
  })
  const refused = (name: string, options: ConnectionOptions): Kind => ({
    name,
    group: 'hostile',
    weight: 2,
    async run(visit) {
      const opened = await visit.open(options).then(
        () => true,
        () => false,
      )
      if (opened) throw new Error('the handshake was done')
    },
  })
  return [
    instead('junk', () => randomBytes(600)),
    instead('HTTP', () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')),
    instead('SSH', () => Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')),
    instead('SSL 2', () => Uint8Array.of(0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, ...randomBytes(37))),
    instead('a record that is too long', () => Buffer.concat([Uint8Array.of(22, 3, 1, 255, 255), randomBytes(65_535)])),
    instead('a ClientHello that says 16 MB', () => helloOf(0xffffff, 16_384)),
    instead('a ClientHello of 60 KB of nothing', () => helloOf(60_000, 16_000)),
    instead('a thousand empty records', () => Buffer.concat(Array(1000).fill(Uint8Array.of(22, 3, 3, 0, 0)))),
    instead('a thousand warnings', () => Buffer.concat(Array(1000).fill(Uint8Array.of(21, 3, 3, 0, 2, 1, 90)))),
    refused('TLS 1.1', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    refused('no cipher in common', { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }),
    {
      name: 'renegotiation',
      group: 'hostile',
      weight: 2,
      async run(visit) {
        const { stream } = await visit.open({ maxVersion: 'TLSv1.2' })
        if (!('renegotiate' in stream)) return
        let done = false
        stream.renegotiate({}, (error) => {
          done = error === null
        })
        // It is not answered, and a client that insists sends no request.
        await visit.cutOff(stream, requestMs)
        if (done) throw new Error('it was done')
      },
    },
    {
      name: 'junk after the handshake',
      group: 'hostile',
      weight: 2,
      run: junkInside,
    },
    {
      name: 'never stops after its request',
      group: 'hostile',
      weight: 1,
      run: (visit) => endless(visit, script),
    },
  ]
}

/** Below the TLS of this side, as somebody on the way would write it. */
async function junkInside(visit: Visit): Promise<void> {
  const socket = await visit.tcp()
  const wire = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, () => done()),
  })
  socket.on('data', (chunk) => wire.push(chunk)).on('end', () => wire.push(null))
  const stream = visit.startTls(wire)
  await once(stream, 'secureConnect')
  socket.write(Buffer.concat([Uint8Array.of(23, 3, 3, 0, 64), randomBytes(64)]))
  await visit.cutOff(socket, 0)
}

/** A ClientHello with a length of its own, in records of 16 KB, as far as `sent` bytes. */
function helloOf(length: number, sent: number): Buffer {
  const header = Uint8Array.of(1, length >> 16, (length >> 8) & 255, length & 255)
  const body = Buffer.concat([header, Uint8Array.of(3, 3), randomBytes(sent - 6)])
  return Buffer.concat([Uint8Array.of(22, 3, 1, body.length >> 8, body.length & 255), body])
}

async function endless(visit: Visit, { good }: Script): Promise<void> {
  const [plainest] = good
  const { stream } = await visit.open(await visit.identity(plainest?.visitor))
  stream.write(plainest?.request ?? '')
  const more = setInterval(() => stream.write(Buffer.alloc(4096)), 5)
  stream.resume()
  try {
    await new Promise((resolve) => stream.once('close', resolve))
  } finally {
    clearInterval(more)
  }
}
