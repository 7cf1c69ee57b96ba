// A certificate of ours with its key: checked to belong together, and ready for OpenSSL.

import type { Certificate } from '../certificate/certificate.ts'
import { MAX_CERTIFICATE_FILE_BYTES, parseCertificates } from '../certificate/load.ts'
import type { Passphrase } from '../certificate/passphrase.ts'
import { formatPem } from '../certificate/pem.ts'
import { exportPkcs8, loadPrivateKey, matchesCertificate } from '../certificate/private-key.ts'
import { textOf } from '../certificate/source.ts'
import { ContextError, PrivateKeyError } from '../errors.ts'
import { requireOptions, requireString } from '../internal/arguments.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { prefixed } from './prefixed-error.ts'

/** Where a certificate and its key come from: PEM files, or PEM text. */
export type KeyedSource = ({ readonly certFile: string; readonly keyFile: string } | PemPair) & {
  readonly passphrase?: Passphrase
}

export interface PemPair {
  readonly cert: string
  readonly key: string
}

/** What to call the two parts in messages. */
export interface PartLabels {
  readonly cert: string
  readonly key: string
}

export interface KeyedCertificate {
  readonly certificate: Certificate
  /** With what followed it in its text, itself first. */
  readonly chain: readonly Certificate[]
  readonly certPem: string
  /** PKCS#8, not encrypted: for OpenSSL and for nobody else. */
  readonly keyPem: string
  /** As OpenSSL tells keys apart: a handshake can choose among one certificate of each type. */
  readonly keyType: string
}

/**
 * Checks the shape of a source, so that misuse shows before anything is read.
 *
 * @param others - What else the source may have, apart from the two parts and a passphrase.
 * @throws {TypeError} If it is neither kind. A key is never shown in a message.
 */
export function requireKeyedSource(name: string, source: unknown, others: readonly string[]): void {
  const files = typeof source === 'object' && source !== null && ('certFile' in source || 'keyFile' in source)
  const [cert, key] = files ? (['certFile', 'keyFile'] as const) : (['cert', 'key'] as const)
  requireOptions(name, source, [cert, key, 'passphrase', ...others])
  const values: Readonly<Record<string, unknown>> = { ...source }
  requireString(`${name}.${cert}`, values[cert])
  if (typeof values[key] !== 'string') throw new TypeError(`"${name}.${key}" expected a string`)
  const { passphrase } = source as { passphrase?: unknown }
  if (passphrase !== undefined && typeof passphrase !== 'string' && !(passphrase instanceof Uint8Array)) {
    throw new TypeError(`"${name}.passphrase" expected a string or bytes`)
  }
}

/** Names the parts: by their files, where they are files. */
export function labelsOf(name: string, source: KeyedSource): PartLabels {
  if (!('certFile' in source)) return { cert: name, key: name }
  return { cert: `${name} (${source.certFile})`, key: `${name} (${source.keyFile})` }
}

/**
 * Reads the two texts.
 *
 * @throws {FileError}
 */
export async function readPemPair(source: KeyedSource, labels: PartLabels): Promise<PemPair> {
  if (!('certFile' in source)) return { cert: source.cert, key: source.key }
  return {
    cert: await labelled(labels.cert, () => readPem(source.certFile)),
    key: await labelled(labels.key, () => readPem(source.keyFile)),
  }
}

/**
 * Checks that a peer could be shown the certificate. OpenSSL refuses another key of the same type, but takes an RSA key
 * for an EC certificate without a word, and then every handshake fails; so the key is tried here.
 *
 * @throws {CertificateError} | {PrivateKeyError} If a part is malformed, or they do not belong together.
 * @throws {ContextError} If TLS has no place for such a key. All messages begin with the label of the part.
 */
export async function loadKeyedCertificate(
  texts: PemPair,
  labels: PartLabels,
  passphrase: Passphrase | undefined,
): Promise<KeyedCertificate> {
  const chain = await labelled(labels.cert, () => parseCertificates(texts.cert))
  // There is one at least, or it would have thrown.
  const certificate = chain[0] as Certificate
  await labelled(labels.cert, () => requireCarried(certificate))
  const key = await labelled(labels.key, async () => {
    const found = await loadPrivateKey(texts.key, { passphrase })
    if (matchesCertificate(found, certificate)) return found
    throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', 'the private key does not belong to the certificate')
  })
  return {
    certificate,
    chain,
    certPem: chain.map((link) => link.toPem()).join(''),
    keyPem: formatPem('PRIVATE KEY', exportPkcs8(key)),
    keyType: String(key.asymmetricKeyType),
  }
}

// RFC 8446 section 4.2.3. With a key on another curve every TLS 1.3 handshake fails, on a client without a word.
const CURVES: ReadonlySet<string | null> = new Set(['P-256', 'P-384', 'P-521'])

function requireCarried({ keyType, keyCurve }: Certificate): void {
  if (keyType === 'other' || (keyType === 'ec' && !CURVES.has(keyCurve))) {
    throw new ContextError(`TLS cannot carry a certificate with a key of this kind (${keyCurve ?? 'unknown'})`)
  }
}

async function readPem(path: string): Promise<string> {
  return textOf(await readFileBytes(path, { maxBytes: MAX_CERTIFICATE_FILE_BYTES }))
}

async function labelled<Result>(label: string, action: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    throw prefixed(label, error)
  }
}
