// One end of requests with a client certificate, in a process of its own: a server of one kind, or the client. All servers
// do the same: wait for the line, take the fingerprint of the client's certificate, answer, close. What is said of each
// kind is what it costs its author to write, so each is written as one would.

import { constants } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import { createSecureServer, createServer, createServerContext } from 'tlacacoca/tls'
import { peakMemory } from '../peak-memory.ts'
import { loadPeer } from '../peers.ts'
import { type Profile, startProfile } from '../profile.ts'
import { obey } from '../worker.ts'

export type Kind =
  | 'node:tls as it comes'
  | 'node:tls tuned'
  | 'createServer'
  | 'createSecureServer'
  | '@derhuerst/gemini'

export interface KeyPair {
  readonly cert: string
  readonly key: string
}

export interface Requests {
  readonly port: number
  readonly count: number
  readonly atOnce: number
}

const ANSWER = '20 text/gemini\r\nhello\n'

let stopProfile: () => Promise<Profile> = () => Promise.reject(new Error('no profile is being taken'))

/** Fingerprints that were taken, so that a server which asks for no certificate does not pass for a quick one. */
let taken = 0

export const commands = {
  /** Its port, or null if what it needs is not installed. */
  async serve(kind: Kind, keys: KeyPair): Promise<number | null> {
    if (kind === 'createServer' || kind === 'createSecureServer') return serveOurs(kind, keys)
    const server = kind === '@derhuerst/gemini' ? derhuerst(keys) : bare(keys, kind === 'node:tls tuned')
    if (server === null) return null
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  async usage() {
    const { user, system } = process.cpuUsage()
    return { cpuNs: (user + system) * 1000, peak: peakMemory(), taken }
  },
  async startProfile() {
    stopProfile = await startProfile()
  },
  stopProfile: () => stopProfile(),
  async request({ port, count, atOnce }: Requests, identity: KeyPair): Promise<void> {
    const secureContext = tls.createSecureContext(identity)
    let left = count
    const one = async (): Promise<void> => {
      while (left-- > 0) {
        const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
        const stream = tls.connect({ socket, rejectUnauthorized: false, servername: 'localhost', secureContext })
        stream.write('gemini://localhost/\r\n')
        const answer = await text(stream)
        if (!answer.endsWith('hello\n')) throw new Error(`the server answers ${JSON.stringify(answer)}`)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, one))
  },
}

export type Commands = typeof commands

function bare(keys: KeyPair, isTuned: boolean): tls.Server {
  const tuning = isTuned ? { ca: [], secureOptions: constants.SSL_OP_NO_TICKET, noDelay: true } : {}
  const options = { ...keys, requestCert: true, rejectUnauthorized: false, ...tuning }
  return tls.createServer(options, (socket) => {
    socket.on('error', () => {})
    answered(socket, () => {
      // The one that does not build an object of everything in the certificate is for whoever looked for it.
      return isTuned ? socket.getPeerX509Certificate()?.fingerprint256 : socket.getPeerCertificate().fingerprint256
    })
  })
}

function answered(stream: Duplex, fingerprint: () => string | undefined): void {
  let line = ''
  stream.on('data', (data: Buffer) => {
    line += data.toString('utf8')
    if (!line.endsWith('\r\n')) return
    if (fingerprint() !== undefined) taken++
    stream.end(ANSWER)
  })
}

async function serveOurs(kind: 'createServer' | 'createSecureServer', keys: KeyPair): Promise<number> {
  const context = await createServerContext({ certificates: [keys], clientCertificates: 'request' })
  const make = kind === 'createServer' ? createServer : createSecureServer
  const server = make(context, ({ stream, peer }) => answered(stream, () => peer?.fingerprint))
  return (await server.listen(0, '127.0.0.1')).port
}

interface Derhuerst {
  readonly createServer: (
    options: object,
    onRequest: (request: { clientFingerprint?: string }, response: { end(body: string): void }) => void,
  ) => tls.Server
}

function derhuerst(keys: KeyPair): tls.Server | null {
  const peer = loadPeer<Derhuerst>('@derhuerst/gemini')
  if (peer === null) return null
  // Nothing but the keys is given, so that all is as it comes.
  return peer.createServer(keys, (request, response) => {
    if (request.clientFingerprint !== undefined) taken++
    response.end('hello\n')
  })
}

obey(commands)
