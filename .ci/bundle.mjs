// Bundles the source: one file for each public entry point, and what they share in a few common ones, so that an error
// class or a `Peer` is the same class whichever entry point it came through. Why, and how: docs/decisions/0005.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { assignChunks } from './chunks.mjs'
import { loadLater } from './load-later.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports: entries, bin: commands, dependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const withoutFolder = (path) => path.replace('./dist/', '').replace(/\.js$/, '')
const libraries = Object.values(entries).flatMap((entry) => (entry.default ? [withoutFolder(entry.default)] : []))
const programs = Object.values(commands).map(withoutFolder)
const sourceOf = (name) => `${root}src/${name}.ts`

const names = new Map()
const sizes = new Map()

/** Writes the bundle into a folder. */
export async function bundle(dir) {
  names.clear()
  const built = await rolldown({
    input: Object.fromEntries([...libraries, ...programs].map((name) => [name, sourceOf(name)])),
    external: [/^node:/, ...Object.keys(dependencies).map((name) => new RegExp(`^${name}(/|$)`))],
    platform: 'node',
    transform: { target: 'node20.19' },
    // What is in a common file is exported to the entry points that need it, and they keep their own exports.
    preserveEntrySignatures: 'allow-extension',
    plugins: [
      loadLater(root),
      frontDoor(),
      { name: 'chunks', moduleParsed: weigh, buildEnd: assign, renderChunk: inASCII },
    ],
  })
  await built.write({
    dir,
    format: 'esm',
    minify: false,
    // The comments are in the source, and those on what is public in the declarations.
    comments: { annotation: true, jsdoc: false, legal: true },
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ debugName: 'common', name: (id) => names.get(id) ?? null }],
    },
  })
}

/**
 * A file with one letter beyond Latin-1 takes twice the memory, and longer to parse. Such letters are in literals alone, as
 * comments are gone, and there an escape says the same.
 */
function inASCII(code, { fileName }) {
  // A program is started by itself, and has its scripts for shells in raw strings.
  if (programs.some((name) => fileName === `${name}.js`)) return null
  if (/\\[^\0-\x7f]|String\.raw`[^`]*[^`\0-\x7f]/.test(code))
    throw new Error(`${fileName} has letters that cannot be escaped`)
  return code.replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/**
 * The front door has its own copy of the lists of names that the other entry points are. There is no code in them, and it
 * would otherwise load one more file for each.
 */
function frontDoor() {
  const copy = '?copy'
  return {
    name: 'front-door',
    async resolveId(source, importer, options) {
      const from = importer?.replace(copy, '')
      const resolved = await this.resolve(source, from, { ...options, skipSelf: true })
      const isCopied = from === sourceOf('index') && libraries.some((name) => sourceOf(name) === resolved?.id)
      return isCopied ? { ...resolved, id: `${resolved.id}${copy}` } : resolved
    },
    load: (id) =>
      id.endsWith(copy) ? { code: readFileSync(id.slice(0, -copy.length), 'utf8'), moduleType: 'ts' } : null,
  }
}

function isList(id) {
  return libraries.some((name) => sourceOf(name) === id.replace(/\?copy$/, ''))
}

function weigh({ id, code }) {
  sizes.set(id, code.length)
}

/** Decides where each module goes, once all are known. */
function assign() {
  const modules = new Map()
  const visit = (id, entry) => {
    const { importedIds } = this.getModuleInfo(id)
    const imports = importedIds.filter((to) => to.includes(root))
    const module = modules.get(id) ?? { id, size: sizes.get(id), imports, entries: [] }
    if (module.entries.includes(entry)) return
    module.entries.push(entry)
    modules.set(id, module)
    for (const to of imports) visit(to, entry)
  }
  for (const name of libraries) visit(sourceOf(name), name.replace('/index', ''))
  for (const id of modules.keys()) if (isList(id)) modules.delete(id)
  for (const [id, name] of assignChunks([...modules.values()], mayLoad)) names.set(id, name)
  // What only comes with a call goes into one file for each folder of the source.
  for (const id of this.getModuleIds()) {
    const folder = /[\\/]src[\\/](\w+)[\\/]/.exec(id)?.[1]
    if (!names.has(id) && folder !== undefined && folder !== 'cli' && !isList(id)) names.set(id, `${folder}-later`)
  }
}

/** A Spartan server has neither TLS nor certificates, and nobody but a test needs what is for tests. */
function mayLoad(entry, id) {
  const [, folder] = /[\\/]src[\\/](\w+)[\\/]/.exec(id) ?? []
  if (folder === 'testing') return false
  return (
    !['middleware', 'redis', 'postgres', 'logging'].includes(entry) || !['certificate', 'tls', 'tofu'].includes(folder)
  )
}
