// The extensions of a certificate (RFC 5280 section 4.2) that this library acts on. Each reader takes the extension's
// value and gives plain data, or throws `CertificateError`: an extension that cannot be read is never one that is absent.

import { show } from '../internal/arguments.ts'
import { formatIPv6 } from '../names/ip-literal.ts'
import { bitsOf, booleanOf, integerBytes, malformed, oidOf, readWhole, signedHex, smallInteger, TAG } from './der.ts'
import { isObjectIdentifier } from './der-writer.ts'
import { utf8 } from './distinguished-name.ts'

/** One extension as it stands in the certificate. */
export interface CertificateExtension {
  /** Its object identifier, dotted. */
  readonly oid: string
  /** Whether a reader that does not know it must refuse the certificate. */
  readonly critical: boolean
  /** The DER inside its OCTET STRING. */
  readonly value: Uint8Array
}

/** The identifiers of the extensions that are read or made here. */
export const EXTENSION = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  authorityInformationAccess: '1.3.6.1.5.5.7.1.1',
} as const

/** The names in a subjectAltName extension, by kind and in order. Kinds that are not listed are left out. */
export interface SubjectAltNames {
  /** Host names as they stand: in any case, perhaps with a wildcard, a NUL or anything else in them. */
  readonly dns: readonly string[]
  /** Addresses in canonical text: `192.0.2.1`, `2001:db8::1`. */
  readonly ip: readonly string[]
  /** Addresses as they stand. */
  readonly email: readonly string[]
  /** URIs as they stand. */
  readonly uri: readonly string[]
}

/** The uses of a key by RFC 5280 section 4.2.1.3, in the order of the bits. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const satisfies readonly KeyUsage[]

/** What a key may be used for. */
export type KeyUsage =
  | 'digitalSignature'
  | 'nonRepudiation'
  | 'keyEncipherment'
  | 'dataEncipherment'
  | 'keyAgreement'
  | 'keyCertSign'
  | 'cRLSign'
  | 'encipherOnly'
  | 'decipherOnly'

const PURPOSES: Readonly<Record<string, string>> = {
  '1.3.6.1.5.5.7.3.1': 'serverAuth',
  '1.3.6.1.5.5.7.3.2': 'clientAuth',
  '1.3.6.1.5.5.7.3.3': 'codeSigning',
  '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '1.3.6.1.5.5.7.3.8': 'timeStamping',
  '1.3.6.1.5.5.7.3.9': 'OCSPSigning',
  '2.5.29.37.0': 'anyExtendedKeyUsage',
}

/** The dotted identifier of a purpose, from its short name or from itself. */
export function purposeIdentifier(purpose: string): string {
  const known = Object.entries(PURPOSES).find(([, name]) => name === purpose)
  if (known !== undefined) return known[0]
  if (!isObjectIdentifier(purpose)) throw new TypeError(`${show(purpose)} is no purpose of a key`)
  return purpose
}

/** Reads the list of extensions; `der` is their SEQUENCE. One identifier twice is an error (RFC 5280 section 4.2). */
export function readExtensions(der: Uint8Array): CertificateExtension[] {
  const reader = readWhole(der, TAG.sequence, 'the extensions').children()
  const seen = new Set<string>()
  const extensions: CertificateExtension[] = []
  while (!reader.done) {
    const fields = reader.read(TAG.sequence, 'an extension').children()
    const oid = oidOf(fields.read(TAG.oid, 'an extension identifier'), 'an extension identifier')
    // An explicit FALSE is what DER wants left out. It is common and says the same.
    const critical = fields.optional(TAG.boolean, 'the critical mark')
    const value = fields.read(TAG.octetString, `the extension ${oid}`)
    fields.finish(`the extension ${oid}`)
    if (seen.has(oid)) throw malformed(`the extension ${oid} is there twice`)
    seen.add(oid)
    const isCritical = critical !== null && booleanOf(critical, `the critical mark of ${oid}`)
    extensions.push({ oid, critical: isCritical, value: value.content })
  }
  if (extensions.length === 0) throw malformed('the extensions are an empty list')
  return extensions
}

/** Reads a subjectAltName (section 4.2.1.6). */
export function readSubjectAltNames(value: Uint8Array): SubjectAltNames {
  const names = { dns: [] as string[], ip: [] as string[], email: [] as string[], uri: [] as string[] }
  const reader = readWhole(value, TAG.sequence, 'the alternative names').children()
  while (!reader.done) {
    const name = reader.readAny('an alternative name')
    // GeneralName: [1] rfc822Name, [2] dNSName, [6] uniformResourceIdentifier, [7] iPAddress. The others (directory
    // names and their like) name nothing that is looked up here.
    switch (name.tag) {
      case 0x81:
        names.email.push(utf8(name.content, 'an e-mail address'))
        break
      case 0x82:
        names.dns.push(utf8(name.content, 'a host name'))
        break
      case 0x86:
        names.uri.push(utf8(name.content, 'a URI'))
        break
      case 0x87:
        names.ip.push(addressText(name.content))
        break
    }
  }
  return freezeLists(names)
}

/** No names at all: what a certificate without the extension has. */
export const NO_ALT_NAMES: SubjectAltNames = freezeLists({ dns: [], ip: [], email: [], uri: [] })

/** Reads basicConstraints (section 4.2.1.9). */
export function readBasicConstraints(value: Uint8Array): { readonly ca: boolean; readonly pathLength: number | null } {
  const fields = readWhole(value, TAG.sequence, 'the basic constraints').children()
  const mark = fields.optional(TAG.boolean, 'the CA mark')
  const limit = fields.optional(TAG.integer, 'the path length')
  fields.finish('the basic constraints')
  return {
    ca: mark !== null && booleanOf(mark, 'the CA mark'),
    pathLength: limit === null ? null : smallInteger(limit, 'the path length'),
  }
}

/** Reads keyUsage (section 4.2.1.3). Bits without a name are left out. */
export function readKeyUsage(value: Uint8Array): KeyUsage[] {
  const bits = bitsOf(readWhole(value, TAG.bitString, 'the key usage'), 'the key usage')
  return KEY_USAGES.filter((_, index) => bits[index] === true)
}

/** Reads extendedKeyUsage (section 4.2.1.12): short names where there is one here, dotted identifiers otherwise. */
export function readExtendedKeyUsage(value: Uint8Array): string[] {
  const reader = readWhole(value, TAG.sequence, 'the extended key usage').children()
  const purposes: string[] = []
  while (!reader.done) {
    const oid = oidOf(reader.read(TAG.oid, 'a key purpose'), 'a key purpose')
    purposes.push(PURPOSES[oid] ?? oid)
  }
  if (purposes.length === 0) throw malformed('the extended key usage is an empty list')
  return purposes
}

/** Whether a certificate with these purposes is one of a server's: also if it says nothing of them. */
export function isForServers(purposes: readonly string[] | null): boolean {
  return purposes === null || purposes.includes('serverAuth') || purposes.includes('anyExtendedKeyUsage')
}

/** Reads subjectKeyIdentifier (section 4.2.1.2), in hex. */
export function readSubjectKeyIdentifier(value: Uint8Array): string {
  return hex(readWhole(value, TAG.octetString, 'the subject key identifier').content)
}

/** Reads the keyIdentifier of authorityKeyIdentifier (section 4.2.1.1), in hex; null if it names the key otherwise. */
export function readAuthorityKeyIdentifier(value: Uint8Array): string | null {
  const fields = readWhole(value, TAG.sequence, 'the authority key identifier').children()
  const key = fields.optional(0x80, 'the authority key identifier')
  return key === null ? null : hex(key.content)
}

/**
 * Reads the authorityCertSerialNumber of authorityKeyIdentifier, in hex as `Certificate` gives serial numbers; null if
 * there is none.
 */
export function readAuthoritySerialNumber(value: Uint8Array): string | null {
  const fields = readWhole(value, TAG.sequence, 'the authority key identifier').children()
  fields.optional(0x80, 'the authority key identifier')
  fields.optional(0xa1, 'the issuer in the authority key identifier')
  const serial = fields.optional(0x82, 'the serial number in the authority key identifier')
  return serial === null ? null : signedHex(integerBytes(serial, 'the serial number in the authority key identifier'))
}

function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  if (octets.length === 16) {
    const words = new DataView(octets.buffer, octets.byteOffset, 16)
    return formatIPv6(words.getUint32(0), words.getUint32(4), words.getUint32(8), words.getUint32(12))
  }
  throw malformed(`an IP address has ${octets.length} octets, not 4 or 16`)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function freezeLists(names: SubjectAltNames): SubjectAltNames {
  for (const list of Object.values(names)) Object.freeze(list)
  return Object.freeze(names)
}
