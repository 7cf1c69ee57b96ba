// From whatever holds a certificate to its DER.

import { show } from '../internal/arguments.ts'
import { malformed } from './der.ts'
import { certificatesInPem } from './pem.ts'

/**
 * What holds a certificate: PEM text with exactly one in it, DER, the bytes of such a text, or an object with the DER in
 * `raw`, as Node's `X509Certificate` is and `getPeerCertificate` of a TLS socket returns.
 */
export type CertificateSource = string | Uint8Array | { readonly raw: Uint8Array }

/** The first octet of every certificate in DER: SEQUENCE. No PEM text starts with it ("0"), unless by its explanation. */
const SEQUENCE = 0x30

/**
 * The DER of the one certificate in an input, as bytes that nobody else can change: always a copy. `Buffer.from` takes it
 * out of Node's pool, which costs a quarter of an `ArrayBuffer` for each; so the copy must never be handed out, since
 * its `buffer` holds other people's bytes too.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED
 */
export function derOf(input: CertificateSource): Uint8Array {
  if (typeof input === 'string') return onlyCertificate(input)
  if (input instanceof Uint8Array) return isDer(input) ? Buffer.from(input) : onlyCertificate(textOf(input))
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    const raw: unknown = 'raw' in input ? input.raw : undefined
    if (raw instanceof Uint8Array) return Buffer.from(raw)
    // What a TLS socket's `getPeerCertificate` returns when the peer has sent none is `{}`.
    throw malformed('there is none: the object has no "raw" bytes')
  }
  throw new TypeError(`"input" expected PEM text, DER bytes or an object with "raw" bytes, got ${show(input)}`)
}

/** @internal Whether bytes are meant as DER and not as the bytes of a PEM text. */
export function isDer(bytes: Uint8Array): boolean {
  return bytes[0] === SEQUENCE
}

/** @internal The bytes of a PEM text. Only ASCII matters in it, and what surrounds it may be in any encoding. */
export function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  return text.startsWith(UTF8_BOM) ? text.slice(UTF8_BOM.length) : text
}

const UTF8_BOM = '\xef\xbb\xbf'

function onlyCertificate(text: string): Uint8Array {
  const [der, ...others] = certificatesInPem(text)
  if (der === undefined) throw malformed('there is none in the text')
  if (others.length > 0) throw malformed(`the text holds ${others.length + 1} of them, and one is wanted`)
  return der
}
