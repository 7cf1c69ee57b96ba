// Signs in the directory given, for ever, and says what it has handed out: a line of the serial number and the certificate.
// Where the second argument says so it kills itself in the middle: `begin`, `sign`, `complete` or `postsign`, in the round
// that the third one says.

import { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import { type IssuedCertificate, SigningHooks } from '../../src/authority/hooks.ts'
import { openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { IssuingKey, type ReadyToSign } from '../../src/authority/issuing.ts'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'

const [directory = '', at = 'never', round = '0'] = process.argv.slice(2)
let rounds = 0

function dieIf(step: string): void {
  if (step === at && rounds >= Number(round)) process.kill(process.pid, 'SIGKILL')
}

/** Runs a method of the real thing, and then perhaps dies. */
function dieAfter<Name extends 'begin' | 'complete'>(store: SqliteIssuedStore, name: Name): void {
  const run = store[name].bind(store) as (...args: unknown[]) => unknown
  Object.assign(store, {
    [name]: async (...args: unknown[]) => {
      const answer = await run(...args)
      dieIf(name)
      return answer
    },
  })
}

const sign = IssuingKey.prototype.sign
IssuingKey.prototype.sign = async function (this: IssuingKey, ready: ReadyToSign) {
  const certificate = await sign.call(this, ready)
  // What is signed exists, whoever has seen it.
  process.stdout.write(`signed ${certificate.serialNumber}\n`)
  dieIf('sign')
  return certificate
}

class Hooks extends SigningHooks {
  override authorize() {
    return { allow: true } as const
  }
  override postsign(issued: IssuedCertificate): void {
    dieIf('postsign')
    process.stdout.write(`told ${issued.serialNumber}\n`)
  }
}

const store = await SqliteIssuedStore.open(`${directory}/ca.db`)
dieAfter(store, 'begin')
dieAfter(store, 'complete')
const authority = await CertificateAuthority.from(await openAuthorityDirectory(directory), {
  store,
  hooks: (context) => new Hooks(context),
})
const { request } = await createCertificateRequest({})
for (; ; rounds++) {
  const issued = await authority.sign({ request, subject: [['CN', `number ${rounds}`]] })
  process.stdout.write(`handed ${issued.serialNumber}\n`)
}
