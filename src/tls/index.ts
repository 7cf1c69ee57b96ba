// What `tlacacoca/tls` offers: contexts, servers, `connect` and its verifiers.

export type { Issuance, Peer, TLSVersion, VerifiedPeer } from '../certificate/peer.ts'
export type { PeerCandidate, PeerVerifier, VerifierDecision } from '../certificate/peer-verifier.ts'
export type { ConnectionGuard } from '../net/connection-guard.ts'
export type { ConnectionHandler, ConnectionLimits } from '../net/connection-tracker.ts'
export type { ListenAddress, Listener } from '../net/listener.ts'
export type { ServerConnection } from '../net/server-connection.ts'
export { type ClientContext, type ClientContextOptions, createClientContext } from './client-context.ts'
export { type ClientConnection, type ConnectEvent, type ConnectOptions, connect } from './connect.ts'
export type { ClientIdentity, ClientIdentityFiles, ClientIdentityTexts } from './identity.ts'
export { peerOf } from './peer-of.ts'
export type {
  ServedCertificate,
  ServerCertificateFiles,
  ServerCertificateSource,
  ServerCertificateTexts,
} from './served-certificate.ts'
export { createServer, type ServerEvent, type ServerOptions } from './server.ts'
export {
  createServerContext,
  type ReloadReport,
  type ServerContext,
  type ServerContextOptions,
} from './server-context.ts'
export type { ClientCertificates, ServerContextEvent } from './server-generation.ts'
export type { HandshakeFailure } from './server-handshakes.ts'
export type { TrustedAuthority } from './trusted-authorities.ts'
export { type AuthoritiesOptions, authorities } from './verifiers/authorities.ts'
export { allOf, anyOf } from './verifiers/combined.ts'
export { dangerouslyAcceptAny } from './verifiers/dangerously-accept-any.ts'
export { pins } from './verifiers/pins.ts'
