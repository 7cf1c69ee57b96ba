// Changes pins without a pause until it is killed, and prints what is on the disk.
//
//   tofu-writing-child <database> <certificate> <other certificate> trust
//     One host is given the two certificates by turns. Prints `done <n>` after each.
//   tofu-writing-child <database> <file> <other file> import
//     The store is replaced by the one and the other TOML file by turns. Prints `done <n>` after each.

import { readFileSync } from 'node:fs'
import { Certificate } from '../../src/certificate/certificate.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'

const [path = '', one = '', other = '', what] = process.argv.slice(2)
const endpoint = parseEndpoint('example.org:1965')
const store = await TofuStore.open({ path })

for (let n = 0; ; n++) {
  const file = n % 2 === 0 ? one : other
  if (what === 'import') await store.importToml(file, { merge: false })
  else await store.trust(endpoint, Certificate.from(readFileSync(file)))
  console.log(`done ${n}`)
}
