import { Duplex } from 'node:stream'
import { expect, it } from 'vitest'
import { ClientContext } from '../../src/tls/client-context.ts'
import { TLSDuplex } from '../../src/tls/sans-io/tls-duplex.ts'

// What somebody else made has not been checked by anybody.
it.each([ClientContext, TLSDuplex])('%o cannot be constructed by others', (Made) => {
  const make = (...args: unknown[]): unknown => Reflect.construct(Made, args)
  expect(() => make()).toThrow(TypeError)
  expect(() => make(Symbol('made'), new Duplex(), {}, {})).toThrow(TypeError)
})
