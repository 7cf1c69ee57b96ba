// A client that asks for one host in its first hello and for another in its second one. RFC 8446 section 4.1.2 forbids it,
// OpenSSL takes it, and no library does it, so TLS 1.3 is spoken by hand here, with the first suite and P-256 alone.

import { createECDH, createHash, createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { recordSuite } from '../../src/tls/sans-io/cipher-suites.ts'
import { expandLabel, trafficKeys } from '../../src/tls/sans-io/record-keys.ts'
import { sealRecord } from '../../src/tls/sans-io/record-protection.ts'
import { openServerHandshake13 } from '../../src/tls/sans-io/server-handshake.ts'
import { extension, handshakeMessage, handshakeRecord, u16, vector } from './handshake-bytes.ts'

const HANDSHAKE = 22
const SUITE = 0x1301
const P256 = 23
const ECDSA_P256_SHA256 = 0x0403
const FINISHED = 20
const NOTHING = Buffer.alloc(0)

/** Does a whole handshake with a server that wants no certificate, and waits until the server ends the connection. */
export async function askTwice(port: number, names: readonly [first: string | null, second: string | null]) {
  const socket = connect({ port, host: '127.0.0.1' })
  const closed = once(socket, 'close')
  const records = recordsFrom(socket)
  const own = createECDH('prime256v1')
  const share = Buffer.concat([u16(P256), vector(2, own.generateKeys())])

  // Without a share the server has to ask for one, by a HelloRetryRequest.
  const first = clientHello(names[0], NOTHING)
  socket.write(handshakeRecord(first))
  const retry = await nextInClear(records)
  const second = clientHello(names[1], share)
  socket.write(handshakeRecord(second))
  const answer = await nextInClear(records)

  // RFC 8446 section 4.4.1: the first hello counts by its hash.
  const hellos = [handshakeMessage(254, sha256(first)), retry, second, answer]
  const none = sha256(NOTHING)
  const early = hkdfExtract(Buffer.alloc(32), Buffer.alloc(32))
  // The share is the last extension of OpenSSL's ServerHello, and its point the end of that.
  const shared = own.computeSecret(
    answer.subarray(answer.indexOf(Buffer.concat([u16(P256), u16(65)])) + 4).subarray(0, 65),
  )
  const secret = hkdfExtract(expandLabel('sha256', early, 'derived', none, 32), shared)
  const transcript = sha256(...hellos)
  const ours = expandLabel('sha256', secret, 'c hs traffic', transcript, 32)
  const theirs = expandLabel('sha256', secret, 's hs traffic', transcript, 32)

  let received = NOTHING
  let flight = NOTHING
  while (
    !flight
      .subarray(-36)
      .subarray(0, 4)
      .equals(Buffer.of(FINISHED, 0, 0, 32))
  ) {
    const { value } = await records.next()
    received = Buffer.concat([received, value as Buffer])
    flight = Buffer.from(openServerHandshake13(received, theirs, SUITE))
  }
  const finishedKey = expandLabel('sha256', ours, 'finished', NOTHING, 32)
  const proof = createHmac('sha256', finishedKey)
    .update(sha256(...hellos, flight))
    .digest()
  const suite = recordSuite(SUITE)
  if (suite === null) throw new Error('the suite is spoken here')
  const finished = { type: HANDSHAKE, bytes: handshakeMessage(FINISHED, proof) }
  socket.write(sealRecord(trafficKeys(suite, ours), 0, finished))
  for await (const _ of records);
  await closed
}

function clientHello(name: string | null, share: Uint8Array): Buffer {
  const extensions = [
    ...(name === null ? [] : [extension(0, vector(2, Uint8Array.of(0), vector(2, Buffer.from(name))))]),
    extension(10, vector(2, u16(P256))),
    extension(13, vector(2, u16(ECDSA_P256_SHA256))),
    extension(43, vector(1, u16(0x0304))),
    extension(51, vector(2, share)),
  ]
  const head = [u16(0x0303), randomBytes(32), vector(1), vector(2, u16(SUITE)), vector(1, Uint8Array.of(0))]
  return handshakeMessage(1, ...head, vector(2, ...extensions))
}

/** The next handshake message; OpenSSL sends each hello in a record of its own. */
async function nextInClear(records: AsyncGenerator<Buffer>): Promise<Buffer> {
  for (;;) {
    const { value, done } = await records.next()
    if (done === true) throw new Error('the server ended the connection')
    if (value[0] === HANDSHAKE) return value.subarray(5)
  }
}

async function* recordsFrom(socket: Socket): AsyncGenerator<Buffer> {
  let bytes = NOTHING
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk])
    for (let end = endOfRecord(bytes); end <= bytes.length; end = endOfRecord(bytes)) {
      yield bytes.subarray(0, end)
      bytes = bytes.subarray(end)
    }
  }
}

function endOfRecord(bytes: Buffer): number {
  return bytes.length < 5 ? Number.POSITIVE_INFINITY : 5 + bytes.readUInt16BE(3)
}

function hkdfExtract(salt: Uint8Array, secret: Uint8Array): Buffer {
  return createHmac('sha256', salt).update(secret).digest()
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}
