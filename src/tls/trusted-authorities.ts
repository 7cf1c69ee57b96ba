// The authorities whose client certificates a server takes for issued.
//
// OpenSSL gets their names only, for the request that it sends to clients. It does not get their keys: the chain is
// checked by us (a handshake that OpenSSL has approved makes Node 24 read the peer's certificate, which empties the
// chain behind it, and `socket.authorized` has said yes to nobody at all on a resumed session). Node cannot send names
// without certificates, so it gets certificates of nobody with these names, by which nothing can have been issued.

import { randomBytes } from 'node:crypto'
import { Certificate } from '../certificate/certificate.ts'
import { TAG } from '../certificate/der.ts'
import { element, integer, oid } from '../certificate/der-writer.ts'
import { parseCertificates } from '../certificate/load.ts'
import { formatPem } from '../certificate/pem.ts'
import { textOf } from '../certificate/source.ts'
import { ContextError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { prefixed } from './prefixed-error.ts'

/** An authority to trust: PEM text with one certificate or more, a certificate, or a file of PEM text. */
export type TrustedAuthority = string | Certificate | { readonly certFile: string }

/**
 * Reads the authorities. Never returns an empty list: without an authority nobody could be told from anybody, and a
 * list that came out empty by mistake must not turn the check off.
 *
 * @throws {ContextError} If the list is empty, an entry holds no certificate, or one that is no authority.
 * @throws {FileError} | {CertificateError} If an entry cannot be read. The message names the entry.
 */
export async function loadAuthorities(sources: readonly TrustedAuthority[]): Promise<readonly Certificate[]> {
  const authorities = new Map<string, Certificate>()
  for (const [index, source] of sources.entries()) {
    const label = labelOf(source, index)
    for (const certificate of await certificatesOf(source, label)) {
      if (!certificate.isCA) {
        throw new ContextError(
          `${label}: ${certificate.subject} is not the certificate of an authority (RFC 5280 4.2.1.9)`,
        )
      }
      authorities.set(certificate.fingerprint, certificate)
    }
  }
  const found = [...authorities.values()]
  if (found.length === 0) throw new ContextError('"trustedAuthorities" is empty, so no client could ever be recognised')
  requireRoomForNames(found)
  return found
}

/**
 * A server sends the names of all its authorities in one list, whose length has two bytes.
 *
 * @throws {ContextError} If they are too long together. OpenSSL would fail in every handshake.
 */
export function requireRoomForNames(authorities: readonly Certificate[]): void {
  const bytes = authorities.reduce((sum, { subjectDer }) => sum + 2 + subjectDer.length, 0)
  if (bytes <= MAX_NAMES) return
  throw new ContextError(
    `the names of the trusted authorities take ${bytes} bytes; a handshake has room for ${MAX_NAMES}`,
  )
}

/**
 * PEM text that makes OpenSSL announce the authority's name and verifies nothing: a certificate with a key that nobody
 * has, and that must not sign certificates. OpenSSL does not even try: a signature that fails leaves an error behind that
 * ends the handshake when a client comes with its whole flight at once.
 */
export function nameOnly({ subjectDer }: Certificate): string {
  const ed25519 = element(TAG.sequence, oid('1.3.101.112'))
  const key = element(TAG.sequence, ed25519, element(TAG.bitString, Buffer.of(0), randomBytes(32)))
  const dates = element(TAG.sequence, time('000101000000Z'), time('491231235959Z'))
  // RFC 5280 section 4.2.1.3: digitalSignature, and so not keyCertSign. It is critical.
  const usage = element(TAG.octetString, element(TAG.bitString, Buffer.of(7, 0x80)))
  const extension = element(TAG.sequence, oid('2.5.29.15'), element(TAG.boolean, Buffer.of(0xff)), usage)
  const contents = element(
    TAG.sequence,
    element(0xa0, integer(2)),
    integer(1),
    ed25519,
    subjectDer,
    dates,
    subjectDer,
    key,
    element(0xa3, element(TAG.sequence, extension)),
  )
  const signature = element(TAG.bitString, Buffer.alloc(1 + 64))
  return formatPem('CERTIFICATE', element(TAG.sequence, contents, ed25519, signature))
}

function time(text: string): Uint8Array {
  return element(TAG.utcTime, Buffer.from(text, 'latin1'))
}

// RFC 8446 section 4.2.4: the list has a length of two bytes; the request around it takes a few more.
const MAX_NAMES = 65_000

function labelOf(source: TrustedAuthority, index: number): string {
  const file = typeof source === 'object' && source !== null && 'certFile' in source ? ` (${source.certFile})` : ''
  return `trustedAuthorities[${index}]${file}`
}

async function certificatesOf(source: TrustedAuthority, label: string): Promise<readonly Certificate[]> {
  if (source instanceof Certificate) return [source]
  if (typeof source !== 'string' && typeof source?.certFile !== 'string') {
    throw new TypeError(`"${label}" expected PEM text, a Certificate or { certFile }, got ${show(source)}`)
  }
  try {
    return parseCertificates(typeof source === 'string' ? source : textOf(await readFileBytes(source.certFile)))
  } catch (error) {
    throw prefixed(label, error)
  }
}
