import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/errors.ts'
import type { PostgresEmbedded, PostgresPool } from '../../src/postgres/client.ts'
import { Database, type Row, type Statements } from '../../src/postgres/database.ts'
import { postgresFailure } from '../../src/postgres/failure.ts'
import { Replay } from '../../src/postgres/replay.ts'
import { decoded, encoded } from '../../src/postgres/text.ts'

describe('texts', () => {
  const anyText = fc.string({ unit: fc.constantFrom('\u0000', '\u0001', '0', '1', 'a', '\u{1f512}') })
  const sent = (text: string): string => String(encoded(text))
  const order = (a: string, b: string): number => Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))

  it('come back as they were, without a NUL on the way', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(sent(text)).not.toContain('\u0000')
        expect(decoded({ text: sent(text) })).toEqual({ text })
      }),
    )
  })

  it('keep their order and their prefixes', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(order(sent(a), sent(b))).toBe(order(a, b))
        expect(sent(a).startsWith(sent(b))).toBe(a.startsWith(b))
      }),
    )
  })

  it('are written in the same way inside of lists, and nothing else is changed', () => {
    const bytes = Uint8Array.of(0, 1)
    expect(encoded(['a\u0000', null, 5])).toEqual(['a\u00010', null, 5])
    for (const value of [null, 5, true, bytes]) expect(encoded(value)).toBe(value)
  })
})

describe('a replay', () => {
  /** A database of numbers, which notes what it is asked. */
  function numbers() {
    const asked: string[] = []
    const kept = new Map<unknown, unknown>()
    const query = async (text: string, [name, value]: readonly unknown[] = []): Promise<Row[]> => {
      asked.push(`${text} ${name}`)
      if (text === 'set') kept.set(name, value)
      return text === 'set' ? [] : [{ value: kept.get(name) ?? 0 }]
    }
    return { asked, kept, statements: { query } }
  }

  it('asks each question once, in order, after what was written before it', async () => {
    const { asked, kept, statements } = numbers()
    const replay = new Replay()
    const work = (): number => {
      const before = Number(replay.ask('get', ['a'])[0]?.value)
      replay.tell('set', ['a', before + 1])
      const after = Number(replay.ask('get', ['a'])[0]?.value)
      replay.tell('set', ['a', after * 10])
      return after
    }
    expect(await replay.run(work, statements)).toBe(1)
    expect(asked).toEqual(['get a', 'set a', 'get a', 'set a'])
    expect(kept.get('a')).toBe(10)
  })

  it('refuses work that does something else when it is repeated', async () => {
    const { statements } = numbers()
    const replay = new Replay()
    let n = 0
    const work = () => [replay.ask('get', [n++]), replay.ask('get', ['b'])]
    await expect(replay.run(work, statements)).rejects.toThrow('did something else')
  })

  it('passes on what the work throws, and what the database does', async () => {
    const { statements } = numbers()
    const broken = new Replay()
    const throwing = () => {
      broken.ask('get', ['a'])
      throw new RangeError('no')
    }
    await expect(broken.run(throwing, statements)).rejects.toThrow(RangeError)
    const replay = new Replay()
    const failing = { query: async () => Promise.reject(new Error('gone')) }
    await expect(replay.run(() => replay.ask('get', ['a']), failing)).rejects.toThrow('gone')
  })
})

describe('failures', () => {
  it.each([
    ['40001', 'LOCKED'],
    ['40P01', 'LOCKED'],
    ['55P03', 'LOCKED'],
    ['25006', 'READ_ONLY'],
    ['53100', 'FULL'],
    ['53300', 'FAILED'],
    ['57P01', 'FAILED'],
    ['08006', 'FAILED'],
    ['42P01', 'FAILED'],
    ['XX001', 'CORRUPT'],
    ['23505', 'FAILED'],
    ['EPIPE', 'FAILED'],
    ['ECONNREFUSED', 'FAILED'],
    ['', 'FAILED'],
  ])('with the code %j are %s', (code, ours) => {
    const { message, stack } = new Error('said by the server')
    const hidden = { detail: 'Key (x)=(hush)', where: 'hush', query: 'hush', params: ['hush'] }
    const cause = Object.assign(new Error(message), { stack, code, ...hidden })
    const failure = postgresFailure(cause, 'pin store')
    expect(failure.code).toBe(`ERR_TLACACOCA_STORE_${ours}`)
    expect(failure.message).not.toContain(message)
    expect(failure.cause).toMatchObject({ message, stack, code })
    expect(inspect(failure, { depth: 9 })).not.toContain('hush')
  })
})

describe('connections', () => {
  /** A pool of one connection, which answers as it is told. */
  function pool(
    answer: (text: string) => Promise<{ rows: unknown[] }>,
    { timeoutMs = 20_000, ...more }: { readonly timeoutMs?: number; readonly transaction?: () => Promise<never> } = {},
  ) {
    const asked: string[] = []
    const released: (Error | boolean | undefined)[] = []
    const query = (text: string): Promise<{ rows: unknown[] }> => {
      asked.push(text.split(/[\s;]/)[0] ?? '')
      return answer(text)
    }
    const client: PostgresPool = {
      query,
      connect: async () => ({ query, release: (error) => released.push(error) }),
      ...more,
    }
    return { asked, released, database: new Database(client, { name: 'x', schema: 'x', timeoutMs }) }
  }
  const never = new Promise<never>(() => {})

  it('on which a statement failed are used again if they can be', async () => {
    const { asked, released, database } = pool(async (text) => {
      if (text === 'bad') throw Object.assign(new Error('no'), { code: '23505' })
      return { rows: [] }
    })
    await expect(database.write(({ query }) => query('bad'))).rejects.toThrow(StoreError)
    expect([asked, released]).toEqual([['BEGIN', 'bad', 'ROLLBACK'], [undefined]])
  })

  it('that do not answer are closed, and not asked anything more', async () => {
    const { asked, released, database } = pool((text) => (text === 'slow' ? never : Promise.resolve({ rows: [] })), {
      timeoutMs: 1000,
    })
    await expect(database.write(({ query }) => query('slow'))).rejects.toThrow('did not answer within 1000 ms')
    expect(asked).toEqual(['BEGIN', 'slow'])
    expect(released).toEqual([expect.any(StoreError)])
  })

  it('of a pool that has transactions of its own are taken all the same, with the lock', async () => {
    const { asked, database } = pool(async () => ({ rows: [] }), {
      transaction: async () => Promise.reject(new Error('without the lock')),
    })
    expect(await database.write(async () => 'done')).toBe('done')
    expect(asked).toEqual(['BEGIN', 'COMMIT'])
  })

  it('whose transaction cannot be ended are closed', async () => {
    const { released, database } = pool(async (text) => {
      if (text.startsWith('BEGIN')) return { rows: [] }
      throw new Error('terminated')
    })
    await expect(database.write(({ query }) => query('any'))).rejects.toThrow('the x cannot be reached')
    expect(released).toEqual([expect.any(StoreError)])
  })

  it('are given back if the work throws, and nothing is committed', async () => {
    const { asked, released, database } = pool(async () => ({ rows: [] }))
    const work = async () => Promise.reject(new RangeError('no'))
    await expect(database.write(work)).rejects.toThrow(RangeError)
    expect([asked, released]).toEqual([['BEGIN', 'ROLLBACK'], [undefined]])
  })

  it('on which a moment cannot be held are given back, or closed if they do not answer', async () => {
    const refusing = pool(async (text) => {
      if (text.startsWith('BEGIN')) throw Object.assign(new Error('no'), { code: '57P03' })
      return { rows: [] }
    })
    const refused = { code: 'ERR_TLACACOCA_STORE_FAILED', message: 'the x is shutting down, or starting (57P03)' }
    await expect(refusing.database.snapshot()).rejects.toMatchObject(refused)
    expect([refusing.asked, refusing.released]).toEqual([['BEGIN', 'ROLLBACK'], [undefined]])
    const silent = pool(() => never, { timeoutMs: 1000 })
    await expect(silent.database.snapshot()).rejects.toThrow('the x did not answer within 1000 ms')
    expect([silent.asked, silent.released]).toEqual([['BEGIN'], [expect.any(StoreError)]])
  })

  it('that come too late are given back', async () => {
    const released: unknown[] = []
    let come: () => void = () => {}
    const query = async (): Promise<{ rows: unknown[] }> => ({ rows: [] })
    const connect = async () => {
      await new Promise<void>((resolve) => {
        come = resolve
      })
      return { query, release: (error?: unknown) => released.push(error) }
    }
    const database = new Database({ query, connect }, { name: 'x', schema: 'x', timeoutMs: 20 })
    await expect(database.query('any')).rejects.toThrow('did not answer within 20 ms')
    expect(released).toEqual([])
    come()
    await new Promise((resolve) => setImmediate(resolve))
    expect(released).toEqual([undefined])
  })
})

describe('an embedded database', () => {
  // What is in this process answers before any timer can run.
  it.each([
    { what: 'asks for more', more: true },
    { what: 'is done', more: false },
  ])('undoes what $what after its time', async ({ more }) => {
    const asked: string[] = []
    const ends: string[] = []
    const query = async (text: string): Promise<{ rows: unknown[] }> => {
      asked.push(text)
      return { rows: [] }
    }
    const client: PostgresEmbedded = {
      query,
      async transaction(work) {
        try {
          const result = await work({ query })
          ends.push('done')
          return result
        } catch (error) {
          ends.push('undone')
          throw error
        }
      },
    }
    const database = new Database(client, { name: 'x', schema: 'x', timeoutMs: 10 })
    const work = async (statements: Statements): Promise<void> => {
      await statements.query('first')
      for (const end = performance.now() + 10; performance.now() <= end; );
      if (more) await statements.query('second')
    }
    await expect(database.write(work)).rejects.toThrow('did not answer within 10 ms')
    expect([asked, ends]).toEqual([['first'], ['undone']])
  })
})
