// Every error that bad data or bad weather can cause, in one place, with codes that never change.
//
// There are three channels. Misuse of the library throws a plain `TypeError` or `RangeError`. An outcome that the
// caller must decide on (a verdict, a denial) is returned. Everything else, from a damaged file to a peer that hangs
// up, throws a subclass of `TlacacocaError`: switch on `code`, read the facts from the fields, follow `cause`.
//
// Invariant: no message, field or cause of these holds a private key or a passphrase.

/** The base of every error that this library throws on purpose, apart from misuse. */
export abstract class TlacacocaError extends Error {
  /** What happened, stable from release to release: `ERR_TLACACOCA_` and a word. */
  abstract readonly code: `ERR_TLACACOCA_${string}`

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** A text that should name something (a host, an address, a fingerprint, a request) does not. */
export class InvalidNameError extends TlacacocaError {
  override readonly code:
    | 'ERR_TLACACOCA_ENDPOINT_INVALID'
    | 'ERR_TLACACOCA_ADDRESS_INVALID'
    | 'ERR_TLACACOCA_FINGERPRINT_INVALID'
    | 'ERR_TLACACOCA_TARGET_INVALID'
    | 'ERR_TLACACOCA_TARGET_WRONG_SCHEME'
    | 'ERR_TLACACOCA_TARGET_WRONG_HOST'

  constructor(code: InvalidNameError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Bytes that should be a certificate, or a set of them, are not, or not one that can be used here. */
export class CertificateError extends TlacacocaError {
  override readonly code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' | 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED'

  constructor(code: CertificateError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Bytes that should be a certificate request (PKCS#10) are not, or not one that can be granted. */
export class CertificateRequestError extends TlacacocaError {
  override readonly code: /** It is damaged, ambiguous, or no request at all. */
    | 'ERR_TLACACOCA_CSR_MALFORMED'
    /** It is longer, or asks for more names, than a request ever needs. */
    | 'ERR_TLACACOCA_CSR_TOO_LARGE'
    /** Its signature does not show that whoever made it holds the key. */
    | 'ERR_TLACACOCA_CSR_UNPROVEN'
    /** Its key is malformed, weak, or of a kind that is not certified. */
    | 'ERR_TLACACOCA_CSR_KEY_REFUSED'

  constructor(code: CertificateRequestError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * A request for a certificate was refused by whoever decides about it: throw it in the `authorize` hook of an authority.
 * The message is for whoever runs the authority; clients over HTTP are told only that they were refused.
 */
export class CsrNotAuthedError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_CSR_NOT_AUTHORIZED'

  constructor(message = 'the request was not authorized', options?: ErrorOptions) {
    super(message, options)
  }
}

/** A certificate authority cannot be used, or does not do what was asked. What fails in its store is a `StoreError`. */
export class AuthorityError extends TlacacocaError {
  override readonly code: /** The directory lacks one of its files. */
    | 'ERR_TLACACOCA_AUTHORITY_INCOMPLETE'
    /** Everybody can read or change what nobody else may. */
    | 'ERR_TLACACOCA_AUTHORITY_EXPOSED'
    /** Certificate, key, public key and request do not belong together. */
    | 'ERR_TLACACOCA_AUTHORITY_MISMATCH'
    /** The certificate is not one that may sign others. */
    | 'ERR_TLACACOCA_AUTHORITY_NOT_AN_AUTHORITY'
    /** Its key is too weak, or of a kind that is not used here. */
    | 'ERR_TLACACOCA_AUTHORITY_KEY_REFUSED'
    | 'ERR_TLACACOCA_AUTHORITY_EXPIRED'
    | 'ERR_TLACACOCA_AUTHORITY_NOT_YET_VALID'
    /** It has too little time left to sign anything that lasts. */
    | 'ERR_TLACACOCA_AUTHORITY_EXPIRING'
    /** What is said to be above it is not, or may not be. */
    | 'ERR_TLACACOCA_AUTHORITY_CHAIN_INVALID'
    /** The key is encrypted and there is no passphrase, or a new one is to be and there is none. */
    | 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED'
    /** What is there for a passphrase cannot be one. */
    | 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_INVALID'
    /** No revocation list can be made. */
    | 'ERR_TLACACOCA_AUTHORITY_CRL_UNAVAILABLE'
    /** There is no profile of this name, or it is not to be had in this way. */
    | 'ERR_TLACACOCA_AUTHORITY_PROFILE_UNKNOWN'
    /** A name, the validity, a usage or an extension is not what the profile allows; `field` says which. */
    | 'ERR_TLACACOCA_AUTHORITY_POLICY'
    /** The serial number of a generator is not positive, too short, too long, or was used before. */
    | 'ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID'
    /** No certificate of this authority has this serial number. */
    | 'ERR_TLACACOCA_AUTHORITY_SERIAL_UNKNOWN'
    /** The certificate cannot be renewed by its holder: it is not ours, revoked, too old or too new; `reason` says which. */
    | 'ERR_TLACACOCA_AUTHORITY_RENEWAL_REFUSED'
    /** A certificate that is revoked stays so, and one that was not held cannot be released. */
    | 'ERR_TLACACOCA_AUTHORITY_STATUS_FINAL'
    /** The same request is being signed right now. */
    | 'ERR_TLACACOCA_AUTHORITY_BUSY'
    /** It keeps no record of what it has issued (`store: 'none'`), and this needs one. */
    | 'ERR_TLACACOCA_AUTHORITY_NO_STORE'
    /** A hook failed: `presign`, or `postsign` where there is no store to try it again from. */
    | 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED'
    /** What was signed does not verify, or is not what was to be signed. It was not handed out. */
    | 'ERR_TLACACOCA_AUTHORITY_SIGNATURE_WRONG'
    /** It has been closed. */
    | 'ERR_TLACACOCA_AUTHORITY_CLOSED'
  /** The part of the certificate that it is about, such as `notAfter` or `subjectAltNames.dns`. */
  readonly field: string | undefined
  /** One word to branch on, where there are several reasons for one code. */
  readonly reason: string | undefined

  constructor(
    code: AuthorityError['code'],
    message: string,
    options: ErrorOptions & { readonly field?: string; readonly reason?: string } = {},
  ) {
    super(message, options)
    this.code = code
    this.field = options.field
    this.reason = options.reason
  }
}

/** A private key cannot be read, does not open with this passphrase, or belongs to another certificate. */
export class PrivateKeyError extends TlacacocaError {
  override readonly code:
    | 'ERR_TLACACOCA_KEY_MALFORMED'
    | 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED'
    | 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG'
    | 'ERR_TLACACOCA_KEY_MISMATCH'

  constructor(code: PrivateKeyError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * A PKCS#12 container (`.p12`, `.pfx`) cannot be read or written. What is wrong with a key or a certificate in it is a
 * `PrivateKeyError` or a `CertificateError`, and so is a passphrase that does not open it.
 */
export class Pkcs12Error extends TlacacocaError {
  override readonly code: /** It is damaged, or no such container. */
    | 'ERR_TLACACOCA_PKCS12_MALFORMED'
    /** It is protected in a way that is not supported. The message names it. */
    | 'ERR_TLACACOCA_PKCS12_UNSUPPORTED'
    /** Nothing in it tells whether it was changed since it was written. */
    | 'ERR_TLACACOCA_PKCS12_NO_MAC'
    /** Reading it would take more work or memory than allowed. */
    | 'ERR_TLACACOCA_PKCS12_EXCESSIVE'

  constructor(code: Pkcs12Error['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A file cannot be read or written. */
export class FileError extends TlacacocaError {
  override readonly code:
    | 'ERR_TLACACOCA_FILE_NOT_FOUND'
    | 'ERR_TLACACOCA_FILE_EXISTS'
    | 'ERR_TLACACOCA_FILE_UNREADABLE'
    | 'ERR_TLACACOCA_FILE_UNWRITABLE'
  /** The file, as it was named. */
  readonly path: string

  constructor(code: FileError['code'], path: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.path = path
  }
}

/**
 * A server presented a certificate other than the one pinned for its endpoint. Either the operator replaced it or
 * somebody is in the middle; from here the two look the same. The pin store is unchanged.
 */
export class CertificateChangedError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_CERTIFICATE_CHANGED' as const
  /** The endpoint, as `host:port`. */
  readonly endpoint: string
  /** Fingerprint of the certificate that is pinned. */
  readonly pinned: string
  /** Fingerprint of the certificate that was presented. */
  readonly presented: string

  constructor(facts: { endpoint: string; pinned: string; presented: string }, options?: ErrorOptions) {
    super(`${facts.endpoint} is pinned to ${facts.pinned} but presented ${facts.presented}`, options)
    this.endpoint = facts.endpoint
    this.pinned = facts.pinned
    this.presented = facts.presented
  }
}

/** A certificate was refused by trust on first use for a reason other than a plain change. The store is unchanged. */
export class NotTrustedError extends TlacacocaError {
  override readonly code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED' | 'ERR_TLACACOCA_FIRST_USE_REFUSED'
  /** The endpoint, as `host:port`. */
  readonly endpoint: string
  /** Fingerprint of the certificate that was presented. */
  readonly presented: string

  constructor(code: NotTrustedError['code'], facts: { endpoint: string; presented: string }, options?: ErrorOptions) {
    super(
      code === 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED'
        ? `${facts.endpoint} presented ${facts.presented}, which is marked as never to be trusted`
        : `${facts.endpoint} was never seen before, presented ${facts.presented}, and the policy does not trust it`,
      options,
    )
    this.code = code
    this.endpoint = facts.endpoint
    this.presented = facts.presented
  }
}

/**
 * A store (a database file, a database server) could not answer. It never means "nothing is stored": whoever asked
 * must act as if the answer had been no.
 */
export class StoreError extends TlacacocaError {
  override readonly code:
    | 'ERR_TLACACOCA_STORE_CORRUPT'
    | 'ERR_TLACACOCA_STORE_LOCKED'
    | 'ERR_TLACACOCA_STORE_READ_ONLY'
    | 'ERR_TLACACOCA_STORE_FULL'
    | 'ERR_TLACACOCA_STORE_FOREIGN'
    | 'ERR_TLACACOCA_STORE_NEWER'
    | 'ERR_TLACACOCA_STORE_CLOSED'
    /** The names of hosts are kept as hashes, and what was asked for needs the names. */
    | 'ERR_TLACACOCA_STORE_HASHED'
    /** The names of hosts are to be kept as hashes, and the file has names in it already. */
    | 'ERR_TLACACOCA_STORE_NOT_HASHED'
    | 'ERR_TLACACOCA_STORE_FAILED'

  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** One thing that is wrong in a file, and where. Lines and columns count from 1. */
export interface FileProblem {
  /** From 1. */
  readonly line: number
  /** From 1, in characters. */
  readonly column: number
  /** What is wrong there, in a few words. */
  readonly message: string
}

/** A file to import has mistakes, or the store changed between the plan and its application. Nothing was changed. */
export class ImportError extends TlacacocaError {
  override readonly code:
    | 'ERR_TLACACOCA_IMPORT_INVALID'
    | 'ERR_TLACACOCA_IMPORT_OUTDATED'
    /** The file is of no program that is known here. */
    | 'ERR_TLACACOCA_IMPORT_FORMAT_UNKNOWN'
    /** The file has lines of several programs, or of another than it was said to be of. */
    | 'ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS'
  /** Every mistake found, in the order of the file. Empty when it is not about lines. */
  readonly problems: readonly FileProblem[]

  constructor(
    code: ImportError['code'],
    message: string,
    problems: readonly FileProblem[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.problems = problems
  }
}

/** A list of known hosts does not have the signature that it should have. Nothing was changed. */
export class SignatureError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_SIGNATURE_INVALID'
  readonly reason: /** The signature is damaged, or no signature at all. */
    | 'malformed'
    /** It was made with another key than the one that was expected. */
    | 'other_signer'
    /** It does not fit the key that it names. */
    | 'forged'
    /** It is in order, and of another list, or of this one before it was changed. */
    | 'other_list'

  constructor(reason: SignatureError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** A list of addresses has mistakes, or is too short or too long to be one. Guards go on with the list that they have. */
export class AddressListError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_ADDRESS_LIST_INVALID'
  /** The file, or what the text is called. */
  readonly source: string
  /** The mistakes, in the order of the list: the first hundred, if there are more. Empty if only its length is wrong. */
  readonly problems: readonly FileProblem[]

  constructor(message: string, source: string, problems: readonly FileProblem[] = [], options?: ErrorOptions) {
    super(message, options)
    this.source = source
    this.problems = problems
  }
}

/**
 * The identity registry does not do what was asked, because of who asks, or of what is stored. Nothing was changed. What
 * fails in the store itself is a `StoreError`.
 */
export class IdentityError extends TlacacocaError {
  override readonly code: /** Only a user can do this, and the certificate belongs to none. */
    | 'ERR_TLACACOCA_IDENTITY_UNKNOWN'
    /** The certificate cannot be used: `reason` is `expired`, `not_yet_valid`, `malformed`, `revoked` and the like. */
    | 'ERR_TLACACOCA_IDENTITY_REFUSED'
    /** The certificate belongs to a user already. */
    | 'ERR_TLACACOCA_IDENTITY_ALREADY_LINKED'
    | 'ERR_TLACACOCA_IDENTITY_REGISTRATION_CLOSED'
    /** The handle breaks the rules for handles; `reason` says which. */
    | 'ERR_TLACACOCA_IDENTITY_HANDLE_INVALID'
    /** What a user calls a certificate must be 1 to 64 characters on one line. */
    | 'ERR_TLACACOCA_IDENTITY_LABEL_INVALID'
    /** Somebody has, or had, this handle or one that looks like it, or it is reserved. */
    | 'ERR_TLACACOCA_IDENTITY_HANDLE_TAKEN'
    /** The code is wrong, used, expired, or of somebody else: there is one answer for all of these. */
    | 'ERR_TLACACOCA_IDENTITY_CODE_INVALID'
    /** Too many tries; `retryAfterSeconds` says when there will be another. */
    | 'ERR_TLACACOCA_IDENTITY_LIMITED'
    /** The user has no such credential, or no such request waits. */
    | 'ERR_TLACACOCA_IDENTITY_NOT_FOUND'
    /** It is the last certificate by which the user can get in; `reason` says what is missing to revoke it. */
    | 'ERR_TLACACOCA_IDENTITY_LAST_CREDENTIAL'
    /** The rotation statement is malformed, forged, expired, used, or about something else; `reason` says which. */
    | 'ERR_TLACACOCA_IDENTITY_ROTATION_INVALID'
    /** The store was written with another pepper, or with none. */
    | 'ERR_TLACACOCA_IDENTITY_PEPPER_MISMATCH'
    /** A wallet: the file with names and scopes is damaged. See {@link IdentityMetadataError}. */
    | 'ERR_TLACACOCA_IDENTITY_METADATA_INVALID'
    /** A wallet: the file with names and scopes was written by a newer release. */
    | 'ERR_TLACACOCA_IDENTITY_METADATA_NEWER'
    /** A wallet: the user has not confirmed that the identity may be shown there; `reason` says why that is needed. */
    | 'ERR_TLACACOCA_IDENTITY_NOT_CONFIRMED'
    /** A wallet: the identity is about to be replaced by another one, and not every site knows of it yet. */
    | 'ERR_TLACACOCA_IDENTITY_ROTATING'
    /** An import or export: what another program keeps is damaged, or is no such thing at all. */
    | 'ERR_TLACACOCA_IDENTITY_FORMAT_INVALID'
    /** An import or export: it is of a version or kind that is not read, or that the other program does not take. */
    | 'ERR_TLACACOCA_IDENTITY_FORMAT_UNSUPPORTED'
    /** An import: it is larger, or there is more of it, than is read. */
    | 'ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE'
    /** An import: there is a certificate without its private key. */
    | 'ERR_TLACACOCA_IDENTITY_KEY_MISSING'
    /** An import: there is a private key, or something about an identity, without the certificate. */
    | 'ERR_TLACACOCA_IDENTITY_CERTIFICATE_MISSING'
    /** An import or export: where the identity is shown cannot be said in the other program's way, or in ours. */
    | 'ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED'
  /** More about it in a word, for programs; null if the code says it all. */
  readonly reason: string | null
  /** After how many whole seconds there will be another try; null unless there were too many. */
  readonly retryAfterSeconds: number | null

  constructor(
    code: IdentityError['code'],
    message: string,
    facts: { readonly reason?: string; readonly retryAfterSeconds?: number } = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.reason = facts.reason ?? null
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null
  }
}

/**
 * The file in which a wallet keeps names and scopes cannot be read. Nothing was changed, and the identities themselves
 * are in files of their own: mend the file, or move it away and go on without names and scopes.
 */
export class IdentityMetadataError extends IdentityError {
  declare readonly code: 'ERR_TLACACOCA_IDENTITY_METADATA_INVALID'
  /** Of the file. */
  readonly path: string
  /** From 1, as are columns. */
  readonly line: number
  /** From 1, in characters. */
  readonly column: number

  constructor(path: string, problem: FileProblem, options?: ErrorOptions) {
    const { line, column, message } = problem
    super('ERR_TLACACOCA_IDENTITY_METADATA_INVALID', `${path}, line ${line}, column ${column}: ${message}`, {}, options)
    this.path = path
    this.line = line
    this.column = column
  }
}

/** A TLS context cannot be built from what was given. */
export class ContextError extends TlacacocaError {
  override readonly code: 'ERR_TLACACOCA_CONTEXT_INVALID'

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = 'ERR_TLACACOCA_CONTEXT_INVALID'
  }
}

/** A connection could not be made, or did not last. */
export class ConnectionError extends TlacacocaError {
  override readonly code:
    | 'ERR_TLACACOCA_CONNECT_FAILED'
    | 'ERR_TLACACOCA_HANDSHAKE_FAILED'
    | 'ERR_TLACACOCA_TIMEOUT'
    | 'ERR_TLACACOCA_ABORTED'
    /** As a server: there is no certificate for the name that the client asks for. */
    | 'ERR_TLACACOCA_UNKNOWN_SERVER_NAME'
    /** The server speaks TLS 1.2, where the client's certificate would travel in clear; it was not sent. */
    | 'ERR_TLACACOCA_IDENTITY_WITHHELD'
    /** It broke after it was established: an alert of the peer, a damaged record, data nobody was left to take. */
    | 'ERR_TLACACOCA_CONNECTION_BROKEN'
    /** Its secrets are not its own alone, so none can be derived: TLS 1.2 without extended_master_secret (RFC 7627). */
    | 'ERR_TLACACOCA_EXPORTER_UNAVAILABLE'
  /** The TLS alert (RFC 8446 section 6) that the peer sent, if it sent one. */
  readonly alert: number | undefined

  constructor(code: ConnectionError['code'], message: string, options?: ErrorOptions & { alert?: number }) {
    super(message, options)
    this.code = code
    this.alert = options?.alert
  }
}

/** A server cannot listen where it was told to. */
export class ListenError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_LISTEN_FAILED' as const
}

/** The verifier refused the server's certificate. Not one byte of the request was sent. */
export class PeerRefusedError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_PEER_REFUSED' as const
  /** The endpoint, as `host:port`. */
  readonly endpoint: string
  /** SHA-256 fingerprint of the certificate that was refused. */
  readonly presented: string
  /** Why, in one word per verifier, such as `expired` or `wrong_hostname`. */
  readonly reason: string

  constructor(facts: { endpoint: string; presented: string; reason: string; detail?: string }, options?: ErrorOptions) {
    super(`${facts.endpoint} presented ${facts.presented}, which was refused: ${facts.detail ?? facts.reason}`, options)
    this.endpoint = facts.endpoint
    this.presented = facts.presented
    this.reason = facts.reason
  }
}

/**
 * The connection ended without the peer's close_notify, so what came may not be all there was (RFC 8446 section 6.1).
 * Anybody on the path can end a connection; only the peer can say that it is finished.
 */
export class TruncatedError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_TRUNCATED' as const

  constructor(message = 'the connection ended before the peer said that it was finished', options?: ErrorOptions) {
    super(message, options)
  }
}

/**
 * Certificates and keys that do not make up what was asked for: a chain for a server or a client, a set of chains, a
 * store of trusted authorities. Five cases have classes of their own below; all of them are told apart by `code`.
 */
export class ChainError extends TlacacocaError {
  override readonly code:
    | 'ERR_TLACACOCA_CHAIN_PEM_INVALID'
    | 'ERR_TLACACOCA_CHAIN_UNEXPECTED_BLOCK'
    | 'ERR_TLACACOCA_CHAIN_CERTIFICATE_MALFORMED'
    | 'ERR_TLACACOCA_CHAIN_CRITICAL_EXTENSION'
    | 'ERR_TLACACOCA_CHAIN_EXTRANEOUS_KEY'
    | 'ERR_TLACACOCA_CHAIN_DUPLICATE_KEY'
    | 'ERR_TLACACOCA_CHAIN_KEY_MISSING'
    | 'ERR_TLACACOCA_CHAIN_KEY_FILE_EXPOSED'
    | 'ERR_TLACACOCA_CHAIN_NO_LEAF'
    | 'ERR_TLACACOCA_CHAIN_SEVERAL_LEAVES'
    | 'ERR_TLACACOCA_CHAIN_VERSION'
    | 'ERR_TLACACOCA_CHAIN_EXTRANEOUS_CERTIFICATE'
    | 'ERR_TLACACOCA_CHAIN_ORDER'
    | 'ERR_TLACACOCA_CHAIN_DUPLICATE_CERTIFICATE'
    | 'ERR_TLACACOCA_CHAIN_NOT_AN_AUTHORITY'
    | 'ERR_TLACACOCA_CHAIN_TOO_LONG'
    | 'ERR_TLACACOCA_CHAIN_LOOP'
    | 'ERR_TLACACOCA_CHAIN_INCOMPLETE'
    | 'ERR_TLACACOCA_CHAIN_EXPIRED'
    | 'ERR_TLACACOCA_CHAIN_NOT_YET_VALID'
    | 'ERR_TLACACOCA_CHAIN_WEAK'
    | 'ERR_TLACACOCA_CHAIN_WRONG_PURPOSE'
    | 'ERR_TLACACOCA_CHAIN_NAME_CONSTRAINT'
    | 'ERR_TLACACOCA_CHAIN_NO_AUTHORITIES'
  /** The certificates that the error is about, by subject (RFC 4514). */
  readonly subjects: readonly string[]
  /** Where in the text, from 1, if the text is what is wrong. */
  readonly line: number | undefined

  constructor(
    code: ChainError['code'],
    message: string,
    facts: { readonly subjects?: readonly string[]; readonly line?: number } = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.code = code
    this.subjects = facts.subjects ?? []
    this.line = facts.line
  }
}

type ChainErrorArguments = ConstructorParameters<typeof ChainError> extends [unknown, ...infer Rest] ? Rest : never

/** The leaf is there, its private key is not, where one is needed to prove it. */
export class LeafCertificateHasNoPrivateKeyError extends ChainError {
  declare readonly code: 'ERR_TLACACOCA_CHAIN_KEY_MISSING'

  constructor(...rest: ChainErrorArguments) {
    super('ERR_TLACACOCA_CHAIN_KEY_MISSING', ...rest)
  }
}

/** There are several leaves where a single chain was expected. */
export class MoreThanOneLeafCertificateError extends ChainError {
  declare readonly code: 'ERR_TLACACOCA_CHAIN_SEVERAL_LEAVES'

  constructor(...rest: ChainErrorArguments) {
    super('ERR_TLACACOCA_CHAIN_SEVERAL_LEAVES', ...rest)
  }
}

/** There is no leaf: a certificate that is no authority. */
export class NoLeafCertificateError extends ChainError {
  declare readonly code: 'ERR_TLACACOCA_CHAIN_NO_LEAF'

  constructor(...rest: ChainErrorArguments) {
    super('ERR_TLACACOCA_CHAIN_NO_LEAF', ...rest)
  }
}

/** There is no path from the leaf to any of the authorities that were asked for. */
export class NoCertificateChainError extends ChainError {
  declare readonly code: 'ERR_TLACACOCA_CHAIN_INCOMPLETE'

  constructor(...rest: ChainErrorArguments) {
    super('ERR_TLACACOCA_CHAIN_INCOMPLETE', ...rest)
  }
}

/** A private key is where none belongs, or belongs to no certificate. The key itself is never part of the error. */
export class ExtraneousPrivateKeyError extends ChainError {
  declare readonly code: 'ERR_TLACACOCA_CHAIN_EXTRANEOUS_KEY'

  constructor(...rest: ChainErrorArguments) {
    super('ERR_TLACACOCA_CHAIN_EXTRANEOUS_KEY', ...rest)
  }
}

/** How grave an alert is. A fatal one ends the connection. */
export type AlertLevel = 'warning' | 'fatal'

/** The peer ended the connection by an alert (RFC 8446 section 6). */
export class TLSAlertError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_TLS_ALERT' as const
  /** The number of the alert, 0 to 255. */
  readonly alertCode: number
  readonly alertLevel: AlertLevel
  /** The name of the standard, such as `certificate_required`; null if the number has none. */
  readonly alertName: string | null

  constructor(alert: { code: number; level: AlertLevel; name: string | null }, options?: ErrorOptions) {
    super(`the peer sent the ${alert.level} alert ${alert.name ?? 'without a name'} (${alert.code})`, options)
    this.alertCode = alert.code
    this.alertLevel = alert.level
    this.alertName = alert.name
  }
}

/** What came over the wire is not TLS, or breaks its rules, or one of the limits. The connection is over. */
export class BadTLSDataError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_BAD_TLS_DATA' as const
}

/** The call came too late: the connection is over, or the question has been answered already. `cause` says why. */
export class InvalidatedError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_INVALIDATED' as const
}

/** An alert may not have this level, or needs one (RFC 8446 section 6, RFC 5246 section 7.2.2). */
export class InvalidAlertLevel extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_ALERT_LEVEL_INVALID' as const
}

/** An alert cannot be sent so that the peer could read it, as the connection stands. Nothing was sent. */
export class AlertUnavailableError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_ALERT_UNAVAILABLE' as const
}

/** What a verify callback throws to refuse the peer by an alert of its choice. */
export class VerificationRefused extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_VERIFICATION_REFUSED' as const
  /** The alert that the peer gets to see (RFC 8446 section 6). */
  readonly alert: number

  constructor(alert: number, message = 'the peer was refused', options?: ErrorOptions) {
    super(message, options)
    this.alert = alert
  }
}

/** More was written before the handshake was over than is kept for later. What was taken before is still kept. */
export class BufferFullError extends TlacacocaError {
  override readonly code = 'ERR_TLACACOCA_BUFFER_FULL' as const
}
