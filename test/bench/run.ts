// Measures each pair, prints a table, and says where a goal is missed.
//
//   npm run bench                              all of them, about a quarter of an hour
//   npm run bench -- tofu                      those whose group has this in its name; `all` is every group
//   npm run bench -- tls createSecureServer    of these, the pairs that have this in theirs
//   npm run bench -- all --json out.json       also writes the figures and the facts of the machine
//   npm run bench -- all --markdown            prints a table for docs/explanation/performance.md
//   npm run bench -- all --quick               few and short rounds, to see that it runs
//   npm run bench -- authority --profile       prints instead where the floor and ours spend their time, folder by folder
//   npm run bench -- tofu-files --million      lets smol-toml have a million hosts too, which takes minutes and 3 GB
//
// Contenders are in processes of their own (contest.ts). Groups that start their processes themselves take no second word:
// they are `streams` below; `postgres` and `redis-together` wait for a server, not for code. Those of `tls` only direct two
// processes. What fails is said, the rest goes on, and the process ends with 1. It ends with 2 if nothing has such a name.

import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isPinned, measureHere, openContest } from './contest.ts'
import { FULL, type PairSource, QUICK, type Result } from './measure.ts'
import { tlsSources } from './pairs/tls-duplex.ts'
import { tlsRequestsProfile } from './pairs/tls-requests.ts'
import { machineFacts, markdown, table } from './print.ts'
import { profileTable } from './profile.ts'
import { groups } from './sources.ts'
import { streams } from './streams.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    markdown: { type: 'boolean' },
    quick: { type: 'boolean' },
    profile: { type: 'boolean' },
    million: { type: 'boolean' },
  },
})
const [group = 'all', wantedPair = ''] = positionals
const wantedGroup = group === 'all' ? '' : group
const extent = { quick: values.quick === true, million: values.million === true }
const length = extent.quick ? QUICK : FULL

const groupNames = [...Object.keys(groups), 'tls', ...Object.keys(streams)]
if (!groupNames.some((name) => name.includes(wantedGroup))) {
  console.error(`there is no group ${group}; there are all, ${groupNames.join(', ')}`)
  process.exit(2)
}

const machine = machineFacts({
  node: process.version,
  model: cpus()[0]?.model ?? 'unknown',
  processors: availableParallelism(),
  load: loadavg(),
  isPinned,
})
const begun = performance.now()
const say = (text: string): void =>
  console.error(`${((performance.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${text}`)
console.error(machine)

const all: Result[] = []
const passedOver: string[] = []
let found = 0
const show = (rows: Result[]): void => {
  all.push(...rows)
  if (values.markdown !== true) console.log(table(rows))
}

const contest = await openContest(fileURLToPath(new URL('sources.ts', import.meta.url)))
try {
  for (const [name, sources] of Object.entries(groups)) {
    if (!name.includes(wantedGroup)) continue
    await each(name, sources, async (source) => {
      if (values.profile === true) console.log(`\n${profileTable(source.name, await contest.profile(source, length))}`)
      else show(await contest.measure(source, length))
    })
  }
} finally {
  contest.close()
}
if (values.profile === true) {
  if ('tls-requests'.includes(wantedGroup) && wantedPair === '') {
    await attempt('tls-requests', async () => {
      found++
      console.log(`\n${profileTable('a request with a client certificate', await tlsRequestsProfile(extent))}`)
    })
  }
  if (found === 0) {
    console.error(`there is no profile of ${group} ${wantedPair}`.trimEnd())
    process.exitCode = 2
  }
  process.exit()
}

if ('tls'.includes(wantedGroup)) {
  await attempt('tls', async () => {
    const { sources, close } = await tlsSources()
    try {
      await each('tls', sources, async (source) => show(await measureHere(source, length)))
    } finally {
      close()
    }
  })
}

for (const [name, rows] of Object.entries(streams)) {
  if (wantedPair !== '' || !name.includes(wantedGroup)) continue
  await attempt(name, async () => {
    for await (const some of rows(extent)) show(some)
  })
}

if (values.markdown === true) console.log(`${machine}\n\n${markdown(all)}`)
if (values.json !== undefined) {
  const facts = { machine, loadAfter: loadavg(), seconds: Math.round((performance.now() - begun) / 1000) }
  writeFileSync(values.json, `${JSON.stringify({ ...facts, results: all }, null, 2)}\n`)
}
say(`${all.length} figures`)
if (wantedPair !== '' && found === 0 && process.exitCode === undefined) {
  const known = passedOver.length === 0 ? 'has no pairs' : `has ${passedOver.join(', ')}`
  console.error(`there is no pair ${wantedPair}; ${group} ${known}`)
  process.exitCode = 2
}

async function each(
  group: string,
  sources: readonly PairSource[],
  run: (source: PairSource) => Promise<void>,
): Promise<void> {
  const wanted = sources.filter(({ name }) => name.includes(wantedPair))
  found += wanted.length
  passedOver.push(...sources.filter((source) => !wanted.includes(source)).map(({ name }) => name))
  for (const source of wanted) await attempt(`${group}: ${source.name}`, () => run(source))
}

/** A failure must not cost the figures of all that comes after it. */
async function attempt(name: string, action: () => Promise<void>): Promise<void> {
  say(name)
  try {
    await action()
  } catch (error) {
    console.error(`${name} fails:`, error)
    process.exitCode = 1
  }
}
