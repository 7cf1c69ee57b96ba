import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/authority/duration.ts'

const from = (duration: number | string, start: string): string =>
  parseDuration(duration).from(new Date(start)).toISOString()

describe('parseDuration', () => {
  it.each([
    [10, '2036-03-01T12:00:00.500Z'],
    ['10', '2036-03-01T12:00:00.500Z'],
    ['10y', '2036-03-01T12:00:00.500Z'],
    ['30d', '2026-03-31T12:00:00.500Z'],
    ['12h', '2026-03-02T00:00:00.500Z'],
    ['3600s', '2026-03-01T13:00:00.500Z'],
    [1, '2027-03-01T12:00:00.500Z'],
  ])('reads %j', (duration, end) => {
    expect(from(duration, '2026-03-01T12:00:00.500Z')).toBe(end)
  })

  // The last day of February is never followed by more than a year's certificate says.
  it.each([
    ['2024-02-29T23:59:59.000Z', 1, '2025-02-28T23:59:59.000Z'],
    ['2024-02-29T00:00:00.000Z', 4, '2028-02-29T00:00:00.000Z'],
    ['2024-02-29T00:00:00.000Z', 10, '2034-02-28T00:00:00.000Z'],
    // 2100 is no leap year.
    ['2096-02-29T00:00:00.000Z', 4, '2100-02-28T00:00:00.000Z'],
    ['2023-02-28T00:00:00.000Z', 1, '2024-02-28T00:00:00.000Z'],
    ['2023-12-31T23:59:59.999Z', 1, '2024-12-31T23:59:59.999Z'],
  ])('takes %s and %j years to a day that exists', (start, years, end) => {
    expect(from(years, start)).toBe(end)
  })

  it('counts days of 24 hours, whatever the time zone makes of them', () => {
    const zone = process.env.TZ
    process.env.TZ = 'Europe/Berlin'
    try {
      // Summer time begins on 29 March 2026.
      expect(from('1d', '2026-03-28T12:00:00.000Z')).toBe('2026-03-29T12:00:00.000Z')
      // In Berlin it is 1 March already.
      expect(from('1y', '2024-02-29T23:30:00.000Z')).toBe('2025-02-28T23:30:00.000Z')
    } finally {
      if (zone === undefined) delete process.env.TZ
      else process.env.TZ = zone
    }
  })

  it('leaves the date alone that it counts from', () => {
    const start = new Date('2024-02-29T00:00:00.000Z')
    parseDuration('1y').from(start)
    expect(start.toISOString()).toBe('2024-02-29T00:00:00.000Z')
  })

  it.each([
    '',
    '0',
    '0d',
    '00',
    '010y',
    '-1',
    '-1d',
    '+1d',
    '1.5y',
    '1e3',
    '1 d',
    ' 1d',
    '1d ',
    '1d\n',
    '1D',
    '1m',
    '1w',
    '1yd',
    'd',
    'ten',
    '١0d',
    '99999999999s',
    0,
    -1,
    0.5,
    1e21,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ])('refuses %j', (duration) => {
    expect(() => parseDuration(duration, 'validity')).toThrow(RangeError)
    expect(() => parseDuration(duration, 'validity')).toThrow(/^"validity" expected a whole number above zero/)
  })

  it.each([undefined, null, true, 10n, {}, ['10'], new Date()])(
    'refuses %s, which is no text and no number',
    (value) => {
      expect(() => parseDuration(value as never)).toThrow(TypeError)
    },
  )

  it.each(['7974y', '2913000d', '9999999999h', '9999999999y'])(
    'refuses an end after the year 9999: %s from 2026',
    (duration) => {
      expect(() => from(duration, '2026-01-01T00:00:00.000Z')).toThrow(/before the year 10000/)
    },
  )

  it('reaches the last instant of the year 9999', () => {
    expect(from('7973y', '2026-12-31T23:59:59.999Z')).toBe('9999-12-31T23:59:59.999Z')
    expect(() => from('1s', '9999-12-31T23:59:59.000Z')).toThrow(RangeError)
  })

  it('refuses to count from a date that is none', () => {
    expect(() => parseDuration(1).from(new Date(Number.NaN))).toThrow(/"date" expected a valid Date/)
  })
})
