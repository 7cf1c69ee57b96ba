// Opens the store of an authority as somebody who may not write, or may not write much, and prints what works: one JSON
// object.
//
//   issued-restricted-child <database> [--as-nobody]

import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { allOf, change, prepare, revocation, START, statusOf } from '../../src/testing/contract-issued.ts'

const [path = '', asNobody] = process.argv.slice(2)
const pending = await prepare('pending')
const next = await prepare('next')

if (asNobody !== undefined && process.getuid?.() === 0) {
  // Whatever is loaded later may be out of reach for somebody without rights.
  const { default: SQLite } = await import('better-sqlite3')
  new SQLite(':memory:').close()
  process.setgid?.(65534)
  process.setuid?.(65534)
}

const report: [string, unknown][] = []

/** Notes the kind of the answer, or the code of the error. */
async function note(what: string, act: () => unknown): Promise<void> {
  try {
    const answer = await act()
    report.push([what, typeof answer === 'object' && answer !== null && 'kind' in answer ? answer.kind : answer])
  } catch (error) {
    report.push([what, error instanceof Error && 'code' in error ? error.code : String(error)])
  }
}

await note('open', async () => {
  const store = await SqliteIssuedStore.open(path, { lockTimeoutMs: 50 })
  await note('degraded', () => store.degraded)
  for (const name of ['issued', 'revoked', 'pending', 'next']) await note(name, () => statusOf(store, name))
  await note('list', async () => (await allOf(store.list({}))).length)
  await note('trail', async () => (await allOf(store.auditTrail())).length)
  await note('current', async () => Number((await store.currentCrl())?.number))
  await note('begin', () => store.begin(next.row, null))
  await note('complete', () => store.complete(pending.row.serial, pending.certificate, START, null))
  await note('abandon', () => store.abandonPending(START + 1, START))
  await note('revoke', () => store.revoke(revocation('issued')))
  await note('hold', () => store.hold(change('issued')))
  await note('block', () => store.blockKey({ publicKey: next.row.publicKey, at: START, by: null }))
  await note('crl', () => store.beginCrl(START))
  await note('claim', () => store.claimNotices(START, START, 1))
  await note('record', () => store.record({ at: START, event: 'x', actor: null, serial: null, detail: null }))
  await note('still', () => statusOf(store, 'issued'))
  store.close()
  return 'opened'
})
console.log(JSON.stringify(Object.fromEntries(report)))
