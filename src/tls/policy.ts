// The one TLS policy, for both sides: versions, suites and what is switched off. Nothing here can be loosened by a
// caller; the only knob is to ask for TLS 1.3 alone. All of it is written out, so that no command-line switch
// (`--tls-min-v1.0`, `--tls-cipher-list`) and no later default of Node can change what this library speaks.

import { constants } from 'node:crypto'
import type { TLSVersion } from '../certificate/peer.ts'
import { requireOneOf, show } from '../internal/arguments.ts'

/** The versions that can be asked for as a minimum. Older ones have no spelling here. */
export const TLS_VERSIONS: readonly TLSVersion[] = Object.freeze(['TLSv1.2', 'TLSv1.3'] as const)

/**
 * Forward-secret AEAD suites: the three of TLS 1.3, and for TLS 1.2 ECDHE with AES-GCM or ChaCha20 (six suites). No
 * static RSA (a stolen key would open old recordings), no CBC (padding oracles), no finite-field DHE (groups are the
 * server's choice and were often weak).
 */
export const CIPHER_SUITES = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE+AESGCM',
  'ECDHE+CHACHA20',
].join(':')

/**
 * Switched off on both sides. Renegotiation: it is a way to change the client certificate in mid-connection and to
 * make a server do handshakes for free, and Node's own guard against that only reports it. Compression: it leaks
 * secrets by size (CRIME). Tickets, and with them every resumption: a resumed session shows a server the certificate
 * of an earlier connection, and shows a client none at all.
 */
export const SECURE_OPTIONS =
  constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION | constants.SSL_OP_NO_TICKET

/** What every secure context of this library has in common. Groups are left to OpenSSL, which knows the newest. */
export interface PolicyOptions {
  readonly minVersion: TLSVersion
  readonly maxVersion: TLSVersion
  readonly ciphers: string
  readonly honorCipherOrder: boolean
  readonly secureOptions: number
}

/**
 * The options for Node's `createSecureContext` that make up the policy.
 *
 * @throws {TypeError} If `minVersion` is anything but `TLSv1.2` (the default) or `TLSv1.3`.
 */
export function policyOptions(minVersion: TLSVersion = 'TLSv1.2'): PolicyOptions {
  requireOneOf('minVersion', minVersion, TLS_VERSIONS)
  return {
    minVersion,
    maxVersion: 'TLSv1.3',
    ciphers: CIPHER_SUITES,
    honorCipherOrder: true,
    secureOptions: SECURE_OPTIONS,
  }
}

// With more, the hello would take two records. Only one that is whole may leave before the server is accepted, and servers
// that read hellos have their limits too.
const MAX_PROTOCOL_BYTES = 8192

/**
 * Checks the names of application protocols (ALPN, RFC 7301 section 3.1: 1 to 255 bytes each, and one for the length).
 *
 * @throws {TypeError | RangeError} If it is no list of strings, a name is empty or too long, or all together are.
 */
export function requireProtocols(name: string, value: unknown): asserts value is readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`"${name}" expected a list of strings, got ${show(value)}`)
  let total = 0
  for (const [index, protocol] of value.entries()) {
    if (typeof protocol !== 'string') {
      throw new TypeError(`"${name}[${index}]" expected a string, got ${show(protocol)}`)
    }
    const bytes = Buffer.byteLength(protocol)
    if (bytes < 1 || bytes > 255) {
      throw new RangeError(`"${name}[${index}]" expected 1 to 255 bytes, got ${bytes}`)
    }
    total += 1 + bytes
  }
  if (total > MAX_PROTOCOL_BYTES) {
    throw new RangeError(`"${name}" expected at most ${MAX_PROTOCOL_BYTES} bytes in all, got ${total}`)
  }
}
