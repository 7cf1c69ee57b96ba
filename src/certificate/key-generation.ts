// New keys. They are made on the thread pool, so that the event loop keeps turning while a search for RSA primes takes its
// second or two; all but those on curves that go through `@peculiar/webcrypto`, which are made at once.

import { generateKeyPair, type KeyPairKeyObjectResult } from 'node:crypto'
import { promisify } from 'node:util'
import type { KeyKind } from './generate-options.ts'

const generateKeyPairAsync = promisify(generateKeyPair)

/** Generates a key pair. */
export async function generateKey(kind: KeyKind): Promise<KeyPairKeyObjectResult> {
  switch (kind) {
    case 'P-256':
    case 'P-384':
      return generateKeyPairAsync('ec', { namedCurve: kind })
    case 'Ed25519':
      return generateKeyPairAsync('ed25519')
    case 'RSA-2048':
    case 'RSA-3072':
    case 'RSA-4096':
      return generateKeyPairAsync('rsa', { modulusLength: Number(kind.slice(4)) })
    case 'secp256k1':
    case 'brainpoolP256r1':
    case 'brainpoolP384r1':
    case 'brainpoolP512r1': {
      const { generateOnUnusualCurve } = await import('./webcrypto-provider.ts')
      return generateOnUnusualCurve(kind)
    }
  }
}
