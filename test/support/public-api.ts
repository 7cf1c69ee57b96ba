// What the compiler knows of everything that can be imported: names, declarations, and the words that programs branch on.

import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))
const src = join(root, 'src')

/** Something that can be imported from an entry point. */
export interface Export {
  readonly entry: string
  readonly name: string
  readonly isValue: boolean
  /** What it is in the end, after all re-exports. */
  readonly symbol: ts.Symbol
}

/** The entry points in the order in which a declaration is looked for its home: the first that has it. */
export const ENTRIES = [
  'tlacacoca/certificate',
  'tlacacoca/tofu',
  'tlacacoca/tls',
  'tlacacoca/middleware',
  'tlacacoca/identity',
  'tlacacoca/authority',
  'tlacacoca/logging',
  'tlacacoca/redis',
  'tlacacoca/postgres',
  'tlacacoca/testing',
  'tlacacoca',
] as const

export class PublicApi {
  readonly exports: readonly Export[]
  readonly checker: ts.TypeChecker
  readonly #program: ts.Program
  readonly #declarations = new Map<string, ts.SourceFile>()

  constructor() {
    const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    // The command loads its parts by names that it puts together.
    const rootNames = [...ENTRIES.map(fileOf), ...ts.sys.readDirectory(join(src, 'cli'), ['.ts'])]
    this.#program = ts.createProgram({
      rootNames,
      options: { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true, stripInternal: true },
    })
    this.checker = this.#program.getTypeChecker()
    this.exports = ENTRIES.flatMap((entry) => this.#exportsOf(entry))
  }

  /** The entry points that package.json has. */
  static get entriesOfPackage(): string[] {
    const { exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    return Object.keys(entries)
      .filter((key) => key !== './package.json')
      .map((key) => key.replace(/^\./, 'tlacacoca'))
  }

  /** The declaration of a symbol as it is published, without comments. */
  declarationOf(symbol: ts.Symbol): string {
    const files = new Set((symbol.declarations ?? []).map((declaration) => declaration.getSourceFile()))
    return [...files].flatMap((file) => this.#printed(file, symbol.name)).join('\n')
  }

  /** What is named in the declaration of a symbol, of this project: what it extends, takes, gives and holds. */
  mentionedBy(symbol: ts.Symbol): ts.Symbol[] {
    const found = new Set<ts.Symbol>()
    const visit = (node: ts.Node): void => {
      if (ts.isBlock(node) || isPrivate(node)) return
      if (ts.isIdentifier(node) && isNameOfType(node)) {
        const named = this.checker.getSymbolAtLocation(node)
        const target = named && this.#target(named)
        if (target !== undefined && isOurs(target)) found.add(target)
      }
      ts.forEachChild(node, visit)
    }
    for (const declaration of symbol.declarations ?? []) visit(declaration)
    found.delete(symbol)
    // What only private parts name is not in the declaration.
    const declaration = this.declarationOf(symbol)
    return [...found].filter(({ name }) => new RegExp(`\\b${name}\\b`).test(declaration))
  }

  /**
   * The words of a type that a program branches on: the members of a union of texts, or what stands in the fields of a
   * union of objects by which these are told apart.
   */
  wordsOf(symbol: ts.Symbol): string[] {
    const type = this.checker.getDeclaredTypeOfSymbol(symbol)
    const members = type.isUnion() ? type.types : [type]
    const literals = members.flatMap((each) => (each.isStringLiteral() ? [each.value] : []))
    const discriminants = members.flatMap((member) =>
      DISCRIMINANTS.flatMap((field) => {
        const property = member.isStringLiteral() ? undefined : this.checker.getPropertyOfType(member, field)
        if (property === undefined || symbol.flags & ts.SymbolFlags.Class) return []
        const value = this.checker.getTypeOfSymbol(property)
        const values = value.isUnion() ? value.types : [value]
        const texts = values.flatMap((each) => (each.isStringLiteral() ? [`${field}=${each.value}`] : []))
        return texts
      }),
    )
    return [...new Set([...literals, ...discriminants])]
  }

  /** Files of the source by their path in it. */
  *sources(folder: string): Generator<readonly [string, ts.SourceFile]> {
    for (const file of this.#program.getSourceFiles()) {
      const path = relative(src, file.fileName)
      if (path.startsWith(`${folder}/`)) yield [path, file]
    }
  }

  #exportsOf(entry: string): Export[] {
    const file = this.#program.getSourceFile(fileOf(entry))
    const module = file && this.checker.getSymbolAtLocation(file)
    if (module === undefined) throw new Error(`${entry} is no module`)
    return this.checker.getExportsOfModule(module).map((exported) => {
      const symbol = this.#target(exported)
      // `export type { SomeClass }` gives the type alone.
      const typeOnly = exported.declarations?.some(
        (each) => ts.isExportSpecifier(each) && (each.isTypeOnly || each.parent.parent.isTypeOnly),
      )
      return {
        entry,
        name: exported.name,
        isValue: !typeOnly && (symbol.flags & ts.SymbolFlags.Value) !== 0,
        symbol,
      }
    })
  }

  #target(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol
  }

  #printed(source: ts.SourceFile, name: string): string[] {
    const file = this.#declarationFile(source)
    const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed })
    return file.statements
      .filter((statement) => namesOf(statement).includes(name))
      .map((statement) => printer.printNode(ts.EmitHint.Unspecified, statement, file))
  }

  #declarationFile(source: ts.SourceFile): ts.SourceFile {
    const known = this.#declarations.get(source.fileName)
    if (known !== undefined) return known
    let text = ''
    this.#program.emit(source, (_, written) => (text = written), undefined, true)
    const file = ts.createSourceFile('declarations.d.ts', text, ts.ScriptTarget.Latest, true)
    this.#declarations.set(source.fileName, file)
    return file
  }
}

/** The fields by which the members of our unions are told apart. */
const DISCRIMINANTS = ['kind', 'code', 'event', 'type', 'denialReason']

function fileOf(entry: string): string {
  return join(src, entry.replace(/^tlacacoca\/?/, ''), 'index.ts')
}

const TYPES = ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias | ts.SymbolFlags.Class

function isOurs(symbol: ts.Symbol): boolean {
  const [declaration] = symbol.declarations ?? []
  if (declaration === undefined || (symbol.flags & TYPES) === 0) return false
  // A type parameter is declared inside of something else.
  return declaration.getSourceFile().fileName.startsWith(src) && ts.isSourceFile(declaration.parent)
}

function isPrivate(node: ts.Node): boolean {
  return ts.isClassElement(node) && node.name !== undefined && ts.isPrivateIdentifier(node.name)
}

/** Whether it names a type, here: in an annotation, or behind `extends` and `implements`. */
function isNameOfType(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isTypeReferenceNode(parent) || ts.isExpressionWithTypeArguments(parent)) return true
  return ts.isQualifiedName(parent) && ts.isTypeReferenceNode(parent.parent)
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => (ts.isIdentifier(name) ? name.text : ''))
  }
  const { name } = statement as ts.Statement & { readonly name?: ts.Node }
  return name !== undefined && ts.isIdentifier(name) ? [name.text] : []
}
