// Creates or opens an authority in a process of its own, for what one process cannot show: a terminal, an umask, two
// creations at once. The first argument says which; what came of it is printed as JSON on one line.

import { createAuthorityDirectory, openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { TlacacocaError } from '../../src/errors.ts'

const [action = '', path = '', options = '{}'] = process.argv.slice(2)
const given = JSON.parse(options) as object

try {
  const identity =
    action === 'create'
      ? await createAuthorityDirectory(path, { subject: [['CN', 'ca.net']], ...given })
      : await openAuthorityDirectory(path, given)
  report({
    subject: String(identity.certificate.subject),
    fingerprint: identity.certificate.fingerprint,
    warnings: identity.warnings.map(({ code }) => code),
    environment: process.env.CA_PASSPHRASE ?? null,
  })
} catch (error) {
  report(error instanceof TlacacocaError ? { code: error.code, message: error.message } : { message: String(error) })
}

// Nothing is left that would keep the process alive: a terminal that is still read would.
function report(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
