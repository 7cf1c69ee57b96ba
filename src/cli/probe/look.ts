// One look at a server: who it is, and how it speaks TLS. Nobody is trusted by it, so nothing is sent but what it takes to
// see that, and perhaps a request for a page that is everybody's.

import type { Certificate, PeerCandidate, PeerVerifier, TLSVersion } from '../../certificate/index.ts'
import { TruncatedError } from '../../errors.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import { type CertificateAuthorityName, ClientCertificateStore, type ConnectOptions, connect } from '../../tls/index.ts'

/** What was seen. */
export interface Look {
  readonly candidate: PeerCandidate
  readonly certificate: Certificate
  readonly protocol: TLSVersion
  /** What the server sent, its own certificate first. */
  readonly chain: readonly Certificate[]
  /** Null if it did not ask for a certificate; else the authorities that it named, as text. */
  readonly wantedAuthorities: readonly string[] | null
  readonly handshakeMs: number
  /** What it answered, if it was asked. */
  readonly answer: ProbedAnswer | null
}

/** An answer, of which only the beginning matters. */
export interface ProbedAnswer {
  /** The first line; null if there was none. */
  readonly header: string | null
  readonly bytes: number
  /** Whether the end was announced by close_notify; null if the answer was too long to wait for it. */
  readonly closeNotify: boolean | null
}

export type LookOptions = Pick<ConnectOptions, 'serverName'> & {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** What to ask for, without a line end. */
  readonly request?: string
}

/** Connects, and looks. */
export async function look(endpoint: Endpoint, { request, ...options }: LookOptions): Promise<Look> {
  const onlooker = new Onlooker()
  const asked = new NothingToShow()
  const began = performance.now()
  const { stream, protocol, close } = await connect({
    endpoint,
    verify: onlooker,
    clientCertificateStore: asked,
    clientCertificateMode: 'restart',
    ...options,
  })
  const handshakeMs = Math.round(performance.now() - began)
  const { candidate } = onlooker
  try {
    if (candidate === null) throw new TypeError('a connection without a verified peer')
    const { certificate, chain } = candidate
    const answer = request === undefined ? null : await ask(stream, request, options.timeoutMs)
    return { candidate, certificate, protocol, chain, wantedAuthorities: asked.authorities, handshakeMs, answer }
  } finally {
    await close()
  }
}

/** Accepts everybody, in order to look at them. */
class Onlooker implements PeerVerifier {
  readonly name = 'probe'
  candidate: PeerCandidate | null = null

  verify(candidate: PeerCandidate): { readonly accept: true; readonly ground: string } {
    this.candidate = candidate
    return { accept: true, ground: 'nothing is entrusted to it' }
  }
}

/** Is asked if the server asks, and has nothing. */
class NothingToShow extends ClientCertificateStore {
  authorities: readonly string[] | null = null

  override getCertificateChainForRoots(
    roots: readonly CertificateAuthorityName[],
    answer: (chain: null) => void,
  ): void {
    this.authorities = roots.map(String)
    answer(null)
  }

  override getDefaultCertificateChain(answer: (chain: null) => void): void {
    this.authorities = []
    answer(null)
  }
}

const MAX_BYTES = 1024 * 1024

async function ask(
  stream: Awaited<ReturnType<typeof connect>>['stream'],
  request: string,
  timeoutMs: number,
): Promise<ProbedAnswer> {
  const patience = AbortSignal.timeout(timeoutMs)
  const giveUp = (): void => {
    stream.destroy()
  }
  patience.addEventListener('abort', giveUp, { once: true })
  const beginning: Buffer[] = []
  let bytes = 0
  const answer = (closeNotify: boolean | null): ProbedAnswer => ({
    header: firstLine(Buffer.concat(beginning)),
    bytes,
    closeNotify,
  })
  stream.write(`${request}\r\n`)
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (bytes < 4096) beginning.push(chunk)
      bytes += chunk.length
      if (bytes > MAX_BYTES) return answer(null)
    }
    return answer(true)
  } catch (error) {
    if (error instanceof TruncatedError) return answer(false)
    if (patience.aborted) return answer(null)
    throw error
  } finally {
    patience.removeEventListener('abort', giveUp)
  }
}

function firstLine(bytes: Buffer): string | null {
  const end = bytes.indexOf('\n')
  return end < 0 ? null : bytes.toString('utf8', 0, end).replace(/\r$/, '')
}
