// A server that runs by settings, and takes new ones while it does.
//
// Everything that a reload may change is in one value, `#rules`; it is made aside, whole, and put in the place of the old
// one when the certificates have been read again without a mistake. Whatever goes wrong before that changes nothing.

import { pipeline } from 'node:stream/promises'
import { type LogFields, type Logger, logDecisions } from '../../logging/index.ts'
import {
  admit,
  ConnectionLimiter,
  createPlaintextServer,
  type ListenAddress,
  type Listener,
  type ProxyProtocolOptions,
  parseTarget,
  refuse,
  type ServerConnection,
} from '../../middleware/index.ts'
import { createServer, createServerContext, type ServerCertificateSource, type ServerContext } from '../../tls/index.ts'
import type { CliIo } from '../io.ts'
import { readPassphraseFor } from '../passphrase.ts'
import { type Guards, isSame, makeGuards, withoutUndefined } from './guards.ts'
import { type ServedHost, servedOn } from './hosts.ts'
import type { OwnCertificate } from './own-certificate.ts'
import type { Problems } from './problems.ts'
import type { ProxySettings, Settings } from './settings.ts'
import { answerFor, type Site } from './site.ts'
import { statusOf } from './status.ts'

/** Settings, and where mistakes in them are noted. */
export interface ReadSettings {
  readonly settings: Settings
  readonly problems: Problems
}

export interface ServerParts {
  readonly io: CliIo
  readonly log: Logger
  readonly root: string
  readonly hosts: readonly ServedHost[]
  /** Whether the command line asks for lists of folders. */
  readonly list: boolean
  /** Used if the settings name none. */
  readonly own: OwnCertificate | null
}

/** What requests are answered by. */
interface Rules {
  readonly settings: Settings
  readonly guards: Guards
  readonly site: Site
}

export class CapsuleServer {
  readonly #parts: ServerParts
  readonly #connections: ConnectionLimiter
  readonly #context: ServerContext
  #rules: Rules
  /** Known once it listens; until then nothing is served. */
  #served: readonly string[] = []
  #requests = 0
  #reloading: Promise<unknown> = Promise.resolve()

  private constructor(parts: ServerParts, connections: ConnectionLimiter, context: ServerContext, rules: Rules) {
    this.#parts = parts
    this.#connections = connections
    this.#context = context
    this.#rules = rules
  }

  /**
   * Makes everything, and listens to nobody yet.
   *
   * @throws {SettingsError} With all mistakes in the settings.
   */
  static async make(parts: ServerParts, { settings, problems }: ReadSettings): Promise<CapsuleServer> {
    const connections = await problems.try('limits', () => {
      const { maxPerAddress, busyAbove } = settings.limits
      return new ConnectionLimiter(withoutUndefined({ maxPerAddress, busyAbove }))
    })
    const rules = await makeRules(parts, { settings, problems }, connections ?? new ConnectionLimiter(), null)
    const context = await problems.try('certificates', async () =>
      createServerContext({
        certificates: await sourcesOf(parts, settings),
        clientCertificates: 'request',
        ...withoutUndefined({ minVersion: settings.minVersion, unknownServerName: settings.unknownNames }),
        clock: parts.io.clock,
        onEvent: ({ kind, label }) => parts.log.warn(kind.replaceAll('_', ' '), { label }),
      }),
    )
    const { proxyProtocol } = settings
    // Any server says what is wrong with the proxies, before it listens.
    if (proxyProtocol !== undefined) {
      await problems.try('proxy_protocol', () =>
        createPlaintextServer(() => {}, { proxyProtocol: proxied(proxyProtocol) }),
      )
    }
    problems.throwIfAny()
    if (context === undefined || connections === undefined) throw new TypeError('mistakes that nobody noted')
    return new CapsuleServer(parts, connections, context, rules)
  }

  /** The certificates in force. */
  get certificates(): ServerContext['certificates'] {
    return this.#context.certificates
  }

  /** How many requests were answered, refusals apart. */
  get requests(): number {
    return this.#requests
  }

  /** Begins to listen. */
  async listen(port: number, address: string | undefined): Promise<{ listener: Listener; address: ListenAddress }> {
    const listener = this.#listener()
    const listening = await listener.listen(port, address)
    this.#served = servedOn(listening.port, this.#parts.hosts).map(String)
    return { listener, address: listening }
  }

  #listener(): Listener {
    const { log } = this.#parts
    const { limits, proxyProtocol } = this.#rules.settings
    const { maxConnections, handshakeTimeoutMs, idleTimeoutMs } = limits
    return createServer(this.#context, (connection) => this.#serve(connection), {
      ...withoutUndefined({ maxConnections, handshakeTimeoutMs, idleTimeoutMs }),
      ...(proxyProtocol === undefined ? {} : { proxyProtocol: proxied(proxyProtocol) }),
      guards: [
        { opened: (address) => this.#rules.guards.access.opened(address) },
        { opened: (address) => this.#rules.guards.bans?.opened(address) ?? { accept: true } },
        this.#connections,
      ],
      onRefused: ({ address, reason, detail }) =>
        log.info('connection refused', { clientAddress: address, reason, detail }),
      onEvent: ({ kind, address, reason }) => log.debug(kind.replaceAll('_', ' '), { clientAddress: address, reason }),
      onError: (error, connection) => {
        if (!isGone(error)) log.error('a request failed', { clientAddress: connection?.address, error })
      },
    })
  }

  /** Takes new settings, and reads certificates again. Never rejects: what is wrong is logged, and the old ones go on. */
  reload(read: () => Promise<ReadSettings>): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload(read))
    this.#reloading = reloaded
    return reloaded
  }

  async #reload(read: () => Promise<ReadSettings>): Promise<void> {
    const { log } = this.#parts
    try {
      const next = await read()
      const rules = await makeRules(this.#parts, next, this.#connections, this.#rules)
      next.problems.throwIfAny()
      const { changed } = await this.#context.reload()
      const needsRestart = NEED_RESTART.filter((name) => !isSame(next.settings[name], this.#rules.settings[name]))
      // What cannot change while it runs goes on as it is, and is told of at each reload until it is started anew.
      const kept = Object.fromEntries(NEED_RESTART.map((name) => [name, this.#rules.settings[name]]))
      this.#rules = { ...rules, settings: { ...rules.settings, ...kept } }
      log.info('settings reloaded', { certificates: changed ? 'new' : 'as before' })
      if (needsRestart.length > 0) log.warn('some settings need a restart', { settings: needsRestart.join(', ') })
    } catch (error) {
      log.error('settings not reloaded, the old ones go on', { reason: error instanceof Error ? error.message : error })
    }
  }

  async #serve(connection: ServerConnection): Promise<void> {
    const { log } = this.#parts
    const served = this.#served
    // One set of rules from the first byte to the last, whatever is reloaded meanwhile.
    const { guards, site, settings } = this.#rules
    const began = performance.now()
    const { requestTimeoutMs } = settings.limits
    const request = await admit(connection, {
      parse: (line) => parseTarget(line, { schemes: { gemini: 1965 }, served }),
      guard: guards.chain,
      ...(requestTimeoutMs === undefined ? {} : { timeoutMs: requestTimeoutMs }),
      onError: (error) => log.error('a request could not be judged', { error }),
    })
    const told = (facts: LogFields): void => {
      const durationMs = Math.round(performance.now() - began)
      log.info('request', { clientAddress: connection.address, ...facts, durationMs })
    }
    if (!request.allowed) {
      const status = statusOf(request)
      // Whoever left without a word has asked for nothing.
      if (request.detail !== 'closed') told({ status: status.slice(0, 2), reason: request.denialReason })
      return refuse(connection, `${status}\r\n`)
    }
    this.#requests++
    const { header, body } = await answerFor(site, request.target.path)
    await using _ = typeof body === 'string' ? null : body
    told({ target: request.target, status: header.slice(0, 2) })
    if (body === null || typeof body === 'string') {
      connection.stream.end(`${header}\r\n${body ?? ''}`)
      return
    }
    connection.stream.write(`${header}\r\n`)
    await pipeline(body.createReadStream(), connection.stream)
  }
}

/** What is fixed once the server listens. */
const NEED_RESTART = [
  'hosts',
  'listen',
  'port',
  'certificates',
  'minVersion',
  'unknownNames',
  'proxyProtocol',
  'limits',
  'log',
] as const satisfies readonly (keyof Settings)[]

async function makeRules(
  { log, root, list }: ServerParts,
  { settings, problems }: ReadSettings,
  connections: ConnectionLimiter,
  former: Rules | null,
): Promise<Rules> {
  const guards = await makeGuards(settings, problems, { connections, onDecision: logDecisions(log), former })
  const site = { root, list: settings.pages.list ?? list, mediaTypes: settings.pages.mediaTypes }
  return { settings, guards, site }
}

function proxied(settings: ProxySettings): ProxyProtocolOptions {
  return { ...withoutUndefined(settings), trusted: settings.trusted }
}

async function sourcesOf({ io, own }: ServerParts, settings: Settings): Promise<ServerCertificateSource[]> {
  if (own !== null) return [{ certFile: own.certFile, keyFile: own.keyFile }]
  return Promise.all(
    settings.certificates.map(async ({ cert, key, passphraseFile, hosts }) => {
      const passphrase = passphraseFile === undefined ? null : await readPassphraseFor(io, key, { passphraseFile })
      return {
        certFile: cert,
        keyFile: key,
        ...(passphrase === null ? {} : { passphrase }),
        ...(hosts === undefined ? {} : { hostnames: hosts }),
      }
    }),
  )
}

/** A client that left in the middle of an answer is no news. */
function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && GONE.has(code)
}

const GONE = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'])
