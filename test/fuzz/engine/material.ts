// Everything that inputs for a target are made of.

import type { Material } from './mutations.ts'
import type { FuzzTarget } from './target.ts'
import { wordsOf } from './words.ts'

const MAX_BYTES = 400

export async function materialOf(target: FuzzTarget): Promise<Material> {
  const { shape, maxBytes = MAX_BYTES } = target
  const seeds = (await target.seeds()).map((seed) => (typeof seed === 'string' ? Buffer.from(seed) : seed))
  const inputs = seeds.filter(({ length }) => length <= maxBytes)
  if (inputs.length < seeds.length || inputs.length === 0) {
    throw new RangeError(`${target.name} has a seed of more than ${maxBytes} bytes, or none`)
  }
  return { shape, maxBytes, words: wordsOf(target), inputs }
}
