// Where no descriptor is left for the list of descriptors, it is not known who has a file open.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { isDatabaseOpenHere, readSqliteHeader } from '../../src/internal/sqlite-header.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const listing = vi.hoisted(() => ({ code: '' }))

vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>()
  return {
    ...fs,
    readdirSync: (...args: Parameters<typeof fs.readdirSync>) => {
      if (listing.code === '') return fs.readdirSync(...args)
      throw Object.assign(new Error(listing.code), { code: listing.code })
    },
  }
})

it.each(['EMFILE', 'ENFILE', 'EIO'])('a file is not opened beside SQLite when it is unknown (%s)', async (code) => {
  const path = join(await temporaryFolder(), 'pins.db')
  writeFileSync(path, 'x'.repeat(100))
  listing.code = code
  // To open and close it here could take away the locks of a connection that was not seen.
  expect(() => readSqliteHeader(path)).toThrow(code)
  expect(() => isDatabaseOpenHere(path, 1)).toThrow(code)
  // A system without such a list, where it would do no harm.
  listing.code = 'ENOENT'
  expect(readSqliteHeader(path)).toEqual({ kind: 'damaged' })
  expect(isDatabaseOpenHere(path, 1)).toBe(false)
})
