// Checks the package as a stranger gets it: packs the tarball, looks at what is in it and how much, lints it, asks whether
// its types resolve under every module resolution, and installs it into an empty project that imports each entry point.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { problemsOfDependencies, problemsOfTarball } from './package-contents.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const bin = (name) => join(root, 'node_modules', '.bin', name)
const run = (command, args, options = {}) => execFileSync(command, args, { stdio: 'inherit', ...options })

function requireNone(what, problems) {
  if (problems.length > 0) throw new Error(`${what}:\n  ${problems.join('\n  ')}`)
}

const { version, exports: entries } = JSON.parse(readFileSync('package.json', 'utf8'))
const names = Object.keys(entries)
  .filter((key) => key !== './package.json')
  .map((key) => key.replace(/^\./, 'tlacacoca'))
const project = mkdtempSync(join(tmpdir(), 'tlacacoca-package-'))
try {
  const pack = ['pack', '--silent', '--json', '--pack-destination', project]
  const report = execFileSync('npm', pack, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  // What the build prints comes before it.
  const [packed] = JSON.parse(report.slice(report.search(/^\[/m)))
  const tarball = join(project, `tlacacoca-${version}.tgz`)
  const unpacked = join(project, 'unpacked')
  mkdirSync(unpacked)
  run('tar', ['-xzf', tarball, '-C', unpacked])
  const tarballFound = problemsOfTarball(packed, join(unpacked, 'package'), [root.replace(/\/$/, ''), 'file:///'])
  requireNone('the tarball', tarballFound.problems)
  rmSync(unpacked, { recursive: true })
  run(bin('publint'), ['run', '--strict', tarball])
  // The package is ESM only; on purpose there is no CommonJS build (Node >= 20.19 can `require` it).
  run(bin('attw'), [tarball, '--profile', 'esm-only'])

  const local = { name: 'consumer', private: true, type: 'module', allowScripts: { 'better-sqlite3': true } }
  writeFileSync(join(project, 'package.json'), JSON.stringify(local))
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', tarball], { cwd: project })
  const installed = problemsOfDependencies(project)
  requireNone('what is installed with it', installed.problems)
  // Every package that another asks for is there, in a version that it takes.
  run('npm', ['ls', '--all', '--omit=dev'], { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] })
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
    ['node16', 'node16'],
    ['node20', 'node16'],
    ['preserve', 'bundler'],
  ]) {
    const flags = ['--ignoreConfig', '--strict', '--noEmit', '--target', 'es2023', '--types', 'node']
    flags.push('--typeRoots', join(root, 'node_modules/@types'), '--lib', 'es2023,esnext.disposable')
    run(bin('tsc'), [...flags, '--module', module, '--moduleResolution', resolution, 'all.ts'], { cwd: project })
  }
  const { packed: size, unpacked: whole, files } = tarballFound.measured
  console.log(`package: ${size} kB, ${whole} kB unpacked in ${files} files, ${installed.packages} packages with it`)
  console.log('package: packs, lints, resolves, imports, and runs its command')
} finally {
  rmSync(project, { recursive: true, force: true })
}
