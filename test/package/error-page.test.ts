import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

// The page about errors is where a code leads that somebody found in a log. Each class and each code has its heading
// there, and nothing else has.

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/reference/errors.md'), 'utf8')
const CODE = /^ERR_TLACACOCA_[A-Z0-9_]*[A-Z0-9]$/

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => parse(join('src', file)))

function parse(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true)
}

/** The codes that are spelt out below a node, in types and in code. */
function codesIn(node: ts.Node): string[] {
  const found = new Set<string>()
  const visit = (each: ts.Node): void => {
    if (ts.isStringLiteral(each) && CODE.test(each.text)) found.add(each.text)
    ts.forEachChild(each, visit)
  }
  visit(node)
  return [...found]
}

/** The classes that have a `code` of their own, and what it can be. */
function classes(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const source of sources) {
    for (const node of source.statements) {
      if (!ts.isClassDeclaration(node) || node.name === undefined) continue
      const code = node.members.find((member) => member.name?.getText(source) === 'code')
      const codes = code === undefined ? [] : codesIn(code)
      if (codes.length > 0) found.set(node.name.text, codes)
    }
  }
  return found
}

/** What the errors with a section of their own tell, apart from `code`. */
function fieldsOfClasses(): Map<string, string[]> {
  const shown = sections(page)
  const found = new Map<string, string[]>()
  for (const source of sources) {
    for (const node of source.statements) {
      const name = ts.isClassDeclaration(node) ? (node.name?.text ?? '') : ''
      if (!ts.isClassDeclaration(node) || !shown.has(name)) continue
      const fields = node.members.filter((member) => ts.isPropertyDeclaration(member))
      found.set(
        name,
        fields.map((field) => field.name.getText(source)).filter((field) => field !== 'code'),
      )
    }
  }
  return found
}

/** The sections of the page: the name of each, and the codes that have a heading below it. */
function sections(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  let codes: string[] = []
  for (const [, level, title = ''] of text.matchAll(/^(##|###) (.+)$/gm)) {
    if (level === '##') {
      codes = []
      if (found.has(title)) throw new Error(`${title} is there twice`)
      found.set(title, codes)
    } else codes.push(title)
  }
  return found
}

/** The classes that say which of another's codes they have: their codes are explained there, and named here. */
const NARROWER = new Set([
  'ExtraneousPrivateKeyError',
  'IdentityMetadataError',
  'LeafCertificateHasNoPrivateKeyError',
  'MoreThanOneLeafCertificateError',
  'NoCertificateChainError',
  'NoLeafCertificateError',
])

describe('the page about errors', () => {
  it('has a heading for each class, and below it one for each of its codes', () => {
    const wanted = [...classes()].filter(([name]) => !NARROWER.has(name))
    const shown = [...sections(page)].filter(([name]) => !NARROWER.has(name))
    const sorted = (all: [string, string[]][]) =>
      Object.fromEntries(all.map(([name, codes]) => [name, codes.toSorted()]))
    expect(wanted.length).toBeGreaterThan(20)
    expect(sorted(shown)).toEqual(sorted(wanted))
  })

  it('names each narrower class in the section of its code', () => {
    const codes = classes()
    for (const name of NARROWER) {
      const [code, ...more] = codes.get(name) ?? []
      expect(more).toEqual([])
      const section = page.split(`### ${code}\n`)[1]?.split('\n#')[0]
      expect(section, name).toContain(name)
    }
  })

  it('explains every code that is spelt out anywhere in the source', () => {
    const explained = new Set([...sections(page).values()].flat())
    expect(sources.flatMap(codesIn).filter((code) => !explained.has(code))).toEqual([])
  })

  it('names every field of a class in its section, and says of the others that they have none', () => {
    const parts = new Map(page.split(/^## /m).map((part) => [part.split('\n')[0], part.split('\n### ')[0] ?? '']))
    for (const [name, fields] of fieldsOfClasses()) {
      const introduction = (parts.get(name) ?? '').replace(/\s+/g, ' ')
      const missing = fields.filter((field) => !introduction.includes(`\`${field}\``))
      expect(missing, name).toEqual([])
      expect(introduction.includes('No fields of its own'), name).toBe(fields.length === 0)
    }
  })

  it('says something below each heading', () => {
    const parts = page.split(/^#{2,3} .*$/m).slice(1)
    expect(parts.filter((part) => part.trim().length < 20)).toEqual([])
  })

  it('would show a heading that is missing, and one that is left over', () => {
    const known = classes().get('FileError')
    const without = page.replace('### ERR_TLACACOCA_FILE_EXISTS\n', '')
    expect(sections(without).get('FileError')).not.toEqual(known)
    const more = page.replace('## FileError\n', '## FileError\n\n### ERR_TLACACOCA_FILE_EATEN\n')
    expect(sections(more).get('FileError')).not.toEqual(known)
  })
})
