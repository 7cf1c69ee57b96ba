import { constants, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { signRotation, verifyRotation } from '../../src/identity/rotation-statement.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { bytes, ecKey, element, oid, sequence, spki } from '../support/crafted-certificates.ts'
import { type IssueKey, issue } from '../support/issued-certificates.ts'
import { forgeStatement } from './registry/forge-statement.ts'

const NOW = new Date('2030-06-01T12:00:00Z')
const later = (ms: number) => new Date(NOW.getTime() + ms)
const origin = parseEndpoint('example.org:1965')
const old = issue({ subject: 'ana' })
const next = issue({ subject: 'ana' })
const other = issue({ subject: 'ana' })

const facts = {
  origin,
  oldCertificate: old.certificate,
  oldKey: old.keys.privateKey,
  newCertificate: next.certificate,
  expiresAt: later(60_000),
}
const expectation = {
  origin,
  oldCertificate: old.certificate,
  newFingerprint: next.certificate.fingerprint,
  now: NOW,
}
const statement = await signRotation(facts)

/** The payload of the statement with another key in it. */
function withKey(publicKey: Uint8Array): Buffer {
  const payload = Buffer.from(statement.split('.')[1] ?? '', 'base64url')
  const length = Buffer.alloc(2)
  length.writeUInt16BE(publicKey.length)
  // Origin and user come first, digests, nonce and expiry last.
  const head = payload.subarray(0, 2 + payload.readUInt16BE(0) + 2)
  return Buffer.concat([head, length, publicKey, payload.subarray(-(32 + 32 + 16 + 8))])
}

function reasonOf(text: string, changes: Partial<Parameters<typeof verifyRotation>[1]> = {}): unknown {
  try {
    verifyRotation(text, { ...expectation, ...changes })
    return 'accepted'
  } catch (error) {
    if (!(error instanceof Error) || !('reason' in error)) throw error
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_ROTATION_INVALID' })
    return error.reason
  }
}

describe('a rotation statement', () => {
  it('says what it was signed for', async () => {
    const nonce = Uint8Array.from({ length: 16 }, (_, n) => n)
    const text = await signRotation({ ...facts, user: 'user-1', nonce })
    expect(verifyRotation(text, { ...expectation, user: 'user-1' })).toEqual({
      origin: 'example.org:1965',
      user: 'user-1',
      oldFingerprint: old.certificate.fingerprint,
      oldPublicKeyFingerprint: old.certificate.publicKeyFingerprint,
      newFingerprint: next.certificate.fingerprint,
      nonce: '000102030405060708090a0b0c0d0e0f',
      expiresAt: later(60_000),
    })
    expect(verifyRotation(statement, expectation)).toMatchObject({ user: null })
  })

  it.each(['P-256', 'P-384', 'RSA-2048', 'Ed25519', 'secp256k1'] as const)('can be signed with %s', async (key) => {
    const { certificate, keys } = issue({ key: key satisfies IssueKey })
    const text = await signRotation({ ...facts, oldCertificate: certificate, oldKey: keys.privateKey })
    expect(text).toMatch(/^rotation1\.[\w-]+\.[\w-]+$/)
    // Gemini's requests have 1024 bytes.
    expect(`gemini://example.org/account/rotate?${text}`.length).toBeLessThan(1024)
    expect(reasonOf(text, { oldCertificate: certificate })).toBe('accepted')
    expect(reasonOf(text)).toBe('other_certificate')
  })

  // One thing differs from row to row.
  it.each([
    ['another port', { origin: parseEndpoint('example.org:1966') }, 'other_origin'],
    ['another host', { origin: parseEndpoint('example.com:1965') }, 'other_origin'],
    ['another new certificate', { newFingerprint: other.certificate.fingerprint }, 'other_certificate'],
    ['another old certificate', { oldCertificate: other.certificate }, 'other_certificate'],
    ['the instant of its end', { now: later(60_000) }, 'expired'],
    ['an instant before its end', { now: later(59_999) }, 'accepted'],
    ['31 days before its end', { now: later(60_000 - 31 * 86_400_000) }, 'accepted'],
    ['longer before its end', { now: later(59_999 - 31 * 86_400_000) }, 'too_long'],
    ['a user, while it names none', { user: 'user-1' }, 'accepted'],
  ])('is judged for %s', (_, changes, reason) => {
    expect(reasonOf(statement, changes)).toBe(reason)
  })

  it('for one user is good for no other', async () => {
    const text = await signRotation({ ...facts, user: 'user-1' })
    expect(reasonOf(text, { user: 'user-2' })).toBe('other_user')
    expect(reasonOf(text)).toBe('accepted')
  })

  it('is bound to the key and to the certificate of the old one, not to either alone', async () => {
    // A new certificate for the same key is another certificate.
    const renewed = issue({ subject: 'ana', key: old })
    expect(reasonOf(statement, { oldCertificate: renewed.certificate })).toBe('other_certificate')
    // The thief's key over a payload that names Ana's certificate.
    const payload = Buffer.from(
      (await signRotation({ ...facts, oldCertificate: other.certificate, oldKey: other.keys.privateKey })).split(
        '.',
      )[1] ?? '',
      'base64url',
    )
    const at = payload.indexOf(Buffer.from(other.certificate.fingerprint.slice(7), 'hex'))
    Buffer.from(old.certificate.fingerprint.slice(7), 'hex').copy(payload, at)
    expect(reasonOf(forgeStatement(payload, other.keys.privateKey))).toBe('other_certificate')
  })

  it('signed as something else is no statement', () => {
    const payload = Buffer.from(statement.split('.')[1] ?? '', 'base64url')
    const { privateKey } = old.keys
    for (const signed of [payload, Buffer.concat([Buffer.alloc(64, 0x20), payload])]) {
      const signature = sign('sha256', signed, privateKey).toString('base64url')
      expect(reasonOf(`rotation1.${payload.toString('base64url')}.${signature}`)).toBe('bad_signature')
    }
    // The same signature in the other encoding of ECDSA.
    const domain = Buffer.from('tlacacoca identity rotation statement, version 1\0', 'latin1')
    const p1363 = sign('sha256', Buffer.concat([domain, payload]), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    expect(reasonOf(`rotation1.${payload.toString('base64url')}.${p1363.toString('base64url')}`)).toBe('bad_signature')
  })

  it('in RSA has one padding', async () => {
    const rsa = issue({ key: 'RSA-2048' })
    const text = await signRotation({ ...facts, oldCertificate: rsa.certificate, oldKey: rsa.keys.privateKey })
    const payload = Buffer.from(text.split('.')[1] ?? '', 'base64url')
    const domain = Buffer.from('tlacacoca identity rotation statement, version 1\0', 'latin1')
    const key = { key: rsa.keys.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING }
    const signature = sign('sha256', Buffer.concat([domain, payload]), key).toString('base64url')
    expect(
      reasonOf(`rotation1.${payload.toString('base64url')}.${signature}`, { oldCertificate: rsa.certificate }),
    ).toBe('bad_signature')
  })

  it('of a key that is too weak counts for nothing', async () => {
    const weak = issue({ key: 'RSA-1024' })
    await expect(
      signRotation({ ...facts, oldCertificate: weak.certificate, oldKey: weak.keys.privateKey }),
    ).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED' })
    const payload = withKey(weak.certificate.subjectPublicKeyInfo)
    expect(reasonOf(forgeStatement(payload, weak.keys.privateKey), { oldCertificate: weak.certificate })).toBe(
      'weak_key',
    )
  })

  it('of an RSA key with e = 1, under which everything is its own signature, counts for nothing', () => {
    const modulus = Buffer.concat([Buffer.from([0, 0x80]), Buffer.alloc(254, 1), Buffer.from([1])])
    const rsa = sequence(element(0x02, modulus), element(0x02, bytes('01')))
    const publicKey = spki([oid('1.2.840.113549.1.1.1'), bytes('05 00')], rsa)
    expect(reasonOf(forgeStatement(withKey(publicKey), old.keys.privateKey))).toBe('weak_key')
  })

  it('with anything after its end is malformed, also if that was signed', () => {
    const payload = Buffer.from(statement.split('.')[1] ?? '', 'base64url')
    expect(reasonOf(forgeStatement(payload, old.keys.privateKey))).toBe('accepted')
    const longer = Buffer.concat([payload, Buffer.from([0])])
    expect(reasonOf(forgeStatement(longer, old.keys.privateKey))).toBe('malformed')
  })

  it('with a key at infinity is refused, and Node lives', () => {
    const payload = withKey(ecKey('1.2.840.10045.3.1.7', bytes('00')))
    expect(reasonOf(forgeStatement(payload, old.keys.privateKey))).toBe('malformed')
  })

  it.each([
    '',
    'rotation1',
    'rotation1..',
    'rotation1.AA.AA',
    statement.replace('rotation1', 'rotation2'),
    statement.replace('rotation1', 'Rotation1'),
    `${statement}.AA`,
    `${statement}=`,
    ` ${statement}`,
    `${statement}\n`,
    statement.replaceAll('-', '+').replaceAll('_', '/').replace('rotation1.', 'rotation1.+'),
    `rotation1.${'A'.repeat(20_000)}.AA`,
  ])('of another form is malformed: %.40s', (text) => {
    expect(reasonOf(text)).toBe('malformed')
  })

  it('is not signed with the key of another certificate, nor for the same certificate', async () => {
    await expect(signRotation({ ...facts, oldKey: other.keys.privateKey })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_MISMATCH',
    })
    await expect(signRotation({ ...facts, newCertificate: old.certificate })).rejects.toThrow(RangeError)
    await expect(signRotation({ ...facts, nonce: new Uint8Array(15) })).rejects.toThrow(RangeError)
    await expect(signRotation({ ...facts, expiresAt: new Date(Number.NaN) })).rejects.toThrow(RangeError)
    await expect(signRotation({ ...facts, expires: NOW } as never)).rejects.toThrow(/no option "expires"/)
    await expect(signRotation({ ...facts, origin: 'example.org:1965' } as never)).rejects.toThrow(TypeError)
  })

  it('has another nonce each time', async () => {
    const { nonce } = verifyRotation(statement, expectation)
    expect(verifyRotation(await signRotation(facts), expectation).nonce).not.toBe(nonce)
  })
})

describe('a statement whose parts make no sense', () => {
  const payload = Buffer.from(statement.split('.')[1] ?? '', 'base64url')
  const said = (changed: Buffer): string => statement.replace(/\.[^.]+\./, `.${changed.toString('base64url')}.`)
  const changed = (change: (copy: Buffer) => void): string => {
    const copy = Buffer.from(payload)
    change(copy)
    return said(copy)
  }
  const expiryAt = payload.length - 8
  const digests = { old: payload.length - 8 - 16 - 64, new: payload.length - 8 - 16 - 32 }

  it.each([
    ['an expiry beyond all dates', changed((copy) => copy.writeBigInt64BE(2n ** 62n, expiryAt))],
    ['an expiry before all dates', changed((copy) => copy.writeBigInt64BE(-(2n ** 62n), expiryAt))],
    ['an origin that is not UTF-8', changed((copy) => copy.writeUInt8(0xff, 2))],
    ['one certificate twice', changed((copy) => copy.copy(copy, digests.old, digests.new, digests.new + 32))],
    ['something behind its end', said(Buffer.concat([payload, Buffer.of(0)]))],
    ['nothing in it', said(Buffer.alloc(1))],
  ])('is malformed: %s', (_, text) => {
    expect(reasonOf(text)).toBe('malformed')
  })

  it('is not made: a nonce that is no bytes, a user that is too long, what is no certificate', async () => {
    await expect(signRotation({ ...facts, nonce: 'nonce' as never })).rejects.toThrow(TypeError)
    await expect(signRotation({ ...facts, user: 'a'.repeat(65_536) })).rejects.toThrow(RangeError)
    await expect(signRotation({ ...facts, newCertificate: {} as never })).rejects.toThrow(TypeError)
    expect(() =>
      verifyRotation(statement, { ...expectation, newFingerprint: next.certificate.sha512Fingerprint }),
    ).toThrow(TypeError)
  })
})
