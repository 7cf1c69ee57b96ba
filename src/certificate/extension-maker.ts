// Makes the extensions of a certificate (RFC 5280 section 4.2), each with the criticality that the standard asks for. The
// values are encoded by the schemas of `@peculiar/asn1-x509`.
//
// Extensions are plain data, so what is the same for every certificate of a kind can be made once and used again.

import { createHash } from 'node:crypto'
import type * as Asn1 from '@peculiar/asn1-schema'
import type * as X509 from '@peculiar/asn1-x509'
import { show } from '../internal/arguments.ts'
import { parseAddressRange } from '../names/address-range.ts'
import { canonicalHost } from '../names/host.ts'
import type { Certificate } from './certificate.ts'
import { DerReader } from './der.ts'
import { isObjectIdentifier } from './der-writer.ts'
import {
  type CertificateExtension,
  EXTENSION,
  KEY_USAGES,
  type KeyUsage,
  purposeIdentifier,
  type SubjectAltNames,
} from './extensions.ts'
import { readParts } from './public-key.ts'

/** For which names an authority may issue: hosts with all that is below them, and blocks of addresses in CIDR. */
export interface NameSubtrees {
  readonly dns?: readonly string[]
  readonly ip?: readonly string[]
}

/** The schemas, loaded, and the extensions that are made with them. */
export class ExtensionMaker {
  readonly #convert: typeof Asn1.AsnConvert
  readonly #x509: typeof X509

  // Private, so that no declaration of ours names what another package declares: not every project could read that.
  private constructor(asn1: typeof Asn1, x509: typeof X509) {
    this.#convert = asn1.AsnConvert
    this.#x509 = x509
  }

  /** Loads the schemas, which takes some tens of milliseconds the first time. */
  static async load(): Promise<ExtensionMaker> {
    const [asn1, x509] = await Promise.all([import('@peculiar/asn1-schema'), import('@peculiar/asn1-x509')])
    return new ExtensionMaker(asn1, x509)
  }

  /** Whether a certificate may sign others. Critical also where it may not, so that nobody overlooks it. */
  basicConstraints({ ca, pathLength }: { readonly ca: boolean; readonly pathLength?: number }): CertificateExtension {
    // Section 4.2.1.9: the length means something for authorities only.
    if (!ca && pathLength !== undefined) throw new TypeError('"pathLength" is for a certificate that may sign others')
    const value = new this.#x509.BasicConstraints({
      cA: ca,
      ...(pathLength === undefined ? {} : { pathLenConstraint: pathLength }),
    })
    return this.#extension(EXTENSION.basicConstraints, true, value)
  }

  /** What the key may be used for. Critical. */
  keyUsage(uses: readonly KeyUsage[]): CertificateExtension {
    requireSome('uses', uses)
    const flags = uses.reduce((sum, use) => {
      if (!KEY_USAGES.includes(use)) throw new TypeError(`"uses" has no use of a key called ${show(use)}`)
      return sum | this.#x509.KeyUsageFlags[use]
    }, 0)
    return this.#extension(EXTENSION.keyUsage, true, new this.#x509.KeyUsage(flags))
  }

  /** For which purposes: short names (`serverAuth`) or dotted identifiers. */
  extendedKeyUsage(purposes: readonly string[]): CertificateExtension {
    requireSome('purposes', purposes)
    const value = new this.#x509.ExtendedKeyUsage(purposes.map(purposeIdentifier))
    return this.#extension(EXTENSION.extendedKeyUsage, false, value)
  }

  /**
   * Alternative names, which must be in canonical form already. Section 4.2.1.6: critical if the subject is empty.
   */
  subjectAltName(names: SubjectAltNames, options: { readonly critical: boolean }): CertificateExtension {
    const { GeneralName, SubjectAlternativeName } = this.#x509
    const list = [
      ...names.dns.map((dNSName) => new GeneralName({ dNSName: ascii(dNSName) })),
      ...names.ip.map((iPAddress) => new GeneralName({ iPAddress: addressOf(iPAddress) })),
      ...names.email.map((rfc822Name) => new GeneralName({ rfc822Name: ascii(rfc822Name) })),
      ...names.uri.map((uri) => new GeneralName({ uniformResourceIdentifier: ascii(uri) })),
    ]
    requireSome('names', list)
    return this.#extension(EXTENSION.subjectAltName, options.critical, new SubjectAlternativeName(list))
  }

  /** What the key is called in the certificates that it signs. */
  subjectKeyIdentifier(spki: Uint8Array): CertificateExtension {
    const value = new this.#x509.SubjectKeyIdentifier(bufferOf(keyIdentifier(spki)))
    return this.#extension(EXTENSION.subjectKeyIdentifier, false, value)
  }

  /** Which key signs: what the issuer's certificate calls its key, or would. */
  authorityKeyIdentifier(issuer: Certificate): CertificateExtension {
    const { AuthorityKeyIdentifier, KeyIdentifier } = this.#x509
    const own = issuer.subjectKeyIdentifier
    const octets = own === null ? keyIdentifier(issuer.subjectPublicKeyInfo) : Buffer.from(own, 'hex')
    const value = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(bufferOf(octets)) })
    return this.#extension(EXTENSION.authorityKeyIdentifier, false, value)
  }

  /** Where the list of revoked certificates is (section 4.2.1.13): the URLs of one list. */
  crlDistributionPoints(urls: readonly string[]): CertificateExtension {
    requireSome('urls', urls)
    const { CRLDistributionPoints, DistributionPoint, DistributionPointName } = this.#x509
    const distributionPoint = new DistributionPointName({ fullName: urls.map((url) => this.#url(url)) })
    const value = new CRLDistributionPoints([new DistributionPoint({ distributionPoint })])
    return this.#extension(EXTENSION.crlDistributionPoints, false, value)
  }

  /** Where the issuer's certificate is, and who answers for single certificates (section 4.2.2.1). */
  authorityInformationAccess(urls: {
    readonly issuers?: readonly string[]
    readonly ocsp?: readonly string[]
  }): CertificateExtension {
    const { AccessDescription, AuthorityInfoAccessSyntax, id_ad_caIssuers, id_ad_ocsp } = this.#x509
    const access = (accessMethod: string, list: readonly string[] = []) =>
      list.map((url) => new AccessDescription({ accessMethod, accessLocation: this.#url(url) }))
    const descriptions = [...access(id_ad_ocsp, urls.ocsp), ...access(id_ad_caIssuers, urls.issuers)]
    requireSome('urls', descriptions)
    const value = new AuthorityInfoAccessSyntax(descriptions)
    return this.#extension(EXTENSION.authorityInformationAccess, false, value)
  }

  /** For which names an authority may issue (section 4.2.1.10). Critical. */
  nameConstraints(constraints: {
    readonly permitted?: NameSubtrees
    readonly excluded?: NameSubtrees
  }): CertificateExtension {
    const permitted = this.#subtrees(constraints.permitted)
    const excluded = this.#subtrees(constraints.excluded)
    requireSome('constraints', [...permitted, ...excluded])
    const { GeneralSubtrees, NameConstraints } = this.#x509
    const value = new NameConstraints({
      ...(permitted.length === 0 ? {} : { permittedSubtrees: new GeneralSubtrees(permitted) }),
      ...(excluded.length === 0 ? {} : { excludedSubtrees: new GeneralSubtrees(excluded) }),
    })
    return this.#extension(EXTENSION.nameConstraints, true, value)
  }

  #subtrees({ dns = [], ip = [] }: NameSubtrees = {}): X509.GeneralSubtree[] {
    const { GeneralName, GeneralSubtree } = this.#x509
    const hosts = dns.map((host) => new GeneralName({ dNSName: hostOf(host) }))
    const blocks = ip.map((text) => {
      const block = parseAddressRange(text)
      return new GeneralName({ iPAddress: `${block.first}/${block.prefixLength}` })
    })
    return [...hosts, ...blocks].map((base) => new GeneralSubtree({ base }))
  }

  #url(url: string): X509.GeneralName {
    if (!URL.canParse(url)) throw new RangeError(`"urls" expected absolute URLs, got ${show(url)}`)
    return new this.#x509.GeneralName({ uniformResourceIdentifier: ascii(url) })
  }

  #extension(oid: string, critical: boolean, value: object): CertificateExtension {
    return Object.freeze({ oid, critical, value: new Uint8Array(this.#convert.serialize(value)) })
  }
}

/**
 * An extension of any kind.
 *
 * @throws {RangeError} If the identifier is none, or the value is not one element of DER, as a reader expects it there.
 */
export function rawExtension(
  oid: string,
  value: Uint8Array,
  options: { readonly critical: boolean },
): CertificateExtension {
  if (!isObjectIdentifier(oid)) throw new RangeError(`"oid" expected a dotted object identifier, got ${show(oid)}`)
  try {
    const reader = new DerReader(value)
    reader.readAny(`the extension ${oid}`)
    reader.finish(`the extension ${oid}`)
  } catch (cause) {
    throw new RangeError(`"value" expected one element of DER for the extension ${oid}`, { cause })
  }
  return Object.freeze({ oid, critical: options.critical, value: new Uint8Array(value) })
}

/** RFC 5280 section 4.2.1.2, method 1, as OpenSSL computes it. It is a name to look keys up by, not a proof. */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  return createHash('sha1').update(readParts(spki).key).digest()
}

/** Names are IA5String. The encoder would cut every other character down to its last eight bits. */
function ascii(text: string): string {
  if (!/^[!-~]+$/.test(text)) throw new RangeError(`"names" expected printable ASCII, got ${show(text)}`)
  return text
}

/** The schemas take 999.1.1.1 and 1:2 for addresses, in their way. */
function addressOf(text: string): string {
  const { host, isAddress } = canonicalHost(text)
  if (!isAddress) throw new RangeError(`"names" expected an IP address, got ${show(text)}`)
  return host
}

/** Section 4.2.1.10: a host stands for itself and all below it. */
function hostOf(text: string): string {
  const { host, isAddress } = canonicalHost(text)
  if (isAddress) throw new RangeError(`"dns" expected host names, got ${show(text)}; addresses go into "ip"`)
  return host
}

function requireSome(name: string, list: readonly unknown[]): void {
  if (list.length === 0) throw new RangeError(`"${name}" expected at least one, got none`)
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
