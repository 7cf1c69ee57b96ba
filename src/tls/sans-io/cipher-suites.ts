// The cipher suites that can be asked for, and nothing else: forward-secret and authenticated encryption, all of them.
// There is no spelling for the others, so no list of suites can be weaker than the policy (see ../policy.ts).

import type { TLSVersion } from '../../certificate/peer.ts'

/** How the server of TLS 1.2 proves itself, by suite; in TLS 1.3 the suite says nothing about it. */
export type SuiteAuthentication = 'any' | 'ecdsa' | 'rsa'

interface SuiteFacts {
  /** The number on the wire (IANA, TLS Cipher Suites). */
  readonly code: number
  readonly version: TLSVersion
  readonly authentication: SuiteAuthentication
  /** The name that OpenSSL has for it. */
  readonly openssl: string
}

/** In the order of the policy, best first. */
const TABLE = {
  TLS_AES_128_GCM_SHA256: suite13(0x1301, 'TLS_AES_128_GCM_SHA256'),
  TLS_AES_256_GCM_SHA384: suite13(0x1302, 'TLS_AES_256_GCM_SHA384'),
  TLS_CHACHA20_POLY1305_SHA256: suite13(0x1303, 'TLS_CHACHA20_POLY1305_SHA256'),
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: suite12(0xc02c, 'ecdsa', 'ECDHE-ECDSA-AES256-GCM-SHA384'),
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: suite12(0xc030, 'rsa', 'ECDHE-RSA-AES256-GCM-SHA384'),
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: suite12(0xc02b, 'ecdsa', 'ECDHE-ECDSA-AES128-GCM-SHA256'),
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: suite12(0xc02f, 'rsa', 'ECDHE-RSA-AES128-GCM-SHA256'),
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: suite12(0xcca9, 'ecdsa', 'ECDHE-ECDSA-CHACHA20-POLY1305'),
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: suite12(0xcca8, 'rsa', 'ECDHE-RSA-CHACHA20-POLY1305'),
  // Only for servers that bring Diffie-Hellman parameters: in TLS 1.2 a client cannot tell whether the group is sound.
  TLS_DHE_RSA_WITH_AES_256_GCM_SHA384: suite12(0x009f, 'rsa', 'DHE-RSA-AES256-GCM-SHA384'),
  TLS_DHE_RSA_WITH_AES_128_GCM_SHA256: suite12(0x009e, 'rsa', 'DHE-RSA-AES128-GCM-SHA256'),
  TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256: suite12(0xccaa, 'rsa', 'DHE-RSA-CHACHA20-POLY1305'),
}

/** A cipher suite by the name that IANA has for it. Those of `TLS_DHE_RSA` are for servers with `dhParams` only. */
export type CipherSuite = keyof typeof TABLE

export const SUITES: Readonly<Record<CipherSuite, SuiteFacts>> = TABLE

const ALL = Object.keys(SUITES) as CipherSuite[]

/** The suites with elliptic curves, which everybody has. */
export const COMMON_SUITES: readonly CipherSuite[] = Object.freeze(ALL.filter((name) => !isFiniteField(name)))

/** The suites that servers with Diffie-Hellman parameters have besides. */
export const FINITE_FIELD_SUITES: readonly CipherSuite[] = Object.freeze(ALL.filter(isFiniteField))

function isFiniteField(name: CipherSuite): boolean {
  return name.startsWith('TLS_DHE_')
}

function suite13(code: number, openssl: string): SuiteFacts {
  return { code, version: 'TLSv1.3', authentication: 'any', openssl }
}

function suite12(code: number, authentication: SuiteAuthentication, openssl: string): SuiteFacts {
  return { code, version: 'TLSv1.2', authentication, openssl }
}
