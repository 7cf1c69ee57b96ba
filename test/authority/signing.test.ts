// Signing without hooks: what comes out, and what is refused. The defects of the program whose way of working this is, each
// as a test, are marked with "the original".

import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { copyFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import type { CertificateDraft } from '../../src/authority/draft.ts'
import { openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { requireKey } from '../../src/authority/key-policy.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { defineProfile, type Profile, readProfile } from '../../src/authority/profile.ts'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { CsrNotAuthedError } from '../../src/errors.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { DAY_MS, hooksOf, NOW, newRequest, testAuthority } from '../support/test-authority.ts'

const GREEDY = {
  subject: [
    ['CN', 'www.bank.example'],
    ['O', 'Bank'],
  ],
  subjectAltNames: { dns: ['www.bank.example'], email: ['root@bank.example'] },
} as const

describe('a certificate', () => {
  it('has of its request the key, and nothing else', async () => {
    const { authority } = await testAuthority()
    const request = await newRequest(GREEDY)
    const { certificate, chain, certificatePem, chainPem, serialNumber } = await authority.sign({ request })
    expect(certificate.publicKeyFingerprint).toBe(request.publicKeyFingerprint)
    expect(Buffer.from(certificate.der).includes('bank')).toBe(false)
    // A name that says nothing: the hash of the key, since nobody has named its holder.
    expect(certificate.subject.attributes.map(({ type, value }) => [type, value])).toEqual([
      ['CN', request.publicKeyFingerprint.slice('spki-sha256:'.length)],
    ])
    expect(chain.map(({ fingerprint }) => fingerprint)).toEqual([authority.certificate.fingerprint])
    expect(chainPem.startsWith(certificatePem)).toBe(true)
    expect(serialNumber).toBe(certificate.serialNumber)
  })

  it('is named by the caller, or else by the hash that the request came with', async () => {
    const { authority } = await testAuthority()
    const named = await authority.sign({
      request: await newRequest(GREEDY),
      subject: [
        ['CN', 'Ana'],
        ['OU', 'members'],
      ],
    })
    expect(String(named.certificate.subject)).toBe('OU=members,CN=Ana')
    const hashed = await authority.sign({ request: await newRequest(GREEDY), clientHash: 'f00d' })
    expect(String(hashed.certificate.subject)).toBe('CN=f00d')
    const alternative = await authority.sign({ request: await newRequest(), subjectAltNames: { uri: ['urn:uuid:7'] } })
    expect(alternative.certificate.subject.isEmpty).toBe(true)
    expect(alternative.certificate.extensions.find(({ oid }) => oid === '2.5.29.17')?.critical).toBe(true)
  })

  it('takes from a request what its profile says, and checks it', async () => {
    const profile = defineProfile({
      name: 'open',
      names: {
        subject: ['CN'],
        alternatives: ['dns'],
        takenFromRequest: { subject: ['CN'], alternatives: ['dns'] },
      },
      validity: { default: '1d', max: '2d' },
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['clientAuth'],
    })
    const { authority } = await testAuthority({ profiles: [profile], defaultProfile: 'open' })
    const { certificate } = await authority.sign({
      request: await newRequest({ ...GREEDY, subjectAltNames: { dns: ['WWW.Example.ORG'] } }),
    })
    expect(String(certificate.subject)).toBe('CN=www.bank.example')
    expect(certificate.subjectAltNames).toEqual({ dns: ['www.example.org'], ip: [], email: [], uri: [] })
    const wild = await newRequest({ subjectAltNames: { dns: ['*.example.org'] } })
    await expect(authority.sign({ request: wild })).rejects.toMatchObject({ field: 'subjectAltNames' })
  })

  // The original: version 1 with extensions, SHA-1, no key identifiers, constraints that were not critical.
  it('is of version 3, by SHA-256, with key identifiers and critical constraints', async () => {
    const { authority } = await testAuthority()
    const { certificate } = await authority.sign({ request: await newRequest() })
    expect(certificate.version).toBe(3)
    expect(certificate.signatureAlgorithm.name).toBe('ecdsa-with-SHA256')
    expect(certificate.authorityKeyIdentifier).toBe(authority.certificate.subjectKeyIdentifier)
    expect(certificate.extensions.map(({ oid, critical }) => [oid, critical])).toEqual([
      ['2.5.29.19', true],
      ['2.5.29.15', true],
      ['2.5.29.37', false],
      ['2.5.29.14', false],
      ['2.5.29.35', false],
    ])
    expect(new X509Certificate(certificate.der).verify(authority.certificate.publicKey())).toBe(true)
  })

  // The original: the issuer was the issuer of the authority's certificate, and not the authority.
  it('of an authority below another is issued by that one', async () => {
    const { authority } = await testAuthority()
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { request } = await createCertificateRequest({ key: privateKey })
    const { certificate } = await authority.signIntermediate({ request, subject: [['CN', 'Below']] })
    const identity = { certificate, chain: [authority.certificate], privateKey, path: null, warnings: [] }
    const below = await CertificateAuthority.from(identity, { store: 'none', clock: () => NOW })
    const issued = await below.sign({ request: await newRequest() })
    expect(String(issued.certificate.issuer)).toBe('CN=Below')
  })

  it('never outlives its authority, which signs nothing in its last thirty days', async () => {
    const { authority, clock } = await testAuthority({ validity: '100d' })
    const { certificate } = await authority.sign({ request: await newRequest(), validity: '1y' })
    expect(certificate.notAfter).toEqual(authority.certificate.notAfter)
    clock.now = authority.certificate.notAfter.getTime() - 30 * DAY_MS + 1
    const late = authority.sign({ request: await newRequest() })
    await expect(late).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_EXPIRING' })
  })

  it.each(['ca.test', 'CA.Test', ' ca.test '])('is never called what its authority is called: %j', async (name) => {
    const { authority } = await testAuthority()
    const refused = authority.sign({ request: await newRequest(), subject: [['CN', name]] })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field: 'subject' })
    const below = authority.signIntermediate({ request: await newRequest(), subject: [['CN', name]] })
    await expect(below).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field: 'subject' })
    for await (const row of authority.list()) expect.unreachable(row.serial)
  })

  it('does not begin before its authority', async () => {
    const { authority } = await testAuthority()
    const { certificate } = await authority.sign({ request: await newRequest() })
    expect(certificate.notBefore.getTime()).toBeGreaterThanOrEqual(authority.certificate.notBefore.getTime())
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('is not signed by a clock that says %d', async (now) => {
    const made = await testAuthority()
    made.clock.now = now
    await expect(made.authority.sign({ request: await newRequest() })).rejects.toThrow(/clock/)
  })

  it('is not signed before the authority is valid', async () => {
    const { authority, clock } = await testAuthority()
    clock.now = authority.certificate.notBefore.getTime() - 1
    const early = authority.sign({ request: await newRequest() })
    await expect(early).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_NOT_YET_VALID' })
  })
})

describe('a key', () => {
  it('of the authority itself is not certified', async () => {
    const { authority, directory } = await testAuthority()
    const { privateKey } = await openAuthorityDirectory(directory, { clock: () => NOW })
    const { request } = await createCertificateRequest({ key: privateKey })
    await expect(authority.sign({ request })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CSR_KEY_REFUSED',
      message: expect.stringContaining('authority itself'),
    })
  })

  it('that was compromised is never certified again', async () => {
    const { authority } = await testAuthority()
    const request = await newRequest()
    const { serialNumber } = await authority.sign({ request })
    await authority.revoke(serialNumber, { reason: 'key_compromise' })
    const again = authority.sign({ request, subject: [['CN', 'another name']] })
    await expect(again).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CSR_KEY_REFUSED' })
  })

  it.each(['P-384', 'Ed25519', 'RSA-2048'] as const)('of another kind is certified: %s', async (key) => {
    const { authority } = await testAuthority()
    const { certificate } = await authority.sign({ request: await newRequest({ key }) })
    expect(certificate.publicKeyFingerprint).toMatch(/^spki-sha256:/)
  })

  it('of a kind that the library does not make itself is certified all the same: Ed448', async () => {
    const { privateKey } = generateKeyPairSync('ed448')
    const { authority } = await testAuthority({ store: 'none' })
    const folder = await temporaryFolder()
    await writeFile(`${folder}/key.pem`, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const request = openssl(['req', '-new', '-key', `${folder}/key.pem`, '-subj', '/CN=whatever'])
    const { certificate } = await authority.sign({ request })
    expect([certificate.keyType, certificate.publicKeyFingerprint]).toEqual([
      'ed448',
      CertificateRequest.from(request).publicKeyFingerprint,
    ])
  })

  it.each([
    [{ keyType: 'other', keyCurve: null, keySize: null }, 'a key on other'],
    [{ keyType: 'ec', keyCurve: 'secp256k1', keySize: 256 }, 'a key on secp256k1'],
    [{ keyType: 'rsa', keyCurve: null, keySize: 8193 }, 'an RSA key of 8193 bits'],
    [{ keyType: 'rsa', keyCurve: null, keySize: null }, 'an RSA key of null bits'],
  ] as const)('that nobody certifies is refused: %o', async (facts, name) => {
    const { authority } = await testAuthority()
    const { publicKeyFingerprint } = await newRequest()
    const profile = readProfile(BASE)
    expect(() => requireKey({ ...facts, publicKeyFingerprint }, profile, authority.certificate)).toThrow(
      expect.objectContaining({
        code: 'ERR_TLACACOCA_CSR_KEY_REFUSED',
        message: expect.stringContaining(`it is ${name}, and "base" certifies P-256,`),
      }),
    )
  })

  it('that the profile does not want is refused', async () => {
    const profile = { ...BASE, keys: ['Ed25519'] } as const satisfies Profile
    const { authority } = await testAuthority({ profiles: [profile], defaultProfile: 'base' })
    const refused = authority.sign({ request: await newRequest() })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CSR_KEY_REFUSED' })
    await authority.sign({ request: await newRequest({ key: 'Ed25519' }) })
  })
})

const BASE = {
  name: 'base',
  names: { subject: ['CN'] },
  validity: { default: '1d', max: '2d' },
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['clientAuth'],
} as const satisfies Profile

describe('a server', () => {
  const wishes = { profile: 'server', subjectAltNames: { dns: ['example.org'] } }

  it.each<[string, object, string]>([
    ['no name', { subjectAltNames: {} }, 'subjectAltNames'],
    ['a wildcard', { subjectAltNames: { dns: ['*.example.org'] } }, 'subjectAltNames'],
    ['a mailbox', { subjectAltNames: { dns: ['example.org'], email: ['a@example.org'] } }, 'subjectAltNames.email'],
    ['another host in its common name', { subject: [['CN', 'www.bank.example']] }, 'subject'],
    ['more than 398 days', { validity: '399d' }, 'notAfter'],
  ])('is not certified with %s', async (_name, changed, field) => {
    const { authority } = await testAuthority()
    const refused = authority.sign({ request: await newRequest(), ...wishes, ...changed })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field })
  })

  it('is certified for its names, in canonical form', async () => {
    const { authority } = await testAuthority()
    const subjectAltNames = { dns: ['BÜCHER.example', 'example.org.'], ip: ['::FFFF'] }
    const { certificate } = await authority.sign({ request: await newRequest(), profile: 'server', subjectAltNames })
    expect(certificate.subjectAltNames).toMatchObject({ dns: ['xn--bcher-kva.example', 'example.org'], ip: ['::ffff'] })
    expect(certificate.extendedKeyUsage).toEqual(['serverAuth'])
  })
})

describe('a mailbox of Misfin', () => {
  it.each<[string, object, string]>([
    ['no mailbox', { subject: [['CN', 'Ana']], subjectAltNames: { dns: ['mail.example'] } }, 'subject'],
    ['no host', { subject: [['UID', 'ana']] }, 'subjectAltNames'],
    [
      'two hosts',
      { subject: [['UID', 'ana']], subjectAltNames: { dns: ['a.example', 'b.example'] } },
      'subjectAltNames',
    ],
    [
      'two mailboxes',
      {
        subject: [
          ['UID', 'ana'],
          ['UID', 'bo'],
        ],
        subjectAltNames: { dns: ['a.example'] },
      },
      'subject',
    ],
  ])('is not certified with %s', async (_name, wishes, field) => {
    const { authority } = await testAuthority({ defaultProfile: 'misfin-mailbox' })
    const refused = authority.sign({ request: await newRequest(), ...wishes })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field })
  })
})

describe('a profile', () => {
  it.each(['intermediate', 'unheard-of', '', '__proto__'])('called %j is not there to sign by', async (profile) => {
    const { authority } = await testAuthority()
    const refused = authority.sign({ request: await newRequest(), profile })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_PROFILE_UNKNOWN' })
  })

  it.each<[string, object]>([
    ['an authority’s usage', { keyUsage: ['digitalSignature', 'keyCertSign'] }],
    ['no usage', { keyUsage: [] }],
    ['the name of another', { name: 'intermediate' }],
    ['a name in capitals', { name: 'Base' }],
    ['a default beyond its maximum', { validity: { default: '3d', max: '2d' } }],
    ['a purpose that is none', { extendedKeyUsage: ['everything'] }],
    ['a part that does not exist', { key: ['RSA'] }],
    ['an extension that has a name', { extraExtensions: ['nameConstraints'] }],
    ['extensions that the authority writes', { extraExtensions: ['2.5.29.19'] }],
    ['names that it needs and has no place for', { names: { subject: [], requiredSubject: ['CN'] } }],
    ['names taken that it has no place for', { names: { takenFromRequest: { alternatives: ['dns'] } } }],
    ['two days before now', { backdate: '2d' }],
  ])('with %s is refused when it is given', async (_name, changed) => {
    const profiles = [{ ...BASE, ...changed }] as Profile[]
    await expect(testAuthority({ profiles })).rejects.toThrow(/"profiles?/)
  })

  // From June 2027 a year has 366 days.
  it.each<[string, Profile['validity'], number]>([
    ['a year by default and 365 days at most', { default: '1y', max: '365d' }, 365],
    ['365 days by default and a year at least', { default: '365d', max: '2y', min: '1y' }, 366],
  ])('with %s signs within its bounds also over a leap day', async (_name, validity, days) => {
    const at = Date.UTC(2027, 5, 1)
    const { authority } = await testAuthority({ profiles: [{ ...BASE, validity }], clock: () => at })
    const { certificate } = await authority.sign({ request: await newRequest(), profile: BASE.name })
    expect(certificate.notAfter).toEqual(new Date(at + days * DAY_MS))
  })

  it('has the last word', async () => {
    const seen: string[] = []
    const profile: Profile = {
      ...BASE,
      check: (draft, { clientHash }) => {
        seen.push(`${clientHash} ${draft.subject}`)
        if (clientHash === 'bad') throw new Error('not him')
      },
    }
    const { authority } = await testAuthority({ profiles: [profile], defaultProfile: 'base' })
    await authority.sign({ request: await newRequest(), clientHash: 'good' })
    const refused = authority.sign({ request: await newRequest(), clientHash: 'bad' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED' })
    expect(seen).toEqual(['good CN,good', 'bad CN,bad'])
  })
})

describe('the check of a profile', () => {
  const NAMED = { ...BASE, names: { subject: ['CN'], alternatives: ['dns', 'ip'] } } as const

  it('sees the names that are signed, however they were spelled', async () => {
    const profile: Profile = {
      ...NAMED,
      check: ({ subjectAltNames }) => {
        if (subjectAltNames.dns.includes('admin.example.org')) throw new CsrNotAuthedError('not that one')
      },
    }
    const { authority } = await testAuthority({ profiles: [profile], defaultProfile: 'base' })
    for (const name of ['admin.example.org', 'ADMIN.example.org', 'admin.example.org.']) {
      const refused = authority.sign({ request: await newRequest(), subjectAltNames: { dns: [name] } })
      await expect(refused, name).rejects.toThrow('not that one')
    }
    await authority.sign({ request: await newRequest(), subjectAltNames: { dns: ['ana.example.org'] } })
  })

  it.each<[string, (draft: CertificateDraft) => void]>([
    ['the subject', (draft) => Object.assign(draft, { subject: [] })],
    ['a field of it', (draft) => Object.assign(draft.subject[0] ?? {}, { 1: 'root' })],
    ['the names', (draft) => draft.subjectAltNames.dns.push('www.bank.example')],
    ['the uses', (draft) => draft.keyUsage.push('keyCertSign')],
    ['the serial number', (draft) => Object.assign(draft, { serialNumber: '01' })],
  ])('cannot change %s', async (_name, change) => {
    const profile = { ...NAMED, check: (draft: Readonly<CertificateDraft>) => change(draft) }
    const { authority } = await testAuthority({ profiles: [profile], defaultProfile: 'base' })
    const refused = authority.sign({ request: await newRequest(), clientHash: 'f00d' })
    await expect(refused).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED',
      cause: expect.any(TypeError),
    })
  })

  it('cannot change the dates either, which cannot be frozen', async () => {
    const check = (draft: Readonly<CertificateDraft>) => void draft.notAfter.setTime(NOW + 400 * DAY_MS)
    const { authority } = await testAuthority({ profiles: [{ ...NAMED, check }], defaultProfile: 'base' })
    const { certificate, serialNumber } = await authority.sign({ request: await newRequest() })
    expect(certificate.notAfter).toEqual(new Date(NOW + DAY_MS))
    expect((await authority.get(serialNumber))?.notAfter).toBe(NOW + DAY_MS)
  })
})

describe('a type of a subject field', () => {
  it('is there once, in whichever spelling', async () => {
    const profile: Profile = { ...BASE, names: { subject: ['CN', '2.5.4.3'] } }
    const { authority } = await testAuthority({ profiles: [profile], defaultProfile: 'base' })
    const subject = [
      ['CN', 'Ana'],
      ['2.5.4.3', 'root'],
    ] as const
    const refused = authority.sign({ request: await newRequest(), subject })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field: 'subject' })
  })
})

describe('the same request', () => {
  it('sent again within ten minutes gets the same certificate, and a new one after that', async () => {
    const { authority, clock, events } = await testAuthority()
    const request = await newRequest()
    const first = await authority.sign({ request, clientHash: 'f00d' })
    clock.now += 599_000
    expect((await authority.sign({ request, clientHash: 'f00d' })).serialNumber).toBe(first.serialNumber)
    expect((await authority.sign({ request, clientHash: 'beef' })).serialNumber).not.toBe(first.serialNumber)
    clock.now += 2000
    expect((await authority.sign({ request, clientHash: 'f00d' })).serialNumber).not.toBe(first.serialNumber)
    expect(events.filter(({ kind }) => kind === 'issued')).toHaveLength(3)
  })

  it('sent twenty times at once gets one certificate', async () => {
    const { authority } = await testAuthority()
    const der = (await newRequest()).der
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => authority.sign({ request: der })))
    const serials = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.serialNumber] : []))
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_BUSY' })
    }
    expect(new Set(serials).size).toBe(1)
    let rows = 0
    for await (const _row of authority.list()) rows++
    expect(rows).toBe(1)
  })

  it('whose certificate was revoked gets another one, if nobody says no', async () => {
    const { authority } = await testAuthority()
    const request = await newRequest()
    const { serialNumber } = await authority.sign({ request })
    await authority.revoke(serialNumber, { reason: 'superseded' })
    expect((await authority.sign({ request })).serialNumber).not.toBe(serialNumber)
  })

  it('is asked about by the hooks each time', async () => {
    let allowed = true
    const { authority } = await testAuthority({
      hooks: hooksOf({ authorize: () => (allowed ? { allow: true } : undefined) }),
    })
    const request = await newRequest()
    await authority.sign({ request })
    allowed = false
    await expect(authority.sign({ request })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CSR_NOT_AUTHORIZED' })
  })
})

describe('a serial number', () => {
  // The original: 160 bits, which may need 21 octets; of a hash of the time.
  it('is 17 octets, positive, and random', async () => {
    const { authority } = await testAuthority({ store: 'none' })
    const serials = new Set<string>()
    for (let count = 0; count < 50; count++) {
      const { serialNumber } = await authority.sign({ request: await newRequest() })
      expect(serialNumber).toMatch(/^(?!00)[0-7][0-9a-f]{33}$/)
      serials.add(serialNumber)
    }
    expect(serials.size).toBe(50)
  })

  it.each<[string, unknown, string]>([
    ['a number', 2n ** 64n - 1n, 'ffffffffffffffff'],
    ['hex', '0a1b2c3d4e5f60718293', '0a1b2c3d4e5f60718293'],
    ['hex of half an octet', 'a1b2c3d4e5f607182', '0a1b2c3d4e5f607182'],
    ['octets with zeros in front', Uint8Array.of(0, 0, 1, 2, 3, 4, 5, 6, 7, 8), '0102030405060708'],
    ['the longest', Buffer.from(`7f${'ff'.repeat(19)}`, 'hex'), `7f${'ff'.repeat(19)}`],
  ])('of a generator of your own is taken: %s', async (_name, made, expected) => {
    const { authority } = await testAuthority({ serialNumberGenerator: async () => made as bigint })
    expect((await authority.sign({ request: await newRequest() })).serialNumber).toBe(expected)
  })

  it.each<[string, unknown]>([
    ['zero', 0n],
    ['negative', -(2n ** 70n)],
    ['63 bits', 2n ** 56n - 1n],
    ['a JavaScript number', 2 ** 53],
    ['twenty octets that need a sign', Buffer.alloc(20, 0xff)],
    ['21 octets', Buffer.alloc(21, 1)],
    ['capitals', 'ABCDEF0123456789'],
    ['a text', 'serial'],
    ['nothing', undefined],
    ['no octets', new Uint8Array(0)],
  ])('of a generator of your own is refused: %s', async (_name, made) => {
    const { authority } = await testAuthority({ serialNumberGenerator: () => made as bigint })
    const refused = authority.sign({ request: await newRequest() })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID' })
  })

  it('is made of nothing less than the octets that were asked for', async () => {
    const { authority } = await testAuthority({ random: (size) => Buffer.alloc(size - 1, 1) })
    const refused = authority.sign({ request: await newRequest() })
    await expect(refused).rejects.toThrow(new RangeError('"random" expected 17 octets to be made, got 16'))
    for await (const row of authority.list()) expect.unreachable(row.serial)
  })

  it('is never used twice', async () => {
    const { authority } = await testAuthority({ serialNumberGenerator: () => 2n ** 64n })
    await authority.sign({ request: await newRequest() })
    const refused = authority.sign({ request: await newRequest() })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID', reason: 'taken' })
  })

  it('that was taken by chance is made anew', async () => {
    let calls = 0
    const random = (size: number): Uint8Array => Buffer.alloc(size, calls++ < 2 ? 1 : calls)
    const { authority } = await testAuthority({ random })
    const first = await authority.sign({ request: await newRequest() })
    const second = await authority.sign({ request: await newRequest() })
    expect(second.serialNumber).not.toBe(first.serialNumber)
  })
})

describe('an authority', () => {
  it('without a store signs, and says of the rest that it cannot', async () => {
    const { authority } = await testAuthority({ store: 'none' })
    const { serialNumber } = await authority.sign({ request: await newRequest() })
    for (const act of [
      () => authority.revoke(serialNumber, { reason: 'superseded' }),
      () => authority.hold(serialNumber),
      () => authority.crl(),
      () => authority.get(serialNumber),
      async () => authority.revocationChecker(),
      async () => authority.list(),
      async () => authority.audit(),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_NO_STORE' })
    }
  })

  it('does nothing after it was closed', async () => {
    const { authority } = await testAuthority()
    await authority.close()
    await authority.close()
    const refused = authority.sign({ request: await newRequest() })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_CLOSED' })
    expect(() => authority.list()).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_AUTHORITY_CLOSED' }))
  })

  it('is booted once it can sign, and not opened if that fails', async () => {
    const issued: string[] = []
    const request = await newRequest()
    const { directory } = await testAuthority({
      onBoot: async (authority) => void issued.push((await authority.sign({ request })).serialNumber),
    })
    expect(issued).toHaveLength(1)
    const failing = CertificateAuthority.open(directory, {
      clock: () => NOW,
      onBoot: () => {
        throw new Error('not today')
      },
    })
    await expect(failing).rejects.toThrow('not today')
  })

  it('does not take the store of another one', async () => {
    const { directory, authority } = await testAuthority()
    await authority.close()
    const other = await testAuthority()
    await other.authority.close()
    await copyFile(`${directory}/ca.db`, `${other.directory}/ca.db`)
    await expect(other.reopen()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_MISMATCH' })
  })

  it('lists what ends by an instant', async () => {
    const { authority } = await testAuthority()
    const listed = async (expiresBy: Date): Promise<string[]> => {
      const serials: string[] = []
      for await (const { serial } of authority.list({ expiresBy })) serials.push(serial)
      return serials
    }
    const [short, long] = [
      await authority.sign({ request: await newRequest(), validity: '2d' }),
      await authority.sign({ request: await newRequest(), validity: '3d' }),
    ]
    expect(await listed(new Date(NOW + 2 * DAY_MS - 1))).toEqual([])
    expect(await listed(new Date(NOW + 2 * DAY_MS))).toEqual([short.serialNumber])
    expect(await listed(new Date(NOW + 3 * DAY_MS))).toEqual([short.serialNumber, long.serialNumber])
    for (const wrong of [new Date(Number.NaN), NOW, '2027-01-03']) {
      expect(() => authority.list({ expiresBy: wrong as Date })).toThrow(/^"expiresBy" expected/)
    }
  })

  it.each([null, 'none', 7])('is not opened with %j for options', async (options) => {
    const { directory } = await testAuthority()
    const opening = CertificateAuthority.open(directory, options as unknown as object)
    await expect(opening).rejects.toThrow(TypeError)
    await expect(opening).rejects.toThrow(/^"options" expected an object, got /)
  })

  it.each<[string, object]>([
    ['an option that does not exist', { hook: () => null }],
    ['no function for hooks', { hooks: {} }],
    ['no store', { store: true }],
    ['an unknown default', { defaultProfile: 'unheard-of' }],
    ['two profiles of one name', { profiles: [BASE, BASE] }],
  ])('refuses %s', async (_name, options) => {
    await expect(testAuthority(options)).rejects.toThrow(TypeError)
  })

  it.each<[string, object]>([
    ['a store', { store: 5 }],
    ['a validity of its lists', { crlValidityMs: 1 }],
    ['a validity of lists, and without a store,', { crlValidityMs: 1, store: 'none' }],
  ])('is not created with %s that is none', async (_name, options) => {
    const directory = join(await temporaryFolder(), 'ca')
    const wanted = { subject: [['CN', 'ca.test']], dangerouslyUnencrypted: true, ...options } as const
    await expect(CertificateAuthority.create(directory, wanted)).rejects.toThrow(/^"(?:store|crlValidityMs)" expected/)
    await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('knows a serial number in every spelling in which it is shown', async () => {
    const { authority } = await testAuthority()
    const { serialNumber } = await authority.sign({ request: await newRequest() })
    const colons = serialNumber.toUpperCase().replace(/..(?!$)/g, '$&:')
    for (const spelling of [serialNumber, colons, `00:${colons}`]) {
      expect((await authority.get(spelling))?.serial).toBe(serialNumber)
    }
    expect(await authority.get('no number')).toBeNull()
  })

  it('without a directory needs to be told of a store', async () => {
    const { directory } = await testAuthority()
    const identity = { ...(await openAuthorityDirectory(directory, { clock: () => NOW })), path: null }
    await expect(CertificateAuthority.from(identity)).rejects.toThrow(/"store"/)
    const authority = await CertificateAuthority.from(identity, { store: new MemoryIssuedStore(), clock: () => NOW })
    expect(CertificateAuthority.is(authority)).toBe(true)
    expect(CertificateAuthority.is({ ...authority })).toBe(false)
    expect((await authority.sign({ request: (await newRequest()).toPem() })).profile).toBe('client-identity')
  })

  it.each<[string, object]>([
    ['a hash with a slash', { clientHash: 'a/b' }],
    ['an empty hash', { clientHash: '' }],
    ['a long hash', { clientHash: 'a'.repeat(129) }],
    ['a part that does not exist', { subjects: [] }],
    ['no request', { request: 7 }],
    ['a peer that came from no handshake', { requester: { peer: { fingerprint: `sha256:${'ab'.repeat(32)}` } } }],
    ['an address that is no text', { requester: { address: 7 } }],
  ])('signs nothing for %s', async (_name, changed) => {
    const { authority } = await testAuthority()
    const request = CertificateRequest.from((await newRequest()).der)
    await expect(authority.sign({ request, ...changed })).rejects.toThrow(/^"/)
  })
})
