import { it } from 'vitest'
import SQLite from 'better-sqlite3'
import { readdirSync } from 'node:fs'
import { join, dirname } from 'node:path'
import { TofuStore } from '../../../src/tofu/tofu-store.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { fileWith, lineOf, digestOf } from './support.ts'
import { FIELD_LINES, FIELD_CERTIFICATE } from './field-certificate.ts'
it('hashed', async () => {
  const store = await TofuStore.open({ path: join(await temporaryFolder(), 'p.db'), hashNames: true })
  await store.trust(parseEndpoint('example.org:1965'), digestOf('telescope', 1))
  for (const t of Object.values(FIELD_LINES)) console.log(await store.importKnownHosts(await fileWith(t), { onConflict: (...a) => { console.log(a); return true } }))
  console.log((await store.judge(parseEndpoint('example.org:1965'), FIELD_CERTIFICATE)).kind, await store.pins(parseEndpoint('example.org:1965')))
  console.log(await store.exportKnownHosts('/tmp/kh/zz', { format: 'gmni' }).catch((e) => e.code))
  await store.close()
})
it('wal', async () => {
  const file = join(await temporaryFolder(), 'tofu.db')
  const db = new SQLite(file); db.pragma('journal_mode = WAL')
  db.exec("CREATE TABLE known_hosts (hostname, port, fingerprint, first_seen, last_seen)")
  db.close()
  console.log(readdirSync(dirname(file)))
  const store = TofuStore.inMemory()
  console.log(await store.importKnownHosts(file))
  console.log(readdirSync(dirname(file)))
})
