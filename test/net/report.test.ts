import { runInNewContext } from 'node:vm'
import { expect, it, vi } from 'vitest'
import { tell } from '../../src/net/report.ts'

// A rejection that nobody handles ends the process.
it.each([
  [
    'throws',
    () => {
      throw new Error('no')
    },
  ],
  ['rejects', async () => Promise.reject(new Error('no'))],
  ['rejects with a promise of another realm', runInNewContext('async () => { throw new Error("no") }')],
] as const)('outlives a listener that %s', async (_, listener) => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  try {
    tell(listener)
    // Node tells of them when the turn is over.
    await new Promise((resolve) => setImmediate(resolve))
    expect(unhandled).not.toHaveBeenCalled()
  } finally {
    process.off('unhandledRejection', unhandled)
  }
})
