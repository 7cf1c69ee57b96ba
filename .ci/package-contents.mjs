// What is in the tarball, and what comes with it: only what runs and what types it, of a size that somebody has agreed to,
// with nothing of the machine that built it; and no package that runs a program when it is installed, but for one.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Raise them on purpose, in a commit that says why. Kilobytes. */
const BUDGETS = { packed: 850, unpacked: 3200, files: 600 }
/** Every further one is somebody more who can change what runs on the machines of our users. */
const MAX_PACKAGES = 95
/** Compiles itself, or fetches a binary of itself. */
const MAY_RUN_SCRIPTS = ['better-sqlite3']

const BESIDE_DIST = new Set(['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'])
const IN_DIST = /^dist\/[\w/-]+\.(?:js|d\.ts)$/
const TESTS = /(?:^|[/.])(?:test|spec|bench|fixture|support)s?(?:[/.]|$)/
const LIFECYCLE = ['preinstall', 'install', 'postinstall', 'prepare']

/**
 * What is wrong with a tarball, of which `npm pack --json` has said what is in it.
 *
 * @param {{ size: number, unpackedSize: number, files: { path: string, size: number }[] }} packed
 * @param {string} folder where it is unpacked
 * @param {string[]} foreign texts that only this machine has, such as the path of the checkout
 */
export function problemsOfTarball({ size, unpackedSize, files }, folder, foreign) {
  const measured = { packed: Math.ceil(size / 1000), unpacked: Math.ceil(unpackedSize / 1000), files: files.length }
  const problems = Object.entries(BUDGETS)
    .filter(([what, most]) => measured[what] > most)
    .map(([what, most]) => `${what}: ${measured[what]}, and the budget in .ci/package-contents.mjs is ${most}`)

  const { exports: entries, bin, scripts = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const there = new Set(files.map(({ path }) => path))
  const wanted = [...Object.values(entries).flatMap((entry) => Object.values(entry)), ...Object.values(bin)]
  for (const path of wanted.filter((each) => typeof each === 'string' && each.startsWith('./dist/'))) {
    if (!there.has(path.slice(2))) problems.push(`${path} is missing`)
  }
  for (const name of BESIDE_DIST) if (!there.has(name)) problems.push(`${name} is missing`)
  for (const name of LIFECYCLE) if (name in scripts) problems.push(`the package itself has a script "${name}"`)

  for (const { path } of files) {
    if (!BESIDE_DIST.has(path) && !IN_DIST.test(path)) problems.push(`${path} is none of ours to publish`)
    // `tlacacoca/testing` is published; what tests the library is not.
    if (TESTS.test(path)) problems.push(`${path} looks like a test`)
    if (/^dist\/cli\/.*\.d\.ts$/.test(path)) problems.push(`${path} declares what nobody can import`)
    const text = readFileSync(join(folder, path), 'utf8')
    if (/^\/\/[#@] sourceMappingURL=/m.test(text)) problems.push(`${path} names a source map, and none is published`)
    for (const foreignText of foreign) if (text.includes(foreignText)) problems.push(`${path} has ${foreignText} in it`)
  }
  return { measured, problems }
}

/**
 * What is wrong with what was installed for the package to run.
 *
 * @param {string} project the folder with the node_modules
 */
export function problemsOfDependencies(project) {
  const { packages } = JSON.parse(readFileSync(join(project, 'node_modules/.package-lock.json'), 'utf8'))
  const installed = Object.entries(packages)
  const nameOf = (path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path))
  const problems = scripted
    .filter((name) => !MAY_RUN_SCRIPTS.includes(name))
    .map((name) => `${name} runs a script when it is installed`)
  for (const name of MAY_RUN_SCRIPTS) if (!scripted.includes(name)) problems.push(`${name} needs no script any more`)
  if (installed.length > MAX_PACKAGES) {
    problems.push(
      `${installed.length} packages are installed, and the most in .ci/package-contents.mjs is ${MAX_PACKAGES}`,
    )
  }
  return { packages: installed.length, problems }
}
