import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import type { WalletOptions } from '../../../src/identity/wallet/wallet-options.ts'
import { type FixedClock, fixedClock } from '../../../src/testing/fixed-clock.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

export const START = new Date('2030-06-01T12:00:00Z')
export const A_MINUTE_MS = 60_000
export const A_DAY_MS = 86_400_000

/** A wallet in memory with a clock that stands still, closed when the test is over. */
export async function memoryWallet(): Promise<{ wallet: IdentityWallet; clock: FixedClock }> {
  const clock = fixedClock(START)
  const wallet = await IdentityWallet.inMemory({ clock })
  onTestFinished(() => wallet.close())
  return { wallet, clock }
}

/** A folder that does not exist yet. */
export async function newFolder(): Promise<string> {
  return join(await temporaryFolder(), 'identities')
}

/** A wallet in a folder, closed when the test is over. */
export async function folderWallet(directory: string, options: WalletOptions = {}): Promise<IdentityWallet> {
  const wallet = await IdentityWallet.open({ directory, ...options })
  onTestFinished(() => wallet.close())
  return wallet
}

/** Does something with the wallet in a folder and closes it. */
export async function withWallet<T>(
  directory: string,
  act: (wallet: IdentityWallet) => Promise<T>,
  options: WalletOptions = {},
): Promise<T> {
  const wallet = await IdentityWallet.open({ directory, ...options })
  try {
    return await act(wallet)
  } finally {
    await wallet.close()
  }
}
