import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connect, createServerContext, endpointFrom, pins } from 'tlacacoca'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCapsule } from '../../docs/examples/gemini-server.ts'
import { createScrollServer } from '../../docs/examples/scroll-server.ts'
import { createSpartanServer } from '../../docs/examples/spartan-server.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'

// The examples are programs that people copy, so they are run here, and asked what a stranger would ask.

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder = ''
let capsule = ''
let site: TestCertificate

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tlacacoca-examples-'))
  capsule = join(folder, 'capsule')
  await mkdir(join(capsule, 'club'), { recursive: true })
  await writeFile(join(capsule, 'index.gmi'), '# Capsule\n')
  await writeFile(join(capsule, 'index.scroll'), '# Scroll\n')
  await writeFile(join(capsule, 'club/index.gmi'), '# Club\n')
  await writeFile(join(folder, 'secret'), 'outside')
  site = await testCertificate({ host: 'localhost' })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const contextFor = () =>
  createServerContext({ certificates: [{ cert: site.certPem, key: site.keyPem }], clientCertificates: 'request' })

async function askTLS(port: number, request: string): Promise<string> {
  const endpoint = endpointFrom('localhost', port)
  const { stream } = await connect({ endpoint, verify: pins([site.certificate.fingerprint]) })
  stream.write(request)
  return text(stream)
}

async function askPlain(port: number, request: string): Promise<string> {
  const socket = connectSocket(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(request)
  return text(socket)
}

describe('the Gemini example', () => {
  it.each([
    ['gemini://localhost/', '20 text/gemini\r\n# Capsule\n'],
    ['gemini://localhost', '20 text/gemini\r\n# Capsule\n'],
    ['gemini://localhost/club/', '60 a client certificate is needed here\r\n'],
    ['gemini://localhost/%63lub/', '60 a client certificate is needed here\r\n'],
    ['gemini://localhost/x/../club/', '60 a client certificate is needed here\r\n'],
    ['gemini://localhost/../secret', '51 there is no such page\r\n'],
    ['gemini://localhost/%2e%2e/secret', '51 there is no such page\r\n'],
    ['gemini://localhost/missing', '51 there is no such page\r\n'],
    ['gemini://example.org/', '53 this is not served here\r\n'],
    ['gemini://user@localhost/', '59 this is not a request\r\n'],
    ['gemini://localhost/#part', '59 this is not a request\r\n'],
    ['/', '59 this is not a request\r\n'],
    ['https://localhost/', '53 this is not served here\r\n'],
    [`gemini://localhost/${'a'.repeat(1024)}`, '59 the request is too long\r\n'],
  ])('answers %.60s', async (request, answer) => {
    const rules = [{ path: '/club/', requireCertificate: true }]
    const server = createCapsule({ root: capsule, context: await contextFor(), served: ['localhost'], rules })
    const { port } = await server.listen(0, '127.0.0.1')
    try {
      expect(await askTLS(port, `${request}\r\n`)).toBe(answer)
    } finally {
      await server.close()
    }
  })
})

// Each download holds a file open. A client that leaves in the middle must not leave it open for ever.
it.runIf(existsSync('/proc/self/fd'))('closes the files of downloads that are broken off', async () => {
  await writeFile(join(capsule, 'large'), Buffer.alloc(8_000_000))
  const server = createCapsule({ root: capsule, context: await contextFor(), served: ['localhost'], burst: 100 })
  const { port } = await server.listen(0, '127.0.0.1')
  try {
    const openLarge = (): number => openFiles().filter((path) => path.endsWith('/large')).length
    for (let i = 0; i < 10; i++) {
      const endpoint = endpointFrom('localhost', port)
      const { stream } = await connect({ endpoint, verify: pins([site.certificate.fingerprint]) })
      stream.write('gemini://localhost/large\r\n')
      await once(stream, 'data')
      expect(openLarge()).toBeGreaterThan(0)
      stream.destroy()
      await expect.poll(openLarge).toBe(0)
    }
  } finally {
    await server.close()
  }
})

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // the one that the listing itself used
    }
  })
}

describe('the Scroll example', () => {
  it('answers with a status, an author, two dates and the page', async () => {
    const server = createScrollServer(await contextFor(), capsule, ['localhost'])
    const { port } = await server.listen(0, '127.0.0.1')
    try {
      const date = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z\r\n`
      const answer = await askTLS(port, 'scroll://localhost/ de,en\r\n')
      expect(answer).toMatch(new RegExp(`^20 text/scroll\r\n\r\n${date}${date}# Scroll\n$`))
      expect(await askTLS(port, 'scroll://example.org/ en\r\n')).toBe('53 this is not served here\r\n')
    } finally {
      await server.close()
    }
  })
})

describe('the Spartan example', () => {
  it.each([
    ['localhost / 0', '2 text/gemini\r\n# Capsule\n'],
    ['localhost /club/ 0', '2 text/gemini\r\n# Club\n'],
    ['localhost /../secret 0', '4 there is no such page\r\n'],
    ['example.org / 0', '4 this host is not served here\r\n'],
    ['localhost / 10', '4 this is not a request\r\n'],
    ['localhost', '4 this is not a request\r\n'],
  ])('answers %s', async (request, answer) => {
    const server = createSpartanServer(capsule, ['localhost'])
    const { port } = await server.listen(0, '127.0.0.1')
    try {
      expect(await askPlain(port, `${request}\r\n`)).toBe(answer)
    } finally {
      await server.close()
    }
  })

  it('limits by the same middleware as everybody else', async () => {
    const server = createSpartanServer(capsule, ['localhost'], 1)
    const { port } = await server.listen(0, '127.0.0.1')
    try {
      expect(await askPlain(port, 'localhost / 0\r\n')).toMatch(/^2 /)
      expect(await askPlain(port, 'localhost / 0\r\n')).toBe('5 too many requests, try again in 1 seconds\r\n')
    } finally {
      await server.close()
    }
  })
})

it('runs the demo, which checks itself', async () => {
  const args = ['--import', 'tsx', 'docs/examples/demo.ts']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  expect(stdout).toContain('all 12 steps went as told')
})
