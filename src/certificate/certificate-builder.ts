// Puts certificates together. Extensions are encoded by `@peculiar/asn1-x509`, the schemas that `@peculiar/x509` is made
// of; names, dates and what holds the parts together (RFC 5280 section 4.1) are written here. The schemas would parse and
// encode every part again to write the whole, which takes longer than both signatures of a request and its answer.
//
// So each part goes in as its DER and stands in the certificate octet by octet: a name that was encoded once serves for a
// thousand certificates, and a public key is certified as it came.
//
// Signing has two steps, so that an authority can write down what it is about to sign before it does.
//
// Text never passes through a distinguished name in one string, so no name can add attributes to another.

import { randomBytes } from 'node:crypto'
import { show } from '../internal/arguments.ts'
import { Certificate } from './certificate.ts'
import { TAG } from './der.ts'
import { element, integer, oid } from './der-writer.ts'
import { ExtensionMaker } from './extension-maker.ts'
import type { CertificateExtension } from './extensions.ts'
import type { Validity } from './generate-options.ts'
import type { WritableAttribute } from './name-fields.ts'
import type { Signer } from './signing.ts'

/** What a certificate consists of, besides its signature. */
export interface CertificateParts {
  /** Lower-case hex, 1 to 20 octets, positive. Default: 128 random bits. */
  readonly serialNumber?: string
  /** DER of the signer's name: the very octets of its certificate's subject. */
  readonly issuer: Uint8Array
  /** DER of a name. */
  readonly subject: Uint8Array
  readonly validity: Validity
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** In this order, at least one, and none twice. */
  readonly extensions: readonly CertificateExtension[]
}

/** Loads the schemas, which takes some tens of milliseconds the first time. */
export async function loadCertificateBuilder(): Promise<CertificateBuilder> {
  return new CertificateBuilder(await ExtensionMaker.load())
}

export class CertificateBuilder {
  /** Makes the extensions. */
  readonly extensions: ExtensionMaker

  constructor(extensions: ExtensionMaker) {
    this.extensions = extensions
  }

  /** DER of a name: one attribute in each set, in this order; all of them UTF8String unless their type wants another. */
  name(attributes: readonly WritableAttribute[]): Uint8Array {
    return element(TAG.sequence, ...attributes.map(encodeAttribute))
  }

  /**
   * What is to be signed: the TBSCertificate, version 3.
   *
   * @throws {RangeError} For a serial number that no certificate can have, no extensions, or one of them twice.
   */
  signedPart(parts: CertificateParts, signer: Signer): Uint8Array {
    const serialNumber = parts.serialNumber === undefined ? newSerialNumber() : serialOctets(parts.serialNumber)
    requireDistinct(parts.extensions)
    return element(
      TAG.sequence,
      VERSION_3,
      element(TAG.integer, serialNumber),
      algorithmIdentifier(signer),
      parts.issuer,
      encodeValidity(parts.validity),
      parts.subject,
      parts.spki,
      element(EXTENSIONS, element(TAG.sequence, ...parts.extensions.map(encodeExtension))),
    )
  }

  /** The certificate that a signed part and its signature make. */
  assemble(signedPart: Uint8Array, signer: Signer, signature: Uint8Array): Certificate {
    return Certificate.from(withSignature(signedPart, signer, signature))
  }

  /** Both steps and the signature between them. */
  async build(parts: CertificateParts, signer: Signer): Promise<Certificate> {
    const signedPart = this.signedPart(parts, signer)
    return this.assemble(signedPart, signer, await signer.sign(signedPart))
  }
}

/** DER of the AlgorithmIdentifier by which somebody signs. */
export function algorithmIdentifier(signer: Signer): Uint8Array {
  const known = ALGORITHM_IDENTIFIERS.get(signer)
  if (known !== undefined) return known
  const der = element(TAG.sequence, oid(signer.algorithm), ...(signer.hasNullParameters ? [NULL] : []))
  ALGORITHM_IDENTIFIERS.set(signer, der)
  return der
}

const ALGORITHM_IDENTIFIERS = new WeakMap<Signer, Uint8Array>()

/** DER of what a certificate, a request and a list of revoked ones have in common: the signed part and its signature. */
export function withSignature(signedPart: Uint8Array, signer: Signer, signature: Uint8Array): Uint8Array {
  const bits = element(TAG.bitString, NO_UNUSED_BITS, signature)
  return element(TAG.sequence, signedPart, algorithmIdentifier(signer), bits)
}

/** DER of a set of one attribute (section 4.1.2.4). */
function encodeAttribute({ oid: type, value, as = 'utf8String' }: WritableAttribute): Uint8Array {
  const text = element(TAG[as], Buffer.from(value, 'utf8'))
  return element(TAG.set, element(TAG.sequence, oid(type), text))
}

function encodeValidity({ notBefore, notAfter }: Validity): Uint8Array {
  return element(TAG.sequence, encodeTime(notBefore), encodeTime(notAfter))
}

/** DER of a Time: UTCTime up to 2049 and GeneralizedTime from then on, in whole seconds, as section 4.1.2.5 wants. */
function encodeTime(date: Date): Uint8Array {
  const digits = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`
  const year = date.getUTCFullYear()
  const isShort = year >= 1950 && year < 2050
  return element(isShort ? TAG.utcTime : TAG.generalizedTime, Buffer.from(isShort ? digits.slice(2) : digits, 'latin1'))
}

/** DER of one extension with its identifier. Section 4.1: what is not critical does not say so. */
export function encodeExtension({ oid: identifier, critical, value }: CertificateExtension): Uint8Array {
  return element(TAG.sequence, oid(identifier), ...(critical ? [TRUE] : []), element(TAG.octetString, value))
}

const VERSION_3 = element(0xa0, integer(2))
const EXTENSIONS = 0xa3
const NULL = element(TAG.null)
const TRUE = element(TAG.boolean, Uint8Array.of(0xff))
const NO_UNUSED_BITS = Uint8Array.of(0)

/** 128 random bits as a positive INTEGER; RFC 5280 section 4.1.2.2 allows up to 20 octets. */
function newSerialNumber(): Uint8Array {
  let octets = randomBytes(16)
  // DER allows no padding, and one serial of 256 would begin with some.
  while (octets[0] === 0) octets = randomBytes(16)
  return positive(octets)
}

function serialOctets(hex: string): Uint8Array {
  const octets = positive(Buffer.from(hex, 'hex'))
  if (!/^(?!00)(?:[0-9a-f]{2})+$/.test(hex) || octets.length > 20) {
    throw new RangeError(
      `"serialNumber" expected lower-case hex of a positive number of up to 20 octets, got ${show(hex)}`,
    )
  }
  return octets
}

/** The first bit of an INTEGER is its sign. */
function positive(octets: Uint8Array): Uint8Array {
  return (octets[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...octets) : octets
}

/** RFC 5280 section 4.2: one of each kind. Section 4.1.2.9: at least one. */
function requireDistinct(extensions: readonly CertificateExtension[]): void {
  const identifiers = new Set(extensions.map((each) => each.oid))
  if (identifiers.size === 0) throw new RangeError('"extensions" expected at least one, got none')
  if (identifiers.size < extensions.length) throw new RangeError('"extensions" expected each kind once, got one twice')
}
