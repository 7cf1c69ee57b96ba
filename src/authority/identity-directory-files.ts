// The files of an authority's directory: their names, who may read them, and what is in them.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AuthorityError, CertificateError, CertificateRequestError, FileError, PrivateKeyError } from '../errors.ts'
import { requireString } from '../internal/arguments.ts'
import { codeOf, readFileBytes, reading } from '../internal/atomic-file.ts'

/** The paths of the four files that make an authority, and of a fifth that some have. */
export interface DirectoryPaths {
  readonly certificate: string
  readonly request: string
  readonly privateKey: string
  readonly publicKey: string
  /** The authorities above it, if there are any. */
  readonly chain: string
}

/** What is in them; null for a file that is not there. */
export interface DirectoryContents {
  readonly certificate: Uint8Array
  readonly privateKey: Uint8Array
  readonly request: Uint8Array | null
  readonly publicKey: Uint8Array | null
  readonly chain: Uint8Array | null
}

/** Checks the path of a directory. An empty one, of a setting that was forgotten, would be the current directory. */
export function requireDirectoryPath(path: unknown): asserts path is string {
  requireString('path', path)
  if (path === '') throw new RangeError('"path" expected the path of a directory, got an empty one')
}

export function pathsIn(directory: string): DirectoryPaths {
  return {
    certificate: join(directory, 'ca.cert.pem'),
    request: join(directory, 'ca.csr.pem'),
    privateKey: join(directory, 'ca.private_key.pem'),
    publicKey: join(directory, 'ca.public_key.pem'),
    chain: join(directory, 'ca.chain.pem'),
  }
}

/**
 * Reads the files. The certificate and the private key must be there; the other two can be made from them, so a directory
 * that somebody put together by hand may lack them.
 *
 * @throws {FileError} FILE_NOT_FOUND if there is no authority at all; FILE_UNREADABLE.
 * @throws {AuthorityError} AUTHORITY_INCOMPLETE
 */
export async function readContents(directory: string): Promise<DirectoryContents> {
  const paths = pathsIn(directory)
  const [certificate, privateKey, request, publicKey, chain] = [
    await readIfThere(paths.certificate),
    await readIfThere(paths.privateKey),
    await readIfThere(paths.request),
    await readIfThere(paths.publicKey),
    await readIfThere(paths.chain),
  ]
  if (certificate !== null && privateKey !== null) return { certificate, privateKey, request, publicKey, chain }

  const missing = certificate === null ? paths.certificate : paths.privateKey
  if ([certificate, privateKey, request, publicKey].every((file) => file === null)) {
    const problem = `there is no authority in ${directory}: no ${missing}; create it, or copy its certificate and key there`
    throw new FileError('ERR_TLACACOCA_FILE_NOT_FOUND', missing, problem)
  }
  // In the order in which a new one is written, the certificate comes last.
  const advice =
    certificate === null
      ? 'put it there; or, if this was left by a creation that was interrupted, remove the other files and create it again'
      : 'put it there'
  throw new AuthorityError(
    'ERR_TLACACOCA_AUTHORITY_INCOMPLETE',
    `the authority in ${directory} is not complete: there is no ${missing}; ${advice}`,
  )
}

/**
 * Refuses a directory in which everybody can replace the files of others, and a key that everybody can read or change.
 *
 * @returns Whether a group can read, change or replace the key.
 * @throws {AuthorityError} AUTHORITY_EXPOSED
 */
export async function checkModes(directory: string, keyPath: string): Promise<{ keyExposedToGroup: boolean }> {
  const inDirectory = await requireSafeDirectory(directory)
  const key = await modeOf(keyPath)
  if ((key & 0o006) !== 0) {
    throw exposed(`everybody on this computer can read or change ${keyPath}; use mode 0600, and consider a new key`)
  }
  return { keyExposedToGroup: (key & 0o060) !== 0 || inDirectory.groupCanReplace }
}

/**
 * The first half of {@link checkModes}. A directory that does not exist is nobody's.
 *
 * @throws {AuthorityError} AUTHORITY_EXPOSED
 */
export async function requireSafeDirectory(directory: string): Promise<{ groupCanReplace: boolean }> {
  const mode = await modeOf(directory)
  // With the sticky bit, as /tmp has it, others can add files and cannot touch those of anybody else.
  const sticky = (mode & 0o1000) !== 0
  if ((mode & 0o002) !== 0 && !sticky) {
    throw exposed(`everybody on this computer can replace the files in ${directory}; use mode 0700`)
  }
  return { groupCanReplace: (mode & 0o020) !== 0 && !sticky }
}

/**
 * Does something with the contents of a file, and puts its path in front of the message if that fails. An error about a key
 * has no cause, here as elsewhere.
 */
export function inFile<T>(path: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw placed(path, error)
  }
}

/** The same for what takes its time. */
export async function inFileAsync<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw placed(path, error)
  }
}

function placed(path: string, error: unknown): unknown {
  if (error instanceof PrivateKeyError) return new PrivateKeyError(error.code, `${path}: ${error.message}`)
  if (error instanceof CertificateError) {
    return new CertificateError(error.code, `${path}: ${error.message}`, { cause: error })
  }
  if (error instanceof CertificateRequestError) {
    return new CertificateRequestError(error.code, `${path}: ${error.message}`, { cause: error })
  }
  return error
}

// Far more than any of them; a file that is larger is something else.
const MAX_BYTES = 1024 * 1024

async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return await readFileBytes(path, { maxBytes: MAX_BYTES })
  } catch (error) {
    if (error instanceof FileError && error.code === 'ERR_TLACACOCA_FILE_NOT_FOUND') return null
    throw error
  }
}

/** The permissions; none for what does not exist. On Windows the mode says nothing about who may do what. */
async function modeOf(path: string): Promise<number> {
  return reading(path, async () => {
    try {
      const { mode } = await stat(path)
      return process.platform === 'win32' ? 0 : mode
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 0
      throw error
    }
  })
}

function exposed(problem: string): AuthorityError {
  return new AuthorityError('ERR_TLACACOCA_AUTHORITY_EXPOSED', problem)
}
