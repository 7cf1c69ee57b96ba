// What goes wrong below a wallet at moments that a test cannot meet from outside. Files and SQLite are the real ones, in
// front of which a fault waits.

import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { CertificateError, FileError } from '../../../src/errors.ts'
import { identityOf } from '../../../src/identity/wallet/identity.ts'
import { MemoryStorage } from '../../../src/identity/wallet/memory-storage.ts'
import { NO_METADATA, NO_NOTES } from '../../../src/identity/wallet/notes.ts'
import type { Pair } from '../../../src/identity/wallet/pair.ts'
import { withStep } from '../../../src/identity/wallet/rotation-notes.ts'
import { newId, WalletCore } from '../../../src/identity/wallet/wallet-core.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { madeIdentity } from '../formats/made-identities.ts'
import { folderWallet, newFolder, START, withWallet } from './wallet-support.ts'

interface Faults {
  opening: unknown
  placing: unknown
  access: unknown
  /** Called when the certificates of a folder have been read. */
  afterReading: () => Promise<void>
}

const faults = vi.hoisted((): Faults => ({ opening: null, placing: null, access: null, afterReading: async () => {} }))

vi.mock('../../../src/internal/sqlite-driver.ts', async (original) => {
  const real = await original<typeof import('../../../src/internal/sqlite-driver.ts')>()
  return {
    loadSqlite: async () => {
      const Driver = await real.loadSqlite()
      return function Faulty(...args: ConstructorParameters<typeof Driver>) {
        if (faults.opening !== null) throw faults.opening
        return new Driver(...args)
      }
    },
  }
})

vi.mock('../../../src/internal/atomic-file.ts', async (original) => {
  const real = await original<typeof import('../../../src/internal/atomic-file.ts')>()
  return {
    ...real,
    writeFileAtomic: async (...args: Parameters<typeof real.writeFileAtomic>) => {
      if (faults.placing !== null && args[0].endsWith('.lock')) throw faults.placing
      return real.writeFileAtomic(...args)
    },
  }
})

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return {
    ...real,
    access: async (...args: Parameters<typeof real.access>) => {
      if (faults.access !== null) throw faults.access
      return real.access(...args)
    },
  }
})

vi.mock('../../../src/identity/wallet/folder-pairs.ts', async (original) => {
  const real = await original<typeof import('../../../src/identity/wallet/folder-pairs.ts')>()
  return {
    ...real,
    readPairs: async (...args: Parameters<typeof real.readPairs>) => {
      const found = await real.readPairs(...args)
      await faults.afterReading()
      return found
    },
  }
})

beforeEach(() => {
  Object.assign(faults, { opening: null, placing: null, access: null, afterReading: async () => {} })
})

const withCode = (code: string): Error => Object.assign(new Error(code), { code })

it('a lock that SQLite cannot open lets nobody in', async () => {
  const directory = await newFolder()
  const wallet = await folderWallet(directory)
  faults.opening = withCode('SQLITE_CANTOPEN')
  await expect(wallet.create({ name: 'Ana' })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_STORE_FAILED',
    cause: faults.opening,
  })
  expect((await readdir(directory)).filter((name) => name !== '.lock')).toEqual([])
})

it('nor does one that cannot be created', async () => {
  const directory = await newFolder()
  const wallet = await folderWallet(directory)
  const path = join(directory, '.lock')
  faults.placing = new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, 'no', { cause: withCode('EIO') })
  await expect(wallet.create({ name: 'Ana' })).rejects.toBe(faults.placing)
  expect(await readdir(directory)).toEqual([])
})

it('nor one of which it is not known whether it is there', async () => {
  const directory = await newFolder()
  const wallet = await folderWallet(directory)
  faults.access = withCode('EACCES')
  await expect(wallet.create({ name: 'Ana' })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
  faults.access = null
  expect((await wallet.create({ name: 'Ana' })).name).toBe('Ana')
})

it('a folder that changes while it is read is read again', async () => {
  const [directory, other] = [await newFolder(), await newFolder()]
  const { id } = await withWallet(directory, (wallet) => wallet.create({ name: 'Ana' }))
  const { id: late } = await withWallet(other, (wallet) => wallet.create({ name: 'Ben' }))
  let times = 0
  faults.afterReading = async () => {
    if (times++ > 0) return
    for (const kind of ['.key', '.crt'])
      await copyFile(join(other, `${late}${kind}`), join(directory, `${late}${kind}`))
  }
  const wallet = await folderWallet(directory)
  expect(times).toBe(2)
  expect(
    wallet
      .list()
      .map((each) => each.id)
      .sort(),
  ).toEqual([id, late].sort())
})

it('an identity that lies in both places is there, and once', async () => {
  const directory = await newFolder()
  const { id } = await withWallet(directory, (wallet) => wallet.create({ name: 'Ana' }))
  await mkdir(join(directory, 'deleted'))
  await copyFile(join(directory, `${id}.crt`), join(directory, 'deleted', `${id}.crt`))
  const wallet = await folderWallet(directory)
  expect(wallet.list().map((each) => each.id)).toEqual([id])
})

it('what keeps identities from being stored is told, also if what is half there cannot be removed', async () => {
  const { certificate, privateKey } = await madeIdentity()
  const failure = new Error('no room')
  class Failing extends MemoryStorage {
    removals = 0
    override async addPair(): Promise<void> {
      throw failure
    }
    override async remove(): Promise<never> {
      this.removals++
      throw new Error('nor that')
    }
  }
  const storage = new Failing(false)
  const core = await WalletCore.start(storage, () => START.getTime())
  const addition = {
    ...{ id: newId(), certificates: [certificate], sealed: await storage.seal(privateKey) },
    change: <T>(notes: T): T => notes,
  }
  await expect(core.alter(storage, (writer) => core.add(storage, [addition], writer))).rejects.toBe(failure)
  expect(storage.removals).toBe(1)
  expect(core.state.pairs()).toEqual([])
})

it('a use that cannot be written keeps nobody from closing', async () => {
  const { certificate, privateKey } = await madeIdentity()
  const storage = new MemoryStorage(false)
  await storage.addPair('a', [certificate], await storage.seal(privateKey))
  let tries = 0
  storage.exclusively = async () => {
    tries++
    throw new Error('locked')
  }
  const core = await WalletCore.start(storage, () => START.getTime())
  core.noteUse({ id: 'a', endpoint: parseEndpoint('example.org:1965'), scope: null, at: START.getTime() })
  let isLast = false
  await core.close(async () => {
    isLast = true
  })
  expect(tries).toBeGreaterThan(0)
  expect(isLast).toBe(true)
})

it('a step of an exchange that nobody has begun changes nothing', () => {
  const step = { endpoint: parseEndpoint('example.org:1965'), state: 'done', note: null, at: 1 } as const
  expect(withStep(NO_METADATA, 'a', 'b', step)).toBe(NO_METADATA)
})

it('a certificate with dates and names that make no sense is shown as one', () => {
  const unreadable = (): never => {
    throw new CertificateError('ERR_TLACACOCA_CERTIFICATE_MALFORMED', 'no')
  }
  const certificate = {
    fingerprint: 'sha256:0',
    validityAt: unreadable,
    get subject() {
      return unreadable()
    },
    get notAfter() {
      return unreadable()
    },
  }
  const pair = { id: 'a', certificate, chain: [], former: [], deleted: false, temporary: false } as unknown as Pair
  expect(identityOf(pair, NO_NOTES, START)).toMatchObject({
    ...{ id: 'a', commonName: null, notAfter: null, validity: 'unreadable' },
  })
})
