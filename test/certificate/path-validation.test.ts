import { spawnSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { Certificate as CertificateClass } from '../../src/certificate/certificate.ts'
import { type PathPurpose, type PathResult, validatePath } from '../../src/certificate/path-validation.ts'
import { bytes, craft, ecKey, element, extension, name, oid, sequence, utf8 } from '../support/crafted-certificates.ts'
import { CRITICAL, type Issued, type IssueOptions, issue, nameConstraints } from '../support/issued-certificates.ts'
import { hasOpenssl } from '../support/tls-clients.ts'

const AT = new Date('2030-06-01T12:00:00Z')
const HOST = [2, 'www.example.org'] as const

interface Zoo {
  readonly leaf: Issued
  readonly middle?: readonly Issued[]
  readonly trusted: readonly Issued[]
}

const root = (options: IssueOptions = {}) => issue({ subject: 'root', ca: true, ...options })
const below = (by: Issued, subject: string, options: IssueOptions = {}) => issue({ subject, by, ca: true, ...options })
const leafOf = (by: Issued, options: IssueOptions = {}) => issue({ by, names: [HOST], ...options })

/** Root, one intermediate and leaf, with something special about each. */
function three(special: { root?: IssueOptions; middle?: IssueOptions; leaf?: IssueOptions } = {}): Zoo {
  const top = root(special.root)
  const middle = below(top, 'middle', special.middle)
  return { leaf: leafOf(middle, special.leaf), middle: [middle], trusted: [top] }
}

const unknown = (critical: boolean) => extension('1.2.3.4.5', bytes('05 00'), critical ? CRITICAL : bytes(''))
const dns = (base: string) => element(0x82, utf8(base))
const ip = (hex: string) => element(0x87, bytes(hex))
const constrained = (permitted: Uint8Array[], excluded: Uint8Array[] = []) => ({
  extensions: [nameConstraints(permitted, excluded)],
})

/** A chain of so many authorities and a leaf. */
function chainOf(authorities: number): Zoo {
  const top = root()
  const middle: Issued[] = []
  for (let i = 1; i < authorities; i++) middle.push(below(middle.at(-1) ?? top, `middle ${i}`))
  return { leaf: leafOf(middle.at(-1) ?? top), middle, trusted: [top] }
}

/** With an RSA key of so many octets, of which nobody has the private half. */
function withKey(other: Issued, length: number): Issued {
  const n = Buffer.alloc(length, 0xff).toString('base64url')
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } })
  return { ...other, keys: { ...other.keys, publicKey } }
}

interface Row {
  readonly what: string
  readonly zoo: () => Zoo
  /** `valid`, or the problem. */
  readonly ours: string
  readonly purpose?: PathPurpose
  /** Where OpenSSL thinks otherwise: why we do. */
  readonly unlikeOpenssl?: string
}

const rows: readonly Row[] = [
  { what: 'issued by the authority', zoo: () => ({ leaf: leafOf(root()), trusted: [] }), ours: 'unknown_authority' },
  { what: 'with one intermediate', zoo: () => three(), ours: 'valid' },
  { what: 'with one intermediate, for a client', zoo: () => three(), purpose: 'client', ours: 'valid' },
  { what: 'with RSA keys', zoo: () => three({ root: { key: 'RSA-2048' }, leaf: { key: 'RSA-2048' } }), ours: 'valid' },
  {
    what: 'with Ed25519 keys',
    zoo: () => three({ middle: { key: 'Ed25519' }, leaf: { key: 'Ed25519' } }),
    ours: 'valid',
  },
  {
    what: 'with P-384 and SHA-384',
    zoo: () => three({ middle: { key: 'P-384' }, leaf: { hash: 'sha384' } }),
    ours: 'valid',
  },
  {
    what: 'with more intermediates than needed, in any order, the leaf among them',
    zoo: () => {
      const { leaf, middle = [], trusted } = three()
      return { leaf, middle: [root({ subject: 'other' }), leaf, ...middle, ...middle, ...trusted], trusted }
    },
    ours: 'valid',
  },
  {
    what: 'with an intermediate missing',
    zoo: () => ({ ...three(), middle: [] }),
    ours: 'unknown_authority',
  },
  {
    what: 'under one of two authorities of one name',
    zoo: () => {
      const { leaf, middle = [], trusted } = three()
      return { leaf, middle, trusted: [root(), ...trusted] }
    },
    ours: 'valid',
  },
  {
    what: 'under an authority that was signed by two, of whom one is trusted',
    zoo: () => {
      const [a, b] = [root({ subject: 'a' }), root({ subject: 'b' })]
      const byA = below(a, 'middle')
      const byB = below(b, 'middle', { key: byA })
      return { leaf: leafOf(byA), middle: [byB, byA], trusted: [a] }
    },
    ours: 'valid',
    unlikeOpenssl: 'it tries one issuer and does not come back for the other',
  },
  {
    what: 'under a trusted authority that is not self-signed',
    zoo: () => {
      const middle = below(root(), 'middle')
      return { leaf: leafOf(middle), trusted: [middle] }
    },
    ours: 'valid',
  },
  {
    what: 'self-signed and trusted itself',
    zoo: () => {
      const own = issue({ names: [HOST] })
      return { leaf: own, trusted: [own] }
    },
    ours: 'valid',
  },
  {
    what: 'self-signed and not trusted',
    zoo: () => ({ leaf: issue({ names: [HOST] }), trusted: [root()] }),
    ours: 'unknown_authority',
  },
  {
    what: 'self-signed, and renewed since it was trusted',
    zoo: () => {
      const own = root()
      return { leaf: root({ key: own }), trusted: [own] }
    },
    ours: 'unknown_authority',
  },
  {
    what: 'trusted itself, and for clients only',
    zoo: () => {
      const own = issue({ purposes: ['client'] })
      return { leaf: own, trusted: [own] }
    },
    ours: 'wrong_purpose',
  },
  {
    what: 'trusted itself, and expired',
    zoo: () => {
      const own = issue({ to: '20250101000000Z' })
      return { leaf: own, trusted: [own] }
    },
    ours: 'expired',
  },
  { what: 'with an empty subject', zoo: () => three({ leaf: { subject: null } }), ours: 'valid' },
  { what: 'that is an authority itself', zoo: () => three({ leaf: { ca: true } }), ours: 'valid' },

  // Dates: both ends belong to them.
  {
    what: 'whose last second is this one',
    zoo: () => three({ leaf: { to: '20300601120000Z' } }),
    ours: 'valid',
    unlikeOpenssl: 'RFC 5280 section 4.1.2.5 counts the last second in',
  },
  { what: 'that expired a second ago', zoo: () => three({ leaf: { to: '20300601115959Z' } }), ours: 'expired' },
  { what: 'whose first second is this one', zoo: () => three({ leaf: { from: '20300601120000Z' } }), ours: 'valid' },
  {
    what: 'that is valid from the next second',
    zoo: () => three({ leaf: { from: '20300601120001Z' } }),
    ours: 'not_yet_valid',
  },
  { what: 'under an expired intermediate', zoo: () => three({ middle: { to: '20250101000000Z' } }), ours: 'expired' },
  {
    what: 'under an intermediate of the future',
    zoo: () => three({ middle: { from: '20350101000000Z' } }),
    ours: 'not_yet_valid',
  },
  { what: 'under an expired authority', zoo: () => three({ root: { to: '20250101000000Z' } }), ours: 'expired' },

  // Signatures.
  { what: 'with a damaged signature', zoo: () => three({ leaf: { spoil: true } }), ours: 'bad_signature' },
  {
    what: 'under an intermediate with a damaged signature',
    zoo: () => three({ middle: { spoil: true } }),
    ours: 'bad_signature',
  },
  {
    what: 'under a trusted authority whose own signature is damaged',
    zoo: () => three({ root: { spoil: true } }),
    ours: 'valid',
  },
  {
    what: 'signed by a namesake of the authority',
    zoo: () => ({ leaf: leafOf(root()), trusted: [root()] }),
    ours: 'bad_signature',
  },
  {
    what: 'signed by a namesake with a key of another kind',
    zoo: () => ({ leaf: leafOf(root({ key: 'RSA-2048' })), trusted: [root()] }),
    ours: 'bad_signature',
  },
  { what: 'signed with SHA-1', zoo: () => three({ leaf: { hash: 'sha1' } }), ours: 'weak_signature' },
  {
    what: 'under an intermediate signed with SHA-1',
    zoo: () => three({ middle: { hash: 'sha1' } }),
    ours: 'weak_signature',
  },
  {
    what: 'under an authority that signed itself with SHA-1',
    zoo: () => three({ root: { hash: 'sha1' } }),
    ours: 'valid',
  },
  {
    what: 'signed with SHA-224',
    zoo: () => three({ leaf: { hash: 'sha224' } }),
    ours: 'weak_signature',
    unlikeOpenssl: 'TLS 1.3 has no SHA-224 either',
  },

  // Keys.
  { what: 'with RSA-1024', zoo: () => three({ leaf: { key: 'RSA-1024' } }), ours: 'weak_key' },
  { what: 'under an intermediate with RSA-1024', zoo: () => three({ middle: { key: 'RSA-1024' } }), ours: 'weak_key' },
  { what: 'under an authority with RSA-1024', zoo: () => three({ root: { key: 'RSA-1024' } }), ours: 'weak_key' },
  { what: 'with P-192', zoo: () => three({ leaf: { key: 'P-192' } }), ours: 'weak_key' },
  {
    what: 'with secp256k1',
    zoo: () => three({ leaf: { key: 'secp256k1' } }),
    ours: 'unsupported_key',
    unlikeOpenssl: 'no TLS suite has the curve',
  },

  {
    what: 'with an RSA key of 8200 bits',
    zoo: () => {
      const top = root()
      return { leaf: leafOf(top, { key: withKey(top, 1025) }), trusted: [top] }
    },
    ours: 'unsupported_key',
    unlikeOpenssl: 'it takes long to verify with',
  },
  {
    what: 'with an RSA key of 8192 bits',
    zoo: () => {
      const top = root()
      return { leaf: leafOf(top, { key: withKey(top, 1024) }), trusted: [top] }
    },
    ours: 'valid',
  },

  // Authorities.
  {
    what: 'under an intermediate without a CA mark',
    zoo: () => three({ middle: { ca: false } }),
    ours: 'not_an_authority',
  },
  {
    what: 'under an intermediate without basic constraints',
    zoo: () => {
      const top = root()
      const middle = issue({ subject: 'middle', by: top, names: [HOST] })
      return { leaf: leafOf(middle), middle: [middle], trusted: [top] }
    },
    ours: 'not_an_authority',
  },
  {
    what: 'under an intermediate that may not sign certificates',
    zoo: () => three({ middle: { keyUsage: ['digitalSignature', 'cRLSign'] } }),
    ours: 'not_an_authority',
  },
  {
    what: 'under an intermediate that may',
    zoo: () => three({ middle: { keyUsage: ['keyCertSign'] } }),
    ours: 'valid',
  },
  {
    what: 'under an authority that may not sign certificates',
    zoo: () => three({ root: { keyUsage: ['cRLSign'] } }),
    ours: 'not_an_authority',
  },
  {
    what: 'under an intermediate of version 1',
    zoo: () => three({ middle: { version: 1 } }),
    ours: 'not_an_authority',
  },
  {
    what: 'under an authority of version 1',
    zoo: () => three({ root: { version: 1 } }),
    ours: 'not_an_authority',
    unlikeOpenssl: 'whoever cannot say that it is an authority has not said it',
  },
  {
    what: 'under a leaf, with that one trusted as an authority',
    zoo: () => {
      const own = issue({ subject: 'own' })
      return { leaf: leafOf(own), trusted: [own] }
    },
    ours: 'not_an_authority',
  },

  // Lengths.
  { what: 'under an authority that allows one below it', zoo: () => three({ root: { pathLength: 1 } }), ours: 'valid' },
  {
    what: 'under an authority that allows none below it',
    zoo: () => three({ root: { pathLength: 0 } }),
    ours: 'path_too_long',
  },
  {
    what: 'right under an authority that allows none below it',
    zoo: () => {
      const top = root({ pathLength: 0 })
      return { leaf: leafOf(top), trusted: [top] }
    },
    ours: 'valid',
  },
  {
    what: 'under an authority that allows none, and only changed its key',
    zoo: () => {
      const top = root({ pathLength: 0 })
      const again = issue({ subject: 'root', by: top, ca: true, pathLength: 0 })
      return { leaf: leafOf(again), middle: [again], trusted: [top] }
    },
    ours: 'valid',
  },
  { what: 'with a path of ten certificates', zoo: () => chainOf(9), ours: 'valid' },
  { what: 'with a path of eleven', zoo: () => chainOf(10), ours: 'path_too_long', unlikeOpenssl: 'its limit is 100' },

  // Purposes.
  { what: 'for servers', zoo: () => three({ leaf: { purposes: ['code', 'server'] } }), ours: 'valid' },
  {
    what: 'for servers, used by a client',
    zoo: () => three({ leaf: { purposes: ['server'] } }),
    purpose: 'client',
    ours: 'wrong_purpose',
  },
  { what: 'for clients', zoo: () => three({ leaf: { purposes: ['client'] } }), ours: 'wrong_purpose' },
  {
    what: 'for clients, used by one',
    zoo: () => three({ leaf: { purposes: ['client'] } }),
    purpose: 'client',
    ours: 'valid',
  },
  { what: 'for any purpose', zoo: () => three({ leaf: { purposes: ['any'] } }), ours: 'wrong_purpose' },
  {
    what: 'under an intermediate for clients',
    zoo: () => three({ middle: { purposes: ['client'] } }),
    ours: 'wrong_purpose',
  },
  {
    what: 'under an authority for clients',
    zoo: () => three({ root: { purposes: ['client'] } }),
    ours: 'wrong_purpose',
  },
  { what: 'under an intermediate for servers', zoo: () => three({ middle: { purposes: ['server'] } }), ours: 'valid' },
  { what: 'whose key may sign', zoo: () => three({ leaf: { keyUsage: ['digitalSignature'] } }), ours: 'valid' },
  {
    what: 'whose key may only encrypt',
    zoo: () => three({ leaf: { keyUsage: ['keyEncipherment'] } }),
    ours: 'wrong_purpose',
    unlikeOpenssl: 'it allows for static RSA, which this library does not',
  },
  {
    what: 'whose key may only sign certificates',
    zoo: () => three({ leaf: { keyUsage: ['keyCertSign'] } }),
    ours: 'wrong_purpose',
  },

  // Extensions.
  { what: 'with an unknown extension', zoo: () => three({ leaf: { extensions: [unknown(false)] } }), ours: 'valid' },
  {
    what: 'with an unknown critical extension',
    zoo: () => three({ leaf: { extensions: [unknown(true)] } }),
    ours: 'unsupported_critical_extension',
  },
  {
    what: 'under an intermediate with one',
    zoo: () => three({ middle: { extensions: [unknown(true)] } }),
    ours: 'unsupported_critical_extension',
  },
  {
    what: 'under an authority with one',
    zoo: () => three({ root: { extensions: [unknown(true)] } }),
    ours: 'unsupported_critical_extension',
  },
  { what: 'with critical policies', zoo: () => three({ leaf: { extensions: [policies()] } }), ours: 'valid' },
  {
    what: 'under critical constraints on policies',
    zoo: () => three({ middle: { extensions: [policyConstraints()] } }),
    ours: 'unsupported_critical_extension',
    unlikeOpenssl: 'it ignores them unless it is told to check policies',
  },

  // Names.
  { what: 'with a permitted name', zoo: () => three({ root: constrained([dns('example.org')]) }), ours: 'valid' },
  {
    what: 'with a name that is permitted exactly',
    zoo: () => three({ root: constrained([dns('WWW.example.org')]) }),
    ours: 'valid',
  },
  {
    what: 'with a name that is not permitted',
    zoo: () => three({ root: constrained([dns('example.net')]) }),
    ours: 'name_constraint',
  },
  {
    what: 'with a name that ends like a permitted one',
    zoo: () => three({ root: constrained([dns('ample.org')]) }),
    ours: 'name_constraint',
  },
  {
    what: 'with one of two names permitted',
    zoo: () => three({ root: constrained([dns('example.org')]), leaf: { names: [HOST, [2, 'example.net']] } }),
    ours: 'name_constraint',
  },
  {
    what: 'with a name permitted by the intermediate, too',
    zoo: () => three({ root: constrained([dns('org')]), middle: constrained([dns('example.org')]) }),
    ours: 'valid',
  },
  {
    what: 'with a name permitted by the authority, not by the intermediate',
    zoo: () => three({ root: constrained([dns('org')]), middle: constrained([dns('example.net')]) }),
    ours: 'name_constraint',
  },
  {
    what: 'with an excluded name',
    zoo: () => three({ root: constrained([], [dns('example.org')]) }),
    ours: 'name_constraint',
  },
  {
    what: 'with another name excluded',
    zoo: () => three({ root: constrained([], [dns('example.net')]) }),
    ours: 'valid',
  },
  {
    what: 'with its name permitted and a part of it excluded',
    zoo: () => three({ root: constrained([dns('org')], [dns('www.example.org')]) }),
    ours: 'name_constraint',
  },
  { what: 'with all names excluded', zoo: () => three({ root: constrained([], [dns('')]) }), ours: 'name_constraint' },
  {
    what: 'with a permitted wildcard',
    zoo: () => three({ root: constrained([dns('example.org')]), leaf: { names: [[2, '*.example.org']] } }),
    ours: 'valid',
  },
  {
    what: 'with a wildcard wider than permitted',
    zoo: () => three({ root: constrained([dns('www.example.org')]), leaf: { names: [[2, '*.example.org']] } }),
    ours: 'name_constraint',
  },
  {
    what: 'with a wildcard that covers an excluded name',
    zoo: () => three({ root: constrained([], [dns('www.example.org')]), leaf: { names: [[2, '*.example.org']] } }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it compares the wildcard as if it were a name',
  },
  {
    what: 'with names constrained to those below a domain',
    zoo: () => three({ root: constrained([dns('.example.org')]) }),
    ours: 'valid',
  },
  {
    what: 'with that domain itself',
    zoo: () => three({ root: constrained([dns('.example.org')]), leaf: { names: [[2, 'example.org']] } }),
    ours: 'name_constraint',
  },
  {
    what: 'with no name of the constrained kind',
    zoo: () => three({ root: constrained([ip('c0000200 ffffff00')]) }),
    ours: 'valid',
  },
  {
    what: 'with a permitted address',
    zoo: () => three({ root: constrained([ip('c0000200 ffffff00')]), leaf: { names: [[7, bytes('c0000207')]] } }),
    ours: 'valid',
  },
  {
    what: 'with an address that is not permitted',
    zoo: () => three({ root: constrained([ip('c0000200 ffffff00')]), leaf: { names: [[7, bytes('c0000307')]] } }),
    ours: 'name_constraint',
  },
  {
    what: 'with an excluded address',
    zoo: () => three({ root: constrained([], [ip('c0000200 ffffff00')]), leaf: { names: [[7, bytes('c0000207')]] } }),
    ours: 'name_constraint',
  },
  {
    what: 'with a permitted IPv6 address',
    zoo: () =>
      three({
        root: constrained([ip(`20010db8${'0'.repeat(24)} ffffffff${'0'.repeat(24)}`)]),
        leaf: { names: [[7, bytes(`20010db8${'0'.repeat(23)}1`)]] },
      }),
    ours: 'valid',
  },
  {
    what: 'with an IPv6 address under constraints on IPv4',
    zoo: () =>
      three({
        root: constrained([ip('c0000200 ffffff00')]),
        leaf: { names: [[7, bytes(`20010db8${'0'.repeat(23)}1`)]] },
      }),
    ours: 'name_constraint',
  },
  {
    what: 'with an IPv4 address dressed as IPv6, and excluded',
    zoo: () =>
      three({
        root: constrained([], [ip('c0000200 ffffff00')]),
        leaf: { names: [[7, bytes(`${'0'.repeat(20)}ffffc0000207`)]] },
      }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it compares addresses of one length only',
  },
  {
    what: 'under a mask with a hole',
    zoo: () => three({ root: constrained([ip('c0000200 ff00ff00')]) }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it looks at constraints only where there is a name for them',
  },
  {
    what: 'under constraints on directory names',
    zoo: () => three({ root: constrained([element(0xa4, sequence())]) }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it knows them; what is not known here counts as violated',
  },
  {
    what: 'under constraints on e-mail addresses',
    zoo: () => three({ root: constrained([element(0x81, utf8('example.org'))]) }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it looks at constraints only where there is a name for them',
  },
  {
    what: 'under a constraint with a minimum',
    zoo: () => three({ root: { extensions: [withMinimum()] } }),
    ours: 'name_constraint',
  },
  {
    what: 'under empty constraints',
    zoo: () => three({ root: constrained([]) }),
    ours: 'malformed',
    unlikeOpenssl: 'the RFC forbids them',
  },
  {
    what: 'by an authority that changed its key, whose own names are free',
    zoo: () => {
      const top = root(constrained([dns('example.org')]))
      const old = below(top, 'middle')
      const renewed = below(old, 'middle', { names: [[2, 'ca.example.net']] })
      return { leaf: leafOf(renewed), middle: [renewed, old], trusted: [top] }
    },
    ours: 'valid',
  },
  {
    what: 'by an authority that is named for a forbidden host',
    zoo: () => three({ root: constrained([dns('example.org')]), middle: { names: [[2, 'ca.example.net']] } }),
    ours: 'name_constraint',
  },
  {
    what: 'by an authority whose leaf has the name of that authority',
    zoo: () => {
      const top = root(constrained([dns('example.org')]))
      const middle = below(top, 'middle')
      return {
        leaf: leafOf(middle, { subject: 'middle', names: [HOST, [2, 'example.net']] }),
        middle: [middle],
        trusted: [top],
      }
    },
    ours: 'name_constraint',
  },
  {
    what: 'under a constraint on what is no host name',
    zoo: () => three({ root: constrained([dns('exa mple.org'), dns('example.org')]) }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it compares the end of a text with any text',
  },
  {
    what: 'with a name under constraints that is no host name',
    zoo: () => three({ root: constrained([dns('example.org')]), leaf: { names: [HOST, [2, 'a b.example.org']] } }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it compares the end of a text with any text',
  },
  {
    what: 'under a constraint on part of an address',
    zoo: () => three({ root: constrained([ip('c00002 ffffff')]) }),
    ours: 'name_constraint',
    unlikeOpenssl: 'it looks at constraints only where there is a name for them',
  },
  {
    what: 'with its own constraints, which bind those below it',
    zoo: () => three({ leaf: { ca: true, ...constrained([dns('example.net')]) } }),
    ours: 'valid',
  },
]

function policies(): Uint8Array {
  return extension('2.5.29.32', sequence(sequence(oid('1.2.3.4'))), CRITICAL)
}

function policyConstraints(): Uint8Array {
  return extension('2.5.29.36', sequence(element(0x80, bytes('05'))), CRITICAL)
}

function withMinimum(): Uint8Array {
  return extension(
    '2.5.29.30',
    sequence(element(0xa0, sequence(dns('example.org'), element(0x80, bytes('01'))))),
    CRITICAL,
  )
}

function ask(zoo: Zoo, purpose: PathPurpose = 'server', at = AT): PathResult {
  return validatePath({
    leaf: zoo.leaf.certificate,
    intermediates: (zoo.middle ?? []).map(({ certificate }) => certificate),
    authorities: zoo.trusted.map(({ certificate }) => certificate),
    at,
    purpose,
  })
}

const answerOf = (result: PathResult): string => (result.valid ? 'valid' : result.problem)

const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What `openssl verify` says at its level 2: at least 112 bits everywhere. Its trusted certificates need no root. */
function askOpenssl(zoo: Zoo, purpose: PathPurpose = 'server'): boolean {
  const file = (label: string, certificates: readonly Issued[]): string => {
    const path = join(folder, label)
    writeFileSync(path, certificates.map(({ certificate }) => certificate.toPem()).join(''))
    return path
  }
  const trusted = zoo.trusted.length === 0 ? [] : ['-CAfile', file('trusted.pem', zoo.trusted)]
  const untrusted = (zoo.middle ?? []).length === 0 ? [] : ['-untrusted', file('middle.pem', zoo.middle ?? [])]
  const purposeName = purpose === 'server' ? 'sslserver' : 'sslclient'
  const seconds = String(AT.getTime() / 1000)
  const common = ['-no-CApath', '-no-CAstore', '-partial_chain', '-auth_level', '2', '-attime', seconds]
  const args = ['verify', '-purpose', purposeName, ...common, ...trusted, ...untrusted, file('leaf.pem', [zoo.leaf])]
  return (
    spawnSync('openssl', trusted.length === 0 ? [...args.slice(0, -1), '-no-CAfile', args.at(-1) ?? ''] : args)
      .status === 0
  )
}

describe('a certificate', () => {
  it.each(rows)('$what: $ours', ({ zoo, purpose, ours, unlikeOpenssl }) => {
    const made = zoo()
    const result = ask(made, purpose)
    expect(answerOf(result)).toBe(ours)
    if (result.valid) {
      expect(result.path[0]).toBe(made.leaf.certificate)
      expect(made.trusted.map(({ certificate }) => certificate)).toContain(result.path.at(-1))
    } else {
      expect(result.detail).not.toBe('')
    }
    if (hasOpenssl) expect(askOpenssl(made, purpose)).toBe((ours === 'valid') === (unlikeOpenssl === undefined))
  })

  it('comes with the path that was found, leaf first', () => {
    const zoo = three()
    const all = [zoo.leaf, ...(zoo.middle ?? []), ...zoo.trusted].map(({ certificate }) => certificate)
    expect(ask(zoo)).toEqual({ valid: true, path: all })
  })
})

const certificatesOf = (issued: readonly Issued[]): Certificate[] => issued.map(({ certificate }) => certificate)

describe('hostile sets of intermediates', () => {
  it('that sign each other in a circle lead nowhere', () => {
    const a = issue({ subject: 'a', ca: true })
    const b = issue({ subject: 'b', by: a, ca: true })
    const aByB = issue({ subject: 'a', by: b, ca: true, key: a })
    expect(answerOf(ask({ leaf: leafOf(a), middle: [a, b, aByB], trusted: [root()] }))).toBe('unknown_authority')
  })

  it('that multiply the paths cost a bounded number of signatures', () => {
    // Six levels with five certificates each of one key, all properly signed by the level above: 5^6 paths to nobody.
    const keys = Array.from({ length: 7 }, (_, level) => issue({ subject: `level ${level}`, ca: true }))
    const crossed = keys.slice(0, -1).flatMap((key, level) => {
      const above = keys[level + 1]
      return Array.from({ length: 5 }, () =>
        issue({ subject: `level ${level}`, ca: true, key, ...(above === undefined ? {} : { by: above }) }),
      )
    })
    const first = keys[0]
    if (first === undefined) throw new Error('there are seven')
    expect(answerOf(ask({ leaf: leafOf(first), middle: crossed, trusted: [root()] }))).toBe('too_complex')
  })

  it('of one name and key, renewed over and over, do not multiply', () => {
    const top = root()
    const first = below(top, 'middle')
    const same = Array.from({ length: 25 }, () => issue({ subject: 'middle', by: first, ca: true, key: first }))
    expect(answerOf(ask({ leaf: leafOf(first), middle: [...same, first], trusted: [top] }))).toBe('valid')
    expect(answerOf(ask({ leaf: leafOf(first), middle: same, trusted: [top] }))).toBe('unknown_authority')
  })

  it('of more than thirty are not looked at', () => {
    const { leaf, middle = [], trusted } = three()
    const others = Array.from({ length: 30 }, (_, i) => issue({ subject: `other ${i}` }))
    expect(answerOf(ask({ leaf, middle: [...others.slice(1), ...middle], trusted }))).toBe('valid')
    expect(answerOf(ask({ leaf, middle: [...others, ...middle], trusted }))).toBe('too_complex')
  })

  it('with more names and constraints than can be compared are refused', () => {
    const many = Array.from({ length: 400 }, (_, i) => `host${i}.example.org`)
    const zoo = three({
      root: constrained(many.map((host) => dns(`x${host}`)).concat(dns('example.org'))),
      leaf: { names: many.map((host) => [2, host] as const) },
    })
    expect(answerOf(ask(zoo))).toBe('too_complex')
  })

  it('with a key that kills Node are refused before Node sees it', () => {
    const hostile = CertificateClass.from(
      craft({
        subject: name('middle'),
        issuer: name('root'),
        spki: ecKey('1.2.840.10045.3.1.7', bytes('00')),
        extensions: [extension('2.5.29.19', sequence(element(0x01, bytes('ff'))))],
        validity: sequence(element(0x17, utf8('200101000000Z')), element(0x17, utf8('491231235959Z'))),
      }),
    )
    const { leaf, trusted } = three()
    const question = {
      leaf: leaf.certificate,
      authorities: certificatesOf(trusted),
      at: AT,
      purpose: 'server',
    } as const
    expect(answerOf(validatePath({ ...question, intermediates: [hostile] }))).toBe('malformed')
    expect(answerOf(validatePath({ ...question, leaf: hostile, intermediates: [] }))).toBe('malformed')
    // As an authority, too, which is what somebody might have been talked into trusting.
    expect(answerOf(validatePath({ ...question, intermediates: [], authorities: [hostile] }))).toBe('malformed')
  })

  it('with something unreadable among them still lead to the authority', () => {
    const { leaf, middle = [], trusted } = three()
    const unreadable = CertificateClass.from(
      craft({
        subject: name('middle'),
        validity: sequence(),
        extensions: [extension('2.5.29.19', sequence(element(0x01, bytes('ff'))))],
      }),
    )
    const question = {
      leaf: leaf.certificate,
      authorities: certificatesOf(trusted),
      at: AT,
      purpose: 'server',
    } as const
    const intermediates = [unreadable, ...certificatesOf(middle)]
    expect(answerOf(validatePath({ ...question, intermediates }))).toBe('valid')
    expect(answerOf(validatePath({ ...question, intermediates: [unreadable] }))).toBe('malformed')
  })
})

describe('damaged certificates', () => {
  it('are an answer and never an exception, and no damage makes a path', () => {
    const { leaf, middle = [], trusted } = three()
    const authorities = certificatesOf(trusted)
    const [leafDer, middleDer] = [leaf, ...middle].map(({ certificate }) => certificate.der)
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.nat({ max: 10_000 }),
        fc.integer({ min: 1, max: 255 }),
        (inLeaf, position, change) => {
          const der = Buffer.from((inLeaf ? leafDer : middleDer) ?? [])
          const at = position % der.length
          der.writeUInt8(der.readUInt8(at) ^ change, at)
          let damaged: Certificate
          try {
            damaged = CertificateClass.from(der)
          } catch {
            return
          }
          const result = validatePath({
            leaf: inLeaf ? damaged : leaf.certificate,
            intermediates: inLeaf ? certificatesOf(middle) : [damaged],
            authorities,
            at: AT,
            purpose: 'server',
          })
          expect(result.valid).toBe(false)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it.each([
    { what: 'a subject that is no text', parts: { subject: name(bytes('ff fe')) } },
    { what: 'an issuer that is no text', parts: { issuer: name(bytes('ff fe')) } },
    { what: 'names that are no list', parts: { extensions: [extension('2.5.29.17', bytes('05 00'))] } },
    { what: 'an extension twice', parts: { extensions: [unknown(false), unknown(false)] } },
    {
      what: 'a date that does not exist',
      parts: { validity: sequence(element(0x17, utf8('200230000000Z')), element(0x17, utf8('491231235959Z'))) },
    },
  ])('with $what are malformed', ({ parts }) => {
    const validity = sequence(element(0x17, utf8('200101000000Z')), element(0x17, utf8('491231235959Z')))
    const leaf = CertificateClass.from(craft({ validity, ...parts }))
    const question = {
      leaf,
      intermediates: [],
      authorities: certificatesOf([root()]),
      at: AT,
      purpose: 'server',
    } as const
    expect(answerOf(validatePath(question))).toBe('malformed')
  })
})

describe('validatePath refuses misuse', () => {
  it.each([
    { at: new Date('nonsense'), purpose: 'server', message: '"at" expected a valid Date' },
    { at: '2030-01-01', purpose: 'server', message: '"at" expected a Date' },
    { at: AT, purpose: 'email', message: '"purpose" expected one of' },
  ])('at $at for $purpose', ({ at, purpose, message }) => {
    const { certificate } = root()
    const question = { leaf: certificate, intermediates: [], authorities: [certificate], at, purpose }
    expect(() => validatePath(question as unknown as Parameters<typeof validatePath>[0])).toThrow(message)
  })
})
