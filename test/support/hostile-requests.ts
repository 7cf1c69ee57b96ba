// Certificate requests as an attacker would send them: each is an ordinary request, signed by its own key, with one thing
// changed. What refuses them has one of four codes. What merely asks for too much is read, and then an authority must put
// none of it into the certificate.

import { createECDH, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
import type { CertificateRequestError } from '../../src/errors.ts'
import {
  type AltName,
  altNames,
  bytes,
  ECDSA_SHA256,
  ecKey,
  extension,
  name,
  spki as publicKeyInfo,
  sequence,
  utf8,
} from './crafted-certificates.ts'

export interface HostileRequest {
  readonly name: string
  readonly der: Uint8Array
  /** How it is refused, by reading it or by asking for its proof; null if it is a proper request that asks for too much. */
  readonly code: CertificateRequestError['code'] | null
  /** Where the code is null: octets that must not be in a certificate that answers it. */
  readonly trace?: Uint8Array
}

/** The parts of a request; each has an ordinary default. */
export interface RequestParts {
  readonly version?: Uint8Array
  readonly subject?: Uint8Array
  readonly spki?: Uint8Array
  /** What is in the set of attributes, one after another. */
  readonly attributes?: readonly Uint8Array[]
  /** What stands where the set of attributes belongs. */
  readonly rest?: Uint8Array
  /** What signs it. Default: a P-256 key. */
  readonly key?: KeyObject
  readonly hash?: string | null
  readonly algorithm?: Uint8Array
  readonly signature?: (signedPart: Uint8Array) => Uint8Array
  /** How many bits of the signature are marked as unused. */
  readonly unusedBits?: number
}

const ordinary = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** A request in DER, signed by its own key unless it is told otherwise. */
export function craftRequest(parts: RequestParts = {}): Uint8Array {
  const { version = integer(0), subject = name('Ana'), key = ordinary.privateKey } = parts
  const signedPart = sequence(
    version,
    subject,
    parts.spki ?? spkiOf(ordinary.publicKey),
    parts.rest ?? element(0xa0, ...(parts.attributes ?? [])),
  )
  const signature =
    parts.signature?.(signedPart) ?? sign(parts.hash === undefined ? 'sha256' : parts.hash, signedPart, key)
  const bits = element(0x03, Uint8Array.of(parts.unusedBits ?? 0), signature)
  return sequence(signedPart, parts.algorithm ?? ECDSA_SHA256, bits)
}

/** One attribute of a request. */
export function attribute(type: string, ...values: readonly Uint8Array[]): Uint8Array {
  return sequence(oid(type), element(0x31, ...values))
}

/** The attribute with the extensions that are asked for. */
export function extensionRequest(...extensions: readonly Uint8Array[]): Uint8Array {
  return attribute('1.2.840.113549.1.9.14', sequence(...extensions))
}

const CRITICAL = bytes('01 01 ff')
const EVIL = utf8('evil')

function asking(...extensions: readonly Uint8Array[]): Uint8Array {
  return craftRequest({ attributes: [extensionRequest(...extensions)] })
}

function askingFor(...names: readonly AltName[]): Uint8Array {
  return asking(altNames(...names))
}

function named(...attributes: readonly (readonly [type: string, tag: number, value: string])[]): Uint8Array {
  const sets = attributes.map(([type, tag, value]) => element(0x31, sequence(oid(type), element(tag, utf8(value)))))
  return craftRequest({ subject: sequence(...sets) })
}

function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ format: 'der', type: 'spki' })
}

/** Requests that are proper, and ask for what nobody should get. */
function greedy(): HostileRequest[] {
  const BASIC_CONSTRAINTS = '2.5.29.19'
  const url = element(0x86, utf8('http://evil.example/'))
  const caTrue = bytes('30 03 01 01 ff')
  const berTrue = bytes('30 03 01 01 01')
  const keyCertSign = bytes('03 02 01 06')
  const anyPurpose = oid('2.5.29.37.0')
  const poison = oid('1.3.6.1.4.1.11129.2.4.3')
  const access = (method: string) => sequence(sequence(oid(method), url))
  const rows: [name: string, der: Uint8Array, trace: Uint8Array][] = [
    ['asks to be an authority', asking(extension(BASIC_CONSTRAINTS, caTrue, CRITICAL)), caTrue],
    ['asks to be an authority with a BER boolean', asking(extension(BASIC_CONSTRAINTS, berTrue, CRITICAL)), berTrue],
    ['asks to sign certificates and lists', asking(extension('2.5.29.15', keyCertSign, CRITICAL)), keyCertSign],
    ['asks for any purpose', asking(extension('2.5.29.37', sequence(anyPurpose))), anyPurpose],
    ['names its own OCSP responder', asking(extension('1.3.6.1.5.5.7.1.1', access('1.3.6.1.5.5.7.48.1'))), EVIL],
    ['names its own issuer', asking(extension('1.3.6.1.5.5.7.1.1', access('1.3.6.1.5.5.7.48.2'))), EVIL],
    [
      'names its own revocation list',
      asking(extension('2.5.29.31', sequence(sequence(element(0xa0, element(0xa0, url)))))),
      EVIL,
    ],
    [
      'brings name constraints',
      asking(extension('2.5.29.30', sequence(element(0xa0, sequence(element(0x82, EVIL)))), CRITICAL)),
      EVIL,
    ],
    ['brings a key identifier', asking(extension('2.5.29.14', element(0x04, EVIL))), EVIL],
    ['brings the key identifier of an authority', asking(extension('2.5.29.35', sequence(element(0x80, EVIL)))), EVIL],
    ['brings a policy', asking(extension('2.5.29.32', sequence(sequence(oid('1.2.3.4.5.6.7'))))), oid('1.2.3.4.5.6.7')],
    [
      'brings the poison of certificate transparency',
      asking(extension('1.3.6.1.4.1.11129.2.4.3', bytes('05 00'), CRITICAL)),
      poison,
    ],
    ['brings an extension that nobody knows', asking(extension('1.2.3.4.5.6.7', element(0x0c, EVIL), CRITICAL)), EVIL],
    ['asks for the host of somebody else', askingFor([2, 'evil.example']), EVIL],
    ['asks for a wildcard', askingFor([2, '*.evil.example']), EVIL],
    ['asks for a whole top-level domain', askingFor([2, '*.evil']), EVIL],
    ['asks for a host with a trailing dot', askingFor([2, 'evil.example.']), EVIL],
    ['asks for a host in capitals', askingFor([2, 'EVIL.EXAMPLE']), utf8('EVIL')],
    ['asks for a host that looks like another', askingFor([2, 'xn--evil-8cd.example']), EVIL],
    ['asks for an address', askingFor([7, bytes('0a 65 76 69')]), bytes('87 04 0a 65 76 69')],
    ['asks for the mail of somebody else', askingFor([1, 'root@evil.example']), EVIL],
    ['asks for a URI', askingFor([6, 'spiffe://evil.example/admin']), EVIL],
    [
      // The user principal name by which Windows logs people in.
      'asks for the log-in name of somebody else',
      asking(
        extension(
          '2.5.29.17',
          sequence(
            element(0xa0, oid('1.3.6.1.4.1.311.20.2.3'), element(0xa0, element(0x0c, utf8('admin@evil.example')))),
          ),
        ),
      ),
      EVIL,
    ],
    ['asks for a directory name', asking(extension('2.5.29.17', sequence(element(0xa4, name('evil'))))), EVIL],
    ['asks for as many names as it may', askingFor(...manyNames(100)), EVIL],
    ['calls itself a wildcard', craftRequest({ subject: name('*.evil.example') }), EVIL],
    ['calls itself by two names', named(['2.5.4.3', 0x0c, 'evil.example'], ['2.5.4.3', 0x0c, 'Ana']), EVIL],
    ['calls itself by text from right to left', craftRequest({ subject: name('\u202eevil') }), EVIL],
    ['calls itself by markup', craftRequest({ subject: name('<script>evil()</script>,CN=root+O=x') }), EVIL],
    ['calls itself by a very long name', craftRequest({ subject: name('evil'.repeat(5000)) }), EVIL],
    ['brings a password', craftRequest({ attributes: [attribute('1.2.840.113549.1.9.7', element(0x0c, EVIL))] }), EVIL],
    [
      'brings an attribute that nobody knows',
      craftRequest({ attributes: [attribute('1.2.3.4.5.6.7', element(0x0c, EVIL))] }),
      EVIL,
    ],
    [
      "asks in Microsoft's way",
      craftRequest({ attributes: [attribute('1.3.6.1.4.1.311.2.1.14', sequence(altNamesOf('evil.example')))] }),
      EVIL,
    ],
    ['has no name at all', craftRequest({ subject: sequence() }), bytes('ff ff ff ff ff ff ff ff')],
  ]
  return rows.map(([title, der, trace]) => ({ name: title, der, code: null, trace }))
}

function altNamesOf(...hosts: readonly string[]): Uint8Array {
  return altNames(...hosts.map((host) => [2, host] as const))
}

function manyNames(count: number): AltName[] {
  return Array.from({ length: count }, (_, index) => [2, `${index}.evil.example`] as const)
}

/** Damaged or ambiguous. */
function malformed(): HostileRequest[] {
  const request = craftRequest()
  const san = altNamesOf('example.org')
  const subjectOf = (...attributes: readonly Uint8Array[]) =>
    craftRequest({ subject: sequence(element(0x31, ...attributes)) })
  const commonName = (value: Uint8Array) => sequence(oid('2.5.4.3'), value)
  const rows: [name: string, der: Uint8Array][] = [
    ['is empty', bytes('')],
    ['is an empty sequence', sequence()],
    ['is no request', sequence(integer(1), integer(2))],
    ['has a byte after its end', Buffer.concat([request, bytes('00')])],
    ['has a second request after its end', Buffer.concat([request, craftRequest()])],
    ['is cut short', request.subarray(0, -1)],
    ['has a padded length', Buffer.concat([bytes('30 84 00 00'), request.subarray(2)])],
    ['has an indefinite length', Buffer.concat([bytes('30 80'), request.subarray(4), bytes('00 00')])],
    ['has a length of four gigabytes', Buffer.concat([bytes('30 84 ff ff ff ff'), request.subarray(4)])],
    ['has another version', craftRequest({ version: integer(1) })],
    ['has a negative version', craftRequest({ version: bytes('02 01 ff') })],
    ['has no set of attributes', craftRequest({ rest: bytes('') })],
    ['has something after its attributes', craftRequest({ rest: bytes('a0 00 05 00') })],
    ['has a signature of seven bits more', craftRequest({ unusedBits: 1 })],
    ['asks for extensions twice', craftRequest({ attributes: [extensionRequest(san), extensionRequest(san)] })],
    [
      'asks for extensions in two values',
      craftRequest({ attributes: [attribute('1.2.840.113549.1.9.14', sequence(san), sequence(san))] }),
    ],
    ['asks for the same extension twice', asking(san, altNamesOf('evil.example'))],
    ['asks for no extension in particular', asking()],
    ['asks for extensions and has none', craftRequest({ attributes: [attribute('1.2.840.113549.1.9.14')] })],
    [
      'has an attribute twice',
      craftRequest({ attributes: [attribute('1.2.3', bytes('05 00')), attribute('1.2.3', bytes('05 00'))] }),
    ],
    ['has a BER boolean for a critical extension', asking(extension('1.2.3', bytes('05 00'), bytes('01 01 01')))],
    ['has something after an extension', asking(sequence(oid('1.2.3'), element(0x04, bytes('05 00')), bytes('05 00')))],
    ['has an attribute of BER inside', craftRequest({ attributes: [attribute('1.2.3', bytes('30 80 00 00'))] })],
    ['is nested deeply', craftRequest({ attributes: [attribute('1.2.3', nested(5000))] })],
    ['has a password that is no text', craftRequest({ attributes: [attribute('1.2.840.113549.1.9.7', integer(7))] })],
    [
      'has two passwords',
      craftRequest({
        attributes: [attribute('1.2.840.113549.1.9.7', element(0x0c, utf8('a')), element(0x0c, utf8('b')))],
      }),
    ],
    ['has a NUL in a host', askingFor([2, 'example.org\0.evil.example'])],
    ['has a line end in a host', askingFor([2, 'example.org\r\nevil.example'])],
    ['has a space in a host', askingFor([2, 'example.org evil.example'])],
    ['has a host in letters that are not ASCII', askingFor([2, 'b\u00fccher.example'])],
    ['has bytes that are no text in a host', askingFor([2, bytes('ff fe')])],
    ['has an empty host', askingFor([2, ''])],
    ['has a NUL in an e-mail address', askingFor([1, 'a@example.org\0'])],
    ['has a control character in a URI', askingFor([6, 'http://example.org/\x1b[2J'])],
    ['has an address of five octets', askingFor([7, bytes('0a 00 00 01 00')])],
    ['has a name of no kind', asking(extension('2.5.29.17', sequence(element(0x89, utf8('x')))))],
    [
      'has a host that is constructed',
      asking(extension('2.5.29.17', sequence(element(0xa2, element(0x16, utf8('x')))))),
    ],
    ['has an empty list of names', askingFor()],
    [
      'has something after its names',
      asking(extension('2.5.29.17', Buffer.concat([sequence(element(0x82, utf8('x'))), bytes('05 00')]))),
    ],
    ['has a NUL in its name', craftRequest({ subject: name('Ana\0evil') })],
    ['has a line end in its name', craftRequest({ subject: name('Ana\r\nevil') })],
    ['has an escape in its name', craftRequest({ subject: name('\x1b]0;evil\x07') })],
    ['has a name that is no UTF-8', craftRequest({ subject: name(bytes('ff fe')) })],
    ['has an overlong NUL in its name', craftRequest({ subject: name(bytes('41 c0 80')) })],
    ['has a name of the wrong type', subjectOf(commonName(integer(5)))],
    ['has a name in octets', subjectOf(commonName(element(0x04, utf8('Ana'))))],
    ['has letters in a string that has none of them', craftRequest({ subject: name(bytes('41 e9'), 0x13) })],
    [
      'has two names in one set',
      subjectOf(commonName(element(0x0c, utf8('Ana'))), commonName(element(0x0c, utf8('evil')))),
    ],
    ['has an empty set in its name', craftRequest({ subject: sequence(element(0x31)) })],
  ]
  return rows.map(([title, der]) => ({ name: title, der, code: 'ERR_TLACACOCA_CSR_MALFORMED' }))
}

/** So many sequences one in another. */
function nested(levels: number): Uint8Array {
  let inside: Uint8Array = bytes('05 00')
  for (let level = 0; level < levels; level++) inside = sequence(inside)
  return inside
}

function tooLarge(): HostileRequest[] {
  const rows: [name: string, der: Uint8Array][] = [
    [
      'is a megabyte long',
      craftRequest({ attributes: [attribute('1.2.3', element(0x0c, Buffer.alloc(1_000_000, 0x61)))] }),
    ],
    ['is a byte too long', exactly(32 * 1024 + 1)],
    [
      'asks for 100,000 names',
      asking(extension('2.5.29.17', sequence(Buffer.alloc(300_000, element(0x82, utf8('a')))))),
    ],
    ['asks for one name too many', askingFor(...manyNames(101))],
    [
      'asks for too many names of kinds that are not listed',
      askingFor(...Array.from({ length: 101 }, () => [8, bytes('2a 03')] as const)),
    ],
  ]
  return rows.map(([title, der]) => ({ name: title, der, code: 'ERR_TLACACOCA_CSR_TOO_LARGE' }))
}

/** A request of so many bytes, around 32 KiB. */
export function exactly(length: number): Uint8Array {
  const key = generateKeyPairSync('ed25519')
  const of = (padding: number) =>
    craftRequest({
      spki: spkiOf(key.publicKey),
      key: key.privateKey,
      hash: null,
      algorithm: sequence(oid('1.3.101.112')),
      attributes: [attribute('1.2.3', element(0x0c, Buffer.alloc(padding, 0x61)))],
    })
  const guess = length - 300
  return of(guess + length - of(guess).length)
}

const SHA256_WITH_RSA = sequence(oid('1.2.840.113549.1.1.11'), bytes('05 00'))

/** Signed by nobody, by somebody else, or in a way that anybody could. */
function unproven(): HostileRequest[] {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const byRsa = (algorithm: string, digest: string) =>
    craftRequest({
      spki: spkiOf(rsa.publicKey),
      key: rsa.privateKey,
      hash: digest,
      algorithm: sequence(oid(algorithm), bytes('05 00')),
    })
  const constant = (signature: string) => () => bytes(signature)
  const rows: [name: string, der: Uint8Array][] = [
    ['is signed by another key', craftRequest({ key: other.privateKey })],
    ['has the key of somebody else', craftRequest({ spki: spkiOf(other.publicKey) })],
    ['has a signature of zeros', craftRequest({ signature: constant('30 06 02 01 00 02 01 00') })],
    ['has a signature of ones', craftRequest({ signature: constant('30 06 02 01 01 02 01 01') })],
    ['has an empty signature', craftRequest({ signature: constant('') })],
    ['has a signature that is none', craftRequest({ signature: constant('de ad be ef') })],
    [
      'has a signature of something else',
      craftRequest({ signature: () => sign('sha256', utf8('else'), ordinary.privateKey) }),
    ],
    [
      'has a signature with a byte after it',
      craftRequest({ signature: (part) => Buffer.concat([sign('sha256', part, ordinary.privateKey), bytes('00')]) }),
    ],
    ['is signed with SHA-1', craftRequest({ hash: 'sha1', algorithm: sequence(oid('1.2.840.10045.4.1')) })],
    ['is signed with SHA-1 by RSA', byRsa('1.2.840.113549.1.1.5', 'sha1')],
    ['is signed with MD5', byRsa('1.2.840.113549.1.1.4', 'md5')],
    ['says that it is signed with SHA-1', craftRequest({ algorithm: sequence(oid('1.2.840.10045.4.1')) })],
    ['says that it is signed with another hash', craftRequest({ algorithm: sequence(oid('1.2.840.10045.4.3.3')) })],
    ['says that it is signed by an unknown algorithm', craftRequest({ algorithm: sequence(oid('1.2.3.4')) })],
    ['says that it is signed by another kind of key', craftRequest({ algorithm: SHA256_WITH_RSA })],
    [
      'has parameters in its signature algorithm',
      craftRequest({ algorithm: sequence(oid('1.2.840.10045.4.3.2'), bytes('05 00')) }),
    ],
    [
      'has a lot of parameters in its signature algorithm',
      craftRequest({ algorithm: sequence(oid('1.2.840.10045.4.3.2'), element(0x04, Buffer.alloc(20_000))) }),
    ],
  ]
  return rows.map(([title, der]) => ({ name: title, der, code: 'ERR_TLACACOCA_CSR_UNPROVEN' }))
}

/** Keys with which everybody can sign, that would end the process, or that nobody should certify. */
function refusedKeys(): HostileRequest[] {
  const P256 = '1.2.840.10045.3.1.7'
  const RSA = oid('1.2.840.113549.1.1.1')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { n = '' } = rsa.publicKey.export({ format: 'jwk' })
  const modulus = Buffer.concat([bytes('00'), Buffer.from(n, 'base64url')])
  const even = Buffer.from(modulus)
  even[256] = (even[256] ?? 0) & 0xfe
  const numbers = (first: Uint8Array, exponent: string) =>
    sequence(element(0x02, first), element(0x02, bytes(exponent)))
  const rsaKey = (first: Uint8Array, exponent = '01 00 01', parameters = bytes('05 00')) =>
    publicKeyInfo([RSA, parameters], numbers(first, exponent))
  const byRsa = (spki: Uint8Array, key = rsa.privateKey) => craftRequest({ spki, key, algorithm: SHA256_WITH_RSA })
  const own = (key: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }) =>
    byRsa(spkiOf(key.publicKey), key.privateKey)
  const onCurve = (curve: string) => {
    const key = generateKeyPairSync('ec', { namedCurve: curve })
    return craftRequest({ spki: spkiOf(key.publicKey), key: key.privateKey })
  }
  const point = createECDH('prime256v1').generateKeys()
  const offCurve = Buffer.from(point)
  offCurve[64] = (offCurve[64] ?? 0) ^ 1
  const jwk = ordinary.publicKey.export({ format: 'jwk' })
  const [x, y] = [Buffer.from(jwk.x ?? '', 'base64url'), Buffer.from(jwk.y ?? '', 'base64url')]
  const compressed = Buffer.concat([Uint8Array.of((y[31] ?? 0) % 2 === 0 ? 2 : 3), x])
  // The point of order 1: everything is signed with it by its own encoding and the number 0.
  const identity = Buffer.concat([bytes('01'), Buffer.alloc(31)])
  const byNobody = (publicKey: Uint8Array) =>
    craftRequest({
      spki: publicKeyInfo([oid('1.3.101.112')], publicKey),
      algorithm: sequence(oid('1.3.101.112')),
      signature: () => Buffer.concat([identity, Buffer.alloc(32)]),
    })
  const rows: [name: string, der: Uint8Array][] = [
    ['has the point at infinity for a key', craftRequest({ spki: ecKey(P256, bytes('00')) })],
    ['has no point for a key', craftRequest({ spki: ecKey(P256, bytes('')) })],
    ['has zeros for a point', craftRequest({ spki: ecKey(P256, Buffer.alloc(65)) })],
    ['has a point that is on no curve', craftRequest({ spki: ecKey(P256, offCurve) })],
    ['has a point of another curve', craftRequest({ spki: ecKey('1.3.132.0.34', point) })],
    ['has its own key in another form', craftRequest({ spki: ecKey(P256, compressed) })],
    [
      'has a point in the hybrid form',
      craftRequest({ spki: ecKey(P256, Buffer.concat([bytes('06'), point.subarray(1)])) }),
    ],
    [
      'has a curve of its own',
      craftRequest({ spki: publicKeyInfo([oid('1.2.840.10045.2.1'), sequence(integer(1))], point) }),
    ],
    ['has a curve that nobody knows', craftRequest({ spki: ecKey('1.2.3.4', point) })],
    ['has a curve of 224 bits', onCurve('secp224r1')],
    ['has a curve of 192 bits', onCurve('prime192v1')],
    [
      'has the exponent 1',
      craftRequest({ spki: rsaKey(modulus, '01'), algorithm: SHA256_WITH_RSA, signature: padded }),
    ],
    ['has the exponent 0', byRsa(rsaKey(modulus, '00'))],
    ['has a negative exponent', byRsa(rsaKey(modulus, 'ff'))],
    ['has the exponent 2', byRsa(rsaKey(modulus, '02'))],
    ['has the exponent 3', own(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }))],
    ['has an even exponent', byRsa(rsaKey(modulus, '01 00 02'))],
    ['has an exponent of 2048 bits', byRsa(rsaKey(modulus, `00 ${'ff'.repeat(256)}`))],
    ['has an even modulus', byRsa(rsaKey(even))],
    ['has the modulus 0', byRsa(rsaKey(bytes('00')))],
    ['has the modulus 1', byRsa(rsaKey(bytes('01')))],
    ['has a negative modulus', byRsa(rsaKey(bytes('c3 c3')))],
    ['has an RSA key of 1024 bits', own(generateKeyPairSync('rsa', { modulusLength: 1024 }))],
    ['has an RSA key of 16384 bits', byRsa(rsaKey(Buffer.concat([bytes('00'), Buffer.alloc(2048, 0xff)])))],
    ['has its own key with parameters to certify', byRsa(rsaKey(modulus, '01 00 01', element(0x04, EVIL)))],
    ['has its own key without parameters', byRsa(rsaKey(modulus, '01 00 01', bytes('')))],
    [
      'has an RSA key that is bound to PSS',
      byRsa(publicKeyInfo([oid('1.2.840.113549.1.1.10')], numbers(modulus, '01 00 01'))),
    ],
    ['has a DSA key', craftRequest({ spki: publicKeyInfo([oid('1.2.840.10040.4.1')], integer(5)) })],
    ['has a key for encryption', craftRequest({ spki: publicKeyInfo([oid('1.3.101.110')], Buffer.alloc(32, 9)) })],
    ['has the neutral point of Ed25519', byNobody(identity)],
    ['has a point of order 2', byNobody(bytes(`ec ${'ff'.repeat(30)} 7f`))],
    ['has a point of order 4', byNobody(Buffer.alloc(32))],
    ['has a point of order 8', byNobody(bytes('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'))],
    [
      'has the other point of order 8',
      byNobody(bytes('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')),
    ],
    ['has the neutral point with a sign', byNobody(bytes(`01 ${'00'.repeat(30)} 80`))],
    ['has the neutral point in a second spelling', byNobody(bytes(`ee ${'ff'.repeat(30)} 7f`))],
    ['has an Edwards key that is cut short', byNobody(Buffer.alloc(31, 7))],
    [
      'has a key that is nested deeply',
      craftRequest({ spki: publicKeyInfo([oid('1.2.840.10045.2.1'), nested(10)], point) }),
    ],
  ]
  return rows.map(([title, der]) => ({ name: title, der, code: 'ERR_TLACACOCA_CSR_KEY_REFUSED' }))
}

/** What a signature by RSA and SHA-256 holds (RFC 8017 section 9.2), which is the signature itself if the exponent is 1. */
export function padded(signedPart: Uint8Array): Uint8Array {
  const digest = bytes(hash('sha256', signedPart))
  const info = Buffer.concat([bytes('30 31 30 0d 06 09 60 86 48 01 65 03 04 02 01 05 00 04 20'), digest])
  return Buffer.concat([bytes('00 01'), Buffer.alloc(256 - 3 - info.length, 0xff), bytes('00'), info])
}

/** All of them, the mild ones first. */
export const hostileRequests: readonly HostileRequest[] = [
  ...greedy(),
  ...malformed(),
  ...tooLarge(),
  ...unproven(),
  ...refusedKeys(),
]
