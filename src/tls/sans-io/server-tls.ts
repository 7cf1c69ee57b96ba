// The server side of TLS without sockets: options in, connections out.

import type { Certificate } from '../../certificate/certificate.ts'
import { validatePath } from '../../certificate/path-validation.ts'
import type { TLSVersion } from '../../certificate/peer.ts'
import { authoritiesOf, TrustStore } from '../../certificate/trust-store.ts'
import { VerificationRefused } from '../../errors.ts'
import { requireBoolean, requireOneOf, requireOptions, show } from '../../internal/arguments.ts'
import type { Clock } from '../../internal/clock.ts'
import { AlertCode } from '../alert.ts'
import { readServerName } from '../certificate-set.ts'
import type { IssuanceFacts } from '../peer-of.ts'
import { encodeProtocols } from './alpn.ts'
import type { Connection } from './connection.ts'
import type { VerifyCallback } from './connection-sink.ts'
import { ContextCache } from './contexts.ts'
import type { DhParams } from './dh-parameters.ts'
import { alertForProblem } from './failures.ts'
import { andThen } from './maybe-promise.ts'
import type { ServerPlan } from './plan.ts'
import { chainForServerName, requireServerCertificates, type ServerCertificates } from './server-certificates.ts'
import { COMMON_TLS_OPTIONS, type CommonTLSOptions, readTlsSettings } from './tls-settings.ts'
import { requireCallbacks, startWith, type WireCallbacks } from './wire-callbacks.ts'

/**
 * What a server asks of its clients. `none`: nothing. `request`: a certificate, and every one whose key is proven is
 * welcome. `require`: the same, and clients without one get the alert `certificate_required`. With a `trustRoot`, their
 * names are sent to the client, and what was not issued by one of these authorities is refused by an alert; `required`,
 * true by default, says whether a client without a certificate is refused as well.
 */
export type ClientAuthentication =
  | 'none'
  | 'request'
  | 'require'
  | { readonly trustRoot: TrustStore; readonly required?: boolean }

/** What a {@link ServerTLS} takes. */
export interface ServerTLSOptions extends CommonTLSOptions {
  readonly certificates: ServerCertificates
  /** `none` by default. */
  readonly clientCertificates?: ClientAuthentication
  /**
   * Parameters for the DHE suites of TLS 1.2: those that fit the certificate (`auto`), or a group of at least 2048 bits,
   * as PEM or DER. `none`, the default: no such suites, as nobody needs them any more.
   */
  readonly dhParams?: DhParams
}

const OPTION_NAMES = [
  ...COMMON_TLS_OPTIONS,
  'certificates',
  'clientCertificates',
  'dhParams',
] as const satisfies readonly (keyof ServerTLSOptions)[]

/**
 * TLS as a server speaks it. It holds no connection; each {@link ServerTLS.start} makes one.
 *
 * @throws {TypeError | RangeError} If an option is wrong.
 * @throws {ContextError} If the options leave nothing to speak.
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { createServer } from 'node:net'
 * import { KeyedChain } from 'tlacacoca/certificate'
 * import { ServerCertificateChain, ServerTLS } from 'tlacacoca/tls'
 *
 * const cert = await readFile('cert.pem', 'utf8')
 * const key = await readFile('key.pem', 'utf8')
 * const chain = await KeyedChain.fromPem({ cert, key })
 * const tls = new ServerTLS({ certificates: new ServerCertificateChain(chain), clientCertificates: 'request' })
 * createServer((socket) => {
 *   const connection = tls.start({
 *     writeToWire: (bytes) => socket.write(bytes),
 *     wireClose: (immediate) => (immediate ? socket.destroySoon() : socket.end()),
 *     data: () => {
 *       connection.dataFromApplication(Buffer.from(`20 text/plain\r\nyou are ${connection.peer?.fingerprint}\n`))
 *       connection.applicationFinished()
 *     },
 *   })
 *   socket.on('data', (bytes) => {
 *     try {
 *       connection.dataFromWire(bytes)
 *     } catch (error) {
 *       console.error(error)
 *     }
 *   })
 *   socket.on('end', () => connection.wireFinished())
 *   socket.on('error', (error) => connection.destroy(error))
 * })
 */
export class ServerTLS {
  readonly #plan: ServerPlan

  constructor(options: ServerTLSOptions) {
    requireOptions('options', options, OPTION_NAMES)
    this.#plan = readPlan(options)
  }

  /**
   * Begins a connection, which waits for the hello of a client.
   *
   * @throws {TypeError} If a callback is none.
   */
  start(callbacks: WireCallbacks): Connection
  /** The same with the callbacks one by one. */
  start(writeToWire: WireCallbacks['writeToWire'], verify?: VerifyCallback): Connection
  start(first: WireCallbacks | WireCallbacks['writeToWire'], verify?: VerifyCallback): Connection {
    const callbacks: WireCallbacks =
      typeof first !== 'function' ? first : { writeToWire: first, ...(verify === undefined ? {} : { verify }) }
    requireCallbacks(callbacks)
    return startWith(this.#plan, callbacks)
  }

  /** @internal */
  static planOf(tls: ServerTLS): ServerPlan {
    return tls.#plan
  }

  /** @internal */
  static is(value: unknown): value is ServerTLS {
    return typeof value === 'object' && value !== null && #plan in value
  }
}

function readPlan(options: ServerTLSOptions): ServerPlan {
  const { certificates, clientCertificates = 'none' } = options
  requireServerCertificates('certificates', certificates)
  requireClientAuthentication(clientCertificates)
  const settings = readTlsSettings(options, 'server')
  const trusted = typeof clientCertificates === 'string' ? null : authoritiesOf(clientCertificates.trustRoot)
  const required =
    typeof clientCertificates === 'string' ? clientCertificates === 'require' : (clientCertificates.required ?? true)
  const contexts = new ContextCache(settings, trusted === null ? {} : { authorities: trusted })
  return {
    side: 'server',
    alpn: encodeProtocols(settings.alpn),
    limits: settings.limits,
    timeouts: settings.timeouts,
    clock: settings.clock,
    requestsCertificate: clientCertificates !== 'none',
    withoutCertificate: contexts.get(null),
    choose: (hello) => {
      const name = readServerName(hello.sni)
      const host = name.kind === 'host' ? name.host : null
      // What is no name at all is nobody's name: not that of the default chain either.
      if (name.kind === 'malformed') return null
      return andThen(chainForServerName(certificates, host, hello), (chain) =>
        chain === null ? null : { secureContext: contexts.get(chain), chain },
      )
    },
    admit: (chain, protocol) => {
      if (chain.length === 0) {
        if (required) throw certificateRequired(protocol)
        return {}
      }
      return trusted === null ? {} : requireIssued(chain, trusted, settings.clock)
    },
  }
}

function requireClientAuthentication(value: unknown): asserts value is ClientAuthentication {
  if (typeof value === 'string') return requireOneOf('clientCertificates', value, ['none', 'request', 'require'])
  requireOptions('clientCertificates', value, ['trustRoot', 'required'])
  const { trustRoot, required } = value as { trustRoot?: unknown; required?: unknown }
  if (!TrustStore.is(trustRoot)) {
    throw new TypeError(`"clientCertificates.trustRoot" expected a TrustStore, got ${show(trustRoot)}`)
  }
  if (required !== undefined) requireBoolean('clientCertificates.required', required)
}

// RFC 8446 section 4.4.2.4; TLS 1.2 has no alert of its own for it (RFC 5246 section 7.4.6).
function certificateRequired(protocol: TLSVersion): VerificationRefused {
  const alert = protocol === 'TLSv1.3' ? AlertCode.certificate_required : AlertCode.handshake_failure
  return new VerificationRefused(alert, 'the client has no certificate, or none that can be read')
}

function requireIssued(chain: readonly Certificate[], trusted: readonly Certificate[], clock: Clock): IssuanceFacts {
  const [leaf, ...intermediates] = chain as [Certificate, ...Certificate[]]
  const at = new Date(clock())
  const result = validatePath({ leaf, intermediates, authorities: trusted, at, purpose: 'client' })
  if (result.valid) return { issuance: 'issued' }
  throw new VerificationRefused(
    alertForProblem(result.problem),
    `the client's certificate is refused: ${result.detail}`,
  )
}
