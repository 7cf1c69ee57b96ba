import { generateKeyPairSync } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import type { NameField } from '../../src/certificate/name-fields.ts'
import { CertificateRequestError } from '../../src/errors.ts'
import { hostileRequests } from '../support/hostile-requests.ts'

const { privateKey: key } = generateKeyPairSync('ed25519')
const { request } = await createCertificateRequest({
  key,
  subject: [
    ['CN', 'Ana'],
    ['C', 'MX'],
  ],
  subjectAltNames: { dns: ['example.org'], ip: ['::1'] },
})
const samples = [request.der, ...hostileRequests.map(({ der }) => der).filter((der) => der.length < 2000)]

/** Everything that a request says must be there once it has been read. */
function readAll(read: CertificateRequest): void {
  for (const name of Object.getOwnPropertyNames(CertificateRequest.prototype)) {
    if (Object.getOwnPropertyDescriptor(CertificateRequest.prototype, name)?.get !== undefined) Reflect.get(read, name)
  }
  read.subject.toString()
  read.toPem()
}

it('whatever was done to a request, it is read or refused with an error of ours, and no getter throws', () => {
  const change = fc.record({ at: fc.nat(), to: fc.nat(255) })
  const seen = new Set<string>()
  fc.assert(
    fc.property(
      fc.constantFrom(...samples),
      fc.array(change, { maxLength: 3 }),
      fc.option(fc.nat(), { freq: 6 }),
      (der, changes, cut) => {
        const bytes = Buffer.from(der)
        for (const { at, to } of changes) bytes[at % bytes.length] = to
        try {
          const read = CertificateRequest.from(cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1)))
          readAll(read)
          read.requireProof()
          seen.add('proven')
        } catch (error) {
          expect(error).toBeInstanceOf(CertificateRequestError)
          seen.add((error as CertificateRequestError).code)
        }
      },
    ),
    { numRuns: 3000 },
  )
  expect([...seen]).toEqual(
    expect.arrayContaining(['proven', 'ERR_TLACACOCA_CSR_MALFORMED', 'ERR_TLACACOCA_CSR_UNPROVEN']),
  )
})

it('no change of a single octet leaves a request proven', () => {
  fc.assert(
    fc.property(fc.nat(request.der.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
      const bytes = Buffer.from(request.der)
      bytes[at] = (bytes[at] ?? 0) ^ difference
      expect(() => CertificateRequest.from(bytes).requireProof()).toThrow(CertificateRequestError)
    }),
    { numRuns: 2000 },
  )
})

it('any bytes and any text are refused with an error of ours', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 200 })), (input) => {
      expect(() => CertificateRequest.from(input)).toThrow(CertificateRequestError)
    }),
  )
})

// No control characters, and nothing that turns the direction of text.
const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((value) => !/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(value))

it('what is asked for is what is read, whatever it says', async () => {
  const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9]{0,10})$/)
  const host = fc.tuple(label, label).map(([left, right]) => `${left}.${right}.example`)
  const field = fc.tuple(fc.constantFrom('CN', 'O', 'OU', 'L', 'UID', '1.2.3.4'), text)
  await fc.assert(
    fc.asyncProperty(fc.array(field, { maxLength: 5 }), fc.uniqueArray(host, { maxLength: 5 }), async (fields, dns) => {
      const made = await createCertificateRequest({ key, subject: fields as NameField[], subjectAltNames: { dns } })
      const read = CertificateRequest.from(made.requestPem)
      read.requireProof()
      expect(read.subject.attributes.map(({ type, value }) => [type, value])).toEqual(fields)
      expect(read.subjectAltNames.dns).toEqual(dns)
    }),
    { numRuns: 150 },
  )
})
