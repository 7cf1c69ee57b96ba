// Connections in memory, with somebody in the middle who damages what the server says: turns bits, cuts, repeats, drops
// and inserts bytes, and cuts everything into odd pieces. Whatever he does, there is an answer: the whole text and a proper
// end, or an error with a code. Never a part of the text that looks whole, a hang, or an exception that nobody catches.

import { text } from 'node:stream/consumers'
import { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { TlacacocaError } from '../../src/errors.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { type ClientContext, createClientContext } from '../../src/tls/client-context.ts'
import { shakeHands } from '../../src/tls/client-handshake.ts'
import { Deadline } from '../../src/tls/deadline.ts'
import { pins } from '../../src/tls/verifiers/pins.ts'
import { type ForgedCertificate, forgeCertificate } from '../support/forged-certificates.ts'
import { FuzzRandom } from '../support/fuzz-random.ts'
import { type MemoryEnd, memoryPair } from '../support/memory-pair.ts'

const { TLACACOCA_FUZZ: count, TLACACOCA_FUZZ_SEED: seed } = process.env
const ROUNDS = Number(count ?? (seed === undefined ? 250 : 1))
const FIRST_SEED = Number(seed ?? 1)
const ANSWER = 'the whole answer, '.repeat(40)

let server: ForgedCertificate
let me: ForgedCertificate
let context: ClientContext

beforeAll(async () => {
  server = forgeCertificate()
  me = forgeCertificate({ commonName: 'me' })
  context = await createClientContext({ identity: { cert: me.certPem, key: me.keyPem } })
})

type Damage = (bytes: Buffer, at: number, random: FuzzRandom) => Buffer
const DAMAGES: readonly Damage[] = [
  (bytes, at, random) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt8(copy.readUInt8(at) ^ (1 << random.below(8)), at)
    return copy
  },
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(40))]),
  (bytes, at, random) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at > 60 ? at - random.below(60) : 0)]),
  (bytes, at, random) => {
    const junk = Buffer.from(Array.from({ length: 1 + random.below(40) }, () => random.below(256)))
    return Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at)])
  },
]

/** The server's end of the wire, for the server, with the damage done after so many bytes. */
function damaged(network: MemoryEnd, random: FuzzRandom, { harmless }: { harmless: boolean }): MemoryEnd {
  const [inner, forServer] = memoryPair()
  network.on('data', (chunk) => inner.write(chunk)).on('end', () => inner.end())
  // The server says some 1,900 bytes in all, and 1,100 more where there is a post-quantum key exchange.
  let until = harmless ? Number.POSITIVE_INFINITY : random.below(3500)
  inner.on('data', (chunk: Buffer) => {
    let bytes = chunk
    if (until < chunk.length) {
      bytes = (DAMAGES[random.below(DAMAGES.length)] ?? ((same: Buffer) => same))(chunk, until, random)
      until = Number.POSITIVE_INFINITY
    }
    until -= chunk.length
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + random.below(400)
      if (!network.writableEnded) network.write(bytes.subarray(at, end))
      at = end
    }
  })
  inner.on('end', () => network.end())
  return forServer
}

async function connection(seed: number, maxVersion: 'TLSv1.2' | 'TLSv1.3', harmless: boolean): Promise<string> {
  const random = new FuzzRandom(seed)
  const [transport, network] = memoryPair()
  let moved = 0
  transport.on('data', () => moved++)
  network.on('data', () => moved++)
  const served = new TLSSocket(damaged(network, random, { harmless }), {
    isServer: true,
    cert: server.certPem,
    key: server.keyPem,
    requestCert: true,
    rejectUnauthorized: false,
    maxVersion,
  })
  served.on('error', () => network.end())
  served.on('data', () => served.end(ANSWER))

  // Damage can leave both sides waiting for each other, as it does in life. There, sooner or later, somebody hangs up.
  let still = 0
  let before = 0
  let over = false
  const hangUp = (): void => {
    still = moved === before ? still + 1 : 0
    before = moved
    if (still === 30) network.end()
    if (!over) setImmediate(hangUp)
  }
  setImmediate(hangUp)

  const deadline = new Deadline({ to: 'memory', timeoutMs: 5000, verifyTimeoutMs: 5000, signal: undefined })
  try {
    const { stream } = await shakeHands(transport, {
      endpoint: parseEndpoint('example.org:1965'),
      credentials: context.credentials,
      serverName: 'example.org',
      verify: random.below(2) === 0 ? pins([server.certificate.fingerprint]) : late(server.certificate.fingerprint),
      deadline,
      onIdentityInClear: () => {},
    })
    stream.write('request')
    const answer = await text(stream)
    expect(answer).toBe(ANSWER)
    return 'whole'
  } catch (error) {
    if (!(error instanceof TlacacocaError)) throw error
    expect(error.code).not.toBe('ERR_TLACACOCA_TIMEOUT')
    return error.code
  } finally {
    over = true
    deadline.close()
    served.destroy()
    network.destroy()
  }
}

function late(fingerprint: string) {
  const pinned = pins([fingerprint])
  return {
    name: 'late',
    verify: async (candidate: Parameters<typeof pinned.verify>[0]) => {
      await new Promise((resolve) => setImmediate(resolve))
      return pinned.verify(candidate)
    },
  }
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('by %s', (maxVersion) => {
  it('a connection that is only cut into pieces works', async () => {
    for (let seed = 0; seed < 50; seed++) expect(await connection(seed, maxVersion, true)).toBe('whole')
  })

  it(`${ROUNDS} damaged connections all come to an answer`, { timeout: 30_000 + ROUNDS * 200 }, async () => {
    const outcomes = new Map<string, number>()
    for (let each = FIRST_SEED; each < FIRST_SEED + ROUNDS; each++) {
      const outcome = await connection(each, maxVersion, false).catch((error) => {
        throw new Error(`seed ${each}: ${error}`, { cause: error })
      })
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    if (ROUNDS < 100) return
    // The damage was real, and fell on every stage.
    expect(outcomes.get('ERR_TLACACOCA_HANDSHAKE_FAILED')).toBeGreaterThan(ROUNDS / 20)
    expect(outcomes.get('ERR_TLACACOCA_CONNECTION_BROKEN')).toBeGreaterThan(ROUNDS / 50)
    expect(outcomes.get('ERR_TLACACOCA_TRUNCATED')).toBeGreaterThan(0)
    expect(outcomes.get('whole')).toBeGreaterThan(0)
  })
})
