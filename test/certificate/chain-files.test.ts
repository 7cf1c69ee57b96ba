import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CertificateSet } from '../../src/certificate/certificate-set.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import {
  ExtraneousPrivateKeyError,
  FileError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoLeafCertificateError,
} from '../../src/errors.ts'
import { certPem, family, keyPem, marked, refusal } from '../support/chain-fixtures.ts'
import { issue } from '../support/issued-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const { root, middle, leaf } = family()
const other = marked({ subject: 'other.example.org' })
const CHAIN = certPem(leaf, middle)

/** Writes files into a new folder; those with keys are for their owner only. */
async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [name, contents] of Object.entries(files)) {
    await writeFile(join(folder, name), contents, { mode: contents.includes('PRIVATE') ? 0o600 : 0o644 })
  }
  return folder
}

describe('a chain in files', () => {
  const files = (folder: string) => ({ certFile: join(folder, 'a.pem'), keyFile: join(folder, 'a.key') })

  it('is read', async () => {
    const folder = await folderWith({ 'a.pem': `\ufeff${CHAIN}`, 'a.key': keyPem(leaf) })
    const chain = await KeyedChain.fromFiles({ ...files(folder), strictPermissions: true })
    expect(chain.certificates).toHaveLength(2)
    expect(chain.warnings).toEqual([])
  })

  it.each([
    [
      'junk in the certificate file',
      { 'a.pem': `${CHAIN}junk`, 'a.key': keyPem(leaf) },
      'PEM_INVALID',
      /a\.pem: line \d+/,
    ],
    [
      'a key in the certificate file',
      { 'a.pem': CHAIN + keyPem(leaf), 'a.key': keyPem(leaf) },
      'EXTRANEOUS_KEY',
      /line \d+ of .*a\.pem/,
    ],
    ['another key', { 'a.pem': CHAIN, 'a.key': keyPem(other) }, 'EXTRANEOUS_KEY', /line 1 of .*a\.key belongs to none/],
    [
      'a second leaf',
      { 'a.pem': CHAIN + certPem(issue({ by: middle, ca: false })), 'a.key': keyPem(leaf) },
      'SEVERAL_LEAVES',
      /line 1 of .*a\.pem/,
    ],
    ['an empty key file', { 'a.pem': CHAIN, 'a.key': '' }, 'KEY_MISSING', /line 1 of .*a\.pem.*no private key/],
    ['an empty certificate file', { 'a.pem': '\n', 'a.key': keyPem(leaf) }, 'NO_LEAF', /no certificate in .*a\.pem/],
  ] as const)('is refused with the name of the file: %s', async (_, contents, code, says) => {
    const error = await refusal(async () => KeyedChain.fromFiles(files(await folderWith(contents))))
    expect(error.code).toBe(`ERR_TLACACOCA_CHAIN_${code}`)
    expect(error.message).toMatch(says)
  })

  it('is refused if a file is not there, or is no file', async () => {
    const folder = await folderWith({ 'a.pem': CHAIN })
    await expect(KeyedChain.fromFiles(files(folder))).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' })
    await mkdir(join(folder, 'a.key'))
    await expect(KeyedChain.fromFiles(files(folder))).rejects.toBeInstanceOf(FileError)
  })

  it('says where a key is that cannot be opened', async () => {
    const folder = await folderWith({
      'a.pem': CHAIN,
      'a.key': `-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n`,
    })
    await expect(KeyedChain.fromFiles(files(folder))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_MALFORMED',
      message: expect.stringMatching(/^line 1 of .*a\.key: /),
    })
  })

  // Rule K5.
  it.skipIf(process.platform === 'win32').each([0o640, 0o604, 0o620, 0o610, 0o644])(
    'whose key others can reach (mode %o) gives a warning, or an error',
    async (mode) => {
      const folder = await folderWith({ 'a.pem': CHAIN, 'a.key': keyPem(leaf) })
      await chmod(join(folder, 'a.key'), mode)
      const { warnings } = await KeyedChain.fromFiles(files(folder))
      expect(warnings).toEqual([
        { code: 'key_file_exposed', subject: 'CN=example.org', message: expect.stringMatching(/a\.key .*0600/) },
      ])
      const error = await refusal(() => KeyedChain.fromFiles({ ...files(folder), strictPermissions: true }))
      expect(error.code).toBe('ERR_TLACACOCA_CHAIN_KEY_FILE_EXPOSED')
      expect(error.message).toMatch(/a\.key/)
    },
  )

  it.skipIf(process.platform === 'win32')('is judged by the key and not by a link to it', async () => {
    const folder = await folderWith({ 'a.pem': CHAIN, 'real.key': keyPem(leaf) })
    await symlink(join(folder, 'real.key'), join(folder, 'a.key'))
    expect((await KeyedChain.fromFiles(files(folder))).warnings).toEqual([])
  })

  it.each([
    ['unknown options', { passphrases: 'x' }],
    ['permissions that are no boolean', { strictPermissions: 'no' }],
    ['no key file', { keyFile: undefined }],
    ['a certificate file that is no path', { certFile: 7 }],
  ])('throws a TypeError for %s', async (_, options) => {
    const call = KeyedChain.fromFiles({ ...files('/nowhere'), ...options } as never)
    await expect(call).rejects.toThrow(TypeError)
    await expect(call).rejects.toThrow(/expected|no option/)
  })
})

describe('the chains in a folder', () => {
  it('are those of certificate files with keys beside them', async () => {
    const third = issue({ subject: 'third', by: middle, ca: false })
    const folder = await folderWith({
      'b.crt': certPem(middle, leaf, root),
      'b.key': keyPem(leaf),
      'a.pem': certPem(other),
      'a.key': keyPem(other),
      'c.d.cer': certPem(third, middle),
      'c.d.key': keyPem(third),
      'README.txt': 'nothing',
      '.hidden.pem': 'nothing',
    })
    await mkdir(join(folder, 'old.pem'))
    const { chains } = await CertificateSet.fromDirectory(folder)
    expect(chains.map(({ leaf: { subject } }) => subject.commonName)).toEqual([
      'other.example.org',
      'example.org',
      'third',
    ])
    expect(chains.map(({ certificates }) => certificates.length)).toEqual([1, 3, 2])
    expect(Object.isFrozen(chains)).toBe(true)
  })

  const pair = { 'a.pem': CHAIN, 'a.key': keyPem(leaf) }
  const renewed = issue({ by: middle, ca: false, key: leaf })
  it.each([
    [
      'a certificate without a key',
      { ...pair, 'b.pem': certPem(other) },
      LeafCertificateHasNoPrivateKeyError,
      /b\.pem has no private key.*b\.key/,
    ],
    [
      'a key without a certificate',
      { ...pair, 'b.key': keyPem(other) },
      ExtraneousPrivateKeyError,
      /b\.key has no certificate/,
    ],
    [
      'two certificates for one key',
      { ...pair, 'a.crt': CHAIN },
      MoreThanOneLeafCertificateError,
      /a\.crt and .*a\.pem/,
    ],
    ['nothing', { 'README.txt': 'nothing' }, NoLeafCertificateError, /no certificate file/],
    [
      'the key in the certificate file',
      { 'a.pem': CHAIN + keyPem(leaf), 'a.key': keyPem(leaf) },
      ExtraneousPrivateKeyError,
      /a\.pem/,
    ],
    [
      'a key in a .pem file',
      { 'cert.pem': CHAIN, 'cert.key': keyPem(leaf), 'key.pem': keyPem(leaf) },
      LeafCertificateHasNoPrivateKeyError,
      /key\.pem/,
    ],
  ] as const)('are refused with %s', async (_, contents, kind, says) => {
    const error = await refusal(async () => CertificateSet.fromDirectory(await folderWith(contents)))
    expect(error).toBeInstanceOf(kind)
    expect(error.message).toMatch(says)
  })

  it('are refused with the same leaf twice', async () => {
    const folder = await folderWith({ ...pair, 'b.pem': CHAIN, 'b.key': keyPem(leaf) })
    const error = await refusal(() => CertificateSet.fromDirectory(folder))
    expect(error.code).toBe('ERR_TLACACOCA_CHAIN_DUPLICATE_CERTIFICATE')
    expect(error.message).toMatch(/a\.pem and .*b\.pem/)
    expect(await refusal(() => CertificateSet.fromDirectory(folder, { allowSharedKey: true }))).toEqual(error)
  })

  it('are refused with one key for two leaves, unless that is allowed', async () => {
    const folder = await folderWith({ ...pair, 'b.pem': certPem(renewed), 'b.key': keyPem(leaf) })
    const error = await refusal(() => CertificateSet.fromDirectory(folder))
    expect(error.code).toBe('ERR_TLACACOCA_CHAIN_DUPLICATE_KEY')
    expect((await CertificateSet.fromDirectory(folder, { allowSharedKey: true })).chains).toHaveLength(2)
  })

  it('are read with the options of single ones', async () => {
    const folder = await folderWith({ 'a.pem': certPem(other), 'a.key': keyPem(other) })
    const error = await refusal(() => CertificateSet.fromDirectory(folder, { rules: 'pkix' }))
    expect(error).toBeInstanceOf(NoLeafCertificateError)
    await expect(CertificateSet.fromDirectory(folder, { rule: 'pkix' } as never)).rejects.toThrow(TypeError)
    await expect(CertificateSet.fromDirectory(folder, { certFile: 'a.pem' } as never)).rejects.toThrow(TypeError)
    await expect(CertificateSet.fromDirectory(folder, { allowSharedKey: 'no' } as never)).rejects.toThrow(TypeError)
    await expect(CertificateSet.fromDirectory(7 as never)).rejects.toThrow(/^"path" expected a string/)
  })

  it('are refused if there is no such folder', async () => {
    const folder = await temporaryFolder()
    await expect(CertificateSet.fromDirectory(join(folder, 'none'))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_NOT_FOUND',
    })
    await writeFile(join(folder, 'file'), '')
    await expect(CertificateSet.fromDirectory(join(folder, 'file'))).rejects.toBeInstanceOf(FileError)
  })
})
