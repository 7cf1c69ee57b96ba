import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Backlog } from '../../src/internal/backlog.ts'

describe('a backlog', () => {
  it('keeps portions of a usual size as they came', () => {
    const backlog = new Backlog()
    const portions = Array.from({ length: 700 }, () => randomBytes(1460))
    for (const portion of portions) backlog.push(portion)
    expect(backlog.bytes).toBe(700 * 1460)
    expect(backlog.shift()).toBe(portions[0])
    expect(backlog.take().every((portion, index) => portion === portions[index + 1])).toBe(true)
    expect([backlog.bytes, backlog.shift()]).toEqual([0, undefined])
  })

  // Each portion takes memory of its own, however little is in it.
  it.each([0, 1, 2, 10])('keeps few portions where each has %s bytes', (size) => {
    const backlog = new Backlog()
    const portions = Array.from({ length: 50_000 }, (_, n) => Buffer.alloc(size, n))
    for (const portion of portions) backlog.push(portion)
    expect(backlog.bytes).toBe(50_000 * size)
    const kept = backlog.take()
    expect(kept.length).toBeLessThan(700)
    expect(Buffer.concat(kept).equals(Buffer.concat(portions))).toBe(true)
  })

  it('gives all of it in one piece and keeps it, and takes back what was taken too early', () => {
    const backlog = new Backlog()
    for (const text of ['a', 'bc', 'd']) backlog.push(Buffer.from(text))
    expect(backlog.shift()?.toString()).toBe('a')
    backlog.unshift(Buffer.from('A'))
    expect(backlog.join().toString()).toBe('Abcd')
    expect(backlog.join()).toBe(backlog.join())
    expect([backlog.bytes, backlog.take().map(String)]).toEqual([4, ['Abcd']])
  })
})
