import { expect, it, vi } from 'vitest'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { refusal } from '../support/chain-fixtures.ts'

// A Node that trusts nobody: built without authorities, or told to use those of a system that has none.
vi.mock('../../src/certificate/system-authorities.ts', () => ({ systemAuthorities: () => [] }))

it('there is no trust store of a system that trusts nobody', async () => {
  const error = await refusal(() => TrustStore.system())
  expect(error.code).toBe('ERR_TLACACOCA_CHAIN_NO_AUTHORITIES')
})
