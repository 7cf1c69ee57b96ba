// What `tlacacoca/logging` offers. The logger underneath is loaded by the first call that makes one.

export { FileError, TlacacocaError } from '../errors.ts'
export { logDecisions, logTofuEvents } from './listeners.ts'
export { createLogger, type LogFields, type Logger, type LoggerOptions, type LogLevel } from './logger.ts'
export { type AddressPseudonymizer, type AddressPseudonymizerOptions, createAddressPseudonymizer } from './pseudonym.ts'
export { configureLogging, getLogger } from './shared-logger.ts'
