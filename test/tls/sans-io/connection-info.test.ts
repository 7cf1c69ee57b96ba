// What a connection says about itself is what the other end says, be it ours, Node or OpenSSL.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { pemOf } from '../../../src/certificate/keyed-chain.ts'
import { extensionName } from '../../../src/tls/sans-io/registry.ts'
import { ServerCertificateChain } from '../../../src/tls/sans-io/server-certificates.ts'
import type { ServerTLS } from '../../../src/tls/sans-io/server-tls.ts'
import { issue } from '../../support/issued-certificates.ts'
import {
  againstNodeClient,
  againstNodeServer,
  chainOf,
  fingerprints,
  isOpen,
  OurEnd,
  openPair,
  turn,
} from '../../support/sans-io.ts'
import {
  clientChain,
  clientTls,
  HOST,
  nodeClient,
  nodeIdentity,
  nodeServer,
  only,
  serverChain,
  servers,
  serverTls,
  VERSIONS,
  withIdentity,
} from '../../support/sans-io-world.ts'
import { hasOpenssl } from '../../support/tls-clients.ts'

// OpenSSL's SSL_OP_NO_EXTENDED_MASTER_SECRET, for which Node has no name.
const NO_EXTENDED_MASTER_SECRET = 1

it('derives no secret that somebody in the middle might share', async () => {
  const wire = againstNodeClient({
    server: serverTls(only('TLSv1.2')),
    node: nodeClient({ secureOptions: NO_EXTENDED_MASTER_SECRET }),
  })
  await wire.until(() => isOpen(wire.server))
  const { connection } = wire.server
  expect(connection.info?.extensions.serverHello).not.toContain('extended_master_secret')
  expect(() => connection.exportKeyingMaterial(32, 'EXPORTER-one')).toThrow(
    expect.objectContaining({ code: 'ERR_TLACACOCA_EXPORTER_UNAVAILABLE' }),
  )
})

describe.each(VERSIONS)('the facts of a connection by %s', (version) => {
  it('are the same at both ends', async () => {
    const wire = await openPair({
      client: clientTls({ ...only(version), ...withIdentity(), alpn: ['one', 'two'], groups: ['P-256'] }),
      server: serverTls({ alpn: ['two', 'three'], clientCertificates: 'require' }),
    })
    const [client, server] = [wire.client.connection.info, wire.server.connection.info]
    expect(client).toMatchObject({ version, group: 'P-256', alpn: 'two', serverName: HOST, localChain: clientChain })
    expect(server).toMatchObject({ version, group: 'P-256', alpn: 'two', serverName: HOST, localChain: serverChain })
    expect(client?.cipherSuite).toBe(server?.cipherSuite)
    expect(client?.sessionId).toEqual(server?.sessionId)
    expect(client?.extensions.serverHello).toEqual(server?.extensions.serverHello)
    expect(fingerprints(client?.peerChain ?? [])).toEqual(fingerprints(serverChain.sent))
    expect(fingerprints(server?.peerChain ?? [])).toEqual(fingerprints(clientChain.sent))
    expect(client?.clientHello).toBeNull()
    expect(client?.extensions.clientHello).toBeNull()
    expect(server?.extensions.clientHello).toEqual(server?.clientHello?.extensions.map(extensionName))
    expect(server?.extensions.clientHello).toContain('server_name')
    expect(server?.clientHello?.alpn).toEqual(['one', 'two'])
  })

  it('and all else that can be looked at hold no secret', async () => {
    const client = clientTls({ ...only(version), ...withIdentity() })
    const server = serverTls({ clientCertificates: 'request' })
    const wire = await openPair({ client, server })
    const ends = [wire.client.connection, wire.server.connection]
    const secrets = [clientChain, serverChain].map((chain) => pemOf(chain).key.split('\n')[1] as string)
    for (const shown of [
      client,
      server,
      clientChain,
      serverChain,
      ...ends.flatMap((end) => [end, end.info, end.peer]),
    ]) {
      const text = inspect(shown, { showHidden: true, depth: 30, maxArrayLength: null, maxStringLength: null })
      for (const secret of [...secrets, 'PRIVATE', 'TRAFFIC_SECRET', 'CLIENT_RANDOM']) {
        expect(text).not.toContain(secret)
        expect(JSON.stringify(shown)).not.toContain(secret)
      }
    }
  })

  it('outlive the connection', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    const { info } = wire.client.connection
    wire.client.connection.destroy()
    expect(wire.client.connection.info).toBe(info)
    expect(info?.extensions.serverHello.length).toBeGreaterThan(0)
  })

  const suites =
    version === 'TLSv1.3'
      ? (['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'] as const)
      : ([
          'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
          'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
          'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
        ] as const)
  it.each(suites)('name the suite as Node’s server does: %s', async (suite) => {
    const wire = againstNodeServer({
      client: clientTls({ ...only(version), cipherSuites: [suite] }),
      node: nodeServer(),
    })
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(wire.client.connection.info?.cipherSuite).toBe(suite)
    expect(wire.server.socket?.getCipher().standardName).toBe(suite)
  })

  it.each(['X25519', 'P-256', 'P-384', 'P-521', 'X448'] as const)('name the group: %s', async (group) => {
    const wire = againstNodeClient({
      // With TLS 1.2 the curve of the certificate has to be among them.
      server: serverTls({ ...only(version), groups: group === 'P-256' ? [group] : [group, 'P-256'] }),
      node: nodeClient({ ecdhCurve: group === 'P-256' ? group : `${group}:P-256` }),
    })
    await wire.until(() => isOpen(wire.server))
    await wire.settle()
    expect(wire.server.connection.info?.group).toBe(group)
    const { name } = (wire.client.socket?.getEphemeralKeyInfo() ?? {}) as { name?: string }
    expect({ prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }[name ?? ''] ?? name).toBe(group)
  })

  it('have no group for the finite fields of TLS 1.2', async () => {
    if (version === 'TLSv1.3') return
    const rsa = issue({ by: servers.root, ca: false, names: [[2, HOST]], key: 'RSA-2048' })
    const wire = againstNodeClient({
      server: serverTls({
        ...only(version),
        dhParams: 'auto',
        certificates: new ServerCertificateChain(chainOf(rsa, servers.root)),
      }),
      node: nodeClient({ ciphers: 'DHE-RSA-AES128-GCM-SHA256' }),
    })
    await wire.until(() => isOpen(wire.server))
    expect(wire.server.connection.info).toMatchObject({
      group: null,
      cipherSuite: 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256',
    })
  })

  it.each([
    { ours: ['a'], theirs: ['b', 'a'], alpn: 'a' },
    { ours: ['a', 'b'], theirs: ['b', 'a'], alpn: 'a' },
    { ours: [], theirs: ['a'], alpn: null },
    { ours: ['a'], theirs: [], alpn: null },
  ])('agree on ALPN: $ours and $theirs make $alpn', async ({ ours, theirs, alpn }) => {
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), alpn: ours }),
      node: nodeClient(theirs.length === 0 ? {} : { ALPNProtocols: theirs }),
    })
    await wire.until(() => isOpen(wire.server))
    await wire.settle()
    expect(wire.server.connection.info?.alpn).toBe(alpn)
    expect(wire.client.socket?.alpnProtocol).toBe(alpn ?? false)
  })

  // The hello has to be one record: see hello-filter.ts.
  it('agree on ALPN with as many protocols as there may be', async () => {
    const alpn = Array.from({ length: 32 }, (_, n) => String(n).padStart(255, 'x'))
    const wire = await openPair({
      client: clientTls({ ...only(version), alpn }),
      server: serverTls({ alpn: alpn.slice(-1) }),
    })
    expect(wire.client.connection.info?.alpn).toBe(alpn.at(-1))
  })

  it('say nothing where no protocol is common to both, because there is no connection', async () => {
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), alpn: ['a'] }),
      node: nodeClient({ ALPNProtocols: ['b'] }),
    })
    await wire.settle()
    expect(wire.client.alerts).toEqual([120])
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
    expect(wire.server.connection.info).toBeNull()
  })

  it('hold the session id as it was in the hellos', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    const { sessionId, clientHello } = wire.server.connection.info ?? {}
    // RFC 8446 section 4.1.3: a server of TLS 1.3 repeats what the client had there.
    if (version === 'TLSv1.3') expect(sessionId).toEqual(clientHello?.sessionId)
    const serverHello = Buffer.concat(wire.server.writes)
    expect(serverHello.includes(Buffer.from(sessionId ?? []))).toBe(true)
  })

  it('derive the same secrets at both ends, and others from other labels and contexts', async () => {
    const wire = againstNodeServer({ client: clientTls(only(version)), node: nodeServer() })
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    const { connection } = wire.client
    const { socket } = wire.server
    const context = Buffer.from('context')
    const empty = Buffer.alloc(0)
    const ours = [
      connection.exportKeyingMaterial(32, 'EXPORTER-one'),
      connection.exportKeyingMaterial(32, 'EXPORTER-two'),
      connection.exportKeyingMaterial(32, 'EXPORTER-one', context),
      connection.exportKeyingMaterial(32, 'EXPORTER-one', empty),
    ].map((secret) => Buffer.from(secret).toString('hex'))
    const theirs = [
      socket?.exportKeyingMaterial(32, 'EXPORTER-one', undefined as never),
      socket?.exportKeyingMaterial(32, 'EXPORTER-two', undefined as never),
      socket?.exportKeyingMaterial(32, 'EXPORTER-one', context),
      socket?.exportKeyingMaterial(32, 'EXPORTER-one', empty),
    ].map((secret) => secret?.toString('hex'))
    expect(ours).toEqual(theirs)
    expect(new Set(ours).size).toBe(version === 'TLSv1.3' ? 3 : 4)
    expect(connection.exportKeyingMaterial(1, 'EXPORTER-one')).toHaveLength(1)
    expect(connection.exportKeyingMaterial(8160, 'x'.repeat(249))).toHaveLength(8160)
    for (const wrong of [0, -1, 8161, 1.5]) {
      expect(() => connection.exportKeyingMaterial(wrong, 'EXPORTER-one')).toThrow(RangeError)
    }
    for (const wrong of ['', 'x'.repeat(250)]) {
      expect(() => connection.exportKeyingMaterial(32, wrong)).toThrow(RangeError)
    }
  })

  it('are never those of an earlier session: a client of Node that offers one gets a new one', async () => {
    const server = serverTls({ ...only(version), clientCertificates: 'request' })
    let session: Buffer | undefined
    const first = againstNodeClient({ server, node: nodeClient(nodeIdentity) })
    first.client.socket?.on('session', (ticket) => {
      session = ticket
    })
    first.server.write('hello')
    await first.until(() => first.client.text !== '')
    await first.settle()
    session ??= first.client.socket?.getSession()
    expect(session).toBeDefined()
    const second = againstNodeClient({
      server,
      node: nodeClient(session === undefined ? {} : { session }),
    })
    second.server.write('hello')
    await second.until(() => second.client.text !== '')
    expect(second.client.socket?.isSessionReused()).toBe(false)
    expect(second.client.text).toBe('hello')
    // Nobody is taken for who he was.
    expect(second.server.connection.peer).toBeNull()
  })

  it('are those of a full handshake each time, also with a server that would resume', async () => {
    const client = clientTls(only(version))
    for (let round = 0; round < 2; round++) {
      const wire = againstNodeServer({ client, node: nodeServer({ ticketKeys: Buffer.alloc(48) }) })
      await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
      await wire.settle()
      expect(wire.server.socket?.isSessionReused()).toBe(false)
      const hello = Buffer.concat(wire.client.writes)
      expect(hello.length).toBeGreaterThan(0)
    }
  })
})

/** A server of ours on a port, and what `openssl s_client` says about it. */
async function opensslClient(
  server: ServerTLS,
  args: readonly string[],
  talk: (say: (text: string) => void, said: (what: RegExp) => Promise<void>, end: () => OurEnd) => Promise<void>,
): Promise<{ output: string; ends: OurEnd[] }> {
  const ends: OurEnd[] = []
  const listener = createServer((socket) => {
    const end = new OurEnd(server, { onWrite: (bytes) => void socket.write(Buffer.from(bytes)) })
    ends.push(end)
    socket.on('data', (bytes: Buffer) => {
      end.receive(bytes)
      if (end.isSilent) socket.destroySoon()
    })
    socket.on('end', () => end.wireEnded())
    socket.on('error', () => undefined)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onTestFinished(() => void listener.close())
  const { port } = listener.address() as AddressInfo
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', HOST, ...args])
  onTestFinished(() => void child.kill())
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      output += piece
    })
  }
  child.stdin.on('error', () => undefined)
  const closed = once(child, 'close')
  await talk(
    (text) => void child.stdin.write(text),
    async (what) => {
      while (!what.test(output)) {
        if (child.exitCode !== null) throw new Error(`it has left and never said ${what}: ${output}`)
        await turn()
      }
    },
    () => ends[0] as OurEnd,
  )
  child.stdin.end()
  await closed
  return { output, ends }
}

describe.runIf(hasOpenssl).each(VERSIONS)('openssl s_client and %s', (version) => {
  const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'

  it('agree on what was agreed on', async () => {
    let secret = ''
    const { output, ends } = await opensslClient(
      serverTls({ alpn: ['gemini'], groups: ['P-384', 'P-256'] }),
      [flag, '-alpn', 'gemini', '-groups', 'P-384:P-256', '-keymatexport', 'EXPORTER-test', '-keymatexportlen', '16'],
      async (_say, said, end) => {
        await said(/Keying material: \w+/)
        await end().connection.established
        secret = Buffer.from(end().connection.exportKeyingMaterial(16, 'EXPORTER-test')).toString('hex')
      },
    )
    const info = ends[0]?.connection.info
    expect(output).toContain(`Keying material: ${secret.toUpperCase()}`)
    expect(output).toMatch(/ALPN protocol: gemini/)
    expect(info?.alpn).toBe('gemini')
    expect(output).toMatch(/Server Temp Key: (ECDH, secp384r1|P-384)|Peer Temp Key: ECDH, (secp384r1|P-384)/)
    expect(info?.group).toBe('P-384')
    const cipher = /Cipher is (\S+)/.exec(output)?.[1] ?? ''
    const asOpenssl = info?.cipherSuite
      .replace(/^TLS_(ECDHE)_(ECDSA)_WITH_AES_(\d+)_/, '$1-$2-AES$3-')
      .replace(/_/g, '-')
    expect(version === 'TLSv1.3' ? info?.cipherSuite : asOpenssl).toBe(cipher)
  })

  it('agree that there is no renegotiation', async () => {
    // A client of TLS 1.3 cannot even ask; with TLS 1.2 it asks and is told no.
    const refusal = version === 'TLSv1.3' ? /wrong ssl version/i : /no renegotiation/i
    const { output, ends } = await opensslClient(serverTls(), [flag], async (say, said, end) => {
      await said(/Verify return code/)
      say('before\n')
      // It is a command only at the beginning of what is read at once.
      while (!end().text.includes('before')) await turn()
      say('R\n')
      await said(refusal)
    })
    const [end] = ends
    expect(output).toContain('RENEGOTIATING')
    expect(end?.text).toMatch(/^before/)
    expect(fingerprints(end?.connection.info?.peerChain ?? [])).toEqual([])
  })
})
