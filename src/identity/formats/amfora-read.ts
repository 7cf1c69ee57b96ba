// Amfora's `config.toml`: two tables from "host/path" to a file, one for certificates and one for keys.
//
//   [auth.certs]
//   "example.org/club" = '~/certificates/club.crt'
//
//   [auth.keys]
//   "example.org" = '~/certificates/key.pem'
//
// Names may also stand without quotes (`example.org = …` is a table `example` in TOML, which Amfora puts together again).
// A certificate's key is the one under the same name or, as here, under that of a path above it.

import { isAbsolute, join, resolve } from 'node:path'
import { ImportError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { homeFolder } from '../../internal/home-folder.ts'
import { type IdentityScope, pathScope } from '../wallet/scope.ts'
import type { ImportContext } from './import-context.ts'
import type { ImportedIdentity, ImportPlace } from './imported-identity.ts'
import { MAX_PEM_BYTES } from './lagrange-read.ts'
import { type FoundIdentity, pairObjects } from './pair-objects.ts'
import { type IdentityText, readObjects } from './pem-objects.ts'
import { readPrefixScope } from './prefix-scope.ts'
import { readSourceFile, readSourceText } from './source-file.ts'
import { locateKeys, type TomlPlace } from './toml-lines.ts'

/** Where the configuration is: its text, and the folder that relative names of files in it start from. */
export interface AmforaText {
  readonly file: string | null
  readonly toml: string
  readonly directory: string
}

export const MAX_TOML_BYTES = 1024 * 1024
const MAX_ENTRIES = 1_000
// A host has 127 labels at most, and what is in a path need not stand without quotes.
const MAX_NAMES = 128

export async function readAmforaText(path: string): Promise<AmforaText> {
  return { file: path, toml: await readSourceText(path, MAX_TOML_BYTES), directory: resolve(path, '..') }
}

export async function readAmfora(text: AmforaText, context: ImportContext): Promise<ImportedIdentity[]> {
  const root = await parseToml(text)
  const auth = tableOf(root.auth)
  const locate = locateKeys(text.toml)
  const certs = entriesOf('certs', auth.certs, text.file, locate, context)
  const keys = entriesOf('keys', auth.keys, text.file, locate, context)
  const readPair = remember((cert: Entry, key: Entry) => readFiles(cert, key, text.directory, context))
  const used = new Set<Entry>()
  const found = new Map<string, ImportedIdentity>()
  for (const cert of certs) {
    if (context.isFull) break
    const key = keyFor(cert, keys)
    if (key === null) {
      const what = `[auth.keys] has no key for ${show(cert.name)}; add one, or take the certificate out`
      context.report('ERR_TLACACOCA_IDENTITY_KEY_MISSING', cert.place, what)
      continue
    }
    used.add(key)
    for (const { entry } of await readPair(cert, key)) {
      const { fingerprint } = entry.certificate
      const scopes = new Set([...(found.get(fingerprint)?.scopes ?? []), String(cert.scope)])
      const { certificate, chain, privateKey } = entry
      found.set(
        fingerprint,
        Object.freeze({
          ...{ certificate, chain, privateKey },
          ...{ name: null, notes: null, scopes: Object.freeze([...scopes]), temporary: false },
        }),
      )
    }
  }
  for (const key of keys) {
    if (used.has(key)) continue
    const what = `[auth.certs] has no certificate for the key of ${show(key.name)}; add one, or take the key out`
    context.report('ERR_TLACACOCA_IDENTITY_CERTIFICATE_MISSING', key.place, what)
  }
  return [...found.values()]
}

/** A line of one of the two tables. */
interface Entry {
  readonly name: string
  readonly scope: IdentityScope
  readonly path: string
  readonly place: ImportPlace
}

type Table = Readonly<Record<string, unknown>>

async function parseToml({ file, toml }: AmforaText): Promise<Table> {
  const { parse, TomlError } = await import('smol-toml')
  try {
    return parse(toml, { integersAsBigInt: 'asNeeded' })
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof TomlError)) throw error
    // What follows in the message is a piece of the file.
    const message = error.message.split('\n', 1)[0] ?? ''
    const problem = { line: error.line, column: error.column, message }
    const where = `${file === null ? 'the text' : show(file)}, line ${error.line}, column ${error.column}`
    throw new ImportError('ERR_TLACACOCA_IMPORT_INVALID', `${where}: ${message}`, [problem])
  }
}

function tableOf(value: unknown): Table {
  const isTable = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  return isTable ? (value as Table) : {}
}

function entriesOf(
  kind: 'certs' | 'keys',
  value: unknown,
  file: string | null,
  locate: (path: readonly string[]) => TomlPlace | null,
  context: ImportContext,
): Entry[] {
  const entries: Entry[] = []
  for (const { path, value: target } of leavesOf(value)) {
    const name = path.join('.')
    const place = { file, ...locate(['auth', kind, ...path]) }
    if (entries.length === MAX_ENTRIES) {
      const what = `no more than ${MAX_ENTRIES} entries of a table are read`
      context.report('ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE', place, what)
      break
    }
    if (typeof target !== 'string' || target === '') {
      const what = `${show(name)} should be the name of a file, in quotes`
      context.report('ERR_TLACACOCA_IDENTITY_FORMAT_INVALID', place, what)
      continue
    }
    const reading = readPrefixScope(urlOf(name))
    if ('problem' in reading) {
      context.report('ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED', place, `${show(name)} ${reading.problem}`)
      continue
    }
    entries.push({ name, scope: pathScope(reading.scope), path: target, place })
  }
  return entries
}

/** What is in a table and in the tables in it, with the way there. */
function* leavesOf(
  value: unknown,
  path: readonly string[] = [],
): Iterable<{ path: readonly string[]; value: unknown }> {
  for (const [name, inside] of Object.entries(tableOf(value))) {
    const way = [...path, name]
    const isTable = way.length < MAX_NAMES && Object.keys(tableOf(inside)).length > 0
    if (isTable) yield* leavesOf(inside, way)
    else yield { path: way, value: inside }
  }
}

/** As Amfora completes what a user types. */
function urlOf(name: string): string {
  if (name.startsWith('//')) return `gemini:${name}`
  return name.includes('://') ? name : `gemini://${name}`
}

function keyFor(cert: Entry, keys: readonly Entry[]): Entry | null {
  const above = keys.filter(
    ({ scope }) => scope.endpoint.equals(cert.scope.endpoint) && cert.scope.path.startsWith(scope.path),
  )
  const depth = (entry: Entry): number => entry.scope.path.segments.length
  return above.reduce<Entry | null>((best, each) => (best === null || depth(each) > depth(best) ? each : best), null)
}

type ReadPair = (cert: Entry, key: Entry) => Promise<readonly FoundIdentity[]>

/** Two sites may have one certificate. It is read once, and what is wrong with it is reported once. */
function remember(read: ReadPair): ReadPair {
  const known = new Map<string, Promise<readonly FoundIdentity[]>>()
  return (cert, key) => {
    const name = JSON.stringify([cert.path, key.path])
    const found = known.get(name) ?? read(cert, key)
    known.set(name, found)
    return found
  }
}

async function readFiles(
  cert: Entry,
  key: Entry,
  directory: string,
  context: ImportContext,
): Promise<readonly FoundIdentity[]> {
  const texts: IdentityText[] = []
  for (const [entry, der] of [
    [cert, 'certificate'],
    [key, 'key'],
  ] as const) {
    const path = pathOf(entry.path, directory)
    try {
      texts.push({ file: path, contents: await readSourceFile(path, MAX_PEM_BYTES), der })
    } catch (error) {
      context.reportError(error, entry.place)
    }
  }
  return texts.length < 2 ? [] : pairObjects(await readObjects(texts, context), context)
}

function pathOf(name: string, directory: string): string {
  if (name.startsWith('~/')) return join(homeFolder(), name.slice(2))
  return isAbsolute(name) ? name : join(directory, name)
}
