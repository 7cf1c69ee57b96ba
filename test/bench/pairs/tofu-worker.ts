// One import or export in a process of its own: `tofu-worker <floor|ours> <import|export> <database> <file>`. Prints what
// it took, in JSON. The floor of an export goes through the rows and writes pieces of a megabyte; that of an import reads
// line by line and believes what it reads.

import { closeSync, createReadStream, openSync, readFileSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'
import { TofuStore } from 'tlacacoca'

const [who = '', what = '', database = '', file = ''] = process.argv.slice(2)
const start = process.cpuUsage()
if (who === 'ours') {
  const store = await TofuStore.open({ path: database })
  if (what === 'import') await store.importToml(file)
  else await store.exportToml(file, { overwrite: true })
  await store.close()
} else if (what === 'import') await bareImport()
else bareExport()
const { user, system } = process.cpuUsage(start)
console.log(JSON.stringify({ cpuNs: (user + system) * 1000, bytes: peakMemory() }))

async function bareImport(): Promise<void> {
  const db = new Database(database)
  db.pragma('journal_mode = WAL')
  db.exec(
    `CREATE TABLE pin(subject TEXT NOT NULL, digest TEXT NOT NULL, state INTEGER NOT NULL, key_digest TEXT,
       not_after INTEGER, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, days_seen INTEGER NOT NULL,
       source TEXT, note TEXT, PRIMARY KEY (subject, digest)) STRICT, WITHOUT ROWID;
     CREATE TEMP TABLE read(subject TEXT, digest TEXT, first_seen INTEGER, last_seen INTEGER);
     BEGIN`,
  )
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
  const rows = db
    .prepare<[], [string, string, number, number]>(
      'SELECT subject, digest, first_seen, last_seen FROM pin WHERE state <= 1 ORDER BY subject, digest',
    )
    .raw()
  const out = openSync(file, 'w')
  let text = '[_metadata]\nversion = "1.0"\n'
  for (const [subject, digest, first, last] of rows.iterate()) {
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

/** The largest resident set. What `resourceUsage` tells may be that of the process which started this one. */
function peakMemory(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    return Number(kilobytes) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
