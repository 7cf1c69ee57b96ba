// A server for the commands to talk to, which answers each request line as the test says.

import type { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import type { Peer } from '../../src/certificate/index.ts'
import { readRequest } from '../../src/net/index.ts'
import { createServer, createServerContext, type ServerContextOptions } from '../../src/tls/index.ts'
import { type TestCertificate, testCertificate } from './certificates.ts'

export interface SmallServer {
  readonly port: number
  /** `localhost:port`, as the certificate has it. */
  readonly name: string
  readonly certificate: TestCertificate
  /** Every request line so far, and the fingerprint of the client's certificate. */
  readonly requests: { readonly line: string; readonly fingerprint: string | null }[]
}

export interface SmallServerOptions extends Partial<ServerContextOptions> {
  readonly certificate?: TestCertificate
  readonly port?: number
}

/** An answer as a whole, or somebody who writes it. */
export type SmallAnswer = string | Buffer | ((stream: Duplex, peer: Peer | null) => unknown)

/** Listens on a free port of this computer until the test is over. */
export async function smallServer(
  answer: (line: string) => SmallAnswer,
  options: SmallServerOptions = {},
): Promise<SmallServer & { close(): Promise<void> }> {
  const { certificate = await testCertificate({ host: 'localhost' }), port = 0, ...rest } = options
  const requests: { line: string; fingerprint: string | null }[] = []
  const context = await createServerContext({
    certificates: [{ cert: certificate.certPem, key: certificate.keyPem }],
    clientCertificates: 'request',
    ...rest,
  })
  const server = createServer(context, async ({ stream, peer }) => {
    const reading = await readRequest(stream)
    if (reading.kind !== 'request') return stream.destroy()
    requests.push({ line: reading.line, fingerprint: peer?.fingerprint ?? null })
    const given = answer(reading.line)
    if (typeof given === 'function') return given(stream, peer)
    return stream.end(given)
  })
  const address = await server.listen(port, 'localhost')
  const close = () => server.close({ graceMs: 0 })
  onTestFinished(close)
  return { port: address.port, name: `localhost:${address.port}`, certificate, requests, close }
}
