// Opens an identity database as somebody who may not write, or may not write much, and prints what works: one JSON object.
//
//   identity-restricted-child <database> <known certificate> <revoked certificate> <other certificate> [--as-nobody]

import { readFileSync } from 'node:fs'
import { IdentityRegistry } from '../../src/identity/registry/identity-registry.ts'
import { fakePeer } from './peer.ts'
import { becomeNobody, Report } from './restricted.ts'

const [path = '', knownFile = '', revokedFile = '', otherFile = '', asNobody] = process.argv.slice(2)
const known = fakePeer(readFileSync(knownFile))
const revoked = fakePeer(readFileSync(revokedFile))
const other = fakePeer(readFileSync(otherFile))

await becomeNobody(asNobody)

const events: unknown[] = []
const report = new Report()
await report.note('open', async () => {
  // Two days from now, so that the visit would have to be noted.
  const clock = () => Date.now() + 2 * 86_400_000
  const onEvent = (event: { kind: string; code?: string }) => {
    if (event.kind === 'snapshot') events.push(event.code)
  }
  const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965', clock, lockTimeoutMs: 50, onEvent })
  await report.note('known', () => registry.resolve(known))
  await report.note('revoked', () => registry.resolve(revoked))
  await report.note('other', () => registry.resolve(other))
  await report.note('register', () => registry.register(other))
  await report.note('code', () => registry.createLinkCode(known))
  await report.note('recover', () => registry.recover(other, 'ana', 'wrong'))
  await registry.close()
  return 'opened'
})
report.print({ events })
