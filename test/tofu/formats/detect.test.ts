import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { detectKnownHosts } from '../../../src/tofu/formats/detect.ts'
import { SqlitePinStore } from '../../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../../src/tofu/tofu-store.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { FIELD_CERTIFICATE, FIELD_LINES, KEY, SHA1, SHA256 } from './field-certificate.ts'
import { failure, fileWith, LINE_BY_LINE, lineOf } from './support.ts'

const UNKNOWN = 'ERR_TLACACOCA_IMPORT_FORMAT_UNKNOWN'
const AMBIGUOUS = 'ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS'

it.each(Object.entries(FIELD_LINES))('%s is found by its content, whatever the name', async (format, text) => {
  for (const name of ['known_hosts', 'tofu.toml', 'a.db'])
    expect(await detectKnownHosts(await fileWith(text, name))).toBe(format)
})

it.each([
  {
    what: 'an odd line among its own',
    text: `${lineOf('gmni', 'a.example', 1)}what is this\n${lineOf('gmni', 'b.example', 1)}`,
  },
  { what: 'comments above', text: `# one\n\n# two\n# three\n${lineOf('gmni', 'a.example', 1)}` },
  { what: 'CRLF', text: lineOf('gmni', 'a.example', 1).replace('\n', '\r\n') },
  { what: 'a byte order mark', text: `\ufeff${lineOf('gmni', 'a.example', 1)}` },
])('gmni with $what is still found', async ({ text }) => {
  expect(await detectKnownHosts(await fileWith(text))).toBe('gmni')
})

it('Bombadillo and ncgopher are found by the heading, far below other things', async () => {
  const bookmarks = 'link=gemini://example.org/\n'.repeat(1000)
  expect(await detectKnownHosts(await fileWith(`[BOOKMARKS]\n${bookmarks}[CERTS]\nexample.org=${SHA1}|1\n`))).toBe(
    'bombadillo',
  )
  expect(await detectKnownHosts(await fileWith('[certificate]\n'))).toBe('ncgopher')
})

describe('refused, with what was looked for', () => {
  const page = `<!DOCTYPE html>\n<html><body><pre>\n${lineOf('gmni', 'a.example', 1)}</pre>\n</body></html>\n`
  it.each([
    ['an empty file', '', /empty/],
    ['a file of comments', '# nothing\n\n', /empty/],
    ['a page of HTML', '<!DOCTYPE html>\n<html><body>known hosts</body></html>\n', /Lagrange, Amfora, gmni/],
    ['a page of HTML that shows a line', page, /only 1 of 5 lines/],
    ['a certificate', FIELD_CERTIFICATE.toPem(), /Lagrange/],
    ['a binary file', Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256)), /Lagrange/],
    ['UTF-16', Buffer.from(lineOf('gmni', 'a.example', 1), 'utf16le'), /Lagrange/],
    ["OpenSSH's known hosts", 'example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4\n', /Lagrange/],
    ["Lagrange's older trusted.txt", `example.org 2110846073 ${KEY}\n`, /Lagrange/],
    ['JSON', `{"example.org": "${SHA256}"}\n`, /Lagrange/],
    ['a hash list', `${SHA256}  example.org\n`, /Lagrange/],
    ['TOML of something else', '[package]\nname = "x"\n', /Lagrange/],
  ])('%s', async (_, content, reason) => {
    const file = await fileWith(content)
    for (const error of [
      await failure(detectKnownHosts(file)),
      await failure(TofuStore.inMemory().importKnownHosts(file)),
    ]) {
      expect(error).toMatchObject({ code: UNKNOWN, message: expect.stringMatching(reason), problems: [] })
    }
  })

  it('the lines of two programs in one file, unless it is said whose to read', async () => {
    for (const [i, format] of LINE_BY_LINE.entries()) {
      const other = LINE_BY_LINE[(i + 1) % LINE_BY_LINE.length] ?? 'gmni'
      const file = await fileWith(lineOf(format, 'a.example', 1).repeat(9) + lineOf(other, 'b.example', 1))
      const store = TofuStore.inMemory()
      const error = await failure(store.importKnownHosts(file))
      expect(error).toMatchObject({
        code: AMBIGUOUS,
        message: expect.stringContaining(`9 of ${format}, 1 of ${other}`),
      })
      expect(await store.importKnownHosts(file, { format, skipUnusable: true })).toMatchObject({ format, added: 1 })
      await store.close()
    }
  })

  it('but no line that one program writes for that of another', async () => {
    for (const [format, text] of Object.entries(FIELD_LINES)) {
      for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
        const found = await detectKnownHosts(await fileWith(`${line}\n`)).catch((error: { code: string }) => error.code)
        expect([format, UNKNOWN]).toContain(found)
      }
    }
  })

  it('the database of another program, which stays as it is', async () => {
    const folder = await temporaryFolder()
    for (const [name, sql] of [
      ['browser', 'CREATE TABLE cookies (host, value)'],
      // The same names, and other columns.
      ['cache', 'CREATE TABLE cert_cache (host TEXT PRIMARY KEY, data TEXT, expires REAL)'],
      ['ssh', 'CREATE TABLE known_hosts (id INTEGER PRIMARY KEY, host TEXT, port INTEGER, fingerprint TEXT)'],
      // It would be computed anew by whoever reads it.
      [
        'view',
        'CREATE VIEW known_hosts AS SELECT 1 AS hostname, 2 AS port, 3 AS fingerprint, 4 AS first_seen, 5 AS last_seen',
      ],
      ['empty', 'PRAGMA user_version = 3'],
    ] as const) {
      const file = join(folder, `${name}.db`)
      const db = new SQLite(file)
      db.exec(sql)
      db.close()
      const before = readFileSync(file)
      expect(await failure(detectKnownHosts(file))).toMatchObject({
        code: UNKNOWN,
        message: expect.stringContaining('AV-98'),
      })
      expect(readFileSync(file)).toEqual(before)
      const forced = TofuStore.inMemory().importKnownHosts(file, { format: 'av98' })
      expect(await failure(forced)).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
    }
  })

  it('our own pin database', async () => {
    const file = join(await temporaryFolder(), 'pins.db')
    const pins = await SqlitePinStore.open(file)
    pins.close()
    expect(await failure(detectKnownHosts(file))).toMatchObject({
      code: UNKNOWN,
      message: expect.stringContaining('exportToml'),
    })
  })

  it('a folder with something else in it', async () => {
    const folder = await temporaryFolder()
    expect(await failure(detectKnownHosts(folder))).toMatchObject({ code: UNKNOWN })
    mkdirSync(join(folder, 'a', 'b'), { recursive: true })
    writeFileSync(join(folder, 'a', 'b', 'c'), '')
    expect(await failure(detectKnownHosts(folder))).toMatchObject({ code: UNKNOWN })
    mkdirSync(join(folder, 'example.org', '192.0.2.1'), { recursive: true })
    writeFileSync(join(folder, 'example.org', '192.0.2.1', SHA256), '1')
    expect(await detectKnownHosts(folder)).toBe('offpunk')
  })

  it('a name that leads nowhere', async () => {
    const missing = detectKnownHosts(join(await temporaryFolder(), 'none'))
    expect(await failure(missing)).toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' })
  })
})
