// A question that is answered by calling back, made into a value.
//
// Whoever is asked for a certificate may answer at once, later, or never; by a function that returns, throws, or gives a
// promise. What comes of it here is one outcome, decided once. An answer given at once is a value at once, because a
// server then goes on with the handshake in the same turn.
//
// Invariant: the first call of `answer` decides, also if what it was given is refused. Every later one throws.

import { Certificate } from '../../certificate/certificate.ts'
import { claimsAuthority } from '../../certificate/chain-family.ts'
import { KeyedChain } from '../../certificate/keyed-chain.ts'
import {
  InvalidatedError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoLeafCertificateError,
} from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { isThenable } from '../../internal/thenable.ts'
import type { MaybePromise } from './maybe-promise.ts'

/**
 * Gives the answer to a question for a certificate chain: a chain, or null for none. Call it once, at any time.
 *
 * @throws {InvalidatedError} If the question has been answered before, or has failed.
 * @throws {TypeError} If the answer is neither a `KeyedChain` nor null.
 * @throws {ChainError} If it is certificates without a key, or a chain that is no answer to this question.
 */
export type ChainAnswer = (chain: KeyedChain | null) => void

/**
 * Asks once. Whatever `question` does after it has answered makes no difference.
 *
 * @param question - Is called with the function to answer by. If it throws, or its promise rejects, before there is an
 *   answer, the question has failed. If its promise resolves, the answer may still come.
 * @param check - Looks at a chain before it counts. What it throws is thrown at whoever answers, and the question fails.
 * @returns The chain or null if the answer was there when `question` returned, or else the promise of it.
 * @throws Whatever made the question fail, if that was known when `question` returned.
 */
export function askOnce(
  question: (answer: ChainAnswer) => void | Promise<void>,
  check: (chain: KeyedChain) => void = () => {},
): MaybePromise<KeyedChain | null> {
  let outcome: Outcome | null = null
  let settle: ((outcome: Outcome) => void) | null = null
  const decide = (decided: Outcome): void => {
    if (outcome !== null) return
    outcome = decided
    settle?.(decided)
  }
  const answer: ChainAnswer = (chain) => {
    if (outcome !== null) throw answeredBefore(outcome)
    try {
      requireAnswer(chain)
      if (chain !== null) check(chain)
    } catch (error) {
      decide({ error })
      throw error
    }
    decide({ chain })
  }

  try {
    const returned: unknown = question(answer)
    // Nobody waits for a chain that is returned and not answered, so it must not be awaited in vain.
    if (isThenable(returned)) {
      Promise.resolve(returned).then(
        (value) => decideIfReturned(value, decide),
        (error) => decide({ error }),
      )
    } else {
      decideIfReturned(returned, decide)
    }
  } catch (error) {
    decide({ error })
  }

  // Assigned in the functions above, which the compiler does not follow.
  const known = outcome as Outcome | null
  if (known === null) {
    return new Promise((resolve, reject) => {
      settle = (decided) => ('error' in decided ? reject(decided.error) : resolve(decided.chain))
    })
  }
  if ('error' in known) throw known.error
  return known.chain
}

type Outcome = { readonly chain: KeyedChain | null } | { readonly error: unknown }

function answeredBefore(outcome: Outcome): InvalidatedError {
  if (!('error' in outcome)) return new InvalidatedError('the question for a certificate chain has been answered')
  return new InvalidatedError('the question for a certificate chain has failed', { cause: outcome.error })
}

function decideIfReturned(value: unknown, decide: (outcome: Outcome) => void): void {
  if (!KeyedChain.is(value)) return
  decide({ error: new TypeError('a chain was returned; the answer is given by calling the function for it') })
}

/** Tells certificates without a key, which are nearly an answer, by the errors that say what is missing. */
function requireAnswer(answer: unknown): asserts answer is KeyedChain | null {
  if (answer === null || KeyedChain.is(answer)) return
  const certificates = certificatesIn(answer)
  if (certificates === null) throw new TypeError(`"chain" expected a KeyedChain or null, got ${show(answer)}`)
  const subjectsOf = (list: readonly Certificate[]) => ({ subjects: list.map(({ subject }) => String(subject)) })
  const leaves = certificates.length === 1 ? certificates : certificates.filter((each) => !claimsAuthority(each))
  if (leaves.length === 0) {
    throw new NoLeafCertificateError('the answer has no certificate that is no authority', subjectsOf(certificates))
  }
  if (leaves.length > 1) {
    throw new MoreThanOneLeafCertificateError(
      'the answer has several certificates that are no authorities',
      subjectsOf(leaves),
    )
  }
  throw new LeafCertificateHasNoPrivateKeyError(
    'the answer has a certificate and no private key for it; answer with a KeyedChain',
    subjectsOf(leaves),
  )
}

/** The certificates, if the value is one or a list or set of nothing else. An empty one has no leaf, either. */
function certificatesIn(value: unknown): readonly Certificate[] | null {
  if (value instanceof Certificate) return [value]
  if (!Array.isArray(value) && !(value instanceof Set)) return null
  const list: readonly unknown[] = [...value]
  return list.every((each) => each instanceof Certificate) ? list : null
}
