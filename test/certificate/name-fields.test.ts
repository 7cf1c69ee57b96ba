import { describe, expect, it } from 'vitest'
import { type NameField, readNameFields } from '../../src/certificate/name-fields.ts'

describe('a field of a name', () => {
  it.each([
    ['C', 'MX', '2.5.4.6', 'printableString'],
    ['ST', 'Florida', '2.5.4.8', undefined],
    ['L', 'Palm Beach', '2.5.4.7', undefined],
    ['O', 'Random Authority, Inc.', '2.5.4.10', undefined],
    ['OU', 'one', '2.5.4.11', undefined],
    ['CN', 'ca.net', '2.5.4.3', undefined],
    ['UID', 'ana', '0.9.2342.19200300.100.1.1', undefined],
    ['DC', 'example', '0.9.2342.19200300.100.1.25', 'ia5String'],
    ['serialNumber', 'A-1', '2.5.4.5', 'printableString'],
    ['emailAddress', 'ca@example.org', '1.2.840.113549.1.9.1', 'ia5String'],
    ['1.2.3.4', 'anything', '1.2.3.4', undefined],
    ['2.5.4.6', 'MX', '2.5.4.6', 'printableString'],
  ])('%s takes %j', (type, value, oid, as) => {
    expect(readNameFields([[type, value]])).toEqual([{ oid, value, ...(as === undefined ? {} : { as }) }])
  })

  it.each([
    ['CN', 64],
    ['O', 64],
    ['OU', 64],
    ['title', 64],
    ['L', 128],
    ['ST', 128],
    ['UID', 256],
    ['serialNumber', 64],
    ['1.2.3.4', 256],
  ])('%s takes %i characters and no more', (type, most) => {
    expect(readNameFields([[type, 'x'.repeat(most)]])).toHaveLength(1)
    expect(() => readNameFields([[type, 'x'.repeat(most + 1)]])).toThrow(RangeError)
    expect(() => readNameFields([[type, '']])).toThrow(RangeError)
  })

  it('counts characters and not halves of them', () => {
    expect(readNameFields([['CN', '🐙'.repeat(64)]])).toHaveLength(1)
  })

  it.each([
    ['C', 'mx'],
    ['C', 'MEX'],
    ['C', 'M'],
    ['2.5.4.6', 'Mexico'],
    ['emailAddress', 'ca'],
    ['emailAddress', 'c\u00e1@example.org'],
    ['emailAddress', 'a@b@c'],
    ['emailAddress', `${'x'.repeat(250)}@x.org`],
    ['DC', 'a.b'],
    ['DC', 'b\u00fccher'],
    ['serialNumber', 'a_b'],
    ['CN', 'a\0b'],
    ['CN', 'a\nb'],
    ['CN', 'a\u2028b'],
    ['CN', 'a\u009bb'],
    ['CN', 'a\ud800'],
    ['CN', '\u202egro.elpmaxe'],
    ['CN', '\u2066x'],
    ['1.2.3.4', '\x1b[2J'],
  ])('%s refuses %j', (type, value) => {
    expect(() =>
      readNameFields(
        [
          ['O', 'x'],
          [type, value],
        ],
        'name',
      ),
    ).toThrow(RangeError)
    expect(() =>
      readNameFields(
        [
          ['O', 'x'],
          [type, value],
        ],
        'name',
      ),
    ).toThrow(`"name[1]" (${type})`)
  })

  it.each([
    [['cn', 'x']],
    [['E', 'x']],
    [['toString', 'x']],
    [['__proto__', 'x']],
    [['1.2.', 'x']],
    [['1', 'x']],
    [['3.2.1', 'x']],
    [['CN']],
    [['CN', 'x', 'y']],
    [['CN', 5]],
    [[5, 'x']],
    ['CN'],
    [null],
    [{ CN: 'x' }],
  ])('cannot be %j', (field) => {
    expect(() => readNameFields([field] as never)).toThrow(TypeError)
  })
})

describe('a name', () => {
  it('keeps the order and what comes twice', () => {
    const fields: NameField[] = [
      ['OU', 'b'],
      ['OU', 'a'],
      ['CN', 'x'],
      ['OU', 'b'],
    ]
    expect(readNameFields(fields).map(({ value }) => value)).toEqual(['b', 'a', 'x', 'b'])
    expect(readNameFields([])).toEqual([])
  })

  it('is a list of at most 100', () => {
    const fields = (count: number): NameField[] => Array.from({ length: count }, () => ['OU', 'x'] as const)
    expect(readNameFields(fields(100))).toHaveLength(100)
    expect(() => readNameFields(fields(101))).toThrow(RangeError)
    expect(() => readNameFields('CN=x' as never)).toThrow(TypeError)
    expect(() => readNameFields(undefined as never)).toThrow(TypeError)
  })
})
