// What a server shows and accepts: its certificates by name, and what it asks of clients.
//
// Everything is read and checked before a context exists, and again before a reload takes effect. What is in force is
// one immutable generation; a reload builds the next one aside and replaces it with a single assignment, so that no
// connection ever sees half of it, and a mistake leaves the old one in force.

import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import { validatePath } from '../certificate/path-validation.ts'
import type { TLSVersion } from '../certificate/peer.ts'
import { ContextError } from '../errors.ts'
import { requireFunction, requireOneOf, requireOptions, show } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { readServerName, type ServerName } from './certificate-set.ts'
import { type IssuanceJudge, peerJudgedBy } from './peer-of.ts'
import { policyOptions, requireProtocols } from './policy.ts'
import { requireSource, type ServedCertificate, type ServerCertificateSource } from './served-certificate.ts'
import {
  type Choice,
  type ClientCertificates,
  type ContextSettings,
  type Generation,
  loadGeneration,
  type ServerContextEvent,
  sameContents,
} from './server-generation.ts'

/** What {@link createServerContext} takes. */
export interface ServerContextOptions {
  /**
   * One certificate or more, each with its key: files, PEM text, or `{ chain }` with a `KeyedChain`. The first is shown to
   * clients that name no host.
   */
  readonly certificates: readonly ServerCertificateSource[]
  /**
   * `none`, the default: clients are not asked. `request`: they are, and every certificate whose key they prove is
   * welcome, self-signed, expired or odd as it may be; rules decide afterwards. With `trustedAuthorities`, clients also
   * learn which issuers are wanted, and the issuer is checked: the outcome is in `peer.issuance`. In no case does the
   * handshake fail for lack of a certificate; a refusal in words is the application's to give.
   */
  readonly clientCertificates?: ClientCertificates
  /** Clients that ask for another host get the first certificate (`default`), or a TLS alert (`refuse`). */
  readonly unknownServerName?: 'default' | 'refuse'
  /** TLS 1.2 by default. There is nothing below. */
  readonly minVersion?: TLSVersion
  /** Application protocols (ALPN) in order of preference. None by default: Gemini and its relatives have none. */
  readonly alpn?: readonly string[]
  /** For warnings about dates, and for the dates of issuers. */
  readonly clock?: Clock
  /** Is told what deserves attention but stops nothing, when the context is made and at each reload. */
  readonly onEvent?: (event: ServerContextEvent) => void
}

/** What came of a reload. */
export interface ReloadReport {
  /** False if everything was as before. */
  readonly changed: boolean
  /** The certificates in force now. */
  readonly certificates: readonly ServedCertificate[]
}

/**
 * Reads and checks what a TLS server needs. TLS 1.2 and 1.3 with forward-secret AEAD suites only; no renegotiation, no
 * compression, no session resumption; none of that can be changed.
 *
 * @returns A context for {@link createServer}, which can be shared by several listeners.
 * @throws {TypeError} If an option has the wrong type, or is none.
 * @throws {FileError} `FILE_NOT_FOUND` or `FILE_UNREADABLE`.
 * @throws {CertificateError} `CERTIFICATE_MALFORMED` if there is no certificate in the text at all, or an authority is
 *   malformed.
 * @throws {ChainError} If something in the text is malformed or is no part of one chain, as `KeyedChain.fromPem`
 *   has it. Certificates may be weak, of version 1, expired, or meant for another purpose.
 * @throws {PrivateKeyError} `KEY_MALFORMED`, `KEY_PASSPHRASE_REQUIRED`, `KEY_PASSPHRASE_WRONG`, or `KEY_MISMATCH`.
 * @throws {ContextError} If the parts are fine but not together: no certificates, one that no client could get, a host
 *   name claimed twice, an empty list of authorities, an authority that is none; or TLS or OpenSSL cannot use a key, for
 *   its kind or its size. All messages name the entry.
 * @example
 * import { createServerContext } from 'tlacacoca/tls'
 *
 * const context = await createServerContext({
 *   certificates: [
 *     { certFile: 'example.org.pem', keyFile: 'example.org.key' },
 *     { certFile: 'example.net.pem', keyFile: 'example.net.key', hostnames: ['example.net', '*.example.net'] },
 *   ],
 *   clientCertificates: 'request',
 * })
 * process.on('SIGHUP', () => context.reload().catch((error) => console.error('the old certificates stay:', error)))
 */
export async function createServerContext(options: ServerContextOptions): Promise<ServerContext> {
  requireOptions('options', options, OPTION_NAMES)
  const { certificates, clientCertificates = 'none', unknownServerName = 'default', alpn = [], onEvent } = options
  if (!Array.isArray(certificates)) throw new TypeError(`"certificates" expected a list, got ${show(certificates)}`)
  for (const [index, source] of certificates.entries()) requireSource(`certificates[${index}]`, source)
  if (certificates.length === 0) throw new ContextError('"certificates" is empty: a server needs at least one')
  requireClientCertificates(clientCertificates)
  requireOneOf('unknownServerName', unknownServerName, ['default', 'refuse'])
  requireProtocols('alpn', alpn)
  if (onEvent !== undefined) requireFunction('onEvent', onEvent)
  if (options.clock !== undefined) requireFunction('clock', options.clock)

  const settings: ContextSettings = {
    // Copied, because a reload must see what was checked here.
    certificates: certificates.map((source) => ({ ...source })),
    clientCertificates:
      typeof clientCertificates === 'string'
        ? clientCertificates
        : { trustedAuthorities: [...clientCertificates.trustedAuthorities] },
    unknownServerName,
    policy: policyOptions(options.minVersion),
    alpn: [...alpn],
    clock: options.clock ?? systemClock,
    onEvent,
  }
  return new ServerContext(settings, await loadGeneration(settings, null))
}

const OPTION_NAMES = [
  'certificates',
  'clientCertificates',
  'unknownServerName',
  'minVersion',
  'alpn',
  'clock',
  'onEvent',
] as const satisfies readonly (keyof ServerContextOptions)[]

function requireClientCertificates(value: unknown): asserts value is ClientCertificates {
  if (typeof value === 'string') return requireOneOf('clientCertificates', value, ['none', 'request'])
  requireOptions('clientCertificates', value, ['trustedAuthorities'])
  const { trustedAuthorities } = value as { trustedAuthorities?: unknown }
  // An undefined list is a mistake, as an empty one is, and never "do not ask".
  if (!Array.isArray(trustedAuthorities)) {
    throw new TypeError(`"clientCertificates.trustedAuthorities" expected a list, got ${show(trustedAuthorities)}`)
  }
}

/**
 * Made by {@link createServerContext}.
 *
 * @example
 * import { createServer, createServerContext, refuse } from 'tlacacoca'
 *
 * const context = await createServerContext({ certificates: [{ certFile: 'cert.pem', keyFile: 'key.pem' }] })
 * await createServer(context, (connection) => refuse(connection, '41 not yet\r\n')).listen(1965)
 */
export class ServerContext {
  readonly #settings: ContextSettings
  readonly #attached = new Set<Server>()
  /** Those that have our listeners, which stay when they are closed. */
  readonly #prepared = new WeakSet<Server>()
  #generation: Generation
  #reloading: Promise<unknown> = Promise.resolve()

  /** @internal */
  constructor(settings: ContextSettings, generation: Generation) {
    this.#settings = settings
    this.#generation = generation
  }

  /** The certificates in force, the default one first. */
  get certificates(): readonly ServedCertificate[] {
    return this.#generation.entries.map(({ served }) => served)
  }

  /**
   * Options for a `tls.createServer` of your own, among them the default certificate with its key, and a deadline of 10
   * seconds for the handshake. Then call {@link ServerContext.attach}; without it, a handshake that is too slow is
   * reported but not ended, a reload does not reach clients that name no host, and issuers are not checked.
   *
   * What {@link createServer} does besides stays with you: a limit of connections, an `error` listener on every socket,
   * `allowHalfOpen` for clients that end their side after the request. Never look at `socket.authorized`. Clients that
   * are refused for the name they ask for get no alert.
   *
   * @throws {ContextError} If the certificates have keys of different types. Up to version 22, Node then shows clients
   *   of one host the certificate of another (nodejs/node#54235); {@link createServer} does not.
   */
  get options(): TlsOptions {
    requireOneKeyType(this.#generation)
    return {
      ...this.#generation.default.options,
      handshakeTimeout: 10_000,
      SNICallback: (name, done) => {
        const choice = this.#choose(readServerName(name))
        if (choice === null) done(new Error('there is no certificate for the name that the client asks for'))
        else done(null, choice.context)
      },
    }
  }

  /**
   * Makes a server that was created with {@link ServerContext.options} complete: it follows each reload, handshakes
   * that fail or take too long are ended, and {@link peerOf} knows the issuance of its clients. Call it right after
   * creating the server. It ends with the server's `close` event; one that is to listen again is attached again.
   *
   * @throws {ContextError} If a reload has brought certificates with keys of different types since the server was made.
   */
  attach(server: Server): void {
    if (this.#attached.has(server)) return
    requireOneKeyType(this.#generation)
    this.#attached.add(server)
    server.once('close', () => this.#attached.delete(server))
    if (this.#prepared.has(server)) {
      // It may have missed a reload while it was closed.
      server.setSecureContext(this.#generation.default.options)
      return
    }
    this.#prepared.add(server)
    // First of all listeners, because whoever asks Node for a client's certificate first gets the whole chain.
    server.prependListener('secureConnection', (socket: TLSSocket) => {
      try {
        peerJudgedBy(socket, this.#judge)
      } catch {
        // Nobody may throw here, because it would end the program. An unknown peer is no reason to go on, either.
        socket.destroy()
      }
    })
    // Node only tells of a handshake that takes too long; the connection would stay for ever.
    server.on('tlsClientError', (_error, socket) => socket.destroy())
  }

  /**
   * Reads everything again: certificates, keys and authorities; chains that were given as they are stay. If all of it is
   * in order it takes effect at once, for new connections; those that exist go on. Otherwise nothing changes. Calls at the
   * same time wait for one another.
   *
   * @throws The errors of {@link createServerContext}; the set in force stays in force.
   */
  reload(): Promise<ReloadReport> {
    const result = this.#reloading.then(() => this.#reload())
    this.#reloading = result.catch(() => undefined)
    return result
  }

  async #reload(): Promise<ReloadReport> {
    const next = await loadGeneration(this.#settings, this.#generation)
    const changed = !sameContents(this.#generation, next)
    if (changed) {
      if (this.#attached.size > 0) requireOneKeyType(next)
      this.#generation = next
      for (const server of this.#attached) server.setSecureContext(next.default.options)
    }
    return { changed, certificates: this.certificates }
  }

  /** The certificate for what a client asks for, or null if it must be refused. */
  #choose(name: ServerName): Choice | null {
    if (name.kind === 'none') return this.#generation.default
    const found = name.kind === 'host' ? this.#generation.names.find(name.host) : undefined
    return found ?? (this.#settings.unknownServerName === 'refuse' ? null : this.#generation.default)
  }

  readonly #judge: IssuanceJudge = (leaf, intermediates) => {
    const { authorities } = this.#generation
    if (authorities === null) return { issuance: 'not_checked' }
    try {
      const at = new Date(this.#settings.clock())
      const result = validatePath({ leaf, intermediates, authorities, at, purpose: 'client' })
      return result.valid ? { issuance: 'issued' } : { issuance: 'unissued', issuanceProblem: result.problem }
    } catch {
      return { issuance: 'unissued', issuanceProblem: 'malformed' }
    }
  }

  /** @internal */
  static is(value: unknown): value is ServerContext {
    return typeof value === 'object' && value !== null && #generation in value
  }

  /** @internal */
  static internalsOf(context: ServerContext): ContextInternals {
    if (!ServerContext.is(context)) {
      throw new TypeError(`"context" expected a ServerContext, got ${show(context)}`)
    }
    return {
      choose: (name) => context.#choose(name),
      judge: context.#judge,
      readsNames: context.#settings.certificates.length > 1 || context.#settings.unknownServerName === 'refuse',
      requestsCertificate: context.#settings.clientCertificates !== 'none',
      alpn: context.#settings.alpn,
      clock: context.#settings.clock,
    }
  }
}

/** @internal What a listener needs of a context. */
export interface ContextInternals {
  choose(name: ServerName): Choice | null
  readonly judge: IssuanceJudge
  /** Whether it makes a difference which name a client asks for. */
  readonly readsNames: boolean
  readonly requestsCertificate: boolean
  readonly alpn: readonly string[]
  readonly clock: Clock
}

function requireOneKeyType({ entries }: Generation): void {
  const types = new Set(entries.map(({ keyed }) => keyed.keyType))
  if (types.size > 1) {
    const list = [...types].join(', ')
    throw new ContextError(`certificates with keys of different types (${list}) can only be served by createServer`)
  }
}
