// What `tlacacoca/tls` offers: contexts, servers, `connect` and its verifiers, and TLS without sockets.

export type { Issuance, Peer, TLSVersion, VerifiedPeer } from '../certificate/peer.ts'
export type { PeerCandidate, PeerVerifier, VerifierDecision } from '../certificate/peer-verifier.ts'
export type { RevocationChecker, RevocationReason, RevocationStatus } from '../certificate/revocation-checker.ts'
export {
  type AlertLevel,
  AlertUnavailableError,
  BadTLSDataError,
  BufferFullError,
  CertificateError,
  ChainError,
  ConnectionError,
  ContextError,
  ExtraneousPrivateKeyError,
  FileError,
  InvalidAlertLevel,
  InvalidatedError,
  InvalidNameError,
  LeafCertificateHasNoPrivateKeyError,
  ListenError,
  MoreThanOneLeafCertificateError,
  NoCertificateChainError,
  NoLeafCertificateError,
  PeerRefusedError,
  PrivateKeyError,
  TLSAlertError,
  TlacacocaError,
  TruncatedError,
  VerificationRefused,
} from '../errors.ts'
export type { ConnectionDecision, ConnectionGuard } from '../net/connection-guard.ts'
export type {
  ConnectionHandler,
  ConnectionLimits,
  ProxyProtocolOptions,
  RefusedConnection,
} from '../net/connection-limits.ts'
export type { ListenAddress, Listener } from '../net/listener.ts'
export type { ServerConnection } from '../net/server-connection.ts'
export { AlertCode, alertNameOf } from './alert.ts'
export { type ClientContext, type ClientContextOptions, createClientContext } from './client-context.ts'
export type { ClientHelloInfo } from './client-hello.ts'
export { type ClientConnection, type ConnectEvent, type ConnectOptions, connect } from './connect.ts'
export type { ClientIdentity, ClientIdentityFiles, ClientIdentityTexts } from './identity.ts'
export { peerOf } from './peer-of.ts'
export { refuseRevoked } from './refuse-revoked.ts'
export type { ChainAnswer } from './sans-io/answer.ts'
export type { CipherSuite } from './sans-io/cipher-suites.ts'
export { ClientCertificateRestart } from './sans-io/client-certificate-restart.ts'
export {
  type CertificateAuthorityName,
  ClientCertificateStore,
  IssuerClientCertificates,
  type IssuerOptions,
  SingleClientCertificate,
} from './sans-io/client-certificate-store.ts'
export { ClientTLS, type ClientTLSOptions } from './sans-io/client-tls.ts'
export type { Connection } from './sans-io/connection.ts'
export type { ConnectionInfo } from './sans-io/connection-info.ts'
export type { CloseReason, ConnectionState, VerifyCallback } from './sans-io/connection-sink.ts'
export type { DhParams } from './sans-io/dh-parameters.ts'
export type { NamedGroup } from './sans-io/named-groups.ts'
export type { Limits, Timeouts } from './sans-io/plan.ts'
export {
  ServerCertificateChain,
  ServerCertificates,
  type SNIOptions,
  SNIServerCertificates,
} from './sans-io/server-certificates.ts'
export { type ClientAuthentication, ServerTLS, type ServerTLSOptions } from './sans-io/server-tls.ts'
export type { SignatureScheme } from './sans-io/signature-schemes.ts'
export { type TLSDuplex, type TLSDuplexOptions, tlsDuplex } from './sans-io/tls-duplex.ts'
export type { CommonTLSOptions } from './sans-io/tls-settings.ts'
export type { WireCallbacks } from './sans-io/wire-callbacks.ts'
export { createSecureServer, type SecureServerOptions } from './secure-server.ts'
export type {
  ServedCertificate,
  ServedNames,
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
