// One certificate of a server, and the names it answers to.

import type { Certificate } from '../certificate/certificate.ts'
import type { KeyedChain } from '../certificate/keyed-chain.ts'
import type { Passphrase } from '../certificate/passphrase.ts'
import { requireString, show } from '../internal/arguments.ts'
import { canonicalPattern, patternsOf } from './certificate-set.ts'
import {
  type KeyedCertificate,
  keyedCertificate,
  labelsOf,
  loadKeyedCertificate,
  type PemPair,
  readPemPair,
  requireKeyedSource,
} from './keyed-certificate.ts'
import { prefixed } from './prefixed-error.ts'

/** Which names a certificate of a server is for. */
export interface ServedNames {
  /**
   * The host names to answer to with this certificate, `*.` and a name for any one label before it. Without the
   * option: the DNS names in the certificate's subjectAltName. The common name is never looked at (RFC 9525).
   */
  readonly hostnames?: readonly string[]
}

interface SourceOptions extends ServedNames {
  /** Opens an encrypted key. */
  readonly passphrase?: Passphrase
}

/**
 * A certificate and its key as PEM files. The certificate's file may hold the authorities above it, in any order, and
 * comments, and nothing else.
 */
export interface ServerCertificateFiles extends SourceOptions {
  /** The path of the certificate. A reload reads it again. */
  readonly certFile: string
  /** The path of its private key. A reload reads it again. */
  readonly keyFile: string
}

/**
 * A certificate and its key as PEM text. The certificate's text may hold the authorities above it, in any order, and
 * comments, and nothing else.
 */
export interface ServerCertificateTexts extends SourceOptions {
  /** The certificate. */
  readonly cert: string
  /** Its private key. */
  readonly key: string
}

/** Where a server's certificate comes from. A chain that was made before is never read again. */
export type ServerCertificateSource =
  | ServerCertificateFiles
  | ServerCertificateTexts
  | (ServedNames & { readonly chain: KeyedChain })

/** A certificate that a server shows, and the names it answers to. */
export interface ServedCertificate {
  /** Which entry it is, for messages: `certificates[1] (/etc/capsule/cert.pem)`. */
  readonly label: string
  readonly certificate: Certificate
  /** What is sent to clients, the server's own certificate first. A root is not, unless it is that certificate. */
  readonly chain: readonly Certificate[]
  /** Canonical host names, perhaps with a leading `*.`. */
  readonly hostnames: readonly string[]
}

/** @internal */
export interface LoadedCertificate {
  readonly served: ServedCertificate
  readonly keyed: KeyedCertificate
  /** Whether the host names were given, and not taken from the certificate. */
  readonly explicitNames: boolean
  /** What it was read from, which tells a later reading whether anything changed; null if it was not read. */
  readonly texts: PemPair | null
}

/**
 * Checks the shape of an entry, so that misuse shows before anything is read.
 *
 * @throws {TypeError} If it is no kind of source.
 */
export function requireSource(name: string, source: unknown): asserts source is ServerCertificateSource {
  requireKeyedSource(name, source, ['hostnames'])
  const { hostnames } = source as { hostnames?: unknown }
  if (hostnames === undefined) return
  if (!Array.isArray(hostnames) || hostnames.length === 0) {
    throw new TypeError(`"${name}.hostnames" expected a list of host names, got ${show(hostnames)}`)
  }
  for (const [index, hostname] of hostnames.entries()) requireString(`${name}.hostnames[${index}]`, hostname)
}

/**
 * Reads an entry and checks that it can be served.
 *
 * @param previous - The same entry as it was loaded before; it is returned as it is if the texts have not changed.
 */
export async function loadServedCertificate(
  source: ServerCertificateSource,
  index: number,
  previous?: LoadedCertificate,
): Promise<LoadedCertificate> {
  const labels = labelsOf(`certificates[${index}]`, source)
  if ('chain' in source) {
    return previous ?? named(source, labels.cert, keyedCertificate(source.chain, labels.cert), null)
  }
  const texts = await readPemPair(source, labels)
  if (previous?.texts?.cert === texts.cert && previous.texts.key === texts.key) return previous
  return named(source, labels.cert, await loadKeyedCertificate(texts, labels, source.passphrase), texts)
}

function named(
  source: ServerCertificateSource,
  label: string,
  keyed: KeyedCertificate,
  texts: PemPair | null,
): LoadedCertificate {
  const { leaf: certificate, sent: chain } = keyed.chain
  try {
    const served = { label, certificate, chain, hostnames: hostnamesOf(source, certificate) }
    return { served, keyed, explicitNames: source.hostnames !== undefined, texts }
  } catch (error) {
    throw prefixed(label, error)
  }
}

function hostnamesOf(source: ServerCertificateSource, certificate: Certificate): readonly string[] {
  if (source.hostnames !== undefined) return [...new Set(source.hostnames.map(canonicalPattern))]
  return patternsOf(certificate)
}
