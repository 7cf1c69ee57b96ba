// Where a program's own data belongs, by the convention of each platform.

import { posix, win32 } from 'node:path'
import { appDataFolder, type PlatformFacts } from '../internal/app-data-folder.ts'
import { homeFolder } from '../internal/home-folder.ts'

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
  facts: PlatformFacts = { platform: process.platform, env: process.env, home: homeFolder() },
): string {
  const folder = appDataFolder(appName, facts)
  return (facts.platform === 'win32' ? win32 : posix).join(folder, FILE_NAME)
}

const FILE_NAME = 'pins.db'
