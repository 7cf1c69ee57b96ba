import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type ClientIdentityTexts, connect, endpointFrom, loadCertificate, pins } from 'tlacacoca'
import { expect, it, onTestFinished, vi } from 'vitest'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { proxyTo } from './clients.ts'
import { haveRedis, RedisServer } from './redis-server.ts'

// The example as a program of its own: four processes that a visitor cannot tell from one.

const root = fileURLToPath(new URL('../..', import.meta.url))

async function startExample(redisPort: number) {
  const folder = await temporaryFolder()
  const args = ['--import', 'tsx', 'docs/examples/cluster.ts', folder, '0', '4']
  const env = { ...process.env, REDIS_URL: `redis://127.0.0.1:${redisPort}`, FLEET_SECRET: 'a secret of the example' }
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exited
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const serving = (): string[] => lines.filter((line) => line.includes('serving'))
  await vi.waitUntil(() => serving().length === 4, { timeout: 30_000, interval: 20 })
  const port = Number(/:(\d+)\/$/.exec(serving()[0] ?? '')?.[1])
  const certificate = await loadCertificate(join(folder, 'cert.pem'))
  const ask = async (path: string, identity?: ClientIdentityTexts): Promise<string> => {
    const { stream } = await connect({
      endpoint: endpointFrom('localhost', port),
      verify: pins([certificate.fingerprint]),
      ...(identity === undefined ? {} : { identity }),
    })
    stream.write(`gemini://localhost${path}\r\n`)
    return text(stream)
  }
  const processOf = (answer: string): string => /process (\d+)/.exec(answer)?.[1] ?? answer
  return { child, exited, lines, serving, ask, processOf }
}

it.runIf(haveRedis)(
  'shares limits, bans and accounts between four processes behind one port',
  async () => {
    const redis = await new RedisServer().start()
    onTestFinished(() => redis.remove())
    const { child, exited, lines, serving, ask, processOf } = await startExample((await proxyTo(redis.path)).port)
    const begin = performance.now()

    const { certPem, keyPem } = await testCertificate({ usage: 'client' })
    const identity = { cert: certPem, key: keyPem }
    expect(await ask('/members/')).toMatch(/^60 /)
    expect(await ask('/members/', identity)).toMatch(/^61 /)
    expect(await ask('/join?Ana', identity)).toBe('30 /members/\r\n')
    const members = []
    for (let i = 0; i < 8; i++) members.push(await ask('/members/', identity))
    for (const answer of members) expect(answer).toMatch(/^20 text\/gemini\r\n# Hello, ana\n/)
    expect(new Set(members.map(processOf)).size).toBeGreaterThan(1)

    // Eleven of the thirty are gone, whoever was asked. In so much time so many come back.
    const answers = await Promise.all(Array.from({ length: 28 }, () => ask('/')))
    const admitted = answers.filter((answer) => answer.startsWith('20 '))
    const cameBack = (0.5 * (performance.now() - begin)) / 1000
    // On a machine that is busy enough Redis counts as away, and each process gives its part as well: eight.
    const wasAway = lines.some((line) => line.endsWith('Redis down'))
    expect(admitted.length).toBeGreaterThanOrEqual(wasAway ? 0 : 19)
    expect(admitted.length).toBeLessThanOrEqual(19 + cameBack + (wasAway ? 4 * 8 : 0))
    expect(answers.filter((answer) => answer.startsWith('44 ')).length).toBe(28 - admitted.length)

    // Whoever goes on is banned by one of them, and soon by all: their doors stay shut.
    const isShut = (): Promise<boolean> =>
      ask('/').then(
        () => false,
        () => true,
      )
    await vi.waitUntil(async () => (await Promise.all(Array.from({ length: 12 }, isShut))).every(Boolean), {
      timeout: 20_000,
      interval: 100,
    })

    // A process that dies is replaced, and the new one knows who is banned.
    const [first = ''] = serving()
    process.kill(Number(processOf(first)), 'SIGKILL')
    await vi.waitUntil(() => serving().length === 5, { timeout: 20_000, interval: 50 })
    expect((await Promise.all(Array.from({ length: 12 }, isShut))).every(Boolean)).toBe(true)

    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  },
  90_000,
)

it.runIf(haveRedis)(
  'goes on by parts of the limits where there is no Redis',
  async () => {
    const nobody = await proxyTo('/nonexistent/socket')
    const { lines, ask } = await startExample(nobody.port)
    const answers = await Promise.all(Array.from({ length: 44 }, () => ask('/').catch(() => 'shut')))
    const admitted = answers.filter((answer) => answer.startsWith('20 '))
    // Eight for each of the four.
    expect(admitted.length).toBeGreaterThan(0)
    expect(admitted.length).toBeLessThanOrEqual(32 + 2)
    await vi.waitUntil(() => lines.some((line) => line.endsWith('Redis down')))
  },
  90_000,
)
