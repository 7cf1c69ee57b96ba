import {
  CertificateError,
  ChainError,
  ContextError,
  ExtraneousPrivateKeyError,
  FileError,
  InvalidNameError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoCertificateChainError,
  NoLeafCertificateError,
  PrivateKeyError,
} from '../errors.ts'

/**
 * The same error with the place in front of its message, so that of twenty certificates the one at fault is named. The
 * class, the code and the facts stay; what is no error of ours becomes a {@link ContextError}.
 */
export function prefixed(label: string, error: unknown): Error {
  const message = `${label}: ${error instanceof Error ? error.message : String(error)}`
  if (error instanceof FileError) return new FileError(error.code, error.path, message, { cause: error })
  if (error instanceof PrivateKeyError) return new PrivateKeyError(error.code, message, { cause: error })
  if (error instanceof CertificateError) return new CertificateError(error.code, message, { cause: error })
  if (error instanceof InvalidNameError) return new InvalidNameError(error.code, message, { cause: error })
  if (error instanceof ChainError) return chainError(error, message)
  return new ContextError(message, { cause: error })
}

const CHAIN_ERRORS = [
  ExtraneousPrivateKeyError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoCertificateChainError,
  NoLeafCertificateError,
]

function chainError(error: ChainError, message: string): ChainError {
  const { code, subjects, line } = error
  const facts = line === undefined ? { subjects } : { subjects, line }
  const Class = CHAIN_ERRORS.find((each) => error instanceof each)
  return Class === undefined
    ? new ChainError(code, message, facts, { cause: error })
    : new Class(message, facts, { cause: error })
}
