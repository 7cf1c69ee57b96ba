// Modules that are loaded by the first call of one of their functions, instead of with whatever imports them.
//
// That is possible where all that a module exports are asynchronous functions: whoever imports one gets a function in its
// place that loads the module and calls the real one. Nothing else can be told from outside, as an asynchronous function
// never throws at once. The build fails for a module in the list that exports anything else.
import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** Rarely called, and with code of their own behind them. In none of them is time of importance for a single call. */
const LATER = [
  'authority/identity-directory-create',
  'authority/identity-directory-open',
  'certificate/certificate-request-create',
  'certificate/key-generation',
  'certificate/pkcs12-read',
  'certificate/pkcs12-write',
  'certificate/rotate-certificate',
  'certificate/save',
  'certificate/validate-file',
  'identity/formats/read-identities',
  'identity/formats/write-identities',
  'identity/registry/joining',
  'identity/registry/managing',
  'identity/wallet/renewal',
  'tofu/formats/export-known-hosts',
  'tofu/formats/import-known-hosts',
  'tofu/open-pins',
  'tofu/toml-exchange',
]

const STAND_IN = '?later'

export function loadLater(root) {
  const later = new Set(LATER.map((name) => `${root}src/${name}.ts`))
  return {
    name: 'load-later',
    async resolveId(source, importer, { kind }) {
      if (importer === undefined || !source.startsWith('.')) return null
      const resolved = await this.resolve(source, importer.replace(STAND_IN, ''), { skipSelf: true, kind })
      if (resolved === null || !later.has(resolved.id) || kind === 'dynamic-import') return resolved
      return { id: `${resolved.id}${STAND_IN}` }
    },
    load(id) {
      if (!id.endsWith(STAND_IN)) return null
      const path = id.slice(0, -STAND_IN.length)
      return { code: standInFor(path), moduleType: 'js', moduleSideEffects: false }
    },
  }
}

function standInFor(path) {
  const names = asyncFunctionsOf(path)
  const lines = [
    'let loaded',
    `const load = async () => { loaded = await import(${JSON.stringify(path)}); return loaded }`,
    ...names.map(
      (name) =>
        `export function ${name}(...args) { return loaded === undefined ? load().then((m) => m.${name}(...args)) : loaded.${name}(...args) }`,
    ),
  ]
  return lines.join('\n')
}

/** The names of what a module exports, all of which must be asynchronous functions. */
function asyncFunctionsOf(path) {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest)
  const names = []
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) continue
    const kinds = (ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : []).map(({ kind }) => kind)
    const isExport = kinds.includes(ts.SyntaxKind.ExportKeyword)
    if (!isExport && !ts.isExportDeclaration(statement) && !ts.isExportAssignment(statement)) continue
    if (ts.isExportDeclaration(statement) && statement.isTypeOnly) continue
    if (!ts.isFunctionDeclaration(statement) || !kinds.includes(ts.SyntaxKind.AsyncKeyword)) {
      throw new Error(`${path} exports something that is no asynchronous function, and cannot be loaded later`)
    }
    // Of a function with overloads only the implementation counts.
    if (statement.body !== undefined) names.push(statement.name.text)
  }
  if (names.length === 0) throw new Error(`${path} exports no function`)
  return names
}
