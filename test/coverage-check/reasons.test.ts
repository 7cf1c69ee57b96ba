import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { badHints, compare, readReasons } from './reasons.ts'
import { readReport } from './report.ts'

const page = [
  '# Coverage',
  '- `not here`: a list of another kind',
  '### src/net/listener.ts',
  '',
  '- `throw error`: only a fault of our own gets here',
  '- `` const a = `b` ``: another platform has this line',
  '## More',
  '- a list of another kind',
].join('\n')
const uncovered = [
  { file: 'src/net/listener.ts', line: 3, code: 'throw error' },
  { file: 'src/net/listener.ts', line: 9, code: 'const a = `b`' },
]

describe('the reasons for lines that no test runs', () => {
  it('are read by file and text', () => {
    expect(readReasons(page)).toEqual([
      { file: 'src/net/listener.ts', code: 'throw error', reason: 'only a fault of our own gets here', at: 5 },
      { file: 'src/net/listener.ts', code: 'const a = `b`', reason: 'another platform has this line', at: 6 },
    ])
    expect(() => readReasons('### src/a.ts\n- no code')).toThrow('line 2 is no entry')
  })

  it('fit if there is one for each line, wherever it stands by now', () => {
    expect(compare(uncovered, readReasons(page))).toEqual([])
    expect(
      compare(
        uncovered.map((each) => ({ ...each, line: each.line + 7 })),
        readReasons(page),
      ),
    ).toEqual([])
  })

  it.each([
    { why: 'another line', more: { file: 'src/net/listener.ts', line: 11, code: 'return' } },
    { why: 'an equal line', more: { file: 'src/net/listener.ts', line: 12, code: 'throw error' } },
    { why: 'an equal line elsewhere', more: { file: 'src/net/drain.ts', line: 3, code: 'throw error' } },
  ])('do not fit if there is $why that is not run', ({ more }) => {
    expect(compare([...uncovered, more], readReasons(page))).toEqual([
      `${more.file}:${more.line} is run by no test, and has no reason: ${more.code}`,
    ])
  })

  it('do not fit if a line is run by now, or a reason says nothing', () => {
    expect(compare(uncovered.slice(1), readReasons(page))).toEqual([
      'line 5: this is run by now, or gone: src/net/listener.ts throw error',
    ])
    expect(compare(uncovered, readReasons(page.replace('only a fault of our own gets here', 'never')))).toEqual([
      'line 5: this is no reason: never',
    ])
  })
})

it('finds hints without a reason, and those that leave out a whole file or an open end', () => {
  const hint = (rest: string): string => ['/* v8', 'ignore', rest, '*/'].join(' ')
  expect(badHints('a.ts', hint('next -- @preserve no parser throws anything else'))).toEqual([])
  for (const bad of ['next', 'if -- @preserve', 'else -- @preserve short', 'next no parser throws anything else']) {
    expect(badHints('a.ts', `\n${hint(bad)}`)).toHaveLength(1)
  }
  for (const bad of ['file', 'start', 'stop']) {
    expect(badHints('a.ts', hint(`${bad} -- @preserve no parser throws anything else`))).toHaveLength(1)
  }
})

it('reads which lines a report calls not run, also the second statement of a line', async () => {
  const root = await temporaryFolder()
  const [guarded, other] = [join(root, 'src/net/a.ts'), join(root, 'src/cli/a.ts')]
  await mkdir(join(root, 'src/net'), { recursive: true })
  await writeFile(guarded, 'const a = 1\n  if (a > 1) throw new Error()\nfunction b() {}\n')
  const place = (line: number) => ({ start: { line } })
  const facts = {
    s: { 0: 4, 1: 4, 2: 0 },
    statementMap: { 0: place(1), 1: place(2), 2: place(2) },
    f: { 0: 0 },
    fnMap: { 0: { loc: place(3) } },
    b: { 0: [0, 4] },
  }
  await writeFile(join(root, 'report.json'), JSON.stringify({ [guarded]: facts, [other]: facts }))
  const report = readReport(join(root, 'report.json'), root)
  expect(report.uncovered).toEqual([
    { file: 'src/net/a.ts', line: 2, code: 'if (a > 1) throw new Error()' },
    { file: 'src/net/a.ts', line: 3, code: 'function b() {}' },
  ])
  expect([...report.folders]).toEqual([['net', { statements: [2, 3], functions: [0, 1], branches: [1, 2] }]])
})
