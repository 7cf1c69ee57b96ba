import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import {
  InvalidatedError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoLeafCertificateError,
} from '../../../src/errors.ts'
import { askOnce, type ChainAnswer } from '../../../src/tls/sans-io/answer.ts'
import { family } from '../../support/chain-fixtures.ts'
import { issue } from '../../support/issued-certificates.ts'
import { chainOf } from '../../support/sans-io.ts'

const chain = chainOf(issue())
const other = chainOf(issue())
const { root, middle, leaf } = family()

/** Asks, and keeps the function to answer by. */
function asked(check?: (chain: KeyedChain) => void) {
  let kept: ChainAnswer | null = null
  const result = askOnce((answer) => {
    kept = answer
  }, check)
  return { result, answer: kept as unknown as ChainAnswer }
}

describe('an answer', () => {
  it.each([
    ['a chain', chain],
    ['none', null],
  ])('is there at once if it is given at once: %s', (_, given) => {
    expect(askOnce((answer) => answer(given))).toBe(given)
    expect(askOnce(async (answer) => answer(given))).toBe(given)
  })

  it.each([
    ['a chain', chain],
    ['none', null],
  ])('may come at any later time: %s', async (_, given) => {
    const { result, answer } = asked()
    expect(result).toBeInstanceOf(Promise)
    await Promise.resolve()
    answer(given)
    expect(await result).toBe(given)
  })

  it('may come after the promise of whoever was asked has resolved', async () => {
    let kept: ChainAnswer = () => {}
    const result = askOnce(async (answer) => {
      kept = answer
    })
    await new Promise((resolve) => setImmediate(resolve))
    kept(chain)
    expect(await result).toBe(chain)
  })

  it('counts, whatever happens afterwards to whoever gave it', async () => {
    const throwing = (answer: ChainAnswer): void => {
      answer(chain)
      throw new Error('afterwards')
    }
    expect(askOnce(throwing)).toBe(chain)
    expect(askOnce(async (answer) => throwing(answer))).toBe(chain)
    const late = askOnce(async (answer) => {
      await Promise.resolve()
      throwing(answer)
    })
    expect(await late).toBe(chain)
  })
})

describe('a second answer', () => {
  it.each([
    ['the same', chain],
    ['another', other],
    ['none', null],
    ['nonsense', 'nonsense'],
  ])('throws at whoever gives it and changes nothing: %s', async (_, second) => {
    const { result, answer } = asked()
    answer(chain)
    for (let times = 0; times < 2; times++) {
      expect(() => answer(second as KeyedChain)).toThrow(InvalidatedError)
    }
    expect(await result).toBe(chain)
  })

  it('throws in the same turn, too', () => {
    let thrown: unknown
    const result = askOnce((answer) => {
      answer(null)
      try {
        answer(chain)
      } catch (error) {
        thrown = error
      }
    })
    expect(result).toBeNull()
    expect(thrown).toMatchObject({ code: 'ERR_TLACACOCA_INVALIDATED' })
  })

  it('throws when the first one was refused, and says why', () => {
    let thrown: unknown
    const ask = () =>
      askOnce((answer) => {
        expect(() => answer('nonsense' as never)).toThrow(TypeError)
        try {
          answer(chain)
        } catch (error) {
          thrown = error
        }
      })
    expect(ask).toThrow(TypeError)
    expect(thrown).toBeInstanceOf(InvalidatedError)
    expect((thrown as Error).cause).toBeInstanceOf(TypeError)
  })

  it('throws when the question has failed before', async () => {
    const problem = new Error('no')
    let kept: ChainAnswer = () => {}
    const result = askOnce(async (answer) => {
      kept = answer
      throw problem
    })
    await expect(result).rejects.toBe(problem)
    expect(() => kept(chain)).toThrow(InvalidatedError)
  })
})

describe('a question', () => {
  const problem = new Error('no')
  // A promise that is not one of our own kind.
  const rejectElsewhere: (error: Error) => Promise<void> = runInNewContext('(error) => Promise.reject(error)')

  it('fails at once if whoever is asked throws', () => {
    const ask = () =>
      askOnce(() => {
        throw problem
      })
    expect(ask).toThrow(problem)
  })

  it.each([
    ['rejects', () => Promise.reject(problem)],
    ['rejects, by a promise of another kind', () => rejectElsewhere(problem)],
  ])('fails if whoever is asked %s', async (_, question) => {
    await expect(askOnce(question)).rejects.toBe(problem)
  })

  it('fails if the chain is returned instead, which nobody would ever get', async () => {
    expect(() => askOnce((() => chain) as never)).toThrow(TypeError)
    await expect(askOnce((async () => chain) as never)).rejects.toThrow(TypeError)
  })

  it('stays open when something else is returned', () => {
    expect(askOnce((() => 42) as never)).toBeInstanceOf(Promise)
  })

  it('fails when its check throws, at whoever answers and at whoever asked', async () => {
    const refuse = (): void => {
      throw problem
    }
    expect(() => askOnce((answer) => answer(chain), refuse)).toThrow(problem)
    const { result, answer } = asked(refuse)
    expect(() => answer(chain)).toThrow(problem)
    await expect(result).rejects.toBe(problem)
  })

  it('does not check an answer of none', () => {
    const refuse = (): void => {
      throw problem
    }
    expect(askOnce((answer) => answer(null), refuse)).toBeNull()
  })
})

describe('what is no answer', () => {
  const { certificate } = leaf
  it.each<[string, unknown, abstract new (...rest: never[]) => Error, RegExp]>([
    ['nothing', undefined, TypeError, /"chain" expected a KeyedChain or null, got undefined/],
    ['a text', certificate.toPem(), TypeError, /got "-----BEGIN/],
    ['what looks like a chain', { leaf: certificate, certificates: [certificate], sent: [] }, TypeError, /an object/],
    ['a copy of a chain', { ...chain }, TypeError, /an object/],
    ['something made to inherit from a chain', Object.create(chain), TypeError, /an object/],
    ['a list of chains', [chain], TypeError, /an array/],
    ['a list with something else in it', [certificate, 'x'], TypeError, /an array/],
    ['no certificates', [], NoLeafCertificateError, /no certificate/],
    ['authorities only', [root.certificate, middle.certificate], NoLeafCertificateError, /no certificate/],
    ['two leaves', [certificate, issue().certificate], MoreThanOneLeafCertificateError, /several/],
    ['a certificate', certificate, LeafCertificateHasNoPrivateKeyError, /no private key/],
    ['a list of one', [certificate], LeafCertificateHasNoPrivateKeyError, /no private key/],
    ['one that is marked as an authority', [root.certificate], LeafCertificateHasNoPrivateKeyError, /no private key/],
    [
      'a set of the whole chain',
      new Set([certificate, middle.certificate, root.certificate]),
      LeafCertificateHasNoPrivateKeyError,
      /no private key/,
    ],
  ])('is refused: %s', async (_, given, type, message) => {
    const { result, answer } = asked()
    expect(() => answer(given as KeyedChain)).toThrow(type)
    await expect(result).rejects.toThrow(message)
  })

  it('names the certificates', () => {
    const ask = () => askOnce((answer) => answer([certificate, middle.certificate] as never))
    expect(ask).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_CHAIN_KEY_MISSING', subjects: ['CN=example.org'] }),
    )
  })
})
