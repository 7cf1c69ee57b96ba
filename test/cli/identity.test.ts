// `tlacacoca identity`: what it prints, what it asks, what it leaves in the wallet, and how it ends.

import { X509Certificate } from 'node:crypto'
import { access, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { IdentityRegistry } from '../../src/identity/registry/identity-registry.ts'
import { IdentityWallet } from '../../src/identity/wallet/identity-wallet.ts'
import { CLI_NOW, type CliOptions, runCli, temporaryHome } from '../support/cli.ts'
import { spawnCli } from '../support/cli-process.ts'
import { openssl } from '../support/openssl.ts'
import { fakePeer } from '../support/peer.ts'

const PASSPHRASE = 'correct horse battery staple'

interface Shown {
  readonly id: string
  readonly name: string | null
  readonly fingerprint: string
  readonly notAfter: string
  readonly scopes: readonly string[]
}

/** A home with an empty wallet, and a way to run commands on it. */
async function world() {
  const home = await temporaryHome()
  const wallet = join(home, 'wallet')
  const secret = join(home, 'secret')
  await writeFile(secret, `${PASSPHRASE}\n`, { mode: 0o600 })
  const identity = (args: readonly string[], options: CliOptions = {}) =>
    runCli(['identity', '--wallet', wallet, ...args], { home, ...options })
  const create = async (...args: string[]) => (await identity(['new', ...args, '--json'])).json() as Shown
  const list = async () => ((await identity(['list', '--json'])).json() as { identities: Shown[] }).identities
  return { home, wallet, secret, identity, create, list }
}

describe('identity new and identity list', () => {
  it('says that there are none, and creates nothing by that', async () => {
    const { identity, wallet } = await world()
    expect(await identity(['list'])).toMatchObject({ code: 0, stdout: `There are no identities in ${wallet}.\n` })
    await expect(access(wallet)).rejects.toThrow('ENOENT')
  })

  it('makes one in the folder where the data of programs is kept', async () => {
    const home = await temporaryHome()
    expect(await runCli(['identity', 'new', 'Ana'], { home })).toMatchObject({ code: 0, stderr: '' })
    const folder = join(home, '.local/share/tlacacoca/identities')
    for (const file of await readdir(folder)) {
      if (file.endsWith('.key')) expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600)
    }
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await runCli(['identity', 'list'], { home })).stdout).toMatch(/^ID +NAME +EXPIRES +SHOWN AT\n\w{32} +Ana +/)
  })

  it('makes it as it was told to', async () => {
    const { create, wallet, list } = await world()
    const made = await create(
      ...['my garden', '--common-name', 'Ana', '--key-type', 'ec-p384', '--days', '30'],
      ...['--scope', 'gemini://garden.example/app/x', '--whole-site'],
    )
    expect(made).toMatchObject({
      name: 'my garden',
      commonName: 'Ana',
      notAfter: '2030-07-01T12:00:00.000Z',
      validity: 'valid',
      scopes: ['gemini://garden.example/'],
    })
    expect(await list()).toEqual([made])
    await using opened = await IdentityWallet.open({ directory: wallet })
    expect(opened.get(made.id)?.certificate).toMatchObject({ keyType: 'ec', keyCurve: 'P-384' })
  })

  it.each([
    { args: ['--until', '2040-12-31'], notAfter: '2040-12-31T00:00:00.000Z', expires: '2040-12-31' },
    { args: ['--never-expires'], notAfter: '9999-12-31T23:59:59.000Z', expires: 'never' },
  ])('makes one whose end is as $args says', async ({ args, notAfter, expires }) => {
    const { create, identity } = await world()
    expect(await create(...args)).toMatchObject({ notAfter })
    expect((await identity(['list'])).stdout).toContain(expires)
  })

  it('lists those that end within a time, and says what has ended', async () => {
    const { create, identity } = await world()
    await create('short', '--days', '10')
    await create('long', '--days', '100')
    const soon = await identity(['list', '--expiring-within', '30d', '--json'])
    expect(soon.json()).toMatchObject({ identities: [{ name: 'short' }] })
    expect((await identity(['list', '--expiring-within', '1d'])).stdout).toBe('No identity expires within that time.\n')
    expect((await identity(['list'], { now: Date.UTC(2030, 6, 1) })).stdout).toContain('2030-06-11 (expired)')
  })

  it('tells what is wrong in the folder, and lists the rest', async () => {
    const { create, identity, wallet } = await world()
    const { id } = await create('whole')
    const files = await readdir(wallet)
    const [certificate = ''] = files.filter((file) => file.includes(id) && !file.endsWith('.key'))
    await writeFile(join(wallet, certificate.replace(id, 'f'.repeat(32))), await readFile(join(wallet, certificate)))
    const listed = await identity(['list'])
    expect(listed.stdout).toContain('whole')
    expect(listed.stdout).toMatch(/^warning: /m)
    expect((await identity(['list', '--json'])).json()).toMatchObject({ problems: [{ message: expect.any(String) }] })
  })

  it.each([
    { what: 'two ends', args: ['new', '--days', '3', '--never-expires'], code: 2 },
    { what: 'no days', args: ['new', '--days', '0'], code: 2 },
    { what: 'a date that is none', args: ['new', '--until', '2030-13-01'], code: 2 },
    { what: 'an end that is over', args: ['new', '--until', '2020-01-01'], code: 2 },
    { what: 'a kind of key that there is not', args: ['new', '--key-type', 'dsa'], code: 2 },
    { what: 'a name that is too long', args: ['new', 'x'.repeat(201)], code: 2 },
    { what: 'a scope that is no URL', args: ['new', '--scope', 'example.org'], code: 3 },
    { what: 'a scope of a protocol without identities', args: ['new', '--scope', 'https://example.org/'], code: 3 },
    { what: 'a time without a unit', args: ['list', '--expiring-within', '30'], code: 2 },
  ])('refuses $what with exit code $code', async ({ args, code }) => {
    const { identity, list } = await world()
    const result = await identity(args)
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(/^error: /)
    expect(await list()).toEqual([])
  })
})

describe('a wallet under a passphrase', () => {
  it.each([
    { from: 'a file', options: {}, args: (secret: string) => ['--passphrase-file', secret] },
    { from: 'the environment', options: { env: { TLACACOCA_PASSPHRASE: PASSPHRASE } }, args: () => [] },
    { from: 'a question', options: { answers: [PASSPHRASE, PASSPHRASE] }, args: () => ['--encrypt'] },
  ])('encrypts the key of a new identity by a passphrase from $from', async ({ options, args }) => {
    const { identity, wallet, secret } = await world()
    expect(await identity(['new', 'sealed', ...args(secret)], options)).toMatchObject({ code: 0, stderr: '' })
    const key = (await readdir(wallet)).find((file) => file.endsWith('.key')) ?? ''
    expect(await readFile(join(wallet, key), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY')

    const closed = await identity(['list'])
    expect(closed).toMatchObject({ code: 3, stdout: '' })
    expect(closed.stderr).toContain('say --passphrase-file')
    expect((await identity(['list', '--passphrase-file', secret])).stdout).toContain('sealed')
    const asked = await identity(['list'], { answers: [PASSPHRASE] })
    expect(asked).toMatchObject({ code: 0, questions: [`Passphrase for ${wallet}`] })
    expect(await identity(['list'], { answers: ['wrong'] })).toMatchObject({ code: 3, stdout: '' })
    for (const { stdout, stderr } of [closed, asked]) expect(stdout + stderr).not.toContain(PASSPHRASE)
  })

  it.each([
    { what: 'two passphrases that differ', options: { answers: [PASSPHRASE, 'another'] } },
    { what: 'an empty one', options: { answers: [''] } },
    { what: 'nobody there to be asked', options: {} },
  ])('makes nothing for $what', async ({ options }) => {
    const { identity, wallet } = await world()
    expect(await identity(['new', '--encrypt'], options)).toMatchObject({ code: 2, stdout: '' })
    await expect(access(wallet)).rejects.toThrow('ENOENT')
  })

  it('refuses an empty file, and one that is not there', async () => {
    const { identity, home } = await world()
    await writeFile(join(home, 'empty'), '\n')
    expect(await identity(['new', '--passphrase-file', join(home, 'empty')])).toMatchObject({ code: 2 })
    expect(await identity(['new', '--passphrase-file', join(home, 'nowhere')])).toMatchObject({ code: 5 })
  })
})

describe('identity scope', () => {
  it('shows an identity at a URL, and not any more', async () => {
    const { create, identity, list } = await world()
    const { id } = await create('Ana')
    expect(await identity(['scope', 'add', 'Ana', 'example.org'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('a URL such as gemini://example.org/path, and "example.org" is none: '),
    })
    expect(await identity(['scope', 'add', 'Ana', 'titan://example.org/club/'])).toMatchObject({
      code: 0,
      stdout: 'Ana is shown at gemini://example.org/club/ from now on.\n',
    })
    await identity(['scope', 'add', id, 'gemini://example.org/else'])
    expect((await list())[0]?.scopes.toSorted()).toEqual(['gemini://example.org/club/', 'gemini://example.org/else'])
    await identity(['scope', 'remove', 'Ana', 'gemini://example.org/club'])
    expect((await list())[0]?.scopes).toEqual(['gemini://example.org/else'])
    expect(await identity(['scope', 'remove', 'Ana', 'gemini://example.org/other'])).toMatchObject({ code: 1 })
    expect(await identity(['scope', 'remove', 'Ana'])).toMatchObject({
      code: 0,
      stdout: 'Ana is shown nowhere any more.\n',
    })
    expect((await list())[0]?.scopes).toEqual([])
  })

  it('asks before a second host gets to know an identity', async () => {
    const { create, identity, list } = await world()
    await create('Ana', '--scope', 'gemini://one.example/')
    const add = ['scope', 'add', 'Ana', 'gemini://two.example/']
    const declined = await identity(add, { answers: [false] })
    expect(declined).toMatchObject({ code: 1, stdout: '' })
    expect(declined.questions).toEqual([
      'one.example knows this identity. If you show it to two.example too, the two can find out that you are the same user. Show it there too?',
    ])
    expect(await identity(add)).toMatchObject({ code: 2 })
    expect((await list())[0]?.scopes).toHaveLength(1)
    expect(await identity(add, { answers: [true] })).toMatchObject({ code: 0 })
    expect((await list())[0]?.scopes).toHaveLength(2)
    expect(await identity(['scope', 'add', 'Ana', 'gemini://three.example/', '--force'])).toMatchObject({ code: 0 })
  })

  it('finds an identity by its fingerprint, and none by a name that two have', async () => {
    const { create, identity } = await world()
    const { fingerprint } = await create('Ana')
    await create('Ana')
    const at = 'gemini://example.org/'
    expect(await identity(['scope', 'add', fingerprint, at])).toMatchObject({ code: 0 })
    const twice = await identity(['scope', 'add', 'Ana', at])
    expect(twice).toMatchObject({ code: 2 })
    expect(twice.stderr).toContain('2 identities are called Ana')
    expect(await identity(['scope', 'add', 'Bea', at])).toMatchObject({ code: 2 })
    expect(await identity(['scope', 'add', fingerprint, 'nonsense'])).toMatchObject({ code: 3 })
    expect(await identity(['scope'])).toMatchObject({ code: 2 })
  })
})

describe('identity renew', () => {
  it('makes a new certificate for the same key, and takes that back', async () => {
    const { create, identity, list } = await world()
    const before = (await create('Ana', '--days', '10')) as Shown & { publicKey: string }
    const renewed = (await identity(['renew', 'Ana', '--days', '500', '--json'])).json()
    expect(renewed).toMatchObject({
      id: before.id,
      publicKey: before.publicKey,
      notAfter: '2031-10-14T12:00:00.000Z',
      formerCertificates: [before.fingerprint],
    })
    expect((await list())[0]?.fingerprint).not.toBe(before.fingerprint)
    expect((await identity(['renew', 'Ana', '--revert'])).stdout).toContain(before.fingerprint)
    expect((await list())[0]?.fingerprint).toBe(before.fingerprint)
  })

  it('refuses to go back where there was nothing before', async () => {
    const { create, identity } = await world()
    await create('Ana')
    expect(await identity(['renew', 'Ana', '--revert'])).toMatchObject({ code: 3, stdout: '' })
    expect(await identity(['renew', 'Bea'])).toMatchObject({ code: 2 })
  })
})

describe('identity delete', () => {
  it('says what is lost, and deletes the key after a yes only', async () => {
    const { wallet, identity, create, list } = await world()
    const { id, fingerprint } = await create('garden', '--scope', 'gemini://example.org/', '--whole-site')
    const files = await readdir(wallet)
    const kept = await identity(['delete', 'garden'], { answers: [false] })
    expect(kept).toMatchObject({ code: 1, stdout: '' })
    expect(kept.questions).toEqual([
      `garden (${fingerprint}): its key cannot be had back. Whoever you are at example.org:1965 is lost with it, unless the site knows you by another certificate. Delete it for good?`,
    ])
    expect(await list()).toMatchObject([{ id }])
    expect(await readdir(wallet)).toEqual(files)

    const done = await identity(['delete', id], { answers: [true] })
    expect(done).toMatchObject({ code: 0, stdout: 'garden is deleted, and its key with it.\n' })
    expect(await list()).toEqual([])
    expect((await readdir(wallet)).filter((name) => name.includes(id))).toEqual([])
  })

  it('asks nobody with --force, and does nothing where nobody can be asked', async () => {
    const { identity, create, list } = await world()
    const { id } = await create()
    const refused = await identity(['delete', id])
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('It was shown nowhere') })
    expect(await list()).toMatchObject([{ id }])
    expect((await identity(['delete', id, '--force', '--json'])).json()).toMatchObject({ deleted: { id } })
    expect(await list()).toEqual([])
    expect(await identity(['delete', id, '--force'])).toMatchObject({ code: 2, stdout: '' })
  })

  it('deletes one of an encrypted wallet, and nothing without its passphrase', async () => {
    const { identity, create, secret } = await world()
    const { id } = await create('garden', '--encrypt', '--passphrase-file', secret)
    expect((await identity(['delete', id, '--force'])).code).toBe(3)
    expect((await identity(['delete', id, '--force', '--passphrase-file', secret])).code).toBe(0)
  })
})

describe('identity rotate', () => {
  interface Plan {
    readonly from: Shown
    readonly to: Shown
    readonly sites: readonly { readonly endpoint: string; readonly state: string }[]
    readonly isDone: boolean
  }

  it('takes a new key site by site, and deletes the old one when all know it', async () => {
    const { identity, create, list } = await world()
    const old = await create('garden', '--scope', 'gemini://example.org/', '--whole-site')
    await identity(['scope', 'add', 'garden', 'gemini://example.net/', '--force'])
    const begun = (await identity(['rotate', 'garden', '--json'])).json() as Plan
    expect(begun).toMatchObject({ from: { id: old.id }, to: { name: 'garden', scopes: [] }, isDone: false })
    expect(begun.to.fingerprint).not.toBe(old.fingerprint)
    // By the name, the old one is meant, although the new one is called so too.
    expect((await identity(['rotate', 'garden', '--json'])).json()).toEqual(begun)
    const told = await identity(['rotate', 'garden'])
    expect(told.stdout).toMatch(/example\.net:1965 +pending\n.*example\.org:1965 +pending/)

    const early = await identity(['rotate', 'garden', 'finish', '--force'])
    expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining('ERR_TLACACOCA_IDENTITY_ROTATING') })
    expect((await identity(['delete', old.id, '--force'])).code).toBe(3)

    const done = (await identity(['rotate', 'garden', 'done', 'example.org', '--note', 'pasted', '--json'])).json()
    expect(done).toMatchObject({
      from: { scopes: ['gemini://example.net/'] },
      to: { scopes: ['gemini://example.org/'] },
      sites: [
        { endpoint: 'example.net:1965', state: 'pending', note: null },
        { endpoint: 'example.org:1965', state: 'done', note: 'pasted' },
      ],
    })
    await identity(['rotate', 'garden', 'pending', 'example.org'])
    await identity(['rotate', 'garden', 'done', 'example.org'])
    expect((await identity(['rotate', 'garden', 'skip', 'example.net'])).stdout).toContain('finish it')
    const declined = await identity(['rotate', 'garden', 'finish'], { answers: [false] })
    expect(declined).toMatchObject({ code: 1, questions: [expect.stringContaining('Delete the old one for good?')] })
    expect((await identity(['rotate', 'garden', 'finish'], { answers: [true] })).code).toBe(0)
    expect(await list()).toMatchObject([{ id: begun.to.id, name: 'garden', scopes: ['gemini://example.org/'] }])
  })

  it('prints a statement that the site accepts, for its account and its own name only', async () => {
    const { wallet, identity, create } = await world()
    const { id } = await create('garden', '--scope', 'gemini://example.org/')
    await identity(['rotate', id])
    const { stdout } = await identity(['rotate', id, 'statement', 'example.org'])
    const clock = () => CLI_NOW
    await using opened = await IdentityWallet.open({ directory: wallet, clock })
    const before = opened.get(id)?.certificate
    const after = opened.rotationPlan(id)?.to.certificate
    if (before === undefined || after === undefined) throw new Error('there is no plan')
    for (const [origin, accepted] of [
      ['example.org:1965', true],
      ['example.net:1965', false],
    ] as const) {
      const registry = IdentityRegistry.inMemory({ origin, clock })
      await registry.register(fakePeer(before), { handle: 'ana' })
      const rotating = registry.rotate(fakePeer(after), stdout.trim())
      if (accepted) expect(await rotating).toBeDefined()
      else await expect(rotating).rejects.toThrow()
      await registry.close()
    }
  })

  it.each([
    { what: 'an action that there is not', args: ['garden', 'start'], code: 2 },
    { what: 'a step without a site', args: ['garden', 'done'], code: 2 },
    { what: 'an end for one site', args: ['garden', 'finish', 'example.org'], code: 2 },
    { what: 'a step before the beginning', args: ['garden', 'done', 'example.org'], code: 2 },
    { what: 'a malformed site', args: ['garden', 'done', 'a b'], code: 3 },
    { what: 'an identity that there is not', args: ['nobody'], code: 2 },
  ])('refuses $what with exit code $code, and changes nothing', async ({ args, code }) => {
    const { identity, create, list } = await world()
    await create('garden')
    expect(await identity(['rotate', ...args])).toMatchObject({ code, stdout: '' })
    expect(await list()).toHaveLength(1)
  })

  it('says no about a site where the old one was never shown, and refuses other wishes than at the beginning', async () => {
    const { identity, create } = await world()
    await create('garden')
    expect((await identity(['rotate', 'garden', '--key-type', 'ed25519'])).stdout).toContain('shown nowhere')
    expect(await identity(['rotate', 'garden', 'done', 'example.org'])).toMatchObject({ code: 1 })
    expect(await identity(['rotate', 'garden', '--key-type', 'ec-p384'])).toMatchObject({ code: 2 })
    expect(await identity(['rotate', 'garden', 'abandon'])).toMatchObject({ code: 0 })
    // Two of the same name, and no plan that would tell which is meant.
    expect(await identity(['rotate', 'garden'])).toMatchObject({ code: 2 })
  })
})

describe('identity export and identity import', () => {
  it('writes PKCS#12 that openssl opens, and reads it again', async () => {
    const here = await world()
    const there = await world()
    const { fingerprint } = await here.create('my garden')
    const file = join(here.home, 'garden.p12')
    const written = await here.identity(['export', 'my garden', '--to', file], { answers: [PASSPHRASE, PASSPHRASE] })
    expect(written).toMatchObject({ code: 0, questions: [`New passphrase for ${file}`, 'The same once more'] })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const certificate = openssl(['pkcs12', '-in', file, '-passin', `pass:${PASSPHRASE}`, '-nokeys', '-clcerts'])
    expect(`sha256:${new X509Certificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase()}`).toBe(
      fingerprint,
    )
    expect(openssl(['pkcs12', '-in', file, '-passin', `pass:${PASSPHRASE}`, '-nocerts', '-nodes'])).toContain(
      'BEGIN PRIVATE KEY',
    )

    const read = await there.identity(['import', file, '--source-passphrase-file', here.secret, '--json'])
    expect(read.json()).toMatchObject({ added: [{ name: 'my garden', fingerprint }], skipped: [], problems: [] })
    const again = await there.identity(['import', file], { answers: [PASSPHRASE] })
    expect(again).toMatchObject({ code: 0 })
    expect(again.stdout).toContain('it is in the wallet already')
    expect(await there.identity(['import', file], { answers: ['wrong'] })).toMatchObject({ code: 3, stdout: '' })
    expect(await there.identity(['import', file])).toMatchObject({ code: 3, stdout: '' })
  })

  it('writes all identities into one PEM file, says that the keys are open, and overwrites nothing', async () => {
    const { create, identity, home } = await world()
    const other = await world()
    await create('one')
    await create('two')
    const file = join(home, 'all.pem')
    const written = await identity(['export', '--all', '--to', file])
    expect(written).toMatchObject({ code: 0 })
    expect(written.stdout).toContain(`2 identities are in ${file}.\nThe keys in there are not encrypted.`)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await identity(['export', 'one', '--to', file])).toMatchObject({ code: 5 })
    expect(await identity(['export', 'one', '--to', file, '--overwrite'])).toMatchObject({ code: 0 })
    const pem = await readFile(file, 'utf8')
    expect((await other.identity(['import', '-', '--json'], { stdin: pem })).json()).toMatchObject({ added: [{}] })
  })

  it.each(['lagrange', 'amfora'])('goes through the folder of %s, with scopes', async (format) => {
    const here = await world()
    const there = await world()
    await here.create('Ana', '--scope', 'gemini://example.org/club/')
    const folder = join(here.home, format)
    await mkdir(folder)
    const written = await here.identity(['export', 'Ana', '--to', folder, '--format', format, '--json'])
    expect(written.json()).toMatchObject({ format, encrypted: false })
    const source = format === 'lagrange' ? folder : join(folder, 'amfora.toml')
    const trial = await there.identity(['import', source, '--dry-run', '--json'])
    expect(trial.json()).toMatchObject({ dryRun: true, found: [{ scopes: ['gemini://example.org/club/'] }] })
    expect(await there.list()).toEqual([])
    await there.identity(['import', source])
    expect(await there.list()).toMatchObject([{ scopes: ['gemini://example.org/club/'] }])
    const again = await there.identity(['import', source, '--dry-run'])
    expect(again).toMatchObject({ code: 0 })
    expect(again.stdout).toMatch(/^0 identities would be imported\.\n {2}sha256:\S+ .*\(in the wallet already\)$/m)
  })

  it('writes certificate and key into files of their own, and reads them', async () => {
    const { create, identity, home } = await world()
    const other = await world()
    const { fingerprint } = await create('Ana')
    const [cert, key] = [join(home, 'ana.pem'), join(home, 'ana.key')]
    await identity(['export', 'Ana', '--to', cert, '--key', key])
    expect(await readFile(cert, 'utf8')).not.toContain('PRIVATE')
    expect((await other.identity(['import', cert, '--key', key, '--json'])).json()).toMatchObject({
      added: [{ fingerprint }],
    })
    const lonely = await (await world()).identity(['import', cert])
    expect(lonely).toMatchObject({ code: 3 })
    expect(lonely.stdout).toMatch(/^0 identities are new, 0 left out\.\nwarning: /)
  })

  it('asks for the passphrase of a key only if it is encrypted', async () => {
    const { create, identity, home, secret } = await world()
    const other = await world()
    await create('Ana')
    const [cert, key, sealed] = [join(home, 'ana.pem'), join(home, 'ana.key'), join(home, 'sealed.key')]
    await identity(['export', 'Ana', '--to', cert, '--key', key])
    openssl(['pkcs8', '-topk8', '-in', key, '-passout', `file:${secret}`, '-out', sealed])
    const asked = await other.identity(['import', cert, '--key', sealed], { answers: [PASSPHRASE] })
    expect(asked).toMatchObject({ code: 0, questions: [`Passphrase for ${cert}`] })
    expect(await other.list()).toHaveLength(1)
  })

  it.each([
    { what: 'no identity', args: ['export', '--to', 'x.pem'], code: 2 },
    { what: 'all and one', args: ['export', 'Ana', '--all', '--to', 'x.pem'], code: 2 },
    { what: 'one that there is not', args: ['export', 'Bea', '--to', 'x.pem'], code: 2 },
    { what: 'a file for nobody knows what', args: ['export', 'Ana', '--to', 'x.dat'], code: 2 },
    { what: 'PKCS#12 without a passphrase', args: ['export', 'Ana', '--to', 'x.p12'], code: 2 },
    { what: 'weak encryption where there is none', args: ['export', 'Ana', '--to', 'x.pem', '--legacy'], code: 2 },
    {
      what: 'Kristall without a file for the key',
      args: ['export', 'Ana', '--to', 'x.pem', '--format', 'kristall'],
      code: 2,
    },
    { what: 'a place to nowhere', args: ['export', 'Ana'], code: 2 },
    { what: 'a source that is not there', args: ['import', '/nowhere/x.pem'], code: 5 },
    { what: 'a key beside a container', args: ['import', 'x.p12', '--format', 'pkcs12', '--key', 'x.key'], code: 2 },
    { what: 'a folder that is not of Lagrange', args: ['import', import.meta.dirname], code: 3 },
  ])('refuses $what with exit code $code', async ({ args, code }) => {
    const { create, identity } = await world()
    await create('Ana')
    const result = await identity(args)
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(/^error: /)
  })
})

describe('as a process', () => {
  it('takes passphrases from the environment and shows them nowhere', async () => {
    const home = await temporaryHome()
    const env = { TLACACOCA_PASSPHRASE: PASSPHRASE, TLACACOCA_TARGET_PASSPHRASE: 'another one' }
    const made = await spawnCli(['identity', 'new', 'Ana', '--json'], { home, env }).ended
    expect(JSON.parse(made.stdout)).toMatchObject({ name: 'Ana' })
    const file = join(home, 'ana.p12')
    const written = await spawnCli(['identity', 'export', 'Ana', '--to', file], { home, env }).ended
    expect(written).toMatchObject({ code: 0, stderr: '' })
    expect(openssl(['pkcs12', '-in', file, '-passin', 'pass:another one', '-nokeys'])).toContain('BEGIN CERTIFICATE')
    expect(await spawnCli(['identity', 'list'], { home, stdin: '' }).ended).toMatchObject({ code: 3, stdout: '' })
  }, 60_000)
})
