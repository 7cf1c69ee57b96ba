import { Socket } from 'node:net'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { IdleClock } from '../../src/net/idle-clock.ts'

const IDLE_MS = 1600
/** By when it has been noticed that a period is over. */
const NOTICED_MS = 1700

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

interface Counters {
  bytesRead: number
  bytesWritten: number
  writeQueueSize: number
}

/** A socket that says so. */
function socketWith(counters: Counters, handle: object | null = counters): Socket {
  return Object.defineProperties(new Socket(), {
    bytesRead: { get: () => counters.bytesRead },
    bytesWritten: { get: () => counters.bytesWritten },
    _handle: { value: handle },
  })
}

const some = (): Counters => ({ bytesRead: 100, bytesWritten: 5000, writeQueueSize: 3000 })

function clock() {
  const idle: Socket[] = []
  return { idle, clock: new IdleClock(IDLE_MS, (socket) => idle.push(socket)) }
}

it('tells of a quiet socket once, when the time is up and not before', () => {
  const { clock: one, idle } = clock()
  const socket = socketWith(some())
  one.watch(socket)
  vi.advanceTimersByTime(IDLE_MS - 1)
  expect(idle).toEqual([])
  vi.advanceTimersByTime(NOTICED_MS - IDLE_MS + 1)
  expect(idle).toEqual([socket])
  vi.advanceTimersByTime(10 * IDLE_MS)
  expect(idle).toEqual([socket])
})

// The clock begins anew with whatever is a sign of life, however late in the period.
it.each<[string, boolean, (counters: Counters) => void]>([
  ['a byte that came', true, (counters) => counters.bytesRead++],
  ['a byte that was written and taken at once', true, (counters) => counters.bytesWritten++],
  ['a byte taken of what was written before', true, (counters) => counters.writeQueueSize--],
  [
    'a byte that was written and only waits',
    false,
    (counters) => {
      counters.bytesWritten++
      counters.writeQueueSize++
    },
  ],
  ['nothing', false, () => {}],
])('sees in %s a sign of life: %s', (_name, isSign, change) => {
  const { clock: one, idle } = clock()
  const counters = some()
  const socket = socketWith(counters)
  one.watch(socket)
  vi.advanceTimersByTime(IDLE_MS - 10)
  change(counters)
  vi.advanceTimersByTime(IDLE_MS - 10)
  expect(idle).toEqual(isSign ? [] : [socket])
  vi.advanceTimersByTime(NOTICED_MS)
  expect(idle).toEqual([socket])
})

it.each([
  ['no handle', null],
  ['a handle that does not tell what waits', {}],
])('cuts off all the same whoever never reads, with %s', (_name, handle) => {
  const { clock: one, idle } = clock()
  const counters = some()
  const socket = socketWith(counters, handle)
  one.watch(socket)
  vi.advanceTimersByTime(NOTICED_MS)
  expect(idle).toEqual([socket])
})

it('leaves a socket alone whose program has set a timeout, even the same or none', () => {
  const { clock: one, idle } = clock()
  const sockets = [IDLE_MS, 0, undefined].map((timeout) => {
    const socket = socketWith(some())
    one.watch(socket)
    if (timeout !== undefined) socket.setTimeout(timeout)
    return socket
  })
  vi.advanceTimersByTime(NOTICED_MS)
  expect(idle).toEqual(sockets.slice(2))
})

it('takes what was set before it began for what it is', () => {
  const { clock: one, idle } = clock()
  const socket = socketWith(some()).setTimeout(60_000)
  one.watch(socket)
  vi.advanceTimersByTime(NOTICED_MS)
  expect(idle).toEqual([socket])
})

it('does not tell of a socket that is forgotten, and runs only while there is one', () => {
  const { clock: one, idle } = clock()
  const [first, second] = [socketWith(some()), socketWith(some())]
  expect(vi.getTimerCount()).toBe(0)
  one.watch(first)
  one.watch(second)
  expect(vi.getTimerCount()).toBe(1)
  one.forget(first)
  one.forget(first)
  expect(vi.getTimerCount()).toBe(1)
  vi.advanceTimersByTime(NOTICED_MS)
  expect(idle).toEqual([second])
  expect(vi.getTimerCount()).toBe(0)
  one.watch(first)
  vi.advanceTimersByTime(NOTICED_MS)
  expect(idle).toEqual([second, first])
})
