// What is kept in plain files, with a fault at each single call to the file system: an error of three kinds, or the end of
// the program. Whatever the moment, the old is there or the new, an error says so, nothing is lost, and the next try works.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createAuthorityDirectory, openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { Certificate } from '../../src/certificate/certificate.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { loadPrivateKey, matchesCertificate } from '../../src/certificate/private-key.ts'
import { saveCertificateFiles } from '../../src/certificate/save.ts'
import { TlacacocaError } from '../../src/errors.ts'
import { IdentityWallet } from '../../src/identity/wallet/identity-wallet.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { signKnownHosts } from '../../src/tofu/signed-list.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { type Fault, withFault } from '../support/fault-points.ts'
import { certificateOf, codeOf, hostOf } from '../support/fault-stores.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ERRORS = ['EIO', 'EMFILE', 'ENOSPC'] as const satisfies readonly Fault[]
const SECRET = 'a passphrase that nobody may read'
const MOST_CALLS = 400

const temporaries = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.tmp'))

/** All files of a folder but temporary ones and locks. */
function contentsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
  const files = names.filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp') && entry.name !== '.lock')
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [
      join(parentPath, name).slice(folder.length),
      readFileSync(join(parentPath, name), 'utf8'),
    ]),
  )
}

function requireGoodError(error: unknown, folder: string): void {
  if (!(error instanceof TlacacocaError)) throw new Error(`not an error of ours: ${error}`, { cause: error })
  expect(error.code).toMatch(/^ERR_TLACACOCA_(FILE|STORE)_/)
  expect(error.message).toContain(folder)
  expect(error.message).not.toContain('PRIVATE KEY')
  expect(error.message).not.toContain(SECRET)
}

interface Work<State> {
  /** What there is before. */
  prepare(folder: string): Promise<void>
  act(folder: string): Promise<unknown>
  /** What one finds afterwards. */
  look(folder: string): Promise<State>
  /** How many calls the work makes at least: else its calls are not those that are watched. */
  readonly calls: number
}

/** Tries a piece of work with a fault at each of its calls. */
async function atEveryCall<State>(
  work: Work<State>,
  fault: Fault,
  check: (state: State, ended: 'done' | 'failed' | 'killed', folder: string) => void | Promise<void>,
): Promise<void> {
  const origin = join(await temporaryFolder(), 'origin')
  mkdirSync(origin)
  await work.prepare(origin)
  let at = 0
  for (; at < MOST_CALLS; at++) {
    const folder = join(await temporaryFolder(), 'data')
    cpSync(origin, folder, { recursive: true })
    const { ended, call } = await withFault(at, fault, () => work.act(folder))
    if (call === null) {
      expect(ended.kind).toBe('done')
      break
    }
    const where = `${fault} at call ${at}, ${call}`
    if (ended.kind === 'failed') requireGoodError(ended.error, folder)
    // The call that failed may be the one that was to remove it.
    if (ended.kind !== 'killed')
      expect(temporaries(folder).length, where).toBeLessThanOrEqual(call === 'unlink' ? 1 : 0)
    // As another program finds it: a lock that is held here goes with the program that held it.
    const found = fault === 'killed' ? `${folder}.found` : folder
    if (found !== folder) {
      cpSync(folder, found, { recursive: true })
      rmSync(join(found, '.lock'), { force: true })
    }
    try {
      await check(await work.look(found), ended.kind, found)
    } catch (error) {
      throw new Error(`${where}: ${error}`, { cause: error })
    }
    rmSync(folder, { recursive: true })
  }
  expect(at).toBeGreaterThanOrEqual(work.calls)
  expect(at).toBeLessThan(MOST_CALLS)
}

const old = await generateSelfSignedCertificate({ hostname: 'example.org', passphrase: SECRET })
const next = await generateSelfSignedCertificate({ hostname: 'example.org', passphrase: SECRET })
const keyOf = ({ privateKeyPem }: typeof old) => loadPrivateKey(privateKeyPem, { passphrase: SECRET })
// A passphrase takes its time, by intention.
const [oldKey, nextKey] = [await keyOf(old), await keyOf(next)]

const pinsOf = async (numbers: readonly number[]) => {
  const pins = TofuStore.inMemory()
  for (const n of numbers) await pins.trust(hostOf(n), await certificateOf(n))
  return pins
}
const before = await pinsOf([0])
const after = await pinsOf([0, 1])

const at = (folder: string, name: string) => join(folder, name)
const textOf = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : null)

const EXPORTS: readonly (Work<string | null> & { readonly what: string })[] = [
  {
    what: 'a TOML export',
    calls: 5,
    prepare: async (folder) => void (await before.exportToml(at(folder, 'pins'))),
    act: (folder) => after.exportToml(at(folder, 'pins'), { overwrite: true }),
    look: async (folder) => {
      const pins = TofuStore.inMemory()
      await pins.importToml(at(folder, 'pins'))
      return (await pins.listHosts()).length === 1 ? 'old' : 'new'
    },
  },
  {
    what: 'known hosts that are updated',
    calls: 8,
    prepare: async (folder) => void (await before.exportKnownHosts(at(folder, 'known'), { format: 'gmni' })),
    act: (folder) => after.exportKnownHosts(at(folder, 'known'), { format: 'gmni', update: true }),
    look: async (folder) => {
      const lines = textOf(at(folder, 'known'))?.trim().split('\n').length
      return lines === 1 ? 'old' : lines === 2 ? 'new' : `${lines} lines`
    },
  },
  {
    what: 'a signature',
    calls: 8,
    prepare: async (folder) => {
      await before.exportToml(at(folder, 'pins'))
      await signKnownHosts(at(folder, 'pins'), {
        privateKey: oldKey,
        clock: () => 0,
      })
    },
    act: async (folder) =>
      signKnownHosts(at(folder, 'pins'), {
        privateKey: nextKey,
        overwrite: true,
        clock: () => 0,
      }),
    look: async (folder) => {
      const pins = TofuStore.inMemory()
      for (const [word, { certificate }] of Object.entries({ old, new: next })) {
        const signature = { signedBy: certificate.publicKeyFingerprint, name: word }
        const found = await pins.importToml(at(folder, 'pins'), { signature }).then(() => word, codeOf)
        if (found === word) return word
      }
      return 'neither'
    },
  },
]

describe.each(EXPORTS)('$what', (work) => {
  it.each([...ERRORS, 'killed'] as const)('is the old one or the new one (%s)', async (fault) => {
    await atEveryCall(work, fault, async (state, ended, folder) => {
      expect(state).toMatch(/^(old|new)$/)
      if (ended === 'done') expect(state).toBe('new')
      if (ended === 'failed') expect(state).toBe('old')
      await work.act(folder)
      expect(await work.look(folder)).toBe('new')
    })
  })
})

describe('a certificate and its key', () => {
  const paths = (folder: string) => ({ certFile: at(folder, 'cert.pem'), keyFile: at(folder, 'key.pem') })
  const work: Work<Record<string, string>> = {
    calls: 14,
    prepare: (folder) => saveCertificateFiles(old, paths(folder)),
    act: (folder) => saveCertificateFiles(next, { ...paths(folder), overwrite: true }),
    look: async (folder) => contentsOf(folder),
  }
  const OLD = { '/cert.pem': old.certificatePem, '/key.pem': old.privateKeyPem }
  const NEW = { '/cert.pem': next.certificatePem, '/key.pem': next.privateKeyPem }

  it.each(ERRORS)('are the old pair or the new one, and never a half of each (%s)', async (fault) => {
    await atEveryCall(work, fault, async (state, ended, folder) => {
      expect(state).toEqual(ended === 'done' ? NEW : OLD)
      await work.act(folder)
      expect(contentsOf(folder)).toEqual(NEW)
    })
  })

  it('a program that is killed loses neither key, and a server goes on with the old pair', async () => {
    let halves = 0
    await atEveryCall(work, 'killed', async (state, _, folder) => {
      const isHalf = state['/key.pem'] === next.privateKeyPem && state['/cert.pem'] === old.certificatePem
      if (!isHalf) return expect([OLD, NEW]).toContainEqual(state)
      halves++
      const kept = temporaries(folder).map((name) => readFileSync(join(folder, name), 'utf8'))
      expect(kept).toContain(old.privateKeyPem)
      expect(kept).toContain(next.certificatePem)
      const { certFile, keyFile } = paths(folder)
      const whole = join(folder, 'whole')
      mkdirSync(whole)
      await saveCertificateFiles(old, paths(whole))
      const source = { certFile: join(whole, 'cert.pem'), keyFile: join(whole, 'key.pem'), passphrase: SECRET }
      const context = await createServerContext({ certificates: [source] })
      cpSync(certFile, source.certFile)
      cpSync(keyFile, source.keyFile)
      await expect(context.reload()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_MISMATCH' })
      expect(context.certificates[0]?.certificate.fingerprint).toBe(old.fingerprint)
      cpSync(paths(folder).certFile, source.certFile)
      await saveCertificateFiles(next, {
        certFile: source.certFile,
        keyFile: source.keyFile,
        overwrite: true,
      })
      expect((await context.reload()).certificates[0]?.certificate.fingerprint).toBe(next.fingerprint)
    })
    expect(halves).toBeGreaterThan(0)
  })
})

describe('a new authority', () => {
  const work: Work<string> = {
    calls: 20,
    prepare: async () => {},
    act: (folder) =>
      createAuthorityDirectory(at(folder, 'ca'), { subject: [['CN', 'ca.example']], dangerouslyUnencrypted: true }),
    look: (folder) => openAuthorityDirectory(at(folder, 'ca')).then(() => 'whole', codeOf),
  }

  it.each(ERRORS)('is there whole, or there is nothing of it (%s)', async (fault) => {
    await atEveryCall(work, fault, async (state, ended, folder) => {
      expect(state).toBe(ended === 'done' ? 'whole' : 'ERR_TLACACOCA_FILE_NOT_FOUND')
      if (ended === 'done') return
      await work.act(folder)
      expect(await work.look(folder)).toBe('whole')
    })
  })

  it('of a program that was killed is whole, or is not taken for one', async () => {
    const seen = new Set<string>()
    await atEveryCall(work, 'killed', async (state, _, folder) => {
      seen.add(state)
      expect(['whole', 'ERR_TLACACOCA_FILE_NOT_FOUND', 'ERR_TLACACOCA_AUTHORITY_INCOMPLETE']).toContain(state)
      if (state === 'whole') return
      // What the error says to do.
      for (const name of Object.keys(contentsOf(folder))) rmSync(join(folder, name))
      await work.act(folder)
      expect(await work.look(folder)).toBe('whole')
    })
    expect(seen.size).toBe(3)
  })
})

describe('a wallet', () => {
  const URL_ = 'gemini://first.example/'

  async function using<T>(folder: string, act: (wallet: IdentityWallet) => Promise<T>): Promise<T> {
    const wallet = await IdentityWallet.open({ directory: folder })
    try {
      return await act(wallet)
    } finally {
      await wallet.close()
    }
  }

  async function firstOf(wallet: IdentityWallet): Promise<string> {
    const [id = ''] = [...wallet.list(), ...wallet.deleted()].map((each) => each.id).slice(-1)
    return id
  }

  const prepare = (folder: string): Promise<void> =>
    using(folder, async (wallet) => void (await wallet.create({ name: 'first', scope: URL_ })))

  /** The identity that was there first: its state, and whether its key is its own. */
  async function look(folder: string): Promise<{ live: string[]; deleted: number; problems: number }> {
    return using(folder, async (wallet) => {
      for (const { id } of wallet.list()) {
        const { cert, key } = await wallet.clientIdentity(id)
        const privateKey = await loadPrivateKey(key)
        expect(matchesCertificate(privateKey, Certificate.from(cert))).toBe(true)
      }
      const live = wallet.list().map(({ name }) => name ?? 'no name')
      return { live: live.sort(), deleted: wallet.deleted().length, problems: wallet.problems.length }
    })
  }

  const ACTS: Readonly<
    Record<string, { calls: number; act: (wallet: IdentityWallet, id: string) => Promise<unknown> }>
  > = {
    create: { calls: 40, act: (wallet) => wallet.create({ name: 'second' }) },
    renew: { calls: 30, act: (wallet, id) => wallet.renew(id) },
    annotate: { calls: 30, act: (wallet, id) => wallet.annotate(id, 'a note') },
    delete: { calls: 30, act: (wallet, id) => wallet.delete(id) },
  }

  it.each(Object.keys(ACTS).flatMap((name) => (['EIO', 'killed'] as const).map((fault) => ({ name, fault }))))(
    'loses nothing by a fault in $name ($fault)',
    async ({ name, fault }) => {
      const { calls, act } = ACTS[name] ?? { calls: 0, act: () => Promise.reject(new Error(name)) }
      let isAnswered = false
      const work = {
        calls,
        prepare,
        look,
        act: (folder: string) => {
          isAnswered = false
          return using(folder, async (wallet) => {
            await act(wallet, await firstOf(wallet))
            isAnswered = true
          })
        },
      }
      await atEveryCall(work, fault, async (state, ended, folder) => {
        const { live, deleted } = state
        if (name !== 'delete') expect(live).toContain('first')
        // Closing a wallet is the end of what it has deleted.
        else if (isAnswered) expect(live).toEqual([])
        else expect(live.length + deleted).toBe(1)
        if (name === 'create' && ended === 'done') expect(live.some((each) => each !== 'first')).toBe(true)
        if (name === 'create' && ended === 'failed') expect(state).toEqual({ live: ['first'], deleted: 0, problems: 0 })
        if (ended !== 'killed') expect(state.problems).toBe(0)
        await using(folder, async (wallet) => wallet.create({ name: 'afterwards' }))
        expect((await look(folder)).live).toContain('afterwards')
      })
    },
  )
})
