// What Node was told to trust may hold anything, since NODE_EXTRA_CA_CERTS is a file of the user's.

import type * as TLS from 'node:tls'
import { expect, it, vi } from 'vitest'
import { systemAuthorities } from '../../src/certificate/system-authorities.ts'
import { vectorPem } from '../support/vectors.ts'

const node = vi.hoisted(() => ({ getCACertificates: undefined as (() => readonly string[]) | undefined }))

vi.mock('node:tls', async (original) => ({
  ...(await original<typeof TLS>()),
  getCACertificates: () => node.getCACertificates?.(),
}))

it('an authority that cannot be read is left out, and the others are there', () => {
  const [one, two] = [vectorPem('p256'), vectorPem('rsa2048')]
  node.getCACertificates = () => [one, 'nonsense', one.replace('MII', 'MIA'), '', two]
  expect(systemAuthorities().map((each) => each.toPem())).toEqual([one, two].map((pem) => `${pem.trim()}\n`))
})

it('without the function of later releases it is those that Node comes with', () => {
  node.getCACertificates = undefined
  expect(systemAuthorities().length).toBeGreaterThan(50)
})
