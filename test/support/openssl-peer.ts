// `openssl s_client` and `openssl s_server` as peers. With `-msg` they print every message that passes, by name.

import { CommandLinePeer } from './command-line-peer.ts'

/** Connects to a local port. */
export function sClient(port: number, args: readonly string[] = []): CommandLinePeer {
  return new CommandLinePeer('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-msg', ...args])
}

export interface SServer {
  readonly port: number
  readonly peer: CommandLinePeer
}

/** Listens on a free port for one client, whom it asks for a certificate, and takes any. */
export async function sServer(files: { cert: string; key: string }, args: readonly string[] = []): Promise<SServer> {
  const peer = new CommandLinePeer('openssl', [
    's_server',
    ...['-accept', '127.0.0.1:0', '-naccept', '1', '-msg', '-verify', '5'],
    ...['-cert', files.cert, '-key', files.key],
    ...args,
  ])
  const [, port] = await peer.printed(/^ACCEPT 127\.0\.0\.1:(\d+)/m)
  return { port: Number(port), peer }
}

/** The switch that makes openssl speak one version alone. */
export function versionSwitch(version: 'TLSv1.2' | 'TLSv1.3'): string {
  return version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'
}

/** What passed in one direction as `-msg` prints it: `ClientHello`, `Alert fatal certificate_revoked`, `Finished`. */
export function messagesIn(output: string, direction: 'received' | 'sent'): string[] {
  const arrow = direction === 'received' ? '<<<' : '>>>'
  const found: string[] = []
  for (const line of output.split('\n')) {
    const parts = /^(<<<|>>>) [^,]*, (\w+) \[length [0-9a-f]+\](?:, (.*))?$/.exec(line.trim())
    if (parts?.[1] !== arrow) continue
    const [, , kind = '', detail = ''] = parts
    if (kind === 'Handshake') found.push(detail)
    else if (kind === 'Alert') found.push(`Alert ${detail}`)
    else if (kind !== 'RecordHeader' && kind !== 'InnerContent') found.push(kind)
  }
  return found
}
