import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { IdentityRegistry } from '../../src/identity/index.ts'
import type { NewCredential } from '../../src/identity/registry/identity-store.ts'
import { MiddlewareChain, parseClientAddress, RateLimiter, targetFromParts } from '../../src/middleware/index.ts'
import {
  createPostgresSchema,
  PostgresIdentityStore,
  PostgresIssuedStore,
  PostgresPinStore,
  PostgresRateLimitStore,
  StoreError,
} from '../../src/postgres/index.ts'
import { issue } from '../support/issued-certificates.ts'
import { fakePeer } from '../support/peer.ts'
import { startChild } from '../support/run-child.ts'
import { newSchema, noServer, Server } from './engine.ts'
import { type Wire, wireTo } from './wire.ts'

const NOW = Date.parse('2030-06-01T12:00:00Z')
const ONE_KEY = { capacity: 100, refillPerSecond: 1 / 3600 }

describe.skipIf(noServer)('with a server that', () => {
  let server: Server

  beforeAll(async () => {
    server = await Server.start()
  }, 60_000)
  afterAll(async () => server?.close())

  async function schemaOf(): Promise<string> {
    const { schema, remove } = await newSchema(server.client)
    onTestFinished(remove)
    return schema
  }

  it('eight processes ask at once, exactly the burst is given out', async () => {
    const schema = await schemaOf()
    const args = [String(server.port), schema, '50']
    const children = Array.from({ length: 8 }, () => startChild('../postgres/hammer-child.ts', { args }))
    for (const child of children) expect(await child.line()).toBe('ready')
    for (const child of children) child.send('go')
    const given = await Promise.all(children.map(async (child) => Number(await child.line())))
    for (const child of children) expect((await child.ended).code).toBe(0)
    expect(given.reduce((sum, each) => sum + each, 0)).toBe(100)
    expect(given).toHaveLength(8)
  })

  it('several servers share, a revocation holds for all of them at once', async () => {
    const schema = await schemaOf()
    const registries = await Promise.all(
      [server.pool(), server.pool()].map(
        async (pool) =>
          new IdentityRegistry(await PostgresIdentityStore.open(pool, { schema }), { origin: 'example.org:1965' }),
      ),
    )
    const [here, there] = registries
    if (here === undefined || there === undefined) throw new Error('no registries')
    const own = fakePeer(issue({ subject: 'own' }).certificate)
    const stolen = fakePeer(issue({ subject: 'stolen' }).certificate)
    await here.register(own, { handle: 'ana' })
    const { code } = await here.createLinkCode(own)
    const { credential } = await there.redeemLinkCode(stolen, code)
    expect((await there.resolve(stolen)).kind).toBe('known')
    expect((await here.resolve(stolen)).kind).toBe('known')
    await here.revoke(own, credential.id)
    expect(await there.resolve(stolen)).toMatchObject({ kind: 'refused', reason: 'revoked' })
    expect(await here.resolve(stolen)).toMatchObject({ kind: 'refused', reason: 'revoked' })
    expect((await there.resolve(own)).kind).toBe('known')
    for (const registry of registries) await registry.close()
  })

  it('is away recognises nobody, lets nobody pass, and answers again when it is back', async () => {
    const schema = await schemaOf()
    const pool = server.pool()
    const users = await PostgresIdentityStore.open(pool, { schema })
    const registry = new IdentityRegistry(users, { origin: 'example.org:1965' })
    const issued = await PostgresIssuedStore.open(pool, { schema })
    const pins = await PostgresPinStore.open(pool, { schema })
    const limits = await PostgresRateLimitStore.open(pool, { schema, timeoutMs: 5000 })
    const chain = new MiddlewareChain([new RateLimiter({ store: limits })])
    const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/' }, { served: 'any' })
    const request = { target, address: parseClientAddress('192.0.2.1'), peer: null }
    const ana = fakePeer(issue({ subject: 'ana' }).certificate)
    await registry.register(ana, { handle: 'ana' })
    expect(await chain.decide(request)).toMatchObject({ allowed: true })

    await server.crash()
    const failed = { code: 'ERR_TLACACOCA_STORE_FAILED' }
    await expect(registry.resolve(ana)).rejects.toMatchObject(failed)
    await expect(registry.register(fakePeer(issue({}).certificate))).rejects.toMatchObject(failed)
    await expect(issued.currentCrl()).rejects.toMatchObject(failed)
    await expect(issued.isKeyBlocked(`spki-sha256:${'0'.repeat(64)}` as never)).rejects.toMatchObject(failed)
    await expect(pins.read('example.org:1965')).rejects.toMatchObject(failed)
    await expect(pins.lastSeen('example.org:1965', `sha256:${'0'.repeat(64)}` as never)).rejects.toMatchObject(failed)
    await expect(limits.consume('key', ONE_KEY, 1)).rejects.toMatchObject(failed)
    expect(await chain.decide(request)).toMatchObject({ allowed: false, denialReason: 'internal_error' })

    await server.begin()
    expect((await registry.resolve(ana)).kind).toBe('known')
    expect(await pins.read('example.org:1965')).toEqual([])
    expect(await chain.decide(request)).toMatchObject({ allowed: true })
    await registry.close()
  })

  it('crashes gives each key one more burst, and no more', async () => {
    const schema = await schemaOf()
    const store = await PostgresRateLimitStore.open(server.client, { schema, timeoutMs: 10_000 })
    const given = async (): Promise<number> => {
      const tries = Array.from({ length: 150 }, () => store.consume('one key', ONE_KEY, 1))
      return (await Promise.all(tries)).filter(({ allowed }) => allowed).length
    }
    expect(await given()).toBe(100)
    expect(await given()).toBe(0)
    await server.crash()
    await server.begin()
    expect(await given()).toBe(100)
    expect(await given()).toBe(0)
  })

  it('crashes under load loses no registration and doubles none', async () => {
    const schema = await schemaOf()
    const stores = await Promise.all(
      Array.from({ length: 4 }, () => PostgresIdentityStore.open(server.pool({ max: 4 }), { schema })),
    )
    let running = true
    let failures = 0
    const linked: string[] = []
    const asked = stores.flatMap((store, s) =>
      [0, 1].map(async (lane) => {
        for (let n = 0; running; n++) {
          const name = `${s} ${lane} ${n}`
          // Whoever got no answer asks once more, and is told what has become of it.
          for (;;) {
            try {
              const outcome = await store.register(registration(name))
              if (outcome.kind === 'linked' || outcome.kind === 'already_linked') linked.push(name)
              break
            } catch (error) {
              expect(error).toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
              failures++
              await new Promise((resolve) => setTimeout(resolve, 20))
            }
          }
        }
      }),
    )
    for (let round = 0; round < 3; round++) {
      const until = linked.length + 40
      while (linked.length < until) await new Promise((resolve) => setTimeout(resolve, 10))
      await server.crash()
      await server.begin()
    }
    running = false
    await Promise.all(asked)
    expect(failures).toBeGreaterThan(0)
    const { rows } = await server.client.query(
      `SELECT u.id, count(*)::int AS n FROM ${schema}.identity_user u
       JOIN ${schema}.identity_credential c ON c.user_id = u.id GROUP BY u.id`,
    )
    expect(rows.map((row) => row.id).sort()).toEqual([...linked].sort())
    expect(rows.every((row) => row.n === 1)).toBe(true)
    const { rows: events } = await server.client.query(`SELECT count(*)::int AS n FROM ${schema}.identity_event`)
    expect(events[0].n).toBe(linked.length)
  })

  describe('is reached by a wire that', () => {
    let wire: Wire

    beforeAll(async () => {
      wire = await wireTo(server.port)
    })
    afterAll(async () => wire?.close())

    it('is cut in the middle of a call, at any place, loses no registration and doubles none', async () => {
      const schema = await schemaOf()
      const sure = await PostgresIdentityStore.open(server.client, { schema })
      const outcomes = new Set<string>()
      for (let messages = 1; messages <= 16; messages++) {
        const pool = server.pool({ port: wire.port, max: 1 })
        const store = await PostgresIdentityStore.open(pool, { schema })
        const name = `cut after ${messages}`
        wire.cutAfter(messages)
        const first = await outcomeOf(async () => store.register(registration(name)))
        wire.cutAfter(Number.POSITIVE_INFINITY)
        outcomes.add(first)
        expect(['linked', 'ERR_TLACACOCA_STORE_FAILED']).toContain(first)
        // The server may not have noticed yet that nobody is there any more.
        const second = await sure.register(registration(name))
        if (first === 'linked') expect(second.kind).toBe('already_linked')
        expect(['linked', 'already_linked']).toContain(second.kind)
        // The same client is none the worse.
        expect((await store.find({ certificates: [name], publicKey: name }, NOW)).matches).toHaveLength(1)
        expect((await sure.account(name, NOW))?.events).toHaveLength(1)
      }
      expect(outcomes.size).toBe(2)
    })

    it('is slow makes nobody wait for longer than was said, and mixes up no answers', async () => {
      const schema = await schemaOf()
      const pool = server.pool({ port: wire.port, max: 2 })
      const limits = await PostgresRateLimitStore.open(pool, { schema, timeoutMs: 700 })
      const users = await PostgresIdentityStore.open(pool, { schema, timeoutMs: 1500 })
      await users.register(registration('ana'))
      expect((await limits.consume('one key', ONE_KEY, 1)).remaining).toBeCloseTo(99, 3)
      wire.stall()
      await expect(limits.consume('one key', ONE_KEY, 1)).rejects.toThrow('did not answer within 700 ms')
      await expect(users.find(marks('ana'), NOW)).rejects.toThrow('did not answer within 1500 ms')
      await expect(users.register(registration('bo'))).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
      wire.resume()
      expect((await users.find(marks('ana'), NOW)).matches[0]?.user.id).toBe('ana')
      expect((await users.find(marks('carl'), NOW)).matches).toEqual([])
      // What nobody heard the answer of was counted, or was not; nothing was given twice.
      const answer = await limits.consume('one key', ONE_KEY, 1)
      expect(answer.remaining).toBeGreaterThanOrEqual(97)
      expect(answer.remaining).toBeLessThan(98.1)
    })
  })

  it('can only be read recognises users and refuses every change', async () => {
    const schema = await schemaOf()
    const users = await PostgresIdentityStore.open(server.client, { schema })
    await users.register(registration('ana'))
    const pool = server.pool({ options: '-c default_transaction_read_only=on' })
    const standby = await PostgresIdentityStore.open(pool, { schema })
    expect((await standby.find(marks('ana'), NOW)).matches).toHaveLength(1)
    await expect(standby.register(registration('bo'))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_READ_ONLY',
    })
    await standby.touch('ana', 1, [])
    await expect(createPostgresSchema(pool, { schema: 'other' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_READ_ONLY',
    })
  })

  it('does not wait for its disk is made to, where what was answered must stay', async () => {
    const schema = await schemaOf()
    const pool = server.pool({ options: '-c synchronous_commit=off', max: 1 })
    const users = await PostgresIdentityStore.open(pool, { schema })
    await server.client.query(
      `CREATE TABLE ${schema}.noted(setting text);
       CREATE FUNCTION ${schema}.note() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO ${schema}.noted VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
       CREATE TRIGGER note BEFORE INSERT ON ${schema}.identity_user FOR EACH ROW EXECUTE FUNCTION ${schema}.note()`,
    )
    await users.register(registration('ana'))
    expect((await server.client.query(`SELECT * FROM ${schema}.noted`)).rows).toEqual([{ setting: 'on' }])
    expect((await pool.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'off' }])
  })

  it('ends transactions for the sake of others is asked again, and not for ever', async () => {
    const schema = await schemaOf()
    const users = await PostgresIdentityStore.open(server.client, { schema })
    await server.client.query(
      `CREATE SEQUENCE ${schema}.tries;
       CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
           IF nextval('${schema}.tries') < TG_ARGV[0]::int THEN
             RAISE EXCEPTION 'not now' USING ERRCODE = 'serialization_failure';
           END IF;
           RETURN NEW;
         END $$;
       CREATE TRIGGER fail BEFORE INSERT ON ${schema}.identity_user FOR EACH ROW EXECUTE FUNCTION ${schema}.fail(3)`,
    )
    expect((await users.register(registration('ana'))).kind).toBe('linked')
    await server.client.query(
      `DROP TRIGGER fail ON ${schema}.identity_user;
       CREATE TRIGGER fail BEFORE INSERT ON ${schema}.identity_user FOR EACH ROW EXECUTE FUNCTION ${schema}.fail(1000)`,
    )
    await expect(users.register(registration('bo'))).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED' })
    expect((await users.find(marks('bo'), NOW)).matches).toEqual([])
  })

  it('is locked by somebody else makes a change fail in time, and a visit be lost', async () => {
    const schema = await schemaOf()
    const users = await PostgresIdentityStore.open(server.client, { schema, timeoutMs: 300 })
    await users.register(registration('ana'))
    const other = await server.pool({ max: 1 }).connect()
    try {
      await other.query(`BEGIN; LOCK TABLE ${schema}.identity_event IN ACCESS EXCLUSIVE MODE`)
      await expect(users.register(registration('bo'))).rejects.toThrow(/identity store (is locked|did not answer)/)
      await other.query(`ROLLBACK; BEGIN; SELECT * FROM ${schema}.identity_user FOR UPDATE`)
      await users.touch('ana', 20_000, [])
      await other.query('ROLLBACK')
      expect((await users.account('ana', NOW))?.user.lastSeenDay).toBe(null)
      await users.touch('ana', 20_000, [{ credentialId: 'id of ana', day: 20_000, notAfter: NOW + 5 }])
      const account = await users.account('ana', NOW)
      expect(account?.user.lastSeenDay).toBe(20_000)
      expect(account?.credentials[0]).toMatchObject({ lastSeenDay: 20_000, notAfter: NOW + 5 })
    } finally {
      other.release(true)
    }
  })
})

describe.skipIf(noServer)('a standby that replicates synchronously', () => {
  it('takes over all registrations and revocations that were answered, and no limits', async () => {
    const primary = await Server.start()
    onTestFinished(() => primary.close())
    const { schema } = await newSchema(primary.client)
    const standby = await primary.standby()
    onTestFinished(() => standby.close())
    const users = await PostgresIdentityStore.open(primary.pool({ max: 4 }), { schema })
    const registry = new IdentityRegistry(users, { origin: 'example.org:1965' })
    const [own, stolen] = [fakePeer(issue({ subject: 'own' }).certificate), fakePeer(issue({}).certificate)]
    await registry.register(own, { handle: 'ana' })
    const { credential } = await registry.redeemLinkCode(stolen, (await registry.createLinkCode(own)).code)
    const limits = await PostgresRateLimitStore.open(primary.client, { schema, timeoutMs: 10_000 })
    expect((await limits.consume('key', ONE_KEY, 100)).allowed).toBe(true)
    const linked: string[] = []
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      for (let n = 0; ; n++) {
        const name = `${lane} ${n}`
        if ((await outcomeOf(async () => users.register(registration(name)))) !== 'linked') return
        linked.push(name)
      }
    })
    while (linked.length < 40) await new Promise((resolve) => setImmediate(resolve))
    await registry.revoke(own, credential.id)
    await primary.crash()
    await Promise.all(lanes)
    await standby.client.query('SELECT pg_promote()')

    const successor = await PostgresIdentityStore.open(standby.client, { schema })
    for (const name of linked) {
      expect((await successor.find(marks(name), NOW)).matches).toHaveLength(1)
      expect((await successor.register(registration(name))).kind).toBe('already_linked')
    }
    const registryAfter = new IdentityRegistry(successor, { origin: 'example.org:1965' })
    expect(await registryAfter.resolve(own)).toMatchObject({ kind: 'known' })
    expect(await registryAfter.resolve(stolen)).toMatchObject({ kind: 'refused', reason: 'revoked' })
    const limitsAfter = await PostgresRateLimitStore.open(standby.client, { schema, timeoutMs: 10_000 })
    expect((await limitsAfter.consume('key', ONE_KEY, 100)).allowed).toBe(true)
    expect((await limitsAfter.consume('key', ONE_KEY, 1)).allowed).toBe(false)
  }, 120_000)
})

async function outcomeOf(act: () => Promise<{ readonly kind: string }>): Promise<string> {
  try {
    return (await act()).kind
  } catch (error) {
    return error instanceof StoreError ? error.code : String(error)
  }
}

function credential(name: string): NewCredential {
  const fingerprint = `sha256:${hash('sha256', name, 'hex')}` as NewCredential['fingerprint']
  const notAfter = NOW + 1000
  return { id: `id of ${name}`, certificate: name, publicKey: name, fingerprint, label: null, notBefore: NOW, notAfter }
}

function registration(name: string) {
  return { userId: name, handle: { shown: name, key: name }, credential: credential(name), at: NOW }
}

function marks(name: string) {
  return { certificates: [name], publicKey: name }
}
