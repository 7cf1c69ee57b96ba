import { expect, it } from 'vitest'
import { bareError } from '../../src/internal/bare-error.ts'

it('an error keeps its message, code and place, and loses what a client hung on it', () => {
  const error = Object.assign(new TypeError('refused'), { code: '23505', query: 'secret', parameters: ['secret'] })
  const bare = bareError(error)
  expect(bare).toBeInstanceOf(Error)
  expect(bare).toMatchObject({ message: 'refused', code: '23505', stack: error.stack })
  expect(Object.getOwnPropertyNames(bare).sort()).toEqual(['code', 'message', 'stack'])
})

it('an error without a code gets none', () => {
  expect(bareError(new Error('refused'))).not.toHaveProperty('code')
})

it.each(['refused', undefined, null, 7])('what is thrown and is no error, such as %j, stays what it is', (thrown) => {
  expect(bareError(thrown)).toBe(thrown)
})
