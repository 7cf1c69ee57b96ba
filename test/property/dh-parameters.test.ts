import { getDiffieHellman } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { element } from '../../src/certificate/der-writer.ts'
import { formatPem } from '../../src/certificate/pem.ts'
import { ContextError } from '../../src/errors.ts'
import { readDhParams } from '../../src/tls/sans-io/dh-parameters.ts'

const prime = Buffer.concat([Uint8Array.of(0), getDiffieHellman('modp14').getPrime()])
const der = Buffer.from(element(0x30, element(2, prime), element(2, Uint8Array.of(2))))

function isRefused(given: string | Uint8Array): boolean {
  try {
    readDhParams(given)
    return false
  } catch (error) {
    expect(error).toBeInstanceOf(ContextError)
    return true
  }
}

it('refuses whatever is no group, and never in another way', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), fc.string({ unit: 'binary' })), (given) => {
      fc.pre(given !== 'none' && given !== 'auto')
      expect(isRefused(given)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

it('refuses a group in which any bit of the prime is another one, as DER and as PEM', () => {
  const start = der.indexOf(prime)
  fc.assert(
    fc.property(fc.integer({ min: 8, max: prime.length * 8 - 1 }), fc.boolean(), (bit, asPem) => {
      const spoilt = Buffer.from(der)
      const at = start + (bit >> 3)
      spoilt.writeUInt8(spoilt.readUInt8(at) ^ (0x80 >> (bit & 7)), at)
      expect(isRefused(asPem ? formatPem('DH PARAMETERS', spoilt) : spoilt)).toBe(true)
    }),
    { numRuns: 60 },
  )
})

it('refuses a group that is cut short or has something in the way', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: der.length - 1 }), fc.uint8Array({ maxLength: 3 }), (at, extra) => {
      expect(isRefused(der.subarray(0, at))).toBe(true)
      fc.pre(extra.length > 0)
      expect(isRefused(Buffer.concat([der, extra]))).toBe(true)
    }),
  )
})
