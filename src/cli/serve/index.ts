// `tlacacoca serve FOLDER`: a Gemini server over a folder.

import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { FileError } from '../../errors.ts'
import { reading } from '../../internal/atomic-file.ts'
import { createLogger, type Logger, type LogLevel } from '../../logging/index.ts'
import { endpointFrom } from '../../names/endpoint.ts'
import { type Cli, newCommand, type Outcome } from '../command.ts'
import { ExitCode, Explained, UsageError } from '../exit-code.ts'
import { type CliIo, styled } from '../io.ts'
import { collect, readCount } from '../options.ts'
import { dataFolder } from '../places.ts'
import { facts } from '../table.ts'
import { DEFAULT_PORT, namesOf, readHosts, type ServedHost } from './hosts.ts'
import { ownCertificate } from './own-certificate.ts'
import { CapsuleServer } from './server.ts'
import { defaultSettings, readSettings, type Settings } from './settings.ts'

interface ServeOptions {
  readonly host?: readonly string[]
  readonly port?: string
  readonly listen?: string
  readonly config?: string
  readonly list?: boolean
  readonly state?: string
  readonly logLevel?: LogLevel
  readonly check?: boolean
}

/** `tlacacoca serve` */
export function serveCommand(cli: Cli): Command {
  return newCommand(cli, 'serve')
    .summary('serve a folder by Gemini')
    .description(
      'Serves a folder by Gemini until it is stopped by Ctrl-C or SIGTERM. At the first start it makes a certificate, and keeps it. A file of settings adds certificates, lists of addresses, limits, bans and rules; SIGHUP reads it again, and the certificates.',
    )
    .argument('<folder>', 'the folder with the pages; index.gmi is what a folder shows')
    .option(
      '--host <name>',
      'a name that is served, with a port if URLs name another one than --port or 1965; may be given several times (default: localhost)',
      collect,
    )
    .option('--port <number>', 'the port, 0 for any that is free (default: 1965)')
    .option('--listen <address>', 'the local address (default: localhost if only that is served, else all)')
    .option('--config <file>', 'the settings, in TOML')
    .option('--list', 'list folders that have no index.gmi')
    .option('--state <folder>', 'where the certificate is kept that is made (default: among the data of this program)')
    .addOption(
      new Option('--log-level <level>', 'what is logged, to the standard error (default: info)').choices([
        'debug',
        'info',
        'warn',
        'error',
      ]),
    )
    .option('--check', 'read the settings and certificates, say what is wrong with them, and end')
    .action(cli.action(serve, { endsItself: true }))
    .addHelpText(
      'after',
      `
In the log, pseudonyms stand for the addresses of clients, and queries are left out.

Examples:
  tlacacoca serve capsule
  tlacacoca serve capsule --host example.org --config capsule.toml
  tlacacoca serve capsule --config capsule.toml --check`,
    )
}

async function serve({ io }: Cli, folder: string, options: ServeOptions): Promise<Outcome> {
  const root = resolve(folder)
  await requireFolder(root)
  const { config } = options
  const read = () => (config === undefined ? Promise.resolve(defaultSettings()) : readSettings(resolve(config)))
  const first = await read()
  const { settings } = first
  const hosts = await readHosts(options.host ?? [], first)
  const port = portOf(settings, options)
  const names = namesOf(hosts)
  const log = loggerFor(io, settings, options)
  const own =
    settings.certificates.length > 0 ? null : await ownCertificate(io, options.state ?? stateFolder(io), names)
  const server = await CapsuleServer.make({ io, log, root, hosts, list: options.list === true, own }, first)
  const certificates = server.certificates.map(({ label, certificate, hostnames }) => ({
    label,
    hostnames,
    fingerprint: certificate.fingerprint,
    notAfter: certificate.notAfter,
  }))
  if (options.check === true) {
    return { json: { valid: true, hosts: names, certificates }, text: styled(io, 'green', 'All is well.') }
  }

  if (own?.done === 'made') log.info('a certificate was made', { file: own.certFile })
  if (own?.done === 'renewed') log.warn('the certificate had expired, and was renewed', { file: own.certFile })
  const stopped = stopSignal(io)
  const unlisten = io.onSignal('SIGHUP', () => void server.reload(read))
  try {
    const begun = await server.listen(port, listenAddressOf(settings, options, names))
    await using listener = begun.listener
    const { address } = begun
    io.stderr.write(`${introduction(io, root, hosts, address.port, certificates)}\n`)
    log.info('listening', { local: address.address, port: address.port })
    await stopped.promise
    log.info('stopping', { connections: listener.connections })
    await listener.close({ graceMs: GRACE_MS })
    return { json: { ...address, requests: server.requests }, text: '', exitCode: ExitCode.ok }
  } finally {
    unlisten()
    stopped.release()
  }
}

/** How long answers that are on their way may take when the server is stopped. */
const GRACE_MS = 3000

/** Fulfilled by Ctrl-C or SIGTERM. */
function stopSignal(io: CliIo): { readonly promise: Promise<void>; release(): void } {
  let release = (): void => {}
  const promise = new Promise<void>((resolve) => {
    const stop = (): void => resolve()
    const unlisten = io.onSignal('SIGTERM', stop)
    io.signal.addEventListener('abort', stop, { once: true })
    if (io.signal.aborted) stop()
    release = () => {
      unlisten()
      io.signal.removeEventListener('abort', stop)
    }
  })
  return { promise, release }
}

function introduction(
  io: CliIo,
  root: string,
  hosts: readonly ServedHost[],
  listeningOn: number,
  certificates: readonly { readonly fingerprint: string; readonly notAfter: Date }[],
): string {
  const urls = hosts.map(({ name, port }) => {
    const endpoint = endpointFrom(name, port ?? listeningOn)
    return `gemini://${String(endpoint).replace(new RegExp(`:${DEFAULT_PORT}$`), '')}/`
  })
  return facts(io, [
    ['Folder', root],
    ['Serving', urls.join(' ')],
    ...certificates.map(({ fingerprint }): [string, string] => ['Fingerprint', fingerprint]),
  ])
}

function portOf(settings: Settings, { port }: ServeOptions): number {
  if (port !== undefined) return readCount('--port', port, { from: 0, to: 65_535 })
  return settings.port ?? DEFAULT_PORT
}

/** A server for this computer alone need not be reachable from elsewhere. */
function listenAddressOf(settings: Settings, options: ServeOptions, names: readonly string[]): string | undefined {
  const isLocal = names.every((name) => name === 'localhost')
  return options.listen ?? settings.listen ?? (isLocal ? 'localhost' : undefined)
}

function loggerFor(io: CliIo, { log }: Settings, { logLevel }: ServeOptions): Logger {
  return createLogger({
    level: logLevel ?? log.level ?? 'info',
    format: log.format ?? 'console',
    ...(log.file === undefined ? { stream: io.stderr } : { file: log.file }),
    clock: io.clock,
  })
}

function stateFolder(io: CliIo): string {
  return join(dataFolder(io), 'serve')
}

async function requireFolder(path: string): Promise<void> {
  const found = await reading(path, () => stat(path)).catch((error: unknown) => {
    if (!(error instanceof FileError) || error.code !== 'ERR_TLACACOCA_FILE_NOT_FOUND') throw error
    throw new Explained(`there is no folder ${path}`, error)
  })
  if (!found.isDirectory()) throw new UsageError(`${path} is no folder`)
  // Whoever may only enter it can serve what is in there. Whoever may not would tell everybody that there is nothing.
  await reading(path, () => access(path, constants.X_OK))
}
