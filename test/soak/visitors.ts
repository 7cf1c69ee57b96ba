// A process of visitors. Its words: a port, the folder, which half of the visitors, how many a second, and for how long.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Group, KindCount } from './recording.ts'
import { targetCalled } from './targets/index.ts'
import type { Facts } from './targets/target.ts'
import { floodKinds } from './traffic/flood.ts'
import { goodKinds } from './traffic/good.ts'
import { hostileKinds } from './traffic/hostile.ts'
import type { Kind } from './traffic/kind.ts'
import { slowKinds } from './traffic/slow.ts'
import { truncatedKinds } from './traffic/truncated.ts'
import { type Place, Visit } from './traffic/visit.ts'

/** How many visits may be under way: below what the server has places for. */
const MOST_AT_ONCE = 400

/** How long a visit takes at most, beyond what the server may let it stay. */
const LONGEST_MS = 60_000

/** What a process of visitors says, each second and at the end. */
export interface VisitorsReport {
  readonly kind: 'visitors'
  readonly done: boolean
  readonly heldBack: number
  readonly kinds: Readonly<Record<string, KindCount>>
  readonly leftOut: readonly string[]
}

const [name = '', folder = '', port = '', groups = '', rate = '', seconds = ''] = process.argv.slice(1)
const { script } = targetCalled(name)
const facts = JSON.parse(await readFile(join(folder, 'facts.json'), 'utf8')) as Facts
const place: Place = { port: Number(port), script, facts }

/** How the visits are divided. Floods are fifty connections each. */
const shares: Readonly<Record<Group, number>> = {
  good: 0.35,
  identities: 0.15,
  hostile: 0.24,
  slow: 0.1,
  truncated: 0.155,
  flood: 0.005,
}
/** Where the addresses of a group begin, so that the limits of one are not used up by another. */
const networks: Readonly<Record<Group, number>> = {
  good: 10,
  identities: 20,
  hostile: 30,
  slow: 40,
  truncated: 50,
  flood: 60,
}

const wanted = [
  ...goodKinds(script),
  ...hostileKinds(script),
  ...slowKinds(script),
  ...truncatedKinds(script),
  ...floodKinds(script),
].filter(({ group }) => groups.split(',').includes(group))
const kinds = wanted.filter(({ staysMs = 0 }) => staysMs <= 15_000 || staysMs * 2 < Number(seconds) * 1000)
const leftOut = wanted.filter((kind) => !kinds.includes(kind)).map(({ name: kind }) => kind)
const counts = new Map(kinds.map((kind) => [kind, { right: 0, wrong: 0, examples: [] as string[], longestMs: 0 }]))

let underWay = 0
let heldBack = 0
let come = 0

async function visit(kind: Kind): Promise<void> {
  const count = counts.get(kind)
  if (count === undefined) return
  if (underWay >= MOST_AT_ONCE) {
    heldBack++
    return
  }
  underWay++
  const began = performance.now()
  const one = new Visit(place, nextAddress(kind))
  try {
    await withLimit(kind.run(one), (kind.staysMs ?? 0) + LONGEST_MS)
    count.right++
  } catch (error) {
    count.wrong++
    if (count.examples.length < 5) count.examples.push(error instanceof Error ? error.message : String(error))
  } finally {
    one.end()
    underWay--
    count.longestMs = Math.max(count.longestMs, Math.round(performance.now() - began))
  }
}

/** What has been forgotten by both sides must not keep the run from its end. */
async function withLimit(visit: Promise<unknown>, withinMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not over after ${withinMs} ms`)), withinMs)
  })
  await Promise.race([visit, limit]).finally(() => clearTimeout(timer))
}

/** One of a thousand of the group's, by turns: in the limits of each. Floods have a new one each time. */
function nextAddress({ group, network = networks[group] }: Kind): string {
  const many = group === 'flood' ? 60_000 : 1000
  const number = come++ % many
  return `127.${network}.${number >> 8}.${number & 255}`
}

/** Each by its share, evenly spread: whoever is owed most comes next. */
function schedule(): () => Kind | undefined {
  const present = new Set(kinds.map(({ group }) => group))
  const owed = kinds.map((kind) => {
    const all = kinds.filter(({ group }) => group === kind.group).reduce((sum, { weight }) => sum + weight, 0)
    return { kind, share: (shares[kind.group] * kind.weight) / all, debt: 0 }
  })
  const whole = [...present].reduce((sum, group) => sum + shares[group], 0)
  return () => {
    for (const each of owed) each.debt += each.share / whole
    const next = owed.reduce((most, each) => (each.debt > most.debt ? each : most))
    next.debt -= 1
    return next.kind
  }
}

function report(done: boolean, then = (): void => {}): void {
  const entries = [...counts].map(([{ name: kind, group }, count]) => [`${group}: ${kind}`, { group, ...count }])
  const message: VisitorsReport = { kind: 'visitors', done, heldBack, leftOut, kinds: Object.fromEntries(entries) }
  process.send?.(message, then)
}

process.on('disconnect', () => process.exit(1))
const everyMs = 1000 / Number(rate)
const next = schedule()
const ends = performance.now() + Number(seconds) * 1000
const reporting = setInterval(report, 1000, false)
let due = performance.now()
await new Promise<void>((resolve) => {
  const tick = (): void => {
    const now = performance.now()
    if (now >= ends) {
      resolve()
      return
    }
    // What a busy machine has kept us from is not made up for all at once.
    due = Math.max(due, now - 500)
    for (; due <= now; due += everyMs) {
      const kind = next()
      if (kind !== undefined) void visit(kind)
    }
    setTimeout(tick, Math.max(1, due - now))
  }
  tick()
})
while (underWay > 0) await new Promise((resolve) => setTimeout(resolve, 100))
clearInterval(reporting)
// Whatever still waits for what did not come, waits in vain. The report is out when the callback is called.
report(true, () => process.exit(0))
