import { expect, it } from 'vitest'
import { checkedClock } from '../../src/internal/clock.ts'

const FIRST = Date.parse('0001-01-01T00:00:00Z')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')

it.each([FIRST, 0, LAST])('a clock may say %i', (now) => {
  expect(checkedClock(() => now)()).toBe(now)
})

it.each([FIRST - 1, LAST + 1, Number.NaN, Number.POSITIVE_INFINITY])('a clock that says %d is refused', (now) => {
  expect(() => checkedClock(() => now)()).toThrow(RangeError)
})
