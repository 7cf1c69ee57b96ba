// From an endpoint to a stream, with a verifier in between that has accepted whoever is at the other end.

import { connect as connectTcp, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import type { TLSVersion, VerifiedPeer } from '../certificate/peer.ts'
import type { PeerVerifier } from '../certificate/peer-verifier.ts'
import { ConnectionError } from '../errors.ts'
import {
  requireFunction,
  requireInteger,
  requireOneOf,
  requireOptions,
  requireString,
  show,
} from '../internal/arguments.ts'
import { Endpoint } from '../names/endpoint.ts'
import { tell } from '../net/report.ts'
import { ClientContext, createClientContext } from './client-context.ts'
import { type HandshakeOptions, type SecureConnection, shakeHands } from './client-handshake.ts'
import { Deadline } from './deadline.ts'
import { type ClientIdentity, requireIdentity } from './identity.ts'
import { ClientCertificateRestart } from './sans-io/client-certificate-restart.ts'
import { type ClientCertificateStore, SingleClientCertificate } from './sans-io/client-certificate-store.ts'
import { credentialsFrom, identityWithheld, requireStoreOptions, serverNameFor } from './sans-io/client-tls.ts'
import type { TLSDuplex } from './sans-io/tls-duplex.ts'
import { readTlsSettings } from './sans-io/tls-settings.ts'

/** What deserves attention beside the outcome: the client's certificate goes where everybody on the way can read it. */
export interface ConnectEvent {
  readonly kind: 'identity_in_clear'
  readonly endpoint: Endpoint
  /** Of the client's certificate. */
  readonly fingerprint: Fingerprint
}

/** What {@link connect} takes. */
export interface ConnectOptions {
  readonly endpoint: Endpoint
  /** Decides whether the server is the one that was meant: `store.verifier()`, `authorities`, `pins`. */
  readonly verify: PeerVerifier
  /** The certificate to show if the server asks for one. None by default. */
  readonly identity?: ClientIdentity
  /** Instead of `identity`: a context with everything in it, made once for many connections. */
  readonly context?: ClientContext
  /**
   * Instead of `identity`: where the certificate comes from that the server may ask for. A `context` without an identity
   * may be given besides, for its versions and protocols.
   */
  readonly clientCertificateStore?: ClientCertificateStore
  /**
   * When the store is asked. `eager`, the default: before the handshake, for its default chain. `restart`: when the
   * server has been accepted and has named the authorities it wants; if the store has a chain for them, `connect` begins
   * again with it, by a second connection, and asks the verifier a second time.
   */
  readonly clientCertificateMode?: 'eager' | 'restart'
  /**
   * Whether the identity may be sent by TLS 1.2, which sends it in clear (TLS 1.3 encrypts it). `refuse`, the default:
   * if a server asks for it by TLS 1.2, nothing is sent and `connect` rejects with IDENTITY_WITHHELD; ask the user and
   * try again with `allow`. Servers that do not ask for a certificate are not affected.
   */
  readonly identityOverTls12?: 'refuse' | 'allow'
  /** The name to ask for by SNI; null for none. Default: the endpoint's host if it is a name, and none for an address. */
  readonly serverName?: string | null
  /** How long name look-up, TCP and TLS may take together, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number
  /** How long the verifier may take, in milliseconds. Default 120,000: few servers wait longer for a client. */
  readonly verifyTimeoutMs?: number
  /** Ends the attempt, and the connection as long as it lasts, with ERR_TLACACOCA_ABORTED. */
  readonly signal?: AbortSignal
  /** Told of what deserves attention beside the outcome. What it throws is ignored. */
  readonly onEvent?: (event: ConnectEvent) => void
}

/** A connection to a server that was verified. */
export interface ClientConnection {
  /**
   * The decrypted stream. It ends only if the server said so by close_notify; otherwise reading it fails with
   * {@link TruncatedError}. `end()` says so for this side, and the answer still comes. Errors that the network or the
   * server cause are {@link TruncatedError} or {@link ConnectionError}.
   */
  readonly stream: Duplex
  readonly peer: VerifiedPeer
  readonly protocol: TLSVersion
  /** The application protocol that was agreed on, or null. */
  readonly alpn: string | null
  /**
   * Sends what is still to be sent and close_notify, throws away what the server still says, and lets go of the
   * connection when the server ends it too, or after a second. Never rejects.
   */
  close(): Promise<void>
  /** Closes it. */
  [Symbol.asyncDispose](): Promise<void>
}

const OPTION_NAMES = [
  'endpoint',
  'verify',
  'identity',
  'context',
  'clientCertificateStore',
  'clientCertificateMode',
  'identityOverTls12',
  'serverName',
  'timeoutMs',
  'verifyTimeoutMs',
  'signal',
  'onEvent',
] as const satisfies readonly (keyof ConnectOptions)[]

const MAX_TIMER_MS = 2 ** 31 - 1
const CLOSE_MS = 1000

/**
 * Connects to a server by TLS and resolves when the verifier has accepted it. Before that, the server learns the name
 * that is asked for and nothing else: no certificate of the client and not one byte of a request leaves, with TLS 1.2
 * and 1.3, however long the verifier takes. If it refuses, or throws, everything is dropped.
 *
 * A host name is tried at all its addresses, IPv6 and IPv4 side by side (RFC 8305), as Node does it.
 *
 * @throws {TypeError | RangeError} If an option is wrong; `verify` is required.
 * @throws {ConnectionError} CONNECT_FAILED without a TCP connection (`cause` says why), HANDSHAKE_FAILED without TLS
 *   (`alert` is what the server said), TIMEOUT, ABORTED, or IDENTITY_WITHHELD: see `identityOverTls12`.
 * @throws {PeerRefusedError} If the verifier refused, unless it gave an error of its own, such as
 *   {@link CertificateChangedError}; that one is thrown.
 * @throws As `createClientContext` does, if an `identity` cannot be used.
 * @example
 * import { pipeline } from 'node:stream/promises'
 * import { parseEndpoint } from 'tlacacoca'
 * import { authorities, connect } from 'tlacacoca/tls'
 *
 * const { stream, peer } = await connect({
 *   endpoint: parseEndpoint('example.org:1965'),
 *   verify: authorities('system'),
 * })
 * console.error(`this is ${peer.fingerprint}, accepted by ${peer.acceptedBy}`)
 * stream.write('gemini://example.org/\r\n')
 * await pipeline(stream, process.stdout) // rejects with TruncatedError if the end was not the server's
 */
export async function connect(options: ConnectOptions): Promise<ClientConnection> {
  requireConnectOptions(options)
  const { endpoint, signal, timeoutMs = 30_000, verifyTimeoutMs = 120_000 } = options
  const serverName = serverNameFor(endpoint, options.serverName)
  const credentials = await credentialsOf(options)
  const deadline = new Deadline({ to: String(endpoint), timeoutMs, verifyTimeoutMs, signal })
  try {
    const { stream, peer, info } = await attempt(options, serverName, credentials, deadline)
    if (signal !== undefined) endWith(signal, stream, endpoint)
    return connectionOf(stream, peer, info.alpn)
  } finally {
    deadline.close()
  }
}

/** What is shown to the server, and when it is chosen. */
type Credentials = HandshakeOptions['credentials']

async function credentialsOf(options: ConnectOptions): Promise<Credentials> {
  const { store, mode } = requireStoreOptions(options)
  if (store !== null) return credentialsFromStore(store, mode, options)
  const { identity } = options
  const context = options.context ?? (await createClientContext(identity === undefined ? {} : { identity }))
  return context.credentials
}

function credentialsFromStore(
  store: ClientCertificateStore,
  mode: 'eager' | 'restart',
  { context }: ConnectOptions,
): Credentials {
  const { minVersion, alpn } = context ?? {}
  const settings = readTlsSettings(
    { ...(minVersion === undefined ? {} : { minVersion }), ...(alpn === undefined ? {} : { alpn }) },
    'client',
  )
  return credentialsFrom(store, mode, settings)
}

async function attempt(
  options: ConnectOptions,
  serverName: string | null,
  credentials: Credentials,
  deadline: Deadline,
): Promise<SecureConnection> {
  const { endpoint, verify } = options
  const transport = await dial(endpoint, deadline.signal)
  try {
    return await shakeHands(transport, {
      endpoint,
      credentials,
      serverName,
      verify,
      deadline,
      onIdentityInClear: (certificate) => identityInClear(options, certificate),
    })
  } catch (error) {
    if (!(error instanceof ClientCertificateRestart)) throw error
    const chosen = credentialsFromStore(new SingleClientCertificate(error.chain), 'eager', options)
    return attempt(options, serverName, chosen, deadline)
  }
}

function requireConnectOptions(options: ConnectOptions): void {
  requireOptions('options', options, OPTION_NAMES)
  const { endpoint, verify, identity, context, identityOverTls12 = 'refuse', signal } = options
  if (!Endpoint.is(endpoint)) {
    throw new TypeError(`"endpoint" expected an Endpoint, made by parseEndpoint, got ${show(endpoint)}`)
  }
  // There is no default: whom to trust is the one thing that only the program can know.
  if (typeof verify !== 'object' || verify === null) {
    throw new TypeError(
      `"verify" expected a PeerVerifier, such as pins([…]) or authorities('system'), got ${show(verify)}`,
    )
  }
  requireFunction('verify.verify', verify.verify)
  requireString('verify.name', verify.name)
  if (identity !== undefined) requireIdentity(identity)
  if (context !== undefined && !ClientContext.is(context)) {
    throw new TypeError(`"context" expected a ClientContext, made by createClientContext, got ${show(context)}`)
  }
  if (identity !== undefined && context !== undefined) {
    throw new TypeError('"identity" and "context" exclude each other: make the context with the identity')
  }
  const { store } = requireStoreOptions(options)
  if (store !== null && (identity !== undefined || (context?.identity ?? null) !== null)) {
    throw new TypeError('"clientCertificateStore" excludes an identity, in "context" as well')
  }
  requireOneOf('identityOverTls12', identityOverTls12, ['refuse', 'allow'])
  for (const name of ['timeoutMs', 'verifyTimeoutMs'] as const) {
    if (options[name] !== undefined) requireInteger(name, options[name], 1, MAX_TIMER_MS)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`"signal" expected an AbortSignal, got ${show(signal)}`)
  }
  if (options.onEvent !== undefined) requireFunction('onEvent', options.onEvent)
}

function dial(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    // Half open, so that our end() does not cut off the answer. Without noDelay a request would wait for the server to
    // acknowledge the last flight of the handshake.
    const socket = connectTcp({ host: endpoint.host, port: endpoint.port, allowHalfOpen: true, noDelay: true })
    const abort = (): void => {
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort)
      resolve(socket)
    })
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', abort)
      const message = `cannot connect to ${endpoint}: ${cause.code ?? cause.message}`
      reject(new ConnectionError('ERR_TLACACOCA_CONNECT_FAILED', message, { cause }))
    })
  })
}

function identityInClear({ endpoint, identityOverTls12, onEvent }: ConnectOptions, identity: Certificate): void {
  if (identityOverTls12 !== 'allow') throw identityWithheld(endpoint)
  if (onEvent !== undefined) {
    tell(onEvent, { kind: 'identity_in_clear', endpoint, fingerprint: identity.fingerprint })
  }
}

function connectionOf(stream: TLSDuplex, peer: VerifiedPeer, alpn: string | null): ClientConnection {
  const close = async (): Promise<void> => {
    if (stream.closed) return
    const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
    const patience = setTimeout(() => stream.destroy(), CLOSE_MS)
    // With something unread, the system would reset the connection, and the server might lose our last words over it.
    stream.resume()
    stream.end()
    await closed
    clearTimeout(patience)
  }
  return { stream, peer, protocol: peer.protocol, alpn, close, [Symbol.asyncDispose]: close }
}

/** The signal of the attempt stays the signal of the connection. */
function endWith(signal: AbortSignal, stream: TLSDuplex, endpoint: Endpoint): void {
  const abort = (): void => {
    const message = `the connection to ${endpoint} was aborted`
    stream.destroy(new ConnectionError('ERR_TLACACOCA_ABORTED', message, { cause: signal.reason }))
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  stream.once('close', () => signal.removeEventListener('abort', abort))
}
