#!/usr/bin/env node
// The `tlacacoca` command.

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { ExitCode } from './exit-code.ts'
import { groups } from './groups.ts'
import { processIo } from './io.ts'
import { run } from './program.ts'

/** For what is being written or removed when somebody presses Ctrl-C. */
const GRACE_MS = 500

const interrupted = new AbortController()
process.once('SIGINT', () => {
  interrupted.abort(new Error('interrupted'))
  // Whoever presses it twice means it.
  process.once('SIGINT', () => void endInterrupted(0))
})
// `tlacacoca tofu list | head`: nobody reads on, and that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  // A full disk, mostly.
  process.stderr.write(`error: cannot write the standard output: ${error.code ?? error.message}\n`)
  process.exit(ExitCode.storage)
})
// Whoever closed it wants to hear nothing more, and that is no reason to stop.
process.stderr.on('error', () => {})

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
process.exitCode = await run(process.argv.slice(2), processIo(interrupted.signal), version, groups)
// What was interrupted may still wait for something: an answer, or a line that nobody types.
if (interrupted.signal.aborted) await endInterrupted(GRACE_MS)

async function endInterrupted(graceMs: number): Promise<void> {
  process.exitCode = ExitCode.interrupted
  for (let waited = 0; waited < graceMs && usesFiles(); waited += 10) await pause(10)
  // To exit would wait for what the threads of Node are at, and nothing ends the opening of a pipe into which nobody
  // writes. Then only the signal itself ends the process, which a shell calls 130 as well.
  if (usesFiles()) {
    // Whoever clears up behind himself does so at this event.
    process.emit('exit', ExitCode.interrupted)
    process.removeAllListeners('SIGINT')
    process.kill(process.pid, 'SIGINT')
    return
  }
  process.exit()
}

function usesFiles(): boolean {
  return process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
}
