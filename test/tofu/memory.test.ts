// What an import and an export need of memory does not depend on how much is imported or exported.

import { closeSync, openSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

vi.setConfig({ testTimeout: 300_000 })

const [FEW, MANY] = [100_000, 200_000]

// All that the larger file has more than the smaller one. Whoever kept each line, let alone an object for each host, would
// need that and several times as much.
const BOUND = 25_000_000

/** Writes a file of so many hosts. */
function writeHosts(path: string, hosts: number): void {
  const file = openSync(path, 'w')
  let text = '[_metadata]\nversion = "1.0"\n'
  for (let n = 0; n < hosts; n++) {
    const host = `host${String(n).padStart(7, '0')}.example.org`
    const fingerprint = `sha256:${n.toString(16).padStart(64, '0')}`
    text += `\n[hosts."${host}:1965"]\nhostname = "${host}"\nport = 1965\nfingerprint = "${fingerprint}"\n`
    text += 'first_seen = "2026-01-01T00:00:00+00:00"\nlast_seen = "2026-01-02T00:00:00+00:00"\n'
    if (text.length > 1_000_000) {
      writeSync(file, text)
      text = ''
    }
  }
  writeSync(file, text)
  closeSync(file)
}

/** The most memory that a process of its own needs for something, in bytes. */
async function peakOf(path: string, ...commands: string[]): Promise<number> {
  // Node 24 lets the young generation grow further, which would hide what is looked for.
  const child = startChild('tofu-import-child.ts', { args: [path], nodeArgs: ['--max-semi-space-size=8'] })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  expect(await child.line()).toBe('ready')
  const answers: Record<string, unknown>[] = []
  for (const command of [...commands, 'memory']) {
    child.send(command)
    answers.push(JSON.parse((await child.line()) ?? '{}'))
  }
  child.process.stdin?.end()
  expect(await child.ended).toMatchObject({ code: 0 })
  for (const answer of answers) expect(answer).not.toHaveProperty('code')
  const bytes = answers.at(-1)?.bytes
  if (typeof bytes !== 'number') throw new Error('no answer')
  return bytes
}

it('twice the hosts need no more of it', async () => {
  const folder = await temporaryFolder()
  const peaks = { import: [] as number[], hashed: [] as number[], export: [] as number[] }
  const sizes: number[] = []
  for (const hosts of [FEW, MANY]) {
    const file = join(folder, `${hosts}.toml`)
    writeHosts(file, hosts)
    sizes.push(statSync(file).size)
    peaks.import.push(await peakOf(join(folder, `${hosts}.db`), `merge ${file}`))
    peaks.export.push(await peakOf(join(folder, `${hosts}.db`), `export ${file}.out`))
    peaks.hashed.push(await peakOf(join(folder, `${hosts}-hashed.db`), 'hash', `merge ${file}`))
  }
  const [few = 0, many = 0] = sizes
  expect(many - few).toBeGreaterThan(BOUND)
  for (const [what, [less = 0, more = 0]] of Object.entries(peaks)) {
    expect(less, what).toBeGreaterThan(30_000_000)
    expect(more - less, what).toBeLessThan(BOUND)
  }
})
