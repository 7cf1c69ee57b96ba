import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf, grouped, makeCode, readCode } from '../../src/identity/registry/code.ts'
import { parseHandle } from '../../src/identity/registry/handle.ts'

const lengths = fc.constantFrom(10, 20)

describe('a code', () => {
  it('is read as it was made, however it is typed', () => {
    const typed = fc.record({
      bytes: fc.uint8Array({ minLength: 20, maxLength: 20 }),
      length: lengths,
      lower: fc.boolean(),
    })
    const mishaps = fc.array(fc.constantFrom('', '', ' ', '-'), { minLength: 20, maxLength: 20 })
    const swaps = fc.array(fc.boolean(), { minLength: 20, maxLength: 20 })
    fc.assert(
      fc.property(typed, mishaps, swaps, ({ bytes, length, lower }, between, swap) => {
        const code = codeOf(bytes.subarray(0, length))
        const text = Array.from(code, (letter, n) => {
          // What people read into digits.
          const other = { 0: 'O', 1: n % 2 === 0 ? 'I' : 'l' }[letter]
          return `${between[n]}${swap[n] === true && other !== undefined ? other : letter}`
        }).join('')
        expect(readCode(lower ? text.toLowerCase() : text, length)).toBe(code)
        expect(readCode(grouped(code), length)).toBe(code)
      }),
    )
  })

  it('is made of nothing that could be mistaken, and of all 32 characters alike', () => {
    const counts = new Map<string, number>()
    for (let n = 0; n < 6400; n++) {
      for (const letter of makeCode(10, randomBytes)) counts.set(letter, (counts.get(letter) ?? 0) + 1)
    }
    expect([...counts.keys()].sort().join('')).toBe('0123456789ABCDEFGHJKMNPQRSTVWXYZ')
    // 2,000 of each are expected; less than 1,700 or more than 2,300 is seven standard deviations away.
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(300)
  })

  it('of every byte is one character, and each comes from eight bytes', () => {
    const counts = new Map<string, number>()
    for (const letter of codeOf(Uint8Array.from({ length: 256 }, (_, n) => n))) {
      counts.set(letter, (counts.get(letter) ?? 0) + 1)
    }
    expect(new Set(counts.values())).toEqual(new Set([8]))
  })

  it('is nothing else: any text is read as a code that is in its alphabet, or as none', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 40 })),
        lengths,
        (text, length) => {
          const code = readCode(text, length)
          if (code === null) return
          expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]+$/)
          expect(code).toHaveLength(length)
          expect(readCode(code, length)).toBe(code)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it.each(['', '0123', '01234567890', 'U123456789', '012345678!', '０１２３４５６７８９', ' '.repeat(1_000_000)])(
    'is not read into %.20j',
    (text) => {
      expect(readCode(text, 10)).toBeNull()
    },
  )
})

describe('a handle', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(...'abcxyzABCÄßıİΑаοо019-_.ー漢ひ'), maxLength: 12 }),
  )

  function handleOf(text: string) {
    try {
      return parseHandle(text)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_HANDLE_INVALID', reason: expect.any(String) })
      return null
    }
  }

  it('is either refused or has one form, which is read as itself', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const handle = handleOf(text)
        if (handle !== null) expect(handleOf(handle.shown)).toEqual(handle)
      }),
      { numRuns: 3000 },
    )
  })

  it('is the same in every case and normal form', () => {
    fc.assert(
      fc.property(
        texts,
        fc.constantFrom('NFC' as const, 'NFD' as const, 'NFKC' as const, 'NFKD' as const),
        (text, form) => {
          const handle = handleOf(text)
          if (handle === null) return
          for (const other of [text.normalize(form), handle.shown.normalize(form)]) {
            expect(handleOf(other)?.skeleton).toBe(handle.skeleton)
          }
          const upper = handleOf(handle.shown.toUpperCase())
          if (upper !== null) expect(upper.skeleton).toBe(handle.skeleton)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('stands on one line, without anything invisible', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const shown = handleOf(text)?.shown ?? 'a'
        expect(shown).toMatch(/^[\p{L}\p{M}0-9._-]{1,32}$/u)
      }),
      { numRuns: 2000 },
    )
  })
})
