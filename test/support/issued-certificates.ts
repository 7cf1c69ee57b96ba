// Certificates that sign one another, properly, with any extension: for paths from a leaf to an authority.

import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  randomBytes,
  sign,
} from 'node:crypto'
import { Certificate } from '../../src/certificate/certificate.ts'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
import { type AltName, altNames, bytes, extension, generalizedTime, name, sequence } from './crafted-certificates.ts'

export type IssueKey = 'P-256' | 'P-384' | 'P-192' | 'secp256k1' | 'RSA-1024' | 'RSA-2048' | 'Ed25519'

export interface IssueOptions {
  /** Default `example.org`; null for an empty subject. */
  readonly subject?: string | null
  /** Who signs it; self-signed without one. */
  readonly by?: Issued
  readonly ca?: boolean
  readonly pathLength?: number
  /** Names of key usages. */
  readonly keyUsage?: readonly ('digitalSignature' | 'keyEncipherment' | 'keyCertSign' | 'cRLSign')[]
  readonly purposes?: readonly ('server' | 'client' | 'any' | 'code')[]
  readonly names?: readonly AltName[]
  /** Further extensions, as `extension` makes them. */
  readonly extensions?: readonly Uint8Array[]
  readonly version?: 1 | 3
  readonly key?: IssueKey | Issued
  readonly hash?: 'sha256' | 'sha384' | 'sha512' | 'sha1' | 'sha224'
  readonly from?: string
  readonly to?: string
  readonly spoil?: boolean
  /** The octets of the serial number. Default: random ones. */
  readonly serial?: Uint8Array
  /** The subject in DER, in place of `subject`. */
  readonly subjectDer?: Uint8Array
  /** The issuer in DER, where it is not written as in the signer's certificate. */
  readonly issuerDer?: Uint8Array
  /** The two extensions with key identifiers, in place of proper ones. */
  readonly identifiers?: readonly Uint8Array[]
}

export interface Issued {
  readonly certificate: Certificate
  readonly keys: KeyPairKeyObjectResult
  readonly subject: Uint8Array
}

export function issue(options: IssueOptions = {}): Issued {
  const { subject = 'example.org', by, version = 3, key = 'P-256', hash = 'sha256' } = options
  const keys = typeof key === 'string' ? keyPair(key) : key.keys
  const subjectDer = options.subjectDer ?? (subject === null ? sequence() : name(subject))
  const signer = by?.keys.privateKey ?? keys.privateKey
  const algorithm = algorithmOf(signer, hash)
  // By these OpenSSL finds the right one of two issuers with one name.
  const identifiers = options.identifiers ?? [
    extension('2.5.29.14', element(0x04, keyIdentifier(keys))),
    extension('2.5.29.35', sequence(element(0x80, keyIdentifier(by?.keys ?? keys)))),
  ]
  const extensions = version === 1 ? [] : [...extensionsOf(options), ...identifiers]
  const tbs = sequence(
    ...(version === 1 ? [] : [element(0xa0, integer(2))]),
    element(0x02, options.serial ?? Buffer.concat([bytes('4a'), randomBytes(15)])),
    algorithm,
    options.issuerDer ?? by?.subject ?? subjectDer,
    sequence(generalizedTime(options.from ?? '20200101000000Z'), generalizedTime(options.to ?? '20991231235959Z')),
    subjectDer,
    keys.publicKey.export({ format: 'der', type: 'spki' }),
    ...(extensions.length === 0 ? [] : [element(0xa3, sequence(...extensions))]),
  )
  const signature = sign(signer.asymmetricKeyType === 'ed25519' ? null : hash, tbs, signer)
  if (options.spoil) signature.writeUInt8(signature.readUInt8(signature.length - 1) ^ 1, signature.length - 1)
  const der = sequence(tbs, algorithm, element(0x03, bytes('00'), signature))
  return { certificate: Certificate.from(der), keys, subject: subjectDer }
}

/** A nameConstraints extension of GeneralNames. */
export function nameConstraints(permitted: readonly Uint8Array[], excluded: readonly Uint8Array[] = []): Uint8Array {
  const list = (tag: number, bases: readonly Uint8Array[]): Uint8Array[] =>
    bases.length === 0 ? [] : [element(tag, ...bases.map((base) => sequence(base)))]
  return extension('2.5.29.30', sequence(...list(0xa0, permitted), ...list(0xa1, excluded)), CRITICAL)
}

export const CRITICAL = bytes('01 01 ff')

const keysMade = new Map<IssueKey, KeyPairKeyObjectResult>()

// RSA keys take long to make, and no two certificates of a path have one together in these tests unless they say so.
function keyPair(kind: IssueKey): KeyPairKeyObjectResult {
  const made = keysMade.get(kind)
  if (made !== undefined) return made
  const keys = newKeyPair(kind)
  if (kind.startsWith('RSA')) keysMade.set(kind, keys)
  return keys
}

function newKeyPair(kind: IssueKey): KeyPairKeyObjectResult {
  switch (kind) {
    case 'Ed25519':
      return generateKeyPairSync('ed25519')
    case 'RSA-1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 })
    case 'RSA-2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    case 'P-192':
      return generateKeyPairSync('ec', { namedCurve: 'prime192v1' })
    default:
      return generateKeyPairSync('ec', { namedCurve: kind })
  }
}

const PURPOSES = {
  server: '1.3.6.1.5.5.7.3.1',
  client: '1.3.6.1.5.5.7.3.2',
  code: '1.3.6.1.5.5.7.3.3',
  any: '2.5.29.37.0',
} as const
const USAGE_BITS = { digitalSignature: 0x80, keyEncipherment: 0x20, keyCertSign: 0x04, cRLSign: 0x02 } as const

function extensionsOf({ ca, pathLength, keyUsage, purposes, names, extensions = [] }: IssueOptions): Uint8Array[] {
  const list: Uint8Array[] = []
  if (ca !== undefined) {
    const limit = pathLength === undefined ? [] : [integer(pathLength)]
    list.push(extension('2.5.29.19', sequence(...(ca ? [element(0x01, bytes('ff'))] : []), ...limit), CRITICAL))
  }
  if (keyUsage !== undefined) {
    const bits = keyUsage.reduce((sum, usage) => sum | USAGE_BITS[usage], 0)
    const unused = 31 - Math.clz32(bits & -bits)
    list.push(extension('2.5.29.15', element(0x03, Uint8Array.of(unused, bits)), CRITICAL))
  }
  if (purposes !== undefined)
    list.push(extension('2.5.29.37', sequence(...purposes.map((each) => oid(PURPOSES[each])))))
  if (names !== undefined) list.push(altNames(...names))
  return [...list, ...extensions]
}

function keyIdentifier({ publicKey }: KeyPairKeyObjectResult): Uint8Array {
  return createHash('sha1')
    .update(publicKey.export({ format: 'der', type: 'spki' }))
    .digest()
}

const RSA = { sha1: 5, sha256: 11, sha384: 12, sha512: 13, sha224: 14 } as const
const ECDSA = { sha1: '4.1', sha224: '4.3.1', sha256: '4.3.2', sha384: '4.3.3', sha512: '4.3.4' } as const

function algorithmOf(key: KeyObject, hash: NonNullable<IssueOptions['hash']>): Uint8Array {
  if (key.asymmetricKeyType === 'ed25519') return sequence(oid('1.3.101.112'))
  if (key.asymmetricKeyType === 'rsa') return sequence(oid(`1.2.840.113549.1.1.${RSA[hash]}`), element(0x05))
  return sequence(oid(`1.2.840.10045.${ECDSA[hash]}`))
}
