// Several files that belong together, such as a key and its certificate. Each of them is put in place in one instant,
// but all of them together cannot be: they go in order, and if one fails, those before it are undone.

import { constants, copyFile, link, rename } from 'node:fs/promises'
import { FileError } from '../errors.ts'
import {
  codeOf,
  type FileContents,
  refuseTarget,
  removeQuietly,
  type StagedFile,
  stageFile,
  temporaryNameBeside,
  writing,
} from './atomic-file.ts'

/** One file of the set. */
export interface NewFile {
  readonly path: string
  readonly contents: FileContents
  readonly mode: number
}

/**
 * Writes all files or none. Every file is complete on the disk under a temporary name before the first gets its own;
 * then they get them in the order given. On an error, what was there before is put back.
 *
 * A crash in between leaves the first files new and the last ones old, and beside them, as `.tlacacoca-….tmp`, the old
 * ones that were replaced and the new ones that were not put in place.
 *
 * @throws {FileError} As `writeFileAtomic` does.
 */
export async function writeFilesAtomic(
  files: readonly NewFile[],
  options: { readonly overwrite: boolean },
): Promise<void> {
  const { overwrite } = options
  for (const { path } of files) await refuseTarget(path, overwrite)
  const staged: StagedFile[] = []
  const published: { readonly path: string; readonly former: string | null }[] = []
  try {
    for (const { path, contents, mode } of files) staged.push(await stageFile(path, contents, mode))
    for (const [index, file] of staged.entries()) {
      const path = files[index]?.path ?? ''
      const former = overwrite ? await keepFormer(path) : null
      try {
        await file.publish(overwrite)
      } catch (error) {
        if (former !== null) await removeQuietly(former)
        throw error
      }
      published.push({ path, former })
    }
  } catch (error) {
    for (const file of staged) await file.discard()
    let failure = error
    // One that cannot be put back keeps none of the others from it.
    for (const { path, former } of published.toReversed()) {
      await putBack(path, former).catch((unfinished: unknown) => {
        failure = unfinished
      })
    }
    throw failure
  }
  for (const { former } of published) if (former !== null) await removeQuietly(former)
}

/** Gives a file a second name, so that it outlives its replacement; null if there is none. */
async function keepFormer(path: string): Promise<string | null> {
  const former = temporaryNameBeside(path)
  try {
    await link(path, former)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    // A file system without hard links.
    await writing(path, () => copyFile(path, former, constants.COPYFILE_EXCL))
  }
  return former
}

async function putBack(path: string, former: string | null): Promise<void> {
  if (former === null) return removeQuietly(path)
  try {
    await rename(former, path)
  } catch (cause) {
    const problem = `cannot put back the former ${path}, which is now ${former}`
    throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, problem, { cause })
  }
}
