// How a certificate is signed: the algorithm by name, and the hash in it, which is what makes a signature weak.

import { type DerElement, oidOf, readWhole, TAG } from './der.ts'

/** A signature algorithm. */
export interface SignatureAlgorithm {
  /** Its object identifier, dotted. */
  readonly oid: string
  /** Its usual name (`ecdsa-with-SHA256`, `sha256WithRSAEncryption`), or the identifier if it has none here. */
  readonly name: string
  /** The hash that is signed, such as `sha256`; null if it has none of its own (Ed25519) or it is not known here. */
  readonly hash: string | null
}

const RSASSA_PSS = '1.2.840.113549.1.1.10'

const SIGNATURES: Readonly<Record<string, readonly [name: string, hash: string | null]>> = {
  '1.2.840.113549.1.1.2': ['md2WithRSAEncryption', 'md2'],
  '1.2.840.113549.1.1.3': ['md4WithRSAEncryption', 'md4'],
  '1.2.840.113549.1.1.4': ['md5WithRSAEncryption', 'md5'],
  '1.2.840.113549.1.1.5': ['sha1WithRSAEncryption', 'sha1'],
  '1.3.14.3.2.29': ['sha1WithRSA', 'sha1'],
  '1.2.840.113549.1.1.14': ['sha224WithRSAEncryption', 'sha224'],
  '1.2.840.113549.1.1.11': ['sha256WithRSAEncryption', 'sha256'],
  '1.2.840.113549.1.1.12': ['sha384WithRSAEncryption', 'sha384'],
  '1.2.840.113549.1.1.13': ['sha512WithRSAEncryption', 'sha512'],
  [RSASSA_PSS]: ['rsassaPss', null],
  '1.2.840.10045.4.1': ['ecdsa-with-SHA1', 'sha1'],
  '1.2.840.10045.4.3.1': ['ecdsa-with-SHA224', 'sha224'],
  '1.2.840.10045.4.3.2': ['ecdsa-with-SHA256', 'sha256'],
  '1.2.840.10045.4.3.3': ['ecdsa-with-SHA384', 'sha384'],
  '1.2.840.10045.4.3.4': ['ecdsa-with-SHA512', 'sha512'],
  '1.2.840.10040.4.3': ['dsaWithSHA1', 'sha1'],
  '2.16.840.1.101.3.4.3.1': ['dsa-with-SHA224', 'sha224'],
  '2.16.840.1.101.3.4.3.2': ['dsa-with-SHA256', 'sha256'],
  '1.3.101.112': ['Ed25519', null],
  '1.3.101.113': ['Ed448', null],
}

const HASHES: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'md5',
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}

/** Reads an AlgorithmIdentifier (RFC 5280 section 4.1.1.2) from its DER. */
export function readSignatureAlgorithm(der: Uint8Array): SignatureAlgorithm {
  const fields = readWhole(der, TAG.sequence, 'the signature algorithm').children()
  const oid = oidOf(fields.read(TAG.oid, 'the signature algorithm'), 'the signature algorithm')
  const parameters = fields.done ? null : fields.readAny('the signature parameters')
  fields.finish('the signature algorithm')
  const [name, hash] = SIGNATURES[oid] ?? [oid, null]
  return { oid, name, hash: oid === RSASSA_PSS ? pssHash(parameters) : hash }
}

/** RFC 4055 section 3.1: the hash is the first parameter, and SHA-1 where none is named. */
function pssHash(parameters: DerElement | null): string | null {
  if (parameters === null || parameters.tag !== TAG.sequence) return 'sha1'
  const named = parameters.children().optional(0xa0, 'the hash of the signature')
  if (named === null) return 'sha1'
  const algorithm = named.children().read(TAG.sequence, 'the hash of the signature').children()
  return HASHES[oidOf(algorithm.read(TAG.oid, 'the hash of the signature'), 'the hash of the signature')] ?? null
}
