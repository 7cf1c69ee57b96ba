// Sends mail by Misfin. Servers are trusted on first use, and nothing is sent to one whose certificate has changed.
//
//   npx tsx docs/examples/misfin-client.ts ana.pem bob@example.org < message
//
// where the first file holds the certificate and the key of the sender's mailbox.
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import {
  type Certificate,
  type ClientIdentity,
  connect,
  type Endpoint,
  endpointFrom,
  type PeerVerifier,
  TofuStore,
} from 'tlacacoca'

export const MISFIN_PORT = 1958

export interface SendOptions {
  readonly identity: ClientIdentity
  readonly verify: PeerVerifier
  readonly port?: number
}

/** Sends a message in the form of Misfin(C), and gives the server's answer. */
export async function sendMail(to: string, message: string, options: SendOptions): Promise<string> {
  const { identity, verify, port = MISFIN_PORT } = options
  const endpoint = endpointFrom(to.slice(to.indexOf('@') + 1), port)
  await using connection = await connect({ endpoint, verify, identity })
  connection.stream.write(`misfin://${to}\t${Buffer.byteLength(message)}\r\n${message}`)
  // Rejects if the connection ends before the server has said that it is finished, as Misfin demands of both sides.
  return (await text(connection.stream)).trimEnd()
}

/** The certificate of a mail server, which is the authority of its mailboxes, if the verifier accepts it. */
export async function certificateOf(endpoint: Endpoint, verify: PeerVerifier): Promise<Certificate> {
  await using connection = await connect({ endpoint, verify, timeoutMs: 5000 })
  return connection.peer.certificate
}

async function main(identityFile = 'identity.pem', to = ''): Promise<void> {
  const pem = await readFile(identityFile, 'utf8')
  await using known = await TofuStore.open({ appName: 'tlacacoca-misfin' })
  const identity = { cert: pem, key: pem }
  console.log(await sendMail(to, await text(process.stdin), { identity, verify: known.verifier() }))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(...process.argv.slice(2))
