// The signature schemes of a handshake (RFC 8446 section 4.2.3), and which keys can sign by them.

import type { TLSVersion } from '../../certificate/peer.ts'

/** Keys as a handshake tells them apart. In TLS 1.3 the curve of an EC key decides its scheme. */
export type SigningKey = 'P-256' | 'P-384' | 'P-521' | 'ed25519' | 'ed448' | 'rsa' | 'rsa-pss'

interface SchemeFacts {
  /** The number on the wire. */
  readonly code: number
  readonly keys: readonly SigningKey[]
  /** The versions in which it can sign a handshake. */
  readonly versions: readonly TLSVersion[]
}

const BOTH: readonly TLSVersion[] = ['TLSv1.2', 'TLSv1.3']

const SCHEMES = {
  ecdsa_secp256r1_sha256: { code: 0x0403, keys: ['P-256'], versions: BOTH },
  ecdsa_secp384r1_sha384: { code: 0x0503, keys: ['P-384'], versions: BOTH },
  ecdsa_secp521r1_sha512: { code: 0x0603, keys: ['P-521'], versions: BOTH },
  ed25519: { code: 0x0807, keys: ['ed25519'], versions: BOTH },
  ed448: { code: 0x0808, keys: ['ed448'], versions: BOTH },
  rsa_pss_rsae_sha256: { code: 0x0804, keys: ['rsa'], versions: BOTH },
  rsa_pss_rsae_sha384: { code: 0x0805, keys: ['rsa'], versions: BOTH },
  rsa_pss_rsae_sha512: { code: 0x0806, keys: ['rsa'], versions: BOTH },
  rsa_pss_pss_sha256: { code: 0x0809, keys: ['rsa-pss'], versions: BOTH },
  rsa_pss_pss_sha384: { code: 0x080a, keys: ['rsa-pss'], versions: BOTH },
  rsa_pss_pss_sha512: { code: 0x080b, keys: ['rsa-pss'], versions: BOTH },
  // In TLS 1.3 these are for the signatures of certificates only.
  rsa_pkcs1_sha256: { code: 0x0401, keys: ['rsa'], versions: ['TLSv1.2'] },
  rsa_pkcs1_sha384: { code: 0x0501, keys: ['rsa'], versions: ['TLSv1.2'] },
  rsa_pkcs1_sha512: { code: 0x0601, keys: ['rsa'], versions: ['TLSv1.2'] },
} as const satisfies Record<SignatureScheme, SchemeFacts>

/** A signature scheme by its name in TLS. None of them signs a SHA-1 or MD5 hash. */
export type SignatureScheme =
  | 'ecdsa_secp256r1_sha256'
  | 'ecdsa_secp384r1_sha384'
  | 'ecdsa_secp521r1_sha512'
  | 'ed25519'
  | 'ed448'
  | 'rsa_pss_rsae_sha256'
  | 'rsa_pss_rsae_sha384'
  | 'rsa_pss_rsae_sha512'
  | 'rsa_pss_pss_sha256'
  | 'rsa_pss_pss_sha384'
  | 'rsa_pss_pss_sha512'
  | 'rsa_pkcs1_sha256'
  | 'rsa_pkcs1_sha384'
  | 'rsa_pkcs1_sha512'

export const SIGNATURE_SCHEMES: readonly SignatureScheme[] = Object.freeze(Object.keys(SCHEMES) as SignatureScheme[])

/** The number of a scheme on the wire. */
export function schemeCode(scheme: SignatureScheme): number {
  return SCHEMES[scheme].code
}

/** Whether a handshake of this version can be signed by the scheme at all. */
export function schemeWorksIn(scheme: SignatureScheme, version: TLSVersion): boolean {
  const { versions }: SchemeFacts = SCHEMES[scheme]
  return versions.includes(version)
}

/** The numbers of the schemes by which a key can sign a handshake of this version. */
export function schemesOf(key: SigningKey, version: TLSVersion): readonly number[] {
  return SIGNATURE_SCHEMES.filter((scheme) => {
    const { keys }: SchemeFacts = SCHEMES[scheme]
    // In TLS 1.2 the three of ECDSA name a hash only, and any curve goes with any of them.
    const canSign = version === 'TLSv1.2' && isCurve(key) ? scheme.startsWith('ecdsa_') : keys.includes(key)
    return canSign && schemeWorksIn(scheme, version)
  }).map(schemeCode)
}

export function isCurve(key: SigningKey): key is 'P-256' | 'P-384' | 'P-521' {
  return key.startsWith('P-')
}
