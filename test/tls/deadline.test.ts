import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Deadline } from '../../src/tls/deadline.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const make = (signal?: AbortSignal) =>
  new Deadline({ to: 'example.org:1965', timeoutMs: 1000, verifyTimeoutMs: 5000, signal })

it('stands still while the verifier has the word, which has a time of its own', () => {
  const deadline = make()
  vi.advanceTimersByTime(900)
  deadline.verifying()
  vi.advanceTimersByTime(4999)
  deadline.verified()
  vi.advanceTimersByTime(99)
  expect(deadline.signal.aborted).toBe(false)
  vi.advanceTimersByTime(1)
  expect(deadline.signal.reason).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
})

it('begins nothing anew once the attempt is over, whatever the verifier says then', () => {
  const over = make()
  over.close()
  over.verifying()
  over.verified()
  expect(vi.getTimerCount()).toBe(0)
  vi.advanceTimersByTime(1_000_000)
  expect(over.signal.aborted).toBe(false)
  const controller = new AbortController()
  const aborted = make(controller.signal)
  aborted.verifying()
  controller.abort('enough')
  aborted.verified()
  expect(vi.getTimerCount()).toBe(0)
  expect(aborted.signal.reason).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED', cause: 'enough' })
})
