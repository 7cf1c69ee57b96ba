// Reading a folder of identities: see wallet-folder.ts for what is in it.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from '../../certificate/certificate.ts'
import { isOpenToOthers } from '../../certificate/file-permissions.ts'
import { parseCertificates } from '../../certificate/load.ts'
import { FileError, TlacacocaError } from '../../errors.ts'
import { codeOf, reading, readTextFile } from '../../internal/atomic-file.ts'
import { parts } from './memory-storage.ts'
import { IDENTITY_ID } from './metadata-file.ts'
import type { Pair, WalletProblem } from './pair.ts'

/** The subfolder of what was deleted. */
export const DELETED = 'deleted'
/** How names of files end. An id has no dot in it. */
export const CERTIFICATE = '.crt'
export const FORMER = '.former.crt'
export const KEY = '.key'

const MAX_CERTIFICATES_BYTES = 256 * 1024

/** The names of the files of identities. */
export interface Listing {
  readonly live: ReadonlySet<string>
  readonly deleted: ReadonlySet<string>
}

export async function listFiles(directory: string): Promise<Listing> {
  return { live: await namesIn(directory), deleted: await namesIn(join(directory, DELETED)) }
}

/** Whether nobody has moved anything in between. */
export function isSameListing(a: Listing, b: Listing): boolean {
  const equal = (x: ReadonlySet<string>, y: ReadonlySet<string>) =>
    x.size === y.size && [...x].every((name) => y.has(name))
  return equal(a.live, b.live) && equal(a.deleted, b.deleted)
}

/** The ids that files of one kind have. */
export function idsOf(names: ReadonlySet<string>, ending: string): string[] {
  const found = [...names].filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length))
  return found.filter((id) => IDENTITY_ID.test(id)).sort()
}

/**
 * The pairs, and what is no pair.
 *
 * @param mayBeGone - Whether a file that is listed and not there is a problem like others, or throws FILE_NOT_FOUND.
 */
export async function readPairs(
  directory: string,
  listing: Listing,
  mayBeGone: boolean,
): Promise<{ pairs: Map<string, Pair>; problems: WalletProblem[] }> {
  const { live, deleted } = listing
  const pairs = new Map<string, Pair>()
  const problems: WalletProblem[] = []
  const places = [
    { names: live, folder: '' },
    { names: deleted, folder: DELETED },
  ]
  for (const { names, folder } of places) {
    for (const id of idsOf(names, CERTIFICATE)) {
      if (pairs.has(id)) continue
      const path = pathOf(directory, id, CERTIFICATE, folder)
      if (!live.has(`${id}${KEY}`) && !deleted.has(`${id}${KEY}`)) {
        // Among the deleted ones it is what `remove` did not finish.
        if (folder === '') problems.push({ path, message: 'the key of this certificate is missing' })
        continue
      }
      try {
        const certificates = await readCertificates(path)
        const former = await readFormer(directory, id, listing, problems)
        pairs.set(id, pairOf(id, certificates, former, folder === DELETED))
      } catch (error) {
        if (!(error instanceof TlacacocaError) || isElsewhere(error) || (isMissing(error) && !mayBeGone)) throw error
        problems.push({ path, message: error.message })
      }
    }
  }
  for (const id of idsOf(live, KEY)) {
    if (live.has(`${id}${CERTIFICATE}`) || deleted.has(`${id}${CERTIFICATE}`)) continue
    problems.push({ path: pathOf(directory, id, KEY), message: 'the certificate of this key is missing' })
  }
  return { pairs, problems }
}

/** What of the folder is open to others who should not see or change it. */
export async function exposuresIn(directory: string, { live }: Listing): Promise<WalletProblem[]> {
  const problems: WalletProblem[] = []
  for (const id of idsOf(live, KEY)) {
    const path = pathOf(directory, id, KEY)
    if (await isOpenToOthers(path)) problems.push({ path, message: 'others can read this key; use mode 0600' })
  }
  if (live.size > 0 && (await isWritableByOthers(directory))) {
    problems.push({ path: directory, message: 'others can put files into this folder; use mode 0700' })
  }
  return problems
}

/** The path of a file of an identity. */
export function pathOf(directory: string, id: string, kind: string, folder = ''): string {
  return join(directory, folder, `${id}${kind}`)
}

export function isMissing(error: unknown): boolean {
  return error instanceof FileError && error.code === 'ERR_TLACACOCA_FILE_NOT_FOUND'
}

/**
 * Whether a file could not be read for a reason that need not lie in it: no descriptors, a disk that does not answer. It is
 * no half of a pair then, nor damaged, and the identity must not seem to be missing.
 */
function isElsewhere(error: TlacacocaError): boolean {
  return error instanceof FileError && error.cause !== undefined && !OF_THE_FILE.has(codeOf(error.cause))
}

const OF_THE_FILE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENOENT'])

function pairOf(
  id: string,
  certificates: readonly Certificate[],
  former: readonly Certificate[],
  deleted: boolean,
): Pair {
  const { certificate, chain } = parts(certificates)
  // While it was being renewed, the present certificate was on both lists.
  const others = Object.freeze(former.filter((each) => !each.equals(certificate)))
  return Object.freeze({ id, certificate, chain, former: others, deleted, temporary: false })
}

/** The certificates that one replaced. An identity can do without them, so damage to their file is a problem and no more. */
async function readFormer(
  directory: string,
  id: string,
  { live, deleted }: Listing,
  problems: WalletProblem[],
): Promise<Certificate[]> {
  const name = `${id}${FORMER}`
  if (!live.has(name) && !deleted.has(name)) return []
  const path = pathOf(directory, id, FORMER, live.has(name) ? '' : DELETED)
  try {
    return await readCertificates(path)
  } catch (error) {
    if (!(error instanceof TlacacocaError) || isElsewhere(error)) throw error
    problems.push({ path, message: error.message })
    return []
  }
}

async function readCertificates(path: string): Promise<Certificate[]> {
  return parseCertificates(await readTextFile(path, { maxBytes: MAX_CERTIFICATES_BYTES }))
}

async function namesIn(folder: string): Promise<ReadonlySet<string>> {
  try {
    const names = await reading(folder, () => readdir(folder))
    return new Set(names.filter((name) => [CERTIFICATE, KEY].some((ending) => name.endsWith(ending))))
  } catch (error) {
    if (isMissing(error)) return new Set()
    throw error
  }
}

async function isWritableByOthers(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null)
  return process.platform !== 'win32' && stats !== null && (stats.mode & 0o022) !== 0
}
