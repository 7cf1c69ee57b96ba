// Directories of authorities, put together by hand so that anything can be wrong with them.

import { createPublicKey } from 'node:crypto'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { type Issued, type IssueOptions, issue } from './issued-certificates.ts'

export const FILES = ['ca.private_key.pem', 'ca.public_key.pem', 'ca.csr.pem', 'ca.cert.pem'] as const
export type AuthorityFile = (typeof FILES)[number] | 'ca.chain.pem'

/** An authority's certificate and key. */
export function authority(options: IssueOptions = {}): Issued {
  return issue({ subject: 'ca.net', ca: true, keyUsage: ['keyCertSign', 'cRLSign'], ...options })
}

export async function filesOf({ certificate, keys }: Issued): Promise<Record<(typeof FILES)[number], string>> {
  const { requestPem } = await createCertificateRequest({ key: keys.privateKey, subject: [['CN', 'ca.net']] })
  return {
    'ca.private_key.pem': keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    'ca.public_key.pem': createPublicKey(keys.privateKey).export({ format: 'pem', type: 'spki' }).toString(),
    'ca.csr.pem': requestPem,
    'ca.cert.pem': certificate.toPem(),
  }
}

/** Writes files into a directory; a null leaves one out. Keys are private unless a test says otherwise. */
export async function fill(
  directory: string,
  files: Partial<Record<AuthorityFile, string | Uint8Array | null>>,
): Promise<void> {
  for (const [name, contents] of Object.entries(files)) {
    if (contents === null) continue
    await writeFile(join(directory, name), contents)
    await chmod(join(directory, name), name === 'ca.private_key.pem' ? 0o600 : 0o644)
  }
}

/** All that can be seen of a directory: names, contents, modes, and when each was changed. */
export async function snapshot(directory: string): Promise<unknown> {
  const names = (await readdir(directory)).sort()
  return Promise.all(
    ['.', ...names].map(async (name) => {
      const path = join(directory, name)
      const { mode, mtimeMs, ctimeMs, ino } = await stat(path)
      return { name, mode, mtimeMs, ctimeMs, ino, contents: name === '.' ? '' : await readFile(path, 'hex') }
    }),
  )
}
