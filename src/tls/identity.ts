// The certificate that a client shows, with its key.

import type { Passphrase } from '../certificate/passphrase.ts'
import {
  type KeyedCertificate,
  labelsOf,
  loadKeyedCertificate,
  readPemPair,
  requireKeyedSource,
} from './keyed-certificate.ts'

/** A client's certificate and its key as PEM files. The certificate's file may hold its intermediates, after it. */
export interface ClientIdentityFiles {
  readonly certFile: string
  readonly keyFile: string
  /** Opens an encrypted key. */
  readonly passphrase?: Passphrase
}

/** A client's certificate and its key as PEM text. The certificate's text may hold its intermediates, after it. */
export interface ClientIdentityTexts {
  readonly cert: string
  readonly key: string
  /** Opens an encrypted key. */
  readonly passphrase?: Passphrase
}

/** Who a client is: a certificate and the key to prove it with. */
export type ClientIdentity = ClientIdentityTexts | ClientIdentityFiles

/** @internal Checks the shape of an identity, so that misuse shows before anything is read. */
export function requireIdentity(identity: unknown): asserts identity is ClientIdentity {
  requireKeyedSource('identity', identity, [])
}

/** @internal Reads an identity and checks that a server could be shown it. Throws as `loadKeyedCertificate` does. */
export async function loadIdentity(identity: ClientIdentity): Promise<KeyedCertificate> {
  const labels = labelsOf('identity', identity)
  return loadKeyedCertificate(await readPemPair(identity, labels), labels, identity.passphrase)
}
