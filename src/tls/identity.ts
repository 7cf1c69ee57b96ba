// The certificate that a client shows, with its key: read, checked, and ready for OpenSSL.

import type { Certificate } from '../certificate/certificate.ts'
import { parseCertificates } from '../certificate/load.ts'
import { formatPem } from '../certificate/pem.ts'
import { exportPkcs8, loadPrivateKey, matchesCertificate } from '../certificate/private-key.ts'
import { ContextError, PrivateKeyError } from '../errors.ts'
import { requireString } from '../internal/arguments.ts'
import { readTextFile } from '../internal/atomic-file.ts'
import { requireOptions } from './options.ts'
import { prefixed } from './prefixed-error.ts'

/** A client's certificate and its key as PEM files. The certificate's file may hold its intermediates, after it. */
export interface ClientIdentityFiles {
  readonly certFile: string
  readonly keyFile: string
  /** Opens an encrypted key. */
  readonly passphrase?: string
}

/** A client's certificate and its key as PEM text. The certificate's text may hold its intermediates, after it. */
export interface ClientIdentityTexts {
  readonly cert: string
  readonly key: string
  /** Opens an encrypted key. */
  readonly passphrase?: string
}

/** Who a client is: a certificate and the key to prove it with. */
export type ClientIdentity = ClientIdentityTexts | ClientIdentityFiles

/** @internal What OpenSSL gets. */
export interface LoadedIdentity {
  readonly certificate: Certificate
  readonly certPem: string
  readonly keyPem: string
}

/**
 * Checks the shape of an identity, so that misuse shows before anything is read.
 *
 * @throws {TypeError} If it is not one of the two kinds. A key is never shown in a message.
 */
export function requireIdentity(identity: unknown): asserts identity is ClientIdentity {
  const files = typeof identity === 'object' && identity !== null && ('certFile' in identity || 'keyFile' in identity)
  const [cert, key] = files ? (['certFile', 'keyFile'] as const) : (['cert', 'key'] as const)
  requireOptions('identity', identity, [cert, key, 'passphrase'])
  const values = identity as Record<string, unknown>
  requireString(`identity.${cert}`, values[cert])
  if (typeof values[key] !== 'string') throw new TypeError(`"identity.${key}" expected a string`)
  const { passphrase } = values
  if (passphrase !== undefined && typeof passphrase !== 'string') {
    throw new TypeError('"identity.passphrase" expected a string')
  }
}

/**
 * Reads an identity and checks that a server could get it: the key is the certificate's, and TLS has a name for its kind.
 *
 * @throws {FileError} If a file cannot be read.
 * @throws {CertificateError} | {PrivateKeyError} If a part is malformed, or they do not belong together.
 * @throws {ContextError} If TLS cannot carry such a key. All messages name the part.
 */
export async function loadIdentity(identity: ClientIdentity): Promise<LoadedIdentity> {
  const files = 'certFile' in identity
  const [leaf, ...others] = await labelled(files ? identity.certFile : 'cert', async () => {
    const [first, ...rest] = parseCertificates(files ? await readTextFile(identity.certFile) : identity.cert)
    return [requireCarried(first), ...rest] as const
  })
  const keyPem = await labelled(files ? identity.keyFile : 'key', async () => {
    const text = files ? await readTextFile(identity.keyFile) : identity.key
    const key = await loadPrivateKey(text, { passphrase: identity.passphrase })
    // OpenSSL takes a key of another type than the certificate's without a word, and then every handshake fails.
    if (!matchesCertificate(key, leaf)) {
      throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', 'the private key does not belong to the certificate')
    }
    return formatPem('PRIVATE KEY', exportPkcs8(key))
  })
  return { certificate: leaf, certPem: [leaf, ...others].map((link) => link.toPem()).join(''), keyPem }
}

// With a key on any other curve TLS 1.3 sends no certificate and does not say so, and TLS 1.2 fails.
const CURVES: ReadonlySet<string | null> = new Set(['P-256', 'P-384', 'P-521'])

function requireCarried(certificate: Certificate | undefined): Certificate {
  if (certificate === undefined) throw new ContextError('there is no certificate in it')
  const { keyType, keyCurve } = certificate
  if (keyType === 'other' || (keyType === 'ec' && !CURVES.has(keyCurve))) {
    throw new ContextError(`TLS cannot carry a certificate with a key of this kind (${keyCurve ?? 'unknown'})`)
  }
  return certificate
}

async function labelled<T>(part: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw prefixed(`identity (${part})`, error)
  }
}
