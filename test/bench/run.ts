// Measures each pair, prints a table, and says where a goal is missed.
//
//   npm run bench                              all of them, about ten minutes
//   npm run bench -- tofu                      those whose group has this in its name
//   npm run bench -- tls createSecureServer    of these, the pairs that have this in theirs
//   npm run bench -- tofu --json
//
// A pair is called as it is printed. The groups tls-memory, rate-limits and tofu-files take no second word.
import { availableParallelism, cpus } from 'node:os'
import { measure, type Pair, type Result } from './measure.ts'
import { accessBudgets, accessPairs } from './pairs/access-control.ts'
import { authorityPairs } from './pairs/authority.ts'
import { certificatePairs } from './pairs/certificates.ts'
import { connectionPairs } from './pairs/connections.ts'
import { middlewarePairs } from './pairs/middleware.ts'
import { postgres } from './pairs/postgres.ts'
import { rateLimits } from './pairs/rate-limits.ts'
import { redisPairs } from './pairs/redis.ts'
import { tlsPairs } from './pairs/tls-duplex.ts'
import { tlsMemory } from './pairs/tls-memory.ts'
import { tofuPairs } from './pairs/tofu.ts'
import { tofuFiles } from './pairs/tofu-files.ts'

const [wantedGroup = '', wantedPair = ''] = process.argv.slice(2).filter((word) => word !== '--json')
const asJson = process.argv.includes('--json')
const groups: Record<string, () => Promise<Result[]>> = {
  certificates: measured(certificatePairs),
  tofu: measured(tofuPairs),
  'tofu-files': () => streamed(tofuFiles()),
  'access-control': measured(accessPairs),
  'access-control-budgets': async () => (wantedPair === '' ? printed(accessBudgets()) : []),
  'rate-limits': () => streamed(rateLimits()),
  middleware: measured(middlewarePairs),
  connections: measured(connectionPairs),
  tls: measured(tlsPairs),
  authority: measured(authorityPairs),
  'tls-memory': () => streamed(tlsMemory()),
  postgres: () => streamed(postgres()),
  redis: () => streamed(redisPairs()),
}

const results: Result[] = []
for (const [group, run] of Object.entries(groups)) {
  if (group.includes(wantedGroup)) results.push(...(await run()))
}

if (asJson) console.log(JSON.stringify(results, null, 2))
else console.log(`\nNode ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model}`)

function measured(makePairs: () => Pair[] | Promise<Pair[]>): () => Promise<Result[]> {
  return async () => {
    const pairs = await makePairs()
    const rows: Result[] = []
    try {
      for (const pair of pairs) if (pair.name.includes(wantedPair)) rows.push(...printed(await measure(pair)))
    } finally {
      for (const pair of pairs) await pair.close?.()
    }
    return rows
  }
}

/** Of what measures itself, there is all or nothing. */
async function streamed(groups: AsyncIterable<Result[]>): Promise<Result[]> {
  const all: Result[] = []
  if (wantedPair !== '') return all
  for await (const rows of groups) all.push(...printed(rows))
  return all
}

function printed(rows: Result[]): Result[] {
  if (!asJson) for (const row of rows) print(row)
  return rows
}

function print({ name, contender, amount, unit, ratioToFloor, goal }: Result): void {
  const shown = unit === 'bytes' ? inBytes(amount) : inSeconds(amount)
  const verdict = goal === null ? '' : ` goal ${Number(goal.toFixed(2))} ${ratioToFloor <= goal ? 'met' : 'MISSED'}`
  if (contender === 'floor') console.log(`\n${name}`)
  console.log(
    `  ${contender.padEnd(44)} ${shown.padStart(10)}  ${ratioToFloor.toFixed(2).padStart(6)} x floor${verdict}`,
  )
}

function inSeconds(nanoseconds: number): string {
  return nanoseconds < 10_000 ? `${nanoseconds.toFixed(0)} ns` : `${(nanoseconds / 1000).toFixed(0)} us`
}

function inBytes(bytes: number): string {
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
