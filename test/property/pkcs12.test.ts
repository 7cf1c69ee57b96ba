import { KeyObject } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { readPkcs12 } from '../../src/certificate/pkcs12-read.ts'
import { writePkcs12 } from '../../src/certificate/pkcs12-write.ts'
import { CertificateError, Pkcs12Error, PrivateKeyError, TlacacocaError } from '../../src/errors.ts'
import { issue } from '../support/issued-certificates.ts'
import {
  certificateBag,
  friendlyName,
  keyBag,
  localKeyId,
  passphrase,
  plain,
  sealedAs,
  sequence,
} from '../support/pkcs12.ts'

const root = issue({ subject: 'Root', ca: true })
const { certificate, keys } = issue({ subject: 'Ana', by: root })
const identity = { certificates: [certificate, root.certificate], privateKey: keys.privateKey, friendlyName: 'Ana' }
const modern = await writePkcs12(identity, { passphrase, iterations: 2048 })
const legacy = await writePkcs12(identity, { passphrase, iterations: 2048, compatibility: 'legacy' })
const open = sequence(
  plain(certificateBag(certificate, friendlyName('Ana'), localKeyId(1)), certificateBag(root.certificate)),
  plain(keyBag(keys.privateKey, localKeyId(1))),
)

const seldom = fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat() })

/** Bytes with some octets changed, added, taken out or cut off. */
const damaged = (...files: readonly Uint8Array[]) =>
  fc
    .record({
      file: fc.constantFrom(...files),
      changes: fc.array(fc.record({ at: fc.nat(), to: fc.nat(255) }), { maxLength: 3 }),
      cut: seldom,
      taken: seldom,
      surplus: fc.uint8Array({ maxLength: 1 }),
    })
    .map(({ file, changes, cut, taken, surplus }) => {
      const bytes = Buffer.from(file)
      for (const { at, to } of changes) bytes[at % bytes.length] = to
      const kept = cut === null ? bytes : bytes.subarray(0, cut % bytes.length)
      const at = taken === null || kept.length === 0 ? kept.length : taken % kept.length
      return Buffer.concat([kept.subarray(0, at), kept.subarray(at + 1), surplus])
    })

// A changed number of iterations must not make the test last; what is above it is refused, as above the usual limit.
const outcome = (file: Uint8Array): Promise<unknown> =>
  readPkcs12(file, { passphrase, maxIterations: 20_000 }).catch((error: unknown) => error)

function codeOf(result: unknown): string {
  if (!(result instanceof Error)) return 'read'
  expect(result).toBeInstanceOf(TlacacocaError)
  const ours = [Pkcs12Error, PrivateKeyError, CertificateError].some((kind) => result instanceof kind)
  expect(ours, String(result)).toBe(true)
  return (result as Pkcs12Error).code
}

it('a damaged file is refused with an error of ours, unless the damage is none', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(damaged(modern, legacy), async (bytes) => {
      seen.add(codeOf(await outcome(bytes)))
    }),
    { numRuns: 600 },
  )
  expect([...seen]).toEqual(
    expect.arrayContaining(['read', 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG', 'ERR_TLACACOCA_PKCS12_MALFORMED']),
  )
}, 60_000)

it('damage with a right MAC, as a hostile writer makes it, is read safely or refused with an error of ours', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(damaged(open), async (bytes) => {
      const result = await outcome(await sealedAs(bytes))
      seen.add(codeOf(result))
      if (result instanceof Error) return
      const { entries, otherPrivateKeys } = result as Awaited<ReturnType<typeof readPkcs12>>
      for (const key of [...otherPrivateKeys, ...entries.map(({ privateKey }) => privateKey)]) {
        // What was read must be safe to ask for its details.
        expect(key).toBeInstanceOf(KeyObject)
        expect(key.asymmetricKeyDetails).toBeDefined()
      }
    }),
    { numRuns: 1500 },
  )
  expect([...seen]).toEqual(
    expect.arrayContaining(['read', 'ERR_TLACACOCA_PKCS12_MALFORMED', 'ERR_TLACACOCA_KEY_MALFORMED']),
  )
}, 60_000)

it('any other bytes are refused with an error of ours', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      expect(codeOf(await outcome(bytes))).toMatch(/^ERR_TLACACOCA_PKCS12_/)
    }),
  )
})

it('what is written under a passphrase and a name is read under that passphrase with that name', async () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(text, text, fc.constantFrom('modern', 'legacy'), async (secret, name, compatibility) => {
      fc.pre(!/\p{Cc}/u.test(name))
      const options = { passphrase: secret, compatibility, iterations: 2048 } as const
      const file = await writePkcs12({ ...identity, friendlyName: name }, options)
      const { entries } = await readPkcs12(file, { passphrase: secret })
      expect(entries).toMatchObject([{ friendlyName: name }])
      expect(entries[0]?.certificate.equals(certificate)).toBe(true)
      await expect(readPkcs12(file, { passphrase: `${secret}x` })).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
      })
    }),
    { numRuns: 40 },
  )
}, 60_000)
