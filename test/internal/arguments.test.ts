import { expect, it } from 'vitest'
import { requireDate, requireInteger, requireOptions, requirePositive, show } from '../../src/internal/arguments.ts'

it.each([
  ['plain', '"plain"'],
  ['a "quote"', '"a \\"quote\\""'],
  ['two\nlines', '"two\\nlines"'],
  ['\u001b[31m', '"\\u001b[31m"'],
  ['\u009b31m', '"\\u009b31m"'],
  ['\u202egro.elpmaxe', '"\\u202egro.elpmaxe"'],
  ['a\u2028b', '"a\\u2028b"'],
  ['b\u00fccher', '"b\u00fccher"'],
  ['x'.repeat(100), `"${'x'.repeat(80)}\u2026"`],
  [Symbol('s'), 'Symbol(s)'],
  [null, 'null'],
  [[1], 'an array'],
  [{}, 'an object'],
  [() => 1, 'a function'],
])('shows %j on one line that steers nothing', (value, shown) => {
  expect(show(value)).toBe(shown)
})

it.each([[null], [undefined], ['text'], [[]], [3]])('takes %j for no options', (value) => {
  expect(() => requireOptions('options', value, [])).toThrow(TypeError)
})

it('names an option that does not exist, and those that do', () => {
  expect(() => requireOptions('options', { denylist: [] }, ['denyList'])).toThrow(
    '"options" has no option "denylist"; it knows denyList',
  )
})

// A number that is written as a text often comes from a file or from the environment.
it.each([['3'], [null], [undefined], [[3]]])('takes %j for no number', (value) => {
  expect(() => requireInteger('port', value, 1, 9)).toThrow(TypeError)
  expect(() => requirePositive('rate', value)).toThrow(TypeError)
})

it.each([[0], [10], [2.5], [Number.NaN], [Number.POSITIVE_INFINITY]])(
  'takes %d for no whole number from 1 to 9',
  (n) => {
    expect(() => requireInteger('port', n, 1, 9)).toThrow(`"port" expected a whole number from 1 to 9, got ${n}`)
  },
)

// A rate of NaN compares false with everything: it would never limit anybody.
it.each([[0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY]])('takes %d for no finite number above 0', (n) => {
  expect(() => requirePositive('rate', n)).toThrow(`"rate" expected a finite number above 0, got ${n}`)
})

it('takes the numbers and the dates that it asks for', () => {
  for (const n of [1, 9]) expect(() => requireInteger('port', n, 1, 9)).not.toThrow()
  for (const n of [Number.MIN_VALUE, 0.5, 1e300]) expect(() => requirePositive('rate', n)).not.toThrow()
  expect(() => requireDate('now', new Date(0))).not.toThrow()
})

it.each([[0], ['2030-01-01'], [null]])('takes %j for no date', (value) => {
  expect(() => requireDate('now', value)).toThrow(TypeError)
})

it('takes a date that is no instant for no date', () => {
  expect(() => requireDate('now', new Date('nonsense'))).toThrow(RangeError)
})
