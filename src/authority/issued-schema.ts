import type { SqliteSchema } from '../internal/sqlite.ts'

/** The file of an authority, beside its PEM files. */
export const ISSUED_SCHEMA: SqliteSchema = {
  name: 'certificate database',
  // "tlca"
  applicationId: 0x746c6361,
  migrations: [
    `-- Whose certificates these are: the key of the authority, once it is known.
     CREATE TABLE authority (
       id INTEGER PRIMARY KEY CHECK (id = 1),
       public_key TEXT NOT NULL
     ) STRICT;
     CREATE TABLE certificate (
       number INTEGER PRIMARY KEY,
       serial TEXT NOT NULL UNIQUE CHECK (length(serial) BETWEEN 2 AND 40),
       status TEXT NOT NULL CHECK (status IN ('pending', 'issued', 'held', 'revoked')),
       status_at INTEGER NOT NULL,
       profile TEXT NOT NULL,
       client_hash TEXT,
       public_key TEXT NOT NULL,
       request_sha256 TEXT,
       tbs_sha256 TEXT NOT NULL,
       subject TEXT NOT NULL,
       not_before INTEGER NOT NULL,
       not_after INTEGER NOT NULL,
       renewed_from TEXT,
       requested_by TEXT,
       created_at INTEGER NOT NULL,
       der BLOB,
       reason TEXT,
       invalidity_at INTEGER,
       -- From which revision of the list on it is, or is not, to be on it; null if it was never taken back.
       list_revision INTEGER,
       CHECK ((status IN ('issued', 'held')) <= (der IS NOT NULL)),
       CHECK ((status = 'revoked') = (reason IS NOT NULL))
     ) STRICT;
     CREATE INDEX certificate_key ON certificate(public_key);
     CREATE INDEX certificate_request ON certificate(request_sha256) WHERE request_sha256 IS NOT NULL;
     CREATE INDEX certificate_listed ON certificate(not_after) WHERE status IN ('held', 'revoked');
     CREATE INDEX certificate_pending ON certificate(created_at) WHERE status = 'pending';
     CREATE TABLE blocked_key (
       public_key TEXT PRIMARY KEY,
       blocked_at INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     -- "revision" counts what changes the next list; a list that was begun at an earlier one is out of date.
     CREATE TABLE crl_state (
       id INTEGER PRIMARY KEY CHECK (id = 1),
       revision INTEGER NOT NULL,
       number INTEGER NOT NULL
     ) STRICT;
     INSERT INTO crl_state VALUES (1, 0, 0);
     CREATE TABLE crl (
       number INTEGER PRIMARY KEY,
       revision INTEGER NOT NULL,
       this_update INTEGER,
       next_update INTEGER,
       der BLOB
     ) STRICT;
     CREATE TABLE notice (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       serial TEXT NOT NULL,
       attempts INTEGER NOT NULL,
       due_at INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX notice_due ON notice(due_at);
     CREATE TABLE audit (
       position INTEGER PRIMARY KEY,
       at INTEGER NOT NULL,
       event TEXT NOT NULL,
       actor TEXT,
       serial TEXT,
       detail TEXT,
       previous_hash TEXT NOT NULL,
       hash TEXT NOT NULL
     ) STRICT;
     CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
     CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
     -- Replacing a row would not fire the triggers above.
     CREATE TRIGGER audit_grows BEFORE INSERT ON audit
       WHEN NEW.position <> (SELECT coalesce(max(position), 0) + 1 FROM audit)
       BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
     CREATE TRIGGER certificate_is_kept BEFORE DELETE ON certificate
       BEGIN SELECT raise(ABORT, 'certificates are never deleted'); END;
     CREATE TRIGGER revoked_is_final BEFORE UPDATE OF status ON certificate
       WHEN OLD.status = 'revoked' BEGIN SELECT raise(ABORT, 'what is revoked stays so'); END;`,
  ],
}
