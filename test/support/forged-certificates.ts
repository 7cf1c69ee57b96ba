// Certificates that no generator of ours would make: of any age, issued by anybody, of version 1, signed with SHA-1 or
// not properly signed at all. Real keys, real DER, and nothing but node:crypto behind them.

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { Certificate } from '../../src/certificate/certificate.ts'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
import { formatPem } from '../../src/certificate/pem.ts'

type Hash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

export interface ForgeOptions {
  readonly commonName?: string
  /** Self-signed without one. */
  readonly issuer?: ForgedCertificate
  readonly version?: 1 | 3
  readonly ca?: boolean
  /** DNS names of the subjectAltName. */
  readonly hosts?: readonly string[]
  readonly usage?: 'clientAuth' | 'serverAuth'
  readonly key?: 'P-256' | 'RSA-2048' | 'Ed25519' | 'Ed448'
  readonly hash?: Hash
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly spoilSignature?: boolean
  /** Writes the outermost length in two octets too many, which BER allows and DER does not. */
  readonly ber?: boolean
}

export interface ForgedCertificate {
  readonly der: Uint8Array
  readonly certPem: string
  readonly keyPem: string
  readonly key: KeyObject
  readonly name: Uint8Array
  /** Throws for BER. */
  readonly certificate: Certificate
}

export function forgeCertificate(options: ForgeOptions = {}): ForgedCertificate {
  const { commonName = 'forged', issuer, version = 3, key: kind = 'P-256', hash = 'sha256' } = options
  const { privateKey, publicKey } = keyPair(kind)
  const name = sequence(set(sequence(oid('2.5.4.3'), element(0x0c, Buffer.from(commonName)))))
  const signer = issuer?.key ?? privateKey
  const algorithm = signatureAlgorithm(signer, hash)
  const tbs = sequence(
    ...(version === 1 ? [] : [element(0xa0, integer(2))]),
    element(0x02, Buffer.concat([Uint8Array.of(0x4a), randomBytes(15)])),
    algorithm,
    issuer?.name ?? name,
    sequence(
      utcTime(options.notBefore ?? new Date('2020-01-01T00:00:00Z')),
      utcTime(options.notAfter ?? new Date('2049-12-31T23:59:59Z')),
    ),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    ...(version === 1 ? [] : [element(0xa3, sequence(...extensions(options)))]),
  )
  const signature = sign(signer.asymmetricKeyType?.startsWith('ed') ? null : hash, tbs, signer)
  if (options.spoilSignature) signature.writeUInt8(signature.readUInt8(signature.length - 1) ^ 1, signature.length - 1)
  const content = [tbs, algorithm, element(0x03, Uint8Array.of(0), signature)]
  const der = options.ber ? berSequence(...content) : sequence(...content)
  return {
    der,
    certPem: formatPem('CERTIFICATE', der),
    keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    key: privateKey,
    name,
    get certificate() {
      return Certificate.from(der)
    },
  }
}

function keyPair(kind: NonNullable<ForgeOptions['key']>): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === 'Ed25519') return generateKeyPairSync('ed25519')
  if (kind === 'Ed448') return generateKeyPairSync('ed448')
  if (kind === 'RSA-2048') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function extensions({ ca, hosts, usage }: ForgeOptions): Uint8Array[] {
  const list: Uint8Array[] = []
  if (ca !== undefined)
    list.push(extension('2.5.29.19', sequence(...(ca ? [element(0x01, Uint8Array.of(0xff))] : [])), true))
  if (usage !== undefined) {
    list.push(extension('2.5.29.37', sequence(oid(usage === 'clientAuth' ? '1.3.6.1.5.5.7.3.2' : '1.3.6.1.5.5.7.3.1'))))
  }
  if (hosts !== undefined) {
    list.push(extension('2.5.29.17', sequence(...hosts.map((host) => element(0x82, Buffer.from(host, 'latin1'))))))
  }
  // An empty list of extensions is not allowed, so there is always this one: any value does for a key identifier.
  list.push(extension('2.5.29.14', element(0x04, createHash('sha1').update(randomBytes(8)).digest())))
  return list
}

function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(oid(id), ...(critical ? [element(0x01, Uint8Array.of(0xff))] : []), element(0x04, value))
}

const RSA_WITH: Record<Hash, number> = { sha1: 5, sha256: 11, sha384: 12, sha512: 13 }
const ECDSA_WITH: Record<Hash, string> = { sha1: '1', sha256: '3.2', sha384: '3.3', sha512: '3.4' }

function signatureAlgorithm(key: KeyObject, hash: Hash): Uint8Array {
  if (key.asymmetricKeyType === 'ed25519') return sequence(oid('1.3.101.112'))
  if (key.asymmetricKeyType === 'ed448') return sequence(oid('1.3.101.113'))
  if (key.asymmetricKeyType === 'rsa') return sequence(oid(`1.2.840.113549.1.1.${RSA_WITH[hash]}`), element(0x05))
  return sequence(oid(`1.2.840.10045.4.${ECDSA_WITH[hash]}`))
}

function utcTime(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\D/g, '')
  return element(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x30, ...parts)
}

function set(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x31, ...parts)
}

function berSequence(...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([Uint8Array.of(0x30, 0x84), length, content])
}
