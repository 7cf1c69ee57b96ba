// One import or export in a process of its own: `tofu-worker <floor|ours|smol-toml> <import|export> <database> <file>`.
// Prints what it took, in JSON. The floor of an export goes through the rows and writes pieces of a megabyte; that of an
// import reads line by line and believes what it reads. smol-toml writes and reads an object that holds everything, over
// the tables of the floor.

import { closeSync, createReadStream, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'
import { parse, stringify } from 'smol-toml'
import { TofuStore } from 'tlacacoca'
import { peakMemory } from '../peak-memory.ts'

type Row = [subject: string, digest: string, firstSeen: number, lastSeen: number]

const SELECT = 'SELECT subject, digest, first_seen, last_seen FROM pin WHERE state <= 1 ORDER BY subject, digest'

const [who = '', what = '', database = '', file = ''] = process.argv.slice(2)
const start = process.cpuUsage()
if (who === 'ours') {
  const store = await TofuStore.open({ path: database })
  if (what === 'import') await store.importToml(file)
  else await store.exportToml(file, { overwrite: true })
  await store.close()
} else if (who === 'smol-toml') {
  if (what === 'import') treeImport()
  else treeExport()
} else if (what === 'import') await bareImport()
else bareExport()
const { user, system } = process.cpuUsage(start)
console.log(JSON.stringify({ cpuNs: (user + system) * 1000, bytes: peakMemory() }))

function emptyDatabase(): Database.Database {
  const db = new Database(database)
  db.pragma('journal_mode = WAL')
  db.exec(
    `CREATE TABLE pin(subject TEXT NOT NULL, digest TEXT NOT NULL, state INTEGER NOT NULL, key_digest TEXT,
       not_after INTEGER, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, days_seen INTEGER NOT NULL,
       source TEXT, note TEXT, PRIMARY KEY (subject, digest)) STRICT, WITHOUT ROWID`,
  )
  return db
}

async function bareImport(): Promise<void> {
  const db = emptyDatabase()
  db.exec('CREATE TEMP TABLE read(subject TEXT, digest TEXT, first_seen INTEGER, last_seen INTEGER); BEGIN')
  const insert = db.prepare('INSERT INTO read VALUES (?, ?, ?, ?)')
  let [rest, host, port, digest, first] = ['', '', '', '', 0]
  for await (const piece of createReadStream(file, 'utf8')) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('hostname')) host = line.slice(12, -1)
      else if (line.startsWith('port')) port = line.slice(7)
      else if (line.startsWith('fingerprint')) digest = line.slice(15, -1)
      else if (line.startsWith('first')) first = Date.parse(line.slice(14, -1))
      else if (line.startsWith('last')) insert.run(`${host}:${port}`, digest, first, Date.parse(line.slice(13, -1)))
    }
  }
  db.exec(
    `INSERT INTO pin SELECT subject, digest, 0, NULL, NULL, first_seen, last_seen, 1, 'import', NULL
     FROM read ORDER BY subject, digest; COMMIT`,
  )
  db.close()
}

function bareExport(): void {
  const db = new Database(database)
  const out = openSync(file, 'w')
  let text = '[_metadata]\nversion = "1.0"\n'
  for (const [subject, digest, first, last] of db.prepare<[], Row>(SELECT).raw().iterate()) {
    const end = subject.lastIndexOf(':')
    text +=
      `\n[hosts."${subject}"]\nhostname = "${subject.slice(0, end)}"\nport = ${subject.slice(end + 1)}\n` +
      `fingerprint = "${digest}"\nfirst_seen = "${new Date(first).toISOString()}"\n` +
      `last_seen = "${new Date(last).toISOString()}"\n`
    if (text.length < 1_000_000) continue
    writeSync(out, text)
    text = ''
  }
  writeSync(out, text)
  closeSync(out)
  db.close()
}

interface Tree {
  readonly hosts: Readonly<Record<string, TreeHost>>
}

interface TreeHost {
  readonly hostname: string
  readonly port: number
  readonly fingerprint: string
  readonly first_seen: string
  readonly last_seen: string
}

function treeImport(): void {
  const tree = parse(readFileSync(file, 'utf8')) as unknown as Tree
  const db = emptyDatabase()
  const insert = db.prepare("INSERT INTO pin VALUES (?, ?, 0, NULL, NULL, ?, ?, 1, 'import', NULL)")
  db.transaction(() => {
    for (const host of Object.values(tree.hosts)) {
      const seen = [Date.parse(host.first_seen), Date.parse(host.last_seen)]
      insert.run(`${host.hostname}:${host.port}`, host.fingerprint, ...seen)
    }
  })()
  db.close()
}

function treeExport(): void {
  const db = new Database(database)
  const hosts: Record<string, TreeHost> = {}
  for (const [subject, fingerprint, first, last] of db.prepare<[], Row>(SELECT).raw().iterate()) {
    const end = subject.lastIndexOf(':')
    hosts[subject] = {
      hostname: subject.slice(0, end),
      port: Number(subject.slice(end + 1)),
      fingerprint,
      first_seen: new Date(first).toISOString(),
      last_seen: new Date(last).toISOString(),
    }
  }
  writeFileSync(file, stringify({ _metadata: { version: '1.0' }, hosts }))
  db.close()
}
