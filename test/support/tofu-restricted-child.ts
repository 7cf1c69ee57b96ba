// Opens a pin database as somebody who may not write, or may not write much, and prints what works: one JSON object.
//
//   tofu-restricted-child <database> <pinned certificate> <other certificate> [--as-nobody]

import { readFileSync } from 'node:fs'
import { Certificate } from '../../src/certificate/certificate.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { becomeNobody, Report } from './restricted.ts'

const [path = '', pinnedFile = '', otherFile = '', asNobody] = process.argv.slice(2)
const pinned = Certificate.from(readFileSync(pinnedFile))
const other = Certificate.from(readFileSync(otherFile))
const endpoint = parseEndpoint('example.org:1965')

await becomeNobody(asNobody)

const events: unknown[] = []
const report = new Report()
await report.note('open', async () => {
  // Two days from now, so that the visit would have to be noted.
  const clock = () => Date.now() + 2 * 86_400_000
  const onEvent = (event: { kind: string; code?: string }) => {
    if (event.kind === 'snapshot') events.push(event.code)
  }
  const store = await TofuStore.open({ path, clock, lockTimeoutMs: 50, onEvent })
  await report.note('pinned', () => store.verify(endpoint, pinned))
  await report.note('changed', () => store.verifyOrTrust(endpoint, other))
  await report.note('first', () => store.verifyOrTrust(parseEndpoint('new.example:1965'), other))
  await report.note('trust', () => store.trust(endpoint, other))
  await report.note('distrust', () => store.distrust(endpoint, other))
  await report.note('clear', () => store.clear())
  await report.note('hosts', async () => (await store.listHosts()).map((host) => host.endpoint))
  await store.close()
  return 'opened'
})
report.print({ events })
