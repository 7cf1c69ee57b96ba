// Diffie-Hellman parameters of a server (PKCS #3), for the DHE suites of TLS 1.2.
//
// A client of TLS 1.2 takes whatever group a server names, so a weak one is weak for everybody who connects (Logjam),
// and one that is no prime at all has been served for years without anybody's noticing (socat, 2016). So the group is
// checked here, once, when a server is set up. It takes 50 ms for 2048 bits and half a second for 4096.
//
// Asked for is a safe prime: p = 2q + 1 with q prime. Then every generator from 2 to p - 2 has an order of at least q, and
// there are no small subgroups. `openssl dhparam` makes such groups, and those of RFC 7919 and RFC 3526 are such;
// `-dsaparam` makes others.

import { randomBytes } from 'node:crypto'
import { type DerElement, integerBytes, readWhole, TAG } from '../../certificate/der.ts'
import { element } from '../../certificate/der-writer.ts'
import { formatPem, parsePem } from '../../certificate/pem.ts'
import { textOf } from '../../certificate/source.ts'
import { ContextError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'

/**
 * `none`: no DHE suites. `auto`: groups that OpenSSL has, as strong as the certificate's key, 2048 bits at least. Or
 * parameters of 2048 to 8192 bits, as `openssl dhparam` writes them: PEM, or DER as bytes.
 */
export type DhParams = 'none' | 'auto' | (string & {}) | Uint8Array

const LABEL = 'DH PARAMETERS'
// RFC 7919 begins there and ends there. Less can be broken with money (Logjam, 2015); more costs too much per handshake.
const MIN_BITS = 2048
const MAX_BITS = 8192

/**
 * Reads and checks what a server was given.
 *
 * @returns What Node takes for `dhparam`: `auto` or PEM. Null for none.
 * @throws {TypeError} If it is neither text nor bytes.
 * @throws {ContextError} If it is no group of enough bits on a safe prime.
 */
export function readDhParams(dhParams: unknown): string | null {
  if (dhParams === 'none' || dhParams === 'auto') return dhParams === 'none' ? null : 'auto'
  if (typeof dhParams !== 'string' && !(dhParams instanceof Uint8Array)) {
    throw new TypeError(`"dhParams" expected "none", "auto", PEM or DER, got ${show(dhParams)}`)
  }
  const { prime, generator } = readGroup(derOf(dhParams))
  requireGroup(numberIn(prime), numberIn(generator))
  return formatPem(LABEL, element(TAG.sequence, prime.encoded, generator.encoded))
}

function derOf(source: string | Uint8Array): Uint8Array {
  const text = typeof source === 'string' ? source : textOf(source)
  if (typeof source !== 'string' && !text.includes('-----BEGIN ')) return new Uint8Array(source)
  const blocks = reading(() => parsePem(text))
  const [block] = blocks
  if (block === undefined || blocks.length > 1 || block.label !== LABEL) {
    throw invalid(`has to be the one block ${LABEL} in its text`)
  }
  return block.der
}

/**
 * DHParameter of PKCS #3: the prime, the generator, and perhaps how long private values are to be. That is left out of what
 * OpenSSL gets, which would take it by its word, and a value of a few bits is soon guessed.
 */
function readGroup(der: Uint8Array): { prime: DerElement; generator: DerElement } {
  return reading(() => {
    const fields = readWhole(der, TAG.sequence, 'the group').children()
    const prime = fields.read(TAG.integer, 'the prime')
    const generator = fields.read(TAG.integer, 'the generator')
    fields.optional(TAG.integer, 'the length of private values')
    fields.finish('the group')
    return { prime, generator }
  })
}

function numberIn(integer: DerElement): bigint {
  const octets = reading(() => integerBytes(integer, 'the group'))
  // One octet more than the longest prime has, for the zero that keeps it positive. It bounds the arithmetic, too.
  if ((octets[0] ?? 0) >= 0x80 || octets.length > MAX_BITS / 8 + 1) throw invalid('has a number that is out of range')
  return BigInt(`0x${Buffer.from(octets).toString('hex')}`)
}

function requireGroup(prime: bigint, generator: bigint): void {
  const bits = prime.toString(2).length
  if (bits < MIN_BITS || bits > MAX_BITS) throw invalid(`has ${bits} bits; it takes ${MIN_BITS} to ${MAX_BITS}`)
  if (generator < 2n || generator > prime - 2n) throw invalid('has a generator that is not from 2 to p - 2')
  const half = prime >> 1n
  // Most of what can be wrong shows here, at no cost.
  const divides = (small: bigint): boolean => prime % small === 0n || half % small === 0n
  // With q prime, 2 to the power of p - 1 being 1 proves that p is prime as well (Pocklington's theorem).
  if (smallPrimes().some(divides) || !isProbablyPrime(half) || power(2n, prime - 1n, prime) !== 1n) {
    throw invalid('is not on a safe prime; make one with a plain `openssl dhparam 2048`')
  }
}

function smallPrimes(): bigint[] {
  const found: bigint[] = []
  for (let n = 2n; n < 1000n; n++) if (!found.some((prime) => n % prime === 0n)) found.push(n)
  return found
}

/** Miller-Rabin. Nobody can prepare a number for bases that are drawn at random: each round finds out three of four. */
function isProbablyPrime(odd: bigint): boolean {
  for (let round = 0; round < ROUNDS; round++) {
    // 256 bits are a base as good as any, and always below the number.
    if (isWitness(BigInt(`0x${randomBytes(32).toString('hex')}`) + 2n, odd)) return false
  }
  return true
}

// For a number that was not prepared to deceive, one round is as good as certain.
const ROUNDS = 2

/** Whether the base proves that the number is composite. */
function isWitness(base: bigint, odd: bigint): boolean {
  let exponent = odd >> 1n
  let squarings = 0
  for (; (exponent & 1n) === 0n; exponent >>= 1n) squarings++
  let value = power(base, exponent, odd)
  if (value === 1n || value === odd - 1n) return false
  for (; squarings > 0; squarings--) {
    value = (value * value) % odd
    if (value === odd - 1n) return false
  }
  return true
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus
    if (bit === '1') result = (result * base) % modulus
  }
  return result
}

/** The readers of DER and PEM speak of certificates; here the same mistakes are those of a group. */
function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw invalid('is not proper PEM or DER', { cause })
  }
}

function invalid(problem: string, options?: ErrorOptions): ContextError {
  return new ContextError(`the Diffie-Hellman group of "dhParams" ${problem}`, options)
}
