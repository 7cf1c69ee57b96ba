// HAProxy, the program whose authors made the PROXY protocol, in front of our servers. Clients come to it by IPv6 and it
// comes to us by IPv4, so that the two cannot be taken for one another.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import {
  type ConnectionHandler,
  type ConnectionLimits,
  createPlaintextServer,
  createSecureServer,
  createServer,
  createServerContext,
  type Listener,
  readRequest,
} from 'tlacacoca'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { hasProgram } from '../support/field-program.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { listening } from '../support/tls-server.ts'

const hasHaproxy = hasProgram('haproxy', ['-v'])

// What stands behind `server s address:port` in its configuration.
const MODES = {
  none: '',
  'version 1': 'send-proxy',
  'version 2': 'send-proxy-v2',
  'version 2 with a checksum': 'send-proxy-v2 proxy-v2-options crc32c',
  'version 2 with all that fits': 'send-proxy-v2 proxy-v2-options authority,crc32c,unique-id',
  // Never down: on a busy machine a check can take longer than the time between two.
  'version 2 and health checks': 'send-proxy-v2 proxy-v2-options crc32c check inter 10ms fall 1000',
}
type Mode = keyof typeof MODES

const site = forgeCertificate({ hosts: ['example.org'] })
const client = forgeCertificate({ commonName: 'ana' })

const answer: ConnectionHandler = async ({ stream, address, proxy, peer }) => {
  const reading = await readRequest(stream)
  const who = peer === null ? 'nobody' : peer.fingerprint
  stream.end(`${address} by ${proxy}, ${who}: ${reading.kind === 'request' ? reading.line : reading.kind}`)
}

interface Fronted {
  readonly listener: Listener
  readonly port: number
  readonly refused: string[]
  readonly localConnections: () => number
  /** The ports at which HAProxy takes connections for it. */
  readonly front: Map<Mode, number>
}

const KINDS = ['createPlaintextServer', 'createServer', 'createSecureServer'] as const
const fronted = new Map<(typeof KINDS)[number], Fronted>()
let folder = ''
let haproxy: ChildProcess | undefined
let said = ''

async function startServer(kind: (typeof KINDS)[number]): Promise<Fronted> {
  const refused: string[] = []
  let local = 0
  const options: ConnectionLimits = {
    proxyProtocol: { trusted: ['127.0.0.1'] },
    onRefused: ({ address, reason }) => refused.push(`${address} ${reason}`),
    guards: [
      {
        opened: (address) => {
          if (String(address) === '127.0.0.1') local++
          return { accept: true }
        },
      },
    ],
  }
  const context = await createServerContext({
    certificates: [{ cert: site.certPem, key: site.keyPem }],
    clientCertificates: 'request',
  })
  const listener =
    kind === 'createPlaintextServer'
      ? createPlaintextServer(answer, options)
      : (kind === 'createServer' ? createServer : createSecureServer)(context, answer, options)
  const { port } = await listener.listen(0, '127.0.0.1')
  return { listener, port, refused, localConnections: () => local, front: new Map() }
}

/** Ports that are free at this moment. Somebody may take one before HAProxy does; then it says so and ends. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createTcpServer())
  const ports = await Promise.all(servers.map((server) => listening(server, '::1')))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

async function startHaproxy(): Promise<void> {
  const modes = Object.keys(MODES) as Mode[]
  const ports = await freePorts(KINDS.length * modes.length)
  const sections = [...fronted].flatMap(([kind, { port, front }]) =>
    modes.map((mode) => {
      const at = ports.pop() ?? 0
      front.set(mode, at)
      return [
        `listen ${kind}-${at}`,
        `  bind [::1]:${at}`,
        '  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid',
        // Names are handed on only if they have been read.
        ...(kind === 'createPlaintextServer'
          ? []
          : ['  tcp-request inspect-delay 5s', '  tcp-request content accept if { req.ssl_hello_type 1 }']),
        `  server s 127.0.0.1:${port} ${MODES[mode]}`,
      ].join('\n')
    }),
  )
  const defaults = 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s'
  await writeFile(join(folder, 'haproxy.cfg'), `${['global\n  maxconn 200', defaults, ...sections].join('\n\n')}\n`)
  const child = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')])
  haproxy = child
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      said += piece
    })
  }
  const [last] = [...fronted.values()].map(({ front }) => front.get('none') ?? 0)
  await vi.waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`HAProxy ended: ${said}`)
      const socket = connectTcp(last ?? 0, '::1')
      await once(socket, 'connect')
      socket.destroy()
    },
    { timeout: 15_000 },
  )
}

/** Asks through a port of ::1, or directly at 127.0.0.1. */
async function ask(kind: string, port: number, host = '::1'): Promise<string> {
  const socket =
    kind === 'createPlaintextServer'
      ? connectTcp(port, host)
      : connectTls({
          port,
          host,
          servername: 'example.org',
          rejectUnauthorized: false,
          cert: client.certPem,
          key: client.keyPem,
        })
  let text = ''
  socket.on('error', () => {}).setEncoding('utf8')
  socket.on('data', (piece: string) => {
    text += piece
  })
  socket.write('gemini://example.org/\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  return text
}

describe.runIf(hasHaproxy)('HAProxy', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tlacacoca-haproxy-'))
    for (const kind of KINDS) fronted.set(kind, await startServer(kind))
    await startHaproxy()
  }, 60_000)

  afterAll(async () => {
    if (haproxy !== undefined && haproxy.exitCode === null) {
      haproxy.kill('SIGKILL')
      await once(haproxy, 'close')
    }
    await Promise.all([...fronted.values()].map(({ listener }) => listener.close({ graceMs: 0 })))
    await rm(folder, { recursive: true, force: true })
  })

  describe.each(KINDS)('before %s', (kind) => {
    const at = (): Fronted => {
      const found = fronted.get(kind)
      if (found === undefined) throw new Error(`${kind} does not run`)
      return found
    }
    const who = kind === 'createPlaintextServer' ? 'nobody' : client.certificate.fingerprint

    it.each(['version 1', 'version 2', 'version 2 with a checksum', 'version 2 with all that fits'] as const)(
      'tells whose the connection is, by headers of %s',
      async (mode) => {
        const { front } = at()
        for (let turn = 0; turn < 5; turn++) {
          const text = await ask(kind, front.get(mode) ?? 0)
          expect(text).toBe(`::1 by 127.0.0.1, ${who}: gemini://example.org/`)
        }
      },
    )

    it('has its health checks answered, and serves meanwhile', async () => {
      const { front, localConnections } = at()
      // HAProxy resets most of them before they can be looked at; those have gone by themselves.
      await vi.waitFor(() => expect(localConnections()).toBeGreaterThan(0), 20_000)
      const text = await ask(kind, front.get('version 2 and health checks') ?? 0)
      expect(text).toBe(`::1 by 127.0.0.1, ${who}: gemini://example.org/`)
    })

    it('gets no further without headers, and neither does a client that comes directly', async () => {
      const { front, port, refused } = at()
      const before = refused.filter((line) => line === '127.0.0.1 proxy_protocol').length
      expect(await ask(kind, front.get('none') ?? 0)).toBe('')
      expect(await ask(kind, port, '127.0.0.1')).toBe('')
      const after = refused.filter((line) => line === '127.0.0.1 proxy_protocol').length
      expect(after).toBeGreaterThanOrEqual(before + 2)
    })
  })
})
