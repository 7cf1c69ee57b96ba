// Where the command keeps things if nobody says where: in the folder that the platform has for data of a program.

import { join } from 'node:path'
import { appDataFolder } from '../internal/app-data-folder.ts'
import { homeFolder } from '../internal/home-folder.ts'
import { defaultPinPath } from '../tofu/paths.ts'
import type { CliIo } from './io.ts'

/** The program whose data it is. */
const APP_NAME = 'tlacacoca'

/** The folder in which everything is. */
export function dataFolder(io: CliIo): string {
  return appDataFolder(APP_NAME, surroundings(io))
}

/** The file with the pins, as `TofuStore.open({ appName: 'tlacacoca' })` has it. */
export function pinStorePath(io: CliIo): string {
  return defaultPinPath(APP_NAME, surroundings(io))
}

/** The folder with the identities, as `IdentityWallet.open({ appName: 'tlacacoca' })` has it. */
export function walletFolder(io: CliIo): string {
  return join(dataFolder(io), 'identities')
}

function surroundings({ env }: CliIo) {
  return { platform: process.platform, env, home: homeFolder(env.HOME) }
}
