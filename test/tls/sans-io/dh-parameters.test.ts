import { checkPrimeSync, getDiffieHellman } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { element, integer as smallInteger } from '../../../src/certificate/der-writer.ts'
import { formatPem } from '../../../src/certificate/pem.ts'
import { ContextError } from '../../../src/errors.ts'
import { FINITE_FIELD_SUITES, SUITES } from '../../../src/tls/sans-io/cipher-suites.ts'
import { type DhParams, readDhParams } from '../../../src/tls/sans-io/dh-parameters.ts'
import { type CommonTLSOptions, readTlsSettings } from '../../../src/tls/sans-io/tls-settings.ts'
import { contextFor, shakeHands } from '../../support/context-handshake.ts'
import { issue } from '../../support/issued-certificates.ts'
import { opensslSucceeds } from '../../support/openssl.ts'
import { chainOf } from '../../support/sans-io.ts'
import { serveContext } from '../../support/serve-context.ts'
import { hasOpenssl, openssl } from '../../support/tls-clients.ts'

// What `openssl dhparam 2048` makes, in half a minute.
const OWN = `-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEAhJcqk8wnVRWHC8HoRwgJcB5iUycR425hgX/2JCOcTg1GvLNasG1o
2KdBSquqPEhnYOtAZgnclEzdnO+iSzK94gtPpYnf1itbMuscLMLpD0OcPKzBNodJ
EK6cTYTyY1u+PmEzwlX8YI9u6HQ3KYtdstkWoHAoIql6vRkvXo4CCA8m7n3EsyW4
1VjD0AhlDPRGGDOZkMwkRwUBVgxKIngX/j7Vvxdw+dkCNmBj7TU93E362Z8RXPOU
tx9WcHjVDnH0nTuhvF4qNcms9rfW7gz9b3Z4OdzwYEK+d7qfw7l4AqRYNkLya8RZ
RSoI7d5EUNAw5xPljsqVNFhIWP4sG+Y19wIBAg==
-----END DH PARAMETERS-----
`
const LABEL = 'DH PARAMETERS'

const primeOf = (group: string): bigint => BigInt(`0x${getDiffieHellman(group).getPrime('hex')}`)
const P1024 = primeOf('modp2')
const P2048 = primeOf('modp14')
const P3072 = primeOf('modp15')

function integer(value: bigint): Uint8Array {
  const hex = value.toString(16)
  const octets = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return element(0x02, ...(octets.readUInt8(0) < 0x80 ? [octets] : [Uint8Array.of(0), octets]))
}

function group(prime: bigint, generator: bigint | Uint8Array = 2n, ...rest: readonly Uint8Array[]): Uint8Array {
  const g = typeof generator === 'bigint' ? smallInteger(Number(generator)) : generator
  return element(0x30, integer(prime), g, ...rest)
}

// OpenSSL makes none such for the generator 2: half of it, less one, can be halved twice.
const OTHER_SAFE_PRIME = BigInt(
  '0x' +
    'c48c681bdce8d86c1077ec04d8cee002f530e0d350324869eaf1553391f6de05b45ebc01a8be1dd428ee86f8417b7261' +
    '573e4163aee01416246893c0a7adf2f3ef693ac048a98d4687c192ecd0176ddfcc290c1776d1063780fbafc824a274e5' +
    'fb215d26ce13f2dafb71fd7354b810bc20bb6900a37619d1bbe6e8d8f62bea70f6d7f0a08af61bf59b1dcb8b412a939b' +
    'b66c3cd13ce11d0bbf9cd918dcd941062f16356ad6be32d0c76fea723bddfa3dce122a9c4c8e9da154b5f59bb769aed9' +
    '487c54d0d1dcd99a7698971e2d541b51252c62708b5065113506a2e93af682e58b309c02b8628b92ba8af8ac93a03c3d' +
    'eb801c13b84a6dea7be21df2685b6d23',
)
// The same, but half of it is the product of two primes of 1024 bits.
const PRODUCT_OF_TWO = BigInt(
  '0x' +
    '178d2ece9fdfaa9ea8bf3c95020bf32f6cb2959d0a0b02f5352cb913815dba71c165659bc970e18cace898383bd04d3f' +
    '1cb67e21e97174981a27e22546f89b235592d392f19758737e77b883988480b72167af8dbe22a6612374c14083cf7bd8' +
    'c8e1787cb0eccb3ca7386a3a670e9e60e561d156f851e568211aae54a5bbfbaeacc91ba57c8bccab78a43b64e05d70f1' +
    '427ea2f35f7e65609d5e5340fbb630f3820f1e4a63205d7ec5e2a181040d989eb4cd5163cfab291383acce35135033a8' +
    '588cae202879f21f1253894f3eb3b472e21b1f80ec3afae504225f9849cac28339167b7d8de228b22f039796ba9f7de1' +
    'da3efdc4309c689f727d3202978bb852b',
)

describe('what is read', () => {
  it.each<[string, DhParams, string | null]>([
    ['none', 'none', null],
    ['auto', 'auto', 'auto'],
    ['PEM', OWN, OWN],
    ['PEM as bytes', Buffer.from(OWN), OWN],
    ['PEM with an explanation', `    DH Parameters: (2048 bit)\n${OWN}`, OWN],
    ['PEM with CRLF', OWN.replaceAll('\n', '\r\n'), OWN],
    ['DER', group(P2048), formatPem(LABEL, group(P2048))],
    ['DER in another kind of array', new Uint8Array(group(P3072)), formatPem(LABEL, group(P3072))],
    ['another generator', group(P2048, 5n), formatPem(LABEL, group(P2048, 5n))],
    ['the largest generator', group(P2048, integer(P2048 - 2n)), formatPem(LABEL, group(P2048, integer(P2048 - 2n)))],
    // So that private values are as long as OpenSSL thinks fit.
    ['a length of private values', group(P2048, 2n, smallInteger(8)), formatPem(LABEL, group(P2048))],
  ])('is %s', (_, given, expected) => {
    expect(readDhParams(given)).toBe(expected)
  })

  it.each(['modp14', 'modp15', 'modp16'])('is a group of RFC 3526: %s', (name) => {
    expect(readDhParams(group(primeOf(name)))).toMatch(/^-----BEGIN DH PARAMETERS-----/)
  })

  it('is a safe prime of the other kind as well', () => {
    expect(OTHER_SAFE_PRIME % 8n).toBe(3n)
    expect(checkPrimeSync(OTHER_SAFE_PRIME >> 1n)).toBe(true)
    expect(readDhParams(group(OTHER_SAFE_PRIME))).toBe(formatPem(LABEL, group(OTHER_SAFE_PRIME)))
  })

  it.runIf(hasOpenssl)('is what OpenSSL reads', () => {
    expect(opensslSucceeds(['dhparam', '-check', '-noout'], readDhParams(group(P3072)) ?? '')).toBe(true)
  })
})

// Numbers without small factors in p and (p - 1) / 2, which are found out by exponentiation only.
const NO_PRIME = P2048 - 72n
const NO_SAFE_PRIME = P2048 - 11_616n
const HALF_A_SAFE_PRIME = P2048 - 94_200n

describe('what is refused', () => {
  it.each<[string, DhParams, RegExp]>([
    ['1024 bits', group(P1024), /has 1024 bits; it takes 2048 to 8192/],
    ['one bit less', group(P2048 >> 1n), /has 2047 bits/],
    ['too many bits', group(2n ** 8192n + 1n), /has 8193 bits/],
    ['far too many bits', group(2n ** 100_000n + 1n), /out of range/],
    ['an even number', group(P2048 + 1n), /safe prime/],
    ['a number with a small factor', group(P2048 - 2n), /safe prime/],
    ['a Mersenne number', group(2n ** 2048n - 1n), /safe prime/],
    ['a product of two safe primes', group(P1024 * P1024), /safe prime/],
    ['no prime', group(NO_PRIME), /safe prime/],
    ['twice a product of two primes, and one', group(PRODUCT_OF_TWO), /safe prime/],
    ['a prime p of which (p - 1) / 2 is none', group(NO_SAFE_PRIME), /safe prime/],
    ['no prime p of which (p - 1) / 2 is one', group(HALF_A_SAFE_PRIME), /safe prime/],
    ['a negative prime', element(0x30, element(0x02, Buffer.alloc(257, 0x81)), smallInteger(2)), /out of range/],
    ['generator 0', group(P2048, 0n), /generator/],
    ['generator 1', group(P2048, 1n), /generator/],
    ['generator p - 1', group(P2048, integer(P2048 - 1n)), /generator/],
    ['generator p', group(P2048, integer(P2048)), /generator/],
    ['a generator that is huge', group(P2048, integer(P2048 * P2048 * 4n ** 2048n)), /generator/],
    ['a negative generator', group(P2048, element(0x02, Uint8Array.of(0xfe))), /out of range/],
    ['surplus bytes', Buffer.concat([group(P2048), Uint8Array.of(0)]), /not proper PEM or DER/],
    ['surplus fields', group(P2048, 2n, smallInteger(8), smallInteger(8)), /not proper PEM or DER/],
    ['the order of the generator', group(P2048, 2n, integer(P2048 >> 1n), integer(2n)), /not proper PEM or DER/],
    ['half of it', group(P2048).subarray(0, 100), /not proper PEM or DER/],
    ['no bytes', new Uint8Array(), /not proper PEM or DER/],
    ['no text', '', /the one block DH PARAMETERS/],
    ['other words', 'AUTO', /the one block DH PARAMETERS/],
    ['DER as text', Buffer.from(group(P2048)).toString('latin1'), /the one block DH PARAMETERS/],
    ['two groups', OWN + OWN, /the one block DH PARAMETERS/],
    ['another label', OWN.replaceAll(LABEL, 'X9.42 DH PARAMETERS'), /the one block DH PARAMETERS/],
    ['damaged PEM', OWN.replace('MIIB', 'MI*B'), /not proper PEM or DER/],
    ['PEM without an end', OWN.slice(0, 200), /not proper PEM or DER/],
  ])('is %s', (_, given, message) => {
    expect(() => readDhParams(given)).toThrow(ContextError)
    expect(() => readDhParams(given)).toThrow(message)
  })

  it.each([null, undefined, true, 2048, {}, []])('as misuse is %o', (given) => {
    expect(() => readDhParams(given)).toThrow(TypeError)
    expect(() => readDhParams(given)).toThrow(/"dhParams" expected/)
  })

  it('is told by primes that are what they are said to be', () => {
    expect([NO_SAFE_PRIME, HALF_A_SAFE_PRIME >> 1n].map((prime) => checkPrimeSync(prime))).toEqual([true, true])
    expect([NO_SAFE_PRIME >> 1n, HALF_A_SAFE_PRIME].map((prime) => checkPrimeSync(prime))).toEqual([false, false])
  })
})

describe('the suites of DHE', () => {
  const rsa = issue({ key: 'RSA-2048' })
  const only12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
  const contextWith = (dhParams: DhParams | undefined, options: CommonTLSOptions = {}, by = rsa) =>
    contextFor(chainOf(by), readTlsSettings({ ...options, dhParams }, 'server'))
  let contexts: Map<string, ReturnType<typeof contextWith>>
  beforeAll(() => {
    contexts = new Map([
      ['without', contextWith(undefined)],
      ['none', contextWith('none')],
      ['auto', contextWith('auto')],
      ['own', contextWith(group(P3072))],
    ])
  })
  const context = (name: string) => contexts.get(name) ?? expect.fail(name)

  it.each(FINITE_FIELD_SUITES)('are spoken with parameters and not without: %s', async (suite) => {
    const client = { secureContext: createSecureContext({ ...only12, ciphers: SUITES[suite].openssl }) }
    expect(await shakeHands(context('auto'), client)).toMatchObject({ done: true, suite })
    expect(await shakeHands(context('own'), client)).toMatchObject({ done: true, suite })
    expect(await shakeHands(context('without'), client)).toMatchObject({ done: false, alert: 40 })
    expect(await shakeHands(context('none'), client)).toMatchObject({ done: false, alert: 40 })
  })

  it.each(['without', 'auto', 'own'])('are nobody else\u2019s: %s', async (name) => {
    // Whoever can do better does.
    expect(await shakeHands(context(name), {})).toMatchObject({ done: true, protocol: 'TLSv1.3' })
    expect(await shakeHands(context(name), { secureContext: createSecureContext(only12) })).toMatchObject({
      suite: expect.stringMatching(/^TLS_ECDHE_RSA/),
    })
    for (const ciphers of [
      'DHE-RSA-AES128-SHA256',
      'DHE-RSA-AES128-SHA',
      'ADH-AES128-GCM-SHA256',
      'DHE-RSA-AES128-CCM8',
    ]) {
      const weaker = createSecureContext({ ...only12, ciphers: `${ciphers}:@SECLEVEL=0` })
      expect([ciphers, await shakeHands(context(name), { secureContext: weaker })]).toMatchObject([
        ciphers,
        { done: false },
      ])
    }
  })

  it.runIf(hasOpenssl).each([
    ['auto', 'DH, 2048 bits'],
    ['own', 'DH, 3072 bits'],
  ])('are what openssl s_client speaks: %s', async (name, group) => {
    const output = await openssl(await serveContext(context(name)), ['-tls1_2', '-cipher', 'DHE-RSA-AES256-GCM-SHA384'])
    expect(output).toContain(`Server Temp Key: ${group}`)
    expect(output).toMatch(/Cipher is DHE-RSA-AES256-GCM-SHA384/)
  })

  it.runIf(hasOpenssl).each(['without', 'none'])('are impossible for openssl s_client by default: %s', async (name) => {
    const output = await openssl(await serveContext(context(name)), ['-tls1_2', '-cipher', 'DHE'])
    expect(output).toContain('SSL alert number 40')
    expect(output).toContain('Cipher is (NONE)')
  })

  it('have to be of use', () => {
    const unused = /"dhParams" is for the DHE suites of TLS 1.2, and none of them is enabled/
    expect(() => contextWith('auto', { minVersion: 'TLSv1.3' })).toThrow(unused)
    const cipherSuites = ['TLS_AES_128_GCM_SHA256', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'] as const
    expect(() => contextWith('auto', { cipherSuites })).toThrow(unused)
    const dhe = ['TLS_AES_128_GCM_SHA256', 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256'] as const
    expect(() => contextWith('auto', { cipherSuites: dhe })).not.toThrow()
    // They are for RSA only.
    expect(() => contextWith('auto', { cipherSuites: dhe }, issue())).toThrow(/"cipherSuites" leaves a key/)
    expect(() => contextWith('auto', {}, issue())).not.toThrow()
  })

  it('are no matter of clients', () => {
    const cipherSuites = ['TLS_AES_128_GCM_SHA256', 'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256'] as const
    expect(() => readTlsSettings({ cipherSuites, dhParams: 'auto' }, 'client')).toThrow(TypeError)
    expect(readTlsSettings({ dhParams: 'auto' }, 'client').secureContextOptions).not.toHaveProperty('dhparam')
  })
})
