import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { CertificateSet } from '../../src/certificate/certificate-set.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { ChainError, TlacacocaError } from '../../src/errors.ts'
import { AT, certPem, family, keyPem, marked } from '../support/chain-fixtures.ts'
import { type Issued, issue } from '../support/issued-certificates.ts'

const { root, middle, leaf } = family()
const low = issue({ subject: 'low', by: middle, ca: true })
const deep = issue({ subject: 'deep', by: low, ca: false })
const CHAINS: readonly (readonly Issued[])[] = [
  [leaf, middle, root],
  [leaf, middle],
  [deep, low, middle, root],
  [deep, low, middle],
  [issue({ ca: false })],
  [marked()],
]

const MORE: readonly Issued[] = [
  issue({ subject: 'stranger', ca: true }),
  issue({ subject: 'stranger', ca: false }),
  issue({ subject: 'stranger', version: 1 }),
  // Those that look like relatives.
  issue({ subject: 'root', ca: true }),
  issue({ subject: 'middle', by: root, ca: true }),
  issue({ subject: 'middle', by: issue({ subject: 'root', ca: true }), ca: true, key: middle }),
  issue({ subject: 'low', by: low, ca: true }),
  issue({ by: middle, ca: false }),
  issue({ by: leaf, ca: false }),
  issue({ by: middle, ca: false, key: leaf }),
  issue({ by: middle, ca: false, spoil: true }),
  marked({ key: leaf }),
]

const chainAndShuffle = fc
  .constantFrom(...CHAINS)
  .chain((chain) => fc.tuple(fc.constant(chain), fc.shuffledSubarray([...chain], { minLength: chain.length })))

const certificates = (issued: readonly Issued[]): Certificate[] => issued.map(({ certificate }) => certificate)
const fingerprints = (list: readonly Certificate[]) => list.map((each) => each.fingerprint)
const options = { at: AT, allowVersion1: true }

it('the same chain comes out, whatever the order', () => {
  fc.assert(
    fc.property(chainAndShuffle, ([chain, shuffled]) => {
      const key = chain[0]?.keys.privateKey ?? expect.fail('there is no leaf')
      const read = KeyedChain.fromCertificates(certificates(shuffled), key, options)
      expect(fingerprints(read.certificates)).toEqual(fingerprints(certificates(chain)))
    }),
    { numRuns: 200 },
  )
})

it('one certificate more is refused, wherever it stands and whatever it resembles', () => {
  fc.assert(
    fc.property(chainAndShuffle, fc.constantFrom(...MORE), fc.nat(), ([chain, shuffled], more, seed) => {
      const key = chain[0]?.keys.privateKey ?? expect.fail('there is no leaf')
      const all = shuffled.toSpliced(seed % (shuffled.length + 1), 0, more)
      // The one that is a relative of some chains: a root for those that have it from elsewhere.
      expect(() => KeyedChain.fromCertificates(certificates(all), key, options)).toThrow(ChainError)
    }),
    { numRuns: 300 },
  )
})

it('one certificate less is refused, unless it is at the end', () => {
  fc.assert(
    fc.property(chainAndShuffle, fc.nat(), ([chain, shuffled], seed) => {
      const key = chain[0]?.keys.privateKey ?? expect.fail('there is no leaf')
      const missing = chain[seed % chain.length]
      const rest = certificates(shuffled.filter((each) => each !== missing))
      const read = () => KeyedChain.fromCertificates(rest, key, options)
      if (missing === chain.at(-1) && rest.length > 0) {
        expect(fingerprints(read().certificates)).toEqual(fingerprints(certificates(chain.slice(0, -1))))
      } else {
        expect(read).toThrow(ChainError)
      }
    }),
    { numRuns: 200 },
  )
})

it('a set is the same chains, whatever the order of its blocks', async () => {
  const [one, two] = [issue({ subject: 'one', by: middle, ca: false }), issue({ subject: 'two', ca: false })]
  const own = marked({ subject: 'own' })
  const blocks = [
    ...[one, two, own, deep, low, middle, root].map((each) => certPem(each)),
    ...[one, two, own, deep].map((each) => keyPem(each)),
  ]
  const wanted = [[own], [two], [one, middle, root], [deep, low, middle, root]].map((chain) =>
    fingerprints(certificates(chain)).join(),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(blocks, { minLength: blocks.length }),
      fc.nat({ max: blocks.length }),
      async (shuffled, cut) => {
        const texts = [shuffled.slice(0, cut).join(''), shuffled.slice(cut).join('')]
        const { chains } = await CertificateSet.fromPem(texts, options)
        expect(chains.map((chain) => fingerprints(chain.certificates).join()).toSorted()).toEqual(wanted.toSorted())
      },
    ),
    { numRuns: 100 },
  )
})

const CERT = certPem(leaf, middle, root)
const KEY = keyPem(leaf)
const junk = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 5 }),
  fc.constantFrom(
    '\n',
    '=',
    '-----',
    '-----BEGIN CERTIFICATE-----',
    '-----END CERTIFICATE-----\n',
    '\0',
    KEY,
    certPem(leaf),
  ),
)

it('any tampering with the text gives the same chain, or less of it, or an error of ours', async () => {
  const known = fingerprints(certificates([leaf, middle, root]))
  const edit = fc.record({ at: fc.nat({ max: CERT.length }), remove: fc.nat({ max: 80 }), insert: junk })
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const cert = edits.reduce((t, { at, remove, insert }) => t.slice(0, at) + insert + t.slice(at + remove), CERT)
      try {
        const chain = await KeyedChain.fromPem({ cert, key: KEY, at: AT })
        expect(known.slice(0, chain.certificates.length)).toEqual(fingerprints(chain.certificates))
      } catch (error) {
        if (!(error instanceof TlacacocaError)) throw error
        expect(error.message).not.toContain(KEY.split('\n')[1]?.slice(0, 16))
      }
      try {
        TrustStore.fromPem(cert, { at: AT })
      } catch (error) {
        if (!(error instanceof TlacacocaError)) throw error
      }
    }),
    { numRuns: 500 },
  )
})
