import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { configureLogging, createLogger, getLogger, logDecisions, logTofuEvents } from '../../src/logging/index.ts'
import {
  AccessControl,
  type DenialReason,
  MiddlewareChain,
  parseClientAddress,
  targetFromParts,
} from '../../src/middleware/index.ts'
import { endpointFrom } from '../../src/names/index.ts'
import { TofuStore } from '../../src/tofu/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function linesOf(stream: PassThrough): Record<string, unknown>[] {
  let text = ''
  // Node 26 gives one piece at a time, and Node 20 all that there is.
  for (let piece = stream.read(); piece !== null; piece = stream.read()) text += piece
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

it('gives loggers that follow the settings, also those that come later', () => {
  const [first, second] = [new PassThrough(), new PassThrough()]
  const log = getLogger({ component: 'server' })
  configureLogging({ level: 'info', stream: first })
  log.info('one')
  configureLogging({ level: 'warn', stream: second })
  log.info('two')
  log.child({ port: 1965 }).warn('three')
  expect(log.level).toBe('warn')
  expect(linesOf(first)).toMatchObject([{ message: 'one', component: 'server' }])
  expect(linesOf(second)).toMatchObject([{ message: 'three', component: 'server', port: 1965 }])
})

it('writes each level under its own name', () => {
  const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'security'] as const
  const stream = new PassThrough()
  configureLogging({ level: 'trace', stream })
  for (const level of levels) getLogger()[level]('x', { said: level })
  expect(linesOf(stream)).toMatchObject(levels.map((level) => ({ level, said: level })))
})

it('keeps the settings in force when new ones cannot be', () => {
  const stream = new PassThrough()
  configureLogging({ level: 'info', stream })
  expect(() => configureLogging({ file: '/nowhere/at/all/log' })).toThrow(
    /^cannot open the log ".*": ENOENT: no such file or directory$/,
  )
  getLogger().info('still here')
  expect(linesOf(stream)).toMatchObject([{ message: 'still here' }])
})

it('throws nothing on account of the fields it binds', () => {
  const stream = new PassThrough()
  configureLogging({ stream })
  const hostile = {
    get broken(): never {
      throw new Error('no')
    },
  }
  getLogger(hostile)
    .child(hostile)
    .child({ n: 1 })
    .child(null as never)
    .error('still here')
  expect(linesOf(stream)).toMatchObject([{ message: 'still here', broken: '[unreadable]', n: 1 }])
})

it.runIf(existsSync('/proc/self/fd'))('closes the file before when it is set up again', async () => {
  const file = join(await temporaryFolder(), 'log')
  const log = getLogger()
  const isOpen = () => readdirSync('/proc/self/fd').filter((fd) => targetOf(fd) === file).length
  for (const message of ['one', 'two', 'three']) {
    configureLogging({ file })
    log.error(message)
  }
  await expect.poll(isOpen).toBe(1)
  configureLogging({ stream: new PassThrough() })
  await expect.poll(isOpen).toBe(0)
  expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(4)
})

/** Null for the descriptor by which the folder itself was read. */
function targetOf(fd: string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return null
  }
}

it('writes to a file', async () => {
  const file = join(await temporaryFolder(), 'log')
  configureLogging({ file, format: 'console' })
  getLogger().error('broken')
  expect(readFileSync(file, 'utf8')).toMatch(/^\S+Z ERROR broken\n$/)
})

it('records denials by attack at every level, without the address', async () => {
  const stream = new PassThrough()
  const chain = new MiddlewareChain([new AccessControl({ denyList: ['192.0.2.1'] })], {
    onDecision: logDecisions(createLogger({ stream })),
  })
  const target = targetFromParts(
    { scheme: 'spartan', host: 'example.org', port: 300, path: '/a', query: 'secret' },
    { served: 'any' },
  )
  for (const text of ['192.0.2.1', '192.0.2.2']) {
    await chain.process({ target, address: parseClientAddress(text), peer: null })
  }
  const lines = linesOf(stream)
  expect(lines).toMatchObject([
    {
      level: 'security',
      message: 'request denied',
      denialReason: 'access_denied',
      clientAddress: expect.stringMatching(/^addr-/),
      target: 'spartan://example.org:300/a?…',
      peer: null,
    },
  ])
})

// Whoever adds a reason says here how serious it is.
const LEVELS: Record<DenialReason, string> = {
  rate_limit: 'security',
  access_denied: 'security',
  cert_not_authorized: 'security',
  cert_not_valid: 'security',
  identity_changed: 'security',
  internal_error: 'error',
  cert_required: 'info',
  busy: 'info',
  bad_request: 'info',
  too_large: 'info',
  timeout: 'info',
  wrong_host: 'info',
}

it.each(Object.entries(LEVELS))('records %s as %s', async (denialReason, level) => {
  const stream = new PassThrough()
  const onDecision = logDecisions(createLogger({ stream, level: 'trace' }))
  const decide = () => ({ allowed: false, denialReason: denialReason as DenialReason }) as const
  const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/' }, { served: 'any' })
  const request = { target, address: parseClientAddress('192.0.2.1'), peer: null }
  await new MiddlewareChain([{ name: 'm', decide }], { onDecision }).process(request)
  expect(linesOf(stream)).toMatchObject([{ level, denialReason, middleware: 'm' }])
})

it('tells failures from attacks from mistakes', async () => {
  const stream = new PassThrough()
  const onDecision = logDecisions(createLogger({ stream, level: 'trace' }))
  const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/' }, { served: 'any' })
  const request = { target, address: parseClientAddress('192.0.2.1'), peer: null }
  const answers = [
    () => ({ allowed: true }) as const,
    () => ({ allowed: false, denialReason: 'cert_required' }) as const,
    () => ({ allowed: false, denialReason: 'rate_limit', retryAfterSeconds: 3 }) as const,
    () => {
      throw new Error('the store is away')
    },
  ]
  for (const decide of answers) await new MiddlewareChain([{ name: 'm', decide }], { onDecision }).process(request)
  expect(linesOf(stream)).toMatchObject([
    { level: 'debug' },
    { level: 'info', denialReason: 'cert_required' },
    { level: 'security', denialReason: 'rate_limit', retryAfterSeconds: 3 },
    { level: 'error', denialReason: 'internal_error', cause: { message: 'the store is away' } },
  ])
})

it('tells a first use from a change that was accepted, and says that pins cannot be recorded', async () => {
  const stream = new PassThrough()
  const onEvent = logTofuEvents(createLogger({ stream, level: 'info' }))
  const store = TofuStore.inMemory({ onEvent, policy: { changed: 'ask', onChanged: () => ({ accept: true }) } })
  const endpoint = endpointFrom('example.org', 1965)
  const [old, other] = [await testCertificate(), await testCertificate()]
  await store.verifyOrTrust(endpoint, old.certificate)
  await store.verifyOrTrust(endpoint, other.certificate)
  onEvent({ kind: 'snapshot', path: '/var/lib/pins.db', code: 'ERR_TLACACOCA_STORE_READ_ONLY' })
  expect(linesOf(stream)).toMatchObject([
    { level: 'info', message: 'certificate accepted', verdict: 'first_use', decidedBy: 'policy' },
    { level: 'security', message: 'certificate accepted', verdict: 'changed', decidedBy: 'callback' },
    { level: 'error', path: '/var/lib/pins.db', code: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  ])
})

it('records a pin that changed, at every level', async () => {
  const stream = new PassThrough()
  const store = TofuStore.inMemory({ onEvent: logTofuEvents(createLogger({ stream })) })
  const [old, other] = [await testCertificate(), await testCertificate()]
  const endpoint = endpointFrom('example.org', 1965)
  await store.verifyOrTrust(endpoint, old.certificate)
  await expect(store.verifyOrTrust(endpoint, other.certificate)).rejects.toThrow()
  expect(linesOf(stream)).toMatchObject([
    {
      level: 'security',
      message: 'certificate refused',
      endpoint: 'example.org:1965',
      verdict: 'changed',
      pinned: old.certificate.fingerprint,
      presented: other.certificate.fingerprint,
    },
  ])
})
