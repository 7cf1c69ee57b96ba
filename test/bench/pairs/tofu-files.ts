// Import and export of many hosts, in processes of their own: what they take of the processor, and of memory at most. A
// million hosts are too many for smol-toml to be asked by default.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Program, programOf } from '../bundle.ts'
import { median, type Result } from '../measure.ts'
import type { Extent } from '../streams.ts'
import { writeHosts } from './tofu-store.ts'

const COUNTS = [10_000, 100_000, 1_000_000]
const ROUNDS = 3

const GOALS = {
  import: { ratio: 1.2, bytes: 300e6 },
  export: { ratio: 1.25, bytes: 130e6 },
}

type Who = 'floor' | 'ours' | 'smol-toml'
type What = keyof typeof GOALS

interface Taken {
  readonly who: Who
  readonly what: What
  readonly round: number
  readonly cpuNs: number
  readonly bytes: number
}

export async function* tofuFiles({ quick, million }: Extent): AsyncGenerator<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-bench-'))
  const program = await programOf(new URL('tofu-worker.ts', import.meta.url))
  try {
    for (const count of COUNTS) {
      if (quick && count > 10_000 && !(million && count === 1_000_000)) continue
      const who: Who[] = count < 1_000_000 || million ? ['floor', 'ours', 'smol-toml'] : ['floor', 'ours']
      yield filesOf(await takenBy(program, folder, count, who, quick ? 1 : ROUNDS), count)
    }
  } finally {
    program.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function takenBy(program: Program, folder: string, count: number, all: Who[], rounds: number): Promise<Taken[]> {
  const hosts = join(folder, `${count}.toml`)
  const out = join(folder, 'out.toml')
  writeHosts(hosts, count, (n) => `sha256:${n.toString(16).padStart(64, '0')}`)
  const taken: Taken[] = []
  for (let round = 0; round < rounds; round++) {
    for (const who of all) {
      const database = join(folder, `${count}-${who}-${round}.db`)
      for (const [what, file] of [['import', hosts] as const, ['export', out] as const]) {
        const measured = (await program.run(who, what, database, file)) as Pick<Taken, 'cpuNs' | 'bytes'>
        taken.push({ who, what, round, ...measured })
      }
      rmSync(database)
    }
  }
  rmSync(hosts)
  return taken
}

function filesOf(taken: readonly Taken[], count: number): Result[] {
  return (['import', 'export'] as const).flatMap((what) => {
    const of = (who: Who): Taken[] => taken.filter((each) => each.who === who && each.what === what)
    const floors = of('floor')
    const name = `${what} ${count} hosts`
    const goal = GOALS[what]
    const contenders = (['floor', 'ours', 'smol-toml'] as const).filter((who) => of(who).length > 0)
    const times = contenders.map((who): Result => {
      const ratioToFloor = median(of(who).map(({ cpuNs, round }) => cpuNs / (floors[round]?.cpuNs ?? Number.NaN)))
      const amount = median(of(who).map(({ cpuNs }) => cpuNs))
      return { name, contender: who, amount, unit: 'ns', ratioToFloor, goal: who === 'ours' ? goal.ratio : null }
    })
    const memories = contenders.map((who): Result => {
      const amount = median(of(who).map(({ bytes }) => bytes))
      const bound = who === 'ours' ? goal.bytes / median(floors.map(({ bytes }) => bytes)) : null
      const ratioToFloor = amount / median(floors.map(({ bytes }) => bytes))
      return { name: `${name}, memory at most`, contender: who, amount, unit: 'bytes', ratioToFloor, goal: bound }
    })
    return [...times, ...memories]
  })
}
