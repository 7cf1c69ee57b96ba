// Files of OpenSSL and of node-forge are read, and ours are read by OpenSSL and by Node.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import type { Pkcs12Entry } from '../../src/certificate/pkcs12-entries.ts'
import { readPkcs12 } from '../../src/certificate/pkcs12-read.ts'
import { writePkcs12 } from '../../src/certificate/pkcs12-write.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { type Issued, issue } from '../support/issued-certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const passphrase = 'correct horse'

/** Lets OpenSSL write a file. */
async function byOpenssl(
  { certPem, keyPem }: { readonly certPem: string; readonly keyPem: string },
  options: readonly string[],
  password = passphrase,
): Promise<Buffer> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'both.pem'), keyPem + certPem)
  const [input, output] = [join(folder, 'both.pem'), join(folder, 'out.p12')]
  openssl(['pkcs12', '-export', '-in', input, '-out', output, '-passout', `pass:${password}`, ...options])
  return readFile(output)
}

/** What OpenSSL finds in a file. */
async function opensslReads(file: Uint8Array, password: string, ...options: string[]): Promise<string> {
  const path = join(await temporaryFolder(), 'in.p12')
  await writeFile(path, file)
  return openssl(['pkcs12', '-in', path, '-passin', `pass:${password}`, '-noenc', ...options])
}

async function onlyEntry(file: Uint8Array, password = passphrase): Promise<Pkcs12Entry> {
  const { entries, otherCertificates, otherPrivateKeys } = await readPkcs12(file, { passphrase: password })
  expect({ otherCertificates, otherPrivateKeys }).toEqual({ otherCertificates: [], otherPrivateKeys: [] })
  expect(entries).toHaveLength(1)
  const [entry] = entries
  if (entry === undefined) throw new Error('there is none')
  return entry
}

const ec = testCertificate()
const wrong = { code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG' }

function expectSame(entry: Pkcs12Entry, { certificate, keyPem }: TestCertificate): void {
  expect(entry.certificate.equals(certificate)).toBe(true)
  expect(entry.privateKey.equals(createPrivateKey(keyPem))).toBe(true)
}

describe('a file of OpenSSL', () => {
  it.each([
    ['as it writes by default', []],
    ['in the old way, with RC2-40 and triple DES', ['-legacy']],
    ['with triple DES', ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']],
    ['with triple DES of two keys', ['-keypbe', 'PBE-SHA1-2DES', '-certpbe', 'PBE-SHA1-2DES']],
    ['with RC2-128', ['-legacy', '-keypbe', 'PBE-SHA1-RC2-128', '-certpbe', 'PBE-SHA1-RC2-128']],
    ['with a key under RC2-40', ['-legacy', '-keypbe', 'PBE-SHA1-RC2-40']],
    ['with AES-128', ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-128-CBC']],
    ['with AES-192', ['-keypbe', 'AES-192-CBC', '-certpbe', 'AES-192-CBC']],
    ['with triple DES in PBES2', ['-keypbe', 'DES-EDE3-CBC', '-certpbe', 'DES-EDE3-CBC']],
    ['with certificates that lie open', ['-certpbe', 'NONE']],
    ['with a key that lies open', ['-keypbe', 'NONE']],
    ['with everything open', ['-keypbe', 'NONE', '-certpbe', 'NONE']],
    ['with a MAC by SHA-1', ['-macalg', 'sha1']],
    ['with a MAC by SHA-224', ['-macalg', 'sha224']],
    ['with a MAC by SHA-384', ['-macalg', 'sha384']],
    ['with a MAC by SHA-512', ['-macalg', 'sha512']],
    ['with many iterations', ['-iter', '100000']],
    ['with one iteration', ['-iter', '1']],
    ['with iterations for the MAC alone', ['-noiter']],
    ['with no iterations for the MAC', ['-nomaciter']],
  ])('is read %s', async (_, options) => {
    const file = await byOpenssl(await ec, ['-name', 'Ana María', ...options])
    const entry = await onlyEntry(file)
    expectSame(entry, await ec)
    expect(entry).toMatchObject({ friendlyName: 'Ana María', chain: [] })
    await expect(readPkcs12(file, { passphrase: 'correct hors' })).rejects.toMatchObject(wrong)
    await expect(readPkcs12(file, { passphrase: '' })).rejects.toMatchObject(wrong)
  })

  it.each(['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const)('is read with a key of the kind %s', async (key) => {
    const made = await testCertificate({ key })
    for (const options of [[], ['-legacy'], ['-keypbe', 'NONE']]) {
      expectSame(await onlyEntry(await byOpenssl(made, options)), made)
    }
  })

  it.each([
    ['P-521', 'ec', 'P-521'],
    ['Ed448', 'ed448', undefined],
  ] as const)('is read with a key of the kind %s', async (_, kind, namedCurve) => {
    const keyPem = (kind === 'ec' ? generateKeyPairSync(kind, { namedCurve }) : generateKeyPairSync(kind)).privateKey
      .export({ format: 'pem', type: 'pkcs8' })
      .toString()
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'key.pem'), keyPem)
    const certPem = openssl(['req', '-x509', '-new', '-key', join(folder, 'key.pem'), '-subj', '/CN=Ana'])
    const made = { certPem, keyPem, certificate: Certificate.from(certPem) }
    expectSame(await onlyEntry(await byOpenssl(made, [])), made)
  })

  it.each(['pässwörd 漢字', '🐙', 'с пробелами', 'Ω', '~'])('is read under the passphrase %j', async (password) => {
    for (const options of [[], ['-legacy'], ['-descert', '-keypbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']]) {
      const file = await byOpenssl(await ec, options, password)
      expectSame(await onlyEntry(file, password), await ec)
      await expect(readPkcs12(file, { passphrase: password.slice(0, -1) })).rejects.toMatchObject(wrong)
    }
  })

  it('is read under a passphrase given as bytes', async () => {
    const file = await byOpenssl(await ec, [], 'pässwörd')
    const { entries } = await readPkcs12(file, { passphrase: Buffer.from('pässwörd') })
    expect(entries).toHaveLength(1)
  })

  it('is read under a passphrase of which each byte was taken for a character, as OpenSSL 1.0 did', async () => {
    const mistaken = Buffer.from('pässwörd').toString('latin1')
    const file = await byOpenssl(await ec, ['-legacy'], mistaken)
    expectSame(await onlyEntry(file, 'pässwörd'), await ec)
  })

  it.each([[[]], [['-legacy']], [['-certpbe', 'NONE', '-keypbe', 'NONE']]])(
    'is read without a passphrase (%j)',
    async (options) => {
      const file = await byOpenssl(await ec, options, '')
      expectSame(await onlyEntry(file, ''), await ec)
      await expect(readPkcs12(file, { passphrase: 'x' })).rejects.toMatchObject(wrong)
    },
  )

  it('is refused without a MAC, whatever is encrypted in it', async () => {
    for (const options of [['-nomac'], ['-nomac', '-certpbe', 'NONE', '-keypbe', 'NONE']]) {
      const file = await byOpenssl(await ec, options)
      await expect(readPkcs12(file, { passphrase })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_PKCS12_NO_MAC' })
    }
  })

  it('is refused with its name where an algorithm is not supported', async () => {
    const refused = { code: 'ERR_TLACACOCA_PKCS12_UNSUPPORTED', message: expect.stringContaining('RC4 with 128 bits') }
    const file = await byOpenssl(await ec, ['-legacy', '-keypbe', 'PBE-SHA1-RC4-128'])
    await expect(readPkcs12(file, { passphrase })).rejects.toMatchObject(refused)
  })

  it('holds what its tool was given: certificates without a key', async () => {
    const { certPem, certificate } = await ec
    const file = await byOpenssl({ certPem, keyPem: '' }, ['-nokeys'])
    const contents = await readPkcs12(file, { passphrase })
    expect(contents).toMatchObject({ entries: [], otherPrivateKeys: [] })
    expect(contents.otherCertificates.map(String)).toEqual([certificate].map(String))
    expect(contents.otherCertificates[0]?.equals(certificate)).toBe(true)
  })

  it('is read with its chain', async () => {
    const { root, middle, leaf } = chain()
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'above.pem'), root.certificate.toPem() + middle.certificate.toPem())
    const file = await byOpenssl(pems(leaf), ['-certfile', join(folder, 'above.pem')])
    const entry = await onlyEntry(file)
    expect(entry.certificate.equals(leaf.certificate)).toBe(true)
    expect(entry.chain).toEqual([middle.certificate, root.certificate])
  })
})

describe('a file of node-forge', () => {
  it.each([
    { algorithm: '3des' },
    { algorithm: 'aes128' },
    { algorithm: 'aes256', prfAlgorithm: 'sha256' },
    {},
  ] as const)('is read with the options %j', async (options) => {
    const { default: forge } = await import('node-forge')
    const made = await testCertificate({ key: 'RSA-2048' })
    const asn1 = forge.pkcs12.toPkcs12Asn1(
      forge.pki.privateKeyFromPem(made.keyPem),
      [forge.pki.certificateFromPem(made.certPem)],
      passphrase,
      { friendlyName: 'forged', generateLocalKeyId: true, ...options },
    )
    const entry = await onlyEntry(Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1'))
    expectSame(entry, made)
    expect(entry.friendlyName).toBe('forged')
  })
})

describe('a file of ours', () => {
  it.each(['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const)(
    'with a key of the kind %s is read by OpenSSL, by Node and by us',
    async (kind) => {
      const made = await testCertificate({ key: kind })
      for (const compatibility of ['modern', 'legacy'] as const) {
        const file = await writePkcs12(
          { certificates: [made.certificate], privateKey: made.keyPem, friendlyName: 'Ana María' },
          { passphrase, compatibility, iterations: 2048 },
        )
        const read = await opensslReads(file, passphrase)
        expect(createPrivateKey(read).equals(createPrivateKey(made.keyPem))).toBe(true)
        expect(read).toContain(made.certPem)
        expect(read.match(/friendlyName: Ana Mar/g)).toHaveLength(2)
        expect(read.match(/localKeyID: /g)).toHaveLength(2)
        expect(() => createSecureContext({ pfx: Buffer.from(file), passphrase })).not.toThrow()
        expect(() => createSecureContext({ pfx: Buffer.from(file), passphrase: 'wrong' })).toThrow()
        const entry = await onlyEntry(file)
        expectSame(entry, made)
        expect(entry.friendlyName).toBe('Ana María')
      }
    },
  )

  it.each(['pässwörd 漢字', '🐙', 'x'.repeat(1024), ' '])('opens under the passphrase %j', async (password) => {
    const { certificate, keyPem } = await ec
    for (const compatibility of ['modern', 'legacy'] as const) {
      const file = await writePkcs12(
        { certificates: [certificate], privateKey: keyPem },
        { passphrase: password, compatibility, iterations: 2048 },
      )
      // The command line of OpenSSL takes no more than that.
      if (password.length < 1000) expect(await opensslReads(file, password)).toContain('BEGIN PRIVATE KEY')
      expect(() => createSecureContext({ pfx: Buffer.from(file), passphrase: password })).not.toThrow()
      expectSame(await onlyEntry(file, password), await ec)
    }
  })

  it('says what it is protected by, and derives as much as it says', async () => {
    const { certificate, keyPem } = await ec
    const described = async (compatibility: 'modern' | 'legacy'): Promise<string> => {
      const path = join(await temporaryFolder(), 'ours.p12')
      await writeFile(
        path,
        await writePkcs12({ certificates: [certificate], privateKey: keyPem }, { passphrase, compatibility }),
      )
      return openssl(['asn1parse', '-inform', 'DER', '-in', path]) + (await infoOf(path))
    }
    const modern = await described('modern')
    expect(modern).toContain('MAC: sha256, Iteration 200000')
    expect(modern.match(/PBES2, PBKDF2, AES-256-CBC, Iteration 200000, PRF hmacWithSHA256/g)).toHaveLength(2)
    const legacy = await described('legacy')
    expect(legacy).toContain('MAC: sha1, Iteration 50000')
    expect(legacy.match(/pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 50000/g)).toHaveLength(2)
  })

  it('holds the chain, which OpenSSL finds too', async () => {
    const { root, middle, leaf } = chain()
    const file = await writePkcs12(
      {
        certificates: [root.certificate, leaf.certificate, middle.certificate, leaf.certificate],
        privateKey: leaf.keys.privateKey,
      },
      { passphrase, iterations: 2048 },
    )
    const above = await opensslReads(file, passphrase, '-cacerts', '-nokeys')
    expect(above.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    const own = await opensslReads(file, passphrase, '-clcerts', '-nokeys')
    expect(own).toContain(leaf.certificate.toPem())
    const entry = await onlyEntry(file)
    expect(entry.certificate).toEqual(leaf.certificate)
    expect(entry.chain).toEqual([middle.certificate, root.certificate])
  })

  it('is another each time, and shows nothing of what is in it', async () => {
    const { certificate, keyPem } = await ec
    const identity = { certificates: [certificate], privateKey: keyPem, friendlyName: 'Ana' }
    const [first, second] = await Promise.all([
      writePkcs12(identity, { passphrase, iterations: 2048 }),
      writePkcs12(identity, { passphrase, iterations: 2048 }),
    ])
    expect(first).not.toEqual(second)
    expect(Buffer.from(first).includes(Buffer.from(certificate.der))).toBe(false)
    const pkcs8 = createPrivateKey(keyPem).export({ format: 'der', type: 'pkcs8' })
    expect(Buffer.from(first).includes(pkcs8.subarray(-60))).toBe(false)
  })
})

function chain(): { root: Issued; middle: Issued; leaf: Issued } {
  const root = issue({ subject: 'Root', ca: true, keyUsage: ['keyCertSign'] })
  const middle = issue({ subject: 'Middle', ca: true, keyUsage: ['keyCertSign'], by: root })
  const leaf = issue({ subject: 'Ana', by: middle })
  return { root, middle, leaf }
}

function pems({ certificate, keys }: Issued): { certPem: string; keyPem: string } {
  return {
    certPem: certificate.toPem(),
    keyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

/** OpenSSL tells these things on its standard error. */
async function infoOf(path: string): Promise<string> {
  const { spawnSync } = await import('node:child_process')
  return spawnSync('openssl', [
    'pkcs12',
    '-info',
    '-noout',
    '-in',
    path,
    '-passin',
    `pass:${passphrase}`,
  ]).stderr.toString()
}
