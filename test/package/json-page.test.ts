import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { Cli } from '../../src/cli/command.ts'
import { groups } from '../../src/cli/groups.ts'
import { processIo } from '../../src/cli/io.ts'
import { createProgram } from '../../src/cli/program.ts'

// docs/reference/json.md against frozen-words.txt, which is itself compared with what the commands print.

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
const page = read('docs/reference/json.md')

/** The first command of each row, for the file whose commands the row is about. */
const FIRST_OF: Readonly<Record<string, string>> = {
  'cert/show': 'cert show',
  'cert/check': 'cert check',
  'cert/fingerprint': 'cert fingerprint',
  'cert/new': 'cert new',
  'cert/renew': 'cert renew',
  'cert/rotate': 'cert rotate',
  'tofu/look': 'tofu list',
  'tofu/change': 'tofu trust',
  'tofu/exchange': 'tofu import',
  'identity/keep': 'identity new',
  'identity/remove': 'identity delete',
  'identity/rotate': 'identity rotate',
  'identity/exchange': 'identity import',
  'ca/make': 'ca init',
  'ca/issue': 'ca sign',
  'ca/audit': 'ca audit',
  'ca/serve': 'ca serve',
  'get/index': 'get',
  'probe/index': 'probe',
  'serve/index': 'serve',
  'completion/index': 'completion',
}

const codeIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
const sections = page.split(/^##+ /m)
const shapes = new Map(
  [...page.matchAll(/^### (\w+)\n\n([^#]+)/gm)].map(([, name = '', fields = '']) => [name, codeIn(fields)]),
)
const rowsOfFields = (sections.find((section) => section.startsWith('Fields\n')) ?? '')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.slice(2, -2).split(' | '))
const rows = rowsOfFields.map(([commands = '', fields = '']) => ({
  commands: codeIn(commands),
  fields: [...fields.matchAll(/`([^`]+)`(?: \(\[(\w+)\]\(#\2\)\))?/g)].flatMap(([, name = '', shape]) => {
    const below = shape === undefined ? [] : shapes.get(shape)
    if (below === undefined) throw new Error(`the page has no shape ${shape}`)
    return [name, ...below.map((field) => `${name}.${field}`)]
  }),
}))

function leaves(command: Command, path: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [path.join(' ')]
  return command.commands.flatMap((child) => leaves(child as Command, [...path, child.name()]))
}

describe('the page about fields of --json', () => {
  it('has every command once', () => {
    const program = createProgram(new Cli(processIo(new AbortController().signal)), '0.0.0', groups)
    expect(rows.flatMap(({ commands }) => commands).toSorted()).toEqual(leaves(program).toSorted())
  })

  it('has the fields that are frozen, and no others', () => {
    const frozen = new Map<string, string[]>()
    for (const [, file = '', field = ''] of read('test/package/frozen-words.txt').matchAll(/^JSON: (\S+): (\S+)$/gm)) {
      frozen.set(file, [...(frozen.get(file) ?? []), field])
    }
    expect([...frozen.keys()].toSorted()).toEqual(Object.keys(FIRST_OF).toSorted())
    for (const [file, fields] of frozen) {
      const row = rows.find(({ commands }) => commands[0] === FIRST_OF[file])
      expect(row?.fields.toSorted(), file).toEqual(fields.toSorted())
    }
  })
})
