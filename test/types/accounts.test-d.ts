// Accounts, authorities, logs and stores that many share.

import {
  type AuditVerdict,
  type Authorization,
  CertificateAuthority,
  type HoldOutcome,
  type IssuedCertificate,
  type IssuedStore,
  type MemoryIssuedStore,
  type ReleaseOutcome,
  SigningHooks,
} from 'tlacacoca/authority'
import type { Peer } from 'tlacacoca/certificate'
import {
  type IdentityNotice,
  IdentityRegistry,
  type IdentityStore,
  type User,
  type UserProfile,
} from 'tlacacoca/identity'
import { createLogger, type Logger, type LogLevel, logDecisions } from 'tlacacoca/logging'
import { type CertificateLookup, type ChainDecision, RateLimiter, type RateLimitStore } from 'tlacacoca/middleware'
import {
  type PostgresClient,
  type PostgresIdentityStore,
  type PostgresIssuedStore,
  PostgresPinStore,
} from 'tlacacoca/postgres'
import { type RedisClient, RedisRateLimitStore, type TokenBucketResult, type TokensMissing } from 'tlacacoca/redis'
import { checkPinStore, fixedClock, type PromiseCheck, pinStorePromises, testPeer } from 'tlacacoca/testing'
import type { PinStore } from 'tlacacoca/tofu'
import { expectTypeOf } from 'vitest'

declare const peer: Peer
declare const registry: IdentityRegistry
declare const authority: CertificateAuthority
declare const verdict: AuditVerdict
declare const redis: RedisClient
declare const postgres: PostgresClient

export async function accounts(): Promise<void> {
  expectTypeOf(registry.lookup()).toEqualTypeOf<CertificateLookup<User>>()
  const resolution = await registry.resolve(peer)
  // @ts-expect-error Nobody is a user before it was asked.
  resolution.user
  switch (resolution.kind) {
    case 'known':
      expectTypeOf(resolution.user).toEqualTypeOf<User>()
      expectTypeOf(resolution.notices).toEqualTypeOf<readonly IdentityNotice[]>()
      return
    case 'pending':
    case 'unknown':
    case 'refused':
    case 'anonymous':
      return
    default:
      expectTypeOf(resolution).toBeNever()
  }
}

export async function registering(): Promise<void> {
  // @ts-expect-error A fingerprint is no peer: nobody has proven the key.
  await registry.register(peer.fingerprint)
  // @ts-expect-error Nor is a certificate.
  await registry.register(peer.certificate)
  expectTypeOf<Parameters<IdentityRegistry['register']>[1]>().toEqualTypeOf<UserProfile | undefined>()
  // @ts-expect-error Either a path or the name of a program.
  await IdentityRegistry.open({})
}

export async function authorities(): Promise<void> {
  expectTypeOf(authority.sign({ request: '…' })).toEqualTypeOf<Promise<IssuedCertificate>>()
  // @ts-expect-error It is `subjectAltNames`.
  await authority.sign({ request: '…', sans: ['a.example'] })
  // @ts-expect-error An authority says whose it is.
  await CertificateAuthority.create('ca', {})
  if (verdict.valid) expectTypeOf(verdict.head).toEqualTypeOf<string>()
  // @ts-expect-error A trail that was changed has no head.
  else verdict.head
}

export class Hooks extends SigningHooks {
  override authorize(): Authorization {
    return { allow: true, validity: '90d' }
  }
}

export class TooEasy extends SigningHooks {
  // @ts-expect-error A bare yes is no authorization.
  override authorize(): boolean {
    return true
  }
}

export function logs(logger: Logger): void {
  expectTypeOf(createLogger({ level: 'warn' })).toEqualTypeOf<Logger>()
  expectTypeOf<LogLevel>().toEqualTypeOf<'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'>()
  // @ts-expect-error It is `hashAddresses`, and is on unless told.
  createLogger({ hashAddress: true })
  expectTypeOf(logDecisions(logger)).toExtend<(decision: ChainDecision) => void>()
}

export async function stores(): Promise<void> {
  expectTypeOf<RedisRateLimitStore>().toExtend<RateLimitStore>()
  expectTypeOf<PostgresPinStore>().toExtend<PinStore>()
  expectTypeOf<PostgresIdentityStore>().toExtend<IdentityStore>()
  expectTypeOf<PostgresIssuedStore>().toExtend<IssuedStore>()
  expectTypeOf<MemoryIssuedStore>().toExtend<IssuedStore>()
  expectTypeOf<HoldOutcome['kind']>().toEqualTypeOf<'held' | 'already_held' | 'revoked' | 'unknown'>()
  expectTypeOf<ReleaseOutcome['kind']>().toEqualTypeOf<'released' | 'not_held' | 'unknown'>()
  expectTypeOf<Extract<TokenBucketResult, { allowed: false }>>().toEqualTypeOf<TokensMissing>()
  // @ts-expect-error How many servers share a limit has to be said.
  new RedisRateLimitStore(redis, {})
  const store = new RedisRateLimitStore(redis, { fleetSize: 3 })
  new RateLimiter({ capacity: 10, refillPerSecond: 1, store })
  expectTypeOf(PostgresPinStore.open(postgres)).toEqualTypeOf<Promise<PostgresPinStore>>()
  // @ts-expect-error Stores are opened, which finds out whether their tables are there.
  new PostgresPinStore(postgres)
}

export function tests(makeFixture: Parameters<typeof checkPinStore>[0]): void {
  expectTypeOf(checkPinStore(makeFixture)).toEqualTypeOf<Promise<void>>()
  expectTypeOf(pinStorePromises(makeFixture)).toEqualTypeOf<readonly PromiseCheck[]>()
  expectTypeOf(testPeer).returns.toEqualTypeOf<Peer>()
  expectTypeOf(fixedClock).parameters.toEqualTypeOf<[start: Date]>()
}
