// Uses a store while this process has no file descriptors left. To be started under a small `ulimit -n`.
//
//   descriptors-child <folder> <kind> <free>
//
// The store has been made and closed before, with 0 in it. Prints one object in JSON: what came of each question, as a
// word or the code of the error, with so many descriptors free.

import { closeSync, openSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { codeOf, type OpenStore, openStore, type StoreKind } from './fault-stores.ts'

const [folder = '', kind = '', free = '0'] = process.argv.slice(2)
const unhandled: string[] = []
process.on('unhandledRejection', (reason) => unhandled.push(String(reason)))

const open = () => openStore(folder, kind as StoreKind)
// Everything that is loaded late is loaded before.
const store: OpenStore = await open()
await store.write(1)
await store.look(1)
await (await open()).close()

const taken: number[] = []
for (;;) {
  try {
    taken.push(openSync('/dev/null', 'r'))
  } catch {
    break
  }
}
for (let n = 0; n < Number(free); n++) closeSync(taken.pop() ?? -1)

const report: Record<string, string> = {}
async function note(what: string, act: () => Promise<unknown>): Promise<void> {
  try {
    const answer = await act()
    report[what] = typeof answer === 'string' ? answer : 'done'
  } catch (error) {
    report[what] = codeOf(error)
  }
}
await note('known', () => store.look(0))
await note('stranger', () => store.look(9))
await note('write', () => store.write(2))
await note('opened', async () => {
  const other = await open()
  try {
    return await other.look(0)
  } finally {
    await other.close()
  }
})

for (const descriptor of taken) closeSync(descriptor)
await note('known later', () => store.look(0))
await note('write later', () => store.write(3))
await store.close()
await note('reopened', async () => {
  const other = await open()
  try {
    const written = report.write === 'done' ? await other.look(2) : 'there'
    const all = [await other.look(0), await other.look(1), written, await other.look(3)]
    return all.every((each) => each === 'there') ? 'all there' : all.join()
  } finally {
    await other.close()
  }
})
// So that a rejection that nobody handles has been told of.
await pause(0)
console.log(JSON.stringify({ ...report, unhandled }))
