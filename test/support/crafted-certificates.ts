// Certificates put together from parts, any of which can be anything: for what no tool would make. The signature is
// never a real one, since nothing that reads a certificate looks at it.

import { Certificate } from '../../src/certificate/certificate.ts'
import { element, oid } from '../../src/certificate/der-writer.ts'
import { vectorPem } from './vectors.ts'

export { element, oid } from '../../src/certificate/der-writer.ts'

/** The parts of a certificate in DER; each has an ordinary default. */
export interface Parts {
  readonly version?: Uint8Array
  readonly serial?: Uint8Array
  readonly innerAlgorithm?: Uint8Array
  readonly issuer?: Uint8Array
  readonly validity?: Uint8Array
  readonly subject?: Uint8Array
  readonly spki?: Uint8Array
  /** What stands after the public key; by default the extensions. */
  readonly rest?: readonly Uint8Array[]
  /** Extensions, each as {@link extension} makes it. */
  readonly extensions?: readonly Uint8Array[]
  readonly outerAlgorithm?: Uint8Array
  readonly signature?: Uint8Array
}

/** A certificate in DER. */
export function craft(parts: Parts = {}): Uint8Array {
  const { version = element(0xa0, bytes('02 01 02')), serial = bytes('02 01 01') } = parts
  const extensions = parts.extensions === undefined ? [] : [element(0xa3, sequence(...parts.extensions))]
  const tbs = sequence(
    version,
    serial,
    parts.innerAlgorithm ?? ECDSA_SHA256,
    parts.issuer ?? name('example.org'),
    parts.validity ?? sequence(utcTime('250101000000Z'), utcTime('350101000000Z')),
    parts.subject ?? name('example.org'),
    parts.spki ?? ordinaryKey(),
    ...(parts.rest ?? extensions),
  )
  return sequence(tbs, parts.outerAlgorithm ?? ECDSA_SHA256, parts.signature ?? element(0x03, bytes('00 01 02 03')))
}

/** The same as a `Certificate`. */
export function crafted(parts: Parts = {}): Certificate {
  return Certificate.from(craft(parts))
}

/** One extension. `value` is the DER inside the OCTET STRING. */
export function extension(id: string, value: Uint8Array, critical: Uint8Array = bytes('')): Uint8Array {
  return sequence(oid(id), critical, element(0x04, value))
}

/** One alternative name: its context tag number, and its text or octets. */
export type AltName = readonly [tag: number, value: string | Uint8Array]

/** A subjectAltName extension. */
export function altNames(...names: readonly AltName[]): Uint8Array {
  return extension(
    '2.5.29.17',
    sequence(...names.map(([tag, value]) => element(0x80 + tag, typeof value === 'string' ? utf8(value) : value))),
  )
}

/** A certificate for these host names. */
export function certificateFor(...hosts: readonly string[]): Certificate {
  return crafted({ extensions: [altNames(...hosts.map((host) => [2, host] as const))] })
}

/** A Name with one common name, as UTF8String unless another tag is given. */
export function name(commonName: string | Uint8Array, tag = 0x0c): Uint8Array {
  const value = typeof commonName === 'string' ? utf8(commonName) : commonName
  return sequence(element(0x31, sequence(oid('2.5.4.3'), element(tag, value))))
}

/** A SubjectPublicKeyInfo. */
export function spki(algorithm: readonly Uint8Array[], key: Uint8Array): Uint8Array {
  return sequence(sequence(...algorithm), element(0x03, bytes('00'), key))
}

/** The SubjectPublicKeyInfo of an EC key. */
export function ecKey(curve: string, point: Uint8Array): Uint8Array {
  return spki([oid('1.2.840.10045.2.1'), oid(curve)], point)
}

/** A sound P-256 key. */
export function ordinaryKey(): Uint8Array {
  return Certificate.from(vectorPem('p256')).subjectPublicKeyInfo
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(0x30, ...parts)
}

export function utcTime(text: string): Uint8Array {
  return element(0x17, utf8(text))
}

export function generalizedTime(text: string): Uint8Array {
  return element(0x18, utf8(text))
}

/** Octets from hex; spaces are for the eye. */
export function bytes(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

export const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
