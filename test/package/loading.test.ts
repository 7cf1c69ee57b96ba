import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

// What an import costs is decided by what it loads. A child process imports one entry point and reports every file and
// native addon that comes with it.

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Resolves like the hook chain before it, and writes down what came out. */
const recorder = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs'
  export async function resolve(specifier, context, next) {
    const result = await next(specifier, context)
    writeSync(1, 'loaded ' + result.url + '\\n')
    return result
  }
`)}`

function loadedBy(entry: string): string[] {
  const program = `
    import { register } from 'node:module'
    import { writeSync } from 'node:fs'
    register(${JSON.stringify(recorder)}, import.meta.url)
    const names = Object.keys(await import(${JSON.stringify(`${root}src/${entry}/index.ts`)}))
    writeSync(1, 'exports ' + names.length + '\\n')
    for (const path of process.report.getReport().sharedObjects) if (path.endsWith('.node')) writeSync(1, 'loaded ' + path + '\\n')
  `
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  const lines = outputOf(args).split('\n')
  expect(
    lines.some((line) => /^exports [1-9]/.test(line)),
    'the entry point exports something',
  ).toBe(true)
  return lines.filter((line) => line.startsWith('loaded ')).map((line) => line.slice('loaded '.length))
}

/** By way of a file: Node may have made a pipe non-blocking, and a thread that finds it full gets an error. */
function outputOf(args: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-loading-'))
  const output = openSync(join(folder, 'output'), 'a')
  try {
    execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', output, 'inherit'] })
    return readFileSync(join(folder, 'output'), 'utf8')
  } finally {
    closeSync(output)
    rmSync(folder, { recursive: true })
  }
}

const heavy = /node_modules\/(?!tsx|esbuild|get-tsconfig|resolve-pkg-maps)|\.node$/

describe('importing', () => {
  it.each([
    'certificate',
    'tofu',
    'tls',
    'identity',
    'authority',
    'middleware',
    'redis',
    'postgres',
    'logging',
    'testing',
    '',
  ])('tlacacoca/%s loads no package: each is loaded by the first call that needs it', (entry) => {
    expect(loadedBy(entry).filter((file) => heavy.test(file))).toEqual([])
  })

  it('tlacacoca/middleware loads neither SQLite nor X.509 nor TLS: a Spartan server has none of them', () => {
    const loaded = loadedBy('middleware')
    expect(loaded.length).toBeGreaterThan(5)
    const unwanted = /sqlite|x509|certificate\/(certificate|der|pem|generate)|\/tls\/|node:tls|\/tofu\//
    expect(loaded.filter((file) => unwanted.test(file))).toEqual([])
  })
})
