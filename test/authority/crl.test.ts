import { execFileSync, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Crl, type CrlContents, readOwnCrl, signCrl } from '../../src/authority/crl.ts'
import type { CrlEntry } from '../../src/authority/crl-encoding.ts'
import { hasGnutls } from '../support/gnutls-peer.ts'
import { type Issued, type IssueKey, issue } from '../support/issued-certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const THIS_UPDATE = Date.parse('2030-06-01T12:00:00.900Z')
const NEXT_UPDATE = Date.parse('2030-06-08T12:00:00.900Z')
const REVOKED_AT = Date.parse('2030-05-01T08:30:59.999Z')
/** For openssl, which would look at its own clock. */
const ATTIME = ['-attime', String(Math.floor(THIS_UPDATE / 1000))]

const root = newAuthority()

function newAuthority(key: IssueKey = 'P-256'): Issued {
  return issue({ subject: 'club', ca: true, keyUsage: ['keyCertSign', 'cRLSign'], key })
}

function entry(serial: string, more: Partial<CrlEntry> = {}): CrlEntry {
  return { serial, at: REVOKED_AT, reason: 'unspecified', invalidityDate: null, ...more }
}

function sign(contents: Partial<CrlContents> = {}, by: Issued = root): Promise<Crl> {
  const issuer = { certificate: by.certificate, privateKey: by.keys.privateKey }
  return signCrl(issuer, { number: 7n, thisUpdate: THIS_UPDATE, nextUpdate: NEXT_UPDATE, entries: [], ...contents })
}

/** The list as openssl reads it. */
function textOf(crl: Crl, maxBuffer?: number): string {
  const options = { input: crl.der, encoding: 'utf8', maxBuffer } as const
  return execFileSync('openssl', ['crl', '-inform', 'DER', '-noout', '-text'], options)
}

/** What `openssl verify -crl_check` says about a certificate. */
async function check(certificate: Issued, crl: Crl, by: Issued = root): Promise<string> {
  const folder = await temporaryFolder()
  const [ca, list, leaf] = ['ca.pem', 'crl.pem', 'leaf.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(ca, by.certificate.toPem())
  await writeFile(list, crl.toPem())
  await writeFile(leaf, certificate.certificate.toPem())
  const { stdout, stderr } = spawnSync(
    'openssl',
    ['verify', '-crl_check', '-x509_strict', ...ATTIME, '-CAfile', ca, '-CRLfile', list, leaf],
    { encoding: 'utf8' },
  )
  return stdout + stderr
}

describe('a revocation list', () => {
  it('says who made it, when, and which number it has, without fractions of seconds', async () => {
    const crl = await sign({ entries: [entry('0a1b')] })
    expect(crl).toMatchObject({
      number: 7n,
      thisUpdate: new Date('2030-06-01T12:00:00Z'),
      nextUpdate: new Date('2030-06-08T12:00:00Z'),
    })
    const text = textOf(crl)
    expect(text).toContain('Version 2 (0x1)')
    expect(text).toContain('Issuer: CN = club')
    expect(text).toContain('Last Update: Jun  1 12:00:00 2030 GMT')
    expect(text).toContain('Next Update: Jun  8 12:00:00 2030 GMT')
    expect(text).toMatch(/X509v3 CRL Number: \n\s+7\n/)
    const keyIdentifier = root.certificate.subjectKeyIdentifier?.toUpperCase().match(/../g)?.join(':')
    expect(text).toMatch(new RegExp(`X509v3 Authority Key Identifier: \\n\\s+${keyIdentifier}\\n`))
    expect(text).not.toContain('critical')
    expect(text).toContain('Serial Number: 0A1B\n        Revocation Date: May  1 08:30:59 2030 GMT')
  })

  it.each([
    ['key_compromise', 'Key Compromise'],
    ['affiliation_changed', 'Affiliation Changed'],
    ['superseded', 'Superseded'],
    ['cessation_of_operation', 'Cessation Of Operation'],
    ['certificate_hold', 'Certificate Hold'],
    ['privilege_withdrawn', 'Privilege Withdrawn'],
  ] as const)('gives the reason %s', async (reason, shown) => {
    const text = textOf(await sign({ entries: [entry('01', { reason })] }))
    expect(text).toMatch(new RegExp(`X509v3 CRL Reason Code: \\n\\s+${shown}\\n`))
  })

  it('never says that a reason is unspecified, as RFC 5280 section 5.3.1 wants', async () => {
    const text = textOf(await sign({ entries: [entry('01')] }))
    expect(text).toContain('Serial Number: 01')
    expect(text).not.toContain('CRL entry extensions')
  })

  it('says since when a key may be in other hands', async () => {
    const invalidityDate = Date.parse('2030-04-01T00:00:00Z')
    const text = textOf(await sign({ entries: [entry('01', { reason: 'key_compromise', invalidityDate })] }))
    expect(text).toMatch(/Invalidity Date: \n\s+Apr {2}1 00:00:00 2030 GMT/)
  })

  it('has no list of entries if there are none', async () => {
    expect(textOf(await sign())).toContain('No Revoked Certificates.')
  })

  it('writes dates from 2050 on with four digits of the year', async () => {
    const at = Date.parse('2050-01-01T00:00:00Z')
    const text = await textOf(
      await sign({ thisUpdate: at, nextUpdate: at + 1000, entries: [entry('01', { at: at - 1 })] }),
    )
    expect(text).toContain('Last Update: Jan  1 00:00:00 2050 GMT')
    expect(text).toContain('Revocation Date: Dec 31 23:59:59 2049 GMT')
  })

  // The first bit of an INTEGER is its sign: neither a serial nor a number may become negative, or gain a zero.
  it.each(['7f', '80', 'ff', '00ff', '8000000000000000000000000000000000000000'])(
    'writes the serial %s',
    async (serial) => {
      const text = textOf(await sign({ entries: [entry(serial.replace(/^00/, ''))] }))
      expect(text).toContain(`Serial Number: ${serial.replace(/^00/, '').toUpperCase()}\n`)
    },
  )

  it.each([1n, 127n, 128n, 255n, 256n, 2n ** 63n, 2n ** 64n - 1n])('writes the number %s', async (number) => {
    const crl = await sign({ number })
    expect(openssl(['crl', '-inform', 'DER', '-noout', '-crlnumber'], crl.der).toLowerCase()).toBe(
      `crlnumber=0x${number.toString(16).padStart(number.toString(16).length + (number.toString(16).length % 2), '0')}\n`,
    )
  })

  it('gives copies of its bytes', async () => {
    const crl = await sign()
    crl.der.fill(0)
    expect(textOf(crl)).toContain('Version 2')
    expect(Object.isFrozen(crl)).toBe(true)
  })
})

describe.each(['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const)('a list signed with %s', (key) => {
  const authority = newAuthority(key)
  const revoked = issue({ subject: 'ana', by: authority })
  const other = issue({ subject: 'bo', by: authority })
  const entries = [entry(revoked.certificate.serialNumber, { reason: 'superseded' })]

  it('is what openssl believes, about who is in it and who is not', async () => {
    const crl = await sign({ entries }, authority)
    expect(await check(other, crl, authority)).toMatch(/leaf\.pem: OK/)
    expect(await check(revoked, crl, authority)).toMatch(/error 23 at 0 depth lookup: certificate revoked/)
    const folder = await temporaryFolder()
    const ca = join(folder, 'ca.pem')
    await writeFile(ca, authority.certificate.toPem())
    const { stderr } = spawnSync('openssl', ['crl', '-verify', '-noout', '-CAfile', ca], { input: crl.toPem() })
    expect(String(stderr)).toContain('verify OK')
  })

  it.runIf(hasGnutls)('is what certtool believes', async () => {
    // It goes by its own clock.
    const times = { thisUpdate: Date.now(), nextUpdate: Date.now() + 86_400_000 }
    const crl = await sign({ entries, ...times }, authority)
    const folder = await temporaryFolder()
    const ca = join(folder, 'ca.pem')
    await writeFile(ca, authority.certificate.toPem())
    const verify = ['--verify-crl', '--load-ca-certificate', ca]
    const output = execFileSync('certtool', verify, { input: crl.toPem(), encoding: 'utf8' })
    expect(output).toMatch(/Verification output: Verified\./)
    expect(execFileSync('certtool', ['--crl-info'], { input: crl.toPem(), encoding: 'utf8' })).toContain(
      `Serial Number (hex): ${revoked.certificate.serialNumber}`,
    )
  })
})

describe('reading a list back', () => {
  const read = (crl: Crl, der = crl.der, by = root): Crl | null => {
    const { number, thisUpdate, nextUpdate } = crl
    const times = { thisUpdate: thisUpdate.getTime(), nextUpdate: nextUpdate.getTime() }
    return readOwnCrl({ certificate: by.certificate, privateKey: by.keys.privateKey }, { number, ...times, der })
  }

  it('gives the same list', async () => {
    const crl = await sign({ entries: [entry('01')] })
    expect(read(crl)).toEqual(crl)
    expect(read(crl)?.der).toEqual(crl.der)
  })

  it('gives none that another key has signed, or nobody', async () => {
    const crl = await sign({ entries: [entry('01')] })
    expect(read(crl, crl.der, newAuthority())).toBeNull()
    expect(read(crl, Uint8Array.of())).toBeNull()
    expect(read(crl, Buffer.concat([crl.der, Buffer.from('0500', 'hex')]))).toBeNull()
    for (let at = 0; at < crl.der.length; at++) {
      const { der } = crl
      der[at] = (der[at] ?? 0) ^ 0x01
      expect(read(crl, der)).toBeNull()
      expect(read(crl, crl.der.subarray(0, at))).toBeNull()
    }
  })
})

describe('signing a list', () => {
  it.each([
    {
      what: 'has no cRLSign',
      by: issue({ subject: 'club', ca: true, keyUsage: ['keyCertSign'] }),
      code: 'ERR_TLACACOCA_AUTHORITY_CRL_UNAVAILABLE',
    },
    {
      what: 'belongs to another key',
      by: { ...root, keys: newAuthority().keys },
      code: 'ERR_TLACACOCA_AUTHORITY_SIGNATURE_WRONG',
    },
  ])('is refused if the certificate $what', async ({ by, code }) => {
    await expect(sign({}, by)).rejects.toMatchObject({ name: 'AuthorityError', code })
  })

  it('is allowed by a certificate that lists no uses', async () => {
    const authority = issue({ subject: 'club', ca: true })
    expect((await sign({}, authority)).number).toBe(7n)
  })

  it('lets other work run while it writes a long list', async () => {
    const entries = Array.from({ length: 20_000 }, (_, index) => entry((0x100000 + index).toString(16)))
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const crl = await sign({ entries })
    clearInterval(timer)
    expect(turns).toBeGreaterThan(5)
    expect(crl.der.length).toBeGreaterThan(20_000 * 20)
    expect(textOf(crl, 100_000_000)).toMatch(/Serial Number: 104E1F\n.*\n {4}Signature Algorithm/)
  })
})
