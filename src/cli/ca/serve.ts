// `ca serve`: the authority over HTTP, until somebody stops it.

import { createServer as createHttpServer, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Command } from 'commander'
import type { AuthorityEvent } from '../../authority/events.ts'
import { type AuthorityHandler, type AuthorityHttpEvent, createAuthorityHandler } from '../../authority/http/handler.ts'
import { nodeListener } from '../../authority/http/node-listener.ts'
import { ListenError } from '../../errors.ts'
import { escapeText } from '../../logging/safe-text.ts'
import { createServerContext, peerOf } from '../../tls/index.ts'
import type { Cli, Outcome } from '../command.ts'
import { UsageError } from '../exit-code.ts'
import { type CliIo, styled } from '../io.ts'
import { counted, fromUser, readCount } from '../options.ts'
import { openAuthority } from './open.ts'

interface ServeOptions {
  readonly config?: string
  readonly port: string
  readonly host: string
  readonly socket?: string
  readonly profile?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly trustedProxy?: readonly string[]
  readonly forwarded?: boolean
  readonly quiet?: boolean
  readonly dangerouslySignEveryRequest?: boolean
}

/** `ca serve`. Ends by Ctrl-C or SIGTERM, once the requests are answered that were there. */
export async function serve({ io }: Cli, options: ServeOptions, command: Command): Promise<Outcome> {
  const { dangerouslySignEveryRequest = false, profile, trustedProxy: trustedProxies = [] } = options
  const log = options.quiet === true ? () => {} : (line: string) => io.stderr.write(`${line}\n`)
  const place = placeOf(options)
  const tls = tlsOf(options)
  // Before anybody types a passphrase.
  if (options.config === undefined && !dangerouslySignEveryRequest) throw nobodyDecides()
  await using authority = await openAuthority(io, command, { onEvent: (event) => logAuthority(log, event) })
  if (!authority.hasHooks && !dangerouslySignEveryRequest) throw nobodyDecides()
  const counts = { answered: 0, issued: 0 }
  const handler = await fromUser(() =>
    createAuthorityHandler(authority, {
      ...(profile === undefined ? {} : { profile }),
      trustedProxies,
      forwardedHeader: options.forwarded === true ? 'forwarded' : 'x-forwarded-for',
      dangerouslySignEveryRequest,
      onEvent: (event) => {
        counts.answered++
        if (event.serialNumber !== null) counts.issued++
        log(lineOf(io, event))
      },
    }),
  )
  const server = await serverFor(handler, tls)
  await listen(server, place)
  // Always said, so that whoever started it knows when it can be used, and where.
  io.stderr.write(
    `${styled(io, 'bold', String(authority.certificate.subject))} listens on ${nameOf(server, tls !== null)}\n`,
  )
  await untilStopped(io)
  log('stopping')
  await stop(server)
  const text = `${counted(counts.answered, 'request')} answered, ${counted(counts.issued, 'certificate')} issued.`
  return { json: counts, text }
}

function nobodyDecides(): UsageError {
  return new UsageError('who gets a certificate? Say it by hooks in --config; without them everybody would')
}

type Place = { readonly path: string } | { readonly host: string; readonly port: number }

function placeOf({ socket, port, host }: ServeOptions): Place {
  if (socket !== undefined) return { path: socket }
  return { host, port: readCount('--port', port, { from: 0, to: 65_535 }) }
}

type TlsFiles = { readonly certFile: string; readonly keyFile: string }

function tlsOf({ tlsCert, tlsKey }: ServeOptions): TlsFiles | null {
  if (tlsCert === undefined && tlsKey === undefined) return null
  if (tlsCert === undefined || tlsKey === undefined) throw new UsageError('--tls-cert and --tls-key go together')
  return { certFile: tlsCert, keyFile: tlsKey }
}

/** Renewals need TLS, because whoever renews shows the current certificate in the handshake. */
async function serverFor(handler: AuthorityHandler, tls: TlsFiles | null): Promise<Server> {
  if (tls === null) return createHttpServer(nodeListener(handler))
  const context = await createServerContext({ certificates: [tls], clientCertificates: 'request' })
  const server = createHttpsServer(context.options, nodeListener(handler, { peerOf }))
  context.attach(server)
  return server
}

function listen(server: Server, place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const where = 'path' in place ? place.path : `${place.host}, port ${place.port}`
      reject(new ListenError(`cannot listen on ${where}: ${cause.code ?? cause.message}`, { cause }))
    }
    server.once('error', fail)
    server.listen(place, () => {
      server.off('error', fail)
      resolve()
    })
  })
}

function nameOf(server: Server, isTls: boolean): string {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') return address ?? 'nothing'
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${isTls ? 'https' : 'http'}://${host}:${address.port}`
}

/** Until Ctrl-C, or the signal by which services are stopped. */
function untilStopped({ signal, onSignal }: CliIo): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      forget()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const forget = onSignal('SIGTERM', end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

/** Lets go of who only waits, answers what has come, and after a while ends the rest. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), GRACE_MS)
    server.close(() => {
      clearTimeout(deadline)
      resolve()
    })
    server.closeIdleConnections()
  })
}

// As long as a request may take to arrive; a service manager waits longer than that.
const GRACE_MS = 10_000

/** Without the address: whoever wants it in a log has a proxy that writes one. */
function lineOf(io: CliIo, { status, method, route, serialNumber, code, error }: AuthorityHttpEvent): string {
  const colored = styled(io, status < 400 ? 'green' : 'red', String(status))
  // What is hidden from the client is for the operator to see.
  const hidden = error instanceof Error ? `: ${escapeText(error.message)}` : ''
  return `${colored} ${method} ${route} ${serialNumber ?? code ?? ''}${hidden}`.trimEnd()
}

function logAuthority(log: (line: string) => unknown, event: AuthorityEvent): void {
  if (event.kind === 'postsign_failed')
    log(`postsign failed for ${event.serialNumber}, and will be told again: ${escapeText(String(event.error))}`)
  if (event.kind === 'notices_failed') log(`the store failed: ${escapeText(String(event.error))}`)
  if (event.kind === 'abandoned') log(`${counted(event.count, 'signature')} given up that a crash had left half done`)
}
