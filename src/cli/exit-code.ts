import {
  AddressListError,
  CertificateChangedError,
  ConnectionError,
  FileError,
  ListenError,
  NotTrustedError,
  PeerRefusedError,
  StoreError,
  TLSAlertError,
  TlacacocaError,
  TruncatedError,
} from '../errors.ts'

/** How the command ends. Documented: scripts depend on it. */
export const ExitCode = {
  ok: 0,
  /** The answer is no: a certificate is not in order, a server is not trusted, somebody said no. */
  no: 1,
  /** The command was not understood. */
  usage: 2,
  /** Something that was given is malformed: a certificate, a key, a list, a URL. */
  badInput: 3,
  /** The other side cannot be reached, or does not keep to the protocol. */
  network: 4,
  /** A file or database cannot be read or written. */
  storage: 5,
  /** A mistake in this program. */
  internal: 70,
  /** Ctrl-C. */
  interrupted: 130,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** The command was understood by the parser, but makes no sense, or needs something that was not said. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Somebody was asked, and gave up or said no. */
export class Declined extends Error {
  override readonly name = 'Declined'
}

/** The other side does not keep to the protocol. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer'
}

/** What somebody wrote has a mistake: a file of settings, a URL. */
export class BadInput extends Error {
  override readonly name = 'BadInput'
}

/** An error of the library, with more to say about it to a person, and facts for `--json`. */
export class Explained extends Error {
  override readonly name = 'Explained'
  override readonly cause: Error
  readonly facts: Readonly<Record<string, unknown>>

  constructor(message: string, cause: Error, facts: Readonly<Record<string, unknown>> = {}) {
    super(message, { cause })
    this.cause = cause
    this.facts = facts
  }
}

/** Which of them an error comes to. */
export function exitCodeFor(error: unknown): ExitCode {
  if (error instanceof Explained) return exitCodeFor(error.cause)
  if (error instanceof BadAnswer) return ExitCode.network
  if (error instanceof BadInput) return ExitCode.badInput
  if (error instanceof UsageError) return ExitCode.usage
  if (error instanceof Declined) return ExitCode.no
  if (error instanceof CertificateChangedError || error instanceof NotTrustedError) return ExitCode.no
  if (error instanceof PeerRefusedError) return ExitCode.no
  if (error instanceof FileError || error instanceof StoreError) return ExitCode.storage
  if (error instanceof ConnectionError || error instanceof TLSAlertError || error instanceof TruncatedError) {
    return ExitCode.network
  }
  if (error instanceof ListenError) return ExitCode.network
  if (error instanceof AddressListError || error instanceof TlacacocaError) return ExitCode.badInput
  return ExitCode.internal
}
