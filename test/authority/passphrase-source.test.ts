import { execFileSync, spawn } from 'node:child_process'
import { chmod, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  type PassphraseSource,
  readPassphrase,
  requirePassphraseSource,
} from '../../src/authority/passphrase-source.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const REQUIRED = 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED'
const INVALID = 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_INVALID'
const SECRET = 'correct horse'

let file: string
let exposed: string[]
beforeEach(async () => {
  file = join(await temporaryFolder(), 'passphrase')
  exposed = []
  setVariable('CA_PASSPHRASE', undefined)
  setVariable('CA_PASSPHRASE_FILE', undefined)
})

function setVariable(name: string, value: string | undefined): void {
  const before = process.env[name]
  const set = (text: string | undefined) => {
    if (text === undefined) delete process.env[name]
    else process.env[name] = text
  }
  set(value)
  onTestFinished(() => set(before))
}

async function read(source: PassphraseSource | undefined, isNew = false): Promise<string> {
  const onExposedFile = (path: string) => exposed.push(path)
  const passphrase = await readPassphrase(source, { keyPath: 'ca.private_key.pem', isNew, onExposedFile })
  return typeof passphrase === 'string' ? passphrase : Buffer.from(passphrase).toString('latin1')
}

const write = (contents: string | Uint8Array, mode = 0o600) => writeFile(file, contents, { mode })

describe('a passphrase from an argument', () => {
  it('is taken as it is', async () => {
    expect(await read(SECRET)).toBe(SECRET)
    expect(await read(Uint8Array.of(0xff, 0x0a))).toBe('\xff\n')
  })

  it.each([
    ['', /at least one byte/],
    ['x'.repeat(1025), /at most 1024 bytes/],
  ])('must be one that OpenSSL takes if it is for a new key', async (passphrase, message) => {
    await expect(read(passphrase, true)).rejects.toThrow(message)
    // One that opens an old key may be anything.
    expect(await read(passphrase)).toBe(passphrase)
  })

  it.each([
    [1234],
    [null],
    [true],
    [[SECRET]],
    [{}],
    [{ file: 'a', environment: 'B' }],
    [{ file: 1234 }],
    [{ environment: null }],
    [{ prompt: false }],
    [{ fiel: SECRET }],
    [() => SECRET],
  ])('is refused if it is no source, and never shown: %o', (source) => {
    expect(() => requirePassphraseSource(source)).toThrow(TypeError)
    try {
      requirePassphraseSource(source)
    } catch (error) {
      expect(String(error)).not.toMatch(/horse/)
    }
  })

  it('is not shown even if it is a number', () => {
    expect(() => requirePassphraseSource(271828)).toThrow(/^(?!.*271828)/)
  })
})

describe('a passphrase from a file', () => {
  it.each([
    ['a line', `${SECRET}\n`, SECRET],
    ['a line without its end', SECRET, SECRET],
    ['a line as Windows writes it', `${SECRET}\r\n`, SECRET],
    ['spaces around it, which belong to it', ' x \n', ' x '],
    ['a carriage return that is no line end', 'x\r', 'x\r'],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x0a), '\xff\xfe'],
  ])('can be %s', async (_name, contents, passphrase) => {
    await write(contents)
    expect(await read({ file })).toBe(passphrase)
    expect(exposed).toEqual([])
  })

  it.each([
    ['empty', '', INVALID],
    ['an empty line', '\n', INVALID],
    ['an empty line as Windows writes it', '\r\n', INVALID],
    ['two lines', `${SECRET}\n${SECRET}\n`, INVALID],
    ['a line and an empty one', `${SECRET}\n\n`, INVALID],
    ['huge', 'x'.repeat(5000), 'ERR_TLACACOCA_FILE_UNREADABLE'],
  ])('is refused if the file is %s', async (_name, contents, code) => {
    await write(contents)
    const error = await read({ file }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code, message: expect.stringContaining(file) })
    expect(String(error)).not.toContain(SECRET)
  })

  it('is refused for a new key if OpenSSL would not take it', async () => {
    await write('x'.repeat(1025))
    await expect(read({ file }, true)).rejects.toMatchObject({ code: INVALID })
  })

  it('is missed if there is no such file', async () => {
    await expect(read({ file })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND', path: file })
  })

  it.each([
    [0o600, 0],
    [0o640, 0],
    [0o644, 1],
    [0o604, 1],
  ])('is reported if everybody can read it: mode %o', async (mode, reports) => {
    await write(SECRET)
    await chmod(file, mode)
    await read({ file })
    expect(exposed).toHaveLength(reports)
  })

  it('is reported if everybody can read what a link leads to', async () => {
    await write(SECRET)
    await chmod(file, 0o644)
    await symlink(file, `${file}.link`)
    expect(await read({ file: `${file}.link` })).toBe(SECRET)
    expect(exposed).toEqual([`${file}.link`])
  })

  it.skipIf(process.platform === 'win32')('can come through a pipe', async () => {
    execFileSync('mkfifo', ['-m', '600', file])
    const writer = spawn('sh', ['-c', `printf '${SECRET}\\n' > "$0"`, file])
    onTestFinished(() => void writer.kill())
    expect(await read({ file })).toBe(SECRET)
  })
})

describe('a passphrase from the environment', () => {
  it('is taken, and is gone afterwards', async () => {
    setVariable('TLACACOCA_TEST', SECRET)
    expect(await read({ environment: 'TLACACOCA_TEST' })).toBe(SECRET)
    expect(process.env.TLACACOCA_TEST).toBeUndefined()
    await expect(read({ environment: 'TLACACOCA_TEST' })).rejects.toMatchObject({ code: REQUIRED })
  })

  it.each([undefined, ''])('is missed if the variable is %j, and no other source is tried', async (value) => {
    setVariable('TLACACOCA_TEST', value)
    setVariable('CA_PASSPHRASE', SECRET)
    await expect(read({ environment: 'TLACACOCA_TEST' })).rejects.toMatchObject({
      code: REQUIRED,
      message: expect.stringContaining('"TLACACOCA_TEST"'),
    })
  })

  it('is gone also if it cannot be used', async () => {
    setVariable('TLACACOCA_TEST', 'x'.repeat(1025))
    await expect(read({ environment: 'TLACACOCA_TEST' }, true)).rejects.toMatchObject({ code: INVALID })
    expect(process.env.TLACACOCA_TEST).toBeUndefined()
  })

  it('is refused if it was not UTF-8, and is not another one instead', async () => {
    setVariable('TLACACOCA_TEST', 'caf\ufffd')
    await expect(read({ environment: 'TLACACOCA_TEST' })).rejects.toMatchObject({ code: INVALID })
  })
})

describe('a passphrase of which nothing is said', () => {
  it('comes from the file that CA_PASSPHRASE_FILE names first', async () => {
    await write('from the file\n')
    setVariable('CA_PASSPHRASE_FILE', file)
    setVariable('CA_PASSPHRASE', 'from the variable')
    expect(await read(undefined)).toBe('from the file')
    // It was not used, so it is not deleted.
    expect(process.env.CA_PASSPHRASE).toBe('from the variable')
  })

  it('comes from CA_PASSPHRASE next, which is gone afterwards', async () => {
    setVariable('CA_PASSPHRASE', SECRET)
    expect(await read(undefined)).toBe(SECRET)
    expect(process.env.CA_PASSPHRASE).toBeUndefined()
  })

  it('does not come from the next source because the first one fails', async () => {
    setVariable('CA_PASSPHRASE_FILE', file)
    setVariable('CA_PASSPHRASE', SECRET)
    await expect(read(undefined)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' })
    expect(process.env.CA_PASSPHRASE).toBe(SECRET)
  })

  it('is missed if there is nothing, and no terminal: the message says what to do', async () => {
    setVariable('CA_PASSPHRASE_FILE', '')
    setVariable('CA_PASSPHRASE', '')
    await expect(read(undefined)).rejects.toMatchObject({
      code: REQUIRED,
      message: expect.stringMatching(/"passphrase".*CA_PASSPHRASE_FILE or CA_PASSPHRASE.*terminal/),
    })
  })
})

describe('a passphrase from the terminal', () => {
  it('is missed if there is none', async () => {
    setVariable('CA_PASSPHRASE', SECRET)
    await expect(read({ prompt: true })).rejects.toMatchObject({ code: REQUIRED })
    expect(process.env.CA_PASSPHRASE).toBe(SECRET)
  })

  it('is not asked for while something else reads what is typed', async () => {
    const { stdin } = process
    const before = { isTTY: stdin.isTTY, isRaw: stdin.isRaw }
    Object.assign(stdin, { isTTY: true, isRaw: true })
    onTestFinished(() => void Object.assign(stdin, before))
    await expect(read({ prompt: true })).rejects.toThrow(/in use/)
  })
})
