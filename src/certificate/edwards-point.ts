// Points of Edwards curves that are no public keys. OpenSSL 3.0 takes them: with a point of small order a signature holds
// that needs no private key at all, so whoever shows such a key has proven nothing, and anybody else can be them.

// RFC 8032: the prime of the field, and the y of the points whose order divides the cofactor. There is one such x, or two
// of them that differ in the sign, for each y.
const ED25519_PRIME = (1n << 255n) - 19n
const ED448_PRIME = (1n << 448n) - (1n << 224n) - 1n
const ORDER_8 = 0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n
const EDWARDS = {
  ed25519: {
    prime: ED25519_PRIME,
    smallOrder: [0n, 1n, ED25519_PRIME - 1n, ORDER_8, ED25519_PRIME - ORDER_8] as readonly bigint[],
  },
  ed448: { prime: ED448_PRIME, smallOrder: [0n, 1n, ED448_PRIME - 1n] as readonly bigint[] },
} as const

/**
 * What is wrong with the point that a public key is, or null.
 *
 * @param octets - RFC 8032 sections 5.1.2 and 5.2.2: y in little-endian order, below the prime, and the sign of x as the last
 *   bit. As many as the curve has.
 */
export function problemOfEdwardsPoint(curve: keyof typeof EDWARDS, octets: Uint8Array): string | null {
  const { prime, smallOrder } = EDWARDS[curve]
  const bigEndian = Buffer.from(octets).reverse()
  bigEndian[0] = (bigEndian[0] ?? 0) & 0x7f
  const y = BigInt(`0x${bigEndian.toString('hex')}`)
  if (y >= prime) return 'the Edwards key is not written as its kind is'
  return smallOrder.includes(y) ? 'the Edwards key is a point of small order, with which everybody can sign' : null
}
