// A handshake of Node's own sockets between two contexts, in memory: what two sides agree on, or that they do not.

import { type ConnectionOptions, connect, type SecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls'
import type { Certificate } from '../../src/certificate/certificate.ts'
import type { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { ContextCache } from '../../src/tls/sans-io/contexts.ts'
import type { TlsSettings } from '../../src/tls/sans-io/tls-settings.ts'
import { memoryPair } from './memory-pair.ts'
import { alertIn } from './tls-clients.ts'

/** What a handshake came to. */
export type Handshake =
  | {
      readonly done: true
      readonly protocol: string | null
      /** The name of IANA. */
      readonly suite: string
      /** The group of the key exchange, as Node calls it. */
      readonly group: string | undefined
      /** DER of the certificates that were shown, leaf first, in base64; null for none. */
      readonly serverChain: readonly string[]
      readonly clientCertificate: string | null
      readonly reused: boolean
      /** The client's session, to be offered another time. */
      readonly session: Buffer | undefined
    }
  | { readonly done: false; readonly alert: number | null }

/** The context of a chain, or of none, by these settings. */
export function contextFor(chain: KeyedChain | null, settings: TlsSettings, authorities: readonly Certificate[] = []) {
  return new ContextCache(settings, { authorities }).get(chain)
}

/** Shakes hands, sends a word each way, and ends. */
export async function shakeHands(
  server: SecureContext | TLSSocketOptions,
  client: SecureContext | ConnectionOptions,
): Promise<Handshake> {
  const [serverEnd, clientEnd] = memoryPair()
  const serverSocket = new TLSSocket(serverEnd, {
    isServer: true,
    requestCert: true,
    rejectUnauthorized: false,
    ...('context' in server ? { secureContext: server } : server),
  })
  const clientSocket = connect({
    socket: clientEnd,
    rejectUnauthorized: false,
    ...('context' in client ? { secureContext: client as SecureContext } : client),
  })
  let alert: number | null = null
  let session: Buffer | undefined
  clientSocket.on('session', (given: Buffer) => {
    session = given
  })
  try {
    return await new Promise<Handshake>((resolve) => {
      for (const socket of [serverSocket, clientSocket]) {
        socket.on('error', (error) => {
          alert ??= alertIn(error.message)
          // The other end may be about to read an alert.
          setImmediate(() => setImmediate(() => setImmediate(() => resolve({ done: false, alert }))))
        })
      }
      serverSocket.on('data', (word: Buffer) => serverSocket.write(word))
      clientSocket.on('secureConnect', () => clientSocket.write('word'))
      clientSocket.on('data', () => {
        resolve({
          done: true,
          protocol: clientSocket.getProtocol(),
          suite: clientSocket.getCipher().standardName,
          group: (clientSocket.getEphemeralKeyInfo() as { name?: string; type?: string }).name,
          serverChain: chainOf(clientSocket),
          clientCertificate: serverSocket.getPeerCertificate().raw?.toString('base64') ?? null,
          reused: clientSocket.isSessionReused(),
          session: session ?? clientSocket.getSession(),
        })
      })
    })
  } finally {
    serverSocket.destroy()
    clientSocket.destroy()
  }
}

function chainOf(socket: TLSSocket): string[] {
  const chain: string[] = []
  for (let link = socket.getPeerCertificate(true); link?.raw !== undefined; link = link.issuerCertificate) {
    chain.push(link.raw.toString('base64'))
    if (link.issuerCertificate === link) break
  }
  return chain
}
