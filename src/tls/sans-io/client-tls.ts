// The client side of TLS without sockets: options in, connections out.

import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import type { PeerVerifier } from '../../certificate/peer-verifier.ts'
import { TrustStore } from '../../certificate/trust-store.ts'
import { ConnectionError } from '../../errors.ts'
import { requireFunction, requireOneOf, requireOptions, requireString, show } from '../../internal/arguments.ts'
import { type Endpoint, endpointFrom } from '../../names/endpoint.ts'
import { canonicalHost } from '../../names/host.ts'
import { authorities } from '../verifiers/authorities.ts'
import { encodeProtocols } from './alpn.ts'
import type { CertificateRequestInfo } from './certificate-request.ts'
import {
  type ClientCertificateStore,
  chainForAuthorities,
  requireClientCertificateStore,
  SingleClientCertificate,
} from './client-certificate-store.ts'
import type { Connection } from './connection.ts'
import type { VerifyCallback } from './connection-sink.ts'
import { ContextCache } from './contexts.ts'
import { andThen } from './maybe-promise.ts'
import type { ClientPlan, Identity } from './plan.ts'
import { COMMON_TLS_OPTIONS, type CommonTLSOptions, readTlsSettings, type TlsSettings } from './tls-settings.ts'
import { requireCallbacks, startWith, type WireCallbacks } from './wire-callbacks.ts'

/** What a {@link ClientTLS} takes. */
export interface ClientTLSOptions extends CommonTLSOptions {
  /** The host that is meant: a name, which is also asked for by SNI, or an IP address. */
  readonly serverHostname: string
  /** Together with the host it is what pins are kept for. */
  readonly port: number
  /**
   * Whose certificates are accepted: those that these authorities have issued for the host (RFC 5280, RFC 9525). Default:
   * the authorities that this Node trusts.
   */
  readonly trustRoot?: TrustStore
  /** Instead of `trustRoot`, any other way to decide: `store.verifier()`, `pins`, `anyOf`. */
  readonly verifier?: PeerVerifier
  /** Where the certificate comes from that a server may ask for. Without one, there is none. */
  readonly clientCertificateStore?: ClientCertificateStore
  /**
   * When the store is asked. `eager`, the default: before the handshake, for its default chain, whatever the server is
   * going to ask for. `restart`: when the server has been accepted and has named its authorities; if the store then has
   * a chain, the connection ends with a {@link ClientCertificateRestart}, to be started again with that chain.
   */
  readonly clientCertificateMode?: 'eager' | 'restart'
  /**
   * Whether a certificate may be sent by TLS 1.2, which sends it in clear. `refuse`, the default: then nothing of it is
   * sent, and the connection ends with IDENTITY_WITHHELD.
   */
  readonly identityOverTls12?: 'refuse' | 'allow'
  /** The name to ask for by SNI, if it is another one; null for none. */
  readonly serverName?: string | null
}

const OPTION_NAMES = [
  ...COMMON_TLS_OPTIONS,
  'serverHostname',
  'port',
  'trustRoot',
  'verifier',
  'clientCertificateStore',
  'clientCertificateMode',
  'identityOverTls12',
  'serverName',
] as const satisfies readonly (keyof ClientTLSOptions)[]

/**
 * TLS as a client speaks it, for one server. It holds no connection; each {@link ClientTLS.start} makes one.
 *
 * @throws {TypeError | RangeError} If an option is wrong.
 * @throws {InvalidNameError} If `serverHostname` is no host.
 * @throws {ContextError} If the options leave nothing to speak.
 * @example
 * import { connect } from 'node:net'
 * import { ClientTLS } from 'tlacacoca/tls'
 *
 * const tls = new ClientTLS({ serverHostname: 'example.org', port: 1965 })
 * const socket = connect(1965, 'example.org')
 * const connection = tls.start({
 *   writeToWire: (bytes) => socket.write(bytes),
 *   wireClose: (immediate) => (immediate ? socket.destroySoon() : socket.end()),
 *   verify: (chain) => console.log(`this is ${chain[0]?.subject}`),
 *   data: (plaintext) => process.stdout.write(plaintext),
 * })
 * connection.dataFromApplication(Buffer.from('gemini://example.org/\r\n'))
 * socket.on('data', (bytes) => {
 *   try {
 *     connection.dataFromWire(bytes)
 *   } catch (error) {
 *     console.error(error)
 *   }
 * })
 * socket.on('end', () => connection.wireFinished())
 * socket.on('error', (error) => connection.wireFinished(error))
 * const reason = await connection.closed
 */
export class ClientTLS {
  readonly #plan: ClientPlan
  readonly #options: ClientTLSOptions

  constructor(options: ClientTLSOptions) {
    requireOptions('options', options, OPTION_NAMES)
    this.#options = { ...options }
    this.#plan = readPlan(options)
  }

  /**
   * Begins a connection. The hello is sent at once, unless the certificate store takes its time.
   *
   * @throws {TypeError} If a callback is none.
   */
  start(callbacks: WireCallbacks): Connection
  /** The same with the callbacks one by one. */
  start(
    writeToWire: WireCallbacks['writeToWire'],
    wireClose: (immediate: boolean) => void,
    verify?: VerifyCallback,
  ): Connection
  start(
    first: WireCallbacks | WireCallbacks['writeToWire'],
    wireClose?: (immediate: boolean) => void,
    verify?: VerifyCallback,
  ): Connection {
    const callbacks: WireCallbacks =
      typeof first !== 'function'
        ? first
        : {
            writeToWire: first,
            ...(wireClose === undefined ? {} : { wireClose }),
            ...(verify === undefined ? {} : { verify }),
          }
    requireCallbacks(callbacks)
    return startWith(this.#plan, callbacks)
  }

  /** The same with this certificate: what to go on with after a {@link ClientCertificateRestart}. */
  withCertificate(chain: KeyedChain): ClientTLS {
    const clientCertificateStore = new SingleClientCertificate(chain)
    return new ClientTLS({ ...this.#options, clientCertificateStore, clientCertificateMode: 'eager' })
  }

  /** @internal */
  static planOf(tls: ClientTLS): ClientPlan {
    return tls.#plan
  }

  /** @internal */
  static is(value: unknown): value is ClientTLS {
    return typeof value === 'object' && value !== null && #plan in value
  }
}

function readPlan(options: ClientTLSOptions): ClientPlan {
  const { serverHostname, port, identityOverTls12 = 'refuse' } = options
  requireString('serverHostname', serverHostname)
  const endpoint = endpointFrom(serverHostname, port)
  const settings = readTlsSettings(options, 'client')
  requireOneOf('identityOverTls12', identityOverTls12, ['refuse', 'allow'])
  const { store, mode } = requireStoreOptions(options)

  return {
    ...credentialsFrom(store, mode, settings),
    side: 'client',
    endpoint,
    serverName: serverNameFor(endpoint, options.serverName),
    verifier: readVerifier(options),
    limits: settings.limits,
    timeouts: settings.timeouts,
    clock: settings.clock,
    identityInClear: () => {
      if (identityOverTls12 === 'allow') return
      throw identityWithheld(endpoint)
    },
  }
}

/** @internal Checks the two options that belong together. */
export function requireStoreOptions({
  clientCertificateStore: store = null,
  clientCertificateMode: mode,
}: {
  readonly clientCertificateStore?: ClientCertificateStore | null
  readonly clientCertificateMode?: 'eager' | 'restart'
}): { readonly store: ClientCertificateStore | null; readonly mode: 'eager' | 'restart' } {
  if (store !== null) requireClientCertificateStore('clientCertificateStore', store)
  if (mode === undefined) return { store, mode: 'eager' }
  requireOneOf('clientCertificateMode', mode, ['eager', 'restart'])
  if (store === null)
    throw new TypeError('"clientCertificateMode" says when to ask a "clientCertificateStore"; give one')
  return { store, mode }
}

/** @internal */
export function identityWithheld(endpoint: Endpoint): ConnectionError {
  return new ConnectionError(
    'ERR_TLACACOCA_IDENTITY_WITHHELD',
    `${endpoint} asks for a certificate by TLS 1.2, which would send it in clear; see the option identityOverTls12`,
  )
}

/** @internal What to show, from a store or from none. */
export function credentialsFrom(
  store: ClientCertificateStore | null,
  mode: 'eager' | 'restart',
  settings: TlsSettings,
): Pick<ClientPlan, 'alpn' | 'begin' | 'answerRequest'> {
  const contexts = new ContextCache(settings)
  const identityOf = (chain: KeyedChain | null): Identity => ({ secureContext: contexts.get(chain), chain })
  const alpn = encodeProtocols(settings.alpn)
  if (store === null) return { alpn, begin: () => identityOf(null), answerRequest: null }
  if (mode === 'eager') {
    return { alpn, begin: () => andThen(chainForAuthorities(store, []), identityOf), answerRequest: null }
  }
  const answerRequest = ({ authorities }: CertificateRequestInfo) => chainForAuthorities(store, authorities)
  return { alpn, begin: () => identityOf(null), answerRequest }
}

function readVerifier({ trustRoot, verifier, clock }: ClientTLSOptions): PeerVerifier {
  if (verifier === undefined) {
    if (trustRoot !== undefined && !TrustStore.is(trustRoot)) {
      throw new TypeError(`"trustRoot" expected a TrustStore, got ${show(trustRoot)}`)
    }
    return authorities(trustRoot ?? 'system', clock === undefined ? {} : { clock })
  }
  if (trustRoot !== undefined) throw new TypeError('"trustRoot" and "verifier" exclude each other')
  if (typeof verifier !== 'object' || verifier === null) {
    throw new TypeError(`"verifier" expected a PeerVerifier, got ${show(verifier)}`)
  }
  requireFunction('verifier.verify', verifier.verify)
  requireString('verifier.name', verifier.name)
  return verifier
}

/** @internal What to ask for by SNI. RFC 6066 section 3: names only. An address is an error to some servers. */
export function serverNameFor(endpoint: Endpoint, given: string | null | undefined): string | null {
  if (given === undefined) return endpoint.isAddress ? null : endpoint.host
  if (given === null) return null
  requireString('serverName', given)
  const { host, isAddress } = canonicalHost(given)
  if (isAddress) throw new TypeError(`"serverName" expected a host name, got the address ${show(given)}`)
  return host
}
