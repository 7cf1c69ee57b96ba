import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomSerialNumber, readSerialNumber } from '../../src/authority/serial-number.ts'

const LEAST = 2n ** 56n
const MOST = 2n ** 159n

describe('serial numbers', () => {
  it('are read the same from a number, from hex and from octets', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: LEAST, max: MOST - 1n }), fc.nat(4), (number, zeros) => {
        const digits = number.toString(16)
        const hex = digits.length % 2 === 0 ? digits : `0${digits}`
        for (const made of [number, hex, '00'.repeat(zeros) + hex, Buffer.from('00'.repeat(zeros) + hex, 'hex')]) {
          expect(readSerialNumber(made)).toBe(hex)
        }
      }),
    )
  })

  it('outside their bounds are refused', () => {
    const outside = fc.oneof(fc.bigInt({ max: LEAST - 1n }), fc.bigInt({ min: MOST }))
    fc.assert(
      fc.property(outside, (number) => {
        expect(() => readSerialNumber(number)).toThrow(
          expect.objectContaining({ code: 'ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID' }),
        )
      }),
    )
  })

  it('that are random keep their sixteen random octets, and are positive whatever the first one is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 17, maxLength: 17 }), (octets) => {
        const serial = randomSerialNumber(() => octets)
        expect(serial).toMatch(/^[0-7][0-9a-f]{33}$/)
        expect(serial.slice(2)).toBe(Buffer.from(octets).subarray(1).toString('hex'))
        expect(readSerialNumber(serial)).toBe(serial)
      }),
    )
  })
})
