import { describe, expect, it } from 'vitest'
import { type RecordSuite, recordSuite } from '../../../src/tls/sans-io/cipher-suites.ts'
import {
  erase,
  expandLabel,
  nextTrafficSecret,
  prf12,
  trafficKeys,
  writeKeys12,
} from '../../../src/tls/sans-io/record-keys.ts'
import { decrypt, encrypt, openRecord, sealedBytes, sealRecord } from '../../../src/tls/sans-io/record-protection.ts'
import { openServerHandshake13 } from '../../../src/tls/sans-io/server-handshake.ts'
import { openssl } from '../../support/openssl.ts'
import { bodyOf, type Epoch, hex, trace } from '../../support/rfc8448.ts'

const HANDSHAKE = 22
const ALERT = 21
const APPLICATION_DATA = 23

function suite(number: number): RecordSuite {
  const found = recordSuite(number)
  if (found === null) throw new Error(`no suite ${number}`)
  return found
}

function keysOf(epoch: Epoch) {
  return trafficKeys(suite(trace.cipherSuite), hex(trace.secrets[epoch]))
}

/** What OpenSSL's own derivation makes of it, as a second opinion. */
function opensslKdf(name: 'TLS1-PRF' | 'HKDF', length: number, options: readonly string[]): string {
  const args = ['kdf', '-keylen', String(length), ...options.flatMap((option) => ['-kdfopt', option]), name]
  return openssl(args).trim().replaceAll(':', '').toLowerCase()
}

describe('cipher suites', () => {
  it.each([
    [0x1301, 'TLSv1.3', 'aes-128-gcm', 'sha256'],
    [0x1302, 'TLSv1.3', 'aes-256-gcm', 'sha384'],
    [0x1303, 'TLSv1.3', 'chacha20-poly1305', 'sha256'],
    [0xc02b, 'TLSv1.2', 'aes-128-gcm', 'sha256'],
    [0xc02c, 'TLSv1.2', 'aes-256-gcm', 'sha384'],
    [0xc02f, 'TLSv1.2', 'aes-128-gcm', 'sha256'],
    [0xc030, 'TLSv1.2', 'aes-256-gcm', 'sha384'],
    [0xcca8, 'TLSv1.2', 'chacha20-poly1305', 'sha256'],
    [0xcca9, 'TLSv1.2', 'chacha20-poly1305', 'sha256'],
    [0x009e, 'TLSv1.2', 'aes-128-gcm', 'sha256'],
    [0x009f, 'TLSv1.2', 'aes-256-gcm', 'sha384'],
    [0xccaa, 'TLSv1.2', 'chacha20-poly1305', 'sha256'],
  ] as const)('%i is %s with %s and %s', (number, version, aead, hash) => {
    expect(recordSuite(number)).toMatchObject({ version, aead, hash })
  })

  // CCM, static RSA, CBC, and nothing at all.
  it.each([0x1304, 0x009c, 0xc013, 0])('%i is none that is spoken here', (number) => {
    expect(recordSuite(number)).toBeNull()
  })
})

describe('the key schedule of TLS 1.3 (RFC 8448 section 3)', () => {
  it.each(['clientHandshake', 'serverHandshake', 'clientApplication', 'serverApplication'] as const)(
    'gives the keys of %s',
    (epoch) => {
      const { key, iv } = keysOf(epoch)
      expect({ key: key.toString('hex'), iv: iv.toString('hex') }).toEqual(trace.keys[epoch])
    },
  )

  it.each([
    ['c hs traffic', trace.secrets.clientHandshake],
    ['s hs traffic', trace.secrets.serverHandshake],
  ])('puts the context in for the label "%s"', (label, secret) => {
    const context = hex(trace.derived.helloHash)
    expect(expandLabel('sha256', hex(trace.derived.handshakeSecret), label, context, 32).toString('hex')).toBe(secret)
  })

  it.each([0x1301, 0x1302])('follows a secret by the one after it as OpenSSL does, with suite %i', (number) => {
    const { hash } = suite(number)
    const secret =
      hash === 'sha256' ? trace.secrets.serverApplication : trace.secrets.serverApplication.padEnd(96, 'a7')
    const length = secret.length / 2
    const label = Buffer.from('tls13 traffic upd')
    const info = Buffer.concat([Buffer.of(0, length, label.length), label, Buffer.of(0)]).toString('hex')
    expect(nextTrafficSecret(suite(number), hex(secret)).toString('hex')).toBe(
      opensslKdf('HKDF', length, [`digest:${hash}`, 'mode:EXPAND_ONLY', `hexkey:${secret}`, `hexinfo:${info}`]),
    )
  })

  it('has no more to give than one block of the hash', () => {
    expect(() => expandLabel('sha256', Buffer.alloc(32), 'key', Buffer.alloc(0), 33)).toThrow(RangeError)
  })
})

describe('the key derivation of TLS 1.2', () => {
  // Published on the IETF's TLS list, and much copied since.
  it.each([
    {
      hash: 'sha256',
      secret: '9bbe436ba940f017b17652849a71db35',
      seed: 'a0ba9f936cda311827a6f796ffd5198c',
      output:
        'e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17' +
        'abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66',
    },
    {
      hash: 'sha384',
      secret: 'b80b733d6ceefcdc71566ea48e5567df',
      seed: 'cd665cf6a8447dd6ff8b27555edb7465',
      output:
        '7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700' +
        '884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a2' +
        '6066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f',
    },
  ] as const)('agrees with the test vector for $hash, at any length', ({ hash, secret, seed, output }) => {
    for (const length of [output.length / 2, 1, 12, 32, 48, 49]) {
      const made = prf12(hash, hex(secret), 'test label', hex(seed), length)
      expect(made.toString('hex')).toBe(output.slice(0, 2 * length))
    }
  })

  it.each([
    [0xc02b, 16, 4],
    [0xc030, 32, 4],
    [0xcca8, 32, 12],
  ])('cuts the key block for suite %i: both keys, then both IVs', (number, keyBytes, ivBytes) => {
    const master = 'ab'.repeat(48)
    const randoms = { client: Buffer.alloc(32, 1), server: Buffer.alloc(32, 2) }
    const seed = Buffer.concat([Buffer.from('key expansion'), randoms.server, randoms.client]).toString('hex')
    const block = hex(
      opensslKdf('TLS1-PRF', 2 * (keyBytes + ivBytes), [
        `digest:${suite(number).hash}`,
        `hexsecret:${master}`,
        `hexseed:${seed}`,
      ]),
    )
    const take = (at: number, length: number) => block.subarray(at, at + length)
    expect(writeKeys12(suite(number), hex(master), 'client', randoms)).toEqual({
      suite: suite(number),
      key: take(0, keyBytes),
      iv: take(2 * keyBytes, ivBytes),
    })
    expect(writeKeys12(suite(number), hex(master), 'server', randoms)).toEqual({
      suite: suite(number),
      key: take(keyBytes, keyBytes),
      iv: take(2 * keyBytes + ivBytes, ivBytes),
    })
  })
})

describe('the AEADs', () => {
  it('seal with ChaCha20-Poly1305 as in RFC 8439 section 2.8.2', () => {
    const key = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f')
    const nonce = hex('070000004041424344454647')
    const data = hex('50515253c0c1c2c3c4c5c6c7')
    const plain = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    )
    const sealed = encrypt('chacha20-poly1305', key, nonce, data, plain)
    expect(sealed.toString('hex')).toBe(
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905' +
        'd6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61' +
        '161ae10b594f09e26a7e902ecbd0600691',
    )
    expect(decrypt('chacha20-poly1305', key, nonce, data, sealed)).toEqual(plain)
    expect(decrypt('chacha20-poly1305', key, nonce, data.subarray(1), sealed)).toBeNull()
  })
})

describe('records of TLS 1.3 (RFC 8448 section 3)', () => {
  it.each([
    ['serverHandshake', 0, HANDSHAKE, trace.serverFlight, trace.serverFlightRecord],
    ['clientHandshake', 0, HANDSHAKE, trace.clientFinished, trace.clientFinishedRecord],
    ['serverApplication', 0, HANDSHAKE, trace.ticket, trace.ticketRecord],
    ['clientApplication', 0, APPLICATION_DATA, trace.data, trace.clientDataRecord],
    ['serverApplication', 1, APPLICATION_DATA, trace.data, trace.serverDataRecord],
    ['clientApplication', 1, ALERT, '0100', trace.clientCloseNotifyRecord],
    ['serverApplication', 2, ALERT, '0100', trace.serverCloseNotifyRecord],
  ] as const)('are sealed and opened as %s at %i with type %i', (epoch, sequence, type, content, record) => {
    const keys = keysOf(epoch)
    expect(sealRecord(keys, sequence, { type, bytes: hex(content) }).toString('hex')).toBe(record)
    expect(openRecord(keys, sequence, APPLICATION_DATA, bodyOf(record))).toEqual({ type, bytes: hex(content) })
  })

  it('have a length that follows from the content, here that of a KeyUpdate', () => {
    expect(sealedBytes(suite(0x1301), 5)).toBe(22)
    expect(sealedBytes(suite(0xc02b), 5)).toBe(29)
    expect(sealedBytes(suite(0xcca9), 5)).toBe(21)
  })

  it('are opened at their own place, with their own keys and header only', () => {
    const body = bodyOf(trace.serverDataRecord)
    expect(openRecord(keysOf('serverApplication'), 1, APPLICATION_DATA, body)).not.toBeNull()
    expect(openRecord(keysOf('serverApplication'), 0, APPLICATION_DATA, body)).toBeNull()
    expect(openRecord(keysOf('serverApplication'), 2 ** 32 + 1, APPLICATION_DATA, body)).toBeNull()
    expect(openRecord(keysOf('clientApplication'), 1, APPLICATION_DATA, body)).toBeNull()
    expect(openRecord(keysOf('serverApplication'), 1, HANDSHAKE, body)).toBeNull()
    expect(openRecord(keysOf('serverApplication'), 1, APPLICATION_DATA, body.subarray(0, -1))).toBeNull()
  })

  it.each([0, 15, 16])('of %i bytes are too short to be any', (length) => {
    expect(openRecord(keysOf('serverApplication'), 0, APPLICATION_DATA, Buffer.alloc(length))).toBeNull()
  })

  it('are opened without the zeros that pad them, and are none if there is nothing else', () => {
    const keys = keysOf('serverApplication')
    const padded = (inner: Buffer) => {
      const header = Buffer.of(23, 3, 3, 0, inner.length + 16)
      return encrypt('aes-128-gcm', keys.key, keys.iv, header, inner)
    }
    expect(openRecord(keys, 0, APPLICATION_DATA, padded(hex('0100150000000000')))).toEqual({
      type: ALERT,
      bytes: hex('0100'),
    })
    expect(openRecord(keys, 0, APPLICATION_DATA, padded(hex('00000000')))).toBeNull()
  })
})

describe('secrets that are erased', () => {
  it('are zeros', () => {
    const keys = keysOf('serverHandshake')
    const secret = Buffer.alloc(32, 7)
    erase(keys, null, secret)
    expect([keys.key, keys.iv, secret].every((bytes) => bytes.every((octet) => octet === 0))).toBe(true)
  })
})

describe('the handshake of a server under encryption', () => {
  const serverHandshake = hex(trace.secrets.serverHandshake)
  const records = hex(trace.serverHelloRecord + trace.serverFlightRecord)

  it('is opened up to its Finished', () => {
    const tickets = hex(trace.ticketRecord + trace.serverDataRecord)
    for (const bytes of [records, Buffer.concat([records, tickets])]) {
      expect(Buffer.from(openServerHandshake13(bytes, serverHandshake, 0x1301)).toString('hex')).toBe(
        trace.serverFlight,
      )
    }
  })

  it('is opened past a ChangeCipherSpec, in however many records it comes', () => {
    const keys = keysOf('serverHandshake')
    const flight = hex(trace.serverFlight)
    const pieces = Array.from({ length: 7 }, (_, index) => flight.subarray(index * 100, (index + 1) * 100))
    const sealed = pieces.map((bytes, sequence) => sealRecord(keys, sequence, { type: HANDSHAKE, bytes }))
    const bytes = Buffer.concat([hex(trace.serverHelloRecord), hex('140303000101'), ...sealed])
    expect(openServerHandshake13(bytes, serverHandshake, 0x1301)).toEqual(flight)
    expect(openServerHandshake13(bytes.subarray(0, -1), serverHandshake, 0x1301)).toEqual(flight.subarray(0, 600))
  })

  it('ends with an alert that takes its place', () => {
    const keys = keysOf('serverHandshake')
    const bytes = Buffer.concat([
      sealRecord(keys, 0, { type: HANDSHAKE, bytes: hex(trace.serverFlight).subarray(0, 100) }),
      sealRecord(keys, 1, { type: ALERT, bytes: hex('0228') }),
      sealRecord(keys, 2, { type: HANDSHAKE, bytes: hex(trace.serverFlight).subarray(100) }),
    ])
    expect(Buffer.from(openServerHandshake13(bytes, serverHandshake, 0x1301)).toString('hex')).toBe(
      trace.serverFlight.slice(0, 200),
    )
  })

  it('is nothing before it has come, with another secret, or after a record that was changed', () => {
    expect(openServerHandshake13(hex(''), serverHandshake, 0x1301)).toHaveLength(0)
    expect(openServerHandshake13(hex(trace.serverHelloRecord), serverHandshake, 0x1301)).toHaveLength(0)
    expect(openServerHandshake13(records, hex(trace.secrets.clientHandshake), 0x1301)).toHaveLength(0)
    expect(openServerHandshake13(records, serverHandshake, 0x1303)).toHaveLength(0)
    const changed = Buffer.from(records)
    changed[200] = (changed[200] ?? 0) ^ 1
    expect(openServerHandshake13(changed, serverHandshake, 0x1301)).toHaveLength(0)
  })

  it('ends where it is larger than anybody needs', () => {
    const keys = keysOf('serverHandshake')
    // A Certificate that claims 16 MB.
    const first = Buffer.concat([hex('0bffffff'), Buffer.alloc(16_380)])
    const sealed = Array.from({ length: 20 }, (_, sequence) =>
      sealRecord(keys, sequence, { type: HANDSHAKE, bytes: sequence === 0 ? first : Buffer.alloc(16_384) }),
    )
    const opened = openServerHandshake13(Buffer.concat(sealed), serverHandshake, 0x1301)
    expect(opened).toHaveLength(262_144)
  })

  it('cannot be asked for with a suite of TLS 1.2', () => {
    expect(() => openServerHandshake13(records, serverHandshake, 0xc02b)).toThrow(RangeError)
    expect(() => openServerHandshake13(records, serverHandshake, 1)).toThrow(RangeError)
  })
})
