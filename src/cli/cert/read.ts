// Certificates out of whatever somebody points at: a file with one or more, a folder, the standard input.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Certificate, parseCertificates } from '../../certificate/index.ts'
import { isDer, textOf } from '../../certificate/source.ts'
import { TlacacocaError } from '../../errors.ts'
import { reading } from '../../internal/atomic-file.ts'
import { BadInput } from '../exit-code.ts'
import { inFile, readInput } from '../input.ts'
import type { CliIo } from '../io.ts'

/** A certificate, and where it was found. */
export interface FoundCertificate {
  readonly file: string
  /** From 1, in its file. */
  readonly number: number
  readonly certificate: Certificate
}

/** A file in which there should be a certificate, and is none that can be read. */
export interface Unreadable {
  readonly file: string
  readonly error: TlacacocaError
}

/** All certificates in a file, its first one first, or on the standard input for `-`. */
export async function readCertificates(io: CliIo, path: string): Promise<Certificate[]> {
  const bytes = await readInput(io, path)
  return isDer(bytes) ? [Certificate.from(bytes)] : parseCertificates(textOf(bytes))
}

/** The first certificate in a file, a server's own one, and all of them as the server would send them. */
export async function readOwn(
  io: CliIo,
  path: string,
): Promise<{ readonly certificate: Certificate; readonly chain: readonly Certificate[] }> {
  const chain = await inFile(path, () => readCertificates(io, path))
  const [certificate] = chain
  if (certificate === undefined) throw new BadInput(`there is no certificate in ${path}`)
  return { certificate, chain }
}

/** What is in several files and folders. Of a folder, those files that are called like certificates, and hold some. */
export async function findCertificates(
  io: CliIo,
  paths: readonly string[],
): Promise<{ readonly found: readonly FoundCertificate[]; readonly unreadable: readonly Unreadable[] }> {
  const found: FoundCertificate[] = []
  const unreadable: Unreadable[] = []
  for (const path of paths) {
    for (const file of await filesIn(path)) {
      try {
        const certificates = await readCertificates(io, file)
        found.push(...certificates.map((certificate, index) => ({ file, number: index + 1, certificate })))
      } catch (error) {
        if (!(error instanceof TlacacocaError)) throw error
        unreadable.push({ file, error })
      }
    }
  }
  return { found, unreadable }
}

async function filesIn(path: string): Promise<string[]> {
  if (path === '-' || !(await isFolder(path))) return [path]
  const names = await reading(path, () => readdir(path))
  return names
    .filter((name) => LIKE_A_CERTIFICATE.test(name))
    .sort()
    .map((name) => join(path, name))
}

// Private keys are called `key.pem` or `example.org.key` nearly everywhere.
const LIKE_A_CERTIFICATE = /^(?!.*key).*\.(?:pem|crt|cer|der)$/i

/** Whether it is a folder that can be seen. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    // Whoever reads it will say what is wrong with it.
    return false
  }
}
