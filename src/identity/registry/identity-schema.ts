// The identity database. Its application id and the meaning of these columns are frozen; later versions only add.
//
// The uniqueness of handles and certificates is written here once more, although the operations look first: it is the one
// thing that must hold whatever a program does.

import type { SqliteSchema } from '../../internal/sqlite.ts'

export const IDENTITY_SCHEMA: SqliteSchema = {
  name: 'identity database',
  // The letters 'tlid'.
  applicationId: 0x746c6964,
  migrations: [
    `CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE user(
       id TEXT PRIMARY KEY,
       handle TEXT,
       handle_key TEXT UNIQUE,
       created_at INTEGER NOT NULL,
       erased_at INTEGER,
       last_seen_day INTEGER
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE credential(
       number INTEGER PRIMARY KEY,
       id TEXT NOT NULL UNIQUE,
       certificate TEXT NOT NULL UNIQUE,
       public_key TEXT NOT NULL,
       fingerprint TEXT,
       label TEXT,
       not_before INTEGER NOT NULL,
       not_after INTEGER NOT NULL,
       user_id TEXT NOT NULL REFERENCES user(id),
       source TEXT NOT NULL,
       added_by TEXT,
       created_at INTEGER NOT NULL,
       last_seen_day INTEGER,
       status TEXT NOT NULL CHECK (status IN ('active', 'superseded', 'revoked')),
       status_at INTEGER NOT NULL,
       replaces TEXT
     ) STRICT;
     CREATE INDEX credential_public_key ON credential(public_key);
     CREATE INDEX credential_user ON credential(user_id);
     CREATE INDEX credential_end ON credential(not_after) WHERE status = 'active';
     CREATE TABLE link_code(
       code TEXT PRIMARY KEY,
       kind TEXT NOT NULL CHECK (kind IN ('add', 'replace')),
       made_by TEXT NOT NULL,
       origin TEXT NOT NULL,
       at INTEGER NOT NULL,
       expires_at INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX link_code_maker ON link_code(made_by);
     CREATE TABLE link(
       number INTEGER PRIMARY KEY,
       id TEXT NOT NULL UNIQUE,
       kind TEXT NOT NULL CHECK (kind IN ('approval', 'recovery')),
       vouched_by TEXT,
       user_id TEXT,
       credential_id TEXT NOT NULL,
       certificate TEXT NOT NULL UNIQUE,
       public_key TEXT NOT NULL,
       fingerprint TEXT,
       label TEXT,
       not_before INTEGER NOT NULL,
       not_after INTEGER NOT NULL,
       requested_at INTEGER NOT NULL,
       ready_at INTEGER,
       expires_at INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX link_user ON link(user_id);
     CREATE TABLE recovery_code(
       user_id TEXT NOT NULL,
       code TEXT NOT NULL,
       made_by TEXT NOT NULL,
       PRIMARY KEY (user_id, code)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX recovery_code_maker ON recovery_code(made_by);
     CREATE TABLE nonce(nonce TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE event(
       number INTEGER PRIMARY KEY,
       at INTEGER NOT NULL,
       user_id TEXT NOT NULL,
       credential_id TEXT,
       event TEXT NOT NULL
     ) STRICT;
     CREATE INDEX event_user ON event(user_id);`,
  ],
}
