// The cipher suites that can be asked for, and nothing else: forward-secret and authenticated encryption, all of them.
// There is no spelling for the others, so no list of suites can be weaker than the policy (see ../policy.ts).

import type { TLSVersion } from '../../certificate/peer.ts'

/** How the server of TLS 1.2 proves itself, by suite; in TLS 1.3 the suite says nothing about it. */
export type SuiteAuthentication = 'any' | 'ecdsa' | 'rsa'

export type Aead = 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305'
export type Hash = 'sha256' | 'sha384'

/** What a cipher suite says about records. */
export interface RecordSuite {
  readonly version: TLSVersion
  readonly aead: Aead
  /** The hash of the key derivation, not of any certificate. */
  readonly hash: Hash
}

interface SuiteFacts extends RecordSuite {
  /** The number on the wire (IANA, TLS Cipher Suites). */
  readonly code: number
  readonly authentication: SuiteAuthentication
  /** The name that OpenSSL has for it. */
  readonly openssl: string
}

/** A cipher suite by the name that IANA has for it. Those of `TLS_DHE_RSA` are for servers with `dhParams` only. */
export type CipherSuite =
  | 'TLS_AES_128_GCM_SHA256'
  | 'TLS_AES_256_GCM_SHA384'
  | 'TLS_CHACHA20_POLY1305_SHA256'
  | 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'
  | 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'
  | 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'
  | 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'
  | 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256'
  | 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256'
  | 'TLS_DHE_RSA_WITH_AES_256_GCM_SHA384'
  | 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256'
  | 'TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256'

/** In the order of the policy, best first. */
export const SUITES: Readonly<Record<CipherSuite, SuiteFacts>> = {
  TLS_AES_128_GCM_SHA256: suite13(0x1301, 'aes-128-gcm', 'TLS_AES_128_GCM_SHA256'),
  TLS_AES_256_GCM_SHA384: suite13(0x1302, 'aes-256-gcm', 'TLS_AES_256_GCM_SHA384'),
  TLS_CHACHA20_POLY1305_SHA256: suite13(0x1303, 'chacha20-poly1305', 'TLS_CHACHA20_POLY1305_SHA256'),
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: suite12(0xc02c, 'ecdsa', 'aes-256-gcm', 'ECDHE-ECDSA-AES256-GCM-SHA384'),
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: suite12(0xc030, 'rsa', 'aes-256-gcm', 'ECDHE-RSA-AES256-GCM-SHA384'),
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: suite12(0xc02b, 'ecdsa', 'aes-128-gcm', 'ECDHE-ECDSA-AES128-GCM-SHA256'),
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: suite12(0xc02f, 'rsa', 'aes-128-gcm', 'ECDHE-RSA-AES128-GCM-SHA256'),
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: suite12(
    0xcca9,
    'ecdsa',
    'chacha20-poly1305',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
  ),
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: suite12(
    0xcca8,
    'rsa',
    'chacha20-poly1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ),
  // Only for servers that bring Diffie-Hellman parameters: in TLS 1.2 a client cannot tell whether the group is sound.
  TLS_DHE_RSA_WITH_AES_256_GCM_SHA384: suite12(0x009f, 'rsa', 'aes-256-gcm', 'DHE-RSA-AES256-GCM-SHA384'),
  TLS_DHE_RSA_WITH_AES_128_GCM_SHA256: suite12(0x009e, 'rsa', 'aes-128-gcm', 'DHE-RSA-AES128-GCM-SHA256'),
  TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256: suite12(0xccaa, 'rsa', 'chacha20-poly1305', 'DHE-RSA-CHACHA20-POLY1305'),
}

const ALL = Object.keys(SUITES) as CipherSuite[]

/** The suites with elliptic curves, which everybody has. */
export const COMMON_SUITES: readonly CipherSuite[] = Object.freeze(ALL.filter((name) => !isFiniteField(name)))

/** The suites that servers with Diffie-Hellman parameters have besides. */
export const FINITE_FIELD_SUITES: readonly CipherSuite[] = Object.freeze(ALL.filter(isFiniteField))

const BY_CODE: ReadonlyMap<number, CipherSuite> = new Map(ALL.map((name) => [SUITES[name].code, name]))

/** The cipher suite that has this number; null for what this library does not speak. */
export function suiteOf(code: number): CipherSuite | null {
  return BY_CODE.get(code) ?? null
}

/** What the suite that has this number says about records; null for what this library does not speak. */
export function recordSuite(code: number): RecordSuite | null {
  const name = suiteOf(code)
  return name === null ? null : SUITES[name]
}

function isFiniteField(name: CipherSuite): boolean {
  return name.startsWith('TLS_DHE_')
}

function suite13(code: number, aead: Aead, openssl: string): SuiteFacts {
  return { code, version: 'TLSv1.3', authentication: 'any', aead, hash: hashBeside(aead), openssl }
}

function suite12(code: number, authentication: SuiteAuthentication, aead: Aead, openssl: string): SuiteFacts {
  return { code, version: 'TLSv1.2', authentication, aead, hash: hashBeside(aead), openssl }
}

// As in all of these names: SHA-384 goes with the key of 256 bits for AES.
function hashBeside(aead: Aead): Hash {
  return aead === 'aes-256-gcm' ? 'sha384' : 'sha256'
}
