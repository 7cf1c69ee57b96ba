import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { CertificateDraft } from '../../src/authority/draft.ts'
import { type Authorization, type IssuedCertificate, SigningHooks } from '../../src/authority/hooks.ts'
import type { CompleteOutcome, IssuedNotice } from '../../src/authority/issued-store.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { defineProfile } from '../../src/authority/profile.ts'
import type { SubjectAltNames } from '../../src/certificate/extensions.ts'
import { CsrNotAuthedError, StoreError } from '../../src/errors.ts'
import { deferred } from '../../src/internal/deferred.ts'
import { altNames } from '../support/crafted-certificates.ts'
import { craftRequest, extensionRequest } from '../support/hostile-requests.ts'
import { issue } from '../support/issued-certificates.ts'
import { rowFor } from '../support/issued-rows.ts'
import { DAY_MS, hooksOf, NOW, newRequest, testAuthority } from '../support/test-authority.ts'

const TAKING = defineProfile({
  name: 'taking',
  names: { subject: ['CN'], alternatives: ['dns'], takenFromRequest: { alternatives: ['dns'] } },
  validity: { default: '1d', max: '2d' },
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['clientAuth'],
})

describe('authorize', () => {
  it('says no by default', async () => {
    const { authority, events } = await testAuthority({ hooks: (context) => new SigningHooks(context) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toBeInstanceOf(CsrNotAuthedError)
    expect(events).toMatchObject([{ kind: 'refused', profile: 'client-identity', clientHash: null }])
    for await (const row of authority.list()) expect.unreachable(row.serial)
  })

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['null', () => null],
    ['true, of which nobody knows what it means', () => true],
    ['false', () => false],
    ['an object without a yes', () => ({})],
    ['a word for a yes', () => ({ allow: 'true' })],
    ['a no', () => ({ allow: false })],
    ['a promise of nothing', async () => undefined],
    ['a list', () => [{ allow: true }]],
  ])('that answers %s is a no', async (_name, authorize) => {
    const { authority } = await testAuthority({ hooks: hooksOf({ authorize: authorize as () => Authorization }) })
    const refused = authority.sign({ request: await newRequest() })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CSR_NOT_AUTHORIZED' })
  })

  it.each<[string, () => never]>([
    [
      'refuses',
      () => {
        throw new CsrNotAuthedError('not today')
      },
    ],
    [
      'cannot ask',
      () => {
        throw new StoreError('ERR_TLACACOCA_STORE_FAILED', 'no members')
      },
    ],
  ])('that %s is passed on as it is', async (_name, authorize) => {
    const { authority } = await testAuthority({ hooks: hooksOf({ authorize }) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toThrow(/not today|no members/)
  })

  it('that fails is told from one that refuses', async () => {
    const authorize = (): never => {
      throw new TypeError('members is undefined')
    }
    const { authority } = await testAuthority({ hooks: hooksOf({ authorize }) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED',
      reason: 'authorize',
      cause: expect.any(TypeError),
    })
  })

  it.each([
    ['10d', 10],
    [1, 365],
    ['36h', 1.5],
  ] as const)('sets the validity: %j', async (validity, days) => {
    const { authority } = await testAuthority({ hooks: hooksOf({ authorize: () => validity }) })
    const { certificate } = await authority.sign({ request: await newRequest() })
    expect(certificate.notAfter).toEqual(new Date(NOW + days * DAY_MS))
    expect(certificate.notBefore).toEqual(new Date(NOW - 300_000))
  })

  it('does so within the bounds of the profile, and is not asked by whoever wants more', async () => {
    for (const validity of ['2y', '1s', '59s']) {
      const { authority } = await testAuthority({ hooks: hooksOf({ authorize: () => validity }) })
      const refused = authority.sign({ request: await newRequest(), validity: '1d' })
      await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field: 'notAfter' })
    }
  })

  it.each<[string, object, string]>([
    ['no duration', { validity: 'for ever' }, 'validity'],
    ['a negative duration', { validity: -1 }, 'validity'],
    ['a subject that is a text', { subject: 'CN=Ana' }, 'subject'],
    ['a subject of numbers', { subject: [1] }, 'subject'],
    ['a text in place of a list of names', { subjectAltNames: { uri: 'urn:a' } }, 'subjectAltNames'],
    ['names of an unknown kind', { subjectAltNames: { URI: ['urn:a:b'] } }, 'subjectAltNames'],
    ['no names but a text', { subjectAltNames: 'urn:a:b' }, 'subjectAltNames'],
  ])('that answers nonsense gets nothing signed: %s', async (_name, answer, field) => {
    const authorize = (): Authorization => ({ allow: true, ...answer })
    const { authority } = await testAuthority({ hooks: hooksOf({ authorize }) })
    const refused = authority.sign({ request: await newRequest() })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_POLICY', field })
  })

  it('names the holder, whatever the caller or the request says', async () => {
    const authorize = () =>
      ({ allow: true, subject: [['CN', 'Ana']], subjectAltNames: { uri: ['urn:uuid:1'] } }) as const
    const { authority } = await testAuthority({ hooks: hooksOf({ authorize }) })
    const request = await newRequest({ subject: [['CN', 'root']], subjectAltNames: { uri: ['urn:uuid:0'] } })
    const { certificate } = await authority.sign({ request, subject: [['CN', 'caller']] })
    expect(String(certificate.subject)).toBe('CN=Ana')
    expect(certificate.subjectAltNames.uri).toEqual(['urn:uuid:1'])
  })

  it('sees the names of a request as they would be certified, so that no other spelling gets by', async () => {
    const seen: unknown[] = []
    const authorize = (names: SubjectAltNames): Authorization => {
      seen.push(names)
      return names.dns.includes('admin.example.org') ? undefined : { allow: true }
    }
    const { authority } = await testAuthority({
      profiles: [TAKING],
      defaultProfile: 'taking',
      hooks: hooksOf({ authorize }),
    })
    const names = altNames([2, 'ADMIN.Example.ORG.'], [2, 'admin.example.org'], [1, 'Ana@Example.ORG'])
    const request = craftRequest({ attributes: [extensionRequest(names)] })
    await expect(authority.sign({ request })).rejects.toBeInstanceOf(CsrNotAuthedError)
    expect(seen).toEqual([{ dns: ['admin.example.org'], ip: [], email: ['Ana@example.org'], uri: [] }])
  })

  it('sees what is no name as it is, and no profile lets it through', async () => {
    const seen: string[] = []
    const authorize = ({ dns }: SubjectAltNames): Authorization => {
      seen.push(...dns)
      return { allow: true }
    }
    const { authority } = await testAuthority({
      profiles: [TAKING],
      defaultProfile: 'taking',
      hooks: hooksOf({ authorize }),
    })
    const request = craftRequest({ attributes: [extensionRequest(altNames([2, 'a..example.org']))] })
    await expect(authority.sign({ request })).rejects.toMatchObject({ field: 'subjectAltNames' })
    expect(seen).toEqual(['a..example.org'])
  })

  it('sees what is known of a request', async () => {
    const seen: SigningHooks[] = []
    const names: unknown[] = []
    const authorize = (claimed: unknown): Authorization => {
      names.push(claimed)
      return { allow: true }
    }
    const { authority } = await testAuthority({ hooks: hooksOf({ authorize }, (hooks) => seen.push(hooks)) })
    const request = await newRequest({ subjectAltNames: { dns: ['example.org'] } })
    const issued = await authority.sign({ request, clientHash: 'f00d' })
    const [hooks] = seen
    const spki = request.subjectPublicKeyInfo
    expect(hooks?.clientHash).toBe('f00d')
    expect(hooks?.publicKeyHash).toBe(createHash('sha1').update(spki).digest('hex'))
    expect(hooks?.publicKeySha256).toBe(createHash('sha256').update(spki).digest('hex'))
    expect(hooks?.requestTuple?.[0]).toBe(request.toPem())
    expect(hooks?.requestTuple?.[2]).toEqual(request.der)
    expect(names).toEqual([{ dns: ['example.org'], ip: [], email: [], uri: [] }])
    const again = await authority.sign({ request, clientHash: 'f00d', validity: '1d' })
    expect(again.serialNumber).not.toBe(issued.serialNumber)
    const previous = await (seen[1] as unknown as { context: SigningHooks['context'] }).context.previousCertificates()
    expect(previous.map(({ serial }) => serial)).toContain(issued.serialNumber)
  })
})

const OID = '1.3.6.1.4.1.55555.1'
const NULL = Uint8Array.of(5, 0)

describe('presign', () => {
  it('changes what is signed', async () => {
    const profile = defineProfile({
      name: 'special',
      names: { subject: ['CN'], alternatives: ['email'] },
      validity: { default: '10d', max: '20d' },
      keyUsage: ['digitalSignature', 'keyAgreement'],
      extendedKeyUsage: ['clientAuth', 'emailProtection'],
      extraExtensions: [OID],
    })
    const presign = (draft: CertificateDraft): void => {
      draft.subject = [['CN', 'changed']]
      draft.subjectAltNames.email.push('Ana@Example.ORG')
      draft.notAfter = new Date(NOW + 5 * DAY_MS + 999)
      draft.keyUsage = ['digitalSignature']
      draft.extendedKeyUsage = ['clientAuth']
      draft.crlUrls.push('http://ca.test/crl')
      draft.issuerUrls.push('https://ca.test/ca.pem')
      draft.extensions.push({ oid: OID, critical: false, value: NULL })
    }
    const { authority } = await testAuthority({ profiles: [profile], hooks: hooksOf({ presign }) })
    const { certificate } = await authority.sign({ request: await newRequest(), profile: 'special' })
    expect(String(certificate.subject)).toBe('CN=changed')
    expect(certificate.subjectAltNames.email).toEqual(['Ana@example.org'])
    expect(certificate.notAfter).toEqual(new Date(NOW + 5 * DAY_MS))
    expect(certificate.keyUsage).toEqual(['digitalSignature'])
    expect(certificate.extendedKeyUsage).toEqual(['clientAuth'])
    const text = Buffer.from(certificate.der).toString('latin1')
    expect(text).toContain('http://ca.test/crl')
    expect(text).toContain('https://ca.test/ca.pem')
    expect(certificate.extensions.find(({ oid }) => oid === OID)?.value).toEqual(NULL)
  })

  // One thing changed per row, of a certificate that would be signed.
  it.each<[string, string, (draft: CertificateDraft) => void]>([
    ['a type that the profile has no place for', 'subject', (draft) => draft.subject.push(['C', 'US'])],
    ['a type twice', 'subject', (draft) => draft.subject.push(['CN', 'second'])],
    ['a control character', 'subject', (draft) => Object.assign(draft, { subject: [['CN', 'a\nb']] })],
    ['no name at all', 'subject', (draft) => Object.assign(draft, { subject: [] })],
    ['an empty name', 'subject', (draft) => Object.assign(draft, { subject: [['CN', '']] })],
    ['a host for a user', 'subjectAltNames.dns', (draft) => draft.subjectAltNames.dns.push('example.org')],
    ['an address for a user', 'subjectAltNames.ip', (draft) => draft.subjectAltNames.ip.push('127.0.0.1')],
    ['no mailbox', 'subjectAltNames', (draft) => draft.subjectAltNames.email.push('not a mailbox')],
    [
      'too many names',
      'subjectAltNames',
      (draft) => {
        for (let count = 0; count < 21; count++) draft.subjectAltNames.uri.push(`urn:x:${count}`)
      },
    ],
    ['a beginning long ago', 'notBefore', (draft) => Object.assign(draft, { notBefore: new Date(NOW - 2 * DAY_MS) })],
    ['no date', 'notBefore', (draft) => Object.assign(draft, { notBefore: new Date(Number.NaN) })],
    ['a text for a date', 'notAfter', (draft) => Object.assign(draft, { notAfter: '2099-01-01' as unknown as Date })],
    [
      'an end beyond the profile',
      'notAfter',
      (draft) => Object.assign(draft, { notAfter: new Date(NOW + 400 * DAY_MS) }),
    ],
    [
      'an end before the least that the profile has',
      'notAfter',
      (draft) => Object.assign(draft, { notAfter: new Date(NOW + 3_599_000) }),
    ],
    ['an end before now', 'notAfter', (draft) => Object.assign(draft, { notAfter: new Date(NOW - 1000) })],
    [
      'an end before its beginning',
      'notAfter',
      (draft) => Object.assign(draft, { notBefore: new Date(NOW + 2 * DAY_MS), notAfter: new Date(NOW + DAY_MS) }),
    ],
    ['an authority’s usage', 'keyUsage', (draft) => draft.keyUsage.push('keyCertSign')],
    ['no usage', 'keyUsage', (draft) => Object.assign(draft, { keyUsage: [] })],
    ['another purpose', 'extendedKeyUsage', (draft) => draft.extendedKeyUsage.push('serverAuth')],
    ['any purpose', 'extendedKeyUsage', (draft) => draft.extendedKeyUsage.push('2.5.29.37.0')],
    ['no purpose', 'extendedKeyUsage', (draft) => Object.assign(draft, { extendedKeyUsage: [] })],
    ['a purpose that is none', 'extendedKeyUsage', (draft) => draft.extendedKeyUsage.push('everything')],
    ['a list at no URL', 'crlUrls', (draft) => draft.crlUrls.push('ca.test/crl')],
    ['a list in a file', 'crlUrls', (draft) => draft.crlUrls.push('file:///etc/passwd')],
    ['an issuer at no URL', 'issuerUrls', (draft) => draft.issuerUrls.push('javascript:alert(1)')],
    [
      'an extension that the profile does not have',
      'extensions',
      (draft) => draft.extensions.push({ oid: OID, critical: false, value: NULL }),
    ],
    [
      'basic constraints of its own',
      'extensions',
      (draft) => draft.extensions.push({ oid: '2.5.29.19', critical: true, value: Uint8Array.of(0x30, 3, 1, 1, 0xff) }),
    ],
    ['no extension in their list', 'extensions', (draft) => Object.assign(draft, { extensions: [null] })],
    ...['keyUsage', 'extendedKeyUsage', 'crlUrls', 'issuerUrls', 'extensions'].map(
      (field): [string, string, (draft: CertificateDraft) => void] => [
        `no list for ${field}`,
        field,
        (draft) => Object.assign(draft, { [field]: undefined }),
      ],
    ),
  ])('is not let through with %s', async (_name, field, presign) => {
    const { authority } = await testAuthority({ hooks: hooksOf({ presign }) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_POLICY',
      field,
    })
    for await (const row of authority.list()) expect.unreachable(row.serial)
  })

  it('is not let through with an extension that is there twice', async () => {
    const profile = defineProfile({ ...TAKING, extraExtensions: [OID] })
    const presign = (draft: CertificateDraft): void => {
      const extension = { oid: OID, critical: false, value: NULL }
      draft.extensions.push(extension, extension)
    }
    const { authority } = await testAuthority({ profiles: [profile], hooks: hooksOf({ presign }) })
    await expect(authority.sign({ request: await newRequest(), profile: 'taking' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_POLICY',
      field: 'extensions',
    })
  })

  it('is not let through with an end after that of the authority', async () => {
    let after = 1000
    const presign = (draft: CertificateDraft): void => {
      draft.notAfter = new Date(authority.certificate.notAfter.getTime() + after)
    }
    const { authority } = await testAuthority({ validity: '100d', hooks: hooksOf({ presign }) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_POLICY',
      field: 'notAfter',
      message: expect.stringMatching(/ is later than the end of the authority$/),
    })
    for await (const row of authority.list()) expect.unreachable(row.serial)
    after = 0
    const { certificate } = await authority.sign({ request: await newRequest() })
    expect(certificate.notAfter).toEqual(authority.certificate.notAfter)
  })

  it('that leaves something that fails when it is read signs nothing, and the failure is told as it is', async () => {
    const failure = new Error('the members are not loaded')
    const presign = (draft: CertificateDraft): void => {
      draft.subject = new Proxy(draft.subject, {
        get() {
          throw failure
        },
      })
    }
    const { authority, events } = await testAuthority({ hooks: hooksOf({ presign }) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toBe(failure)
    expect(events).toMatchObject([{ kind: 'refused', error: failure }])
    for await (const row of authority.list()) expect.unreachable(row.serial)
  })

  it('may put something else into each certificate, and each has its own', async () => {
    let count = 0
    const presign = (draft: CertificateDraft): void => {
      draft.crlUrls = [`http://ca.test/${count}.crl`]
    }
    const { authority } = await testAuthority({ store: 'none', hooks: hooksOf({ presign }) })
    const request = await newRequest()
    const urls: unknown[] = []
    for (; count < 100; count++) {
      const { certificate } = await authority.sign({ request })
      urls.push(/http:\/\/ca\.test\/\d+\.crl/.exec(Buffer.from(certificate.der).toString('latin1'))?.[0])
    }
    expect(urls).toEqual(Array.from({ length: 100 }, (_, n) => `http://ca.test/${n}.crl`))
  })

  // What is the same for many certificates is encoded once, and these two lists look the same when they are joined.
  it.each(['crlUrls', 'issuerUrls'] as const)('may have a comma in %s', async (field) => {
    const lists = [['http://ca.test/a,http://ca.test/b'], ['http://ca.test/a', 'http://ca.test/b']]
    const rest = [...lists]
    const presign = (draft: CertificateDraft): void => {
      draft[field] = rest.shift() ?? []
    }
    const { authority } = await testAuthority({ hooks: hooksOf({ presign }) })
    for (const list of lists) {
      const { certificate } = await authority.sign({ request: await newRequest() })
      const text = Buffer.from(certificate.der).toString('latin1')
      expect(list.every((url) => text.includes(`\x86${String.fromCharCode(url.length)}${url}`))).toBe(true)
    }
  })

  it('cannot change what is not its own', async () => {
    const presign = (draft: CertificateDraft): void => {
      Object.assign(draft, { serialNumber: '01', publicKey: 'another', profile: 'server' })
    }
    const { authority } = await testAuthority({ hooks: hooksOf({ presign }) })
    const request = await newRequest()
    const issued = await authority.sign({ request })
    expect(issued.certificate.serialNumber).toHaveLength(34)
    expect(issued.certificate.publicKeyFingerprint).toBe(request.publicKeyFingerprint)
    expect(issued.certificate.extendedKeyUsage).toEqual(['clientAuth'])
  })

  it('cannot have octets changed that have been checked', async () => {
    const profile = defineProfile({
      ...TAKING,
      extraExtensions: [OID],
      check: ({ extensions }) => {
        for (const { value } of extensions) value.fill(0xff)
      },
    })
    const presign = (draft: CertificateDraft): void =>
      void draft.extensions.push({ oid: OID, critical: false, value: NULL })
    const { authority } = await testAuthority({
      profiles: [profile],
      defaultProfile: 'taking',
      hooks: hooksOf({ presign }),
    })
    const { certificate } = await authority.sign({ request: await newRequest() })
    expect(certificate.extensions.find(({ oid }) => oid === OID)?.value).toEqual(NULL)
  })

  it('cannot change what has been checked', async () => {
    const kept: CertificateDraft[] = []
    const profile = defineProfile({ ...TAKING, check: () => void kept[0]?.subject.splice(0, 1, ['CN', 'root']) })
    const { authority } = await testAuthority({
      profiles: [profile],
      defaultProfile: 'taking',
      hooks: hooksOf({ presign: (draft) => void kept.push(draft) }),
    })
    const issued = await authority.sign({ request: await newRequest(), subject: [['CN', 'Ana']] })
    expect(kept[0]?.subject).toEqual([['CN', 'root']])
    expect(String(issued.certificate.subject)).toBe('CN=Ana')
    expect((await authority.get(issued.serialNumber))?.subject).toBe('CN=Ana')
  })

  it('that fails signs nothing', async () => {
    const presign = (): never => {
      throw new Error('no')
    }
    const { authority } = await testAuthority({ hooks: hooksOf({ presign }) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED',
      reason: 'presign',
    })
  })
})

describe('postsign', () => {
  it('is told of a certificate that the store knows', async () => {
    let status: string | undefined
    const postsign = async ({ serialNumber }: IssuedCertificate): Promise<void> => {
      status = (await made.authority.get(serialNumber))?.status
    }
    const made = await testAuthority({ hooks: hooksOf({ postsign }) })
    await made.authority.sign({ request: await newRequest() })
    expect(status).toBe('issued')
    expect(await made.authority.deliverNotices()).toBe(0)
  })

  it('that fails is told again, with growing pauses, until it does not', async () => {
    let fails = true
    const told: string[] = []
    const postsign = ({ serialNumber }: IssuedCertificate): void => {
      told.push(serialNumber)
      if (fails) throw new Error('the other program is down')
    }
    const { authority, clock, events } = await testAuthority({ hooks: hooksOf({ postsign }) })
    const { serialNumber } = await authority.sign({ request: await newRequest() })
    expect(told).toEqual([serialNumber])
    const pauses: number[] = []
    for (let time = 0; pauses.length < 4 && time < 60; time++) {
      clock.now += 60_000
      const before = told.length
      await authority.deliverNotices()
      if (told.length > before) pauses.push(time + 1)
    }
    // Minutes after the signature: a minute, then one, two, four more.
    expect(pauses).toEqual([1, 2, 4, 8])
    expect(events.filter(({ kind }) => kind === 'postsign_failed')).toHaveLength(5)
    fails = false
    clock.now += DAY_MS
    expect(await authority.deliverNotices()).toBe(1)
    clock.now += DAY_MS
    expect(await authority.deliverNotices()).toBe(0)
    expect(new Set(told)).toEqual(new Set([serialNumber]))
  })

  it('is told after a restart, without the request, by itself', async () => {
    const down = hooksOf({
      postsign: () => {
        throw new Error('down')
      },
    })
    const { authority, clock, reopen } = await testAuthority({ hooks: down })
    const { serialNumber } = await authority.sign({ request: await newRequest(), clientHash: 'f00d' })
    await authority.close()
    clock.now += DAY_MS
    const told = new Promise<[string, string | null, unknown]>((resolve) => {
      const factory = hooksOf({ postsign: (issued) => resolve([issued.serialNumber, 'x', null]) })
      void reopen({
        hooks: (context) => {
          const hooks = factory(context) as SigningHooks
          hooks.postsign = (issued) => resolve([issued.serialNumber, hooks.clientHash, hooks.request])
          return hooks
        },
      })
    })
    expect(await told).toEqual([serialNumber, 'f00d', null])
  })

  it('is told by itself of what becomes due after a restart', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    let fails = true
    const told: string[] = []
    const postsign = ({ serialNumber }: IssuedCertificate): void => {
      if (fails) throw new Error('down')
      told.push(serialNumber)
    }
    const { authority, clock, reopen } = await testAuthority({ hooks: hooksOf({ postsign }) })
    const serials: string[] = []
    for (let count = 0; count < 3; count++) {
      serials.push((await authority.sign({ request: await newRequest() })).serialNumber)
    }
    await authority.close()
    fails = false
    // A second later nothing is due yet.
    clock.now += 1000
    await reopen()
    await vi.advanceTimersByTimeAsync(1000)
    expect(told).toEqual([])
    clock.now += 60_000
    await vi.advanceTimersByTimeAsync(60_000)
    await vi.waitFor(() => expect(told).toEqual(serials))
  })

  it('that is told later can ask what else the key has', async () => {
    let fails = true
    const seen: unknown[] = []
    const factory = hooksOf({ postsign: () => (fails ? Promise.reject(new Error('down')) : undefined) })
    const { authority, clock } = await testAuthority({
      hooks: async (context) => {
        if (!fails) seen.push((await context.previousCertificates()).map(({ serial, status }) => [serial, status]))
        return factory(context)
      },
    })
    const { serialNumber } = await authority.sign({ request: await newRequest() })
    fails = false
    clock.now += 60_000
    expect(await authority.deliverNotices()).toBe(1)
    expect(seen).toEqual([[[serialNumber, 'issued']]])
  })

  it('is not told of what has no certificate, whatever a store says, nor asked again', async () => {
    class Inventive extends MemoryIssuedStore {
      readonly settled: number[] = []
      override claimNotices(): IssuedNotice[] {
        return this.settled.length === 0 ? [{ id: 7, serial: 'ab', attempts: 0 }] : []
      }
      override settleNotice(id: number): void {
        this.settled.push(id)
      }
    }
    const store = new Inventive()
    const { certificate } = issue({})
    store.begin({ ...rowFor(certificate, NOW), serial: 'ab' }, null)
    const told: string[] = []
    const hooks = hooksOf({ postsign: ({ serialNumber }) => void told.push(serialNumber) })
    const { authority } = await testAuthority({ store, hooks })
    await authority.deliverNotices()
    expect([told, store.settled]).toEqual([[], [7]])
  })

  it('is told once by whoever signs, also if the store notes nothing for later', async () => {
    class Forgetful extends MemoryIssuedStore {
      override complete(...[serial, certificate, at]: Parameters<MemoryIssuedStore['complete']>): CompleteOutcome {
        return super.complete(serial, certificate, at, null)
      }
      override settleNotice(): never {
        expect.unreachable('there is none')
      }
    }
    const told: string[] = []
    const hooks = hooksOf({ postsign: ({ serialNumber }) => void told.push(serialNumber) })
    const { authority, clock } = await testAuthority({ store: new Forgetful(), hooks })
    const { serialNumber } = await authority.sign({ request: await newRequest() })
    clock.now += DAY_MS
    expect(await authority.deliverNotices()).toBe(0)
    expect(told).toEqual([serialNumber])
  })

  it('is told as soon as the store answers again, of which an event tells that it did not', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const failure = new StoreError('ERR_TLACACOCA_STORE_FAILED', 'no answer')
    let asked = 0
    class Failing extends MemoryIssuedStore {
      override claimNotices(): never[] {
        if (++asked === 2) throw failure
        return []
      }
    }
    const { authority, events } = await testAuthority({ store: new Failing(), hooks: hooksOf({}) })
    await vi.advanceTimersByTimeAsync(0)
    expect([asked, events]).toEqual([1, []])
    await vi.advanceTimersByTimeAsync(60_000)
    expect([asked, events]).toEqual([2, [{ kind: 'notices_failed', error: failure }]])
    await vi.advanceTimersByTimeAsync(60_000)
    expect([asked, events.length]).toEqual([3, 1])
    await authority.close()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(asked).toBe(3)
  })

  it.each(['answers', 'fails'])(
    'is not looked after any more once the authority is closed, also if the store %s then',
    async (how) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      onTestFinished(() => {
        vi.useRealTimers()
      })
      const answer = deferred<never[]>()
      let asked = 0
      class Slow extends MemoryIssuedStore {
        override claimNotices() {
          asked++
          return answer.promise as never
        }
      }
      const { authority, events } = await testAuthority({ store: new Slow(), hooks: hooksOf({}) })
      await vi.advanceTimersByTimeAsync(0)
      expect(asked).toBe(1)
      await authority.close()
      if (how === 'answers') answer.resolve([])
      else answer.reject(new Error('the store is closed'))
      await vi.advanceTimersByTimeAsync(600_000)
      expect([asked, events, vi.getTimerCount()]).toEqual([1, [], 0])
    },
  )

  it('that fails fails the request if there is no store', async () => {
    const postsign = (): never => {
      throw new Error('no record')
    }
    const { authority } = await testAuthority({ store: 'none', hooks: hooksOf({ postsign }) })
    await expect(authority.sign({ request: await newRequest() })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED',
      reason: 'postsign',
    })
  })
})

describe('a hook that takes its time', () => {
  it('leaves to the signature all of its own', async () => {
    // As another program on the same store would, in the middle of signing.
    class Impatient extends MemoryIssuedStore {
      override begin(...args: Parameters<MemoryIssuedStore['begin']>) {
        const outcome = super.begin(...args)
        this.abandonPending(made.clock.now - 600_000, made.clock.now)
        return outcome
      }
    }
    const authorize = (): Authorization => {
      made.clock.now += 3_600_000
      return { allow: true }
    }
    const made = await testAuthority({ store: new Impatient(), hooks: hooksOf({ authorize }) })
    const { serialNumber } = await made.authority.sign({ request: await newRequest() })
    expect(await made.authority.get(serialNumber)).toMatchObject({ status: 'issued', createdAt: NOW + 3_600_000 })
  })
})

describe('the factory of hooks', () => {
  it('may take its time', async () => {
    const made = hooksOf({})
    const { authority } = await testAuthority({
      hooks: async (context) => {
        await new Promise((resolve) => setImmediate(resolve))
        return made(context)
      },
    })
    expect(authority.hasHooks).toBe(true)
    expect((await authority.sign({ request: await newRequest() })).profile).toBe('client-identity')
  })

  it('that makes no hooks, or fails, signs nothing', async () => {
    const request = await newRequest()
    const { authority } = await testAuthority({ hooks: () => ({ authorize: () => ({ allow: true }) }) as never })
    await expect(authority.sign({ request })).rejects.toThrow(TypeError)
    const failing = await testAuthority({
      hooks: () => {
        throw new Error('no members')
      },
    })
    await expect(failing.authority.sign({ request })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_HOOK_FAILED',
    })
  })

  it('is asked only about requests whose sender has the key', async () => {
    let asked = 0
    const { authority } = await testAuthority({
      hooks: (context) => {
        asked++
        return new SigningHooks(context)
      },
    })
    const { der } = await newRequest()
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
    await expect(authority.sign({ request: der })).rejects.toMatchObject({ code: /CSR_(UNPROVEN|MALFORMED)/ })
    expect(asked).toBe(0)
  })
})
