// From whatever holds a certificate request to its DER.

import { CertificateError, CertificateRequestError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { isPrivateKeyLabel, parsePem } from './pem.ts'
import { isDer, textOf } from './source.ts'

/** A request with an RSA key of 8192 bits and a hundred long names takes a third of it. */
const MAX_DER = 32 * 1024
/** In base64, with what `openssl req -text` explains. */
const MAX_TEXT = 3 * MAX_DER

/**
 * The DER of the one request in an input, as bytes that nobody else can change.
 *
 * @throws {CertificateRequestError} CSR_MALFORMED or CSR_TOO_LARGE.
 */
export function derOfRequest(input: string | Uint8Array): Uint8Array {
  if (typeof input === 'string') return onlyRequest(input)
  if (input instanceof Uint8Array) {
    if (!isDer(input)) return onlyRequest(input.length > MAX_TEXT ? tooLarge() : textOf(input))
    return input.length > MAX_DER ? tooLarge() : new Uint8Array(input)
  }
  throw new TypeError(`"input" expected PEM text or DER bytes, got ${show(input)}`)
}

/**
 * @internal Runs a reader of DER or PEM. Those speak of certificates; here the same mistakes are those of a request.
 */
export function readingRequest<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    throw malformedRequest(reasonOf(error), { cause: error })
  }
}

/** @internal What is wrong, without saying that it is wrong with a certificate. */
export function reasonOf(error: CertificateError): string {
  return error.message.replace(/^(?:malformed|unsupported) certificate: /, '')
}

/** @internal */
export function malformedRequest(problem: string, options?: ErrorOptions): CertificateRequestError {
  const message = `malformed certificate request: ${problem}`
  return new CertificateRequestError('ERR_TLACACOCA_CSR_MALFORMED', message, options)
}

/** @internal */
export function refusedKey(problem: string, options?: ErrorOptions): CertificateRequestError {
  const message = `the key of the certificate request is refused: ${problem}`
  return new CertificateRequestError('ERR_TLACACOCA_CSR_KEY_REFUSED', message, options)
}

// RFC 7468 section 7 wants the first; the second is what older programs write, and some new ones.
const LABELS: ReadonlySet<string> = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'])

function onlyRequest(text: string): Uint8Array {
  if (text.length > MAX_TEXT) tooLarge()
  const [block, ...others] = readingRequest(() => parsePem(text))
  if (block === undefined) throw malformedRequest('there is none in the text')
  if ([block, ...others].some(({ label }) => isPrivateKeyLabel(label))) {
    throw malformedRequest('the text holds a private key, which nobody else should ever get; send the request alone')
  }
  if (others.length > 0) throw malformedRequest(`the text holds ${others.length + 1} PEM blocks, and one is wanted`)
  if (!LABELS.has(block.label)) throw malformedRequest(`the text holds a block of another kind, ${show(block.label)}`)
  if (block.headers.length > 0) throw malformedRequest('its PEM block has header lines')
  return block.der.length > MAX_DER ? tooLarge() : block.der
}

function tooLarge(): never {
  throw new CertificateRequestError(
    'ERR_TLACACOCA_CSR_TOO_LARGE',
    `the certificate request is longer than ${MAX_DER} bytes; ask for less`,
  )
}
