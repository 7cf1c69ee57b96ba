import { expect, it } from 'vitest'
import { MemoryStorage, parts } from '../../../src/identity/wallet/memory-storage.ts'
import { madeIdentity } from '../formats/made-identities.ts'

const notFound = { code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' }

it('a key is given as long as its identity is there', async () => {
  const { certificate, privateKey } = await madeIdentity()
  const storage = new MemoryStorage(false)
  await expect(storage.readKey('a')).rejects.toMatchObject(notFound)
  await storage.addPair('a', [certificate], await storage.seal(privateKey))
  expect((await storage.readKey('a')).equals(privateKey)).toBe(true)
  await storage.remove(['a'])
  await expect(storage.readKey('a')).rejects.toMatchObject(notFound)
})

it('what is not there is not moved, put back or renewed', async () => {
  const { certificate } = await madeIdentity()
  const storage = new MemoryStorage(true)
  await expect(storage.moveAside('a')).rejects.toMatchObject(notFound)
  await expect(storage.putBack('a')).rejects.toMatchObject(notFound)
  await expect(storage.replaceCertificates('a', [certificate], [])).rejects.toMatchObject(notFound)
  expect((await storage.load()).pairs.size).toBe(0)
})

it('an identity has a certificate', () => {
  expect(() => parts([])).toThrow(RangeError)
})
