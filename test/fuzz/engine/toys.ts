// Parsers with planted mistakes, to show that the guided loop finds what random input does not.

import type { FuzzTarget } from './target.ts'

function toy(name: string, atTheEnd: () => string): FuzzTarget {
  return {
    name,
    source: [],
    holds: 'nothing, on purpose',
    shape: 'bytes',
    maxBytes: 16,
    seeds: () => ['....'],
    // Five bytes that have to be right, one after another: at random, one in a thousand billion.
    run(input) {
      if (input[0] !== 0xa7) return 'refused'
      if (input[1] !== 0x3c) return 'refused twice'
      if (input[2] !== 0xe1) return 'refused three times'
      if (input[3] !== 0x58) return 'refused four times'
      if (input[4] !== 0x9d) return 'refused five times'
      return atTheEnd()
    },
  }
}

export const TOYS: readonly FuzzTarget[] = [
  toy('toy-throws', () => {
    throw new RangeError('the planted mistake')
  }),
  toy('toy-hangs', () => {
    for (;;);
  }),
  toy('toy-aborts', () => process.abort()),
]
