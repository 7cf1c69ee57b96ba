// Identities as other programs make them, and files put together byte by byte.

import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Certificate } from '../../../src/certificate/certificate.ts'
import { loadPrivateKey } from '../../../src/certificate/private-key.ts'
import { testCertificate } from '../../support/certificates.ts'

/** An identity with its texts. */
export async function madeIdentity(commonName = 'Ana') {
  const { certificate, certPem, keyPem } = await testCertificate({ host: null, usage: 'client', commonName })
  const hex = certificate.fingerprint.slice('sha256:'.length)
  return { certificate, certPem, keyPem, hex, privateKey: await loadPrivateKey(keyPem) }
}

/** A certificate and a key that `openssl` made in a folder, with a key of `openssl genpkey` or an older command. */
export async function opensslIdentity(folder: string, name: string, makeKey: readonly string[]) {
  const key = join(folder, `${name}.key`)
  const crt = join(folder, `${name}.crt`)
  const run = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: folder })
  run(...makeKey, '-out', key)
  run('req', '-new', '-x509', '-key', key, '-subj', `/CN=${name}`, '-days', '30', '-out', crt)
  const certPem = await readFile(crt, 'utf8')
  return { key, crt, certPem, keyPem: await readFile(key, 'utf8'), certificate: Certificate.from(certPem) }
}

export const le32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
export const block = (bytes: Uint8Array | string): Buffer => {
  const content = Buffer.from(bytes as string)
  return Buffer.concat([le32(content.length), content])
}
/** A record of `idents.lgr`. */
export const iden = (
  fingerprint: Uint8Array,
  { notes = '', flags = 0, urls = [] as string[], icon = 0x1f511 }: Partial<IdenFacts> = {},
): Buffer =>
  Buffer.concat([
    Buffer.from('iden'),
    block(fingerprint),
    le32(icon),
    block(notes),
    le32(flags),
    le32(urls.length),
    ...urls.map(block),
  ])
interface IdenFacts {
  notes: string
  flags: number
  urls: string[]
  icon: number
}
/** `idents.lgr` of some records. */
export const lgr = (...records: Uint8Array[]): Buffer => Buffer.concat([Buffer.from('lgL2'), le32(1), ...records])
