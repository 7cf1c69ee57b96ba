// The reasons for lines that no test runs, as docs/explanation/coverage.md gives them:
//
//   ### src/net/listener.ts
//
//   - `the line, as it stands there`: why no test runs it
//
// Lines are named by their text, since their numbers change with every edit above them. Of two equal lines in one file,
// each needs an entry.

import type { UncoveredLine } from './report.ts'

export interface Reason {
  readonly file: string
  readonly code: string
  readonly reason: string
  /** The line of the document on which it stands. */
  readonly at: number
}

const HEADING = /^### (src\/\S+)$/
const ENTRY = /^- (`+) ?(.+?) ?\1: (.+)$/

export function readReasons(markdown: string): readonly Reason[] {
  const reasons: Reason[] = []
  let file: string | null = null
  for (const [index, line] of markdown.split('\n').entries()) {
    if (line.startsWith('#')) file = HEADING.exec(line)?.[1] ?? null
    if (file === null || !line.startsWith('- ')) continue
    const [, , code, reason] = ENTRY.exec(line) ?? []
    if (code === undefined || reason === undefined) throw new SyntaxError(`line ${index + 1} is no entry: ${line}`)
    reasons.push({ file, code, reason, at: index + 1 })
  }
  return reasons
}

// Shorter than this, it says nothing.
const SHORTEST_REASON = 20

/** What is wrong with the reasons: a line without one, and one whose line is run, changed or gone. */
export function compare(uncovered: readonly UncoveredLine[], reasons: readonly Reason[]): readonly string[] {
  const problems: string[] = []
  const unused = [...reasons]
  for (const { file, line, code } of uncovered) {
    const index = unused.findIndex((each) => each.file === file && each.code === code)
    if (index < 0) problems.push(`${file}:${line} is run by no test, and has no reason: ${code}`)
    else unused.splice(index, 1)
  }
  for (const { at, file, code } of unused) problems.push(`line ${at}: this is run by now, or gone: ${file} ${code}`)
  for (const { at, reason } of reasons) {
    if (reason.length < SHORTEST_REASON) problems.push(`line ${at}: this is no reason: ${reason}`)
  }
  return problems
}

const HINT = /\b(?:v8|c8|istanbul|node:coverage) ignore (\S+)(.*)/
const WITH_REASON = /^ -- @preserve .{20,}/

/** Hints that take code out of the report without a reason, or more code than one reason can be for. */
export function badHints(file: string, text: string): readonly string[] {
  return text.split('\n').flatMap((line, index) => {
    const [hint, what = '', reason = ''] = HINT.exec(line) ?? []
    if (hint === undefined || (['if', 'else', 'next'].includes(what) && WITH_REASON.test(reason))) return []
    return [`${file}:${index + 1} leaves code out of the report without a reason: ${line.trim()}`]
  })
}
