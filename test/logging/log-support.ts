import { Writable } from 'node:stream'
import { createLogger, type Logger, type LoggerOptions } from '../../src/logging/logger.ts'

/** A stream that keeps what it is given. */
export class Kept extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString()
    done()
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }
}

/** A logger at the level `trace`, unless the options say otherwise, and a function that gives its lines as objects. */
export function keptLogger(options: LoggerOptions = {}): {
  log: Logger
  lines: () => Record<string, unknown>[]
  kept: Kept
} {
  const kept = new Kept()
  const log = createLogger({ level: 'trace', stream: kept, clock: () => 0, ...options })
  return { log, kept, lines: () => kept.lines.map((line) => JSON.parse(line) as Record<string, unknown>) }
}

/** The fields of one line. */
export function logged(fields: unknown, options: LoggerOptions = {}): Record<string, unknown> {
  const { log, lines } = keptLogger(options)
  log.info('x', fields as Record<string, unknown>)
  const [{ level, time, message, ...rest } = {}] = lines()
  return rest
}

/** The text of a message. */
export function loggedText(message: string, options: LoggerOptions = {}): unknown {
  const { log, lines } = keptLogger(options)
  log.info(message)
  const [{ message: shown } = {}] = lines()
  return shown
}
