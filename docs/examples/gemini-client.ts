// A Gemini client with trust on first use.
//
//   npx tsx docs/examples/gemini-client.ts gemini://localhost/
//
// remembers the certificate of each host it visits, and refuses one that changed before it has sent the request.
import { pathToFileURL } from 'node:url'
import { type ConnectOptions, connect, type PeerVerifier, parseTarget, TlacacocaError, TofuStore } from 'tlacacoca'

export interface Page {
  /** The first line of the answer: a status of two digits and what belongs to it. */
  readonly header: string
  readonly body: Buffer
  /** On what ground the server was accepted. */
  readonly acceptedBy: string
}

const MAX_BYTES = 64_000_000

export async function fetchPage(url: string, verify: PeerVerifier, more: Partial<ConnectOptions> = {}): Promise<Page> {
  const target = parseTarget(url, { schemes: { gemini: 1965 }, served: 'any' })
  const { stream, peer } = await connect({ endpoint: target.endpoint, verify, ...more })
  stream.write(`${url}\r\n`)
  const chunks: Buffer[] = []
  let size = 0
  // The loop throws a TruncatedError if the connection ends before the server has said that it is finished.
  for await (const chunk of stream) {
    chunks.push(chunk)
    size += chunk.length
    if (size > MAX_BYTES) throw new Error(`${target.endpoint} answered with more than ${MAX_BYTES} bytes`)
  }
  const answer = Buffer.concat(chunks)
  const end = answer.indexOf('\r\n')
  if (end === -1) throw new Error(`${target.endpoint} answered without a status line`)
  return { header: answer.toString('utf8', 0, end), body: answer.subarray(end + 2), acceptedBy: peer.acceptedBy }
}

async function main(url = 'gemini://localhost/'): Promise<void> {
  await using known = await TofuStore.open({ appName: 'tlacacoca-example' })
  const page = await fetchPage(url, known.verifier())
  // Whatever the server has put there, it steers no terminal.
  console.error(`${page.header.replace(/\p{Cc}/gu, '?')} (${page.acceptedBy})`)
  process.stdout.write(page.body)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(process.argv[2]).catch((error: unknown) => {
    console.error(error instanceof TlacacocaError ? `${error.code}: ${error.message}` : error)
    process.exitCode = 1
  })
}
