import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { ContextError } from '../../src/errors.ts'
import { SNIServerCertificates } from '../../src/tls/sans-io/server-certificates.ts'
import { issue } from '../support/issued-certificates.ts'
import { chainOf } from '../support/sans-io.ts'

const HELLO = {
  random: new Uint8Array(32),
  sessionId: new Uint8Array(),
  versions: [0x0304],
  cipherSuites: [0x1301],
  groups: [29],
  alpn: [],
  sni: null,
  extensions: [],
}
const SCHEMES = { 'P-256': 0x0403, Ed25519: 0x0807 } as const

const label = fc.constantFrom('a', 'b', 'c')
const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => [...labels, 'example'].join('.'))
const pattern = fc.tuple(fc.boolean(), host).map(([wild, name]) => (wild ? `*.${name}` : name))
const recipe = fc.record({
  names: fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
  key: fc.constantFrom('P-256' as const, 'Ed25519' as const),
  year: fc.integer({ min: 2050, max: 2060 }),
})

interface Recipe {
  readonly names: readonly string[]
  readonly key: 'P-256' | 'Ed25519'
  readonly year: number
}

// The rules once more, in the plainest words.
function matches(name: string, asked: string): boolean {
  return name === asked || (name.startsWith('*.') && asked.split('.').slice(1).join('.') === name.slice(2))
}

/** Whether for each of its names there is another with such a key that is valid longer, or as long and comes first. */
function isHidden(recipes: readonly Recipe[], index: number): boolean {
  const { names, key, year } = recipes[index] as Recipe
  return names.every((name) =>
    recipes.some(
      (other, at) =>
        other.names.includes(name) && other.key === key && (other.year > year || (other.year === year && at < index)),
    ),
  )
}

it('shows a chain for the name, with a key that the client can check, whenever there is one', () => {
  fc.assert(
    fc.property(
      fc.array(recipe, { minLength: 1, maxLength: 4 }),
      host,
      fc.constantFrom(...Object.values(SCHEMES)),
      (recipes, asked, scheme) => {
        const made = recipes.map(({ names, key, year }) => ({
          names,
          scheme: SCHEMES[key],
          chain: chainOf(issue({ names: names.map((each) => [2, each] as const), key, to: `${year}0101000000Z` })),
        }))
        const make = () =>
          new SNIServerCertificates(
            made.map(({ chain }) => chain),
            { onUnknownName: 'alert' },
          )
        if (recipes.some((_, index) => index > 0 && isHidden(recipes, index))) {
          expect(make).toThrow(ContextError)
          return
        }
        const certificates = make()
        let chosen: KeyedChain | null | undefined
        const hello = { ...HELLO, signatureSchemes: [scheme] }
        certificates.getCertificateChainForServerName(
          asked,
          (chain) => {
            chosen = chain
          },
          hello,
        )
        const known = made.filter(({ names }) => names.some((name) => matches(name, asked)))
        const fitting = known.filter((each) => each.scheme === scheme)
        if (known.length === 0) {
          expect(chosen).toBeNull()
          return
        }
        const best = fitting.length > 0 ? fitting : known
        const exact = best.filter(({ names }) => names.includes(asked))
        const among = exact.length > 0 ? exact : best
        const latest = Math.max(...among.map(({ chain }) => chain.leaf.notAfter.getTime()))
        expect(
          among.filter(({ chain }) => chain.leaf.notAfter.getTime() === latest).map(({ chain }) => chain),
        ).toContain(chosen)
      },
    ),
    { numRuns: 200 },
  )
})
