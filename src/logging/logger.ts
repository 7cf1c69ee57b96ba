// A structured logger that is private by default: what a program passes goes through the redactor, what comes out goes
// through pino. Security events are recorded whatever the level, because the level is about noise and they are not.

import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import type { Logger as PinoLogger } from 'pino'
import { FileError } from '../errors.ts'
import { requireFunction, requireOneOf, requireOptions, requireString, show } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { reasonOf } from '../internal/system-reason.ts'
import { ConsoleFormat } from './console-format.ts'
import { type AddressPseudonymizer, createAddressPseudonymizer } from './pseudonym.ts'
import { Redactor } from './redact.ts'

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const satisfies readonly LogLevel[]

/** How much is logged: this and everything more serious. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** Facts that belong to a message. Any values; what is not fit for a log is left out or replaced. */
export type LogFields = Readonly<Record<string, unknown>>

/** What is logged, where to, and how much of it. */
export interface LoggerOptions {
  /** Default `error`: ordinary visits leave no trace. Security events are recorded at every level. */
  readonly level?: LogLevel
  /** The file to append to, made with mode 0600. Default: the standard error. */
  readonly file?: string
  /** Where to write instead of a file. */
  readonly stream?: Writable
  /** `json`, one object a line, or `console`, one line for people. Default `json`. */
  readonly format?: 'json' | 'console'
  /** Whether pseudonyms stand for addresses. Default true. */
  readonly hashAddresses?: boolean
  /** Names of fields that hold addresses, besides the usual ones such as `ip`, `clientIp` and `remote_addr`. */
  readonly addressFields?: readonly string[]
  /** Gives the pseudonyms. Default: `createAddressPseudonymizer()`, with a new key every day. */
  readonly pseudonymizer?: AddressPseudonymizer
  /** Whether queries of URLs are kept. Default false: they hold what people typed. */
  readonly keepQueries?: boolean
  /** Fields of every line. */
  readonly fields?: LogFields
  readonly clock?: Clock
  /** Told when a line could not be written, say because the disk is full. The program goes on. */
  readonly onError?: (error: Error) => void
}

/** Writes log lines. No method throws on account of what is logged, or of where it goes. */
export interface Logger {
  /** What is below it is not logged. */
  readonly level: LogLevel
  /** Every step, for whoever looks for a mistake. */
  trace(message: string, fields?: LogFields): void
  /** What only the authors of a program want to know. */
  debug(message: string, fields?: LogFields): void
  /** What usually happens: a request, a start. */
  info(message: string, fields?: LogFields): void
  /** What works for now: a certificate that expires soon. */
  warn(message: string, fields?: LogFields): void
  /** What failed, and the program goes on. */
  error(message: string, fields?: LogFields): void
  /** What ends the program. */
  fatal(message: string, fields?: LogFields): void
  /** Something that whoever guards the server wants to know: an attack, a changed pin. Recorded at every level. */
  security(message: string, fields?: LogFields): void
  /** The same logger, with fields that stand in each of its lines, as they are now: an address keeps its pseudonym. */
  child(fields: LogFields): Logger
}

/**
 * Makes a logger.
 *
 * @throws {FileError} `ERR_TLACACOCA_FILE_UNWRITABLE` if the file cannot be opened.
 * @throws {TypeError} If an option is not one of those it can be.
 * @example
 * import { createLogger } from 'tlacacoca/logging'
 *
 * const log = createLogger({ level: 'info', format: 'console' })
 * log.info('request', { clientIp: '192.0.2.1', url: 'gemini://example.org/search?my+secret' })
 * // … INFO request clientIp=addr-… url=gemini://example.org/search?…
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  requireOptions('options', options, OPTION_NAMES)
  const { level = 'error', format = 'json', file, stream, onError, addressFields = [], pseudonymizer } = options
  requireOneOf('level', level, LEVELS)
  requireOneOf('format', format, ['json', 'console'])
  if (file !== undefined && stream !== undefined) throw new TypeError('"file" and "stream" exclude each other')
  if (file !== undefined) requireString('file', file)
  // It would be taken for none, and the lines would go to the standard output.
  if (file === '') throw new TypeError('"file" expected a path, got ""')
  if (stream !== undefined) requireFunction('stream.write', (stream as Writable | null)?.write)
  if (stream !== undefined) requireFunction('stream.on', stream.on)
  if (onError !== undefined) requireFunction('onError', onError)
  if (pseudonymizer !== undefined) requireFunction('pseudonymizer', pseudonymizer)
  if (!Array.isArray(addressFields)) throw new TypeError(`"addressFields" expected names, got ${show(addressFields)}`)
  for (const name of addressFields) requireString('addressFields', name)

  const pseudonymOf =
    options.hashAddresses === false ? null : (pseudonymizer ?? createAddressPseudonymizer(clockOf(options)))
  // Only a plain `true` or `false` turns a protection off; a "false" from an environment variable is no answer.
  const redactor = new Redactor({ pseudonymOf, addressFields, keepQueries: options.keepQueries === true })
  const report = (error: Error): void => {
    try {
      onError?.(error)
    } catch {
      // There is nobody left to tell.
    }
  }
  const { destination, close } = openDestination(file, stream, report)
  // Loaded here, by the first logger, and at once, so that a logger can be had without waiting.
  const pino: typeof import('pino') = createRequire(import.meta.url)('pino')
  const clock = options.clock ?? Date.now
  const sink = pino.default(
    {
      level,
      customLevels: { security: 70 },
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":${timeBy(clock)}`,
      formatters: { level: (label) => ({ level: label }) },
    },
    format === 'json' ? destination : new ConsoleFormat(destination),
  )
  return new PinoBackedLogger({ sink, redactor, level, report, close }, redactor.fields(options.fields ?? {}))
}

/** As JSON. A line without a time is better than none. */
function timeBy(clock: Clock): string {
  try {
    return JSON.stringify(new Date(clock()))
  } catch {
    return 'null'
  }
}

const OPTION_NAMES = [
  'level',
  'file',
  'stream',
  'format',
  'hashAddresses',
  'addressFields',
  'pseudonymizer',
  'keepQueries',
  'fields',
  'clock',
  'onError',
] as const satisfies readonly (keyof LoggerOptions)[]

const clockOf = ({ clock }: LoggerOptions): { clock?: Clock } => (clock === undefined ? {} : { clock })

/** Anything that takes whole lines. */
export interface LineSink {
  write(line: string): unknown
}

function openDestination(
  file: string | undefined,
  stream: Writable | undefined,
  report: (error: Error) => void,
): { destination: LineSink; close: () => void } {
  if (stream !== undefined) {
    // A stream without a listener for errors would end the process.
    stream.on('error', report)
    return { destination: stream, close: () => {} }
  }
  const pino: typeof import('pino') = createRequire(import.meta.url)('pino')
  try {
    const opened = pino.destination(
      file === undefined ? { dest: 2 } : { dest: file, append: true, mode: 0o600, sync: true },
    )
    opened.on('error', report)
    return { destination: opened, close: () => file !== undefined && opened.end() }
  } catch (cause) {
    const path = file ?? 'the standard error'
    const message = `cannot open the log ${show(path)}: ${reasonOf(cause)}`
    throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, message, { cause })
  }
}

/** What a logger and its children share. */
interface LoggerParts {
  readonly sink: PinoLogger<'security'>
  readonly redactor: Redactor
  readonly level: LogLevel
  readonly report: (error: Error) => void
  readonly close: () => void
}

/** @internal Closes the file of a logger that nobody uses any more. */
export function closeLogger(logger: Logger): void {
  if (logger instanceof PinoBackedLogger) logger.close()
}

class PinoBackedLogger implements Logger {
  readonly level: LogLevel
  readonly #parts: LoggerParts
  readonly #sink: PinoLogger<'security'>
  readonly #redactor: Redactor
  readonly #report: (error: Error) => void
  readonly #bound: LogFields

  constructor(parts: LoggerParts, bound: LogFields) {
    this.level = parts.level
    this.#parts = parts
    this.#sink = parts.sink
    this.#redactor = parts.redactor
    this.#report = parts.report
    this.#bound = bound
  }

  trace(message: string, fields?: LogFields): void {
    this.#write('trace', message, fields)
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields)
  }

  fatal(message: string, fields?: LogFields): void {
    this.#write('fatal', message, fields)
  }

  security(message: string, fields?: LogFields): void {
    this.#write('security', message, fields)
  }

  child(fields: LogFields): Logger {
    const bound = { ...this.#bound, ...this.#redactor.fields(fields) }
    return new PinoBackedLogger(this.#parts, bound)
  }

  close(): void {
    try {
      this.#parts.close()
    } catch (error) {
      this.#report(error instanceof Error ? error : new Error('the log could not be closed', { cause: error }))
    }
  }

  #write(level: LogLevel | 'security', message: string, fields: LogFields | undefined): void {
    try {
      if (!this.#sink.isLevelEnabled(level)) return
      const own = fields === undefined ? {} : this.#redactor.fields(fields)
      // What a line has by itself cannot be forged by a field of that name: the field gets another one.
      const safe = Object.entries({ ...this.#bound, ...own }).map(([name, value]) => [
        OWN_NAMES.has(name) ? `${name}_` : name,
        value,
      ])
      this.#sink[level](Object.fromEntries(safe), this.#redactor.message(message))
    } catch (error) {
      // A stream or a clock of the caller's that throws.
      this.#report(error instanceof Error ? error : new Error('the log could not be written', { cause: error }))
    }
  }
}

const OWN_NAMES = new Set(['level', 'time', 'message'])
