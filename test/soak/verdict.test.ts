// Whether a run would find what it is for: first over recordings that differ in one thing each, then over real ones of
// a few seconds, with mistakes planted in the server and without.

import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import type { Group, Recording, Sample } from './recording.ts'
import { tablesOf } from './report.ts'
import { soak } from './soak.ts'
import { judge, type Problem } from './verdict.ts'

const MB = 2 ** 20

const calm: Sample = {
  seconds: 0,
  rss: 100 * MB,
  heapUsed: 20 * MB,
  external: 6 * MB,
  arrayBuffers: 3 * MB,
  descriptors: 24,
  sockets: 0,
  connections: 0,
  delayP99Ms: 12,
  delayMaxMs: 30,
  visits: 0,
}

/** Ten minutes of a server that is well: it grows while it warms up, and its figures go up and down afterwards. */
const healthy: Recording = {
  target: 'gemini',
  machine: 'a machine',
  seconds: 600,
  before: calm,
  samples: during((seconds, index) => ({
    rss: calm.rss + Math.min(seconds, 150) * 0.2 * MB + (index % 7) * MB,
    heapUsed: calm.heapUsed + Math.min(seconds, 100) * 0.05 * MB + (index % 5) * 0.2 * MB,
    descriptors: 100 + (index % 11),
    sockets: 76 + (index % 11),
    connections: 76 + (index % 11),
  })),
  after: { ...calm, seconds: 700, rss: 125 * MB, heapUsed: 25 * MB },
  kinds: { 'good: the index': kind('good', 1000), 'slow: no request': kind('slow', 100) },
  leftOut: [],
  heldBack: 0,
  reloads: 100,
  troubles: [],
  complaints: [],
  exitCode: 0,
}

function during(figures: (seconds: number, index: number) => Partial<Sample>): Sample[] {
  return Array.from({ length: 300 }, (_, index) => {
    const seconds = (index + 1) * 2
    return { ...calm, seconds, visits: seconds * 60, ...figures(seconds, index) }
  })
}

function kind(group: Group, right: number, wrong = 0) {
  return { group, right, wrong, examples: wrong > 0 ? ['got "51"'] : [], longestMs: 100 }
}

/** The recording with something added to each sample. */
function rising(
  figure: 'rss' | 'heapUsed' | 'external' | 'arrayBuffers' | 'descriptors',
  of: (seconds: number) => number,
) {
  return { samples: healthy.samples.map((each) => ({ ...each, [figure]: each[figure] + of(each.seconds) })) }
}

const checksOf = (problems: readonly Problem[]): string[] => [...new Set(problems.map(({ check }) => check))]

describe('the verdict', () => {
  it('has nothing against a server that is well', () => {
    expect(judge(healthy)).toEqual([])
  })

  it.each<[string, string, Partial<Recording>]>([
    ['a heap that keeps 200 bytes of each visit', 'memory', rising('heapUsed', (seconds) => seconds * 60 * 200)],
    ['a heap that rises by a step in the end', 'memory', rising('heapUsed', (s) => (s > 420 ? 3 * MB : 0))],
    [
      'a heap that rises in the last minutes only',
      'memory',
      rising('heapUsed', (s) => Math.max(0, s - 400) * 0.05 * MB),
    ],
    ['buffers that stay', 'memory', rising('arrayBuffers', (seconds) => seconds * 0.05 * MB)],
    ['memory outside of the heap that stays', 'memory', rising('external', (seconds) => seconds * 0.05 * MB)],
    ['resident memory that rises beyond what is collected', 'memory', rising('rss', (seconds) => seconds * 0.1 * MB)],
    ['descriptors that stay open', 'descriptors', rising('descriptors', (seconds) => seconds * 0.5)],
    ['a socket that is open when all have gone', 'sockets', { after: { ...healthy.after, sockets: 1 } }],
    ['a connection that is counted when all have gone', 'sockets', { after: { ...healthy.after, connections: 1 } }],
    ['a file that is open when all have gone', 'sockets', { after: { ...healthy.after, descriptors: 25 } }],
    ['one wrong answer of a thousand', 'answers', { kinds: { 'good: the index': kind('good', 999, 1) } }],
    ['one who was not cut off', 'deadlines', { kinds: { 'slow: no request': kind('slow', 99, 1) } }],
    ['a kind that never came', 'coverage', { kinds: { 'good: the index': kind('good', 0) } }],
    ['nobody at all', 'coverage', { kinds: {} }],
    ['a server that was not looked at', 'coverage', { samples: [] }],
    ['a warning or a rejection', 'quiet', { troubles: ['warning: MaxListenersExceededWarning'] }],
    ['a line on standard error', 'quiet', { complaints: ['something went wrong'] }],
    ['a server that has to be killed', 'end', { exitCode: null }],
    ['a server that ends with an error', 'end', { exitCode: 1 }],
  ])('finds %s', (_what, check, change) => {
    expect(checksOf(judge({ ...healthy, ...change }))).toEqual([check])
  })

  it('lets resident memory rise in a run that is too short for it', () => {
    const samples = healthy.samples
      .filter(({ seconds }) => seconds <= 60)
      .map((each) => ({ ...each, rss: calm.rss + each.seconds * MB, heapUsed: calm.heapUsed }))
    expect(judge({ ...healthy, seconds: 60, samples })).toEqual([])
  })

  it('is printed with the figures of three moments, of the beginning and of the end', () => {
    const printed = tablesOf(healthy)
    expect(printed.match(/^\| (before|1 min|5 min|10 min|when all had gone) \|/gm)).toHaveLength(5)
    expect(printed).toContain('| 10 min | 36,000 |')
    expect(printed).toContain('| in order, and answered rightly | 1 | 1,000 | 0 | 0.1 s |')
  })
})

describe('a run of some seconds', () => {
  const run = async (
    seconds: number,
    options: { plant?: string; groups?: readonly Group[] } = {},
  ): Promise<Recording> => soak({ target: 'gemini', folder: await temporaryFolder(), seconds, rate: 60, ...options })

  it('has nothing against the example as it is', { timeout: 180_000 }, async () => {
    const recording = await run(10)
    expect(judge(recording)).toEqual([])
    const came = (group: Group) => Object.values(recording.kinds).some((each) => each.group === group && each.right > 0)
    for (const group of ['good', 'identities', 'hostile', 'slow', 'truncated'] as const) expect(came(group)).toBe(true)
  })

  it.each([
    ['memory', 'memory'],
    ['sockets', 'sockets'],
  ])('finds a planted leak of %s', { timeout: 120_000 }, async (plant, check) => {
    const recording = await run(6, { plant, groups: ['good', 'truncated'] })
    expect(checksOf(judge(recording))).toContain(check)
    // Nothing that a visitor could notice.
    expect(Object.values(recording.kinds).reduce((sum, { wrong }) => sum + wrong, 0)).toBe(0)
  })

  it('finds a planted rejection that nobody catches', { timeout: 120_000 }, async () => {
    await expect(run(6, { plant: 'rejection', groups: ['good'] })).rejects.toThrow('nobody catches this')
  })
})
