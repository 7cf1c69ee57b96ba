import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { isOpenToOthers } from '../../src/certificate/file-permissions.ts'
import { type ValidateFileOptions, validateCertificateFile } from '../../src/certificate/validate-file.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { craft, ecKey, sequence, utcTime } from '../support/crafted-certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { vectorPem } from '../support/vectors.ts'

interface Files {
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  readonly keyMode?: number
}

/** Writes the files that are given and checks them; `key.pem` is asked for only if there is one or `askForKey`. */
async function check(files: Files, options: ValidateFileOptions & { readonly askForKey?: boolean } = {}) {
  const { askForKey = files.key !== undefined, ...rest } = options
  const folder = await temporaryFolder()
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  if (files.cert !== undefined) await writeFile(certFile, files.cert)
  if (files.key !== undefined) {
    await writeFile(keyFile, files.key)
    await chmod(keyFile, files.keyMode ?? 0o600)
  }
  const result = await validateCertificateFile(certFile, { ...rest, ...(askForKey ? { keyFile } : {}) })
  expect(result.valid).toBe(result.problems.length === 0)
  for (const { message } of result.problems) expect(message).not.toBe('')
  return result.problems.map(({ code }) => code)
}

const pair = (): Promise<TestCertificate> => testCertificate()

it('a file that is gone is open to nobody', async () => {
  const path = join(await temporaryFolder(), 'key.pem')
  expect(await isOpenToOthers(path)).toBe(false)
  await writeFile(path, '')
  await chmod(path, 0o640)
  expect(await isOpenToOthers(path)).toBe(process.platform !== 'win32')
  await chmod(path, 0o600)
  expect(await isOpenToOthers(path)).toBe(false)
})

describe('a certificate file', () => {
  it('with one good certificate has no problem, with its key or without', async () => {
    const { certPem, keyPem } = await pair()
    expect(await check({ cert: certPem })).toEqual([])
    expect(await check({ cert: certPem, key: keyPem })).toEqual([])
    expect(await check({ cert: `Subject: me\r\n${certPem}`, key: keyPem })).toEqual([])
  })

  it.each([
    'p256',
    'p384',
    'ed25519',
    'rsa2048',
    'secp256k1',
    'version-1',
    'negative-serial',
    'year-9999',
    'unknown-critical',
  ])('with %s has no problem', async (vector) => {
    expect(await check({ cert: vectorPem(vector) }, { at: new Date('2030-01-01T00:00:00Z') })).toEqual([])
  })

  it('that is not there', async () => {
    expect(await check({})).toEqual(['missing'])
  })

  it('that is a folder', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'cert.pem'))
    const { problems } = await validateCertificateFile(join(folder, 'cert.pem'))
    expect(problems.map(({ code }) => code)).toEqual(['unreadable'])
  })

  it.each([
    ['nothing in it', ''],
    ['text in it', 'hello\n'],
    ['a broken block', vectorPem('p256').replace('-----END', '----END')],
    ['a block that is not base64', vectorPem('p256').replace(/^MI/m, '!!')],
    ['zeros in it', Buffer.alloc(100)],
  ])('with %s is not PEM', async (_, cert) => {
    expect(await check({ cert })).toEqual(['not_pem'])
  })

  it('in DER is not PEM, and is read all the same', async () => {
    expect(await check({ cert: Certificate.from(vectorPem('p256')).der })).toEqual(['not_pem'])
    expect(await check({ cert: Certificate.from(vectorPem('rsa1024')).der })).toEqual(['not_pem', 'weak_key'])
  })

  it('with a block that is no certificate', async () => {
    expect(await check({ cert: vectorPem('p256').replace(/(?<=-----\n)[^-]*/, 'MAA=\n') })).toEqual(['malformed'])
    expect(await check({ cert: vectorPem('p256') + vectorPem('request') })).toEqual(['malformed'])
    expect(await check({ cert: vectorPem('request') })).toEqual(['malformed', 'not_pem'])
  })

  it('with several certificates, unless a chain is expected', async () => {
    const cert = vectorPem('p256') + vectorPem('p384')
    expect(await check({ cert })).toEqual(['several_certificates'])
    expect(await check({ cert }, { allowChain: true })).toEqual([])
    expect(await check({ cert: cert + vectorPem('rsa-sha1') }, { allowChain: true })).toEqual(['weak_signature'])
  })

  it('with a private key in it', async () => {
    const { certPem, keyPem } = await pair()
    expect(await check({ cert: certPem + keyPem })).toEqual(['private_key_in_certificate_file'])
    expect(await check({ cert: keyPem })).toEqual(['private_key_in_certificate_file', 'not_pem'])
  })

  it.each([
    ['2026-11-24T02:07:52Z', ['not_yet_valid']],
    ['2026-11-24T02:07:53Z', []],
    ['2036-11-21T02:07:53Z', []],
    ['2036-11-21T02:07:54Z', ['expired']],
  ])('at %s: %j', async (at, codes) => {
    expect(await check({ cert: vectorPem('example-org') }, { at: new Date(at) })).toEqual(codes)
  })

  it.each([
    ['rsa1024', ['weak_key']],
    ['p224', ['weak_key']],
    ['rsa-sha1', ['weak_signature']],
    ['rsa-md5', ['weak_signature']],
    ['rsa-pss-sha1-signature', ['weak_signature']],
    ['dsa', ['unsupported_key']],
    ['unknown-curve', ['unsupported_key']],
    ['explicit-curve', ['malformed']],
  ])('with %s: %j', async (vector, codes) => {
    expect(await check({ cert: vectorPem(vector) })).toEqual(codes)
  })

  it('with a date that cannot be read, twice the same extension, and a key at infinity', async () => {
    const broken = craft({
      validity: sequence(utcTime('250101000000Z'), utcTime('301301000000Z')),
      spki: ecKey('1.2.840.10045.3.1.7', Uint8Array.of(0)),
      rest: [Uint8Array.of(0xa4, 0)],
    })
    const cert = `-----BEGIN CERTIFICATE-----\n${Buffer.from(broken).toString('base64')}\n-----END CERTIFICATE-----\n`
    expect(await check({ cert })).toEqual(['malformed', 'malformed', 'malformed'])
  })
})

describe('a key file', () => {
  it('that is not there, or a folder', async () => {
    const { certPem } = await pair()
    expect(await check({ cert: certPem }, { askForKey: true })).toEqual(['key_missing'])
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'cert.pem'), certPem)
    const { problems } = await validateCertificateFile(join(folder, 'cert.pem'), { keyFile: folder })
    expect(problems.map(({ code }) => code)).toContain('key_unreadable')
  })

  it.each([
    ['nothing', ''],
    ['text', 'hello'],
    ['a certificate', vectorPem('p256')],
    ['half a key', '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n'],
  ])('with %s in it is unreadable', async (_, key) => {
    const { certPem } = await pair()
    expect(await check({ cert: certPem, key })).toEqual(['key_unreadable'])
  })

  it.each(['P-256', 'RSA-2048', 'Ed25519'] as const)('of another certificate, of the type %s', async (type) => {
    const { certPem } = await pair()
    const other = await testCertificate({ key: type, freshKey: true })
    expect(await check({ cert: certPem, key: other.keyPem })).toEqual(['key_mismatch'])
    expect(await check({ cert: other.certPem, key: other.keyPem })).toEqual([])
  })

  it('that is encrypted wants the right passphrase', async () => {
    const { certPem, keyPem } = await pair()
    const key = openssl(['pkcs8', '-topk8', '-passout', 'pass:right'], keyPem)
    expect(await check({ cert: certPem, key })).toEqual(['key_encrypted'])
    expect(await check({ cert: certPem, key }, { passphrase: 'wrong' })).toEqual(['key_passphrase_wrong'])
    expect(await check({ cert: certPem, key }, { passphrase: 'right' })).toEqual([])
    // A mistake of the program is no problem of the file.
    await expect(check({ cert: certPem, key }, { passphrase: 5 as never })).rejects.toThrow(TypeError)
  })

  it.each([0o640, 0o604, 0o644, 0o660, 0o666, 0o610, 0o777])('with the mode %o is open to others', async (keyMode) => {
    const { certPem, keyPem } = await pair()
    expect(await check({ cert: certPem, key: keyPem, keyMode })).toEqual(['key_readable_by_others'])
  })

  it.each([0o600, 0o400, 0o700])('with the mode %o is not', async (keyMode) => {
    const { certPem, keyPem } = await pair()
    expect(await check({ cert: certPem, key: keyPem, keyMode })).toEqual([])
  })

  it('never shows what is in it', async () => {
    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const secret = 'bXktc2VjcmV0LWtleQ'
    for (const path of [certFile, keyFile]) {
      await writeFile(path, `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`, { mode: 0o600 })
    }
    const result = await validateCertificateFile(certFile, { keyFile, passphrase: 'my-passphrase' })
    expect(result.valid).toBe(false)
    expect(JSON.stringify(result)).not.toMatch(/bXktc2VjcmV0|my-passphrase/)
  })
})

it('lists the problems of both files at once', async () => {
  const { keyPem } = await pair()
  const cert = vectorPem('rsa-md5') + vectorPem('rsa1024') + keyPem
  const codes = await check({ cert, key: keyPem, keyMode: 0o644 }, { at: new Date('2200-01-01T00:00:00Z') })
  expect(codes).toEqual([
    'private_key_in_certificate_file',
    'several_certificates',
    'expired',
    'weak_signature',
    'expired',
    'weak_key',
    'key_readable_by_others',
    'key_mismatch',
  ])
})

it('takes paths and an instant, and nothing else', async () => {
  await expect(validateCertificateFile(5 as unknown as string)).rejects.toThrow(TypeError)
  await expect(validateCertificateFile('x', { keyFile: 5 as unknown as string })).rejects.toThrow(TypeError)
  await expect(validateCertificateFile('x', { at: new Date(Number.NaN) })).rejects.toThrow(RangeError)
})
