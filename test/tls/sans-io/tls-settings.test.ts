import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { ContextError } from '../../../src/errors.ts'
import { CIPHER_SUITES as POLICY_SUITES, SECURE_OPTIONS } from '../../../src/tls/policy.ts'
import { type CipherSuite, COMMON_SUITES, FINITE_FIELD_SUITES, SUITES } from '../../../src/tls/sans-io/cipher-suites.ts'
import { NAMED_GROUPS, type NamedGroup } from '../../../src/tls/sans-io/named-groups.ts'
import { SIGNATURE_SCHEMES, type SignatureScheme } from '../../../src/tls/sans-io/signature-schemes.ts'
import { COMMON_TLS_OPTIONS, type CommonTLSOptions, readTlsSettings } from '../../../src/tls/sans-io/tls-settings.ts'
import { contextFor, type Handshake, shakeHands } from '../../support/context-handshake.ts'
import { issue } from '../../support/issued-certificates.ts'
import { openssl } from '../../support/openssl.ts'
import { chainOf, pemOfIssued } from '../../support/sans-io.ts'
import { hasOpenssl } from '../../support/tls-clients.ts'

const ec = issue()
const rsa = issue({ key: 'RSA-2048' })
const ed25519 = issue({ key: 'Ed25519' })
const only12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
const only13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const

/** A server of these settings, and a client of Node's. */
function served(options: CommonTLSOptions, peer: SecureContextOptions, by = ec): Promise<Handshake> {
  const server = contextFor(chainOf(by), readTlsSettings(options, 'server'))
  return shakeHands(server, { secureContext: createSecureContext(peer) })
}

/** A client of these settings, and a server of Node's. */
function visited(options: CommonTLSOptions, peer: SecureContextOptions, by = ec): Promise<Handshake> {
  const client = contextFor(null, readTlsSettings(options, 'client'))
  return shakeHands({ secureContext: createSecureContext({ ...pemOfIssued(by), ...peer }) }, client)
}

describe('what is decided without any option', () => {
  it.each(['client', 'server'] as const)('is the policy: %s', (side) => {
    const settings = readTlsSettings({}, side)
    expect(settings).toMatchObject({
      side,
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      versions: ['TLSv1.2', 'TLSv1.3'],
      cipherSuites: COMMON_SUITES,
      groups: null,
      signatureSchemes: null,
      alpn: [],
      limits: {
        maxChainLength: 10,
        maxCertificateBytes: 65_536,
        maxHandshakeBytes: 131_072,
        maxBufferedBytes: 1_048_576,
      },
      timeouts: { handshakeMs: 10_000, verifyMs: 30_000, certificateMs: 10_000 },
    })
    expect(Math.abs(settings.clock() - Date.now())).toBeLessThan(60_000)
    expect(settings.secureContextOptions).toEqual({
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.3',
      ciphers: COMMON_SUITES.map((suite) => SUITES[suite].openssl).join(':'),
      honorCipherOrder: true,
      secureOptions: SECURE_OPTIONS,
    })
  })

  it.runIf(hasOpenssl)('has the very suites of the policy, in the same order', () => {
    // OpenSSL takes those of TLS 1.3 by another option.
    const [tls13, tls12] = [POLICY_SUITES.split(':').slice(0, 3), POLICY_SUITES.split(':').slice(3)]
    const expanded = openssl(['ciphers', '-s', '-tls1_2', '-stdname', tls12.join(':')])
    const names = [...expanded.matchAll(/^(\S+) +- (\S+)/gm)].map(([, iana, own]) => [iana, own])
    expect(names).toEqual(COMMON_SUITES.slice(3).map((suite) => [suite, SUITES[suite].openssl]))
    expect(tls13).toEqual(COMMON_SUITES.slice(0, 3))
  })

  it.runIf(hasOpenssl)('knows the suites by the numbers that OpenSSL has for them', () => {
    const table = openssl(['ciphers', '-V', 'ALL'])
    const numbers = new Map(
      [...table.matchAll(/0x(..),0x(..) +- +(\S+)/g)].map(([, high, low, name]) => [name, Number(`0x${high}${low}`)]),
    )
    for (const suite of [...COMMON_SUITES, ...FINITE_FIELD_SUITES]) {
      expect([suite, numbers.get(SUITES[suite].openssl)]).toEqual([suite, SUITES[suite].code])
    }
  })

  it('can be changed by nobody, and by no later change of what it was made of', () => {
    const limits = { maxChainLength: 3 }
    const cipherSuites: CipherSuite[] = ['TLS_AES_128_GCM_SHA256', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256']
    const settings = readTlsSettings({ cipherSuites, limits, alpn: ['x'] }, 'client')
    cipherSuites.pop()
    limits.maxChainLength = 99
    expect(settings.cipherSuites).toHaveLength(2)
    expect(settings.limits.maxChainLength).toBe(3)
    for (const part of [settings, ...Object.values(settings)]) {
      if (typeof part === 'object') expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it('knows its own options', () => {
    expect(new Set(COMMON_TLS_OPTIONS).size).toBe(9)
  })
})

describe('versions', () => {
  it.each<[CommonTLSOptions, string, string | null]>([
    [{}, 'TLSv1.2', 'TLSv1.2'],
    [{}, 'TLSv1.3', 'TLSv1.3'],
    [{}, 'TLSv1.1', null],
    [{}, 'TLSv1', null],
    [only12, 'TLSv1.2', 'TLSv1.2'],
    [only12, 'TLSv1.3', null],
    [{ minVersion: 'TLSv1.3' }, 'TLSv1.2', null],
    [{ minVersion: 'TLSv1.3' }, 'TLSv1.3', 'TLSv1.3'],
  ])('of %o, with a peer that has %s only', async (options, version, expected) => {
    // The level is for the old versions: without it OpenSSL would not even try them.
    const peer = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as SecureContextOptions
    for (const handshake of [await served(options, peer), await visited(options, peer)]) {
      expect(handshake).toMatchObject(expected === null ? { done: false } : { done: true, protocol: expected })
    }
  })

  it('cannot exclude each other', () => {
    const read = () => readTlsSettings({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }, 'client')
    expect(read).toThrow(ContextError)
    expect(read).toThrow('"minVersion" TLSv1.3 is above "maxVersion" TLSv1.2')
  })
})

describe('cipher suites', () => {
  const certificateFor = (suite: CipherSuite) => (SUITES[suite].authentication === 'rsa' ? rsa : ec)

  it.each(COMMON_SUITES)('are the one that is allowed: %s', async (suite) => {
    const { version, openssl: name } = SUITES[suite]
    const options: CommonTLSOptions = { cipherSuites: [suite], minVersion: version, maxVersion: version }
    const others = COMMON_SUITES.filter((other) => other !== suite && SUITES[other].version === version)
    const lacking = {
      ciphers: others.map((other) => SUITES[other].openssl).join(':'),
      minVersion: version,
      maxVersion: version,
    }
    const by = certificateFor(suite)
    for (const meet of [served, visited]) {
      expect(await meet(options, {}, by)).toMatchObject({ done: true, suite })
      expect(await meet(options, { ...lacking, ciphers: name }, by)).toMatchObject({ done: true, suite })
      expect(await meet(options, lacking, by)).toMatchObject({ done: false, alert: 40 })
    }
  })

  it('are taken by a server in its own order', async () => {
    const cipherSuites: CipherSuite[] = ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256']
    const peer = { ciphers: cipherSuites.toReversed().join(':'), ...only13 }
    expect(await served({ ...only13, cipherSuites }, peer)).toMatchObject({ suite: cipherSuites[0] })
  })

  it('are left out of what is decided if their version is not enabled', () => {
    const cipherSuites: CipherSuite[] = ['TLS_AES_128_GCM_SHA256', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256']
    expect(readTlsSettings({ ...only12, cipherSuites }, 'client').cipherSuites).toEqual([cipherSuites[1]])
    expect(readTlsSettings({ ...only13, cipherSuites }, 'client').cipherSuites).toEqual([cipherSuites[0]])
    expect(readTlsSettings({ cipherSuites: [...cipherSuites, ...cipherSuites] }, 'client').cipherSuites).toEqual(
      cipherSuites,
    )
  })
})

// How Node calls the groups that were used.
const KNOWN_AS: Partial<Record<NamedGroup, string>> = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
}
const has = (group: string): boolean => {
  try {
    createSecureContext({ ecdhCurve: group })
    return true
  } catch {
    return false
  }
}
const CURVES = NAMED_GROUPS.filter((group) => group !== 'X25519MLKEM768')

describe('groups', () => {
  // The certificate's own curve has no say with RSA.
  it.each(CURVES.flatMap((group) => [[group, only12] as const, [group, only13] as const]))(
    'are the one that is allowed: %s, %o',
    async (group, version) => {
      const other = group === 'X25519' ? 'P-256' : 'X25519'
      for (const meet of [served, visited]) {
        const met = await meet({ ...version, groups: [group] }, { ecdhCurve: `${other}:${group}` }, rsa)
        expect(met).toMatchObject({ done: true, group: KNOWN_AS[group] ?? group })
        expect(await meet({ ...version, groups: [group] }, { ecdhCurve: other }, rsa)).toMatchObject({
          done: false,
          alert: 40,
        })
      }
    },
  )

  it.runIf(has('X25519MLKEM768'))('may be the one against quantum computers', async () => {
    for (const meet of [served, visited]) {
      expect(await meet({ ...only13, groups: ['X25519MLKEM768'] }, {})).toMatchObject({ done: true })
      expect(await meet({ ...only13, groups: ['X25519MLKEM768'] }, { ecdhCurve: 'X25519' })).toMatchObject({
        done: false,
      })
    }
  })

  it.runIf(!has('X25519MLKEM768'))('are refused if OpenSSL has not got them', () => {
    const read = () => readTlsSettings({ groups: ['X25519MLKEM768', 'X25519'] }, 'client')
    expect(read).toThrow(ContextError)
    expect(read).toThrow(`"groups" has X25519MLKEM768, which this OpenSSL (${process.versions.openssl}) has not got`)
  })

  it('need not have the curve of a server that shows it', async () => {
    expect(await served({ ...only12, groups: ['X25519'] }, {}, ec)).toMatchObject({ done: true, group: 'X25519' })
  })

  it('must have the curves of peers, before TLS 1.3', async () => {
    const groups: NamedGroup[] = ['X25519']
    expect(await visited({ groups }, only12, ec)).toMatchObject({ done: false })
    expect(await visited({ groups }, only13, ec)).toMatchObject({ done: true })
    const identity = pemOfIssued(issue())
    expect(await served({ groups }, { ...only12, ...identity }, rsa)).toMatchObject({ done: false, alert: 47 })
    expect(await served({ groups }, { ...only13, ...identity }, rsa)).toMatchObject({ done: true })
    expect(await served({ groups: ['X25519', 'P-256'] }, { ...only12, ...identity }, rsa)).toMatchObject({ done: true })
  })
})

describe('signature schemes', () => {
  const SCHEMES_OF = { ecdsa_secp256r1_sha256: ec, ed25519, rsa_pss_rsae_sha256: rsa, rsa_pss_rsae_sha512: rsa }

  it.each(Object.entries(SCHEMES_OF))('are the one that is allowed: %s', async (name, by) => {
    const scheme = name as SignatureScheme
    // With this peer in place of ours, the scheme would be another one.
    const other = scheme === 'rsa_pss_rsae_sha256' ? 'rsa_pss_rsae_sha384' : 'rsa_pss_rsae_sha256'
    for (const version of [only12, only13]) {
      for (const meet of [served, visited]) {
        const options: CommonTLSOptions = { ...version, signatureSchemes: [scheme] }
        expect(await meet(options, { sigalgs: `${other}:${scheme}` }, by)).toMatchObject({ done: true })
        expect(await meet(options, { sigalgs: other }, by)).toMatchObject({ done: false })
      }
    }
  })

  it('keep a server with another key from a client', async () => {
    expect(await visited({ signatureSchemes: ['ed25519'] }, {}, ec)).toMatchObject({ done: false, alert: 40 })
  })

  it('are all known to OpenSSL', () => {
    expect(readTlsSettings({ signatureSchemes: SIGNATURE_SCHEMES }, 'client').signatureSchemes).toEqual(
      SIGNATURE_SCHEMES,
    )
  })
})

describe('what leaves nothing of a version', () => {
  it.each<[string, CommonTLSOptions, RegExp]>([
    ['no suites', { cipherSuites: [] }, /"cipherSuites" has nothing for TLSv1.2/],
    ['no suites for TLS 1.3 alone', { cipherSuites: [], ...only13 }, /"cipherSuites" has nothing for TLSv1.3/],
    ['suites of TLS 1.3 only', { cipherSuites: ['TLS_AES_128_GCM_SHA256'] }, /"cipherSuites" has nothing for TLSv1.2/],
    [
      'suites of TLS 1.2 only',
      { cipherSuites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'] },
      /"cipherSuites" has nothing for TLSv1.3/,
    ],
    ['no groups', { groups: [] }, /"groups" has nothing for TLSv1.2/],
    ['a group of TLS 1.3 only', { groups: ['X25519MLKEM768'] }, /"groups" has nothing for TLSv1.2/],
    ['no schemes', { signatureSchemes: [] }, /"signatureSchemes" has nothing for TLSv1.2/],
    [
      'schemes of TLS 1.2 only',
      { signatureSchemes: ['rsa_pkcs1_sha256'] },
      /"signatureSchemes" has nothing for TLSv1.3/,
    ],
  ])('is refused: %s', (_, options, message) => {
    for (const side of ['client', 'server'] as const) {
      expect(() => readTlsSettings(options, side)).toThrow(ContextError)
      expect(() => readTlsSettings(options, side)).toThrow(message)
    }
  })

  it.each<[string, CommonTLSOptions]>([
    ['suites of TLS 1.3 only', { cipherSuites: ['TLS_AES_128_GCM_SHA256'], ...only13 }],
    ['suites of TLS 1.2 only', { cipherSuites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'], ...only12 }],
    ['schemes of TLS 1.2 only', { signatureSchemes: ['rsa_pkcs1_sha256'], ...only12 }],
  ])('is fine where the version is not enabled: %s', (_, options) => {
    expect(() => readTlsSettings(options, 'client')).not.toThrow()
  })
})

describe('what is weaker', () => {
  it.each([
    'TLS_RSA_WITH_RC4_128_SHA',
    'RC4-SHA',
    'TLS_RSA_WITH_AES_128_GCM_SHA256',
    'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256',
    'ECDHE-RSA-AES128-SHA',
    'TLS_DHE_RSA_WITH_AES_128_GCM_SHA256',
    'TLS_AES_128_CCM_8_SHA256',
    'TLS_ECDH_anon_WITH_AES_128_CBC_SHA',
    'TLS_NULL_WITH_NULL_NULL',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ALL',
    'DEFAULT',
    'aNULL',
    'eNULL',
    '!aNULL',
    '@SECLEVEL=0',
    'DEFAULT@SECLEVEL=0',
    'TLS_AES_128_GCM_SHA256:@SECLEVEL=0',
    'TLS_AES_128_GCM_SHA256:RC4-SHA',
    'tls_aes_128_gcm_sha256',
    'TLS_AES_128_GCM_SHA256 ',
    'PSK',
    '',
    'constructor',
    '__proto__',
    'toString',
    0xc02f,
    null,
    { toString: () => 'TLS_AES_128_GCM_SHA256' },
  ])('has no spelling among the suites: %o', (suite) => {
    const cipherSuites = [...COMMON_SUITES, suite] as CipherSuite[]
    for (const side of ['client', 'server'] as const) {
      expect(() => readTlsSettings({ cipherSuites }, side)).toThrow(TypeError)
      // It says what there is instead.
      expect(() => readTlsSettings({ cipherSuites }, side)).toThrow(
        /"cipherSuites\[9\]" expected one of "TLS_AES_128_GCM_SHA256", .*"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", got/,
      )
    }
  })

  it.each<[keyof CommonTLSOptions, unknown]>([
    ...['TLSv1.1', 'TLSv1', 'SSLv3', 'TLSv1_method', 'tlsv1.2', 1.2, null, ''].flatMap(
      (version): [keyof CommonTLSOptions, unknown][] => [
        ['minVersion', version],
        ['maxVersion', version],
      ],
    ),
    ...['P-192', 'secp256k1', 'prime256v1', 'sect163k1', 'ffdhe2048', 'auto', 'X25519:P-192', '', 29].map(
      (group): [keyof CommonTLSOptions, unknown] => ['groups', [group]],
    ),
    ...[
      'rsa_pkcs1_sha1',
      'ecdsa_sha1',
      'RSA+MD5',
      'ECDSA+SHA256',
      'dsa_sha256',
      'rsa_pkcs1_sha224',
      'ed25519:RSA+SHA1',
    ].map((scheme): [keyof CommonTLSOptions, unknown] => ['signatureSchemes', [scheme]]),
    // A list is a list, and neither a text for OpenSSL nor something that merely counts.
    ['cipherSuites', 'ALL'],
    ['cipherSuites', 'TLS_AES_128_GCM_SHA256'],
    ['cipherSuites', null],
    ['groups', 'X25519'],
    ['groups', { length: 1, 0: 'X25519' }],
    ['signatureSchemes', 'ed25519'],
  ])('has no spelling: %s %o', (name, value) => {
    for (const side of ['client', 'server'] as const) {
      expect(() => readTlsSettings({ [name]: value }, side)).toThrow(TypeError)
      expect(() => readTlsSettings({ [name]: value }, side)).toThrow(new RegExp(`^"${name}`))
    }
  })

  it('cannot be slipped in by a list that changes while it is read', () => {
    let readings = 0
    const shifty = {
      *[Symbol.iterator]() {
        yield readings++ === 0 ? 'TLS_AES_128_GCM_SHA256' : 'RC4-SHA'
      },
    }
    const settings = readTlsSettings({ ...only13, cipherSuites: shifty as never }, 'client')
    expect(settings.secureContextOptions.ciphers).toBe('TLS_AES_128_GCM_SHA256')
  })

  it('cannot be slipped in by what Node calls the same things', async () => {
    const options = {
      ciphers: 'ALL:@SECLEVEL=0',
      secureOptions: 0,
      ecdhCurve: 'P-192',
      sigalgs: 'RSA+SHA1',
      dhparam: 'auto',
    }
    expect(readTlsSettings(options as CommonTLSOptions, 'server').secureContextOptions).toEqual(
      readTlsSettings({}, 'server').secureContextOptions,
    )
  })
})

describe('the other options', () => {
  it('are taken over', () => {
    const clock = () => 42
    const settings = readTlsSettings(
      { alpn: ['gemini', 'x'], clock, limits: { maxBufferedBytes: 1 }, timeouts: { verifyMs: null, certificateMs: 1 } },
      'client',
    )
    expect(settings).toMatchObject({
      alpn: ['gemini', 'x'],
      limits: { maxBufferedBytes: 1, maxChainLength: 10 },
      timeouts: { verifyMs: null, certificateMs: 1, handshakeMs: 10_000 },
    })
    expect(settings.clock).toBe(clock)
  })

  it('may be undefined', () => {
    const undefinedOnes = Object.fromEntries(COMMON_TLS_OPTIONS.map((name) => [name, undefined]))
    const settings = readTlsSettings(
      { ...undefinedOnes, limits: { maxChainLength: undefined } } as unknown as CommonTLSOptions,
      'client',
    )
    expect(settings).toEqual(readTlsSettings({}, 'client'))
  })

  it.each<[Record<string, unknown>, abstract new (...rest: never[]) => Error, RegExp]>([
    [{ alpn: 'gemini' }, TypeError, /"alpn"/],
    [{ alpn: [''] }, RangeError, /"alpn\[0\]"/],
    [{ clock: new Date() }, TypeError, /"clock"/],
    [{ limits: 10 }, TypeError, /"limits" expected an object/],
    [{ limits: null }, TypeError, /"limits" expected an object/],
    [{ limits: { maxChain: 10 } }, TypeError, /"limits" has no option "maxChain"/],
    [{ limits: { maxChainLength: 0 } }, RangeError, /"limits.maxChainLength"/],
    [{ limits: { maxChainLength: null } }, TypeError, /"limits.maxChainLength"/],
    [{ limits: { maxCertificateBytes: '1' } }, TypeError, /"limits.maxCertificateBytes"/],
    [{ limits: { maxHandshakeBytes: 1.5 } }, RangeError, /"limits.maxHandshakeBytes"/],
    [{ limits: { maxBufferedBytes: Number.POSITIVE_INFINITY } }, RangeError, /"limits.maxBufferedBytes"/],
    [{ timeouts: { handshakeMs: 0 } }, RangeError, /"timeouts.handshakeMs"/],
    [{ timeouts: { handshakeMs: Number.NaN } }, RangeError, /"timeouts.handshakeMs"/],
    [{ timeouts: { verifyMs: -1 } }, RangeError, /"timeouts.verifyMs"/],
    // More than Node's timers take fires at once.
    [{ timeouts: { certificateMs: 2 ** 31 } }, RangeError, /"timeouts.certificateMs"/],
    [{ timeouts: { close: 1 } }, TypeError, /"timeouts" has no option "close"/],
  ])('are checked: %o', (options, type, message) => {
    expect(() => readTlsSettings(options as CommonTLSOptions, 'client')).toThrow(type)
    expect(() => readTlsSettings(options as CommonTLSOptions, 'client')).toThrow(message)
  })
})
