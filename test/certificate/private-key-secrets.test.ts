// Errors travel: into logs, into answers to users, into bug reports. None of ours may carry a key or a passphrase.

import { generateKeyPairSync } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { decryptPrivateKey, encryptPrivateKey, loadPrivateKey } from '../../src/certificate/private-key.ts'
import { renewCertificate } from '../../src/certificate/renew.ts'
import { saveCertificateFiles } from '../../src/certificate/save.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const passphrase = 'Xq7-hunter2-Zw9'
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString()
const der = key.export({ format: 'der', type: 'pkcs8' })
const scalar = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url')

/** Everything that a careless program could print of an error, and of what caused it. */
function everythingIn(error: unknown): string {
  const parts: string[] = []
  for (let each = error; each !== undefined && each !== null; each = each instanceof Error ? each.cause : undefined) {
    parts.push(String(each), inspect(each, { depth: 10, showHidden: true, maxStringLength: null }))
    parts.push(JSON.stringify(each) ?? '')
    if (each instanceof Error) {
      parts.push(each.stack ?? '')
      for (const name of Object.getOwnPropertyNames(each)) parts.push(inspect(Reflect.get(each, name), { depth: 10 }))
    }
  }
  return parts.join('\n')
}

function expectNoSecret(error: unknown): void {
  const text = everythingIn(error)
  expect(error).toBeInstanceOf(Error)
  expect(text).not.toContain('hunter2')
  // The key in any spelling: lines of its PEM, its scalar in hex (also as a Buffer is inspected), decimal, base64.
  for (const line of pem.split('\n').slice(1, -2)) expect(text).not.toContain(line.slice(0, 16))
  const hex = scalar.toString('hex')
  expect(text).not.toContain(hex.slice(0, 16))
  expect(text).not.toContain(hex.slice(0, 16).replace(/..(?!$)/g, '$& '))
  expect(text).not.toContain([...scalar.subarray(0, 8)].join(','))
  expect(text).not.toContain(scalar.toString('base64').slice(0, 12))
}

it('would notice a secret', () => {
  for (const leak of [passphrase, pem, scalar.toString('hex'), scalar, { inner: scalar }]) {
    const error = new Error('x', { cause: Object.assign(new Error('y'), { leak }) })
    expect(() => expectNoSecret(error)).toThrow()
  }
})

const encrypted = encryptPrivateKey(pem, { passphrase, derivation: 'pbkdf2' })
const otherCertificate = testCertificate()

it.each<[string, () => Promise<unknown>]>([
  ['a wrong passphrase', async () => loadPrivateKey(await encrypted, { passphrase: 'hunter2' })],
  ['a missing passphrase', async () => loadPrivateKey(await encrypted)],
  ['a passphrase of another type', async () => loadPrivateKey(await encrypted, { passphrase: ['hunter2'] as never })],
  ['a passphrase that is too long', () => encryptPrivateKey(pem, { passphrase: 'hunter2'.repeat(200) })],
  ['an empty passphrase', () => encryptPrivateKey(pem, { passphrase: '' })],
  ['a broken PEM', () => loadPrivateKey(pem.replace(/^(.{8}.*\n.{5})./, '$1*'))],
  ['a PEM with a key in its explanation', () => loadPrivateKey(`${pem.replaceAll('-----', '--')}`)],
  ['a PEM twice', () => loadPrivateKey(pem + pem)],
  ['a label of its own', () => loadPrivateKey(pem.replaceAll('PRIVATE KEY', 'HUNTER PRIVATE KEY'))],
  ['DER that is cut off', () => loadPrivateKey(der.subarray(0, -3))],
  ['DER that OpenSSL refuses', () => loadPrivateKey(der.with(-1, (der.at(-1) ?? 0) ^ 1))],
  ['decrypting with a wrong passphrase', async () => decryptPrivateKey(await encrypted, { passphrase: 'hunter2' })],
  [
    'a key of another certificate',
    async () => renewCertificate({ certificate: (await otherCertificate).certificate, privateKey: pem }),
  ],
  ['a bad option beside a passphrase', () => generateSelfSignedCertificate({ hostname: '', passphrase })],
  [
    'an option of an unknown name beside a passphrase',
    () => generateSelfSignedCertificate({ hostname: 'example.org', passphrase, pasphrase: passphrase } as never),
  ],
  [
    'a private key in place of a certificate',
    () => saveCertificateFiles({ certificatePem: pem }, { certFile: '/nonexistent/cert.pem' }),
  ],
  [
    'a file that cannot be written',
    async () => {
      const folder = join(await temporaryFolder(), 'file')
      await mkdir(join(folder, 'key.pem'), { recursive: true })
      const { certPem } = await otherCertificate
      const paths = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
      await saveCertificateFiles({ certificatePem: certPem, privateKeyPem: pem }, { ...paths, overwrite: true })
    },
  ],
])('an error about %s holds neither key nor passphrase', async (_, act) => {
  expectNoSecret(await act().catch((error: unknown) => error))
})
