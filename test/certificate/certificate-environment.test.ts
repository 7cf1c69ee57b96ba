import { execFileSync, spawn } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import {
  type CertificateEnvironmentOptions,
  certificateEnvironment,
  scriptEnvironment,
} from '../../src/certificate/certificate-environment.ts'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import type { Peer } from '../../src/certificate/peer.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { bytes, element, oid, sequence, utf8 } from '../support/crafted-certificates.ts'
import { issue } from '../support/issued-certificates.ts'
import { fakePeer } from '../support/peer.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { vectorPem } from '../support/vectors.ts'

const AT = new Date('2030-06-01T12:00:00Z')
const dates = { from: '20300101000000Z', to: '20301231235959Z' }
const club = issue({ subject: 'club', ca: true })
const ana = issue({ subject: 'ana', by: club, ca: false, serial: bytes('01 00 00 00 00 00 00 00 00'), ...dates })
const peer = fakePeer(ana.certificate)
const hex = ana.certificate.fingerprint.slice('sha256:'.length)

/** A self-signed certificate of somebody with this name. */
const named = (subject: string): Peer => fakePeer(issue({ subject, ca: false }).certificate)

describe('the environment of a certificate', () => {
  it('has what the servers of the field give to their scripts', () => {
    expect(certificateEnvironment(peer, { at: AT, tlsCipher: 'TLS_AES_128_GCM_SHA256' })).toEqual({
      AUTH_TYPE: 'CERTIFICATE',
      REMOTE_USER: 'ana',
      TLS_CLIENT_HASH: `SHA256:${hex.toUpperCase()}`,
      TLS_CLIENT_HASH_B64: `${Buffer.from(hex, 'hex').toString('base64url')}=`,
      TLS_CLIENT_SUBJECT: 'CN=ana',
      TLS_CLIENT_ISSUER: 'CN=club',
      TLS_CLIENT_SERIAL_NUMBER: '18446744073709551616',
      TLS_CLIENT_NOT_BEFORE: '2030-01-01T00:00:00Z',
      TLS_CLIENT_NOT_AFTER: '2030-12-31T23:59:59Z',
      TLS_CLIENT_AUTHORISED: '0',
      TLS_VERSION: 'TLSv1.3',
      TLS_CIPHER: 'TLS_AES_128_GCM_SHA256',
    })
  })

  it.each<[CertificateEnvironmentOptions, object]>([
    [{ hashStyle: 'prefixed' }, { TLS_CLIENT_HASH: `SHA256:${hex}` }],
    [{ hashStyle: 'hex' }, { TLS_CLIENT_HASH: hex }],
    [{ hashStyle: 'hex-upper' }, { TLS_CLIENT_HASH: hex.toUpperCase() }],
    [{ hashStyle: 'canonical' }, { TLS_CLIENT_HASH: ana.certificate.fingerprint }],
    [{ remoteUser: 'common_name' }, { REMOTE_USER: 'ana' }],
    [{ remoteUser: 'subject' }, { REMOTE_USER: 'CN=ana' }],
    [{ authType: 'Certificate' }, { AUTH_TYPE: 'Certificate' }],
    [{ tlsVersion: 'TLSv1.2' }, { TLS_VERSION: 'TLSv1.2' }],
  ])('is spelled by %j as %j', (options, expected) => {
    expect(certificateEnvironment(peer, options)).toEqual({ ...certificateEnvironment(peer), ...expected })
  })

  it('has a hash that leads back to the certificate, in each spelling', () => {
    for (const hashStyle of ['prefixed-upper', 'prefixed', 'hex', 'colons', 'base64url', 'openssh'] as const) {
      const { TLS_CLIENT_HASH, TLS_CLIENT_HASH_B64 } = certificateEnvironment(peer, { hashStyle })
      expect(parseFingerprint(String(TLS_CLIENT_HASH))).toBe(peer.fingerprint)
      expect(parseFingerprint(String(TLS_CLIENT_HASH_B64))).toBe(peer.fingerprint)
    }
  })

  it('tells a whole subject', () => {
    const several = fakePeer(vectorPem('names'))
    const { TLS_CLIENT_SUBJECT, REMOTE_USER } = certificateEnvironment(several, { remoteUser: 'subject' })
    expect(TLS_CLIENT_SUBJECT).toBe(several.certificate.subject.toString())
    expect(REMOTE_USER).toBe(TLS_CLIENT_SUBJECT)
  })
})

describe('nobody', () => {
  it('has nothing, and says so of each variable', () => {
    const nobody = certificateEnvironment(null)
    expect(Object.keys(nobody).sort()).toEqual(Object.keys(certificateEnvironment(peer)).sort())
    expect(Object.values(nobody).filter((value) => value !== undefined)).toEqual([])
  })

  it('has a connection all the same', () => {
    const env = certificateEnvironment(null, { tlsVersion: 'TLSv1.3', tlsCipher: 'TLS_AES_128_GCM_SHA256' })
    expect(JSON.parse(JSON.stringify(env))).toEqual({ TLS_VERSION: 'TLSv1.3', TLS_CIPHER: 'TLS_AES_128_GCM_SHA256' })
  })

  it.each([undefined, {}, 'ana', true, ana.certificate, { ...peer, certificate: ana.certificate }])(
    'is not %o: what is no peer is refused',
    (value) => {
      expect(() => certificateEnvironment(value as never)).toThrow(/^"peer" expected a Peer or null/)
      expect(() => scriptEnvironment({}, value as never)).toThrow(/^"peer" expected a Peer or null/)
    },
  )
})

describe('a stranger', () => {
  // A name that was cut or escaped would be somebody else's.
  it.each([
    ['NUL', 'ana\0'],
    ['a line end', 'ana\nTLS_CLIENT_AUTHORISED=1'],
    ['a carriage return', 'ana\r'],
    ['a tab', 'a\tna'],
    ['an escape for terminals', 'ana\u001b[2J'],
    ['an 8-bit escape', 'ana\u009b2J'],
    ['DEL', 'ana\u007f'],
    ['a line separator', 'ana\u2028'],
    ['an override of direction', '\u202eana'],
    ['an isolate', '\u2066ana'],
    ['an overlong name', 'a'.repeat(1025)],
    ['a name that is overlong in bytes', 'ü'.repeat(513)],
    ['no name', ''],
  ])('cannot bring in %s', (_, subject) => {
    const env = certificateEnvironment(named(subject))
    expect(env.REMOTE_USER).toBeUndefined()
    expect(env.TLS_CLIENT_HASH).toMatch(/^SHA256:[0-9A-F]{64}$/)
    expect(Object.values(env).join('')).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u)
  })

  it.each([
    'Ana María',
    'آنا',
    'a\u200cna',
    '安娜',
    '\u{1f469}\u200d\u{1f680}',
    'CN=admin',
    'a=b',
    '$(id)',
    '-n',
    ' ana ',
    'a'.repeat(1024),
  ])('has the name %j as it is', (subject) => {
    expect(certificateEnvironment(named(subject)).REMOTE_USER).toBe(subject)
  })

  it('cannot hide a second name in the first', () => {
    const { TLS_CLIENT_SUBJECT } = certificateEnvironment(named('ana,O=Club\n'))
    expect(TLS_CLIENT_SUBJECT).toBe('CN=ana\\,O=Club\\0a')
  })

  it('is not authorised by being called like somebody who is', () => {
    const { TLS_CLIENT_AUTHORISED } = certificateEnvironment(named('ana'), {
      issuedBy: new TrustStore([club.certificate]),
    })
    expect(TLS_CLIENT_AUTHORISED).toBe('0')
  })

  it('has no serial number that takes long to write', () => {
    const long = fakePeer(issue({ serial: Buffer.alloc(50_000, 0x11), ca: false }).certificate)
    expect(certificateEnvironment(long).TLS_CLIENT_SERIAL_NUMBER).toBeUndefined()
    const negative = fakePeer(issue({ serial: bytes('ff 7f'), ca: false }).certificate)
    expect(certificateEnvironment(negative).TLS_CLIENT_SERIAL_NUMBER).toBe('-129')
    const forty = fakePeer(issue({ serial: Buffer.alloc(40, 0x11), ca: false }).certificate)
    expect(certificateEnvironment(forty).TLS_CLIENT_SERIAL_NUMBER).toBe(BigInt(`0x${'11'.repeat(40)}`).toString())
  })

  it('has no dates and no names where they cannot be read', () => {
    const badDate = fakePeer(issue({ ca: false, to: '20301331235959Z' }).certificate)
    expect(certificateEnvironment(badDate, { issuedBy: new TrustStore([club.certificate]) })).toMatchObject({
      AUTH_TYPE: 'CERTIFICATE',
      TLS_CLIENT_HASH: expect.stringMatching(/^SHA256:/),
      TLS_CLIENT_NOT_BEFORE: undefined,
      TLS_CLIENT_NOT_AFTER: undefined,
      TLS_CLIENT_AUTHORISED: '0',
    })
    const claimed = fakePeer(badDate.certificate, { issuance: 'issued' })
    expect(certificateEnvironment(claimed).TLS_CLIENT_AUTHORISED).toBe('0')
    const badName = fakePeer(issue({ ca: false, subjectDer: sequence(element(0x31)) }).certificate)
    expect(certificateEnvironment(badName)).toMatchObject({ REMOTE_USER: undefined, TLS_CLIENT_SUBJECT: undefined })
  })

  it('without a common name has no user', () => {
    const uid = sequence(oid('0.9.2342.19200300.100.1.1'), element(0x0c, utf8('ana')))
    const mailbox = fakePeer(issue({ ca: false, subjectDer: sequence(element(0x31, uid)) }).certificate)
    expect(certificateEnvironment(mailbox)).toMatchObject({ REMOTE_USER: undefined, TLS_CLIENT_SUBJECT: 'UID=ana' })
  })
})

describe('TLS_CLIENT_AUTHORISED', () => {
  const trust = new TrustStore([club.certificate], { at: AT })
  const authorised = (shown: Peer, options: CertificateEnvironmentOptions = {}) =>
    certificateEnvironment(shown, { at: AT, ...options }).TLS_CLIENT_AUTHORISED

  it.each([
    ['issued', '1'],
    ['unissued', '0'],
    ['not_checked', '0'],
  ] as const)('of a certificate that the handshake found %s is %s', (issuance, expected) => {
    expect(authorised(fakePeer(ana.certificate, { issuance }))).toBe(expected)
  })

  it('is judged by the authorities that are named, whatever the handshake found', () => {
    expect(authorised(peer, { issuedBy: trust })).toBe('1')
    expect(authorised(fakePeer(ana.certificate, { issuance: 'unissued' }), { issuedBy: trust })).toBe('1')
    const other = fakePeer(issue({ subject: 'ana', ca: false }).certificate, { issuance: 'issued' })
    expect(authorised(other, { issuedBy: trust })).toBe('0')
  })

  it('ends with the certificate, on connections that are open', () => {
    const issued = fakePeer(ana.certificate, { issuance: 'issued' })
    for (const options of [{}, { issuedBy: trust }]) {
      expect(authorised(issued, options)).toBe('1')
      expect(authorised(issued, { ...options, at: new Date('2031-01-01T00:00:00Z') })).toBe('0')
      expect(authorised(issued, { ...options, at: new Date('2029-12-31T23:59:59Z') })).toBe('0')
    }
  })
})

describe('the environment of a script', () => {
  const stale = {
    AUTH_TYPE: 'stale',
    REMOTE_USER: 'stale',
    REMOTE_IDENT: 'stale',
    TLS_CLIENT_HASH: 'stale',
    TLS_CLIENT_VERIFIED: 'stale',
    TLS_CLIENT_SUBJECT_CN: 'stale',
    TLS_CIPHER: 'stale',
    TLS_CIPHER_STRENGTH: 'stale',
    TLS_VERSION: 'stale',
    SSL_CLIENT_S_DN: 'stale',
    SSL_PROTOCOL: 'stale',
    tls_client_hash: 'stale',
    Remote_User: 'stale',
    'TLS_CLIENT_\nX': 'stale',
  }
  const base = { PATH: '/usr/bin:/bin', QUERY_STRING: 'a%20b', MY_TLS_CLIENT_HASH: 'mine', REMOTE_ADDR: '192.0.2.1' }

  it('keeps what is not about a client, and nothing that is', () => {
    expect(scriptEnvironment({ ...base, ...stale }, null)).toEqual(base)
    expect(scriptEnvironment({ ...stale, ...base }, peer)).toEqual({
      ...base,
      ...JSON.parse(JSON.stringify(certificateEnvironment(peer))),
    })
    expect(scriptEnvironment({ GONE: undefined, ...base }, null)).toEqual(base)
  })

  it('changes nothing in what it is given, and gives everybody one of their own', () => {
    const given = Object.freeze({ ...base, ...stale })
    const first = scriptEnvironment(given, peer)
    expect(given).toEqual({ ...base, ...stale })
    first.REMOTE_USER = 'somebody'
    expect(scriptEnvironment(given, peer).REMOTE_USER).toBe('ana')
  })

  it('takes the name that every object has for a variable like others', () => {
    const odd = JSON.parse('{"__proto__": "x"}')
    expect(Object.entries(scriptEnvironment(odd, null))).toEqual([['__proto__', 'x']])
  })

  it.each([
    ['no object', 'PATH=/bin'],
    ['null', null],
    ['a list', ['PATH=/bin']],
    ['a number', { PORT: 1965 }],
    ['an object', { PATH: {} }],
    ['NUL in a value', { X: 'a\0TLS_CLIENT_HASH=b' }],
    ['NUL in a name', { 'X\0': 'a' }],
    ['an equals sign in a name', { 'TLS_CLIENT_HASH=a;X': 'a', 'X=TLS_CLIENT_HASH': 'a' }],
    ['an empty name', { '': 'a' }],
  ])('refuses %s', (_, given) => {
    expect(() => scriptEnvironment(given as never, null)).toThrow(/^"base" expected/)
  })

  it('says nothing of a value that it refuses', () => {
    expect(() => scriptEnvironment({ KEY: 'hunter2\0' }, null)).toThrow(expect.not.stringContaining('hunter2'))
  })
})

it.each([
  [{ hashStyle: 'sha1' }, 'hashStyle'],
  [{ remoteUser: 'cn' }, 'remoteUser'],
  [{ authType: 'certificate' }, 'authType'],
  [{ issuedBy: [club.certificate] }, 'issuedBy'],
  [{ at: '2030-01-01' }, 'at'],
  [{ at: new Date(Number.NaN) }, 'at'],
  [{ tlsVersion: 'TLSv1.1' }, 'tlsVersion'],
  [{ tlsCipher: 'A\nB' }, 'tlsCipher'],
  [{ tlsCipher: '' }, 'tlsCipher'],
  [{ style: 'hex' }, 'options'],
])('refuses the options %o', (options, argument) => {
  for (const shown of [peer, null]) {
    expect(() => certificateEnvironment(shown, options as never)).toThrow(`"${argument}"`)
    expect(() => scriptEnvironment({}, shown, options as never)).toThrow(`"${argument}"`)
  }
})

// What counts is what a script really sees, so it is asked.
describe.skipIf(process.platform === 'win32')('a script', () => {
  /** The variables that a script prints, run with that environment. */
  async function seenBy(env: NodeJS.ProcessEnv): Promise<Map<string, string>> {
    const script = join(await temporaryFolder(), 'env.sh')
    await writeFile(script, '#!/bin/sh\nexec env -0\n')
    await chmod(script, 0o700)
    const printed = await text(spawn(script, { env, stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
    return new Map(
      printed
        .split('\0')
        .filter((line) => line !== '')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  }

  const ours = (seen: Map<string, string>) =>
    [...seen].filter(([key]) => /^(?:TLS|SSL)_|^AUTH_TYPE$|^REMOTE_/i.test(key)).sort()
  const inherited = {
    PATH: '/usr/bin:/bin',
    AUTH_TYPE: 'CERTIFICATE',
    REMOTE_USER: 'the one before',
    TLS_CLIENT_HASH: 'stale',
    TLS_CLIENT_HASH_B64: 'stale',
    TLS_CLIENT_AUTHORISED: '1',
    TLS_CIPHER: 'stale',
  }

  it('sees what is known of its client', async () => {
    const seen = await seenBy(scriptEnvironment(inherited, named('Ana María')))
    expect(seen.get('REMOTE_USER')).toBe('Ana María')
    expect(seen.get('TLS_CLIENT_HASH')).toMatch(/^SHA256:[0-9A-F]{64}$/)
    expect(seen.get('TLS_CLIENT_AUTHORISED')).toBe('0')
    expect(seen.has('TLS_CIPHER')).toBe(false)
  })

  it('sees nothing of the client before, in either way to make an environment', async () => {
    expect(ours(await seenBy(inherited))).toHaveLength(6) // they would be seen
    expect(ours(await seenBy(scriptEnvironment(inherited, null)))).toEqual([])
    expect(ours(await seenBy({ ...inherited, ...certificateEnvironment(null) }))).toEqual([])
    // One whose name must not be passed on does not get the name of the one before.
    for (const env of [
      scriptEnvironment(inherited, named('x\ny')),
      { ...inherited, ...certificateEnvironment(named('x\ny')) },
    ]) {
      const seen = await seenBy(env)
      expect(seen.has('REMOTE_USER')).toBe(false)
      expect(seen.get('TLS_CLIENT_AUTHORISED')).toBe('0')
      expect(seen.get('TLS_CLIENT_HASH')).toMatch(/^SHA256:/)
    }
  })

  it('sees nothing of what the server itself was started with', () => {
    const marked = { ...process.env, TLS_CLIENT_HASH: 'the shell', REMOTE_USER: 'the shell' }
    const seen = execFileSync('/bin/sh', ['-c', 'env'], { env: scriptEnvironment(marked, null), encoding: 'utf8' })
    expect(seen).not.toContain('the shell')
  })
})
