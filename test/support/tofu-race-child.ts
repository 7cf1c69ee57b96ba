// Visits hosts for the first time when it is told to, and prints how each visit ended.
//
//   tofu-race-child <database> <certificate>
//
// Reads lines with the number of a host, answers with `<kind or code> <fingerprint that counts now>`.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Certificate } from '../../src/certificate/certificate.ts'
import { CertificateChangedError } from '../../src/errors.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'

const [path = '', file = ''] = process.argv.slice(2)
const certificate = Certificate.from(readFileSync(file))
const store = await TofuStore.open({ path })
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const visit = await store.verifyOrTrust(endpointFrom(`host${line}.example`, 1965), certificate)
    console.log(`${visit.kind} ${visit.presented}`)
  } catch (error) {
    console.log(error instanceof CertificateChangedError ? `${error.code} ${error.pinned}` : `failed ${error}`)
  }
}
await store.close()
