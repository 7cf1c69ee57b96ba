// Puts a self-signed certificate together. The structure is that of `@peculiar/asn1-x509`, the schemas that
// `@peculiar/x509` is made of; its own generator encodes and parses every part three times over, which takes longer than
// the key and the signature together.
//
// Text never passes through a distinguished name in one string, so no name can add attributes to another.

import { createHash, randomBytes } from 'node:crypto'
import type * as Asn1 from '@peculiar/asn1-schema'
import type * as X509 from '@peculiar/asn1-x509'
import type { CanonicalHost } from '../names/host.ts'
import { Certificate } from './certificate.ts'
import { readWhole, TAG, wholeOctets } from './der.ts'
import { element } from './der-writer.ts'
import { type CertificateExtension, EXTENSION } from './extensions.ts'
import type { CertificateUsage, Validity } from './generate-options.ts'
import type { Signer } from './signing.ts'

/** What a self-signed certificate consists of, besides its serial number and its signature. */
export interface CertificateParts {
  /** Subject and issuer. */
  readonly name: X509.Name
  readonly validity: Validity
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Uint8Array
  /** In this order, and at least one. */
  readonly extensions: readonly CertificateExtension[]
}

/** What decides about the extensions of a new certificate. */
export interface ExtensionFacts {
  readonly spki: Uint8Array
  readonly hosts: readonly CanonicalHost[]
  readonly usage: CertificateUsage
  readonly isCA: boolean
  /** Whether the subject is empty, so that the alternative names are all there is. */
  readonly nameless: boolean
}

/** Loads the schemas, which takes some tens of milliseconds the first time. */
export async function loadCertificateBuilder(): Promise<CertificateBuilder> {
  const [asn1, x509] = await Promise.all([import('@peculiar/asn1-schema'), import('@peculiar/asn1-x509')])
  return new CertificateBuilder(asn1, x509)
}

/** The schemas, loaded, and what is made with them. */
export class CertificateBuilder {
  readonly #convert: typeof Asn1.AsnConvert
  readonly #octetString: typeof Asn1.OctetString
  readonly #x509: typeof X509

  constructor(asn1: typeof Asn1, x509: typeof X509) {
    this.#convert = asn1.AsnConvert
    this.#octetString = asn1.OctetString
    this.#x509 = x509
  }

  /** A Name: one attribute in each set, in this order, all of them UTF8String (RFC 5280 section 4.1.2.4). */
  newName(attributes: readonly { readonly oid: string; readonly value: string }[]): X509.Name {
    const { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } = this.#x509
    return new Name(
      attributes.map(({ oid, value }) => {
        const utf8 = new AttributeValue({ utf8String: value })
        return new RelativeDistinguishedName([new AttributeTypeAndValue({ type: oid, value: utf8 })])
      }),
    )
  }

  /** A Name from its DER. */
  readName(der: Uint8Array): X509.Name {
    return this.#convert.parse(der, this.#x509.Name)
  }

  /** The extensions of a new certificate. */
  newExtensions(facts: ExtensionFacts): CertificateExtension[] {
    const x509 = this.#x509
    const { digitalSignature, keyCertSign, cRLSign } = x509.KeyUsageFlags
    // Nothing but signing: a key that may decrypt the key exchange (keyEncipherment) is one for TLS without forward
    // secrecy.
    const uses = facts.isCA ? digitalSignature | keyCertSign | cRLSign : digitalSignature
    const purposes = {
      server: [x509.id_kp_serverAuth],
      client: [x509.id_kp_clientAuth],
      both: [x509.id_kp_serverAuth, x509.id_kp_clientAuth],
    }[facts.usage]
    const names = facts.hosts.map(({ host, isAddress }) =>
      isAddress ? new x509.GeneralName({ iPAddress: host }) : new x509.GeneralName({ dNSName: host }),
    )
    return [
      this.basicConstraints(facts.isCA),
      this.#extension(EXTENSION.keyUsage, true, new x509.KeyUsage(uses)),
      this.#extension(EXTENSION.extendedKeyUsage, false, new x509.ExtendedKeyUsage(purposes)),
      ...(names.length === 0
        ? []
        : // RFC 5280 section 4.2.1.6: critical if the subject is empty.
          [this.#extension(EXTENSION.subjectAltName, facts.nameless, new x509.SubjectAlternativeName(names))]),
      this.#extension(
        EXTENSION.subjectKeyIdentifier,
        false,
        new x509.SubjectKeyIdentifier(bufferOf(keyIdentifier(facts.spki))),
      ),
    ]
  }

  /** Whether a certificate may sign others. Critical also where it may not, so that nobody overlooks it. */
  basicConstraints(isCA: boolean): CertificateExtension {
    return this.#extension(EXTENSION.basicConstraints, true, new this.#x509.BasicConstraints({ cA: isCA }))
  }

  /** Builds and signs a certificate, version 3, with a fresh serial number. */
  async build(parts: CertificateParts, signer: Signer): Promise<Certificate> {
    const x509 = this.#x509
    const algorithm = new x509.AlgorithmIdentifier({
      algorithm: signer.algorithm,
      ...(signer.hasNullParameters ? { parameters: null } : {}),
    })
    const tbsCertificate = new x509.TBSCertificate({
      version: x509.Version.v3,
      serialNumber: bufferOf(newSerialNumber()),
      signature: algorithm,
      issuer: parts.name,
      subject: parts.name,
      // Writes UTCTime up to 2049 and GeneralizedTime from then on, as RFC 5280 section 4.1.2.5 wants.
      validity: new x509.Validity(parts.validity),
      subjectPublicKeyInfo: this.#convert.parse(parts.spki, x509.SubjectPublicKeyInfo),
      extensions: new x509.Extensions(
        parts.extensions.map(
          ({ oid, critical, value }) =>
            new x509.Extension({ extnID: oid, critical, extnValue: new this.#octetString(bufferOf(value)) }),
        ),
      ),
    })
    // The outermost three parts are put together here and not by the schema, which would encode the signed part once more:
    // so what is in the certificate is what was signed, and it takes a third less time.
    const signed = this.#encode(tbsCertificate)
    const signature = await signer.sign(signed)
    const bits = element(TAG.bitString, Uint8Array.of(0), signature)
    return Certificate.from(element(TAG.sequence, signed, this.#encode(algorithm), bits))
  }

  #extension(oid: string, critical: boolean, value: object): CertificateExtension {
    return { oid, critical, value: this.#encode(value) }
  }

  #encode(value: object): Uint8Array {
    return new Uint8Array(this.#convert.serialize(value))
  }
}

/** RFC 5280 section 4.2.1.2, method 1, as OpenSSL computes it. It is a name to look keys up by, not a proof. */
function keyIdentifier(spki: Uint8Array): Uint8Array {
  const inside = readWhole(spki, TAG.sequence, 'the public key').children()
  inside.read(TAG.sequence, 'the key algorithm')
  const key = wholeOctets(inside.read(TAG.bitString, 'the key'), 'the key')
  return createHash('sha1').update(key).digest()
}

/** 128 random bits as a positive INTEGER; RFC 5280 section 4.1.2.2 allows up to 20 octets. */
function newSerialNumber(): Uint8Array {
  let octets = randomBytes(16)
  // DER allows no padding, and one serial of 256 would begin with some.
  while (octets[0] === 0) octets = randomBytes(16)
  return (octets[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...octets) : octets
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
