// A certificate file before it is used: everything that is wrong with it at once, because whoever mends one problem at a
// time restarts a server once for each.

import { CertificateError, FileError, PrivateKeyError } from '../errors.ts'
import { requireDate, requireOptions, requireString } from '../internal/arguments.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { Certificate } from './certificate.ts'
import { isOpenToOthers } from './file-permissions.ts'
import { MAX_CERTIFICATE_FILE_BYTES } from './load.ts'
import type { Passphrase } from './passphrase.ts'
import { isCertificateLabel, isPrivateKeyLabel, parsePem } from './pem.ts'
import { loadPrivateKey, matchesCertificate } from './private-key.ts'
import { isDer, textOf } from './source.ts'
import { weaknessOfKey, weaknessOfSignature } from './strength.ts'

/** What can be wrong with a certificate file, and with the key file beside it. */
export type CertificateFileProblemCode =
  | 'missing'
  | 'unreadable'
  /** It is DER, or no certificate at all: TLS takes PEM. */
  | 'not_pem'
  /** It holds a certificate, or something like one, of which a part cannot be read. */
  | 'malformed'
  | 'several_certificates'
  | 'private_key_in_certificate_file'
  | 'expired'
  | 'not_yet_valid'
  | 'weak_key'
  /** The key is of a kind that TLS does not use. */
  | 'unsupported_key'
  | 'weak_signature'
  | 'key_missing'
  | 'key_unreadable'
  /** The key is encrypted and there is no passphrase. */
  | 'key_encrypted'
  | 'key_passphrase_wrong'
  | 'key_mismatch'
  | 'key_readable_by_others'

/** One thing that is wrong. */
export interface CertificateFileProblem {
  readonly code: CertificateFileProblemCode
  /** A sentence for a person. */
  readonly message: string
}

/** What to check a certificate file against. */
export interface ValidateFileOptions {
  /** The file with the private key. Without it, nothing is said about keys. */
  readonly keyFile?: string
  /** For an encrypted private key. */
  readonly passphrase?: Passphrase
  /** The instant at which to judge the dates. Default: now. */
  readonly at?: Date
  /** Whether the file may hold a chain, the server's own certificate first. Default false. */
  readonly allowChain?: boolean
}

/**
 * Checks a certificate file, and the key file that goes with it, and lists all problems.
 *
 * @returns `valid` is true if and only if `problems` is empty. Whatever the files hold is an outcome and not an error.
 * @example
 * import { validateCertificateFile } from 'tlacacoca/certificate'
 *
 * const { valid, problems } = await validateCertificateFile('cert.pem', { keyFile: 'key.pem' })
 * if (!valid) for (const { code, message } of problems) console.error(`${code}: ${message}`)
 */
export async function validateCertificateFile(
  path: string,
  options: ValidateFileOptions = {},
): Promise<{ readonly valid: boolean; readonly problems: readonly CertificateFileProblem[] }> {
  requireString('path', path)
  requireOptions('options', options, ['keyFile', 'passphrase', 'at', 'allowChain'])
  const { keyFile, passphrase, at = new Date(), allowChain = false } = options
  requireDate('at', at)
  if (keyFile !== undefined) requireString('keyFile', keyFile)

  const problems: CertificateFileProblem[] = []
  const certificates = await readCertificates(path, problems)
  if (certificates.length > 1 && !allowChain) {
    problems.push({ code: 'several_certificates', message: `${path} holds ${certificates.length} certificates` })
  }
  for (const [index, certificate] of certificates.entries()) {
    const prefix = certificates.length === 1 ? '' : `certificate ${index + 1}: `
    for (const { code, message } of problemsOf(certificate, at)) problems.push({ code, message: prefix + message })
  }
  if (keyFile !== undefined) problems.push(...(await keyProblems(keyFile, passphrase, certificates[0])))
  return { valid: problems.length === 0, problems }
}

async function readCertificates(path: string, problems: CertificateFileProblem[]): Promise<Certificate[]> {
  try {
    const bytes = await readFileBytes(path, { maxBytes: MAX_CERTIFICATE_FILE_BYTES })
    if (isDer(bytes)) {
      problems.push({ code: 'not_pem', message: `${path} is not PEM text` })
      return readEach([bytes], problems)
    }
    const blocks = parsePem(textOf(bytes))
    if (blocks.some((block) => isPrivateKeyLabel(block.label))) {
      problems.push({ code: 'private_key_in_certificate_file', message: `${path} holds a private key` })
    }
    const others = blocks.filter(({ label }) => !isPrivateKeyLabel(label) && !isCertificateLabel(label))
    for (const { label } of others) problems.push({ code: 'malformed', message: `${path} holds a block ${label}` })
    const found = blocks.filter(({ label }) => isCertificateLabel(label))
    if (found.length === 0) problems.push({ code: 'not_pem', message: `${path} holds no certificate in PEM` })
    return readEach(
      found.map((block) => block.der),
      problems,
    )
  } catch (error) {
    if (error instanceof CertificateError) problems.push({ code: 'not_pem', message: `${path}: ${error.message}` })
    else problems.push(fileProblem(error))
    return []
  }
}

function readEach(sources: readonly Uint8Array[], problems: CertificateFileProblem[]): Certificate[] {
  return sources.flatMap((der) => attempt(problems, () => Certificate.from({ raw: der })) ?? [])
}

function problemsOf(certificate: Certificate, at: Date): CertificateFileProblem[] {
  const problems: CertificateFileProblem[] = []
  const add = (code: CertificateFileProblemCode, message: string) => problems.push({ code, message })
  // Each part by itself, so that one that is malformed does not hide the others.
  attempt(problems, () => {
    const validity = certificate.validityAt(at)
    if (validity === 'expired') add('expired', `it was valid until ${certificate.notAfter.toISOString()}`)
    if (validity === 'not_yet_valid') add('not_yet_valid', `it is valid from ${certificate.notBefore.toISOString()} on`)
  })
  attempt(problems, () => {
    const weakness = weaknessOfKey(certificate)
    if (weakness !== null) add('weak_key', weakness)
    if (certificate.keySize === null) add('unsupported_key', 'its key is of a kind that TLS does not use')
  })
  attempt(problems, () => {
    const weakness = weaknessOfSignature(certificate)
    if (weakness !== null) add('weak_signature', weakness)
  })
  const others = ['version', 'serialNumber', 'subject', 'issuer', 'subjectAltNames', 'isCA', 'keyUsage'] as const
  for (const fact of [...others, 'extendedKeyUsage', 'subjectKeyIdentifier', 'authorityKeyIdentifier'] as const) {
    attempt(problems, () => certificate[fact])
  }
  return problems
}

async function keyProblems(
  path: string,
  passphrase: Passphrase | undefined,
  certificate: Certificate | undefined,
): Promise<CertificateFileProblem[]> {
  const problems: CertificateFileProblem[] = []
  try {
    const bytes = await readFileBytes(path, { maxBytes: MAX_CERTIFICATE_FILE_BYTES })
    if (await isOpenToOthers(path)) {
      problems.push({
        code: 'key_readable_by_others',
        message: `${path} is open to others than its owner; use mode 0600`,
      })
    }
    const key = await loadPrivateKey(bytes, { passphrase })
    const matches = certificate === undefined || attempt(problems, () => matchesCertificate(key, certificate))
    if (matches === false) {
      problems.push({ code: 'key_mismatch', message: `${path} is not the key of the certificate` })
    }
  } catch (error) {
    if (error instanceof FileError) problems.push({ code: `key_${fileCode(error)}`, message: error.message })
    else if (error instanceof PrivateKeyError)
      problems.push({ code: keyCode(error), message: `${path}: ${error.message}` })
    else throw error
  }
  return problems
}

/** Runs what reads a certificate, and notes if it cannot be read. */
function attempt<T>(problems: CertificateFileProblem[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof CertificateError)) throw error
    const code = error.code === 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED' ? 'unsupported_key' : 'malformed'
    if (!problems.some((each) => each.message === error.message)) problems.push({ code, message: error.message })
    return undefined
  }
}

function fileProblem(error: unknown): CertificateFileProblem {
  /* v8 ignore if -- @preserve only a fault of our own could be another error */
  if (!(error instanceof FileError)) throw error
  return { code: fileCode(error), message: error.message }
}

function fileCode(error: FileError): 'missing' | 'unreadable' {
  return error.code === 'ERR_TLACACOCA_FILE_NOT_FOUND' ? 'missing' : 'unreadable'
}

function keyCode(error: PrivateKeyError): CertificateFileProblemCode {
  switch (error.code) {
    case 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED':
      return 'key_encrypted'
    case 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG':
      return 'key_passphrase_wrong'
    case 'ERR_TLACACOCA_KEY_MISMATCH':
      /* v8 ignore next -- @preserve a key that is read alone has nothing that it could fail to match */
      return 'key_mismatch'
    case 'ERR_TLACACOCA_KEY_MALFORMED':
      return 'key_unreadable'
  }
}
