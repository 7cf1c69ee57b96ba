// What a body is said to be. A request is the same in PEM and in DER, so what counts is what is there; but a client that
// sends a form, or nothing in particular, most likely sends something else than it believes.

/** The original's type first; `application/pkcs10` (RFC 5967) is DER, but is seen with PEM as well. */
export const REQUEST_TYPES: readonly string[] = [
  'application/x-pem-file',
  'application/pkcs10',
  'application/pem-certificate-request',
]

/** Why a body of this type is not read; null if it is. */
export function typeProblem(headers: Headers): string | null {
  const encoding = headers.get('content-encoding')
  // A few bytes can unpack to gigabytes, and a request is too small to be worth it.
  if (encoding !== null && encoding.trim().toLowerCase() !== 'identity') return 'Send the request without compression.'
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (REQUEST_TYPES.includes(type)) return null
  if (type === 'application/x-www-form-urlencoded') return `${ADVICE} (curl says "form" with -d and --data-binary.)`
  return ADVICE
}

const ADVICE =
  'Say "Content-Type: application/x-pem-file" or "application/pkcs10", ' +
  'as in: curl -H "Content-Type: application/x-pem-file" --upload-file request.pem …'

/** A body as the parser of requests wants it: DER as bytes, PEM as a text. Null for bytes that are neither. */
export function requestInput(bytes: Uint8Array): Uint8Array | string | null {
  // 0x30 is the SEQUENCE that every request is; as a text it is the digit 0, with which no PEM begins.
  if (bytes[0] === 0x30) return bytes
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
