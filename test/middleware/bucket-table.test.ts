import { describe, expect, it } from 'vitest'
import { BucketTable } from '../../src/middleware/bucket-table.ts'

// A table of one set, so that every key meets every other: eight slots, buckets of ten tokens, one unit a token, one
// unit a time.
const LIMIT = 10

function oneSet() {
  const table = new BucketTable(8)
  return {
    table,
    /** Whether the key gets what it asks for. */
    take: (key: number, units: number, now: number): boolean =>
      table.take(table.setOf(key, 0), key, 0, 1, units, LIMIT, now) <= 0,
    used: (key: number, now: number): number => Math.max(0, table.fullAt(table.setOf(key, 0), key, 0, 1) - now),
  }
}

describe('BucketTable', () => {
  it('takes memory for as many keys as asked, in sets of eight, 16 bytes each', () => {
    expect(new BucketTable(1).capacity).toBe(8)
    expect(new BucketTable(8).capacity).toBe(8)
    expect(new BucketTable(9).capacity).toBe(16)
    expect(new BucketTable(100_000).capacity).toBe(100_000)
    expect(new BucketTable(100_000).byteLength).toBe(1_600_000)
  })

  it('keeps eight keys of one set apart', () => {
    const { take, used } = oneSet()
    for (let key = 1; key <= 8; key++) expect(take(key, key, 0)).toBe(true)
    for (let key = 1; key <= 8; key++) expect(used(key, 0)).toBe(key)
  })

  it('gives a ninth key the slot of a full bucket, whose owner loses nothing', () => {
    const { take, used } = oneSet()
    for (let key = 1; key <= 8; key++) take(key, key === 5 ? 1 : 9, 0)
    expect(take(9, 1, 1)).toBe(true)
    expect([1, 2, 3, 4, 6, 7, 8].map((key) => used(key, 1))).toEqual([8, 8, 8, 8, 8, 8, 8])
    expect(used(9, 1)).toBe(1)
    expect(take(5, LIMIT, 1)).toBe(true)
  })

  it('gives it the slot of the bucket that is nearest to full if none is', () => {
    const { take, used } = oneSet()
    for (let key = 1; key <= 8; key++) take(key, key === 5 ? 6 : 7, 0)
    take(9, 1, 0)
    expect(used(5, 0)).toBe(0)
    expect([1, 2, 3, 4, 6, 7, 8, 9].map((key) => used(key, 0))).toEqual([7, 7, 7, 7, 7, 7, 7, 1])
  })

  it('never forgets who is out of tokens because of newcomers, however many come', () => {
    const { take } = oneSet()
    take(1, LIMIT, 0)
    for (let key = 2; key < 10_000; key++) expect(take(key, 1, 0)).toBe(true)
    expect(take(1, 1, 0)).toBe(false)
  })

  it('gives no slot to a key that is denied', () => {
    const { take, used } = oneSet()
    for (let key = 1; key <= 8; key++) take(key, 5, 0)
    expect(take(9, LIMIT + 1, 0)).toBe(false)
    for (let key = 1; key <= 8; key++) expect(used(key, 0)).toBe(5)
  })

  it('serves a key with tokens although all eight of its set have none, and lets one of them go', () => {
    const { take, used } = oneSet()
    for (let key = 1; key <= 8; key++) take(key, LIMIT, key * 0.1)
    expect(take(9, 1, 1)).toBe(true)
    // The first of them is the nearest to full.
    expect(used(1, 1)).toBe(0)
    expect([2, 3, 4, 5, 6, 7, 8].every((key) => used(key, 1) > 9)).toBe(true)
  })

  it('takes the key of zeros for a key like any other', () => {
    const { take, used } = oneSet()
    for (let key = 1; key <= 3; key++) take(key, 2, 0)
    expect(take(0, LIMIT, 0)).toBe(true)
    expect(take(0, 1, 0)).toBe(false)
    for (let key = 4; key <= 20; key++) take(key, 1, 0)
    expect(used(0, 0)).toBe(LIMIT)
    expect(take(0, 1, 0)).toBe(false)
  })

  it('looks at both words of a key and at its kind', () => {
    const table = new BucketTable(8)
    table.take(table.setOf(1, 2), 1, 2, 1, LIMIT, LIMIT, 0)
    const others = [
      [-1, 2, 1],
      [1, -1, 1],
      [2, 1, 1],
      [1, 2, -1],
    ] as const
    for (const [k0, k1, kind] of others) {
      expect(table.fullAt(table.setOf(k0, k1), k0, k1, kind)).toBe(0)
      expect(table.take(table.setOf(k0, k1), k0, k1, kind, LIMIT, LIMIT, 0)).toBe(0)
    }
    for (const [k0, k1, kind] of [[1, 2, 1] as const, ...others])
      expect(table.take(table.setOf(k0, k1), k0, k1, kind, 1, LIMIT, 0)).toBe(1)
  })

  it('finds a bucket again after others were used, and after it was filled', () => {
    const { table, take, used } = oneSet()
    take(1, 3, 0)
    take(1, 3, 0)
    take(2, 1, 0)
    expect(take(1, 4, 0)).toBe(true)
    expect(used(1, 0)).toBe(LIMIT)
    table.reset(table.setOf(1, 0), 1, 0, 1)
    expect(take(1, 2, 0)).toBe(true)
    expect(take(1, LIMIT, 0)).toBe(false)
    expect(table.countUsed(0)).toBe(2)
  })

  it('counts how often somebody lost a bucket that was not full', () => {
    const { table, take } = oneSet()
    for (let key = 1; key <= 8; key++) take(key, 5, 0)
    expect(table.forgotten).toBe(0)
    take(9, 1, 5)
    expect(table.forgotten).toBe(0)
    for (let key = 10; key <= 17; key++) take(key, 2, 5)
    expect(table.forgotten).toBe(1)
  })

  it('fills a bucket again', () => {
    const { table, take, used } = oneSet()
    take(1, LIMIT, 0)
    take(2, LIMIT, 0)
    table.reset(table.setOf(1, 0), 1, 0, 1)
    table.reset(table.setOf(3, 0), 3, 0, 1)
    expect([used(1, 0), used(2, 0)]).toEqual([0, LIMIT])
    expect(table.countUsed(0)).toBe(1)
  })

  it('spreads keys that follow one another over its sets, differently in each table', () => {
    // 4 keys a set on average, and room for 8. With chosen keys in one set, most of them would have lost their slots.
    const survivors = (): string => {
      const table = new BucketTable(8192)
      for (let key = 1; key <= 4096; key++) table.take(table.setOf(key << 16, 0), key << 16, 0, 1, 1, LIMIT, 0)
      const kept = Array.from({ length: 4096 }, (_, i) =>
        table.fullAt(table.setOf((i + 1) << 16, 0), (i + 1) << 16, 0, 1) > 0 ? 'x' : '.',
      ).join('')
      expect(kept.replaceAll('.', '').length).toBeGreaterThan(4000)
      return kept
    }
    expect(new Set([survivors(), survivors(), survivors()]).size).toBeGreaterThan(1)
  })
})
