// What servers of pages have in common: the pages, two certificates to change between, and some visitors.

import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Certificate } from 'tlacacoca'
import { type TestCertificateOptions, testCertificate } from '../../support/certificates.ts'
import type { Exchange, Facts, Identity } from './target.ts'

/** More than sender and receiver keep for a client that does not read. */
export const LONG_BYTES = 16 * 2 ** 20

export async function preparePages(folder: string, extension: string): Promise<string> {
  const root = join(folder, 'capsule')
  await mkdir(join(root, 'members'), { recursive: true })
  await mkdir(join(root, 'account'))
  await writeFile(join(root, `index${extension}`), '# Hello\n')
  await writeFile(join(root, 'members', `index${extension}`), '# Members\n')
  await writeFile(join(root, 'account', `index${extension}`), '# Account\n')
  await writeFile(join(root, 'long.txt'), randomBytes(LONG_BYTES / 2).toString('hex'))
  return root
}

/** Where the certificate is that the server shows, and its key. */
export const servedFiles = (folder: string) => ({
  certFile: join(folder, 'cert.pem'),
  keyFile: join(folder, 'key.pem'),
})

/** Two certificates of the server's, the first of which it shows. */
export async function prepareCertificates(folder: string): Promise<string[]> {
  const made = [await testCertificate({ host: 'localhost' }), await testCertificate({ host: 'localhost' })]
  for (const [index, { certPem, keyPem }] of made.entries()) {
    await writeFile(join(folder, `cert-${index}.pem`), certPem)
    await writeFile(join(folder, `key-${index}.pem`), keyPem, { mode: 0o600 })
  }
  await showCertificate(folder, 0)
  return made.map(({ certificate }) => certificate.fingerprint)
}

/** Puts one of the two in the place of the one that the server shows. */
export async function showCertificate(folder: string, index: number): Promise<void> {
  const { certFile, keyFile } = servedFiles(folder)
  await copyFile(join(folder, `cert-${index}.pem`), certFile)
  await copyFile(join(folder, `key-${index}.pem`), keyFile)
}

export async function prepareVisitors(): Promise<Required<Facts['identities']>> {
  const many = Array.from({ length: 1500 }, (_, index) => `host-${index}.a-rather-long-name.example`)
  return {
    member: await identity({}),
    account: await identity({}),
    expired: await identity({ notBefore: new Date('2020-01-01'), notAfter: new Date('2021-01-01') }),
    // A certificate of some 60 KB.
    odd: await identity({ subjectAltNames: many }),
  }
}

async function identity(options: TestCertificateOptions): Promise<Identity> {
  const { certPem, keyPem } = await testCertificate({ host: null, commonName: 'visitor', usage: 'client', ...options })
  return { cert: certPem, key: keyPem }
}

export function certificateOf(identity: Identity | undefined): Certificate {
  if (identity === undefined) throw new Error('a visitor was not prepared')
  return Certificate.from(identity.cert)
}

const URL_LIMIT = 1024

/** Requests that are wrong in every protocol whose requests are URLs with the status codes of Gemini. */
export function wrongUrls(scheme: string, limit = URL_LIMIT): Exchange[] {
  const bad = /^59 this is not a request\r\n$/
  const long = /^59 the request is too long\r\n$/
  const wrongHost = /^53 this is not served here\r\n$/
  const url = `${scheme}://localhost/`
  return [
    { name: 'no request', request: 'Hello!\r\n', answer: bad },
    { name: 'an empty line', request: '\r\n', answer: bad },
    { name: 'LF alone', request: `${url}\n`, answer: bad },
    { name: 'CR alone', request: `${url}\rx\r\n`, answer: bad },
    { name: 'NUL', request: `${url}\0\r\n`, answer: bad },
    { name: 'no UTF-8', request: Buffer.from(`${url}\xdc\r\n`, 'latin1'), answer: bad },
    { name: 'user info', request: `${scheme}://ana:secret@localhost/\r\n`, answer: bad },
    { name: 'a fragment', request: `${url}#part\r\n`, answer: bad },
    { name: 'an encoded slash', request: `${url}a%2Fb\r\n`, answer: /^5[19] / },
    { name: 'out of the folder', request: `${url}%2e%2e/key.pem\r\n`, answer: /^5[19] / },
    { name: 'a relative URL', request: '/\r\n', answer: bad },
    { name: 'another scheme', request: 'https://localhost/\r\n', answer: wrongHost },
    { name: 'HTTP inside TLS', request: 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', answer: bad },
    { name: 'another host', request: `${scheme}://example.org/\r\n`, answer: wrongHost },
    { name: 'a byte too long', request: `${url}${'a'.repeat(limit + 1 - url.length)}\r\n`, answer: long },
    { name: 'a megabyte', request: `${url}${'a'.repeat(2 ** 20)}\r\n`, answer: long },
    { name: 'a megabyte without an end', request: `${url}${'a'.repeat(2 ** 20)}`, answer: long },
  ]
}
