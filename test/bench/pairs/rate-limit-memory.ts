// By how much the memory of a process grows when ten million addresses come that nobody has, and of what is fixed, whether
// it grows at all after the first million. Peers never end, and get a part of them: their figure is that many times larger.

import { programOf } from '../bundle.ts'
import type { Result } from '../measure.ts'
import type { Extent } from '../streams.ts'
import { peerLimits } from './rate-limit-peers.ts'
import type { Grown } from './rate-limit-worker.ts'

const ADDRESSES = 10_000_000
/** Of these a peer gets a twentieth. */
const PART = 20

export async function* rateLimitMemory({ quick }: Extent): AsyncGenerator<Result[]> {
  const count = quick ? ADDRESSES / 100 : ADDRESSES
  const program = await programOf(new URL('rate-limit-worker.ts', import.meta.url))
  const grown = async (who: string, addresses: number) =>
    ({ who, ...((await program.run(who, String(addresses))) as Grown) }) satisfies Named
  try {
    const fixed = [await grown('floor', count), await grown('ours', count)]
    const peers: Named[] = []
    for (const make of peerLimits()) {
      const { name, close } = make()
      close?.()
      const { total, late, rss } = await grown(name, count / PART)
      peers.push({ who: `${name}, of a twentieth`, total: total * PART, late, rss })
    }
    const of = `of ${count / 1e6} million spoofed IPv6 /64`
    // 32 bytes a slot, of which the floor has 16.
    yield rows(`memory ${of}`, [...fixed, ...peers], 'total', 2)
    yield rows(`resident memory ${of}`, fixed, 'rss', null)
    // Of 10, the 9 that come when the table has been filled: what a megabyte is, the collector leaves behind by chance.
    yield [
      {
        name: `growth after the first tenth ${of}`,
        contender: 'floor',
        amount: 1e6,
        unit: 'bytes',
        ratioToFloor: 1,
        goal: null,
      },
      ...fixed.slice(1).map(
        ({ late }): Result => ({
          name: `growth after the first tenth ${of}`,
          contender: 'ours',
          amount: late,
          unit: 'bytes',
          ratioToFloor: late / 1e6,
          goal: 1,
        }),
      ),
    ]
  } finally {
    program.close()
  }
}

type Named = Grown & { readonly who: string }

function rows(name: string, all: readonly Named[], which: keyof Grown, goal: number | null): Result[] {
  const least = all[0]?.[which] ?? Number.NaN
  return all.map((each) => ({
    name,
    contender: each.who,
    amount: each[which],
    unit: 'bytes',
    ratioToFloor: each[which] / least,
    goal: each.who === 'ours' ? goal : null,
  }))
}
