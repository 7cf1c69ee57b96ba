// What `tlacacoca/redis` offers: limits and bans that several servers share, in Redis or Valkey. The client is yours.

export { StoreError, TlacacocaError } from '../errors.ts'
export type { Clock } from '../internal/clock.ts'
export type { RateLimitStore } from '../middleware/rate-limit-store.ts'
export type { BucketOptions, TokenBucketResult, TokensMissing, TokensTaken } from '../middleware/refill.ts'
export type { RedisClient, RedisCommand } from './client.ts'
export type { EngineCounters, EngineOptions, RedisEvent } from './engine.ts'
export type { FleetSecret } from './key-hash.ts'
export {
  type RedisRateLimitCounters,
  RedisRateLimitStore,
  type RedisRateLimitStoreOptions,
} from './rate-limit-store.ts'
export { type ShareBansOptions, type SharedBans, type SharedBansCounters, shareBans } from './share-bans.ts'
