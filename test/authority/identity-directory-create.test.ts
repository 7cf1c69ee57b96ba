import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  type CreateAuthorityOptions,
  createAuthorityDirectory,
  openAuthorityDirectory,
} from '../../src/authority/identity-directory.ts'
import { Certificate } from '../../src/certificate/certificate.ts'
import { CertificateRequest } from '../../src/certificate/certificate-request.ts'
import type { NameField } from '../../src/certificate/name-fields.ts'
import { FILES, snapshot } from '../support/authority-directory.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { runChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const PASSPHRASE = 'correct horse'
const SUBJECT: readonly NameField[] = [
  ['C', 'US'],
  ['ST', 'Florida'],
  ['L', 'Palm Beach'],
  ['O', 'Random Authority, Inc.'],
  ['OU', 'Certificates'],
  ['OU', 'Nähstube + Söhne'],
  ['CN', 'ca.net'],
  ['emailAddress', 'ca@example.com'],
]
const NOW = Date.parse('2026-02-28T12:00:00.700Z')

let folder: string
let path: string
beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder, 'ca')
})

// Scrypt takes its tenth of a second; where the passphrase does not matter there is none.
const create = (options: Partial<CreateAuthorityOptions> = {}) =>
  createAuthorityDirectory(path, {
    subject: SUBJECT,
    ...(options.passphrase === undefined ? { dangerouslyUnencrypted: true } : {}),
    ...options,
  })
const contentsOf = (name: string): Promise<string> => readFile(join(path, name), 'utf8')
const modeOf = async (name: string): Promise<number> => (await stat(join(path, name))).mode & 0o7777

describe('a new authority', () => {
  it('has four files, and opens again with its passphrase', async () => {
    const created = await create({ passphrase: PASSPHRASE })
    expect((await readdir(path)).sort()).toEqual([...FILES].sort())
    expect(created).toMatchObject({ chain: [], path, warnings: [] })

    const opened = await openAuthorityDirectory(path, { passphrase: PASSPHRASE })
    expect(opened).toMatchObject({ chain: [], path, warnings: [] })
    expect(opened.certificate.fingerprint).toBe(created.certificate.fingerprint)
    expect(opened.privateKey.equals(created.privateKey)).toBe(true)
  })

  it('has a certificate that says what it is, and no more', async () => {
    const { certificate } = await create({ clock: () => NOW })
    expect(certificate).toMatchObject({
      version: 3,
      isCA: true,
      pathLength: 1,
      keyUsage: ['keyCertSign', 'cRLSign'],
      extendedKeyUsage: null,
      isSelfIssued: true,
      keyType: 'ec',
      keyCurve: 'P-256',
    })
    expect(certificate.extensions.map(({ oid, critical }) => [oid, critical])).toEqual([
      ['2.5.29.19', true],
      ['2.5.29.15', true],
      ['2.5.29.14', false],
    ])
    expect(certificate.signatureAlgorithm.hash).toBe('sha256')
    expect(certificate.serialNumber).toMatch(/^[0-9a-f]{30,34}$/)
    expect(certificate.notBefore.toISOString()).toBe('2026-02-28T11:00:00.000Z')
    expect(certificate.notAfter.toISOString()).toBe('2036-02-28T12:00:00.000Z')
  })

  it('has the name it was given, field by field', async () => {
    const { certificate } = await create()
    const { attributes } = certificate.subject
    expect(attributes.map(({ value }) => value)).toEqual(SUBJECT.map(([, value]) => value))
    const request = CertificateRequest.from(await contentsOf('ca.csr.pem'))
    expect(Buffer.from(request.subjectDer).equals(certificate.subjectDer)).toBe(true)
    expect(request.publicKeyFingerprint).toBe(certificate.publicKeyFingerprint)
    request.requireProof()
  })

  it('is one of the key that is written, and not of the text of a field', async () => {
    const { certificate } = await create({ subject: [['CN', 'ca.net, O=Somebody Else\\+OU=x/emailAddress=a@b']] })
    expect(certificate.subject.attributes).toHaveLength(1)
  })

  it.each([
    [10, '2036-02-28T12:00:00.000Z'],
    ['10', '2036-02-28T12:00:00.000Z'],
    ['1y', '2027-02-28T12:00:00.000Z'],
    ['365d', '2027-02-28T12:00:00.000Z'],
    ['36h', '2026-03-02T00:00:00.000Z'],
    ['3600s', '2026-02-28T13:00:00.000Z'],
    [50, '2076-02-28T12:00:00.000Z'],
  ])('is valid for %j', async (validity, end) => {
    const { certificate } = await create({ clock: () => NOW, validity })
    expect(certificate.notAfter.toISOString()).toBe(end)
  })

  it.each(['P-256', 'P-384', 'RSA-3072', 'RSA-4096'] as const)('has a key of the kind %s', async (key) => {
    const { certificate } = await create({ key })
    expect(certificate.keyCurve ?? `RSA-${certificate.keySize}`).toBe(key)
    expect((await openAuthorityDirectory(path)).warnings.map(({ code }) => code)).toEqual(['key_not_encrypted'])
  })

  it.each([0, 3])('limits the authorities below it to %i', async (pathLength) => {
    expect((await create({ pathLength })).certificate.pathLength).toBe(pathLength)
  })

  it('is never half unencrypted: no passphrase and no terminal make nothing', async () => {
    await expect(createAuthorityDirectory(path, { subject: SUBJECT })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED',
    })
    expect(await readdir(folder)).toEqual([])
  })

  it('is unencrypted only if that is said, and says so', async () => {
    const { warnings } = await create()
    expect(warnings.map(({ code }) => code)).toEqual(['key_not_encrypted'])
    expect(await contentsOf('ca.private_key.pem')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
  })

  it('warns of a passphrase that everybody can read, and of an early end', async () => {
    const file = join(folder, 'passphrase')
    await writeFile(file, PASSPHRASE)
    await chmod(file, 0o644)
    const { warnings } = await create({ passphrase: { file }, validity: '89d' })
    expect(warnings.map(({ code }) => code)).toEqual(['passphrase_file_exposed', 'expires_soon'])
  })

  it('takes its passphrase from CA_PASSPHRASE, which is gone afterwards', async () => {
    process.env.CA_PASSPHRASE = PASSPHRASE
    onTestFinished(() => void delete process.env.CA_PASSPHRASE)
    await createAuthorityDirectory(path, { subject: SUBJECT })
    expect(process.env.CA_PASSPHRASE).toBeUndefined()
    await expect(openAuthorityDirectory(path, { passphrase: PASSPHRASE })).resolves.toMatchObject({ warnings: [] })
  })
})

describe('a new authority, to openssl', () => {
  it.each(['P-256', 'RSA-3072'] as const)('is sound in all its files: %s', async (key) => {
    const { certificate } = await create({ key, passphrase: PASSPHRASE, clock: () => Date.now() })
    const at = (name: string) => join(path, name)
    openssl(['verify', '-x509_strict', '-CAfile', at('ca.cert.pem'), at('ca.cert.pem')])
    openssl(['req', '-in', at('ca.csr.pem'), '-verify', '-noout'])
    const fromKey = openssl(['pkey', '-in', at('ca.private_key.pem'), '-passin', `pass:${PASSPHRASE}`, '-pubout'])
    expect(fromKey).toBe(await contentsOf('ca.public_key.pem'))
    expect(openssl(['x509', '-in', at('ca.cert.pem'), '-pubkey', '-noout'])).toBe(fromKey)
    expect(openssl(['req', '-in', at('ca.csr.pem'), '-pubkey', '-noout'])).toBe(fromKey)
    expect(opensslSucceeds(['pkey', '-in', at('ca.private_key.pem'), '-passin', 'pass:wrong'])).toBe(false)
    expect(openssl(['asn1parse', '-in', at('ca.private_key.pem')])).toMatch(/PBES2[\s\S]*scrypt[\s\S]*aes-256-cbc/)
    const text = openssl(['x509', '-in', at('ca.cert.pem'), '-noout', '-text'])
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:1/)
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/)
    const subject = openssl([
      'x509',
      '-in',
      at('ca.cert.pem'),
      '-noout',
      '-subject',
      '-nameopt',
      'RFC2253,utf8,-esc_msb',
    ])
    expect(subject).toContain('CN=ca.net,OU=Nähstube \\+ Söhne,OU=Certificates,O=Random Authority\\, Inc.,')
    expect(Certificate.from(await contentsOf('ca.cert.pem')).equals(certificate)).toBe(true)
  })

  it('signs what openssl verifies', async () => {
    await create({ passphrase: PASSPHRASE })
    const at = (name: string) => join(path, name)
    const [request, issued] = [join(folder, 'leaf.csr'), join(folder, 'leaf.pem')]
    openssl([
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      '/dev/null',
      '-subj',
      '/CN=ana',
      '-out',
      request,
    ])
    const by = ['-CA', at('ca.cert.pem'), '-CAkey', at('ca.private_key.pem'), '-passin', `pass:${PASSPHRASE}`]
    openssl(['x509', '-req', '-in', request, ...by, '-out', issued])
    openssl(['verify', '-CAfile', at('ca.cert.pem'), issued])
  })
})

describe('the modes of a new authority', () => {
  it.each([
    [0o000, { directory: 0o700, key: 0o600, others: 0o644 }],
    [0o022, { directory: 0o700, key: 0o600, others: 0o644 }],
    [0o027, { directory: 0o700, key: 0o600, others: 0o640 }],
    [0o077, { directory: 0o700, key: 0o600, others: 0o600 }],
  ])('open the key to its owner only under the umask %o', async (mask, { directory, key, others }) => {
    const before = process.umask(mask)
    try {
      await create()
    } finally {
      process.umask(before)
    }
    expect(await modeOf('.')).toBe(directory)
    expect(await modeOf('ca.private_key.pem')).toBe(key)
    for (const name of FILES.slice(1)) expect(await modeOf(name)).toBe(others)
  })

  it('stay those of a directory that exists', async () => {
    await mkdir(path)
    await chmod(path, 0o750)
    await create()
    expect(await modeOf('.')).toBe(0o750)
  })

  it('are those of no directory that everybody can write to', async () => {
    await mkdir(path)
    await chmod(path, 0o777)
    await expect(create()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_EXPOSED' })
    expect(await readdir(path)).toEqual([])
    // Where nobody can touch the files of others, as in /tmp.
    await chmod(path, 0o1777)
    await create()
  })
})

describe('what is there already', () => {
  it.each([...FILES, 'ca.chain.pem'])('is never replaced: %s', async (name) => {
    await mkdir(path)
    await writeFile(join(path, name), 'precious')
    const before = await snapshot(path)
    process.env.CA_PASSPHRASE = PASSPHRASE
    onTestFinished(() => void delete process.env.CA_PASSPHRASE)
    await expect(createAuthorityDirectory(path, { subject: SUBJECT })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_EXISTS',
      path: join(path, name),
    })
    expect(await snapshot(path)).toEqual(before)
    // Nobody was asked for a passphrase in vain.
    expect(process.env.CA_PASSPHRASE).toBe(PASSPHRASE)
  })

  it.each([...FILES, 'ca.chain.pem'])('is not written through if %s is a symbolic link', async (name) => {
    await mkdir(path)
    await writeFile(join(folder, 'target'), 'precious')
    for (const target of [join(folder, 'target'), join(folder, 'nothing')]) {
      await symlink(target, join(path, name))
      await expect(create()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_EXISTS' })
      expect(await readdir(path)).toEqual([name])
      execFileSync('rm', [join(path, name)])
    }
    expect((await readdir(folder)).sort()).toEqual(['ca', 'target'])
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('precious')
  })

  it('may be a link to a directory', async () => {
    await mkdir(join(folder, 'elsewhere'))
    await symlink(join(folder, 'elsewhere'), path)
    await create()
    expect((await readdir(join(folder, 'elsewhere'))).sort()).toEqual([...FILES].sort())
  })

  it('may not be a file in place of the directory', async () => {
    await writeFile(path, 'precious')
    await expect(create()).rejects.toMatchObject({ name: 'FileError' })
    expect(await readFile(path, 'utf8')).toBe('precious')
  })

  it('may be an authority, which is not created again', async () => {
    await create()
    const before = await snapshot(path)
    await expect(create()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_EXISTS' })
    expect(await snapshot(path)).toEqual(before)
  })
})

describe('two creations in one place', () => {
  it('make one authority in one process, whoever wins', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => create()))
    const won = results.filter((each) => each.status === 'fulfilled')
    expect(won).toHaveLength(1)
    for (const each of results) {
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'ERR_TLACACOCA_FILE_EXISTS' })
    }
    expect((await readdir(path)).sort()).toEqual([...FILES].sort())
    const { certificate } = await openAuthorityDirectory(path)
    expect(certificate.fingerprint).toBe(won[0]?.value.certificate.fingerprint)
  })

  it('make one authority in several processes', async () => {
    const args = ['create', path, JSON.stringify({ dangerouslyUnencrypted: true })]
    const children = await Promise.all(Array.from({ length: 4 }, () => runChild('authority-child.ts', { args })))
    const results = children.map(({ stdout }) => JSON.parse(stdout) as { fingerprint?: string; code?: string })
    const won = results.filter(({ fingerprint }) => fingerprint !== undefined)
    expect(won).toHaveLength(1)
    expect(results.filter(({ code }) => code === 'ERR_TLACACOCA_FILE_EXISTS')).toHaveLength(3)
    expect((await openAuthorityDirectory(path)).certificate.fingerprint).toBe(won[0]?.fingerprint)
    expect((await readdir(path)).sort()).toEqual([...FILES].sort())
  })

  it('leave nothing if the disk does not take it', async () => {
    const args = ['create', path, JSON.stringify({ dangerouslyUnencrypted: true })]
    const { stdout } = await runChild('authority-child.ts', { args, shell: "trap '' XFSZ; ulimit -f 0" })
    expect(JSON.parse(stdout)).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(await readdir(path)).toEqual([])
  })
})

describe('the options of a new authority', () => {
  it.each([
    [{ subject: [] }, RangeError, /"subject" expected at least one field/],
    [{ subject: undefined }, TypeError, /"subject"/],
    [{ subject: 'CN=ca.net' }, TypeError, /"subject/],
    [{ subject: [['CN', '']] }, RangeError, /"subject\[0\]"/],
    [{ subject: [['CN', 'ca\0net']] }, RangeError, /"subject\[0\]"/],
    [{ subject: [['C', 'USA']] }, RangeError, /"subject\[0\]"/],
    [{ subject: [['Q', 'x']] }, TypeError, /"subject\[0\]"/],
    [{ validity: 0 }, RangeError, /"validity"/],
    [{ validity: '10w' }, RangeError, /"validity"/],
    [{ validity: 8000 }, RangeError, /"validity"/],
    [{ key: 'RSA-2048' }, TypeError, /"key"/],
    [{ key: 'Ed25519' }, TypeError, /"key"/],
    [{ pathLength: -1 }, RangeError, /"pathLength"/],
    [{ pathLength: 0.5 }, RangeError, /"pathLength"/],
    [{ pathLength: null }, TypeError, /"pathLength"/],
    [{ passphrase: 'x' }, TypeError, /exclude each other/],
    [{ passphrase: '', dangerouslyUnencrypted: false }, RangeError, /"passphrase"/],
    [{ passphrase: 1234, dangerouslyUnencrypted: false }, TypeError, /"passphrase"/],
    [{ dangerouslyUnencrypted: 'yes' }, TypeError, /"dangerouslyUnencrypted"/],
    [{ unencrypted: true }, TypeError, /no option "unencrypted"/],
    [{ clock: 0 }, TypeError, /"clock"/],
    [{ clock: () => Number.NaN }, RangeError, /./],
  ])('are refused before anything is made: %o', async (options, kind, message) => {
    const given = { subject: SUBJECT, dangerouslyUnencrypted: true, ...options }
    const error = await createAuthorityDirectory(path, given as never).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(kind)
    expect(String(error)).toMatch(message)
    expect(await readdir(folder)).toEqual([])
  })

  it.each(['', 7, undefined])('need the path of a directory, which %j is not', async (wrong) => {
    const options = { subject: SUBJECT, dangerouslyUnencrypted: true }
    await expect(createAuthorityDirectory(wrong as never, options)).rejects.toThrow(/"path"/)
    await expect(openAuthorityDirectory(wrong as never)).rejects.toThrow(/"path"/)
  })
})
