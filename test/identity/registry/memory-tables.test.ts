import { expect, it } from 'vitest'
import { MemoryTables } from '../../../src/identity/registry/memory-tables.ts'

it('a nonce is kept until it expires, and no longer', () => {
  const tables = new MemoryTables()
  tables.insertNonce('old', 1000)
  tables.insertNonce('new', 1001)
  tables.prune(1000, 0)
  expect(tables.hasNonce('old')).toBe(false)
  expect(tables.hasNonce('new')).toBe(true)
})

it('to delete a request that is not there changes nothing', () => {
  const tables = new MemoryTables()
  const credential = { id: 'c', certificate: 'print', fingerprint: null, publicKey: 'key', label: null, notBefore: 0 }
  const link = {
    ...({
      id: 'l',
      kind: 'approval',
      vouchedBy: null,
      userId: 'u',
      requestedAt: 0,
      readyAt: null,
      expiresAt: 9,
    } as const),
    credential: { ...credential, notAfter: 9 },
  }
  tables.insertLink(link)
  tables.deleteLink('another')
  expect(tables.linksFor('u')).toEqual([link])
  expect(tables.linkOf('print')).toEqual(link)
  tables.deleteLink('l')
  expect(tables.linksFor('u')).toEqual([])
  expect(tables.linkOf('print')).toBeUndefined()
})
