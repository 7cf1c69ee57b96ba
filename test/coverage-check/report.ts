// What a coverage report says of the code that guards something: which lines no test ran, and how many of each kind were.

import { readFileSync } from 'node:fs'
import { relative, sep } from 'node:path'

/** Where a line that no test runs needs a reason. */
export const GUARDED: readonly string[] = [
  'authority',
  'certificate',
  'identity',
  'internal',
  'logging',
  'middleware',
  'names',
  'net',
  'postgres',
  'redis',
  'tls',
  'tofu',
]

export const KINDS = ['statements', 'functions', 'branches'] as const

/** How many were run, and how many there are. */
export type Share = readonly [run: number, all: number]
export type Shares = Readonly<Record<(typeof KINDS)[number], Share>>

export interface UncoveredLine {
  readonly file: string
  readonly line: number
  /** The line as it stands in the file, without the spaces around it. */
  readonly code: string
}

export interface CoverageReport {
  readonly folders: ReadonlyMap<string, Shares>
  readonly uncovered: readonly UncoveredLine[]
}

interface Place {
  readonly start: { readonly line: number }
}

/** One file in the report that Istanbul calls `json`. */
interface FileFacts {
  readonly s: Readonly<Record<string, number>>
  readonly f: Readonly<Record<string, number>>
  readonly b: Readonly<Record<string, readonly number[]>>
  readonly statementMap: Readonly<Record<string, Place>>
  readonly fnMap: Readonly<Record<string, { readonly loc: Place }>>
}

/**
 * Reads a report.
 *
 * A line counts as not run if a statement or a function that begins on it was not: `if (bad) throw …` on one line is two
 * statements, and a count by lines would be content with the first.
 */
export function readReport(path: string, root: string): CoverageReport {
  const report = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, FileFacts>>
  const folders = new Map<string, Shares>()
  const uncovered: UncoveredLine[] = []
  for (const [path, facts] of Object.entries(report)) {
    const file = relative(root, path).split(sep).join('/')
    const folder = file.split('/')[1] ?? ''
    if (!file.startsWith('src/') || !GUARDED.includes(folder)) continue
    folders.set(folder, sum([folders.get(folder) ?? NONE, sharesOf(facts)]))
    const lines = uncoveredLines(facts)
    if (lines.length === 0) continue
    const text = readFileSync(path, 'utf8').split('\n')
    for (const line of lines) uncovered.push({ file, line, code: (text[line - 1] ?? '').trim() })
  }
  return { folders, uncovered }
}

const NONE: Shares = { statements: [0, 0], functions: [0, 0], branches: [0, 0] }

export function sum(all: Iterable<Shares>): Shares {
  let total = NONE
  for (const each of all) {
    const add = (kind: keyof Shares): Share => [total[kind][0] + each[kind][0], total[kind][1] + each[kind][1]]
    total = { statements: add('statements'), functions: add('functions'), branches: add('branches') }
  }
  return total
}

function sharesOf({ s, f, b }: FileFacts): Shares {
  const share = (hits: readonly number[]): Share => [hits.filter((n) => n > 0).length, hits.length]
  return {
    statements: share(Object.values(s)),
    functions: share(Object.values(f)),
    branches: share(Object.values(b).flat()),
  }
}

function uncoveredLines({ s, f, statementMap, fnMap }: FileFacts): number[] {
  const notRun = (hits: Readonly<Record<string, number>>): string[] => Object.keys(hits).filter((id) => hits[id] === 0)
  const places = [...notRun(s).map((id) => statementMap[id]), ...notRun(f).map((id) => fnMap[id]?.loc)]
  return [...new Set(places.map((place) => place?.start.line ?? 0))].sort((a, b) => a - b)
}
