import { execFileSync, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Cli } from '../../src/cli/command.ts'
import { completionTree, everyCommand } from '../../src/cli/completion/tree.ts'
import { groups } from '../../src/cli/groups.ts'
import { createProgram } from '../../src/cli/program.ts'
import { quietIo, runCli } from '../support/cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function has(shell: string): boolean {
  if (spawnSync(shell, ['-c', 'exit 0']).status === 0) return true
  console.warn(`not tested in ${shell}: it is not installed`)
  return false
}
const tree = completionTree(createProgram(new Cli(quietIo()), '1.0.0', groups))

/** The script of a shell, in a file. */
async function scriptFor(shell: string): Promise<string> {
  const { code, stdout } = await runCli(['completion', shell])
  expect(code).toBe(0)
  const path = join(await temporaryFolder(), 'script')
  await writeFile(path, stdout)
  return path
}

/** What is offered for words, of which the last one is being typed. */
type Offers = (words: readonly string[]) => string[]

const SHELLS: Readonly<Record<string, (script: string) => Offers>> = {
  bash: (script) => (words) => {
    const program =
      'compopt() { echo FILES; }; source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tlacacoca; printf "%s\\n" "$' +
      '{COMPREPLY[@]}"'
    return linesOf(execFileSync('bash', ['-c', program, script, ...words], { encoding: 'utf8' }))
  },
  zsh: (script) => (words) => {
    const program =
      'compdef() { : }; compadd() { shift; print -l -- "$@" }; _files() { print FILES }; source "$0"; words=("$@"); CURRENT=$#; _tlacacoca'
    const offered = linesOf(execFileSync('zsh', ['-f', '-c', program, script, ...words], { encoding: 'utf8' }))
    // The real compadd looks at what is typed.
    return offered.filter((word) => word === 'FILES' || word.startsWith(words.at(-1) ?? ''))
  },
  fish: (script) => (words) => {
    const program = 'source $argv[1]; cd (dirname $argv[1]); complete -C "$argv[2]"'
    const output = execFileSync('fish', ['--no-config', '-c', program, script, words.join(' ')], { encoding: 'utf8' })
    const offered = linesOf(output).map((line) => line.split('\t')[0] ?? '')
    return offered.map((word) => (word === 'script' ? 'FILES' : word))
  },
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

it('knows every command, each option of it, and the values of those that have only some', () => {
  const paths = everyCommand(tree).map(({ path }) => path.join(' '))
  for (const path of ['cert new', 'cert fingerprint', 'tofu trust', 'get', 'probe', 'serve', 'completion']) {
    expect(paths).toContain(path)
  }
  const keyType = everyCommand(tree)
    .find(({ path }) => path.join(' ') === 'cert new')
    ?.node.options.find(({ long }) => long === '--key-type')
  expect(keyType).toMatchObject({ takesValue: true, values: expect.arrayContaining(['P-256', 'Ed25519']) })
})

describe.each(Object.entries(SHELLS))('the script for %s', (shell, start) => {
  it.runIf(has(shell))('completes commands, options, values and files', async () => {
    const offers = start(await scriptFor(shell))
    expect(offers(['tlacacoca', 'ce'])).toEqual(['cert'])
    expect(offers(['tlacacoca', ''])).toEqual(expect.arrayContaining(['cert', 'tofu', 'get', 'serve', 'completion']))
    expect(offers(['tlacacoca', 'cert', 'f'])).toEqual(['fingerprint'])
    expect(offers(['tlacacoca', 'cert', 'new', '--key-t'])).toEqual(['--key-type'])
    expect(offers(['tlacacoca', 'cert', 'new', '--key-type', 'E'])).toEqual(['Ed25519'])
    expect(offers(['tlacacoca', 'get', '--first-use', 'r'])).toEqual(expect.arrayContaining(['refuse']))
    expect(offers(['tlacacoca', 'get', '--first-use', 'r'])).not.toContain('FILES')
    expect(offers(['tlacacoca', 'completion', 'z'])).toEqual(['zsh'])
    expect(offers(['tlacacoca', 'cert', 'show', ''])).toContain('FILES')
    expect(offers(['tlacacoca', 'cert', 'check', '--key', ''])).toContain('FILES')
    expect(offers(['tlacacoca', 'cert', 'new', '--js'])).toEqual(['--json'])
    expect(offers(['tlacacoca', 'tofu', 'list', '--key-t'])).toEqual([])
  })
})

it.runIf(has('bash'))('is what bash takes by "source <(…)"', async () => {
  const script = await scriptFor('bash')
  const output = execFileSync('bash', ['-c', 'source <(cat "$0"); complete -p tlacacoca', script], { encoding: 'utf8' })
  expect(output).toBe('complete -F _tlacacoca tlacacoca\n')
})

it('can be had as JSON, and only for a shell that is known', async () => {
  const result = await runCli(['completion', 'fish', '--json'])
  expect(result.json()).toMatchObject({ shell: 'fish', script: expect.stringContaining('complete -c tlacacoca') })
  for (const args of [[], ['tcsh']]) expect((await runCli(['completion', ...args])).code).toBe(2)
})
