// Checks the package as a stranger gets it: packs the tarball, lints it, asks whether its types resolve under every
// module resolution, and installs it into an empty project that imports each entry point.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const bin = (name) => join(root, 'node_modules', '.bin', name)
const run = (command, args, options = {}) => execFileSync(command, args, { stdio: 'inherit', ...options })

const { version, exports: entries } = JSON.parse(readFileSync('package.json', 'utf8'))
const names = Object.keys(entries)
  .filter((key) => key !== './package.json')
  .map((key) => key.replace(/^\./, 'tlacacoca'))
const project = mkdtempSync(join(tmpdir(), 'tlacacoca-package-'))
try {
  run('npm', ['pack', '--silent', '--pack-destination', project])
  const tarball = join(project, `tlacacoca-${version}.tgz`)
  run(bin('publint'), ['run', '--strict', tarball])
  // The package is ESM only; on purpose there is no CommonJS build (Node >= 20.19 can `require` it).
  run(bin('attw'), [tarball, '--profile', 'esm-only'])

  const local = { name: 'consumer', private: true, type: 'module', allowScripts: { 'better-sqlite3': true } }
  writeFileSync(join(project, 'package.json'), JSON.stringify(local))
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', tarball], { cwd: project })
  const program = names.map((name, index) => `import * as m${index} from '${name}'`)
  program.push(`const all = [${names.map((_, index) => `m${index}`).join(', ')}]`)
  program.push("if (all.some((m) => Object.keys(m).length === 0)) throw new Error('an entry point exports nothing')")
  writeFileSync(join(project, 'all.mjs'), program.join('\n'))
  run(process.execPath, ['all.mjs'], { cwd: project })

  // Node since 20.19 can load ES modules by `require`, as long as none of them awaits at its top.
  const required = names.map((name) => `if (Object.keys(require('${name}')).length === 0) throw new Error('${name}')`)
  writeFileSync(join(project, 'all.cjs'), required.join('\n'))
  run(process.execPath, ['--no-warnings', 'all.cjs'], { cwd: project })

  const printed = execFileSync(join(project, 'node_modules/.bin/tlacacoca'), ['--version'], { encoding: 'utf8' })
  if (printed.trim() !== version) throw new Error(`the command says that its version is ${printed}`)

  const types = names.map(
    (name, index) => `import type * as m${index} from '${name}'\nexport type T${index} = typeof m${index}`,
  )
  writeFileSync(join(project, 'all.ts'), types.join('\n'))
  for (const [module, resolution] of [
    ['node20', 'node16'],
    ['preserve', 'bundler'],
  ]) {
    const flags = ['--ignoreConfig', '--strict', '--noEmit', '--target', 'es2023', '--types', 'node']
    flags.push('--typeRoots', join(root, 'node_modules/@types'), '--lib', 'es2023,esnext.disposable')
    run(bin('tsc'), [...flags, '--module', module, '--moduleResolution', resolution, 'all.ts'], { cwd: project })
  }
  console.log('package: packs, lints, resolves, imports, and runs its command')
} finally {
  rmSync(project, { recursive: true, force: true })
}
