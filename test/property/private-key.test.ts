import { generateKeyPairSync, KeyObject } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { loadPrivateKey } from '../../src/certificate/private-key.ts'
import { PrivateKeyError } from '../../src/errors.ts'
import { openssl } from '../support/openssl.ts'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const passphrase = 'secret'
const pem = ec.export({ format: 'pem', type: 'pkcs8' }).toString()
const encrypted = (...options: string[]): Buffer => {
  const text = openssl(['pkcs8', '-topk8', '-passout', `pass:${passphrase}`, ...options], pem)
  return Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64')
}

const files: readonly Buffer[] = [
  ec.export({ format: 'der', type: 'pkcs8' }),
  ec.export({ format: 'der', type: 'sec1' }),
  rsa.export({ format: 'der', type: 'pkcs1' }),
  ed25519.export({ format: 'der', type: 'pkcs8' }),
  encrypted('-v2', 'aes-128-cbc', '-iter', '2'),
  encrypted('-scrypt', '-scrypt_N', '2', '-scrypt_r', '1', '-scrypt_p', '1'),
  encrypted('-v1', 'PBE-SHA1-3DES', '-iter', '2'),
  Buffer.from(pem),
  Buffer.from(ec.export({ format: 'pem', type: 'sec1', cipher: 'aes-128-cbc', passphrase }).toString()),
]

/** A key file with some octets changed, added or cut off. */
const damaged = fc
  .record({
    file: fc.constantFrom(...files),
    changes: fc.array(fc.record({ at: fc.nat(), to: fc.nat(255) }), { maxLength: 4 }),
    cut: fc.option(fc.nat(), { freq: 4 }),
    surplus: fc.uint8Array({ maxLength: 2 }),
  })
  .map(({ file, changes, cut, surplus }) => {
    const bytes = Buffer.from(file)
    for (const { at, to } of changes) bytes[at % bytes.length] = to
    return Buffer.concat([cut === null ? bytes : bytes.subarray(0, cut % bytes.length), surplus])
  })

const outcome = (source: Uint8Array | string): Promise<unknown> =>
  loadPrivateKey(source, { passphrase }).catch((error: unknown) => error)

it('a damaged key file loads, or is refused with an error of ours', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(damaged, async (bytes) => {
      const result = await outcome(bytes)
      if (result instanceof KeyObject) {
        // What loads must be safe to ask for its details.
        expect(result.asymmetricKeyDetails).toBeDefined()
        seen.add('loaded')
      } else {
        expect(result).toBeInstanceOf(PrivateKeyError)
        seen.add((result as PrivateKeyError).code)
      }
    }),
    { numRuns: 1500 },
  )
  // The damage was neither so light nor so heavy that only one thing was tried.
  expect([...seen].sort()).toEqual(['ERR_TLACACOCA_KEY_MALFORMED', 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG', 'loaded'])
})

it('any other bytes or text are refused with an error of ours', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary' })), async (source) => {
      expect(await outcome(source)).toMatchObject({ code: 'ERR_TLACACOCA_KEY_MALFORMED' })
    }),
  )
})
