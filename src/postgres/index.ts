// What `tlacacoca/postgres` offers: stores that many servers share, in a PostgreSQL that you have already.

export { AuthorityError, StoreError, TlacacocaError } from '../errors.ts'
export type {
  PostgresClient,
  PostgresEmbedded,
  PostgresPool,
  PostgresPoolConnection,
  PostgresQueryable,
} from './client.ts'
export { PostgresIdentityStore } from './identity-store.ts'
export { PostgresIssuedStore, type PostgresIssuedStoreOptions } from './issued-store.ts'
export { PostgresPinStore } from './pin-store.ts'
export { PostgresRateLimitStore } from './rate-limit-store.ts'
export { createPostgresSchema, type PostgresSchemaOptions } from './schema.ts'
