import { expect, it } from 'vitest'
import { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import { createAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { StoreError } from '../../src/errors.ts'
import { testFolder } from './http/sockets.ts'

/** What a store does when it can be read and not written, as a snapshot of one does. */
class Unwritable extends MemoryIssuedStore {
  code: StoreError['code'] | null = null

  override begin(...args: Parameters<MemoryIssuedStore['begin']>) {
    this.#refuse()
    return super.begin(...args)
  }

  override abandonPending(...args: Parameters<MemoryIssuedStore['abandonPending']>) {
    this.#refuse()
    return super.abandonPending(...args)
  }

  override close(): void {}

  #refuse(): void {
    if (this.code !== null) throw new StoreError(this.code, 'this store is in trouble')
  }
}

it.each(['ERR_TLACACOCA_STORE_READ_ONLY', 'ERR_TLACACOCA_STORE_FULL'] as const)(
  'an authority whose store cannot be written (%s) still says what is revoked, and signs nothing',
  async (code) => {
    const folder = `${await testFolder()}/ca`
    const identity = await createAuthorityDirectory(folder, { subject: [['CN', 'x']], dangerouslyUnencrypted: true })
    const store = new Unwritable()
    const first = await CertificateAuthority.from(identity, { store })
    const { request } = await createCertificateRequest({})
    const { certificate, serialNumber } = await first.sign({ request })
    await first.revoke(serialNumber, { reason: 'superseded' })
    await first.close()

    store.code = code
    await using authority = await CertificateAuthority.from(identity, { store })
    expect(await authority.revocationChecker().revocationOf(certificate)).toMatchObject({ kind: 'revoked' })
    const another = await createCertificateRequest({})
    await expect(authority.sign({ request: another.request })).rejects.toMatchObject({ code })
  },
)

it('a store that fails in another way keeps the authority closed', async () => {
  const folder = `${await testFolder()}/ca`
  const identity = await createAuthorityDirectory(folder, { subject: [['CN', 'x']], dangerouslyUnencrypted: true })
  const store = new Unwritable()
  store.code = 'ERR_TLACACOCA_STORE_CORRUPT'
  await expect(CertificateAuthority.from(identity, { store })).rejects.toMatchObject({ code: store.code })
})
