// A TLS server over the connection without sockets: what it gives beyond `createServer`, and what it costs, is in the
// server guide.

import { createServer as createNetServer, type Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { BadTLSDataError, ConnectionError, TLSAlertError, TruncatedError } from '../errors.ts'
import { requireFunction, requireInteger, requireOptions } from '../internal/arguments.ts'
import type { ConnectionHandler } from '../net/connection-limits.ts'
import { type Client, ConnectionTracker } from '../net/connection-tracker.ts'
import { createListener, type Listener } from '../net/listener.ts'
import { tell } from '../net/report.ts'
import { readServerName } from './certificate-set.ts'
import { policyOptions } from './policy.ts'
import { encodeProtocols } from './sans-io/alpn.ts'
import type { VerifyCallback } from './sans-io/connection-sink.ts'
import type { ServerPlan } from './sans-io/plan.ts'
import { ServerTLS } from './sans-io/server-tls.ts'
import { TLSDuplex } from './sans-io/tls-duplex.ts'
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from './sans-io/tls-settings.ts'
import { requireServerOptions, SERVER_OPTIONS, type ServerOptions } from './server.ts'
import { ServerContext } from './server-context.ts'
import type { HandshakeFailure } from './server-handshakes.ts'

/** What {@link createSecureServer} takes besides a context and a handler. */
export interface SecureServerOptions extends ServerOptions {
  /**
   * Looks at the client when it has proven its key, before anything of this server's has followed. It may take its time,
   * and it is asked about clients without a certificate as well. To refuse, throw a {@link VerificationRefused} with the
   * alert that the client gets to see.
   */
  readonly verify?: VerifyCallback
  /** How long `verify` may take, in milliseconds. Default: what the `ServerTLS` has for it, 30,000 with a context. */
  readonly verifyTimeoutMs?: number
}

/**
 * Makes a TLS server like {@link createServer}, with everything that a connection without sockets can do besides: a
 * client is judged before a ticket or a byte of an answer leaves, refusals are alerts of your choice, and the end of a
 * stream is one that the client has said: `stream` fails with a {@link TruncatedError} if an upload was cut off.
 *
 * @param context - A context, or a {@link ServerTLS}, which can choose certificates by anything in a client's hello. Its
 *   `timeouts` hold where the options name none.
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {RangeError} If a limit is out of range.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` if a trusted proxy is no address or range.
 * @example
 * import { AlertCode, createSecureServer, createServerContext, VerificationRefused } from 'tlacacoca/tls'
 *
 * const context = await createServerContext({
 *   certificates: [{ certFile: 'cert.pem', keyFile: 'key.pem' }],
 *   clientCertificates: 'request',
 * })
 * const server = createSecureServer(context, ({ stream, peer }) => stream.end(`20 text/plain\r\n${peer?.fingerprint}\n`), {
 *   verify: (chain) => {
 *     if (chain.length === 0) throw new VerificationRefused(AlertCode.certificate_required)
 *   },
 * })
 * await server.listen(1965)
 */
export function createSecureServer(
  context: ServerContext | ServerTLS,
  handler: ConnectionHandler,
  options: SecureServerOptions = {},
): Listener {
  requireFunction('handler', handler)
  requireOptions('options', options, [...SERVER_OPTIONS, 'verify', 'verifyTimeoutMs'])
  const { handshakeTimeoutMs, onEvent } = requireServerOptions(options)
  const { verify, verifyTimeoutMs } = options
  if (verify !== undefined) requireFunction('verify', verify)
  if (verifyTimeoutMs !== undefined) requireInteger('verifyTimeoutMs', verifyTimeoutMs, 1, 2 ** 31 - 1)
  const given = ServerTLS.is(context) ? ServerTLS.planOf(context) : planOf(context)
  const plan = {
    ...given,
    timeouts: {
      ...given.timeouts,
      ...(options.handshakeTimeoutMs === undefined ? {} : { handshakeMs: handshakeTimeoutMs }),
      ...(verifyTimeoutMs === undefined ? {} : { verifyMs: verifyTimeoutMs }),
    },
  }

  const tracker = new ConnectionTracker(options)
  const begin = (socket: Socket, client: Client): void => {
    const fail = (error: Error): void => {
      if (onEvent !== undefined) tell(onEvent, { kind: 'handshake_failed', ...client, reason: failureOf(error), error })
    }
    const stream = TLSDuplex.over(socket, plan, {
      verify,
      allowHalfOpen: true,
      onOpen: () => {
        stream.off('error', fail)
        const name = readServerName(stream.connection.info?.serverName ?? null)
        const serverName = name.kind === 'host' ? name.host : null
        tracker.serve({ stream, ...client, peer: stream.peer, serverName }, handler)
      },
    })
    stream.on('error', fail)
  }
  // Half-open connections, because some clients end their side with the request. No delay, because a status line and the
  // page behind it are two writes, of which Nagle's algorithm would hold the second back for 40 ms.
  const server = createNetServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    tracker.admit(socket, (client) => begin(socket, client))
  })
  return createListener(server, tracker)
}

function planOf(context: ServerContext): ServerPlan {
  const { choose, judge, requestsCertificate, alpn, clock } = ServerContext.internalsOf(context)
  return {
    side: 'server',
    alpn: encodeProtocols(alpn),
    limits: DEFAULT_LIMITS,
    timeouts: DEFAULT_TIMEOUTS,
    clock,
    requestsCertificate,
    withoutCertificate: createSecureContext({ ...policyOptions(), ca: [] }),
    choose: (hello) => {
      const choice = choose(readServerName(hello.sni))
      return choice === null ? null : { secureContext: choice.context, chain: null }
    },
    admit: (chain) => {
      const [leaf, ...intermediates] = chain
      return leaf === undefined ? {} : judge(leaf, intermediates)
    },
  }
}

function failureOf(error: Error): HandshakeFailure {
  if (error instanceof TruncatedError) return 'closed'
  if (error instanceof TLSAlertError || error instanceof BadTLSDataError) return 'tls'
  if (error instanceof ConnectionError) {
    if (error.code === 'ERR_TLACACOCA_TIMEOUT') return 'timeout'
    if (error.code === 'ERR_TLACACOCA_UNKNOWN_SERVER_NAME') return 'unknown_server_name'
  }
  return 'refused'
}
