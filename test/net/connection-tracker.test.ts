import { once } from 'node:events'
import { Socket } from 'node:net'
import { expect, it, vi } from 'vitest'
import { ConnectionTracker } from '../../src/net/connection-tracker.ts'

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
  expect(tracker.admit(socket)).toBeNull()
  expect(socket.destroyed).toBe(true)
  expect(tracker.size).toBe(0)
  expect(guard.opened).not.toHaveBeenCalled()
  expect(onError).toHaveBeenCalledTimes(reports)
})

it('does not count a socket that was destroyed before it came', () => {
  const tracker = new ConnectionTracker({})
  expect(tracker.admit(socketFrom('192.0.2.1').destroy())).toBeNull()
  expect(tracker.size).toBe(0)
})

it('counts a connection until it is closed, and admits none once it is closing', async () => {
  const tracker = new ConnectionTracker({})
  const socket = socketFrom('::ffff:192.0.2.1')
  expect(tracker.admit(socket)?.toString()).toBe('192.0.2.1')
  expect(tracker.size).toBe(1)
  const closed = tracker.close(60_000)
  expect(tracker.admit(socketFrom('192.0.2.2'))).toBeNull()
  expect(tracker.size).toBe(1)
  socket.destroy()
  await once(socket, 'close')
  await closed
  expect(tracker.size).toBe(0)
})

it('leaves no failure of a socket to crash the process', async () => {
  const tracker = new ConnectionTracker({})
  const [admitted, refused] = [socketFrom('192.0.2.1'), socketFrom(undefined)]
  tracker.admit(admitted)
  tracker.admit(refused)
  admitted.destroy(new Error('reset'))
  await new Promise((resolve) => admitted.once('close', resolve))
  refused.emit('error', new Error('reset'))
})
