// What somebody learns who steals the database, and what a registry makes of another pepper.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { IdentityRegistry } from '../../../src/identity/registry/identity-registry.ts'
import { Marks } from '../../../src/identity/registry/marks.ts'
import { MemoryIdentityStore } from '../../../src/identity/registry/memory-identity-store.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { openRegistry, person, refusalOf, stranger, withAna } from './support.ts'

const pepper = new Uint8Array(32).fill(1)

async function written(options: { pepper?: Uint8Array }) {
  const path = join(await temporaryFolder(), 'users.db')
  const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965', ...options })
  const [ana, bo] = [person(), person()]
  await registry.register(ana.peer, { handle: 'ana' })
  const { code } = await registry.createLinkCode(ana.peer)
  const codes = await registry.createRecoveryCodes(ana.peer)
  await registry.requestLink(bo.peer, 'ana')
  const [erased, erasedUser] = [person(), 'handle-of-somebody-erased']
  const { user } = await registry.register(erased.peer, { handle: erasedUser, label: 'label-of-erased' })
  await registry.eraseUser(user.id)
  await registry.close()
  return { path, ana, bo, erased, code, codes, contents: readFileSync(path).toString('latin1') }
}

/** Every form in which a digest could stand in a file. */
function formsOf(fingerprint: string): string[] {
  const bytes = Buffer.from(fingerprint.replace(/^.*:/, ''), 'hex')
  return [bytes.toString('hex'), bytes.toString('latin1'), bytes.toString('base64'), bytes.toString('base64url')]
}

describe('the database', () => {
  it('has no code in it, nor the public key of anybody', async () => {
    const { contents, code, codes, ana, bo } = await written({})
    for (const secret of [code, ...codes, ...codes.map((each) => each.replaceAll('-', ''))]) {
      expect(contents.includes(secret)).toBe(false)
    }
    for (const each of [ana, bo]) {
      for (const form of formsOf(each.certificate.publicKeyFingerprint)) expect(contents.includes(form)).toBe(false)
      expect(contents.includes(Buffer.from(each.certificate.subjectPublicKeyInfo).toString('latin1'))).toBe(false)
    }
    expect(contents.includes(ana.certificate.fingerprint)).toBe(true)
  })

  it('with a pepper has no fingerprint in it', async () => {
    const { contents, ana, bo } = await written({ pepper })
    for (const each of [ana, bo]) {
      for (const form of formsOf(each.certificate.fingerprint)) expect(contents.includes(form)).toBe(false)
    }
    expect(contents.includes(Buffer.from(pepper).toString('latin1'))).toBe(false)
    expect(contents.includes(Buffer.from(pepper).toString('hex'))).toBe(false)
  })

  it('has nothing of somebody who was erased, who stays out all the same', async () => {
    const { path, erased } = await written({})
    const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965' })
    expect(await registry.resolve(erased.peer)).toEqual({ kind: 'refused', reason: 'erased' })
    expect(await refusalOf(registry.register(stranger(), { handle: 'handle-of-somebody-erased' }))).toBe(
      'IDENTITY_HANDLE_TAKEN',
    )
    await registry.close()
    const contents = readFileSync(path).toString('latin1')
    for (const form of formsOf(erased.certificate.fingerprint)) expect(contents.includes(form)).toBe(false)
    for (const text of ['handle-of-somebody-erased', 'label-of-erased']) expect(contents.includes(text)).toBe(false)
  })

  it('keeps nothing of what was deleted in its free space', async () => {
    const { path, ana, bo } = await written({})
    const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965' })
    const { id } = (await registry.findUser('ana')) ?? { id: '' }
    await registry.eraseUser(id)
    await registry.close()
    const contents = readFileSync(path).toString('latin1')
    // Ana's certificate, and the one whose request waited for her.
    for (const each of [ana, bo]) expect(contents.includes(each.certificate.fingerprint)).toBe(false)
  })

  it('has nothing of somebody who was erased, nor has its log, while it is open', async () => {
    const path = join(await temporaryFolder(), 'users.db')
    const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965' })
    onTestFinished(() => registry.close())
    const { user } = await registry.register(stranger(), { handle: 'handle-of-erased', label: 'label-of-erased' })
    const contents = () => ['', '-wal'].map((ending) => readFileSync(`${path}${ending}`).toString('latin1')).join()
    for (const text of ['handle-of-erased', 'label-of-erased']) expect(contents()).toContain(text)
    await registry.eraseUser(user.id)
    for (const text of ['handle-of-erased', 'label-of-erased']) expect(contents()).not.toContain(text)
  })

  it('has nothing of somebody who was erased while another program was reading, once it is pruned', async () => {
    const path = join(await temporaryFolder(), 'users.db')
    const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965' })
    onTestFinished(() => registry.close())
    const { user } = await registry.register(stranger(), { handle: 'handle-of-erased' })
    const contents = () => ['', '-wal'].map((ending) => readFileSync(`${path}${ending}`).toString('latin1')).join()
    const reader = new SQLite(path)
    reader.exec('BEGIN')
    expect(reader.prepare('SELECT handle FROM user').all()).toEqual([{ handle: 'handle-of-erased' }])
    await registry.eraseUser(user.id)
    reader.close()
    await registry.prune()
    expect(contents()).not.toContain('handle-of-erased')
  })

  it('with two peppers has nothing in common', async () => {
    const ana = person()
    const marks = async (with_: Uint8Array) => {
      const { store, registry } = openRegistry({ pepper: with_ })
      const { user } = await registry.register(ana.peer, { handle: 'ana' })
      const account = await store.account(user.id, 0)
      return [account?.credentials[0]?.certificate, account?.credentials[0]?.publicKey]
    }
    const [one, two] = [await marks(pepper), await marks(new Uint8Array(32).fill(2))]
    expect(new Set([...one, ...two]).size).toBe(4)
  })
})

it('the same text has another digest as each kind of thing, so that none can be shown for another', async () => {
  const marks = await Marks.settle(new MemoryIdentityStore(), pepper, randomBytes)
  const kinds = ['certificate', 'public-key', 'issued', 'handle', 'link-code', 'recovery-code'] as const
  expect(new Set(kinds.map((kind) => marks.of(kind, 'text'))).size).toBe(kinds.length)
  expect(marks.of('handle', 'text')).toBe(marks.of('handle', 'text'))
})

describe('a registry with a pepper', () => {
  it('recognises people, and shows no fingerprints', async () => {
    const { registry, ana, credential } = await withAna({ pepper })
    expect(credential.fingerprint).toBeNull()
    expect(await registry.resolve(ana)).toMatchObject({ kind: 'known' })
    const waiting = stranger()
    expect(await registry.requestLink(waiting, 'ana')).toMatchObject({ fingerprint: null })
    expect(await registry.resolve(stranger())).toMatchObject({
      kind: 'unknown',
      fingerprint: expect.stringMatching(/^sha256:/),
    })
  })

  it.each<[string, Uint8Array | null, Uint8Array | null]>([
    ['another pepper', pepper, new Uint8Array(32).fill(2)],
    ['no pepper', pepper, null],
    ['a pepper, written without one', null, pepper],
  ])('opened with %s calls nobody a stranger', async (_, first, second) => {
    const store = new MemoryIdentityStore()
    const options = (value: Uint8Array | null) => (value === null ? {} : { pepper: value })
    const { registry } = openRegistry(options(first), store)
    const ana = stranger()
    const { credential } = await registry.register(ana)
    await registry.revokeAsOperator(credential.id)
    const { registry: other } = openRegistry(options(second), store)
    for (const act of [other.resolve(ana), other.register(ana), other.findUser('ana')]) {
      expect(await refusalOf(act)).toBe('IDENTITY_PEPPER_MISMATCH')
    }
  })

  it('is not changed by whoever changes the bytes it was given', async () => {
    const bytes = new Uint8Array(32).fill(9)
    const { registry, store } = openRegistry({ pepper: bytes })
    bytes.fill(0)
    const ana = stranger()
    await registry.register(ana)
    const { registry: again } = openRegistry({ pepper: new Uint8Array(32).fill(9) }, store)
    expect(await again.resolve(ana)).toMatchObject({ kind: 'known' })
  })
})
