// Imports files into a pin database when it is told to.
//
//   tofu-import-child <database>
//
// Prints `ready`. Reads lines `<merge|replace> <file>`, answers each with one object in JSON: the counts, or the code of
// the error. `purge` and `hosts` answer with what was purged, and how many hosts there are; `hash` opens the database with
// hashed names; `export <file>` writes a file; `memory` tells how much of it there was at most, in bytes.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TofuStore } from '../../src/tofu/tofu-store.ts'

const [path = ''] = process.argv.slice(2)
// Loaded before anything is measured, or meets a full disk.
await import('smol-toml')
await TofuStore.inMemory().close()
const events: string[] = []
let store: TofuStore | null = null
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  const [word = '', file = ''] = line.split(' ')
  try {
    store ??= await TofuStore.open({
      path,
      hashNames: word === 'hash',
      lockTimeoutMs: 20_000,
      onEvent: (event) => {
        if (event.kind === 'snapshot') events.push(event.code)
      },
    })
    if (word === 'hosts') console.log(JSON.stringify({ hosts: (await store.listHosts()).length, events }))
    else if (word === 'hash') console.log('{}')
    else if (word === 'memory') console.log(JSON.stringify({ bytes: peakMemory() }))
    else if (word === 'export') console.log(JSON.stringify({ hosts: await store.exportToml(file) }))
    else if (word === 'purge') console.log(JSON.stringify(await store.purge({ notSeenForDays: 1 })))
    else console.log(JSON.stringify(await store.importToml(file, { merge: word === 'merge' })))
  } catch (error) {
    console.log(JSON.stringify({ code: error instanceof Error && 'code' in error ? error.code : String(error) }))
  }
}
await store?.close()

/** The largest resident set. What `resourceUsage` tells may be that of the process which started this one. */
function peakMemory(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    return Number(kilobytes) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
