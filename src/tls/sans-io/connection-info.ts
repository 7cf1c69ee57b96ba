// What the two sides have agreed on, read from the connection once it is open.

import type { Certificate } from '../../certificate/certificate.ts'
import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import type { TLSVersion } from '../../certificate/peer.ts'
import type { ClientHelloInfo } from '../client-hello.ts'
import type { Engine } from './engine.ts'
import { cipherSuiteName, extensionName, groupName } from './registry.ts'

/** The facts of a TLS connection. */
export interface ConnectionInfo {
  readonly version: TLSVersion
  /** By its IANA name, such as `TLS_AES_128_GCM_SHA256`. */
  readonly cipherSuite: string
  /** The group of the key exchange, such as `X25519` or `P-256`; null for the finite fields of TLS 1.2. */
  readonly group: string | null
  /** The session id of the server's hello. It means nothing in TLS 1.3, and sessions are never resumed here. */
  readonly sessionId: Uint8Array
  /** The application protocol that was agreed on (ALPN, RFC 7301), or null. */
  readonly alpn: string | null
  /** The name in the client's hello (SNI): as it stands there on a server, as it was asked for on a client. Or null. */
  readonly serverName: string | null
  readonly extensions: {
    /** Of the client's hello, by their IANA names, in order; null on a client. */
    readonly clientHello: readonly string[] | null
    /** Of the server's hello. In TLS 1.3 the others are encrypted, and not looked at. */
    readonly serverHello: readonly string[]
  }
  /** The whole hello of the client; null on a client. */
  readonly clientHello: ClientHelloInfo | null
  /** What the peer sent, its own certificate first; empty if it sent none. */
  readonly peerChain: readonly Certificate[]
  /**
   * What this side had to show, whether the peer asked for it or not. Null if nothing, and on a server with a context,
   * where OpenSSL chooses among keys of several kinds.
   */
  readonly localChain: KeyedChain | null
}

/** Reads the facts of an open connection. */
export function connectionInfo(
  engine: Engine,
  facts: {
    readonly version: TLSVersion
    readonly serverName: string | null
    readonly clientHello: ClientHelloInfo | null
    readonly peerChain: readonly Certificate[]
    readonly localChain: KeyedChain | null
  },
): ConnectionInfo {
  const { alpnProtocol } = engine.tls
  const hello = engine.serverHello
  const { clientHello } = facts
  return {
    version: facts.version,
    cipherSuite: hello === null ? engine.tls.getCipher().standardName : cipherSuiteName(hello.cipherSuite),
    group: hello?.group == null ? null : groupName(hello.group),
    sessionId: hello?.sessionId ?? new Uint8Array(0),
    alpn: typeof alpnProtocol === 'string' && alpnProtocol !== '' ? alpnProtocol : null,
    serverName: facts.serverName,
    extensions: {
      clientHello: clientHello === null ? null : clientHello.extensions.map(extensionName),
      serverHello: (hello?.extensions ?? []).map(extensionName),
    },
    clientHello,
    peerChain: facts.peerChain,
    localChain: facts.localChain,
  }
}
