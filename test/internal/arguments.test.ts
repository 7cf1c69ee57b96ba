import { expect, it } from 'vitest'
import { requireOptions, show } from '../../src/internal/arguments.ts'

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
