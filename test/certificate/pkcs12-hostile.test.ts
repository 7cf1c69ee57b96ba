// Files that somebody made to hang, to exhaust, to crash or to confuse whoever reads them.

import { spawnSync } from 'node:child_process'
import { createECDH, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { derivePkcs12, secretsOf } from '../../src/certificate/pkcs12-keys.ts'
import { SHA1 } from '../../src/certificate/pkcs12-oids.ts'
import { readPkcs12 } from '../../src/certificate/pkcs12-read.ts'
import { writePkcs12 } from '../../src/certificate/pkcs12-write.ts'
import { testCertificate } from '../support/certificates.ts'
import { craft, ecKey } from '../support/crafted-certificates.ts'
import { issue } from '../support/issued-certificates.ts'
import {
  bag,
  certificateBag,
  container,
  contentInfo,
  DATA,
  ENCRYPTED_DATA,
  element,
  encrypted,
  explicit,
  integer,
  keyBag,
  mac,
  octets,
  oid,
  passphrase,
  pbes2,
  pkcs12Scheme,
  plain,
  sealed,
  sealedAs,
  sequence,
  shroudedBag,
} from '../support/pkcs12.ts'

const malformed = { code: 'ERR_TLACACOCA_PKCS12_MALFORMED' }
const excessive = { code: 'ERR_TLACACOCA_PKCS12_EXCESSIVE' }
const unsupported = { code: 'ERR_TLACACOCA_PKCS12_UNSUPPORTED' }
const wrong = { code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' }

const { certificate, keys } = issue({ subject: 'Ana' })
const key = keys.privateKey
const X509 = '1.2.840.113549.1.9.22.1'
const certificates = plain(certificateBag(certificate))
const data = Buffer.alloc(64)
const read = (file: Uint8Array, options: object = {}) => readPkcs12(file, { passphrase, ...options })

// What the rows below change in one place.
it('reads the ordinary file that they are made of', async () => {
  const { entries } = await read(await sealed([plain(certificateBag(certificate), keyBag(key))]))
  expect(entries).toMatchObject([{ chain: [], friendlyName: null }])
  expect(entries[0]?.certificate.equals(certificate)).toBe(true)
  expect(entries[0]?.privateKey.equals(key)).toBe(true)
})

describe('an iteration bomb', () => {
  const most = integer(2 ** 31 - 1)
  const beyond = element(0x02, Buffer.alloc(9, 0x7f))
  const beyondNumbers = element(0x02, Buffer.alloc(400, 0x7f))
  const few = integer(1)
  const safe = (algorithm: Uint8Array): Uint8Array => sequence(certificates, encrypted(algorithm, data))

  it.each([
    ['in the MAC', container(sequence(certificates), mac(most))],
    ['in the MAC, beyond 2^64', container(sequence(certificates), mac(beyond))],
    ['in the MAC, beyond all numbers', container(sequence(certificates), mac(beyondNumbers))],
    ['in PBES2', container(safe(pbes2(most)), mac(few))],
    ['in PBES2, beyond 2^64', container(safe(pbes2(beyond)), mac(few))],
    ['in both', container(safe(pbes2(most)), mac(most))],
    ['in triple DES', container(safe(pkcs12Scheme(3, most)), mac(few))],
    ['in RC2-40', container(safe(pkcs12Scheme(6, most)), mac(few))],
    ['in an encrypted key', container(sequence(plain(shroudedBag(pbes2(most), data))), mac(few))],
    [
      'in many small pieces',
      container(sequence(...Array(600).fill(encrypted(pbes2(integer(10_000)), data))), mac(few)),
    ],
    ['in the MAC and in PBES2, by halves', container(safe(pbes2(integer(2_500_001))), mac(integer(2_500_000)))],
  ])('%s is refused before anything is derived', async (_, file) => {
    await import('node-forge') // loading it takes its time once
    const start = performance.now()
    await expect(read(file)).rejects.toMatchObject(excessive)
    // A million iterations take a third of a second at least.
    expect(performance.now() - start).toBeLessThan(250)
  })

  it('in what was encrypted is refused when it comes to light', async () => {
    // Encrypted by what is not encryption would be too easy: this is a real file, with a bomb in its encrypted part.
    const { encryptPbes2 } = await import('../../src/certificate/pkcs12-encryption.ts')
    const bomb = sequence(shroudedBag(pbes2(most), data))
    const { algorithm, octets: hidden } = await encryptPbes2(bomb, secretsOf(passphrase)[0], 2048)
    await expect(read(await sealed([encrypted(algorithm, hidden)]))).rejects.toMatchObject(excessive)
  })

  it('is what the caller says it is', async () => {
    const { certificate, keyPem } = await testCertificate()
    const file = await writePkcs12(
      { certificates: [certificate], privateKey: keyPem },
      { passphrase, iterations: 3000 },
    )
    await expect(read(file, { maxIterations: 8999 })).rejects.toMatchObject(excessive)
    await expect(read(file, { maxIterations: 9000 })).resolves.toMatchObject({ entries: [{}] })
    await expect(read(container(sequence(certificates), mac(few)), { maxIterations: 1 })).rejects.toMatchObject(wrong)
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1', null])(
    'is not defused by a limit of %j',
    async (maxIterations) => {
      await expect(read(await sealed([certificates]), { maxIterations })).rejects.toThrow('"maxIterations"')
    },
  )

  it('leaves the event loop turning while it burns what is allowed', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await expect(read(container(sequence(certificates), mac(integer(300_000))))).rejects.toMatchObject(wrong)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(10)
  })

  it.each([integer(0), element(0x02, Uint8Array.of(0xff)), element(0x02), octets(Uint8Array.of(1))])(
    'has no relatives that count backwards (%#)',
    async (iterations) => {
      await expect(read(container(sequence(certificates), mac(iterations)))).rejects.toMatchObject(malformed)
      await expect(read(container(safe(pbes2(iterations)), mac(few)))).rejects.toMatchObject(malformed)
    },
  )
})

describe('a file of excessive size', () => {
  it.each([
    ['of 5 MiB', () => Buffer.alloc(5 * 1024 * 1024), excessive],
    ['of 101 keys', () => sealed([plain(...Array(101).fill(keyBag(key)))]), excessive],
    ['of 1001 certificates', () => sealed([plain(...Array(1001).fill(certificateBag(certificate)))]), excessive],
    ['with a key of 20 kB', () => sealed([plain(keyBag(sequence(octets(Buffer.alloc(20_000)))))]), malformed],
    [
      'with an encrypted key of 20 kB',
      () => sealed([plain(shroudedBag(pbes2(integer(1)), Buffer.alloc(20_000)))]),
      malformed,
    ],
    ['with 300 kB under RC2', () => sealed([encrypted(pkcs12Scheme(6, integer(1)), Buffer.alloc(300_000))]), excessive],
    ['with a salt of 2 kB', () => container(sequence(certificates), hugeSalt()), malformed],
  ])('%s is refused', async (_, make, expected) => {
    await expect(read(await make())).rejects.toMatchObject(expected)
  })

  it('of 1 MB is read all the same', async () => {
    const many = Array.from({ length: 999 }, (_, index) =>
      certificateBag(craft({ serial: integer(index), issuer: sequence(octets(Buffer.alloc(800))) })),
    )
    const file = await sealed([plain(certificateBag(certificate), ...many), plain(keyBag(key))])
    expect(file.length).toBeGreaterThan(1_000_000)
    const { entries, otherCertificates } = await read(file)
    expect(entries).toHaveLength(1)
    expect(otherCertificates).toHaveLength(999)
  })

  it('does not cost a signature for each certificate and key of one name and one mark', async () => {
    // A hundred keys that differ, a thousand certificates, all called alike and marked alike.
    const mark = sequence(oid('1.2.840.113549.1.9.21'), element(0x31, octets(Uint8Array.of(1))))
    const others = Array.from({ length: 1000 }, (_, index) =>
      certificateBag(craft({ serial: integer(index), spki: SPKI, innerAlgorithm: ECDSA, outerAlgorithm: ECDSA }), mark),
    )
    const manyKeys = Array.from({ length: 100 }, () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      return keyBag(privateKey, mark)
    })
    const { otherPrivateKeys, otherCertificates } = await read(await sealed([plain(...manyKeys, ...others)]))
    expect(otherPrivateKeys).toHaveLength(100)
    expect(otherCertificates).toHaveLength(1000)
  })

  it('with an RSA key that takes long to sign with is refused', async () => {
    // Numbers of the right size; nobody computes with them before the size has been looked at.
    const odd = (bytes: number): Uint8Array => element(0x02, Uint8Array.of(0), Buffer.alloc(bytes, 0xff))
    const rsa = (bytes: number): Uint8Array => {
      const half = odd(bytes / 2)
      const numbers = [odd(bytes), integer(65537), odd(bytes), half, half, half, half, half]
      const pkcs1 = sequence(integer(0), ...numbers)
      return sequence(integer(0), sequence(oid('1.2.840.113549.1.1.1'), element(0x05)), octets(pkcs1))
    }
    await expect(read(await sealed([plain(keyBag(rsa(2048)))]))).rejects.toMatchObject(excessive)
    await expect(read(await sealed([plain(keyBag(rsa(1024)))]))).resolves.toMatchObject({ otherPrivateKeys: [{}] })
  })
})

describe('a nesting bomb', () => {
  const nested = (depth: number, tag: number, core: Uint8Array): Uint8Array => {
    let inside = core
    for (let i = 0; i < depth; i++) inside = element(tag, inside)
    return inside
  }

  it.each([
    ['of sequences', () => nested(5000, 0x30, integer(1))],
    ['of indefinite lengths', () => Buffer.alloc(1_000_000, Uint8Array.of(0x30, 0x80))],
    ['in the authenticated safe', () => sealedAs(nested(5000, 0x30, integer(1)))],
    ['in pieces of a string', () => sequence(integer(3), contentInfo(DATA, nested(300, 0x24, octets(data))))],
    ['in a bag', () => sealed([plain(certificateBag(certificate), nested(5000, 0x30, integer(1)))])],
    ['in a key', () => sealed([plain(keyBag(nested(200, 0x30, octets(Buffer.alloc(60_000)))))])],
  ])('%s is refused', async (_, make) => {
    await expect(read(await make())).rejects.toMatchObject(malformed)
  })

  it('of contents in contents is refused at a depth, and read up to it', async () => {
    const inside = (depth: number): Uint8Array => {
      let contents = certificateBag(certificate)
      for (let i = 0; i < depth; i++) contents = bag(6, sequence(contents))
      return contents
    }
    const { otherCertificates } = await read(await sealed([plain(inside(20))]))
    expect(otherCertificates).toHaveLength(1)
    await expect(read(await sealed([plain(inside(500))]))).rejects.toMatchObject(malformed)
  })
})

describe('a damaged file', () => {
  it('cut off anywhere is malformed, whatever the passphrase', async () => {
    const { certificate, keyPem } = await testCertificate()
    const file = await writePkcs12(
      { certificates: [certificate], privateKey: keyPem },
      { passphrase, iterations: 2048 },
    )
    for (let length = 0; length < file.length; length++) {
      await expect(read(file.subarray(0, length)), `${length} bytes`).rejects.toMatchObject(malformed)
    }
    await expect(read(Buffer.concat([file, Uint8Array.of(0)]))).rejects.toMatchObject(malformed)
  }, 60_000)

  it('that is changed where the MAC covers it does not open, with the right passphrase or another', async () => {
    const file = Buffer.from(await sealed([plain(certificateBag(certificate), keyBag(key))]))
    const at = file.indexOf(certificate.der) + 100
    file.writeUInt8(file.readUInt8(at) ^ 1, at)
    await expect(read(file)).rejects.toMatchObject({ ...wrong, message: expect.stringContaining('or is damaged') })
    await expect(read(file, { passphrase: 'other' })).rejects.toMatchObject(wrong)
  })

  it.each<[string, Uint8Array | (() => Promise<Uint8Array>), object]>([
    ['of another version', container(sequence(certificates), mac(integer(1)), 2), unsupported],
    ['that is signed', sequence(integer(3), contentInfo('1.2.840.113549.1.7.2', sequence())), unsupported],
    ['with a part under a public key', () => sealed([contentInfo('1.2.840.113549.1.7.3', sequence())]), unsupported],
    ['with a part of an unknown kind', () => sealed([contentInfo('1.2.3', sequence())]), unsupported],
    ['with a MAC by MD5', container(sequence(certificates), mac(integer(1), '1.2.840.113549.2.5', 16)), unsupported],
    ['with a MAC that is too short', container(sequence(certificates), mac(integer(1), undefined, 31)), malformed],
    ['with a MAC of nothing', container(sequence(certificates), mac(integer(1), undefined, 0)), malformed],
    [
      'with something after the MAC',
      sequence(integer(3), contentInfo('1.2.840.113549.1.7.1', octets(sequence())), mac(integer(1)), integer(1)),
      malformed,
    ],
    ['with something else encrypted', () => sealed([encrypted(pbes2(integer(1)), data, ENCRYPTED_DATA)]), malformed],
    ['with a cipher nobody knows', () => sealed([encrypted(sequence(oid('1.2.3.4'), sequence()), data)]), unsupported],
    [
      'with an encryption without parameters',
      () => sealed([encrypted(sequence(oid('1.2.840.113549.1.5.13')), data)]),
      malformed,
    ],
    ['that is empty inside', () => sealedAs(Buffer.alloc(0)), malformed],
    [
      'with a part that is nothing',
      () => sealed([contentInfo('1.2.840.113549.1.7.1', octets(Buffer.alloc(0)))]),
      malformed,
    ],
    ['that is a certificate', certificate.der, malformed],
    ['that is a PEM text', Buffer.from(certificate.toPem()), malformed],
    ['that is empty', Buffer.alloc(0), malformed],
  ])('%s is refused', async (_, file, expected) => {
    await expect(read(typeof file === 'function' ? await file() : file)).rejects.toMatchObject(expected)
  })

  it.each<[string, Uint8Array, object]>([
    ['a certificate that is none', certificateBag(sequence()), { code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }],
    ['a key that is none', keyBag(sequence(integer(0))), { code: 'ERR_TLACACOCA_KEY_MALFORMED' }],
    [
      'a public key',
      keyBag(keys.publicKey.export({ format: 'der', type: 'spki' })),
      { code: expect.stringMatching(/KEY_MALFORMED|PKCS12_MALFORMED/) },
    ],
    ['an X25519 key', keyBag(generateKeyPairSync('x25519').privateKey), { code: 'ERR_TLACACOCA_KEY_MALFORMED' }],
    ['a key under another passphrase', shroudedBag(pbes2(integer(1)), data), wrong],
    ['a key under RC2 and another passphrase', shroudedBag(pkcs12Scheme(6, integer(1)), data), wrong],
    ['a key that is encrypted twice', keyBag(sequence(pbes2(integer(1)), octets(data))), malformed],
    ['an initialization vector of 15 octets', shroudedBag(pbes2(integer(1), 15), data), malformed],
    ['pieces of something else', bag(3, sequence(oid(X509), explicit(element(0x24, integer(1))))), malformed],
    ['a key of no octets', shroudedBag(pbes2(integer(1)), Buffer.alloc(0)), wrong],
    [
      'a key under RC2 that is no multiple of a block',
      shroudedBag(pkcs12Scheme(6, integer(1)), Buffer.alloc(9)),
      wrong,
    ],
    ['a bag without a content', sequence(oid('1.2.840.113549.1.12.10.1.3')), malformed],
    [
      'a bag with two contents',
      sequence(oid('1.2.840.113549.1.12.10.1.3'), element(0xa0, sequence(), sequence())),
      malformed,
    ],
    [
      'attributes that are none',
      sequence(oid('1.2.840.113549.1.12.10.1.1'), explicit(sequence()), integer(1)),
      malformed,
    ],
  ])('with %s in it is refused, although the MAC is right', async (_, content, expected) => {
    await expect(read(await sealed([plain(content)]))).rejects.toMatchObject(expected)
  })

  const prf = (dotted: string) => sequence(oid(dotted), element(0x05))
  const pbkdf2 = (...rest: Uint8Array[]) =>
    sequence(
      oid('1.2.840.113549.1.5.13'),
      sequence(
        sequence(oid('1.2.840.113549.1.5.12'), sequence(octets(Buffer.alloc(8)), integer(1), ...rest)),
        sequence(oid('2.16.840.1.101.3.4.1.42'), octets(Buffer.alloc(16))),
      ),
    )
  it.each<[string, Uint8Array, object]>([
    ['and a known function', shroudedBag(pbkdf2(prf('1.2.840.113549.2.9')), data), wrong],
    [
      'with something after its end',
      shroudedBag(pbkdf2(prf('1.2.840.113549.2.9'), integer(1)), data),
      { ...malformed, message: expect.stringContaining('PBKDF2 have something after their end') },
    ],
    [
      'by a function nobody knows',
      shroudedBag(pbkdf2(prf('1.2.840.113549.2.99')), data),
      { ...unsupported, message: expect.stringContaining('PBKDF2 with an unknown function') },
    ],
  ])('with a key under PBKDF2 %s does not open', async (_, content, expected) => {
    await expect(read(await sealed([plain(content)]))).rejects.toMatchObject(expected)
  })

  it.each([
    ['no octets', element(0x06)],
    ['an arc beyond exact numbers', element(0x06, Uint8Array.of(0x2a), Buffer.alloc(10, 0xff), Uint8Array.of(0x7f))],
    ['hundreds of octets', element(0x06, Buffer.alloc(500, 0x2a))],
  ])('with an object identifier of %s is malformed', async (_, kind) => {
    const file = sequence(integer(3), sequence(kind, explicit(octets(sequence()))), mac(integer(1)))
    await expect(read(file)).rejects.toMatchObject({
      ...malformed,
      message: expect.stringContaining('is no object identifier'),
    })
  })

  it('lets others have their turn while much is decrypted by RC2', async () => {
    await import('node-forge') // loading it takes its time once
    const file = await sealed([encrypted(pkcs12Scheme(6, integer(1)), Buffer.alloc(200_000))])
    let turns = 0
    let running = true
    const turn = () => {
      turns++
      if (running) setImmediate(turn)
    }
    setImmediate(turn)
    await expect(read(file)).rejects.toMatchObject(wrong)
    running = false
    expect(turns).toBeGreaterThan(20)
  })

  it('with an octet after what RC2 encrypted is refused, although the rest would open', async () => {
    const { default: forge } = await import('node-forge')
    const [secret] = secretsOf(passphrase)
    const cost = { salt: Buffer.alloc(8), iterations: 1 }
    const rc2Key = await derivePkcs12(SHA1, 1, secret, cost, 5)
    const iv = await derivePkcs12(SHA1, 2, secret, cost, 8)
    const cipher = forge.rc2.createEncryptionCipher(rc2Key.toString('latin1'), 40)
    cipher.start(iv.toString('latin1'))
    cipher.update(forge.util.createBuffer(key.export({ format: 'der', type: 'pkcs8' }).toString('latin1')))
    cipher.finish()
    const sound = Buffer.from(cipher.output.getBytes(), 'latin1')
    const file = (content: Uint8Array) => sealed([plain(shroudedBag(pkcs12Scheme(6, integer(1)), content))])
    await expect(read(await file(sound))).resolves.toMatchObject({ otherPrivateKeys: [{}] })
    await expect(read(await file(Buffer.concat([sound, Uint8Array.of(0)])))).rejects.toMatchObject(wrong)
  })

  it('has its errors without the passphrase, the key or what node-forge said', async () => {
    const secret = 'hunter2-Zw9'
    const scalar = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url')
    const file = Buffer.from(await sealed([plain(certificateBag(certificate), keyBag(key))], { passphrase: secret }))
    const files = [
      file.subarray(0, -5),
      file,
      await sealed([plain(keyBag(sequence(octets(scalar))))], { passphrase: secret }),
    ]
    for (const [index, each] of files.entries()) {
      const error: unknown = await readPkcs12(each, { passphrase: index === 1 ? `${secret}!` : secret }).catch((e) => e)
      expect(error).toBeInstanceOf(Error)
      const text = inspect(error, { depth: 10, showHidden: true })
      expect(text).not.toContain('hunter2')
      expect(text).not.toContain(scalar.toString('hex').slice(0, 16))
      expect((error as Error).cause).toBeUndefined()
    }
  })
})

// What would end this process is tried in others.
describe('an EC key that makes Node abort', () => {
  const P256 = '1.2.840.10045.3.1.7'
  const infinity = Uint8Array.of(0)
  const own = createECDH('prime256v1')
  own.generateKeys()
  const pkcs8 = (point: Uint8Array): Uint8Array =>
    sequence(
      integer(0),
      sequence(oid('1.2.840.10045.2.1'), oid(P256)),
      octets(sequence(integer(1), octets(own.getPrivateKey()), element(0xa1, element(0x03, Uint8Array.of(0), point)))),
    )
  const hostileCertificate = craft({ spki: ecKey(P256, infinity) })

  async function run(file: Uint8Array): Promise<{ signal: string | null; output: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-'))
    await writeFile(join(folder, 'in.p12'), file)
    const module = fileURLToPath(new URL('../../src/certificate/pkcs12-read.ts', import.meta.url))
    const source = `
      import { readFileSync } from 'node:fs'
      import { readPkcs12 } from ${JSON.stringify(module)}
      try {
        const file = readFileSync(${JSON.stringify(join(folder, 'in.p12'))})
        const { entries, otherCertificates, otherPrivateKeys } = await readPkcs12(file, { passphrase: ${JSON.stringify(passphrase)} })
        for (const { privateKey } of entries) console.log(privateKey.asymmetricKeyDetails.namedCurve)
        for (const key of otherPrivateKeys) console.log(key.export({ format: 'jwk' }).crv)
        console.log(entries.length, otherCertificates.length, otherPrivateKeys.length)
      } catch (error) {
        console.log('refused', error.code)
      }`
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source])
    await rm(folder, { recursive: true })
    return { signal: child.signal, output: child.stdout.toString() }
  }

  it('is refused as a private key', async () => {
    const sound = await run(await sealed([plain(keyBag(pkcs8(own.getPublicKey())))]))
    expect(sound).toEqual({ signal: null, output: 'P-256\n0 0 1\n' })
    const hostile = await run(await sealed([plain(keyBag(pkcs8(infinity)))]))
    expect(hostile).toEqual({ signal: null, output: 'refused ERR_TLACACOCA_KEY_MALFORMED\n' })
  })

  it('does no harm in a certificate beside a key, marked as its own or as its issuer', async () => {
    const mark = sequence(oid('1.2.840.113549.1.9.21'), element(0x31, octets(Uint8Array.of(1))))
    const beside = await run(
      await sealed([plain(certificateBag(hostileCertificate), keyBag(pkcs8(own.getPublicKey())))]),
    )
    expect(beside).toEqual({ signal: null, output: 'P-256\n0 1 1\n' })
    const marked = await run(
      await sealed([plain(certificateBag(hostileCertificate, mark), keyBag(pkcs8(own.getPublicKey()), mark))]),
    )
    expect(marked).toEqual({ signal: null, output: 'P-256\n0 1 1\n' })
    const leaf = issue({ subject: 'Ana', by: issue({ subject: 'Root' }) })
    const issuer = craft({ spki: ecKey(P256, infinity), subject: leaf.certificate.issuerDer })
    const above = await run(
      await sealed([plain(certificateBag(leaf.certificate), certificateBag(issuer), keyBag(leaf.keys.privateKey))]),
    )
    expect(above).toEqual({ signal: null, output: 'prime256v1\n1 1 0\n' })
  })
})

const SPKI = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' })
const ECDSA = sequence(oid('1.2.840.10045.4.3.2'))

function hugeSalt(): Uint8Array {
  return sequence(
    sequence(sequence(oid('2.16.840.1.101.3.4.2.1'), element(0x05)), octets(Buffer.alloc(32))),
    octets(Buffer.alloc(2000)),
    integer(1),
  )
}
