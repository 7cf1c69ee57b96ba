// Measures each pair, prints a table, and says where a goal is missed.
//
//   npm run bench                              all of them, about a quarter of an hour
//   npm run bench -- tofu                      those whose group has this in its name; `all` is every group
//   npm run bench -- tls createSecureServer    of these, the pairs that have this in theirs
//   npm run bench -- all --json out.json       also writes the figures and the facts of the machine
//   npm run bench -- all --markdown            prints a table for docs/explanation/performance.md
//   npm run bench -- all --quick               few and short rounds, to see that it runs
//
// Contenders are in processes of their own (contest.ts), but for some groups, which take no second word:
// `access-control-budgets`, `tofu-files`, `tls-memory` and `cold-start` start processes themselves; `rate-limits` keeps to
// one so that its contenders get the same requests; `postgres` and `redis-together` wait for a server, not for code. Those
// of `tls` only direct two processes.

import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isPinned, measureHere, openContest } from './contest.ts'
import { FULL, type PairSource, QUICK, type Result } from './measure.ts'
import { accessBudgets } from './pairs/access-control.ts'
import { coldStart } from './pairs/cold-start.ts'
import { postgres } from './pairs/postgres.ts'
import { rateLimits } from './pairs/rate-limits.ts'
import { redisTogether } from './pairs/redis.ts'
import { tlsSources } from './pairs/tls-duplex.ts'
import { tlsMemory } from './pairs/tls-memory.ts'
import { tofuFiles } from './pairs/tofu-files.ts'
import { machineFacts, markdown, table } from './print.ts'
import { groups } from './sources.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, markdown: { type: 'boolean' }, quick: { type: 'boolean' } },
})
const [group = 'all', wantedPair = ''] = positionals
const wantedGroup = group === 'all' ? '' : group
const length = values.quick === true ? QUICK : FULL

const machine = machineFacts({
  node: process.version,
  model: cpus()[0]?.model ?? 'unknown',
  processors: availableParallelism(),
  load: loadavg(),
  isPinned,
})
console.error(machine)

const all: Result[] = []
const show = (rows: Result[]): void => {
  all.push(...rows)
  if (values.markdown !== true) console.log(table(rows))
}

const contest = await openContest(fileURLToPath(new URL('sources.ts', import.meta.url)))
try {
  for (const [name, sources] of Object.entries(groups)) {
    if (name.includes(wantedGroup)) await each(sources, (source) => contest.measure(source, length))
  }
} finally {
  contest.close()
}

if ('tls'.includes(wantedGroup)) {
  const { sources, close } = await tlsSources()
  try {
    await each(sources, (source) => measureHere(source, length))
  } finally {
    close()
  }
}

const streams: Record<string, () => Iterable<Result[]> | AsyncIterable<Result[]>> = {
  'access-control-budgets': () => [accessBudgets()],
  'rate-limits': rateLimits,
  'tofu-files': tofuFiles,
  'cold-start': coldStart,
  'tls-memory': tlsMemory,
  postgres,
  'redis-together': redisTogether,
}
for (const [name, rows] of Object.entries(streams)) {
  if (wantedPair === '' && name.includes(wantedGroup)) for await (const some of rows()) show(some)
}

if (values.markdown === true) console.log(`${machine}\n\n${markdown(all)}`)
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ machine, loadAfter: loadavg(), results: all }, null, 2)}\n`)
}

async function each(sources: readonly PairSource[], run: (source: PairSource) => Promise<Result[]>): Promise<void> {
  for (const source of sources) if (source.name.includes(wantedPair)) show(await run(source))
}
