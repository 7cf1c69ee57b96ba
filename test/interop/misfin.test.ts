import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import {
  Certificate,
  type CertificateAuthority,
  CertificateChangedError,
  connect,
  createServer,
  createServerContext,
  dangerouslyAcceptAny,
  endpointFrom,
  formatFingerprint,
  type Listener,
  TofuStore,
} from 'tlacacoca'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { certificateOf, sendMail } from '../../docs/examples/misfin-client.ts'
import {
  createMailbox,
  createMailServer,
  type MailServerOptions,
  openMailHost,
} from '../../docs/examples/misfin-server.ts'
import { testCertificate } from '../support/certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// The Misfin example: bob@localhost gets mail, some of it from ana@a.example, whose host vouches for her.

interface Identity {
  readonly cert: string
  readonly key: string
}

interface MailHost {
  readonly host: string
  readonly folder: string
  readonly authority: CertificateAuthority
  readonly port: number
}

const open: (Listener | CertificateAuthority)[] = []
/** The ports of the hosts that are not this one. */
let elsewhere: Map<string, number>
/** What the server at localhost has seen of other hosts. */
let known: TofuStore
let home: MailHost
let bob: Identity

beforeEach(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  elsewhere = new Map()
  known = TofuStore.inMemory()
  home = await startMailHost('localhost')
  bob = await createMailbox(home.authority, 'localhost', 'bob', 'Bob')
})

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]()
  vi.restoreAllMocks()
})

async function startMailHost(
  host: string,
  options: Partial<MailServerOptions> & { readonly port?: number } = {},
): Promise<MailHost> {
  const { port: wanted = 0, ...more } = options
  const folder = await temporaryFolder()
  const authority = await openMailHost(folder, host)
  const authorityOf = async (name: string) => {
    const at = elsewhere.get(name)
    if (at === undefined) throw new Error(`nobody is at ${name}`)
    return certificateOf(endpointFrom('127.0.0.1', at), known.verifier())
  }
  const server = await createMailServer({ folder, host, authority, authorityOf, ...more })
  const { port } = await server.listen(wanted, '127.0.0.1')
  open.push(authority, server)
  if (host !== 'localhost') elsewhere.set(host, port)
  return { host, folder, authority, port }
}

const hexOf = ({ cert }: Identity): string => formatFingerprint(Certificate.from(cert).fingerprint, 'hex')
const lettersTo = async (mailbox: string): Promise<string[]> => {
  const folder = join(home.folder, mailbox)
  if (!existsSync(folder)) return []
  return Promise.all((await readdir(folder)).toSorted().map((name) => readFile(join(folder, name), 'utf8')))
}
const mailOf = async (mailbox: string): Promise<string> => (await lettersTo(mailbox)).join('')

/** Sends to bob@localhost. */
const send = (identity: Identity, message = 'Hello, Bob.\nHow are you?'): Promise<string> =>
  sendMail('bob@localhost', message, { identity, verify: dangerouslyAcceptAny(), port: home.port })

/** Sends a request as it is. */
async function ask(request: string | Buffer, identity: Identity | null = bob): Promise<string> {
  const own = identity === null ? {} : { identity }
  const endpoint = endpointFrom('localhost', home.port)
  const { stream } = await connect({ endpoint, verify: dangerouslyAcceptAny(), ...own })
  stream.end(request)
  return text(stream)
}

describe('mail', () => {
  it('arrives from another host that vouches for its sender', async () => {
    const a = await startMailHost('a.example')
    const ana = await createMailbox(a.authority, 'a.example', 'ana', 'Ana A.')
    expect(await send(ana)).toBe(`20 ${hexOf(bob)}`)
    expect(await mailOf('bob')).toMatch(/^< ana@a\.example Ana A\.\n@ \S+Z\nHello, Bob\.\nHow are you\?\n$/)
    expect(await known.listHosts()).toMatchObject([{ endpoint: `127.0.0.1:${a.port}` }])
  })

  it('is one letter and steers no terminal, whatever it looks like', async () => {
    const dora = await createMailbox(home.authority, 'localhost', 'dora')
    await send(dora, 'hi\r\n\n< boss@localhost The boss\n@ 2026-01-01T00:00:00.000Z\nPay.\u001b[2J\u009b2J\u202e')
    await send(dora, 'again')
    const letters = await lettersTo('bob')
    expect(letters).toHaveLength(2)
    for (const letter of letters) expect(letter).toMatch(/^< dora@localhost dora\n@ \S+Z\n/)
    expect(letters.join('')).not.toMatch(/(?![\t\n])[\p{Cc}\u202e]/u)
  })

  it('arrives from the same host', async () => {
    expect(await send(await createMailbox(home.authority, 'localhost', 'carl'))).toBe(`20 ${hexOf(bob)}`)
    expect(await mailOf('bob')).toContain('< carl@localhost carl\n')
  })

  it('arrives from a next identity of the sender that the host has issued', async () => {
    const a = await startMailHost('a.example')
    for (let i = 0; i < 2; i++) expect(await send(await createMailbox(a.authority, 'a.example', 'ana'))).toMatch(/^20 /)
  })

  it('arrives from a mailbox that is its own host, with an identity made by openssl', async () => {
    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    openssl([
      ...['req', '-x509', '-newkey', 'rsa:2048', '-sha256', '-days', '8192', '-nodes'],
      ...['-keyout', keyFile, '-out', certFile],
      ...['-subj', '/CN=Dora/UID=dora', '-addext', 'subjectAltName=DNS:d.example'],
    ])
    const dora = { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
    const context = await createServerContext({ certificates: [dora] })
    const server = createServer(context, ({ stream }) => stream.end())
    open.push(server)
    elsewhere.set('d.example', (await server.listen(0, '127.0.0.1')).port)
    expect(await send(dora)).toBe(`20 ${hexOf(bob)}`)
    expect(await mailOf('bob')).toContain('< dora@d.example Dora\n')
  })
})

describe('mail from a liar', () => {
  const LIAR = '63 your host does not vouch for you'

  it.each(['ana@a.example', 'bob@localhost'])('who calls himself %s is refused', async (address) => {
    await startMailHost('a.example')
    const [userId = '', host = ''] = address.split('@')
    const made = await testCertificate({ host, userId, commonName: 'Ana', usage: 'client' })
    expect(await send({ cert: made.certPem, key: made.keyPem })).toBe(LIAR)
    expect(await mailOf('bob')).toBe('')
  })

  it('whom another host has certified is refused', async () => {
    await startMailHost('a.example')
    const e = await startMailHost('e.example')
    expect(await send(await createMailbox(e.authority, 'a.example', 'ana'))).toBe(LIAR)
  })

  it('whose host has another certificate than before is refused', async () => {
    const a = await startMailHost('a.example')
    expect(await send(await createMailbox(a.authority, 'a.example', 'ana'))).toMatch(/^20 /)
    await open.pop()?.[Symbol.asyncDispose]()
    const impostor = await startMailHost('a.example', { port: a.port })
    expect(await send(await createMailbox(impostor.authority, 'a.example', 'ana'))).toBe(LIAR)
  })
})

describe('mail is refused', () => {
  it('for the time being, if the host of the sender cannot be asked', async () => {
    const a = await startMailHost('a.example')
    elsewhere.clear()
    expect(await send(await createMailbox(a.authority, 'a.example', 'ana'))).toMatch(/^40 /)
  })

  it('without a certificate', async () => {
    expect(await ask('misfin://bob@localhost hello\r\n', null)).toMatch(/^60 /)
  })

  it.each([
    ['of nobody', { host: 'localhost', usage: 'client' as const }],
    ['without a host', { host: null, commonName: 'Ana', userId: 'ana', usage: 'client' as const }],
    ['for many hosts', { host: '*.example.org', userId: 'ana', usage: 'client' as const }],
    ['of a mailbox that is none', { host: 'localhost', userId: 'a b', usage: 'client' as const }],
    ['that has expired', { host: 'localhost', userId: 'ana', notBefore: new Date('2020-01-01'), days: 30 }],
  ])('with a certificate %s', async (_what, options) => {
    const { certPem, keyPem } = await testCertificate(options)
    expect(await ask('misfin://bob@localhost hello\r\n', { cert: certPem, key: keyPem })).toMatch(/^62 /)
  })

  it('from a mailbox that was taken back', async () => {
    const carl = await createMailbox(home.authority, 'localhost', 'carl')
    await home.authority.revoke(Certificate.from(carl.cert).serialNumber, { reason: 'key_compromise' })
    expect(await send(carl)).toMatch(/^62 /)
  })

  it('from a sender who is not welcome', async () => {
    home = await startMailHost('localhost', { blocked: ['eve@localhost'] })
    expect(await send(await createMailbox(home.authority, 'localhost', 'eve'))).toMatch(/^61 /)
  })

  it.each([
    ['misfin://nobody@localhost hello', '51 there is no such mailbox'],
    ['misfin://bob@example.org hello', '53 this is not served here'],
    ['misfin://bob@localhost', '59 this is not a request'],
    ['misfin://bob@localhost\tseven', '59 this is not a request'],
    ['misfin://bob@localhost\t-1', '59 this is not a request'],
    ['misfin://bob@eve@localhost hello', '59 this is not a request'],
    ['misfin://bob@localhost/ hello', '59 this is not a request'],
    ['misfin://../bob@localhost hello', '59 this is not a request'],
    ['gemini://bob@localhost hello', '59 this is not a request'],
    ['misfin://bob@localhost two\nlines', '59 this is not a request'],
    ['misfin://bob@localhost\t16385', '59 a message has at most 16384 bytes'],
    ['misfin://bob@localhost\t8', '59 that was less than announced'],
  ])('as %j', async (request, answer) => {
    expect(await ask(`${request}\r\n`)).toBe(`${answer}\r\n`)
    expect(await mailOf('bob')).toBe('')
  })

  it('on a line that is too long', async () => {
    expect(await ask(`misfin://bob@localhost ${'x'.repeat(2048)}\r\n`)).toBe('59 the request is too long\r\n')
  })

  it('without an answer if it breaks off', async () => {
    const socket = connectTcp(home.port, '127.0.0.1')
    const tls = connectTls({ socket, rejectUnauthorized: false, ...bob })
    tls.on('error', () => {})
    await once(tls, 'secureConnect')
    await new Promise((resolve) => tls.write('misfin://bob@localhost\t10\r\nhalf', resolve))
    socket.end()
    await once(tls.resume(), 'close')
    expect(await mailOf('bob')).toBe('')
  })
})

it('takes the older form of a request, with the message on the line', async () => {
  expect(await ask('MISFIN://Bob@LOCALHOST:1958 hello\r\n')).toBe(`20 ${hexOf(bob)}\r\n`)
  expect(await mailOf('bob')).toMatch(/\nhello\n$/)
})

it('tells the fingerprint of a mailbox to who sends nothing', async () => {
  expect(await ask('misfin://bob@localhost \r\n')).toBe(`20 ${hexOf(bob)}\r\n`)
  expect(await ask('misfin://bob@localhost\t0\r\n')).toBe(`20 ${hexOf(bob)}\r\n`)
  expect(await mailOf('bob')).toBe('')
})

it('keeps its authority', async () => {
  const again = await openMailHost(home.folder, 'localhost')
  open.push(again)
  expect(again.certificate.equals(home.authority.certificate)).toBe(true)
})

describe('the client', () => {
  it('sends nothing to a host whose certificate has changed', async () => {
    const hosts = TofuStore.inMemory()
    const options = { identity: bob, verify: hosts.verifier(), port: home.port }
    expect(await sendMail('bob@localhost', 'first', options)).toMatch(/^20 /)
    for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]()
    home = await startMailHost('localhost', { port: home.port })
    await createMailbox(home.authority, 'localhost', 'bob')
    await expect(sendMail('bob@localhost', 'second', options)).rejects.toThrow(CertificateChangedError)
    expect(await mailOf('bob')).toBe('')
  })
})
