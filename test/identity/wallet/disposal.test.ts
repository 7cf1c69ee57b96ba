import { expect, it } from 'vitest'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'

it('a wallet is closed where its block ends', async () => {
  const wallet = await IdentityWallet.inMemory()
  {
    await using inside = wallet
    expect(inside.list()).toEqual([])
  }
  expect(() => wallet.list()).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_STORE_CLOSED' }))
})
