import { expect, it } from 'vitest'
import { parseAddressSpan } from '../../src/names/address-span.ts'

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2.1 - 192.0.2.3', '192.0.2.1,192.0.2.2/31'],
  ['2001:db8::-2001:db8::ffff', '2001:db8::/112'],
  ['192.0.2.7-::ffff:192.0.2.7', '192.0.2.7'],
])('reads %s as the blocks %s', (text, blocks) => {
  expect(parseAddressSpan(text).join()).toBe(blocks)
})

it.each([
  ['192.0.2.1-2001:db8::1', /goes from one kind of address to the other/],
  ['2001:db8::1-192.0.2.1', /goes from one kind of address to the other/],
  ['192.0.2.2-192.0.2.1', /ends before it begins/],
  [`192.0.2.1-${' '.repeat(91)}192.0.2.3`, /is too long/],
])('refuses %s', (text, problem) => {
  expect(() => parseAddressSpan(text)).toThrow(problem)
  expect(() => parseAddressSpan(text)).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_ADDRESS_INVALID' }))
})
