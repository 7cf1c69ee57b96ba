// Where the time goes: what each part of a program spends itself, without what it calls. A part is a folder of modules, ours
// or Node's, a function of Node in C++, or what V8 counts by itself, such as the garbage collector. What V8 has inlined it
// counts for where it stands now, so that nothing can be said of what takes less than a microsecond.

import { readFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'

/** Nanoseconds, by part. */
export type Profile = Readonly<Record<string, number>>

/** Of a floor and of ours, for one operation. */
export interface PairProfile {
  readonly floor: Profile
  readonly ours: Profile
}

const SAMPLE_US = 200

/** Takes a profile from now until it is asked for. */
export async function startProfile(): Promise<() => Promise<Profile>> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US })
  await session.post('Profiler.start')
  const before = process.cpuUsage()
  return async () => {
    const { user, system } = process.cpuUsage(before)
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    const parts = new Map(profile.nodes.map(({ id, callFrame }) => [id, partOf(callFrame)]))
    const spent: Record<string, number> = {}
    for (const [index, id] of (profile.samples ?? []).entries()) {
      const part = parts.get(id) ?? ''
      spent[part] = (spent[part] ?? 0) + (profile.timeDeltas?.[index] ?? 0) * 1000
    }
    // What Node does when bytes arrive, the cryptography of a handshake among it, V8 takes for idleness.
    delete spent['(idle)']
    const known = Object.values(spent).reduce((sum, ns) => sum + ns, 0)
    return { ...spent, 'outside of JavaScript': Math.max(0, (user + system) * 1000 - known) }
  }
}

export function perOperation(profile: Profile, count: number): Profile {
  return Object.fromEntries(Object.entries(profile).map(([part, ns]) => [part, ns / count]))
}

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

function partOf({ functionName, url, lineNumber }: CallFrame): string {
  if (url.startsWith('file:')) return folderOf(moduleAt(fileURLToPath(url), lineNumber))
  if (url !== '') return folderOf(url)
  return functionName.startsWith('(') ? functionName : `${functionName} in C++`
}

/** `src/tls`, `node:internal/streams`, the name of a package; what stands in no folder stays. */
function folderOf(module: string): string {
  const path = module.replace(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\/.*$/, '$1/')
  return /^(.+)\/[^/]*$/.exec(path)?.[1] ?? path
}

const bundles = new Map<string, readonly string[]>()

/** Which module a line of a bundle is from: the bundler writes its path above what it has put there. */
function moduleAt(file: string, line: number): string {
  let modules = bundles.get(file)
  if (modules === undefined) {
    let module = file
    modules = readFileSync(file, 'utf8')
      .split('\n')
      .map((text) => {
        module = /^\s*\/\/ ((?:src|test|node_modules)\/\S+)$/.exec(text)?.[1] ?? module
        return module
      })
    bundles.set(file, modules)
  }
  return modules[line] ?? file
}

/** What the parts of two programs spent for one operation, those first of which ours spends more. */
export function profileTable(name: string, { floor, ours }: PairProfile): string {
  const parts = [...new Set([...Object.keys(ours), ...Object.keys(floor)])]
  const total = Object.values(ours).reduce((sum, ns) => sum + ns, 0)
  const rows = parts.map((part) => ({ part, floor: floor[part] ?? 0, ours: ours[part] ?? 0 }))
  const isLarge = (row: { floor: number; ours: number }): boolean =>
    Math.max(row.floor, row.ours) >= total * LEAST_SHOWN
  const rest = rows.filter((row) => !isLarge(row))
  const sum = (of: typeof rows, who: 'floor' | 'ours'): number => of.reduce((ns, row) => ns + row[who], 0)
  const lines = [
    ...rows.filter(isLarge).sort((a, b) => b.ours - b.floor - (a.ours - a.floor)),
    { part: 'each of the others', floor: sum(rest, 'floor'), ours: sum(rest, 'ours') },
    { part: 'all', floor: sum(rows, 'floor'), ours: sum(rows, 'ours') },
  ]
  return [
    `| ${name} | floor | ours |`,
    '| --- | --- | --- |',
    ...lines.map((row) => `| ${row.part} | ${time(row.floor)} | ${time(row.ours)} |`),
  ].join('\n')
}

/** Of ours. What is less is added up. */
const LEAST_SHOWN = 0.02

function time(ns: number): string {
  return ns < 10_000 ? `${ns.toFixed(0)} ns` : `${(ns / 1000).toFixed(0)} us`
}
