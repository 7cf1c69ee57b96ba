import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { createAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { HAS_PSEUDO_TERMINALS, type Keystrokes, runInTerminal } from '../support/pseudo-terminal.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const CHILD = fileURLToPath(new URL('../support/authority-child.ts', import.meta.url))
const PASSPHRASE = 'correct horse 🐴 Ünïcode'
const NEW = 'New passphrase for '
const AGAIN = 'The same once more: '
const OPEN = 'Passphrase for '

let folder: string
let path: string
beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder, 'ca')
})

async function atTerminal(
  action: 'create' | 'open',
  keystrokes: readonly Keystrokes[],
  more: { env?: NodeJS.ProcessEnv; signalAfter?: { text: string; signal: string }; options?: object } = {},
) {
  const command = [process.execPath, '--import', 'tsx', CHILD, action, path, JSON.stringify(more.options ?? {})]
  const env = { CA_PASSPHRASE: '', CA_PASSPHRASE_FILE: '', ...more.env }
  const session = await runInTerminal(command, keystrokes, { ...more, env })
  const line = session.screen.split(/\r?\n/).find((each) => each.startsWith('{'))
  return { ...session, result: (line === undefined ? {} : JSON.parse(line)) as Record<string, unknown> }
}

const create = (passphrase: string) => createAuthorityDirectory(path, { subject: [['CN', 'ca.net']], passphrase })

describe.skipIf(!HAS_PSEUDO_TERMINALS)('a passphrase that is typed', () => {
  it('is asked for twice when an authority is created, and never shown', async () => {
    const created = await atTerminal('create', [
      { after: NEW, type: `${PASSPHRASE}\r` },
      { after: AGAIN, type: `${PASSPHRASE}\r` },
    ])
    expect(created.result).toMatchObject({ subject: 'CN=ca.net', warnings: [] })
    expect(created.code).toBe(0)
    expect(created.screen).toContain(`${NEW}${JSON.stringify(join(path, 'ca.private_key.pem'))}: \r\n${AGAIN}\r\n`)
    expect(created.screen).not.toContain('horse')
    expect(created.echoes).toBe(true)

    const opened = await atTerminal('open', [{ after: OPEN, type: `${PASSPHRASE}\r` }])
    expect(opened.result).toEqual({ ...created.result, environment: '' })
    expect(opened.screen.match(/assphrase for/g)).toHaveLength(1)
    expect(opened.screen).not.toContain('horse')
    expect(opened.echoes).toBe(true)
  })

  it('can be corrected while it is typed', async () => {
    await create('abcé')
    const opened = await atTerminal('open', [{ after: OPEN, type: 'nonsense\x15abXX\x7f\x7fcé€\x7f\r' }])
    expect(opened.result).toMatchObject({ subject: 'CN=ca.net' })
  })

  it('stays hidden after Ctrl-Z, where the process cannot be stopped', async () => {
    await create('secret')
    const { result, screen } = await atTerminal('open', [{ after: OPEN, type: 's\x1aecret\r' }])
    expect(result).toMatchObject({ subject: 'CN=ca.net' })
    expect(screen).not.toMatch(/cret/)
  })

  it('can be pasted, both lines at once', async () => {
    const created = await atTerminal('create', [{ after: NEW, type: 'secret\rsecret\rmore\r', paste: true }])
    expect(created.result).toMatchObject({ subject: 'CN=ca.net' })
  })

  it('must be the same twice, or nothing is created', async () => {
    const { result, screen } = await atTerminal('create', [
      { after: NEW, type: 'secret\r' },
      { after: AGAIN, type: 'Secret\r' },
    ])
    expect(result).toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_INVALID' })
    expect(screen).not.toMatch(/secret/i)
    expect(await readdir(folder)).toEqual([])
  })

  it.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-C after some letters', 'sec\x03'],
    ['Ctrl-D', '\x04'],
    ['an empty line', '\r'],
  ])('is not there after %s, and the terminal is as it was', async (_name, type) => {
    await create('secret')
    const { result, echoes, code } = await atTerminal('open', [{ after: OPEN, type }])
    expect(result).toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED' })
    expect({ echoes, code }).toEqual({ echoes: true, code: 0 })
  })

  it.each(['create', 'open'] as const)('is too long beyond 1024 bytes for a new key: %s', async (action) => {
    const long = 'x'.repeat(1025)
    if (action === 'open') await create('secret')
    const { result } = await atTerminal(action, [
      { after: action === 'create' ? NEW : OPEN, type: `${long}\r`, paste: true },
      { after: AGAIN, type: `${long}\r`, paste: true },
    ])
    const expected = action === 'create' ? 'AUTHORITY_PASSPHRASE_INVALID' : 'KEY_PASSPHRASE_WRONG'
    expect(result).toMatchObject({ code: `ERR_TLACACOCA_${expected}` })
  })

  it('leaves a terminal that echoes if the program is ended meanwhile', async () => {
    await create('secret')
    const { echoes, signal } = await atTerminal('open', [], { signalAfter: { text: OPEN, signal: 'SIGTERM' } })
    expect({ echoes, signal }).toEqual({ echoes: true, signal: 'SIGTERM' })
  })

  it('that is wrong is wrong', async () => {
    await create('secret')
    const { result, screen } = await atTerminal('open', [{ after: OPEN, type: 'sacred\r' }])
    expect(result).toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' })
    expect(screen).not.toContain('sacred')
  })

  it('is not asked for if the environment has it', async () => {
    await create('secret')
    const { result, screen } = await atTerminal('open', [], { env: { CA_PASSPHRASE: 'secret' } })
    expect(result).toMatchObject({ subject: 'CN=ca.net', environment: null })
    expect(screen).not.toContain(OPEN)
  })

  it('is asked for if that is said, whatever the environment has', async () => {
    await create('secret')
    const more = { env: { CA_PASSPHRASE: 'wrong' }, options: { passphrase: { prompt: true } } }
    const { result } = await atTerminal('open', [{ after: OPEN, type: 'secret\r' }], more)
    expect(result).toMatchObject({ subject: 'CN=ca.net', environment: 'wrong' })
  })

  it('is not asked for if the key is not encrypted', async () => {
    await createAuthorityDirectory(path, { subject: [['CN', 'ca.net']], dangerouslyUnencrypted: true })
    const { result, screen } = await atTerminal('open', [])
    expect(result).toMatchObject({ warnings: ['key_not_encrypted'] })
    expect(screen).not.toContain(OPEN)
  })

  it('cannot steer the terminal by the path in the question', async () => {
    path = join(folder, 'ca\x1b[2J')
    await create('secret')
    const { result, screen } = await atTerminal('open', [{ after: OPEN, type: 'secret\r' }])
    expect(result).toMatchObject({ subject: 'CN=ca.net' })
    expect(screen).not.toContain('\x1b[2J')
  })
})
