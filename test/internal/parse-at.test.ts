import { expect, it } from 'vitest'
import { InvalidNameError } from '../../src/errors.ts'
import { parseAt } from '../../src/internal/parse-at.ts'

it('says where a text stands that is malformed, under the same code', () => {
  const cause = new InvalidNameError('ERR_TLACACOCA_ADDRESS_INVALID', 'a path begins with a slash')
  const parse = (): never => {
    throw cause
  }
  expect(() => parseAt('rules[3]', 'admin', parse)).toThrow(
    expect.objectContaining({
      code: 'ERR_TLACACOCA_ADDRESS_INVALID',
      message: '"rules[3]": a path begins with a slash',
      cause,
    }),
  )
})

it('takes no failure of another kind for a malformed text', () => {
  const failure = new RangeError('out of memory')
  expect(() =>
    parseAt('rules[3]', 'admin', () => {
      throw failure
    }),
  ).toThrow(failure)
})

it('hands no other value than a text to the parser', () => {
  expect(() => parseAt('rules[3]', 5, (text) => text.length)).toThrow(TypeError)
})
