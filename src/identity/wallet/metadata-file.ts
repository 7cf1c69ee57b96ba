// The file with everything about identities that is for people, and that certificates cannot say:
//
//   format = 1
//
//   [identity.4c1f…]
//   name = "Ana"
//   created = 2026-01-02T03:04:05.000Z
//
//   [[identity.4c1f….scope]]
//   url = "gemini://example.org/"
//   last_used = 2026-02-03T04:05:06.000Z
//
//   [[identity.4c1f….site]]
//   endpoint = "example.org:1965"
//   first_used = 2026-01-02T03:04:05.000Z
//   last_used = 2026-02-03T04:05:06.000Z
//   confirmed = [ "tls12" ]
//
//   [identity.4c1f….rotation]
//   to = "9b0d…"
//   started = 2026-02-03T04:05:06.000Z
//
//   [[identity.4c1f….rotation.site]]
//   endpoint = "example.org:1965"
//   state = "done"
//   at = 2026-02-03T04:05:06.000Z
//
// What is not known is kept, key by key. What is known and makes no sense is an error with its place: to guess would be
// to lose it at the next write.

import { IdentityError, IdentityMetadataError, TlacacocaError } from '../../errors.ts'
import { requireString, show } from '../../internal/arguments.ts'
import { parseEndpoint } from '../../names/endpoint.ts'
import { placeInToml, type TomlPath } from './metadata-places.ts'
import {
  CONCERNS,
  type IdentityConcern,
  type IdentityNotes,
  type Metadata,
  NO_METADATA,
  ROTATION_STATES,
  type RotationNotes,
  type SiteNotes,
  type Unknown,
} from './notes.ts'
import { pathScope } from './scope.ts'

/**
 * Reads the file's text.
 *
 * @param path - For messages.
 * @throws {IdentityMetadataError} For the first thing that is wrong with it.
 * @throws {IdentityError} IDENTITY_METADATA_NEWER if it has a later format.
 */
export async function parseMetadata(text: string, path: string): Promise<Metadata> {
  const { parse, TomlError } = await import('smol-toml')
  let root: Unknown
  try {
    root = parse(text, { integersAsBigInt: 'asNeeded' })
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof TomlError)) throw error
    // What follows in the message is a piece of the file.
    const message = error.message.split('\n', 1)[0] ?? ''
    throw new IdentityMetadataError(path, { line: error.line, column: error.column, message })
  }
  try {
    return readRoot(new Table(root, []), path)
  } catch (error) {
    if (!(error instanceof Misplaced)) throw error
    throw new IdentityMetadataError(path, { ...placeInToml(text, error.where), message: error.message })
  }
}

/** Writes the file's text. */
export async function formatMetadata({ identities, rest }: Metadata): Promise<string> {
  const { stringify } = await import('smol-toml')
  const tables = [...identities].map(([id, notes]) => [id, tableOf(notes)] as const)
  const root = { format: FORMAT, ...rest, ...(tables.length === 0 ? {} : { identity: Object.fromEntries(tables) }) }
  return `${HEADER}\n${stringify(root)}`
}

/** What names a file of an identity can begin with. Programs choose 32 hex digits; people may put files there too. */
export const IDENTITY_ID = /^[0-9a-z][0-9a-z_-]{0,63}$/

const FORMAT = 1

const HEADER = `# Names, scopes and notes of the identities in this folder. The certificates and keys are in files beside it, each
# named by the id that stands here. You may edit this file: keys that are not known are kept, comments are not.
`

function readRoot(root: Table, path: string): Metadata {
  const format = root.take('format')
  if (typeof format !== 'number' || !Number.isInteger(format) || format < 1) {
    throw root.wrong('format', 'the format is missing or no whole number')
  }
  if (format > FORMAT) {
    const message = `${path} has the format ${format}, and this release knows ${FORMAT}`
    throw new IdentityError('ERR_TLACACOCA_IDENTITY_METADATA_NEWER', message)
  }
  const tables = root.table('identity')
  if (tables === null) return { ...NO_METADATA, rest: root.rest }
  const identities = tables.names.map((id) => {
    if (!IDENTITY_ID.test(id)) throw tables.wrong(id, `${show(id)} cannot be the id of an identity`)
    const table = tables.table(id)
    /* v8 ignore if -- @preserve each name has a value; the compiler cannot know */
    if (table === null) throw tables.wrong(id, 'an identity is a table')
    return [id, readNotes(table)] as const
  })
  return { identities: new Map(identities), rest: root.rest }
}

function readNotes(table: Table): IdentityNotes {
  const scopes = table.tables('scope').map((each) => ({
    scope: each.required('url', 'a URL of a protocol with identities', pathScope),
    lastUsed: each.instant('last_used') ?? 0,
    rest: each.rest,
  }))
  const sites = table.tables('site').map((each) => ({
    endpoint: each.required('endpoint', 'a host and a port', parseEndpoint),
    firstUsed: each.instant('first_used'),
    lastUsed: each.instant('last_used'),
    confirmed: each.words('confirmed', CONCERNS),
    rest: each.rest,
  }))
  for (const [key, list] of Object.entries({
    scope: scopes.map(({ scope }) => scope),
    site: sites.map((each) => each.endpoint),
  })) {
    const twice = list.findIndex((each, index) => list.slice(0, index).some((other) => String(other) === String(each)))
    if (twice >= 0) throw new Misplaced([...table.where, key, twice], `${list[twice]} is there twice`)
  }
  const rotation = table.table('rotation')
  return {
    name: table.text('name'),
    notes: table.text('notes'),
    created: table.instant('created'),
    deleted: table.instant('deleted'),
    scopes,
    sites,
    rotation: rotation === null ? null : readRotation(rotation),
    rest: table.rest,
  }
}

function readRotation(table: Table): RotationNotes {
  return {
    to: table.required('to', 'the id of an identity', (id) => {
      if (!IDENTITY_ID.test(id)) throw new RangeError('not an id')
      return id
    }),
    started: table.instant('started') ?? 0,
    sites: table.tables('site').map((each) => ({
      endpoint: each.required('endpoint', 'a host and a port', parseEndpoint),
      state: each.required('state', `one of ${ROTATION_STATES.join(', ')}`, (word) => {
        const state = ROTATION_STATES.find((known) => known === word)
        if (state === undefined) throw new RangeError('not a state')
        return state
      }),
      at: each.instant('at') ?? 0,
      note: each.text('note'),
      rest: each.rest,
    })),
    rest: table.rest,
  }
}

function tableOf({ name, notes, created, deleted, scopes, sites, rotation, rest }: IdentityNotes): Unknown {
  return {
    ...filled({ name, notes, created: dateOf(created), deleted: dateOf(deleted) }),
    ...rest,
    ...filled({
      scope: scopes.map((each) => ({ url: String(each.scope), last_used: dateOf(each.lastUsed), ...each.rest })),
      site: sites.map(tableOfSite),
      rotation: rotation === null ? null : tableOfRotation(rotation),
    }),
  }
}

function tableOfSite({ endpoint, firstUsed, lastUsed, confirmed, rest }: SiteNotes): Unknown {
  const dates = { first_used: dateOf(firstUsed), last_used: dateOf(lastUsed) }
  return { ...filled({ endpoint: String(endpoint), ...dates, confirmed }), ...rest }
}

function tableOfRotation({ to, started, sites, rest }: RotationNotes): Unknown {
  const tables = sites.map(({ endpoint, state, at, note, rest }) => ({
    ...filled({ endpoint: String(endpoint), state, at: dateOf(at), note }),
    ...rest,
  }))
  return { to, started: dateOf(started), ...rest, ...filled({ site: tables }) }
}

/** Without what says nothing. */
function filled(table: Unknown): Unknown {
  const says = ([, value]: [string, unknown]) => value !== null && !(Array.isArray(value) && value.length === 0)
  return Object.fromEntries(Object.entries(table).filter(says))
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms)
}

/** Something that makes no sense where it stands. Its place in the text is looked up by whoever has the text. */
class Misplaced extends Error {
  readonly where: TomlPath

  constructor(where: TomlPath, message: string) {
    super(message)
    this.where = where
  }
}

/** A table of the file: what is taken is known, and what remains is kept. */
class Table {
  readonly where: TomlPath
  readonly #values: Map<string, unknown>

  constructor(values: Unknown, where: TomlPath) {
    this.#values = new Map(Object.entries(values))
    this.where = where
  }

  get names(): string[] {
    return [...this.#values.keys()]
  }

  get rest(): Unknown {
    return Object.fromEntries(this.#values)
  }

  wrong(key: string, message: string): Misplaced {
    return new Misplaced([...this.where, key], message)
  }

  take(key: string): unknown {
    const value = this.#values.get(key)
    this.#values.delete(key)
    return value
  }

  text(key: string): string | null {
    const value = this.take(key)
    if (value === undefined) return null
    if (typeof value !== 'string') throw this.wrong(key, `"${key}" is to be a text, and is ${show(value)}`)
    return value
  }

  instant(key: string): number | null {
    const value = this.take(key)
    if (value === undefined) return null
    const instant = value instanceof Date ? value.getTime() : Number.NaN
    if (Number.isNaN(instant)) throw this.wrong(key, `"${key}" is to be a date and time, as in 2026-01-02T03:04:05Z`)
    return instant
  }

  words(key: string, known: readonly IdentityConcern[]): readonly IdentityConcern[] {
    const value = this.take(key)
    if (value === undefined) return []
    const words = Array.isArray(value) ? value.map((word) => known.find((each) => each === word)) : [undefined]
    const understood = words.filter((word) => word !== undefined)
    // To drop a word would take back a confirmation, and to keep one that nobody knows would give one.
    if (understood.length < words.length) throw this.wrong(key, `"${key}" is to be a list of ${known.join(', ')}`)
    return [...new Set(understood)]
  }

  required<T>(key: string, what: string, read: (text: string) => T): T {
    const value = this.take(key)
    try {
      requireString(key, value)
      return read(value)
    } catch (error) {
      /* v8 ignore if -- @preserve only a fault of our own could be another error */
      if (!(error instanceof TlacacocaError || error instanceof TypeError || error instanceof RangeError)) throw error
      throw this.wrong(key, `"${key}" is to be ${what}`)
    }
  }

  table(key: string): Table | null {
    const value = this.take(key)
    if (value === undefined) return null
    if (!isTable(value)) throw this.wrong(key, `"${key}" is to be a table`)
    return new Table(value, [...this.where, key])
  }

  tables(key: string): Table[] {
    const value = this.take(key)
    if (value === undefined) return []
    if (!Array.isArray(value) || !value.every(isTable)) throw this.wrong(key, `"${key}" is to be a list of tables`)
    return value.map((each, index) => new Table(each, [...this.where, key, index]))
  }
}

function isTable(value: unknown): value is Unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
