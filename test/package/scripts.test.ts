import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { TARGETS } from '../fuzz/targets/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

function script(file: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', join(root, file), ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 100_000,
  })
  return { status, stdout, stderr }
}

describe('a script that is given a name that nothing has', () => {
  it('lists the targets of the fuzzer', () => {
    const { status, stdout, stderr } = script('test/fuzz/guided.ts', ['bogus'])
    const said = 'there is no target bogus; there are '
    expect([status, stdout, stderr.slice(0, said.length)]).toEqual([2, '', said])
    const listed = stderr.slice(said.length).trimEnd().split(', ')
    expect(listed.toSorted()).toEqual(TARGETS.map(({ name }) => name).toSorted())
  })

  it.each([
    [['--seconds', 'soon'], '--seconds expected a whole number, got soon\n'],
    [['--second', '1'], expect.stringMatching(/^Unknown option '--second'.*\n$/)],
  ])('refuses %j before it fuzzes anything', (args, said) => {
    const { status, stdout, stderr } = script('test/fuzz/guided.ts', args)
    expect([status, stdout, stderr]).toEqual([2, '', said])
  })

  it('lists the groups of the benchmark', () => {
    const { status, stdout, stderr } = script('test/bench/run.ts', ['nosuchgroup'])
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^there is no group nosuchgroup; there are all, .*\btofu\b.*\btls\b.*\btls-memory\b.*\n$/)
  })

  it('lists the pairs of the group', () => {
    const { status, stdout, stderr } = script('test/bench/run.ts', ['middleware', 'nosuchpair', '--quick'])
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^there is no pair nosuchpair; middleware has .+$/m)
  })
}, 120_000)
