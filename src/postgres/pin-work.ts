// Changes of trust, inside of one transaction with nobody else in between. Many hosts at once are few statements: their
// values go as lists.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import { requireDate } from '../internal/arguments.ts'
import { isAsExpected } from '../tofu/memory-pin-store.ts'
import type { Pin, PinChange } from '../tofu/pin.ts'
import type { ClearedPins, PinnedMaterial, PinPurge, PinUpdate, PurgedPins, SubjectChange } from '../tofu/pin-store.ts'
import type { Row, Statements } from './database.ts'
import { text } from './identity-rows.ts'
import { PIN, PIN_COLUMNS, pinOf, valuesOf } from './pin-rows.ts'

// So many rows in a statement: hardly faster with more, and a message of bearable size.
const BATCH = 2000

/** A transaction, and the schema that it is about. */
export class PinWork {
  readonly #statements: Statements
  readonly #in: string

  constructor(statements: Statements, schema: string) {
    this.#statements = statements
    this.#in = `${schema}.pin`
  }

  async version(): Promise<number> {
    const [row] = await this.#ask(`SELECT version FROM ${this.#in}_version`)
    return Number(row?.version)
  }

  async update({ changes, log, remember = [], atVersion }: PinUpdate): Promise<boolean> {
    if (atVersion !== undefined && (await this.version()) !== atVersion) return false
    if (!(await this.#isAsExpected(changes))) return false
    for (const round of rounds(changes)) {
      await this.#remove(round.flatMap(({ subject, remove }) => remove.map((digest) => [subject, digest] as const)))
      await this.#put(round.flatMap(({ put }) => put))
    }
    await this.remember(remember)
    await this.#log(log)
    return true
  }

  async remember(materials: readonly PinnedMaterial[]): Promise<void> {
    for (const some of batches(materials)) {
      await this.#ask(
        `INSERT INTO ${this.#in}_public_key(digest, spki)
         SELECT digest, decode(spki, 'hex') FROM unnest($1::text[], $2::text[]) AS each(digest, spki)
         ON CONFLICT DO NOTHING`,
        some.map((each) => each.keyDigest),
        some.map((each) => Buffer.from(each.publicKey).toString('hex')),
      )
      await this.#ask(
        `INSERT INTO ${this.#in}_certificate_digest(digest, sha512)
         SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING`,
        some.map((each) => each.digest),
        some.map((each) => each.sha512),
      )
    }
  }

  async clear(at: Date): Promise<ClearedPins> {
    const subjects = await this.#count(
      `SELECT pg_catalog.count(DISTINCT subject) AS n FROM ${this.#in} WHERE state <> 3`,
    )
    const pins = await this.#delete(`DELETE FROM ${this.#in} WHERE state <> 3`)
    await this.#delete(`DELETE FROM ${this.#in}_change AS change WHERE NOT ${this.#setsMark}`)
    await this.#delete(`DELETE FROM ${this.#in}_public_key`)
    await this.#delete(`DELETE FROM ${this.#in}_certificate_digest`)
    await this.#log([{ at, subject: '', cause: 'cleared', old: null, new: null, decidedBy: 'user' }])
    return { subjects, pins, kept: await this.#count(`SELECT count(*) AS n FROM ${this.#in}`) }
  }

  async purge({ before, verified, at }: PinPurge): Promise<Omit<PurgedPins, 'erased'>> {
    requireDate('before', before)
    const stale = `SELECT subject FROM ${this.#in} WHERE state <> 3 GROUP BY subject
      HAVING max(last_seen) < $1::bigint AND ($2::boolean OR bool_and(state <> 1))`
    const forgotten = `SELECT subject FROM ${this.#in}_change c GROUP BY subject HAVING max(at) < $1::bigint
      AND NOT EXISTS (SELECT 1 FROM ${this.#in} p WHERE p.subject = c.subject AND p.state <> 3)`
    const values = [before.getTime(), verified]
    const subjects = await this.#count(`SELECT count(*) AS n FROM (${stale}) AS each`, ...values)
    const lines = await this.#delete(
      `DELETE FROM ${this.#in}_change AS change WHERE subject <> ''
         AND (subject IN (${stale}) OR subject IN (${forgotten})) AND NOT ${this.#setsMark}`,
      ...values,
    )
    const pins = await this.#delete(`DELETE FROM ${this.#in} WHERE state <> 3 AND subject IN (${stale})`, ...values)
    await this.#delete(
      `DELETE FROM ${this.#in}_public_key k WHERE NOT EXISTS (SELECT 1 FROM ${this.#in} p WHERE p.key_digest = k.digest)
         AND NOT EXISTS (SELECT 1 FROM ${this.#in} p WHERE p.digest = k.digest)`,
    )
    await this.#delete(
      `DELETE FROM ${this.#in}_certificate_digest d
       WHERE NOT EXISTS (SELECT 1 FROM ${this.#in} p WHERE p.digest = d.digest)`,
    )
    await this.#log([{ at, subject: '', cause: 'purged', old: null, new: null, decidedBy: 'user' }])
    return { subjects, pins, lines }
  }

  /** A line of `change` that says when a mark was set that is still there. */
  get #setsMark(): string {
    return `(change.cause = 'distrusted' AND EXISTS (SELECT 1 FROM ${this.#in} m
      WHERE m.subject = change.subject AND m.digest = change.new AND m.state = 3))`
  }

  async #isAsExpected(changes: readonly SubjectChange[]): Promise<boolean> {
    for (const some of batches(changes)) {
      const statement = `SELECT ${PIN} FROM ${this.#in} WHERE subject = ANY($1::text[])`
      const found = new Map<string, Pin[]>()
      for (const row of await this.#ask(statement, [...new Set(some.map(({ subject }) => subject))])) {
        found.set(text(row.subject), [...(found.get(text(row.subject)) ?? []), pinOf(row)])
      }
      if (!some.every(({ subject, expect }) => isAsExpected(found.get(subject) ?? [], expect))) return false
    }
    return true
  }

  async #remove(pins: readonly (readonly [subject: string, digest: Fingerprint])[]): Promise<void> {
    for (const some of batches(pins)) {
      await this.#ask(
        `DELETE FROM ${this.#in} WHERE (subject, digest) IN (SELECT * FROM unnest($1::text[], $2::text[]))`,
        some.map(([subject]) => subject),
        some.map(([, digest]) => digest),
      )
    }
  }

  async #put(pins: readonly Pin[]): Promise<void> {
    // A statement writes a row once, so of several with the same digest it is told the last.
    const last = [...new Map(pins.map((pin) => [JSON.stringify([pin.subject, pin.digest]), valuesOf(pin)])).values()]
    const types = PIN_COLUMNS.map(([, type], n) => `$${n + 1}::${type}`).join(', ')
    const values = PIN_COLUMNS.slice(2).map(([name]) => `${name} = excluded.${name}`)
    for (const some of batches(last)) {
      await this.#ask(
        `INSERT INTO ${this.#in}(${PIN}) SELECT * FROM unnest(${types})
         ON CONFLICT (subject, digest) DO UPDATE SET ${values.join(', ')}`,
        ...PIN_COLUMNS.map((_, n) => some.map((row) => row[n])),
      )
    }
  }

  /** Writes history, which moves the version. */
  async #log(lines: readonly PinChange[]): Promise<void> {
    for (const { at } of lines) requireDate('at', at)
    for (const some of batches(lines)) {
      await this.#ask(
        `INSERT INTO ${this.#in}_change(at, subject, cause, old, new, decided_by)
         SELECT at, subject, cause, old, new, decided_by
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
           AS each(at, subject, cause, old, new, decided_by, n) ORDER BY n`,
        some.map(({ at }) => at.getTime()),
        some.map(({ subject }) => subject),
        some.map(({ cause }) => cause),
        some.map((each) => each.old),
        some.map((each) => each.new),
        some.map(({ decidedBy }) => decidedBy),
      )
    }
    await this.#ask(`UPDATE ${this.#in}_version SET version = version + 1`)
  }

  async #count(statement: string, ...values: unknown[]): Promise<number> {
    return Number((await this.#ask(statement, ...values))[0]?.n)
  }

  /** Deletes, and counts what is gone; clients tell that in different ways. */
  #delete(statement: string, ...values: unknown[]): Promise<number> {
    return this.#count(`WITH gone AS (${statement} RETURNING 1) SELECT count(*) AS n FROM gone`, ...values)
  }

  #ask(statement: string, ...values: unknown[]): Promise<Row[]> {
    return this.#statements.query(statement, values)
  }
}

function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < all.length; start += BATCH) yield all.slice(start, start + BATCH)
}

/** Changes in their order, in groups in which no subject comes twice. */
function* rounds(changes: readonly SubjectChange[]): Generator<readonly SubjectChange[]> {
  let round: SubjectChange[] = []
  let subjects = new Set<string>()
  for (const change of changes) {
    if (subjects.has(change.subject)) {
      yield round
      round = []
      subjects = new Set()
    }
    round.push(change)
    subjects.add(change.subject)
  }
  yield round
}
