import { chmod, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createAuthorityDirectory, openAuthorityDirectory } from '../../src/authority/identity-directory.ts'
import { element, oid } from '../../src/certificate/der-writer.ts'
import { formatPem } from '../../src/certificate/pem.ts'
import { encryptPrivateKey } from '../../src/certificate/private-key.ts'
import { type AuthorityFile, authority, FILES, filesOf, fill, snapshot } from '../support/authority-directory.ts'
import { type IssueOptions, issue } from '../support/issued-certificates.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const AT = new Date('2030-06-01T12:00:00Z')
const clock = () => AT.getTime()

const own = authority()
const files = await filesOf(own)
const others = await filesOf(authority())

let path: string
beforeEach(async () => {
  path = join(await temporaryFolder(), 'ca')
  await mkdir(path, { mode: 0o700 })
})

const at = (name: string): string => join(path, name)
const open = () => openAuthorityDirectory(path, { clock })
const codes = async (): Promise<string[]> => (await open()).warnings.map(({ code }) => code)
const refusal = (code: string, name?: string) => ({
  code: `ERR_TLACACOCA_${code}`,
  ...(name === undefined ? {} : { message: expect.stringContaining(at(name)) }),
})

describe('opening an authority', () => {
  it('changes nothing', async () => {
    await fill(path, files)
    const before = await snapshot(path)
    const { certificate, chain, privateKey } = await open()
    expect(certificate.fingerprint).toBe(own.certificate.fingerprint)
    expect(chain).toEqual([])
    expect(privateKey.equals(own.keys.privateKey)).toBe(true)
    expect(await snapshot(path)).toEqual(before)
  })

  it('needs the certificate and the private key only', async () => {
    await fill(path, { ...files, 'ca.csr.pem': null, 'ca.public_key.pem': null })
    await open()
    expect(await readdir(path)).toEqual(['ca.cert.pem', 'ca.private_key.pem'])
  })

  it('shows neither the key nor a passphrase', async () => {
    await fill(path, {
      ...files,
      'ca.private_key.pem': await encryptPrivateKey(own.keys.privateKey, { passphrase: 'horse' }),
    })
    const identity = await openAuthorityDirectory(path, { passphrase: 'horse', clock })
    expect(inspect(identity, { depth: 9, showHidden: true })).not.toContain('horse')
    expect(JSON.stringify(identity)).not.toMatch(/horse|PRIVATE KEY/)
    expect(Object.isFrozen(identity) && Object.isFrozen(identity.warnings)).toBe(true)
  })
})

describe('an authority whose files do not belong together', () => {
  it.each([
    ['ca.private_key.pem', 'ca.private_key.pem'],
    ['ca.public_key.pem', 'ca.public_key.pem'],
    ['ca.csr.pem', 'ca.csr.pem'],
    // Everything else fits everything else, so what is compared with the certificate first is what does not fit.
    ['ca.cert.pem', 'ca.public_key.pem'],
  ] as const)('is refused: %s of another one', async (name, named) => {
    await fill(path, { ...files, [name]: others[name] })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_MISMATCH', named))
  })

  it('is refused: two of its four files are of another one', async () => {
    await fill(path, {
      ...files,
      'ca.cert.pem': others['ca.cert.pem'],
      'ca.public_key.pem': others['ca.public_key.pem'],
    })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_MISMATCH', 'ca.csr.pem'))
    await fill(path, { 'ca.csr.pem': others['ca.csr.pem'] })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_MISMATCH', 'ca.private_key.pem'))
  })

  it('is refused: a key that claims the public half of the certificate', async () => {
    // SEC1 has the public half beside the private one, and whoever compares only these two is fooled.
    const mine = own.keys.privateKey.export({ format: 'der', type: 'sec1' })
    const theirs = authority().keys.privateKey.export({ format: 'der', type: 'sec1' })
    const point = mine.subarray(mine.length - 65)
    const forged = Buffer.concat([theirs.subarray(0, theirs.length - 65), point])
    await fill(path, { ...files, 'ca.private_key.pem': formatPem('EC PRIVATE KEY', forged) })
    const error = await open().catch((caught: unknown) => caught)
    // OpenSSL refuses it as a key, or it does not fit: both are a no.
    expect(error).toMatchObject({ message: expect.stringContaining(at('ca.private_key.pem')) })
  })

  it('is refused: a certificate that was changed after it was signed', async () => {
    const damaged = authority({ spoil: true })
    await fill(path, await filesOf(damaged))
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_MISMATCH', 'ca.cert.pem'))
  })

  it('is not asked for its passphrase in vain', async () => {
    const encrypted = await encryptPrivateKey(own.keys.privateKey, { passphrase: 'horse' })
    await fill(path, { ...files, 'ca.private_key.pem': encrypted, 'ca.csr.pem': others['ca.csr.pem'] })
    process.env.CA_PASSPHRASE = 'horse'
    onTestFinished(() => void delete process.env.CA_PASSPHRASE)
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_MISMATCH'))
    expect(process.env.CA_PASSPHRASE).toBe('horse')
  })
})

describe('an authority that is not all there', () => {
  it.each([[[]], [['ca.chain.pem']]] as const)('is none if there is nothing: %j', async (there) => {
    for (const name of there) await fill(path, { [name]: files['ca.cert.pem'] })
    await expect(open()).rejects.toMatchObject({ ...refusal('FILE_NOT_FOUND', 'ca.cert.pem'), path: at('ca.cert.pem') })
  })

  it('is none if there is no directory', async () => {
    await rm(path, { recursive: true })
    await expect(open()).rejects.toMatchObject(refusal('FILE_NOT_FOUND'))
  })

  // What a creation leaves that is killed after one, two and three of its files.
  it.each([1, 2, 3])(
    'is incomplete after %i of its files were written, and is not created over them',
    async (count) => {
      await fill(path, Object.fromEntries(FILES.slice(0, count).map((name) => [name, files[name]])))
      await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_INCOMPLETE', 'ca.cert.pem'))
      const before = await snapshot(path)
      const create = createAuthorityDirectory(path, { subject: [['CN', 'ca.net']], dangerouslyUnencrypted: true })
      await expect(create).rejects.toMatchObject(refusal('FILE_EXISTS'))
      expect(await snapshot(path)).toEqual(before)
    },
  )

  it('is incomplete without its private key', async () => {
    await fill(path, { ...files, 'ca.private_key.pem': null })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_INCOMPLETE', 'ca.private_key.pem'))
  })

  it('is not a file', async () => {
    await fill(path, files)
    await expect(openAuthorityDirectory(at('ca.cert.pem'), { clock })).rejects.toMatchObject({ name: 'FileError' })
  })

  it('may have links for files, as mounted secrets are', async () => {
    await fill(path, files)
    await mkdir(at('..data'))
    for (const name of FILES) {
      await rename(at(name), at(join('..data', name)))
      await symlink(join('..data', name), at(name))
    }
    await open()
    await chmod(at(join('..data', 'ca.private_key.pem')), 0o644)
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_EXPOSED'))
  })
})

describe('a file of an authority that holds something else', () => {
  const CERTIFICATE = 'CERTIFICATE_MALFORMED'
  it.each([
    ['ca.cert.pem', 'nothing', '', CERTIFICATE],
    ['ca.cert.pem', 'no PEM', 'hello', CERTIFICATE],
    ['ca.cert.pem', 'two certificates', files['ca.cert.pem'] + others['ca.cert.pem'], CERTIFICATE],
    ['ca.cert.pem', 'its private key as well', files['ca.cert.pem'] + files['ca.private_key.pem'], CERTIFICATE],
    ['ca.cert.pem', 'a request', files['ca.csr.pem'], CERTIFICATE],
    ['ca.private_key.pem', 'nothing', '', 'KEY_MALFORMED'],
    ['ca.private_key.pem', 'a public key', files['ca.public_key.pem'], 'KEY_MALFORMED'],
    ['ca.private_key.pem', 'two keys', files['ca.private_key.pem'] + others['ca.private_key.pem'], 'KEY_MALFORMED'],
    ['ca.public_key.pem', 'nothing', '', CERTIFICATE],
    ['ca.public_key.pem', 'a certificate', files['ca.cert.pem'], CERTIFICATE],
    ['ca.public_key.pem', 'the private key', files['ca.private_key.pem'], CERTIFICATE],
    ['ca.public_key.pem', 'two keys', files['ca.public_key.pem'] + files['ca.public_key.pem'], CERTIFICATE],
    ['ca.csr.pem', 'nothing', '', 'CSR_MALFORMED'],
    ['ca.csr.pem', 'a certificate', files['ca.cert.pem'], 'CSR_MALFORMED'],
    ['ca.chain.pem', 'nothing', '', CERTIFICATE],
    ['ca.chain.pem', 'a private key', files['ca.private_key.pem'], CERTIFICATE],
  ] as const)('is named: %s holds %s', async (name, _what, contents, code) => {
    await fill(path, { ...files, [name]: contents })
    const error = await open().catch((caught: unknown) => caught)
    expect(error).toMatchObject(refusal(code, name))
    expect(inspect(error)).not.toContain('MIG')
  })

  it.each(['ca.cert.pem', 'ca.private_key.pem', 'ca.csr.pem', 'ca.public_key.pem', 'ca.chain.pem'] as const)(
    'is not read to its end if it has none: %s',
    async (name) => {
      await fill(path, { ...files, [name]: 'x'.repeat(2 * 1024 * 1024) })
      await expect(open()).rejects.toMatchObject(refusal('FILE_UNREADABLE', name))
    },
  )

  // This one makes Node abort the process once it is asked about the key.
  it('does not end the process: the point at infinity as a public key', async () => {
    const algorithm = element(0x30, oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7'))
    const spki = element(0x30, algorithm, element(0x03, Uint8Array.of(0, 0)))
    await fill(path, { ...files, 'ca.public_key.pem': formatPem('PUBLIC KEY', spki) })
    await expect(open()).rejects.toMatchObject(refusal('CERTIFICATE_MALFORMED', 'ca.public_key.pem'))
  })
})

describe('a certificate that cannot be that of an authority', () => {
  it.each<[string, IssueOptions, string]>([
    ['of a server', { ca: false }, 'NOT_AN_AUTHORITY'],
    ['without basic constraints', { ca: undefined } as never, 'NOT_AN_AUTHORITY'],
    ['whose key may sign no certificates', { keyUsage: ['digitalSignature', 'cRLSign'] }, 'NOT_AN_AUTHORITY'],
    ['of version 1', { version: 1 }, 'NOT_AN_AUTHORITY'],
    ['of a key of RSA with 1024 bits', { key: 'RSA-1024' }, 'KEY_REFUSED'],
    ['of a short curve', { key: 'P-192' }, 'KEY_REFUSED'],
    ['of a curve that verifiers do not know', { key: 'secp256k1' }, 'KEY_REFUSED'],
    ['that has expired', { to: '20300601115959Z' }, 'EXPIRED'],
    ['that is not valid yet', { from: '20300601120001Z' }, 'NOT_YET_VALID'],
  ])('is refused: one %s', async (_what, options, code) => {
    const { certificate, keys } = authority(options)
    const pem = keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    await fill(path, { 'ca.cert.pem': certificate.toPem(), 'ca.private_key.pem': pem })
    await expect(open()).rejects.toMatchObject(refusal(`AUTHORITY_${code}`, 'ca.cert.pem'))
  })

  it('is refused: one of a key that is bound to RSASSA-PSS', async () => {
    const subject = ['-x509', '-subj', '/CN=ca.net', '-days', '10000', '-sha256']
    openssl([
      'req',
      ...subject,
      '-newkey',
      'rsa-pss',
      '-pkeyopt',
      'rsa_keygen_bits:2048',
      '-nodes',
      '-keyout',
      at('ca.private_key.pem'),
      '-out',
      at('ca.cert.pem'),
    ])
    await chmod(at('ca.private_key.pem'), 0o600)
    const opened = openAuthorityDirectory(path)
    await expect(opened).rejects.toMatchObject(refusal('AUTHORITY_KEY_REFUSED', 'ca.private_key.pem'))
  })

  it.each(['P-384', 'RSA-2048', 'Ed25519'] as const)('is not one of a key of the kind %s', async (key) => {
    const { certificate, keys } = authority({ key })
    const pem = keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    await fill(path, { 'ca.cert.pem': certificate.toPem(), 'ca.private_key.pem': pem })
    await open()
  })

  it('is valid at both of its ends', async () => {
    await fill(path, await filesOf(authority({ from: '20300601120000Z', to: '20300601120000Z' })))
    expect(await codes()).toEqual(['key_not_encrypted', 'expires_soon'])
  })
})

describe('who may read the files of an authority', () => {
  it.each([
    [0o600, []],
    [0o400, []],
    [0o640, ['key_file_exposed']],
    [0o620, ['key_file_exposed']],
    [0o660, ['key_file_exposed']],
    [0o601, []],
  ])('is its owner, or a group with a warning: mode %o', async (mode, warnings) => {
    await fill(path, files)
    await chmod(at('ca.private_key.pem'), mode)
    expect(await codes()).toEqual([...warnings, 'key_not_encrypted'])
  })

  it.each([0o644, 0o604, 0o602, 0o666, 0o606])('is never everybody: mode %o', async (mode) => {
    await fill(path, files)
    await chmod(at('ca.private_key.pem'), mode)
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_EXPOSED', 'ca.private_key.pem'))
  })

  it('is never everybody, also if the key is encrypted', async () => {
    const encrypted = await encryptPrivateKey(own.keys.privateKey, { passphrase: 'horse' })
    await fill(path, { ...files, 'ca.private_key.pem': encrypted })
    await chmod(at('ca.private_key.pem'), 0o644)
    const opened = openAuthorityDirectory(path, { passphrase: 'horse', clock })
    await expect(opened).rejects.toMatchObject(refusal('AUTHORITY_EXPOSED'))
  })

  it.each([
    [0o755, []],
    [0o1777, []],
    [0o775, ['key_file_exposed']],
    [0o777, null],
    [0o773, null],
  ])('never includes those who could replace them: a directory of mode %o', async (mode, warnings) => {
    await fill(path, files)
    await chmod(path, mode)
    if (warnings !== null) expect(await codes()).toEqual([...warnings, 'key_not_encrypted'])
    else await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_EXPOSED'))
  })
})

describe('the passphrase of an authority', () => {
  const encrypted = encryptPrivateKey(own.keys.privateKey, { passphrase: 'horse' })
  beforeEach(async () => fill(path, { ...files, 'ca.private_key.pem': await encrypted }))

  it('opens it, and there is nothing to warn of', async () => {
    expect((await openAuthorityDirectory(path, { passphrase: 'horse', clock })).warnings).toEqual([])
  })

  it.each(['Horse', '', 'horse ', Uint8Array.of(0)])('is refused if it is wrong: %j', async (passphrase) => {
    const error = await openAuthorityDirectory(path, { passphrase, clock }).catch((caught: unknown) => caught)
    expect(error).toMatchObject(refusal('KEY_PASSPHRASE_WRONG', 'ca.private_key.pem'))
    expect((error as Error).cause).toBeUndefined()
    expect(inspect(error).toLowerCase()).not.toContain('horse')
  })

  it('is missed', async () => {
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_PASSPHRASE_REQUIRED'))
  })

  it('is left alone if the key is not encrypted', async () => {
    await fill(path, files)
    process.env.CA_PASSPHRASE = 'horse'
    onTestFinished(() => void delete process.env.CA_PASSPHRASE)
    expect(await codes()).toEqual(['key_not_encrypted'])
    expect(process.env.CA_PASSPHRASE).toBe('horse')
    const missing = { file: at('nothing') }
    await expect(openAuthorityDirectory(path, { passphrase: missing, clock })).resolves.toBeDefined()
  })

  it('in a file that everybody can read is worth a warning', async () => {
    await writeFile(at('passphrase'), 'horse\n')
    await chmod(at('passphrase'), 0o644)
    const onWarning = vi.fn()
    const { warnings } = await openAuthorityDirectory(path, {
      passphrase: { file: at('passphrase') },
      clock,
      onWarning,
    })
    expect(warnings.map(({ code }) => code)).toEqual(['passphrase_file_exposed'])
    expect(onWarning.mock.calls).toEqual([[warnings[0]]])
  })
})

describe('the authorities above one', () => {
  const root = issue({ subject: 'root', ca: true, keyUsage: ['keyCertSign'] })
  const middle = issue({ subject: 'middle', by: root, ca: true })
  const pem = (...list: { certificate: { toPem(): string } }[]) => list.map((each) => each.certificate.toPem()).join('')
  async function below(chain: string | null, options: IssueOptions = {}): Promise<void> {
    const made = authority({ by: middle, ...options })
    const all: Partial<Record<AuthorityFile, string | null>> = { ...(await filesOf(made)), 'ca.chain.pem': chain }
    await fill(path, all)
  }

  it('are read in any order, its own certificate perhaps among them', async () => {
    for (const order of [pem(middle, root), pem(root, middle)]) {
      await below(order)
      const { chain, warnings } = await open()
      expect(chain.map(({ subject }) => String(subject))).toEqual(['CN=middle', 'CN=root'])
      expect(warnings.map(({ code }) => code)).toEqual(['key_not_encrypted'])
    }
    const made = authority({ by: middle })
    await fill(path, { ...(await filesOf(made)), 'ca.chain.pem': pem(made, middle, root) })
    expect((await open()).chain).toHaveLength(2)
  })

  it.each([
    ['none', null],
    ['not the root', pem(middle)],
  ])('may be missing, with a warning: %s', async (_which, chain) => {
    await below(chain)
    expect(await codes()).toEqual(['key_not_encrypted', 'chain_incomplete'])
  })

  const stranger = authority({ subject: 'stranger' })
  const imposter = issue({ subject: 'middle', by: root, ca: true })
  it.each([
    ['a stranger', pem(middle, root, stranger)],
    ['one of the same name with another key', pem(imposter, root)],
    ['one twice', pem(middle, middle, root)],
    ['the root without the one below', pem(root)],
  ])('are no others: %s', async (_who, chain) => {
    await below(chain)
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_CHAIN_INVALID', 'ca.chain.pem'))
  })

  it('are none above a root', async () => {
    await fill(path, { ...files, 'ca.chain.pem': pem(root) })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_CHAIN_INVALID'))
    // Not even the same root once more, with later dates: one of the two is the authority.
    const again = authority({ key: own, to: '20991230235959Z' })
    await fill(path, { 'ca.chain.pem': pem(again) })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_CHAIN_INVALID'))
    // Its own certificate does no harm.
    await fill(path, { 'ca.chain.pem': files['ca.cert.pem'] })
    expect((await open()).chain).toEqual([])
  })

  it.each<[string, IssueOptions]>([
    ['is no authority', { ca: false }],
    ['may sign no certificates', { keyUsage: ['digitalSignature'] }],
    ['allows none below it', { pathLength: 0 }],
    ['has a weak key', { key: 'RSA-1024' }],
  ])('must be able to be that: one that %s is refused', async (_what, options) => {
    const above = issue({ subject: 'above', ca: true, ...options })
    await fill(path, { ...(await filesOf(authority({ by: above }))), 'ca.chain.pem': pem(above) })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_CHAIN_INVALID', 'ca.chain.pem'))
  })

  it('count as far as the limit of each of them', async () => {
    const limited = issue({ subject: 'root', ca: true, pathLength: 1 })
    const between = issue({ subject: 'middle', by: limited, ca: true })
    await fill(path, { ...(await filesOf(authority({ by: between }))), 'ca.chain.pem': pem(between, limited) })
    await expect(open()).rejects.toMatchObject(refusal('AUTHORITY_CHAIN_INVALID'))
    await fill(path, { ...(await filesOf(authority({ by: limited }))), 'ca.chain.pem': pem(limited) })
    await open()
  })

  it('are reported if they have expired, or signed by SHA-1', async () => {
    const old = issue({ subject: 'old', ca: true, to: '20300601115959Z', hash: 'sha1' })
    await fill(path, { ...(await filesOf(authority({ by: old, hash: 'sha1' }))), 'ca.chain.pem': pem(old) })
    // Nobody trusts the root for its own signature, by SHA-1 or not.
    expect(await codes()).toEqual(['key_not_encrypted', 'weak_signature', 'chain_not_valid'])
  })
})

describe('an authority near its end', () => {
  it.each([
    ['20300830120000Z', []],
    ['20300830115959Z', ['expires_soon']],
  ])('says so in the last 90 days: %s', async (to, warnings) => {
    await fill(path, await filesOf(authority({ to })))
    expect(await codes()).toEqual(['key_not_encrypted', ...warnings])
  })
})

describe('the options of opening', () => {
  it.each([
    [{ passphrase: 1234 }, /"passphrase"/],
    [{ passphrase: { fiel: 'x' } }, /"passphrase"/],
    [{ clock: 0 }, /"clock"/],
    [{ onWarning: true }, /"onWarning"/],
    [{ password: 'x' }, /no option "password"/],
    [null, /"options"/],
    [{ clock: () => Number.NaN }, /valid Date/],
  ])('are checked: %o', async (options, message) => {
    await fill(path, files)
    await expect(openAuthorityDirectory(path, options as never)).rejects.toThrow(message)
  })
})
