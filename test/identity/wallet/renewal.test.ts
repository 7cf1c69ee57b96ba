import { describe, expect, it } from 'vitest'
import { verifyRotation } from '../../../src/identity/rotation-statement.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { forgeCertificate } from '../../support/forged-certificates.ts'
import { A_DAY_MS, folderWallet, memoryWallet, newFolder, START, withWallet } from './wallet-support.ts'

const endpoint = parseEndpoint('example.org:1965')
const URL_ = 'gemini://example.org/'

describe('a renewed identity', () => {
  it('has its key, its name, its id and its scopes, and later dates', async () => {
    const { wallet, clock } = await memoryWallet()
    const old = await wallet.create({ name: 'Ana', commonName: 'ana', scope: URL_, validity: { days: 90 } })
    clock.advance(100 * A_DAY_MS)
    expect(wallet.get(old.id)?.validity).toBe('expired')
    const renewed = await wallet.renew(old.id)
    expect(renewed).toMatchObject({ id: old.id, name: 'Ana', commonName: 'ana', validity: 'valid' })
    expect(renewed.fingerprint).not.toBe(old.fingerprint)
    expect(renewed.certificate.publicKeyFingerprint).toBe(old.certificate.publicKeyFingerprint)
    expect(renewed.notAfter?.getTime()).toBe(START.getTime() + 190 * A_DAY_MS)
    expect(renewed.formerCertificates.map(({ fingerprint }) => fingerprint)).toEqual([old.fingerprint])
    expect(wallet.forUrl(URL_)?.fingerprint).toBe(renewed.fingerprint)
    expect((await wallet.identityFor(URL_))?.cert).toBe(renewed.certificate.toPem())
  })

  it('is valid for as long as it is asked to be', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create()
    expect((await wallet.renew(id, { validity: { days: 3 } })).notAfter?.getTime()).toBe(START.getTime() + 3 * A_DAY_MS)
    const forever = await wallet.renew(id, { validity: 'never_expires' })
    expect(forever.notAfter).toEqual(new Date('9999-12-31T23:59:59Z'))
    // As long as the last one, and not beyond the end of time.
    expect((await wallet.renew(id)).notAfter).toEqual(forever.notAfter)
    // @ts-expect-error No such option.
    await expect(wallet.renew(id, { days: 3 })).rejects.toThrow(TypeError)
  })

  it('keeps its former certificates through several renewals and programs, up to a number', async () => {
    const directory = await newFolder()
    const all = await withWallet(directory, async (wallet) => {
      const first = await wallet.create({ scope: URL_ })
      const fingerprints = [first.fingerprint]
      for (let n = 0; n < 22; n++) fingerprints.unshift((await wallet.renew(first.id)).fingerprint)
      return { id: first.id, fingerprints }
    })
    const wallet = await folderWallet(directory)
    const identity = wallet.get(all.id)
    expect(identity?.fingerprint).toBe(all.fingerprints[0])
    expect(identity?.formerCertificates.map(({ fingerprint }) => fingerprint)).toEqual(all.fingerprints.slice(1, 21))
  })

  it('can have its former certificate back, and the new one again', async () => {
    const { wallet } = await memoryWallet()
    const old = await wallet.create({ scope: URL_ })
    const notFound = { code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' }
    await expect(wallet.revertRenewal(old.id)).rejects.toMatchObject(notFound)
    await expect(wallet.renewalStatement(old.id, endpoint)).rejects.toMatchObject(notFound)
    const renewed = await wallet.renew(old.id)
    expect((await wallet.revertRenewal(old.id)).fingerprint).toBe(old.fingerprint)
    expect((await wallet.identityFor(URL_))?.cert).toBe(old.certificate.toPem())
    const again = await wallet.revertRenewal(old.id)
    expect(again.fingerprint).toBe(renewed.fingerprint)
    expect(again.formerCertificates.map(({ fingerprint }) => fingerprint)).toEqual([old.fingerprint])
  })

  it('is vouched for by a statement that a server takes', async () => {
    const { wallet } = await memoryWallet()
    const old = await wallet.create({ scope: URL_ })
    const { fingerprint } = await wallet.renew(old.id)
    const text = await wallet.renewalStatement(old.id, endpoint, { user: 'u1', validForMs: A_DAY_MS })
    const expectation = { origin: endpoint, oldCertificate: old.certificate, newFingerprint: fingerprint, now: START }
    expect(verifyRotation(text, expectation)).toMatchObject({
      user: 'u1',
      expiresAt: new Date(START.getTime() + A_DAY_MS),
    })
  })

  it('is none if somebody else issued the certificate', async () => {
    const { wallet } = await memoryWallet()
    const authority = forgeCertificate({ commonName: 'the club', ca: true })
    const member = forgeCertificate({ commonName: 'member', usage: 'clientAuth', issuer: authority })
    const { Certificate } = await import('../../../src/certificate/certificate.ts')
    const { loadPrivateKey } = await import('../../../src/certificate/private-key.ts')
    const { added } = await wallet.import([
      {
        certificate: Certificate.from(member.certPem),
        chain: [Certificate.from(authority.certPem)],
        privateKey: await loadPrivateKey(member.keyPem),
        name: null,
        notes: null,
        scopes: [URL_],
        temporary: false,
      },
    ])
    const [identity] = added
    await expect(wallet.renew(identity?.id ?? '')).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED',
    })
    expect(wallet.forUrl(URL_)?.fingerprint).toBe(identity?.fingerprint)
  })
})
