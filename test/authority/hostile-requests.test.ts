// What strangers send, through the whole of an authority: the call and the HTTP side, on real sockets too. Whoever asks for
// too much gets, byte for byte, what whoever asks for nothing gets.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, createServer, request as httpRequest, type OutgoingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CertificateAuthority, type SignRequest } from '../../src/authority/certificate-authority.ts'
import { SigningHooks } from '../../src/authority/hooks.ts'
import { type AuthorityHandler, createAuthorityHandler } from '../../src/authority/http/handler.ts'
import { nodeListener } from '../../src/authority/http/node-listener.ts'
import { createAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { defineProfile } from '../../src/authority/profile.ts'
import { Certificate } from '../../src/certificate/certificate.ts'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import { AuthorityError, TlacacocaError } from '../../src/errors.ts'
import { name } from '../support/crafted-certificates.ts'
import { craftRequest, hostileRequests } from '../support/hostile-requests.ts'
import { runChild } from '../support/run-child.ts'
import { testAuthority } from './http/support.ts'

/** For the same key as every greedy one, and without a wish. */
const modest = craftRequest()
const greedy = hostileRequests.filter(({ code }) => code === null)
const refused = hostileRequests.filter(({ code }) => code !== null)

const START = Math.floor(Date.now() / 1000) * 1000
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tlacacoca-hostile-'))
  await createAuthorityDirectory(join(folder, 'ca'), { subject: [['CN', 'ca.test']], dangerouslyUnencrypted: true })
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Options = NonNullable<Parameters<typeof CertificateAuthority.open>[1]>

/** The authority for all tests of a group, closed after the last of them. */
function forGroup(options: Options = {}): { readonly authority: CertificateAuthority } {
  const group: { authority?: CertificateAuthority } = {}
  beforeAll(async () => {
    group.authority = await CertificateAuthority.open(join(folder, 'ca'), { clock: () => START, ...options })
  })
  afterAll(() => group.authority?.close())
  return group as { readonly authority: CertificateAuthority }
}

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'signed'
  } catch (error) {
    if (!(error instanceof TlacacocaError)) throw error
    return error instanceof AuthorityError && error.field !== undefined ? `${error.code} ${error.field}` : error.code
  }
}

async function countOf(authority: CertificateAuthority): Promise<number> {
  let count = 0
  for await (const row of authority.list()) count += row.status === 'issued' ? 1 : 0
  return count
}

/** In every certificate, so that a row without a trace is found out. */
const NOTHING = new Uint8Array()
const has = (certificate: Certificate, trace: Uint8Array = NOTHING): boolean =>
  Buffer.from(certificate.der).includes(Buffer.from(trace))

/** What is certified beside the key is the caller's. */
const PROFILES: Readonly<Record<string, Omit<SignRequest, 'request'>>> = {
  'client-identity': {},
  'client-identity of a client': { clientHash: 'f00d' },
  server: { profile: 'server', subjectAltNames: { dns: ['example.org'], ip: ['192.0.2.1'] } },
  'misfin-mailbox': {
    profile: 'misfin-mailbox',
    subject: [
      ['UID', 'ana'],
      ['CN', 'Ana'],
    ],
    subjectAltNames: { dns: ['example.org'] },
  },
}

class AllowAll extends SigningHooks {
  override authorize() {
    return { allow: true } as const
  }
}

const SERIAL = 0x4af3_0000_0000_0000_0001n

describe('a request that asks for too much', () => {
  // Without a store a serial number can be there twice, and then two certificates can be the same.
  const group = forGroup({ store: 'none', serialNumberGenerator: () => SERIAL })
  const hooked = forGroup({
    store: 'none',
    serialNumberGenerator: () => SERIAL,
    hooks: (context) => new AllowAll(context),
  })

  it.each(greedy)('$name: it gets what a modest one gets, to the last byte', async ({ der, trace }) => {
    for (const [name, wishes] of Object.entries(PROFILES)) {
      for (const { authority } of [group, hooked]) {
        const { certificate } = await authority.sign({ ...wishes, request: der })
        const { certificate: expected } = await authority.sign({ ...wishes, request: modest })
        expect(certificate.tbsDer, name).toEqual(expected.tbsDer)
        expect(has(certificate, trace), name).toBe(false)
      }
    }
    const below = { subject: [['CN', 'Below']] } as const
    const { certificate } = await group.authority.signIntermediate({ ...below, request: der })
    const { certificate: expected } = await group.authority.signIntermediate({ ...below, request: modest })
    expect(certificate.tbsDer).toEqual(expected.tbsDer)
  })

  const BASE = ['2.5.29.19!', '2.5.29.15!', '2.5.29.37', '2.5.29.14', '2.5.29.35']
  it.each([
    ['client-identity', BASE],
    ['server', [...BASE.slice(0, 3), '2.5.29.17!', ...BASE.slice(3)]],
    ['misfin-mailbox', [...BASE.slice(0, 3), '2.5.29.17', ...BASE.slice(3)]],
  ])('would get by "%s" these extensions and no others', async (name, extensions) => {
    const { certificate } = await group.authority.sign({ ...PROFILES[name], request: modest })
    expect(certificate.extensions.map(({ oid, critical }) => `${oid}${critical ? '!' : ''}`)).toEqual(extensions)
    expect(certificate.isCA).toBe(false)
    expect(certificate.keyUsage).toEqual(['digitalSignature'])
  })
})

/** What a certificate says but for its serial number, whose length may differ too. */
function withoutSerial({ extensions, subjectDer, issuerDer, notBefore, notAfter, subjectPublicKeyInfo }: Certificate) {
  return { extensions, subjectDer, issuerDer, notBefore, notAfter, subjectPublicKeyInfo }
}

describe('an authority with a store', () => {
  const group = forGroup()

  it.each(refused)('refuses a request that $name: $code', async ({ der, code }) => {
    const before = await countOf(group.authority)
    expect(await outcomeOf(group.authority.sign({ request: der }))).toBe(code)
    expect(await outcomeOf(group.authority.signIntermediate({ request: der, subject: [['CN', 'x']] }))).toBe(code)
    expect(await countOf(group.authority)).toBe(before)
  })

  it('gives the others the same as a modest one, each by a serial number of its own', async () => {
    const expected = await group.authority.sign({ request: modest })
    const serials = new Set([expected.serialNumber])
    for (const { name, der, trace } of greedy) {
      const { certificate } = await group.authority.sign({ request: der })
      expect(withoutSerial(certificate), name).toEqual(withoutSerial(expected.certificate))
      expect(has(certificate, trace), name).toBe(false)
      serials.add(certificate.serialNumber)
    }
    expect(serials.size).toBe(greedy.length + 1)
  })

  it.each([
    ['DER', Buffer.alloc(1_000_000, 0x30), 'ERR_TLACACOCA_CSR_TOO_LARGE'],
    ['zeros', Buffer.alloc(1_000_000), 'ERR_TLACACOCA_CSR_TOO_LARGE'],
    ['text', 'A'.repeat(1_000_000), 'ERR_TLACACOCA_CSR_TOO_LARGE'],
    ['spaces', ' '.repeat(1_000_000), 'ERR_TLACACOCA_CSR_TOO_LARGE'],
    ['beginnings', '-----BEGIN CERTIFICATE REQUEST-----\n'.repeat(28_000), 'ERR_TLACACOCA_CSR_TOO_LARGE'],
    ['comment before a good one', `${'#\n'.repeat(500_000)}${pemOf(modest)}`, 'ERR_TLACACOCA_CSR_TOO_LARGE'],
    ['space after a good one', `${pemOf(modest)}${'\n'.repeat(1_000_000)}`, 'ERR_TLACACOCA_CSR_TOO_LARGE'],
  ])('refuses a megabyte of %s', async (_what, request, code) => {
    expect(await outcomeOf(group.authority.sign({ request }))).toBe(code)
  })
})

function pemOf(der: Uint8Array): string {
  return CertificateRequest.from(der).toPem()
}

// Whoever lets a profile take names from requests wants those, and no more than can be right.
describe('a profile that takes over the CN and the hosts', () => {
  const taking = defineProfile({
    name: 'taking',
    names: {
      subject: ['CN'],
      alternatives: ['dns'],
      takenFromRequest: { subject: ['CN'], alternatives: ['dns'] },
    },
    validity: { default: '90d', max: '1y' },
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['clientAuth'],
  })
  const group = forGroup({ store: 'none', profiles: [taking], defaultProfile: 'taking' })
  const HOSTS = 'ERR_TLACACOCA_AUTHORITY_POLICY subjectAltNames'
  const SUBJECT = 'ERR_TLACACOCA_AUTHORITY_POLICY subject'

  it.each([
    ['asks for a wildcard', HOSTS],
    ['asks for a whole top-level domain', HOSTS],
    ['asks for as many names as it may', HOSTS],
    ['calls itself by two names', SUBJECT],
    ['calls itself by a very long name', SUBJECT],
    ['calls itself by text from right to left', SUBJECT],
  ])('refuses a request that %s', async (name, code) => {
    expect(await outcomeOf(group.authority.sign({ request: named(name) }))).toBe(code)
  })

  it.each([
    ['asks for a host with a trailing dot', ['evil.example']],
    ['asks for a host in capitals', ['evil.example']],
    ['asks for the host of somebody else', ['evil.example']],
    // What it looks like is for `authorize` to know.
    ['asks for a host that looks like another', ['xn--evil-8cd.example']],
    ['asks for an address', []],
    ['asks for the mail of somebody else', []],
    ['asks for a URI', []],
    ['asks for the log-in name of somebody else', []],
    ['asks for a directory name', []],
    ["asks in Microsoft's way", []],
    ['asks to be an authority', []],
  ])('writes for one that %s the hosts %j, and nothing else', async (name, dns) => {
    const { certificate } = await group.authority.sign({ request: named(name) })
    expect(certificate.subjectAltNames).toEqual({ dns, ip: [], email: [], uri: [] })
    expect(certificate.extensions).toHaveLength(dns.length === 0 ? 5 : 6)
    expect(String(certificate.subject)).toBe('CN=Ana')
    expect(certificate.isCA).toBe(false)
  })
})

function named(name: string): Uint8Array {
  const found = hostileRequests.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no request is called ${name}`)
  return found.der
}

describe('a request that is sent again', () => {
  it('gets the same certificate for ten minutes, by the same client only', async () => {
    let later = 0
    const { authority } = await testAuthority(null, { clock: () => START + later })
    const serialFor = async (clientHash: string): Promise<string> =>
      (await authority.sign({ request: modest, clientHash })).serialNumber
    const first = await serialFor('ana')
    expect(await serialFor('ana')).toBe(first)
    // Whoever has listened gets a certificate in its own name, for a key that it does not have.
    const ofThief = await authority.sign({ request: modest, clientHash: 'thief' })
    expect(ofThief.serialNumber).not.toBe(first)
    expect(String(ofThief.certificate.subject)).toBe('CN=thief')
    later = 600_000
    expect(await serialFor('ana')).toBe(first)
    later = 600_001
    expect(await serialFor('ana')).not.toBe(first)
  })

  it('gets another one if that was revoked, and none if the key was compromised', async () => {
    const { authority } = await testAuthority(null)
    const first = await authority.sign({ request: modest })
    await authority.revoke(first.serialNumber, { reason: 'superseded' })
    const second = await authority.sign({ request: modest })
    expect(second.serialNumber).not.toBe(first.serialNumber)
    await authority.revoke(second.serialNumber, { reason: 'key_compromise' })
    for (const request of [modest, craftRequest({ subject: name('another') })]) {
      expect(await outcomeOf(authority.sign({ request }))).toBe('ERR_TLACACOCA_CSR_KEY_REFUSED')
    }
  })

  it('is asked about anew: a yes of before is none for the next', async () => {
    let isMember = true
    const { authority } = await testAuthority({ authorize: () => (isMember ? '30d' : undefined) })
    await authority.sign({ request: modest })
    isMember = false
    expect(await outcomeOf(authority.sign({ request: modest }))).toBe('ERR_TLACACOCA_CSR_NOT_AUTHORIZED')
  })

  it('proves nothing for what was changed in it', async () => {
    const { authority } = await testAuthority(null)
    for (const [index, octet] of modest.entries()) {
      const changed = Buffer.from(modest)
      changed[index] = octet ^ 0x01
      expect(await outcomeOf(authority.sign({ request: changed })), `octet ${index}`).toMatch(/^ERR_TLACACOCA_CSR_/)
    }
    expect(await countOf(authority)).toBe(0)
  })

  it('gets no serial number that was used before, and then no certificate', async () => {
    const { authority } = await testAuthority(null, { serialNumberGenerator: () => SERIAL })
    await authority.sign({ request: modest })
    const again = authority.sign({ request: modest, clientHash: 'other' })
    expect(await outcomeOf(again)).toBe('ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID')
    expect(await countOf(authority)).toBe(1)
  })
})

describe('over HTTP', () => {
  const STATUS: Readonly<Record<string, number>> = {
    ERR_TLACACOCA_CSR_MALFORMED: 400,
    ERR_TLACACOCA_CSR_UNPROVEN: 400,
    ERR_TLACACOCA_CSR_TOO_LARGE: 413,
    ERR_TLACACOCA_CSR_KEY_REFUSED: 422,
  }
  const group = forGroup({ hooks: (context) => new AllowAll(context) })
  let handler: AuthorityHandler
  let server: Server
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const events: unknown[] = []

  beforeAll(async () => {
    const limiter = { take: () => ({ allowed: true }) as const }
    handler = createAuthorityHandler(group.authority, { limiter, onEvent: ({ error }) => events.push(error) })
    server = createServer(nodeListener(handler)).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(async () => {
    agent.destroy()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  interface Reply {
    readonly status: number
    readonly type: string
    readonly body: string
  }

  async function byRequest(body: Uint8Array): Promise<Reply> {
    const headers = { 'content-type': 'application/pkcs10' }
    const response = await handler(new Request('http://ca.test/api/csr/f00d', { method: 'PUT', headers, body }), {
      address: '192.0.2.1',
    })
    const type = response.headers.get('content-type') ?? ''
    return { status: response.status, type, body: await response.text() }
  }

  async function bySocket(body: Uint8Array | string, headers: OutgoingHttpHeaders = {}): Promise<Reply> {
    const request = httpRequest({
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      method: 'PUT',
      path: '/api/csr/f00d',
      agent,
      headers: { 'content-type': 'application/pkcs10', ...headers },
    })
    // A server that has read enough closes the connection; what counts is what it has answered.
    request.on('error', () => {})
    request.end(body)
    const [response] = await once(request, 'response')
    return {
      status: response.statusCode ?? 0,
      type: response.headers['content-type'] ?? '',
      body: await text(response),
    }
  }

  it.each(refused)('a request that $name is refused: $code', async ({ der, code }) => {
    const before = await countOf(group.authority)
    for (const { status, type, body } of [await byRequest(der), await bySocket(der)]) {
      const tooLarge = der.length > 32_768
      expect(JSON.parse(body)).toMatchObject({ status, code: tooLarge ? 'too_large' : code })
      expect(status).toBe(tooLarge ? 413 : STATUS[code ?? ''])
      expect(type).toBe('application/problem+json')
      expect(body).not.toContain(folder)
      expect(body).not.toMatch(/\n|\bat \S+:\d|node:/)
    }
    expect(await countOf(group.authority)).toBe(before)
  })

  it('the others get the same as a modest one', async () => {
    const certificateOf = ({ status, body }: Reply): Certificate => {
      expect(status, body).toBe(200)
      return Certificate.from((JSON.parse(body) as { signed_x509_pem: string }).signed_x509_pem)
    }
    const expected = certificateOf(await bySocket(modest))
    expect(String(expected.subject)).toBe('CN=f00d')
    for (const { name, der, trace } of greedy) {
      const [first, second] = [certificateOf(await byRequest(der)), certificateOf(await bySocket(der))]
      expect(withoutSerial(first), name).toEqual(withoutSerial(expected))
      expect(has(first, trace), name).toBe(false)
      // Sent twice, it is one certificate.
      expect(second.fingerprint, name).toBe(first.fingerprint)
    }
  })

  it('a megabyte is not read to its end, whatever it says of its length', async () => {
    const megabyte = Buffer.alloc(1_000_000, 0x30)
    for (const headers of [{ 'content-length': '1000000' }, { 'transfer-encoding': 'chunked' }]) {
      expect(await bySocket(megabyte, headers)).toMatchObject({ status: 413 })
    }
    expect(await byRequest(megabyte)).toMatchObject({ status: 413 })
    expect(await bySocket(`${'#\n'.repeat(500_000)}${pemOf(modest)}`)).toMatchObject({ status: 413 })
  })

  it('the authority goes on after all that, and nothing of it was a failure of its own', async () => {
    expect(await bySocket(modest)).toMatchObject({ status: 200 })
    expect(events.length).toBeGreaterThan(2 * refused.length)
    expect(events.filter((error) => error !== null && !(error instanceof TlacacocaError))).toEqual([])
  })
})

// In a process of its own, because this one would not be there to tell.
describe('keys that could end the process', () => {
  it('are refused by the call and over HTTP, and the process goes on', async () => {
    const { folder: directory } = await testAuthority(null)
    const { code, signal, stdout, stderr } = await runChild('hostile-authority-child.ts', { args: [directory] })
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    const keys = refused.filter((each) => each.code === 'ERR_TLACACOCA_CSR_KEY_REFUSED')
    expect(rows).toEqual([
      ...keys.map((each) => [each.name, 'ERR_TLACACOCA_CSR_KEY_REFUSED', 422]),
      ['alive', 'signed', 200],
    ])
  }, 30_000)
})
