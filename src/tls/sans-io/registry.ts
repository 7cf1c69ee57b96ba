// The names of the numbers that two sides agree on, from the registry of IANA ("Transport Layer Security (TLS)
// Parameters", RFC 8447), for messages and logs. Groups are called what users of OpenSSL and Node call them.

import { suiteOf } from './cipher-suites.ts'
import { groupCode, NAMED_GROUPS } from './named-groups.ts'

const GROUPS: ReadonlyMap<number, string> = new Map([
  ...NAMED_GROUPS.map((group): [number, string] => [groupCode(group), group]),
  // Those that no setting has a word for, and that peers offer or choose all the same.
  [22, 'secp256k1'],
  [26, 'brainpoolP256r1'],
  [27, 'brainpoolP384r1'],
  [28, 'brainpoolP512r1'],
  [31, 'brainpoolP256r1tls13'],
  [32, 'brainpoolP384r1tls13'],
  [33, 'brainpoolP512r1tls13'],
  [256, 'ffdhe2048'],
  [257, 'ffdhe3072'],
  [258, 'ffdhe4096'],
  [259, 'ffdhe6144'],
  [260, 'ffdhe8192'],
  [512, 'MLKEM512'],
  [513, 'MLKEM768'],
  [514, 'MLKEM1024'],
  [4587, 'SecP256r1MLKEM768'],
  [4589, 'SecP384r1MLKEM1024'],
])

const EXTENSIONS: Readonly<Record<number, string>> = {
  0: 'server_name',
  5: 'status_request',
  10: 'supported_groups',
  11: 'ec_point_formats',
  13: 'signature_algorithms',
  16: 'application_layer_protocol_negotiation',
  18: 'signed_certificate_timestamp',
  21: 'padding',
  22: 'encrypt_then_mac',
  // RFC 7627 called it so, and so do all tools. The registry has `extended_main_secret` by now.
  23: 'extended_master_secret',
  27: 'compress_certificate',
  28: 'record_size_limit',
  35: 'session_ticket',
  41: 'pre_shared_key',
  42: 'early_data',
  43: 'supported_versions',
  44: 'cookie',
  45: 'psk_key_exchange_modes',
  47: 'certificate_authorities',
  49: 'post_handshake_auth',
  50: 'signature_algorithms_cert',
  51: 'key_share',
  65281: 'renegotiation_info',
}

/** The name of a group for the key exchange, such as `X25519` or `P-256`; the number, as `0x2a2a`, if it has none. */
export function groupName(id: number): string {
  return GROUPS.get(id) ?? hex(id)
}

/** The name of a cipher suite, such as `TLS_AES_128_GCM_SHA256`; the number, as `0x1304`, of one that is not spoken here. */
export function cipherSuiteName(id: number): string {
  return suiteOf(id) ?? hex(id)
}

/** The name of an extension, such as `key_share`; the number, as `2570`, of one that is not known here. */
export function extensionName(type: number): string {
  return EXTENSIONS[type] ?? String(type)
}

function hex(id: number): string {
  return `0x${id.toString(16).padStart(4, '0')}`
}
