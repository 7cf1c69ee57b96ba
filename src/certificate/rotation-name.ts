// The names of a server that takes a new key and lets the old one sign for it (glog 220115-keyRotation on
// gemini.thegonz.net). A certificate that the old key issues has the old subject as its issuer, and some verifiers refuse
// one whose issuer and subject are the same. So a number is put into the new subject, as the attribute GN:
//
//   first certificate    subject CN=example.org          issuer CN=example.org
//   second               subject CN=example.org,GN=2     issuer CN=example.org
//   third                subject CN=example.org,GN=3     issuer CN=example.org,GN=2
//
// By the number such a certificate is recognised, too: its subject is its issuer one further, with the host as common name
// whatever the issuer has there. This says what a certificate claims to be; whether the old key did sign it is another
// question. Nobody is trusted by a name.

import type { Certificate } from './certificate.ts'
import { oidOf, readWhole, TAG } from './der.ts'
import { element, oid } from './der-writer.ts'
import { comparableName, directoryText } from './distinguished-name.ts'

/** Whether a certificate says that it was issued by what the same server had before it. */
export function isRotation(certificate: Certificate): boolean {
  const { subjectDer, issuerDer } = certificate
  if (keyNumberOf(subjectDer) !== keyNumberOf(issuerDer) + 1) return false
  return comparableName(lastingPart(subjectDer), 'the subject') === comparableName(lastingPart(issuerDer), 'the issuer')
}

/**
 * DER of the name that follows a name: everything else octet by octet, then the host as common name (unless it is longer
 * than that may be) and the number.
 */
export function nextName(before: Uint8Array, host: string): Uint8Array {
  const number = String(keyNumberOf(before) + 1)
  // RFC 5280 appendix A.1: ub-common-name. A longer host is in the alternative names only.
  const commonName = host.length <= 64 ? [attribute(COMMON_NAME, host)] : []
  return element(TAG.sequence, ...lastingSets(before), ...commonName, attribute(GIVEN_NAME, number))
}

const COMMON_NAME = '2.5.4.3'
const GIVEN_NAME = '2.5.4.42'

/** Which of a server's keys it is, by the name; 1 if it does not say. */
function keyNumberOf(name: Uint8Array): number {
  const numbers = readSets(name).flatMap((set) => set.flatMap(({ number }) => number ?? []))
  return numbers.at(-1) ?? 1
}

/** DER of a name without what a rotation changes. */
function lastingPart(name: Uint8Array): Uint8Array {
  return element(TAG.sequence, ...lastingSets(name))
}

function lastingSets(name: Uint8Array): Uint8Array[] {
  return readSets(name).flatMap((set) => {
    const lasting = set.filter((each) => each.type !== COMMON_NAME && each.number === null)
    // What is left of a set that was in order (X.690 section 11.6) is in order.
    return lasting.length === 0 ? [] : [element(TAG.set, ...lasting.map(({ encoded }) => encoded))]
  })
}

interface NumberedAttribute {
  readonly type: string
  /** The number of a key, if that is what it is. */
  readonly number: number | null
  readonly encoded: Uint8Array
}

function readSets(name: Uint8Array): NumberedAttribute[][] {
  const sets: NumberedAttribute[][] = []
  const reader = readWhole(name, TAG.sequence, 'the name').children()
  while (!reader.done) {
    const attributes: NumberedAttribute[] = []
    const set = reader.read(TAG.set, 'the name').children()
    while (!set.done) {
      const pair = set.read(TAG.sequence, 'the name')
      const parts = pair.children()
      const type = oidOf(parts.read(TAG.oid, 'the name'), 'the name')
      const text = directoryText(parts.readAny('the name'), 'the name')
      // A person's given name may stand there as well, and stays.
      const isNumber = type === GIVEN_NAME && text !== null && /^[1-9][0-9]{0,8}$/.test(text)
      attributes.push({ type, number: isNumber ? Number(text) : null, encoded: pair.encoded })
    }
    sets.push(attributes)
  }
  return sets
}

function attribute(type: string, text: string): Uint8Array {
  const value = element(TAG.utf8String, Buffer.from(text, 'utf8'))
  return element(TAG.set, element(TAG.sequence, oid(type), value))
}
