import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../../src/certificate/certificate.ts'
import { loadPrivateKey } from '../../../src/certificate/private-key.ts'
import type { ImportedIdentity } from '../../../src/identity/formats/imported-identity.ts'
import { testCertificate } from '../../support/certificates.ts'
import { forgeCertificate } from '../../support/forged-certificates.ts'
import { folderWallet, memoryWallet, newFolder, withWallet } from './wallet-support.ts'

async function portable(changes: Partial<ImportedIdentity> = {}): Promise<ImportedIdentity> {
  const { certificate, keyPem } = await testCertificate({ host: null, usage: 'client', commonName: 'ana' })
  return {
    certificate,
    chain: [],
    privateKey: await loadPrivateKey(keyPem),
    name: 'Ana',
    notes: 'from the old computer',
    scopes: ['gemini://example.org/', 'titan://b.example:1966/club'],
    temporary: false,
    ...changes,
  }
}

const made = await testCertificate({ host: null, usage: 'client', commonName: 'ana' })

describe('an imported identity', () => {
  it('is there with its name, notes and scopes, and works', async () => {
    const directory = await newFolder()
    const identity = await portable()
    await withWallet(directory, async (wallet) => {
      const report = await wallet.import([identity])
      expect(report).toMatchObject({
        added: [{ name: 'Ana', notes: 'from the old computer', fingerprint: identity.certificate.fingerprint }],
        skipped: [],
        problems: [],
      })
      expect(report.added[0]?.scopes.map(String)).toEqual(['gemini://example.org/', 'gemini://b.example:1966/club'])
    })
    await withWallet(directory, async (wallet) => {
      expect(wallet.forUrl('gemini://b.example:1966/club/x')?.name).toBe('Ana')
      expect((await wallet.identityFor('gemini://example.org/'))?.cert).toBe(identity.certificate.toPem())
    })
  })

  it('goes to another wallet and back without a loss', async () => {
    const { wallet } = await memoryWallet()
    const { wallet: other } = await memoryWallet()
    const { id } = await wallet.create({ name: 'Ana', keyType: 'ed25519', scope: 'gemini://example.org/a%3Bb/ü' })
    await wallet.annotate(id, 'two\nlines')
    const exported = await wallet.export(id)
    expect(createPublicKey(exported.privateKey).export({ format: 'der', type: 'spki' })).toEqual(
      Buffer.from(exported.certificate.subjectPublicKeyInfo),
    )
    const { added } = await other.import([exported])
    expect(await other.export(added[0]?.id ?? '')).toEqual(exported)
  })

  it('is skipped if it is there already, however often', async () => {
    const { wallet } = await memoryWallet()
    const identity = await portable()
    const first = await wallet.import([identity, { ...identity, name: 'Ana again' }])
    expect(first.added).toHaveLength(1)
    expect(first.skipped).toMatchObject([
      { name: 'Ana again', reason: 'known', fingerprint: identity.certificate.fingerprint },
    ])
    expect(await wallet.import(new Set([identity]))).toMatchObject({ added: [], skipped: [{ reason: 'known' }] })
    await wallet.delete(wallet.list()[0]?.id ?? '')
    const { skipped } = await wallet.import([identity])
    expect(skipped[0]?.message).toContain('can still be had back')
    expect(wallet.list()).toEqual([])
  })

  it('with a key of another certificate is skipped, and the others are not', async () => {
    const { wallet } = await memoryWallet()
    const [good, other] = [await portable({ name: 'good' }), await portable()]
    const report = await wallet.import([{ ...good, name: 'bad', privateKey: other.privateKey }, good])
    expect(report.added).toMatchObject([{ name: 'good' }])
    expect(report.skipped).toMatchObject([{ name: 'bad', reason: 'unusable' }])
    expect(report.skipped[0]?.message).toMatch(/key/)
  })

  it('keeps the authorities above it, if they are its own', async () => {
    const { wallet } = await memoryWallet()
    const club = forgeCertificate({ commonName: 'the club', ca: true })
    const stranger = forgeCertificate({ commonName: 'another club', ca: true })
    const member = forgeCertificate({ commonName: 'member', usage: 'clientAuth', issuer: club })
    const base = {
      certificate: Certificate.from(member.certPem),
      privateKey: await loadPrivateKey(member.keyPem),
      scopes: ['gemini://example.org/'],
    }
    const wrong = await wallet.import([await portable({ ...base, chain: [Certificate.from(stranger.certPem)] })])
    expect(wrong.added[0]?.chain).toEqual([])
    expect(wrong.problems).toEqual([expect.stringContaining('do not belong to it')])
    await wallet.delete(wrong.added[0]?.id ?? '')

    const { wallet: other } = await memoryWallet()
    const right = await other.import([await portable({ ...base, chain: [Certificate.from(club.certPem)] })])
    expect(right.added[0]?.chain).toHaveLength(1)
    expect(right.problems).toEqual([])
    expect((await other.identityFor('gemini://example.org/'))?.cert).toBe(
      Certificate.from(member.certPem).toPem() + Certificate.from(club.certPem).toPem(),
    )
  })

  it('loses scopes that are none, and says so', async () => {
    const { wallet } = await memoryWallet()
    const scopes = ['gemini://example.org/', 'https://example.org/', 'gemini://ana@example.org/', 'example.org', '']
    const { added, problems } = await wallet.import([await portable({ scopes })])
    expect(added[0]?.scopes.map(String)).toEqual(['gemini://example.org/'])
    expect(problems).toHaveLength(4)
    expect(problems[0]).toContain('https://example.org/')
  })

  it('has its texts cleaned of what could not be written or shown', async () => {
    const { wallet } = await memoryWallet()
    const { added } = await wallet.import([
      await portable({ name: ' Ana\r\n\u001b[31m\ud800 ', notes: 'one\r\ntwo\0\u2028three' }),
      await portable({ name: '\n', notes: '' }),
      await portable({ name: '😀'.repeat(150) }),
    ])
    expect(added.map(({ name }) => name)).toEqual(['Ana  [31m', null, '😀'.repeat(100)])
    expect(added[0]?.notes).toBe('one\ntwo  three')
    // And is then what `rename` and `annotate` take.
    for (const { id, name, notes } of added) {
      await wallet.rename(id, name)
      await wallet.annotate(id, notes)
    }
  })

  it('stays in memory if the other program meant to forget it', async () => {
    const directory = await newFolder()
    const wallet = await folderWallet(directory)
    const { added } = await wallet.import([await portable({ temporary: true })])
    expect(added).toMatchObject([{ temporary: true }])
    expect(existsSync(directory)).toBe(false)
    const both = await wallet.import([await portable({ name: 'Bo' }), await portable({ name: 'Cy', temporary: true })])
    expect(both.added.map(({ name, temporary }) => [name, temporary])).toEqual([
      ['Bo', false],
      ['Cy', true],
    ])
  })

  it.each([
    null,
    'text',
    [null],
    [{}],
    [{ certificate: made.certificate, privateKey: made.keyPem, chain: [], scopes: [], temporary: false }],
    [{ certificate: 'PEM', privateKey: 'PEM', chain: [], scopes: [], name: null, notes: null, temporary: false }],
  ])('is a value of the right type: not %j', async (value) => {
    const { wallet } = await memoryWallet()
    // @ts-expect-error Not identities.
    await expect(wallet.import(value)).rejects.toThrow(TypeError)
  })

  it('is not a public key in the place of the private one', async () => {
    const { wallet } = await memoryWallet()
    const identity = await portable()
    const publicKey = createPublicKey(identity.privateKey)
    await expect(wallet.import([{ ...identity, privateKey: publicKey }])).rejects.toThrow(TypeError)
  })
})
