// The settings of a server as they stand in a TOML file: plain data, checked as far as that goes without the library. What
// is made of them is in guards.ts and server.ts.

import { dirname, resolve } from 'node:path'
import { readTextFile } from '../../internal/atomic-file.ts'
import type { LogLevel } from '../../logging/index.ts'
import { placesIn } from './places.ts'
import { Problems, SettingsError } from './problems.ts'
import { Table } from './table.ts'

export interface Settings {
  /** The names that are served; empty if the file does not say. */
  readonly hosts: readonly string[]
  readonly listen: string | undefined
  readonly port: number | undefined
  readonly certificates: readonly CertificateSettings[]
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3' | undefined
  readonly unknownNames: 'default' | 'refuse' | undefined
  readonly pages: { readonly list: boolean | undefined; readonly mediaTypes: Readonly<Record<string, string>> }
  readonly access: AccessSettings
  /** Undefined if the file says nothing of them, which is not the same as none. */
  readonly rateLimits: readonly RateLimitSettings[] | undefined
  readonly bans: BanSettings | undefined
  readonly rules: readonly RuleSettings[]
  readonly proxyProtocol: ProxySettings | undefined
  readonly limits: LimitSettings
  readonly log: {
    readonly level: LogLevel | undefined
    readonly format: 'console' | 'json' | undefined
    readonly file: string | undefined
  }
}

export interface CertificateSettings {
  readonly cert: string
  readonly key: string
  readonly passphraseFile: string | undefined
  readonly hosts: readonly string[] | undefined
}

export interface AccessSettings {
  readonly deny: readonly string[] | undefined
  readonly allow: readonly string[] | undefined
  readonly denyFiles: readonly string[]
  readonly allowFiles: readonly string[]
  readonly default: 'allow' | 'deny' | undefined
}

export interface RateLimitSettings {
  readonly key: string
  readonly name: string | undefined
  readonly path: string | undefined
  readonly by: readonly string[] | undefined
  readonly capacity: number | undefined
  readonly refillPerSecond: number | undefined
  readonly exempt: readonly string[] | undefined
}

export interface BanSettings {
  readonly tolerated: number | undefined
  readonly forgivenPerSecond: number | undefined
  readonly firstBanSeconds: number | undefined
  readonly factor: number | undefined
  readonly maxBanSeconds: number | undefined
  readonly exempt: readonly string[] | undefined
}

export interface RuleSettings {
  readonly key: string
  readonly path: string
  readonly host: string | undefined
  readonly requireCertificate: boolean | undefined
  readonly allowedFingerprints: readonly string[] | undefined
  readonly authorities: string | undefined
  readonly expired: 'allow' | 'refuse' | undefined
  readonly notYetValid: 'allow' | 'refuse' | undefined
}

export interface ProxySettings {
  readonly trusted: readonly string[]
  readonly allowDirect: boolean | undefined
  readonly timeoutMs: number | undefined
}

export interface LimitSettings {
  readonly maxConnections: number | undefined
  readonly maxPerAddress: number | undefined
  readonly busyAbove: number | undefined
  readonly handshakeTimeoutMs: number | undefined
  readonly requestTimeoutMs: number | undefined
  readonly idleTimeoutMs: number | undefined
}

/**
 * Reads a file with settings. Paths in it are those as seen from its folder.
 *
 * @returns The settings, and where further mistakes are to be noted.
 * @throws {SettingsError} With line and column, if it is no TOML.
 * @throws {FileError} If it cannot be read.
 */
export async function readSettings(
  path: string,
): Promise<{ readonly settings: Settings; readonly problems: Problems }> {
  const text = await readTextFile(path, { maxBytes: 1024 * 1024 })
  const { parse, TomlError } = await import('smol-toml')
  try {
    return settingsIn(parse(text), new Problems(path, placesIn(text)))
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const { line, column, message } = error
    const sentence = (message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
    throw new SettingsError([{ file: path, line, column, message: sentence }])
  }
}

/** The settings where there is no file. */
export function defaultSettings(): { readonly settings: Settings; readonly problems: Problems } {
  return settingsIn({}, new Problems('the command line'))
}

function settingsIn(
  values: Readonly<Record<string, unknown>>,
  problems: Problems,
): { readonly settings: Settings; readonly problems: Problems } {
  const { file } = problems
  const root = new Table(values, '', problems)
  const toPath = (path: string | undefined) => (path === undefined ? undefined : resolve(dirname(file), path))
  const toPaths = (paths: readonly string[] | undefined) => (paths ?? []).map((path) => resolve(dirname(file), path))

  const tls = root.table('tls')
  const pages = root.table('pages')
  const access = root.table('access')
  const bans = root.table('bans')
  const limits = root.table('limits')
  const log = root.table('log')
  const settings: Settings = {
    hosts: root.strings('hosts') ?? [],
    listen: root.string('listen'),
    port: root.integer('port', 0, 65_535),
    certificates: root.tables('certificates').flatMap((table) => {
      const [cert, key] = [table.string('cert'), table.string('key')]
      const passphraseFile = toPath(table.string('passphrase_file'))
      const hosts = table.strings('hosts')
      table.end()
      const isWhole = [table.required('cert', cert), table.required('key', key)].every(Boolean)
      if (!isWhole) return []
      return [{ cert: toPath(cert) ?? '', key: toPath(key) ?? '', passphraseFile, hosts }]
    }),
    minVersion: tls.oneOf('min_version', ['TLSv1.2', 'TLSv1.3']),
    unknownNames: tls.oneOf('unknown_names', ['default', 'refuse']),
    pages: { list: pages.boolean('list'), mediaTypes: pages.table('media_types').allStrings() },
    access: {
      deny: access.strings('deny'),
      allow: access.strings('allow'),
      denyFiles: toPaths(access.strings('deny_files')),
      allowFiles: toPaths(access.strings('allow_files')),
      default: access.oneOf('default', ['allow', 'deny']),
    },
    rateLimits: root.has('rate_limits') ? root.tables('rate_limits').map(readRateLimit) : undefined,
    bans: root.has('bans')
      ? {
          tolerated: bans.number('tolerated'),
          forgivenPerSecond: bans.number('forgiven_per_second'),
          firstBanSeconds: bans.number('first_ban_seconds'),
          factor: bans.number('factor'),
          maxBanSeconds: bans.number('max_ban_seconds'),
          exempt: bans.strings('exempt'),
        }
      : undefined,
    rules: root.tables('rules').flatMap((table) => readRule(table, toPath)),
    proxyProtocol: root.has('proxy_protocol') ? readProxy(root.table('proxy_protocol')) : undefined,
    limits: {
      maxConnections: limits.integer('max_connections', 1, MANY),
      maxPerAddress: limits.integer('max_per_address', 1, MANY),
      busyAbove: limits.integer('busy_above', 1, MANY),
      handshakeTimeoutMs: limits.integer('handshake_timeout_ms', 1, LONG_MS),
      requestTimeoutMs: limits.integer('request_timeout_ms', 1, LONG_MS),
      idleTimeoutMs: limits.integer('idle_timeout_ms', 1, LONG_MS),
    },
    log: {
      level: log.oneOf('level', ['trace', 'debug', 'info', 'warn', 'error', 'fatal']),
      format: log.oneOf('format', ['console', 'json']),
      file: toPath(log.string('file')),
    },
  }
  for (const table of [tls, pages, access, bans, limits, log, root]) table.end()
  return { settings, problems }
}

const MANY = 1_000_000
// An hour.
const LONG_MS = 3_600_000

function readRateLimit(table: Table): RateLimitSettings {
  const settings = {
    key: table.keyOf(),
    name: table.string('name'),
    path: table.string('path'),
    by: table.strings('by'),
    capacity: table.number('capacity'),
    refillPerSecond: table.number('refill_per_second'),
    exempt: table.strings('exempt'),
  }
  table.end()
  return settings
}

function readRule(table: Table, toPath: (path: string | undefined) => string | undefined): RuleSettings[] {
  const path = table.string('path')
  const settings = {
    key: table.keyOf(),
    host: table.string('host'),
    requireCertificate: table.boolean('require_certificate'),
    allowedFingerprints: table.strings('allowed_fingerprints'),
    authorities: toPath(table.string('authorities')),
    expired: table.oneOf('expired', ['allow', 'refuse']),
    notYetValid: table.oneOf('not_yet_valid', ['allow', 'refuse']),
  }
  table.end()
  return table.required('path', path) ? [{ ...settings, path }] : []
}

function readProxy(table: Table): ProxySettings | undefined {
  const trusted = table.strings('trusted')
  const rest = { allowDirect: table.boolean('allow_direct'), timeoutMs: table.number('timeout_ms') }
  table.end()
  return table.required('trusted', trusted) ? { trusted, ...rest } : undefined
}
