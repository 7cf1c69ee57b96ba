import { expect, it } from 'vitest'
import { AddressTable } from '../../src/middleware/address-table.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'

function built(...ranges: string[]): AddressTable {
  const building = AddressTable.build([{ name: 'ranges', tag: 1, ranges }])
  for (;;) {
    const step = building.next()
    if (step.done === true) return step.value
  }
}

// An address behind an inner block, or between two, is where a search for the nearest block would go wrong.
it.each([
  ['10.0.0.1', '10.0.0.0/24'],
  ['10.0.0.5', '10.0.0.4/30'],
  ['10.0.0.8', '10.0.0.0/24'],
  ['10.0.1.0', null],
  ['9.255.255.255', null],
  ['2001:db8::1', '2001:db8::/32'],
  ['2001:db8:1::1', '2001:db8:1::/48'],
  ['2001:db8:2::1', '2001:db8::/32'],
  ['2001:db9::', null],
  ['::', null],
])('finds %s in %s', (text, range) => {
  const table = built('10.0.0.0/24', '10.0.0.4/30', '2001:db8::/32', '2001:db8:1::/48')
  const address = parseClientAddress(text)
  expect(table.rangeAt(address)?.toString() ?? null).toBe(range)
  expect(table.tagAt(address)).toBe(range === null ? 0 : 1)
})
