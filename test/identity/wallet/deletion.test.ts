import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import { A_DAY_MS, A_MINUTE_MS, folderWallet, memoryWallet, newFolder, START, withWallet } from './wallet-support.ts'

const URL_ = 'gemini://example.org/'

describe('a deleted identity', () => {
  it('is gone from everything but the list of deleted ones, which says until when', async () => {
    const { wallet, clock } = await memoryWallet()
    const { id, fingerprint } = await wallet.create({ name: 'Ana', scope: URL_ })
    clock.advance(A_MINUTE_MS)
    const deleted = await wallet.delete(id)
    const deletedAt = new Date(START.getTime() + A_MINUTE_MS)
    expect(deleted).toMatchObject({ id, name: 'Ana', fingerprint, deletedAt, removedAt: 'close' })
    expect(wallet.deleted()).toEqual([deleted])
    expect(wallet.list()).toEqual([])
    expect(wallet.get(id)).toBeNull()
    expect(wallet.forUrl(URL_)).toBeNull()
    expect(wallet.expiring(Number.MAX_SAFE_INTEGER)).toEqual([])
    expect(wallet.suggest(URL_, 60).offers.map(({ kind }) => kind)).toEqual(['create'])
  })

  it('is as before when the deletion is taken back', async () => {
    const directory = await newFolder()
    const wallet = await folderWallet(directory, { passphrase: 'x' })
    const { id } = await wallet.create({ name: 'Ana', scope: URL_ })
    await wallet.renew(id)
    await wallet.identityFor(URL_)
    const before = wallet.get(id)
    await wallet.delete(id)
    const files = (folder: string) =>
      readdirSync(join(directory, folder))
        .filter((name) => name.startsWith(id))
        .sort()
    expect(files('')).toEqual([])
    expect(files('deleted')).toEqual([`${id}.crt`, `${id}.former.crt`, `${id}.key`])
    expect(await wallet.undelete(id)).toEqual(before)
    expect(files('deleted')).toEqual([])
    expect(wallet.deleted()).toEqual([])
    await wallet.close()
    await withWallet(
      directory,
      async (again) => expect(await again.identityFor(URL_)).toMatchObject({ cert: before?.certificate.toPem() }),
      { passphrase: 'x' },
    )
  })

  it('is removed with its files and everything noted of it when the wallet is closed', async () => {
    const directory = await newFolder()
    const kept = await withWallet(directory, async (wallet) => {
      const { id } = await wallet.create({ name: 'Ana', scope: URL_ })
      await wallet.delete(id)
      return wallet.create({ name: 'Bo' })
    })
    expect(readdirSync(directory).sort()).toEqual(
      ['.lock', `${kept.id}.crt`, `${kept.id}.key`, 'deleted', 'identities.toml'].sort(),
    )
    expect(readdirSync(join(directory, 'deleted'))).toEqual([])
    const text = readFileSync(join(directory, 'identities.toml'), 'utf8')
    expect(text).toContain('Bo')
    expect(text).not.toContain('Ana')
    expect(text).not.toContain('example.org')
  })

  it('is removed from memory too, if it was temporary, and can be had back until then', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ temporary: true, scope: URL_ })
    expect(await wallet.delete(id)).toMatchObject({ temporary: true, removedAt: 'close' })
    await wallet.undelete(id)
    expect(wallet.forUrl(URL_)?.id).toBe(id)
    expect(await wallet.identityFor(URL_)).not.toBeNull()
  })

  it('is not had back twice, and not if it was never deleted', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create()
    const notFound = { code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' }
    await expect(wallet.undelete(id)).rejects.toMatchObject(notFound)
    await wallet.delete(id)
    await expect(wallet.delete(id)).rejects.toMatchObject(notFound)
    const twice = await Promise.allSettled([wallet.undelete(id), wallet.undelete(id)])
    expect(twice.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })

  it('is left to the program that deleted it for a day, and then removed by any', async () => {
    const directory = await newFolder()
    const clock = fixedClock(START)
    const one = await folderWallet(directory, { clock })
    const { id } = await one.create({ name: 'Ana', scope: URL_ })
    await one.delete(id)
    const path = join(directory, 'deleted', `${id}.key`)
    await withWallet(
      directory,
      async (two) => {
        expect(two.deleted()).toMatchObject([{ id, removedAt: new Date(START.getTime() + A_DAY_MS) }])
      },
      { clock },
    )
    expect(existsSync(path)).toBe(true)
    clock.advance(A_DAY_MS - 1)
    await withWallet(directory, async () => {}, { clock })
    expect(existsSync(path)).toBe(true)
    clock.advance(1)
    await withWallet(directory, async () => {}, { clock })
    expect(existsSync(path)).toBe(false)
    await expect(one.undelete(id)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' })
  })

  it('can be had back by another program', async () => {
    const directory = await newFolder()
    const one = await folderWallet(directory)
    const { id } = await one.create({ scope: URL_ })
    await one.delete(id)
    await withWallet(directory, async (two) => void (await two.undelete(id)))
    // The first one has deleted nothing any more.
    await one.close()
    await withWallet(directory, async (three) => expect(three.forUrl(URL_)?.id).toBe(id))
  })

  it('of which nobody knows when it was deleted gets another day', async () => {
    const directory = await newFolder()
    const clock = fixedClock(START)
    const { id } = await withWallet(directory, (wallet) => wallet.create(), { clock })
    mkdirSync(join(directory, 'deleted'))
    for (const kind of ['crt', 'key'])
      renameSync(join(directory, `${id}.${kind}`), join(directory, 'deleted', `${id}.${kind}`))
    const key = join(directory, 'deleted', `${id}.key`)
    await withWallet(directory, async (wallet) => expect(wallet.deleted()).toHaveLength(1), { clock })
    expect(existsSync(key)).toBe(true)
    clock.advance(A_DAY_MS)
    await withWallet(directory, async () => {}, { clock })
    expect(existsSync(key)).toBe(false)
  })
})

// Each row is a moment at which a program can be killed: which files were in `deleted` by then.
describe('whatever moment a program is killed at', () => {
  const KINDS = ['crt', 'former.crt', 'key']

  async function prepared() {
    const directory = await newFolder()
    const identity = await withWallet(directory, async (wallet) => {
      const { id } = await wallet.create({ name: 'Ana', scope: URL_ })
      return wallet.renew(id)
    })
    mkdirSync(join(directory, 'deleted'))
    const move = (kind: string) =>
      renameSync(join(directory, `${identity.id}.${kind}`), join(directory, 'deleted', `${identity.id}.${kind}`))
    return { directory, identity, move }
  }

  it.each([[['crt']], [['crt', 'former.crt']], [['crt', 'former.crt', 'key']]])(
    'of a deletion (%j moved), the identity is deleted and can be had back whole',
    async (moved) => {
      const { directory, identity, move } = await prepared()
      for (const kind of moved) move(kind)
      const wallet = await folderWallet(directory)
      expect(wallet.list()).toEqual([])
      expect(wallet.problems).toEqual([])
      expect(wallet.deleted()).toMatchObject([{ id: identity.id, name: 'Ana' }])
      const back = await wallet.undelete(identity.id)
      expect(back).toMatchObject({ fingerprint: identity.fingerprint, name: 'Ana' })
      expect(back.formerCertificates).toHaveLength(1)
      expect(await wallet.identityFor(URL_)).toMatchObject({ cert: identity.certificate.toPem() })
      expect(readdirSync(join(directory, 'deleted'))).toEqual([])
    },
  )

  it.each([[['former.crt']], [['key']], [['former.crt', 'key']]])(
    'of taking it back (%j still aside), the identity is there and works',
    async (aside) => {
      const { directory, identity, move } = await prepared()
      for (const kind of aside) move(kind)
      const wallet = await folderWallet(directory)
      expect(wallet.get(identity.id)?.formerCertificates).toHaveLength(1)
      expect(wallet.problems).toEqual([])
      expect(await wallet.identityFor(URL_)).toMatchObject({ cert: identity.certificate.toPem() })
      await wallet.delete(identity.id)
      expect(readdirSync(join(directory, 'deleted')).sort()).toEqual(
        KINDS.map((kind) => `${identity.id}.${kind}`).sort(),
      )
    },
  )

  it.each([[['key']], [['key', 'former.crt']]])('of removing it (%j gone), the rest goes too', async (gone) => {
    const { directory, identity, move } = await prepared()
    for (const kind of KINDS) move(kind)
    for (const kind of gone) rmSync(join(directory, 'deleted', `${identity.id}.${kind}`))
    const clock = fixedClock(new Date())
    await withWallet(
      directory,
      async (wallet) => {
        expect(wallet.list()).toEqual([])
        expect(wallet.deleted()).toEqual([])
        expect(wallet.problems).toEqual([])
        await wallet.delete((await wallet.create()).id)
      },
      { clock },
    )
    expect(readdirSync(join(directory, 'deleted'))).toEqual([])
    expect(readFileSync(join(directory, 'identities.toml'), 'utf8')).not.toContain('Ana')
  })

  it('of removing it, the key is what went first', async () => {
    const { directory, identity } = await prepared()
    const { id } = identity
    const wallet = await IdentityWallet.open({ directory })
    await wallet.delete(id)
    // Cannot be removed as a file, so that it ends in the middle.
    const former = join(directory, 'deleted', `${id}.former.crt`)
    rmSync(former, { force: true })
    mkdirSync(former)
    await expect(wallet.close()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(existsSync(join(directory, 'deleted', `${id}.key`))).toBe(false)
    expect(existsSync(join(directory, 'deleted', `${id}.crt`))).toBe(true)
  })

  it('of making one, there is a key that belongs to nobody, and nothing else', async () => {
    const { directory, identity } = await prepared()
    const text = readFileSync(join(directory, `${identity.id}.key`))
    writeFileSync(join(directory, `${'0'.repeat(32)}.key`), text, { mode: 0o600 })
    writeFileSync(join(directory, '.tlacacoca-0123456789abcdef.tmp'), identity.certificate.toPem())
    const wallet = await folderWallet(directory)
    expect(wallet.list()).toHaveLength(1)
    expect(wallet.problems).toMatchObject([{ message: 'the certificate of this key is missing' }])
  })

  it('of renewing one, the former certificate is not listed as its own predecessor', async () => {
    const { directory, identity } = await prepared()
    const former = join(directory, `${identity.id}.former.crt`)
    // The list of former ones is written first, with the present one on top.
    writeFileSync(former, identity.certificate.toPem() + readFileSync(former, 'utf8'))
    const wallet = await folderWallet(directory)
    expect(wallet.get(identity.id)?.formerCertificates).toHaveLength(1)
  })
})
