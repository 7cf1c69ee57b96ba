// RFC 8448 section 3: a complete handshake of TLS 1.3 with the secrets, keys and records as they are printed there.

import { readFileSync } from 'node:fs'

interface Trace {
  readonly cipherSuite: number
  readonly clientHelloRecord: string
  readonly serverHelloRecord: string
  /** EncryptedExtensions, Certificate, CertificateVerify and Finished, and the one record that carries them. */
  readonly serverFlight: string
  readonly serverFlightRecord: string
  readonly clientFinished: string
  readonly clientFinishedRecord: string
  readonly ticket: string
  readonly ticketRecord: string
  readonly data: string
  readonly clientDataRecord: string
  readonly serverDataRecord: string
  readonly clientCloseNotifyRecord: string
  readonly serverCloseNotifyRecord: string
  readonly secrets: Readonly<Record<Epoch, string>>
  readonly keys: Readonly<Record<Epoch, { readonly key: string; readonly iv: string }>>
  readonly derived: { readonly handshakeSecret: string; readonly helloHash: string }
}

export type Epoch = 'clientHandshake' | 'serverHandshake' | 'clientApplication' | 'serverApplication'

export const trace: Trace = JSON.parse(
  readFileSync(new URL('../vectors/tls/rfc8448-section-3.json', import.meta.url), 'utf8'),
)

export function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex')
}

/** What follows the header of a record. */
export function bodyOf(record: string): Buffer {
  return hex(record).subarray(5)
}
