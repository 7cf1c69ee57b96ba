// A certificate and its private key, to files. The key gets its name first: whoever watches the certificate for changes
// finds the key that belongs to it.

import { dirname, resolve } from 'node:path'
import { requireString, show } from '../internal/arguments.ts'
import { ensurePrivateDirectory, refuseTarget } from '../internal/atomic-file.ts'
import { type NewFile, writeFilesAtomic } from '../internal/atomic-file-set.ts'

/** What to write. `generateSelfSignedCertificate` returns both, `renewCertificate` a certificate only. */
export interface CertificateFiles {
  /** One certificate, or several; PEM. */
  readonly certificatePem: string
  /** PEM, encrypted or not. */
  readonly privateKeyPem?: string
}

/** Where to. */
export interface SaveOptions {
  /** Where the certificate goes. */
  readonly certFile: string
  /** Required if there is a private key to write, and only then. */
  readonly keyFile?: string
  /** Whether files of these names may be replaced. Default false. */
  readonly overwrite?: boolean
}

/**
 * Writes a certificate (mode 0644) and its private key (0600 from its creation on), or a certificate alone. Each file
 * is the old one or the complete new one at every instant. If one of the two cannot be written, the other is as it was
 * before. Folders that do not exist are created, open to their owner only (0700). Symbolic links are not followed or
 * replaced, but refused.
 *
 * Replacing a pair takes two steps, the key first. A crash between them leaves the new key beside the old certificate;
 * the old key and the new certificate are then in the same folders, as files `.tlacacoca-….tmp`.
 *
 * @throws {FileError} FILE_EXISTS if one of the files exists and `overwrite` is not set, before anything is written;
 *   FILE_UNWRITABLE for everything else.
 * @throws {TypeError} If the two texts are confused, or the two paths are one.
 * @example
 * import { generateSelfSignedCertificate, saveCertificateFiles } from 'tlacacoca/certificate'
 *
 * const pair = await generateSelfSignedCertificate({ hostname: 'example.org' })
 * await saveCertificateFiles(pair, { certFile: 'cert.pem', keyFile: 'key.pem' })
 */
export async function saveCertificateFiles(files: CertificateFiles, options: SaveOptions): Promise<void> {
  const { overwrite = false } = options
  if (typeof overwrite !== 'boolean') throw new TypeError(`"overwrite" expected true or false, got ${show(overwrite)}`)
  const wanted = filesToWrite(files, options)
  // Before a folder is created for nothing.
  for (const { path } of wanted) await refuseTarget(path, overwrite)
  for (const { path } of wanted) await ensurePrivateDirectory(dirname(path))
  await writeFilesAtomic(wanted, { overwrite })
}

function filesToWrite(files: CertificateFiles, options: SaveOptions): NewFile[] {
  const { certificatePem, privateKeyPem } = files
  const { certFile, keyFile } = options
  requireString('certFile', certFile)
  requireCertificate(certificatePem)
  const certificate: NewFile = { path: certFile, contents: certificatePem, mode: 0o644 }
  if (privateKeyPem === undefined && keyFile === undefined) return [certificate]

  if (keyFile === undefined) throw new TypeError('"keyFile" is missing; there is a private key to write')
  if (privateKeyPem === undefined) throw new TypeError('"privateKeyPem" is missing; there is a path for it')
  requireString('keyFile', keyFile)
  requirePrivateKey(privateKeyPem)
  if (resolve(certFile) === resolve(keyFile)) {
    throw new TypeError('"certFile" and "keyFile" expected two files, got one')
  }
  return [{ path: keyFile, contents: privateKeyPem, mode: 0o600 }, certificate]
}

/** Confusing the two texts would put the key into a file that everybody may read. */
function requireCertificate(pem: unknown): asserts pem is string {
  if (typeof pem !== 'string' || !pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new TypeError('"certificatePem" expected the PEM of a certificate')
  }
  if (pem.includes('PRIVATE KEY-----')) throw new TypeError('"certificatePem" holds a private key')
}

function requirePrivateKey(pem: unknown): asserts pem is string {
  if (typeof pem !== 'string' || !pem.includes('PRIVATE KEY-----')) {
    throw new TypeError('"privateKeyPem" expected the PEM of a private key')
  }
}
