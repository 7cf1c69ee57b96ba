// npm run fuzz -- [target…] [--seconds N] [--seed N] [--replay hex]
//
// Without targets, all of them in turn. What is found is written to `fixtures/<target>/`, where the tests replay it.
// Ends with 1 if something was found, and with 2 if the command line was not understood.

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { fuzzGuided } from './engine/supervise.ts'
import { TARGETS, targetOf } from './targets/index.ts'

const { targets, seed, seconds, values } = understand()
console.log(`seed ${seed}, ${seconds} seconds for each of ${targets.length} targets`)
for (const { name } of targets) {
  const replay = values.replay === undefined ? {} : { replay: values.replay }
  const result = await fuzzGuided(name, { seed, seconds, ...replay })
  if (result.kind === 'done') {
    const perSecond = Math.round(result.runs / Math.max(result.seconds, 0.001))
    console.log(
      `${name.padEnd(28)} ${result.runs} runs, ${perSecond}/s, corpus ${result.corpus}, slowest ${result.slowestMs.toFixed(1)} ms`,
    )
    continue
  }
  process.exitCode = 1
  console.log(`${name.padEnd(28)} ${result.kind.toUpperCase()}: ${result.message}\n${result.input}`)
  if (values.replay !== undefined) continue
  const input = Buffer.from(result.input, 'hex')
  const folder = fileURLToPath(new URL(`fixtures/${name}/`, import.meta.url))
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}${createHash('sha256').update(input).digest('hex').slice(0, 12)}.bin`, input)
}
process.exit()

function understand() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { seconds: { type: 'string' }, seed: { type: 'string' }, replay: { type: 'string' } },
    })
    const targets = positionals.length === 0 ? TARGETS : positionals.map(targetOf)
    const seed = numberOf('--seed', values.seed) ?? Date.now() % 2 ** 31
    return { targets, seed, seconds: numberOf('--seconds', values.seconds) ?? 60, values }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(2)
  }
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text !== undefined && !/^\d+$/.test(text)) throw new RangeError(`${option} expected a whole number, got ${text}`)
  return text === undefined ? undefined : Number(text)
}
