// Just enough DER to write an EncryptedPrivateKeyInfo, whose parameters the `@peculiar/asn1-*` schemas do not cover.
// What is in a certificate is not written with this: its structure is that of `@peculiar/asn1-x509`.

import { TAG } from './der.ts'

/** One element: a tag, the length, and the parts of its content one after another. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Uint8Array.of(tag), lengthOctets(length), ...parts])
}

/** An INTEGER from 0 to 2^31-1. */
export function integer(value: number): Uint8Array {
  const octets = bigEndian(value)
  // The first bit is the sign.
  return element(TAG.integer, (octets[0] ?? 0) >= 0x80 ? Uint8Array.of(0, ...octets) : octets)
}

/** An OBJECT IDENTIFIER from its dotted form. Its arcs are below 2^31. */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return element(TAG.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)))
}

// X.690 section 10.1: the short form up to 127, then as few octets as hold the length.
function lengthOctets(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length)
  const octets = bigEndian(length)
  return Uint8Array.of(0x80 | octets.length, ...octets)
}

function bigEndian(value: number): Uint8Array {
  const octets = [value & 0xff]
  for (let rest = value >>> 8; rest > 0; rest >>>= 8) octets.unshift(rest & 0xff)
  return Uint8Array.from(octets)
}

function base128(arc: number): number[] {
  const octets = [arc & 0x7f]
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) octets.unshift(0x80 | (rest & 0x7f))
  return octets
}
