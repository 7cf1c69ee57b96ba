import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
import { decryptPrivateKey, encryptPrivateKey, loadPrivateKey } from '../../src/certificate/private-key.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'

const keys = {
  ec: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ed25519: generateKeyPairSync('ed25519').privateKey,
}
const plain = keys.ec.export({ format: 'pem', type: 'pkcs8' }).toString()
const passphrase = 'correct horse battery staple'
const required = { code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED' }
const wrong = { code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' }
const malformed = { code: 'ERR_TLACACOCA_KEY_MALFORMED' }

describe('encryptPrivateKey', () => {
  it.each(['ec', 'rsa', 'ed25519'] as const)(
    'writes a %s key that Node, OpenSSL and we ourselves open',
    async (type) => {
      const key = keys[type]
      for (const derivation of ['scrypt', 'pbkdf2'] as const) {
        const pem = await encryptPrivateKey(key, { passphrase, derivation })
        expect(pem).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
        expect(createPrivateKey({ key: pem, passphrase }).equals(key)).toBe(true)
        const byOpenssl = openssl(['pkey', '-passin', `pass:${passphrase}`], pem)
        expect(createPrivateKey(byOpenssl).equals(key)).toBe(true)
        expect((await loadPrivateKey(pem, { passphrase })).equals(key)).toBe(true)
        expect(opensslSucceeds(['pkey', '-passin', 'pass:wrong'], pem)).toBe(false)
      }
    },
  )

  it('stretches the passphrase as much as it says', async () => {
    const structure = async (derivation: 'scrypt' | 'pbkdf2'): Promise<string> =>
      openssl(['asn1parse'], await encryptPrivateKey(plain, { passphrase, derivation }))
    // 2^14, 8 and 5; 600,000.
    expect(await structure('scrypt')).toMatch(
      /:PBES2.*:scrypt.*INTEGER +:4000\n.*INTEGER +:08\n.*INTEGER +:05\n.*:aes-256-cbc/s,
    )
    expect(await structure('pbkdf2')).toMatch(/:PBES2.*:PBKDF2.*INTEGER +:0927C0\n.*:hmacWithSHA256.*:aes-256-cbc/s)
  })

  it('uses scrypt by default, with a fresh salt each time', async () => {
    const [first, second] = [
      await encryptPrivateKey(plain, { passphrase }),
      await encryptPrivateKey(plain, { passphrase }),
    ]
    expect(first).not.toBe(second)
    expect(openssl(['asn1parse'], first)).toContain(':scrypt')
  })

  it('takes a key object, PEM or DER', async () => {
    for (const source of [keys.ec, plain, Buffer.from(plain), keys.ec.export({ format: 'der', type: 'sec1' })]) {
      const pem = await encryptPrivateKey(source, { passphrase })
      expect((await loadPrivateKey(pem, { passphrase })).equals(keys.ec)).toBe(true)
    }
  })

  it.each(['a', 'pässwörd 漢字 🐙', ' spaces ', 'x'.repeat(1024), 'line\nend', Buffer.from([0xff, 0x00, 0x80])])(
    'keeps a key under the passphrase %j',
    async (text) => {
      const pem = await encryptPrivateKey(plain, { passphrase: text, derivation: 'pbkdf2' })
      expect((await loadPrivateKey(pem, { passphrase: text })).equals(keys.ec)).toBe(true)
      await expect(loadPrivateKey(pem, { passphrase: 'b' })).rejects.toMatchObject(wrong)
    },
  )

  it.each(['', new Uint8Array(), 'x'.repeat(1025), undefined, null, 5])('refuses a passphrase of %j', async (text) => {
    await expect(encryptPrivateKey(plain, { passphrase: text as string })).rejects.toThrow('"passphrase"')
  })

  it('refuses a derivation that it does not know, a public key, and a key that is encrypted already', async () => {
    await expect(encryptPrivateKey(plain, { passphrase, derivation: 'md5' as 'scrypt' })).rejects.toThrow(
      '"derivation" expected one of',
    )
    const { publicKey } = generateKeyPairSync('ed25519')
    await expect(encryptPrivateKey(publicKey, { passphrase })).rejects.toThrow(TypeError)
    const encrypted = await encryptPrivateKey(plain, { passphrase })
    await expect(encryptPrivateKey(encrypted, { passphrase })).rejects.toMatchObject(required)
  })
})

describe('decryptPrivateKey', () => {
  it('takes the passphrase off', async () => {
    const pem = await encryptPrivateKey(plain, { passphrase })
    expect(await decryptPrivateKey(pem, { passphrase })).toBe(plain)
    await expect(decryptPrivateKey(pem, { passphrase: 'wrong' })).rejects.toMatchObject(wrong)
  })
})

describe('an encrypted key of OpenSSL', () => {
  it.each([
    ['scrypt', ['-scrypt']],
    ['scrypt with less work', ['-scrypt', '-scrypt_N', '1024', '-scrypt_r', '8', '-scrypt_p', '1']],
    ['PBKDF2 with SHA-1', ['-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA1']],
    ['PBKDF2 with SHA-224', ['-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA224']],
    ['PBKDF2 with SHA-256', ['-v2', 'aes-256-cbc', '-iter', '10000']],
    ['PBKDF2 with SHA-384', ['-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA384']],
    ['PBKDF2 with SHA-512', ['-v2', 'des-ede3-cbc', '-v2prf', 'hmacWithSHA512']],
    ['triple DES of PKCS#12', ['-v1', 'PBE-SHA1-3DES']],
    ['two-key triple DES of PKCS#12', ['-v1', 'PBE-SHA1-2DES']],
  ])('under %s is opened', async (_, options) => {
    const pem = openssl(['pkcs8', '-topk8', '-passout', `pass:${passphrase}`, ...options], plain)
    const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64')
    expect((await loadPrivateKey(pem, { passphrase })).equals(keys.ec)).toBe(true)
    expect((await loadPrivateKey(der, { passphrase })).equals(keys.ec)).toBe(true)
    await expect(loadPrivateKey(pem)).rejects.toMatchObject(required)
    await expect(loadPrivateKey(pem, { passphrase: 'wrong' })).rejects.toMatchObject(wrong)
    await expect(loadPrivateKey(pem, { passphrase: '' })).rejects.toMatchObject(wrong)
  })
})

describe('a hostile key file', () => {
  const algorithm = (dotted: string, ...parameters: Uint8Array[]) => element(0x30, oid(dotted), ...parameters)
  const octets = (length: number) => element(0x04, Buffer.alloc(length, 7))
  const [PBES2, PBKDF2, SCRYPT] = ['1.2.840.113549.1.5.13', '1.2.840.113549.1.5.12', '1.3.6.1.4.1.11591.4.11']
  const [SHA256, AES256] = ['1.2.840.113549.2.9', '2.16.840.1.101.3.4.1.42']
  const aes = algorithm(AES256, octets(16))
  const pbes2 = (derivation: Uint8Array, cipher = aes, data = octets(64)) =>
    element(0x30, algorithm(PBES2, element(0x30, derivation, cipher)), data)
  const pbkdf2 = (rounds: number, salt = octets(8), ...more: Uint8Array[]) =>
    algorithm(PBKDF2, element(0x30, salt, integer(rounds), ...more, algorithm(SHA256, element(0x05))))
  const scrypt = (N: number, r: number, p: number, ...more: Uint8Array[]) =>
    algorithm(SCRYPT, element(0x30, octets(8), integer(N), integer(r), integer(p), ...more))

  it('is a key that does not open, in the form that the rows below change in one place', async () => {
    for (const der of [pbes2(pbkdf2(1000)), pbes2(scrypt(1024, 8, 1)), pbes2(pbkdf2(1000, octets(8), integer(32)))]) {
      await expect(loadPrivateKey(der, { passphrase })).rejects.toMatchObject(wrong)
    }
  })

  it.each([
    ['2^31 - 1 rounds of PBKDF2', pbes2(pbkdf2(2 ** 31 - 1))],
    ['one round too many', pbes2(pbkdf2(10_000_001))],
    ['no rounds', pbes2(pbkdf2(0))],
    ['rounds beyond 2^31', pbes2(algorithm(PBKDF2, element(0x30, octets(8), element(2, Buffer.alloc(9, 1)))))],
    ['negative rounds', pbes2(algorithm(PBKDF2, element(0x30, octets(8), element(2, Buffer.from([0x80])))))],
    ['a scrypt that takes 1 TiB', pbes2(scrypt(2 ** 30, 8, 1))],
    ['a scrypt that takes 512 MiB', pbes2(scrypt(2 ** 19, 8, 1))],
    ['a scrypt that takes long', pbes2(scrypt(2 ** 14, 8, 33))],
    ['a scrypt of wide blocks', pbes2(scrypt(2, 2 ** 21 + 1, 1))],
    ['a scrypt whose numbers multiply beyond 2^53', pbes2(scrypt(2 ** 22, 2 ** 22, 2 ** 22))],
    ['a scrypt with N = 0', pbes2(scrypt(0, 8, 1))],
    ['a scrypt with N = 1', pbes2(scrypt(1, 8, 1))],
    ['a scrypt with N no power of two', pbes2(scrypt(1023, 8, 1))],
    ['a huge salt', pbes2(pbkdf2(1000, octets(1025)))],
    ['a wrong key length', pbes2(pbkdf2(1000, octets(8), integer(16)))],
    ['a huge key length', pbes2(scrypt(1024, 8, 1, integer(2 ** 30)))],
    ['a short IV', pbes2(pbkdf2(1000), algorithm(AES256, octets(15)))],
    ['no IV', pbes2(pbkdf2(1000), algorithm(AES256))],
    ['an IV of another type', pbes2(pbkdf2(1000), algorithm(AES256, element(0x05)))],
    ['no derivation parameters', pbes2(algorithm(PBKDF2))],
    ['an unknown cipher', pbes2(pbkdf2(1000), algorithm('1.2.3.4', octets(16)))],
    ['an unknown derivation', pbes2(algorithm('1.2.3.4', element(0x30)))],
    ['an unknown derivation with a salt', pbes2(algorithm('1.2.3.4', element(0x30, octets(8))))],
    ['an unknown hash', pbes2(algorithm(PBKDF2, element(0x30, octets(8), integer(1000), algorithm('1.2.3.4'))))],
    ['an unknown scheme', element(0x30, algorithm('1.2.840.113549.1.5.3', element(0x30)), octets(64))],
    [
      '2^31 - 1 rounds of PKCS#12',
      element(0x30, algorithm('1.2.840.113549.1.12.1.3', element(0x30, octets(8), integer(2 ** 31 - 1))), octets(64)),
    ],
    ['surplus bytes', element(0x30, algorithm(PBES2, element(0x30, pbkdf2(1000), aes)), octets(64), octets(1))],
    ['surplus parameters', element(0x30, algorithm(PBES2, element(0x30, pbkdf2(1000), aes, aes)), octets(64))],
  ])('with %s is refused before anything is derived', async (_, der) => {
    await expect(loadPrivateKey(der, { passphrase })).rejects.toMatchObject(malformed)
    // Without a passphrase nothing can have been derived, and none is asked for in vain.
    await expect(loadPrivateKey(der)).rejects.toMatchObject(malformed)
  })

  it.each([
    ['nothing', pbes2(pbkdf2(1000), aes, octets(0))],
    ['half a block', pbes2(pbkdf2(1000), aes, octets(20))],
  ])('with %s encrypted does not open', async (_, der) => {
    await expect(loadPrivateKey(der, { passphrase })).rejects.toMatchObject(wrong)
  })
})

it('lets the event loop turn while it derives', async () => {
  const pem = await encryptPrivateKey(plain, { passphrase })
  let turns = 0
  let waiting = true
  const turn = (): void => {
    turns++
    if (waiting) setImmediate(turn)
  }
  setImmediate(turn)
  await loadPrivateKey(pem, { passphrase })
  waiting = false
  expect(turns).toBeGreaterThan(10)
})
