// Measures each pair, prints a table, and says where a goal is missed.
//
//   npm run bench            all of them, about a minute
//   npm run bench -- tofu    those whose name has this in it
import { availableParallelism, cpus } from 'node:os'
import { measure, type Pair, type Result } from './measure.ts'
import { certificatePairs } from './pairs/certificates.ts'
import { connectionPairs } from './pairs/connections.ts'
import { middlewarePairs } from './pairs/middleware.ts'
import { tofuPairs } from './pairs/tofu.ts'

const wanted = process.argv[2] ?? ''
const asJson = process.argv.includes('--json')
const groups: Record<string, () => Pair[] | Promise<Pair[]>> = {
  certificates: certificatePairs,
  tofu: tofuPairs,
  middleware: middlewarePairs,
  connections: connectionPairs,
}

const results: Result[] = []
for (const [group, makePairs] of Object.entries(groups)) {
  if (wanted !== '' && wanted !== '--json' && !group.includes(wanted)) continue
  const pairs = await makePairs()
  for (const pair of pairs) {
    const rows = await measure(pair)
    results.push(...rows)
    if (!asJson) for (const row of rows) print(row)
  }
  for (const pair of pairs) await pair.close?.()
}

if (asJson) console.log(JSON.stringify(results, null, 2))
else console.log(`\nNode ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model}`)

function print({ name, contender, nanoseconds, ratioToFloor, goal }: Result): void {
  const time = nanoseconds < 10_000 ? `${nanoseconds.toFixed(0)} ns` : `${(nanoseconds / 1000).toFixed(0)} us`
  const verdict = goal === null ? '' : ` goal ${goal} ${ratioToFloor <= goal ? 'met' : 'MISSED'}`
  if (contender === 'floor') console.log(`\n${name}`)
  console.log(
    `  ${contender.padEnd(36)} ${time.padStart(10)}  ${ratioToFloor.toFixed(2).padStart(6)} x floor${verdict}`,
  )
}
