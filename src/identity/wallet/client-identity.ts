import type { KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import type { Certificate } from '../../certificate/certificate.ts'
import { formatPem } from '../../certificate/pem.ts'
import { exportPkcs8 } from '../../certificate/private-key.ts'
import type { ClientIdentityTexts } from '../../tls/identity.ts'

/**
 * A certificate and its key for `connect`. The key is text there, and this text must not get into a log by way of the
 * object: it is made when it is asked for, and what prints objects does not ask.
 */
export function clientIdentity(certificates: readonly Certificate[], key: KeyObject): ClientIdentityTexts {
  const cert = certificates.map((each) => each.toPem()).join('')
  const shown = Object.freeze({ cert })
  const identity = {
    cert,
    get key(): string {
      return formatPem('PRIVATE KEY', exportPkcs8(key))
    },
  }
  // `connect` looks at the names of what it is given, and these two are none of its options.
  Object.defineProperty(identity, 'toJSON', { value: () => shown })
  Object.defineProperty(identity, inspect.custom, { value: () => shown })
  return Object.freeze(identity)
}
