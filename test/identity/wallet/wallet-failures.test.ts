// What the disk can do to a wallet: what can be read goes on working, what cannot be written is an error, and nothing that
// was there before is lost over it.

import { chmodSync, chownSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ChildOptions, startChild } from '../../support/run-child.ts'
import { folderWallet, newFolder, withWallet } from './wallet-support.ts'

const URL_ = 'gemini://example.org/'

async function prepared() {
  const directory = await newFolder()
  const { id } = await withWallet(directory, (wallet) => wallet.create({ name: 'Ana', scope: URL_ }))
  const contents = () =>
    Object.fromEntries(
      readdirSync(directory)
        .filter((name) => name !== '.lock')
        .map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
    )
  return { directory, id, contents }
}

/** The answers of a program to commands, the first being whether the wallet opens. */
async function answers(directory: string, commands: readonly string[], options: ChildOptions = {}): Promise<unknown[]> {
  const child = startChild('wallet-child.ts', { ...options, args: [directory, ...(options.args ?? [])] })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  const lines = [await child.line()]
  for (const command of commands) {
    child.send(command)
    lines.push(await child.line())
  }
  child.process.stdin?.end()
  const { stderr } = await child.ended
  expect(stderr).toBe('')
  return lines
}

const commandsFor = (id: string): string[] => [
  'list',
  `identity ${URL_}`,
  `create Bo ${URL_}`,
  `annotate ${id} x`,
  `renew ${id}`,
  `delete ${id}`,
  'temporary gemini://b.example/',
  'identity gemini://b.example/',
  `identity ${URL_}`,
]

const posix = process.platform === 'win32' ? describe.skip : describe

posix('where nothing can be written', () => {
  it.each([
    ['the folder is read-only', 0o500, 0o600],
    ['the files are read-only too', 0o500, 0o400],
  ])(
    '(%s) identities are found and used, temporary ones are made, and everything else is an error',
    async (_, folder, file) => {
      const { directory, id, contents } = await prepared()
      for (const name of readdirSync(directory)) {
        chmodSync(join(directory, name), file)
        if (process.getuid?.() === 0) chownSync(join(directory, name), 65534, 65534)
      }
      if (process.getuid?.() === 0) {
        chmodSync(join(directory, '..'), 0o755)
        chownSync(directory, 65534, 65534)
      }
      chmodSync(directory, folder)
      onTestFinished(() => chmodSync(directory, 0o700))
      const before = contents()
      const found = await answers(directory, commandsFor(id), { args: ['--as-nobody'] })
      const unwritable = 'ERR_TLACACOCA_FILE_UNWRITABLE'
      expect(found).toEqual([
        'ready',
        `ok ${id}`,
        'ok given',
        ...[unwritable, unwritable, unwritable, unwritable],
        expect.stringMatching(/^ok /),
        'ok given',
        'ok given',
      ])
      expect(contents()).toEqual(before)
    },
  )

  it('a folder that cannot be read is an error, and no empty wallet', async () => {
    const { directory } = await prepared()
    if (process.getuid?.() === 0) chmodSync(join(directory, '..'), 0o755)
    chmodSync(directory, 0o000)
    onTestFinished(() => chmodSync(directory, 0o700))
    expect(await answers(directory, [], { args: ['--as-nobody'] })).toEqual(['ERR_TLACACOCA_FILE_UNREADABLE'])
  })

  it('a file with names that cannot be read is an error too', async () => {
    const { directory } = await prepared()
    if (process.getuid?.() === 0) chmodSync(join(directory, '..'), 0o755)
    chmodSync(directory, 0o755)
    for (const name of readdirSync(directory))
      chmodSync(join(directory, name), name === 'identities.toml' ? 0o000 : 0o644)
    onTestFinished(() => chmodSync(directory, 0o700))
    expect(await answers(directory, [], { args: ['--as-nobody'] })).toEqual(['ERR_TLACACOCA_FILE_UNREADABLE'])
  })
})

// No file can grow beyond so many blocks of 512 bytes: what a full disk does, without filling one.
posix('where nothing has room to grow', () => {
  it.each([0, 1])('(%i blocks) nothing is lost or half written', async (blocks) => {
    const { directory, id, contents } = await prepared()
    // Long enough that even its own size would not fit.
    await withWallet(directory, (wallet) => wallet.annotate(id, 'x'.repeat(2000)))
    const before = contents()
    const shell = `trap '' XFSZ; ulimit -f ${blocks}`
    const commands = ['list', `identity ${URL_}`, `create Bo ${URL_}`, `annotate ${id} x`, 'list', `identity ${URL_}`]
    const found = await answers(directory, commands, { shell })
    expect(found).toEqual([
      'ready',
      `ok ${id}`,
      'ok given',
      'ERR_TLACACOCA_FILE_UNWRITABLE',
      // With the notes gone, one block has room for the rest.
      blocks === 0 ? 'ERR_TLACACOCA_FILE_UNWRITABLE' : expect.any(String),
      `ok ${id}`,
      'ok given',
    ])
    if (blocks === 0) expect(contents()).toEqual(before)
    const wallet = await folderWallet(directory)
    expect(wallet.list()).toMatchObject([{ id, name: 'Ana' }])
    expect(wallet.problems).toEqual([])
    expect((await wallet.create({ name: 'Bo' })).name).toBe('Bo')
  })

  it('a pair that was written is taken back if its name cannot be', async () => {
    const { directory, id } = await prepared()
    await withWallet(directory, (wallet) => wallet.annotate(id, 'x'.repeat(5000)))
    const files = readdirSync(directory).sort()
    // Room for a key and a certificate, and none for the file of names.
    const found = await answers(directory, ['create Bo'], { shell: `trap '' XFSZ; ulimit -f 4` })
    expect(found).toEqual(['ready', 'ERR_TLACACOCA_FILE_UNWRITABLE'])
    expect(readdirSync(directory).sort()).toEqual(files)
  })
})
