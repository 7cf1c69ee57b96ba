// The files of a store are moved, removed or replaced while it is open. What is written to a file that has lost its name is
// gone with the last who has it open, so nothing may be answered as done there.

import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import {
  hostOf,
  KINDS,
  type OpenStore,
  openStore,
  placeOf,
  SQLITE_KINDS,
  type StoreKind,
} from '../support/fault-stores.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** A folder with a store in which 0 is, open. */
async function opened(kind: StoreKind): Promise<{ folder: string; store: OpenStore }> {
  const folder = join(await temporaryFolder(), 'data')
  mkdirSync(folder)
  const store = await openStore(folder, kind)
  onTestFinished(() => store.close())
  await store.write(0)
  return { folder, store }
}

const gone = (place: string) => ({
  code: 'ERR_TLACACOCA_STORE_FAILED',
  message: expect.stringContaining(`${place} was moved, removed or replaced`),
})

describe.each(SQLITE_KINDS)('%s', (kind) => {
  it('answers nothing as done when its folder was removed, and still tells what it knew', async () => {
    const { folder, store } = await opened(kind)
    rmSync(folder, { recursive: true })
    await expect(store.write(1)).rejects.toMatchObject(gone(placeOf(folder, kind)))
    expect(await store.look(0)).toBe('there')
    expect(await store.look(1)).toBe('absent')
    // The place can be used again, by a store that begins there.
    const next = await openStore(folder, kind)
    await next.write(1)
    await next.close()
    await expect(store.write(2)).rejects.toMatchObject(gone(placeOf(folder, kind)))
  })

  it('does not write where its file was moved to, and works again when it is back', async () => {
    const { folder, store } = await opened(kind)
    renameSync(folder, `${folder}.away`)
    await expect(store.write(1)).rejects.toMatchObject(gone(placeOf(folder, kind)))
    renameSync(`${folder}.away`, folder)
    await store.write(1)
    const again = await openStore(folder, kind)
    onTestFinished(() => again.close())
    for (const n of [0, 1]) expect(await again.look(n)).toBe('there')
  })

  it('writes to no other file that was put in its place, be it by a link', async () => {
    for (const put of [renameSync, symlinkSync]) {
      const { folder, store } = await opened(kind)
      const other = await opened(kind)
      await other.store.write(7)
      await other.store.close()
      const place = placeOf(folder, kind)
      rmSync(place)
      put(placeOf(other.folder, kind), place)
      await expect(store.write(1)).rejects.toMatchObject(gone(place))
      await store.close()
      const reopened = await openStore(folder, kind)
      onTestFinished(() => reopened.close())
      expect(await reopened.look(1)).toBe('absent')
      expect(await reopened.look(7)).toBe('there')
    }
  })

  it('is not made behind a link that leads nowhere', async () => {
    const folder = await temporaryFolder()
    const target = join(folder, 'target.db')
    symlinkSync(target, placeOf(folder, kind))
    await expect(openStore(folder, kind)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_TLACACOCA_STORE_/),
    })
    expect(readdirSync(folder)).toEqual([`${kind}.db`])
  })
})

it('an import into pins that were moved is an error, and changes neither file', async () => {
  const { folder, store } = await opened('pins')
  await store.write(6)
  const list = join(await temporaryFolder(), 'list.toml')
  const other = await opened('pins')
  await other.store.write(5)
  await other.store.close()
  const path = placeOf(folder, 'pins')
  const pins = await TofuStore.open({ path })
  onTestFinished(() => pins.close())
  await pins.exportToml(list)
  renameSync(path, `${path}.away`)
  renameSync(placeOf(other.folder, 'pins'), path)
  await expect(pins.importToml(list, { merge: false })).rejects.toMatchObject(gone(path))
  // It goes by a connection of its own, which must not be one to the other file.
  await expect(pins.exportToml(`${list}.2`)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
  expect(await store.look(0)).toBe('there')
  const there = await TofuStore.open({ path })
  onTestFinished(() => there.close())
  // All of the other, and nothing of what was in the log of the first.
  expect((await there.listHosts()).map(({ endpoint }) => endpoint)).toEqual([hostOf(0), hostOf(5)].map(String))
})

describe('a wallet', () => {
  it('whose folder was removed is an error, and no wallet without identities', async () => {
    const { folder, store } = await opened('wallet')
    const directory = placeOf(folder, 'wallet')
    renameSync(directory, `${directory}.away`)
    const error = { code: 'ERR_TLACACOCA_FILE_NOT_FOUND', path: directory, message: expect.stringContaining('is gone') }
    await expect(store.write(1)).rejects.toMatchObject(error)
    await expect(store.look(0)).rejects.toMatchObject(error)
    // Nothing was begun in its place.
    expect(readdirSync(folder)).toEqual(['wallet.away'])
    // A disk that is not mounted leaves an empty folder.
    mkdirSync(directory)
    await expect(store.write(1)).rejects.toMatchObject(error)
    rmSync(directory, { recursive: true })
    renameSync(`${directory}.away`, directory)
    await store.write(1)
    for (const n of [0, 1]) expect(await store.look(n)).toBe('there')
  })

  it('is not written through a link that was put in the place of its files', async () => {
    const { folder, store } = await opened('wallet')
    const directory = placeOf(folder, 'wallet')
    for (const name of ['identities.toml', '.lock']) {
      const [file, target] = [join(directory, name), join(folder, 'target')]
      writeFileSync(target, 'precious')
      renameSync(file, `${file}.away`)
      symlinkSync(target, file)
      await expect(store.write(1)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_TLACACOCA_/) })
      rmSync(file)
      renameSync(`${file}.away`, file)
    }
    await store.write(1)
    expect(await store.look(1)).toBe('there')
    expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

it.each(KINDS)('%s that are opened by two names of one file are one store', async (kind) => {
  const { folder, store } = await opened(kind)
  symlinkSync(folder, `${folder}.link`)
  const other = await openStore(`${folder}.link`, kind)
  onTestFinished(() => other.close())
  await other.write(1)
  await store.write(2)
  for (const each of [store, other]) for (const n of [0, 1, 2]) expect(await each.look(n)).toBe('there')
})
