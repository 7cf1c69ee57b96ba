// What a run must show. Pure: a recording goes in, and everything that is wrong with it comes out.
//
// Memory is compared between the last third of the run and the second. The first third is for warming up: code is
// compiled, tables get their size, and clients that never read stay for two minutes until they are cut off. Medians,
// because at each moment other visitors are there. A median can stay where it is while everything rises in the end, so
// the slope over both thirds is looked at too.

import { MEMORIES, type Recording, type Sample } from './recording.ts'

export interface Problem {
  readonly check: 'memory' | 'descriptors' | 'sockets' | 'answers' | 'deadlines' | 'quiet' | 'coverage' | 'end'
  readonly detail: string
}

const MB = 2 ** 20

/**
 * By how much a median may rise from the second third to the last. In ten minutes at 60 visits a second a third is
 * 12,000 visits, so 2 MB are 170 bytes for each: less than anything that is kept for a connection, be it one `Map` entry
 * with its key. Buffers are whole blocks of 64 KB, of which more or fewer are under way. Resident memory has, besides, what
 * the allocator does not give back, and it has OpenSSL's: 16 MB are 1.4 KB a visit, where a TLS connection has 30 to 60.
 */
const RISE: Readonly<Record<(typeof MEMORIES)[number], number>> = {
  heapUsed: 2 * MB,
  external: 4 * MB,
  arrayBuffers: 4 * MB,
  rss: 16 * MB,
}

/** Before this, resident memory is still on its way to where it will stay, whatever the server does. */
const RSS_JUDGED_FROM_S = 300

/** Files that are read just now, and connections of different length. */
const DESCRIPTORS_RISE = 40

export function judge(recording: Recording): Problem[] {
  const { before, after, samples, seconds, kinds, troubles, complaints, exitCode } = recording
  const problems: Problem[] = []
  const add = (check: Problem['check'], detail: string): void => {
    problems.push({ check, detail })
  }

  const second = samples.filter((each) => each.seconds > seconds / 3 && each.seconds <= (2 * seconds) / 3)
  const last = samples.filter((each) => each.seconds > (2 * seconds) / 3)
  if (second.length < 5 || last.length < 5) add('coverage', `${second.length} and ${last.length} samples are too few`)
  const rises = (
    name: keyof typeof RISE | 'descriptors',
    limit: number,
    check: Problem['check'],
    unit: number,
  ): void => {
    const { rise, slope } = growth(second, last, (each) => each[name])
    // As far as the middles of the two thirds are from each other.
    const trend = (slope * seconds) / 3
    if (rise > limit || trend > limit) {
      const figures = [rise, trend, limit].map((value) => (value / unit).toFixed(1))
      add(check, `${name} rose by ${figures[0]} (by its slope ${figures[1]}), and may by ${figures[2]}`)
    }
  }
  for (const name of MEMORIES) {
    if (name !== 'rss' || seconds >= RSS_JUDGED_FROM_S) rises(name, RISE[name], 'memory', MB)
  }
  rises('descriptors', DESCRIPTORS_RISE, 'descriptors', 1)

  for (const name of ['sockets', 'connections', 'descriptors'] as const) {
    const [then, now] = [before[name], after[name]]
    if (then !== null && now !== null && now > then) add('sockets', `${now} ${name} after the end, ${then} before`)
  }
  for (const [name, { group, right, wrong, examples }] of Object.entries(kinds)) {
    const check = group === 'slow' ? 'deadlines' : 'answers'
    if (wrong > 0) add(check, `${name}: ${wrong} of ${right + wrong} went wrong: ${examples.join('; ')}`)
    if (right + wrong === 0) add('coverage', `${name}: nobody came`)
  }
  if (Object.keys(kinds).length === 0) add('coverage', 'nobody came at all')
  for (const text of troubles) add('quiet', text)
  for (const line of complaints) add('quiet', `on standard error: ${line}`)
  if (exitCode !== 0) add('end', `the server did not end by itself when it was closed: ${exitCode}`)
  return problems
}

/** By how much the median rose, and the slope in units a second. */
function growth(
  second: readonly Sample[],
  last: readonly Sample[],
  of: (sample: Sample) => number,
): { readonly rise: number; readonly slope: number } {
  return { rise: median(last.map(of)) - median(second.map(of)), slope: slopeOf([...second, ...last], of) }
}

/** The median of the slopes between all pairs (Theil and Sen), which a few odd samples do not turn. */
function slopeOf(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const slopes: number[] = []
  for (const [index, a] of samples.entries()) {
    for (const b of samples.slice(index + 1)) {
      if (b.seconds > a.seconds) slopes.push((of(b) - of(a)) / (b.seconds - a.seconds))
    }
  }
  return median(slopes)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low = 0, high = 0] = sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1)
  return (low + high) / 2
}
