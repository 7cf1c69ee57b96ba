// Makes a certificate request: what somebody sends to an authority to get a certificate from it.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { requireOneOf, requireOptions } from '../internal/arguments.ts'
import { type AlternativeNames, countNames, readAlternativeNames } from './alternative-names.ts'
import {
  type CertificateBuilder,
  encodeExtension,
  loadCertificateBuilder,
  withSignature,
} from './certificate-builder.ts'
import { CertificateRequest } from './certificate-request.ts'
import { TAG } from './der.ts'
import { element, integer, oid } from './der-writer.ts'
import type { SubjectAltNames } from './extensions.ts'
import { KEY_KINDS, type KeyKind } from './generate-options.ts'
import { generateKey } from './key-generation.ts'
import { type NameField, readNameFields } from './name-fields.ts'
import { type Passphrase, requirePassphrase } from './passphrase.ts'
import { formatPem } from './pem.ts'
import { exportPkcs8, type PrivateKeySource, toPrivateKey } from './private-key.ts'
import { encryptPkcs8 } from './private-key-encryption.ts'
import { signerFor } from './signing.ts'

/** What to ask for, and with which key. */
export interface CertificateRequestOptions {
  /** The kind of key to generate, or a private key that exists: Node's key object, PEM or DER. Default `P-256`. */
  readonly key?: KeyKind | KeyObject | PrivateKeySource
  /** The name, field by field: `[['CN', 'Ana'], ['O', 'Example']]`. Default: none. */
  readonly subject?: readonly NameField[]
  /** Host names (perhaps with a wildcard), addresses, e-mail addresses and URIs. Default: none. */
  readonly subjectAltNames?: AlternativeNames
  /** Opens the key if it is encrypted, and encrypts the one that is given back. Leave it out for no encryption. */
  readonly passphrase?: Passphrase
}

/** A request, and the key that it is for. */
export interface NewCertificateRequest {
  readonly request: CertificateRequest
  /** The request as PEM: what an authority wants to have. */
  readonly requestPem: string
  /** The private key as PEM: PKCS#8, encrypted if a passphrase was given. Nobody else should ever get it. */
  readonly privateKeyPem: string
}

/**
 * Makes a certificate request (PKCS#10) for a new key, or for one that exists. What an authority grants of it, it decides.
 *
 * @throws {TypeError} For an option of the wrong type, or an unknown one.
 * @throws {RangeError} For a name that cannot be in a request; the message says which.
 * @throws {PrivateKeyError} As `loadPrivateKey` does, for a key that was given.
 * @throws {CertificateError} CERTIFICATE_UNSUPPORTED for a key that is too weak, or bound to RSASSA-PSS.
 * @example
 * import { createCertificateRequest } from 'tlacacoca/certificate'
 *
 * const { requestPem } = await createCertificateRequest({
 *   subject: [['CN', 'Ana']],
 *   subjectAltNames: { dns: ['example.org'] },
 * })
 * console.log(requestPem)
 */
export async function createCertificateRequest(
  options: CertificateRequestOptions = {},
): Promise<NewCertificateRequest> {
  requireOptions('options', options, ['key', 'subject', 'subjectAltNames', 'passphrase'])
  const { key = 'P-256', passphrase } = options
  // A passphrase of `undefined` would leave a key unencrypted that somebody meant to protect.
  if ('passphrase' in options) requirePassphrase('passphrase', passphrase)
  const attributes = readNameFields(options.subject ?? [])
  const names = readAlternativeNames(options.subjectAltNames ?? {}, { wildcards: true })
  const privateKey = await keyOf(key, passphrase)

  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const signer = signerFor(privateKey, spki)
  const builder = await loadCertificateBuilder()
  const signedPart = element(
    TAG.sequence,
    VERSION_1,
    builder.name(attributes),
    spki,
    element(ATTRIBUTES, ...extensionRequest(builder, names, attributes.length === 0)),
  )
  const der = withSignature(signedPart, signer, await signer.sign(signedPart))
  const request = CertificateRequest.from(der)
  // What every authority is going to check.
  request.requireProof()
  const pkcs8 = exportPkcs8(privateKey)
  return {
    request,
    requestPem: request.toPem(),
    privateKeyPem:
      passphrase === undefined
        ? formatPem('PRIVATE KEY', pkcs8)
        : formatPem('ENCRYPTED PRIVATE KEY', await encryptPkcs8(pkcs8, passphrase, 'scrypt')),
  }
}

const VERSION_1 = integer(0)
const ATTRIBUTES = 0xa0
const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14')

function isKeyKind(key: unknown): key is KeyKind {
  return (KEY_KINDS as readonly unknown[]).includes(key)
}

async function keyOf(
  key: KeyKind | KeyObject | PrivateKeySource,
  passphrase: Passphrase | undefined,
): Promise<KeyObject> {
  if (isKeyKind(key)) return (await generateKey(key)).privateKey
  // A short text is a kind that does not exist, and no key.
  if (typeof key === 'string' && !key.includes('-----BEGIN ')) requireOneOf('key', key, KEY_KINDS)
  return toPrivateKey(key, { passphrase })
}

/** RFC 2985 section 5.4.2: an attribute with the extensions that a certificate should have. */
function extensionRequest(builder: CertificateBuilder, names: SubjectAltNames, isNameless: boolean): Uint8Array[] {
  if (countNames(names) === 0) return []
  const extension = builder.extensions.subjectAltName(names, { critical: isNameless })
  const extensions = element(TAG.sequence, encodeExtension(extension))
  return [element(TAG.sequence, EXTENSION_REQUEST, element(TAG.set, extensions))]
}
