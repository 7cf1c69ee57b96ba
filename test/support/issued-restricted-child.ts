// Opens the store of an authority as somebody who may not write, or may not write much, and prints what works: one JSON
// object.
//
//   issued-restricted-child <database> [--as-nobody]

import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { allOf, change, prepare, revocation, START, statusOf } from '../../src/testing/contract-issued.ts'
import { becomeNobody, Report } from './restricted.ts'

const [path = '', asNobody] = process.argv.slice(2)
const pending = await prepare('pending')
const next = await prepare('next')

await becomeNobody(asNobody)

const report = new Report()
await report.note('open', async () => {
  const store = await SqliteIssuedStore.open(path, { lockTimeoutMs: 50 })
  await report.note('degraded', () => store.degraded)
  for (const name of ['issued', 'revoked', 'pending', 'next']) await report.note(name, () => statusOf(store, name))
  await report.note('list', async () => (await allOf(store.list({}))).length)
  await report.note('trail', async () => (await allOf(store.auditTrail())).length)
  await report.note('current', async () => Number((await store.currentCrl())?.number))
  await report.note('begin', () => store.begin(next.row, null))
  await report.note('complete', () => store.complete(pending.row.serial, pending.certificate, START, null))
  await report.note('abandon', () => store.abandonPending(START + 1, START))
  await report.note('revoke', () => store.revoke(revocation('issued')))
  await report.note('hold', () => store.hold(change('issued')))
  await report.note('block', () => store.blockKey({ publicKey: next.row.publicKey, at: START, by: null }))
  await report.note('crl', () => store.beginCrl(START))
  await report.note('claim', () => store.claimNotices(START, START, 1))
  await report.note('record', () => store.record({ at: START, event: 'x', actor: null, serial: null, detail: null }))
  await report.note('still', () => statusOf(store, 'issued'))
  store.close()
  return 'opened'
})
report.print()
