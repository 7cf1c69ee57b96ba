import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../../src/certificate/certificate.ts'
import type { TLSVersion } from '../../../src/certificate/peer.ts'
import { COMMON_SUITES, SUITES } from '../../../src/tls/sans-io/cipher-suites.ts'
import {
  misfitOfClientKey,
  misfitOfServerKey,
  type Offer,
  requireSigningKey,
  signingKeyOf,
} from '../../../src/tls/sans-io/key-fit.ts'
import { groupCode } from '../../../src/tls/sans-io/named-groups.ts'
import { SIGNATURE_SCHEMES, type SigningKey, schemeCode } from '../../../src/tls/sans-io/signature-schemes.ts'
import { shakeHands } from '../../support/context-handshake.ts'
import { openssl } from '../../support/openssl.ts'
import { hasOpenssl } from '../../support/tls-clients.ts'
import { vectorPem } from '../../support/vectors.ts'

const NOTHING_SAID: Offer = { signatureSchemes: null, cipherSuites: null, groups: null }
const VERSIONS: readonly TLSVersion[] = ['TLSv1.2', 'TLSv1.3']

it.each([
  ['p256', 'P-256'],
  ['p384', 'P-384'],
  ['p521', 'P-521'],
  ['ed25519', 'ed25519'],
  ['ed448', 'ed448'],
  ['rsa2048', 'rsa'],
  ['rsa-pss-signature', 'rsa'],
  ['rsa-pss-key', 'rsa-pss'],
  ['p224', null],
  ['secp256k1', null],
  ['brainpool-p256r1', null],
  ['unknown-curve', null],
  ['dsa', null],
])('tells the kind of a key: %s', (vector, expected) => {
  const certificate = Certificate.from(vectorPem(vector))
  expect(signingKeyOf(certificate)).toBe(expected)
  if (expected === null) expect(() => requireSigningKey(certificate, 'client')).toThrow(/TLS cannot carry a key/)
  else expect(requireSigningKey(certificate, 'server')).toBe(expected)
})

it('takes a weak key of a client and not of a server', () => {
  const weak = Certificate.from(vectorPem('rsa1024'))
  expect(requireSigningKey(weak, 'client')).toBe('rsa')
  expect(() => requireSigningKey(weak, 'server')).toThrow(/1024 bits/)
})

describe.runIf(hasOpenssl)('what is foretold', () => {
  const NEW_KEY: Record<SigningKey, readonly string[]> = {
    'P-256': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    'P-384': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
    'P-521': ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
    ed25519: ['ed25519'],
    ed448: ['ed448'],
    rsa: ['rsa:2048'],
    'rsa-pss': ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'],
  }
  const KEYS = Object.keys(NEW_KEY) as SigningKey[]

  function newIdentity(key: SigningKey): { cert: string; key: string } {
    const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-'))
    const file = join(folder, 'key.pem')
    try {
      const request = ['req', '-x509', '-nodes', '-subj', '/CN=x', '-newkey', ...NEW_KEY[key], '-keyout', file]
      return { cert: openssl(request), key: readFileSync(file, 'utf8') }
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  it.each(KEYS)('of signature schemes is what OpenSSL does: %s', async (key) => {
    const identity = newIdentity(key)
    expect(signingKeyOf(Certificate.from(identity.cert))).toBe(key)
    const server = createSecureContext(identity)
    for (const version of VERSIONS) {
      for (const scheme of SIGNATURE_SCHEMES) {
        const offer = { ...NOTHING_SAID, signatureSchemes: [schemeCode(scheme)] }
        const misfit = misfitOfServerKey(key, version, offer)
        const client = createSecureContext({ minVersion: version, maxVersion: version, sigalgs: scheme })
        const { done } = await shakeHands(server, client)
        expect([scheme, version, misfit]).toEqual([scheme, version, done ? null : 'signatureSchemes'])
      }
    }
  })

  it.each(KEYS)('of signature schemes of a client is what OpenSSL does: %s', async (key) => {
    const client = createSecureContext(newIdentity(key))
    // The server proves itself in a way that is no use to the client's key.
    const [otherKey, otherScheme] = key === 'ed448' ? (['ed25519', 'ed25519'] as const) : (['ed448', 'ed448'] as const)
    const other = newIdentity(otherKey)
    for (const version of VERSIONS) {
      for (const scheme of SIGNATURE_SCHEMES.filter((each) => each !== otherScheme)) {
        const misfit = misfitOfClientKey(key, version, { ...NOTHING_SAID, signatureSchemes: [schemeCode(scheme)] })
        const limits = { minVersion: version, maxVersion: version, sigalgs: `${scheme}:${otherScheme}` }
        const handshake = await shakeHands(createSecureContext({ ...other, ...limits }), client)
        const shown = handshake.done && handshake.clientCertificate !== null
        expect([scheme, version, misfit]).toEqual([scheme, version, shown ? null : 'signatureSchemes'])
      }
    }
  })

  it.each(KEYS)('of suites is what OpenSSL does: %s', async (key) => {
    const server = createSecureContext(newIdentity(key))
    for (const suite of COMMON_SUITES) {
      const { version, code, openssl: ciphers } = SUITES[suite]
      const misfit = misfitOfServerKey(key, version, { ...NOTHING_SAID, cipherSuites: [code] })
      const client = createSecureContext({ minVersion: version, maxVersion: version, ciphers })
      const { done } = await shakeHands(server, client)
      expect([suite, misfit]).toEqual([suite, done ? null : 'cipherSuites'])
    }
  })

  it.each(KEYS)('of groups is what OpenSSL does: %s', async (key) => {
    const server = createSecureContext(newIdentity(key))
    for (const version of VERSIONS) {
      for (const group of ['X25519', 'P-256', 'P-384', 'P-521'] as const) {
        const misfit = misfitOfServerKey(key, version, { ...NOTHING_SAID, groups: [groupCode(group)] })
        const client = createSecureContext({ minVersion: version, maxVersion: version, ecdhCurve: group })
        const { done } = await shakeHands(server, client)
        expect([group, version, misfit]).toEqual([group, version, done ? null : 'groups'])
      }
    }
  })
})
