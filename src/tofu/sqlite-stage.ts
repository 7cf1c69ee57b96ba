// A large import on its way into the SQLite store. It is collected in temporary tables, which SQLite keeps in a file of
// its own that no other program sees, on a connection of its own. What nobody has to decide on, the hosts that the store
// has never heard of, is never read back into JavaScript: it is moved by one INSERT … SELECT in the order of the key.
//
// An export comes in that order, and its pins are added to the table of that key, each at the end. What comes in any other
// order is put aside and brought into it at once, by a merge sort: row after row would be looked for all over the table,
// which takes ten times as long for a million hosts.

import type { Database, Statement } from 'better-sqlite3'
import type { SqliteFile } from '../internal/sqlite.ts'
import type { ContestedSubject, PinStage, PinUpdate, StagedPin, StagedPins } from './pin-store.ts'
import { applyUpdate, COLUMNS, type PinRow, pinOf, requireNaming, rowOf, Statements } from './sqlite-statements.ts'

/** @internal Collects an import for a SQLite file. */
export class SqliteStage implements PinStage {
  readonly #file: SqliteFile
  readonly #db: Database
  readonly #sql: Statements
  readonly #append: Statement<PinRow[number][]>
  readonly #appendMany: Statement<PinRow[number][]>
  readonly #putAside: Statement<[...PinRow, string | null]>
  readonly #hashed: boolean
  #version = 0
  #pins = 0
  /** The key of the last pin that came in order. */
  #subject = ''
  #digest = ''

  private constructor(file: SqliteFile, db: Database, hashed: boolean) {
    this.#file = file
    this.#hashed = hashed
    this.#db = db
    this.#sql = new Statements(db)
    // Everything is gone through in the order of the key, which needs the upper levels of a tree in memory and no more:
    // with four times as much it takes as long.
    db.pragma('cache_size = -8192')
    db.pragma('temp.cache_size = -8192')
    db.exec(`
      CREATE TEMP TABLE incoming(${PIN}, PRIMARY KEY (subject, digest)) STRICT, WITHOUT ROWID;
      CREATE TEMP TABLE unordered(${PIN}, label TEXT) STRICT;
      CREATE TEMP TABLE contested(subject TEXT PRIMARY KEY, label TEXT) WITHOUT ROWID;
      CREATE TEMP TABLE known(subject TEXT PRIMARY KEY) WITHOUT ROWID;
      BEGIN`)
    this.#append = db.prepare(`INSERT INTO incoming VALUES ${ROW}`)
    this.#appendMany = db.prepare(`INSERT INTO incoming VALUES ${Array(ROWS_AT_ONCE).fill(ROW).join()}`)
    this.#putAside = db.prepare('INSERT INTO unordered VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  }

  static async open(file: SqliteFile, hashed: boolean): Promise<SqliteStage> {
    const db = await file.connect()
    if (db === null) throw new TypeError('a snapshot has no stage')
    try {
      return await file.attempt(() => new SqliteStage(file, db, hashed))
    } catch (error) {
      file.disconnect(db)
      throw error
    }
  }

  add(pins: readonly StagedPin[]): void {
    this.#guard(() => {
      const ordered: PinRow[number][] = []
      for (const pin of pins) {
        const { subject, digest, label } = pin
        // Only the table of what was put aside has a place for labels.
        if (label !== undefined || !this.#isNext(subject, digest)) {
          this.#putAside.run(...rowOf(pin), label ?? null)
          continue
        }
        this.#subject = subject
        this.#digest = digest
        if (ordered.push(...rowOf(pin)) < COLUMN_COUNT * ROWS_AT_ONCE) continue
        this.#appendMany.run(...ordered)
        ordered.length = 0
      }
      for (let i = 0; i < ordered.length; i += COLUMN_COUNT) this.#append.run(...ordered.slice(i, i + COLUMN_COUNT))
    })
    this.#pins += pins.length
  }

  reset(): void {
    this.#guard(() => this.#db.exec('DELETE FROM incoming; DELETE FROM unordered'))
    this.#pins = 0
    this.#subject = ''
    this.#digest = ''
  }

  async compare({ skipKnown }: { readonly skipKnown: boolean }): Promise<StagedPins> {
    // Until here only temporary tables were written, which locks nothing.
    this.#guard(() => {
      this.#db.exec(`INSERT INTO incoming SELECT ${COLUMNS} FROM unordered ORDER BY subject, digest; COMMIT`)
    })
    const { fresh, known } = await this.#file.attempt(() => this.#contest(skipKnown))
    const find = this.#db.prepare<[string], number>('SELECT 1 FROM incoming WHERE subject = ? LIMIT 1').pluck()
    return {
      version: this.#version,
      fresh,
      known,
      contested: () => this.#contested(),
      includes: (subject) => find.get(subject) !== undefined,
    }
  }

  async commit(update: PinUpdate): Promise<boolean> {
    return this.#file.write(() => {
      requireNaming(this.#sql, this.#hashed)
      // While the version stands still, nobody has added a subject, and a million look-ups are saved.
      if ((this.#sql.version.get() ?? 0) !== this.#version && this.#freshAreKnown()) return false
      if (!applyUpdate(this.#sql, update)) return false
      const isFreshAlone =
        this.#number('SELECT NOT EXISTS (SELECT 1 FROM contested UNION ALL SELECT 1 FROM known)') === 1
      this.#db.exec(isFreshAlone ? MOVE_ALL : MOVE_FRESH)
      return true
    }, this.#db)
  }

  close(): void {
    this.#file.disconnect(this.#db)
  }

  /** Sorts the collected subjects into those that are contested, known and fresh, and counts the last two. */
  #contest(skipKnown: boolean): { fresh: number; known: number } {
    return this.#db.transaction(() => {
      this.#version = this.#sql.version.get() ?? 0
      this.#db.exec(
        `DELETE FROM contested;
         INSERT INTO contested(subject) SELECT DISTINCT subject FROM incoming WHERE state > 1;
         INSERT INTO known ${this.#knownSubjects()} EXCEPT SELECT subject FROM contested`,
      )
      if (!skipKnown) this.#db.exec('INSERT INTO contested(subject) SELECT subject FROM known; DELETE FROM known')
      else {
        this.#db.exec(
          `INSERT INTO contested(subject) SELECT subject FROM known k
             WHERE (SELECT count(*) FROM incoming i WHERE i.subject = k.subject) > 1 OR NOT EXISTS (
               SELECT 1 FROM incoming i JOIN main.pin p ON p.subject = i.subject AND p.digest = i.digest
               WHERE i.subject = k.subject AND p.state BETWEEN 0 AND 1);
           DELETE FROM known WHERE subject IN (SELECT subject FROM contested)`,
        )
      }
      this.#db.exec(LABEL)
      const all = this.#number('SELECT count(*) FROM (SELECT DISTINCT subject FROM incoming)')
      const known = this.#number('SELECT count(*) FROM known')
      return { fresh: all - known - this.#number('SELECT count(*) FROM contested'), known }
    })()
  }

  /** The collected subjects that the store knows, by walking through the smaller table and looking into the larger. */
  #knownSubjects(): string {
    const stored = this.#sql.count.get() ?? 0
    const [walked, searched] = this.#pins < stored ? ['incoming', 'main.pin'] : ['main.pin', 'incoming']
    return `SELECT DISTINCT w.subject FROM ${walked} w WHERE EXISTS (SELECT 1 FROM ${searched} s WHERE s.subject = w.subject)`
  }

  #freshAreKnown(): boolean {
    return this.#number(`SELECT EXISTS (SELECT 1 FROM (${this.#knownSubjects()}) s WHERE ${isFresh('s')})`) === 1
  }

  async *#contested(): AsyncGenerator<readonly ContestedSubject[]> {
    const page = this.#db
      .prepare<[string], [string, string | null]>(
        'SELECT subject, label FROM contested WHERE subject > ? ORDER BY subject LIMIT 500',
      )
      .raw()
    const incoming = this.#db
      .prepare<[string], PinRow>(`SELECT ${COLUMNS} FROM incoming WHERE subject = ? ORDER BY digest`)
      .raw()
    let after = ''
    while (true) {
      // Read to its end before anybody is asked, so that no lock is held while a person thinks.
      const subjects = page.all(after)
      const last = subjects.at(-1)
      if (last === undefined) return
      after = last[0]
      yield await this.#file.attempt(() =>
        subjects.map(([subject, label]) => ({
          subject,
          stored: this.#sql.read.all(subject).map(pinOf),
          incoming: incoming.all(subject).map(pinOf),
          ...(label === null ? {} : { label }),
        })),
      )
    }
  }

  /** Whether a pin comes after all that came in order. By UTF-16 or by UTF-8 makes a difference in time only. */
  #isNext(subject: string, digest: string): boolean {
    return subject > this.#subject || (subject === this.#subject && digest > this.#digest)
  }

  #number(sql: string): number {
    return this.#db.prepare<[], number>(sql).pluck().get() ?? 0
  }

  #guard(work: () => unknown): void {
    this.#file.requireOpen()
    try {
      work()
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
        throw new RangeError('a subject has the same fingerprint twice', { cause: error })
      }
      throw this.#file.failure(error)
    }
  }
}

const COLUMN_COUNT = 10
const ROW = `(${Array(COLUMN_COUNT).fill('?').join()})`
// Saves a quarter of the time; fifty at once save hardly more.
const ROWS_AT_ONCE = 10

// The columns of `pin`, word for word, so that SQLite can move whole rows.
const PIN = `
  subject TEXT NOT NULL,
  digest TEXT NOT NULL,
  state INTEGER NOT NULL,
  key_digest TEXT,
  not_after INTEGER,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  days_seen INTEGER NOT NULL,
  source TEXT,
  note TEXT`

const LABEL = `
  UPDATE contested SET label = named.label
  FROM (
    SELECT subject, max(label) AS label FROM unordered
    WHERE label IS NOT NULL AND subject IN (SELECT subject FROM contested)
    GROUP BY subject
  ) named
  WHERE named.subject = contested.subject`

/** SQL for whether nothing was to be decided on the subject of a row, and the store had never heard of it. */
function isFresh(row: string): string {
  return `NOT EXISTS (SELECT 1 FROM contested c WHERE c.subject = ${row}.subject)
    AND NOT EXISTS (SELECT 1 FROM known k WHERE k.subject = ${row}.subject)`
}

// Between two tables of the same form, SQLite copies rows without taking them apart, if the second has none so far.
const MOVE_ALL = 'INSERT INTO main.pin SELECT * FROM incoming'

const MOVE_FRESH = `
  INSERT INTO main.pin(${COLUMNS}) SELECT ${COLUMNS} FROM incoming
  WHERE ${isFresh('incoming')}
  ORDER BY subject, digest`
