import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AddressListError } from '../../src/errors.ts'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { type AddressList, loadAddressList, parseAddressList } from '../../src/middleware/address-list.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { untyped } from './requests.ts'

function holds(list: AddressList, address: string): boolean {
  return !new AccessControl({ denyList: list }).opened(parseClientAddress(address)).accept
}

function refusal(read: () => unknown): AddressListError {
  try {
    read()
  } catch (error) {
    if (error instanceof AddressListError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('an address list', () => {
  // One list in the ways that lists are published in: a line of each kind.
  const PUBLISHED = [
    '; Some list of networks, 2026-11-26',
    '# with comments of both kinds',
    '',
    '203.0.113.0/24 ; SBL000001',
    '198.51.100.7',
    '  198.51.100.8\t# indented',
    '192.0.2.1 - 192.0.2.6',
    '192.0.2.9-192.0.2.9',
    '2001:db8::/32',
    '2001:DB9::1-2001:db9::ff#end',
    '::ffff:10.0.0.0/104',
    '   ',
  ].join('\n')

  it.each([
    { name: 'as it is', text: PUBLISHED },
    { name: 'with a line end behind the last line', text: `${PUBLISHED}\n` },
    { name: 'with the line ends of Windows', text: PUBLISHED.replaceAll('\n', '\r\n') },
    { name: 'with a byte order mark', text: `\ufeff${PUBLISHED}` },
    { name: 'with comments in other letters', text: `# Liste für 日本\n${PUBLISHED}` },
  ])('is read from a text and from a file: $name', async ({ text }) => {
    const path = join(await temporaryFolder(), 'list.txt')
    await writeFile(path, text)
    for (const list of [parseAddressList(text), await loadAddressList(path)]) {
      expect(list.size).toBe(8)
      for (const address of ['203.0.113.9', '198.51.100.7', '198.51.100.8', '192.0.2.1', '192.0.2.6', '192.0.2.9']) {
        expect(holds(list, address), address).toBe(true)
      }
      for (const address of ['2001:db8::1', '2001:db9::1', '2001:db9::80', '2001:db9::ff', '10.1.2.3']) {
        expect(holds(list, address), address).toBe(true)
      }
      for (const address of ['203.0.114.0', '198.51.100.9', '192.0.2.0', '192.0.2.7', '192.0.2.8', '192.0.2.10']) {
        expect(holds(list, address), address).toBe(false)
      }
      for (const address of ['2001:db9::', '2001:db9::100', '11.0.0.0', '::a00:1']) {
        expect(holds(list, address), address).toBe(false)
      }
    }
  })

  it.each([
    { line: '203.0.113.1/24', column: 1, says: 'bits set beyond its prefix length' },
    { line: '   203.0.113.256 # no', column: 4, says: 'is not an IP address' },
    { line: '192.0.2.9 - 192.0.2.1', column: 1, says: 'ends before it begins' },
    { line: '192.0.2.0/24 - 192.0.3.0/24', column: 1, says: 'neither one block nor' },
    { line: '192.0.2.1 - 2001:db8::1', column: 1, says: 'from one kind of address to the other' },
    { line: '192.0.2.1 192.0.2.2', column: 1, says: 'is not an IP address' },
    { line: '192.0.2.1, 192.0.2.2', column: 1, says: 'is not an IP address' },
    { line: 'example.org', column: 1, says: 'is not an IP address' },
    { line: '<html><body>Not found</body></html>', column: 1, says: 'is not an IP address' },
    { line: '192.0.2.1\u0000', column: 1, says: 'is not an IP address' },
    { line: '010.0.0.1', column: 1, says: 'is not an IP address' },
    { line: '-', column: 1, says: 'is not an IP address' },
    { line: '1'.repeat(5000), column: 1, says: 'is too long' },
  ])('is refused with the line and the column of a mistake: $line', ({ line, column, says }) => {
    const error = refusal(() => parseAddressList(`192.0.2.1\n\n${line}\n192.0.2.2\n`, { source: 'drop.txt' }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_ADDRESS_LIST_INVALID', source: 'drop.txt' })
    expect(error.problems).toEqual([{ line: 3, column, message: expect.stringContaining(says) }])
    expect(error.message).toContain(`drop.txt is not an address list: line 3, column ${column}: `)
    expect(error.message).not.toContain('\n')
    expect(error.message.length).toBeLessThan(300)
  })

  it('names every mistake, and gives up on a file of nothing else', () => {
    const three = refusal(() => parseAddressList('x\n192.0.2.1\ny\nz\n'))
    expect(three.problems.map(({ line }) => line)).toEqual([1, 3, 4])
    expect(three.message).toContain('(and 2 more)')
    const many = refusal(() => parseAddressList('x\n'.repeat(100_000)))
    expect(many.problems).toHaveLength(100)
    expect(many.message).toContain('(and at least 99 more)')
  })

  it('is refused if it has fewer entries than a list has, or more than there is room for', () => {
    for (const text of ['', '\n\n', '# nothing today\n']) {
      expect(refusal(() => parseAddressList(text)).message).toContain('0 entries, fewer than 1: was it cut off?')
      expect(parseAddressList(text, { minEntries: 0 }).size).toBe(0)
    }
    expect(refusal(() => parseAddressList('::1\n', { minEntries: 2 })).problems).toEqual([])
    expect(refusal(() => parseAddressList('::1\n::2\n::3', { maxEntries: 2 })).message).toContain('more than 2 entries')
    expect(parseAddressList('::1\n::2', { maxEntries: 2 }).size).toBe(2)
    // A span is as much as the blocks that it is made of: four of them here.
    expect(parseAddressList('192.0.2.1 - 192.0.2.6', { maxEntries: 4 }).size).toBe(1)
    expect(refusal(() => parseAddressList('192.0.2.1 - 192.0.2.6', { maxEntries: 3 })).message).toContain('more than 3')
  })

  it('is refused as misuse with options that are none', async () => {
    for (const options of [
      { minEntries: -1 },
      { maxEntries: 0 },
      { minEntries: 5, maxEntries: 4 },
      { maxEntries: 1.5 },
    ]) {
      expect(() => parseAddressList('::1', options)).toThrow(RangeError)
    }
    expect(() => parseAddressList('::1', untyped({ minimum: 1 }))).toThrow(TypeError)
    expect(() => parseAddressList(untyped(Buffer.from('::1')))).toThrow(TypeError)
    await expect(loadAddressList(untyped(5))).rejects.toThrow(TypeError)
  })

  it('is read from a file in pieces that cut lines anywhere', async () => {
    const path = join(await temporaryFolder(), 'large.txt')
    const lines = Array.from(
      { length: 40_000 },
      (_, i) => `10.${i >>> 8}.${i & 255}.0/24${i % 7 === 0 ? ' ; x' : ''}\r\n`,
    )
    await writeFile(path, lines.join(''))
    const list = await loadAddressList(path)
    expect(list.size).toBe(40_000)
    const guard = new AccessControl({ denyList: list })
    for (let i = 0; i < 40_000; i += 97) {
      expect(guard.opened(parseClientAddress(`10.${i >>> 8}.${i & 255}.255`)).accept).toBe(false)
    }
    // Cut off in the middle of a line, as by a download that broke.
    const bytes = lines.join('').length
    await truncate(path, bytes - 4)
    await expect(loadAddressList(path)).rejects.toMatchObject({ problems: [{ line: 40_000, column: 1 }] })
  })

  it('lets others have their turn while it reads a file of nothing but long spans', async () => {
    const path = join(await temporaryFolder(), 'spans.txt')
    const lines = 3000
    await writeFile(path, '::1-fffe:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n'.repeat(lines))
    let turns = 0
    const watch = setInterval(() => turns++, 0)
    expect((await loadAddressList(path)).size).toBe(lines)
    clearInterval(watch)
    expect(turns).toBeGreaterThan(4)
  })

  it('does not take a file into memory that has no lines', async () => {
    const path = join(await temporaryFolder(), 'zeros')
    await writeFile(path, '')
    await truncate(path, 2 ** 32)
    await expect(loadAddressList(path)).rejects.toThrow('a line of it is too long')
  })

  it.each([0, 5000])('refuses a line that is too long wherever it stands, behind %d bytes', async (before) => {
    const path = join(await temporaryFolder(), 'list.txt')
    const listWith = (length: number): string => `#${'-'.repeat(before)}\n${'#'.repeat(length)}\n192.0.2.1\n`
    await writeFile(path, listWith(10_001))
    await expect(loadAddressList(path)).rejects.toThrow('a line of it is too long')
    expect(() => parseAddressList(listWith(10_001))).toThrow('a line of it is too long')
    await writeFile(path, listWith(10_000))
    expect((await loadAddressList(path)).size).toBe(1)
    expect(parseAddressList(listWith(10_000)).size).toBe(1)
  })

  it('says which file cannot be read', async () => {
    const missing = join(await temporaryFolder(), 'missing.txt')
    await expect(loadAddressList(missing)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_NOT_FOUND',
      path: missing,
    })
    await expect(loadAddressList(await temporaryFolder())).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
    })
  })
})

it('a byte order mark is one at the very beginning, and nowhere else', () => {
  expect(parseAddressList('\ufeff192.0.2.1\n').size).toBe(1)
  for (const text of ['192.0.2.1\ufeff\n', '192.0.\ufeff2.1\n', '\ufeff\ufeff192.0.2.1\n', '\n\ufeff192.0.2.1\n']) {
    const read =
      text.includes('\ufeff\n') || text.startsWith('\ufeff\ufeff') || text.startsWith('\n') ? text.trim() : ''
    // White space at the ends is no part of an entry, and U+FEFF counts as such; within one it does not.
    if (read !== '192.0.2.1') expect(() => parseAddressList(text)).toThrow(/^the list is not an address list: line /)
  }
})

it('what is wrong is named: the text, the source, the limits', async () => {
  const options = (value: unknown) => value as Parameters<typeof parseAddressList>[1]
  expect(() => parseAddressList(5 as never)).toThrow('"text" expected a string')
  expect(() => parseAddressList('', options({ source: 5 }))).toThrow('"source" expected a string')
  expect(() => parseAddressList('', options({ minEntrys: 5 }))).toThrow('"options" has no option "minEntrys"')
  expect(() => parseAddressList('', { minEntries: -1 })).toThrow('"minEntries" expected')
  expect(() => parseAddressList('', { minEntries: 5, maxEntries: 4 })).toThrow('"maxEntries" expected')
  await expect(loadAddressList(5 as never)).rejects.toThrow('"path" expected a string')
  expect(() => parseAddressList('192.0.2.1\nnonsense\n')).toThrow(/^the list is not .*: line 2, column 1: [^(]*$/)
  expect(() => parseAddressList('x\ny\n')).toThrow(/\(and 1 more\)$/)
})

it('may begin with lines that are empty', () => {
  expect(parseAddressList('\n192.0.2.1\n192.0.2.2\n').size).toBe(2)
  expect(parseAddressList('\n\n\r\n192.0.2.1\n192.0.2.2').size).toBe(2)
})
