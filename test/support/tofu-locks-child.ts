// Opens a pin database several times in one process, as programs do whose parts do not know of one another.
//
//   tofu-locks-child <database>
//
// Reads words, one a line, and answers with a line each:
//   open     opens another store over the file: `open <how many are open>`
//   close    closes the one that was opened last: `open <how many are open>`
//   write    pins a host by the one that was opened first: `written <n>`
//   thread   opens and closes a store in a thread of its own: `thread <exit code>`

import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import type { Fingerprint } from '../../src/certificate/fingerprint.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'

const path = isMainThread ? (process.argv[2] ?? '') : String(workerData)
const fingerprint = `sha256:${'a'.repeat(64)}` as Fingerprint

if (isMainThread) await serve()
else await (await TofuStore.open({ path })).close()

async function serve(): Promise<void> {
  const stores: TofuStore[] = []
  let written = 0
  for await (const word of createInterface({ input: process.stdin })) {
    if (word === 'open') {
      stores.push(await TofuStore.open({ path }))
      console.log(`open ${stores.length}`)
    } else if (word === 'close') {
      await stores.pop()?.close()
      console.log(`open ${stores.length}`)
    } else if (word === 'write') {
      await stores[0]?.trust(endpointFrom(`host${written++}.example`, 1965), fingerprint)
      console.log(`written ${written}`)
    } else if (word === 'thread') {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: path })
      console.log(`thread ${await new Promise((resolve) => worker.once('exit', resolve))}`)
    }
  }
  for (const store of stores) await store.close()
}
