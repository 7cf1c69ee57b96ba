// Opening the file that a request names, and no other.
//
// Checking a path and opening it afterwards are two steps, and between them a folder can become a link to /etc. So the
// file is opened first, and then the open file is asked where it is. What is not exactly where the request said, below
// the root, under the name in the request, is closed again.
//
// Node has no openat(2), by which one could walk down without following links. On Linux the kernel knows the path of an
// open file, which no later change of names can disturb. Elsewhere the path is resolved again and compared with the
// file by device and inode, before and after; to deceive that takes write access below the root and three changes in
// the right microseconds.

import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { FileError } from '../errors.ts'
import { requireOptions, requireString, show } from '../internal/arguments.ts'
import { RequestPath } from '../names/request-path.ts'
import { isSpelledExactly } from './exact-spelling.ts'

/** What may be opened. */
export interface OpenInsideRootOptions {
  /** The file to open for a path that names a directory, such as `index.gmi`. Without it, directories are not opened. */
  readonly index?: string
  /** Whether files and directories whose name begins with a dot can be opened. Default false: `.git`, `.htpasswd`. */
  readonly hidden?: boolean
}

/**
 * Opens the regular file at `path` below the directory `root`, for reading.
 *
 * Symbolic links below the root are not followed, wherever they lead; the root itself may be one. Directories, FIFOs,
 * sockets and devices are not opened. On a file system that ignores case, only the spelling of the file itself counts. A
 * directory is opened (as its `index`) only by a path with a slash at the end, since links in it would lead astray
 * otherwise. Hard links are files like any other.
 *
 * @param path - Made by `parseTarget` and the like; texts are not taken, so that rules and files see the same path.
 * @returns The open file, which the caller must close, best by `await using`, or null. It is null whether the file does not
 *   exist or must not be opened, so that a client cannot tell. A `pipeline` from its `createReadStream` closes it as well, but
 *   from Node 24 on not where the client has left before it began.
 * @throws {FileError} `ERR_TLACACOCA_FILE_NOT_FOUND` if the root does not exist, `ERR_TLACACOCA_FILE_UNREADABLE` if
 *   something fails that does not lie in the request, such as a lack of file descriptors.
 * @throws {TypeError} If `path` is no `RequestPath`, or `index` is not a plain name.
 * @example
 * import { pipeline } from 'node:stream/promises'
 * import { openInsideRoot, parseRequestPath } from 'tlacacoca'
 *
 * await using file = await openInsideRoot('/srv/capsule', parseRequestPath('/about/'), { index: 'index.gmi' })
 * if (file !== null) await pipeline(file.createReadStream(), process.stdout)
 */
export async function openInsideRoot(
  root: string,
  path: RequestPath,
  options: OpenInsideRootOptions = {},
): Promise<FileHandle | null> {
  requireOptions('options', options, ['index', 'hidden'])
  const { index, hidden = false } = options
  requireString('root', root)
  if (!RequestPath.is(path)) throw new TypeError(`"path" expected a RequestPath, got ${show(path)}`)
  if (index !== undefined) requireName('index', index)

  const segments = path.isDirectory && index !== undefined ? [...path.segments, index] : path.segments
  if (path.isDirectory && index === undefined) return null
  if (!hidden && path.segments.some((name) => name.startsWith('.'))) return null

  const realRoot = await realRootOf(root)
  const expected = join(realRoot, ...segments)
  try {
    const file = await open(expected, FLAGS)
    let isRight = false
    try {
      isRight =
        (await file.stat()).isFile() && (await isAt(file, expected)) && (await isSpelledExactly(realRoot, segments))
    } finally {
      if (!isRight) await file.close()
    }
    return isRight ? file : null
  } catch (cause) {
    if (NOT_THERE.has(codeOf(cause))) return null
    throw new FileError('ERR_TLACACOCA_FILE_UNREADABLE', expected, `cannot open ${show(expected)}`, { cause })
  }
}

// NOFOLLOW: not even a link at the end. NONBLOCK: a FIFO without a writer would hang for ever. NOCTTY: a terminal must
// not become ours. (Windows has none of the three; there they are undefined.)
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0)

// What a request can cause by its path. A file that we may not read is one of those: the client is not to tell it from
// one that is not there. ELOOP: a link, because of NOFOLLOW. ENXIO, ENODEV, EOPNOTSUPP: a socket, a device without
// hardware. EILSEQ, EINVAL: a name that this file system cannot have.
const NOT_THERE = new Set([
  'ENOENT',
  'ENOTDIR',
  'EACCES',
  'EPERM',
  'ELOOP',
  'EMLINK', // FreeBSD for ELOOP here
  'EISDIR',
  'ENAMETOOLONG',
  'ENXIO',
  'ENODEV',
  'EOPNOTSUPP',
  'EILSEQ',
  'EINVAL',
])

async function realRootOf(root: string): Promise<string> {
  try {
    return await realpath(root)
  } catch (cause) {
    const missing = codeOf(cause) === 'ENOENT'
    const code = missing ? 'ERR_TLACACOCA_FILE_NOT_FOUND' : 'ERR_TLACACOCA_FILE_UNREADABLE'
    throw new FileError(code, root, `cannot resolve the root ${show(root)}`, { cause })
  }
}

/** Whether an open file is at this path, no link on the way. */
async function isAt(file: FileHandle, expected: string): Promise<boolean> {
  let path: string
  try {
    path = await readlink(`/proc/self/fd/${file.fd}`)
  } catch {
    // Not Linux, or a Linux without /proc.
    return isAtByIdentity(file, expected)
  }
  if (path === expected) return true
  // Removed, or replaced by renaming another over it, after it was opened: it was there, and its name tells where. A
  // file that is really called so has a link left.
  return path === `${expected} (deleted)` && (await file.stat()).nlink === 0
}

/** @internal The same where the kernel does not tell the path of an open file. */
export async function isAtByIdentity(file: FileHandle, expected: string): Promise<boolean> {
  const opened = await file.stat({ bigint: true })
  const isSame = async (): Promise<boolean> => {
    const { dev, ino } = await lstat(expected, { bigint: true })
    return dev === opened.dev && ino === opened.ino
  }
  return (await isSame()) && (await realpath(expected)) === expected && (await isSame())
}

function requireName(argument: string, name: string): void {
  requireString(argument, name)
  if (name === '' || name === '.' || name === '..' || /[\0/\\]/.test(name)) {
    throw new TypeError(`"${argument}" expected the name of a file, got ${show(name)}`)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
