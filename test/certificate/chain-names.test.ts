import { describe, expect, it } from 'vitest'
import { chainLeadsTo } from '../../src/certificate/chain-names.ts'
import { comparableName } from '../../src/certificate/distinguished-name.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { AT, family, marked } from '../support/chain-fixtures.ts'
import { bytes, element, name, oid, sequence, utf8 } from '../support/crafted-certificates.ts'

const { root, middle, leaf } = family()
const chain = KeyedChain.fromCertificates(
  [leaf, middle, root].map((each) => each.certificate),
  leaf.keys.privateKey,
  { at: AT },
)

/** The octets of a text in a wider form. */
const utf16 = (text: string) => Buffer.from(text, 'utf16le').swap16()

describe('a chain leads to', () => {
  it.each([
    ['the authority that issued its leaf', [name('middle')], true],
    ['its root', [name('root')], true],
    ['one of several', [name('other'), name('root'), name('another')], true],
    ['itself: never', [name('example.org')], false],
    ['a stranger: never', [name('stranger')], false],
    ['nobody', [], false],
    ['a part of a name: never', [name('roo')], false],
    ['another case', [name('ROOT')], true],
    ['a PrintableString', [name('Root', 0x13)], true],
    ['a TeletexString', [name('root', 0x14)], true],
    ['a BMPString', [name(utf16('root'), 0x1e)], true],
    ['spaces around it', [name('  root ')], true],
    ['something that is no name', [bytes('30'), bytes(''), bytes('0500'), name('root')], true],
    ['only something that is no name', [bytes('30'), bytes('3103020100')], false],
  ])('%s', (_, names, expected) => {
    expect(chainLeadsTo(chain, names)).toBe(expected)
  })

  it('the authority of its last member, which need not be there', () => {
    const partial = KeyedChain.fromCertificates([leaf.certificate], leaf.keys.privateKey)
    expect(chainLeadsTo(partial, [name('middle')])).toBe(true)
    expect(chainLeadsTo(partial, [name('root')])).toBe(false)
  })

  it('itself if it is self-signed', () => {
    const own = marked()
    const single = KeyedChain.fromCertificates([own.certificate], own.keys.privateKey)
    expect(chainLeadsTo(single, [name('example.org')])).toBe(true)
  })

  it('nothing that is no chain', () => {
    expect(() => chainLeadsTo({ ...chain } as KeyedChain, [])).toThrow(TypeError)
    expect(() => chainLeadsTo(chain, 'root' as never)).toThrow(TypeError)
  })
})

// RFC 5280 section 7.1.
describe('two names are the same', () => {
  const same = (one: Uint8Array, other: Uint8Array) => comparableName(one, 'one') === comparableName(other, 'other')
  const pair = (id: string, value: Uint8Array) => sequence(oid(id), value)
  const set = (...pairs: readonly Uint8Array[]) => element(0x31, ...pairs)
  const [cn, o] = [pair('2.5.4.3', element(0x0c, utf8('a'))), pair('2.5.4.10', element(0x0c, utf8('b')))]

  it.each([
    ['in another case', name('Éxample'), name('éXAMPLE'), true],
    ['composed otherwise', name('é'), name('e\u0301'), true],
    ['with a sharp s and with two', name('straße'), name('STRASSE'), true],
    ['with more spaces', name('a b'), name(' a \t  b '), true],
    ['with no-break spaces', name('a b'), name('a\u00a0b'), true],
    ['without the space', name('a b'), name('ab'), false],
    ['with an accent more', name('e'), name('é'), false],
    ['in another attribute', sequence(set(cn)), sequence(set(pair('2.5.4.10', element(0x0c, utf8('a'))))), false],
    ['in another order', sequence(set(cn), set(o)), sequence(set(o), set(cn)), false],
    ['in one set in another order', sequence(set(cn, o)), sequence(set(o, cn)), true],
    ['in one set and in two', sequence(set(cn, o)), sequence(set(cn), set(o)), false],
    ['with one more', sequence(set(cn)), sequence(set(cn), set(o)), false],
    ['with octets and with a text that reads like them', name(bytes('01'), 0x04), name('#040101'), false],
    ['with other octets', name(bytes('01'), 0x04), name(bytes('02'), 0x04), false],
    ['with the same octets', name(bytes('01'), 0x04), name(bytes('01'), 0x04), true],
    ['that try to look like two', name('a"],["2.5.4.10","text","b'), sequence(set(cn, o)), false],
    ['without anything', sequence(), sequence(), true],
  ])('or not: %s', (_, one, other, expected) => {
    expect(same(one, other)).toBe(expected)
    expect(same(other, one)).toBe(expected)
  })
})
