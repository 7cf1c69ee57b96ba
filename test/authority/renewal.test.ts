import { describe, expect, it } from 'vitest'
import type { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import type { IssuedCertificate, SigningHooks } from '../../src/authority/hooks.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import type { Profile } from '../../src/authority/profile.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { issue } from '../support/issued-certificates.ts'
import { rowFor } from '../support/issued-rows.ts'
import { fakePeer } from '../support/peer.ts'
import { DAY_MS, hooksOf, NOW, newRequest, type TestAuthority, testAuthority } from '../support/test-authority.ts'

const PROFILE = {
  name: 'members',
  names: { subject: ['CN', 'OU'], alternatives: ['uri'] },
  validity: { default: '90d', max: '1y' },
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['clientAuth'],
} as const satisfies Profile

const OPTIONS = { profiles: [PROFILE], defaultProfile: 'members' }

async function member(made: TestAuthority): Promise<IssuedCertificate> {
  const subject = [
    ['CN', 'Ana'],
    ['OU', 'moderators'],
  ] as const
  return made.authority.sign({
    request: await newRequest(),
    clientHash: 'f00d',
    subject,
    subjectAltNames: { uri: ['urn:uuid:7'] },
  })
}

function renew(
  { authority }: Pick<TestAuthority, 'authority'>,
  issued: IssuedCertificate,
  request?: Awaited<ReturnType<typeof newRequest>>,
) {
  const current = fakePeer(issued.certificate)
  return authority.renew({ current, ...(request === undefined ? {} : { request }) })
}

describe('a renewal', () => {
  it('is for the same key, name and client, and longer', async () => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    expect(old.renewAfter).toEqual(new Date(NOW + 60 * DAY_MS - 100_000))
    made.clock.now = old.renewAfter.getTime()
    const fresh = await renew(made, old)
    expect(fresh.serialNumber).not.toBe(old.serialNumber)
    expect(fresh.certificate.publicKeyFingerprint).toBe(old.certificate.publicKeyFingerprint)
    expect(fresh.certificate.subjectDer).toEqual(old.certificate.subjectDer)
    expect(fresh.certificate.subjectAltNames).toEqual(old.certificate.subjectAltNames)
    expect(fresh.certificate.notAfter).toEqual(new Date(made.clock.now + 90 * DAY_MS))
    expect(await made.authority.get(fresh.serialNumber)).toMatchObject({
      renewedFrom: old.serialNumber,
      clientHash: 'f00d',
    })
    expect((await made.authority.get(old.serialNumber))?.status).toBe('issued')
  })

  it('with a request is for its key, and for no name in it', async () => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    made.clock.now += 80 * DAY_MS
    const request = await newRequest({ subject: [['CN', 'root']] })
    const fresh = await renew(made, old, request)
    expect(fresh.certificate.publicKeyFingerprint).toBe(request.publicKeyFingerprint)
    expect(fresh.certificate.subjectDer).toEqual(old.certificate.subjectDer)
  })

  it('is decided by the profile and the hooks as they are by then', async () => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    await made.authority.close()
    made.clock.now += 80 * DAY_MS
    const narrower = await made.reopen({ ...OPTIONS, profiles: [{ ...PROFILE, names: { subject: ['CN'] } }] })
    await expect(renew({ authority: narrower }, old)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_POLICY',
      field: 'subject',
    })
    await narrower.close()

    const seen: SigningHooks['context'][] = []
    const hooks = hooksOf({ authorize: () => undefined }, (each) =>
      seen.push((each as unknown as { context: SigningHooks['context'] }).context),
    )
    const stricter = await made.reopen({ ...OPTIONS, hooks })
    await expect(renew({ authority: stricter }, old)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CSR_NOT_AUTHORIZED',
    })
    expect(seen[0]).toMatchObject({ request: null, clientHash: 'f00d', profile: 'members' })
    expect(seen[0]?.renewalOf?.serial).toBe(old.serialNumber)
    expect(seen[0]?.requester.peer?.fingerprint).toBe(old.certificate.fingerprint)
  })

  it.each(['revoked', 'held'] as const)('is refused to one that is %s', async (status) => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    if (status === 'held') await made.authority.hold(old.serialNumber)
    else await made.authority.revoke(old.serialNumber, { reason: 'superseded' })
    made.clock.now += 80 * DAY_MS
    await expect(renew(made, old)).rejects.toMatchObject(refusal(status))
  })

  it.each(['revoke', 'hold'] as const)('is refused if somebody can %s it while a hook is thinking', async (act) => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    await made.authority.close()
    made.clock.now += 80 * DAY_MS
    const authority: CertificateAuthority = await made.reopen({
      ...OPTIONS,
      hooks: hooksOf({
        async authorize() {
          if (act === 'hold') await authority.hold(old.serialNumber)
          else await authority.revoke(old.serialNumber, { reason: 'superseded' })
          return { allow: true }
        },
      }),
    })
    await expect(renew({ authority }, old)).rejects.toMatchObject(refusal('revoked'))
    await expect(renew({ authority }, old, await newRequest())).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_RENEWAL_REFUSED',
    })
    for await (const { serial } of authority.list()) expect(serial).toBe(old.serialNumber)
  })

  it('is refused to a certificate of another authority, though it has the same serial number', async () => {
    const serialNumberGenerator = () => 2n ** 70n
    const [made, other] = [
      await testAuthority({ ...OPTIONS, serialNumberGenerator }),
      await testAuthority({ ...OPTIONS, serialNumberGenerator }),
    ]
    const [, foreign] = [await member(made), await member(other)]
    made.clock.now += 80 * DAY_MS
    await expect(renew(made, foreign)).rejects.toMatchObject(refusal('unknown'))
  })

  it('is refused before its time and after its end', async () => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    made.clock.now = old.renewAfter.getTime() - 1
    await expect(renew(made, old)).rejects.toMatchObject(refusal('too_early'))
    made.clock.now = old.certificate.notAfter.getTime() + 1
    await expect(renew(made, old)).rejects.toMatchObject(refusal('expired'))
  })

  it('may come later where the profile says so', async () => {
    const profiles = [{ ...PROFILE, renewal: { window: '2d', graceAfterExpiry: '3d' } }] as const
    const made = await testAuthority({ ...OPTIONS, profiles })
    const old = await member(made)
    expect(old.renewAfter).toEqual(new Date(NOW + 88 * DAY_MS))
    made.clock.now = old.certificate.notAfter.getTime() + 3 * DAY_MS
    await renew(made, old)
    made.clock.now += 1
    await expect(renew(made, old)).rejects.toMatchObject(refusal('expired'))
  })

  it.each([
    [false, false, 'not_allowed'],
    [{ rekey: 'required' }, false, 'rekey_required'],
    [{ rekey: 'never' }, true, 'rekey_refused'],
  ] as const)('is refused by the policy %j (with a request: %s)', async (renewal, withRequest, reason) => {
    const made = await testAuthority({ ...OPTIONS, profiles: [{ ...PROFILE, renewal }] })
    const old = await member(made)
    if (renewal === false) expect(old.renewAfter).toEqual(old.certificate.notAfter)
    made.clock.now += 80 * DAY_MS
    const refused = renew(made, old, withRequest ? await newRequest() : undefined)
    await expect(refused).rejects.toMatchObject(refusal(reason))
  })

  it('is refused if its profile is gone', async () => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    await made.authority.close()
    made.clock.now += 80 * DAY_MS
    const without = await made.reopen({})
    await expect(renew({ authority: without }, old)).rejects.toMatchObject(refusal('not_allowed'))
  })

  it('is not for a key that is too weak by now, and is for a new one', async () => {
    const store = new MemoryIssuedStore()
    const { authority } = await testAuthority({ ...OPTIONS, store })
    const { certificate } = issue({
      subject: 'ana',
      key: 'RSA-1024',
      from: '20261013000000Z',
      to: '20270111000000Z',
    })
    const { serialNumber: serial } = certificate
    store.begin({ ...rowFor(certificate, NOW), profile: 'members' }, null)
    store.complete(serial, certificate, NOW, null)
    await expect(authority.renew({ current: fakePeer(certificate) })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CSR_KEY_REFUSED',
      message: expect.stringMatching(/^the key is not certified again: .*; send a request with a new one$/),
    })
    const rows = []
    for await (const row of authority.list()) rows.push(row.serial)
    expect(rows).toEqual([serial])
    const request = await newRequest()
    const renewed = await authority.renew({ current: fakePeer(certificate), request })
    expect(renewed.certificate.publicKeyFingerprint).toBe(request.publicKeyFingerprint)
  })

  it('is for whoever has proven the key in a handshake, and no look-alike', async () => {
    const made = await testAuthority(OPTIONS)
    const { certificate } = await member(made)
    const current = { certificate, fingerprint: certificate.fingerprint } as never
    await expect(made.authority.renew({ current })).rejects.toThrow(TypeError)
  })

  it('proves the new key', async () => {
    const made = await testAuthority(OPTIONS)
    const old = await member(made)
    made.clock.now += 80 * DAY_MS
    const { der } = await newRequest()
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
    const refused = made.authority.renew({ current: fakePeer(old.certificate), request: der })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CSR_UNPROVEN' })
  })
})

function refusal(reason: string): object {
  return { code: 'ERR_TLACACOCA_AUTHORITY_RENEWAL_REFUSED', reason }
}

describe('a rekey', () => {
  it('that is required is not done by a request for the same key', async () => {
    const made = await testAuthority({ ...OPTIONS, profiles: [{ ...PROFILE, renewal: { rekey: 'required' } }] })
    const { request: same } = await createCertificateRequest({})
    const old = await made.authority.sign({ request: same })
    made.clock.now += 80 * DAY_MS
    await expect(renew(made, old, same)).rejects.toMatchObject(refusal('rekey_required'))
    const other = await newRequest()
    expect((await renew(made, old, other)).certificate.publicKeyFingerprint).toBe(other.publicKeyFingerprint)
  })

  it('of one certificate is no answer to that of another by the same request', async () => {
    const made = await testAuthority(OPTIONS)
    const sign = async (name: string) =>
      made.authority.sign({ request: await newRequest(), clientHash: 'f00d', subject: [['CN', name]] })
    const [work, home] = [await sign('work'), await sign('home')]
    made.clock.now += 80 * DAY_MS
    const request = await newRequest()
    const renewed = await renew(made, work, request)
    expect((await renew(made, work, request)).serialNumber).toBe(renewed.serialNumber)
    expect(String((await renew(made, home, request)).certificate.subject)).toBe('CN=home')
  })
})
