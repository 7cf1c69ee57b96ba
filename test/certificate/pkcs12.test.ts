// Who is paired with whom, in files put together by hand; and what the two functions take.

import { createHmac, generateKeyPairSync, pbkdf2Sync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type DerElement, DerReader } from '../../src/certificate/der.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { secretsOf } from '../../src/certificate/pkcs12-keys.ts'
import { readPkcs12 } from '../../src/certificate/pkcs12-read.ts'
import { writePkcs12 } from '../../src/certificate/pkcs12-write.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { crafted, ecKey } from '../support/crafted-certificates.ts'
import { issue } from '../support/issued-certificates.ts'
import {
  bag,
  certificateBag,
  container,
  DATA,
  element,
  friendlyName,
  integer,
  keyBag,
  localKeyId,
  octets,
  oid,
  passphrase,
  plain,
  sealed,
  sealedAs,
  sequence,
  set,
} from '../support/pkcs12.ts'
import { vectorPem } from '../support/vectors.ts'

const read = (file: Uint8Array, text = passphrase) => readPkcs12(file, { passphrase: text })

const root = issue({ subject: 'Root', ca: true })
const middle = issue({ subject: 'Middle', ca: true, by: root })
const ana = issue({ subject: 'Ana', by: middle })
const eva = issue({ subject: 'Eva', by: middle })
const lone = issue({ subject: 'Lone' })

describe('entries', () => {
  it('are paired by key, whatever the order, and have the chains above them', async () => {
    const bags = [
      certificateBag(root.certificate),
      certificateBag(eva.certificate),
      keyBag(ana.keys.privateKey),
      certificateBag(middle.certificate),
      certificateBag(ana.certificate),
      keyBag(eva.keys.privateKey),
      certificateBag(lone.certificate),
    ]
    for (const order of [bags, [...bags].reverse()]) {
      const { entries, otherCertificates, otherPrivateKeys } = await read(await sealed([plain(...order)]))
      const found = new Map(entries.map((each) => [each.certificate, each]))
      expect(found.size).toBe(2)
      for (const { certificate, keys } of [ana, eva]) {
        const entry = entries.find((each) => each.certificate.equals(certificate))
        expect(entry?.privateKey.equals(keys.privateKey)).toBe(true)
        expect(entry?.chain).toEqual([middle.certificate, root.certificate])
      }
      expect(otherCertificates).toEqual([lone.certificate])
      expect(otherPrivateKeys).toEqual([])
    }
  })

  it('are in the order of their keys', async () => {
    const bags = [certificateBag(ana.certificate), certificateBag(eva.certificate)]
    for (const order of [
      [ana, eva],
      [eva, ana],
    ]) {
      const keyBags = order.map(({ keys }) => keyBag(keys.privateKey))
      const { entries } = await read(await sealed([plain(...bags, ...keyBags)]))
      expect(entries.map(({ certificate }) => certificate)).toEqual(order.map(({ certificate }) => certificate))
    }
  })

  // A renewal that keeps the key: two certificates, one key.
  const renewed = issue({ subject: 'Ana', by: middle, key: ana })

  it('are two for two certificates of one key', async () => {
    const bags = [certificateBag(ana.certificate), certificateBag(renewed.certificate), keyBag(ana.keys.privateKey)]
    const { entries, otherCertificates } = await read(await sealed([plain(...bags)]))
    expect(entries.map(({ certificate }) => certificate)).toEqual([ana.certificate, renewed.certificate])
    expect(otherCertificates).toEqual([])
  })

  it('are the one that bears the mark of the key, of two certificates of one key', async () => {
    for (const [marked, other] of [
      [ana, renewed],
      [renewed, ana],
    ] as const) {
      const bags = [
        certificateBag(other.certificate, localKeyId(2)),
        certificateBag(marked.certificate, localKeyId(1)),
        keyBag(ana.keys.privateKey, localKeyId(1)),
      ]
      const { entries, otherCertificates } = await read(await sealed([plain(...bags)]))
      expect(entries.map(({ certificate }) => certificate)).toEqual([marked.certificate])
      expect(otherCertificates).toEqual([other.certificate])
    }
  })

  it('are not made by a mark alone: the key must be the certificate’s', async () => {
    const bags = [
      certificateBag(ana.certificate, localKeyId(1)),
      certificateBag(eva.certificate, localKeyId(2)),
      keyBag(ana.keys.privateKey, localKeyId(2)),
      keyBag(lone.keys.privateKey, localKeyId(1)),
    ]
    const { entries, otherPrivateKeys, otherCertificates } = await read(await sealed([plain(...bags)]))
    expect(entries.map(({ certificate }) => certificate)).toEqual([ana.certificate])
    expect(otherPrivateKeys.map((key) => key.equals(lone.keys.privateKey))).toEqual([true])
    expect(otherCertificates).toEqual([eva.certificate])
  })

  it('are found by the mark where the certificate writes the public key in another way', async () => {
    const spki = lone.keys.publicKey.export({ format: 'jwk' })
    const y = Buffer.from(spki.y ?? '', 'base64url')
    const x = Buffer.from(spki.x ?? '', 'base64url')
    const point = Buffer.concat([Uint8Array.of(2 + ((y.at(-1) ?? 0) & 1)), x])
    const compressed = crafted({ spki: ecKey('1.2.840.10045.3.1.7', point) })
    const key = keyBag(lone.keys.privateKey, localKeyId(1))
    const marked = await read(await sealed([plain(certificateBag(compressed, localKeyId(1)), key)]))
    expect(marked.entries.map(({ certificate }) => certificate)).toEqual([compressed])
    const unmarked = await read(await sealed([plain(certificateBag(compressed, localKeyId(2)), key)]))
    expect(unmarked).toMatchObject({ entries: [], otherPrivateKeys: [{}] })
  })

  it('are not made by a public half that is not that of the private key', async () => {
    // SEC1 carries both halves; here they are of two keys.
    const jwk = (key: typeof ana) => key.keys.privateKey.export({ format: 'jwk' })
    const point = Buffer.concat([
      Uint8Array.of(4),
      Buffer.from(jwk(ana).x ?? '', 'base64url'),
      Buffer.from(jwk(ana).y ?? '', 'base64url'),
    ])
    const mixed = sequence(
      integer(0),
      sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')),
      octets(
        sequence(
          integer(1),
          octets(Buffer.from(jwk(eva).d ?? '', 'base64url')),
          element(0xa1, element(0x03, Uint8Array.of(0), point)),
        ),
      ),
    )
    const result = await read(await sealed([plain(certificateBag(ana.certificate), keyBag(mixed))])).catch((e) => e)
    if (result instanceof Error) expect(result).toMatchObject({ code: 'ERR_TLACACOCA_KEY_MALFORMED' })
    else expect(result).toMatchObject({ entries: [], otherPrivateKeys: [{}] })
  })

  it('are found in nested contents, in several parts and beside bags of other kinds', async () => {
    const file = await sealed([
      plain(bag(6, sequence(certificateBag(ana.certificate))), bag(4, sequence()), bag(5, sequence())),
      plain(),
      plain(keyBag(ana.keys.privateKey)),
      plain(bag(3, sequence(oid('1.2.840.113549.1.9.22.2'), element(0xa0, octets(Buffer.from('SDSI')))))),
    ])
    expect((await read(file)).entries.map(({ certificate }) => certificate)).toEqual([ana.certificate])
  })

  it('count once what is there twice', async () => {
    const bags = [certificateBag(ana.certificate), certificateBag(ana.certificate, friendlyName('Ana'))]
    const { entries } = await read(await sealed([plain(...bags, keyBag(ana.keys.privateKey))]))
    expect(entries).toMatchObject([{ friendlyName: 'Ana' }])
    const again = await read(await sealed([plain(...bags, keyBag(ana.keys.privateKey), keyBag(ana.keys.privateKey))]))
    expect(again).toMatchObject({ entries: [{}], otherPrivateKeys: [{}] })
  })
})

describe('chains', () => {
  it('end where the issuer is missing, loops, or only has the right name', async () => {
    const impostor = issue({ subject: 'Middle', ca: true })
    const chainOf = async (...above: (typeof root)[]) => {
      const bags = [ana, ...above].map(({ certificate }) => certificateBag(certificate))
      return (await read(await sealed([plain(...bags, keyBag(ana.keys.privateKey))]))).entries[0]?.chain
    }
    expect(await chainOf()).toEqual([])
    expect(await chainOf(root)).toEqual([])
    expect(await chainOf(middle)).toEqual([middle.certificate])
    expect(await chainOf(impostor)).toEqual([])
    expect(await chainOf(impostor, middle, root)).toEqual([middle.certificate, root.certificate])

    // Each is the issuer of the other.
    const left = issue({ subject: 'Left', ca: true })
    const right = issue({ subject: 'Right', ca: true, by: left })
    const back = issue({ subject: 'Left', ca: true, by: right, key: left })
    const leaf = issue({ subject: 'Leaf', by: right })
    const bags = [leaf, right, back].map(({ certificate }) => certificateBag(certificate))
    const { entries } = await read(await sealed([plain(...bags, keyBag(leaf.keys.privateKey))]))
    expect(entries[0]?.chain).toEqual([right.certificate, back.certificate])
  })
})

describe('names', () => {
  it.each(['Ana', 'Añá 漢字', '🐙', '', 'x'.repeat(5000), 'with\nnewline'])(
    'are read as they are: %j',
    async (text) => {
      const bags = [certificateBag(ana.certificate, friendlyName(text)), keyBag(ana.keys.privateKey)]
      expect((await read(await sealed([plain(...bags)]))).entries).toMatchObject([{ friendlyName: text }])
    },
  )

  it('may stand at the key, end with a zero, or be no names', async () => {
    const nameOf = async (atCertificate: Uint8Array[], atKey: Uint8Array[]) => {
      const bags = [certificateBag(ana.certificate, ...atCertificate), keyBag(ana.keys.privateKey, ...atKey)]
      return (await read(await sealed([plain(...bags)]))).entries[0]?.friendlyName
    }
    const other = sequence(oid('1.2.840.113549.1.9.20'), set(element(0x0c, Buffer.from('UTF-8'))))
    expect(await nameOf([], [friendlyName('key')])).toBe('key')
    expect(await nameOf([friendlyName('certificate')], [friendlyName('key')])).toBe('certificate')
    expect(await nameOf([friendlyName('Ana\0')], [])).toBe('Ana')
    expect(await nameOf([other], [])).toBeNull()
    expect(await nameOf([sequence(oid('1.2.3'), set(integer(1)))], [])).toBeNull()
    expect(await nameOf([], [])).toBeNull()
  })
})

it('reads BER: indefinite lengths, and strings in pieces', async () => {
  const end = Uint8Array.of(0, 0)
  const indefinite = (tag: number, ...parts: Uint8Array[]) => Buffer.concat([Uint8Array.of(tag, 0x80), ...parts, end])
  const inPieces = (bytes: Uint8Array, tag = 0x24) => {
    const half = bytes.length >> 1
    return indefinite(tag, octets(bytes.subarray(0, half)), indefinite(0x24, octets(bytes.subarray(half))))
  }
  const { certificate, keys } = ana
  const certificateInPieces = indefinite(
    0x30,
    oid('1.2.840.113549.1.12.10.1.3'),
    indefinite(0xa0, indefinite(0x30, oid('1.2.840.113549.1.9.22.1'), indefinite(0xa0, inPieces(certificate.der)))),
  )
  const contents = indefinite(0x30, certificateInPieces, keyBag(keys.privateKey))
  const safe = indefinite(0x30, indefinite(0x30, oid(DATA), indefinite(0xa0, inPieces(contents))))
  // The MAC is over the octets, not over how they are cut.
  const whole = Buffer.from(await sealedAs(safe))
  const macData = whole.subarray(whole.indexOf(safe) + safe.length)
  const file = indefinite(0x30, integer(3), indefinite(0x30, oid(DATA), indefinite(0xa0, inPieces(safe))), macData)
  expect(container(safe, macData)).toEqual(whole)
  const { entries } = await read(file)
  expect(entries.map((each) => each.certificate)).toEqual([certificate])
})

it('reads a file whose empty passphrase is no octets at all', async () => {
  const bags = [plain(certificateBag(ana.certificate), keyBag(ana.keys.privateKey))]
  for (const reading of [0, 1]) {
    const file = await sealed(bags, { passphrase: '', reading })
    expect((await read(file, '')).entries).toHaveLength(1)
    await expect(read(file, 'x')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' })
  }
})

it('takes a passphrase of octets that are no text as they are', async () => {
  const secret = Uint8Array.of(0x70, 0xe9, 0xff, 0x80)
  const file = await writePkcs12(
    { certificates: [ana.certificate], privateKey: ana.keys.privateKey },
    { passphrase: secret, iterations: 2048 },
  )
  expect((await readPkcs12(file, { passphrase: secret })).entries).toHaveLength(1)
  const legacy = secretsOf(secret)
  expect(legacy).toHaveLength(1)
  expect(Buffer.from(legacy[0].bmp).toString('hex')).toBe('007000e900ff00800000')
  await expect(readPkcs12(file, { passphrase: Uint8Array.of(0x70, 0xe9, 0xff) })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
  })
})

describe('PBMAC1 (RFC 9579)', () => {
  const safe = sequence(plain(certificateBag(ana.certificate), keyBag(ana.keys.privateKey)))
  const salt = Buffer.from('saltsalt')
  const make = (options: {
    key?: string
    keyBytes?: number
    iterations?: number
    hmac?: string
    arc?: number
    cut?: number
  }) => {
    const { key: text = passphrase, keyBytes = 32, iterations = 2048, hmac = 'sha256', arc = 9 } = options
    // What is to be refused need not be made properly.
    const proper = iterations === 2048 && keyBytes > 0 && keyBytes < 100
    const key = proper ? pbkdf2Sync(text, salt, iterations, keyBytes, hmac) : salt
    const prf = sequence(oid(`1.2.840.113549.2.${arc}`), element(0x05))
    const pbkdf2 = sequence(
      oid('1.2.840.113549.1.5.12'),
      sequence(octets(salt), integer(iterations), ...(keyBytes === 0 ? [] : [integer(keyBytes)]), prf),
    )
    const algorithm = sequence(oid('1.2.840.113549.1.5.14'), sequence(pbkdf2, prf))
    const digest = createHmac(hmac, key)
      .update(safe)
      .digest()
      .subarray(options.cut ?? 0)
    // What follows is not used.
    return container(safe, sequence(sequence(algorithm, octets(digest)), octets(Buffer.from('NOT USED')), integer(1)))
  }

  it('is verified', async () => {
    expect((await read(make({}))).entries).toHaveLength(1)
    expect((await read(make({ hmac: 'sha512', arc: 11, keyBytes: 64 }))).entries).toHaveLength(1)
    expect((await read(make({ key: 'pässwörd' }), 'pässwörd')).entries).toHaveLength(1)
    await expect(read(make({}), 'other')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' })
  })

  it.each([
    [{ keyBytes: 0 }, 'PKCS12_MALFORMED'],
    [{ keyBytes: 19 }, 'PKCS12_MALFORMED'],
    [{ keyBytes: 65 }, 'PKCS12_MALFORMED'],
    [{ iterations: 2 ** 31 - 1 }, 'PKCS12_EXCESSIVE'],
    [{ keyBytes: 2 ** 31 - 1 }, 'PKCS12_EXCESSIVE'],
    [{ keyBytes: 10_000 }, 'PKCS12_MALFORMED'],
    // A part of the right MAC is none: it would be found by trying.
    [{ cut: 1 }, 'PKCS12_MALFORMED'],
    [{ cut: 31 }, 'PKCS12_MALFORMED'],
    [{ cut: 32 }, 'PKCS12_MALFORMED'],
    [{ arc: 99 }, 'PKCS12_UNSUPPORTED'],
  ])('is refused with %j', async (options, code) => {
    await expect(read(make(options))).rejects.toMatchObject({ code: `ERR_TLACACOCA_${code}` })
  })
})

describe('KeyedChain.fromPkcs12', () => {
  const key = keyBag(ana.keys.privateKey)
  const above = [middle, root].map(({ certificate }) => certificateBag(certificate))
  const whole = [certificateBag(ana.certificate), ...above, certificateBag(lone.certificate), key]

  it('makes a chain of the one identity in a file, by the rules of all chains', async () => {
    const chain = await KeyedChain.fromPkcs12(await sealed([plain(...whole)]), { passphrase, purpose: 'client' })
    expect(chain.certificates).toEqual([ana.certificate, middle.certificate, root.certificate])
    expect(chain.sent).toEqual([ana.certificate, middle.certificate])
    const strict = { passphrase, roots: TrustStore.fromPem(issue({ subject: 'Other', ca: true }).certificate.toPem()) }
    await expect(KeyedChain.fromPkcs12(await sealed([plain(...whole)]), strict)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CHAIN_INCOMPLETE',
    })
  })

  it('refuses a file with none or two, and one that does not open', async () => {
    const from = async (bags: Uint8Array[], text = passphrase) =>
      KeyedChain.fromPkcs12(await sealed([plain(...bags)]), { passphrase: text })
    const two = [...whole, certificateBag(eva.certificate), keyBag(eva.keys.privateKey)]
    await expect(from(above)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_NO_LEAF' })
    await expect(from([key])).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_NO_LEAF' })
    await expect(from(two)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CHAIN_SEVERAL_LEAVES',
      subjects: ['CN=Ana', 'CN=Eva'],
    })
    await expect(from(whole, 'other')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' })
  })

  it('checks its options before it derives anything', async () => {
    const file = await sealed([plain(...whole)])
    await expect(KeyedChain.fromPkcs12(file, { passphrase: 'other', purpose: 'both' as never })).rejects.toThrow(
      '"purpose"',
    )
    await expect(KeyedChain.fromPkcs12(file, { passphrase, maxIterations: 0 })).rejects.toThrow('"maxIterations"')
    await expect(KeyedChain.fromPkcs12(file, { passphrase, roles: 1 } as never)).rejects.toThrow('no option "roles"')
  })
})

describe('readPkcs12', () => {
  it.each([undefined, null, 'text', {}, []])('takes no file of the kind %j', async (file) => {
    await expect(readPkcs12(file as never, { passphrase })).rejects.toThrow('"bytes" expected')
  })

  it.each([undefined, null, 'secret', {}, { passphrase: 5 }, { passphrase, passphrases: 1 }])(
    'takes no options of the kind %j, and shows none of them',
    async (options) => {
      const error: unknown = await readPkcs12(new Uint8Array(1), options as never).catch((e) => e)
      expect(error).toBeInstanceOf(TypeError)
      expect(String(error)).not.toContain(passphrase)
    },
  )

  it('reads the bytes as they are when it is called, and does not change them', async () => {
    const file = Buffer.from(await sealed([plain(certificateBag(ana.certificate), keyBag(ana.keys.privateKey))]))
    const copy = Buffer.from(file)
    const reading = read(file)
    expect(file.equals(copy)).toBe(true)
    file.fill(0)
    await expect(reading).resolves.toMatchObject({ entries: [{}] })
  })
})

describe('writePkcs12', () => {
  const identity = { certificates: [lone.certificate], privateKey: lone.keys.privateKey }
  const options = { passphrase, iterations: 2048 }

  it('finds the certificate of the key among those it is given', async () => {
    const certificates = new Set([root.certificate, middle.certificate, ana.certificate])
    const { entries } = await read(await writePkcs12({ certificates, privateKey: ana.keys.privateKey }, options))
    expect(entries).toMatchObject([{ friendlyName: null }])
    expect(entries[0]?.certificate).toEqual(ana.certificate)
    expect(entries[0]?.chain).toEqual([middle.certificate, root.certificate])
  })

  it('refuses a key that is that of none of them', async () => {
    for (const certificates of [[], [ana.certificate]]) {
      await expect(writePkcs12({ ...identity, certificates }, options)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_KEY_MISMATCH',
      })
    }
  })

  it.each<[string, object]>([
    ['"certificates"', { certificates: lone.certificate }],
    ['"certificates"', { certificates: lone.certificate.toPem() }],
    ['"certificates[0]"', { certificates: [lone.certificate.toPem()] }],
    ['"privateKey"', { privateKey: lone.keys.publicKey }],
    ['"privateKey"', { privateKey: 5 }],
    ['"friendlyName"', { friendlyName: '' }],
    ['"friendlyName"', { friendlyName: 'x'.repeat(256) }],
    ['"friendlyName"', { friendlyName: 'with\0zero' }],
    ['"friendlyName"', { friendlyName: '\ud83d' }],
    ['"friendlyName"', { friendlyName: 5 }],
    ['no option "name"', { name: 'Ana' }],
  ])('names what is wrong: %s', async (message, change) => {
    await expect(writePkcs12({ ...identity, ...change }, options)).rejects.toThrow(message)
  })

  it.each<[string, object]>([
    ['"passphrase"', { passphrase: '' }],
    ['"passphrase"', { passphrase: undefined }],
    ['"passphrase"', { passphrase: 'a\0a' }],
    ['"passphrase"', { passphrase: 'x'.repeat(1025) }],
    ['"compatibility"', { compatibility: 'old' }],
    ['"iterations"', { iterations: 2047 }],
    ['"iterations"', { iterations: 600_001 }],
    ['"iterations"', { iterations: Number.NaN }],
    ['no option "mac"', { mac: false }],
  ])('takes no options with a wrong %s', async (message, change) => {
    await expect(writePkcs12(identity, { ...options, ...change })).rejects.toThrow(message)
  })

  it('does not write a key that is encrypted itself, or unsound', async () => {
    const { keyPem, certificate } = await testCertificate()
    const encrypted = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase },
    })
    await expect(
      writePkcs12({ certificates: [certificate], privateKey: encrypted.privateKey }, options),
    ).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED' })
    await expect(
      writePkcs12({ certificates: [certificate], privateKey: keyPem.slice(0, 100) }, options),
    ).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_MALFORMED' })
  })

  it('writes certificates of any kind above the leaf', async () => {
    const { Certificate } = await import('../../src/certificate/certificate.ts')
    const odd = ['dsa', 'rsa-md5', 'negative-serial'].map((name) => Certificate.from(vectorPem(name)))
    const file = await writePkcs12({ ...identity, certificates: [...odd, lone.certificate] }, options)
    expect((await read(file)).otherCertificates).toEqual(odd)
  })
})

it.each(['Ana', 'A name that is longer than the mark'])(
  'writes DER, with the attributes in order (%s)',
  async (name) => {
    const file = await writePkcs12(
      { certificates: [lone.certificate], privateKey: lone.keys.privateKey, friendlyName: name },
      { passphrase, iterations: 2048 },
    )
    const sets: DerElement[][] = []
    // A salt can begin like a sequence, but hardly ever with its own length behind that.
    const isSequence = ([tag, length = 0, l1 = 0, l2 = 0]: Uint8Array, size: number): boolean =>
      tag === 0x30 && (length < 0x80 ? length + 2 : length === 0x81 ? l1 + 3 : l1 * 256 + l2 + 4) === size
    // Throws for anything that is not DER. The contents lie in octet strings, two deep.
    const walk = (bytes: Uint8Array): DerElement[] => {
      const reader = new DerReader(bytes)
      const elements: DerElement[] = []
      while (!reader.done) {
        const each = reader.readAny('an element')
        const holdsElements =
          (each.tag & 0x20) !== 0 || (each.tag === 0x04 && isSequence(each.content, each.content.length))
        const inside = holdsElements ? walk(each.content) : []
        if (each.tag === 0x31 && inside.length > 1) sets.push(inside)
        elements.push(each)
      }
      return elements
    }
    walk(file)
    expect(sets).toHaveLength(1) // the key's; the certificate's are encrypted
    const encodings = sets.flat().map((each) => Buffer.from(each.encoded).toString('hex'))
    expect(encodings).toEqual([...encodings].sort())
  },
)
