// `gnutls-cli` as a peer: a client by other people than OpenSSL's.

import { spawnSync } from 'node:child_process'
import { CommandLinePeer } from './command-line-peer.ts'

/** Whether it can be run here. */
export const hasGnutls = spawnSync('gnutls-cli', ['--version']).status === 0

/** Connects to a local port, with one version of TLS and a name for SNI, and takes any certificate. */
export function gnutlsCli(port: number, version: 'TLSv1.2' | 'TLSv1.3', args: readonly string[] = []): CommandLinePeer {
  const priority = `NORMAL:-VERS-ALL:+VERS-TLS${version.slice(4)}`
  return new CommandLinePeer('gnutls-cli', [
    ...['--insecure', '--no-ca-verification', '--verify-hostname=example.org', '--sni-hostname=example.org'],
    ...['--priority', priority, '--port', String(port), ...args, '127.0.0.1'],
  ])
}
