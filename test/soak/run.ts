// Lets visitors of all kinds at an example server for a while, and says what became of its memory, its connections and
// its answers. Linux only: the visitors come from many addresses of 127.0.0.0/8, and descriptors are counted in /proc.
//
//   npm run soak                                       the Gemini server, for ten minutes and up to two more
//   npm run soak -- --target titan --minutes 3         or scroll, spartan, misfin, and command for `tlacacoca serve`
//   npm run soak -- --rate 100 --json recording.json   visits a second (default 60); and all samples into a file
//   npm run soak -- --plant memory --minutes 1         with a mistake in the server on purpose (plants.ts), which it finds
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tablesOf } from './report.ts'
import { soak } from './soak.ts'
import { judge } from './verdict.ts'

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'gemini' },
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '60' },
    plant: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})
const [seconds, rate] = [Number(values.minutes) * 60, Number(values.rate)]
if (!(seconds >= 5 && seconds <= 86_400)) throw new RangeError('--minutes expected 0.1 to 1440')
if (!(rate >= 1 && rate <= 200)) throw new RangeError('--rate expected 1 to 200')

const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-soak-'))
try {
  let told = 0
  const recording = await soak({
    ...{ target: values.target, folder, seconds, rate, plant: values.plant },
    onSample({ seconds: at, visits, sockets, rss, heapUsed }) {
      if (at < told) return
      told += 30
      const figures = [rss, heapUsed].map((bytes) => `${(bytes / 2 ** 20).toFixed(1)} MB`)
      console.error(`${at.toFixed(0)} s: ${visits} visits, ${sockets} open, ${figures.join(', heap ')}`)
    },
  })
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(recording, null, 1))
  const problems = judge(recording)
  console.log(`${recording.target}, ${recording.seconds / 60} minutes, ${rate} visits a second; ${recording.machine}`)
  console.log(`${recording.reloads} reloads; ${recording.heldBack} visits held back\n`)
  console.log(tablesOf(recording))
  for (const { check, detail } of problems) console.log(`\n${check}: ${detail}`)
  console.log(problems.length === 0 ? '\nAll is well.' : `\n${problems.length} problems.`)
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
