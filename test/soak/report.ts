// A recording as the tables of docs/explanation/soak.md.

import type { Group, Recording, Sample } from './recording.ts'
import { median } from './verdict.ts'

/** Both tables, in Markdown. */
export function tablesOf(recording: Recording): string {
  return [...samplesTable(recording), '', ...kindsTable(recording)].join('\n')
}

function samplesTable({ seconds, samples, before, after }: Recording): string[] {
  const at = [Math.min(60, seconds / 5), seconds / 2, seconds]
  return [
    '| at | visits | open connections | resident | heap | external | of it buffers | descriptors | event loop late, 99 % |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    row('before', [before]),
    // The median of what was seen in the last tenth of the time up to there: one moment says little.
    ...at.map((end) =>
      row(
        timeOf(end),
        samples.filter((each) => each.seconds > end - seconds / 10 && each.seconds <= end + 1),
      ),
    ),
    row('when all had gone', [after]),
  ]
}

function row(label: string, samples: readonly Sample[]): string {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick))
  const cells = [
    label,
    Math.max(0, ...samples.map(({ visits }) => visits)).toLocaleString('en'),
    of(({ sockets }) => sockets).toFixed(0),
    megabytes(of(({ rss }) => rss)),
    megabytes(of(({ heapUsed }) => heapUsed)),
    megabytes(of(({ external }) => external)),
    megabytes(of(({ arrayBuffers }) => arrayBuffers)),
    of(({ descriptors }) => descriptors).toFixed(0),
    `${of(({ delayP99Ms }) => delayP99Ms).toFixed(0)} ms`,
  ]
  return `| ${cells.join(' | ')} |`
}

function kindsTable({ kinds, leftOut }: Recording): string[] {
  const groups: Record<Group, string> = {
    good: 'in order, and answered rightly',
    identities: 'with certificates, and answered rightly',
    hostile: 'hostile, and refused rightly',
    slow: 'slow, and cut off or told so',
    truncated: 'broken off by the visitor',
    flood: 'floods of 50 requests each, limited',
  }
  const rows = Object.entries(groups).flatMap(([group, words]) => {
    const all = Object.values(kinds).filter((kind) => kind.group === group)
    if (all.length === 0) return []
    const [right, wrong] = [all.map((kind) => kind.right), all.map((kind) => kind.wrong)].map(sum)
    const longest = Math.max(...all.map(({ longestMs }) => longestMs))
    return [
      `| ${words} | ${all.length} | ${right?.toLocaleString('en')} | ${wrong} | ${(longest / 1000).toFixed(1)} s |`,
    ]
  })
  const note = leftOut.length === 0 ? [] : ['', `Left out, for lack of time: ${leftOut.join(', ')}.`]
  return ['| visits | kinds | right | wrong | the longest took |', '| --- | --- | --- | --- | --- |', ...rows, ...note]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function timeOf(seconds: number): string {
  return seconds < 60 ? `${Math.round(seconds)} s` : `${Number((seconds / 60).toFixed(1))} min`
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`
}
