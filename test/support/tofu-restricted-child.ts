// Opens a pin database as somebody who may not write, or may not write much, and prints what works: one JSON object.
//
//   tofu-restricted-child <database> <pinned certificate> <other certificate> [--as-nobody]

import { readFileSync } from 'node:fs'
import { Certificate } from '../../src/certificate/certificate.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'

const [path = '', pinnedFile = '', otherFile = '', asNobody] = process.argv.slice(2)
const pinned = Certificate.from(readFileSync(pinnedFile))
const other = Certificate.from(readFileSync(otherFile))
const endpoint = parseEndpoint('example.org:1965')

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
  const store = await TofuStore.open({ path, clock, lockTimeoutMs: 50, onEvent })
  await note('pinned', () => store.verify(endpoint, pinned))
  await note('changed', () => store.verifyOrTrust(endpoint, other))
  await note('first', () => store.verifyOrTrust(parseEndpoint('new.example:1965'), other))
  await note('trust', () => store.trust(endpoint, other))
  await note('distrust', () => store.distrust(endpoint, other))
  await note('clear', () => store.clear())
  await note('hosts', async () => (await store.listHosts()).map((host) => host.endpoint))
  await store.close()
  return 'opened'
})
console.log(JSON.stringify({ ...Object.fromEntries(report), events }))
