// Who takes part in the tests of connections: a server and a client, each with a chain below an authority of its own, and
// those who trust them.

import type { ConnectionOptions, TlsOptions } from 'node:tls'
import type { TLSVersion } from '../../src/certificate/peer.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { SingleClientCertificate } from '../../src/tls/sans-io/client-certificate-store.ts'
import { ClientTLS, type ClientTLSOptions } from '../../src/tls/sans-io/client-tls.ts'
import { ServerCertificateChain } from '../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS, type ServerTLSOptions } from '../../src/tls/sans-io/server-tls.ts'
import { family } from './chain-fixtures.ts'
import { issue } from './issued-certificates.ts'
import { chainOf, clientChainOf, pemOfIssued } from './sans-io.ts'

export const VERSIONS: readonly TLSVersion[] = ['TLSv1.2', 'TLSv1.3']

export const HOST = 'www.example.org'

export const servers = family()
export const serverChain = chainOf(servers.leaf, servers.middle, servers.root)
export const serverTrust = new TrustStore([servers.root.certificate])

const club = issue({ subject: 'club', ca: true })
const chapter = issue({ subject: 'chapter', by: club, ca: true })
const ana = issue({ subject: 'ana', by: chapter, ca: false, purposes: ['client'] })
export const clients = { root: club, middle: chapter, leaf: ana }
export const clientChain = clientChainOf(clients.leaf, clients.middle, clients.root)
export const clientTrust = new TrustStore([clients.root.certificate])

/** Somebody with a certificate that nobody issued. */
export const stranger = issue({ subject: 'stranger' })
export const strangerChain = clientChainOf(stranger)

/** One version and no other. */
export function only(version: TLSVersion): { readonly minVersion: TLSVersion; readonly maxVersion: TLSVersion } {
  return { minVersion: version, maxVersion: version }
}

/** A client that accepts the server above. */
export function clientTls(options: Partial<ClientTLSOptions> = {}): ClientTLS {
  const trust = options.verifier === undefined ? { trustRoot: serverTrust } : {}
  return new ClientTLS({ serverHostname: HOST, port: 1965, ...trust, ...options })
}

export function serverTls(options: Partial<ServerTLSOptions> = {}): ServerTLS {
  return new ServerTLS({ certificates: new ServerCertificateChain(serverChain), ...options })
}

/** The client above, if the server asks. */
export function withIdentity(
  chain = clientChain,
): Pick<ClientTLSOptions, 'clientCertificateStore' | 'identityOverTls12'> {
  return { clientCertificateStore: new SingleClientCertificate(chain), identityOverTls12: 'allow' }
}

/** The same server, spoken by Node. */
export function nodeServer(options: TlsOptions = {}): TlsOptions {
  return { ...pemOfIssued(servers.leaf, servers.middle), ...options }
}

/** A client that is Node. */
export function nodeClient(options: ConnectionOptions = {}): ConnectionOptions {
  return { servername: HOST, ca: servers.root.certificate.toPem(), ...options }
}

/** What a client of Node's shows. */
export const nodeIdentity: ConnectionOptions = pemOfIssued(clients.leaf, clients.middle)
