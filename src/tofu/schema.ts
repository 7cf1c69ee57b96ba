// The pin database. Its application id and the meaning of these columns are frozen; later versions only add. Version 2
// added `setting`: the key by which names are hashed, and whether deleted text is still to be erased.
//
// `certificate_digest` is the one table beside those that verdicts need: some clients (gmni) pin a certificate by its
// SHA-512, which cannot be computed from the SHA-256 that we pin by. In the row of the pin it would more than double the
// text that a page of the hot table holds, for something that only an export reads.

import type { SqliteSchema } from '../internal/sqlite.ts'

export const PIN_SCHEMA: SqliteSchema = {
  name: 'pin database',
  // The letters 'tlpn'.
  applicationId: 0x746c706e,
  // Where somebody has been is nobody's business once they want it forgotten.
  overwritesDeleted: true,
  migrations: [
    `CREATE TABLE pin(
       subject TEXT NOT NULL,
       digest TEXT NOT NULL,
       state INTEGER NOT NULL,
       key_digest TEXT,
       not_after INTEGER,
       first_seen INTEGER NOT NULL,
       last_seen INTEGER NOT NULL,
       days_seen INTEGER NOT NULL,
       source TEXT,
       note TEXT,
       PRIMARY KEY (subject, digest)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE public_key(digest TEXT PRIMARY KEY, spki BLOB NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE certificate_digest(digest TEXT PRIMARY KEY, sha512 TEXT NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE change(
       id INTEGER PRIMARY KEY,
       at INTEGER NOT NULL,
       subject TEXT NOT NULL,
       cause TEXT NOT NULL,
       old TEXT,
       new TEXT,
       decided_by TEXT
     ) STRICT;
     CREATE INDEX change_subject ON change(subject);`,
    // Always there, so that a file that lost it to damage is not taken for one whose names are not hashed.
    `CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
     INSERT INTO setting VALUES ('names', x'');`,
  ],
}
