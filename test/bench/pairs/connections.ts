import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import {
  connect,
  createClientContext,
  createServer,
  createServerContext,
  endpointFrom,
  generateSelfSignedCertificate,
  pins,
} from 'tlacacoca'
import type { Pair, PairSource } from '../measure.ts'

const ANSWER = '20 text/gemini\r\nhello\n'

const OURS = 'a request to createServer, against node:tls (same client)'
const CONNECT = 'a request by connect, against tls.connect (same server)'

export const connectionSources: readonly PairSource[] = [
  { name: OURS, make: async () => (await connectionPairs()).server },
  { name: CONNECT, make: async () => (await connectionPairs()).client },
]

/** A request over TLS with a client certificate, whole: connection, handshake, question, answer, end. */
async function connectionPairs(): Promise<{ server: Pair; client: Pair }> {
  const site = await generateSelfSignedCertificate({ hostname: 'localhost' })
  const me = await generateSelfSignedCertificate({ usage: 'client', commonName: 'ana' })
  const cert = site.certificatePem
  const key = site.privateKeyPem
  const identity = { cert: me.certificatePem, key: me.privateKeyPem }

  const bare = tls.createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      void socket.getPeerX509Certificate()?.fingerprint256
      socket.end(ANSWER)
    })
  })
  bare.listen(0, '127.0.0.1')
  await once(bare, 'listening')
  const barePort = (bare.address() as AddressInfo).port

  const context = await createServerContext({ certificates: [{ cert, key }], clientCertificates: 'request' })
  const server = createServer(context, async ({ stream, peer }) => {
    await once(stream, 'data')
    void peer?.fingerprint
    stream.end(ANSWER)
  })
  const { port } = await server.listen(0, '127.0.0.1')

  const secureContext = tls.createSecureContext(identity)
  const askBare = async (to: number): Promise<string> => {
    const socket = tls.connect({ port: to, host: '127.0.0.1', rejectUnauthorized: false, secureContext })
    socket.write('gemini://localhost/\r\n')
    return text(socket)
  }
  const verify = pins([site.fingerprint])
  const clientContext = await createClientContext({ identity })
  const askOurs = async (to: number): Promise<string> => {
    const { stream } = await connect({ endpoint: endpointFrom('127.0.0.1', to), verify, context: clientContext })
    stream.write('gemini://localhost/\r\n')
    return text(stream)
  }
  const close = async () => {
    bare.close()
    await server.close()
  }
  return {
    server: { goal: 0.8, floor: () => askBare(barePort), ours: () => askBare(port), close },
    client: { goal: 1.1, floor: () => askBare(port), ours: () => askOurs(port), close },
  }
}
