// The object identifiers of PKCS#12 (RFC 7292), and the names of what else may be met, for messages.

/** What a ContentInfo holds (RFC 5652). */
export const CONTENT = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  encryptedData: '1.2.840.113549.1.7.6',
} as const

/** What a bag holds (RFC 7292 section 4.2). */
export const BAG = {
  key: '1.2.840.113549.1.12.10.1.1',
  shroudedKey: '1.2.840.113549.1.12.10.1.2',
  certificate: '1.2.840.113549.1.12.10.1.3',
  safeContents: '1.2.840.113549.1.12.10.1.6',
} as const

export const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'

export const ATTRIBUTE = {
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
} as const

export const SCHEME = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  pbmac1: '1.2.840.113549.1.5.14',
  tripleDes: '1.2.840.113549.1.12.1.3',
  twoKeyTripleDes: '1.2.840.113549.1.12.1.4',
  rc2128: '1.2.840.113549.1.12.1.5',
  rc240: '1.2.840.113549.1.12.1.6',
} as const

export const HMAC_WITH_SHA256 = '1.2.840.113549.2.9'
export const AES_256_CBC = '2.16.840.1.101.3.4.1.42'

/** A hash of the PKCS#12 key derivation; its block is the `v` of RFC 7292 appendix B.2. */
export interface Pkcs12Hash {
  readonly name: string
  readonly outputBytes: number
  readonly blockBytes: number
}

export const SHA1: Pkcs12Hash = { name: 'sha1', outputBytes: 20, blockBytes: 64 }
export const SHA256: Pkcs12Hash = { name: 'sha256', outputBytes: 32, blockBytes: 64 }

export const SHA1_OID = '1.3.14.3.2.26'
export const SHA256_OID = '2.16.840.1.101.3.4.2.1'

/** The hashes that the MAC may be made with. */
export const HASHES: Readonly<Record<string, Pkcs12Hash>> = {
  [SHA1_OID]: SHA1,
  '2.16.840.1.101.3.4.2.4': { name: 'sha224', outputBytes: 28, blockBytes: 64 },
  [SHA256_OID]: SHA256,
  '2.16.840.1.101.3.4.2.2': { name: 'sha384', outputBytes: 48, blockBytes: 128 },
  '2.16.840.1.101.3.4.2.3': { name: 'sha512', outputBytes: 64, blockBytes: 128 },
}

const NAMES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.12.1.1': 'RC4 with 128 bits',
  '1.2.840.113549.1.12.1.2': 'RC4 with 40 bits',
  '1.2.840.113549.1.5.1': 'DES with MD2 (PBES1)',
  '1.2.840.113549.1.5.3': 'DES with MD5 (PBES1)',
  '1.2.840.113549.1.5.4': 'RC2 with MD2 (PBES1)',
  '1.2.840.113549.1.5.6': 'RC2 with MD5 (PBES1)',
  '1.2.840.113549.1.5.10': 'DES with SHA-1 (PBES1)',
  '1.2.840.113549.1.5.11': 'RC2 with SHA-1 (PBES1)',
  '1.3.6.1.4.1.11591.4.11': 'scrypt',
  '1.2.840.113549.3.2': 'RC2-CBC',
  '1.3.14.3.2.7': 'DES-CBC',
  '1.2.840.113549.2.5': 'MD5',
  '2.16.840.1.101.3.4.2.5': 'SHA-512/224',
  '2.16.840.1.101.3.4.2.6': 'SHA-512/256',
  '1.2.643.7.1.1.2.2': 'GOST (Streebog-256)',
  '1.2.643.7.1.1.2.3': 'GOST (Streebog-512)',
  [CONTENT.signedData]: 'a signature (public-key integrity)',
  [CONTENT.envelopedData]: 'a public key (public-key privacy)',
}

/** What people call an algorithm, or its dotted form. */
export function nameOf(oid: string): string {
  return NAMES[oid] ?? oid
}
