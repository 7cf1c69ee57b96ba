// What is typed behind options: numbers, times and dates, and what is none of them.

import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/cli/exit-code.ts'
import { millisecondsOf, readCount, readDate } from '../../src/cli/options.ts'
import { CLI_NOW } from '../support/cli.ts'

describe('a date', () => {
  it.each([
    ['2028-02-29', '2028-02-29T00:00:00.000Z'],
    ['2030-12-31T12:30:00Z', '2030-12-31T12:30:00.000Z'],
    ['2030-12-31T24:00:00Z', '2031-01-01T00:00:00.000Z'],
  ])('is read: %s', (text, instant) => {
    expect(readDate('--at', text).toISOString()).toBe(instant)
  })

  it.each(['2030-02-29', '2030-02-31', '2030-04-31T12:00:00Z', '2030-13-01', '2030-00-10', '31.12.2030', 'soon', ''])(
    'is not %j',
    (text) => {
      expect(() => readDate('--at', text)).toThrow(UsageError)
    },
  )
})

describe('a number', () => {
  it('has bounds, which are told', () => {
    expect(readCount('--days', '1')).toBe(1)
    expect(() => readCount('--days', '0')).toThrow('--days expected a whole number from 1 to 1000000, got 0')
    expect(readCount('--port', '0', { from: 0, to: 65_535 })).toBe(0)
    expect(() => readCount('--port', '65536', { from: 0, to: 65_535 })).toThrow('from 0 to 65535, got 65536')
  })

  it.each(['', '-1', '+1', '01', '1e3', '1.0', ' 1', '0x1', 'many'])('is not %j', (text) => {
    expect(() => readCount('--days', text, { from: 0 })).toThrow(UsageError)
  })
})

describe('a time', () => {
  it('is counted from now', () => {
    expect(millisecondsOf('--expiring-within', '12h', CLI_NOW)).toBe(43_200_000)
  })

  it.each(['', '5', '0d', '-1d', '1w', '999999999y'])('is not %j, which is a mistake of whoever typed it', (text) => {
    expect(() => millisecondsOf('--expiring-within', text, CLI_NOW)).toThrow(UsageError)
  })
})
