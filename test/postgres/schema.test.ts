import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createPostgresSchema,
  PostgresIdentityStore,
  PostgresIssuedStore,
  PostgresPinStore,
  PostgresRateLimitStore,
} from '../../src/postgres/index.ts'
import { MIGRATIONS } from '../../src/postgres/migrations.ts'
import { newSchema, noServer, Server } from './engine.ts'
import { fingerprintOfKey } from './support.ts'

const STORES = [PostgresRateLimitStore, PostgresIdentityStore, PostgresIssuedStore, PostgresPinStore]

describe('the schema', () => {
  let client: PGlite

  beforeAll(async () => {
    client = await PGlite.create()
  }, 60_000)
  afterAll(() => client.close())

  it('is made once, in a place of its own, and left alone after that', async () => {
    await createPostgresSchema(client)
    await client.query(`INSERT INTO tlacacoca.identity_setting VALUES ('name', 'value')`)
    await createPostgresSchema(client)
    const { rows } = await client.query('SELECT * FROM tlacacoca.identity_setting')
    expect(rows).toEqual([{ name: 'name', value: 'value' }])
    const outside = await client.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`)
    expect(outside.rows).toEqual([])
  })

  it('of a later release is refused, by everybody, and not changed', async () => {
    const { schema, remove } = await newSchema(client)
    await client.query(`UPDATE ${schema}.schema_version SET version = ${MIGRATIONS.length + 1}`)
    const newer = { code: 'ERR_TLACACOCA_STORE_NEWER' }
    await expect(createPostgresSchema(client, { schema })).rejects.toMatchObject(newer)
    for (const store of STORES) await expect(store.open(client, { schema })).rejects.toMatchObject(newer)
    const { rows } = await client.query(`SELECT version FROM ${schema}.schema_version`)
    expect(rows).toEqual([{ version: MIGRATIONS.length + 1 }])
    await remove()
  })

  it('that lost its version is refused', async () => {
    const { schema, remove } = await newSchema(client)
    await client.query(`DELETE FROM ${schema}.schema_version`)
    const corrupt = { code: 'ERR_TLACACOCA_STORE_CORRUPT' }
    await expect(createPostgresSchema(client, { schema })).rejects.toMatchObject(corrupt)
    await remove()
  })

  it('of somebody else is refused, and nothing is put into it', async () => {
    await client.exec('CREATE SCHEMA theirs; CREATE TABLE theirs.pin(id integer)')
    await expect(createPostgresSchema(client, { schema: 'theirs' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FOREIGN',
      message: expect.stringContaining('"pin"'),
    })
    const { rows } = await client.query(`SELECT relname FROM pg_class WHERE relnamespace = 'theirs'::regnamespace`)
    expect(rows).toEqual([{ relname: 'pin' }])
  })

  it('that is there and empty is used', async () => {
    await client.exec('CREATE SCHEMA prepared')
    await createPostgresSchema(client, { schema: 'prepared' })
    await PostgresPinStore.open(client, { schema: 'prepared' })
  })

  it('that is not there is said to be missing, and what to do', async () => {
    for (const store of STORES) {
      await expect(store.open(client, { schema: 'nowhere' })).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_STORE_FAILED',
        message: 'the schema nowhere is not there; call createPostgresSchema first',
      })
    }
  })

  it.each(['', 'Upper', '1st', 'a-b', 'a.b', 'a"b', 'pg_own', 'x; DROP TABLE y', 'a'.repeat(64), 'é'])(
    'is not to be called %j',
    async (schema) => {
      await expect(createPostgresSchema(client, { schema })).rejects.toThrow(/"schema" expected 1 to 63 of a-z/)
    },
  )

  it.each([
    { what: 'no option of ours', options: { schemas: 'x' }, message: '"options" has no option "schemas"' },
    { what: 'no time', options: { timeoutMs: 0 }, message: '"timeoutMs" expected a whole number' },
    { what: 'no text', options: { schema: 5 }, message: '"schema" expected a string, got 5' },
  ])('takes $what', async ({ options, message }) => {
    const attempt = () => createPostgresSchema(client, options as never)
    await expect(attempt()).rejects.toThrow(message)
  })

  it('takes a pool or an embedded database, and no single connection, which calls would share', async () => {
    const transaction = (): void => {}
    for (const wrong of [
      new pg.Client(),
      Object.assign(new pg.Client(), { transaction }),
      null,
      undefined,
      {},
      'postgres://localhost',
      { query() {} },
    ]) {
      await expect(createPostgresSchema(wrong as never)).rejects.toThrow('"client" expected a Pool of pg, a PGlite')
    }
  })

  it('says that nothing can be reached where the client is closed', async () => {
    const closed = await PGlite.create()
    await createPostgresSchema(closed)
    const store = await PostgresPinStore.open(closed)
    await closed.close()
    await expect(store.read('example.org:1965')).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FAILED',
      message: 'the pin store cannot be reached',
    })
  })

  it('belongs to one authority, the first that says so', async () => {
    const { schema, remove } = await newSchema(client)
    const [mine, other] = [fingerprintOfKey('mine'), fingerprintOfKey('other')]
    await PostgresIssuedStore.open(client, { schema, authority: mine })
    await PostgresIssuedStore.open(client, { schema, authority: mine })
    await PostgresIssuedStore.open(client, { schema })
    await expect(PostgresIssuedStore.open(client, { schema, authority: other })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_MISMATCH',
    })
    await remove()
  })

  it.each([
    ['the end of an event', 'DELETE FROM ~.issued_audit', 'the audit trail is append-only'],
    ['another event', `UPDATE ~.issued_audit SET actor = 'nobody'`, 'the audit trail is append-only'],
    ['no events', 'TRUNCATE ~.issued_audit', 'the audit trail is append-only'],
    ['the end of a certificate', 'DELETE FROM ~.issued_certificate', 'certificates are never deleted'],
    ['one revoked that is issued', `UPDATE ~.issued_certificate SET status = 'held'`, 'what is revoked stays so'],
  ])('does not take %s from anybody', async (_, statement, reason) => {
    const { schema, remove } = await newSchema(client)
    await client.exec(`INSERT INTO ${schema}.issued_audit VALUES (1, 1, 'x', NULL, NULL, NULL, 'x', 'x');
      INSERT INTO ${schema}.issued_certificate(serial, status, status_at, profile, public_key, tbs_sha256, subject,
        not_before, not_after, created_at, reason) VALUES ('01', 'revoked', 1, 'x', 'x', 'x', 'x', 1, 1, 1, 'x')`)
    await expect(client.query(statement.replace('~', schema))).rejects.toThrow(reason)
    await remove()
  })
})

describe.skipIf(noServer)('on a server', () => {
  let server: Server

  beforeAll(async () => {
    server = await Server.start()
  }, 60_000)
  afterAll(async () => server?.close())

  it('many make the schema at once, and one of them does', async () => {
    const pools = Array.from({ length: 3 }, () => server.pool({ max: 3 }))
    const schema = 'raced_for'
    await Promise.all(Array.from({ length: 9 }, (_, n) => createPostgresSchema(pools[n % 3] as pg.Pool, { schema })))
    const { rows } = await server.client.query(`SELECT version FROM ${schema}.schema_version`)
    expect(rows).toEqual([{ version: MIGRATIONS.length }])
  })

  it('the stores need no right to create anything', async () => {
    const { schema, remove } = await newSchema(server.client)
    await server.client.query(`CREATE ROLE web LOGIN; GRANT USAGE ON SCHEMA ${schema} TO web;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO web`)
    const pool = server.pool({ user: 'web' })
    await createPostgresSchema(pool, { schema })
    for (const store of STORES) await store.open(pool, { schema })
    const users = await PostgresIdentityStore.open(pool, { schema })
    expect(await users.settle('name', 'value')).toBe('value')
    const limits = await PostgresRateLimitStore.open(pool, { schema, timeoutMs: 10_000 })
    expect((await limits.consume('key', { capacity: 1, refillPerSecond: 1 }, 1)).allowed).toBe(true)
    expect(await limits.sweep()).toBe(0)
    await expect(createPostgresSchema(pool, { schema: 'another' })).rejects.toThrow('no right to it (42501)')
    await remove()
    await server.client.query('DROP ROLE web')
  })

  // CVE-2018-1058: what fits better than the server's own function is preferred, if the search path leads there.
  it('no function or operator of somebody else is called', async () => {
    const { schema, remove } = await newSchema(server.client)
    const traps = `CREATE SCHEMA theirs; CREATE TABLE theirs.caught(what text);
      CREATE FUNCTION theirs.times(numeric, integer) RETURNS numeric LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO theirs.caught VALUES ('*'); RETURN 0; END $$;
      CREATE OPERATOR theirs.* (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = theirs.times);
      CREATE FUNCTION theirs.counted(bigint, text) RETURNS bigint LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO theirs.caught VALUES ('count'); RETURN 0; END $$;
      CREATE AGGREGATE theirs.count(text) (SFUNC = theirs.counted, STYPE = bigint, INITCOND = '0');
      CREATE FUNCTION theirs.added(text, record) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO theirs.caught VALUES ('json_agg'); RETURN '[]'; END $$;
      CREATE AGGREGATE theirs.json_agg(record) (SFUNC = theirs.added, STYPE = text);
      CREATE FUNCTION theirs.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO theirs.caught VALUES ('unnest'); RETURN; END $$`
    await server.client.query(traps)
    const pool = server.pool({ options: '-c search_path=theirs' })
    // Each trap works where somebody writes as one does.
    await pool.query(`SELECT 1::numeric * 1, count(x.t), json_agg(x) FROM (SELECT 'a'::text AS t) AS x;
      SELECT unnest('{a}'::text[])`)
    const caught = async (): Promise<unknown[]> =>
      (await server.client.query('DELETE FROM theirs.caught RETURNING what')).rows.map(({ what }) => what).sort()
    expect(await caught()).toEqual(['*', 'count', 'json_agg', 'unnest'])

    const limits = await PostgresRateLimitStore.open(pool, { schema, timeoutMs: 10_000 })
    expect((await limits.consume('key', { capacity: 5, refillPerSecond: 0.001 }, 2)).allowed).toBe(true)
    const users = await PostgresIdentityStore.open(pool, { schema })
    const at = Date.parse('2030-06-01T12:00:00Z')
    const known = {
      id: 'x',
      certificate: 'x',
      publicKey: 'key',
      fingerprint: null,
      label: null,
      notBefore: 0,
      notAfter: at,
    }
    await users.register({ userId: 'ana', handle: null, credential: known, at })
    expect((await users.find({ certificates: ['y'], publicKey: 'key' }, at)).sameKey).not.toBe(null)
    await users.touch('ana', 20_000, [{ credentialId: 'x', day: 20_000, notAfter: at }])
    const pins = await PostgresPinStore.open(pool, { schema })
    await server.client.query(`INSERT INTO ${schema}.pin VALUES
      ('example.org:1965', 'sha256:${'0'.repeat(64)}', 0, NULL, NULL, 1, 1, 1, NULL, NULL)`)
    expect(await pins.list({ prefix: 'example' })).toHaveLength(1)
    expect(await pins.clear(new Date(at))).toEqual({ subjects: 1, pins: 1, kept: 0 })
    await pins.purge({ before: new Date(at), verified: false, at: new Date(at) })
    expect(await caught()).toEqual([])
    await remove()
    await server.client.query('DROP SCHEMA theirs CASCADE')
  })

  it('a database that cannot keep every text is refused', async () => {
    await server.client.query(`CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0`)
    const pool = server.pool({ database: 'latin' })
    await expect(createPostgresSchema(pool)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FAILED',
      message: expect.stringContaining('"LATIN1"'),
    })
    expect((await pool.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'tlacacoca'`)).rows).toEqual([])
  })

  it('a pool whose types are read in another way gives the same answers', async () => {
    const { schema, remove } = await newSchema(server.client)
    // As programs do that want numbers for whole numbers of 64 bits.
    const types = {
      getTypeParser: (id: number, format: unknown) =>
        id === 20 ? Number : pg.types.getTypeParser(id, format as 'text'),
    }
    const pool = server.pool({ types: types as pg.CustomTypesConfig })
    const pins = await PostgresPinStore.open(pool, { schema })
    expect(await pins.version()).toBe(0)
    const limits = await PostgresRateLimitStore.open(pool, { schema, timeoutMs: 10_000 })
    expect((await limits.consume('key', { capacity: 5, refillPerSecond: 0.001 }, 2)).remaining).toBeCloseTo(3, 2)
    await remove()
  })
})
