// Authorities that were made by openssl, in the ways of the last fifteen years.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { snapshot } from '../support/authority-directory.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const PASSPHRASE = 'test'
const PASSIN = ['-passin', `pass:${PASSPHRASE}`]
const PASSOUT = ['-passout', `pass:${PASSPHRASE}`]
const SUBJECT = [
  '-subj',
  '/C=US/ST=Florida/L=Palm Beach/O=Random Authority, Inc./CN=ca.net/emailAddress=ca@openpeak.com',
]

let path: string
beforeEach(async () => {
  path = join(await temporaryFolder(), 'ca')
  await mkdir(path, { mode: 0o700 })
})

const at = (name: string): string => join(path, name)
const CERT = 'ca.cert.pem'
const KEY = 'ca.private_key.pem'

/** `openssl req -x509`, and the two files that can be made from it. */
async function adopt(key: readonly string[], more: readonly string[] = []): Promise<void> {
  const out = ['-keyout', at(KEY), '-out', at(CERT)]
  openssl(['req', '-x509', ...key, ...SUBJECT, '-days', '3650', ...PASSOUT, ...out, ...more])
  openssl(['pkey', '-in', at(KEY), ...PASSIN, '-pubout', '-out', at('ca.public_key.pem')])
  openssl(['req', '-new', '-key', at(KEY), ...PASSIN, ...SUBJECT, '-out', at('ca.csr.pem')])
  await chmod(at(KEY), 0o600)
}
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const RSA = ['-newkey', 'rsa:2048']

/** Opens it, and makes sure that nothing in it has changed. */
async function opened() {
  const before = await snapshot(path)
  const identity = await openAuthorityDirectory(path, { passphrase: PASSPHRASE })
  expect(await snapshot(path)).toEqual(before)
  expect(String(identity.certificate.subject)).toContain('CN=ca.net')
  return identity.warnings.map(({ code }) => code)
}

describe('an authority by openssl', () => {
  it.each([
    ['P-256', EC],
    ['RSA', RSA],
    ['Ed25519', ['-newkey', 'ed25519']],
  ])('is adopted as it is, with a key of the kind %s', async (_kind, key) => {
    await adopt(key)
    expect(await opened()).toEqual([])
  })

  it('is adopted without encryption, with a warning', async () => {
    await adopt(EC, ['-nodes'])
    expect(await opened()).toEqual(['key_not_encrypted'])
  })

  it('is adopted with the modes of the manual of the original, with a warning', async () => {
    await adopt(RSA)
    for (const name of [CERT, KEY, 'ca.csr.pem', 'ca.public_key.pem']) await chmod(at(name), 0o640)
    await chmod(path, 0o750)
    expect(await opened()).toEqual(['key_file_exposed'])
  })

  it('is adopted if it is a root that signed itself by SHA-1', async () => {
    await adopt(RSA, ['-sha1'])
    expect(await opened()).toEqual([])
  })

  it('is adopted with its text above the PEM', async () => {
    await adopt(RSA)
    openssl(['x509', '-in', at(CERT), '-text', '-out', at(CERT)])
    openssl(['req', '-in', at('ca.csr.pem'), '-text', '-out', at('ca.csr.pem')])
    expect(await readFile(at(CERT), 'utf8')).toMatch(/^Certificate:/)
    expect(await opened()).toEqual([])
  })

  it('is adopted with line ends of Windows', async () => {
    await adopt(EC)
    for (const name of [CERT, KEY, 'ca.csr.pem', 'ca.public_key.pem']) {
      await writeFile(at(name), (await readFile(at(name), 'utf8')).replaceAll('\n', '\r\n'))
    }
    expect(await opened()).toEqual([])
  })

  it('is adopted with a request under its old label, and with one signed by SHA-1', async () => {
    await adopt(RSA)
    openssl(['req', '-new', '-newhdr', '-sha1', '-key', at(KEY), ...PASSIN, ...SUBJECT, '-out', at('ca.csr.pem')])
    expect(await readFile(at('ca.csr.pem'), 'utf8')).toContain('NEW CERTIFICATE REQUEST')
    expect(await opened()).toEqual([])
  })

  it('is adopted with a public key in the form of PKCS#1, if it is the right one', async () => {
    await adopt(RSA)
    const pkcs1 = ['-RSAPublicKey_out', '-out', at('ca.public_key.pem')]
    openssl(['rsa', '-in', at(KEY), ...PASSIN, ...pkcs1])
    expect(await readFile(at('ca.public_key.pem'), 'utf8')).toContain('BEGIN RSA PUBLIC KEY')
    expect(await opened()).toEqual([])
    openssl(['rsa', ...pkcs1], openssl(['genrsa', '2048']))
    await expect(opened()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_MISMATCH' })
  })

  it('is adopted with a public key whose point is written in the short form', async () => {
    await adopt(EC)
    const short = ['-conv_form', 'compressed', '-pubout', '-out', at('ca.public_key.pem')]
    openssl(['ec', '-in', at(KEY), ...PASSIN, ...short])
    expect(await opened()).toEqual([])
  })

  it('is adopted below another one, which signed its request', async () => {
    await adopt(EC)
    const root = { key: at('root.key'), cert: at('root.pem') }
    const x509 = ['-x509', '-subj', '/CN=root', '-days', '3650', '-nodes', '-keyout', root.key, '-out', root.cert]
    openssl(['req', ...EC, ...x509])
    await writeFile(at('ext'), 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n')
    const by = ['-CA', root.cert, '-CAkey', root.key, '-days', '1000', '-extfile', at('ext')]
    openssl(['x509', '-req', '-in', at('ca.csr.pem'), ...by, '-out', at(CERT)])
    expect(await opened()).toEqual(['chain_incomplete'])
    await writeFile(at('ca.chain.pem'), await readFile(root.cert))
    expect(await opened()).toEqual([])
    expect((await openAuthorityDirectory(path, { passphrase: PASSPHRASE })).chain).toHaveLength(1)
  })
})

describe('a key of an authority, encrypted by openssl', () => {
  const legacy = (cipher: string) => ['rsa', `-${cipher}`, '-traditional']
  const pkcs8 = (...scheme: string[]) => ['pkcs8', '-topk8', ...scheme]
  it.each([
    ['the old way, DES three times', RSA, legacy('des3'), 'Proc-Type: 4,ENCRYPTED'],
    ['the old way, AES-128', RSA, legacy('aes128'), 'Proc-Type: 4,ENCRYPTED'],
    ['the old way, AES-256', RSA, legacy('aes256'), 'BEGIN RSA PRIVATE KEY'],
    ['the old way, EC', EC, ['ec', '-aes256'], 'BEGIN EC PRIVATE KEY'],
    ['PKCS#8 v1, SHA-1 and DES three times', RSA, pkcs8('-v1', 'PBE-SHA1-3DES'), 'BEGIN ENCRYPTED PRIVATE KEY'],
    ['PKCS#8 v2, DES three times', RSA, pkcs8('-v2', 'des3'), 'BEGIN ENCRYPTED PRIVATE KEY'],
    ['PKCS#8 v2, AES-256 and SHA-1', RSA, pkcs8('-v2', 'aes256', '-v2prf', 'hmacWithSHA1'), 'BEGIN ENCRYPTED'],
    ['PKCS#8 with scrypt', EC, pkcs8('-scrypt'), 'BEGIN ENCRYPTED PRIVATE KEY'],
  ] as const)('opens with its passphrase only: %s', async (_how, kind, command, label) => {
    await adopt(kind)
    const [name = '', ...args] = command
    const key = await readFile(at(KEY))
    const plain = openssl(['pkey', ...PASSIN], key)
    const encrypted = openssl([name, ...args, ...PASSOUT], plain)
    expect(encrypted).toContain(label)
    await writeFile(at(KEY), encrypted)
    expect(await opened()).toEqual([])
    await expect(openAuthorityDirectory(path, { passphrase: 'wrong' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    })
    await expect(openAuthorityDirectory(path)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED',
    })
  })

  it('is refused, with advice, if the cipher is one that OpenSSL keeps apart', async () => {
    await adopt(RSA)
    const command = ['pkcs8', '-topk8', '-v1', 'PBE-MD5-DES', '-provider', 'legacy', '-provider', 'default']
    const args = [...command, '-in', at(KEY), ...PASSIN, ...PASSOUT, '-out', at('weak.pem')]
    if (!opensslSucceeds(args)) return
    await writeFile(at(KEY), await readFile(at('weak.pem')))
    await expect(opened()).rejects.toMatchObject({ name: 'PrivateKeyError', message: expect.stringContaining(at(KEY)) })
  })

  it('is read beside the parameters of its curve', async () => {
    await adopt(EC)
    const plain = openssl(['ec', '-in', at(KEY), ...PASSIN])
    const parameters = openssl(['ecparam', '-name', 'prime256v1'])
    await writeFile(at(KEY), `${parameters}${plain}`)
    expect(await opened()).toEqual(['key_not_encrypted'])
  })
})
