// One end of TLS connections, in a process of its own: it is told what to serve and what to do as a client. What is named
// after `node:tls` is without our library, but for the policy, so that all do the same cryptography. `tls-processes.ts`
// starts it.
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { endpointFrom } from 'tlacacoca'
import { KeyedChain } from 'tlacacoca/certificate'
import {
  ClientTLS,
  connect,
  createClientContext,
  createSecureServer,
  createServer,
  createServerContext,
  pins,
  SingleClientCertificate,
  tlsDuplex,
} from 'tlacacoca/tls'
import { policyOptions } from '../../../src/tls/policy.ts'
import { obey } from '../worker.ts'

/** With a certificate of the client or without, in one version of TLS. */
export interface Scenario {
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  readonly clientCertificate: boolean
}

/**
 * `node:tls and a look` asks Node for the peer's fingerprint, as whoever pins certificates has to. `node:tls over a
 * Duplex` is what Node has for transports other than its own sockets.
 */
type Bare = 'node:tls' | 'node:tls and a look'
export type ServerKind = Bare | 'createServer' | 'createSecureServer'
export type ClientKind = Bare | 'node:tls over a Duplex' | 'tlsDuplex' | 'connect'

/** What a server does: say one byte, say nothing, or do what the client asks for. */
export type Role = 'greet' | 'idle' | 'bulk'

export interface Credentials {
  readonly server: { readonly cert: string; readonly key: string; readonly fingerprint: string }
  readonly client: { readonly cert: string; readonly key: string }
}

export interface Visits {
  readonly kind: ClientKind
  readonly scenario: Scenario
  readonly port: number
  readonly count: number
  readonly atOnce: number
}

export interface Transfer {
  readonly kind: ClientKind
  readonly scenario: Scenario
  readonly port: number
  readonly direction: 'up' | 'down'
  readonly bytes: number
  /** How many are written at a time. */
  readonly chunk: number
}

export interface Memory {
  readonly rss: number
  readonly heapUsed: number
}

let credentials: Credentials

/** What the other process can ask for. */
export const commands = {
  async begin(given: Credentials): Promise<void> {
    credentials = given
  },
  listen,
  async visit({ kind, scenario, port, count, atOnce }: Visits): Promise<void> {
    const open = await opener(kind, scenario, port)
    let left = count
    const one = async (): Promise<void> => {
      while (left-- > 0) await visit(await open())
    }
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, one))
  },
  transfer,
  /** Opens connections that stay. */
  async hold({ kind, scenario, port, count }: Omit<Visits, 'atOnce'>): Promise<void> {
    const open = await opener(kind, scenario, port)
    for (let i = 0; i < count; i++) {
      const stream = await open()
      held.push(stream)
      stream.on('error', () => {})
      if (stream instanceof tls.TLSSocket) await once(stream, 'secureConnect')
      else if ('established' in stream) await stream.established
    }
  },
  async memory(): Promise<Memory> {
    for (let i = 0; i < 4; i++) {
      globalThis.gc?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    const { rss, heapUsed } = process.memoryUsage()
    return { rss, heapUsed }
  },
  /** How many connections are open on the serving side. */
  async connections(): Promise<number> {
    return serving
  },
}

export type Commands = typeof commands

const held: Duplex[] = []
let serving = 0
const BYTE = Buffer.from('!')

// Serving

async function listen(kind: ServerKind, scenario: Scenario, role: Role): Promise<number> {
  const { cert, key } = credentials.server
  const asks = scenario.clientCertificate
  if (kind === 'node:tls' || kind === 'node:tls and a look') {
    const options = {
      ...policyOptions(scenario.version),
      maxVersion: scenario.version,
      cert,
      key,
      ca: [],
      requestCert: asks,
      rejectUnauthorized: false,
      noDelay: true,
    }
    const server = tls.createServer(options, (socket) => {
      if (kind === 'node:tls and a look') void socket.getPeerCertificate().fingerprint256
      serve(socket, role)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  // The version is the client's to choose.
  const context = await createServerContext({
    certificates: [{ cert, key }],
    clientCertificates: asks ? 'request' : 'none',
  })
  const make = kind === 'createServer' ? createServer : createSecureServer
  const server = make(context, ({ stream }) => serve(stream, role), { maxConnections: 5000 })
  return (await server.listen(0, '127.0.0.1')).port
}

function serve(stream: Duplex, role: Role): void {
  serving++
  stream.on('error', () => {})
  stream.once('close', () => serving--)
  if (role === 'bulk') {
    serveBulk(stream)
    return
  }
  stream.once('end', () => stream.end())
  stream.resume()
  if (role === 'greet') stream.write(BYTE)
}

const HEADER = 9

/** Takes orders of nine bytes: up or down, how many bytes, how many at a time. Up is answered by a byte at the end. */
function serveBulk(stream: Duplex): void {
  let awaited = 0
  stream.on('data', (data: Buffer) => {
    if (awaited > 0) {
      awaited -= data.length
      if (awaited === 0) stream.write(BYTE)
      return
    }
    const [bytes, chunk] = [data.readUInt32BE(1), data.readUInt32BE(5)]
    if (data[0] === 0) awaited = bytes - (data.length - HEADER)
    else pour(stream, bytes, chunk)
  })
  stream.once('end', () => stream.end())
}

function pour(stream: Duplex, bytes: number, chunk: number): void {
  const block = Buffer.alloc(chunk, 7)
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      left -= chunk
      if (!stream.write(block)) break
    }
    if (left > 0) stream.once('drain', more)
  }
  more()
}

// Visiting

/** How one kind of client opens a connection; what can be made once is made here. */
async function opener(kind: ClientKind, scenario: Scenario, port: number): Promise<() => Promise<Duplex>> {
  const key = `${kind} ${scenario.version} ${scenario.clientCertificate} ${port}`
  const known = openers.get(key)
  if (known !== undefined) return known
  const made = await makeOpener(kind, scenario, port)
  openers.set(key, made)
  return made
}

const openers = new Map<string, () => Promise<Duplex>>()

async function makeOpener(kind: ClientKind, scenario: Scenario, port: number): Promise<() => Promise<Duplex>> {
  const { version, clientCertificate } = scenario
  const identity = clientCertificate ? credentials.client : null
  if (kind !== 'tlsDuplex' && kind !== 'connect') {
    const options = {
      host: '127.0.0.1',
      port,
      secureContext: tls.createSecureContext({ ...policyOptions(version), maxVersion: version, ca: [], ...identity }),
      rejectUnauthorized: false,
      servername: 'localhost',
      noDelay: true,
    }
    if (kind === 'node:tls over a Duplex') {
      return async () => tls.connect({ ...options, socket: overDuplex(connectTcp(options)) })
    }
    return async () => {
      const socket = tls.connect(options)
      if (kind === 'node:tls and a look') {
        socket.once('secureConnect', () => void socket.getPeerCertificate().fingerprint256)
      }
      return socket
    }
  }
  const verify = pins([credentials.server.fingerprint])
  if (kind === 'connect') {
    const context = await createClientContext({ minVersion: version, ...(identity === null ? {} : { identity }) })
    const endpoint = endpointFrom('127.0.0.1', port)
    const options = { endpoint, verify, context, serverName: 'localhost', identityOverTls12: 'allow' as const }
    return async () => (await connect(options)).stream
  }
  const chain = identity === null ? null : await KeyedChain.fromPem({ ...identity, purpose: 'client' })
  const client = new ClientTLS({
    serverHostname: 'localhost',
    port,
    verifier: verify,
    minVersion: version,
    maxVersion: version,
    identityOverTls12: 'allow',
    ...(chain === null ? {} : { clientCertificateStore: new SingleClientCertificate(chain) }),
  })
  return async () => tlsDuplex(connectTcp({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true }), client)
}

/** A socket in disguise, which Node reads and writes by JavaScript. */
function overDuplex(socket: Socket): Duplex {
  const duplex = new Duplex({
    read() {},
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk) => duplex.push(chunk)).on('end', () => duplex.push(null))
  return duplex
}

/** A connection from its beginning to a polite end: handshake, one byte, close_notify from both sides. */
function visit(stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', () => stream.end())
    stream.once('error', reject)
    stream.once('close', () => resolve())
  })
}

const carriers = new Map<string, Promise<Duplex>>()

/** Moves bytes over a connection that stays. */
async function transfer({ kind, scenario, port, direction, bytes, chunk }: Transfer): Promise<void> {
  const key = `${kind} ${port}`
  const opening = carriers.get(key) ?? opener(kind, scenario, port).then((open) => open())
  carriers.set(key, opening)
  const stream = await opening
  const header = Buffer.alloc(HEADER)
  header[0] = direction === 'up' ? 0 : 1
  header.writeUInt32BE(bytes, 1)
  header.writeUInt32BE(chunk, 5)
  await new Promise<void>((resolve, reject) => {
    let awaited = direction === 'up' ? 1 : bytes
    const take = (data: Buffer): void => {
      awaited -= data.length
      if (awaited > 0) return
      stream.off('data', take).off('error', reject)
      resolve()
    }
    stream.on('data', take).once('error', reject)
    stream.write(header)
    if (direction === 'up') pour(stream, bytes, chunk)
  })
}

obey(commands)
