import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import type { KeyedChainTexts } from '../../src/certificate/chain-options.ts'
import { KeyedChain, pemOf } from '../../src/certificate/keyed-chain.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import {
  type ChainError,
  ExtraneousPrivateKeyError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoCertificateChainError,
  NoLeafCertificateError,
} from '../../src/errors.ts'
import {
  AT,
  certPem,
  EXPIRED,
  family,
  HOST,
  keyPem,
  marked,
  NOT_YET_VALID,
  refusal,
} from '../support/chain-fixtures.ts'
import { bytes, element, extension, name, sequence, utf8 } from '../support/crafted-certificates.ts'
import { CRITICAL, type Issued, type IssueOptions, issue, nameConstraints } from '../support/issued-certificates.ts'

/** The arguments of `fromPem`, at the instant of these tests. */
function texts(
  certificates: readonly Issued[],
  keys: readonly Issued[],
  options: Omit<KeyedChainTexts, 'cert' | 'key'> = {},
): KeyedChainTexts {
  return { cert: certPem(...certificates), key: keyPem(...keys), at: AT, ...options }
}

const subjects = (certificates: readonly Certificate[]) => certificates.map((each) => String(each.subject))

const rsa = (modulusLength: number, publicExponent = 65537): KeyPairKeyObjectResult =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })

/** The numbers of an ordinary key with another exponent. Few generators make these, and few readers take them. */
function hugeExponent(): KeyPairKeyObjectResult {
  const jwk = rsa(2048).privateKey.export({ format: 'jwk' })
  const number = (value: string | undefined) => BigInt(`0x${Buffer.from(value ?? '', 'base64url').toString('hex')}`)
  const text = (value: bigint) => {
    const hex = value.toString(16)
    return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url')
  }
  const [p, q, e] = [number(jwk.p), number(jwk.q), 2n ** 89n - 1n] // a prime
  const d = inverse(e, (p - 1n) * (q - 1n))
  const numbers = { e: text(e), d: text(d), dp: text(d % (p - 1n)), dq: text(d % (q - 1n)) }
  const privateKey = createPrivateKey({ key: { ...jwk, ...numbers }, format: 'jwk' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value, modulus, 1n, 0n]
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return ((x % modulus) + modulus) % modulus
}

describe('a chain', () => {
  it('is the leaf, what is above it, and what of that is sent', async () => {
    const { root, middle, leaf } = family()
    const chain = await KeyedChain.fromPem(texts([leaf, middle, root], [leaf]))
    expect(chain.leaf.equals(leaf.certificate)).toBe(true)
    expect(subjects(chain.certificates)).toEqual(['CN=example.org', 'CN=middle', 'CN=root'])
    expect(subjects(chain.sent)).toEqual(['CN=example.org', 'CN=middle'])
    expect(chain.warnings).toEqual([])
  })

  it.each([
    ['without the root', (all: ReturnType<typeof family>) => [all.leaf, all.middle], 2, 2],
    ['of the leaf alone', (all: ReturnType<typeof family>) => [all.leaf], 1, 1],
    ['of the leaf alone with a byte order mark and CRLF', (all: ReturnType<typeof family>) => [all.leaf], 1, 1],
  ])('may be %s', async (what, pick, certificates, sent) => {
    const all = family()
    const { cert, ...rest } = texts(pick(all), [all.leaf])
    const text = what.includes('CRLF') ? `\ufeff\r\n${cert.replaceAll('\n', '\r\n')}\r\n \t\r\n` : cert
    const chain = await KeyedChain.fromPem({ ...rest, cert: text })
    expect([chain.certificates.length, chain.sent.length]).toEqual([certificates, sent])
  })

  it('may be one self-signed certificate, which is sent', async () => {
    const own = issue({ ca: false, names: [HOST] })
    const chain = await KeyedChain.fromPem(texts([own], [own]))
    expect(subjects(chain.sent)).toEqual(['CN=example.org'])
  })

  it.each(['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const)('may have %s keys', async (key) => {
    const { root, middle, leaf } = family({ middle: { key: key === 'RSA-2048' ? 'P-256' : key }, leaf: { key } })
    const chain = await KeyedChain.fromPem(texts([leaf, middle, root], [leaf], { rules: 'pkix' }))
    expect(chain.certificates).toHaveLength(3)
  })

  it('may be for a client', async () => {
    const { root, middle, leaf } = family({ leaf: { purposes: ['client'] } })
    const chain = await KeyedChain.fromPem(texts([leaf, middle, root], [leaf], { purpose: 'client', rules: 'pkix' }))
    expect(chain.certificates).toHaveLength(3)
  })

  it('comes out of parsed certificates by the same rules', () => {
    const { root, middle, leaf } = family()
    const all = [root, leaf, middle].map((each) => each.certificate)
    const chain = KeyedChain.fromCertificates(all, leaf.keys.privateKey, { at: AT })
    expect(subjects(chain.certificates)).toEqual(['CN=example.org', 'CN=middle', 'CN=root'])
    expect(() => KeyedChain.fromCertificates(all, middle.keys.privateKey, { at: AT })).toThrow(
      ExtraneousPrivateKeyError,
    )
    expect(() => KeyedChain.fromCertificates(all.slice(0, 1), leaf.keys.privateKey, { at: AT })).toThrow(
      ExtraneousPrivateKeyError,
    )
  })

  it('never changes, and only what it is counts as one', async () => {
    const own = marked()
    const chain = await KeyedChain.fromPem(texts([own], [own]))
    expect(Object.isFrozen(chain) && Object.isFrozen(chain.certificates) && Object.isFrozen(chain.sent)).toBe(true)
    expect(Object.isFrozen(chain.warnings)).toBe(true)
    expect(KeyedChain.is(chain)).toBe(true)
    for (const other of [{ ...chain }, Object.create(chain), null, own.certificate, []]) {
      expect(KeyedChain.is(other)).toBe(false)
    }
  })

  it('gives OpenSSL what it sends and its key, and shows the key to nobody', async () => {
    const { root, middle, leaf } = family()
    const chain = await KeyedChain.fromPem(texts([root, middle, leaf], [leaf]))
    expect(pemOf(chain)).toEqual({ cert: certPem(leaf, middle), key: keyPem(leaf) })
    const secret = String(leaf.keys.privateKey.export({ format: 'jwk' }).d)
    const shown = JSON.stringify(chain) + inspect(chain, { depth: 10, showHidden: true })
    expect(shown).not.toContain(secret)
    expect(shown).not.toContain('PRIVATE')
  })
})

interface Row {
  readonly rule: string
  readonly what: string
  readonly given: () => KeyedChainTexts | Promise<KeyedChainTexts>
  readonly code: string
  readonly class?: abstract new (...args: never[]) => ChainError
  /** What the message says, among other things. */
  readonly says: RegExp
  readonly subjects?: readonly string[]
  readonly line?: number
}

/** The chain of three with one thing different. */
function spoilt(
  special: { root?: IssueOptions; middle?: IssueOptions; leaf?: IssueOptions },
  options: Omit<KeyedChainTexts, 'cert' | 'key'> = {},
): () => KeyedChainTexts {
  return () => {
    const { root, middle, leaf } = family(special)
    return texts([leaf, middle, root], [leaf], options)
  }
}

const critical = { extensions: [extension('1.2.3.4.5', bytes('05 00'), CRITICAL)] }
const twice = { extensions: [extension('1.2.3.4.5', bytes('05 00')), extension('1.2.3.4.5', bytes('05 00'))] }
const onlyFor = (host: string) => ({ extensions: [nameConstraints([element(0x82, utf8(host))])] })
const wrongIdentifiers = {
  identifiers: [
    extension('2.5.29.14', element(0x04, bytes('01'))),
    extension('2.5.29.35', sequence(element(0x80, bytes('02')))),
  ],
}

/** Two authorities that issued each other, and a leaf below. */
function circle(): { first: Issued; second: Issued; leaf: Issued } {
  const seed = issue({ subject: 'first', ca: true })
  const second = issue({ subject: 'second', by: seed, ca: true })
  const first = issue({ subject: 'first', by: second, ca: true, key: seed })
  return { first, second, leaf: issue({ by: first, ca: false }) }
}

function tower(authorities: number): Issued[] {
  const chain = [issue({ subject: 'root', ca: true })]
  for (let i = 1; i < authorities; i++)
    chain.unshift(issue({ subject: `authority ${i}`, by: chain[0] as Issued, ca: true }))
  return [issue({ by: chain[0] as Issued, ca: false }), ...chain]
}

// Every row is the chain of three, which is accepted above, with one thing changed.
const rows: readonly Row[] = [
  {
    rule: 'P3',
    what: 'a member with the same extension twice',
    given: spoilt({ middle: twice }),
    code: 'CERTIFICATE_MALFORMED',
    says: /line \d+ cannot be used: .*twice/,
    subjects: ['CN=middle'],
  },
  {
    rule: 'P3',
    what: 'a negative serial number',
    given: spoilt({ leaf: { serial: bytes('ff') } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /serial number is negative/,
  },
  {
    rule: 'P3',
    what: 'the serial number 0',
    given: spoilt({ leaf: { serial: bytes('00') } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /serial number is 0/,
  },
  {
    rule: 'P3',
    what: 'a serial number of 21 octets',
    given: spoilt({ leaf: { serial: bytes(`00${'ff'.repeat(20)}`) } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /more than 20 octets/,
  },
  {
    rule: 'P3',
    what: 'a padded serial number',
    given: spoilt({ leaf: { serial: bytes('00 01') } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /padded/,
  },
  {
    rule: 'P3',
    what: 'a date without seconds',
    given: spoilt({ leaf: { to: '209912312359Z' } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /time/,
  },
  {
    rule: 'P3',
    what: 'a NUL in the subject',
    given: spoilt({ leaf: { subject: 'example.org\0.evil.example' } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /NUL/,
  },
  {
    rule: 'P3',
    what: 'a NUL in a host name',
    given: spoilt({ leaf: { names: [[2, 'example.org\0.evil.example']] } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /NUL/,
  },
  {
    rule: 'P3',
    what: 'something that is no certificate',
    given: () => {
      const { cert, ...rest } = spoilt({})()
      return { ...rest, cert: `${cert}-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n` }
    },
    code: 'CERTIFICATE_MALFORMED',
    says: /cannot be used/,
  },
  {
    rule: 'P3',
    what: 'a subject that cannot be read',
    given: spoilt({ leaf: { subjectDer: sequence(element(0x31)) } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /cannot be used/,
    subjects: [],
  },
  {
    rule: 'P4',
    what: 'an unknown critical extension of the leaf',
    given: spoilt({ leaf: critical }),
    code: 'CRITICAL_EXTENSION',
    says: /1\.2\.3\.4\.5/,
    subjects: ['CN=example.org'],
    line: 1,
  },
  {
    rule: 'P4',
    what: 'an unknown critical extension of the root',
    given: spoilt({ root: critical }),
    code: 'CRITICAL_EXTENSION',
    says: /1\.2\.3\.4\.5/,
    subjects: ['CN=root'],
  },
  {
    rule: 'K1',
    what: 'the key of an authority',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root], [root])
    },
    code: 'EXTRANEOUS_KEY',
    class: ExtraneousPrivateKeyError,
    says: /line 1 .*"CN=root".*no leaf/,
    subjects: ['CN=root'],
    line: 1,
  },
  {
    rule: 'K1',
    what: 'the key of an authority beside the leaf’s',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root], [leaf, middle])
    },
    code: 'EXTRANEOUS_KEY',
    class: ExtraneousPrivateKeyError,
    says: /"CN=middle".*no leaf/,
    subjects: ['CN=middle'],
    line: 6,
  },
  {
    rule: 'K2',
    what: 'a key that belongs to no certificate',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root], [issue()])
    },
    code: 'EXTRANEOUS_KEY',
    class: ExtraneousPrivateKeyError,
    says: /line 1 belongs to none of the certificates/,
    line: 1,
  },
  {
    rule: 'K2',
    what: 'a key that belongs to no certificate, beside the leaf’s',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root], [leaf, issue()])
    },
    code: 'EXTRANEOUS_KEY',
    class: ExtraneousPrivateKeyError,
    says: /line 6 belongs to none/,
    line: 6,
  },
  {
    rule: 'K2',
    what: 'the key of another leaf with the same name and issuer',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root], [issue({ by: middle, ca: false, names: [HOST] })])
    },
    code: 'EXTRANEOUS_KEY',
    class: ExtraneousPrivateKeyError,
    says: /none of the certificates/,
  },
  {
    rule: 'K3',
    what: 'the same key twice',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root], [leaf, leaf])
    },
    code: 'EXTRANEOUS_KEY',
    class: ExtraneousPrivateKeyError,
    says: /twice at line 1 and at line 6/,
    line: 6,
  },
  {
    rule: 'K4',
    what: 'no key',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root], [])
    },
    code: 'KEY_MISSING',
    class: LeafCertificateHasNoPrivateKeyError,
    says: /"CN=example.org" \(line 1\) has no private key/,
    subjects: ['CN=example.org'],
  },
  {
    rule: 'K4',
    what: 'no key for a self-signed certificate that is marked as an authority',
    given: () => texts([marked()], []),
    code: 'KEY_MISSING',
    class: LeafCertificateHasNoPrivateKeyError,
    says: /no private key/,
  },
  {
    rule: 'C1',
    what: 'no certificate',
    given: () => texts([], []),
    code: 'NO_LEAF',
    class: NoLeafCertificateError,
    says: /no certificate/,
  },
  {
    rule: 'C1',
    what: 'authorities alone',
    given: () => {
      const { root, middle } = family()
      return texts([middle, root], [middle])
    },
    code: 'NO_LEAF',
    class: NoLeafCertificateError,
    says: /no leaf/,
  },
  {
    rule: 'C1',
    what: 'a second leaf of the same authority',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, issue({ subject: 'second', by: middle, ca: false }), middle, root], [leaf])
    },
    code: 'SEVERAL_LEAVES',
    class: MoreThanOneLeafCertificateError,
    says: /2 leaves.*"CN=example.org" \(line 1\), "CN=second"/,
    subjects: ['CN=example.org', 'CN=second'],
  },
  {
    rule: 'C1',
    what: 'a second, self-signed leaf',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root, issue({ subject: 'second', ca: false })], [leaf])
    },
    code: 'SEVERAL_LEAVES',
    class: MoreThanOneLeafCertificateError,
    says: /2 leaves/,
  },
  {
    rule: 'C1',
    what: 'the leaf before it was renewed, with the same key',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, issue({ by: middle, ca: false, key: leaf }), middle, root], [leaf])
    },
    code: 'SEVERAL_LEAVES',
    class: MoreThanOneLeafCertificateError,
    says: /2 leaves/,
  },
  {
    rule: 'C2',
    what: 'a leaf that was issued by a certificate that is no authority',
    given: spoilt({ middle: { ca: false } }),
    code: 'NOT_AN_AUTHORITY',
    says: /"CN=middle" may not sign/,
    subjects: ['CN=middle'],
  },
  {
    rule: 'C3',
    what: 'a leaf of version 1',
    given: spoilt({ leaf: { version: 1 } }),
    code: 'VERSION',
    says: /version 1.*allowVersion1/,
  },
  {
    rule: 'C3',
    what: 'an authority of version 1, which cannot be one',
    given: spoilt({ root: { version: 1 } }, { allowVersion1: true }),
    code: 'NOT_AN_AUTHORITY',
    says: /"CN=root"/,
  },
  {
    rule: 'C4',
    what: 'a self-signed certificate that is marked as an authority, by the rules of PKIX',
    given: () => {
      const own = marked()
      return texts([own], [own], { rules: 'pkix' })
    },
    code: 'NO_LEAF',
    class: NoLeafCertificateError,
    says: /CA:TRUE, as "openssl req -x509" makes them.*CA:FALSE.*smallweb/,
    subjects: ['CN=example.org'],
  },
  {
    rule: 'C4',
    what: 'a self-signed authority that issued the other one',
    given: () => {
      const { root, middle } = family()
      return texts([middle, root], [root])
    },
    code: 'NO_LEAF',
    class: NoLeafCertificateError,
    says: /no leaf/,
  },
  {
    rule: 'C4',
    what: 'two of them, with the keys of both',
    given: () => {
      const [one, other] = [marked(), marked({ subject: 'other' })]
      return texts([one, other], [one, other])
    },
    code: 'SEVERAL_LEAVES',
    class: MoreThanOneLeafCertificateError,
    says: /2 leaves/,
  },
  {
    rule: 'C4',
    what: 'one of them beside a leaf, with its key',
    given: () => {
      const own = marked({ subject: 'own' })
      return texts([family().leaf, own], [own])
    },
    code: 'EXTRANEOUS_KEY',
    class: ExtraneousPrivateKeyError,
    says: /"CN=own"/,
  },
  {
    rule: 'C5',
    what: 'an unrelated authority',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root, issue({ subject: 'stranger', ca: true })], [leaf])
    },
    code: 'EXTRANEOUS_CERTIFICATE',
    says: /"CN=stranger" \(line \d+\): no part of the chain; remove it/,
    subjects: ['CN=stranger'],
  },
  {
    rule: 'C5',
    what: 'an authority with the right name and another key',
    given: () => {
      const { root, leaf } = family()
      return texts([leaf, issue({ subject: 'middle', by: root, ca: true })], [leaf])
    },
    code: 'EXTRANEOUS_CERTIFICATE',
    says: /has the name of the issuer.*not the key/,
  },
  {
    rule: 'C5',
    what: 'a spoilt signature',
    given: spoilt({ leaf: { spoil: true } }),
    code: 'EXTRANEOUS_CERTIFICATE',
    says: /not the key/,
  },
  {
    rule: 'C5',
    what: 'a root with a spoilt signature of its own',
    given: spoilt({ root: { spoil: true } }),
    code: 'CERTIFICATE_MALFORMED',
    says: /"CN=root", which names itself as its issuer, is wrong/,
    subjects: ['CN=root'],
  },
  {
    rule: 'C5',
    what: 'a self-signed leaf with a spoilt signature',
    given: () => {
      const own = issue({ ca: false, spoil: true })
      return texts([own], [own])
    },
    code: 'CERTIFICATE_MALFORMED',
    says: /line 1.*damaged/,
  },
  {
    rule: 'C5',
    what: 'key identifiers that do not agree',
    given: spoilt({ middle: wrongIdentifiers }),
    code: 'EXTRANEOUS_CERTIFICATE',
    says: /no part of the chain/,
  },
  {
    rule: 'C5',
    what: 'the serial number of another certificate of its issuer',
    given: spoilt({
      leaf: {
        identifiers: [
          extension('2.5.29.35', sequence(element(0xa1, element(0xa4, name('root'))), element(0x82, bytes('07')))),
        ],
      },
    }),
    code: 'EXTRANEOUS_CERTIFICATE',
    says: /not the key/,
  },
  {
    rule: 'C5',
    what: 'the root without what is between',
    given: () => {
      const { root, leaf } = family()
      return texts([leaf, root], [leaf])
    },
    code: 'EXTRANEOUS_CERTIFICATE',
    says: /or add the certificate of "CN=middle", which issued "CN=example.org"/,
    subjects: ['CN=root'],
  },
  {
    rule: 'C5',
    what: 'two certificates of one authority',
    given: () => {
      const { root, middle, leaf } = family()
      const again = issue({ subject: 'middle', by: issue({ subject: 'other root', ca: true }), ca: true, key: middle })
      return texts([leaf, middle, again, root], [leaf])
    },
    code: 'EXTRANEOUS_CERTIFICATE',
    says: /could have been issued by each of .* room for one/,
  },
  {
    rule: 'C6',
    what: 'another order, if the order matters',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, root, middle], [leaf], { strictOrder: true })
    },
    code: 'ORDER',
    says: /"CN=root" \(line \d+\) stands where "CN=middle" \(line \d+\) belongs/,
    subjects: ['CN=root'],
  },
  {
    rule: 'C7',
    what: 'the leaf twice',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, leaf, root], [leaf])
    },
    code: 'DUPLICATE_CERTIFICATE',
    says: /"CN=example.org" \(line \d+\) is there twice, first at line 1/,
  },
  {
    rule: 'C7',
    what: 'an authority twice',
    given: () => {
      const { root, middle, leaf } = family()
      return texts([leaf, middle, root, root], [leaf])
    },
    code: 'DUPLICATE_CERTIFICATE',
    says: /"CN=root"/,
  },
  {
    rule: 'C8',
    what: 'an authority that may not sign certificates',
    given: spoilt({ middle: { keyUsage: ['digitalSignature'] } }),
    code: 'NOT_AN_AUTHORITY',
    says: /"CN=middle".*keyCertSign/,
  },
  {
    rule: 'C8',
    what: 'an authority that may have no other below it',
    given: spoilt({ root: { pathLength: 0 } }),
    code: 'TOO_LONG',
    says: /"CN=root" allows 0/,
  },
  {
    rule: 'C8',
    what: 'eleven certificates',
    given: () => {
      const all = tower(10)
      return texts(all, all.slice(0, 1))
    },
    code: 'TOO_LONG',
    says: /more than 10/,
  },
  {
    rule: 'C8',
    what: 'authorities that issued each other',
    given: () => {
      const { first, second, leaf } = circle()
      return texts([leaf, first, second], [leaf])
    },
    code: 'LOOP',
    says: /above itself/,
  },
  {
    rule: 'C9',
    what: 'a chain that leads to none of the authorities asked for',
    given: spoilt({}, { roots: new TrustStore([issue({ subject: 'stranger', ca: true }).certificate], { at: AT }) }),
    code: 'INCOMPLETE',
    class: NoCertificateChainError,
    says: /does not lead to any/,
    subjects: ['CN=example.org'],
  },
  {
    rule: 'C9',
    what: 'a gap between the leaf and the authority asked for',
    given: () => {
      const { root, leaf } = family()
      return texts([leaf], [leaf], { roots: new TrustStore([root.certificate], { at: AT }) })
    },
    code: 'INCOMPLETE',
    class: NoCertificateChainError,
    says: /CN=middle/,
  },
  {
    rule: 'T1',
    what: 'an expired leaf, where the chain must lead to an authority',
    given: () => {
      const { root, middle, leaf } = family({ leaf: EXPIRED })
      return texts([leaf, middle], [leaf], { roots: new TrustStore([root.certificate], { at: AT }) })
    },
    code: 'EXPIRED',
    says: /expired at 2030-06-01T11:59:59/,
  },
  {
    rule: 'T1',
    what: 'an authority to be, where the chain must lead to one',
    given: () => {
      const { root, middle, leaf } = family({ middle: NOT_YET_VALID })
      return texts([leaf, middle], [leaf], { roots: new TrustStore([root.certificate], { at: AT }) })
    },
    code: 'NOT_YET_VALID',
    says: /"CN=middle" is valid from 2030-06-01T12:00:01/,
  },
  {
    rule: 'T2',
    what: 'a leaf signed with SHA-1',
    given: spoilt({ leaf: { hash: 'sha1' } }),
    code: 'WEAK',
    says: /sha1/,
  },
  {
    rule: 'T2',
    what: 'an authority signed with SHA-1',
    given: spoilt({ middle: { hash: 'sha1' } }),
    code: 'WEAK',
    says: /"CN=middle".*sha1/,
  },
  {
    rule: 'T2',
    what: 'a self-signed leaf with SHA-1',
    given: () => {
      const own = marked({ hash: 'sha1' })
      return texts([own], [own])
    },
    code: 'WEAK',
    says: /sha1/,
  },
  {
    rule: 'T2',
    what: 'an RSA key of 1024 bits',
    given: spoilt({ leaf: { key: 'RSA-1024' } }),
    code: 'WEAK',
    says: /1024/,
  },
  {
    rule: 'T2',
    what: 'an authority with an RSA key of 1024 bits',
    given: spoilt({ root: { key: 'RSA-1024' } }),
    code: 'WEAK',
    says: /"CN=root".*1024/,
  },
  {
    rule: 'T2',
    what: 'an RSA key with the exponent 3',
    given: () => {
      const keys = rsa(2048, 3)
      return spoilt({ leaf: { key: { ...issue(), keys } } })()
    },
    code: 'WEAK',
    says: /exponent 3/,
  },
  { rule: 'T2', what: 'a key on P-192', given: spoilt({ leaf: { key: 'P-192' } }), code: 'WEAK', says: /192/ },
  {
    rule: 'T2',
    what: 'a key on secp256k1',
    given: spoilt({ leaf: { key: 'secp256k1' } }),
    code: 'WEAK',
    says: /secp256k1/,
  },
  {
    rule: 'T3',
    what: 'a client’s certificate for a server',
    given: spoilt({ leaf: { purposes: ['client'] } }),
    code: 'WRONG_PURPOSE',
    says: /"CN=example.org" is not meant for a TLS server/,
  },
  {
    rule: 'T3',
    what: 'a server’s certificate for a client',
    given: spoilt({ leaf: { purposes: ['server'] } }, { purpose: 'client' }),
    code: 'WRONG_PURPOSE',
    says: /not meant for a TLS client/,
  },
  {
    rule: 'T3',
    what: 'an authority for clients only',
    given: spoilt({ middle: { purposes: ['client'] } }),
    code: 'WRONG_PURPOSE',
    says: /"CN=middle"/,
  },
  {
    rule: 'T3',
    what: 'a leaf whose key may not sign',
    given: spoilt({ leaf: { keyUsage: ['keyEncipherment'] } }),
    code: 'WRONG_PURPOSE',
    says: /digitalSignature/,
  },
  {
    rule: 'T4',
    what: 'a name that the root may not issue for',
    given: spoilt({ root: onlyFor('example.com') }),
    code: 'NAME_CONSTRAINT',
    says: /"CN=root" may not issue for "www.example.org"/,
  },
  {
    rule: 'T4',
    what: 'a name that the authority next to it may not issue for',
    given: spoilt({ middle: onlyFor('example.com') }),
    code: 'NAME_CONSTRAINT',
    says: /"CN=middle" may not issue/,
  },
]

describe('a chain is refused', () => {
  it.each(rows)('by $rule: $what', async ({ given, code, class: kind, says, subjects: about, line }) => {
    const options = await given()
    const error = await refusal(() => KeyedChain.fromPem(options))
    expect(error.code).toBe(`ERR_TLACACOCA_CHAIN_${code}`)
    expect(error.message).toMatch(says)
    if (kind !== undefined) expect(error).toBeInstanceOf(kind)
    if (about !== undefined) expect(error.subjects).toEqual(about)
    if (line !== undefined) expect(error.line).toBe(line)
    expectNoKey(error, options.key)
  })
})

/** No error about a chain may show anything of a key. */
function expectNoKey(error: Error, key: string): void {
  const shown = inspect(error, { depth: 10, showHidden: true }) + error.stack
  for (const line of key.split('\n').filter((each) => each !== '' && !each.startsWith('-----'))) {
    expect(shown).not.toContain(line.slice(0, 16))
  }
}

// What is refused above is accepted here, because something else is different too.
describe('a chain is accepted', () => {
  it('of version 1 for a client, signed with SHA-1 and with the serial number 1, as Kristall makes them', async () => {
    const own = issue({ version: 1, hash: 'sha1', serial: bytes('01'), key: 'RSA-2048' })
    const chain = await KeyedChain.fromPem(texts([own], [own], { purpose: 'client' }))
    expect(chain.leaf.version).toBe(1)
    for (const options of [{ rules: 'pkix', purpose: 'client' }, { purpose: 'server' }] as const) {
      const error = await refusal(() => KeyedChain.fromPem(texts([own], [own], options)))
      expect(error.code).toBe('ERR_TLACACOCA_CHAIN_VERSION')
    }
    const error = await refusal(() =>
      KeyedChain.fromPem(texts([own], [own], { rules: 'pkix', purpose: 'client', allowVersion1: true })),
    )
    expect(error.code).toBe('ERR_TLACACOCA_CHAIN_WEAK')
  })

  it('of version 1 for a server that allows it', async () => {
    const own = issue({ version: 1 })
    const chain = await KeyedChain.fromPem(texts([own], [own], { allowVersion1: true, rules: 'pkix' }))
    expect(chain.leaf.version).toBe(1)
  })

  it('with a client’s key of 1024 bits, but not with one that TLS cannot carry', async () => {
    const [weak, unusable] = [issue({ key: 'RSA-1024' }), issue({ key: 'secp256k1' })]
    await KeyedChain.fromPem(texts([weak], [weak], { purpose: 'client' }))
    const error = await refusal(() => KeyedChain.fromPem(texts([unusable], [unusable], { purpose: 'client' })))
    expect(error.code).toBe('ERR_TLACACOCA_CHAIN_WEAK')
  })

  it.each([
    ['a key of 1024 bits', () => ({ key: 'RSA-1024' }) as const],
    ['an exponent of 3', () => ({ key: { ...issue(), keys: rsa(2048, 3) } })],
    ['an exponent of more than 64 bits', () => ({ key: { ...issue(), keys: hugeExponent() } })],
    ['a signature with SHA-1', () => ({ hash: 'sha1' }) as const],
  ])('for a server that allows what is weak, and not otherwise: %s', async (_, special) => {
    const { middle, leaf } = family({ leaf: special() })
    const given = texts([leaf, middle], [leaf])
    expect((await KeyedChain.fromPem({ ...given, rules: 'pkix', allowWeak: true })).certificates).toHaveLength(2)
    expect((await refusal(() => KeyedChain.fromPem(given))).code).toBe('ERR_TLACACOCA_CHAIN_WEAK')
  })

  it.each([
    ['what servers do', { purposes: ['server'] }],
    ['what clients do', { purposes: ['client'] }],
    ['something else', { purposes: ['code'] }],
    ['no signing', { keyUsage: ['keyEncipherment'] }],
  ] as const)('for any purpose, whatever the leaf is meant for: %s', async (_, special) => {
    const { middle, leaf } = family({ leaf: special })
    const given = texts([leaf, middle], [leaf], { purpose: 'any', rules: 'pkix' })
    expect((await KeyedChain.fromPem(given)).certificates).toHaveLength(2)
  })

  it('for any purpose, if it leads to the authorities asked for by one of the two', async () => {
    const purposes = (list: IssueOptions['purposes']) => (list === undefined ? {} : { leaf: { purposes: list } })
    for (const [list, fits] of [
      [undefined, true],
      [['server'], true],
      [['client'], true],
      [['code'], false],
    ] as const) {
      const { root, middle, leaf } = family(purposes(list))
      const roots = new TrustStore([root.certificate], { at: AT })
      const made = KeyedChain.fromPem(texts([leaf, middle], [leaf], { purpose: 'any', roots }))
      if (fits) expect((await made).leaf.equals(leaf.certificate)).toBe(true)
      else await expect(made).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_WRONG_PURPOSE' })
    }
  })

  it('of one certificate that is marked as an authority, by the rules of the small web', async () => {
    const own = marked()
    const chain = await KeyedChain.fromPem(texts([own], [own]))
    expect(subjects(chain.sent)).toEqual(['CN=example.org'])
  })

  it('that is marked as an authority and issued by itself with the serial number 0', async () => {
    const own = marked({ serial: bytes('00') })
    expect((await KeyedChain.fromPem(texts([own], [own]))).certificates).toHaveLength(1)
  })

  it('with a root that is signed with SHA-1 or has the exponent 3, which nobody looks at', async () => {
    const keys = rsa(2048, 3)
    const { root, middle, leaf } = family({ root: { hash: 'sha1', key: { ...issue(), keys } } })
    expect((await KeyedChain.fromPem(texts([leaf, middle, root], [leaf], { rules: 'pkix' }))).sent).toHaveLength(2)
  })

  it('if names are written in another case and as other types of string', async () => {
    const root = issue({ subjectDer: name('Example  Root', 0x13), ca: true })
    const leaf = issue({ by: root, issuerDer: name(' example ROOT '), ca: false })
    expect((await KeyedChain.fromPem(texts([leaf, root], [leaf]))).certificates).toHaveLength(2)
  })

  it('with the serial number of its issuer among the key identifiers', async () => {
    const [root, identifiers] = [
      issue({ subject: 'root', ca: true, serial: bytes('00 87') }),
      [extension('2.5.29.35', sequence(element(0xa1, element(0xa4, name('root'))), element(0x82, bytes('00 87'))))],
    ]
    const leaf = issue({ by: root, ca: false, identifiers })
    expect((await KeyedChain.fromPem(texts([leaf, root], [leaf]))).certificates).toHaveLength(2)
  })

  it('without key identifiers', async () => {
    const { root, middle, leaf } = family({ middle: { identifiers: [] }, leaf: { identifiers: [] } })
    expect((await KeyedChain.fromPem(texts([leaf, middle, root], [leaf]))).certificates).toHaveLength(3)
  })

  it('with exactly ten certificates', async () => {
    const all = tower(9)
    expect((await KeyedChain.fromPem(texts(all, all.slice(0, 1)))).certificates).toHaveLength(10)
  })

  it('with an authority that changed its key', async () => {
    const old = issue({ subject: 'root', ca: true })
    const fresh = issue({ subject: 'root', ca: true })
    const bridge = issue({ subject: 'root', by: fresh, ca: true, key: old })
    const leaf = issue({ by: old, ca: false })
    const chain = await KeyedChain.fromPem(texts([fresh, leaf, bridge], [leaf]))
    expect(chain.certificates.map((each) => each.fingerprint)).toEqual(
      [leaf, bridge, fresh].map((each) => each.certificate.fingerprint),
    )
  })

  it('that ends with an authority that changed its key, whose new certificate is elsewhere', async () => {
    const old = issue({ subject: 'root', ca: true })
    const bridge = issue({ subject: 'root', by: issue({ subject: 'root', ca: true }), ca: true, key: old })
    const leaf = issue({ by: old, ca: false })
    expect((await KeyedChain.fromPem(texts([leaf, bridge], [leaf]))).sent).toHaveLength(2)
  })

  it('in the order of leaf to root if the order matters', async () => {
    const { root, middle, leaf } = family()
    const chain = await KeyedChain.fromPem(texts([leaf, middle, root], [leaf], { strictOrder: true }))
    expect(chain.certificates).toHaveLength(3)
  })

  it('that leads to the authority asked for, which is not in the text', async () => {
    const { root, middle, leaf } = family()
    const roots = new TrustStore([issue({ subject: 'other', ca: true }).certificate, root.certificate], { at: AT })
    expect((await KeyedChain.fromPem(texts([leaf, middle], [leaf], { roots }))).certificates).toHaveLength(2)
  })

  it('with a name that the authorities may issue for', async () => {
    const { root, middle, leaf } = family({ root: onlyFor('example.org') })
    expect((await KeyedChain.fromPem(texts([leaf, middle, root], [leaf]))).certificates).toHaveLength(3)
  })
})

// A server must be able to start with a certificate that has expired, and to say so.
describe('dates', () => {
  it.each([
    ['an expired leaf', { leaf: EXPIRED }, 'expired', 'CN=example.org'],
    ['a leaf to be', { leaf: NOT_YET_VALID }, 'not_yet_valid', 'CN=example.org'],
    ['an expired authority', { middle: EXPIRED }, 'expired', 'CN=middle'],
    ['an expired root', { root: EXPIRED }, 'expired', 'CN=root'],
  ] as const)('give a warning for %s', async (_, special, code, subject) => {
    const { root, middle, leaf } = family(special)
    const { warnings } = await KeyedChain.fromPem(texts([leaf, middle, root], [leaf]))
    expect(warnings).toEqual([{ code, subject, message: expect.stringContaining('2030-06-01') }])
    expect(Object.isFrozen(warnings[0])).toBe(true)
  })

  it('are judged now, unless another instant is given', async () => {
    const year = new Date().getUTCFullYear()
    const { root, middle, leaf } = family({ leaf: { to: `${year - 1}0101000000Z` } })
    const { at: _, ...options } = texts([leaf, middle, root], [leaf])
    expect((await KeyedChain.fromPem(options)).warnings).toMatchObject([{ code: 'expired' }])
  })
})

describe('misuse', () => {
  const own = marked()
  const good = texts([own], [own])
  it.each([
    ['an unknown option', { ...good, ordered: true }, /no option "ordered"/],
    ['other rules', { ...good, rules: 'strict' }, /"rules"/],
    ['another purpose', { ...good, purpose: 'mail' }, /"purpose"/],
    ['an order that is no boolean', { ...good, strictOrder: 'no' }, /"strictOrder"/],
    ['comments that are no boolean', { ...good, allowComments: 1 }, /"allowComments"/],
    ['a version that is no boolean', { ...good, allowVersion1: 'yes' }, /"allowVersion1"/],
    ['weakness that is no boolean', { ...good, allowWeak: 'yes' }, /"allowWeak"/],
    ['an instant that is no date', { ...good, at: 0 }, /"at"/],
    ['roots that are no trust store', { ...good, roots: [own.certificate] }, /"roots" expected a TrustStore/],
    ['no certificates', { key: good.key }, /"cert"/],
    ['a passphrase that is a number', { ...good, passphrase: 4711 }, /"passphrase" expected a string or bytes$/],
    ['a key that is no text', { ...good, key: own.keys.privateKey }, /"key" expected a string$/],
  ])('throws a TypeError: %s', async (_, options, message) => {
    await expect(KeyedChain.fromPem(options as KeyedChainTexts)).rejects.toThrow(TypeError)
    await expect(KeyedChain.fromPem(options as KeyedChainTexts)).rejects.toThrow(message)
  })

  it('throws a TypeError for parts that are read already and are none', () => {
    const { privateKey } = own.keys
    const parts = [own.certificate, own.certificate.toPem()] as Certificate[]
    expect(() => KeyedChain.fromCertificates([own.certificate], privateKey, { rule: 'pkix' } as never)).toThrow(
      TypeError,
    )
    expect(() => KeyedChain.fromCertificates(own.certificate as never, privateKey)).toThrow(
      /"certificates" expected a list/,
    )
    expect(() => KeyedChain.fromCertificates(parts, privateKey)).toThrow(/certificates\[1\]/)
    expect(() => KeyedChain.fromCertificates([own.certificate], createPublicKey(privateKey))).toThrow(TypeError)
    expect(() => KeyedChain.fromCertificates([own.certificate], keyPem(own) as never)).toThrow(
      /^"key" expected a private/,
    )
  })

  // Rule K1.
  it.each([
    ['a chain', () => KeyedChain.fromPem(good)],
    ['a private key', () => own.keys.privateKey],
    ['the text of a private key', () => good.key],
    ['a certificate with its key', () => ({ certificate: own.certificate, privateKeyPem: good.key })],
  ])('is another error if the roots are %s', async (_, roots) => {
    const options = { ...good, roots: await roots() } as unknown as KeyedChainTexts
    const error = await refusal(() => KeyedChain.fromPem(options))
    expect(error).toBeInstanceOf(ExtraneousPrivateKeyError)
    expectNoKey(error, good.key)
  })
})
