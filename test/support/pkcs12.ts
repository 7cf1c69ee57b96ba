// PKCS#12 containers put together from parts, any of which can be anything: for what no tool would write. Only the MAC of
// `sealed` is made with the library's own functions; that these are right is shown against OpenSSL.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
import { secretsOf } from '../../src/certificate/pkcs12-keys.ts'
import { writeMac } from '../../src/certificate/pkcs12-mac.ts'
import { SHA256, SHA256_OID } from '../../src/certificate/pkcs12-oids.ts'

export { element, integer, oid } from '../../src/certificate/der-writer.ts'

export const sequence = (...parts: Uint8Array[]): Uint8Array => element(0x30, ...parts)
export const set = (...parts: Uint8Array[]): Uint8Array => element(0x31, ...parts)
export const octets = (content: Uint8Array): Uint8Array => element(0x04, content)
export const explicit = (content: Uint8Array): Uint8Array => element(0xa0, content)

export const DATA = '1.2.840.113549.1.7.1'
export const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
export const BAG = '1.2.840.113549.1.12.10.1.'

export const contentInfo = (kind: string, content: Uint8Array): Uint8Array => sequence(oid(kind), explicit(content))
export const plain = (...bags: Uint8Array[]): Uint8Array => contentInfo(DATA, octets(sequence(...bags)))
export const encrypted = (algorithm: Uint8Array, content: Uint8Array, kind = DATA): Uint8Array =>
  contentInfo(ENCRYPTED_DATA, sequence(integer(0), sequence(oid(kind), algorithm, element(0x80, content))))

export const bag = (kind: number, value: Uint8Array, ...attributes: Uint8Array[]): Uint8Array =>
  sequence(oid(`${BAG}${kind}`), explicit(value), ...(attributes.length === 0 ? [] : [set(...attributes)]))
export const certificateBag = (certificate: Certificate | Uint8Array, ...attributes: Uint8Array[]): Uint8Array => {
  const der = certificate instanceof Uint8Array ? certificate : certificate.der
  return bag(3, sequence(oid('1.2.840.113549.1.9.22.1'), explicit(octets(der))), ...attributes)
}
export const keyBag = (key: KeyObject | Uint8Array, ...attributes: Uint8Array[]): Uint8Array =>
  bag(1, key instanceof Uint8Array ? key : key.export({ format: 'der', type: 'pkcs8' }), ...attributes)
export const shroudedBag = (algorithm: Uint8Array, content: Uint8Array, ...attributes: Uint8Array[]): Uint8Array =>
  bag(2, sequence(algorithm, octets(content)), ...attributes)

export const friendlyName = (text: string): Uint8Array =>
  sequence(oid('1.2.840.113549.1.9.20'), set(element(0x1e, Buffer.from(text, 'utf16le').swap16())))
export const localKeyId = (id: number): Uint8Array =>
  sequence(oid('1.2.840.113549.1.9.21'), set(octets(Uint8Array.of(id))))

/** A PFX of an AuthenticatedSafe and a MacData, or of none. */
export const container = (authSafe: Uint8Array, mac: Uint8Array | null, version = 3): Uint8Array =>
  sequence(integer(version), contentInfo(DATA, octets(authSafe)), ...(mac === null ? [] : [mac]))

export const passphrase = 'correct horse'

/** A container with a proper MAC. */
export async function sealed(
  contents: readonly Uint8Array[],
  options: { readonly passphrase?: string; readonly reading?: number } = {},
): Promise<Uint8Array> {
  return sealedAs(sequence(...contents), options)
}

/** The same for an AuthenticatedSafe of any bytes. */
export async function sealedAs(
  authSafe: Uint8Array,
  options: { readonly passphrase?: string; readonly reading?: number } = {},
): Promise<Uint8Array> {
  const secret = secretsOf(options.passphrase ?? passphrase)[options.reading ?? 0]
  if (secret === undefined) throw new Error('the passphrase has no such reading')
  const salt = Buffer.from('saltsalt')
  return container(
    authSafe,
    await writeMac(authSafe, secret, { hash: SHA256, hashOid: SHA256_OID, salt, iterations: 1 }),
  )
}

/** A MacData that fits nothing, with any iterations. */
export const mac = (iterations: Uint8Array, digest = SHA256_OID, length = 32): Uint8Array =>
  sequence(
    sequence(sequence(oid(digest), element(0x05)), octets(Buffer.alloc(length, 7))),
    octets(Buffer.from('saltsalt')),
    iterations,
  )

/** PBES2 with AES-256 and PBKDF2 with SHA-256. */
export const pbes2 = (iterations: Uint8Array, ivBytes = 16): Uint8Array =>
  sequence(
    oid('1.2.840.113549.1.5.13'),
    sequence(
      sequence(
        oid('1.2.840.113549.1.5.12'),
        sequence(octets(Buffer.alloc(8)), iterations, sequence(oid('1.2.840.113549.2.9'), element(0x05))),
      ),
      sequence(oid('2.16.840.1.101.3.4.1.42'), octets(Buffer.alloc(ivBytes))),
    ),
  )

/** A scheme of PKCS#12 by its last arc: 3 for triple DES, 6 for RC2-40. */
export const pkcs12Scheme = (arc: number, iterations: Uint8Array): Uint8Array =>
  sequence(oid(`1.2.840.113549.1.12.1.${arc}`), sequence(octets(Buffer.alloc(8)), iterations))
