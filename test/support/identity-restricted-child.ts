// Opens an identity database as somebody who may not write, or may not write much, and prints what works: one JSON object.
//
//   identity-restricted-child <database> <known certificate> <revoked certificate> <other certificate> [--as-nobody]

import { readFileSync } from 'node:fs'
import { IdentityRegistry } from '../../src/identity/registry/identity-registry.ts'
import { fakePeer } from './peer.ts'

const [path = '', knownFile = '', revokedFile = '', otherFile = '', asNobody] = process.argv.slice(2)
const known = fakePeer(readFileSync(knownFile))
const revoked = fakePeer(readFileSync(revokedFile))
const other = fakePeer(readFileSync(otherFile))

if (asNobody !== undefined && process.getuid?.() === 0) {
  // Whatever is loaded later may be out of reach for somebody without rights.
  const { default: SQLite } = await import('better-sqlite3')
  new SQLite(':memory:').close()
  process.setgid?.(65534)
  process.setuid?.(65534)
}

const events: unknown[] = []
const report: [string, unknown][] = []

/** Notes the kind of the answer, or the code of the error. */
async function note(what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    const answer = await act()
    report.push([what, typeof answer === 'object' && answer !== null && 'kind' in answer ? answer.kind : answer])
  } catch (error) {
    report.push([what, error instanceof Error && 'code' in error ? error.code : String(error)])
  }
}

await note('open', async () => {
  // Two days from now, so that the visit would have to be noted.
  const clock = () => Date.now() + 2 * 86_400_000
  const onEvent = (event: { kind: string; code?: string }) => {
    if (event.kind === 'snapshot') events.push(event.code)
  }
  const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965', clock, lockTimeoutMs: 50, onEvent })
  await note('known', () => registry.resolve(known))
  await note('revoked', () => registry.resolve(revoked))
  await note('other', () => registry.resolve(other))
  await note('register', () => registry.register(other))
  await note('code', () => registry.createLinkCode(known))
  await note('recover', () => registry.recover(other, 'ana', 'wrong'))
  await registry.close()
  return 'opened'
})
console.log(JSON.stringify({ ...Object.fromEntries(report), events }))
