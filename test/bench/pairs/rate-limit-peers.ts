// What one would limit requests by address with instead: packages, and a Map of token buckets as one writes it at once.

import { performance } from 'node:perf_hooks'
import { loadPeer } from '../peers.ts'
import type { Asked } from './rate-limits.ts'

export const CAPACITY = 1_000_000
export const PER_SECOND = 100_000_000

export interface Limit {
  readonly name: string
  /** Whether its table has a size that it never leaves. */
  readonly isFixed: boolean
  take(asked: Asked): boolean | Promise<boolean>
  close?(): void
}

interface Flexible {
  readonly RateLimiterMemory: new (options: {
    points: number
    duration: number
  }) => {
    consume(key: string): Promise<unknown>
  }
}

interface Express {
  readonly MemoryStore: new () => {
    init(options: { windowMs: number }): void
    increment(key: string): Promise<{ totalHits: number }>
    shutdown(): void
  }
}

interface Limiter {
  readonly RateLimiter: new (options: {
    tokensPerInterval: number
    interval: number
  }) => {
    tryRemoveTokens(count: number): boolean
  }
}

/** Those that are installed. */
export function peerLimits(): (() => Limit)[] {
  const express = loadPeer<Express>('express-rate-limit')
  const flexible = loadPeer<Flexible>('rate-limiter-flexible')
  const limiter = loadPeer<Limiter>('limiter')
  return [
    mapOfBuckets,
    ...(limiter === null ? [] : [() => mapOfLimiters(limiter)]),
    ...(express === null ? [] : [() => expressStore(express)]),
    ...(flexible === null ? [] : [() => flexibleMemory(flexible)]),
  ]
}

function mapOfBuckets(): Limit {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    name: 'Map of buckets',
    isFixed: false,
    take({ text }) {
      const now = performance.now()
      const bucket = buckets.get(text)
      if (bucket === undefined) {
        buckets.set(text, { tokens: CAPACITY - 1, at: now })
        return true
      }
      bucket.tokens = Math.min(CAPACITY, bucket.tokens + ((now - bucket.at) * PER_SECOND) / 1000)
      bucket.at = now
      if (bucket.tokens < 1) return false
      bucket.tokens -= 1
      return true
    },
  }
}

/** It knows no keys, so that there has to be one for each address. */
function mapOfLimiters({ RateLimiter }: Limiter): Limit {
  const limiters = new Map<string, InstanceType<typeof RateLimiter>>()
  return {
    name: 'Map of limiter',
    isFixed: false,
    take({ text }) {
      let limiter = limiters.get(text)
      if (limiter === undefined) {
        limiter = new RateLimiter({ tokensPerInterval: PER_SECOND, interval: 1000 })
        limiters.set(text, limiter)
      }
      return limiter.tryRemoveTokens(1)
    },
  }
}

function expressStore({ MemoryStore }: Express): Limit {
  const store = new MemoryStore()
  store.init({ windowMs: 3_600_000 })
  return {
    name: 'express-rate-limit MemoryStore',
    isFixed: false,
    take: async ({ text }) => (await store.increment(text)).totalHits < 1e9,
    close: () => store.shutdown(),
  }
}

function flexibleMemory({ RateLimiterMemory }: Flexible): Limit {
  // An hour: its timers, one for each key, must not fire in the middle.
  const limiter = new RateLimiterMemory({ points: 1e9, duration: 3600 })
  return {
    name: 'rate-limiter-flexible',
    isFixed: false,
    async take({ text }) {
      await limiter.consume(text)
      return true
    },
  }
}
