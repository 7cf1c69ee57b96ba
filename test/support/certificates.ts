// Certificates for tests, by the library's own generator. Every call makes a new key, as in life; only RSA keys, which
// take a second each, are shared between the certificates of one process unless a test asks for its own.

import { createPublicKey, type KeyPairKeyObjectResult } from 'node:crypto'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { selfSign } from '../../src/certificate/generate.ts'
import { type GenerateOptions, type KeyKind, readGenerateOptions } from '../../src/certificate/generate-options.ts'
import { generateKey } from '../../src/certificate/key-generation.ts'
import { loadPrivateKey } from '../../src/certificate/private-key.ts'

/** What a test can say about its certificate. All of it is optional. */
export interface TestCertificateOptions extends Omit<GenerateOptions, 'hostname' | 'passphrase'> {
  /** Default `example.org`; null for none, which only a client's certificate can do without. */
  readonly host?: string | null
  /** For how many days it is valid. Default 365. */
  readonly days?: number
  /** The key of an earlier certificate, to make a renewed one. */
  readonly keyPem?: string
  /** A key that no other certificate of this process has, also if it is RSA. */
  readonly freshKey?: boolean
}

/** A certificate and its key, with the PEM that TLS contexts want. */
export interface TestCertificate {
  readonly certificate: Certificate
  readonly certPem: string
  readonly keyPem: string
}

/** Makes a self-signed certificate. */
export async function testCertificate(options: TestCertificateOptions = {}): Promise<TestCertificate> {
  const { host = 'example.org', days, keyPem, freshKey = false, ...rest } = options
  const plan = readGenerateOptions({
    ...(host === null ? {} : { hostname: host }),
    ...(days === undefined ? {} : { validDays: days }),
    ...rest,
  })
  const keys = keyPem === undefined ? await keysFor(plan.key, freshKey) : await readKeys(keyPem)
  const certificate = await selfSign(plan, keys)
  return {
    certificate,
    certPem: certificate.toPem(),
    keyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

const sharedKeys = new Map<KeyKind, Promise<KeyPairKeyObjectResult>>()

function keysFor(kind: KeyKind, fresh: boolean): Promise<KeyPairKeyObjectResult> {
  if (fresh || !kind.startsWith('RSA')) return generateKey(kind)
  const shared = sharedKeys.get(kind) ?? generateKey(kind)
  sharedKeys.set(kind, shared)
  return shared
}

async function readKeys(keyPem: string): Promise<KeyPairKeyObjectResult> {
  const privateKey = await loadPrivateKey(keyPem)
  return { privateKey, publicKey: createPublicKey(privateKey) }
}
