// A fingerprint to scan: whose it is and what it is, in the alphanumeric alphabet of QR codes (ISO/IEC 18004: digits,
// capitals, space and $%*+-./:), in which a letter takes 5.5 bits instead of 8. Any program that draws QR codes takes it.
//
//   TOFU:EXAMPLE.ORG:1965/SHA256:146A4B27…
//   TOFU:2001:DB8::1:1965/SPKI-SHA256:D9A58B8F…
//
// The port is always there and comes last, so the alphabet's lack of brackets leaves nothing open. The underscore, which
// some host names have and the alphabet has not, is written %5F. Hosts and hex mean the same in capitals.

import { InvalidNameError } from '../errors.ts'
import { requireString, show } from '../internal/arguments.ts'
import { Endpoint, endpointFrom, portFrom } from '../names/endpoint.ts'
import { type Fingerprint, isFingerprint } from './fingerprint.ts'
import { type PublishedFingerprint, sha256DigestOf } from './published-fingerprint.ts'

/**
 * The text of a QR code that says which certificate or key a server has. For `example.org` it takes 93 characters, which
 * is a small code also with a high level of error correction.
 *
 * @throws {TypeError} If the endpoint or the fingerprint is not one that this library parsed.
 * @throws {RangeError} For SHA-512.
 * @example
 * import { fingerprintToQrText, loadCertificate, parseEndpoint } from 'tlacacoca/certificate'
 *
 * const { fingerprint } = await loadCertificate('cert.pem')
 * console.log(fingerprintToQrText(parseEndpoint('example.org:1965'), fingerprint))
 */
export function fingerprintToQrText(endpoint: Endpoint, fingerprint: Fingerprint): string {
  if (!Endpoint.is(endpoint)) throw new TypeError(`"endpoint" expected an endpoint, got ${show(endpoint)}`)
  sha256DigestOf(fingerprint) // throws for every other
  const host = endpoint.host.replaceAll('_', '%5F')
  return `${PREFIX}${host}:${endpoint.port}/${fingerprint}`.toUpperCase()
}

/**
 * Reads what {@link fingerprintToQrText} writes, in capitals or not.
 *
 * That somebody published it proves nothing by itself: it is worth as much as the paper, the page or the person that it
 * comes from.
 *
 * @throws {InvalidNameError} ERR_TLACACOCA_FINGERPRINT_INVALID if it is no such text, ERR_TLACACOCA_ENDPOINT_INVALID if the
 *   host in it is none.
 * @example
 * import { parseFingerprintQrText } from 'tlacacoca/certificate'
 *
 * const hex = '146A4B2771B2A200F058D0E516BAF6F824F1913F1050AD2D711185826533A257'
 * const { endpoint, fingerprint } = parseFingerprintQrText(`TOFU:EXAMPLE.ORG:1965/SHA256:${hex}`)
 * console.log(endpoint.host, fingerprint) // example.org sha256:146a4b27…
 */
export function parseFingerprintQrText(text: string): PublishedFingerprint {
  requireString('text', text)
  const parts = text.length > MAX_TEXT ? null : FORM.exec(text)
  const [, host = '', digits = '', written = ''] = parts ?? []
  const fingerprint = written.toLowerCase()
  const port = portFrom(digits)
  if (parts === null || port === null || !isFingerprint(fingerprint)) {
    throw new InvalidNameError(
      'ERR_TLACACOCA_FINGERPRINT_INVALID',
      `${show(text)} is not a published fingerprint: it should be TOFU:, host, port, / and a SHA-256 fingerprint`,
    )
  }
  return { endpoint: endpointFrom(host.replace(/%5f/gi, '_'), port), fingerprint }
}

const PREFIX = 'tofu:'
// Whatever a host may be is for the parser of hosts to say; that the port is what stands after the last colon is not.
const FORM = /^tofu:([0-9a-z.:%-]+):([0-9]+)\/((?:spki-)?sha256:[0-9a-f]{64})$/i

// A host of 253 characters, all of them underscores, and the rest.
const MAX_TEXT = 900
