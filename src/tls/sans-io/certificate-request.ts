// What a server says about the client certificate that it asks for. It names authorities by their distinguished names,
// never by certificates, and a server that takes any certificate, as those of Gemini do, names none.

import { type DistinguishedName, readName } from '../../certificate/distinguished-name.ts'
import { HandshakeStream } from './handshake-stream.ts'
import { readExtension, splitExtensions, WireReader } from './wire-reader.ts'

/** What a server wants of a client certificate. */
export interface CertificateRequestInfo {
  /** The authorities that it should come from, as the DER of their names, in order. None: any. */
  readonly authorities: readonly Uint8Array[]
  /** The signature schemes that the server can check. */
  readonly signatureSchemes: readonly number[]
}

const ENCRYPTED_EXTENSIONS = 8
const CERTIFICATE_REQUEST = 13
const SERVER_HELLO_DONE = 14
const SIGNATURE_ALGORITHMS = 13
const CERTIFICATE_AUTHORITIES = 47

/**
 * The request in the first flight of a TLS 1.2 server (RFC 5246 section 7.4.4), which is in clear.
 *
 * @internal
 * @param records - All that the server has sent, up to its ServerHelloDone at least.
 * @returns The request. Null if there is none, or none that is well-formed.
 */
export function certificateRequestIn12(records: Uint8Array): CertificateRequestInfo | null {
  let request: CertificateRequestInfo | null = null
  for (const event of new HandshakeStream([CERTIFICATE_REQUEST]).push(records)) {
    if (event.kind !== 'message') return null
    // ServerHelloDone comes next, so a second request has no place either.
    if (request !== null) return event.type === SERVER_HELLO_DONE ? request : null
    if (event.type === SERVER_HELLO_DONE) return null
    if (event.type === CERTIFICATE_REQUEST) request = attempt(() => readRequest12(event.body))
    if (event.type === CERTIFICATE_REQUEST && request === null) return null
  }
  return null
}

/**
 * The request in the encrypted flight of a TLS 1.3 server (RFC 8446 section 4.3.2).
 *
 * @internal
 * @param messages - The handshake messages after the ServerHello, decrypted, one after another.
 * @returns The request. Null if there is none, or none that is well-formed.
 */
export function certificateRequestIn13(messages: Uint8Array): CertificateRequestInfo | null {
  return attempt(() => {
    const reader = new WireReader(messages)
    for (;;) {
      const type = reader.integer(1)
      const body = reader.inside(3)
      if (type === CERTIFICATE_REQUEST) return readRequest13(body)
      // Only these come before it. Behind a certificate it would be one for later, which is nobody's business here.
      if (type !== ENCRYPTED_EXTENSIONS) return null
    }
  })
}

/**
 * The name of an authority, to be read by people: `String(decodeDistinguishedName(der))`.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if it is no name.
 */
export function decodeDistinguishedName(der: Uint8Array): DistinguishedName {
  return readName(der, 'the name of an authority')
}

function attempt(read: () => CertificateRequestInfo | null): CertificateRequestInfo | null {
  try {
    return read()
  } catch {
    return null
  }
}

function readRequest12(body: Uint8Array): CertificateRequestInfo {
  const reader = new WireReader(body)
  if (reader.vector(1).length === 0) throw new RangeError('no type of certificate')
  const signatureSchemes = reader.numbers(2)
  const authorities = names(reader.inside(2))
  reader.finish()
  return { authorities, signatureSchemes }
}

function readRequest13(body: WireReader): CertificateRequestInfo {
  if (body.vector(1).length > 0) throw new RangeError('a context, which is for requests after the handshake')
  const extensions = splitExtensions(body.inside(2))
  body.finish()
  const signatureSchemes = readExtension(extensions, SIGNATURE_ALGORITHMS, (content) => content.numbers(2))
  const authorities = readExtension(extensions, CERTIFICATE_AUTHORITIES, (content) => names(content.inside(2))) ?? []
  const namesNobody = extensions.has(CERTIFICATE_AUTHORITIES) && authorities.length === 0
  if (signatureSchemes === null || namesNobody) throw new RangeError('what has to be there is missing')
  return { authorities, signatureSchemes }
}

/** Copies, which outlive the buffers that they came in. */
function names(list: WireReader): Uint8Array[] {
  const found: Uint8Array[] = []
  while (!list.done) {
    const name = list.vector(2)
    if (name.length === 0) throw new RangeError('an empty name')
    found.push(new Uint8Array(name))
  }
  return found
}
