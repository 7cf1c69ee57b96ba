// A pair that takes no time, to try what measures pairs.

import type { Pair, PairSource } from '../bench/measure.ts'

const tiny = (ours: (text: string) => number): Pair<string> => ({
  goal: 2,
  per: 4,
  inputs: (count) => Array.from({ length: count }, (_, n) => 'x'.repeat(n % 7)),
  floor: (text) => text.length,
  ours,
  peers: { 'one by one': async (text) => [...text].length },
})

export const sources: readonly PairSource[] = [
  { name: 'lengths', make: () => tiny((text) => text.length) },
  { name: 'wrong lengths', make: () => tiny((text) => Math.min(text.length, 5)) },
  {
    name: 'prepared',
    prepare: async () => ({ given: 'xx', close() {} }),
    make: (given) => ({ goal: null, floor: () => 2, ours: () => given.length }),
  },
]
