import { expect, it } from 'vitest'
import { SeenDays } from '../../../src/identity/registry/seen-days.ts'

const visit = (credentialId: string, day: number) => ({ credentialId, day, notAfter: 0 })

it('writes the first visit of a user on a day, with what the days before had not written', () => {
  const seen = new SeenDays()
  expect(seen.note('ana', null, visit('laptop', 5))).toEqual([visit('laptop', 5)])
  expect(seen.note('ana', 5, visit('phone', 5))).toBeNull()
  expect(seen.note('ana', 5, visit('laptop', 5))).toBeNull()
  expect(seen.note('bo', 4, visit('b', 5))).toEqual([visit('b', 5)])
  expect(seen.note('ana', 5, visit('laptop', 6))).toEqual([visit('phone', 5), visit('laptop', 6)])
})

it('writes nothing that another program has written, nor for a day that is over', () => {
  const seen = new SeenDays()
  expect(seen.note('ana', 5, visit('laptop', 5))).toBeNull()
  expect(seen.note('ana', 5, visit('laptop', 4))).toBeNull()
  expect(seen.note('ana', 7, visit('laptop', 6))).toBeNull()
})

it('does not try a write again that may have been lost', () => {
  const seen = new SeenDays()
  expect(seen.note('ana', null, visit('laptop', 5))).toHaveLength(1)
  expect(seen.note('ana', null, visit('laptop', 5))).toBeNull()
})

it('tells the day of a visit that was not written yet', () => {
  const seen = new SeenDays()
  seen.note('ana', 5, visit('phone', 5))
  expect([seen.dayOf('ana', 'phone'), seen.dayOf('ana', 'laptop'), seen.dayOf('bo', 'phone')]).toEqual([5, null, null])
})

it('has memory for so many users', () => {
  const seen = new SeenDays(2)
  for (const user of ['a', 'b', 'c']) seen.note(user, 5, visit(user, 5))
  expect(['a', 'b', 'c'].map((user) => seen.dayOf(user, user))).toEqual([null, 5, 5])
})
