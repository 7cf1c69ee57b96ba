// How a wallet is opened.

import { join } from 'node:path'
import { type Passphrase, requirePassphrase } from '../../certificate/passphrase.ts'
import { appDataFolder } from '../../internal/app-data-folder.ts'
import { requireInteger, requireOptions, requireString } from '../../internal/arguments.ts'
import { type Clock, checkedClock } from '../../internal/clock.ts'
import { homeFolder } from '../../internal/home-folder.ts'

/** Where a wallet is, and how it is opened. */
export interface WalletOptions {
  /** The folder. One that does not exist is created (0700) when there is something to put into it. */
  readonly directory?: string
  /**
   * Instead of `directory`, the name of the program: `identities` in the folder where its data belongs, which is
   * `$XDG_DATA_HOME/<appName>` or `~/.local/share/<appName>`, `~/Library/Application Support/<appName>` on macOS,
   * `%LOCALAPPDATA%\<appName>` on Windows.
   */
  readonly appName?: string
  /**
   * Encrypts the keys of new identities, and opens those that are encrypted: 1 to 1024 bytes. Leave the option out for a
   * wallet without encryption.
   */
  readonly passphrase?: Passphrase
  /** Where "now" comes from. Default: the computer's clock. */
  readonly clock?: Clock
  /** How long to wait for another program that is changing the folder, in milliseconds. Default 10,000. */
  readonly lockTimeoutMs?: number
}

export interface WalletSettings {
  readonly directory: string
  readonly passphrase: Passphrase | undefined
  readonly clock: Clock
  readonly lockTimeoutMs: number
}

export function readWalletOptions(options: WalletOptions): WalletSettings {
  requireOptions('options', options, ['directory', 'appName', 'passphrase', 'clock', 'lockTimeoutMs'])
  const { directory, appName, clock, lockTimeoutMs = 10_000 } = options
  if ((directory === undefined) === (appName === undefined)) {
    throw new TypeError('one of "directory" and "appName" is required, and not both')
  }
  // A passphrase of `undefined` would leave keys unencrypted that somebody means to protect.
  if ('passphrase' in options) requirePassphrase('passphrase', options.passphrase)
  requireInteger('lockTimeoutMs', lockTimeoutMs, 0, 3_600_000)
  return {
    directory: folderOf(directory, appName),
    passphrase: options.passphrase,
    clock: checkedClock(clock),
    lockTimeoutMs,
  }
}

function folderOf(directory: string | undefined, appName: string | undefined): string {
  if (directory === undefined) {
    return join(
      appDataFolder(appName ?? '', { platform: process.platform, env: process.env, home: homeFolder() }),
      'identities',
    )
  }
  requireString('directory', directory)
  // SQLite, which keeps the lock, trims names and stops at NUL.
  if (directory === '' || directory.includes('\0')) throw new RangeError('"directory" expected the name of a folder')
  return directory
}
