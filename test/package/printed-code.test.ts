import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

// Every program that a reader can copy, from doc comments, README and docs, is compiled here as it is printed, each as
// a file of its own. A name that changed or an argument that is missing fails with the place where it is printed.

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Program {
  readonly place: string
  readonly text: string
}

const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length

/** The `@example` parts of doc comments, up to the next tag or the end of the comment. */
function docComments(file: string): Program[] {
  const source = readFileSync(join(root, file), 'utf8')
  return [...source.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap((comment) => {
    const text = comment[0].replace(/\*\/$/, '').replace(/^[ \t]*\* ?/gm, '')
    return [...text.matchAll(/@example\s*\n([\s\S]*?)(?=\n@\w|$(?![\s\S]))/g)].map((example) => ({
      place: `${file}:${lineAt(source, comment.index)}`,
      text: (example[1] ?? '').replace(/^```(?:ts)?$/gm, ''),
    }))
  })
}

function fencedBlocks(file: string): Program[] {
  const source = readFileSync(join(root, file), 'utf8')
  return [...source.matchAll(/^```(?:ts|typescript|js)\n([\s\S]*?)^```$/gm)].map((block) => ({
    place: `${file}:${lineAt(source, block.index)}`,
    text: block[1] ?? '',
  }))
}

function filesBelow(folder: string, ending: string): string[] {
  const found = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  return found.filter((file) => file.endsWith(ending)).map((file) => `${folder}/${file}`)
}

/** Compiles each program as a module, and says for each what the compiler has against it. */
function compile(programs: readonly Program[]): string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const sources = new Map(programs.map((program, index) => [join(root, `docs/printed-${index}.ts`), program]))
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (name) => sources.has(name) || fileExists(name)
  host.readFile = (name) => (sources.has(name) ? `export {}\n${sources.get(name)?.text}` : readFile(name))
  host.getSourceFile = (name, language) => {
    const text = host.readFile(name)
    return text === undefined ? undefined : ts.createSourceFile(name, text, language)
  }
  const checked = ts.createProgram({ rootNames: [...sources.keys()], options, host })
  return [...sources].flatMap(([name, { place }]) => {
    const file = checked.getSourceFile(name)
    const problems = [...checked.getSyntacticDiagnostics(file), ...checked.getSemanticDiagnostics(file)]
    return problems.map(({ messageText }) => `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
  })
}

describe('printed programs', () => {
  it('finds a mistake where there is one', () => {
    expect(compile([{ place: 'here', text: "import { nothing } from 'tlacacoca'\n" }])).not.toEqual([])
    expect(compile([{ place: 'here', text: "import { connect } from 'tlacacoca'\nvoid connect\n" }])).toEqual([])
  })

  it('compile as printed in doc comments', () => {
    const programs = filesBelow('src', '.ts').flatMap(docComments)
    expect(programs.length).toBeGreaterThan(20)
    expect(compile(programs)).toEqual([])
  })

  it('compile as printed in the README and the docs', () => {
    const files = ['README.md', ...filesBelow('docs', '.md')]
    const programs = files.flatMap(fencedBlocks)
    expect(programs.length).toBeGreaterThan(5)
    expect(compile(programs)).toEqual([])
  })
}, 120_000)
