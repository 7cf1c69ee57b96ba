// The process of a server that this project wrote. Its words: which one, the folder, and what is to be broken in it.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { plant } from './plants.ts'
import { targetCalled } from './targets/index.ts'
import type { Facts } from './targets/target.ts'

const [name = '', folder = '', broken = ''] = process.argv.slice(1)
const facts = JSON.parse(await readFile(join(folder, 'facts.json'), 'utf8')) as Facts
const target = targetCalled(name)
if (target.start === undefined) throw new Error(`${name} is a program of its own`)
if (broken !== '') plant(broken)

const running = await target.start(folder, facts)
Object.assign(globalThis, { soakConnections: () => running.listener.connections })
const { port } = await running.listener.listen(0, '127.0.0.1')
process.send?.({ kind: 'listening', port })

process.on('message', async (message) => {
  if (message === 'reload') {
    // Not all of them can.
    const reloaded = running.reload !== undefined
    await running.reload?.()
    process.send?.({ kind: 'reload', reloaded })
  } else if (message === 'close') {
    await running.listener.close()
    await running.close?.()
    // Now nothing is left that would keep the process, if nothing has been forgotten.
    process.disconnect()
  }
})
