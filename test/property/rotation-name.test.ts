import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type CertificateBuilder, loadCertificateBuilder } from '../../src/certificate/certificate-builder.ts'
import { comparableName } from '../../src/certificate/distinguished-name.ts'
import { readNameFields } from '../../src/certificate/name-fields.ts'
import { isRotation, nextName } from '../../src/certificate/rotation-name.ts'
import { signerFor } from '../../src/certificate/signing.ts'

const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((value) => !/[\p{C}\p{Z}]/u.test(value))
const field = fc.oneof(
  fc.tuple(fc.constantFrom('O', 'OU', 'CN', 'GN', 'L', 'title', '2.5.4.65'), text),
  fc.tuple(
    fc.constant('GN'),
    fc.integer({ min: 0, max: 1000 }).map((number) => String(number)),
  ),
)
const name = fc.array(field, { maxLength: 6 })
const host = fc.constantFrom('example.org', '*.example.org', '::1', `${'a'.repeat(63)}.example`)

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const spki = publicKey.export({ format: 'der', type: 'spki' })
const builder = await loadCertificateBuilder()

function certificate(make: CertificateBuilder, issuer: Uint8Array, subject: Uint8Array) {
  const validity = { notBefore: new Date('2020-01-01'), notAfter: new Date('2030-01-01') }
  const extensions = [make.extensions.basicConstraints({ ca: false })]
  return make.build({ issuer, subject, validity, spki, extensions }, signerFor(privateKey, spki))
}

it('whatever a server is called, its next names differ from all before them, and are recognised', async () => {
  await fc.assert(
    fc.asyncProperty(name, host, async (fields, to) => {
      const names = [builder.name(readNameFields(fields))]
      for (let step = 0; step < 3; step++) {
        const before = names[step] ?? new Uint8Array()
        const after = nextName(before, to)
        names.push(after)
        expect(isRotation(await certificate(builder, before, after))).toBe(true)
        expect(isRotation(await certificate(builder, after, before))).toBe(false)
        expect(isRotation(await certificate(builder, after, after))).toBe(false)
      }
      expect(isRotation(await certificate(builder, names[0] ?? spki, names[2] ?? spki))).toBe(false)
      expect(new Set(names.map((each) => comparableName(each, 'the name'))).size).toBe(4)
    }),
    { numRuns: 200 },
  )
})

it('a name without a number is never that of a rotation', async () => {
  await fc.assert(
    fc.asyncProperty(name, name, async (issuer, fields) => {
      const subject = fields.filter(([type]) => type !== 'GN')
      const made = [issuer, subject].map((each) => builder.name(readNameFields(each)))
      expect(isRotation(await certificate(builder, made[0] ?? spki, made[1] ?? spki))).toBe(false)
    }),
    { numRuns: 200 },
  )
})
