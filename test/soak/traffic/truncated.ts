// Visitors who break off in the middle, by a reset or by an end.

import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Script } from '../targets/target.ts'
import type { Kind } from './kind.ts'
import { clientHello } from './slow.ts'
import type { Visit } from './visit.ts'

const ways: readonly (readonly [string, (socket: Socket) => unknown])[] = [
  ['a reset', (socket) => socket.resetAndDestroy()],
  ['an end', (socket) => socket.destroy()],
]

export function truncatedKinds(script: Script): Kind[] {
  const stages: [string, (visit: Visit) => Promise<Socket>][] = [
    ['on connecting', (visit) => visit.tcp()],
    [
      'in mid request',
      async (visit) => {
        const { socket, stream } = await visit.open()
        stream.write(script.beginning)
        return socket
      },
    ],
    [
      'after the request',
      async (visit) => {
        const { socket, stream } = await visit.open(await visit.identity(script.good[0]?.visitor))
        stream.write(script.good[0]?.request ?? '')
        return socket
      },
    ],
  ]
  if (script.tls) {
    stages.push([
      'in mid ClientHello',
      async (visit) => {
        const [socket, hello] = [await visit.tcp(), await clientHello()]
        socket.write(hello.subarray(0, 100))
        return socket
      },
    ])
    stages.push([
      'in mid handshake',
      async (visit) => {
        const [socket, hello] = [await visit.tcp(), await clientHello()]
        socket.write(hello)
        return socket
      },
    ])
  }
  const { long, unfinished } = script
  if (long !== null) {
    stages.push([
      'in mid answer',
      async (visit) => {
        const { socket, stream } = await visit.open()
        stream.write(long.request)
        await new Promise((resolve) => stream.once('data', resolve).once('close', resolve))
        return socket
      },
    ])
  }
  if (unfinished !== null) {
    stages.push([
      'in mid body',
      async (visit) => {
        const { socket, stream } = await visit.open(await visit.identity(unfinished.visitor))
        stream.write(unfinished.request)
        return socket
      },
    ])
  }
  return stages.flatMap(([stage, begin]) =>
    ways.map(([way, cut]): Kind => {
      return {
        name: `${way} ${stage}`,
        group: 'truncated',
        weight: 2,
        async run(visit) {
          const socket = await begin(visit)
          // So that sometimes the server has begun with it, and sometimes not.
          await wait(Math.random() * 40)
          cut(socket)
        },
      }
    }),
  )
}
