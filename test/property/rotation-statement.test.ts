import fc from 'fast-check'
import { expect, it } from 'vitest'
import { IdentityError } from '../../src/errors.ts'
import { signRotation, verifyRotation } from '../../src/identity/rotation-statement.ts'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { issue } from '../support/issued-certificates.ts'

const now = new Date('2030-06-01T12:00:00Z')
const [old, next] = [issue({ subject: 'ana' }), issue({ subject: 'ana' })]
const base = { oldCertificate: old.certificate, oldKey: old.keys.privateKey, newCertificate: next.certificate }
const expected = { oldCertificate: old.certificate, newFingerprint: next.certificate.fingerprint, now }

it('reads back what was signed, whatever the user is called and wherever it is for', async () => {
  const statements = fc.record({
    host: fc.constantFrom('example.org', '192.0.2.1', '::1', 'xn--bcher-kva.example'),
    port: fc.integer({ min: 1, max: 65_535 }),
    user: fc.string({ unit: 'grapheme', maxLength: 200 }),
    nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    inMs: fc.integer({ min: 1, max: 31 * 86_400_000 }),
  })
  await fc.assert(
    fc.asyncProperty(statements, async ({ host, port, user, nonce, inMs }) => {
      const origin = endpointFrom(host, port)
      const expiresAt = new Date(now.getTime() + inMs)
      const text = await signRotation({ ...base, origin, user, nonce, expiresAt })
      const read = verifyRotation(text, { ...expected, origin, user })
      expect(read.user ?? '').toBe(user)
      expect(read.nonce).toBe(Buffer.from(nonce).toString('hex'))
      expect(read.expiresAt).toEqual(expiresAt)
    }),
    { numRuns: 60 },
  )
})

const origin = parseEndpoint('example.org:1965')
const statement = await signRotation({ ...base, origin, expiresAt: new Date(now.getTime() + 1000) })

it('accepts no text but the one that was signed', () => {
  const [prefix = '', payload = '', signature = ''] = statement.split('.')
  const bytes = Buffer.from(payload, 'base64url')
  const changed = fc.oneof(
    // One bit of what was signed.
    fc.integer({ min: 0, max: bytes.length * 8 - 1 }).map((bit) => {
      const copy = Buffer.from(bytes)
      copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      return `${prefix}.${copy.toString('base64url')}.${signature}`
    }),
    // One character anywhere.
    fc
      .tuple(fc.nat(statement.length - 1), fc.string({ minLength: 1, maxLength: 1 }))
      .map(([at, character]) => statement.slice(0, at) + character + statement.slice(at + 1)),
    fc.nat(statement.length - 1).map((length) => statement.slice(0, length)),
    fc.string({ minLength: 1, maxLength: 5 }).map((more) => statement + more),
    fc.string({ maxLength: 300 }).map((junk) => `rotation1.${junk}`),
  )
  fc.assert(
    fc.property(changed, (text) => {
      fc.pre(text !== statement)
      let error: unknown
      try {
        verifyRotation(text, { ...expected, origin })
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(IdentityError)
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_ROTATION_INVALID', reason: expect.any(String) })
    }),
    { numRuns: 1500 },
  )
})
