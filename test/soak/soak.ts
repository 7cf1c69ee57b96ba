// One run: the server in a process of its own, visitors in two others, and this one looks on.

import { readdir, readlink, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { nextMessage, type ProbeReport, type SoakChild, say, startProgram, startScript } from './children.ts'
import type { Group, KindCount, Recording, Sample } from './recording.ts'
import { targetCalled } from './targets/index.ts'
import type { Facts, Target } from './targets/target.ts'
import type { VisitorsReport } from './visitors.ts'

export interface SoakOptions {
  readonly target: string
  /** An empty folder. */
  readonly folder: string
  readonly seconds: number
  /** Visits that begin in a second, of all kinds. */
  readonly rate: number
  /** Which groups come. Default: all. */
  readonly groups?: readonly Group[]
  /** A mistake that is planted in the server: see plants.ts. */
  readonly plant?: string
  readonly onSample?: (sample: Sample) => void
}

// In two processes, so that what the hostile ones do does not slow down those who want an answer.
const HALVES: readonly (readonly Group[])[] = [
  ['good', 'identities'],
  ['hostile', 'slow', 'truncated', 'flood'],
]
const SHARE_OF_HALF = 0.5
const RELOAD_EVERY_S = 5

export async function soak(options: SoakOptions): Promise<Recording> {
  const { folder, seconds, rate } = options
  const target = targetCalled(options.target)
  const facts = await target.prepare(folder)
  await writeFile(join(folder, 'facts.json'), JSON.stringify(facts), { mode: 0o600 })
  const troubles: string[] = []
  const server = startServer(target, options)
  server.process.on('message', (message: ProbeReport) => {
    if (message.kind === 'trouble' && troubles.length < 100) troubles.push(message.text)
  })
  const visitors: SoakChild[] = []
  try {
    const port = await portOf(server, target)
    const reports = new Map<SoakChild, VisitorsReport>()
    const visits = (): number => visitsIn([...reports.values()])
    const began = performance.now()
    const sampleNow = (): Promise<Sample> => sample(server, (performance.now() - began) / 1000, visits())
    const before = await sampleNow()

    for (const half of HALVES) {
      const groups = half.filter((group) => (options.groups ?? half).includes(group))
      if (groups.length === 0) continue
      const words = [options.target, folder, port, groups.join(), rate * SHARE_OF_HALF, seconds].map(String)
      const child = startScript('visitors.ts', words)
      visitors.push(child)
      child.process.on('message', (message: VisitorsReport) => reports.set(child, message))
    }

    const samples: Sample[] = []
    const everyMs = Math.min(2000, Math.max(250, (seconds * 1000) / 100))
    let reloads = 0
    for (let next = performance.now() + everyMs; performance.now() - began < seconds * 1000; next += everyMs) {
      await wait(Math.max(0, next - performance.now()))
      const one = await sampleNow()
      samples.push(one)
      options.onSample?.(one)
      if (one.seconds >= (reloads + 1) * RELOAD_EVERY_S && (await reload(server, target, folder, facts))) reloads++
    }

    for (const child of visitors) {
      // As long as the slowest of them may stay, and as they wait for it.
      const code = await Promise.race([
        child.ended,
        wait(target.script.timeouts.idleMs + 60_000, 'too late' as const, { ref: false }),
      ])
      if (code !== 0) troubles.push(`a process of visitors ended with ${code}: ${child.stderr.text.slice(0, 2000)}`)
    }
    const after = await settledSample(sampleNow, before)
    const exitCode = await stop(server, target)
    return {
      target: options.target,
      machine: `Node ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model}`,
      seconds,
      before,
      samples,
      after,
      kinds: Object.assign({}, ...[...reports.values()].map(({ kinds }) => kinds)) as Record<string, KindCount>,
      leftOut: [...reports.values()].flatMap(({ leftOut }) => leftOut),
      heldBack: [...reports.values()].reduce((sum, { heldBack }) => sum + heldBack, 0),
      reloads,
      troubles,
      complaints: unexpected(server.stderr.text, target),
      exitCode,
    }
  } catch (error) {
    const said = [...troubles, server.stderr.text.slice(0, 4000)].join('\n')
    throw new Error(`the run broke off: ${error instanceof Error ? error.message : error}\n${said}`, { cause: error })
  } finally {
    for (const child of [...visitors, server]) if (child.process.exitCode === null) child.process.kill('SIGKILL')
  }
}

function startServer({ program }: Target, { target, folder, plant = '' }: SoakOptions): SoakChild {
  if (program === undefined) return startScript('server.ts', [target, folder, plant], { probe: true })
  return startProgram(program.path, program.args(folder), program.env(folder))
}

async function portOf(server: SoakChild, { program }: Target): Promise<number> {
  if (program === undefined) {
    return nextMessage(server, (message) => (isListening(message) ? message.port : undefined), 60_000)
  }
  for (let i = 0; i < 600; i++) {
    const [, port] = program.port.exec(server.stderr.text) ?? []
    if (port !== undefined) return Number(port)
    await wait(100)
  }
  throw new Error('the program has not said where it listens')
}

function isListening(message: unknown): message is { readonly port: number } {
  return typeof message === 'object' && message !== null && 'port' in message && typeof message.port === 'number'
}

async function sample(server: SoakChild, seconds: number, visits: number): Promise<Sample> {
  const answer = nextMessage(
    server,
    (message) => {
      const report = message as ProbeReport
      return report.kind === 'sample' ? report.values : undefined
    },
    60_000,
  )
  say(server, 'sample')
  return { ...(await answer), descriptors: await descriptorsOf(server), seconds, visits }
}

/** Files that are being read come and go; what the event loop itself needs is there from the beginning. */
async function descriptorsOf({ process: { pid } }: SoakChild): Promise<number> {
  const folder = `/proc/${pid}/fd`
  const open = await Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => null)))
  return open.filter((name) => name !== null).length
}

/** When all is over, or will not be. */
async function settledSample(sampleNow: () => Promise<Sample>, before: Sample): Promise<Sample> {
  let last = await sampleNow()
  for (let i = 0; i < 20 && (last.sockets > before.sockets || last.descriptors > before.descriptors); i++) {
    await wait(500)
    last = await sampleNow()
  }
  return last
}

async function reload(server: SoakChild, target: Target, folder: string, facts: Facts): Promise<boolean> {
  if (target.program !== undefined) {
    await target.program.change(folder, facts)
    return server.process.kill('SIGHUP')
  }
  const answer = nextMessage(
    server,
    (message) =>
      typeof message === 'object' && message !== null && 'reloaded' in message ? message.reloaded : undefined,
    60_000,
  )
  say(server, 'reload')
  return (await answer) === true
}

/** Tells it to end, and sees whether it can. */
async function stop(server: SoakChild, { program }: Target): Promise<number | null> {
  if (program === undefined) say(server, 'close')
  else server.process.kill('SIGTERM')
  const timer = setTimeout(() => server.process.kill('SIGKILL'), 10_000)
  const code = await server.ended
  clearTimeout(timer)
  return code
}

function unexpected(stderr: string, { expected }: Target): string[] {
  const lines = stderr.split('\n').filter((line) => line !== '' && !expected.some((pattern) => pattern.test(line)))
  return lines.slice(0, 100)
}

function visitsIn(reports: readonly VisitorsReport[]): number {
  return reports.flatMap(({ kinds }) => Object.values(kinds)).reduce((sum, { right, wrong }) => sum + right + wrong, 0)
}
