// What goes wrong between the decision to sign and the certificate: nothing is handed out that is not sound and known, and
// nobody is told of it.

import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import { openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import type { BeginOutcome, CompleteOutcome, IssuedRow, NewIssued } from '../../src/authority/issued-store.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { StoreError } from '../../src/errors.ts'
import { hooksOf, NOW, newRequest, testAuthority } from '../support/test-authority.ts'

interface Opened {
  readonly authority: CertificateAuthority
  /** The serial numbers that `postsign` was told of. */
  readonly told: readonly string[]
}

async function open(store: MemoryIssuedStore, otherKey?: KeyObject): Promise<Opened> {
  const { directory } = await testAuthority()
  const identity = await openAuthorityDirectory(directory, { clock: () => NOW })
  const told: string[] = []
  const authority = await CertificateAuthority.from(
    { ...identity, privateKey: otherKey ?? identity.privateKey },
    { store, clock: () => NOW, hooks: hooksOf({ postsign: ({ serialNumber }) => void told.push(serialNumber) }) },
  )
  onTestFinished(() => authority.close())
  return { authority, told }
}

async function rowsOf(authority: CertificateAuthority): Promise<IssuedRow[]> {
  const rows: IssuedRow[] = []
  for await (const row of authority.list()) rows.push(row)
  return rows
}

it('what is written down before the signature is what was signed', async () => {
  const { authority, told } = await open(new MemoryIssuedStore())
  const { certificate, serialNumber } = await authority.sign({ request: await newRequest() })
  expect(told).toEqual([serialNumber])
  const [row] = await rowsOf(authority)
  expect(row?.tbsSha256).toBe(createHash('sha256').update(certificate.tbsDer).digest('hex'))
})

// As after a fault of the machine: with RSA, such a signature gives the key away.
it('a signature that is not right is not handed out', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { authority, told } = await open(new MemoryIssuedStore(), privateKey)
  const wrong = authority.sign({ request: await newRequest() })
  await expect(wrong).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_SIGNATURE_WRONG' })
  expect(await rowsOf(authority)).toMatchObject([{ status: 'pending', certificate: null }])
  expect(told).toEqual([])
})

it('a certificate that could not be stored is not handed out, and is given up in the end', async () => {
  class Full extends MemoryIssuedStore {
    override complete(): CompleteOutcome {
      throw new StoreError('ERR_TLACACOCA_STORE_FULL', 'the disk is full')
    }
  }
  const store = new Full()
  const { authority, told } = await open(store)
  const refused = authority.sign({ request: await newRequest() })
  await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FULL' })
  const [row] = await rowsOf(authority)
  expect(row).toMatchObject({ status: 'pending', certificate: null })
  expect(told).toEqual([])
  expect(store.abandonPending(NOW + 1, NOW + 1)).toBe(1)
  expect((await authority.get(row?.serial ?? ''))?.status).toBe('revoked')
})

it('a certificate that was given up while it was signed is not handed out', async () => {
  class Impatient extends MemoryIssuedStore {
    override complete(...args: Parameters<MemoryIssuedStore['complete']>): CompleteOutcome {
      this.abandonPending(NOW + 1, NOW + 1)
      return super.complete(...args)
    }
  }
  const { authority, told } = await open(new Impatient())
  const late = authority.sign({ request: await newRequest() })
  await expect(late).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_BUSY' })
  expect(await rowsOf(authority)).toMatchObject([{ status: 'revoked', certificate: null }])
  expect(told).toEqual([])
})

it.each<[string, (store: MemoryIssuedStore, row: NewIssued) => unknown, object]>([
  [
    'the key is compromised while a hook is thinking',
    (store, row) => {
      store.blockKey({ publicKey: row.publicKey, at: NOW, by: null })
      return store.begin(row, null)
    },
    { code: 'ERR_TLACACOCA_CSR_KEY_REFUSED', message: expect.stringContaining('it was compromised') },
  ],
  [
    'the store has the same request without a certificate',
    (_store, row) => ({ kind: 'replayed', row: { ...row, status: 'issued', certificate: null } }),
    { code: 'ERR_TLACACOCA_AUTHORITY_BUSY' },
  ],
  [
    'the store says something that nobody knows',
    () => ({ kind: 'perhaps' }),
    { name: 'TypeError', message: '"store" answered an object to "begin"' },
  ],
])('nothing is signed if %s', async (_what, begin, refusal) => {
  let completed = 0
  class Odd extends MemoryIssuedStore {
    #isAsked = false
    override begin(...[row, replay]: Parameters<MemoryIssuedStore['begin']>): BeginOutcome {
      if (this.#isAsked) return super.begin(row, replay)
      this.#isAsked = true
      return begin(this, row) as BeginOutcome
    }
    override complete(...args: Parameters<MemoryIssuedStore['complete']>): CompleteOutcome {
      completed++
      return super.complete(...args)
    }
  }
  const { authority, told } = await open(new Odd())
  await expect(authority.sign({ request: await newRequest() })).rejects.toMatchObject(refusal)
  expect([await rowsOf(authority), completed, told]).toEqual([[], 0, []])
})

it('a row that could not be begun is no certificate', async () => {
  let signed = 0
  class Broken extends MemoryIssuedStore {
    override begin(): never {
      throw new StoreError('ERR_TLACACOCA_STORE_FAILED', 'no answer')
    }
    override complete(...args: Parameters<MemoryIssuedStore['complete']>): CompleteOutcome {
      signed++
      return super.complete(...args)
    }
  }
  const { authority } = await open(new Broken())
  const refused = authority.sign({ request: await newRequest() })
  await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
  expect(signed).toBe(0)
})
