// Handshakes with Node's own TLS, damaged by somebody in between in every way that can be listed. Whatever he does, the
// connection comes to an end that has a name, says so to the peer, and closes the wire once; nobody is accepted whose
// proof was touched, and nothing of the application's comes out that the peer has not said.
//
// With TLACACOCA_FUZZ in the environment no bit and no byte is left out.

import { createSecureContext } from 'node:tls'
import { describe, expect, it, vi } from 'vitest'
import { TlacacocaError } from '../../../src/errors.ts'
import { type AlertMoment, alertAt, MOMENTS } from '../../support/fuzz-alerts.ts'
import { GROUNDS, type Ground, type Trial, type TrialOptions, trial } from '../../support/fuzz-trial.ts'
import { handshakeMessage, handshakeRecord, inRecords, vector } from '../../support/handshake-bytes.ts'
import { issue } from '../../support/issued-certificates.ts'
import { pemOfIssued, recordsIn } from '../../support/sans-io.ts'
import { servers } from '../../support/sans-io-world.ts'

const ALL = process.env.TLACACOCA_FUZZ !== undefined
if (ALL) vi.setConfig({ testTimeout: 3_600_000 })

const CHANGE_CIPHER_SPEC = Buffer.of(20, 3, 3, 0, 1, 1)
const CLOSE_NOTIFY = Buffer.of(21, 3, 3, 0, 2, 1, 0)

/** What is wrong with how a damaged connection went; nothing if all is well. */
function wrongs({ us, outcome }: Trial): string[] {
  const found = [...us.faults]
  if (!outcome.startsWith('ERR_TLACACOCA_') && outcome !== 'finished') found.push(`it ended as ${outcome}`)
  // OpenSSL could have said why; or what it had to say was encrypted, and is as long as an alert.
  const last = recordsIn(Buffer.concat(us.writes)).at(-1)
  const isAlert = last?.type === 21 || (last?.type === 23 && last.bytes.length === 5 + 2 + 1 + 16)
  if (outcome === 'ERR_TLACACOCA_BAD_TLS_DATA' && !isAlert) found.push('nobody told the peer')
  return found
}

/** Runs all of them, and says of each that went wrong what went wrong. */
async function runAll(
  ground: Ground,
  cases: Iterable<readonly [name: string, options: TrialOptions]>,
  judge: (result: Trial, name: string) => string | null = () => null,
): Promise<Map<string, number>> {
  const outcomes = new Map<string, number>()
  const problems: string[] = []
  for (const [name, options] of cases) {
    const result = await trial(ground, options)
    outcomes.set(result.outcome, (outcomes.get(result.outcome) ?? 0) + 1)
    const judged = judge(result, name)
    const found = [...wrongs(result), ...(judged === null ? [] : [judged])]
    if (found.length > 0) problems.push(`${name}: ${found.join(', ')} (${result.outcome})`)
  }
  expect(problems).toEqual([])
  return outcomes
}

/** Something done to the record of this number. */
function onRecord(index: number, change: (record: Buffer) => readonly Uint8Array[]): TrialOptions {
  return { change: (record, at) => (at === index ? change(record) : [record]) }
}

/**
 * Whether nothing is proven if this record is not as the peer sent it. With TLS 1.2 a server signs its key exchange and
 * nothing else; the rest is covered by what both sides say last.
 */
function isProof(ground: Ground, records: readonly Buffer[], index: number): boolean {
  const record = records[index]
  if (record === undefined || index >= handshakeRecords(ground) || isForShow(ground, record)) return false
  if (ground.version === 'TLSv1.3' || ground.side === 'server') return true
  return record[0] === HANDSHAKE && [CERTIFICATE, SERVER_KEY_EXCHANGE].includes(record[5] ?? 0)
}

const HANDSHAKE = 22
const CERTIFICATE = 11
const SERVER_KEY_EXCHANGE = 12

/** In TLS 1.3 a ChangeCipherSpec is for the looks of it. */
const isForShow = (ground: Ground, record: Buffer | undefined): boolean =>
  ground.version === 'TLSv1.3' && record?.[0] === 20

describe.each(GROUNDS)('as $side by $version', (ground) => {
  const isClient = ground.side === 'client'

  it('finishes in good order if nobody does anything', async () => {
    const { us, outcome, byItself, records } = await trial(ground)
    expect({ faults: us.faults, outcome, byItself, asked: us.asked.length }).toEqual({
      faults: [],
      outcome: 'finished',
      byItself: true,
      asked: 1,
    })
    expect(records.length).toBeGreaterThan(5)
  })

  it('ends when a bit is turned in any record', async () => {
    const { records } = await trial(ground)
    const cases: [string, TrialOptions][] = []
    const lengthAt = new Set([3, 4, 6, 7, 8])
    for (const [index, record] of records.entries()) {
      // The header, the header of a message, a bit of everything, and the tag.
      const spots = ALL
        ? Array.from(record.keys())
        : [0, 1, 2, 3, 4, 5, 6, 8, 9, 21, 45, Math.floor(record.length / 2), record.length - 1]
      for (const at of spots) {
        for (const bit of ALL ? [0, 1, 2, 3, 4, 5, 6, 7] : at < 5 ? [0, 3, 7] : [index % 8]) {
          const flip = (bytes: Buffer): Buffer[] => {
            const flipped = Buffer.from(bytes)
            // Signatures are not all of one length.
            const spot = Math.min(at, bytes.length - 1)
            flipped.writeUInt8(flipped.readUInt8(spot) ^ (1 << bit), spot)
            return [flipped]
          }
          cases.push([`record ${index} (${record[0]}/${record[5]}), byte ${at}, bit ${bit}`, onRecord(index, flip)])
        }
      }
    }
    const outcomes = await runAll(ground, cases, ({ us, outcome, byItself }, name) => {
      const [, index = 0, at = 0] = (/^record (\d+) .*byte (\d+)/.exec(name) ?? []).map(Number)
      // Only the second half of the version is nothing to anybody.
      if (outcome === 'finished') return at === 2 ? null : 'it makes no difference'
      // A length that has grown waits for what does not come. So does what looks like an SSLv2 hello.
      const mayWait = lengthAt.has(at) || (index === 0 && at === 0)
      if (!byItself && !mayWait) return 'it waits'
      if (at >= 5 && isProof(ground, records, index) && us.asked.length > 0)
        return 'a verifier was asked without a proof'
      return null
    })
    expect(outcomes.get('ERR_TLACACOCA_BAD_TLS_DATA')).toBeGreaterThan(cases.length / 2)
  })

  it.each(['dropped', 'sent twice', 'swapped with the next'] as const)('ends when any record is %s', async (what) => {
    const { records } = await trial(ground)
    const cases = records.slice(0, what === 'swapped with the next' ? -1 : undefined).map((record, index) => {
      let kept: Uint8Array = new Uint8Array(0)
      const options: TrialOptions = {
        change: (bytes, at) => {
          if (what === 'swapped with the next') {
            if (at === index) {
              kept = bytes
              return []
            }
            return at === index + 1 ? [bytes, kept] : [bytes]
          }
          if (at !== index) return [bytes]
          return what === 'dropped' ? [] : [bytes, bytes]
        },
      }
      return [`record ${index} of ${records.length} (${record[0]}/${record[5]})`, options] as const
    })
    await runAll(ground, cases, ({ us, outcome }, name) => {
      const index = Number(/\d+/.exec(name)?.[0])
      const [first, second] = [records[index], records[index + 1]]
      // Twice the close_notify is no more than once, and what follows it is ignored.
      const isLast = index === records.length - 1
      const harmless =
        isForShow(ground, first) ||
        (what.startsWith('swapped') && isForShow(ground, second)) ||
        (isLast && what !== 'dropped')
      if (outcome === 'finished' && !harmless) return 'it makes no difference'
      if (what === 'dropped' && isProof(ground, records, index) && us.asked.length > 0) {
        return 'a verifier was asked without a proof'
      }
      return null
    })
  })

  it('ends when all records come in the opposite order', async () => {
    const all: Buffer[] = []
    const { us, outcome } = await trial(ground, {
      change: (record) => {
        all.unshift(record)
        return all.length < 4 ? [] : all.splice(0)
      },
    })
    expect(us.faults).toEqual([])
    expect(outcome).toMatch(/^ERR_TLACACOCA_/)
    expect(us.asked).toEqual([])
  })

  const GREETINGS: readonly (readonly [string, Uint8Array])[] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n')],
    ['an answer by HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n')],
    ['SMTP', Buffer.from('220 example.org ESMTP\r\n')],
    ['Gemini without TLS', Buffer.from('gemini://example.org/\r\n')],
    ['Spartan', Buffer.from('example.org / 0\r\n')],
    ['PROXY', Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 1965\r\n')],
    // CLIENT-HELLO of SSL 2.0, with three suites and a challenge of 16 bytes, and SSL 3.0.
    [
      'SSLv2',
      Buffer.concat([
        Buffer.from('802b01000200120000001001008007 00c003008006 0040'.replaceAll(' ', ''), 'hex'),
        Buffer.alloc(16, 7),
      ]),
    ],
    ['SSLv3', Buffer.from('16030000300100002c0300', 'hex')],
    ['DTLS', Buffer.from('16feff00000000000000000030010000240000000000000024fefd', 'hex')],
    ['zeros', Buffer.alloc(64)],
    ['0xff', Buffer.alloc(64, 0xff)],
    ['many zeros', Buffer.alloc(100_000)],
  ]

  it.each(GREETINGS)('ends when it hears %s first', async (_name, before) => {
    const { us, outcome } = await trial(ground, { before })
    expect(us.faults).toEqual([])
    expect(outcome).toMatch(/^ERR_TLACACOCA_(BAD_TLS_DATA|TIMEOUT)$/)
    expect(us.asked).toEqual([])
    expect(us.plaintext).toEqual([])
  })

  const JUNK: readonly (readonly [string, Buffer])[] = [
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ...[20, 21, 22, 23].map((type): [string, Buffer] => [
      `an empty record of type ${type}`,
      Buffer.of(type, 3, 3, 0, 0),
    ]),
    ...[0, 19, 24, 25, 128, 255].map((type): [string, Buffer] => [
      `a record of type ${type}`,
      Buffer.of(type, 3, 3, 0, 1, 1),
    ]),
    ...[0x0000, 0x0002, 0x0200, 0x0400, 0x7f12, 0xffff].map((version): [string, Buffer] => [
      `a record of version ${version.toString(16)}`,
      Buffer.of(22, version >> 8, version & 0xff, 0, 1, 1),
    ]),
    ...[20, 21, 22, 23].map((type): [string, Buffer] => [
      `a record of type ${type} that is too long`,
      Buffer.concat([Buffer.of(type, 3, 3, 0x41, 0x01), Buffer.alloc(2 ** 14 + 257, 1)]),
    ]),
    ['a record of zeros', Buffer.concat([Buffer.of(23, 3, 3, 1, 0), Buffer.alloc(256)])],
    ['a ChangeCipherSpec of two bytes', Buffer.of(20, 3, 3, 0, 2, 1, 1)],
    ['a ChangeCipherSpec of another kind', Buffer.of(20, 3, 3, 0, 1, 2)],
    ['an alert of one byte', Buffer.of(21, 3, 3, 0, 1, 2)],
    ['two alerts in one record', Buffer.of(21, 3, 3, 0, 4, 1, 90, 2, 40)],
    ['an alert of no level', Buffer.of(21, 3, 3, 0, 2, 3, 40)],
    ['a message of no type', handshakeRecord(handshakeMessage(99, Buffer.alloc(4)))],
    ['a HelloRequest', handshakeRecord(handshakeMessage(0))],
    ['a Finished', handshakeRecord(handshakeMessage(20, Buffer.alloc(12)))],
    ['a KeyUpdate', handshakeRecord(handshakeMessage(24, Buffer.of(1)))],
    ['a message of 16 MB', handshakeRecord(Buffer.of(11, 0xff, 0xff, 0xff, 0, 0))],
  ]

  it('ends when junk comes before any record, or after the last', async () => {
    const { records } = await trial(ground)
    const cases = JUNK.flatMap(([name, junk]) =>
      [...records.keys(), records.length].map((index) => {
        const options: TrialOptions =
          index === records.length
            ? onRecord(index - 1, (record) => [record, junk])
            : onRecord(index, (record) => [junk, record])
        return [`${name} before record ${index} of ${records.length}`, options] as const
      }),
    )
    // A different third of them with each kind of junk, unless all of them are wanted.
    const chosen = cases.filter((_case, number) => ALL || number % 3 === 0)
    await runAll(ground, chosen, ({ outcome, us }, name) => {
      const [index = 0] = [...name.matchAll(/before record (\d+)/g)].map(([, number]) => Number(number))
      if (outcome === 'finished') {
        const harmless =
          index === records.length ||
          // RFC 5246 section 7.4.1.1, and warnings; OpenSSL lets empty records pass, up to a number.
          /HelloRequest|empty record/.test(name)
        return harmless ? null : 'it makes no difference'
      }
      if (index < handshakeRecords(ground) && us.text !== '') return 'it has said something'
      return null
    })
  })

  it('ends when ChangeCipherSpecs, empty records or tiny pieces of messages come without end', async () => {
    const floods: readonly (readonly [string, Buffer])[] = [
      ['ChangeCipherSpecs', CHANGE_CIPHER_SPEC],
      ['empty handshake records', Buffer.of(22, 3, 3, 0, 0)],
      ['empty records of data', Buffer.of(23, 3, 3, 0, 0)],
      ['empty alerts', Buffer.of(21, 3, 3, 0, 0)],
      ['warnings', Buffer.of(21, 3, 3, 0, 2, 1, 90)],
      ['HelloRequests', handshakeRecord(handshakeMessage(0))],
    ]
    const { records } = await trial(ground)
    const cases = floods.flatMap(([name, record]) =>
      Array.from({ length: handshakeRecords(ground) + 1 }, (_, index) => {
        const flood = Buffer.concat(Array<Buffer>(20_000).fill(record))
        return [`${name} before record ${index}`, onRecord(index, (bytes) => [flood, bytes])] as const
      }),
    )
    await runAll(
      ground,
      cases.filter((_case, number) => ALL || number % 2 === 0),
      // RFC 5246 section 7.4.1.1: HelloRequests are to be ignored, and nothing is kept of them.
      ({ outcome }, name) =>
        outcome === 'finished' && !name.startsWith('HelloRequests') ? 'it makes no difference' : null,
    )
    expect(records.length).toBeGreaterThan(handshakeRecords(ground))
  })

  it('ends, truncated, wherever the wire ends', async () => {
    const { records } = await trial(ground)
    const total = records.reduce((sum, { length }) => sum + length, 0)
    const nearBoundary = new Set<number>()
    let at = 0
    for (const { length } of records) {
      for (let near = -3; near <= 9; near++) nearBoundary.add(at + near)
      at += length
    }
    const cases = Array.from({ length: total }, (_, endAt) => endAt)
      .filter((endAt) => endAt > 0 && (ALL || nearBoundary.has(endAt) || endAt % 61 === 0))
      .map((endAt) => [`after ${endAt} bytes`, { endAt }] as const)
    await runAll(ground, cases, ({ outcome, byItself }, name) => {
      // Signatures are of several lengths, so the last few bytes may not be missing.
      if (outcome === 'finished' && Number(/\d+/.exec(name)?.[0]) > total - 12) return null
      if (outcome !== 'ERR_TLACACOCA_TRUNCATED') return 'it is not truncated'
      return byItself ? null : 'it waits'
    })
  })

  it('ends when close_notify comes in the middle of the handshake', async () => {
    const cases = Array.from({ length: handshakeRecords(ground) }, (_, index) => {
      return [`before record ${index}`, onRecord(index, (record) => [CLOSE_NOTIFY, record])] as const
    })
    await runAll(ground, cases, ({ outcome, byItself }) => {
      if (outcome === 'finished') return 'it makes no difference'
      return byItself ? null : 'it waits'
    })
  })

  describe('an alert', () => {
    const NAMED = [
      0, 10, 20, 21, 22, 30, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86, 90, 100, 109,
    ]
    const LATER = [110, 111, 112, 113, 114, 115, 116, 120]
    const NAMELESS = [1, 2, 99, 121, 128, 200, 255]
    const CODES = ALL ? Array.from({ length: 256 }, (_, code) => code) : [...NAMED, ...LATER, ...NAMELESS]

    const isEncrypted = (moment: AlertMoment): boolean => ['verifying', 'open', 'finishing'].includes(moment)

    it.each(MOMENTS)('that is fatal ends the connection at once: %s', async (moment) => {
      const problems: string[] = []
      // Encrypted, each takes a whole handshake.
      const few = isEncrypted(moment) && !ALL
      for (const code of few ? CODES.filter((_code, index) => index % 4 === MOMENTS.indexOf(moment) % 4) : CODES) {
        const { us, outcome, byItself, error } = await alertAt(ground, moment, 'fatal', code)
        const said = `${code}: ${outcome} ${error}`
        problems.push(...us.faults.map((fault) => `${said}: ${fault}`))
        const encrypted13 = ground.version === 'TLSv1.3' && isEncrypted(moment)
        // RFC 8446 section 6.1: these two close, at whatever level.
        if (encrypted13 && code === 0) {
          if (outcome !== (moment === 'finishing' ? 'finished' : 'goes on, finished')) problems.push(said)
        } else if (encrypted13 && code === 90) {
          if (!outcome.startsWith('goes on')) problems.push(said)
        } else if (!byItself || outcome !== 'ERR_TLACACOCA_TLS_ALERT') problems.push(said)
        else expect(error).toMatchObject({ alertCode: code, alertLevel: 'fatal' })
      }
      expect(problems).toEqual([])
    })

    it.each(MOMENTS)('that is a warning ends it, or changes nothing: %s', async (moment) => {
      const problems: string[] = []
      const few = isEncrypted(moment) && !ALL
      for (const code of few ? CODES.filter((_code, index) => index % 4 === MOMENTS.indexOf(moment) % 4) : CODES) {
        const { us, outcome, byItself, error } = await alertAt(ground, moment, 'warning', code)
        const said = `${code}: ${outcome} ${error}`
        problems.push(...us.faults.map((fault) => `${said}: ${fault}`))
        if (error !== null && !(error instanceof TlacacocaError)) problems.push(`${said}: it has no code`)
        // As a client of TLS 1.2 the handshake goes on, and this peer does not.
        const waits = isClient && ground.version === 'TLSv1.2' && moment === 'verifying'
        if (!byItself && !outcome.startsWith('goes on') && !waits) problems.push(said)
      }
      expect(problems).toEqual([])
    })
  })
})

/** How many records the peer of ours sends before its handshake is over. */
function handshakeRecords({ side, version }: Ground): number {
  if (side === 'client') return version === 'TLSv1.3' ? 7 : 7
  return version === 'TLSv1.3' ? 5 : 6
}

describe.each(GROUNDS.filter(({ side }) => side === 'server'))('a server by $version', (ground) => {
  it.each([
    ['in one record', 2 ** 14],
    ['in pieces of 1000 bytes', 1000],
    ['in pieces of 100 bytes', 100],
    ['byte by byte', 1],
  ])('ends when a hello is too large, %s', async (_name, size) => {
    const { records } = await trial(ground)
    const hello = records[0]?.subarray(5 + 4) ?? Buffer.alloc(0)
    const sessionEnd = 2 + 32 + 1 + hello.readUInt8(34)
    const suitesEnd = sessionEnd + 2 + hello.readUInt16BE(sessionEnd)
    const extensionsAt = suitesEnd + 1 + hello.readUInt8(suitesEnd)
    const extensions = hello.subarray(extensionsAt + 2)
    // A padding extension (RFC 7685), up to as large as the length of all extensions lets it be.
    for (const padding of [16_000, 32_000, 0xffff - extensions.length - 4]) {
      const padded = vector(2, extensions, Buffer.of(0, 21), vector(2, Buffer.alloc(padding)))
      const message = handshakeMessage(1, hello.subarray(0, extensionsAt), padded)
      const { us, outcome } = await trial(ground, { change: () => inRecords(message, size) })
      expect(us.faults).toEqual([])
      expect(outcome).toMatch(/^ERR_TLACACOCA_(BAD_TLS_DATA|TLS_ALERT)$/)
      expect(us.asked).toEqual([])
    }
  })
})

describe.each(GROUNDS)('an oversized chain, as $side by $version', (ground) => {
  const many = Array.from({ length: 11 }, (_, index) => issue({ subject: `nobody ${index}`, ca: true }))
  const large = (kilobytes: number) =>
    issue({
      subject: 'large',
      by: servers.middle,
      names: Array.from(
        { length: kilobytes * 5 },
        (_, index) => [2, `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${index}.example`] as const,
      ),
    })
  const own = ground.side === 'client' ? servers.leaf : servers.leaf

  it.each([
    ['of more than ten certificates', () => [own, ...many]],
    ['of 70 KB', () => [own, large(70)]],
    ['of 120 KB', () => [own, large(120)]],
  ])('%s is refused, and the verifier is not asked', async (_name, chain) => {
    const [leaf, ...above] = chain()
    if (leaf === undefined) throw new Error('there is no leaf')
    const secureContext = createSecureContext({
      ...pemOfIssued(leaf, ...above),
      minVersion: ground.version,
      maxVersion: ground.version,
    })
    const { us, peer, outcome, byItself } = await trial({ ...ground, peer: { ...ground.peer, secureContext } })
    expect(us.faults).toEqual([])
    expect({ outcome, byItself }).toEqual({ outcome: 'ERR_TLACACOCA_BAD_TLS_DATA', byItself: true })
    expect(us.asked).toEqual([])
    expect(peer.plaintext).toEqual([])
  })
})
