// Curves that Node's own WebCrypto lacks, through `@peculiar/webcrypto`. It is an object that is used here and nowhere
// set: `globalThis.crypto` and the default provider of `@peculiar/x509` stay what they are.
//
// Only for these curves. It generates synchronously, which for RSA would block the event loop for seconds.

import { createPrivateKey, createPublicKey, type KeyPairKeyObjectResult } from 'node:crypto'

/** What `@peculiar/webcrypto` calls the curves. */
const CURVES = {
  secp256k1: 'K-256',
  brainpoolP256r1: 'brainpoolP256r1',
  brainpoolP384r1: 'brainpoolP384r1',
  brainpoolP512r1: 'brainpoolP512r1',
} as const

/** Generates an EC key pair on one of the curves. */
export async function generateOnUnusualCurve(curve: keyof typeof CURVES): Promise<KeyPairKeyObjectResult> {
  const { Crypto } = await import('@peculiar/webcrypto')
  const { subtle } = new Crypto()
  const pair = await subtle.generateKey({ name: 'ECDSA', namedCurve: CURVES[curve] }, true, ['sign', 'verify'])
  const pkcs8 = await subtle.exportKey('pkcs8', pair.privateKey)
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}
