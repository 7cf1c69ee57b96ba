import { describe, expect, it } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import { fingerprintToQrText, parseFingerprintQrText } from '../../src/certificate/fingerprint-qr.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'

const hex = '146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'
const certificate = parseFingerprint(`sha256:${hex}`)
const key = parseFingerprint(`spki-sha256:${hex}`)

describe('the text of a QR code', () => {
  it.each([
    ['example.org:1965', certificate, `TOFU:EXAMPLE.ORG:1965/SHA256:${hex.toUpperCase()}`],
    ['example.org:1965', key, `TOFU:EXAMPLE.ORG:1965/SPKI-SHA256:${hex.toUpperCase()}`],
    ['bücher.example:300', certificate, `TOFU:XN--BCHER-KVA.EXAMPLE:300/SHA256:${hex.toUpperCase()}`],
    ['192.0.2.1:1965', certificate, `TOFU:192.0.2.1:1965/SHA256:${hex.toUpperCase()}`],
    ['[2001:db8::1]:1965', certificate, `TOFU:2001:DB8::1:1965/SHA256:${hex.toUpperCase()}`],
    ['[::]:1', certificate, `TOFU::::1/SHA256:${hex.toUpperCase()}`],
    ['_a_.example.org:1965', certificate, `TOFU:%5FA%5F.EXAMPLE.ORG:1965/SHA256:${hex.toUpperCase()}`],
  ])('says for %s whose it is and what it is, in the alphanumeric alphabet', (endpoint, fingerprint, text) => {
    const written = fingerprintToQrText(parseEndpoint(endpoint), fingerprint)
    expect(written).toBe(text)
    expect(written).toMatch(/^[0-9A-Z $%*+./:-]+$/)
    const read = parseFingerprintQrText(written)
    expect(read.endpoint.toString()).toBe(parseEndpoint(endpoint).toString())
    expect(read.fingerprint).toBe(fingerprint)
  })

  it('is read in small letters too', () => {
    const { endpoint, fingerprint } = parseFingerprintQrText(`tofu:example.org:1965/spki-sha256:${hex}`)
    expect([String(endpoint), fingerprint]).toEqual(['example.org:1965', key])
  })

  it('is not written for SHA-512, or for what was not parsed', () => {
    const endpoint = parseEndpoint('example.org:1965')
    expect(() => fingerprintToQrText(endpoint, parseFingerprint('ab'.repeat(64)))).toThrow(RangeError)
    expect(() => fingerprintToQrText('example.org:1965' as unknown as typeof endpoint, key)).toThrow(TypeError)
    expect(() => fingerprintToQrText(endpoint, hex as typeof key)).toThrow(TypeError)
  })
})

describe('no such text is', () => {
  const fingerprint = 'ERR_TLACACOCA_FINGERPRINT_INVALID'
  const endpoint = 'ERR_TLACACOCA_ENDPOINT_INVALID'
  it.each([
    ['nothing', '', fingerprint],
    ['a link', 'GEMINI://EXAMPLE.ORG/', fingerprint],
    ['one without a port', `TOFU:EXAMPLE.ORG/SHA256:${hex}`, fingerprint],
    ['one with the port 0', `TOFU:EXAMPLE.ORG:0/SHA256:${hex}`, fingerprint],
    ['one with a padded port', `TOFU:EXAMPLE.ORG:01965/SHA256:${hex}`, fingerprint],
    ['one with the port 65536', `TOFU:EXAMPLE.ORG:65536/SHA256:${hex}`, fingerprint],
    ['one of SHA-1', `TOFU:EXAMPLE.ORG:1965/SHA1:${hex.slice(24)}`, fingerprint],
    ['one that does not say which hash it is', `TOFU:EXAMPLE.ORG:1965/${hex}`, fingerprint],
    ['one with a digit too few', `TOFU:EXAMPLE.ORG:1965/SHA256:${hex.slice(1)}`, fingerprint],
    ['one with a digit too many', `TOFU:EXAMPLE.ORG:1965/SHA256:${hex}0`, fingerprint],
    ['one with a line end', `TOFU:EXAMPLE.ORG:1965/SHA256:${hex}\n`, fingerprint],
    ['one with more after it', `TOFU:EXAMPLE.ORG:1965/SHA256:${hex}/`, fingerprint],
    ['one with a user', `TOFU:A@EXAMPLE.ORG:1965/SHA256:${hex}`, fingerprint],
    ['one with a raw international name', `TOFU:BÜCHER.EXAMPLE:1965/SHA256:${hex}`, fingerprint],
    ['one with a K that is none', `TOFU:\u212aEY.EXAMPLE:1965/SHA256:${hex}`, fingerprint],
    ['one that is endless', `TOFU:${'A.'.repeat(1000)}ORG:1965/SHA256:${hex}`, fingerprint],
    ['one without a host', `TOFU::1965/SHA256:${hex}`, fingerprint],
    ['one with an empty label', `TOFU:EXAMPLE..ORG:1965/SHA256:${hex}`, endpoint],
    ['one with another escape', `TOFU:EXAMPL%45.ORG:1965/SHA256:${hex}`, endpoint],
    ['one with two ports', `TOFU:EXAMPLE.ORG:1965:1966/SHA256:${hex}`, endpoint],
    ['one with half an address', `TOFU:10.1:1965/SHA256:${hex}`, endpoint],
  ])('%s', (_, text, code) => {
    expect(() => parseFingerprintQrText(text)).toThrow(expect.objectContaining({ code }))
  })

  it('what is no text', () => {
    expect(() => parseFingerprintQrText(null as unknown as string)).toThrow(TypeError)
  })
})
