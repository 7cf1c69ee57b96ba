import { once } from 'node:events'
import { Socket } from 'node:net'
import { expect, it, vi } from 'vitest'
import type { ConnectionGuard } from '../../src/net/connection-guard.ts'
import { type Client, ConnectionTracker } from '../../src/net/connection-tracker.ts'
import { textHeader } from '../support/proxy-headers.ts'

/** A socket that says it comes from there. */
function socketFrom(remoteAddress: string | undefined): Socket {
  return Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress })
}

it.each([
  ['is gone already', undefined, 0],
  ['is not at an IP address', 'somewhere', 1],
])('destroys the connection of a client that %s, and asks no guard', (_, remoteAddress, reports) => {
  const onError = vi.fn()
  const guard = { opened: vi.fn(() => ({ accept: true })) }
  const tracker = new ConnectionTracker({ onError, guards: [guard] })
  const socket = socketFrom(remoteAddress)
  const begin = vi.fn()
  tracker.admit(socket, begin)
  expect(begin).not.toHaveBeenCalled()
  expect(socket.destroyed).toBe(true)
  expect(tracker.size).toBe(0)
  expect(guard.opened).not.toHaveBeenCalled()
  expect(onError).toHaveBeenCalledTimes(reports)
})

it('does not count a socket that was destroyed before it came', () => {
  const tracker = new ConnectionTracker({})
  const begin = vi.fn()
  tracker.admit(socketFrom('192.0.2.1').destroy(), begin)
  expect(begin).not.toHaveBeenCalled()
  expect(tracker.size).toBe(0)
})

it('counts a connection until it is closed, and admits none once it is closing', async () => {
  const tracker = new ConnectionTracker({})
  const socket = socketFrom('::ffff:192.0.2.1')
  const begun: string[] = []
  const begin = ({ address, proxy }: Client): void => {
    begun.push(`${address} by ${proxy}`)
  }
  tracker.admit(socket, begin)
  expect(begun).toEqual(['192.0.2.1 by null'])
  expect(tracker.size).toBe(1)
  const closed = tracker.close(60_000)
  tracker.admit(socketFrom('192.0.2.2'), begin)
  expect(begun).toHaveLength(1)
  expect(tracker.size).toBe(1)
  socket.destroy()
  await once(socket, 'close')
  await closed
  expect(tracker.size).toBe(0)
})

it.each([
  ['before the next one is asked', 0],
  ['after the last one', 1],
])(
  'begins with nobody whom a guard has destroyed itself, %s, and tells those that accepted of the end',
  async (_, which) => {
    const socket = socketFrom('192.0.2.1')
    const closed = vi.fn()
    const guards = [0, 1].map((index) => ({
      opened: () => {
        if (index === which) socket.destroy()
        return { accept: true }
      },
      closed: () => closed(index),
    }))
    const begin = vi.fn()
    const tracker = new ConnectionTracker({ guards })
    tracker.admit(socket, begin)
    await once(socket, 'close')
    expect(begin).not.toHaveBeenCalled()
    expect(closed.mock.calls).toEqual([[0], [1]])
    expect(tracker.size).toBe(0)
  },
)

it('puts no more listeners on a socket for many guards than for one', async () => {
  const closed = vi.fn()
  const guards = Array.from({ length: 20 }, (_, index) => ({
    opened: () => ({ accept: true }),
    closed: () => closed(index),
  }))
  const [one, many] = [socketFrom('192.0.2.1'), socketFrom('192.0.2.2')]
  new ConnectionTracker({ guards: guards.slice(0, 1) }).admit(one, () => {})
  new ConnectionTracker({ guards }).admit(many, () => {})
  expect(many.listenerCount('close')).toBe(one.listenerCount('close'))
  many.destroy()
  await once(many, 'close')
  expect(closed.mock.calls.flat()).toEqual(guards.map((_, index) => index))
})

it('asks no guard about a client that is destroyed as its header is read', async () => {
  const guard = { opened: vi.fn(() => ({ accept: true })) }
  const tracker = new ConnectionTracker({ proxyProtocol: { trusted: ['192.0.2.1'] }, guards: [guard] })
  const begin = vi.fn()
  const socket = socketFrom('192.0.2.1')
  tracker.admit(socket, begin)
  socket.on('readable', () => socket.destroy())
  socket.push(textHeader())
  await once(socket, 'close')
  expect(guard.opened).not.toHaveBeenCalled()
  expect(begin).not.toHaveBeenCalled()
  expect(tracker.size).toBe(0)
})

it('gives the place of one that is refused free at once', () => {
  const tracker = new ConnectionTracker({ maxConnections: 1, guards: [{ opened: () => ({ accept: false }) }] })
  const refusals: string[] = []
  const watched = new ConnectionTracker({
    maxConnections: 1,
    guards: [{ opened: () => ({ accept: false }) }],
    onRefused: ({ reason }) => refusals.push(reason),
  })
  for (const each of [tracker, watched]) {
    for (let i = 0; i < 3; i++) each.admit(socketFrom('192.0.2.1'), () => {})
    expect(each.size).toBe(0)
  }
  expect(refusals).toEqual(['guard', 'guard', 'guard'])
})

it('reports a guard that answers with promises, accepts nobody on account of one, and lets none crash the process', async () => {
  const onError = vi.fn()
  const late = async (): Promise<never> => {
    throw new Error('too late')
  }
  const guards: ConnectionGuard[] = [
    { opened: () => ({ accept: true }), closed: late },
    // As a program without types may do.
    { opened: late as () => never },
  ]
  const tracker = new ConnectionTracker({ onError, guards })
  const socket = socketFrom('192.0.2.1')
  const begin = vi.fn()
  tracker.admit(socket, begin)
  await once(socket, 'close')
  expect(begin).not.toHaveBeenCalled()
  await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(3))
  expect(onError.mock.calls.map(([error]) => error.message)).toEqual([
    'a guard must answer at once, and not with a promise',
    'too late',
    'too late',
  ])
})

it('leaves no failure of a socket to crash the process', async () => {
  const tracker = new ConnectionTracker({})
  const [admitted, refused] = [socketFrom('192.0.2.1'), socketFrom(undefined)]
  tracker.admit(admitted, () => {})
  tracker.admit(refused, () => {})
  admitted.destroy(new Error('reset'))
  await new Promise((resolve) => admitted.once('close', resolve))
  refused.emit('error', new Error('reset'))
})

it('warns of what went wrong if nobody wants to know, but not of a client that left', () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  try {
    const tracker = new ConnectionTracker({})
    for (const code of ['ECONNRESET', 'EPIPE', 'ERR_TLACACOCA_TRUNCATED']) {
      tracker.report(Object.assign(new Error('the client left'), { code }))
    }
    expect(warned).not.toHaveBeenCalled()
    tracker.report(Object.assign(new Error('ours'), { code: 'EMFILE' }))
    tracker.report('a text')
    tracker.report(Object.assign(new Error('without a stack'), { stack: undefined }))
    expect(warned.mock.calls.map(([text]) => String(text).split('\n')[0])).toEqual([
      'Error: ours',
      'a text',
      'without a stack',
    ])
  } finally {
    warned.mockRestore()
  }
})
