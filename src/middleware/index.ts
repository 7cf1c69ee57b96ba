// What `tlacacoca/middleware` offers. It is complete without TLS: a Spartan server needs nothing else, and importing it
// loads neither SQLite nor anything that reads certificates.

export type { IssuanceChecker, IssuanceStatus } from '../certificate/issuance-checker.ts'
export type { Peer } from '../certificate/peer.ts'
export type { RevocationChecker, RevocationReason, RevocationStatus } from '../certificate/revocation-checker.ts'
export {
  AddressListError,
  FileError,
  type FileProblem,
  InvalidNameError,
  ListenError,
  TlacacocaError,
} from '../errors.ts'
export type { Clock } from '../internal/clock.ts'
export {
  type AddressRange,
  type ClientAddress,
  type Endpoint,
  endpointFrom,
  normalizeHost,
  parseAddressRange,
  parseAddressSpan,
  parseClientAddress,
  parseEndpoint,
  parseRequestPath,
  parseTarget,
  type RequestPath,
  type RequestTarget,
  type ServedHosts,
  targetFromParts,
} from '../names/index.ts'
export {
  type ConnectionDecision,
  type ConnectionGuard,
  type ConnectionHandler,
  type ConnectionLimits,
  createPlaintextServer,
  type DrainLimits,
  type GuardConnectionsOptions,
  type GuardedConnections,
  guardConnections,
  type ListenAddress,
  type Listener,
  type ProxyProtocolOptions,
  type ReadRequestOptions,
  type RefusedConnection,
  type RequestReading,
  readRequest,
  refuse,
  type ServerConnection,
} from '../net/index.ts'
export {
  AccessControl,
  type AccessControlOptions,
  type AccessExplanation,
  type AccessRules,
  type TemporaryEntry,
} from './access-control.ts'
export {
  type AddressEntries,
  type AddressList,
  type AddressListOptions,
  loadAddressList,
  parseAddressList,
} from './address-list.ts'
export { type AdmitOptions, type AdmitReason, type Admitted, admit } from './admit.ts'
export { type Ban, type BanCounters, BanList, type BanListOptions } from './ban-list.ts'
export { CertificateAuth, type CertificateAuthOptions } from './certificate-auth.ts'
export type { CertificateLookup, LookupResult } from './certificate-lookup.ts'
export type { CertificateRule } from './certificate-rule.ts'
export { type ChainDecision, MiddlewareChain, type MiddlewareChainOptions } from './chain.ts'
export { type ConnectionCounts, ConnectionLimiter, type ConnectionLimiterOptions } from './connection-limiter.ts'
export { MemoryRateLimitStore, type MemoryRateLimitStoreOptions } from './memory-rate-limit-store.ts'
export {
  ALLOWED,
  type Allowed,
  type DenialReason,
  type Denied,
  type Middleware,
  type MiddlewareRequest,
  type MiddlewareResult,
} from './middleware.ts'
export { type OpenInsideRootOptions, openInsideRoot } from './open-inside-root.ts'
export type { StoreAnswer } from './rate-limit-answer.ts'
export type { RateLimitBy, RateLimitSubject } from './rate-limit-key.ts'
export type { RateLimitStore } from './rate-limit-store.ts'
export { RateLimiter } from './rate-limiter.ts'
export type { RateLimitCounters, RateLimiterOptions } from './rate-limiter-options.ts'
export { RateLimits } from './rate-limits.ts'
export type { BucketOptions, TokenBucketResult, TokensMissing, TokensTaken } from './refill.ts'
export { TokenBucket, type TokenBucketOptions } from './token-bucket.ts'
