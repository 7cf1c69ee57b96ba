// Where a program's own data belongs, by the convention of each platform.

import { posix, win32 } from 'node:path'
import { requireString, show } from './arguments.ts'

/** What decides where the data of programs belongs. */
export interface PlatformFacts {
  readonly platform: NodeJS.Platform
  readonly env: { readonly XDG_DATA_HOME?: string | undefined; readonly LOCALAPPDATA?: string | undefined }
  /** The home folder of the user. */
  readonly home: string
}

/**
 * The folder for the data of a program.
 *
 * @throws {RangeError} If `appName` cannot be the name of one folder on every platform.
 */
export function appDataFolder(appName: string, { platform, env, home }: PlatformFacts): string {
  requireAppName(appName)
  if (platform === 'win32') {
    const local = env.LOCALAPPDATA
    const base = local !== undefined && win32.isAbsolute(local) ? local : win32.join(home, 'AppData', 'Local')
    return win32.join(base, appName)
  }
  if (platform === 'darwin') return posix.join(home, 'Library', 'Application Support', appName)
  // XDG Base Directory Specification: "All paths set in these environment variables must be absolute", others ignored.
  const data = env.XDG_DATA_HOME
  return posix.join(data !== undefined && posix.isAbsolute(data) ? data : posix.join(home, '.local', 'share'), appName)
}

// Separators, what Windows forbids in names or drops from their end, control characters, and its device names.
const FORBIDDEN = /[/\\:*?"<>|\p{C}]|^[. ]|[. ]$/u
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?$/i

function requireAppName(appName: string): void {
  requireString('appName', appName)
  if (appName === '' || appName.length > 100 || FORBIDDEN.test(appName) || DEVICE.test(appName)) {
    throw new RangeError(`"appName" expected a plain name for a folder, got ${show(appName)}`)
  }
}
