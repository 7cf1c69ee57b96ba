import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServer as createTcpTlsServer } from 'node:tls'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { encryptPrivateKey } from '../../src/certificate/private-key.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext, type ServerContext, type ServerContextOptions } from '../../src/tls/server-context.ts'
import type { ServerContextEvent } from '../../src/tls/server-generation.ts'
import { type ForgedCertificate, forgeCertificate } from '../support/forged-certificates.ts'
import { issue } from '../support/issued-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { rawClient, visit } from '../support/tls-clients.ts'

const org = forgeCertificate({ hosts: ['example.org'] })
const net = forgeCertificate({ hosts: ['example.net', '*.wild.example', 'xn--bcher-kva.example'], key: 'Ed25519' })
const sourceOf = ({ certPem, keyPem }: ForgedCertificate) => ({ cert: certPem, key: keyPem })

async function listen(context: ServerContext): Promise<number> {
  const server = createServer(context, ({ stream, serverName }) => stream.end(`for ${serverName}`))
  onTestFinished(() => server.close({ graceMs: 0 }))
  return (await server.listen(0, '127.0.0.1')).port
}

describe('several hosts', () => {
  it.each([
    ['example.org', org],
    ['EXAMPLE.ORG', org],
    ['example.org.', org],
    ['example.net', net],
    ['Example.Net.', net],
    ['a.wild.example', net],
    ['b\u00fccher.example', net],
    ['xn--bcher-kva.example', net],
    // The default one, for what nobody answers to.
    [undefined, org],
    ['nowhere.example', org],
    ['wild.example', org],
    ['a.b.wild.example', org],
  ])('shows the certificate for %s', async (servername, expected) => {
    const context = await createServerContext({ certificates: [sourceOf(org), sourceOf(net)] })
    const port = await listen(context)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { server } = await visit(port, { maxVersion, ...(servername !== undefined && { servername }) })
      expect(server).toBe(expected.certificate.fingerprint)
    }
  })

  it.each([
    ['nowhere.example', 112],
    ['wild.example', 112],
    ['example.org', null],
    [undefined, null],
  ])('refuses names that nobody answers to, by an alert, where told so: %s', async (servername, alert) => {
    const context = await createServerContext({ certificates: [sourceOf(org)], unknownServerName: 'refuse' })
    const visited = await visit(await listen(context), servername === undefined ? {} : { servername })
    expect(visited.alert).toBe(alert)
    expect(visited.text).toBe(alert === null ? `for ${servername ?? null}` : '')
  })

  it('lets names be given that the certificate does not have', async () => {
    const certificates = [sourceOf(org), { ...sourceOf(net), hostnames: ['other.example'] }]
    const port = await listen(await createServerContext({ certificates }))
    expect((await visit(port, { servername: 'other.example' })).server).toBe(net.certificate.fingerprint)
    expect((await visit(port, { servername: 'example.net' })).server).toBe(org.certificate.fingerprint)
  })
})

describe('a reload', () => {
  async function files(pair: ForgedCertificate) {
    const folder = await temporaryFolder()
    const source = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
    const write = async ({ certPem, keyPem }: { certPem: string; keyPem: string }): Promise<void> => {
      await writeFile(source.certFile, certPem)
      await writeFile(source.keyFile, keyPem)
    }
    await write(pair)
    return { source, write }
  }

  it('shows new certificates to new clients, with and without SNI, and keeps old connections', async () => {
    const { source, write } = await files(org)
    const context = await createServerContext({ certificates: [source] })
    const server = createServer(context, async ({ stream }) => {
      for await (const chunk of stream) stream.end(`echo ${chunk}`)
    })
    onTestFinished(() => server.close({ graceMs: 0 }))
    const { port } = await server.listen(0, '127.0.0.1')
    const { connect } = await import('node:tls')
    const old = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }).setEncoding('utf8')
    await once(old, 'secureConnect')

    const next = forgeCertificate({ hosts: ['example.org'] })
    await write(next)
    expect((await context.reload()).changed).toBe(true)
    expect((await visit(port)).server).toBe(next.certificate.fingerprint)
    expect((await visit(port, { servername: 'example.org' })).server).toBe(next.certificate.fingerprint)
    old.write('still here')
    expect(await once(old, 'data')).toEqual(['echo still here'])
  })

  it('says that nothing changed where nothing did', async () => {
    const { source } = await files(org)
    const context = await createServerContext({ certificates: [source] })
    expect((await context.reload()).changed).toBe(false)
  })

  it('says so if the authorities of clients changed, and if they did not', async () => {
    const { source } = await files(org)
    const folder = await temporaryFolder()
    const certFile = join(folder, 'ca.pem')
    const [one, two] = ['one', 'two'].map((commonName) => forgeCertificate({ commonName, ca: true }).certPem)
    await writeFile(certFile, one ?? '')
    const context = await createServerContext({
      certificates: [source],
      clientCertificates: { trustedAuthorities: [{ certFile }] },
    })
    expect((await context.reload()).changed).toBe(false)
    await writeFile(certFile, two ?? '')
    expect((await context.reload()).changed).toBe(true)
    expect((await context.reload()).changed).toBe(false)
  })

  it.each([
    ['a file is gone', async (source: { certFile: string }) => rm(source.certFile), 'ERR_TLACACOCA_FILE_NOT_FOUND'],
    [
      'a file is no certificate',
      async (source: { certFile: string }) => writeFile(source.certFile, 'nonsense'),
      'ERR_TLACACOCA_CERTIFICATE_MALFORMED',
    ],
    [
      'the key is of another',
      async (source: { keyFile: string }) => writeFile(source.keyFile, net.keyPem),
      'ERR_TLACACOCA_KEY_MISMATCH',
    ],
  ] as const)('keeps the last good set when %s', async (_, spoil, code) => {
    const { source } = await files(org)
    const context = await createServerContext({ certificates: [source] })
    const port = await listen(context)
    await spoil(source)
    await expect(context.reload()).rejects.toMatchObject({ code })
    expect((await visit(port)).server).toBe(org.certificate.fingerprint)
  })
})

describe('what is refused before a context exists', () => {
  const good = sourceOf(org)
  const other = forgeCertificate()

  it.each([
    ['no certificates', { certificates: [] }, 'ERR_TLACACOCA_CONTEXT_INVALID', /"certificates" is empty/],
    [
      'a missing file',
      { certificates: [{ certFile: '/nowhere/c.pem', keyFile: '/nowhere/k.pem' }] },
      'ERR_TLACACOCA_FILE_NOT_FOUND',
      /certificates\[0\]/,
    ],
    [
      'no PEM',
      { certificates: [{ ...good, cert: 'nonsense' }] },
      'ERR_TLACACOCA_CERTIFICATE_MALFORMED',
      /certificates\[0\]/,
    ],
    ['no key', { certificates: [{ ...good, key: 'nonsense' }] }, 'ERR_TLACACOCA_KEY_MALFORMED', /certificates\[0\]/],
    [
      'the key of another',
      { certificates: [{ ...good, key: other.keyPem }] },
      'ERR_TLACACOCA_KEY_MISMATCH',
      /certificates\[0\]/,
    ],
    [
      'a key of another type',
      { certificates: [good, { ...sourceOf(net), key: other.keyPem }] },
      'ERR_TLACACOCA_KEY_MISMATCH',
      /certificates\[1\]/,
    ],
    [
      'a name claimed twice',
      {
        certificates: [
          good,
          { ...sourceOf(net), hostnames: ['a.example'] },
          { ...sourceOf(other), hostnames: ['A.example.'] },
        ],
      },
      'ERR_TLACACOCA_CONTEXT_INVALID',
      /a\.example/,
    ],
    [
      'one that no client could get',
      { certificates: [good, sourceOf(other)] },
      'ERR_TLACACOCA_CONTEXT_INVALID',
      /certificates\[1\]/,
    ],
    [
      'an empty list of authorities',
      { certificates: [good], clientCertificates: { trustedAuthorities: [] } },
      'ERR_TLACACOCA_CONTEXT_INVALID',
      /trustedAuthorities/,
    ],
    [
      'an authority that is none',
      { certificates: [good], clientCertificates: { trustedAuthorities: [other.certificate] } },
      'ERR_TLACACOCA_CONTEXT_INVALID',
      /trustedAuthorities\[0\]/,
    ],
    [
      'an authority in a missing file',
      { certificates: [good], clientCertificates: { trustedAuthorities: [{ certFile: '/nowhere/ca.pem' }] } },
      'ERR_TLACACOCA_FILE_NOT_FOUND',
      /trustedAuthorities\[0\]/,
    ],
  ] as [string, ServerContextOptions, string, RegExp][])('%s', async (_, options, code, message) => {
    await expect(createServerContext(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it.each([
    ['a lower version', { minVersion: 'TLSv1.1' }],
    ['an option that does not exist', { clientCertificate: 'request' }],
    ['a mode that does not exist', { clientCertificates: 'require' }],
    ['authorities that are undefined', { clientCertificates: { trustedAuthorities: undefined } }],
    ['an authority that is nothing', { clientCertificates: { trustedAuthorities: [null] } }],
    ['suites of your own', { ciphers: 'ALL' }],
  ])('%s, as a mistake of the program', async (_, wrong) => {
    await expect(createServerContext({ certificates: [good], ...wrong } as never)).rejects.toThrow(TypeError)
  })

  it('a key that OpenSSL finds too small, by the name of the certificate', async () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 512 })
    const { certificate } = issue({ names: [[2, 'example.org']], key: { ...issue(), keys } })
    const key = keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const certificates = [sourceOf(net), { cert: certificate.toPem(), key }]
    await expect(createServerContext({ certificates })).rejects.toThrow(/certificates\[1\].*too small/)
  })

  it('an encrypted key without its passphrase, or with another', async () => {
    const key = await encryptPrivateKey(org.keyPem, { passphrase: 'open sesame' })
    const source = { cert: org.certPem, key }
    await expect(createServerContext({ certificates: [source] })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
    })
    await expect(createServerContext({ certificates: [{ ...source, passphrase: 'wrong' }] })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    })
    const context = await createServerContext({ certificates: [{ ...source, passphrase: 'open sesame' }] })
    expect((await visit(await listen(context))).server).toBe(org.certificate.fingerprint)
  })

  it('and no error shows a key', async () => {
    const error = await createServerContext({ certificates: [{ cert: net.certPem, key: org.keyPem }] }).catch((e) => e)
    const secret = org.keyPem.split('\n')[1] ?? ''
    expect(secret.length).toBeGreaterThan(30)
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(secret)
  })
})

it('tells of a certificate that has expired, and serves it all the same', async () => {
  const events: ServerContextEvent[] = []
  const late = forgeCertificate({ notAfter: new Date('2021-01-01T00:00:00Z') })
  const context = await createServerContext({ certificates: [sourceOf(late)], onEvent: (event) => events.push(event) })
  expect(events).toMatchObject([{ kind: 'certificate_expired', label: expect.stringContaining('certificates[0]') }])
  expect((await visit(await listen(context))).server).toBe(late.certificate.fingerprint)
})

it('sends the intermediates that stand in the file, and no root', async () => {
  const root = forgeCertificate({ commonName: 'root', ca: true })
  const between = forgeCertificate({ commonName: 'between', ca: true, issuer: root })
  const leaf = forgeCertificate({ hosts: ['example.org'], issuer: between })
  const cert = leaf.certPem + between.certPem + root.certPem
  const context = await createServerContext({ certificates: [{ cert, key: leaf.keyPem }] })
  expect(context.certificates[0]?.chain.map(({ fingerprint }) => fingerprint)).toEqual([
    leaf.certificate.fingerprint,
    between.certificate.fingerprint,
  ])
})

describe('options for a tls.createServer of your own', () => {
  it('serve by name, follow a reload, judge issuers and end handshakes that are too slow', async () => {
    const root = forgeCertificate({ commonName: 'root', ca: true })
    const mine = forgeCertificate({ issuer: root })
    const context = await createServerContext({
      certificates: [sourceOf(org)],
      clientCertificates: { trustedAuthorities: [root.certificate] },
    })
    const server = createTcpTlsServer({ ...context.options, handshakeTimeout: 150 }, (socket) => {
      socket.on('error', () => {})
      socket.end(`${peerOf(socket)?.issuance}`)
    })
    context.attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    expect((await visit(port, { cert: mine.certPem, key: mine.keyPem })).text).toBe('issued')
    const silent = await rawClient(port)
    await once(silent, 'close')
  })

  /** A server of the program's own, which answers with the issuance of its client. */
  async function ownServer(context: ServerContext) {
    const server = createTcpTlsServer(context.options, (socket) => {
      socket.on('error', () => {})
      socket.end(`${peerOf(socket)?.issuance}`)
    })
    context.attach(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    return { server, port: (server.address() as { port: number }).port }
  }

  it('may listen again, attached again: with what a reload has brought meanwhile, and issuers judged as before', async () => {
    const folder = await temporaryFolder()
    const source = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
    const write = async ({ certPem, keyPem }: ForgedCertificate): Promise<void> => {
      await writeFile(source.certFile, certPem)
      await writeFile(source.keyFile, keyPem)
    }
    const root = forgeCertificate({ commonName: 'root', ca: true })
    const between = forgeCertificate({ commonName: 'between', ca: true, issuer: root })
    const mine = forgeCertificate({ issuer: between })
    await write(org)
    const context = await createServerContext({
      certificates: [source, sourceOf(forgeCertificate({ hosts: ['second.example'] }))],
      clientCertificates: { trustedAuthorities: [root.certificate] },
    })
    const server = createTcpTlsServer(context.options, (socket) => {
      socket.on('error', () => {})
      socket.resume().end(`${peerOf(socket)?.issuance}`)
    })
    const visitOnce = async () => {
      context.attach(server)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      const seen = await visit(port, { cert: mine.certPem + between.certPem, key: mine.keyPem })
      server.close()
      await once(server, 'close')
      return seen
    }
    expect(await visitOnce()).toMatchObject({ text: 'issued', server: org.certificate.fingerprint })

    const next = forgeCertificate({ hosts: ['example.org'] })
    await write(next)
    await context.reload()
    expect(await visitOnce()).toMatchObject({ text: 'issued', server: next.certificate.fingerprint })

    // Nobody is attached now, so these are fine for `createServer`; this server would mix them up.
    await write(forgeCertificate({ hosts: ['example.org'], key: 'Ed25519' }))
    await context.reload()
    expect(() => context.attach(server)).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_CONTEXT_INVALID' }))
  })

  it('show the certificate for the name, and let nobody in who asks for another if that is refused', async () => {
    const other = forgeCertificate({ hosts: ['example.net'] })
    const certificates = [sourceOf(org), sourceOf(other)]
    const { port } = await ownServer(await createServerContext({ certificates, unknownServerName: 'refuse' }))
    expect((await visit(port, { servername: 'example.org' })).server).toBe(org.certificate.fingerprint)
    expect((await visit(port, { servername: 'example.net' })).server).toBe(other.certificate.fingerprint)
    expect((await visit(port)).server).toBe(org.certificate.fingerprint)
    const refused = await visit(port, { servername: 'nowhere.example' })
    expect(refused).toMatchObject({ text: '', server: null, error: expect.any(String) })
  })

  it('follow a reload for clients that name no host too, attached once or twice', async () => {
    const folder = await temporaryFolder()
    const source = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
    const write = async ({ certPem, keyPem }: ForgedCertificate): Promise<void> => {
      await writeFile(source.certFile, certPem)
      await writeFile(source.keyFile, keyPem)
    }
    await write(org)
    const second = forgeCertificate({ hosts: ['second.example'] })
    const context = await createServerContext({ certificates: [source, sourceOf(second)] })
    const { server, port } = await ownServer(context)
    const listeners = server.listenerCount('tlsClientError')
    context.attach(server)
    expect(server.listenerCount('tlsClientError')).toBe(listeners)

    const next = forgeCertificate({ hosts: ['example.org'] })
    await write(next)
    expect((await context.reload()).changed).toBe(true)
    expect((await visit(port)).server).toBe(next.certificate.fingerprint)
    expect((await visit(port, { servername: 'example.org' })).server).toBe(next.certificate.fingerprint)

    // A key of another type than the second one's would be mixed up with it.
    await write(forgeCertificate({ hosts: ['example.org'], key: 'Ed25519' }))
    await expect(context.reload()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CONTEXT_INVALID' })
    expect((await visit(port)).server).toBe(next.certificate.fingerprint)
  })

  it('calls a client unissued if its chain cannot be judged, and destroys one that cannot be read at all', async () => {
    const root = forgeCertificate({ commonName: 'root', ca: true })
    const mine = forgeCertificate({ issuer: root })
    let isBroken = false
    const context = await createServerContext({
      certificates: [sourceOf(org)],
      clientCertificates: { trustedAuthorities: [root.certificate] },
      clock: () => {
        if (isBroken) throw new Error('no time')
        return Date.now()
      },
    })
    const { server, port } = await ownServer(context)
    const client = { cert: mine.certPem, key: mine.keyPem }
    expect((await visit(port, client)).text).toBe('issued')
    isBroken = true
    expect((await visit(port, client)).text).toBe('unissued')

    server.removeAllListeners('tlsClientError')
    const [judging] = server.listeners('secureConnection')
    const destroy = vi.fn()
    judging?.call(server, { destroy })
    expect(destroy).toHaveBeenCalledOnce()
  })

  it('are refused for keys of different types, which Node 20 and 22 mix up', async () => {
    const context = await createServerContext({ certificates: [sourceOf(org), sourceOf(net)] })
    expect(() => context.options).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_CONTEXT_INVALID' }))
  })
})

it('refuses a folder in place of a file', async () => {
  const folder = await temporaryFolder()
  await mkdir(join(folder, 'cert.pem'))
  const certificates = [{ certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'cert.pem') }]
  await expect(createServerContext({ certificates })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
})

it.each<[string, Record<string, unknown>]>([
  ['"certificates"', { certificates: sourceOf(org) }],
  ['"clock"', { clock: new Date(0) }],
  ['"alpn[1]"', { alpn: ['gemini', 5] }],
  ['"certificates[0].hostnames"', { certificates: [{ ...sourceOf(org), hostnames: 'example.org' }] }],
  ['"certificates[0].hostnames"', { certificates: [{ ...sourceOf(org), hostnames: [] }] }],
])('takes %s of another kind for a mistake of the program', async (name, options) => {
  const made = createServerContext({ certificates: [sourceOf(org)], ...options } as ServerContextOptions)
  await expect(made).rejects.toThrow(TypeError)
  await expect(made).rejects.toThrow(name)
})

// No client asks for an address by name (RFC 6066 section 3), so such an entry would never be served.
it.each(['192.0.2.1', '2001:db8::1', '*.192.0.2.1'])(
  'says which certificate is to answer to %s, which nobody asks for',
  async (hostname) => {
    const certificates = [sourceOf(org), { ...sourceOf(net), hostnames: ['example.net', hostname] }]
    await expect(createServerContext({ certificates })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_ENDPOINT_INVALID',
      message: expect.stringContaining('certificates[1]'),
    })
  },
)

it('leaves out names of a certificate that are no host names, and serves it for the others', async () => {
  const odd = forgeCertificate({ hosts: ['exa mple.net', 'example.net', '*'] })
  const context = await createServerContext({ certificates: [sourceOf(org), sourceOf(odd)] })
  expect(context.certificates[1]?.hostnames).toEqual(['example.net'])
})
