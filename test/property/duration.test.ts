import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDuration } from '../../src/authority/duration.ts'

const start = fc.date({
  min: new Date('1950-01-01T00:00:00Z'),
  max: new Date('2200-01-01T00:00:00Z'),
  noInvalidDate: true,
})

describe('durations', () => {
  it('add exactly their seconds, hours and days', () => {
    const unit = fc.constantFrom(['s', 1000], ['h', 3_600_000], ['d', 86_400_000] as const)
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: 1_000_000 }), unit, (date, count, [letter, milliseconds]) => {
        const end = parseDuration(`${count}${letter}`).from(date)
        expect(end.getTime() - date.getTime()).toBe(count * Number(milliseconds))
      }),
    )
  })

  it('of years end on the same day of the same month, or on 28 February for the 29th', () => {
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: 500 }), (date, years) => {
        const end = parseDuration(years).from(date)
        expect(end.getUTCFullYear()).toBe(date.getUTCFullYear() + years)
        const [monthAndDay, time] = [date.toISOString().slice(4, 10), date.toISOString().slice(10)]
        expect(end.toISOString().slice(10)).toBe(time)
        const possible = monthAndDay === '-02-29' ? ['-02-29', '-02-28'] : [monthAndDay]
        expect(possible).toContain(end.toISOString().slice(4, 10))
      }),
    )
  })

  it('never shrink when the number grows', () => {
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: 500 }), fc.constantFrom('y', 'd', 'h', 's'), (date, count, unit) => {
        const shorter = parseDuration(`${count}${unit}`).from(date)
        expect(
          parseDuration(`${count + 1}${unit}`)
            .from(date)
            .getTime(),
        ).toBeGreaterThan(shorter.getTime())
      }),
    )
  })

  it('are read or refused, never guessed', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9ydhs .+-]{0,12}$/)), (text) => {
        if (/^[1-9][0-9]{0,9}[ydhs]?$/.test(text)) parseDuration(text)
        else expect(() => parseDuration(text)).toThrow(RangeError)
      }),
    )
  })
})
