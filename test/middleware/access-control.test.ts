import { describe, expect, it } from 'vitest'
import { AccessControl, type AccessControlOptions } from '../../src/middleware/access-control.ts'
import { AddressTable } from '../../src/middleware/address-table.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { request, untyped } from './requests.ts'

function allows(options: AccessControlOptions, from: string): boolean {
  const result = new AccessControl(options).decide(request({ from }))
  if (!result.allowed) expect(result).toMatchObject({ allowed: false, denialReason: 'access_denied' })
  return result.allowed
}

describe('AccessControl', () => {
  // Deny, then allow, then default; the default is no once there is an allow list.
  it.each([
    { options: {}, allowed: true },
    { options: { denyList: [] }, allowed: true },
    { options: { denyList: ['192.0.2.0/24'] }, allowed: false },
    { options: { denyList: ['192.0.3.0/24'] }, allowed: true },
    { options: { denyList: ['192.0.3.0/24'], defaultAllow: false }, allowed: false },
    { options: { allowList: [] }, allowed: false },
    { options: { allowList: [], defaultAllow: true }, allowed: true },
    { options: { allowList: ['192.0.2.1'] }, allowed: true },
    { options: { allowList: ['192.0.2.2'] }, allowed: false },
    { options: { allowList: ['192.0.2.2'], defaultAllow: true }, allowed: true },
    { options: { allowList: ['192.0.2.1'], defaultAllow: false }, allowed: true },
    { options: { allowList: ['192.0.2.1'], denyList: ['192.0.2.0/24'] }, allowed: false },
    { options: { allowList: ['192.0.0.0/16'], denyList: ['192.0.2.1'] }, allowed: false },
    { options: { allowList: ['192.0.2.1'], denyList: ['192.0.2.1'], defaultAllow: true }, allowed: false },
    { options: { allowList: ['192.0.2.0/24'], denyList: ['192.0.2.2'] }, allowed: true },
    { options: { defaultAllow: false }, allowed: false },
    { options: { defaultAllow: true }, allowed: true },
  ])('$options: 192.0.2.1 allowed is $allowed', ({ options, allowed }) => {
    expect(allows(options, '192.0.2.1')).toBe(allowed)
  })

  it.each([
    '203.0.113.9',
    '::ffff:203.0.113.9',
    '::FFFF:203.0.113.9',
    '::ffff:cb00:7109',
    '::FFFF:CB00:7109',
    '0:0:0:0:0:ffff:cb00:7109',
    '0000:0000:0000:0000:0000:FFFF:CB00:7109',
    '0:0:0:0:0:ffff:203.0.113.9',
    '::ffff:203.0.113.9%eth0',
    '::ffff:cb00:7109%1',
  ])('denies %s by a rule for 203.0.113.0/24, in whatever dress it comes', (from) => {
    expect(allows({ denyList: ['203.0.113.0/24'] }, from)).toBe(false)
    expect(allows({ allowList: ['203.0.113.0/24'] }, from)).toBe(true)
    expect(allows({ denyList: ['::ffff:203.0.113.0/120'] }, from)).toBe(false)
    expect(allows({ denyList: ['::ffff:cb00:7100/120'] }, from)).toBe(false)
  })

  it('keeps the families apart: everything of one is nothing of the other', () => {
    expect(allows({ denyList: ['::/0'] }, '192.0.2.1')).toBe(true)
    expect(allows({ denyList: ['::/0'] }, '::ffff:192.0.2.1')).toBe(true)
    expect(allows({ denyList: ['::/0'] }, '2001:db8::1')).toBe(false)
    expect(allows({ denyList: ['0.0.0.0/0'] }, '2001:db8::1')).toBe(true)
    expect(allows({ denyList: ['0.0.0.0/0'] }, '::ffff:192.0.2.1')).toBe(false)
    expect(allows({ denyList: ['::ffff:0:0/96'] }, '192.0.2.1')).toBe(false)
    expect(allows({ denyList: ['::ffff:0:0/96'] }, '2001:db8::1')).toBe(true)
    expect(allows({ allowList: ['::/0'] }, '192.0.2.1')).toBe(false)
    // The numbers are the same, the family is not.
    expect(allows({ denyList: ['1.2.3.4'] }, '::102:304')).toBe(true)
    expect(allows({ denyList: ['::102:304'] }, '1.2.3.4')).toBe(true)
  })

  it.each([
    { range: '10.0.0.0/8', inside: ['10.0.0.0', '10.255.255.255'], outside: ['9.255.255.255', '11.0.0.0'] },
    { range: '192.0.2.128/25', inside: ['192.0.2.128', '192.0.2.255'], outside: ['192.0.2.127', '192.0.3.0'] },
    { range: '192.0.2.1', inside: ['192.0.2.1'], outside: ['192.0.2.0', '192.0.2.2'] },
    { range: '0.0.0.0/1', inside: ['0.0.0.0', '127.255.255.255'], outside: ['128.0.0.0'] },
    { range: '128.0.0.0/1', inside: ['128.0.0.0', '255.255.255.255'], outside: ['127.255.255.255'] },
    { range: '255.255.255.255', inside: ['255.255.255.255'], outside: ['255.255.255.254', '0.0.0.0'] },
    { range: '0.0.0.0', inside: ['0.0.0.0'], outside: ['0.0.0.1', '255.255.255.255'] },
    {
      range: '2001:db8::/32',
      inside: ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '2001:DB8::1%eth0'],
      outside: ['2001:db7:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db9::'],
    },
    { range: 'fe80::/10', inside: ['fe80::1%eth0', 'febf:ffff::'], outside: ['fe7f:ffff::', 'fec0::'] },
    { range: '2001:db8::8/125', inside: ['2001:db8::8', '2001:db8::f'], outside: ['2001:db8::7', '2001:db8::10'] },
    { range: '::1', inside: ['::1', '0:0:0:0:0:0:0:1'], outside: ['::', '::2', '0.0.0.1'] },
    { range: '8000::/1', inside: ['8000::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'], outside: ['7fff::'] },
  ])('knows the ends of $range', ({ range, inside, outside }) => {
    for (const from of inside) expect(allows({ denyList: [range] }, from), from).toBe(false)
    for (const from of outside) expect(allows({ denyList: [range] }, from), from).toBe(true)
  })

  it('takes any iterable for a list, once, and does not look at it again', () => {
    const list = ['192.0.2.1']
    const access = new AccessControl({ denyList: list })
    list.length = 0
    expect(access.decide(request()).allowed).toBe(false)
    expect(allows({ denyList: new Set(['192.0.2.1']) }, '192.0.2.1')).toBe(false)
    function* generated() {
      for (let i = 0; i < 256; i++) yield `192.0.${i}.0/24`
    }
    expect(allows({ denyList: generated() }, '192.0.2.1')).toBe(false)
    expect(allows({ denyList: generated() }, '192.1.0.0')).toBe(true)
  })

  it('guards connections by the same rules', () => {
    const access = new AccessControl({ denyList: ['192.0.2.0/24'] })
    expect(access.opened(parseClientAddress('192.0.2.1'))).toMatchObject({ accept: false })
    expect(access.opened(parseClientAddress('192.0.3.1'))).toEqual({ accept: true })
  })

  it('lets nobody in who has no address, whatever the default and the lists', () => {
    const access = new AccessControl({ allowList: ['0.0.0.0/0', '::/0'], defaultAllow: true })
    for (const address of [undefined, null, '192.0.2.1', '', 5, {}, { family: 4, w3: 1 }, { family: 6, w0: 1 }]) {
      expect(access.decide({ ...request(), address: untyped(address) })).toMatchObject({
        denialReason: 'access_denied',
      })
      expect(access.opened(untyped(address))).toMatchObject({ accept: false })
      expect(access.explain(untyped(address))).toMatchObject({ allowed: false, decidedBy: 'default', range: null })
    }
  })
})

describe('explain', () => {
  const access = new AccessControl({
    denyList: ['203.0.113.0/24', '10.1.0.0/16', '10.1.2.0/24', '2001:db8:1::/48', '::ffff:198.51.100.0/120'],
    allowList: ['10.0.0.0/8', '2001:db8::/32', '203.0.113.9'],
  })

  it.each([
    { from: '203.0.113.9', allowed: false, decidedBy: 'denyList', range: '203.0.113.0/24' },
    { from: '::ffff:203.0.113.9', allowed: false, decidedBy: 'denyList', range: '203.0.113.0/24' },
    { from: '198.51.100.1', allowed: false, decidedBy: 'denyList', range: '198.51.100.0/24' },
    { from: '10.0.0.1', allowed: true, decidedBy: 'allowList', range: '10.0.0.0/8' },
    { from: '10.1.2.3', allowed: false, decidedBy: 'denyList', range: '10.1.2.0/24' },
    { from: '10.1.3.3', allowed: false, decidedBy: 'denyList', range: '10.1.0.0/16' },
    { from: '10.2.0.0', allowed: true, decidedBy: 'allowList', range: '10.0.0.0/8' },
    { from: '2001:db8::1', allowed: true, decidedBy: 'allowList', range: '2001:db8::/32' },
    { from: '2001:db8:1::1', allowed: false, decidedBy: 'denyList', range: '2001:db8:1::/48' },
    { from: '8.8.8.8', allowed: false, decidedBy: 'default', range: null },
    { from: '::1', allowed: false, decidedBy: 'default', range: null },
  ])('$from: $decidedBy, $range', ({ from, allowed, decidedBy, range }) => {
    const explanation = access.explain(parseClientAddress(from))
    const shown = { ...explanation, range: explanation.range?.toString() ?? null }
    expect(shown).toEqual({ allowed, decidedBy, range, list: null, secondsLeft: null })
    const result = access.decide(request({ from }))
    expect(result.allowed).toBe(allowed)
    expect(result.rule).toBe(range === null ? 'default' : `${decidedBy}: ${range}`)
  })
})

describe('a list with a mistake in it', () => {
  it.each([
    '',
    ' ',
    'localhost',
    '203.0.113',
    '203.0.113.0/33',
    '203.0.113.0/-1',
    '203.0.113.0/024',
    '203.0.113.0/',
    '203.0.113.1/24',
    '203.0.113.0/24 ',
    '203.0.113.0 /24',
    '203.0.113.0/255.255.255.0',
    '203.0.113.*',
    '0xcb.0.113.9',
    '0313.0.113.9',
    '203.0.113.009',
    '3405803785',
    '2001:db8::1/32',
    '2001:db8::/129',
    '2001:db8',
    '[2001:db8::1]',
    'fe80::1%eth0/64',
    '::ffff:0.0.0.0/95',
    '# comment',
    '203.0.113.0/24, 198.51.100.0/24',
  ])('does not become a guard: %j', (entry) => {
    for (const list of ['allowList', 'denyList']) {
      const construct = (): AccessControl => new AccessControl({ [list]: ['192.0.2.1', '::1', entry] })
      expect(construct).toThrow(
        expect.objectContaining({
          name: 'InvalidNameError',
          code: 'ERR_TLACACOCA_ADDRESS_INVALID',
          message: expect.stringContaining(`"${list}[2]"`),
        }),
      )
      expect(construct).toThrow(JSON.stringify(entry))
    }
  })

  it.each([
    { name: 'one text for a list', options: { denyList: '192.0.2.1' } },
    { name: 'null for a list', options: { denyList: null } },
    { name: 'an object for a list', options: { allowList: { 0: '192.0.2.1' } } },
    { name: 'a number in a list', options: { denyList: ['::1', 5] } },
    { name: 'a hole in a list', options: { denyList: Object.assign(['::1'], { length: 2 }) } },
    { name: 'a name in other letters', options: { denylist: ['192.0.2.1'] } },
    { name: 'a name from Python', options: { deny_list: ['192.0.2.1'] } },
    { name: 'a default that is no boolean', options: { defaultAllow: 'no' } },
    { name: 'null for the options', options: null },
  ])('is refused as misuse: $name', ({ options }) => {
    expect(() => new AccessControl(untyped(options))).toThrow(TypeError)
  })
})

describe('a large list', () => {
  it('takes six bytes for each block, and no rule is lost', () => {
    const ranges = Array.from(
      { length: 100_000 },
      (_, i) => `${(i >>> 12) + 1}.${(i >>> 4) & 255}.${(i & 15) * 16}.128/25`,
    )
    const table = AddressTable.of({ name: 'denyList', tag: 1, ranges })
    expect(table.byteLength).toBeLessThan(100_000 * 6 + 300_000)
    for (const range of ranges) {
      const [text = ''] = range.split('/')
      expect(table.tagAt(parseClientAddress(text)) === 1).toBe(true)
      expect(table.tagAt(parseClientAddress(text.replace(/128$/, '127'))) === 0).toBe(true)
    }
  })
})

describe('temporary entries of both families and several sizes', () => {
  const entries = ['192.0.2.1', '2001:db8::/32', '198.51.100.0/24', '203.0.113.0/24', '2001:db9::1']
  const inside = ['192.0.2.1', '2001:db8:1::1', '198.51.100.9', '203.0.113.9', '2001:db9::1']
  const denied = (access: AccessControl) => inside.map((each) => !access.opened(parseClientAddress(each)).accept)

  it('end one by one, whichever is ended first', () => {
    for (const [index, entry] of entries.entries()) {
      const access = new AccessControl({ clock: () => 0 })
      for (const each of entries) access.denyFor(each, 60)
      expect(denied(access)).toEqual(inside.map(() => true))
      expect(access.removeTemporary(entry)).toBe(true)
      expect(access.removeTemporary(entry)).toBe(false)
      expect(denied(access)).toEqual(inside.map((_, at) => at !== index))
      expect(access.temporaryEntries).toHaveLength(entries.length - 1)
    }
  })

  it('say nothing about addresses of the other family with the same bits', () => {
    const access = new AccessControl({ clock: () => 0 })
    access.denyFor('192.0.2.0/24', 60)
    access.denyFor('c000:200::/24', 60)
    access.removeTemporary('192.0.2.0/24')
    expect(access.opened(parseClientAddress('192.0.2.1')).accept).toBe(true)
    expect(access.opened(parseClientAddress('c000:201::1')).accept).toBe(false)
    expect(access.opened(parseClientAddress('::c000:201')).accept).toBe(true)
  })
})

it('a connection is refused with the entry that decided, or by default', () => {
  const access = new AccessControl({ allowList: ['192.0.2.0/24'], denyList: ['192.0.2.66'] })
  const opened = (address: string) => access.opened(parseClientAddress(address))
  expect(opened('192.0.2.1')).toEqual({ accept: true })
  expect(opened('198.51.100.1')).toEqual({ accept: false, detail: 'default' })
  const refused = opened('192.0.2.66')
  expect([refused.accept, refused.detail]).toEqual([false, 'denyList: 192.0.2.66'])
  // The list that holds it is named, though it is denied for a time as well.
  access.denyFor('192.0.2.66', 60)
  expect(opened('192.0.2.66').detail).toBe('denyList: 192.0.2.66')
})

it('addresses are found among those that differ in any one of their words', () => {
  const words = [1, 2, 3, 0x7fff, 0x8000, 0xffff].map((word) => word.toString(16))
  for (const place of [0, 2, 4, 6]) {
    const at = (word: string, last: string) =>
      ['2001', 'db8', '5', '5', '5', '5', '5', last].map((each, index) => (index === place ? word : each)).join(':')
    // The later words fall as the earlier ones rise, so that comparing too few or too many of them goes astray.
    const list = words.map((word, index) => at(word, (9 - index).toString(16)))
    const access = new AccessControl({ denyList: list })
    for (const [index, entry] of list.entries()) {
      expect(access.opened(parseClientAddress(entry)).accept).toBe(false)
      const other = at(words[index] ?? '', 'f')
      if (!list.includes(other)) expect(access.opened(parseClientAddress(other)).accept).toBe(true)
    }
  }
})

it('is told apart by name, and names what is wrong with it', () => {
  expect(new AccessControl().name).toBe('access_control')
  const construct = (options: unknown) => () => new AccessControl(untyped(options))
  expect(construct({ denylist: [] })).toThrow('"options" has no option "denylist"')
  expect(construct({ maxTemporary: 0 })).toThrow('"maxTemporary" expected')
  expect(construct({ defaultAllow: 'yes' })).toThrow('"defaultAllow" expected true or false')
  for (const lists of [[], null, 'drop', 5]) {
    expect(construct({ denyLists: lists })).toThrow('"denyLists" expected an object of lists by name')
  }
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, []]))
  expect(construct({ denyLists: many(256) })).toThrow('"rules" expected at most 255 lists, got 256')
  expect(construct({ denyLists: many(255) })).not.toThrow()
  expect(() => new AccessControl().denyFor('192.0.2.1', 0)).toThrow('"seconds" expected')
})
