// What a script gets to know of the client: the environment variables that Gemini servers with CGI or FastCGI have in common.
// jetforce, gmid and gmnisrv agree on the names and not on the spellings, so the spellings are options.
//
// The values come out of a certificate, that is, from a stranger. Two rules follow.
//
// 1. A value that could do harm is left out, whole. It is not repaired: an escaped or shortened name is somebody else's.
// 2. A variable that has no value is `undefined` and not missing, because Node takes that for "not set". So whoever spreads
//    the result over another environment takes away what an earlier client, or the shell that the server was started from,
//    has left there.

import { CertificateError } from '../errors.ts'
import { requireDate, requireOneOf, requireOptions, requireString, show } from '../internal/arguments.ts'
import { type FingerprintStyle, formatFingerprint, STYLES } from './fingerprint.ts'
import { Peer, type TLSVersion } from './peer.ts'
import { requireTrustStore, type TrustStore } from './trust-store.ts'

/** The spellings, and what the peer itself does not know. */
export interface CertificateEnvironmentOptions {
  /**
   * How `TLS_CLIENT_HASH` is written. Default `prefixed-upper`: `SHA256:` and 64 digits in capitals, as jetforce and gmnisrv
   * do. gmid has `prefixed`, in small letters; molly-brown has `hex`.
   */
  readonly hashStyle?: FingerprintStyle
  /** What `REMOTE_USER` is: the common name as in jetforce and gmnisrv (the default), or the whole subject as in gmid. */
  readonly remoteUser?: 'common_name' | 'subject'
  /** What `AUTH_TYPE` is with a certificate. Default `CERTIFICATE`, as in jetforce and gmid; gmnisrv has the other. */
  readonly authType?: 'CERTIFICATE' | 'Certificate'
  /**
   * The authorities for `TLS_CLIENT_AUTHORISED`, which is judged now. Default: what the server's context judged in the
   * handshake; nobody is authorised if it had no authorities to ask.
   */
  readonly issuedBy?: TrustStore
  /** The instant at which to judge. Default: now. */
  readonly at?: Date
  /** `TLS_VERSION`. Default: the peer's; without a peer it is not known. */
  readonly tlsVersion?: TLSVersion
  /** `TLS_CIPHER`, such as `TLS_AES_128_GCM_SHA256`. A peer does not know it, its stream does. Default: not set. */
  readonly tlsCipher?: string
}

/** The variables of {@link certificateEnvironment}: all of them, each with its value or `undefined` for "must not be set". */
export type CertificateEnvironment = { readonly [Name in CertificateVariable]: string | undefined }

/** The names of the variables. */
export type CertificateVariable =
  | 'AUTH_TYPE'
  | 'REMOTE_USER'
  | 'TLS_CLIENT_HASH'
  | 'TLS_CLIENT_HASH_B64'
  | 'TLS_CLIENT_SUBJECT'
  | 'TLS_CLIENT_ISSUER'
  | 'TLS_CLIENT_SERIAL_NUMBER'
  | 'TLS_CLIENT_NOT_BEFORE'
  | 'TLS_CLIENT_NOT_AFTER'
  | 'TLS_CLIENT_AUTHORISED'
  | 'TLS_VERSION'
  | 'TLS_CIPHER'

/**
 * What a script may know of a client's certificate, as environment variables.
 *
 * | variable | value |
 * | --- | --- |
 * | `AUTH_TYPE` | `CERTIFICATE` |
 * | `REMOTE_USER` | the common name, or the whole subject |
 * | `TLS_CLIENT_HASH` | SHA-256 of the certificate, `SHA256:146A…` |
 * | `TLS_CLIENT_HASH_B64` | the same in base64url, padded, as in jetforce |
 * | `TLS_CLIENT_SUBJECT`, `TLS_CLIENT_ISSUER` | names by RFC 4514: `CN=ana,O=Club`; a line end in one is `\0a` |
 * | `TLS_CLIENT_SERIAL_NUMBER` | decimal |
 * | `TLS_CLIENT_NOT_BEFORE`, `TLS_CLIENT_NOT_AFTER` | `2030-06-01T12:00:00Z` |
 * | `TLS_CLIENT_AUTHORISED` | `1` if a trusted authority has issued it and it is within its dates, otherwise `0` |
 * | `TLS_VERSION`, `TLS_CIPHER` | `TLSv1.3`, if known |
 *
 * **A name is no identity.** Whoever makes a certificate chooses what is in it: anybody can be `admin` by `REMOTE_USER`, by
 * the subject and by the serial number. A script decides by `TLS_CLIENT_HASH`. By the others it may decide only where
 * `TLS_CLIENT_AUTHORISED` is `1` (and `0` is a text, which many languages take for true).
 *
 * Values with control characters, line ends, or marks that turn the direction of writing, empty ones and those above 1,024
 * bytes are left out; so is a part of the certificate that cannot be read. The hash is always there.
 *
 * Without a peer every variable but `TLS_VERSION` and `TLS_CIPHER` is `undefined`. Spread over another environment, that takes
 * away what was there under these names. {@link scriptEnvironment} does so for names that others use as well.
 *
 * @throws {TypeError} If `peer` is neither a peer nor null, or an option is wrong.
 * @throws {RangeError} If `at` is no valid date.
 * @example
 * import { spawn } from 'node:child_process'
 * import { certificateEnvironment, type Peer } from 'tlacacoca/certificate'
 *
 * function run(script: string, peer: Peer | null) {
 *   return spawn(script, { env: { PATH: '/usr/bin:/bin', ...certificateEnvironment(peer) } })
 * }
 */
export function certificateEnvironment(
  peer: Peer | null,
  options: CertificateEnvironmentOptions = {},
): CertificateEnvironment {
  requireOptions('options', options, KNOWN)
  const { hashStyle = 'prefixed-upper', remoteUser = 'common_name', authType = 'CERTIFICATE', issuedBy } = options
  const { at = new Date(), tlsVersion, tlsCipher } = options
  requireOneOf('hashStyle', hashStyle, STYLES)
  requireOneOf('remoteUser', remoteUser, ['common_name', 'subject'])
  requireOneOf('authType', authType, ['CERTIFICATE', 'Certificate'])
  if (issuedBy !== undefined) requireTrustStore('issuedBy', issuedBy)
  requireDate('at', at)
  if (tlsVersion !== undefined) requireOneOf('tlsVersion', tlsVersion, ['TLSv1.2', 'TLSv1.3'])
  if (tlsCipher !== undefined) requireCipher(tlsCipher)
  if (peer === null) return { ...NOBODY, TLS_VERSION: tlsVersion, TLS_CIPHER: tlsCipher }
  if (!Peer.is(peer)) throw new TypeError(`"peer" expected a Peer or null, got ${show(peer)}`)

  const { certificate } = peer
  const subject = harmless(() => certificate.subject.toString())
  return {
    AUTH_TYPE: authType,
    REMOTE_USER: remoteUser === 'subject' ? subject : harmless(() => certificate.subject.commonName),
    TLS_CLIENT_HASH: formatFingerprint(certificate.fingerprint, hashStyle),
    TLS_CLIENT_HASH_B64: formatFingerprint(certificate.fingerprint, 'base64url'),
    TLS_CLIENT_SUBJECT: subject,
    TLS_CLIENT_ISSUER: harmless(() => certificate.issuer.toString()),
    TLS_CLIENT_SERIAL_NUMBER: harmless(() => decimal(certificate.serialNumber)),
    TLS_CLIENT_NOT_BEFORE: harmless(() => toSeconds(certificate.notBefore)),
    TLS_CLIENT_NOT_AFTER: harmless(() => toSeconds(certificate.notAfter)),
    TLS_CLIENT_AUTHORISED: isAuthorised(peer, issuedBy, at) ? '1' : '0',
    TLS_VERSION: tlsVersion ?? peer.protocol,
    TLS_CIPHER: tlsCipher,
  }
}

/**
 * The whole environment for a script: what it is given, and what is known of the client.
 *
 * Whatever claims in `base` to be about a client is taken away first, in capitals or not, by whoever's convention: all of
 * `TLS_CLIENT_…` and `SSL_CLIENT_…`, `AUTH_TYPE`, `REMOTE_USER`, `REMOTE_IDENT`, `TLS_VERSION`, `TLS_CIPHER…`. So
 * no script sees the certificate of another client, or one that was never shown.
 *
 * @param base - What the script needs besides, such as `PATH` and `QUERY_STRING`. There is no default: what your server runs
 *   with, `process.env`, may hold secrets that no script should see.
 * @throws {TypeError} If `base` is no object of texts, a name or a value in it cannot stand in an environment (NUL, or `=` in
 *   a name), or an argument is wrong as in {@link certificateEnvironment}.
 * @throws {RangeError} If `at` is no valid date.
 * @example
 * import { spawn } from 'node:child_process'
 * import { scriptEnvironment } from 'tlacacoca/certificate'
 * import type { ServerConnection } from 'tlacacoca/tls'
 *
 * function run(script: string, { peer, address }: ServerConnection) {
 *   const env = scriptEnvironment({ PATH: '/usr/bin:/bin', REMOTE_ADDR: address.toString() }, peer)
 *   return spawn(script, { env, stdio: ['ignore', 'pipe', 'inherit'] })
 * }
 */
export function scriptEnvironment(
  base: { readonly [name: string]: string | undefined },
  peer: Peer | null,
  options: CertificateEnvironmentOptions = {},
): { [name: string]: string } {
  if (typeof base !== 'object' || base === null || Array.isArray(base)) {
    throw new TypeError(`"base" expected an object, got ${show(base)}`)
  }
  const ofClient = Object.entries(certificateEnvironment(peer, options))
  const others = Object.entries(base).filter(([name]) => !OF_A_CLIENT.test(name))
  const environment: { [name: string]: string } = {}
  for (const [name, value] of [...others, ...ofClient]) {
    if (value === undefined) continue
    requireVariable(name, value)
    // Assigning would call the setter that every object has for the one name `__proto__`.
    Object.defineProperty(environment, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return environment
}

const KNOWN = [
  'hashStyle',
  'remoteUser',
  'authType',
  'issuedBy',
  'at',
  'tlsVersion',
  'tlsCipher',
] as const satisfies readonly (keyof CertificateEnvironmentOptions)[]

const NOBODY: CertificateEnvironment = Object.freeze({
  AUTH_TYPE: undefined,
  REMOTE_USER: undefined,
  TLS_CLIENT_HASH: undefined,
  TLS_CLIENT_HASH_B64: undefined,
  TLS_CLIENT_SUBJECT: undefined,
  TLS_CLIENT_ISSUER: undefined,
  TLS_CLIENT_SERIAL_NUMBER: undefined,
  TLS_CLIENT_NOT_BEFORE: undefined,
  TLS_CLIENT_NOT_AFTER: undefined,
  TLS_CLIENT_AUTHORISED: undefined,
  TLS_VERSION: undefined,
  TLS_CIPHER: undefined,
})

// Windows does not tell capitals from small letters, and some languages read their variables so everywhere.
const OF_A_CLIENT =
  /^(?:(?:TLS|SSL)_CLIENT_.*|AUTH_TYPE|REMOTE_(?:USER|IDENT)|(?:TLS|SSL)_CIPHER(?:_.*)?|TLS_VERSION|SSL_PROTOCOL)$/is

// Line ends and other controls, halves of characters, and what turns the direction of the text around it.
const HARMFUL = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

// As long as a whole request may be. A system has room for some 100,000 bytes in one variable, and a certificate for as many.
const MAX_BYTES = 1024

// Twice what RFC 5280 section 4.1.2.2 allows, in hex digits. Longer ones would take long to write in decimal.
const MAX_SERIAL = 2 * 40

/** A text of the certificate, if it can be read and is harmless. */
function harmless(read: () => string | null): string | undefined {
  try {
    const text = read()
    if (text === null || text === '' || HARMFUL.test(text) || Buffer.byteLength(text) > MAX_BYTES) return undefined
    return text
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

function isAuthorised(peer: Peer, issuedBy: TrustStore | undefined, at: Date): boolean {
  if (issuedBy !== undefined) {
    return issuedBy.issuanceOf([peer.certificate, ...peer.chain.slice(1)], at).kind === 'issued'
  }
  return peer.issuance === 'issued' && harmless(() => peer.validityAt(at)) === 'valid'
}

function decimal(hex: string): string | null {
  if (hex.length > MAX_SERIAL) return null
  return hex.startsWith('-') ? `-${BigInt(`0x${hex.slice(1)}`)}` : `${BigInt(`0x${hex}`)}`
}

function toSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

function requireCipher(cipher: unknown): void {
  requireString('tlsCipher', cipher)
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(cipher)) {
    throw new TypeError(`"tlsCipher" expected the name of a cipher suite, got ${show(cipher)}`)
  }
}

/** The value stays out of the message: it may be a secret. */
function requireVariable(name: string, value: unknown): void {
  if (!/^[^=\0]+$/.test(name)) throw new TypeError(`"base" expected names of variables, got ${show(name)}`)
  if (typeof value !== 'string' || value.includes('\0')) {
    throw new TypeError(`"base" expected texts without NUL, got something else for ${show(name)}`)
  }
}
