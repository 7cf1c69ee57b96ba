import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { Cli } from '../../src/cli/command.ts'
import { groups } from '../../src/cli/groups.ts'
import { processIo } from '../../src/cli/io.ts'
import { createProgram } from '../../src/cli/program.ts'

// Every command that a reader can copy is understood by the parser of today: its name, options, arguments and choices.
// None of them is carried out.

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Printed {
  readonly place: string
  readonly words: readonly string[]
}

/** What a shell would make of a line: commands between pipes and the like, quotes taken off, redirections left out. */
function commandsOf(line: string): string[][] {
  const commands: string[][] = [[]]
  const token = /\s*(?:#.*|[<>]\(|[|;&()]+|\d?>{1,2}&?\s*\S+|<\s*\S+|((?:'[^']*'|"[^"]*"|\\.|[^\s'"|;&<>()\\])+))/gy
  for (const [text, word] of line.matchAll(token)) {
    if (word !== undefined) commands.at(-1)?.push(word.replace(/'([^']*)'|"([^"]*)"|\\(.)/g, '$1$2$3'))
    else if (/^\s*(?:[<>]\(|[|;&()])/.test(text)) commands.push([])
  }
  return commands.filter((words) => words.length > 0)
}

function printedIn(place: string, markdown: string): Printed[] {
  const blocks = [...markdown.matchAll(/^```(?:sh|bash|console)\n([\s\S]*?)^```$/gm)]
  return blocks.flatMap(({ 1: text = '', index }) => {
    const first = markdown.slice(0, index).split('\n').length
    const lines = text.replace(/\\\n/g, '  ').split('\n')
    return lines.flatMap((line) =>
      commandsOf(line.replace(/^\$ /, '')).flatMap((words) => {
        const start = words.findIndex((word) => word === 'tlacacoca' || word === 'src/cli/main.ts')
        // `npm install tlacacoca` and the like are about the package.
        const before = words.slice(0, Math.max(start, 0)).join(' ')
        if (start === -1 || !/^(?:|sudo|npx|npx tsx|[A-Z_]+=\S+)$/.test(before)) return []
        return [{ place: `${place}:${first}`, words: words.slice(start + 1) }]
      }),
    )
  })
}

/** What the parser has against it, or null. */
function complaint(words: readonly string[]): string | null {
  let isUnderstood = false
  const program = createProgram(new Cli(processIo(new AbortController().signal), true), '0.0.0', groups)
  const still = (command: Command): void => {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} })
    if (command.commands.length === 0) {
      command.action(() => {
        isUnderstood = true
      })
    }
    for (const child of command.commands) still(child as Command)
  }
  still(program)
  try {
    program.parse([...words], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return null
    return error instanceof Error ? error.message : String(error)
  }
  return isUnderstood ? null : 'nothing would be done'
}

describe('printed commands', () => {
  it.each([
    [['cert', 'shwo']],
    [['tofu', 'list', '--bogus']],
    [['tofu', 'show']],
    [['cert', 'renew', 'a.pem', 'b.pem', '--key', 'k.pem']],
    [['ca', 'list', '--state', 'lost']],
    [['cert', 'check', 'cert.pem', '--key']],
    [['cert']],
  ])('would not be %j', (words) => {
    expect(complaint(words)).not.toBeNull()
  })

  it('are told from what stands beside them', () => {
    const text = [
      "npm install tlacacoca\nnpx tlacacoca cert new 'a b' \\\n  --out x > y.txt # and so on",
      'tlacacoca ca crl | openssl crl -noout\nsource <(tlacacoca completion bash)',
    ].join('\n')
    expect(printedIn('here', `\`\`\`sh\n${text}\n\`\`\`\n`).map(({ words }) => words)).toEqual([
      ['cert', 'new', 'a b', '--out', 'x'],
      ['ca', 'crl'],
      ['completion', 'bash'],
    ])
  })

  it('are all understood, in the README and in the docs', () => {
    const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.md'),
    )
    const printed = ['README.md', ...pages.map((file) => `docs/${file}`)].flatMap((file) =>
      printedIn(file, readFileSync(join(root, file), 'utf8')),
    )
    expect(printed.length).toBeGreaterThan(12)
    const wrong = printed.flatMap(({ place, words }) => {
      const problem = complaint(words)
      return problem === null ? [] : [`${place}: tlacacoca ${words.join(' ')}: ${problem}`]
    })
    expect(wrong).toEqual([])
  })

  it('are understood in tables and sentences of the page of the command too, as far as they have options', () => {
    const page = readFileSync(join(root, 'docs/reference/command.md'), 'utf8')
    const known = new Set<string>()
    const collect = (command: Command): void => {
      for (const { long } of command.options) if (long) known.add(long)
      for (const child of command.commands) collect(child as Command)
    }
    collect(createProgram(new Cli(processIo(new AbortController().signal), true), '0.0.0', groups))
    const named = [...page.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(
      ([name]) => name,
    )
    expect(named.length).toBeGreaterThan(30)
    expect(named.filter((name) => !known.has(name) && name !== '--help')).toEqual([])
  })
})
