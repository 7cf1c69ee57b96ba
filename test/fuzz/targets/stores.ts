// What other programs keep, and what people hand to one another: known hosts, identities, lists, statements, trails.

import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { parse } from 'smol-toml'
import { type AuditEvent, chainEvent, verifyAuditTrail } from '../../../src/authority/audit.ts'
import { readOwnCrl, signCrl } from '../../../src/authority/crl.ts'
import { isFingerprint, publicKeyFingerprint } from '../../../src/certificate/fingerprint.ts'
import {
  FileError,
  type FileProblem,
  IdentityError,
  ImportError,
  InvalidNameError,
  SignatureError,
  StoreError,
} from '../../../src/errors.ts'
import { formatIdents, parseIdents } from '../../../src/identity/formats/idents-lgr.ts'
import { readPrefixScope } from '../../../src/identity/formats/prefix-scope.ts'
import { readIdentities } from '../../../src/identity/formats/read-identities.ts'
import { locateKeys } from '../../../src/identity/formats/toml-lines.ts'
import { openRotation, signRotation } from '../../../src/identity/rotation-statement.ts'
import { formatMetadata, parseMetadata } from '../../../src/identity/wallet/metadata-file.ts'
import { pathScope } from '../../../src/identity/wallet/scope.ts'
import { readSqliteHeader } from '../../../src/internal/sqlite-header.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { DATABASE_FORMATS, findDatabaseFormat, findingsInDatabase } from '../../../src/tofu/formats/databases.ts'
import { detectKnownHosts, writersOf } from '../../../src/tofu/formats/detect.ts'
import { findingsInLines } from '../../../src/tofu/formats/findings.ts'
import type { KnownHost, LineFormat } from '../../../src/tofu/formats/known-host.ts'
import { LINE_FORMATS } from '../../../src/tofu/formats/line-formats.ts'
import { HostsReport, readHosts } from '../../../src/tofu/formats/read-hosts.ts'
import { signKnownHosts, VouchedList } from '../../../src/tofu/signed-list.ts'
import { PinsCollector } from '../../../src/tofu/toml-collect.ts'
import { readDocument } from '../../../src/tofu/toml-document.ts'
import { parseInstant } from '../../../src/tofu/toml-instant.ts'
import { ExactKnownPins } from '../../../src/tofu/toml-known.ts'
import { readPinsToml, type TomlPin } from '../../../src/tofu/toml-read.ts'
import { quote, unquote } from '../../../src/tofu/toml-string.ts'
import { issue } from '../../support/issued-certificates.ts'
import { FIELD_LINES, OTHER_LINES } from '../../tofu/formats/field-certificate.ts'
import { checkMessage, type FuzzTarget, hold, pieces, reading, readingLater, refusal, same } from '../engine/target.ts'
import { textOf } from '../engine/text.ts'

const HEX = '146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'
const NOW = new Date('2030-06-01T12:00:00Z')

// One folder for all files, and one file for each target: to make a new one each time would be to fuzz the file system.
const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

function places(problems: readonly FileProblem[], lines: number): void {
  for (const { line, column, message } of problems) {
    hold(line >= 1 && line <= lines && column >= 1, `line ${line} of ${lines}, column ${column}`)
    checkMessage(message)
  }
}

function knownHosts(format: LineFormat): FuzzTarget {
  return {
    name: `known-hosts-${format.name}`,
    source: [
      `tofu/formats/${format.name}.ts`,
      'tofu/formats/fields.ts',
      'tofu/formats/lines.ts',
      'tofu/formats/read-hosts.ts',
    ],
    holds: 'each server once and in canonical form, problems with places; the same in any pieces',
    shape: 'lines',
    maxBytes: 600,
    outcomes: format.name === 'bombadillo' ? ['problems'] : ['read', 'problems'],
    seeds: () => [
      ...Object.values(FIELD_LINES),
      ...OTHER_LINES.map(({ text }) => text).filter((text) => text.length <= 600),
      Object.entries(FIELD_LINES)
        .find(([name]) => name === format.name)?.[1]
        .replace('example.org', '2001:db8::1') ?? '[certs]\n',
    ],
    words: ['example.org', '[2001:db8::1]:1966', '\r\n', ';', ' ', '\t', '"', "'", HEX],
    async run(input) {
      const [whole, cut] = await Promise.all([
        readAll(format, [Buffer.from(input)]),
        readAll(
          format,
          pieces(input, input[7] ?? 1).map((piece) => Buffer.from(piece)),
        ),
      ])
      same(JSON.stringify(cut), JSON.stringify(whole), 'in pieces')
      for (const { subject, digest } of whole.hosts) {
        same(parseEndpoint(subject).toString(), subject, 'in canonical form')
        hold(isFingerprint(digest), 'a fingerprint')
      }
      same(new Set(whole.hosts.map(({ subject }) => subject)).size, whole.hosts.length, 'each server once')
      places([...whole.problems, ...whole.remarks], Buffer.from(input).toString('latin1').split('\n').length)
      return whole.problems.length > 0 ? 'problems' : whole.hosts.length > 0 ? 'read' : 'nothing'
    },
  }
}

async function readAll(format: LineFormat, chunks: readonly Buffer[]) {
  const report = new HostsReport()
  let hosts: KnownHost[] = []
  const findings = () => findingsInLines(format, chunks)
  for await (const batch of readHosts({ path: 'x', repeats: format.repeats, findings }, report)) {
    if (batch.restart) hosts = []
    hosts.push(...batch.hosts)
  }
  return { hosts, problems: report.problems, remarks: report.remarks }
}

export const knownHostsTargets: readonly FuzzTarget[] = LINE_FORMATS.map(knownHosts)

export const knownHostsLine: FuzzTarget = {
  name: 'known-hosts-detect',
  source: ['tofu/formats/detect.ts'],
  holds: 'no line is as two programs would write it',
  shape: 'text',
  seeds: () =>
    [...Object.values(FIELD_LINES), ...OTHER_LINES.map(({ text }) => text)]
      .flatMap((text) => text.split('\n'))
      .filter((line) => line !== ''),
  words: [HEX, 'sha256', 'SHA-512', ' 0', '[certs]'],
  outcomes: ['one', 'none'],
  run(input) {
    const writers = writersOf(textOf(input))
    hold(writers.length <= 1, `a line of ${writers.join(' and ')}`)
    return writers.length === 1 ? 'one' : 'none'
  },
}

const PINS = `[_metadata]
exported_at = "2026-11-24T02:10:00+00:00"
version = "1.0"

[tlacacoca]
format = 1

[hosts."example.org:1965"]
hostname = "example.org"
port = 1965
fingerprint = "sha256:${HEX}"
first_seen = "2026-11-24T02:10:00+00:00"
last_seen = "2026-11-24T02:10:00.5+00:00"

[[tlacacoca.pins]]
subject = "example.org:1965"
fingerprint = "sha256:${HEX}"
state = "verified"
public_key = "spki-sha256:${HEX}"
not_after = "2036-11-21T02:07:53+00:00"
days_seen = 12
note = "caf\\u00e9"

[[tlacacoca.pins]]
subject = "a@b.example"
fingerprint = "sha512:${HEX}${HEX}"
state = "distrusted"
first_seen = "2026-11-24T02:10:00+00:00"
last_seen = "2026-11-24T02:10:00+00:00"

[tlacacoca.end]
`

export const tomlImport: FuzzTarget = {
  name: 'toml-import',
  source: [
    'tofu/toml-read.ts',
    'tofu/toml-plain.ts',
    'tofu/toml-collect.ts',
    'tofu/toml-block.ts',
    'tofu/toml-document.ts',
    'tofu/toml-recover.ts',
    'tofu/toml-positions.ts',
  ],
  holds:
    'the same pins and problems in any pieces and by the reader of all TOML; what smol-toml does not read is a problem',
  shape: 'lines',
  maxBytes: 1800,
  seeds: () => [
    PINS,
    PINS.replaceAll('\n', '\r\n'),
    PINS.slice(0, PINS.indexOf('[[')).replace('format = 1\n', 'format = 1\n[tlacacoca.end]\n'),
    OTHER_LINES.find(({ format }) => format === 'tlacacoca')?.text ?? PINS,
  ],
  words: [
    '[hosts."a.example:1"]\n',
    '[[tlacacoca.pins]]\n',
    'state = "trusted"\n',
    'port = 1\n',
    '"""',
    "'''",
    '{a = 1}',
    '[1, 2]',
    ' # ',
    '\\u0041',
    '2026-02-30',
  ],
  outcomes: ['read', 'problems'],
  async run(input) {
    const whole = await collected(() => [input])
    same(shownPins(await collected(() => pieces(input, input[9] ?? 1))), shownPins(whole), 'in pieces')
    const text = new TextDecoder().decode(input)
    const collector = new PinsCollector(new ExactKnownPins())
    await readDocument(text, collector)
    same(shownPins(collector.take()), shownPins(whole), 'by the reader of all TOML')
    places(whole.problems, text.split('\n').length)
    if (whole.problems.length > 0) return 'problems'
    parse(text, { integersAsBigInt: true })
    return 'read'
  },
}

interface Collected {
  readonly pins: readonly TomlPin[]
  readonly problems: readonly FileProblem[]
}

async function collected(open: () => Iterable<Uint8Array>): Promise<Collected> {
  let pins: TomlPin[] = []
  let problems: FileProblem[] = []
  for await (const batch of readPinsToml(open)) {
    if (batch.restart) [pins, problems] = [[], []]
    pins.push(...batch.pins)
    problems.push(...batch.problems)
  }
  return { pins, problems }
}

/** In an order of its own: the readers come upon them in different ones. */
function shownPins({ pins, problems }: Collected): string {
  const by = (a: string, b: string): number => (a < b ? -1 : 1)
  return JSON.stringify([
    pins.map((each) => JSON.stringify(each)).sort(by),
    problems.map((each) => JSON.stringify(each)).sort(by),
  ])
}

export const tomlInstant: FuzzTarget = {
  name: 'toml-instant',
  source: ['tofu/toml-instant.ts'],
  holds: 'the instant that `Date` finds where it finds one, or none',
  shape: 'text',
  maxBytes: 80,
  seeds: () => [
    '2026-01-02T03:04:05.678+00:00',
    '2026-01-02',
    '0001-01-01T00:00:00Z',
    '2024-02-29 23:59:59.999999-12:30',
    '9999-12-31t00:00z',
  ],
  words: ['T', 'Z', '+00:00', '-23:59', '.5', '02-29'],
  outcomes: ['read', 'none'],
  run(input) {
    const text = textOf(input)
    const read = parseInstant(text)
    if (read === undefined) return 'none'
    hold(!Number.isNaN(read.getTime()), 'an instant')
    // `Date` takes a time without an offset for local time, and a letter in lower case for none at all.
    const plain = text
      .toUpperCase()
      .replace(' ', 'T')
      .replace(/\.(\d{1,3})\d*/, '.$1')
    const withZone = plain.length > 10 && !/(?:Z|[+-]\d\d:\d\d)$/.test(plain) ? `${plain}Z` : plain
    same(read.getTime(), new Date(withZone).getTime(), 'the instant to Date')
    return 'read'
  },
}

export const tomlString: FuzzTarget = {
  name: 'toml-string',
  source: ['tofu/toml-string.ts'],
  holds: 'read as smol-toml reads it; what is quoted is one line, steers no terminal, and is read as it was',
  shape: 'text',
  maxBytes: 120,
  seeds: () => ['"plain"', '"caf\\u00e9 \\"x\\" \\\\"', '"\\ud83d\\udd12"', '"\\t"', '"\u2028"'],
  words: ['\\u', '\\"', '\\\\', '\\U0001f512', '\\e', '\\x41', '"'],
  outcomes: ['read', 'none'],
  run(input) {
    const text = textOf(input)
    const quoted = quote(text)
    same(unquote(quoted), text.replace(/\p{Surrogate}/gu, '\ufffd'), 'quoted and read')
    hold(!/[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/.test(quoted), `quoted as ${JSON.stringify(quoted)}`)
    const read = unquote(text)
    if (read === undefined) return 'none'
    same(parse(`text = ${text}`).text, read, 'to smol-toml')
    return 'read'
  },
}

const PIN_TABLE =
  'CREATE TABLE known_hosts (hostname TEXT, port INTEGER, fingerprint TEXT, first_seen TEXT, last_seen TEXT, PRIMARY KEY (hostname, port))'
const CACHE_TABLE =
  'CREATE TABLE cert_cache (hostname text, address text, fingerprint text, first_seen date, last_seen date, count integer)'

function database(...statements: readonly string[]): Buffer {
  const db = new SQLite(':memory:')
  try {
    for (const each of ['PRAGMA page_size = 512', ...statements]) db.exec(each)
    return db.serialize()
  } finally {
    db.close()
  }
}

/** A file that is written anew for each input. */
function slot(name: string): (input: Uint8Array) => string {
  const path = join(folder, name)
  return (input) => {
    writeFileSync(path, input)
    return path
  }
}

const headerFile = slot('header.db')

export const sqliteHeader: FuzzTarget = {
  name: 'sqlite-header',
  source: ['internal/sqlite-header.ts'],
  holds: 'what its first hundred bytes say, or damaged; whatever follows them makes no difference',
  runs: 20_000,
  why: 'each input becomes a file',
  shape: 'bytes',
  maxBytes: 140,
  outcomes: ['database', 'damaged', 'empty'],
  seeds: () => {
    const db = new SQLite(':memory:')
    db.exec('PRAGMA application_id = 1953259875; PRAGMA user_version = 3; CREATE TABLE t (a)')
    const bytes = db.serialize()
    db.close()
    return [bytes.subarray(0, 100), bytes.subarray(0, 120), '', 'SQLite format 3\0']
  },
  run(input) {
    const path = headerFile(input)
    const read = readSqliteHeader(path)
    if (read.kind !== 'database') {
      same(read.kind, input.length === 0 ? 'empty' : 'damaged', 'what else it can be')
      return read.kind
    }
    hold(input.length >= 100, 'a whole header')
    const bytes = Buffer.from(input)
    same(bytes.toString('latin1', 0, 16), 'SQLite format 3\0', 'its beginning')
    same(read.applicationId, bytes.readUInt32BE(68), 'the application')
    same(read.userVersion, bytes.readUInt32BE(60), 'the version')
    return 'database'
  },
}

const databaseFile = slot('foreign.db')
const byteFile = slot('file.txt')

export const knownHostsDatabase: FuzzTarget = {
  name: 'known-hosts-database',
  source: ['tofu/formats/databases.ts', 'tofu/formats/detect.ts'],
  holds: 'servers in canonical form or an error with a code, and not a byte of the file changed',
  runs: 3_000,
  why: 'each input is a database of several pages that SQLite opens twice',
  shape: 'bytes',
  maxBytes: 4096,
  outcomes: ['read'],
  seeds: () => [
    database(
      PIN_TABLE,
      `INSERT INTO known_hosts VALUES ('example.org', 1965, 'sha256:${HEX}', '2026-11-24T02:10:00', '2026-11-24')`,
    ),
    database(
      CACHE_TABLE,
      `INSERT INTO cert_cache VALUES ('example.org', '192.0.2.1', '${HEX}', '2026-11-24', '2026-11-24', 3)`,
    ),
    database('CREATE TABLE t (a)'),
  ],
  async run(input) {
    const path = databaseFile(input)
    try {
      const name = await detectKnownHosts(path)
      if (!DATABASE_FORMATS.some((each) => each.name === name)) return 'text'
      const format = await findDatabaseFormat(path)
      if (format === null) return 'no format'
      const report = new HostsReport()
      const findings = () => findingsInDatabase(path, format, input.length)
      for await (const { hosts } of readHosts({ path, repeats: format.repeats, findings }, report)) {
        for (const { subject } of hosts) same(parseEndpoint(subject).toString(), subject, 'in canonical form')
      }
      places([...report.problems, ...report.remarks], Number.MAX_SAFE_INTEGER)
      return 'read'
    } catch (error) {
      return refusal(error, StoreError, FileError, ImportError)
    }
  },
}

const signer = generateKeyPairSync('ed25519')
const signedBy = publicKeyFingerprint(signer.publicKey.export({ type: 'spki', format: 'der' }))

export const listSignature: FuzzTarget = {
  name: 'list-signature',
  source: ['tofu/signed-list.ts'],
  holds: 'no text but that of the signer is accepted, line ends apart',
  runs: 20_000,
  why: 'each input becomes a file, and signatures are verified',
  shape: 'lines',
  maxBytes: 600,
  words: ['sha256: ', 'signed-at: ', 'public-key: ', 'signature: ', '\r\n', '='],
  seeds: async () => {
    const path = byteFile(Buffer.from(PINS))
    const signaturePath = `${path}.sig`
    await signKnownHosts(path, {
      privateKey: signer.privateKey,
      signaturePath,
      overwrite: true,
      clock: () => NOW.getTime(),
    })
    const text = readFileSync(signaturePath, 'utf8')
    VALID.add(text.trimEnd())
    return [text, text.replaceAll('\n', '\r\n')]
  },
  outcomes: ['read', 'ERR_TLACACOCA_SIGNATURE_INVALID'],
  async run(input) {
    const path = signatureFile(input)
    return readingLater(
      () => VouchedList.of('list', { signedBy, name: 'Ana', path }),
      [SignatureError, FileError],
      () =>
        hold(
          VALID.has(Buffer.from(input).toString('utf8').replaceAll('\r\n', '\n').trimEnd()),
          'a text that was not signed',
        ),
    )
  },
}

const VALID = new Set<string>()
const signatureFile = slot('list.sig')

const IDENT = {
  fingerprint: Buffer.from(HEX, 'hex'),
  icon: 0x1f511,
  notes: 'Ana',
  flags: 2,
  urls: ['gemini://example.org/'],
}

export const lagrangeIdents: FuzzTarget = {
  name: 'lagrange-idents',
  source: ['identity/formats/idents-lgr.ts'],
  holds:
    'records in order and problems with their offsets; a file that was read whole is the same when it is written again',
  shape: 'bytes',
  maxBytes: 500,
  outcomes: ['whole', 'problems'],
  seeds: () => [
    formatIdents([IDENT, { ...IDENT, urls: ['gemini://a/', 'gemini://b/'], notes: '' }]),
    formatIdents([IDENT]),
    formatIdents([]),
  ],
  words: ['lgL2', 'iden', Buffer.of(32, 0, 0, 0)],
  run(input) {
    const { records, problems, isComplete } = parseIdents(input)
    same(isComplete, problems.length === 0, 'whole without problems')
    let last = -1
    for (const { offset, fingerprint } of records) {
      hold(offset > last && offset < input.length, `a record at ${offset}`)
      hold(fingerprint.buffer !== input.buffer, 'not the file itself')
      last = offset
    }
    for (const { offset, message } of problems) {
      hold(offset >= 0 && offset <= input.length, `a problem at ${offset}`)
      checkMessage(message)
    }
    if (!isComplete) return 'problems'
    const written = Buffer.from(formatIdents(records))
    // Versions 0 and 1 have one layout, and 1 is written.
    hold(Buffer.compare(written.subarray(8), input.subarray(8)) === 0, 'the same when it is written again')
    return 'whole'
  },
}

const owner = issue({ subject: 'ana' })
const ownerPem = owner.certificate.toPem()
const ownerKey = owner.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

export const identitiesPem: FuzzTarget = {
  name: 'identities-pem',
  source: ['identity/formats/pem-objects.ts', 'identity/formats/pair-objects.ts', 'identity/formats/import-context.ts'],
  holds: 'identities whose key fits, and problems with their lines',
  runs: 10_000,
  why: 'OpenSSL reads the keys, and a signature shows whether they fit',
  shape: 'lines',
  maxBytes: ownerPem.length + ownerKey.length + 300,
  outcomes: ['read', 'problems'],
  seeds: () => [ownerPem + ownerKey, ownerKey + ownerPem, ownerPem, ownerKey],
  words: ['-----BEGIN CERTIFICATE-----\n', '-----END PRIVATE KEY-----\n', '-----BEGIN EC PRIVATE KEY-----\n', '\n'],
  async run(input) {
    const text = textOf(input)
    const { identities, problems } = await readIdentities({ pem: text })
    const lines = text.split(/\r\n|\n|\r/).length
    for (const { line, message } of problems) {
      hold(line === null || (line >= 1 && line <= lines), `line ${line}`)
      checkMessage(message)
      hold(!message.includes(ownerKey.slice(60, 90)), 'nothing of a key')
    }
    for (const { privateKey, certificate } of identities) {
      hold(
        certificate.publicKey().equals(owner.keys.publicKey) && privateKey.equals(owner.keys.privateKey),
        'the key that fits',
      )
    }
    return problems.length > 0 ? 'problems' : identities.length > 0 ? 'read' : 'nothing'
  },
}

const AMFORA = `[auth]
[auth.certs]
"example.org/club" = 'club.crt'
example.org = "a.crt"
[auth.keys]
"example.org" = '/nowhere/key.pem'
`

export const amforaIdentities: FuzzTarget = {
  name: 'identities-amfora',
  source: ['identity/formats/amfora-read.ts', 'identity/formats/toml-lines.ts', 'identity/formats/prefix-scope.ts'],
  holds: 'problems with their lines (no file is there), or an error with line and column',
  shape: 'lines',
  maxBytes: 500,
  outcomes: ['read', 'ERR_TLACACOCA_IMPORT_INVALID'],
  seeds: () => [AMFORA, AMFORA.replaceAll('"', "'"), 'auth.certs."a" = "b"\n'],
  words: ['[auth.certs]\n', '[auth.keys]\n', '"""', "'''", 'example.org = ', '"//a/b" = ', '"gemini://a" = "x"'],
  async run(input) {
    const text = textOf(input)
    const locate = locateKeys(text)
    hold(locate(['no', 'such', 'key', text]) === null, 'a place for what is not there')
    try {
      const { identities, problems } = await readIdentities({ amfora: { toml: text, directory: '/nowhere' } })
      same(identities.length, 0, 'no file, no identity')
      for (const { line, message } of problems) {
        hold(line === null || (line >= 1 && line <= text.split('\n').length), `line ${line}`)
        checkMessage(message)
      }
      return 'read'
    } catch (error) {
      return refusal(error, ImportError, IdentityError)
    }
  },
}

export const prefixScope: FuzzTarget = {
  name: 'identity-scope',
  source: ['identity/formats/prefix-scope.ts', 'identity/wallet/scope.ts', 'identity/wallet/place.ts'],
  holds:
    'a canonical scope that is read as itself and covers the URL that it was made of; one of another host never covers it',
  shape: 'text',
  seeds: () => [
    'gemini://example.org',
    'gemini://example.org/club/',
    'titan://EXAMPLE.org:1966/a;size=3',
    'scroll://[::1]/~ana',
    'misfin://a/',
  ],
  words: ['gemini://', 'titan://', 'misfin://', 'scroll://', '..', '%2e', ';', '?', '@'],
  outcomes: ['read', 'ERR_TLACACOCA_TARGET_INVALID'],
  run(input) {
    const text = textOf(input)
    const prefix = readPrefixScope(text)
    if ('problem' in prefix) checkMessage(prefix.problem)
    return reading(
      () => pathScope(text),
      [InvalidNameError],
      (scope) => {
        const written = String(scope)
        hold(pathScope(written).equals(scope) && String(pathScope(written)) === written, `${written} is another scope`)
        hold(scope.covers(text), 'covers what it was made of')
        hold(!scope.covers('gemini://other.invalid/'), 'covers another host')
        if ('scope' in prefix) same(prefix.scope, written, 'as a beginning')
      },
    )
  },
}

const METADATA = `format = 1
extra = true
[identity.4c1f]
name = "Ana"
created = 2026-01-02T03:04:05.000Z
colour = "red"
[[identity.4c1f.scope]]
url = "gemini://example.org/"
last_used = 2026-02-03T04:05:06.000Z
[[identity.4c1f.site]]
endpoint = "example.org:1965"
confirmed = [ "tls12" ]
[identity.4c1f.rotation]
to = "9b0d"
started = 2026-02-03T04:05:06.000Z
[[identity.4c1f.rotation.site]]
endpoint = "example.org:1965"
state = "done"
`

export const walletMetadata: FuzzTarget = {
  name: 'wallet-metadata',
  source: ['identity/wallet/metadata-file.ts', 'identity/wallet/metadata-places.ts', 'identity/wallet/notes.ts'],
  holds: 'written and read again it is the same file; a mistake has its line and column',
  shape: 'lines',
  maxBytes: 900,
  outcomes: ['read', 'ERR_TLACACOCA_IDENTITY_METADATA_INVALID'],
  seeds: () => [METADATA, 'format = 1\n'],
  words: [
    'format = 2\n',
    '[identity.a]\n',
    '__proto__ = 1\n',
    '[identity.__proto__]\n',
    'name = 1\n',
    '{}',
    '[[identity.4c1f.scope]]\n',
    'deleted = 2026-01-02\n',
  ],
  run(input) {
    const text = textOf(input)
    return readingLater(
      () => parseMetadata(text, 'identities.toml'),
      [IdentityError],
      async (read) => {
        const written = await formatMetadata(read)
        same(await formatMetadata(await parseMetadata(written, 'again')), written, 'written again')
      },
    )
  },
}

const ORIGIN = parseEndpoint('example.org:1965')
const successor = issue({ subject: 'ana' })
const EXPECTED = { origin: ORIGIN, newFingerprint: successor.certificate.fingerprint, now: NOW }

export const rotationStatement: FuzzTarget = {
  name: 'rotation-statement',
  source: ['identity/rotation-statement.ts'],
  holds: 'no text is accepted but the ones that were signed',
  shape: 'text',
  maxBytes: 700,
  words: ['rotation1.', '.', '=', '-', '_'],
  outcomes: ['read', 'ERR_TLACACOCA_IDENTITY_ROTATION_INVALID'],
  seeds: async () => {
    const base = {
      origin: ORIGIN,
      oldCertificate: owner.certificate,
      oldKey: owner.keys.privateKey,
      newCertificate: successor.certificate,
    }
    const expiresAt = new Date(NOW.getTime() + 86_400_000)
    const made = [await signRotation({ ...base, expiresAt }), await signRotation({ ...base, expiresAt, user: '7' })]
    for (const each of made) STATEMENTS.add(each)
    return made
  },
  run(input) {
    const text = textOf(input)
    return reading(
      () => openRotation(text, EXPECTED),
      [IdentityError],
      () => hold(STATEMENTS.has(text), 'a text that was not signed'),
    )
  },
}

const STATEMENTS = new Set<string>()

const TRAIL: AuditEvent[] = []
for (const event of ['issued', 'revoked', 'crl']) {
  TRAIL.push(chainEvent({ at: NOW.getTime(), event, actor: 'ana', serial: '01', detail: null }, TRAIL.at(-1) ?? null))
}
const RECORDED = TRAIL.map((each) => JSON.stringify(each))

export const auditTrail: FuzzTarget = {
  name: 'audit-trail',
  source: ['authority/audit.ts'],
  holds: 'lines of JSON that are found sound are the recorded ones from the first on, in meaning and order',
  shape: 'lines',
  maxBytes: 1200,
  words: ['"position":', '"hash":"', '"previousHash":"', 'null', '1e0', '-0', '"__proto__":{}', '[]', '\\u0061'],
  outcomes: ['sound', 'broken', 'no JSON'],
  seeds: () => [`${RECORDED.join('\n')}\n`, `${RECORDED[0]}\n`, ''],
  async run(input) {
    let events: AuditEvent[]
    try {
      events = textOf(input)
        .split('\n')
        .filter((line) => line !== '')
        .map((line): AuditEvent => JSON.parse(line))
    } catch {
      return 'no JSON'
    }
    const verdict = await verifyAuditTrail(events)
    if (!verdict.valid) {
      checkMessage(verdict.problem)
      hold(verdict.position >= 1 && verdict.position <= events.length + 1, `broken at ${verdict.position}`)
      return 'broken'
    }
    same(verdict.count, events.length, 'as many as there are')
    for (const [index, { at, event, actor, serial, detail, hash }] of events.entries()) {
      const { position, previousHash } = TRAIL[index] ?? {}
      same(
        JSON.stringify({ at, event, actor, serial, detail, position, previousHash, hash }),
        RECORDED[index],
        'what was recorded',
      )
    }
    return 'sound'
  },
}

const authority = issue({ subject: 'Root', ca: true })
const issuer = { certificate: authority.certificate, privateKey: authority.keys.privateKey }
const CRL = await signCrl(issuer, {
  number: 1n,
  thisUpdate: NOW.getTime(),
  nextUpdate: NOW.getTime() + 86_400_000,
  entries: [{ serial: '0a0b', revokedAt: NOW.getTime(), reason: 'keyCompromise' }],
} as never)

export const revocationList: FuzzTarget = {
  name: 'revocation-list',
  source: ['authority/crl.ts'],
  holds: 'nothing that the authority did not sign is its list',
  shape: 'der',
  outcomes: ['read', 'none'],
  seeds: () => [CRL.der],
  run(input) {
    const times = { number: 1n, thisUpdate: NOW.getTime(), nextUpdate: NOW.getTime() + 1 }
    const read = readOwnCrl(issuer, { ...times, der: input })
    if (read === null) return 'none'
    hold(Buffer.compare(input, CRL.der) === 0, 'a list that was not signed')
    return 'read'
  },
}
