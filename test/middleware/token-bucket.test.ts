import { describe, expect, it } from 'vitest'
import { Refill } from '../../src/middleware/refill.ts'
import { TokenBucket } from '../../src/middleware/token-bucket.ts'
import { untyped } from './requests.ts'

/** A bucket and the hand on its clock. */
function bucketAt(capacity: number, refillPerSecond: number, startMs = 0) {
  const time = { ms: startMs }
  return { time, bucket: new TokenBucket({ capacity, refillPerSecond, clock: () => time.ms }) }
}

/** How many single tokens come out now. */
function drain(bucket: TokenBucket): number {
  let count = 0
  while (bucket.tryConsume().allowed) count++
  return count
}

describe('TokenBucket', () => {
  it('starts full, allows its capacity at once, and then says when the next one is there', () => {
    const { bucket } = bucketAt(3, 0.5)
    expect(bucket.tryConsume()).toEqual({ allowed: true, remaining: 2 })
    expect(bucket.tryConsume()).toEqual({ allowed: true, remaining: 1 })
    expect(bucket.tryConsume()).toEqual({ allowed: true, remaining: 0 })
    expect(bucket.tryConsume()).toEqual({ allowed: false, remaining: 0, retryAfterSeconds: 2 })
  })

  it('refills at its rate and never above its capacity', () => {
    const { bucket, time } = bucketAt(10, 4)
    expect(drain(bucket)).toBe(10)
    time.ms = 999
    expect(drain(bucket)).toBe(3)
    time.ms = 1000
    expect(drain(bucket)).toBe(1)
    time.ms = 1e9
    expect(drain(bucket)).toBe(10)
  })

  it('lets the same request pass after exactly the time it said, and not a second before', () => {
    const { bucket, time } = bucketAt(5, 0.1)
    drain(bucket)
    expect(bucket.tryConsume(2)).toMatchObject({ retryAfterSeconds: 20 })
    time.ms = 19_999
    expect(bucket.tryConsume(2)).toMatchObject({ allowed: false, retryAfterSeconds: 1 })
    time.ms = 20_000
    expect(bucket.tryConsume(2)).toEqual({ allowed: true, remaining: 0 })
  })

  // Each of these rates is no sum of powers of two; with floating-point tokens some of them come late or early.
  it.each([0.1, 0.3, 1 / 3, 0.7, 1, 3, 7, 1 / 7, 10, 33, 60 / 3600, 1000, 99_999])(
    'is exact at %d per second: n tokens are back after n divided by the rate, never before, on any day',
    (rate) => {
      const { bucket, time } = bucketAt(1000, rate)
      for (let n = 1; n < 30; n++) {
        time.ms += 1e9
        bucket.tryConsume(1000)
        // The rate as the number says it, not as its binary fraction does: 0.1 means one in ten seconds.
        const dueMs = Math.ceil(Number(((n * 1000) / rate).toFixed(6)))
        time.ms += dueMs - 1
        expect(bucket.peek(n).allowed, `${n} tokens a millisecond early`).toBe(false)
        time.ms += 1
        expect(bucket.peek(n).allowed, `${n} tokens in time`).toBe(true)
      }
    },
  )

  it('takes nothing when it refuses, so that asking again and again does not push the time away', () => {
    const { bucket, time } = bucketAt(1, 0.1)
    bucket.tryConsume()
    for (time.ms = 0; time.ms < 10_000; time.ms += 100) {
      const left = Math.ceil((10_000 - time.ms) / 1000)
      expect(bucket.tryConsume()).toEqual({ allowed: false, remaining: time.ms / 10_000, retryAfterSeconds: left })
    }
    expect(bucket.tryConsume().allowed).toBe(true)
  })

  it('says honestly that it will never give more than it holds: no time is named', () => {
    const { bucket, time } = bucketAt(5, 1)
    expect(bucket.tryConsume(5.5)).toEqual({ allowed: false, remaining: 5 })
    expect(bucket.tryConsume(1e300)).toEqual({ allowed: false, remaining: 5 })
    time.ms = 1e12
    expect(bucket.tryConsume(5.5).allowed).toBe(false)
    expect(bucket.tryConsume(5).allowed).toBe(true)
  })

  it('gives parts of tokens, and none for nothing', () => {
    const { bucket } = bucketAt(1, 1)
    expect(bucket.tryConsume(0.25)).toEqual({ allowed: true, remaining: 0.75 })
    // A cost below the smallest unit costs one unit: a thousand of them still are a whole token.
    const { bucket: other } = bucketAt(1, 1)
    let count = 0
    while (other.tryConsume(1e-9).allowed) count++
    expect(count).toBe(1000)
  })

  it('peeks without taking', () => {
    const { bucket } = bucketAt(2, 1)
    expect(bucket.peek()).toEqual({ allowed: true, remaining: 2 })
    expect(bucket.peek(2)).toEqual({ allowed: true, remaining: 2 })
    bucket.tryConsume(2)
    expect(bucket.peek()).toEqual({ allowed: false, remaining: 0, retryAfterSeconds: 1 })
    expect(bucket.peek(3)).toEqual({ allowed: false, remaining: 0 })
  })

  it('uses a clock of its own that goes forward', () => {
    const bucket = new TokenBucket({ capacity: 1, refillPerSecond: 0.001 })
    expect(bucket.tryConsume().allowed).toBe(true)
    expect(bucket.tryConsume()).toMatchObject({ allowed: false, retryAfterSeconds: 1000 })
  })
})

describe('a clock that is set back', () => {
  it('gives no tokens and takes none', () => {
    const { bucket, time } = bucketAt(4, 1, 1_000_000)
    bucket.tryConsume(3)
    time.ms = 0
    expect(bucket.peek()).toMatchObject({ remaining: 1 })
    time.ms = -1e9
    expect(bucket.peek()).toMatchObject({ remaining: 1 })
  })

  it('does not stop the refill: the time that was named is still true', () => {
    const { bucket, time } = bucketAt(1, 0.1, 1_000_000)
    bucket.tryConsume()
    time.ms = 5_000
    expect(bucket.tryConsume()).toMatchObject({ retryAfterSeconds: 10 })
    time.ms = 15_000
    expect(bucket.tryConsume().allowed).toBe(true)
  })

  it('that gives no number at all is an error, not a free pass', () => {
    const { bucket, time } = bucketAt(1, 1)
    bucket.tryConsume()
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      time.ms = ms
      expect(() => bucket.tryConsume()).toThrow(RangeError)
    }
    time.ms = 1000
    expect(bucket.tryConsume().allowed).toBe(true)
    expect(() => bucketAt(1, 1, Number.NaN)).toThrow('"clock"')
  })
})

describe('construction', () => {
  it.each([
    { capacity: 0, refillPerSecond: 1 },
    { capacity: -1, refillPerSecond: 1 },
    { capacity: 1.5, refillPerSecond: 1 },
    { capacity: Number.NaN, refillPerSecond: 1 },
    { capacity: Number.POSITIVE_INFINITY, refillPerSecond: 1 },
    { capacity: 1, refillPerSecond: 0 },
    { capacity: 1, refillPerSecond: -1 },
    { capacity: 1, refillPerSecond: Number.NaN },
    { capacity: 1, refillPerSecond: Number.POSITIVE_INFINITY },
    { capacity: 1, refillPerSecond: 1e9 },
    { capacity: 1, refillPerSecond: 1e-300 },
  ])('refuses $capacity tokens at $refillPerSecond per second', (options) => {
    expect(() => new TokenBucket(options)).toThrow(RangeError)
  })

  it.each([
    { capacity: '10', refillPerSecond: 1 },
    { capacity: 10, refillPerSecond: '1' },
    { capacity: 10 },
    { capacity: 10, refillPerSecond: 1, refillRate: 1 },
    { capacity: 10, refillPerSecond: 1, clock: 5 },
    null,
  ])('refuses %o', (options) => {
    expect(() => new TokenBucket(untyped(options))).toThrow(TypeError)
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a cost of %d, and takes nothing', (cost) => {
    const { bucket } = bucketAt(1, 1)
    expect(() => bucket.tryConsume(cost)).toThrow(RangeError)
    expect(() => bucket.peek(cost)).toThrow(RangeError)
    expect(bucket.peek()).toMatchObject({ remaining: 1 })
  })
})

describe('the unit that milliseconds and tokens are counted in', () => {
  it.each([
    [3, 3, 1000],
    [0.1, 1, 10_000],
    [1 / 3, 1, 3000],
    [1, 1, 1000],
    [1000, 1, 1],
    [99_999, 99_999, 1000],
    [2 ** 18 * 1000, 2 ** 18, 1],
  ])(
    'is the largest in which both are whole numbers: at %d per second',
    (refillPerSecond, unitsPerMs, unitsPerToken) => {
      expect(new Refill({ capacity: 1, refillPerSecond })).toMatchObject({ unitsPerMs, unitsPerToken })
    },
  )

  it.each([
    [1, Math.PI * 1e6],
    [1, Math.E * 1e7],
    [1e10, 1 / 7],
    [1e12, Math.PI],
  ])('leaves room for the time and a full bucket: %d tokens at %d per second', (capacity, refillPerSecond) => {
    const refill = new Refill({ capacity, refillPerSecond })
    expect(refill.unitsPerMs).toBeLessThanOrEqual(2 ** 18)
    expect(refill.capacity).toBeLessThanOrEqual(2 ** 51)
    const rate = (refill.unitsPerMs * 1000) / refill.unitsPerToken
    expect(Math.abs(rate / refillPerSecond - 1)).toBeLessThan(1e-3)
  })

  it('says of what is out of its bounds which it is', () => {
    const refill = (capacity: number, refillPerSecond: number) => () => new Refill({ capacity, refillPerSecond })
    expect(refill(1, 2 ** 18 * 1000 + 1)).toThrow('"refillPerSecond" expected at most 262144000, got 262144001')
    expect(refill(1e12, 1e-9)).toThrow(/^"refillPerSecond" is so small \(1e-9\) that 1000000000000 tokens never/)
    expect(() => new Refill({ capacity: 1, refillPerSecond: 1 }).cost(0)).toThrow(
      '"cost" expected a finite number above 0',
    )
    expect(() => new TokenBucket(untyped({ capacity: 1, refillPerSecond: 1, rate: 2 }))).toThrow(
      '"options" has no option',
    )
  })

  it('gives whole seconds that are enough and not one more, also for as much as can be missing', () => {
    for (const [capacity, refillPerSecond] of [
      [1e12, 1],
      [1e12, 0.7],
      [1e9, 262_143_999],
      [1, 1 / 3],
    ] as const) {
      const refill = new Refill({ capacity, refillPerSecond })
      const perSecond = BigInt(refill.unitsPerMs) * 1000n
      for (const missing of [1, refill.capacity - 1, refill.capacity, Math.floor(refill.capacity / 3)]) {
        const seconds = BigInt(refill.secondsFor(missing))
        expect(seconds * perSecond >= BigInt(missing)).toBe(true)
        expect((seconds - 1n) * perSecond < BigInt(missing)).toBe(true)
      }
    }
  })
})

it.each([Number.NaN, Number.POSITIVE_INFINITY])('a clock that reads %d is no clock', (reading) => {
  const time = { ms: 0 }
  const bucket = new TokenBucket({ capacity: 1, refillPerSecond: 1, clock: () => time.ms })
  time.ms = reading
  expect(() => bucket.tryConsume()).toThrow(/^"clock" expected to give milliseconds, gave /)
  expect(() => new TokenBucket({ capacity: 1, refillPerSecond: 1, clock: () => reading })).toThrow(RangeError)
})
