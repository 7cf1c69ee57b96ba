// Some file systems find one file under many names: `ADMIN` for `admin` (FAT, NTFS, APFS, folders with casefold), `admin.`
// for `admin`, one Unicode normalization for the other. A rule for `/admin` says nothing about `/ADMIN`, so there a file
// may be found under one name only: the one that its folder lists.
//
// Asking each folder for its list would be slow where a folder is large, and nearly all file systems are exact. So each
// name is first tried in another spelling. Only where that finds the same file is the list consulted.

import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** What is asked of the file system. Tests pass one that folds case. */
export interface NameLookup {
  /** Which file a path leads to, as `device:inode`, without following a link at its end; null if to none. */
  identity(path: string): Promise<string | null>
  /** The names in a folder. */
  names(folder: string): Promise<readonly string[]>
}

/** @internal Whether each segment below `root` is written as its folder lists it. */
export async function isSpelledExactly(
  root: string,
  segments: readonly string[],
  lookup: NameLookup = fileSystem,
): Promise<boolean> {
  const answers = segments.map((name, index) => isListed(join(root, ...segments.slice(0, index)), name, lookup))
  return (await Promise.all(answers)).every((listed) => listed)
}

/** Whether the folder lists the name, as far as there is reason to ask. */
async function isListed(folder: string, name: string, lookup: NameLookup): Promise<boolean> {
  const paths = [name, ...otherSpellings(name)].map((spelling) => join(folder, spelling))
  const [identity, ...others] = await Promise.all(paths.map((path) => lookup.identity(path)))
  if (!others.some((other) => other !== null && other === identity)) return true
  // Links within a folder can have two names as well; then both of them are in the list.
  return (await lookup.names(folder)).includes(name)
}

function otherSpellings(name: string): string[] {
  const swapped = Array.from(name, otherCase).join('')
  // A name without letters has one case only; but a file system that folds case drops dots at the end, too.
  const spellings = new Set([swapped === name ? `${name}.` : swapped, name.normalize('NFC'), name.normalize('NFD')])
  spellings.delete(name)
  return [...spellings]
}

/** The other case of a letter, if there is exactly one: not of `ß`, which some file systems keep apart from `SS`. */
function otherCase(letter: string): string {
  const [lower, upper] = [letter.toLowerCase(), letter.toUpperCase()]
  if (letter === lower && letter === upper.toLowerCase()) return upper
  return letter === upper && letter === lower.toUpperCase() ? lower : letter
}

/** @internal The real one. */
export const fileSystem: NameLookup = {
  async identity(path) {
    try {
      const { dev, ino } = await lstat(path, { bigint: true })
      return `${dev}:${ino}`
    } catch {
      // Whatever the reason, no other spelling was found here; the file itself has been opened already.
      return null
    }
  },
  names: (folder) => readdir(folder),
}
