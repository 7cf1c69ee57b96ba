import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import { fingerprintToTlsaRecord, parseTlsaRecord } from '../../src/certificate/fingerprint-tlsa.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { testCertificate } from '../support/certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const hex = '146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'
const certificate = parseFingerprint(`sha256:${hex}`)
const key = parseFingerprint(`spki-sha256:${hex}`)
const endpoint = parseEndpoint('example.org:1965')

describe('a TLSA record', () => {
  it('is 3 0 1 for a certificate and 3 1 1 for a public key', () => {
    expect(fingerprintToTlsaRecord(endpoint, certificate)).toBe(`_1965._tcp.example.org. IN TLSA 3 0 1 ${hex}`)
    expect(fingerprintToTlsaRecord(endpoint, key)).toBe(`_1965._tcp.example.org. IN TLSA 3 1 1 ${hex}`)
  })

  it('can say how long resolvers may keep it', () => {
    const record = fingerprintToTlsaRecord(endpoint, key, { ttlSeconds: 3600 })
    expect(record).toBe(`_1965._tcp.example.org. 3600 IN TLSA 3 1 1 ${hex}`)
    expect(parseTlsaRecord(record).fingerprint).toBe(key)
  })

  it.each(['P-256', 'RSA-2048', 'Ed25519'] as const)(
    'has the data that openssl computes for a %s key',
    async (kind) => {
      const { certificate: made, certPem } = await testCertificate({ key: kind })
      const file = join(await temporaryFolder(), 'cert.pem')
      await writeFile(file, certPem)
      const sha256 = (input: Uint8Array) => openssl(['dgst', '-sha256', '-r'], input).split(' ')[0]
      const bytes = (args: string[], input = '') => execFileSync('openssl', args, { input })
      const der = bytes(['x509', '-in', file, '-outform', 'DER'])
      const publicPem = openssl(['x509', '-in', file, '-noout', '-pubkey'])
      const spki = bytes(['pkey', '-pubin', '-outform', 'DER'], publicPem)
      expect(fingerprintToTlsaRecord(endpoint, made.fingerprint)).toMatch(new RegExp(` 3 0 1 ${sha256(der)}$`))
      expect(fingerprintToTlsaRecord(endpoint, made.publicKeyFingerprint)).toMatch(
        new RegExp(` 3 1 1 ${sha256(spki)}$`),
      )
    },
  )

  it.each([
    ['an address', () => fingerprintToTlsaRecord(parseEndpoint('[::1]:1965'), key), RangeError],
    ['SHA-512', () => fingerprintToTlsaRecord(endpoint, parseFingerprint('ab'.repeat(64))), RangeError],
    ['a negative TTL', () => fingerprintToTlsaRecord(endpoint, key, { ttlSeconds: -1 }), RangeError],
    ['a TTL of 2^31', () => fingerprintToTlsaRecord(endpoint, key, { ttlSeconds: 2 ** 31 }), RangeError],
    ['a text for an endpoint', () => fingerprintToTlsaRecord('example.org' as never, key), TypeError],
    ['an unknown option', () => fingerprintToTlsaRecord(endpoint, key, { ttl: 1 } as never), TypeError],
  ])('is not made for %s', (_, make, error) => {
    expect(make).toThrow(error)
  })
})

describe('a record of others is read', () => {
  const [first, second] = [hex.slice(0, 56), hex.slice(56)]
  it.each([
    [
      'as dig prints it',
      `_1965._tcp.example.org.\t3600\tIN\tTLSA\t3 1 1 ${first.toUpperCase()} ${second.toUpperCase()}`,
    ],
    ['without class and TTL', `_1965._tcp.example.org. TLSA 3 1 1 ${hex}`],
    ['with the TTL alone', `_1965._tcp.example.org. 1h30m TLSA 3 1 1 ${hex}`],
    ['with the class first', `_1965._tcp.example.org. in 60 tlsa 3 1 1 ${hex}`],
    ['over several lines', `_1965._tcp.example.org. IN TLSA ( ; the key\n\t3 1 1\r\n\t${first}\n${second} ) ; end\n`],
    ['in capitals', `_1965._TCP.EXAMPLE.ORG. IN TLSA 3 1 1 ${hex}`],
    ['with a comment', `_1965._tcp.example.org. IN TLSA 3 1 1 ${hex}; (old)`],
  ])('%s', (_, text) => {
    const read = parseTlsaRecord(text)
    expect([String(read.endpoint), read.fingerprint]).toEqual(['example.org:1965', key])
  })
})

describe('refused is a record', () => {
  const data = 'ERR_TLACACOCA_FINGERPRINT_INVALID'
  const name = 'ERR_TLACACOCA_ENDPOINT_INVALID'
  const owner = '_1965._tcp.example.org. IN TLSA'
  it.each([
    ['of usage 0', `${owner} 0 1 1 ${hex}`, data, '0 (PKIX-TA, an authority)'],
    ['of usage 1', `${owner} 1 1 1 ${hex}`, data, '1 (PKIX-EE'],
    ['of usage 2', `${owner} 2 0 1 ${hex}`, data, '2 (DANE-TA, an authority)'],
    ['of usage 255', `${owner} 255 1 1 ${hex}`, data, 'its usage is "255"'],
    ['of usage 03', `${owner} 03 1 1 ${hex}`, data, 'its usage is "03"'],
    ['of selector 2', `${owner} 3 2 1 ${hex}`, data, 'its selector is "2"'],
    ['with all of the key in it', `${owner} 3 1 0 3059301306`, data, '0 (no hash at all)'],
    ['of SHA-512', `${owner} 3 1 2 ${hex}${hex}`, data, '2 (SHA-512)'],
    ['of another hash', `${owner} 3 1 3 ${hex}`, data, 'its matching type is "3"'],
    ['with a digit too few', `${owner} 3 1 1 ${hex.slice(1)}`, data, '64 hex digits'],
    ['with a digit too many', `${owner} 3 1 1 ${hex} 0`, data, '64 hex digits'],
    ['without a digest', `${owner} 3 1 1`, data, '64 hex digits'],
    ['without anything', owner, data, 'its usage is ""'],
    ['of another type', `example.org. IN A 192.0.2.1`, data, 'there should be TLSA'],
    ['of another class', `_1965._tcp.example.org. CH TLSA 3 1 1 ${hex}`, data, 'there should be TLSA'],
    ['with two classes', `_1965._tcp.example.org. IN IN TLSA 3 1 1 ${hex}`, data, 'there should be TLSA'],
    ['that is empty', '', data, 'there should be TLSA'],
    ['with another one after it', `${owner} 3 1 1 ${hex}\n${owner} 3 1 1 ${hex}`, data, 'more than one line'],
    ['with an open parenthesis', `${owner} ( 3 1 1 ${hex}`, data, 'parentheses'],
    ['in quotes', `${owner} 3 1 1 "${hex}"`, data, 'quotes'],
    ['that is endless', `${owner} 3 1 1 ${' '.repeat(5000)}${hex}`, data, 'too long'],
    ['with a relative name', `_1965._tcp.example.org IN TLSA 3 1 1 ${hex}`, name, 'a dot at its end'],
    ['for the origin', `@ IN TLSA 3 1 1 ${hex}`, name, '_port._tcp.host.'],
    ['for another transport', `_1965._udp.example.org. IN TLSA 3 1 1 ${hex}`, name, '_port._tcp.host.'],
    ['for no port', `_tcp.example.org. IN TLSA 3 1 1 ${hex}`, name, '_port._tcp.host.'],
    ['for a port that is none', `_65536._tcp.example.org. IN TLSA 3 1 1 ${hex}`, name, '_port._tcp.host.'],
    ['for an address', `_1965._tcp.192.0.2.1. IN TLSA 3 1 1 ${hex}`, name, '_port._tcp.host.'],
    ['for all names', `_1965._tcp.*.example.org. IN TLSA 3 1 1 ${hex}`, name, 'no host name has'],
    ['for a name with two dots at its end', `_1965._tcp.example.org.. IN TLSA 3 1 1 ${hex}`, name, '_port._tcp.host.'],
  ])('%s', (_, text, code, message) => {
    expect(() => parseTlsaRecord(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })
})
