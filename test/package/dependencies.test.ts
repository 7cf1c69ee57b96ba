import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

// Each package that comes with the library has one job, written down in docs/decisions/0001-dependencies.md, and is there
// because something imports it. A new one is a line there first.

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const { dependencies, devDependencies, allowScripts } = JSON.parse(read('package.json'))
const page = read('docs/decisions/0001-dependencies.md')

/** What a table of the page names in its first column. */
function tableOf(heading: string): string[] {
  const [, table = ''] = page.split(`## ${heading}\n`)
  const rows = (table.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  return rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
}

/** The packages that the files of a folder import, types apart: these are gone when it runs. */
function importedBelow(folder: string): Set<string> {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  const found = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      // Comments hold examples with imports of their own.
      const text = read(join(folder, file)).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
      const eager = [...text.matchAll(/^(?:import|export)\s+(?!type\b)[^'"]*?from\s+'([^'.][^']*)'/gm)]
      return [
        ...eager,
        ...text.matchAll(/(?<!typeof )\b(?:import|createRequire\(import\.meta\.url\))\(\s*'([^'.][^']*)'/g),
      ].map(([, name = '']) => name)
    })
  return new Set(found.filter((name) => !name.startsWith('node:')).map(packageOf))
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

describe('what is installed with the library', () => {
  it('is what the decision about dependencies lists', () => {
    expect(Object.keys(dependencies).toSorted()).toEqual(tableOf('What the library runs on').toSorted())
  })

  it('is imported by the source, but for what the decision says is not', () => {
    const imported = importedBelow('src')
    const unused = Object.keys(dependencies).filter((name) => !imported.has(name))
    expect(unused).toEqual(tableOf('What comes with it and is not loaded'))
    // What is imported and not in package.json works here, and nowhere else.
    expect([...imported].filter((name) => !(name in dependencies))).toEqual([])
  })

  it('is no second time among what the work on the library needs', () => {
    expect(Object.keys(devDependencies).filter((name) => name in dependencies)).toEqual([])
  })

  it('runs nothing when it is installed, but for the one package that is compiled', () => {
    const { packages } = JSON.parse(read('package-lock.json'))
    const production = Object.entries(packages as Record<string, { dev?: boolean; hasInstallScript?: boolean }>)
      .filter(([path, { dev }]) => path !== '' && dev !== true)
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
    expect(production).toEqual(['better-sqlite3'])
    expect(Object.keys(allowScripts).filter((name) => allowScripts[name] === true)).toEqual(production)
  })
})
