import { stat } from 'node:fs/promises'

/**
 * Whether others than its owner may do anything with a file. Windows reports modes that say nothing about who may read.
 * A file that is gone is nobody's.
 */
export async function isOpenToOthers(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null)
  return process.platform !== 'win32' && stats !== null && (stats.mode & 0o077) !== 0
}
