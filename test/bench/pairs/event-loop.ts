// How long a server that makes certificates answers nobody: the longest stop of the event loop, each contender in a process
// of its own, several of them one after another. Where the machine has other work to do, "nothing at all" shows how much of
// a stop is that.

import { programOf } from '../bundle.ts'
import { median, type Result } from '../measure.ts'
import type { Extent } from '../streams.ts'
import type { Key } from './event-loop-worker.ts'

const BUDGET_NS = 15e6
const CONTENDERS = ['ours', '@peculiar/x509', 'selfsigned', 'an openssl process', 'nothing at all']
const COUNTS: Readonly<Record<Key, number>> = { 'P-256': 20, Ed25519: 20, 'RSA-2048': 5, 'RSA-4096': 1 }
const ROUNDS = 5

export async function* eventLoop({ quick }: Extent): AsyncGenerator<Result[]> {
  const program = await programOf(new URL('event-loop-worker.ts', import.meta.url))
  try {
    for (const [key, count] of Object.entries(COUNTS)) {
      const stops = new Map<string, number[]>()
      for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
        for (const who of CONTENDERS) {
          const longest = (await program.run(who, key, String(quick ? 1 : count))) as number | null
          if (longest !== null) stops.set(who, [...(stops.get(who) ?? []), longest])
        }
      }
      const name = `longest stop of the event loop while ${key} certificates are made`
      yield [
        // A budget, not what the floor takes.
        { name, contender: 'floor', amount: BUDGET_NS, unit: 'ns', ratioToFloor: 1, goal: null },
        ...[...stops].map(([contender, all]): Result => {
          const amount = median(all)
          const goal = contender === 'ours' ? 1 : null
          return { name, contender, amount, unit: 'ns', ratioToFloor: amount / BUDGET_NS, goal }
        }),
      ]
    }
  } finally {
    program.close()
  }
}
