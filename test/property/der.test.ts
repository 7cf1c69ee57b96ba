import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { integerBytes, oidOf, readWhole, smallInteger, TAG } from '../../src/certificate/der.ts'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
import { isCertificateValidForHostname } from '../../src/certificate/hostname.ts'
import { getCertificateInfo } from '../../src/certificate/info.ts'
import { getCertificateFingerprint } from '../../src/certificate/load.ts'
import { CertificateError } from '../../src/errors.ts'
import { vectorNames, vectorPem } from '../support/vectors.ts'

// Certificates come from strangers. Whatever is done to one, reading it gives facts or a CertificateError, and nothing
// else: no other exception, no NaN, no endless loop, no abort of the process (OpenSSL is reached through the guard).

const originals = vectorNames().map((vector) => Buffer.from(Certificate.from(vectorPem(vector)).der))
const original = fc.constantFrom(...originals)

/** Reads everything there is to read. Returns how many facts could be read; -1 if it is no certificate at all. */
function readAll(der: Uint8Array): number {
  let certificate: Certificate
  try {
    certificate = Certificate.from({ raw: der })
  } catch (error) {
    expect(error).toBeInstanceOf(CertificateError)
    expect(() => getCertificateFingerprint(der)).toThrow(CertificateError)
    return -1
  }
  // These are always there.
  expect(certificate.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/)
  expect(certificate.publicKeyFingerprint).toMatch(/^spki-sha256:[0-9a-f]{64}$/)
  expect(Certificate.from(certificate.toPem()).equals(certificate)).toBe(true)

  const facts: (() => unknown)[] = [
    () => certificate.subject.toString() + certificate.subject.commonName,
    () => certificate.issuer.toString(),
    () => certificate.isSelfIssued,
    () => expect(certificate.serialNumber).toMatch(/^-?([0-9a-f]{2})+$/),
    () => expect(certificate.notBefore.getTime()).not.toBeNaN(),
    () => expect(certificate.notAfter.getTime()).not.toBeNaN(),
    () => expect(['valid', 'expired', 'not_yet_valid']).toContain(certificate.validityAt(new Date(0))),
    () => certificate.extensions,
    () => certificate.subjectAltNames,
    () => certificate.isCA,
    () => certificate.pathLength,
    () => certificate.keyUsage,
    () => certificate.extendedKeyUsage,
    () => certificate.subjectKeyIdentifier,
    () => certificate.authorityKeyIdentifier,
    () => certificate.keyType,
    () => certificate.keySize,
    () => certificate.signatureAlgorithm,
    () => certificate.version,
    () => isCertificateValidForHostname(certificate, 'example.org', { dangerouslyAllowCommonName: true }),
    () => JSON.stringify(getCertificateInfo(certificate)),
    () => certificate.publicKey().asymmetricKeyDetails,
    () => certificate.toX509Certificate().publicKey.asymmetricKeyDetails,
  ]
  return facts.filter((read) => {
    try {
      read()
      return true
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      return false
    }
  }).length
}

describe('a certificate of which', () => {
  it('nothing was changed is read whole', () => {
    for (const der of originals) expect(readAll(der)).toBeGreaterThan(15)
  })

  it('some bits were turned', () => {
    fc.assert(
      fc.property(original, fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), (der, bits) => {
        const changed = Buffer.from(der)
        for (const bit of bits) {
          const at = (bit >> 3) % changed.length
          changed.writeUInt8(changed.readUInt8(at) ^ (1 << (bit & 7)), at)
        }
        readAll(changed)
      }),
      { numRuns: 3000 },
    )
  })

  it('some octets were set to what means something', () => {
    const change = fc.tuple(
      fc.nat(),
      fc.constantFrom(0x00, 0x01, 0x02, 0x04, 0x06, 0x1f, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff),
    )
    fc.assert(
      fc.property(original, fc.array(change, { minLength: 1, maxLength: 4 }), (der, changes) => {
        const changed = Buffer.from(der)
        for (const [at, value] of changes) changed.writeUInt8(value, at % changed.length)
        readAll(changed)
      }),
      { numRuns: 3000 },
    )
  })

  it('a part was cut off, at the end or at the front, is none', () => {
    fc.assert(
      fc.property(original, fc.nat(), fc.boolean(), (der, at, front) => {
        const cut = 1 + (at % (der.length - 1))
        expect(readAll(front ? der.subarray(cut) : der.subarray(0, cut))).toBe(-1)
      }),
      { numRuns: 3000 },
    )
  })

  it('a piece was removed, doubled or replaced by a piece of another', () => {
    fc.assert(
      fc.property(
        original,
        original,
        fc.nat(),
        fc.nat({ max: 60 }),
        fc.nat(),
        fc.nat({ max: 60 }),
        (der, other, at, remove, from, take) => {
          const start = at % der.length
          const source = from % other.length
          const piece = other.subarray(source, source + take)
          readAll(Buffer.concat([der.subarray(0, start), piece, der.subarray(start + remove)]))
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('one element was exchanged for one of another certificate, with all lengths put right', () => {
    const every = originals.flatMap(elementsOf)
    fc.assert(
      fc.property(original, fc.nat(), fc.constantFrom(...every), (der, which, replacement) => {
        const elements = elementsOf(der)
        const target = elements[which % elements.length]
        if (target === undefined) throw new Error('unreachable')
        readAll(exchange(der, target, replacement.encoded))
      }),
      { numRuns: 3000 },
    )
  })
})

it('octets without any order are no certificate', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(readAll(bytes)).toBe(-1)
      expect(readAll(Uint8Array.of(0x30, ...bytes))).toBe(-1)
    }),
    { numRuns: 3000 },
  )
})

describe('what is written', () => {
  it('is read back: integers', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), (value) => {
        const read = readWhole(integer(value), TAG.integer, 'it')
        expect(smallInteger(read, 'it')).toBe(value)
        expect(Number(BigInt(`0x${Buffer.from(integerBytes(read, 'it')).toString('hex')}`))).toBe(value)
      }),
    )
  })

  it('is read back: object identifiers', () => {
    const arcs = fc.tuple(
      fc.constantFrom(0, 1),
      fc.nat({ max: 39 }),
      fc.array(fc.nat({ max: 2 ** 31 - 1 }), { maxLength: 10 }),
    )
    fc.assert(
      fc.property(arcs, ([first, second, rest]) => {
        const dotted = [first, second, ...rest].join('.')
        expect(oidOf(readWhole(oid(dotted), TAG.oid, 'it'), 'it')).toBe(dotted)
      }),
    )
  })

  it('is read back: octets of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), (content) => {
        expect(Buffer.from(readWhole(element(0x04, content), TAG.octetString, 'it').content)).toEqual(
          Buffer.from(content),
        )
      }),
      { numRuns: 50 },
    )
  })
})

interface Located {
  readonly start: number
  readonly end: number
  readonly parents: readonly Located[]
  readonly encoded: Buffer
}

/** Every element of a well-formed certificate, at any depth, also inside of the OCTET STRINGs of extensions. */
function elementsOf(der: Buffer): Located[] {
  const found: Located[] = []
  walk(0, der.length, [])
  return found

  function walk(from: number, to: number, parents: readonly Located[]): void {
    for (let at = from; at < to; ) {
      const { content, end } = extent(der, at)
      const located = { start: at, end, parents, encoded: der.subarray(at, end) }
      found.push(located)
      if ((der.readUInt8(at) & 0x20) !== 0) walk(content, end, [...parents, located])
      at = end
    }
  }
}

function extent(der: Buffer, at: number): { content: number; end: number } {
  const first = der.readUInt8(at + 1)
  if (first < 0x80) return { content: at + 2, end: at + 2 + first }
  const count = first & 0x7f
  return { content: at + 2 + count, end: at + 2 + count + der.readUIntBE(at + 2, count) }
}

/** The certificate with one element exchanged, and the lengths of all that hold it put right. */
function exchange(der: Buffer, target: Located, replacement: Uint8Array): Buffer {
  let encoded = Buffer.from(replacement)
  let { start, end } = target
  for (const parent of [...target.parents].reverse()) {
    const { content } = extent(der, parent.start)
    const inside = Buffer.concat([der.subarray(content, start), encoded, der.subarray(end, parent.end)])
    encoded = Buffer.from(element(der.readUInt8(parent.start), inside))
    start = parent.start
    end = parent.end
  }
  return encoded
}
