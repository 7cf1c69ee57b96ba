import { expect, it } from 'vitest'
import { reasonOf } from '../../src/internal/system-reason.ts'

const failure = (code: unknown) => Object.assign(new Error('no such luck'), { code })

it.each([
  [failure('EACCES'), 'EACCES: permission denied'],
  [failure('ENOSPC'), 'ENOSPC: no space left on device'],
  [failure('EISDIR'), 'EISDIR: it is a folder, and no file'],
  [failure('SQLITE_FULL'), 'SQLITE_FULL'],
  [failure(13), 'Error: no such luck'],
  [new Error('no code'), 'Error: no code'],
  ['a text', 'a text'],
])('says what the system means by %s', (error, reason) => {
  expect(reasonOf(error)).toBe(reason)
})
