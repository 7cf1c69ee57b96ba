// Does what it is told with the store of an authority, fifteen times at once, and prints what came of it: how often each
// outcome.
//
//   issued-race-child <database>
//
// Reads lines: `serial <name>`, `request <name>`, `complete <name>`, `revoke <name>`, `crl`, `claim`, `record <text>`.

import { createInterface } from 'node:readline'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { digest } from '../../src/testing/contract-identities.ts'
import { prepare, revocation, START, serialOf } from '../../src/testing/contract-issued.ts'

const [path = ''] = process.argv.slice(2)
const store = await SqliteIssuedStore.open(path)
console.log('ready')

/** One attempt of what a line says. */
async function attempt(what: string, name: string, n: number): Promise<string> {
  const own = `${name} ${process.pid} ${n}`
  switch (what) {
    case 'serial':
      return (await store.begin((await prepare(own, { serial: serialOf(name) })).row, null)).kind
    case 'request':
      return (await store.begin((await prepare(own, { requestSha256: digest(name) })).row, { since: START })).kind
    case 'complete':
      return (await store.complete(serialOf(name), (await prepare(name)).certificate, START, START)).kind
    case 'revoke':
      return (await store.revoke(revocation(name, { withKey: true }))).kind
    case 'crl':
      return String((await store.beginCrl(START)).number)
    case 'claim':
      return String((await store.claimNotices(START, START + 1, 1))[0]?.serial)
    default:
      await store.record({ at: START, event: name, actor: own, serial: null, detail: null })
      return 'recorded'
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what = '', name = ''] = line.split(' ')
  const attempts = Array.from({ length: 15 }, (_, n) => attempt(what, name, n).catch((error) => `failed: ${error}`))
  const counts = new Map<string, number>()
  for (const outcome of await Promise.all(attempts)) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  console.log(JSON.stringify(Object.fromEntries(counts)))
}
store.close()
