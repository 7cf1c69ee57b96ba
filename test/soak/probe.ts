// Loaded into the server's process before anything else (`node --import`): it measures when it is asked, and tells of
// what must not happen. It mends nothing: an exception that nobody catches ends the process, as it would in life.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { ProbeReport } from './children.ts'

const delay = monitorEventLoopDelay({ resolution: 10 })
delay.enable()

function tell(report: ProbeReport): void {
  if (process.connected) process.send?.(report)
}

process.on('warning', (warning) => tell({ kind: 'trouble', text: `warning: ${warning.stack ?? warning.message}` }))
process.on('uncaughtExceptionMonitor', (error, origin) => {
  tell({ kind: 'trouble', text: `${origin}: ${error instanceof Error ? error.stack : String(error)}` })
})
process.on('message', (message) => {
  if (message === 'sample') void sample()
})
// Whether there is somebody to report to is no reason to live on.
process.channel?.unref()

async function sample(): Promise<void> {
  // A server that can be asked for its connections puts the question here.
  const { soakConnections: connections } = globalThis as { soakConnections?: () => number }
  const [delayP99Ms, delayMaxMs] = [delay.percentile(99), delay.max].map((nanoseconds) => nanoseconds / 1e6)
  // The collector's own time is not the server's.
  delay.disable()
  // Twice, because what the first one finds to be finalised is free only after the second.
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.()
    await setImmediate()
  }
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage()
  delay.reset()
  delay.enable()
  tell({
    kind: 'sample',
    values: {
      rss,
      heapUsed,
      external,
      arrayBuffers,
      sockets: process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length,
      connections: connections?.() ?? null,
      delayP99Ms: delayP99Ms ?? 0,
      delayMaxMs: delayMaxMs ?? 0,
    },
  })
}
