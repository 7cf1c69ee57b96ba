// The openssl command as a second opinion on what the library writes.

import { execFileSync, spawnSync } from 'node:child_process'

/** Runs it and returns what it prints; it must succeed. */
export function openssl(args: readonly string[], input: string | Uint8Array = ''): string {
  return execFileSync('openssl', args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Whether it exits with success. */
export function opensslSucceeds(args: readonly string[], input: string | Uint8Array = ''): boolean {
  return spawnSync('openssl', args, { input }).status === 0
}
