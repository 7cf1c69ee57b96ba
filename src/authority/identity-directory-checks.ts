// Whether what lies in a directory is an authority, and whether its files belong together. People copy these files by hand,
// so each is compared with the certificate, and the message says which of them does not fit.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import { CertificateRequest } from '../certificate/certificate-request.ts'
import { readWhole, TAG, wholeOctets } from '../certificate/der.ts'
import { isFalselySelfSigned, isIssuedBy, isSelfSigned } from '../certificate/issuance.ts'
import { parseCertificates } from '../certificate/load.ts'
import {
  authorityRefusal,
  datesRefusal,
  keyRefusal,
  lengthRefusal,
  signatureRefusal,
  subjectOf,
} from '../certificate/path-rules.ts'
import { parsePem } from '../certificate/pem.ts'
import { matchesCertificate, publicHalf } from '../certificate/private-key.ts'
import { keyObjectOf } from '../certificate/public-key.ts'
import { signerFor } from '../certificate/signing.ts'
import { textOf } from '../certificate/source.ts'
import { AuthorityError, CertificateError } from '../errors.ts'
import { inFile } from './identity-directory-files.ts'

/**
 * Checks that a certificate is one of an authority that can sign now: marked as one, of a sound and strong key, within its
 * dates, and not damaged.
 *
 * @throws {AuthorityError} AUTHORITY_NOT_AN_AUTHORITY, AUTHORITY_KEY_REFUSED, AUTHORITY_EXPIRED, AUTHORITY_NOT_YET_VALID or
 *   AUTHORITY_MISMATCH.
 */
export function requireAuthority(path: string, certificate: Certificate, at: Date): void {
  inFile(path, () => {
    const refusal = authorityRefusal(certificate)
    if (refusal !== null) {
      const advice = 'an authority has version 3, CA:TRUE and, if it has a key usage, keyCertSign'
      throw refused('ERR_TLACACOCA_AUTHORITY_NOT_AN_AUTHORITY', path, `${refusal.detail}; ${advice}`)
    }
    const key = keyRefusal(certificate)
    if (key !== null) throw refused('ERR_TLACACOCA_AUTHORITY_KEY_REFUSED', path, key.detail)
    const dates = datesRefusal(certificate, at)
    if (dates !== null) {
      const code =
        dates.problem === 'expired' ? 'ERR_TLACACOCA_AUTHORITY_EXPIRED' : 'ERR_TLACACOCA_AUTHORITY_NOT_YET_VALID'
      throw refused(code, path, dates.detail)
    }
    // Signatures by SHA-1 are not asked about: there are systems on which OpenSSL answers no to every one of them.
    if (signatureRefusal(certificate) === null && isFalselySelfSigned(certificate)) {
      throw refused('ERR_TLACACOCA_AUTHORITY_MISMATCH', path, 'it is damaged: its own key did not sign it')
    }
  })
}

/**
 * Checks that a private key is that of the certificate, and can sign others.
 *
 * @throws {AuthorityError} AUTHORITY_MISMATCH or AUTHORITY_KEY_REFUSED
 */
export function requireSigningKey(path: string, key: KeyObject, certificate: Certificate): void {
  if (!matchesCertificate(key, certificate)) throw mismatch(path, 'the private key')
  try {
    signerFor(key, publicHalf(key))
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof CertificateError)) throw error
    throw refused('ERR_TLACACOCA_AUTHORITY_KEY_REFUSED', path, error.message)
  }
}

/**
 * Checks that a public key, in PEM, is that of the certificate.
 *
 * @throws {AuthorityError} AUTHORITY_MISMATCH
 * @throws {CertificateError} If there is no public key.
 */
export function requirePublicKey(path: string, contents: Uint8Array, certificate: Certificate): void {
  inFile(path, () => {
    const [block, ...others] = parsePem(textOf(contents))
    if (block === undefined || others.length > 0 || !PUBLIC_KEY_LABELS.has(block.label)) {
      throw new CertificateError('ERR_TLACACOCA_CERTIFICATE_MALFORMED', 'expected one block of PEM, PUBLIC KEY')
    }
    const fits =
      block.label === 'PUBLIC KEY'
        ? // By value: the same point can be written in two ways.
          keyObjectOf(block.der).equals(certificate.publicKey())
        : certificate.keyType === 'rsa' && Buffer.from(block.der).equals(innerKey(certificate.subjectPublicKeyInfo))
    if (!fits) throw mismatch(path, 'the public key')
  })
}

/**
 * Checks that a request is for the key of the certificate. Its signature and its names do not matter any more.
 *
 * @throws {AuthorityError} AUTHORITY_MISMATCH
 * @throws {CertificateRequestError} If there is no request.
 */
export function requireRequest(path: string, contents: Uint8Array, certificate: Certificate): void {
  inFile(path, () => {
    const { subjectPublicKeyInfo } = CertificateRequest.from(contents)
    if (!keyObjectOf(subjectPublicKeyInfo).equals(certificate.publicKey())) throw mismatch(path, 'the request')
  })
}

/**
 * The authorities above one, from a file with their certificates in any order, its own perhaps among them.
 *
 * @throws {AuthorityError} AUTHORITY_CHAIN_INVALID if one of them is not above it, or may not be.
 * @throws {CertificateError} If there is something else in the file.
 */
export function readChain(path: string, contents: Uint8Array, certificate: Certificate): Certificate[] {
  return inFile(path, () => {
    const rest = parseCertificates(textOf(contents)).filter((each) => !each.equals(certificate))
    const line = [certificate]
    let top = certificate
    while (!isSelfSigned(top)) {
      const issuer = takeIssuer(rest, top)
      if (issuer === undefined) break
      const refusal = authorityRefusal(issuer) ?? keyRefusal(issuer) ?? lengthRefusal(issuer, [certificate, ...line])
      if (refusal !== null) throw refused('ERR_TLACACOCA_AUTHORITY_CHAIN_INVALID', path, refusal.detail)
      line.push(issuer)
      top = issuer
    }
    const [extraneous] = rest
    if (extraneous !== undefined) {
      const problem = `${subjectOf(extraneous)} did not issue ${subjectOf(top)}; remove it`
      throw refused('ERR_TLACACOCA_AUTHORITY_CHAIN_INVALID', path, problem)
    }
    return line.slice(1)
  })
}

/** Takes the first one out of a list that issued a certificate. */
function takeIssuer(list: Certificate[], child: Certificate): Certificate | undefined {
  const index = list.findIndex((each) => isIssuedBy(child, each))
  return index === -1 ? undefined : list.splice(index, 1)[0]
}

/** Of a SubjectPublicKeyInfo, the key alone: for RSA it has the form of PKCS#1. */
function innerKey(spki: Uint8Array): Uint8Array {
  const inside = readWhole(spki, TAG.sequence, 'the public key').children()
  inside.read(TAG.sequence, 'the key algorithm')
  return wholeOctets(inside.read(TAG.bitString, 'the key'), 'the key')
}

const PUBLIC_KEY_LABELS: ReadonlySet<string> = new Set(['PUBLIC KEY', 'RSA PUBLIC KEY'])

function mismatch(path: string, what: string): AuthorityError {
  return refused('ERR_TLACACOCA_AUTHORITY_MISMATCH', path, `${what} is not that of the certificate beside it`)
}

function refused(code: AuthorityError['code'], path: string, problem: string): AuthorityError {
  return new AuthorityError(code, `${path}: ${problem}`)
}
