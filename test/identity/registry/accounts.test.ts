import { describe, expect, it } from 'vitest'
import { IdentityError } from '../../../src/errors.ts'
import { IdentityRegistry } from '../../../src/identity/registry/identity-registry.ts'
import { MemoryIdentityStore } from '../../../src/identity/registry/memory-identity-store.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { DAY, NOW, openRegistry, person, refusalOf, stranger, until, withAna } from './support.ts'

describe('registering', () => {
  it('makes a user of a stranger, with a handle and a label, or without', async () => {
    const { registry, events } = openRegistry()
    const ana = person()
    const { user, credential } = await registry.register(ana.peer, { handle: 'Ana', label: 'laptop' })
    expect(user).toEqual({ id: expect.stringMatching(/^[0-9a-z]{26}$/), handle: 'ana', createdAt: NOW, lastSeen: null })
    expect(credential).toMatchObject({
      fingerprint: ana.certificate.fingerprint,
      label: 'laptop',
      source: 'register',
      notAfter: ana.certificate.notAfter,
      status: 'active',
    })
    expect(events).toEqual([{ kind: 'registered', userId: user.id, credentialId: credential.id }])
    expect(await registry.register(stranger())).toMatchObject({ user: { handle: null }, credential: { label: null } })
  })

  it('is for strangers', async () => {
    const { registry, ana } = await withAna()
    expect(await refusalOf(registry.register(ana, { handle: 'other' }))).toBe('IDENTITY_ALREADY_LINKED')
    await expect(registry.register(null as never)).rejects.toThrow(TypeError)
  })

  it('takes somebody who waits to be let in elsewhere, and then they wait no more', async () => {
    const { registry, ana } = await withAna()
    const bo = stranger()
    const { id } = await registry.requestLink(bo, 'ana')
    await registry.register(bo, { handle: 'bo' })
    expect(await refusalOf(registry.approveLink(ana, id))).toBe('IDENTITY_NOT_FOUND')
    expect(await registry.resolve(bo)).toMatchObject({ kind: 'known', user: { handle: 'bo' } })
  })

  it('can be closed, and may ask for a handle', async () => {
    const closed = openRegistry({ policy: { registration: 'closed' } })
    expect(await refusalOf(closed.registry.register(stranger()))).toBe('IDENTITY_REGISTRATION_CLOSED')
    const named = openRegistry({ policy: { handleRequired: true } })
    expect(await refusalOf(named.registry.register(stranger()))).toBe('IDENTITY_HANDLE_INVALID missing')
    expect(await named.registry.register(stranger(), { handle: 'ana' })).toMatchObject({ user: { handle: 'ana' } })
  })

  it('keeps some handles for nobody, nor what looks like them', async () => {
    const { registry } = openRegistry()
    for (const handle of ['admin', 'Admin', 'adm1n', 'r00t', 'аdmin', 'ádmin', 'sys-tem']) {
      const refusal = await refusalOf(registry.register(stranger(), { handle }))
      // A one that looks like an l, not an i; letters of two scripts; a hyphen too many.
      const others = { adm1n: 'nothing', аdmin: 'IDENTITY_HANDLE_INVALID scripts', 'sys-tem': 'nothing' }
      expect([handle, refusal]).toEqual([handle, Reflect.get(others, handle) ?? 'IDENTITY_HANDLE_TAKEN'])
    }
    const own = openRegistry({ policy: { reservedHandles: ['Queen'] } })
    expect(await refusalOf(own.registry.register(stranger(), { handle: 'queen' }))).toBe('IDENTITY_HANDLE_TAKEN')
    expect(await refusalOf(own.registry.register(stranger(), { handle: 'admin' }))).toBe('nothing')
  })

  it('of sixty at once with one handle, or one certificate, one succeeds', async () => {
    const { registry } = openRegistry()
    const byHandle = await Promise.allSettled(
      Array.from({ length: 60 }, () => registry.register(stranger(), { handle: 'ana' })),
    )
    expect(byHandle.filter((each) => each.status === 'fulfilled')).toHaveLength(1)
    const peer = stranger()
    const byCertificate = await Promise.allSettled(
      Array.from({ length: 60 }, (_, n) => registry.register(peer, { handle: `user${n}` })),
    )
    expect(byCertificate.filter((each) => each.status === 'fulfilled')).toHaveLength(1)
    for (const each of byCertificate) {
      if (each.status === 'rejected') expect(each.reason).toBeInstanceOf(IdentityError)
    }
  })
})

describe('the account', () => {
  it('shows certificates, what waits, and how many recovery codes are left', async () => {
    const { registry, ana, user, credential } = await withAna()
    const { code, expiresAt } = await registry.createLinkCode(ana)
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{10}$/)
    expect(expiresAt).toEqual(new Date(NOW.getTime() + 600_000))
    const typed = `${code.slice(0, 5).toLowerCase()} - ${code.slice(5)}`
    const phone = await registry.redeemLinkCode(stranger(), typed, { label: 'phone' })
    await registry.requestLink(stranger(), 'ana')
    const codes = await registry.createRecoveryCodes(ana)
    expect(codes).toHaveLength(8)
    expect(new Set(codes).size).toBe(8)
    for (const each of codes) expect(each).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}$/)
    await registry.rename(ana, credential.id, 'old laptop')
    expect(await registry.account(ana)).toEqual({
      user: { ...user, lastSeen: new Date('2030-06-01T00:00:00Z') },
      credentials: [
        { ...credential, label: 'old laptop', lastSeen: new Date('2030-06-01T00:00:00Z') },
        { ...phone.credential, addedBy: credential.id },
      ],
      pending: [expect.objectContaining({ kind: 'approval' })],
      recoveryCodesLeft: 8,
    })
    expect(await registry.resolve(ana)).toMatchObject({ notices: [{ kind: 'link_requested', count: 1 }] })
  })

  it('is the asker’s, and strangers have none', async () => {
    const { registry } = await withAna()
    expect(await refusalOf(registry.account(stranger()))).toBe('IDENTITY_UNKNOWN unknown')
    await expect(registry.account(null as never)).rejects.toThrow(TypeError)
  })

  it.each(['', 'x'.repeat(65), 'two\nlines', 'ansi\u001b[31m', 'rtl\u202e', 'nel\u0085', 'ls\u2028'])(
    'takes no label that would not stand on one line of a page: %j',
    async (label) => {
      const { registry, ana, credential } = await withAna()
      const phone = stranger()
      const { code } = await registry.createLinkCode(ana)
      const { id } = await registry.requestLink(phone, 'ana')
      for (const act of [
        registry.rename(ana, credential.id, label),
        registry.register(stranger(), { label }),
        registry.redeemLinkCode(stranger(), code, { label }),
        registry.approveLink(ana, id, { label }),
      ]) {
        expect(await refusalOf(act)).toBe('IDENTITY_LABEL_INVALID')
      }
      await expect(registry.rename(ana, credential.id, 7 as never)).rejects.toThrow(TypeError)
    },
  )

  it('makes no more than twenty link codes in ten minutes', async () => {
    const { registry, ana, clock, events } = await withAna()
    for (let n = 0; n < 20; n++) await registry.createLinkCode(ana)
    expect(await refusalOf(registry.createLinkCode(ana))).toBe('IDENTITY_LIMITED')
    expect(events.at(-1)).toEqual({ kind: 'limited', action: 'create_code' })
    clock.advance(600_000)
    await registry.createLinkCode(ana)
  })
})

describe('revoking', () => {
  it('the last certificate needs a confirmation, and recovery codes', async () => {
    const { registry, ana, credential, events } = await withAna()
    const revoke = (confirmLockout: boolean) => refusalOf(registry.revoke(ana, credential.id, { confirmLockout }))
    expect(await revoke(false)).toBe('IDENTITY_LAST_CREDENTIAL not_confirmed')
    expect(await revoke(true)).toBe('IDENTITY_LAST_CREDENTIAL not_recoverable')
    const [code = ''] = await registry.createRecoveryCodes(ana)
    expect(await revoke(false)).toBe('IDENTITY_LAST_CREDENTIAL not_confirmed')
    expect(await revoke(true)).toBe('nothing')
    expect(events.at(-1)).toMatchObject({ kind: 'revoked', credentialId: credential.id })
    const next = stranger()
    expect(await registry.recover(next, 'ana', code)).toMatchObject({ kind: 'linked' })
    expect(await registry.resolve(next)).toMatchObject({ kind: 'known' })
  })

  it('counts a certificate that has expired for good as none', async () => {
    const { registry, clock, ana, credential } = await withAna()
    await registry.redeemLinkCode(until(DAY).peer, (await registry.createLinkCode(ana)).code)
    clock.advance(31 * DAY)
    expect(await refusalOf(registry.revoke(ana, credential.id))).toBe('nothing')
    const again = await withAna()
    await again.registry.redeemLinkCode(until(DAY).peer, (await again.registry.createLinkCode(again.ana)).code)
    again.clock.advance(32 * DAY)
    const refusal = await refusalOf(again.registry.revoke(again.ana, again.credential.id))
    expect(refusal).toBe('IDENTITY_LAST_CREDENTIAL not_confirmed')
  })

  it('by two at once of the last two: one is refused', async () => {
    for (let round = 0; round < 20; round++) {
      const { registry, ana, credential } = await withAna()
      const phone = stranger()
      const linked = await registry.redeemLinkCode(phone, (await registry.createLinkCode(ana)).code)
      const outcomes = await Promise.allSettled([
        registry.revoke(ana, linked.credential.id),
        registry.revoke(phone, credential.id),
      ])
      expect(outcomes.filter((each) => each.status === 'fulfilled')).toHaveLength(1)
      const kinds = [(await registry.resolve(ana)).kind, (await registry.resolve(phone)).kind].sort()
      expect(kinds).toEqual(['known', 'refused'])
    }
  })

  it('takes only options that exist', async () => {
    const { registry, ana, credential } = await withAna()
    await expect(registry.revoke(ana, credential.id, { confirm: true } as never)).rejects.toThrow(/no option "confirm"/)
    await expect(registry.revoke(ana, credential.id, { confirmLockout: 'yes' } as never)).rejects.toThrow(TypeError)
    await expect(registry.revoke(ana, 7 as never)).rejects.toThrow(TypeError)
  })
})

describe('erasing', () => {
  it('leaves nothing of a user but that the certificate is out and the handle is taken', async () => {
    const { registry, ana, user, events } = await withAna()
    await registry.createRecoveryCodes(ana)
    await registry.eraseUser(user.id)
    expect(events.at(-1)).toEqual({ kind: 'erased', userId: user.id })
    expect(await registry.resolve(ana)).toEqual({ kind: 'refused', reason: 'erased' })
    expect(await refusalOf(registry.register(ana))).toBe('IDENTITY_REFUSED erased')
    expect(await refusalOf(registry.register(stranger(), { handle: 'ana' }))).toBe('IDENTITY_HANDLE_TAKEN')
    expect(await registry.findUser('ana')).toBeNull()
    for (const act of [registry.exportUser(user.id), registry.history(user.id), registry.eraseUser(user.id)]) {
      expect(await refusalOf(act)).toBe('IDENTITY_NOT_FOUND')
    }
  })
})

describe('exporting', () => {
  it('gives everything about a user as plain data', async () => {
    const { registry, ana, user, credential, person: anas } = await withAna()
    await registry.redeemLinkCode(stranger(), (await registry.createLinkCode(ana)).code)
    const exported = await registry.exportUser(user.id)
    expect(JSON.parse(JSON.stringify(exported))).toEqual(exported)
    expect(exported).toMatchObject({
      version: 1,
      user: { id: user.id, handle: 'ana', createdAt: '2030-06-01T12:00:00.000Z', lastSeen: '2030-06-01' },
      credentials: [
        { id: credential.id, fingerprint: anas.certificate.fingerprint, label: 'laptop', lastSeen: '2030-06-01' },
        { addedBy: credential.id, lastSeen: null },
      ],
      events: [{ event: 'registered' }, { event: 'code_made' }, { event: 'linked' }],
    })
  })

  it('has what waits to be let in, without the certificate of whoever waits', async () => {
    const { registry, user } = await withAna()
    const other = person()
    await registry.requestLink(other.peer, 'ana')
    const exported = await registry.exportUser(user.id)
    expect(JSON.parse(JSON.stringify(exported))).toEqual(exported)
    expect(exported.pending).toEqual([
      { kind: 'approval', requestedAt: '2030-06-01T12:00:00.000Z', expiresAt: expect.stringMatching(/^2030-06-.*Z$/) },
    ])
    expect(JSON.stringify(exported)).not.toContain(other.certificate.fingerprint)
  })

  it('of nobody is an error', async () => {
    const { registry } = openRegistry()
    expect(await refusalOf(registry.exportUser('nobody'))).toBe('IDENTITY_NOT_FOUND')
  })
})

describe('what was done', () => {
  it('is kept as history for ninety days', async () => {
    const { registry, clock, ana, user, credential } = await withAna()
    clock.advance(DAY)
    await registry.createRecoveryCodes(ana)
    const line = { at: new Date(NOW.getTime() + DAY), event: 'recovery_codes_made', credentialId: credential.id }
    expect(await registry.history(user.id)).toEqual([
      { at: NOW, event: 'registered', credentialId: credential.id },
      line,
    ])
    clock.advance(90 * DAY)
    await registry.prune()
    expect(await registry.history(user.id)).toEqual([line])
  })

  it('is told to the program, whose mistakes change nothing', async () => {
    const onEvent = () => {
      throw new Error('the log is full')
    }
    const { registry, ana } = await withAna({ onEvent })
    expect(await registry.resolve(ana)).toMatchObject({ kind: 'known' })
  })
})

it('certificates that will expire are listed, those that do so first in front', async () => {
  const { registry } = openRegistry()
  for (const days of [20, 10, 40]) await registry.register(until(days * DAY).peer, { handle: `in-${days}` })
  const handles = async (options = {}) => (await registry.expiring(options)).map(({ user }) => user.handle)
  expect(await handles()).toEqual(['in-10', 'in-20'])
  expect(await handles({ withinMs: 100 * DAY, limit: 2 })).toEqual(['in-10', 'in-20'])
  expect(await handles({ withinMs: 40 * DAY })).toEqual(['in-10', 'in-20', 'in-40'])
})

describe('a registry', () => {
  it('is closed with its store', async () => {
    const store = new MemoryIdentityStore()
    {
      await using registry = new IdentityRegistry(store, { origin: 'example.org:1965' })
      expect(await registry.resolve(null)).toEqual({ kind: 'anonymous' })
    }
    expect(() => store.userByHandle('x')).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_STORE_CLOSED' }))
  })

  it('is of one server, be it given as a text or as an endpoint', async () => {
    const store = new MemoryIdentityStore()
    const [text, endpoint] = ['example.org:1965', parseEndpoint('EXAMPLE.org:1965')].map(
      (origin) => openRegistry({ origin }, store).registry,
    )
    const [ana, phone] = [stranger(), stranger()]
    await text?.register(ana, { handle: 'ana' })
    // A code is good at the server that it was made for.
    const { code } = (await endpoint?.createLinkCode(ana)) ?? { code: '' }
    expect(await text?.redeemLinkCode(phone, code)).toMatchObject({ user: { handle: 'ana' } })
  })

  it.each<[string, object]>([
    ['no options', {}],
    ['an origin that is a number', { origin: 1965 }],
    ['an origin without a port', { origin: 'example.org' }],
    ['an option that does not exist', { origin: 'example.org:1965', peper: new Uint8Array(32) }],
    ['a pepper that is not set', { origin: 'example.org:1965', pepper: undefined }],
    ['a pepper that is a text', { origin: 'example.org:1965', pepper: 'x'.repeat(32) }],
    ['a pepper that is too short', { origin: 'example.org:1965', pepper: new Uint8Array(15) }],
    ['a limiter that limits nothing', { origin: 'example.org:1965', limiter: {} }],
    ['a clock that is none', { origin: 'example.org:1965', clock: 5 }],
    ['a policy with another word', { origin: 'example.org:1965', policy: { expiry: 'never' } }],
    ['a policy with an option that does not exist', { origin: 'example.org:1965', policy: { expires: 'reject' } }],
    ['a wait of NaN', { origin: 'example.org:1965', policy: { recoveryWaitMs: Number.NaN } }],
    ['a wait below zero', { origin: 'example.org:1965', policy: { recoveryWaitMs: -1 } }],
    ['a link code that is good for a week', { origin: 'example.org:1965', policy: { linkCodeTtlMs: 7 * DAY } }],
    ['one text for many handles', { origin: 'example.org:1965', policy: { reservedHandles: 'admin' } }],
    [
      'an authority that is no certificate',
      { origin: 'example.org:1965', policy: { authorities: [{ certificate: 'x' }] } },
    ],
  ])('is not made with %s', (_, options) => {
    expect(() => IdentityRegistry.inMemory(options as never)).toThrow()
  })

  it('does not take a clock that tells no time for one that says "valid"', async () => {
    const { registry, ana } = await withAna()
    expect(await registry.resolve(ana)).toMatchObject({ kind: 'known' })
    const broken = openRegistry({ clock: () => Number.NaN })
    await expect(broken.registry.resolve(ana)).rejects.toThrow(/"clock"/)
  })

  it('does not take fewer random bytes than it asked for', async () => {
    const { registry } = openRegistry({ random: () => new Uint8Array(1) })
    await expect(registry.register(stranger())).rejects.toThrow(/"random"/)
  })
})
