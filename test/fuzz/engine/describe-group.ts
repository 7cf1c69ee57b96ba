// The tests of a group of targets: many inputs, and every input that ever failed.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { GROUPS } from '../targets/index.ts'
import { checkTarget } from './check-target.ts'
import type { FuzzTarget } from './target.ts'

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url))
// A busy machine may take many times as long; a reader that hangs would never end.
const TIMEOUT_MS = 600_000

export function describeGroup(group: string): void {
  describe.each(GROUPS[group] ?? [])('$name', (target) => {
    it(`holds for many inputs: ${target.holds}`, { timeout: TIMEOUT_MS }, async () => {
      const tally = await checkTarget(target)
      // A reader that refuses everything would hold as well.
      for (const outcome of target.outcomes ?? ['read']) expect([...tally.keys()]).toContain(outcome)
    })

    const found = fixturesOf(target)
    if (found.length > 0) {
      it.each(found)('holds for %s, which once it did not', async (_, input) => {
        expect(typeof (await target.run(input))).toBe('string')
      })
    }
  })
}

function fixturesOf({ name }: FuzzTarget): (readonly [string, Uint8Array])[] {
  const folder = `${FIXTURES}${name}/`
  if (!existsSync(folder)) return []
  return readdirSync(folder).map((file) => [file, readFileSync(`${folder}${file}`)] as const)
}
