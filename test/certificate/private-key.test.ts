import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { loadPrivateKey, matchesCertificate } from '../../src/certificate/private-key.ts'
import { testCertificate } from '../support/certificates.ts'
import { crafted } from '../support/crafted-certificates.ts'
import { openssl } from '../support/openssl.ts'
import { rsaPrivateKey } from '../support/rsa-der.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const pem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8') =>
  key.export({ format: 'pem', type }).toString()
const der = (key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8') => key.export({ format: 'der', type })
const legacy = (key: KeyObject, type: 'pkcs1' | 'sec1', cipher: string) =>
  key.export({ format: 'pem', type, cipher, passphrase: 'secret' }).toString()

describe('loadPrivateKey', () => {
  it.each([
    ['PKCS#8', pem(ec), ec],
    ['PKCS#8 of Ed25519', pem(ed25519), ed25519],
    ['PKCS#8 of RSA', pem(rsa), rsa],
    ['PKCS#8 as DER', der(ec), ec],
    ['PKCS#1', pem(rsa, 'pkcs1'), rsa],
    ['PKCS#1 as DER', der(rsa, 'pkcs1'), rsa],
    ['SEC1', pem(ec, 'sec1'), ec],
    ['SEC1 as DER', der(ec, 'sec1'), ec],
    ['PEM as bytes', Buffer.from(pem(ec)), ec],
    ['PEM as bytes with a byte order mark', Buffer.from(`\ufeff${pem(ec)}`), ec],
    ['PEM with CRLF', pem(ec).replaceAll('\n', '\r\n'), ec],
    ['PEM with text around it', `0 Bag Attributes\n    friendlyName: x\n${pem(ec)}trailer\n`, ec],
    ['bytes with text around it', Buffer.from(`0 Bag Attributes: é\n${pem(ec)}`, 'latin1'), ec],
  ])('reads %s', async (_, source, key) => {
    expect((await loadPrivateKey(source)).equals(key)).toBe(true)
  })

  it('reads a key beside certificates and curve parameters', async () => {
    const { certPem } = await testCertificate()
    const parameters = openssl(['ecparam', '-name', 'prime256v1'])
    const key = await loadPrivateKey(`${certPem}${parameters}${pem(ec, 'sec1')}${certPem}`)
    expect(key.equals(ec)).toBe(true)
  })

  it.each([
    ['AES-256', 'sec1', 'aes-256-cbc'],
    ['AES-192', 'sec1', 'aes-192-cbc'],
    ['AES-128', 'pkcs1', 'aes-128-cbc'],
    ['triple DES', 'pkcs1', 'des-ede3-cbc'],
  ] as const)('opens an old key under %s', async (_, type, cipher) => {
    const key = type === 'sec1' ? ec : rsa
    const source = legacy(key, type, cipher)
    expect(source).toContain('Proc-Type: 4,ENCRYPTED')
    expect((await loadPrivateKey(source, { passphrase: 'secret' })).equals(key)).toBe(true)
    expect((await loadPrivateKey(source, { passphrase: Buffer.from('secret') })).equals(key)).toBe(true)
    await expect(loadPrivateKey(source)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED' })
    for (const passphrase of ['Secret', '', 'secret ']) {
      await expect(loadPrivateKey(source, { passphrase })).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
      })
    }
  })

  it('tells a wrong passphrase by what it opens, if the padding happens to fit', async () => {
    const source = legacy(ec, 'sec1', 'aes-128-cbc')
    // One passphrase of 256 gets past the padding; among these, a few do.
    for (let i = 0; i < 1500; i++) {
      await expect(loadPrivateKey(source, { passphrase: `wrong ${i}` })).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
      })
    }
  })

  it('ignores a passphrase for a key that is not encrypted', async () => {
    expect((await loadPrivateKey(pem(ec), { passphrase: 'x' })).equals(ec)).toBe(true)
  })

  const changed = (bytes: Buffer, at: number): Buffer => {
    const copy = Buffer.from(bytes)
    copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at)
    return copy
  }
  it.each([
    ['nothing', ''],
    ['no bytes', new Uint8Array()],
    ['text', 'not a key'],
    ['a file name', 'key.pem'],
    ['a public key', 'SPKI'],
    ['a certificate', 'CERTIFICATE'],
    ['two keys', pem(ec) + pem(rsa)],
    ['the same key twice', pem(ec) + pem(ec)],
    ['a key that is cut off', pem(ec).slice(0, 100)],
    ['a key without its last line', pem(ec).replace(/-----END.*/, '')],
    ['junk in the base64', pem(ec).replace('\n', '\n*')],
    ['DER that is cut off', der(ec).subarray(0, -1)],
    ['DER with a byte too many', Buffer.concat([der(ec), Buffer.from([0])])],
    ['DER of another tag', changed(der(ec), 0)],
    ['an algorithm nobody knows', changed(der(ec), 12)],
    ['a point that is not on the curve', changed(der(ec), der(ec).length - 1)],
    ['an empty sequence', Buffer.from([0x30, 0x00])],
    ['a key of OpenSSH', '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n'],
    ['a key that cannot sign', pem(generateKeyPairSync('x25519').privateKey)],
    ['a key with unknown headers', pem(rsa, 'pkcs1').replace('\n', '\nProc-Type: 5,ENCRYPTED\n\n')],
    ['an old key without DEK-Info', legacy(ec, 'sec1', 'aes-128-cbc').replace(/DEK-Info.*\n/, '')],
    ['an old key with a short IV', legacy(ec, 'sec1', 'aes-128-cbc').replace(/,[0-9A-F]{32}/, ',00')],
    ['an old key under a broken cipher', legacy(ec, 'sec1', 'aes-128-cbc').replace('AES-128-CBC', 'DES-CBC')],
  ])('refuses %s', async (_, source) => {
    const { certPem } = await testCertificate()
    const spki = openssl(['pkey', '-pubout'], pem(ec))
    const input = source === 'CERTIFICATE' ? certPem : source === 'SPKI' ? spki : source
    await expect(loadPrivateKey(input, { passphrase: 'secret' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_MALFORMED',
    })
  })

  it.each([undefined, null, 5, {}])('takes %j for misuse', async (source) => {
    await expect(loadPrivateKey(source as never)).rejects.toThrow(TypeError)
  })

  it('reads what openssl genpkey, ecparam and genrsa write', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'old.pem')
    await writeFile(file, openssl(['genrsa', '-traditional', '-aes128', '-passout', 'pass:secret', '2048']))
    for (const [source, type] of [
      [openssl(['genpkey', '-algorithm', 'ed25519']), 'ed25519'],
      [openssl(['genpkey', '-algorithm', 'ed448']), 'ed448'],
      [openssl(['genpkey', '-algorithm', 'rsa', '-outform', 'PEM']), 'rsa'],
      [openssl(['ecparam', '-name', 'secp521r1', '-genkey']), 'ec'],
      [openssl(['rsa', '-in', file, '-passin', 'pass:secret', '-traditional']), 'rsa'],
    ] as const) {
      expect((await loadPrivateKey(source)).asymmetricKeyType).toBe(type)
    }
  })
})

describe('matchesCertificate', () => {
  let certificate: Certificate
  let own: KeyObject
  beforeAll(async () => {
    const pair = await generateSelfSignedCertificate({ hostname: 'example.org' })
    certificate = pair.certificate
    own = createPrivateKey(pair.privateKeyPem)
  })

  it.each(['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'secp256k1', 'brainpoolP512r1'] as const)(
    'knows the %s key of a certificate',
    async (key) => {
      const pair = await testCertificate({ key })
      expect(matchesCertificate(createPrivateKey(pair.keyPem), pair.certificate)).toBe(true)
    },
  )

  it('refuses other keys, of the same kind or another', () => {
    for (const other of [ec, rsa, ed25519, generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey]) {
      expect(matchesCertificate(other, certificate)).toBe(false)
    }
  })

  // 256 bits are not enough for the padding of a signature over SHA-256.
  it('knows no key that cannot sign', () => {
    const number = (octets: number) => Buffer.alloc(octets, 0xff)
    const halves = [16, 16, 16, 16, 16].map(number)
    const key = rsaPrivateKey(number(32), Uint8Array.of(1, 0, 1), number(32), ...halves)
    const small = createPrivateKey({ format: 'der', type: 'pkcs8', key })
    const spki = createPublicKey(small).export({ format: 'der', type: 'spki' })
    expect(matchesCertificate(small, crafted({ spki }))).toBe(false)
  })

  it('is not fooled by a key that carries the public half of another', () => {
    // SEC1 and PKCS#8 hold both halves, and nobody checks that they belong together. This one has the private half of
    // `ec` and the public half of the certificate's key.
    const forged = Buffer.from(der(ec))
    const publicHalf = der(own).subarray(-65)
    publicHalf.copy(forged, forged.length - 65)
    const key = createPrivateKey({ key: forged, format: 'der', type: 'pkcs8' })
    expect(certificate.toX509Certificate().checkPrivateKey(key), 'OpenSSL compares public halves').toBe(true)
    expect(matchesCertificate(key, certificate)).toBe(false)
  })
})
