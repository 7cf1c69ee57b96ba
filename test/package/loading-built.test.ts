import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../../.ci/bundle.mjs'

// What the import of each entry point costs as the package is published. No time is looked at: files, bytes and modules of
// Node are what decides it, and are the same on every machine.

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder = ''

beforeAll(async () => {
  const cache = `${root}node_modules/.cache/tlacacoca-loading/`
  mkdirSync(cache, { recursive: true })
  folder = mkdtempSync(cache)
  await bundle(folder)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Loaded {
  /** Of the bundle. */
  readonly files: readonly string[]
  readonly bytes: number
  readonly packages: readonly string[]
  readonly builtins: readonly string[]
}

const recorder = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs'
  export async function resolve(specifier, context, next) {
    const result = await next(specifier, context)
    writeSync(1, 'loaded ' + result.url + '\\n')
    return result
  }
`)}`

function run(program: string): string[] {
  const args = ['--no-warnings', '--input-type=module', '--eval', program]
  return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).split('\n').filter(Boolean)
}

function loadedBy(path: string): Loaded {
  const url = pathToFileURL(join(folder, path)).href
  // The hook itself loads modules of Node, so that these are asked for in a process of their own.
  const builtins = run(`
    // In Node 24 it brings the threads with it.
    await import('node:util')
    const before = new Set(process.moduleLoadList)
    await import(${JSON.stringify(url)})
    for (const name of process.moduleLoadList) if (!before.has(name)) console.log(name)`)
  const urls = run(`
    import { register } from 'node:module'
    register(${JSON.stringify(recorder)}, import.meta.url)
    await import(${JSON.stringify(url)})`)
    .filter((line) => line.startsWith('loaded '))
    .map((line) => line.slice('loaded '.length))
  const base = pathToFileURL(folder).href
  const own = [...new Set(urls.filter((each) => each.startsWith(base)))]
  return {
    files: own.map((each) => each.slice(base.length + 1)),
    bytes: own.reduce((sum, each) => sum + readFileSync(fileURLToPath(each)).length, 0),
    packages: urls.filter((each) => !each.startsWith(base) && !/^(node|data):/.test(each)),
    builtins: builtins.map((name) => name.replace(/^(NativeModule|Internal Binding) /, '')),
  }
}

// A tenth above what they were when this was written.
const BUDGETS = [
  { path: 'index.js', files: 14, kilobytes: 1060 },
  { path: 'certificate/index.js', files: 9, kilobytes: 325 },
  { path: 'tofu/index.js', files: 8, kilobytes: 430 },
  { path: 'tls/index.js', files: 9, kilobytes: 490 },
  { path: 'middleware/index.js', files: 7, kilobytes: 177 },
  { path: 'identity/index.js', files: 9, kilobytes: 450 },
  { path: 'authority/index.js', files: 8, kilobytes: 430 },
  { path: 'redis/index.js', files: 4, kilobytes: 53 },
  { path: 'postgres/index.js', files: 6, kilobytes: 218 },
  { path: 'logging/index.js', files: 6, kilobytes: 81 },
  { path: 'testing/index.js', files: 9, kilobytes: 625 },
]

describe('the package as published', () => {
  it('has a budget for each entry point', () => {
    const { exports: entries } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
      exports: Readonly<Record<string, string | { readonly default: string }>>
    }
    const paths = Object.values(entries).flatMap((entry) => (typeof entry === 'string' ? [] : [entry.default]))
    expect(BUDGETS.map(({ path }) => `./dist/${path}`).sort()).toEqual(paths.sort())
  })

  it.each(BUDGETS)(
    '$path loads at most $files files of $kilobytes KB, and no package',
    ({ path, files, kilobytes }) => {
      const loaded = loadedBy(path)
      expect(loaded.files).toContain(path)
      expect(loaded.files.length, loaded.files.join(' ')).toBeLessThanOrEqual(files)
      expect(loaded.bytes / 1000).toBeLessThanOrEqual(kilobytes)
      expect(loaded.packages).toEqual([])
      expect(loaded.files.filter((file) => /-later|cli/.test(file))).toEqual([])
      expect(loaded.builtins).toContain('crypto')
      const heavy =
        /^(http|https|_http_.*|http2|worker_threads|internal\/worker|dns|zlib|inspector|sqlite|child_process|cluster)$/
      expect(loaded.builtins.filter((name) => heavy.test(name))).toEqual([])
    },
  )

  it.each(['middleware', 'redis', 'postgres', 'logging'])('%s loads no TLS', (entry) => {
    expect(loadedBy(`${entry}/index.js`).builtins.filter((name) => /tls/.test(name))).toEqual([])
  })

  it('has the same class whichever entry point it came through', () => {
    const [same] = run(`
      const [front, tls, certificate] = await Promise.all(['index.js', 'tls/index.js', 'certificate/index.js'].map((path) =>
        import(${JSON.stringify(`${pathToFileURL(folder).href}/`)} + path)))
      console.log(front.Certificate === certificate.Certificate && front.ClientTLS === tls.ClientTLS && typeof tls.ClientTLS)`)
    expect(same).toBe('function')
  })

  it('has what comes with a call: a certificate is made', () => {
    const [isValid] = run(`
      const lib = await import(${JSON.stringify(pathToFileURL(join(folder, 'certificate/index.js')).href)})
      const { certificate } = await lib.generateSelfSignedCertificate({ hostname: 'example.org' })
      console.log(lib.isCertificateValidForHostname(certificate, 'example.org'))`)
    expect(isValid).toBe('true')
  })
})
