// Import and export of many hosts, in processes of their own: what they take of the processor, and of memory at most.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { median, type Result } from '../measure.ts'
import { writeHosts } from './tofu-store.ts'

const COUNTS = [10_000, 100_000, 1_000_000]
const ROUNDS = 3

const GOALS = {
  import: { ratio: 1.2, bytes: 300e6 },
  export: { ratio: 1.25, bytes: 130e6 },
}

interface Taken {
  readonly cpuNs: number
  readonly bytes: number
}

export async function* tofuFiles(): AsyncGenerator<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-bench-'))
  try {
    // Beside the packages that it loads.
    const worker = fileURLToPath(
      new URL('../../../node_modules/.cache/tlacacoca-bench/tofu-worker.mjs', import.meta.url),
    )
    await build({
      entryPoints: [fileURLToPath(new URL('tofu-worker.ts', import.meta.url))],
      outfile: worker,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      packages: 'external',
      alias: { tlacacoca: fileURLToPath(new URL('../../../src', import.meta.url)) },
      logLevel: 'warning',
    })
    for (const count of COUNTS) yield filesOf(folder, worker, count)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function filesOf(folder: string, worker: string, count: number): Result[] {
  const hosts = join(folder, `${count}.toml`)
  writeHosts(hosts, count, (n) => `sha256:${n.toString(16).padStart(64, '0')}`)
  const taken = {
    import: { floor: [] as Taken[], ours: [] as Taken[] },
    export: { floor: [] as Taken[], ours: [] as Taken[] },
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const who of ['floor', 'ours'] as const) {
      const run = (what: string, database: string, file: string): Taken =>
        JSON.parse(execFileSync(process.execPath, [worker, who, what, database, file], { encoding: 'utf8' }))
      const database = join(folder, `${count}-${who}-${round}.db`)
      taken.import[who].push(run('import', database, hosts))
      taken.export[who].push(run('export', database, join(folder, 'out.toml')))
      rmSync(database)
    }
  }
  return (['import', 'export'] as const).flatMap((what) => {
    const { floor, ours } = taken[what]
    const of = (all: readonly Taken[], which: keyof Taken) => median(all.map((each) => each[which]))
    const ratio = median(ours.map(({ cpuNs }, round) => cpuNs / (floor[round]?.cpuNs ?? Number.NaN)))
    const name = `${what} ${count} hosts`
    const goal = GOALS[what]
    const memory = { name: `${name}, memory at most`, unit: 'bytes' as const }
    return [
      { name, contender: 'floor', amount: of(floor, 'cpuNs'), unit: 'ns', ratioToFloor: 1, goal: null },
      { name, contender: 'ours', amount: of(ours, 'cpuNs'), unit: 'ns', ratioToFloor: ratio, goal: goal.ratio },
      // A budget, not what the floor takes.
      { ...memory, contender: 'floor', amount: goal.bytes, ratioToFloor: 1, goal: null },
      {
        ...memory,
        contender: 'ours',
        amount: of(ours, 'bytes'),
        ratioToFloor: of(ours, 'bytes') / goal.bytes,
        goal: 1,
      },
    ] satisfies Result[]
  })
}
