// What Node does and the library rests on, each alone, on bare `node:tls` over the port that the engine uses. A test that
// fails here says that a release of Node has changed something, and what of ours stops being true by it: see the head of
// engine.ts.

import { spawnSync } from 'node:child_process'
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { WirePort } from '../../../src/tls/sans-io/wire-port.ts'
import { type TestCertificate, testCertificate } from '../../support/certificates.ts'
import { recordsIn, turn } from '../../support/sans-io.ts'

type Version = 'TLSv1.2' | 'TLSv1.3'
const VERSIONS: readonly Version[] = ['TLSv1.2', 'TLSv1.3']
const NODE = Number(process.versions.node.split('.')[0])

const CHANGE_CIPHER_SPEC = 20
const ALERT = 21
const HANDSHAKE = 22
const CLOSE_NOTIFY = 0

let server: TestCertificate
let client: TestCertificate

beforeAll(async () => {
  server = await testCertificate()
  client = await testCertificate({ host: null, commonName: 'somebody', usage: 'client' })
})

/** One end of node:tls, and in what order things happen to it. */
class Bare {
  readonly tls: TLSSocket
  readonly port: WirePort
  /**
   * `push` and `pushed` around what it is given, `out` when it sends something, `key` and the label of a line of the key
   * log, and the names of events.
   */
  readonly log: string[] = []
  readonly errors: Error[] = []
  readonly plaintext: Buffer[] = []
  /** What it has sent and nobody has taken. */
  sent: Buffer[] = []
  /** Called with what it sends, from inside. */
  onOut: (bytes: Buffer) => void = () => {}
  /** Whether what it sends is confirmed at once; otherwise when `confirm` is called. */
  confirming = true
  confirm: () => void = () => {}

  constructor(side: 'client' | 'server', secureContext: SecureContext, requestCert = false) {
    this.port = new WirePort((parts, confirm) => {
      const bytes = Buffer.concat(parts)
      this.log.push('out')
      this.sent.push(bytes)
      this.onOut(bytes)
      if (this.confirming) confirm()
      else this.confirm = confirm
    })
    this.tls =
      side === 'client'
        ? connect({ socket: this.port, secureContext, rejectUnauthorized: false, servername: 'example.org' })
        : new TLSSocket(this.port, { isServer: true, secureContext, requestCert, rejectUnauthorized: false })
    this.log.push('made')
    for (const event of ['secure', 'secureConnect', 'end', 'close', 'session']) {
      this.tls.on(event, () => this.log.push(event))
    }
    for (const event of ['error', '_tlsError']) {
      this.tls.on(event, (error: Error) => {
        this.log.push(event)
        this.errors.push(error)
      })
    }
    this.tls.on('keylog', (line: Buffer) => this.log.push(`key ${line.toString().split(' ')[0]}`))
    this.tls.on('data', (chunk: Buffer) => {
      this.log.push('data')
      this.plaintext.push(chunk)
    })
    this.port.read(0)
    this.tls.read(0)
    onTestFinished(() => {
      this.port.destroy()
      this.tls.destroy()
    })
  }

  push(bytes: Uint8Array): void {
    this.log.push('push')
    this.port.push(bytes)
    this.log.push('pushed')
  }

  take(): Buffer {
    return Buffer.concat(this.sent.splice(0))
  }

  /** What has happened inside the last `push`. */
  get inLastPush(): readonly string[] {
    return this.log.slice(this.log.lastIndexOf('push') + 1, this.log.lastIndexOf('pushed'))
  }
}

interface Options {
  /** The client has a certificate, and is asked for it. */
  readonly identified?: boolean
  /** The server does not like the group that the client guesses. */
  readonly retry?: boolean
}

function contextsFor(version: Version, { identified = false, retry = false }: Options = {}) {
  const versions = { minVersion: version, maxVersion: version }
  return {
    client: createSecureContext({
      ...versions,
      ...(identified ? { cert: client.certPem, key: client.keyPem } : {}),
      ...(retry ? { ecdhCurve: 'P-256:P-384' } : {}),
    }),
    server: createSecureContext({
      ...versions,
      cert: server.certPem,
      key: server.keyPem,
      ...(retry ? { ecdhCurve: 'P-384' } : {}),
    }),
  }
}

function pair(version: Version, options: Options = {}, contexts = contextsFor(version, options)) {
  const client = new Bare('client', contexts.client)
  const server = new Bare('server', contexts.server, options.identified)
  return { client, server }
}

/** Carries bytes both ways until there are none for some turns. */
async function settle({ client, server }: { client: Bare; server: Bare }): Promise<void> {
  for (let idle = 0; idle < 5; ) {
    const [toServer, toClient] = [client.take(), server.take()]
    if (toServer.length > 0) server.push(toServer)
    if (toClient.length > 0) client.push(toClient)
    idle = toServer.length + toClient.length > 0 ? 0 : idle + 1
    await turn()
  }
}

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await turn()
}

function typesIn(bytes: Buffer): number[] {
  return recordsIn(bytes).map(({ type }) => type)
}

describe('what the engine rests on, in Node itself', () => {
  it('the hello leaves inside tls.connect; or else `start` would return with nothing sent', () => {
    const made = new Bare('client', contextsFor('TLSv1.3').client)
    expect(made.log).toEqual(['out', 'made'])
    expect(typesIn(made.take())).toEqual([HANDSHAKE])
  })

  it.each(VERSIONS)(
    'a server answers a hello before push returns, in the turn in which it was made; or else dataFromWire would answer late: %s',
    (version) => {
      const { client, server } = pair(version)
      server.push(client.take())
      expect(server.inLastPush).toContain('out')
      expect(server.sent.length).toBeGreaterThan(0)
    },
  )

  it.each(VERSIONS)(
    'a client answers a flight, and reads data, before push returns; or else dataFromWire would return no plaintext: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      expect(both.client.log).toContain('secureConnect')
      both.server.tls.write('hello')
      await turns(2)
      both.client.push(both.server.take())
      expect(both.client.inLastPush).toContain('data')
      expect(Buffer.concat(both.client.plaintext).toString()).toBe('hello')
    },
  )

  it('a client asks again before push returns if the server wants another group; or else the gate would not see it', async () => {
    const { client, server } = pair('TLSv1.3', { retry: true })
    server.push(client.take())
    await turns(3)
    client.push(server.take())
    await turns(1)
    expect(typesIn(client.take())).toEqual([CHANGE_CIPHER_SPEC, HANDSHAKE])
    expect(client.log).not.toContain('secureConnect')
  })
})

describe('what the gate of a client rests on', () => {
  /** The client has said hello and has the answer; the moment of its first output after that is of interest. */
  async function answered(version: Version, change: (flight: Buffer) => Buffer = (flight) => flight) {
    const both = pair(version, { identified: true })
    await turns(3)
    both.server.push(both.client.take())
    await turns(3)
    const flight = change(both.server.take())
    let protocol: string | null = null
    let shown: Uint8Array | null = null
    both.client.onOut = () => {
      protocol ??= both.client.tls.getProtocol()
      shown ??= both.client.tls.getPeerCertificate(true).raw ?? null
    }
    both.client.push(flight)
    return { ...both, atOutput: { protocol: protocol as string | null, shown: shown as Uint8Array | null } }
  }

  it('TLS 1.3: secureConnect comes before the client’s flight; or else its certificate would leave before the verdict', async () => {
    const { client } = await answered('TLSv1.3')
    const inside = client.inLastPush
    expect(inside).toContain('secureConnect')
    expect(inside).toContain('out')
    expect(inside.indexOf('secureConnect')).toBeLessThan(inside.indexOf('out'))
  })

  it('TLS 1.2: the flight leaves before secureConnect, as one write that begins with the certificate; the gate holds it there', async () => {
    const { client, atOutput } = await answered('TLSv1.2')
    expect(client.inLastPush).toContain('out')
    expect(client.log).not.toContain('secureConnect')
    expect(atOutput.protocol).toBe('TLSv1.2')
    const [first] = recordsIn(client.take())
    expect([first?.type, first?.bytes[5]]).toEqual([HANDSHAKE, 11])
  })

  it.each(VERSIONS)(
    'the server’s certificate can be read when the flight is about to leave; or else there would be nothing to judge: %s',
    async (version) => {
      const { atOutput } = await answered(version)
      expect(Buffer.from(atOutput.shown ?? [])).toEqual(Buffer.from(server.certificate.der))
    },
  )

  it('TLS 1.2: without a sound signature over the key exchange no flight leaves; or else a replayed certificate would reach the verifier', async () => {
    const { client } = await answered('TLSv1.2', (flight) => {
      const changed = Buffer.from(flight)
      let at = 0
      for (const { bytes } of recordsIn(flight)) {
        at += bytes.length
        // ServerKeyExchange: its signature is what it ends with.
        if (bytes[5] === 12) changed.writeUInt8(changed.readUInt8(at - 1) ^ 1, at - 1)
      }
      return changed
    })
    expect(typesIn(client.take())).toEqual([ALERT])
    expect(client.tls.errored).not.toBeNull()
  })

  it('TLS 1.3: without a sound flight there is no secureConnect; or else a replayed certificate would reach the verifier', async () => {
    const { client } = await answered('TLSv1.3', (flight) => {
      const changed = Buffer.from(flight)
      changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
      return changed
    })
    expect(client.log).not.toContain('secureConnect')
    expect(client.tls.errored).not.toBeNull()
    // In clear, so the gate lets it pass: a client begins to encrypt with its flight.
    expect(typesIn(client.take())).toEqual([ALERT])
  })
})

describe('what the gate of a server rests on', () => {
  /** The server has the client's last flight, and has confirmed what it sent before. */
  async function proven(version: Version) {
    const both = pair(version, { identified: true })
    await turns(3)
    both.server.push(both.client.take())
    await turns(3)
    both.client.push(both.server.take())
    await turns(3)
    const before = both.server.log.length
    both.server.push(both.client.take())
    await turns(3)
    return { ...both, since: both.server.log.slice(before).filter((event) => event === 'secure' || event === 'out') }
  }

  it.each([
    { version: 'TLSv1.2', what: 'its Finished' },
    { version: 'TLSv1.3', what: 'tickets' },
  ] as const)(
    '$version: secure comes before $what; or else they would leave before the verdict',
    async ({ version }) => {
      const { since } = await proven(version)
      expect(since[0]).toBe('secure')
      expect(since).toContain('out')
    },
  )

  it.each(VERSIONS)(
    'secure comes before push returns; or else the proof would be noticed late: %s',
    async (version) => {
      const { server } = await proven(version)
      expect(server.inLastPush).toContain('secure')
    },
  )

  it.each(VERSIONS)(
    'getPeerX509Certificate has the client’s certificate then, and getEphemeralKeyInfo is null; or else peers would be read by the wrong call: %s',
    async (version) => {
      const both = await proven(version)
      expect(both.server.tls.getPeerX509Certificate()?.raw).toEqual(Buffer.from(client.certificate.der))
      expect(both.server.tls.getEphemeralKeyInfo()).toBeNull()
      expect(both.client.tls.getEphemeralKeyInfo()).not.toBeNull()
    },
  )
})

describe('what holding back rests on', () => {
  it.each(VERSIONS)(
    'while a write is not confirmed there is no other; or else what is held would have no bound: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      const { client } = both
      client.confirming = false
      const before = client.log.filter((event) => event === 'out').length
      const outs = () => client.log.filter((event) => event === 'out').length - before
      let flushed = 0
      client.tls.write('one', () => flushed++)
      client.tls.write('two', () => flushed++)
      await turns(5)
      expect([outs(), flushed]).toEqual([1, 0])
      // What is read goes on.
      both.server.tls.write('anything')
      await turns(2)
      client.push(both.server.take())
      expect(client.inLastPush).toContain('data')
      expect(outs()).toBe(1)
      // And so does what is written, when it is confirmed.
      client.confirming = true
      client.confirm()
      await turns(5)
      expect([outs(), flushed]).toEqual([2, 2])
    },
  )

  it.each(VERSIONS)(
    'nothing leaves any more when both are destroyed; or else what was held would: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      both.client.confirming = false
      both.client.tls.write('one')
      both.client.tls.write('two')
      both.client.tls.end()
      const before = both.client.log.filter((event) => event === 'out').length
      both.client.port.destroy()
      both.client.tls.destroy()
      both.client.confirm()
      await turns(5)
      expect(both.client.log.filter((event) => event === 'out')).toHaveLength(before)
    },
  )
})

describe('what errors and alerts rest on', () => {
  const bad = Buffer.concat([Buffer.of(23, 3, 3, 0, 40), Buffer.alloc(40)])

  it.each(['client', 'server'] as const)(
    'in a handshake, errored is set before push returns, and the alert is out; or else dataFromWire could not throw: %s',
    async (side) => {
      const both = pair('TLSv1.3')
      await turns(3)
      both[side].take()
      both[side].push(Buffer.of(HANDSHAKE, 3, 3, 0, 4, 99, 0, 0, 0))
      expect(both[side].tls.errored).not.toBeNull()
      expect(typesIn(both[side].take())).toEqual([ALERT])
    },
  )

  it.each(VERSIONS.flatMap((version) => (['client', 'server'] as const).map((side) => ({ version, side }))))(
    'after it, _tlsError comes before push returns, and the alert is out; or else a $side would not notice that $version is over',
    async ({ version, side }) => {
      const both = pair(version)
      await settle(both)
      both[side].push(bad)
      expect(both[side].inLastPush).toContain('_tlsError')
      expect(both[side].sent.length).toBe(1)
    },
  )

  it.each(VERSIONS)(
    'the number of an alert is in the message; or else TLSAlertError would not know it: %s',
    async (version) => {
      for (const [reader, writer] of [
        ['client', 'server'],
        ['server', 'client'],
      ] as const) {
        const both = pair(version)
        await settle(both)
        both[writer].push(bad)
        await turns(2)
        both[reader].push(both[writer].take())
        expect(both[reader].errors[0]?.message).toMatch(/SSL alert number 20$/m)
      }
    },
  )

  it('Node says nothing of a fatal alert that OpenSSL has no word for; if it does, clear-alerts.ts can be simpler', async () => {
    const { client } = pair('TLSv1.3')
    await turns(3)
    client.push(Buffer.of(ALERT, 3, 3, 0, 2, 2, 221))
    await turns(5)
    expect(client.tls.errored).toBeNull()
    expect(client.log).not.toContain('close')
  })
})

describe('what alerts of our own rest on', () => {
  const LABELS = {
    'TLSv1.2': { client: ['CLIENT_RANDOM'], server: ['CLIENT_RANDOM'] },
    'TLSv1.3': {
      client: ['CLIENT_HANDSHAKE_TRAFFIC_SECRET', 'CLIENT_TRAFFIC_SECRET_0'],
      server: ['SERVER_HANDSHAKE_TRAFFIC_SECRET', 'SERVER_TRAFFIC_SECRET_0'],
    },
  }

  it.each(VERSIONS.flatMap((version) => (['client', 'server'] as const).map((side) => ({ version, side }))))(
    '$version: the secrets of a $side are logged before anything that is sealed with them leaves; or else it could not be followed',
    async ({ version, side }) => {
      const both = pair(version)
      const firstEncrypted: number[] = []
      both[side].onOut = (bytes) => {
        const encrypted = typesIn(bytes).some((type) => type === (version === 'TLSv1.2' ? CHANGE_CIPHER_SPEC : 23))
        if (encrypted) firstEncrypted.push(both[side].log.length)
      }
      await turns(3)
      await settle(both)
      const at = (label: string): number => both[side].log.indexOf(`key ${label}`)
      for (const label of LABELS[version][side]) expect(at(label), label).toBeGreaterThanOrEqual(0)
      const [first = 0] = firstEncrypted
      expect(at(LABELS[version][side][0] ?? '')).toBeLessThan(first)
      // The application secret of a server is needed behind its Finished, which leaves with the rest of its flight.
      const last = LABELS[version][side].at(-1) ?? ''
      expect(at(last)).toBeLessThan(first)
    },
  )

  it.each(VERSIONS)(
    'a write is called back when it has left whole; or else an alert would overtake it: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      const { client, server } = both
      let atCallback = -1
      client.tls.write(Buffer.alloc(100_000, 'x'), () => {
        atCallback = client.sent.reduce((sum, { length }) => sum + length, 0)
      })
      for (let index = 0; index < 20 && atCallback < 0; index++) await turn()
      expect(atCallback).toBeGreaterThan(100_000)
      server.push(client.take())
      expect(Buffer.concat(server.plaintext)).toHaveLength(100_000)
    },
  )
})

describe('what the end of data rests on', () => {
  it.each(VERSIONS)(
    'end is emitted for a close_notify, and the other direction stays open; or else half of a conversation would be lost: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      both.server.tls.end()
      await settle(both)
      expect(both.client.log).toContain('end')
      both.client.tls.write('still here')
      await settle(both)
      expect(Buffer.concat(both.server.plaintext).toString()).toBe('still here')
    },
  )

  it.each(VERSIONS)(
    'end is emitted for nothing else that comes over the wire; or else a truncated answer would look whole: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      both.server.tls.write('half of an answer')
      await turns(2)
      const bytes = both.server.take()
      both.client.push(bytes.subarray(0, bytes.length - 1))
      await turns(5)
      expect(both.client.log).not.toContain('end')
      // A fatal alert.
      both.client.push(bytes.subarray(bytes.length - 1))
      both.server.push(Buffer.concat([Buffer.of(23, 3, 3, 0, 40), Buffer.alloc(40)]))
      await turns(3)
      both.client.push(both.server.take())
      expect(both.client.errors.length).toBeGreaterThan(0)
      expect(both.client.log.filter((event) => event === 'end')).toEqual([])
    },
  )

  it('a close_notify in clear during the handshake does not make a connection; it ends it', async () => {
    const { client } = pair('TLSv1.3')
    await turns(3)
    client.push(Buffer.of(ALERT, 3, 3, 0, 2, 1, CLOSE_NOTIFY))
    await turns(5)
    expect(client.log).toContain('close')
    expect(client.log).not.toContain('secureConnect')
  })
})

describe('what peers and sessions rest on', () => {
  it.each(VERSIONS)(
    'getPeerCertificate(true) of a client can be asked again and again; or else a peer could be read once: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      for (let index = 0; index < 3; index++) {
        expect(both.client.tls.getPeerCertificate(true).raw).toEqual(Buffer.from(server.certificate.der))
      }
    },
  )

  it.each(VERSIONS)(
    'getPeerX509Certificate of a client takes the certificate away up to Node 24; that is why it is not used: %s',
    async (version) => {
      const both = pair(version)
      await settle(both)
      expect(both.client.tls.getPeerX509Certificate()?.raw).toEqual(Buffer.from(server.certificate.der))
      expect(both.client.tls.getPeerX509Certificate() === undefined).toBe(NODE < 26)
    },
  )

  it.each(VERSIONS)(
    'no session is resumed that nobody offers; or else a peer could be shown that has proven nothing: %s',
    async (version) => {
      const contexts = contextsFor(version)
      for (let time = 0; time < 2; time++) {
        const both = pair(version, {}, contexts)
        await settle(both)
        expect(both.client.log).toContain('secureConnect')
        expect([both.client.tls.isSessionReused(), both.server.tls.isSessionReused()]).toEqual([false, false])
      }
    },
  )

  it('an empty write in secure kills the process up to Node 24; that is why the engine drops empty writes', () => {
    const script = `
      const { createSecureContext, connect, TLSSocket } = require('node:tls')
      const { Duplex } = require('node:stream')
      const later = (port, bytes, done) => setImmediate(() => (port.push(bytes), done()))
      const port = () => new Duplex({ read() {}, write(bytes, _, done) { later(this.other, bytes, done) } })
      const [a, b] = [port(), port()]
      a.other = b
      b.other = a
      process.on('uncaughtException', (error) => {
        console.log(error.code)
        process.exit(3)
      })
      const server = new TLSSocket(b, {
        isServer: true,
        secureContext: createSecureContext({ cert: process.env.CERT, key: process.env.KEY }),
      })
      server.on('error', () => {})
      server.on('secure', () => server.write(''))
      const client = connect({ socket: a, rejectUnauthorized: false, minVersion: 'TLSv1.3' })
      client.on('error', () => {})
      client.on('secureConnect', () => setTimeout(() => process.exit(0), 50))`
    const { status, stdout } = spawnSync(process.execPath, ['-e', script], {
      env: { ...process.env, CERT: server.certPem, KEY: server.keyPem },
      encoding: 'utf8',
    })
    expect([status, stdout.trim()]).toEqual(NODE < 26 ? [3, 'ERR_INTERNAL_ASSERTION'] : [0, ''])
  })
})
