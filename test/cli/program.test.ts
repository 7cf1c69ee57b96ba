// The frame that all commands share: how it is spoken to, and how it ends.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Cli, newCommand } from '../../src/cli/command.ts'
import { BadAnswer, Declined, Explained, UsageError } from '../../src/cli/exit-code.ts'
import { groups } from '../../src/cli/groups.ts'
import { requireYes } from '../../src/cli/io.ts'
import { type CommandGroup, createProgram } from '../../src/cli/program.ts'
import {
  AddressListError,
  CertificateChangedError,
  CertificateError,
  ConnectionError,
  FileError,
  ListenError,
  StoreError,
} from '../../src/errors.ts'
import { quietIo, runCli } from '../support/cli.ts'
import { CLI_COMMAND, spawnCli, startCli } from '../support/cli-process.ts'
import { HAS_PSEUDO_TERMINALS, runInTerminal } from '../support/pseudo-terminal.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** A group with a command that does what the test says. */
function groupOf(work: (cli: Cli) => Promise<never> | Promise<{ json: unknown; text: string }>): CommandGroup {
  return (cli) => {
    const group = newCommand(cli, 'group').description('a group')
    group
      .command('do')
      .argument('[word]', 'a word')
      .option('--number <n>', 'a number')
      .action(cli.action(() => work(cli)))
    return group
  }
}

const said = groupOf(async () => ({ json: { said: 'yes' }, text: 'it said yes' }))

describe('help and version', () => {
  it.each([['--help'], ['-h'], ['help']])('lists the commands for %s, on the standard output', async (word) => {
    const { code, stdout, stderr } = await runCli([word])
    expect(code).toBe(0)
    for (const command of ['cert', 'get', 'probe', 'serve', 'completion']) expect(stdout).toContain(command)
    expect(stderr).toBe('')
  })

  it.each([['--version'], ['-V']])('prints nothing but the version for %s', async (word) => {
    expect(await runCli([word])).toMatchObject({ code: 0, stdout: '0.0.0-test\n', stderr: '' })
  })

  it('says of every command what it does and what its options and arguments are', () => {
    const program = createProgram(new Cli(quietIo()), '1.0.0', groups)
    const all = (command: typeof program): (typeof program)[] => [
      command,
      ...command.commands.flatMap((c) => all(c as typeof program)),
    ]
    for (const command of all(program)) {
      const name = command.name()
      expect(command.description() || command.summary(), name).not.toBe('')
      for (const option of command.options) expect(option.description, `${name} ${option.flags}`).not.toBe('')
      for (const argument of command.registeredArguments) {
        expect(argument.description, `${name} <${argument.name()}>`).not.toBe('')
      }
    }
  })

  it('explains a group that is called without a subcommand, and counts it as a mistake', async () => {
    const { code, stdout, stderr } = await runCli(['group'], { groups: [said] })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('Usage: tlacacoca group')
  })
})

describe('a command that is not understood', () => {
  it.each([
    { args: ['gruop'], says: "unknown command 'gruop'\n(Did you mean group?)" },
    { args: ['group', 'od'], says: "unknown command 'od'" },
    { args: ['group', 'do', '--nmuber', '1'], says: "unknown option '--nmuber'\n(Did you mean --number?)" },
    { args: ['group', 'do', '--number'], says: "option '--number <n>' argument missing" },
    { args: ['group', 'do', 'one', 'two'], says: 'too many arguments' },
  ])('is refused with a sentence on the standard error: $args', async ({ args, says }) => {
    const { code, stdout, stderr } = await runCli(args, { groups: [said] })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(says)
    expect(stderr).toContain('--help')
  })

  it.each([
    { args: ['--json', 'gruop'], says: "unknown command 'gruop'" },
    { args: ['group', 'do', '--nope', '--json'], says: "unknown option '--nope'" },
    { args: ['group', '--json'], says: 'a subcommand is missing' },
  ])('is refused in JSON where JSON is wanted: $args', async ({ args, says }) => {
    const result = await runCli(args, { groups: [said] })
    expect(result.code).toBe(2)
    expect(result.stderr).toBe('')
    expect(result.json()).toMatchObject({ error: { message: expect.stringContaining(says) } })
  })
})

describe('the result', () => {
  it('is text by default, and data with --json wherever that stands', async () => {
    expect(await runCli(['group', 'do'], { groups: [said] })).toMatchObject({
      code: 0,
      stdout: 'it said yes\n',
      stderr: '',
    })
    for (const args of [
      ['--json', 'group', 'do'],
      ['group', '--json', 'do'],
      ['group', 'do', '--json'],
    ]) {
      const result = await runCli(args, { groups: [said] })
      expect(result.json()).toEqual({ said: 'yes' })
    }
  })

  it('is text if --json is an argument and no option', async () => {
    expect((await runCli(['group', 'do', '--', '--json'], { groups: [said] })).stdout).toBe('it said yes\n')
  })
})

describe('an error', () => {
  const facts = { endpoint: 'example.org:1965', pinned: 'sha256:aa', presented: 'sha256:bb' }
  const rows: readonly { readonly error: Error; readonly code: number }[] = [
    { error: new Declined('nothing was changed'), code: 1 },
    { error: new CertificateChangedError(facts), code: 1 },
    { error: new UsageError('two options exclude each other'), code: 2 },
    { error: new CertificateError('ERR_TLACACOCA_CERTIFICATE_MALFORMED', 'it is broken'), code: 3 },
    { error: new AddressListError('it is too short', 'list.txt'), code: 3 },
    { error: new ConnectionError('ERR_TLACACOCA_TIMEOUT', 'it took too long'), code: 4 },
    { error: new ListenError('the port is taken'), code: 4 },
    { error: new BadAnswer('no status line'), code: 4 },
    { error: new FileError('ERR_TLACACOCA_FILE_NOT_FOUND', 'a', 'there is no a'), code: 5 },
    { error: new StoreError('ERR_TLACACOCA_STORE_LOCKED', 'it is locked'), code: 5 },
    {
      error: new Explained('in other words', new FileError('ERR_TLACACOCA_FILE_EXISTS', 'a', 'there is one')),
      code: 5,
    },
    { error: new TypeError('a mistake in here'), code: 70 },
  ]

  it.each(rows)('ends with $code if it is $error', async ({ error, code }) => {
    const result = await runCli(['group', 'do'], { groups: [groupOf(() => Promise.reject(error))] })
    expect(result.code).toBe(code)
    expect(result.stdout).toBe('')
    expect(result.stderr).toContain(`error: ${error.message}`)
    // Where in the program it happened is of interest only if it is the program's mistake.
    expect(result.stderr.includes('    at ')).toBe(code === 70)
  })

  it('shows its code to people and to programs, and facts and problems to programs', async () => {
    const problems = [{ line: 2, column: 3, message: 'it is no address' }]
    const error = new AddressListError('there are mistakes', 'list.txt', problems)
    const failing = groupOf(() => Promise.reject(new Explained('do not use it', error, { list: 'deny' })))
    const text = await runCli(['group', 'do'], { groups: [failing] })
    expect(text.stderr).toBe('error: do not use it [ERR_TLACACOCA_ADDRESS_LIST_INVALID]\n')
    const data = await runCli(['group', 'do', '--json'], { groups: [failing] })
    expect(data.stderr).toBe('')
    expect(data.json()).toEqual({
      error: { code: 'ERR_TLACACOCA_ADDRESS_LIST_INVALID', message: 'do not use it', problems, list: 'deny' },
    })
  })

  it('is coloured only where colours are wanted', async () => {
    const failing = groupOf(() => Promise.reject(new Declined('no')))
    expect((await runCli(['group', 'do'], { groups: [failing], hasColor: true })).stderr).toContain('\u001b[31merror:')
    expect((await runCli(['group', 'do'], { groups: [failing] })).stderr).toBe('error: no\n')
  })
})

describe('a question', () => {
  const asking = groupOf(async ({ io }) => {
    await requireYes(io, 'Delete it?', false)
    return { json: null, text: 'deleted' }
  })

  it.each([
    { answers: [true], code: 0, stdout: 'deleted\n' },
    { answers: [false], code: 1, stdout: '' },
  ])('is asked where somebody can answer, and $answers ends with $code', async ({ answers, code, stdout }) => {
    const result = await runCli(['group', 'do'], { groups: [asking], answers })
    expect(result).toMatchObject({ code, stdout, questions: ['Delete it?'] })
  })

  it('is a mistake of usage where nobody can answer', async () => {
    const result = await runCli(['group', 'do'], { groups: [asking] })
    expect(result).toMatchObject({ code: 2, stdout: '', questions: [] })
    expect(result.stderr).toContain('say --force')
  })
})

describe('Ctrl-C', () => {
  it('ends a command that waits, with 130 and one word', async () => {
    const waiting = groupOf(async ({ io }) => {
      io.stderr.write('waiting\n')
      return new Promise<never>(() => {})
    })
    const running = startCli(['group', 'do'], { groups: [waiting] })
    await running.printed('stderr', /waiting/)
    running.interrupt()
    expect(await running.result).toMatchObject({ code: 130, stderr: 'waiting\nerror: interrupted\n' })
  })

  it('ends a process that waits for a server', async () => {
    const silent = createServer()
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void silent.close())
    const { port } = silent.address() as AddressInfo
    const child = spawnCli(['get', `127.0.0.1:${port}`, '--no-identity'], { home: await temporaryFolder(), stdin: '' })
    const [socket] = (await once(silent, 'connection')) as [Socket]
    socket.on('error', () => {})
    child.process.kill('SIGINT')
    expect(await child.ended).toMatchObject({ code: 130, signal: null, stdout: '', stderr: 'error: interrupted\n' })
  })

  it.runIf(HAS_PSEUDO_TERMINALS)('at a question changes nothing, and leaves the terminal as it was', async () => {
    const folder = await temporaryFolder()
    const command = [...CLI_COMMAND, 'cert', 'new', 'example.org', '--encrypt', '--out', join(folder, 'new')]
    const keys = [{ after: 'New passphrase', type: 'half of it\u0003' }]
    const session = await runInTerminal(command, keys, { env: { HOME: folder, TERM: 'xterm' } })
    expect(session).toMatchObject({ code: 1, echoes: true })
    expect(session.screen).not.toContain('half of it')
    await expect(stat(join(folder, 'new'))).rejects.toThrow()
  })
})

describe('as a process', () => {
  it('prints the version of the package', async () => {
    const { code, stdout } = await spawnCli(['--version'], { stdin: '' }).ended
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  it.skipIf(process.platform !== 'linux')('says that its output cannot be written, on a full disk', () => {
    const [program, ...before] = CLI_COMMAND
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => closeSync(full))
    const { status, stderr } = spawnSync(program, [...before, '--help'], { stdio: ['ignore', full, 'pipe'] })
    expect(status).toBe(5)
    expect(String(stderr)).toBe('error: cannot write the standard output: ENOSPC\n')
  })

  it('is content if nobody reads all of its output', async () => {
    const child = spawnCli(['--help'])
    child.process.stdout.destroy()
    expect(await child.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it.runIf(HAS_PSEUDO_TERMINALS)('has colours at a terminal, and none if NO_COLOR says so', async () => {
    const command = [...CLI_COMMAND, 'cert', 'show', '/nonexistent.pem']
    const home = await temporaryFolder()
    const env = { HOME: home, TERM: 'xterm', FORCE_COLOR: undefined, NO_COLOR: '' }
    const coloured = await runInTerminal(command, [], { env })
    expect(coloured.screen).toContain('\u001b[31merror:')
    expect(coloured.code).toBe(5)
    const plain = await runInTerminal(command, [], { env: { ...env, NO_COLOR: '1' } })
    expect(plain.screen).not.toContain('\u001b')
  })
})
