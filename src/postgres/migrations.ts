// The tables. What these columns mean is frozen once released; later versions only add. Each migration is a list of single
// statements, in which `tlacacoca.` stands for the schema.
//
// Texts are compared and sorted by their bytes, whatever the database does otherwise. Instants are milliseconds since the
// Unix epoch. What must hold whatever a program does is written here once more, although the stores look first.
//
// Here and in all statements, a function or operator is called with the very types that one of `pg_catalog` takes, or by
// `pg_catalog.` where that takes any. Otherwise one of the same name that fits better would be preferred, and whoever may
// create in a schema of the search path could have the stores run what he likes (CVE-2018-1058).

const RATE_LIMITS = [
  // The clock of all limits. A function, so that every server asks the same one, and it can be moved for a test.
  `CREATE FUNCTION tlacacoca.clock_ms() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
     AS $$ SELECT floor(extract(epoch FROM clock_timestamp())::numeric * 1000::numeric)::bigint $$`,
  // Not logged: it costs half as much to write, and is empty after a crash, when every bucket is full. There is room in
  // each page for new versions of its rows, and no index but the key, so that these cost no index entries either.
  `CREATE UNLOGGED TABLE tlacacoca.rate_limit(
     key bytea PRIMARY KEY,
     full_at bigint NOT NULL,
     taken boolean NOT NULL,
     units_per_ms integer NOT NULL
   ) WITH (fillfactor = 50)`,
  // Whose turn it is to remove full buckets.
  `CREATE TABLE tlacacoca.rate_limit_sweep(id integer PRIMARY KEY CHECK (id = 1), swept_at bigint NOT NULL)`,
  `INSERT INTO tlacacoca.rate_limit_sweep VALUES (1, 0)`,
]

const IDENTITIES = [
  `CREATE TABLE tlacacoca.identity_setting(name text COLLATE "C" PRIMARY KEY, value text NOT NULL)`,
  `CREATE TABLE tlacacoca.identity_user(
     id text COLLATE "C" PRIMARY KEY,
     handle text,
     handle_key text COLLATE "C" UNIQUE,
     created_at bigint NOT NULL,
     erased_at bigint,
     last_seen_day bigint
   )`,
  `CREATE TABLE tlacacoca.identity_credential(
     number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     id text COLLATE "C" NOT NULL UNIQUE,
     certificate text COLLATE "C" NOT NULL UNIQUE,
     public_key text COLLATE "C" NOT NULL,
     fingerprint text,
     label text,
     not_before bigint NOT NULL,
     not_after bigint NOT NULL,
     user_id text COLLATE "C" NOT NULL REFERENCES tlacacoca.identity_user(id),
     source text NOT NULL,
     added_by text,
     created_at bigint NOT NULL,
     last_seen_day bigint,
     status text NOT NULL CHECK (status IN ('active', 'superseded', 'revoked')),
     status_at bigint NOT NULL,
     replaces text
   )`,
  `CREATE INDEX identity_credential_public_key ON tlacacoca.identity_credential(public_key)`,
  `CREATE INDEX identity_credential_user ON tlacacoca.identity_credential(user_id)`,
  `CREATE INDEX identity_credential_end ON tlacacoca.identity_credential(not_after) WHERE status = 'active'`,
  `CREATE TABLE tlacacoca.identity_link_code(
     code text COLLATE "C" PRIMARY KEY,
     kind text NOT NULL CHECK (kind IN ('add', 'replace')),
     made_by text COLLATE "C" NOT NULL,
     origin text NOT NULL,
     at bigint NOT NULL,
     expires_at bigint NOT NULL
   )`,
  `CREATE INDEX identity_link_code_maker ON tlacacoca.identity_link_code(made_by)`,
  `CREATE TABLE tlacacoca.identity_link(
     number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     id text COLLATE "C" NOT NULL UNIQUE,
     kind text NOT NULL CHECK (kind IN ('approval', 'recovery')),
     vouched_by text,
     user_id text COLLATE "C",
     credential_id text NOT NULL,
     certificate text COLLATE "C" NOT NULL UNIQUE,
     public_key text NOT NULL,
     fingerprint text,
     label text,
     not_before bigint NOT NULL,
     not_after bigint NOT NULL,
     requested_at bigint NOT NULL,
     ready_at bigint,
     expires_at bigint NOT NULL
   )`,
  `CREATE INDEX identity_link_user ON tlacacoca.identity_link(user_id)`,
  `CREATE TABLE tlacacoca.identity_recovery_code(
     user_id text COLLATE "C" NOT NULL,
     code text COLLATE "C" NOT NULL,
     made_by text COLLATE "C" NOT NULL,
     PRIMARY KEY (user_id, code)
   )`,
  `CREATE INDEX identity_recovery_code_maker ON tlacacoca.identity_recovery_code(made_by)`,
  `CREATE TABLE tlacacoca.identity_nonce(nonce text COLLATE "C" PRIMARY KEY, expires_at bigint NOT NULL)`,
  `CREATE TABLE tlacacoca.identity_event(
     number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     at bigint NOT NULL,
     user_id text COLLATE "C" NOT NULL,
     credential_id text,
     event text NOT NULL
   )`,
  `CREATE INDEX identity_event_user ON tlacacoca.identity_event(user_id)`,
]

/** A function for triggers that refuses what they are on, with the trigger's argument as the reason. */
const REFUSE = `CREATE FUNCTION tlacacoca.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $$`

const ISSUED = [
  REFUSE,
  // Whose certificates these are: the key of the authority, once it is known.
  `CREATE TABLE tlacacoca.issued_authority(id integer PRIMARY KEY CHECK (id = 1), public_key text NOT NULL)`,
  `CREATE TABLE tlacacoca.issued_certificate(
     number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     serial text COLLATE "C" NOT NULL UNIQUE CHECK (length(serial) BETWEEN 2 AND 40),
     status text NOT NULL CHECK (status IN ('pending', 'issued', 'held', 'revoked')),
     status_at bigint NOT NULL,
     profile text COLLATE "C" NOT NULL,
     client_hash text COLLATE "C",
     public_key text COLLATE "C" NOT NULL,
     request_sha256 text COLLATE "C",
     tbs_sha256 text NOT NULL,
     subject text NOT NULL,
     not_before bigint NOT NULL,
     not_after bigint NOT NULL,
     renewed_from text,
     requested_by text,
     created_at bigint NOT NULL,
     der bytea,
     reason text,
     invalidity_at bigint,
     -- From which revision of the list on it is, or is not, to be on it; null if it was never taken back.
     list_revision bigint,
     CHECK (status NOT IN ('issued', 'held') OR der IS NOT NULL),
     CHECK ((status = 'revoked') = (reason IS NOT NULL))
   )`,
  `CREATE INDEX issued_certificate_key ON tlacacoca.issued_certificate(public_key)`,
  `CREATE INDEX issued_certificate_request ON tlacacoca.issued_certificate(request_sha256)
     WHERE request_sha256 IS NOT NULL`,
  `CREATE INDEX issued_certificate_listed ON tlacacoca.issued_certificate(not_after)
     WHERE status IN ('held', 'revoked')`,
  `CREATE INDEX issued_certificate_pending ON tlacacoca.issued_certificate(created_at) WHERE status = 'pending'`,
  `CREATE TABLE tlacacoca.issued_blocked_key(public_key text COLLATE "C" PRIMARY KEY, blocked_at bigint NOT NULL)`,
  // "revision" counts what changes the next list; a list that was begun at an earlier one is out of date.
  `CREATE TABLE tlacacoca.issued_crl_state(
     id integer PRIMARY KEY CHECK (id = 1),
     revision bigint NOT NULL,
     number bigint NOT NULL
   )`,
  `INSERT INTO tlacacoca.issued_crl_state VALUES (1, 0, 0)`,
  `CREATE TABLE tlacacoca.issued_crl(
     number bigint PRIMARY KEY,
     revision bigint NOT NULL,
     this_update bigint,
     next_update bigint,
     der bytea
   )`,
  `CREATE TABLE tlacacoca.issued_notice(
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     serial text NOT NULL,
     attempts integer NOT NULL,
     due_at bigint NOT NULL
   )`,
  `CREATE INDEX issued_notice_due ON tlacacoca.issued_notice(due_at)`,
  `CREATE TABLE tlacacoca.issued_audit(
     position bigint PRIMARY KEY,
     at bigint NOT NULL,
     event text NOT NULL,
     actor text,
     serial text,
     detail text,
     previous_hash text NOT NULL,
     hash text NOT NULL
   )`,
  `CREATE TRIGGER audit_is_kept BEFORE DELETE OR UPDATE ON tlacacoca.issued_audit
     FOR EACH ROW EXECUTE FUNCTION tlacacoca.refuse('the audit trail is append-only')`,
  `CREATE TRIGGER audit_is_kept_whole BEFORE TRUNCATE ON tlacacoca.issued_audit
     FOR EACH STATEMENT EXECUTE FUNCTION tlacacoca.refuse('the audit trail is append-only')`,
  `CREATE TRIGGER certificates_are_kept BEFORE DELETE ON tlacacoca.issued_certificate
     FOR EACH ROW EXECUTE FUNCTION tlacacoca.refuse('certificates are never deleted')`,
  `CREATE TRIGGER revoked_is_final BEFORE UPDATE OF status ON tlacacoca.issued_certificate
     FOR EACH ROW WHEN (OLD.status = 'revoked') EXECUTE FUNCTION tlacacoca.refuse('what is revoked stays so')`,
]

const PINS = [
  `CREATE TABLE tlacacoca.pin(
     subject text COLLATE "C" NOT NULL,
     digest text COLLATE "C" NOT NULL,
     state smallint NOT NULL,
     key_digest text COLLATE "C",
     not_after bigint,
     first_seen bigint NOT NULL,
     last_seen bigint NOT NULL,
     days_seen bigint NOT NULL,
     source text,
     note text,
     PRIMARY KEY (subject, digest)
   )`,
  `CREATE TABLE tlacacoca.pin_public_key(digest text COLLATE "C" PRIMARY KEY, spki bytea NOT NULL)`,
  `CREATE TABLE tlacacoca.pin_certificate_digest(digest text COLLATE "C" PRIMARY KEY, sha512 text NOT NULL)`,
  `CREATE TABLE tlacacoca.pin_change(
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     at bigint NOT NULL,
     subject text COLLATE "C" NOT NULL,
     cause text NOT NULL,
     old text,
     new text,
     decided_by text
   )`,
  `CREATE INDEX pin_change_subject ON tlacacoca.pin_change(subject)`,
  `CREATE TABLE tlacacoca.pin_version(id integer PRIMARY KEY CHECK (id = 1), version bigint NOT NULL)`,
  `INSERT INTO tlacacoca.pin_version VALUES (1, 0)`,
]

/** The statements that lead to version 1, to version 2 from there, and so on. */
export const MIGRATIONS: readonly (readonly string[])[] = [[...RATE_LIMITS, ...IDENTITIES, ...ISSUED, ...PINS]]
