// The certificate that a client shows, with its key.

import type { KeyedChain } from '../certificate/keyed-chain.ts'
import type { Passphrase } from '../certificate/passphrase.ts'
import {
  type KeyedCertificate,
  keyedCertificate,
  labelsOf,
  loadKeyedCertificate,
  readPemPair,
  requireKeyedSource,
} from './keyed-certificate.ts'

/**
 * A client's certificate and its key as PEM files. The certificate's file may hold the authorities above it, in any order,
 * and comments, and nothing else.
 */
export interface ClientIdentityFiles {
  /** The path of the certificate. */
  readonly certFile: string
  /** The path of its private key. */
  readonly keyFile: string
  /** Opens an encrypted key. */
  readonly passphrase?: Passphrase
}

/**
 * A client's certificate and its key as PEM text. The certificate's text may hold the authorities above it, in any order,
 * and comments, and nothing else.
 */
export interface ClientIdentityTexts {
  /** The certificate. */
  readonly cert: string
  /** Its private key. */
  readonly key: string
  /** Opens an encrypted key. */
  readonly passphrase?: Passphrase
}

/** Who a client is: a certificate and the key to prove it with; or a chain, which is both. */
export type ClientIdentity = ClientIdentityTexts | ClientIdentityFiles | { readonly chain: KeyedChain }

/** @internal Checks the shape of an identity, so that misuse shows before anything is read. */
export function requireIdentity(identity: unknown): asserts identity is ClientIdentity {
  requireKeyedSource('identity', identity, [])
}

/** @internal Reads an identity and checks that a server could be shown it. Throws as `loadKeyedCertificate` does. */
export async function loadIdentity(identity: ClientIdentity): Promise<KeyedCertificate> {
  const labels = labelsOf('identity', identity)
  if ('chain' in identity) return keyedCertificate(identity.chain, labels.cert)
  return loadKeyedCertificate(await readPemPair(identity, labels), labels, identity.passphrase)
}
