// A certificate revocation list (RFC 5280 section 5): what an authority tells those who cannot ask it.
//
// Its parts are encoded by the schemas of `@peculiar/asn1-x509`; what holds them is put together here. So the issuer's name
// is the very octets of the certificate (GnuTLS compares octets), what is in the list is what was signed, and an entry
// takes a fraction of the time.
//
// A list says less than the store: a certificate that is released again is just no longer in it (`removeFromCRL` is for
// delta lists), and a reason of `unspecified` is left out, as section 5.3.1 wants.

import { type KeyObject, verify } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import { algorithmIdentifier, withSignature } from '../certificate/certificate-builder.ts'
import { readWhole, TAG, wholeOctets } from '../certificate/der.ts'
import { element, integer } from '../certificate/der-writer.ts'
import { formatPem } from '../certificate/pem.ts'
import { readSignatureAlgorithm } from '../certificate/signature-algorithm.ts'
import { type Signer, signerFor } from '../certificate/signing.ts'
import { AuthorityError } from '../errors.ts'
import { type CrlEntry, loadCrlEncoder, wholeSeconds } from './crl-encoding.ts'

/** Who signs a list. */
export interface CrlIssuer {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
}

/** What a list says. Instants are milliseconds since the epoch; fractions of seconds are cut off. */
export interface CrlContents {
  readonly number: bigint
  readonly thisUpdate: number
  readonly nextUpdate: number
  readonly entries: readonly CrlEntry[]
}

/** A signed list of the certificates that an authority has taken back. */
export class Crl {
  /** Later lists have higher numbers (RFC 5280 section 5.2.3). */
  readonly number: bigint
  /** When it was made. What was revoked later is not in it. */
  readonly thisUpdate: Date
  /** By when there will be another. Whoever has only this one then knows nothing any more. */
  readonly nextUpdate: Date
  readonly #der: Uint8Array

  /** @internal */
  constructor(facts: { number: bigint; thisUpdate: number; nextUpdate: number; der: Uint8Array }) {
    this.number = facts.number
    this.thisUpdate = new Date(facts.thisUpdate)
    this.nextUpdate = new Date(facts.nextUpdate)
    this.#der = facts.der
    Object.freeze(this)
  }

  /** The DER, in a copy: `application/pkix-crl` (RFC 2585). */
  get der(): Uint8Array {
    return new Uint8Array(this.#der)
  }

  /** PEM, as `openssl crl` reads it. */
  toPem(): string {
    return formatPem('X509 CRL', this.#der)
  }
}

/**
 * Makes and signs a list, and verifies the signature before the list is handed out.
 *
 * @throws {AuthorityError} AUTHORITY_CRL_UNAVAILABLE if the authority's certificate does not let it sign lists;
 *   AUTHORITY_SIGNATURE_WRONG.
 */
export async function signCrl(issuer: CrlIssuer, contents: CrlContents): Promise<Crl> {
  requireCrlSign(issuer.certificate)
  const encoder = await loadCrlEncoder()
  const signer = signerOf(issuer)
  const algorithm = algorithmIdentifier(signer)
  const entries = await encoder.entries(contents.entries)
  const signed = element(
    TAG.sequence,
    VERSION_2,
    algorithm,
    issuer.certificate.subjectDer,
    encoder.time(contents.thisUpdate),
    encoder.time(contents.nextUpdate),
    // Section 5.1.2.6: with no entries, the list of them is left out.
    ...(entries.length === 0 ? [] : [element(TAG.sequence, Buffer.concat(entries))]),
    element(0xa0, encoder.extensions(issuer.certificate, contents.number)),
  )
  const signature = await signer.sign(signed)
  // A computation that went wrong while an RSA key signed gives the key away to whoever sees the signature.
  if (!verifies(issuer, signer, signed, signature)) {
    throw new AuthorityError(
      'ERR_TLACACOCA_AUTHORITY_SIGNATURE_WRONG',
      'the signature of the revocation list does not verify with the key of the authority; check that key and certificate belong together',
    )
  }
  return new Crl({
    number: contents.number,
    thisUpdate: wholeSeconds(contents.thisUpdate),
    nextUpdate: wholeSeconds(contents.nextUpdate),
    der: withSignature(signed, signer, signature),
  })
}

/** A list out of a store; null if it was not signed with the key of this issuer. */
export function readOwnCrl(
  issuer: CrlIssuer,
  stored: {
    readonly number: bigint
    readonly thisUpdate: number
    readonly nextUpdate: number
    readonly der: Uint8Array
  },
): Crl | null {
  try {
    const parts = readWhole(stored.der, TAG.sequence, 'the revocation list').children()
    const signed = parts.read(TAG.sequence, 'the signed part').encoded
    const algorithm = parts.read(TAG.sequence, 'the signature algorithm').encoded
    const signer = signerOf(issuer)
    const signature = wholeOctets(parts.read(TAG.bitString, 'the signature'), 'the signature')
    parts.finish('the revocation list')
    const isOwn = Buffer.compare(algorithm, algorithmIdentifier(signer)) === 0
    return isOwn && verifies(issuer, signer, signed, signature) ? new Crl(stored) : null
  } catch {
    return null
  }
}

function signerOf({ certificate, privateKey }: CrlIssuer): Signer {
  return signerFor(privateKey, certificate.subjectPublicKeyInfo)
}

function verifies({ certificate }: CrlIssuer, signer: Signer, signed: Uint8Array, signature: Uint8Array): boolean {
  const { hash } = readSignatureAlgorithm(algorithmIdentifier(signer))
  return verify(hash, signed, certificate.publicKey(), signature)
}

/**
 * Section 4.2.1.3: an authority that lists what its key may be used for must list this, or nobody will believe it.
 *
 * @throws {AuthorityError} AUTHORITY_CRL_UNAVAILABLE.
 */
export function requireCrlSign({ keyUsage, subject }: Certificate): void {
  if (keyUsage?.includes('cRLSign') ?? true) return
  throw new AuthorityError(
    'ERR_TLACACOCA_AUTHORITY_CRL_UNAVAILABLE',
    `the certificate of ${subject} has a keyUsage without cRLSign, so nobody would believe its revocation lists; the authority needs a certificate with it`,
  )
}

const VERSION_2 = integer(1)
