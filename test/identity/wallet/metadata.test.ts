// The file with names and scopes: people may edit it, other programs may add to it, and nothing of it may be lost.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { IdentityMetadataError } from '../../../src/errors.ts'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import { formatMetadata, parseMetadata } from '../../../src/identity/wallet/metadata-file.ts'
import { withNotes } from '../../../src/identity/wallet/notes.ts'
import { WalletFolder } from '../../../src/identity/wallet/wallet-folder.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import { A_DAY_MS, A_MINUTE_MS, folderWallet, newFolder, withWallet } from './wallet-support.ts'

/** A folder with one identity, and its file of metadata. */
async function prepared() {
  const directory = await newFolder()
  const { id } = await withWallet(directory, (wallet) =>
    wallet.create({ name: 'Ana', scope: 'gemini://example.org/club' }),
  )
  const file = join(directory, 'identities.toml')
  return {
    directory,
    id,
    file,
    read: () => readFileSync(file, 'utf8'),
    write: (text: string) => writeFileSync(file, text),
  }
}

const FULL = `format = 1
theme = "dark"

[identity.ana]
name = "Ana \\"the\\" \\u202e"
notes = """
two
[identity.bo]
lines"""
created = 2030-01-02T03:04:05Z
deleted = 2030-01-02T03:04:05.678+01:00
colour = "#ff0000"
tags = [ ]
big = 99999999999999999

[identity.ana.window]
x = 1
y = { z = [ 1, 2 ] }

[[identity.ana.scope]]
url = "titan://EXAMPLE.org/club"
last_used = 2030-01-02T03:04:05Z
icon = "c"

[[identity.ana.scope]]
url = "gemini://example.org:1966/"

[[identity.ana.site]]
endpoint = "[::1]:1965"
first_used = 2030-01-01T00:00:00Z
last_used = 2030-01-02T00:00:00Z
confirmed = [ "tls12", "second_host" ]
visits = 3

[identity.ana.rotation]
to = "bo"
started = 2030-01-03T00:00:00Z
why = "lost laptop"

[[identity.ana.rotation.site]]
endpoint = "example.org:1965"
state = "failed"
at = 2030-01-03T00:00:00Z
note = "they did not answer"
attempts = 2

[identity.bo]

[another]
program = true
`

describe('the file', () => {
  it('is read, written and read again with nothing lost, known or not', async () => {
    const metadata = await parseMetadata(FULL, 'f')
    const ana = metadata.identities.get('ana')
    expect(ana).toMatchObject({
      name: 'Ana "the" \u202e',
      notes: 'two\n[identity.bo]\nlines',
      created: Date.UTC(2030, 0, 2, 3, 4, 5),
      deleted: Date.UTC(2030, 0, 2, 2, 4, 5, 678),
      rest: { colour: '#ff0000', tags: [], big: 99999999999999999n, window: { x: 1, y: { z: [1, 2] } } },
      sites: [{ confirmed: ['tls12', 'second_host'], rest: { visits: 3 } }],
      rotation: { to: 'bo', rest: { why: 'lost laptop' }, sites: [{ state: 'failed', rest: { attempts: 2 } }] },
    })
    expect(ana?.scopes.map(({ scope, rest }) => [String(scope), rest])).toEqual([
      ['gemini://example.org/club', { icon: 'c' }],
      ['gemini://example.org:1966/', {}],
    ])
    expect(metadata.rest).toEqual({ theme: 'dark', another: { program: true } })
    const written = await formatMetadata(metadata)
    expect(await parseMetadata(written, 'f')).toEqual(metadata)
    // And that is its form from then on.
    expect(await formatMetadata(await parseMetadata(written, 'f'))).toBe(written)
  })

  it('keeps keys that would be traps elsewhere', async () => {
    const text = 'format = 1\n"__proto__" = 5\nconstructor = 6\n[identity.ana]\n"__proto__" = { x = 1 }\nname = "Ana"\n'
    const metadata = await parseMetadata(text, 'f')
    const again = await parseMetadata(await formatMetadata(metadata), 'f')
    expect(Object.entries(again.rest)).toEqual([
      ['__proto__', 5],
      ['constructor', 6],
    ])
    expect(Object.keys(again.identities.get('ana')?.rest ?? {})).toEqual(['__proto__'])
    expect({}).not.toHaveProperty('x')
  })

  it('keeps what it says when a wallet changes something else', async () => {
    const { directory, id, read, write } = await prepared()
    write(`${read().replace('format = 1', 'format = 1\nowner = "Ana"')}
[identity.${id}.client]
colour = "red"

[identity.gone]
name = "its files are on another disk"
`)
    await withWallet(directory, async (wallet) => {
      await wallet.rename(id, 'Bo')
      await wallet.create({ name: 'Cy' })
      await wallet.use(id, 'gemini://example.org/')
    })
    expect(read()).toContain('owner = "Ana"')
    expect(read()).toContain(`[identity.${id}.client]\ncolour = "red"`)
    expect(read()).toContain('its files are on another disk')
  })

  it('may be edited while a wallet is open', async () => {
    const { directory, id, read, write } = await prepared()
    const wallet = await folderWallet(directory)
    write(read().replace('name = "Ana"', 'name = "Ana, edited"'))
    expect(await wallet.annotate(id, 'a note')).toMatchObject({ name: 'Ana, edited', notes: 'a note' })
    write(read().replace('/club', '/society'))
    await wallet.reload()
    expect(wallet.forUrl('gemini://example.org/society')?.id).toBe(id)
    expect(wallet.forUrl('gemini://example.org/club')).toBeNull()
  })

  it('may be saved in an editor between the reading and the writing of a change: both are there', async () => {
    const { directory, id, read, write } = await prepared()
    const folder = new WalletFolder(directory, { passphrase: undefined, lockTimeoutMs: 1000 })
    let edits = 0
    await folder.exclusively((writer) =>
      writer.changeMetadata((metadata) => {
        // Not before the third time is nobody in the way.
        if (edits++ < 2) write(read().replace(/name = ".*"/, `name = "edited ${edits}"`))
        return withNotes(metadata, id, (notes) => ({ ...notes, notes: 'changed' }))
      }),
    )
    expect(edits).toBe(3)
    await withWallet(directory, async (wallet) =>
      expect(wallet.get(id)).toMatchObject({ name: 'edited 2', notes: 'changed' }),
    )
    const endless = folder.changeMetadata((metadata) => {
      write(`${read()}\n`)
      return withNotes(metadata, id, (notes) => ({ ...notes, notes: 'never' }))
    })
    await expect(endless).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(read()).not.toContain('never')
  })

  it('may be missing: the identities are there, without names and scopes', async () => {
    const { directory, id, file } = await prepared()
    writeFileSync(`${file}.old`, readFileSync(file))
    const { rm } = await import('node:fs/promises')
    await rm(file)
    const wallet = await folderWallet(directory)
    expect(wallet.list()).toMatchObject([{ id, name: null, scopes: [] }])
    expect((await wallet.rename(id, 'Ana')).name).toBe('Ana')
  })
})

describe('a damaged file', () => {
  it.each([
    ['format = 1\n[identity.ana\n', 2, 14],
    ['format = 1\nname = Ana\n', 2, 8],
    ['format = 1\n\n[identity.ana]\nname = "Ana\n', 4, 12],
    ['format = 1\nformat = 1\n', 2, 1],
    ['', 1, 1],
    ['[identity.ana]\nname = "Ana"\n', 1, 1],
    ['# comment\nformat = "1"\n', 2, 1],
    ['format = 0\n', 1, 1],
    ['format = 1.5\n', 1, 1],
    ['format = 1\nidentity = 5\n', 2, 1],
    ['format = 1\n[identity]\nana = 5\n', 3, 1],
    ['format = 1\n[identity."a.b"]\nname = "x"\n', 2, 1],
    ['format = 1\n[identity."../x"]\n', 2, 1],
    ['format = 1\n[identity.ana]\n  name = 5\n', 3, 3],
    ['format = 1\n[identity.ana]\nname = ["x"]\n', 3, 1],
    ['format = 1\n[identity.ana]\ncreated = "2030-01-01"\n', 3, 1],
    ['format = 1\n[identity.ana]\ncreated = 5\n', 3, 1],
    ['format = 1\n[identity.ana]\nscope = 5\n', 3, 1],
    ['format = 1\n[identity.ana]\nscope = ["gemini://example.org/"]\n', 3, 1],
    ['format = 1\n[[identity.ana.scope]]\nlast_used = 2030-01-01T00:00:00Z\n', 2, 1],
    [
      'format = 1\n[[identity.ana.scope]]\nurl = "gemini://a.example/"\n[[identity.ana.scope]]\nurl = "a.example"\n',
      5,
      1,
    ],
    ['format = 1\n[[identity.ana.scope]]\nurl = "gemini://ana@a.example/"\n', 3, 1],
    ['format = 1\n[[identity.ana.scope]]\nurl = "https://a.example/"\n', 3, 1],
    ['format = 1\n[identity.bo]\n[[identity.ana.scope]]\nurl = 5\n', 4, 1],
    [
      'format = 1\n[[identity.ana.scope]]\nurl = "gemini://a.example/"\n[[identity.ana.scope]]\nurl = "titan://A.example"\n',
      4,
      1,
    ],
    ['format = 1\n[[identity.ana.site]]\nendpoint = "a.example"\n', 3, 1],
    ['format = 1\n[[identity.ana.site]]\nendpoint = "a.example:1965"\nconfirmed = "tls12"\n', 4, 1],
    ['format = 1\n[[identity.ana.site]]\nendpoint = "a.example:1965"\nconfirmed = [ "tls12", "all" ]\n', 4, 1],
    ['format = 1\n[identity.ana.rotation]\nto = "../bo"\n', 3, 1],
    [
      'format = 1\n[identity.ana.rotation]\nto = "bo"\n[[identity.ana.rotation.site]]\nendpoint = "a:1"\nstate = "over"\n',
      6,
      1,
    ],
    ['format = 1\n[identity.ana]\nnotes = """\nname = 5\n"""\nname = 6\n', 6, 1],
  ])('%j is refused with line %i and column %i', async (text, line, column) => {
    const error = await parseMetadata(text, '/wallet/identities.toml').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(IdentityMetadataError)
    expect(error).toMatchObject({
      code: 'ERR_TLACACOCA_IDENTITY_METADATA_INVALID',
      path: '/wallet/identities.toml',
      line,
      column,
    })
    expect(String(error)).toContain(`/wallet/identities.toml, line ${line}, column ${column}: `)
    expect(String(error).split('\n')).toHaveLength(1)
  })

  it('keeps the wallet closed and is left as it is', async () => {
    const { directory, read, write } = await prepared()
    const damaged = read().replace('"Ana"', '"Ana')
    write(damaged)
    await expect(IdentityWallet.open({ directory })).rejects.toBeInstanceOf(IdentityMetadataError)
    expect(read()).toBe(damaged)
    write(damaged.replace('"Ana', '"Ana"'))
    await withWallet(directory, async (wallet) => expect(wallet.forUrl('gemini://example.org/club')?.name).toBe('Ana'))
  })

  it('is not made larger than it can be read', async () => {
    const { directory, id, read, write } = await prepared()
    const rest = 8 * 1024 * 1024 - Buffer.byteLength(read()) - 100
    write(`padding = "${'x'.repeat(rest)}"\n${read()}`)
    const whole = read()
    await withWallet(directory, async (wallet) => {
      const code = 'ERR_TLACACOCA_FILE_UNWRITABLE'
      const refusal = { code, message: expect.stringContaining('would be larger than') }
      await expect(wallet.annotate(id, 'x'.repeat(200))).rejects.toMatchObject(refusal)
      await expect(wallet.create({ name: 'x'.repeat(200) })).rejects.toMatchObject(refusal)
      expect(wallet.list()).toMatchObject([{ id, name: 'Ana' }])
    })
    expect(read()).toBe(whole)
    await withWallet(directory, async (wallet) => expect(wallet.list()).toHaveLength(1))
  })

  it('keeps an open wallet from changing anything, and it goes on with what it knows', async () => {
    const { directory, id, read, write } = await prepared()
    const wallet = await folderWallet(directory)
    const whole = read()
    write(`${whole}\nrubbish`)
    const invalid = { code: 'ERR_TLACACOCA_IDENTITY_METADATA_INVALID' }
    await expect(wallet.rename(id, 'Bo')).rejects.toMatchObject(invalid)
    await expect(wallet.create()).rejects.toMatchObject(invalid)
    await expect(wallet.delete(id)).rejects.toMatchObject(invalid)
    await expect(wallet.reload()).rejects.toMatchObject(invalid)
    expect(read()).toBe(`${whole}\nrubbish`)
    expect(wallet.list()).toMatchObject([{ id, name: 'Ana' }])
    expect(await wallet.identityFor('gemini://example.org/club')).not.toBeNull()
    write(whole)
    expect((await wallet.rename(id, 'Bo')).name).toBe('Bo')
  })

  it('that is not text is refused too', async () => {
    const { directory, file } = await prepared()
    writeFileSync(file, Buffer.from([0xff, 0xfe, 0x00]))
    await expect(IdentityWallet.open({ directory })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
  })
})

it('of a newer format is refused, and not called damaged', async () => {
  const { directory, read, write } = await prepared()
  write(read().replace('format = 1', 'format = 2\n[[identity]]\n'))
  await expect(IdentityWallet.open({ directory })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IDENTITY_METADATA_NEWER',
  })
})

it('does not grow with each use: most of them wait until something else is written', async () => {
  const { directory, id, read } = await prepared()
  const wallet = await folderWallet(directory)
  const url = 'gemini://example.org/club'
  await wallet.identityFor(url)
  // The first one at a site is written at once; the next change comes after it.
  await wallet.rename(id, 'Bo')
  expect(read()).toContain('first_used')
  const before = read()
  for (let n = 0; n < 20; n++) await wallet.identityFor(url)
  await wallet.reload()
  expect(read()).toBe(before)
  await wallet.close()
  expect(read()).not.toBe(before)
  await withWallet(directory, async (again) => {
    const [site] = again.get(id)?.sites ?? []
    expect(site?.endpoint.equals(parseEndpoint('example.org:1965'))).toBe(true)
    expect(site?.lastUsedAt?.getTime()).toBeGreaterThan(site?.firstUsedAt?.getTime() ?? Infinity)
  })
})

it('says after a day that an identity is still in use, also if the program never ends', async () => {
  const { directory, read } = await prepared()
  const clock = fixedClock(new Date())
  const wallet = await folderWallet(directory, { clock })
  const url = 'gemini://example.org/club'
  const useAndWait = async (): Promise<string> => {
    await wallet.identityFor(url)
    // It comes after what was to be written.
    await wallet.reload()
    return read()
  }
  const first = await useAndWait()
  clock.advance(A_DAY_MS)
  expect(await useAndWait()).toBe(first)
  clock.advance(A_MINUTE_MS)
  expect(await useAndWait()).not.toBe(first)
})

it('says at once that another identity than before is used at a site, and not again after that', async () => {
  const { directory, id, read } = await prepared()
  const url = 'gemini://example.org/club'
  const clock = fixedClock(new Date())
  const wallet = await folderWallet(directory, { clock })
  const bo = await wallet.create({ name: 'Bo', scope: url })
  const useAndWait = async (): Promise<string> => {
    clock.advance(A_MINUTE_MS)
    await wallet.identityFor(url)
    await wallet.reload()
    return read()
  }
  const choose = async (chosen: string): Promise<string> => {
    clock.advance(A_MINUTE_MS)
    await wallet.use(chosen, url)
    return read()
  }
  await choose(id)
  const first = await useAndWait()
  expect(await useAndWait()).toBe(first)
  await choose(bo.id)
  const before = await choose(id)
  const after = await useAndWait()
  expect(after).not.toBe(before)
  expect(await useAndWait()).toBe(after)
})

it('says which of two was used last to the next program', async () => {
  const { directory } = await prepared()
  const url = 'gemini://example.org/club'
  const names: (string | null | undefined)[] = []
  await withWallet(directory, async (wallet) => {
    await wallet.create({ name: 'Bo', scope: url })
    names.push(wallet.forUrl(url)?.name)
    await wallet.use(wallet.list().find(({ name }) => name === 'Ana')?.id ?? '', url)
  })
  await withWallet(directory, async (wallet) => void names.push(wallet.forUrl(url)?.name))
  expect(names).toEqual(['Bo', 'Ana'])
})
