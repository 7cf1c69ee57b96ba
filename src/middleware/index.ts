// What `tlacacoca/middleware` offers. It is complete without TLS: a Spartan server needs nothing else, and importing it
// loads neither SQLite nor anything that reads certificates.

export type { Peer } from '../certificate/peer.ts'
export type { RevocationChecker, RevocationReason, RevocationStatus } from '../certificate/revocation-checker.ts'
export { InvalidNameError, TlacacocaError } from '../errors.ts'
export type { Clock } from '../internal/clock.ts'
export {
  type AddressRange,
  type ClientAddress,
  type Endpoint,
  endpointFrom,
  normalizeHost,
  parseAddressRange,
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
  type ConnectionGuard,
  type ConnectionHandler,
  type ConnectionLimits,
  createPlaintextServer,
  type DrainLimits,
  type ListenAddress,
  type Listener,
  type ReadRequestOptions,
  type RequestReading,
  readRequest,
  refuse,
  type ServerConnection,
} from '../net/index.ts'
export { AccessControl, type AccessControlOptions, type AccessExplanation } from './access-control.ts'
export { type AdmitOptions, type AdmitReason, type Admitted, admit } from './admit.ts'
export { CertificateAuth, type CertificateAuthOptions } from './certificate-auth.ts'
export type { CertificateLookup, LookupResult } from './certificate-lookup.ts'
export type { CertificateRule } from './certificate-rule.ts'
export { type ChainDecision, MiddlewareChain, type MiddlewareChainOptions } from './chain.ts'
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
export { RateLimiter, type RateLimiterOptions } from './rate-limiter.ts'
export type { BucketOptions, TokenBucketResult } from './refill.ts'
export { TokenBucket, type TokenBucketOptions } from './token-bucket.ts'
