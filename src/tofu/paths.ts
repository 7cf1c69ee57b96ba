// Where a program's own data belongs, by the convention of each platform.

import { homedir } from 'node:os'
import { posix, win32 } from 'node:path'
import { requireString, show } from '../internal/arguments.ts'

/** The parts of the surroundings that decide where data belongs. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly env: { readonly XDG_DATA_HOME?: string | undefined; readonly LOCALAPPDATA?: string | undefined }
  readonly home: string
}

/**
 * The file that `TofuStore.open({ appName })` opens: `pins.db` in `$XDG_DATA_HOME/<appName>` or
 * `~/.local/share/<appName>`, in `~/Library/Application Support/<appName>` on macOS, in `%LOCALAPPDATA%\<appName>` on
 * Windows.
 *
 * @throws {RangeError} If `appName` cannot be the name of one folder on every platform.
 * @example
 * import { defaultPinPath } from 'tlacacoca/tofu'
 *
 * console.log(defaultPinPath('my-browser')) // '/home/ana/.local/share/my-browser/pins.db'
 */
export function defaultPinPath(
  appName: string,
  surroundings: Surroundings = { platform: process.platform, env: process.env, home: homedir() },
): string {
  requireAppName(appName)
  const { platform, env, home } = surroundings
  if (platform === 'win32') {
    const local = env.LOCALAPPDATA
    const base = local !== undefined && win32.isAbsolute(local) ? local : win32.join(home, 'AppData', 'Local')
    return win32.join(base, appName, FILE_NAME)
  }
  if (platform === 'darwin') return posix.join(home, 'Library', 'Application Support', appName, FILE_NAME)
  // XDG Base Directory Specification: "All paths set in these environment variables must be absolute", others ignored.
  const data = env.XDG_DATA_HOME
  const base = data !== undefined && posix.isAbsolute(data) ? data : posix.join(home, '.local', 'share')
  return posix.join(base, appName, FILE_NAME)
}

const FILE_NAME = 'pins.db'

// Separators, what Windows forbids in names or drops from their end, control characters, and its device names.
const FORBIDDEN = /[/\\:*?"<>|\p{C}]|^[. ]|[. ]$/u
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?$/i

function requireAppName(appName: string): void {
  requireString('appName', appName)
  if (appName === '' || appName.length > 100 || FORBIDDEN.test(appName) || DEVICE.test(appName)) {
    throw new RangeError(`"appName" expected a plain name for a folder, got ${show(appName)}`)
  }
}
