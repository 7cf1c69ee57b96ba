import { chmod, link, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type GeneratedCertificate, generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { loadPrivateKey, matchesCertificate } from '../../src/certificate/private-key.ts'
import { renewCertificate } from '../../src/certificate/renew.ts'
import { saveCertificateFiles } from '../../src/certificate/save.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let first: GeneratedCertificate
let second: GeneratedCertificate
beforeAll(async () => {
  first = await generateSelfSignedCertificate({ hostname: 'example.org' })
  second = await generateSelfSignedCertificate({ hostname: 'example.org' })
})

let folder: string
let paths: { certFile: string; keyFile: string }
beforeEach(async () => {
  folder = await temporaryFolder()
  paths = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
})

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
const names = async (): Promise<string[]> => (await readdir(folder)).sort()
const contents = async (): Promise<string[]> => [
  await readFile(paths.certFile, 'utf8'),
  await readFile(paths.keyFile, 'utf8'),
]

describe('saveCertificateFiles', () => {
  it('writes the pair, the key for its owner only', async () => {
    await saveCertificateFiles(first, paths)
    expect(await contents()).toEqual([first.certificatePem, first.privateKeyPem])
    expect(await modeOf(paths.certFile)).toBe(0o644 & ~process.umask())
    expect(await modeOf(paths.keyFile)).toBe(0o600)
    expect(await names()).toEqual(['cert.pem', 'key.pem'])
    const key = await loadPrivateKey(await readFile(paths.keyFile))
    expect(matchesCertificate(key, first.certificate)).toBe(true)
  })

  it('keeps the key private also where everything may be read', async () => {
    const before = process.umask()
    // Only the main thread of a process may do this, and this is one.
    process.umask(0)
    try {
      await saveCertificateFiles(first, paths)
    } finally {
      process.umask(before)
    }
    expect(await modeOf(paths.keyFile)).toBe(0o600)
  })

  it.each(['certFile', 'keyFile'] as const)('writes nothing if the file of %s exists', async (taken) => {
    await writeFile(paths[taken], 'precious')
    await expect(saveCertificateFiles(first, paths)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_EXISTS',
      path: paths[taken],
    })
    expect(await names()).toEqual([taken === 'certFile' ? 'cert.pem' : 'key.pem'])
    expect(await readFile(paths[taken], 'utf8')).toBe('precious')
  })

  it('replaces both when told, and makes a key private that was not', async () => {
    await saveCertificateFiles(first, paths)
    await chmod(paths.keyFile, 0o644)
    await saveCertificateFiles(second, { ...paths, overwrite: true })
    expect(await contents()).toEqual([second.certificatePem, second.privateKeyPem])
    expect(await modeOf(paths.keyFile)).toBe(0o600)
    expect(await names()).toEqual(['cert.pem', 'key.pem'])
  })

  it('replaces one and creates the other when told', async () => {
    await saveCertificateFiles(first, paths)
    await rm(paths.keyFile)
    await saveCertificateFiles(second, { ...paths, overwrite: true })
    expect(await contents()).toEqual([second.certificatePem, second.privateKeyPem])
  })

  it('writes a renewed certificate alone, beside the key that stays', async () => {
    await saveCertificateFiles(first, paths)
    const { certFile } = paths
    const renewed = await renewCertificate({ certificate: first.certificate, privateKey: first.privateKeyPem })
    await expect(saveCertificateFiles(renewed, { certFile })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_EXISTS',
    })
    await saveCertificateFiles(renewed, { certFile, overwrite: true })
    expect(await contents()).toEqual([renewed.certificatePem, first.privateKeyPem])
  })

  it('creates folders that are missing, for their owner only', async () => {
    const certFile = join(folder, 'a', 'b', 'cert.pem')
    const keyFile = join(folder, 'c', 'key.pem')
    await saveCertificateFiles(first, { certFile, keyFile })
    for (const created of ['a', 'a/b', 'c']) expect(await modeOf(join(folder, created))).toBe(0o700)
  })

  it('creates no folder for a pair that it does not write', async () => {
    await writeFile(paths.certFile, 'precious')
    const keyFile = join(folder, 'a', 'key.pem')
    await expect(saveCertificateFiles(first, { ...paths, keyFile })).rejects.toMatchObject({ name: 'FileError' })
    expect(await names()).toEqual(['cert.pem'])
  })

  it.each(['certFile', 'keyFile'] as const)(
    'follows no symbolic link in place of %s, and does not replace it',
    async (linked) => {
      const target = join(folder, 'target')
      await writeFile(target, 'precious')
      await symlink(target, paths[linked])
      for (const overwrite of [false, true]) {
        await expect(saveCertificateFiles(first, { ...paths, overwrite })).rejects.toMatchObject({ name: 'FileError' })
      }
      expect(await readFile(target, 'utf8')).toBe('precious')
      expect(await names()).toEqual(['target', linked === 'certFile' ? 'cert.pem' : 'key.pem'].sort())
    },
  )

  it('puts the old key back if the certificate cannot be replaced', async () => {
    await writeFile(paths.keyFile, first.privateKeyPem)
    await mkdir(paths.certFile)
    await expect(saveCertificateFiles(second, { ...paths, overwrite: true })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
    })
    expect(await readFile(paths.keyFile, 'utf8')).toBe(first.privateKeyPem)
    expect(await names()).toEqual(['cert.pem', 'key.pem'])
  })

  it('never mixes two pairs that are saved at once', async () => {
    const pairs = await Promise.all(
      Array.from({ length: 10 }, () => generateSelfSignedCertificate({ hostname: 'example.org' })),
    )
    const results = await Promise.allSettled(pairs.map((pair) => saveCertificateFiles(pair, paths)))
    const winner = results.findIndex(({ status }) => status === 'fulfilled')
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await contents()).toEqual([pairs[winner]?.certificatePem, pairs[winner]?.privateKeyPem])
    expect(await names()).toEqual(['cert.pem', 'key.pem'])
  })

  it('does not change other names of the files that it replaces', async () => {
    await saveCertificateFiles(first, paths)
    await link(paths.keyFile, join(folder, 'backup'))
    await saveCertificateFiles(second, { ...paths, overwrite: true })
    expect(await readFile(join(folder, 'backup'), 'utf8')).toBe(first.privateKeyPem)
  })

  it.each<[string, object, object]>([
    ['a key in place of the certificate', { certificatePem: 'KEY' }, {}],
    ['a key beside the certificate', { certificatePem: 'BOTH' }, {}],
    ['a certificate in place of the key', { privateKeyPem: 'CERTIFICATE' }, {}],
    ['no certificate', { certificatePem: undefined }, {}],
    ['text in place of the certificate', { certificatePem: 'x' }, {}],
    ['a key that is no text', { privateKeyPem: 5 }, {}],
    ['a key without a path', {}, { keyFile: undefined }],
    ['a path without a key', { privateKeyPem: undefined }, {}],
    ['no path', {}, { certFile: undefined }],
    ['one path for both', {}, { keyFile: 'SAME' }],
    ['a third answer to "overwrite"', {}, { overwrite: 'no' }],
  ])('takes %s for misuse, and writes nothing', async (_, files, options) => {
    const texts: Record<string, string> = {
      KEY: first.privateKeyPem,
      BOTH: first.certificatePem + first.privateKeyPem,
      CERTIFICATE: first.certificatePem,
      SAME: relative('', join(folder, '.', 'x', '..', 'cert.pem')),
    }
    const filled = (given: object): object =>
      Object.fromEntries(Object.entries(given).map(([name, value]) => [name, texts[String(value)] ?? value]))
    const failure: unknown = await saveCertificateFiles(
      { ...first, ...filled(files) } as never,
      { ...paths, ...filled(options) } as never,
    ).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TypeError)
    expect(await names()).toEqual([])
  })
})
