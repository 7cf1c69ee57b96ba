import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, it } from 'vitest'

// The names that can be imported are a promise. This list changes on purpose or not at all:
// `npx vitest run test/package/exported-names.test.ts --update` writes it anew.

const root = fileURLToPath(new URL('../..', import.meta.url))

function exportedNames(): string {
  const { exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const paths = Object.keys(entries).filter((key) => key !== './package.json')
  const fileOf = (path: string): string => join(root, 'src', path, 'index.ts')
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const program = ts.createProgram({ rootNames: paths.map(fileOf), options })
  const checker = program.getTypeChecker()
  return paths
    .flatMap((path) => {
      const file = program.getSourceFile(fileOf(path))
      const module = file && checker.getSymbolAtLocation(file)
      if (module === undefined) throw new Error(`${path} is no module`)
      return checker.getExportsOfModule(module).map((symbol) => {
        const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
        // `export type { SomeClass }` gives the type alone.
        const typeOnly = symbol.declarations?.some(
          (d) => ts.isExportSpecifier(d) && (d.isTypeOnly || d.parent.parent.isTypeOnly),
        )
        const isValue = !typeOnly && (target.flags & ts.SymbolFlags.Value) !== 0
        return `${path.replace(/^\./, 'tlacacoca')} ${isValue ? 'value' : 'type '} ${symbol.name}`
      })
    })
    .sort()
    .join('\n')
}

it('exports these names and no others', async () => {
  await expect(`${exportedNames()}\n`).toMatchFileSnapshot('exported-names.txt')
})
