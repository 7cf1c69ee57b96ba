// One logger for a whole program, for those who want no more than that. Libraries take a logger, or a callback, as an
// argument instead: nothing in this package writes to this one by itself.

import { closeLogger, createLogger, type LogFields, type Logger, type LoggerOptions } from './logger.ts'

let shared: Logger | null = null

/**
 * Sets up the logger that `getLogger` gives. May be called again; loggers that were given before use the new settings.
 *
 * @throws {FileError} `ERR_TLACACOCA_FILE_UNWRITABLE` if the file cannot be opened; the settings before it stay.
 * @example
 * import { configureLogging, getLogger } from 'tlacacoca/logging'
 *
 * configureLogging({ level: 'info', file: 'server.log' })
 * getLogger({ component: 'server' }).info('listening', { port: 1965 })
 */
export function configureLogging(options: LoggerOptions = {}): void {
  const before = shared
  shared = createLogger(options)
  // Nobody else has it: what `getLogger` gives asks for the current one each time.
  if (before !== null) closeLogger(before)
}

/**
 * The program's logger, with fields that stand in each of its lines. Without `configureLogging` it writes errors and
 * security events to the standard error.
 *
 * @example
 * import { getLogger } from 'tlacacoca/logging'
 *
 * getLogger({ component: 'uploads' }).error('the disk is full', { path: '/var/gemini' })
 */
export function getLogger(fields: LogFields = {}): Logger {
  return loggerWith([fields])
}

/** @param layers - Fields of a logger, of its child, and so on. They are not put together here: reading one may throw. */
function loggerWith(layers: readonly LogFields[]): Logger {
  let base: Logger | null = null
  let bound: Logger | null = null
  const current = (): Logger => {
    shared ??= createLogger()
    if (bound === null || base !== shared) {
      base = shared
      bound = layers.reduce<Logger>((logger, fields) => logger.child(fields), shared)
    }
    return bound
  }
  return {
    get level() {
      return current().level
    },
    trace: (message, more) => current().trace(message, more),
    debug: (message, more) => current().debug(message, more),
    info: (message, more) => current().info(message, more),
    warn: (message, more) => current().warn(message, more),
    error: (message, more) => current().error(message, more),
    fatal: (message, more) => current().fatal(message, more),
    security: (message, more) => current().security(message, more),
    child: (more) => loggerWith([...layers, more]),
  }
}
