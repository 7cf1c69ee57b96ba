// Chains that a program passes in: misuse is a TypeError that names the argument.

import { KeyedChain } from '../../certificate/keyed-chain.ts'
import { requireList, show } from '../../internal/arguments.ts'

/** @throws {TypeError} If it is no `KeyedChain`. */
export function requireChain(name: string, value: unknown): asserts value is KeyedChain {
  if (!KeyedChain.is(value)) throw new TypeError(`"${name}" expected a KeyedChain, got ${show(value)}`)
}

/**
 * Copies a list of chains.
 *
 * @throws {TypeError} If it is no list, or something else is in it.
 */
export function chainsIn(name: string, list: unknown): readonly KeyedChain[] {
  requireList(name, list)
  return Array.from(list, (chain, index) => {
    requireChain(`${name}[${index}]`, chain)
    return chain
  })
}
