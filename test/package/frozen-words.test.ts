import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'
import { ISSUED_SCHEMA } from '../../src/authority/issued-schema.ts'
import { ExitCode } from '../../src/cli/exit-code.ts'
import { IDENTITY_SCHEMA } from '../../src/identity/registry/identity-schema.ts'
import { MIGRATIONS } from '../../src/postgres/migrations.ts'
import { PIN_SCHEMA } from '../../src/tofu/schema.ts'
import { PublicApi } from '../support/public-api.ts'

// The words that programs, scripts and files of others hold: error codes, denial reasons, verdicts, kinds of events, exit
// codes, fields of JSON, variables, marks and versions of files. They stand in frozen-words.txt, one on each line.
//
// A word more is written down by `npx vitest run test/package/frozen-words.test.ts --update`. A word less, or another
// one in its place, has to be taken out of the file by hand, so that it cannot happen by the way.

const file = fileURLToPath(new URL('frozen-words.txt', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const GONE =
  'Programs and files of others have these words, and docs/explanation/compatibility.md promises that they stay until the ' +
  'next major version. If this is one, take them out of test/package/frozen-words.txt by hand'
const NEW = 'These words are new, and will stay: npx vitest run test/package/frozen-words.test.ts --update'
const CLOSED =
  'Programs answer each of these by a `switch` or a `Record` without a default, so one more breaks them: it is for a major ' +
  'version (docs/explanation/compatibility.md)'

let api: PublicApi
beforeAll(() => {
  api = new PublicApi()
}, 300_000)

/** Texts that are spelt out in the source, as `pick` finds them. */
function texts(folder: string, pick: (node: ts.Node) => string | undefined): string[] {
  const found = new Set<string>()
  for (const [, source] of api.sources(folder)) {
    const visit = (node: ts.Node): void => {
      const text = pick(node)
      if (text !== undefined) found.add(text)
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return [...found].toSorted()
}

function literal(node: ts.Node | undefined, pattern: RegExp): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) && pattern.test(node.text) ? node.text : undefined
}

const errorCodes = (): string[] => {
  const codes = api.exports.flatMap(({ symbol }) => {
    const property =
      symbol.flags & ts.SymbolFlags.Class && api.checker.getDeclaredTypeOfSymbol(symbol).getProperty('code')
    if (!property) return []
    const type = api.checker.getTypeOfSymbol(property)
    return (type.isUnion() ? type.types : [type]).flatMap((each) => (each.isStringLiteral() ? [each.value] : []))
  })
  return [...new Set(codes)].toSorted()
}

/** What can be told apart by a word in each type that can be imported. */
const wordsOfTypes = (): string[] => {
  const seen = new Map(api.exports.map(({ name, symbol }) => [symbol, name]))
  return [...seen].flatMap(([symbol, name]) => api.wordsOf(symbol).map((word) => `${name}: ${word}`)).toSorted()
}

/** What stands in the trail of an authority: the events that stores of ours append. */
const auditEvents = (): string[] => {
  const found = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isObjectLiteralExpression(node)) {
      const named = new Map(node.properties.map((property) => [property.name?.getText(), property]))
      const event = named.has('actor') ? named.get('event') : undefined
      const type = event && typeOfProperty(event)
      for (const each of type?.isUnion() ? type.types : [type]) if (each?.isStringLiteral()) found.add(each.value)
    }
    ts.forEachChild(node, visit)
  }
  for (const folder of ['authority', 'postgres']) for (const [, source] of api.sources(folder)) visit(source)
  return [...found].toSorted()
}

/** The fields of what the command prints with `--json`, by the file that prints it. */
const jsonFields = (): string[] => {
  const found = new Set<string>()
  for (const [path, source] of api.sources('cli')) {
    const visit = (node: ts.Node): void => {
      if (ts.isObjectLiteralExpression(node)) {
        const named = new Map(node.properties.map((property) => [property.name?.getText(source), property]))
        const json = named.has('text') ? named.get('json') : undefined
        if (json !== undefined) {
          const place = path.replace(/^cli\/|\.ts$/g, '')
          for (const field of fieldsOf(typeOfProperty(json))) found.add(`${place}: ${field}`)
        }
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  return [...found].toSorted()
}

function typeOfProperty(property: ts.ObjectLiteralElementLike): ts.Type {
  if (ts.isPropertyAssignment(property)) return api.checker.getTypeAtLocation(property.initializer)
  const symbol = ts.isShorthandPropertyAssignment(property)
    ? api.checker.getShorthandAssignmentValueSymbol(property)
    : undefined
  if (symbol === undefined) throw new Error(`${property.getText()} is neither a value nor a name of one`)
  return api.checker.getTypeOfSymbolAtLocation(symbol, property)
}

/** The names of its fields, and of theirs; those of arrays and streams are those of what is in them. */
function fieldsOf(type: ts.Type, above = '', depth = 0): string[] {
  if (type.isUnion()) return type.types.flatMap((each) => fieldsOf(each, above, depth))
  const name = type.symbol?.name ?? ''
  if (['Array', 'ReadonlyArray', 'AsyncGenerator', 'AsyncIterable', 'Promise'].includes(name)) {
    const [item] = api.checker.getTypeArguments(type as ts.TypeReference)
    return item === undefined ? [] : fieldsOf(item, above, depth)
  }
  const isClass = ((type.symbol?.flags ?? 0) & ts.SymbolFlags.Class) !== 0
  if ((type.flags & ts.TypeFlags.Object) === 0 || isClass || depth > 3) return []
  // Dates and the like are printed as texts.
  const declared = type.symbol?.declarations?.[0]?.getSourceFile()
  if (declared !== undefined && !declared.fileName.startsWith(join(root, 'src'))) return []
  return type.getProperties().flatMap((property) => {
    const path = `${above}${property.name}`
    return [path, ...fieldsOf(api.checker.getTypeOfSymbol(property), `${path}.`, depth + 1)]
  })
}

/** What stands in files and databases, by which a later version knows what it has before it. */
function marks(): string[] {
  const text = (path: string): string => readFileSync(join(root, path), 'utf8')
  const found = (path: string, pattern: RegExp): string => {
    const [, mark] = pattern.exec(text(path)) ?? []
    if (mark === undefined) throw new Error(`${path} has no ${pattern}`)
    return mark
  }
  const schema = ({ name, applicationId, migrations }: typeof PIN_SCHEMA): string[] => [
    `${name}: application_id 0x${applicationId.toString(16)}`,
    ...migrations.map((script, index) => `${name}: version ${index + 1}, made by ${digestOf(script)}`),
  ]
  return [
    ...schema(PIN_SCHEMA),
    ...schema(IDENTITY_SCHEMA),
    ...schema(ISSUED_SCHEMA),
    ...MIGRATIONS.map((script, index) => `PostgreSQL: version ${index + 1}, made by ${digestOf(script.join(';'))}`),
    `known hosts: [_metadata] version ${found('src/tofu/toml-write.ts', /\[_metadata\]\\n.*version = (".*?")/)}`,
    `known hosts: [tlacacoca] format ${found('src/tofu/toml-write.ts', /\[tlacacoca\]\\nformat = (\d+)/)}`,
    `signed list: ${found('src/tofu/signed-list.ts', /const HEADER = '(.*)'/)}`,
    `signed list, what is signed: ${found('src/tofu/signed-list.ts', /Buffer\.from\(`(tlacacoca .*?)\\n/)}`,
    `rotation statement: ${found('src/identity/rotation-statement.ts', /const DOMAIN = Buffer\.from\('(.*?)\\0'/)}`,
    `wallet: ${found('src/identity/wallet/wallet-folder.ts', /'(identities\.toml)'/)}`,
    `wallet: format ${found('src/identity/wallet/metadata-file.ts', /format = (\d+)/)}`,
    `Redis: ${found('src/redis/rate-limit-store.ts', /prefix = '(.*?)'/)}`,
    `Redis: ${found('src/redis/share-bans.ts', /key = '(.*?)'/)}`,
  ]
}

/** A script that has once made somebody's tables is never another one. */
function digestOf(script: string): string {
  return createHash('sha256').update(script.replace(/\s+/g, ' ')).digest('hex').slice(0, 16)
}

function allWords(): string[] {
  const section = (name: string, words: readonly string[]): string[] => {
    if (words.length === 0) throw new Error(`nothing was found of ${name}`)
    return words.map((word) => `${name}: ${word}`)
  }
  const variables = ['cli', 'authority', 'internal'].flatMap((folder) =>
    texts(folder, (node) => {
      if (ts.isPropertyAccessExpression(node) && /^[A-Z_]{2,}$/.test(node.name.text)) {
        return /\benv$/.test(node.expression.getText()) ? node.name.text : undefined
      }
      return literal(node, /^(?:TLACACOCA|CA)_[A-Z_]+$/)
    }),
  )
  return [
    ...section('error code', errorCodes()),
    ...section('type', wordsOfTypes()),
    ...section('audit event', auditEvents()),
    ...section(
      'exit code',
      Object.entries(ExitCode).map(([name, code]) => `${code} ${name}`),
    ),
    ...section('variable', [...new Set(variables)].toSorted()),
    ...section('JSON', jsonFields()),
    ...section('mark', marks()),
  ]
}

describe('words that others have written down', () => {
  it('are all still there', () => {
    const known = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(known.length).toBeGreaterThan(500)
    const now = new Set(allWords())
    expect(
      known.filter((word) => !now.has(word)),
      GONE,
    ).toEqual([])
  }, 120_000)

  it('are written down as soon as there are more', async () => {
    await expect(`${allWords().join('\n')}\n`, NEW).toMatchFileSnapshot(file)
  }, 120_000)

  it('include each error code that has a heading in its page', () => {
    const page = readFileSync(join(root, 'docs/reference/errors.md'), 'utf8')
    const headings = [...page.matchAll(/^### (ERR_\w+)$/gm)].map(([, code]) => code)
    expect(errorCodes()).toEqual([...new Set(headings)].toSorted())
  })

  it('include each exit code and variable in the page of the command', () => {
    const page = readFileSync(join(root, 'docs/reference/command.md'), 'utf8')
    const codes = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code))
    expect(codes).toEqual(Object.values(ExitCode))
    const documented = allWords().filter((word) => /^variable: (?:TLACACOCA|CA|NO)_/.test(word))
    expect(documented.length).toBeGreaterThan(5)
    expect(documented.filter((word) => !page.includes(`\`${word.replace('variable: ', '')}\``))).toEqual([])
  }, 120_000)
})

describe('words that are all there will be', () => {
  const wordsOf = (name: string): string[] => {
    const found = api.exports.find((each) => each.name === name)
    if (found === undefined) throw new Error(`nobody can import ${name}`)
    return api.wordsOf(found.symbol)
  }

  it.each([
    [
      'DenialReason',
      [
        ...[
          'rate_limit',
          'access_denied',
          'cert_required',
          'cert_not_authorized',
          'cert_not_valid',
          'identity_changed',
        ],
        ...['busy', 'bad_request', 'too_large', 'timeout', 'wrong_host', 'internal_error'],
      ],
    ],
    ['Verdict', ['kind=trusted', 'kind=first_use', 'kind=renewed', 'kind=rotated', 'kind=changed', 'kind=distrusted']],
  ])('are those of %s', (name, words) => {
    expect(wordsOf(name).toSorted(), CLOSED).toEqual(words.toSorted())
  })

  it('are the exit codes', () => {
    expect(Object.values(ExitCode), CLOSED).toEqual([0, 1, 2, 3, 4, 5, 70, 130])
  })
})
