import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { isDatabaseOpenHere, readSqliteFile } from '../../src/internal/sqlite-header.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ID = 0x74657374

function headerWith(id: number): Buffer {
  const header = Buffer.alloc(100)
  header.write('SQLite format 3\0', 'latin1')
  header.writeUInt32BE(id, 68)
  return header
}

/** Whether a file with such contents is taken for a database of ours, while it is open. */
async function isOurs(contents: Buffer, flags: string): Promise<boolean> {
  const path = join(await temporaryFolder(), 'notes.db')
  writeFileSync(path, contents)
  expect(isDatabaseOpenHere(path, ID)).toBe(false)
  const descriptor = openSync(path, flags)
  onTestFinished(() => closeSync(descriptor))
  return isDatabaseOpenHere(path, ID)
}

it('a database of ours that is open here is known by its header', async () => {
  expect(await isOurs(headerWith(ID), 'r')).toBe(true)
})

it.each([
  { what: 'one of another program', contents: headerWith(ID + 1), flags: 'r' },
  { what: 'a file that is shorter than a header', contents: headerWith(ID).subarray(0, 99), flags: 'r' },
  { what: 'one with other first bytes', contents: Buffer.concat([Buffer.alloc(1), headerWith(ID)]), flags: 'r' },
  // SQLite never opens a file so, and nothing can be read through it.
  { what: 'one that is open for writing only', contents: headerWith(ID), flags: 'a' },
])('it is not: $what', async ({ contents, flags }) => {
  expect(await isOurs(contents, flags)).toBe(false)
})

it('of a file that is not there, or too short to have a page size, no bytes are given', async () => {
  const path = join(await temporaryFolder(), 'notes.db')
  expect(readSqliteFile(path)).toBeNull()
  writeFileSync(path, 'SQLite')
  expect(readSqliteFile(path)).toBeNull()
})
