// RSA keys of numbers that nobody has made a key of, in PKCS#8. Node 26 would not write them from their parts.

import { element, oid } from '../../src/certificate/der-writer.ts'

/** The numbers of RFC 8017 appendix A.1.2 behind the version: n, e, d, p, q, and what is computed of them. */
export function rsaPrivateKey(...numbers: readonly Uint8Array[]): Buffer {
  const key = element(0x30, ...[Uint8Array.of(0), ...numbers].map(unsigned))
  const algorithm = element(0x30, oid('1.2.840.113549.1.1.1'), element(0x05))
  return Buffer.from(element(0x30, unsigned(Uint8Array.of(0)), algorithm, element(0x04, key)))
}

/** An INTEGER: the first bit is its sign. */
function unsigned(octets: Uint8Array): Uint8Array {
  return element(0x02, ...((octets[0] ?? 0) >= 0x80 ? [Uint8Array.of(0)] : []), octets)
}
