#!/usr/bin/env node
// The `tlacacoca` command.

import { readFileSync } from 'node:fs'
import { groups } from './groups.ts'
import { processIo } from './io.ts'
import { run } from './program.ts'

const interrupted = new AbortController()
process.once('SIGINT', () => {
  interrupted.abort(new Error('interrupted'))
  // Whoever presses it twice means it.
  process.once('SIGINT', () => process.exit(130))
})
// `tlacacoca tofu list | head`: nobody reads on, and that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 70)
})

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
process.exitCode = await run(process.argv.slice(2), processIo(interrupted.signal), version, groups)
// What was interrupted may still wait for something: an answer, or a line that nobody types.
if (interrupted.signal.aborted) process.exit()
