import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { ENTRIES, type Export, PublicApi } from '../support/public-api.ts'

// What can be imported is a promise (docs/explanation/compatibility.md), written down name by name in exported-names.txt
// and declaration by declaration in api/. It changes on purpose or not at all:
// `npx vitest run test/package/public-api.test.ts --update` writes it anew, and the difference is what the changelog tells.

const folder = fileURLToPath(new URL('.', import.meta.url))
const PROMISE =
  'This is public, and docs/explanation/compatibility.md says what may change in which version. If it is meant to change: ' +
  'npx vitest run test/package/public-api.test.ts --update, and a line in CHANGELOG.md'

let api: PublicApi
beforeAll(() => {
  api = new PublicApi()
}, 300_000)

describe('what can be imported', () => {
  it('is looked at whole: every entry point of the package', () => {
    expect([...ENTRIES].toSorted()).toEqual(PublicApi.entriesOfPackage.toSorted())
  })

  it('has these names and no others', async () => {
    const lines = api.exports.map(({ entry, name, isValue }) => `${entry} ${isValue ? 'value' : 'type '} ${name}`)
    await expect(`${lines.sort().join('\n')}\n`, PROMISE).toMatchFileSnapshot('exported-names.txt')
  })

  it('is, for each name, one thing, from wherever it is imported', () => {
    const homes = new Map<string, Set<unknown>>()
    for (const { name, symbol } of api.exports) homes.set(name, (homes.get(name) ?? new Set()).add(symbol))
    expect([...homes].filter(([, symbols]) => symbols.size > 1).map(([name]) => name)).toEqual([])
  })

  it('is all in the main entry point, but for adapters and fakes', () => {
    const APART = ['tlacacoca/redis', 'tlacacoca/postgres', 'tlacacoca/testing']
    const main = new Map(api.exports.filter(({ entry }) => entry === 'tlacacoca').map((each) => [each.name, each]))
    const missing = api.exports.filter(({ entry, name }) => !APART.includes(entry) && !main.has(name))
    expect(missing.map(({ entry, name }) => `${entry} ${name}`)).toEqual([])
    // A class whose type alone is exported elsewhere is a class there.
    const values = api.exports.filter(({ entry, isValue }) => isValue && !APART.includes(entry))
    expect(values.filter(({ name }) => main.get(name)?.isValue !== true)).toEqual([])
  })

  it('includes every class of error that an entry point says it throws', () => {
    const missing = ENTRIES.filter((entry) => entry !== 'tlacacoca').flatMap((entry) => {
      const values = new Set(api.exports.filter((each) => each.entry === entry && each.isValue).map(({ name }) => name))
      const thrown = api.exports.filter((each) => each.entry === entry).flatMap(errorsOf)
      return [...new Set(['TlacacocaError', ...thrown])]
        .filter((name) => !values.has(name))
        .map((name) => `${entry} ${name}`)
    })
    expect(missing).toEqual([])
  })
})

/** The errors of ours in the `@throws` of a declaration and its members. */
function errorsOf({ symbol }: Export): string[] {
  const texts = (symbol.declarations ?? []).map((declaration) => declaration.getFullText())
  return texts
    .flatMap((text) =>
      [...text.matchAll(/@throws \{([^}]+)\}/g)].flatMap(([, names = '']) =>
        names.split('|').map((name) => name.trim()),
      ),
    )
    .filter((name) => !['TypeError', 'RangeError', 'AggregateError'].includes(name))
}

describe('declarations', () => {
  const NOTHING_SHARED = '// Not exported, and part of what is.'

  /** Each declaration once, with the first entry point that has it; behind them what they name and nobody can import. */
  function report(entry: string): string {
    const home = (symbol: unknown): string | undefined => api.exports.find((each) => each.symbol === symbol)?.entry
    const own = api.exports.filter((each) => each.entry === entry && home(each.symbol) === entry)
    const exported = new Set(api.exports.map(({ symbol }) => symbol))
    const hidden = new Set<Export['symbol']>()
    const toLookAt = own.map(({ symbol }) => symbol)
    for (let symbol = toLookAt.pop(); symbol !== undefined; symbol = toLookAt.pop()) {
      for (const mentioned of api.mentionedBy(symbol)) {
        if (exported.has(mentioned) || hidden.has(mentioned)) continue
        hidden.add(mentioned)
        toLookAt.push(mentioned)
      }
    }
    const blocks = (symbols: readonly Export['symbol'][]): string[] =>
      symbols.map((symbol) => `${api.declarationOf(symbol)}\n`).toSorted()
    const shown = blocks(own.map(({ symbol }) => symbol))
    return hidden.size === 0 ? shown.join('\n') : [...shown, `${NOTHING_SHARED}\n`, ...blocks([...hidden])].join('\n')
  }

  it.each(ENTRIES.filter((entry) => entry !== 'tlacacoca'))(
    'of %s are as they were',
    async (entry) => {
      const text = report(entry)
      expect(text.length).toBeGreaterThan(100)
      await expect(text, PROMISE).toMatchFileSnapshot(`api/${entry.replace('tlacacoca/', '')}.txt`)
    },
    120_000,
  )

  it('of the main entry point are all in another', () => {
    const elsewhere = new Set(api.exports.filter(({ entry }) => entry !== 'tlacacoca').map(({ symbol }) => symbol))
    expect(api.exports.filter(({ symbol }) => !elsewhere.has(symbol)).map(({ name }) => name)).toEqual([])
  })

  it('have a report for each entry point and none for others', () => {
    const reports = readdirSync(join(folder, 'api')).toSorted()
    const wanted = ENTRIES.filter((entry) => entry !== 'tlacacoca').map((entry) => `${entry.split('/')[1]}.txt`)
    expect(reports).toEqual(wanted.toSorted())
  })

  it('would show an option that is gone, a result that is another, and a member of a base that nobody can import', () => {
    const text = readFileSync(join(folder, 'api/tls.txt'), 'utf8')
    expect(text).toMatch(/export declare function connect\(options: ConnectOptions\): Promise<ClientConnection>/)
    expect(text).toMatch(/export interface ConnectOptions[^}]*readonly verify: PeerVerifier/)
    expect(text.split(NOTHING_SHARED)[1]).toMatch(/interface SourceOptions extends ServedNames/)
  })
})
