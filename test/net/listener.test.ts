import { createServer } from 'node:net'
import { expect, it, vi } from 'vitest'
import { ConnectionTracker } from '../../src/net/connection-tracker.ts'
import { createListener } from '../../src/net/listener.ts'

it('reports what befalls a server that listens, and goes on', async () => {
  const onError = vi.fn()
  const server = createServer()
  await using listener = createListener(server, new ConnectionTracker({ onError }))
  await listener.listen(0, '127.0.0.1')
  const failure = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  server.emit('error', failure)
  expect(onError.mock.calls).toEqual([[failure, null]])
  expect(listener.address()).not.toBeNull()
})

it('leaves the failure to listen to whoever asked for it', async () => {
  const onError = vi.fn()
  const server = createServer()
  await using listener = createListener(server, new ConnectionTracker({ onError }))
  // No address of this machine (RFC 5737).
  await expect(listener.listen(0, '192.0.2.1')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_LISTEN_FAILED' })
  expect(onError).not.toHaveBeenCalled()
})

it('listens at one place, also if it is asked for two before the first host is looked up', async () => {
  await using listener = createListener(createServer(), new ConnectionTracker({}))
  const attempts = [listener.listen(0, 'localhost'), listener.listen(0, '127.0.0.1'), listener.listen(0, 'localhost')]
  const [first, ...others] = await Promise.allSettled(attempts)
  expect(first).toMatchObject({ status: 'fulfilled', value: listener.address() })
  for (const other of [...others, ...(await Promise.allSettled([listener.listen(0, '127.0.0.1')]))]) {
    expect(other).toMatchObject({ status: 'rejected', reason: { code: 'ERR_TLACACOCA_LISTEN_FAILED' } })
  }
})

it('listens after an attempt that failed', async () => {
  await using listener = createListener(createServer(), new ConnectionTracker({}))
  await expect(listener.listen(0, '192.0.2.1')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_LISTEN_FAILED' })
  expect(await listener.listen(0, '127.0.0.1')).toEqual(listener.address())
})
