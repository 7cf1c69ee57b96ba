// DER and what is made of it.

import { Certificate } from '../../../src/certificate/certificate.ts'
import { CertificateRequest } from '../../../src/certificate/certificate-request.ts'
import {
  bitsOf,
  booleanOf,
  type DerElement,
  integerBytes,
  oidOf,
  readWhole,
  signedHex,
  smallInteger,
  TAG,
  timeOf,
  wholeOctets,
} from '../../../src/certificate/der.ts'
import { element, integer, isObjectIdentifier, oid } from '../../../src/certificate/der-writer.ts'
import { comparableName, readName } from '../../../src/certificate/distinguished-name.ts'
import {
  readAuthorityKeyIdentifier,
  readAuthoritySerialNumber,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readKeyUsage,
  readSubjectAltNames,
  readSubjectKeyIdentifier,
} from '../../../src/certificate/extensions.ts'
import { isCertificateValidForHostname } from '../../../src/certificate/hostname.ts'
import { getCertificateInfo } from '../../../src/certificate/info.ts'
import { getCertificateFingerprint } from '../../../src/certificate/load.ts'
import { validatePath } from '../../../src/certificate/path-validation.ts'
import { keyObjectOf, readPublicKeyInfo } from '../../../src/certificate/public-key.ts'
import { readSignatureAlgorithm } from '../../../src/certificate/signature-algorithm.ts'
import { CertificateError, CertificateRequestError } from '../../../src/errors.ts'
import { crafted, extension, name } from '../../support/crafted-certificates.ts'
import { craftRequest, hostileRequests } from '../../support/hostile-requests.ts'
import { issue } from '../../support/issued-certificates.ts'
import { vectorNames, vectorPem } from '../../support/vectors.ts'
import { type FuzzTarget, hold, reading, refusal, same } from '../engine/target.ts'

const MAX_CERTIFICATE = 2000
const certificates = (): Uint8Array[] =>
  vectorNames()
    .map((vector) => Certificate.from(vectorPem(vector)).der)
    .filter(({ length }) => length <= MAX_CERTIFICATE)

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Runs one reader among several; not being what it reads is an answer. */
function attempt(read: () => void): boolean {
  try {
    read()
    return true
  } catch (error) {
    refusal(error, CertificateError)
    return false
  }
}

export const derReader: FuzzTarget = {
  name: 'der-reader',
  source: ['certificate/der.ts', 'certificate/der-writer.ts'],
  holds:
    'every element written again from its tag and content is the same bytes; so are integers and object identifiers',
  shape: 'der',
  maxBytes: MAX_CERTIFICATE,
  seeds: certificates,
  run(input) {
    return reading(
      () => readWhole(input, TAG.sequence, 'it'),
      [CertificateError],
      (root) => {
        const open: DerElement[] = [root]
        for (let each = open.pop(), count = 0; each !== undefined; each = open.pop()) {
          hold(++count <= input.length, 'more elements than bytes')
          hold(Buffer.compare(element(each.tag, each.content), each.encoded) === 0, 'written again')
          values(each, count)
          if ((each.tag & 0x20) === 0) continue
          const inside = each.children()
          attempt(() => {
            while (!inside.done) open.push(inside.readAny('it'))
          })
        }
      },
    )
  },
}

/** An element read as what its tag says, and as something else in turn. */
function values(each: DerElement, turn: number): void {
  const natural = READERS[each.tag]
  if (natural !== undefined) attempt(() => natural(each))
  if (turn % 4 !== 0) return
  const other = Object.values(READERS)[turn % Object.keys(READERS).length]
  if (other !== undefined) attempt(() => other(each))
}

const readInstant = (each: DerElement): void =>
  hold(!Number.isNaN(new Date(timeOf(each, 'it')).getTime()), 'an instant')
const READERS: Readonly<Record<number, (each: DerElement) => void>> = {
  [TAG.boolean]: (each) => void booleanOf(each, 'it'),
  [TAG.integer]: (each) => {
    const octets = integerBytes(each, 'it')
    hold(/^-?(?:[0-9a-f]{2})+$/.test(signedHex(octets)), `the integer ${signedHex(octets)}`)
    const value = smallInteger(each, 'it')
    same(hex(readWhole(integer(value), TAG.integer, 'it').content), hex(octets), `the integer ${value}`)
  },
  [TAG.bitString]: (each) => {
    hold(bitsOf(each, 'it').length <= 8 * each.content.length, 'more bits than there are')
    hold(wholeOctets(each, 'it').length === each.content.length - 1, 'as many octets as there are')
  },
  [TAG.oid]: (each) => {
    const dotted = oidOf(each, 'it')
    // The longest are read and not written.
    if (isObjectIdentifier(dotted)) same(hex(readWhole(oid(dotted), TAG.oid, 'it').content), hex(each.content), dotted)
  },
  [TAG.utcTime]: readInstant,
  [TAG.generalizedTime]: readInstant,
}

export const certificate: FuzzTarget = {
  name: 'certificate',
  source: [
    'certificate/certificate.ts',
    'certificate/outline.ts',
    'certificate/extensions.ts',
    'certificate/public-key.ts',
  ],
  holds:
    'every fact is read or refused; PEM and back is the same; the names, dates and serial number are those of `X509Certificate`, one in sixteen times asked',
  shape: 'der',
  maxBytes: MAX_CERTIFICATE,
  seeds: certificates,
  run(input) {
    return reading(
      () => Certificate.from({ raw: input }),
      [CertificateError],
      (read) => {
        same(getCertificateFingerprint({ raw: input }), read.fingerprint, 'the fingerprint alone')
        hold(Certificate.from(read.toPem()).equals(read), 'the same from PEM')
        for (const fact of FACTS) attempt(() => fact(read))
        // OpenSSL takes a hundred times as long.
        if ((input[input.length - 1] ?? 0) % 16 === 0) attempt(() => compare(read))
      },
    )
  },
}

const FACTS: readonly ((read: Certificate) => void)[] = [
  (read) =>
    hold(!/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(read.subject.toString()), 'a name fit to be shown'),
  (read) => void read.issuer.toString(),
  (read) => void read.isSelfIssued,
  (read) => hold(/^-?(?:[0-9a-f]{2})+$/.test(read.serialNumber), `the serial number ${read.serialNumber}`),
  (read) => hold(!Number.isNaN(read.notBefore.getTime()), 'an instant'),
  (read) => hold(!Number.isNaN(read.notAfter.getTime()), 'an instant'),
  (read) => hold(['valid', 'expired', 'not_yet_valid'].includes(read.validityAt(new Date(0))), 'valid or not'),
  (read) => void read.extensions,
  (read) => void read.subjectAltNames,
  (read) => void read.isCA,
  (read) => void read.pathLength,
  (read) => void read.keyUsage,
  (read) => void read.extendedKeyUsage,
  (read) => void read.subjectKeyIdentifier,
  (read) => void read.authorityKeyIdentifier,
  (read) => void read.keyType,
  (read) => void read.signatureAlgorithm,
  (read) => hold([1, 2, 3].includes(read.version), `the version ${read.version}`),
  (read) => void isCertificateValidForHostname(read, 'example.org', { dangerouslyAllowCommonName: true }),
  (read) => void JSON.stringify(getCertificateInfo(read)),
]

/** What Node makes of it, if it makes anything of it; the library asks it only for keys that do not end the process. */
function compare(read: Certificate): void {
  const other = read.toX509Certificate()
  same(hex(other.raw), hex(read.der), 'the bytes to OpenSSL')
  const serial = BigInt(`0x${other.serialNumber.replace(/^-/, '')}`) * (other.serialNumber.startsWith('-') ? -1n : 1n)
  const own = BigInt(`0x${read.serialNumber.replace(/^-/, '')}`) * (read.serialNumber.startsWith('-') ? -1n : 1n)
  same(own, serial, 'the serial number to OpenSSL')
  attempt(() => {
    const end = Date.parse(other.validTo)
    // OpenSSL prints no year of fewer than four digits that `Date` would understand.
    if (!Number.isNaN(end) && read.notAfter.getUTCFullYear() >= 1000)
      same(read.notAfter.getTime(), end, 'the end to OpenSSL')
  })
  void read.publicKey().asymmetricKeyDetails
}

export const certificatePath: FuzzTarget = {
  name: 'certificate-path',
  source: ['certificate/path-validation.ts', 'certificate/path-rules.ts', 'certificate/name-constraints.ts'],
  holds: 'an answer for every certificate; nothing but the very bytes that were issued has a path',
  shape: 'der',
  maxBytes: MAX_CERTIFICATE,
  outcomes: ['valid', 'bad_signature'],
  seeds: () => [PATH.leaf.der, PATH.other.der],
  run(input) {
    let leaf: Certificate
    try {
      leaf = Certificate.from({ raw: input })
    } catch (error) {
      return refusal(error, CertificateError)
    }
    const { root, between, at } = PATH
    const result = validatePath({ leaf, intermediates: [between], authorities: [root], at, purpose: 'server' })
    if (!result.valid) return result.problem
    hold(
      [PATH.leaf, PATH.other].some((each) => each.equals(leaf)),
      'a path for what nobody issued',
    )
    return 'valid'
  },
}

const PATH = (() => {
  const root = issue({ subject: 'Root', ca: true })
  const between = issue({ subject: 'Between', ca: true, by: root })
  const leaf = issue({ subject: 'www', names: [[2, 'www.example.org']], by: between })
  const other = issue({ subject: 'mail', names: [[2, 'mail.example.org']], by: between })
  return {
    root: root.certificate,
    between: between.certificate,
    leaf: leaf.certificate,
    other: other.certificate,
    at: new Date((leaf.certificate.notBefore.getTime() + leaf.certificate.notAfter.getTime()) / 2),
  }
})()

export const distinguishedName: FuzzTarget = {
  name: 'distinguished-name',
  source: ['certificate/distinguished-name.ts'],
  holds: 'fit for a terminal; equal to itself in comparable form, which is JSON',
  shape: 'der',
  seeds: () => [
    ...vectorNames()
      .map((vector) => Certificate.from(vectorPem(vector)).subjectDer)
      .filter(({ length }) => length <= 400),
    name('Ana'),
    name(Buffer.from('Ana', 'utf16le').swap16(), 0x1e),
    name('Ana\u202e', 0x0c),
    name('ana', 0x14),
  ],
  run(input) {
    return reading(
      () => readName(input, 'it'),
      [CertificateError],
      (read) => {
        const text = read.toString()
        hold(!/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(text), `shown as ${JSON.stringify(text)}`)
        hold(text.length <= 12 * input.length, 'longer than what is in it')
        const comparable = comparableName(input, 'it')
        same(comparableName(input, 'it'), comparable, 'equal to itself')
        hold(Array.isArray(JSON.parse(comparable)), 'a list')
      },
    )
  },
}

export const extensions: FuzzTarget = {
  name: 'extensions',
  source: ['certificate/extensions.ts'],
  holds: 'each identifier once; whatever its value, every reader of a value reads it or refuses it',
  shape: 'der',
  maxBytes: 1200,
  seeds: () =>
    certificates()
      .map((der) => Certificate.from({ raw: der }).extensions)
      .filter((list) => list.length > 0)
      .map((list) =>
        element(0x30, ...list.map(({ oid: id, value, critical }) => extension(id, value, critical ? TRUE : NONE))),
      )
      .filter(({ length }) => length <= 1200),
  run(input) {
    return reading(
      () => readExtensions(input),
      [CertificateError],
      (list) => {
        same(new Set(list.map((each) => each.oid)).size, list.length, 'each identifier once')
        for (const { value } of list) for (const read of VALUES) attempt(() => read(value))
      },
    )
  },
}

const TRUE = Uint8Array.of(1, 1, 0xff)
const NONE = new Uint8Array(0)
const VALUES: readonly ((value: Uint8Array) => void)[] = [
  (value) => {
    const { dns, ip, email, uri } = readSubjectAltNames(value)
    hold(dns.length + ip.length + email.length + uri.length <= value.length, 'more names than bytes')
  },
  (value) => {
    const { pathLength } = readBasicConstraints(value)
    hold(pathLength === null || (Number.isSafeInteger(pathLength) && pathLength >= 0), `a path of ${pathLength}`)
  },
  (value) => void readKeyUsage(value),
  (value) => hold(readExtendedKeyUsage(value).length > 0, 'some purpose'),
  (value) => void readSubjectKeyIdentifier(value),
  (value) => void readAuthorityKeyIdentifier(value),
  (value) => void readAuthoritySerialNumber(value),
]

export const publicKey: FuzzTarget = {
  name: 'public-key',
  source: ['certificate/public-key.ts', 'certificate/edwards-point.ts', 'certificate/signature-algorithm.ts'],
  holds:
    'a key that OpenSSL gets can be asked for everything and does not end the process; written by it, it is the same',
  shape: 'der',
  maxBytes: 700,
  seeds: () =>
    vectorNames()
      .map((vector) => Certificate.from(vectorPem(vector)).subjectPublicKeyInfo)
      .filter(({ length }) => length <= 700),
  run(input) {
    attempt(() => void readSignatureAlgorithm(input))
    return reading(
      () => readPublicKeyInfo(input),
      [CertificateError],
      (info) => {
        attempt(() => {
          const key = keyObjectOf(input)
          void key.asymmetricKeyDetails
          const written = key.export({ type: 'spki', format: 'der' })
          same(readPublicKeyInfo(written).type, info.type, 'the type')
          same(readPublicKeyInfo(written).size, info.size, 'the size')
        })
      },
    )
  },
}

export const hostnameMatch: FuzzTarget = {
  name: 'hostname-match',
  source: ['certificate/hostname.ts', 'names/host.ts'],
  holds: 'what Node does not match either is not matched, for names and hosts in ASCII',
  shape: 'text',
  seeds: () => [
    'www.example.org www.example.org',
    '*.example.org a.example.org',
    '*.org example.org',
    'EXAMPLE.org. example.org',
    '192.0.2.1 192.0.2.1',
  ],
  words: ['*.', '*', '.example.org', 'xn--', ' '],
  outcomes: ['matches', 'does not'],
  run(input) {
    // What is presented, a space, what is asked for.
    const text = Buffer.from(input).toString('latin1')
    const [presented = '', ...rest] = text.split(' ')
    const host = rest.join(' ')
    const read = crafted({
      extensions: [extension('2.5.29.17', element(0x30, element(0x82, Buffer.from(presented, 'latin1'))))],
    })
    let matches: boolean
    try {
      matches = isCertificateValidForHostname(read, host)
    } catch (error) {
      return refusal(error, CertificateError)
    }
    if (!matches) return 'does not'
    const own = presented.toLowerCase().replace(/\.$/, '')
    const asked = new URL(`http://${host}/`).hostname.replace(/\.$/, '')
    const isWildcard = own.startsWith('*.') && own.slice(1) === asked.slice(asked.indexOf('.')) && asked.includes('.')
    hold(own === asked || isWildcard, `${JSON.stringify(presented)} for ${JSON.stringify(host)}`)
    return 'matches'
  },
}

export const certificateRequest: FuzzTarget = {
  name: 'certificate-request',
  source: [
    'certificate/certificate-request.ts',
    'certificate/certificate-request-reader.ts',
    'certificate/certificate-request-proof.ts',
  ],
  holds:
    'read whole at once: no getter throws; PEM and back is the same; nothing but the very bytes that were signed is proven',
  shape: 'der',
  maxBytes: 1500,
  outcomes: ['proven', 'ERR_TLACACOCA_CSR_MALFORMED', 'ERR_TLACACOCA_CSR_UNPROVEN'],
  seeds: () => REQUESTS,
  run(input) {
    try {
      const read = CertificateRequest.from(input)
      for (const each of GETTERS) Reflect.get(read, each)
      void read.subject.toString()
      same(CertificateRequest.from(read.toPem()).sha256, read.sha256, 'the same from PEM')
      read.requireProof()
      const signed = readWhole(input, TAG.sequence, 'it').children().readAny('it').encoded
      hold(
        REQUESTS.some((der) => Buffer.from(der).includes(Buffer.from(signed))),
        'proven, and nobody signed it',
      )
      return 'proven'
    } catch (error) {
      return refusal(error, CertificateRequestError)
    }
  },
}

const REQUESTS = [craftRequest(), ...hostileRequests.map(({ der }) => der)].filter(({ length }) => length <= 1500)
const GETTERS = Object.entries(Object.getOwnPropertyDescriptors(CertificateRequest.prototype)).flatMap(
  ([key, { get }]) => (get === undefined ? [] : [key]),
)
