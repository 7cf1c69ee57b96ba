// Certificates and private keys out of texts and files, each by itself: a damaged one is a problem, and those before and
// after it are read.

import type { KeyObject } from 'node:crypto'
import { Certificate } from '../../certificate/certificate.ts'
import { isCertificateLabel, isPrivateKeyLabel, type LocatedBlock, readPem } from '../../certificate/pem.ts'
import { isDer, textOf } from '../../certificate/source.ts'
import { CertificateError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import type { ImportContext } from './import-context.ts'
import type { ImportPlace } from './imported-identity.ts'

/** A text, or the bytes of a file: PEM, or DER of what it is expected to hold. */
export interface IdentityText {
  /** Null for a text that is in no file. */
  readonly file: string | null
  readonly contents: string | Uint8Array
  /** What it is if it is DER. */
  readonly der: 'certificate' | 'key'
}

/** Something with the place where it was found. */
export interface Placed<T> {
  readonly value: T
  readonly place: ImportPlace
}

/** What the texts hold, in their order. */
export interface IdentityObjects {
  readonly certificates: readonly Placed<Certificate>[]
  readonly keys: readonly Placed<KeyObject>[]
  /** Whether a key was there and did not open. */
  readonly hasClosedKey: boolean
}

export async function readObjects(texts: readonly IdentityText[], context: ImportContext): Promise<IdentityObjects> {
  const certificates: Placed<Certificate>[] = []
  const keys: Placed<KeyObject>[] = []
  let hasClosedKey = false
  for (const text of texts) {
    for (const { block, place } of blocksOf(text, context)) {
      const isKey = isPrivateKeyLabel(block.label)
      if (!isKey && !isCertificateLabel(block.label)) {
        reportStranger(block.label, place, context)
      } else if (!context.takes(place)) {
        return { certificates, keys, hasClosedKey }
      } else if (isKey) {
        const value = SUPPORTED_KEYS.has(block.label) ? await context.openKey(block, place) : null
        if (!SUPPORTED_KEYS.has(block.label)) reportStranger(block.label, place, context)
        if (value === null) hasClosedKey = true
        else keys.push({ value, place })
      } else {
        const value = readCertificate(block.der, place, context)
        if (value !== null) certificates.push({ value, place })
      }
    }
  }
  return { certificates, keys, hasClosedKey }
}

interface PlacedBlock {
  readonly block: LocatedBlock['block']
  readonly place: ImportPlace
}

function* blocksOf({ file, contents, der }: IdentityText, context: ImportContext): Iterable<PlacedBlock> {
  if (contents instanceof Uint8Array && isDer(contents)) {
    const label = der === 'key' ? 'PRIVATE KEY' : 'CERTIFICATE'
    yield { block: { label, headers: [], der: contents }, place: { file } }
    return
  }
  const text = typeof contents === 'string' ? contents : textOf(contents)
  let count = 0
  for (const { firstLine, part } of partsOf(text)) {
    try {
      for (const { line, block } of readPem(part, { fail: damaged })) {
        count++
        yield { block, place: { file, line: firstLine + line - 1 } }
      }
    } catch (error) {
      /* v8 ignore if -- @preserve only a fault of our own could be another error */
      if (!(error instanceof Damage)) throw error
      count++
      const place = { file, line: firstLine + error.line - 1 }
      context.report('ERR_TLACACOCA_IDENTITY_FORMAT_INVALID', place, error.message)
    }
  }
  if (count === 0) {
    const what = der === 'key' ? 'a private key' : 'a certificate'
    context.report(
      'ERR_TLACACOCA_IDENTITY_FORMAT_INVALID',
      { file },
      `there is no PEM block in it; ${what} was expected`,
    )
  }
}

/** A text cut in front of every block, so that one that does not end takes no other with it. */
function* partsOf(text: string): Iterable<{ readonly firstLine: number; readonly part: string }> {
  let part: string[] = []
  let firstLine = 1
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (part.length > 0 && line.startsWith('-----BEGIN ')) {
      yield { firstLine, part: part.join('\n') }
      part = []
      firstLine = index + 1
    }
    part.push(line)
  }
  yield { firstLine, part: part.join('\n') }
}

class Damage extends Error {
  readonly line: number

  constructor(line: number, problem: string) {
    super(problem)
    this.line = line
  }
}

function damaged(line: number, problem: string): never {
  // It counts the lines of one part; the place counts those of the text.
  throw new Damage(line, problem.replace(/^PEM line \d+/, 'the line').replace(/ of line \d+/, ''))
}

function readCertificate(der: Uint8Array, place: ImportPlace, context: ImportContext): Certificate | null {
  try {
    return Certificate.from({ raw: der })
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof CertificateError)) throw error
    context.reportError(error, place)
    return null
  }
}

function reportStranger(label: string, place: ImportPlace, context: ImportContext): void {
  // OpenSSL writes it over every EC key; the key itself says the same.
  if (label === 'EC PARAMETERS') return
  const what = HINTS.get(label) ?? 'it is neither a certificate nor a private key that TLS knows'
  context.report('ERR_TLACACOCA_IDENTITY_FORMAT_UNSUPPORTED', place, `a block ${show(label)} was left out: ${what}`)
}

const SUPPORTED_KEYS: ReadonlySet<string> = new Set([
  'PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'RSA PRIVATE KEY',
  'EC PRIVATE KEY',
])

const HINTS: ReadonlyMap<string, string> = new Map([
  ['OPENSSH PRIVATE KEY', 'TLS has other keys than SSH; "ssh-keygen -p -m PKCS8" writes one for TLS'],
  ['TRUSTED CERTIFICATE', 'write it anew with "openssl x509 -in … -out …"'],
  ['CERTIFICATE REQUEST', 'it asks for a certificate and is none'],
  ['NEW CERTIFICATE REQUEST', 'it asks for a certificate and is none'],
])
