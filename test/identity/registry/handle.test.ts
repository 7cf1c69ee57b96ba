import { describe, expect, it } from 'vitest'
import { parseHandle } from '../../../src/identity/registry/handle.ts'
import { refusalOf } from './support.ts'

const reasonOf = (text: string): Promise<string> => refusalOf((async () => parseHandle(text))())

describe('handles that are one name', () => {
  it.each([
    ['ana', 'Ana', 'ANA', 'ａｎａ', 'ána', 'änà', 'апа', 'ɑna'.replace('ɑ', 'a')],
    ['paul', 'pau1', 'раυl'.replace('ра', 'pa').replace('υ', 'u'), 'pąuł'],
    ['bob', 'b0b', 'bøb', 'воь'],
    ['morn', 'mom', 'rnom', 'rnorn'],
    ['wwf', 'vvwf', 'vvvvf'],
    ['strasse', 'straße', 'STRASSE'],
    ['ana-maria', 'ana_maria', 'ana.maria'],
    ['σοσ', 'σος', 'ΣΟΣ'],
    ['привет', 'ПРИВЕТ'],
    ['copa', 'сора', 'cορα'.replace('ορα', 'opa')],
  ])('%s, %s and the like', (...texts) => {
    expect(new Set(texts.map((text) => parseHandle(text).skeleton)).size, texts.join()).toBe(1)
  })
})

describe('handles that are different names', () => {
  it.each([
    ['ana', 'anna', 'an', 'ana1', 'ana-a'],
    ['bob', 'bib', 'bab', 'dob'],
    ['かな', 'がな', 'カナ', '漢字'],
    ['की', 'का', 'कि'],
    ['привет', 'привёз'],
  ])('%s, %s and the like', (...texts) => {
    expect(new Set(texts.map((text) => parseHandle(text).skeleton)).size, texts.join()).toBe(texts.length)
  })
})

it.each([
  'ana',
  'x',
  '7',
  'ana-maria_2.0',
  'josé',
  'żółw',
  'šķirklis',
  'Việt',
  'ștefan',
  'Αθηνά',
  'Москва',
  'Հայ',
  'ქართული',
  'שלום',
  'سلام',
  'हिन्दी',
  'தமிழ்',
  'ไทย',
  'ខ្មែរ',
  '漢字かなカナ',
  'ひらがな-2',
  '한국어',
  '漢韓한',
  'ㄅㄆ漢',
  'a'.repeat(32),
])('%s is a handle', (text) => {
  expect(parseHandle(text).shown).toBe(text.toLowerCase())
})

it.each([
  ['', 'length'],
  ['a'.repeat(33), 'length'],
  ['ﷺ'.repeat(10), 'length'],
  ['a'.repeat(1_000_000), 'length'],
  ['ana maria', 'characters'],
  ['ana@example.org', 'characters'],
  ['ana\n', 'characters'],
  ['ana\u0000', 'characters'],
  ['a\u200bna', 'characters'],
  ['\u202eana', 'characters'],
  ['\u00adana', 'characters'],
  ['ana\u2800', 'characters'],
  ['a\u3164na', 'scripts'],
  ['an\u115fa', 'scripts'],
  ['😀', 'characters'],
  ['٣', 'characters'],
  ['ana\ud800', 'characters'],
  ['-ana', 'separators'],
  ['ana.', 'separators'],
  ['an--a', 'separators'],
  ['an._a', 'separators'],
  ['аna', 'scripts'],
  ['anα', 'scripts'],
  ['anа漢', 'scripts'],
  ['한ひ', 'scripts'],
  ['a\u0338na', 'scripts'],
  ['z\u0351a\u0351l\u0351g\u0351o\u0351', 'scripts'],
  ['ᴀɴᴀ', 'scripts'],
  ['ǀan', 'scripts'],
  ['ꓮꓠꓮ', 'scripts'],
  ['Ꭺna', 'scripts'],
])('%j is none, because of its %s', async (text, reason) => {
  expect(await reasonOf(text)).toBe(`IDENTITY_HANDLE_INVALID ${reason}`)
})

it('is a text', () => {
  for (const value of [undefined, null, 7, ['ana'], { toString: () => 'ana' }]) {
    expect(() => parseHandle(value as never)).toThrow(TypeError)
  }
})
