import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseRequestPath } from '../../src/names/request-path.ts'

/** Names that can be a segment: text without controls and separators, and not a dot segment. */
const segment = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .filter((s) => !/[\0-\x1f\x7f-\x9f/\\\ufffd]/.test(s) && s !== '.' && s !== '..')
const segments = fc.array(segment, { maxLength: 5 })
const encode = (list: readonly string[]): string => `/${list.map(encodeURIComponent).join('/')}`
const noise = fc.constantFrom(
  '/',
  '/',
  '.',
  '..',
  '%2e',
  '%2E',
  '%2f',
  '%5c',
  '\\',
  'a',
  '%61',
  ';',
  '%',
  '%00',
  'ü',
  '%c3%bc',
)

function tryParse(raw: string) {
  try {
    return parseRequestPath(raw)
  } catch {
    return null
  }
}

it('gives the segments that were encoded', () => {
  fc.assert(
    fc.property(segments, (list) => {
      expect(parseRequestPath(encode(list)).segments).toEqual(list)
    }),
    { numRuns: 2000 },
  )
})

it('decodes once: what looks encoded afterwards stays as it is', () => {
  fc.assert(
    fc.property(segments, (list) => {
      const twice = encode(list.map(encodeURIComponent))
      expect(parseRequestPath(twice).segments).toEqual(list.map(encodeURIComponent))
    }),
  )
})

it('sees through dot segments, repeated slashes and escapes', () => {
  fc.assert(
    fc.property(segments, fc.infiniteStream(fc.nat({ max: 4 })), segment, (list, choice, other) => {
      const disguise = (name: string): string => {
        const raw = encodeURIComponent(name)
        switch (choice.next().value) {
          case 0:
            return `/${raw}`
          case 1:
            return `//./${raw}`
          case 2:
            return `/${encodeURIComponent(other)}/..//${raw}`
          case 3:
            return `/%2e/${raw}`
          default:
            return `/${[...Buffer.from(name)].map((octet) => `%${octet.toString(16).padStart(2, '0')}`).join('')}`
        }
      }
      const raw = `/../${list.map(disguise).join('')}`
      expect(parseRequestPath(raw).segments).toEqual(list)
    }),
    { numRuns: 2000 },
  )
})

it('leaves no segment that could mean something else to a file system, whatever came in', () => {
  fc.assert(
    fc.property(
      fc.array(noise).map((parts) => `/${parts.join('')}`),
      (raw) => {
        const path = tryParse(raw)
        if (path === null) return
        for (const name of path.segments) {
          expect(['', '.', '..']).not.toContain(name)
          expect(name).not.toMatch(/[\0-\x1f\x7f-\x9f/\\]/)
        }
        expect(path.isDirectory || path.segments.length > 0).toBe(true)
        expect(path.toString()).toBe(
          `/${path.segments.join('/')}${path.isDirectory && path.segments.length > 0 ? '/' : ''}`,
        )
      },
    ),
    { numRuns: 20_000 },
  )
})

it('finds a path within each of its ancestors and in nothing else', () => {
  fc.assert(
    fc.property(segments, fc.nat(), segment, (list, at, other) => {
      const path = parseRequestPath(encode(list))
      const cut = list.slice(0, at % (list.length + 1))
      expect(path.startsWith(parseRequestPath(encode(cut)))).toBe(true)
      expect(path.startsWith(parseRequestPath(encode([...list, other])))).toBe(false)
      const last = cut.at(-1)
      if (last === undefined || last === other) return
      expect(path.startsWith(parseRequestPath(encode([...cut.slice(0, -1), other])))).toBe(false)
    }),
    { numRuns: 2000 },
  )
})
