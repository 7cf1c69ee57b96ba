// Between Node's HTTP servers and a handler of web-standard requests.
//
// Node's parser has already refused what is ambiguous on the wire: two lengths, a length beside chunks, control characters
// in a header. What is left is a path that means something else than it says, and clients that are slow to go.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Peer } from '../../certificate/peer.ts'
import { requireFunction, requireInteger, requireOptions } from '../../internal/arguments.ts'
import { IdleClock } from '../../net/idle-clock.ts'
import { UNIX_SOCKET } from './client-address.ts'
import { FAILED } from './failure.ts'
import type { AuthorityHandler } from './handler.ts'
import { bodyStream } from './node-stream.ts'
import { refused } from './problem.ts'

/** How an authority is mounted on a server of Node's. */
export interface NodeListenerOptions {
  /**
   * The client of a TLS connection that showed a certificate: `peerOf` of `tlacacoca/tls`. Needed for renewals; default:
   * nobody shows one.
   */
  readonly peerOf?: (socket: TLSSocket) => Peer | null
  /** After how many milliseconds without a byte a client that does not read its answer is cut off. Default 60,000. */
  readonly idleTimeoutMs?: number
}

/** What `http.createServer` and `https.createServer` take. */
export type NodeListener = (message: IncomingMessage, response: ServerResponse) => void

/**
 * Mounts a handler on a server of `node:http` or `node:https`, on a port or on a Unix socket.
 *
 * Whoever connects to a Unix socket has the address `unix`. A client that is refused in the middle of its upload gets to
 * read the answer: up to 1 MiB more is read and dropped, for a second at most, and the connection is closed. Limits for
 * connections and their headers are those of the server: `maxConnections`, `headersTimeout`, `requestTimeout`.
 *
 * @throws {TypeError} If `handler` or `peerOf` is no function.
 * @throws {RangeError} If `idleTimeoutMs` is out of range.
 * @example
 * import { createServer } from 'node:https'
 * import { createServerContext, peerOf } from 'tlacacoca/tls'
 * import { type AuthorityHandler, nodeListener } from 'tlacacoca/authority'
 *
 * export async function serve(handler: AuthorityHandler): Promise<void> {
 *   const context = await createServerContext({
 *     certificates: [{ certFile: 'cert.pem', keyFile: 'key.pem' }],
 *     clientCertificates: 'request',
 *   })
 *   const server = createServer(context.options, nodeListener(handler, { peerOf }))
 *   context.attach(server)
 *   server.listen(8443)
 * }
 */
export function nodeListener(handler: AuthorityHandler, options: NodeListenerOptions = {}): NodeListener {
  requireFunction('handler', handler)
  requireOptions('options', options, ['peerOf', 'idleTimeoutMs'])
  const { peerOf = () => null, idleTimeoutMs = 60_000 } = options
  requireFunction('peerOf', peerOf)
  requireInteger('idleTimeoutMs', idleTimeoutMs, 1, 2 ** 31 - 1)

  return (message, response) => {
    // A client that has gone has no address any more, which must not look like that of a Unix socket.
    if (message.socket.destroyed) return
    // The connection may break at any time. There is nobody left to be told.
    response.on('error', () => {})
    answer(message, handler, peerOf)
      .catch(() => refused(FAILED).response)
      .then((made) => {
        endIfIdle(response, idleTimeoutMs)
        return send(made, message, response)
      })
      .catch(() => response.destroy())
  }
}

const BAD_URL = { status: 400, code: 'bad_request', detail: 'Send a path, written as it is meant.' }
const BAD_METHOD = { status: 405, code: 'method_not_allowed', detail: 'There is no such method here.' }

// `Request` throws at these (Fetch standard, "forbidden method").
const FORBIDDEN_METHODS = ['CONNECT', 'TRACE', 'TRACK']

async function answer(
  message: IncomingMessage,
  handler: AuthorityHandler,
  peerOf: (socket: TLSSocket) => Peer | null,
): Promise<Response> {
  const { method = 'GET', socket } = message
  // Before anything is awaited: an address is there only as long as the connection is.
  const address = socketAddress(socket)
  if (FORBIDDEN_METHODS.includes(method.toUpperCase())) return refused(BAD_METHOD).response
  const url = readUrl(message.url ?? '')
  if (url === null) return refused(BAD_URL).response
  const headers = new Headers()
  for (const [name, values = []] of Object.entries(message.headersDistinct)) {
    for (const value of values) headers.append(name, value)
  }
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const body = hasBody ? { body: bodyStream(message), duplex: 'half' as const } : {}
  const request = new Request(url, { method, headers, ...body })
  return await handler(request, { address, peer: socket instanceof TLSSocket ? peerOf(socket) : null })
}

/**
 * The host is not ours to judge, since a certificate is the same under each name. The path must be what a URL makes of
 * it: who guards paths in front of us, such as a proxy, must have seen the same one, without `/../`.
 */
function readUrl(target: string): URL | null {
  if (!target.startsWith('/') || !URL.canParse(`http://localhost${target}`)) return null
  const url = new URL(`http://localhost${target}`)
  return url.pathname + url.search === target ? url : null
}

/** A Unix socket has no address at either end. One of TCP has its own even if the other end has just gone. */
function socketAddress(socket: Socket): string | undefined {
  return socket.remoteAddress ?? (socket.localAddress === undefined ? UNIX_SOCKET : undefined)
}

/** From when it is this answer's turn: one to a request that was sent ahead waits for those before it. */
function endIfIdle(response: ServerResponse, idleMs: number): void {
  const clock = new IdleClock(idleMs, () => response.destroy())
  const watch = (socket: Socket): void => {
    const wire = belowTls(socket)
    response.once('close', () => clock.forget(wire))
    clock.watch(wire)
  }
  if (response.socket === null) response.once('socket', watch)
  else if (!response.destroyed) watch(response.socket)
}

/** What TLS writes moves in the socket below it, of which Node tells by no public name. */
function belowTls(socket: Socket): Socket {
  const below: unknown = Reflect.get(socket, '_parent')
  return below instanceof Socket ? below : socket
}

async function send(made: Response, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = Buffer.from(await made.arrayBuffer())
  // A turn later, all that has come is parsed; a handler that answers at once is called before its body is.
  await new Promise((resolve) => setImmediate(resolve))
  // To a client whose upload is cut short, the answer is complete by its length, and the connection not used again.
  const isPartial = !message.complete
  if (isPartial) response.setHeader('connection', 'close')
  // A length of 0 is none where there can be no body (RFC 9110 section 8.6), or where HEAD has been told another.
  if (body.length > 0 || ![204, 304].includes(made.status)) response.setHeader('content-length', body.length)
  for (const [name, value] of made.headers) response.setHeader(name, value)
  response.writeHead(made.status)
  if (body.length > 0) response.write(body)
  else response.flushHeaders()
  // What nobody wanted of a body must not stand in the way of the next request, either.
  if (isPartial) await dropRest(message)
  else message.resume()
  response.end()
}

/** Without this the answer would be lost in the reset of a connection that is closed with input in it. */
function dropRest(message: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let dropped = 0
    const done = (): void => {
      clearTimeout(timer)
      message.off('data', onData).off('end', done).off('close', done)
      resolve()
    }
    const onData = (chunk: Uint8Array): void => {
      dropped += chunk.length
      if (dropped > DROPPED_BYTES) done()
    }
    const timer = setTimeout(done, DROPPED_MS)
    message.on('data', onData).once('end', done).once('close', done).resume()
    if (message.readableEnded || message.destroyed) done()
  })
}

// As for refusals elsewhere (`DrainLimits`): what a client has sent before it can hear of an answer.
const DROPPED_BYTES = 2 ** 20
const DROPPED_MS = 1000
