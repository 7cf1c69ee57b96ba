import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { IdentityWallet, readIdentities, writeIdentities } from '../../../src/identity/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { iden, lgr, madeIdentity } from './made-identities.ts'

it('goes from Lagrange into a wallet, and from there into a PKCS#12 file', async () => {
  const folder = await temporaryFolder()
  const ana = await madeIdentity('Ana')
  await mkdir(join(folder, 'idents'))
  await writeFile(join(folder, 'idents/x.crt'), ana.certPem)
  await writeFile(join(folder, 'idents/x.key'), ana.keyPem)
  const record = iden(Buffer.from(ana.hex, 'hex'), { notes: 'mine\x07', urls: ['gemini://example.org'] })
  await writeFile(join(folder, 'idents.lgr'), lgr(record))

  const wallet = await IdentityWallet.inMemory()
  const { identities } = await readIdentities({ lagrange: folder })
  const { added, problems } = await wallet.import(identities)
  expect(problems).toEqual([])
  expect(added).toHaveLength(1)
  const id = added[0]?.id ?? ''
  expect(wallet.forUrl('gemini://example.org/anywhere')?.id).toBe(id)
  expect(wallet.forUrl('gemini://example.org.evil.example/')).toBe(null)

  await wallet.rename(id, 'Ana')
  const path = join(folder, 'ana.p12')
  await writeIdentities([await wallet.export(id)], { format: 'pkcs12', path, passphrase: 'secret' })
  const back = await readIdentities({ pkcs12: await readFile(path), passphrase: 'secret' })
  expect(back.identities).toMatchObject([{ name: 'Ana' }])
  expect(back.identities[0]?.certificate.equals(ana.certificate)).toBe(true)
  await wallet.close()
})
