// The home folder of the user. An empty or relative HOME would put stores into whatever folder somebody happens to work
// in, and would trust a store that another one left there: it counts as if it were not set.

import { homedir, userInfo } from 'node:os'
import { posix } from 'node:path'
import { FileError } from '../errors.ts'

/**
 * @param home - What HOME says. Default: what it says to this process.
 * @throws {FileError} If neither HOME nor the system knows one.
 */
export function homeFolder(home: string | undefined = process.env.HOME): string {
  // There HOME means nothing to the system, and a shell that sets it writes paths in its own way.
  if (process.platform === 'win32') return homedir()
  if (home !== undefined && posix.isAbsolute(home)) return home
  const known = homeByUserId()
  if (known !== undefined && posix.isAbsolute(known)) return known
  throw new FileError('ERR_TLACACOCA_FILE_NOT_FOUND', '~', 'there is no home folder: HOME is no absolute path')
}

function homeByUserId(): string | undefined {
  try {
    return userInfo().homedir
  } catch {
    // A user id that the system has no name for, as in many containers.
    return undefined
  }
}
