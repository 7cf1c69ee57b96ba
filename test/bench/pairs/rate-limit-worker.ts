// One limit in a process of its own, and many addresses: `rate-limit-worker <contender> <count>`. Says in JSON by how much
// the process has grown.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Limit, peerLimits } from './rate-limit-peers.ts'
import { floor, ours, spoofed } from './rate-limits.ts'

export interface Grown {
  /** What is reachable: the heap, and tables outside of it. */
  readonly total: number
  /** How much of it came after the first tenth of the addresses. */
  readonly late: number
  readonly rss: number
}

const SLOTS = 1_000_000

const [who = '', count = '0'] = process.argv.slice(2)
const next = spoofed()
const before = held()
const limit = limitNamed(who)
await ask(Number(count) / 10)
const early = held()
await ask((Number(count) * 9) / 10)
const after = held()
const grown: Grown = {
  total: after.bytes - before.bytes,
  late: after.bytes - early.bytes,
  rss: after.rss - before.rss,
}
console.log(JSON.stringify(grown))
// Timers of some of the limits would keep it alive; this also shows that the limit is in use to the end.
limit.close?.()
process.exit()

async function ask(addresses: number): Promise<void> {
  for (let n = 0; n < addresses; n++) {
    const answer = limit.take(next())
    const isAllowed = answer instanceof Promise ? await answer : answer
    if (!isAllowed) throw new Error(`${who} refuses an address that is new`)
  }
}

function held(): { readonly bytes: number; readonly rss: number } {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { bytes: heapUsed + arrayBuffers, rss }
}

function limitNamed(name: string): Limit {
  if (name === 'floor') return floor(SLOTS)
  if (name === 'ours') return ours(SLOTS)
  for (const make of peerLimits()) {
    const made = make()
    if (made.name === name) return made
    made.close?.()
  }
  throw new Error(`there is no limit ${name}`)
}
