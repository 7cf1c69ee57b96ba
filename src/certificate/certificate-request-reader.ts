// What a certificate request says (RFC 2986 section 4), by the strict reader of DER.
//
// What merely asks for too much is read: an authority that copies nothing has nothing to fear from it. What could be read
// in two ways is refused: an attribute or an extension that is there twice, an attribute of a name that is there twice in
// one set, text that is no text, names with characters that have fooled readers before.

import { CertificateError, CertificateRequestError } from '../errors.ts'
import { malformedRequest, readingRequest, reasonOf, refusedKey } from './certificate-request-source.ts'
import { type DerElement, type DerReader, oidOf, readWhole, smallInteger, TAG, wholeOctets } from './der.ts'
import { type DistinguishedName, directoryText, readName } from './distinguished-name.ts'
import {
  type CertificateExtension,
  EXTENSION,
  NO_ALT_NAMES,
  readExtensions,
  readSubjectAltNames,
  type SubjectAltNames,
} from './extensions.ts'
import { type PublicKeyInfo, readPublicKeyInfo } from './public-key.ts'
import { readSignatureAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts'

/** Everything that a request says. Bytes are views of its DER, which must not get out. */
export interface RequestFacts {
  /** What the signature is over. */
  readonly signedPart: Uint8Array
  readonly subject: DistinguishedName
  readonly subjectDer: Uint8Array
  readonly spki: Uint8Array
  readonly key: PublicKeyInfo
  readonly extensions: readonly CertificateExtension[]
  readonly altNames: SubjectAltNames
  readonly challengePassword: string | null
  readonly signatureAlgorithm: SignatureAlgorithm
  /** The AlgorithmIdentifier in DER, with its parameters. */
  readonly signatureAlgorithmDer: Uint8Array
  readonly signature: Uint8Array
}

/**
 * Reads a request.
 *
 * @throws {CertificateRequestError} CSR_MALFORMED, CSR_TOO_LARGE for too many names, CSR_KEY_REFUSED for a malformed key.
 */
export function readRequest(der: Uint8Array): RequestFacts {
  return readingRequest(() => {
    const whole = readWhole(der, TAG.sequence, 'the request')
    requireShallow(whole, MAX_DEPTH)
    const outer = whole.children()
    const signedPart = outer.read(TAG.sequence, 'the signed part')
    const algorithm = outer.read(TAG.sequence, 'the signature algorithm')
    const signature = wholeOctets(outer.read(TAG.bitString, 'the signature'), 'the signature')
    outer.finish('the request')

    const info = signedPart.children()
    const version = smallInteger(info.read(TAG.integer, 'the version'), 'the version')
    if (version !== 0) throw malformedRequest(`it has the version ${version + 1}, and there is only 1`)
    const subjectDer = info.read(TAG.sequence, 'the subject').encoded
    const spki = info.read(TAG.sequence, 'the public key').encoded
    // Section 4.1: a set, in the tag's stead, that may be empty and not absent.
    const attributes = readAttributes(info.read(0xa0, 'the set of attributes').children())
    info.finish('the signed part')

    const extensions = readRequestedExtensions(attributes)
    return {
      signedPart: signedPart.encoded,
      subject: readSubject(subjectDer),
      subjectDer,
      spki,
      key: readKey(spki),
      extensions,
      altNames: readAltNames(extensions),
      challengePassword: readChallengePassword(attributes),
      signatureAlgorithm: Object.freeze(readSignatureAlgorithm(algorithm.encoded)),
      signatureAlgorithmDer: algorithm.encoded,
      signature,
    }
  })
}

// A general name inside of a requested extension is at the ninth level, and the octets of an extension are not entered.
const MAX_DEPTH = 16

/**
 * Everything inside is proper DER, also what nobody here looks at: a hook may hand it to a reader that recurses without
 * end, or that is lenient.
 */
function requireShallow(element: DerElement, levels: number): void {
  if (levels === 0) throw malformedRequest(`it is nested more than ${MAX_DEPTH} levels deep`)
  const inside = element.children()
  while (!inside.done) {
    const child = inside.readAny('an element')
    if ((child.tag & CONSTRUCTED) !== 0) requireShallow(child, levels - 1)
  }
}

const CONSTRUCTED = 0x20

// RFC 2985 sections 5.4.1 and 5.4.2.
const CHALLENGE_PASSWORD = '1.2.840.113549.1.9.7'
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/** The attributes by their identifiers, each with its values. */
type Attributes = ReadonlyMap<string, readonly DerElement[]>

function readAttributes(reader: DerReader): Attributes {
  const attributes = new Map<string, DerElement[]>()
  while (!reader.done) {
    const fields = reader.read(TAG.sequence, 'an attribute').children()
    const type = oidOf(fields.read(TAG.oid, 'the type of an attribute'), 'the type of an attribute')
    const set = fields.read(TAG.set, `the attribute ${type}`).children()
    fields.finish(`the attribute ${type}`)
    if (attributes.has(type)) throw malformedRequest(`the attribute ${type} is there twice`)
    const values: DerElement[] = []
    while (!set.done) values.push(set.readAny(`a value of the attribute ${type}`))
    if (values.length === 0) throw malformedRequest(`the attribute ${type} has no value`)
    attributes.set(type, values)
  }
  return attributes
}

/** The value of an attribute that may have one only; null if it is not there. */
function singleValue(attributes: Attributes, type: string): DerElement | null {
  const [value = null, ...others] = attributes.get(type) ?? []
  if (others.length > 0) throw malformedRequest(`the attribute ${type} has several values`)
  return value
}

function readRequestedExtensions(attributes: Attributes): readonly CertificateExtension[] {
  const value = singleValue(attributes, EXTENSION_REQUEST)
  return value === null ? [] : readExtensions(value.encoded)
}

function readChallengePassword(attributes: Attributes): string | null {
  const value = singleValue(attributes, CHALLENGE_PASSWORD)
  if (value === null) return null
  const text = directoryText(value, 'the challenge password')
  if (text === null) throw malformedRequest('the challenge password is no text')
  return text
}

/** A key whose form is wrong is another matter than a request whose form is wrong: see public-key.ts. */
function readKey(spki: Uint8Array): PublicKeyInfo {
  try {
    return Object.freeze(readPublicKeyInfo(spki))
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof CertificateError)) throw error
    throw refusedKey(reasonOf(error), { cause: error })
  }
}

// The string types of a name whose characters are all of ASCII; UTF8String, BMPString and their like have all of them.
const ASCII_STRINGS: ReadonlySet<number> = new Set([
  TAG.printableString,
  TAG.numericString,
  TAG.ia5String,
  TAG.visibleString,
])

// A NUL or a line end in a name has fooled readers before.
const CONTROL = /[\p{Cc}\u2028\u2029]/u

function readSubject(der: Uint8Array): DistinguishedName {
  const sets = readWhole(der, TAG.sequence, 'the subject').children()
  while (!sets.done) {
    const set = sets.read(TAG.set, 'the subject').children()
    const types = new Set<string>()
    while (!set.done) {
      const pair = set.read(TAG.sequence, 'the subject').children()
      const type = oidOf(pair.read(TAG.oid, 'the subject'), 'the subject')
      const value = pair.readAny('the subject')
      // X.501 section 9.3: the attributes of one set are of different types.
      if (types.has(type)) throw malformedRequest(`the subject has the attribute ${type} twice in one set`)
      types.add(type)
      const text = directoryText(value, 'the subject')
      if (text === null) throw malformedRequest(`the attribute ${type} of the subject is no text`)
      if (CONTROL.test(text) || (ASCII_STRINGS.has(value.tag) && /[^ -~]/.test(text))) {
        throw malformedRequest(`the attribute ${type} of the subject has characters that do not belong in a name`)
      }
    }
  }
  return readName(der, 'the subject')
}

/** Nobody answers at more; what an authority grants is fewer still. */
const MAX_NAMES = 100

// GeneralName of RFC 5280 section 4.2.1.6. Those with text of ASCII: [1] rfc822Name, [2] dNSName, [6] URI. The others:
// [0] otherName, [3] x400Address, [4] directoryName, [5] ediPartyName, [7] iPAddress, [8] registeredID.
const TEXT_NAMES: ReadonlySet<number> = new Set([0x81, 0x82, 0x86])
const OTHER_NAMES: ReadonlySet<number> = new Set([0xa0, 0xa3, 0xa4, 0xa5, 0x87, 0x88])

function readAltNames(extensions: readonly CertificateExtension[]): SubjectAltNames {
  const value = extensions.find(({ oid }) => oid === EXTENSION.subjectAltName)?.value
  if (value === undefined) return NO_ALT_NAMES
  const names = readWhole(value, TAG.sequence, 'the alternative names').children()
  let count = 0
  while (!names.done) {
    const name = names.readAny('an alternative name')
    if (++count > MAX_NAMES) {
      throw new CertificateRequestError(
        'ERR_TLACACOCA_CSR_TOO_LARGE',
        `the certificate request asks for more than ${MAX_NAMES} names; ask for fewer`,
      )
    }
    if (TEXT_NAMES.has(name.tag)) {
      if (name.isEmpty || name.content.some((octet) => octet < 0x21 || octet > 0x7e)) {
        throw malformedRequest('an alternative name is empty, or has other characters than printable ASCII')
      }
    } else if (!OTHER_NAMES.has(name.tag)) {
      throw malformedRequest('an alternative name is of no known kind')
    }
  }
  if (count === 0) throw malformedRequest('the alternative names are an empty list')
  return readSubjectAltNames(value)
}
