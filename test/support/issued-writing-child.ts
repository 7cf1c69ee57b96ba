// Issues and revokes certificates without a pause until it is killed, three at a time, and prints what is on the disk:
// `begun`, `issued` and `revoked` with a serial number, `crl` with a number.
//
//   issued-writing-child <database>

import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { prepare, START } from '../../src/testing/contract-issued.ts'

const [path = ''] = process.argv.slice(2)
const store = await SqliteIssuedStore.open(path)

async function issueForEver(who: number): Promise<void> {
  for (let n = 0; ; n++) {
    const { row, certificate } = await prepare(`${process.pid} ${who} ${n}`)
    const { serial } = row
    await store.begin(row, null)
    console.log(`begun ${serial}`)
    // So that others come in between, as when a key is slow to sign.
    await new Promise((resolve) => setImmediate(resolve))
    await store.complete(serial, certificate, START, START)
    console.log(`issued ${serial}`)
    if (n % 3 !== 0) continue
    const change = { serial, at: START, by: null }
    await store.revoke({ ...change, reason: 'superseded', invalidityDate: null, withKey: false })
    console.log(`revoked ${serial}`)
    const { number } = await store.beginCrl(START)
    await store.completeCrl({ number, thisUpdate: START, nextUpdate: START + 1, der: certificate.der })
    console.log(`crl ${number}`)
  }
}

await Promise.all([0, 1, 2].map(issueForEver))
