import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort, runPrinted, servePrinted } from '../support/printed-programs.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// The tutorials, done as a reader does them: each program goes into the file that it names, each command is run in order,
// and what is printed below the commands must come out. Only the port is another one, so that nothing stands in its way.

const root = fileURLToPath(new URL('../..', import.meta.url))

let running: (() => Promise<void>) | null = null
afterEach(async () => running?.())

type Step =
  | { readonly kind: 'program'; readonly file: string; readonly text: string }
  | { readonly kind: 'commands'; readonly lines: readonly string[] }
  | { readonly kind: 'output'; readonly text: string }

/** What a tutorial has between its fences, in order. */
function stepsOf(markdown: string): Step[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text = '']): Step => {
    if (language === 'sh') return { kind: 'commands', lines: text.trim().split('\n') }
    if (language === 'ts') return { kind: 'program', file: /^\/\/ (\S+)\n/.exec(text)?.[1] ?? '', text }
    return { kind: 'output', text }
  })
}

interface Reader {
  readonly folder: string
  readonly port: number
  /** What is typed at the questions, in order. */
  readonly answers: string[]
  /** The code that was shown last, to be entered where the tutorial has one. */
  code: string
  output: string
}

async function follow(tutorial: string, answers: readonly string[] = []): Promise<Reader> {
  const folder = await temporaryFolder()
  const reader: Reader = { folder, port: await freePort(), answers: [...answers], code: '', output: '' }
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  for (const step of stepsOf(await readFile(join(root, 'docs/tutorials', tutorial), 'utf8'))) {
    if (step.kind === 'program') {
      await writeFile(join(folder, step.file), step.text.replaceAll('1965', String(reader.port)))
    } else if (step.kind === 'commands') {
      reader.output = ''
      for (const line of step.lines) await obey(line, reader)
    } else {
      expect(reader.output).toMatch(patternOf(step.text, reader.port))
    }
  }
  return reader
}

/** Does what a command says. Making the folder and installing has been done, in another way. */
async function obey(line: string, reader: Reader): Promise<void> {
  const [program, ...args] = /^npx tsx (.+)$/.exec(line)?.[1]?.replaceAll('"', '').split(' ') ?? []
  if (program === undefined) return
  if (program === 'server.ts') return serve(args, reader)
  const given = args.map((arg) => arg.replace('7KD3M2QXZA', reader.code))
  const asks = (await readFile(join(reader.folder, program), 'utf8')).includes('createInterface')
  reader.output += await run([program, ...given], reader, asks ? (reader.answers.shift() ?? '') : '')
  reader.code = /^> ([0-9A-Z]{10})$/m.exec(reader.output)?.[1] ?? reader.code
}

/** Runs a program to its end, and gives what it wrote. */
async function run(args: readonly string[], { folder }: Reader, input: string): Promise<string> {
  return (await runPrinted(args, folder, input)).output
}

/** Stops the server that runs, and starts it as the command says. */
async function serve(args: readonly string[], { folder, port }: Reader): Promise<void> {
  await running?.()
  const stop = await servePrinted(['server.ts', ...args], folder, port)
  running = () => {
    running = null
    return stop()
  }
}

/** The text, with anything where each reader sees something else: fingerprints, codes, instants, the port. */
function patternOf(text: string, port: number): RegExp {
  const escaped = text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')
  const pattern = escaped
    .replaceAll('1965', String(port))
    .replace(/sha256:[0-9a-f]+…/g, 'sha256:[0-9a-f]{64}')
    .replace(/\d{4}-\d\d-\d\dT[\d:]+\\\.\d+Z/g, '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z')
    .replace('7KD3M2QXZA', '[0-9A-Z]{10}')
    .replaceAll('\n', '\r?\n')
  return new RegExp(`^${pattern}$`)
}

describe('tutorials, step by step', () => {
  it('end with a server that knows a user by two certificates', async () => {
    const reader = await follow('gemini-server-with-accounts.md')
    const again = await run(['visit.ts', `gemini://localhost/link?${reader.code}`, 'thief'], reader, '')
    expect(again).toBe('11 That code is wrong, was used, or has expired. Once more?\r\n')
  })

  it('end with a client that refuses an impostor for good, and takes the honest server back', async () => {
    const reader = await follow('tofu-in-your-client.md', ['no\n', 'yes\n'])
    expect(reader.output).toContain('ERR_TLACACOCA_CERTIFICATE_DISTRUSTED')
    await serve(['honest'], reader)
    expect(await run(['client.ts'], reader, '')).toContain('[tofu: trusted]')
  })
}, 240_000)
