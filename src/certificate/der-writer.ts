// Just enough DER for what the `@peculiar/asn1-*` schemas do not cover (EncryptedPrivateKeyInfo), and for what holds parts
// together that are encoded already. The parts of certificates themselves are encoded by the schemas.

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

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(arcOf)
  // X.690 section 8.19.4: the first two arcs share one number.
  const both = typeof second === 'bigint' ? BigInt(first) * 40n + second : Number(first) * 40 + second
  return element(TAG.oid, Uint8Array.from([both, ...rest].flatMap(base128)))
}

/**
 * Whether a text is a dotted object identifier (X.660): the first arc is 0, 1 or 2, the second below 40 under the first
 * two, and no arc has leading zeros. Up to 32 arcs of up to 40 digits, which is more than there are: those under 2.25 are
 * UUIDs, of 39.
 */
export function isObjectIdentifier(text: string): boolean {
  return OBJECT_IDENTIFIER.test(text)
}

const OBJECT_IDENTIFIER = /^(?:[01]\.(?:[1-3]?[0-9])|2\.(?:0|[1-9][0-9]{0,39}))(?:\.(?:0|[1-9][0-9]{0,39})){0,30}$/

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

/** Bits can be shifted up to 2^31; UUIDs have arcs of 2^128. */
function arcOf(digits: string): number | bigint {
  return digits.length < 10 ? Number(digits) : BigInt(digits)
}

function base128(arc: number | bigint): number[] {
  if (typeof arc === 'bigint') return largeBase128(arc)
  const octets = [arc & 0x7f]
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) octets.unshift(0x80 | (rest & 0x7f))
  return octets
}

function largeBase128(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)]
  for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) octets.unshift(0x80 | Number(rest & 0x7fn))
  return octets
}
