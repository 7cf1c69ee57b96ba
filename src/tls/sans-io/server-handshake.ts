// What a server of TLS 1.3 says in its handshake under encryption, such as its wish for a certificate. OpenSSL reads it
// and tells Node nothing; who keeps the bytes and has the secret can read it as well.

import { recordSuite } from './cipher-suites.ts'
import { erase, trafficKeys } from './record-keys.ts'
import { openRecord } from './record-protection.ts'
import { RecordWalker } from './record-walker.ts'

const APPLICATION_DATA = 23
const HANDSHAKE = 22
// OpenSSL takes chains of up to 100 KiB; there are lists of authorities besides.
const MAX_BYTES = 262_144

/**
 * The handshake messages of a server that are encrypted, up to its Finished, one after the other. What comes before them
 * in clear is passed over; what does not open, or goes beyond 256 KiB, ends them.
 *
 * @param records - Everything that came from the server, from its first byte.
 * @param secret - The `SERVER_HANDSHAKE_TRAFFIC_SECRET` of Node's 'keylog' event.
 * @param cipherSuite - The number of the suite that the server chose.
 * @throws {RangeError} If the suite is none of TLS 1.3.
 */
export function openServerHandshake13(records: Uint8Array, secret: Uint8Array, cipherSuite: number): Uint8Array {
  const suite = recordSuite(cipherSuite)
  if (suite?.version !== 'TLSv1.3') throw new RangeError(`"cipherSuite" expected one of TLS 1.3, got ${cipherSuite}`)
  const keys = trafficKeys(suite, secret)
  const parts: Uint8Array[] = []
  let bytes = 0
  let done = false
  const walker = new RecordWalker(
    (type, length) => (type === APPLICATION_DATA && !done ? length : 0),
    (type, _length, kept) => {
      if (done || type !== APPLICATION_DATA) return
      const content = openRecord(keys, parts.length, type, kept)
      bytes += content?.bytes.length ?? 0
      // The server's tickets and data follow under other keys.
      if (content === null || content.type !== HANDSHAKE || bytes > MAX_BYTES) done = true
      else parts.push(content.bytes)
    },
  )
  walker.walk(records)
  erase(keys)
  return Buffer.concat(parts)
}
