// A wallet on the disk: what is in the files, who can read them, and what becomes of files that are not as they should be.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../../src/certificate/certificate.ts'
import { encryptPrivateKey, loadPrivateKey } from '../../../src/certificate/private-key.ts'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import { testCertificate } from '../../support/certificates.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { folderWallet, newFolder, withWallet } from './wallet-support.ts'

const PASSPHRASE = 'correct horse battery staple'
const URL_ = 'gemini://example.org/club'

/** All files below a folder, as paths within it. */
function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => statSync(join(folder, name)).isFile()).sort()
}

const modeOf = (path: string): number => statSync(path).mode & 0o777

describe('a folder', () => {
  it('holds a pair of PEM files for each identity and one file for people', async () => {
    const directory = await newFolder()
    const id = await withWallet(directory, async (wallet) => (await wallet.create({ name: 'Ana', scope: URL_ })).id)
    expect(filesIn(directory)).toEqual(['.lock', `${id}.crt`, `${id}.key`, 'identities.toml'])
    const text = readFileSync(join(directory, 'identities.toml'), 'utf8')
    expect(text).toContain(`[identity.${id}]\nname = "Ana"\n`)
    expect(text).toContain('url = "gemini://example.org/club"')
    const certificate = Certificate.from(readFileSync(join(directory, `${id}.crt`)))
    const key = await loadPrivateKey(readFileSync(join(directory, `${id}.key`)))
    await withWallet(directory, async (wallet) => {
      expect(wallet.forUrl(URL_)).toMatchObject({ id, name: 'Ana', fingerprint: certificate.fingerprint })
      const pair = await wallet.export(id)
      expect(pair.privateKey.equals(key)).toBe(true)
    })
  })

  it.skipIf(process.platform === 'win32')('and everything in it is its owner’s alone, whatever the umask', async () => {
    const directory = await newFolder()
    const before = process.umask(0)
    try {
      await withWallet(directory, async (wallet) => {
        const { id } = await wallet.create({ name: 'Ana', scope: URL_ })
        await wallet.renew(id)
        await wallet.delete((await wallet.create()).id)
        for (const file of filesIn(directory)) expect([file, modeOf(join(directory, file))]).toEqual([file, 0o600])
        expect(modeOf(directory)).toBe(0o700)
        expect(modeOf(join(directory, 'deleted'))).toBe(0o700)
      })
    } finally {
      process.umask(before)
    }
  })

  it('is not touched by opening, looking and closing', async () => {
    const directory = await newFolder()
    await withWallet(directory, async (wallet) => {
      expect(wallet.list()).toEqual([])
      expect(wallet.forUrl(URL_)).toBeNull()
      expect(wallet.directory).toBe(directory)
      expect(wallet.problems).toEqual([])
    })
    expect(existsSync(directory)).toBe(false)

    await withWallet(directory, (wallet) => wallet.create({ scope: URL_ }))
    const before = filesIn(directory).map((file) => statSync(join(directory, file)).mtimeMs)
    await withWallet(directory, async (wallet) => {
      expect(wallet.forUrl(URL_)).not.toBeNull()
      wallet.suggest(URL_, 60)
    })
    expect(filesIn(directory).map((file) => statSync(join(directory, file)).mtimeMs)).toEqual(before)
  })

  it('takes pairs that somebody put there', async () => {
    const directory = await temporaryFolder()
    const { certificate, certPem, keyPem } = await testCertificate({
      host: null,
      usage: 'client',
      commonName: 'from openssl',
    })
    writeFileSync(join(directory, 'my-own_1.crt'), `# comment\n${certPem}`, { mode: 0o600 })
    writeFileSync(join(directory, 'my-own_1.key'), keyPem, { mode: 0o600 })
    const wallet = await folderWallet(directory)
    expect(wallet.list()).toMatchObject([
      { id: 'my-own_1', name: null, commonName: 'from openssl', fingerprint: certificate.fingerprint, createdAt: null },
    ])
    await wallet.use('my-own_1', URL_)
    expect(await wallet.identityFor(URL_)).toMatchObject({ cert: certificate.toPem() })
  })

  it('shows what other programs did when it is read anew, and before it is changed', async () => {
    const directory = await newFolder()
    const one = await folderWallet(directory)
    const two = await folderWallet(directory)
    const { id } = await one.create({ name: 'Ana' })
    expect(two.list()).toEqual([])
    await two.reload()
    expect(two.get(id)?.name).toBe('Ana')
    await one.rename(id, 'Bo')
    await two.annotate(id, 'the bus')
    expect(two.get(id)).toMatchObject({ name: 'Bo', notes: 'the bus' })
    await one.delete(id)
    await expect(two.rename(id, 'Cy')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' })
    expect(two.get(id)).toBeNull()
  })
})

describe('a passphrase', () => {
  it('encrypts the keys by scrypt, and opens them again', async () => {
    const directory = await newFolder()
    const options = { passphrase: PASSPHRASE }
    const { id, fingerprint } = await withWallet(directory, (wallet) => wallet.create({ scope: URL_ }), options)
    const key = readFileSync(join(directory, `${id}.key`), 'utf8')
    expect(key).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    // The object identifier of scrypt, 1.3.6.1.4.1.11591.4.11.
    expect(Buffer.from(key.replace(/-----.*-----|\s/g, ''), 'base64').toString('hex')).toContain(
      '06092b06010401da47040b',
    )
    await withWallet(
      directory,
      async (wallet) => {
        expect(wallet.list()).toMatchObject([{ id, fingerprint }])
        expect((await wallet.identityFor(URL_))?.key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
      },
      options,
    )
  })

  it.each([
    ['without one', {}, 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED'],
    ['with another', { passphrase: 'Correct horse battery staple' }, 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG'],
  ] as const)('that encrypts keys is needed: %s the wallet does not open', async (_, options, code) => {
    const directory = await newFolder()
    await withWallet(directory, (wallet) => wallet.create(), { passphrase: PASSPHRASE })
    const before = filesIn(directory)
    await expect(IdentityWallet.open({ directory, ...options })).rejects.toMatchObject({ code })
    expect(filesIn(directory)).toEqual(before)
  })

  it('does not keep keys of another kind from being there: those that it does not open fail by themselves', async () => {
    const directory = await newFolder()
    const plain = await withWallet(directory, (wallet) => wallet.create({ scope: 'gemini://plain.example/' }))
    const foreign = await testCertificate({ host: null, usage: 'client', commonName: '' })
    writeFileSync(join(directory, '0.crt'), foreign.certPem)
    writeFileSync(join(directory, '0.key'), await encryptPrivateKey(foreign.keyPem, { passphrase: 'another' }), {
      mode: 0o600,
    })
    const encrypted = { passphrase: 'another' }
    await withWallet(directory, (wallet) => wallet.create({ scope: 'gemini://mine.example/' }), encrypted)
    rmSync(join(directory, '0.key'))
    writeFileSync(join(directory, '0.key'), await encryptPrivateKey(foreign.keyPem, { passphrase: 'lost' }), {
      mode: 0o600,
    })

    const wallet = await folderWallet(directory, encrypted)
    expect(wallet.list()).toHaveLength(3)
    expect(await wallet.clientIdentity(plain.id)).not.toBeNull()
    expect(await wallet.identityFor('gemini://mine.example/')).not.toBeNull()
    await expect(wallet.clientIdentity('0')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' })
  })

  it.each([
    [{ passphrase: '' }, RangeError],
    [{ passphrase: undefined }, TypeError],
    [{ passphrase: 5 }, TypeError],
    [{ password: 'x' }, TypeError],
    [{ clock: 5 }, TypeError],
    [{ lockTimeoutMs: -1 }, RangeError],
    [{ appName: 'x' }, TypeError],
    [{ directory: undefined }, TypeError],
    [{ directory: '' }, RangeError],
    [{ directory: 'a\0b' }, RangeError],
    [{ directory: undefined, appName: '../x' }, RangeError],
    [{ directory: undefined, appName: '' }, RangeError],
  ])('and other options are checked: %j', async (options, error) => {
    // @ts-expect-error Some have the wrong type.
    await expect(IdentityWallet.open({ directory: await newFolder(), ...options })).rejects.toThrow(error)
  })
})

describe('by the name of a program', () => {
  it.skipIf(process.platform !== 'linux')('the folder is where its data belongs', async () => {
    const data = await temporaryFolder()
    const before = process.env.XDG_DATA_HOME
    process.env.XDG_DATA_HOME = data
    try {
      const wallet = await IdentityWallet.open({ appName: 'my-browser' })
      expect(wallet.directory).toBe(join(data, 'my-browser', 'identities'))
      await wallet.create()
      await wallet.close()
      expect(existsSync(join(data, 'my-browser', 'identities', 'identities.toml'))).toBe(true)
    } finally {
      if (before === undefined) delete process.env.XDG_DATA_HOME
      else process.env.XDG_DATA_HOME = before
    }
  })
})

describe('files that are not as they should be', () => {
  async function prepared() {
    const directory = await newFolder()
    const [ana, bo] = await withWallet(directory, async (wallet) => [
      await wallet.create({ name: 'Ana', scope: 'gemini://a.example/' }),
      await wallet.create({ name: 'Bo', scope: 'gemini://b.example/' }),
    ])
    return { directory, ana, bo, path: (name: string) => join(directory, name) }
  }

  it.each([
    ['a certificate without its key', (id: string, folder: string) => rmSync(join(folder, `${id}.key`)), 'key'],
    ['a key without its certificate', (id: string, folder: string) => rmSync(join(folder, `${id}.crt`)), 'certificate'],
    [
      'a damaged certificate',
      (id: string, folder: string) => writeFileSync(join(folder, `${id}.crt`), 'x'),
      'certificate',
    ],
    ['an empty certificate', (id: string, folder: string) => writeFileSync(join(folder, `${id}.crt`), ''), 'none'],
    [
      'a key in the place of a certificate',
      (id: string, folder: string) => writeFileSync(join(folder, `${id}.crt`), readFileSync(join(folder, `${id}.key`))),
      'certificate',
    ],
    [
      'a link that leads nowhere',
      (id: string, folder: string) => {
        rmSync(join(folder, `${id}.crt`))
        symlinkSync('/nonexistent', join(folder, `${id}.crt`))
      },
      'no file',
    ],
    [
      'a folder in the place of a certificate',
      (id: string, folder: string) => {
        rmSync(join(folder, `${id}.crt`))
        mkdirSync(join(folder, `${id}.crt`))
      },
      'EISDIR',
    ],
  ] as const)('such as %s are reported and left alone, and the others work', async (_, damage, message) => {
    const { directory, ana, bo } = await prepared()
    damage(ana.id, directory)
    const before = readdirSync(directory)
    const wallet = await folderWallet(directory)
    expect(wallet.list().map(({ id }) => id)).toEqual([bo.id])
    expect(wallet.problems).toHaveLength(1)
    expect(wallet.problems[0]?.message).toContain(message)
    expect(wallet.problems[0]?.path).toContain(ana.id)
    expect(await wallet.identityFor('gemini://b.example/')).not.toBeNull()
    await wallet.rename(bo.id, 'Bob')
    expect(readdirSync(directory)).toEqual(before)
    // What was noted of the other one is still there for when its file is back.
    expect(readFileSync(join(directory, 'identities.toml'), 'utf8')).toContain('"Ana"')
  })

  it('former certificates that cannot be read are reported, and the identity does without', async () => {
    const { ana, directory, path } = await prepared()
    const renewed = await withWallet(directory, (wallet) => wallet.renew(ana.id))
    writeFileSync(path(`${ana.id}.former.crt`), 'x')
    const wallet = await folderWallet(directory)
    expect(wallet.get(ana.id)).toMatchObject({ fingerprint: renewed.fingerprint, formerCertificates: [] })
    expect(wallet.problems).toMatchObject([{ path: path(`${ana.id}.former.crt`) }])
  })

  it('a certificate is not replaced before the old one is among the former ones', async () => {
    const { ana, directory, path } = await prepared()
    mkdirSync(path(`${ana.id}.former.crt`))
    const wallet = await folderWallet(directory)
    await expect(wallet.renew(ana.id)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(wallet.get(ana.id)?.fingerprint).toBe(ana.fingerprint)
    expect(Certificate.from(readFileSync(path(`${ana.id}.crt`))).fingerprint).toBe(ana.fingerprint)
  })

  it('a key of another certificate is not used', async () => {
    const { ana, bo, directory, path } = await prepared()
    writeFileSync(path(`${ana.id}.key`), readFileSync(path(`${bo.id}.key`)))
    const wallet = await folderWallet(directory)
    const mismatch = { code: 'ERR_TLACACOCA_KEY_MISMATCH' }
    await expect(wallet.identityFor('gemini://a.example/')).rejects.toMatchObject(mismatch)
    await expect(wallet.renew(ana.id)).rejects.toMatchObject(mismatch)
    await expect(wallet.export(ana.id)).rejects.toMatchObject(mismatch)
  })

  it('a key that failed is tried again once its file is mended', async () => {
    const { ana, bo, directory, path } = await prepared()
    const key = readFileSync(path(`${ana.id}.key`))
    writeFileSync(path(`${ana.id}.key`), readFileSync(path(`${bo.id}.key`)))
    const wallet = await folderWallet(directory)
    await expect(wallet.clientIdentity(ana.id)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_MISMATCH' })
    writeFileSync(path(`${ana.id}.key`), key)
    expect(await wallet.clientIdentity(ana.id)).toMatchObject({ cert: ana.certificate.toPem() })
  })

  it.skipIf(process.platform === 'win32')('keys and folders that are open to others are reported', async () => {
    const { ana, directory, path } = await prepared()
    chmodSync(path(`${ana.id}.key`), 0o640)
    chmodSync(directory, 0o775)
    const wallet = await folderWallet(directory)
    expect(wallet.problems.map((problem) => problem.path).sort()).toEqual([directory, path(`${ana.id}.key`)].sort())
    expect(wallet.list()).toHaveLength(2)
  })

  it.skipIf(process.platform === 'win32')('links are not written through', async () => {
    const { ana, directory, path } = await prepared()
    const elsewhere = join(await temporaryFolder(), 'elsewhere')
    writeFileSync(elsewhere, readFileSync(path('identities.toml')))
    const before = readFileSync(elsewhere)
    rmSync(path('identities.toml'))
    symlinkSync(elsewhere, path('identities.toml'))
    const wallet = await folderWallet(directory)
    await expect(wallet.rename(ana.id, 'x')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    await expect(wallet.create()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(readFileSync(elsewhere)).toEqual(before)
    expect(wallet.list()).toHaveLength(2)
    expect(readdirSync(directory).filter((name) => name.endsWith('.key'))).toHaveLength(2)

    rmSync(path('.lock'))
    symlinkSync(elsewhere, path('.lock'))
    await expect(wallet.rename(ana.id, 'x')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(readFileSync(elsewhere)).toEqual(before)
  })

  it.skipIf(process.platform === 'win32')('a link for what is deleted takes nothing out of the folder', async () => {
    const { ana, directory, path } = await prepared()
    const elsewhere = await temporaryFolder()
    symlinkSync(elsewhere, path('deleted'))
    const wallet = await folderWallet(directory)
    await expect(wallet.delete(ana.id)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(readdirSync(elsewhere)).toEqual([])
    expect(await wallet.clientIdentity(ana.id)).toMatchObject({ cert: ana.certificate.toPem() })
  })

  it.skipIf(process.platform === 'win32')(
    'a link to the folder itself leads there, as whoever made it wants',
    async () => {
      const { ana, directory } = await prepared()
      const link = join(await temporaryFolder(), 'link')
      symlinkSync(directory, link)
      const wallet = await folderWallet(link)
      await wallet.delete(ana.id)
      await wallet.undelete(ana.id)
      expect((await folderWallet(directory)).list()).toHaveLength(2)
      expect(lstatSync(link).isSymbolicLink()).toBe(true)
    },
  )

  it('other files are not looked at', async () => {
    const { directory, path } = await prepared()
    for (const name of [
      'UPPER.crt',
      'a.b.crt',
      '.hidden.crt',
      'x.pem',
      '-.crt',
      'note.txt',
      '__proto__.crt',
      'a b.key',
    ]) {
      writeFileSync(path(name), 'x')
    }
    const wallet = await folderWallet(directory)
    expect(wallet.list()).toHaveLength(2)
    expect(wallet.problems).toEqual([])
  })
})

describe('a temporary identity', () => {
  it('is never written', async () => {
    const directory = await newFolder()
    await withWallet(directory, async (wallet) => {
      const { id } = await wallet.create({ temporary: true, name: 'in passing', scope: URL_ })
      await wallet.annotate(id, 'notes')
      await wallet.use(id, 'gemini://example.org/other')
      await wallet.identityFor(URL_)
      await wallet.renew(id)
      const plan = await wallet.rotate(id)
      for (const { endpoint } of plan.sites) await plan.mark(endpoint, 'done')
      expect(plan.to.temporary).toBe(true)
      await plan.finish()
      await wallet.undelete(id)
      expect(wallet.list()).toHaveLength(2)
      expect(existsSync(directory)).toBe(false)
      // Beside one that is.
      await wallet.create({ name: 'to stay', scope: 'gemini://b.example/' })
      await wallet.identityFor(URL_)
    })
    const text = readFileSync(join(directory, 'identities.toml'), 'utf8')
    expect(text).toContain('to stay')
    expect(text).not.toContain('in passing')
    expect(text).not.toContain('example.org')
    expect(filesIn(directory)).toHaveLength(4)
    await withWallet(directory, async (wallet) => expect(wallet.list()).toHaveLength(1))
  })

  it('lasts for a month unless it is said otherwise', async () => {
    const wallet = await IdentityWallet.inMemory({ clock: () => Date.UTC(2030, 0, 1) })
    expect((await wallet.create({ temporary: true })).notAfter).toEqual(new Date('2030-01-31T00:00:00Z'))
    await wallet.close()
  })

  it('can be kept, with all that is known of it', async () => {
    const directory = await newFolder()
    const kept = await withWallet(directory, async (wallet) => {
      const { id } = await wallet.create({ temporary: true, name: 'Ana', scope: URL_ })
      await wallet.identityFor(URL_)
      const identity = await wallet.keep(id)
      expect(identity).toMatchObject({ id, temporary: false, name: 'Ana' })
      expect(wallet.list()).toHaveLength(1)
      // Once more makes no difference.
      await wallet.keep(id)
      return identity
    })
    await withWallet(directory, async (wallet) => {
      const identity = wallet.forUrl(URL_)
      expect(identity).toMatchObject({ id: kept.id, fingerprint: kept.fingerprint, temporary: false })
      expect(identity?.sites).toHaveLength(1)
      expect(await wallet.identityFor(URL_)).toMatchObject({ cert: kept.certificate.toPem() })
    })
  })

  it('is kept with the certificates that it had before', async () => {
    const directory = await newFolder()
    const former = await withWallet(directory, async (wallet) => {
      const { id, fingerprint } = await wallet.create({ temporary: true, name: 'Ana' })
      await wallet.renew(id)
      await wallet.keep(id)
      return { id, fingerprint }
    })
    await withWallet(directory, async (wallet) => {
      expect(wallet.get(former.id)?.formerCertificates).toMatchObject([{ fingerprint: former.fingerprint }])
      expect(await wallet.revertRenewal(former.id)).toMatchObject({ fingerprint: former.fingerprint, name: 'Ana' })
    })
  })

  it('is kept once, however many ask for it at the same time', async () => {
    const directory = await newFolder()
    const wallet = await folderWallet(directory)
    const { id } = await wallet.create({ temporary: true, name: 'Ana' })
    const kept = await Promise.all([wallet.keep(id), wallet.keep(id), wallet.keep(id)])
    expect(kept).toMatchObject(Array(3).fill({ id, name: 'Ana', temporary: false }))
    await wallet.reload()
    expect(wallet.get(id)).toMatchObject({ name: 'Ana', temporary: false })
    expect(await wallet.clientIdentity(id)).toMatchObject({ cert: kept[0]?.certificate.toPem() })
  })

  it('is kept with what is changed about it at the same time, before and after', async () => {
    const directory = await newFolder()
    const { id, to } = await withWallet(directory, async (wallet) => {
      const { id } = await wallet.create({ temporary: true })
      const [, , , , plan] = await Promise.all([
        wallet.rename(id, 'Ana'),
        wallet.keep(id),
        wallet.annotate(id, 'from the library'),
        wallet.use(id, URL_),
        wallet.rotate(id),
      ])
      return { id, to: plan.to.id }
    })
    await withWallet(directory, async (wallet) => {
      expect(wallet.problems).toEqual([])
      expect(wallet.get(id)).toMatchObject({ name: 'Ana', notes: 'from the library', temporary: false, replacedBy: to })
      expect(wallet.forUrl(URL_)?.id).toBe(id)
      for (const each of [id, to]) expect(await wallet.clientIdentity(each)).toHaveProperty('cert')
    })
  })

  it('is not kept while it is one of two that replace each other', async () => {
    const directory = await newFolder()
    const wallet = await folderWallet(directory)
    const { id } = await wallet.create({ temporary: true, scope: URL_ })
    const plan = await wallet.rotate(id)
    for (const each of [id, plan.to.id]) {
      await expect(wallet.keep(each)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_ROTATING' })
    }
    await plan.abandon()
    await wallet.keep(plan.to.id)
    expect(wallet.get(plan.to.id)?.temporary).toBe(false)
  })
})
