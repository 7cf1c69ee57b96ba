// What `tlacacoca/testing` offers: suites that check an implementation of ours or yours against the promises of its
// interface, and fakes for tests. No test framework is needed.

export { CertificateError, TlacacocaError } from '../errors.ts'
export { type FixedClock, fixedClock } from './fixed-clock.ts'
export { checkIdentityStore, type IdentityStoreFixture, identityStorePromises } from './identity-store-contract.ts'
export { checkIssuedStore, type IssuedStoreFixture, issuedStorePromises } from './issued-store-contract.ts'
export { checkPinStore, type PinStoreFixture, pinStorePromises } from './pin-store-contract.ts'
export { checkRateLimitStore, type RateLimitStoreFixture, rateLimitStorePromises } from './rate-limit-store-contract.ts'
export type { PromiseCheck } from './store-contract.ts'
export { testPeer } from './test-peer.ts'
export { type WirePair, type WirePairOptions, wirePair } from './wire-pair.ts'
