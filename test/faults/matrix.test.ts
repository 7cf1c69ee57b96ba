// The page about faults names tests and codes. Each of them is there, and each test of faults is named.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const page = read('docs/explanation/faults.md')
const explained = read('docs/reference/errors.md')

/** The rows of the matrix, cell by cell, with the fault that each is about. */
function rowsOf(text: string): { fault: string; codes: string[]; tests: string[] }[] {
  const [, matrix = ''] = text.split('\n## The matrix\n')
  const lines = (matrix.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
  let fault = ''
  return lines.map((line) => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (cells.length !== 5) throw new Error(`not five cells: ${line}`)
    const [first = '', , , codes = '', tests = ''] = cells
    if (first !== '') fault = first
    return { fault, codes: quoted(codes), tests: quoted(tests) }
  })
}

function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)
}

/** What is wrong with the page. */
function mistakesIn(text: string): string[] {
  const rows = rowsOf(text)
  const named = [...text.matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path)
  const here = readdirSync(join(root, 'test/faults')).map((name) => `test/faults/${name}`)
  return [
    ...named.filter((path) => !existsSync(join(root, path))).map((path) => `there is no ${path}`),
    ...here
      .filter((path) => !named.includes(path) && path !== 'test/faults/matrix.test.ts')
      .map((path) => `${path} is not named`),
    ...rows.filter(({ tests }) => tests.length === 0).map(({ fault }) => `nothing tests ${fault}`),
    ...rows
      .flatMap(({ codes }) => codes)
      .filter((code) => !explained.includes(`### ERR_TLACACOCA_${code}\n`))
      .map((code) => `there is no code ${code}`),
  ]
}

describe('the page about faults', () => {
  it('names tests and codes that exist, and all tests of faults', () => {
    expect(mistakesIn(page)).toEqual([])
    expect(rowsOf(page).length).toBeGreaterThan(30)
  })

  it.each([
    ['`test/faults/moved.test.ts`', '`test/faults/gone.test.ts`', 'there is no test/faults/gone.test.ts'],
    ['`test/faults/moved.test.ts`', '`test/faults/clock.test.ts`', 'test/faults/moved.test.ts is not named'],
    ['`STORE_LOCKED`', '`STORE_BOLTED`', 'there is no code STORE_BOLTED'],
    ['`test/faults/locked.test.ts`, `test/internal/sqlite.test.ts`', '', 'nothing tests lock held by another program'],
  ])('would show %s written as %s', (good, wrong, mistake) => {
    expect(page).toContain(good)
    expect(mistakesIn(page.replaceAll(good, wrong))).toContain(mistake)
  })
})
