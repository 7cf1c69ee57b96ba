import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { IssuedRow, IssuedStore } from '../../src/authority/issued-store.ts'
import { RevocationLookup } from '../../src/authority/revocation-lookup.ts'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { Certificate } from '../../src/certificate/certificate.ts'
import { readWhole, TAG, wholeOctets } from '../../src/certificate/der.ts'
import { element } from '../../src/certificate/der-writer.ts'
import { isSignedBy } from '../../src/certificate/issuance.ts'
import { validatePath } from '../../src/certificate/path-validation.ts'
import { bytes, extension, sequence } from '../support/crafted-certificates.ts'
import { type Issued, type IssueOptions, issue } from '../support/issued-certificates.ts'
import { issueInto, newAuthority, rowFor } from '../support/issued-rows.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const AT = Date.parse('2030-06-01T12:00:00Z')
const club = newAuthority()
const REVOCATION = { at: AT, reason: 'superseded', invalidityDate: null, by: null, withKey: false } as const

async function world(by = club): Promise<{ store: IssuedStore; ask: (certificate: Certificate) => Promise<string> }> {
  const store = await SqliteIssuedStore.open(join(await temporaryFolder(), 'ca.db'))
  onTestFinished(() => store.close())
  const lookup = new RevocationLookup(by.certificate, store)
  return { store, ask: async (certificate) => (await lookup.revocationOf(certificate)).kind }
}

const octetsOf = ({ certificate }: Issued): Uint8Array => Buffer.from(certificate.serialNumber, 'hex')

/** The same certificate with the other of the two signatures that every ECDSA signature comes with: (r, n - s). */
function withOtherSignature(certificate: Certificate): Certificate {
  const parts = readWhole(certificate.der, TAG.sequence, 'it').children()
  const [signed, algorithm] = [parts.read(TAG.sequence, 'it').encoded, parts.read(TAG.sequence, 'it').encoded]
  const signature = wholeOctets(parts.read(TAG.bitString, 'it'), 'it')
  const values = readWhole(signature, TAG.sequence, 'it').children()
  const [r, s] = [values.read(TAG.integer, 'r').encoded, values.read(TAG.integer, 's').content]
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const hex = (order - BigInt(`0x${Buffer.from(s).toString('hex')}`)).toString(16).padStart(64, '0')
  const other = Buffer.from(hex, 'hex')
  const padded = (other[0] ?? 0) >= 0x80 ? Buffer.concat([bytes('00'), other]) : other
  return Certificate.from(
    sequence(signed, algorithm, element(TAG.bitString, bytes('00'), sequence(r, element(TAG.integer, padded)))),
  )
}

describe('what an authority says about its own certificates', () => {
  it('is what its store says, at the time of the question', async () => {
    const { store, ask } = await world()
    const ana = await issueInto(store, club)
    const { serialNumber: serial } = ana.certificate
    expect(await ask(ana.certificate)).toBe('good')
    await store.hold({ serial, at: AT, by: null })
    expect(await ask(ana.certificate)).toBe('held')
    await store.release({ serial, at: AT, by: null })
    expect(await ask(ana.certificate)).toBe('good')
    await store.revoke({ ...REVOCATION, serial })
    expect(await ask(ana.certificate)).toBe('revoked')
  })

  it('is nothing good while a certificate is being made, and after it was given up', async () => {
    const { store, ask } = await world()
    const ana = issue({ subject: 'ana', by: club })
    await store.begin(rowFor(ana.certificate), null)
    expect(await ask(ana.certificate)).toBe('unknown')
    await store.abandonPending(AT, AT)
    expect(await ask(ana.certificate)).toBe('revoked')
  })

  it('does not change with a second signature of the same content', async () => {
    const { store, ask } = await world()
    const ana = await issueInto(store, club)
    const twin = withOtherSignature(ana.certificate)
    // It is as valid as the first one for everybody who checks signatures.
    expect(isSignedBy(twin, club.certificate)).toBe(true)
    expect(twin.fingerprint).not.toBe(ana.certificate.fingerprint)
    expect(await ask(twin)).toBe('unknown')
    await store.revoke({ ...REVOCATION, serial: ana.certificate.serialNumber })
    expect(await ask(twin)).toBe('revoked')
  })
})

describe('what an authority says about what claims to be its own', () => {
  const madeUp = (options: IssueOptions): Certificate => issue({ subject: 'eve', by: club, ...options }).certificate

  it('is that it does not know what it has not issued', async () => {
    const { ask } = await world()
    expect(await ask(madeUp({}))).toBe('unknown')
  })

  it.each(['issued', 'held', 'revoked'] as const)(
    'is the same for the serial number of a certificate that is %s',
    async (status) => {
      const { store, ask } = await world()
      const ana = await issueInto(store, club)
      const { serialNumber: serial } = ana.certificate
      if (status === 'held') await store.hold({ serial, at: AT, by: null })
      if (status === 'revoked') await store.revoke({ ...REVOCATION, serial })
      const forged = madeUp({ serial: octetsOf(ana) })
      expect(forged.serialNumber).toBe(serial)
      expect(await ask(forged)).toBe('unknown')
    },
  )

  it.each([
    ['negative', bytes('ff')],
    ['zero', bytes('00')],
    ['of 40 octets', Buffer.concat([bytes('01'), Buffer.alloc(39, 7)])],
  ])('is the same for a serial number that is %s', async (_what, serial) => {
    const { ask } = await world()
    expect(await ask(madeUp({ serial }))).toBe('unknown')
  })

  it('is the same for its name in another spelling, and for no word about the key', async () => {
    const { ask } = await world()
    const printable = sequence(element(0x31, sequence(bytes('06 03 55 04 03'), element(0x13, Buffer.from(' CLUB ')))))
    expect(await ask(madeUp({ issuerDer: printable }))).toBe('unknown')
    expect(await ask(madeUp({ identifiers: [] }))).toBe('unknown')
    expect(await ask(madeUp({ version: 1 }))).toBe('unknown')
  })

  it('is an error if the claim cannot be read', async () => {
    const { ask } = await world()
    const certificate = madeUp({ identifiers: [extension('2.5.29.35', bytes('05 00'))] })
    await expect(ask(certificate)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' })
  })
})

describe('what an authority says about the certificates of others', () => {
  it.each([
    ['self-signed', () => issue({ subject: 'ana' }).certificate],
    ['of another authority', () => issue({ subject: 'ana', by: newAuthority({ subject: 'chess' }) }).certificate],
    [
      'of another authority of the same name, by its key',
      () => issue({ subject: 'ana', by: newAuthority() }).certificate,
    ],
    ['by somebody without a name', () => issue({ subject: 'ana', issuerDer: sequence() }).certificate],
    [
      'by somebody whose name is not text',
      () => issue({ issuerDer: sequence(element(0x31, sequence(bytes('06 03 55 04 03 0c 01 ff')))) }).certificate,
    ],
    ['the other authority of the same name itself', () => newAuthority().certificate],
  ])('is that they are not its own: %s', async (_what, certificate) => {
    expect(await (await world()).ask(certificate())).toBe('not_ours')
  })

  it('is the same about itself, in each of its certificates', async () => {
    const { ask } = await world()
    expect(await ask(club.certificate)).toBe('not_ours')
    expect(await ask(newAuthority({ key: club }).certificate)).toBe('not_ours')
    // A root says nothing about itself; an authority below another one was issued by that one.
    const chapter = newAuthority({ subject: 'chapter', by: club })
    expect(await (await world(chapter)).ask(chapter.certificate)).toBe('not_ours')
    expect(await ask(chapter.certificate)).toBe('unknown')
  })

  it('does not ask the store about them', async () => {
    const store: Pick<IssuedStore, 'get'> = {
      get: () => {
        throw new Error('asked')
      },
    }
    const lookup = new RevocationLookup(club.certificate, store)
    expect(lookup.revocationOf(issue({ subject: 'ana' }).certificate)).toEqual({ kind: 'not_ours' })
    expect(() => lookup.revocationOf(issue({ subject: 'ana', by: club }).certificate)).toThrow('asked')
  })
})

describe('the answer', () => {
  it('comes at once or late, as the store does', async () => {
    const ana = issue({ subject: 'ana', by: club }).certificate
    const row: IssuedRow = { ...rowFor(ana), status: 'issued', statusAt: 0, certificate: ana, revocation: null }
    const at = (get: IssuedStore['get']) => new RevocationLookup(club.certificate, { get }).revocationOf(ana)
    expect(at(() => row)).toEqual({ kind: 'good' })
    const late = at(() => Promise.resolve(row))
    expect(late).toBeInstanceOf(Promise)
    expect(await late).toEqual({ kind: 'good' })
    await expect(at(() => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
  })

  it.each([
    ['another certificate of the same content', { certificate: null }, 'unknown'],
    ['a status of a later release', { status: 'suspended' as never }, 'throws'],
  ])('is no yes for %s', async (_what, odd, expected) => {
    const ana = issue({ subject: 'ana', by: club }).certificate
    const row: IssuedRow = { ...rowFor(ana), status: 'issued', statusAt: 0, certificate: ana, revocation: null, ...odd }
    const ask = () => new RevocationLookup(club.certificate, { get: () => row }).revocationOf(ana)
    if (expected === 'throws') expect(ask).toThrow(/suspended/)
    else expect(ask()).toEqual({ kind: expected })
  })

  it('agrees with the path: what is forged is refused there as well', () => {
    const forged = issue({ subject: 'eve', by: { ...club, keys: newAuthority().keys }, purposes: ['client'] })
    const path = validatePath({
      leaf: forged.certificate,
      intermediates: [],
      authorities: [club.certificate],
      at: new Date(AT),
      purpose: 'client',
    })
    expect(path.valid).toBe(false)
  })
})
