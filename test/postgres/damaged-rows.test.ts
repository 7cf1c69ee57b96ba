// Rows that nobody of us has written: of a hand that slipped, or of a restore that missed a table. They are errors, and
// never answers.

import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type PostgresEmbedded, PostgresIssuedStore, PostgresPinStore } from '../../src/postgres/index.ts'
import { prepare, START } from '../../src/testing/contract-issued.ts'
import { at, certificate, line, pin, put } from '../../src/testing/contract-pins.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import type { PinUpdate } from '../../src/tofu/pin-store.ts'
import { newSchema } from './engine.ts'

let client: PGlite

beforeAll(async () => {
  client = await PGlite.create()
}, 60_000)
afterAll(() => client.close())

async function schemaOf(): Promise<string> {
  const { schema, remove } = await newSchema(client)
  onTestFinished(remove)
  return schema
}

const PATIENT = { timeoutMs: 25_000 }

describe('an issued certificate', () => {
  async function issued() {
    const schema = await schemaOf()
    const store = await PostgresIssuedStore.open(client, { schema, ...PATIENT })
    const { row, certificate } = await prepare('ana')
    expect(await store.begin(row, null)).toEqual({ kind: 'begun' })
    expect(await store.complete(row.serial, certificate, START, null)).toMatchObject({ kind: 'completed' })
    expect((await store.get(row.serial))?.certificate?.equals(certificate)).toBe(true)
    return { schema, store, serial: row.serial }
  }

  it('that cannot be read is damage, and its number is told', async () => {
    const { schema, store, serial } = await issued()
    await client.query(`UPDATE ${schema}.issued_certificate SET der = substring(der FROM 2)`)
    const damage = {
      code: 'ERR_TLACACOCA_STORE_CORRUPT',
      message: `the issued certificates are damaged: ${serial} cannot be read`,
      cause: expect.objectContaining({ code: expect.stringMatching(/^ERR_TLACACOCA_CERTIFICATE_/) }),
    }
    await expect(store.get(serial)).rejects.toMatchObject(damage)
    await expect(store.list({}).next()).rejects.toMatchObject(damage)
    const why = { reason: 'unspecified', invalidityDate: null, by: null, withKey: false } as const
    await expect(store.revoke({ serial, at: START, ...why })).rejects.toMatchObject(damage)
    const { rows } = await client.query(`SELECT status FROM ${schema}.issued_certificate`)
    expect(rows).toEqual([{ status: 'issued' }])
  })

  it('is not taken from a client that gives octets as something else', async () => {
    const { schema, serial } = await issued()
    const query: PostgresEmbedded['query'] = async (text, values) => {
      const { rows } = await client.query<Record<string, unknown>>(text, values)
      return { rows: rows.map((row) => ('der' in row ? { ...row, der: '\\x3082' } : row)) }
    }
    const embedded: PostgresEmbedded = { query, transaction: (work) => client.transaction(work) }
    const store = await PostgresIssuedStore.open(embedded, { schema, ...PATIENT })
    await expect(store.get(serial)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FAILED',
      message: 'the client does not give "bytea" as a Uint8Array',
    })
  })

  it('is on no list whose number is not known', async () => {
    const { schema, store } = await issued()
    const { number } = await store.beginCrl(START)
    expect(number).toBe(1n)
    const written = async () =>
      (
        await client.query(
          `SELECT (SELECT count(*) FROM ${schema}.issued_crl) AS lists, (SELECT count(*) FROM ${schema}.issued_audit) AS events`,
        )
      ).rows
    const before = await written()
    await client.query(`DELETE FROM ${schema}.issued_crl_state`)
    await expect(store.beginCrl(START)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_CORRUPT',
      message: 'the issued certificates are damaged: the count of the revocation lists is lost',
    })
    expect(await written()).toEqual(before)
  })
})

describe('a pin', () => {
  const subject = 'a.example:1965'

  it.each([
    ['state', '9'],
    ['state', '-1'],
    ['digest', `'sha256:12'`],
    ['digest', `'${certificate('x').toUpperCase()}'`],
    ['key_digest', `''`],
  ])('of which %s is %s is damage, and no pin that never matches', async (column, value) => {
    const schema = await schemaOf()
    const store = await PostgresPinStore.open(client, { schema, ...PATIENT })
    await put(store, [], pin(subject, 'x'))
    await client.query(`UPDATE ${schema}.pin SET ${column} = ${value}`)
    const damage = {
      code: 'ERR_TLACACOCA_STORE_CORRUPT',
      message: `the pin store holds a pin that is none, for ${subject}`,
    }
    await expect(store.read(subject)).rejects.toMatchObject(damage)
    await expect(store.list()).rejects.toMatchObject(damage)
    await expect(store.scan().next()).rejects.toMatchObject(damage)
    const change = { subject, expect: [], put: [pin(subject, 'y')], remove: [] }
    await expect(store.update({ changes: [change], log: [line(subject)] })).rejects.toMatchObject(damage)
    expect(await store.history(subject)).toHaveLength(1)
  })
})

it('changes of one host in one update are made in their order, as in memory', async () => {
  const schema = await schemaOf()
  const stores = [await PostgresPinStore.open(client, { schema, ...PATIENT }), new MemoryPinStore()]
  const [one, two, other] = [pin('a.example:1965', 'one'), pin('a.example:1965', 'two'), pin('b.example:1965', 'other')]
  const again = { ...one, state: 'verified' as const, lastSeen: at(5) }
  const update: PinUpdate = {
    changes: [
      { subject: one.subject, expect: [], put: [one, two], remove: [] },
      { subject: other.subject, expect: [], put: [other], remove: [] },
      { subject: one.subject, expect: [], put: [], remove: [one.digest, two.digest] },
      { subject: one.subject, expect: [], put: [again], remove: [] },
    ],
    log: [line(one.subject), line(other.subject)],
  }
  for (const store of stores) {
    expect(await store.update(update)).toBe(true)
    expect(await store.list()).toEqual([again, other])
  }
})
