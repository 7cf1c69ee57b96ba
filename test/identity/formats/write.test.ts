import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadPrivateKey } from '../../../src/certificate/private-key.ts'
import type { IdentityTarget } from '../../../src/identity/formats/identity-target.ts'
import { readIdentities } from '../../../src/identity/formats/read-identities.ts'
import { writeIdentities } from '../../../src/identity/formats/write-identities.ts'
import { testCertificate } from '../../support/certificates.ts'
import { issue } from '../../support/issued-certificates.ts'
import { openssl } from '../../support/openssl.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { iden, lgr, madeIdentity } from './made-identities.ts'

const root = issue({ subject: 'Root', ca: true })
const leaf = issue({ subject: 'Ana', by: root })
const ben = await madeIdentity('Ben')

const anaIdentity = {
  certificate: leaf.certificate,
  chain: [root.certificate],
  privateKey: leaf.keys.privateKey,
  name: 'Ana',
  notes: 'mine\n– since 2026',
  scopes: ['gemini://example.org/', 'gemini://example.net:1966/club/'],
  temporary: false,
}
const benIdentity = {
  certificate: ben.certificate,
  chain: [],
  privateKey: ben.privateKey,
  name: null,
  notes: null,
  scopes: ['gemini://example.com/~ben/'],
  temporary: false,
}
const both = [anaIdentity, benIdentity]
const anaHex = leaf.certificate.fingerprint.slice('sha256:'.length)

/** What of an identity can be compared. */
const facts = (each: Omit<typeof anaIdentity, 'name' | 'notes'> & { name: string | null; notes: string | null }) => ({
  certificate: each.certificate.fingerprint,
  chain: each.chain.map(({ fingerprint }) => fingerprint),
  key: each.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex'),
  name: each.name,
  notes: each.notes,
  scopes: [...each.scopes].sort(),
  temporary: each.temporary,
})
type Facts = ReturnType<typeof facts>
const sorted = (list: readonly Facts[]) => [...list].sort((a, b) => (a.certificate < b.certificate ? -1 : 1))

describe('what is written is read again', () => {
  const bare = { name: null, notes: null, scopes: [] as string[] }

  it('PEM, two files', async () => {
    const folder = await temporaryFolder()
    const target = { format: 'pem', certFile: join(folder, 'c'), keyFile: join(folder, 'k') } as const
    await writeIdentities([anaIdentity], target)
    const pem = { cert: await readFile(join(folder, 'c'), 'utf8'), key: await readFile(join(folder, 'k'), 'utf8') }
    const { identities, problems } = await readIdentities({ pem })
    expect(problems).toEqual([])
    expect(identities.map((each) => facts(each as never))).toEqual([{ ...facts(anaIdentity), ...bare }])
  })

  it('PEM, one file for everybody', async () => {
    const path = join(await temporaryFolder(), 'all.pem')
    await writeIdentities(both, { format: 'pem', path })
    const { identities, problems } = await readIdentities({ pem: await readFile(path, 'utf8') })
    expect(problems).toEqual([])
    expect(sorted(identities.map((each) => facts(each as never)))).toEqual(
      sorted(both.map((each) => ({ ...facts(each as never), ...bare }))),
    )
  })

  it.each(['modern', 'legacy'] as const)('PKCS#12, %s', async (compatibility) => {
    const path = join(await temporaryFolder(), 'ana.p12')
    await writeIdentities([anaIdentity], { format: 'pkcs12', path, passphrase: 'sésame', compatibility })
    const source = { pkcs12: await readFile(path), passphrase: 'sésame' }
    const { identities, problems } = await readIdentities(source)
    expect(problems).toEqual([])
    expect(identities.map((each) => facts(each as never))).toEqual([{ ...facts(anaIdentity), ...bare, name: 'Ana' }])
    await expect(readIdentities({ ...source, passphrase: 'guess' })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG',
    })
  })

  it('Lagrange', async () => {
    const directory = join(await temporaryFolder(), 'new')
    const { files, problems } = await writeIdentities(both, { format: 'lagrange', directory })
    expect(problems).toEqual([])
    expect(files.map((file) => file.slice(directory.length + 1))).toEqual([
      ...[anaHex, ben.hex].flatMap((hex) => [`idents/${hex}.key`, `idents/${hex}.crt`]),
      'idents.lgr',
    ])
    const read = await readIdentities({ lagrange: directory })
    expect(read.problems).toEqual([])
    // It has no names, so that of Ana is the first line of the notes.
    expect(sorted(read.identities.map((each) => facts(each as never)))).toEqual(
      sorted([{ ...facts(anaIdentity), name: null, notes: 'Ana\nmine\n– since 2026' }, facts(benIdentity as never)]),
    )
  })

  it('Amfora', async () => {
    const directory = join(await temporaryFolder(), "Ana's folder")
    const { problems } = await writeIdentities(both, { format: 'amfora', directory })
    // Older versions know no paths, and two of the three scopes have one. One of the identities has a name and notes.
    expect(problems.map(({ message }) => message)).toEqual([
      ...Array(2).fill(expect.stringContaining('after 1.9 only')),
      expect.stringContaining('no room for its name, its notes'),
    ])
    const read = await readIdentities({ amfora: join(directory, 'amfora.toml') })
    expect(read.problems).toEqual([])
    expect(sorted(read.identities.map((each) => facts(each as never)))).toEqual(
      sorted(both.map((each) => ({ ...facts(each as never), name: null, notes: null }))),
    )
  })

  it.each(['P-256', 'RSA-2048'] as const)('Kristall, %s', async (key) => {
    const made = await testCertificate({ host: null, usage: 'client', commonName: 'Ana', key })
    const identity = { certificate: made.certificate, privateKey: await loadPrivateKey(made.keyPem) }
    const folder = await temporaryFolder()
    const [certFile, keyFile] = [join(folder, 'c.pem'), join(folder, 'k.pem')]
    const { problems } = await writeIdentities([identity], { format: 'kristall', certFile, keyFile })
    // Kristall itself forgets how to read its EC keys.
    expect(problems).toHaveLength(key === 'P-256' ? 1 : 0)
    const pair = { cert: await readFile(certFile), key: await readFile(keyFile) }
    expect(pair.key.toString()).toMatch(key === 'P-256' ? /BEGIN EC PRIVATE KEY/ : /BEGIN RSA PRIVATE KEY/)
    const read = await readIdentities({ kristall: pair })
    expect(read.problems).toEqual([])
    expect(read.identities[0]?.certificate.equals(made.certificate)).toBe(true)
  })
})

it('is understood by openssl', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'ana.p12')
  await writeIdentities([anaIdentity], { format: 'pkcs12', path, passphrase: 'secret' })
  expect(openssl(['pkcs12', '-in', path, '-passin', 'pass:secret', '-nodes'])).toContain('friendlyName: Ana')
  await writeIdentities([benIdentity], { format: 'lagrange', directory: folder })
  const crt = openssl(['x509', '-in', join(folder, `idents/${ben.hex}.crt`), '-noout', '-fingerprint', '-sha256'])
  expect(crt.toLowerCase().replaceAll(':', '')).toContain(ben.hex)
  openssl(['pkey', '-in', join(folder, `idents/${ben.hex}.key`), '-noout', '-check'])
})

const targets: { name: string; target: (folder: string) => IdentityTarget }[] = [
  { name: 'pem', target: (folder) => ({ format: 'pem', path: join(folder, 'x/all.pem') }) },
  {
    name: 'pem, two files',
    target: (folder) => ({
      format: 'pem',
      certFile: join(folder, 'x/c.pem'),
      keyFile: join(folder, 'y/k.pem'),
    }),
  },
  { name: 'pkcs12', target: (folder) => ({ format: 'pkcs12', path: join(folder, 'x/a.p12'), passphrase: 'secret' }) },
  { name: 'lagrange', target: (folder) => ({ format: 'lagrange', directory: join(folder, 'x') }) },
  { name: 'amfora', target: (folder) => ({ format: 'amfora', directory: join(folder, 'x/y') }) },
  {
    name: 'kristall',
    target: (folder) => ({
      format: 'kristall',
      certFile: join(folder, 'x/c.pem'),
      keyFile: join(folder, 'x/k.pem'),
    }),
  },
]

describe.each(targets)('files of $name', ({ target }) => {
  it('are for their owner only, as are the folders', async () => {
    const folder = await temporaryFolder()
    const old = process.umask(0)
    try {
      const { files } = await writeIdentities([benIdentity], target(folder))
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      expect(entries.filter((entry) => entry.isFile())).toHaveLength(files.length)
      for (const entry of entries) {
        const { mode } = await stat(join(entry.parentPath, entry.name))
        expect(mode & 0o777, entry.name).toBe(entry.isDirectory() ? 0o700 : 0o600)
      }
    } finally {
      process.umask(old)
    }
  })

  it('do not replace others, unless that is asked for', async () => {
    const folder = await temporaryFolder()
    const { files } = await writeIdentities([benIdentity], target(folder))
    const before = await Promise.all(files.map((file) => readFile(file)))
    for (const file of files) {
      // One that exists is enough for none to be written.
      const other = await temporaryFolder()
      const [clash] = [file.replace(folder, other)]
      await mkdir(join(clash, '..'), { recursive: true })
      await writeFile(clash, 'mine')
      await expect(writeIdentities([benIdentity], target(other))).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_FILE_EXISTS',
        path: clash,
      })
      const entries = await readdir(other, { recursive: true, withFileTypes: true })
      expect(entries.filter((entry) => entry.isFile())).toHaveLength(1)
      expect(await readFile(clash, 'utf8')).toBe('mine')
    }
    const again = await writeIdentities([benIdentity], target(folder), { overwrite: true })
    expect(again.files).toEqual(files)
    expect(await Promise.all(files.map((file) => readFile(file)))).toHaveLength(before.length)
  })

  it('are not written through links', async () => {
    const folder = await temporaryFolder()
    const { files } = await writeIdentities([benIdentity], target(folder))
    for (const file of files) {
      const other = await temporaryFolder()
      const link = file.replace(folder, other)
      await mkdir(join(link, '..'), { recursive: true })
      await symlink(join(other, 'elsewhere'), link)
      await expect(writeIdentities([benIdentity], target(other))).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_FILE_EXISTS',
      })
      const { path } = await writeIdentities([benIdentity], target(other), { overwrite: true }).catch((error) => error)
      expect(path).toBe(link)
      expect(await readdir(other)).not.toContain('elsewhere')
    }
  })
})

describe('Lagrange', () => {
  const other = Buffer.alloc(32, 7)

  it('writes idents.lgr byte for byte as it should be', async () => {
    const directory = await temporaryFolder()
    await writeIdentities([{ ...anaIdentity, scopes: ['gemini://EXAMPLE.org'] }], { format: 'lagrange', directory })
    const notes = 'Ana\nmine\n– since 2026'
    expect(await readFile(join(directory, 'idents.lgr'))).toEqual(
      lgr(iden(Buffer.from(anaHex, 'hex'), { notes, flags: 2, urls: ['gemini://example.org/'] })),
    )
  })

  it('keeps what Lagrange knows of other identities, and the icon of this one', async () => {
    const directory = await temporaryFolder()
    const kept = iden(other, { notes: 'kept', flags: 2, urls: ['gemini://kept.example'], icon: 0x2605 })
    const old = iden(Buffer.from(ben.hex, 'hex'), { notes: 'old', icon: 0x2606 })
    await writeFile(join(directory, 'idents.lgr'), lgr(old, kept))
    await writeIdentities([benIdentity], { format: 'lagrange', directory }, { overwrite: true })
    const fresh = iden(Buffer.from(ben.hex, 'hex'), { flags: 2, urls: ['gemini://example.com/~ben/'], icon: 0x2606 })
    expect(await readFile(join(directory, 'idents.lgr'))).toEqual(lgr(fresh, kept))
  })

  it.each([
    { what: 'is damaged', file: lgr(iden(other)).subarray(0, -1), code: 'FORMAT_INVALID' },
    { what: 'has a later version', file: Buffer.from('lgL2\x02\0\0\0', 'latin1'), code: 'FORMAT_UNSUPPORTED' },
  ])('changes nothing if idents.lgr $what', async ({ file, code }) => {
    const directory = await temporaryFolder()
    await writeFile(join(directory, 'idents.lgr'), file)
    const failure = writeIdentities([benIdentity], { format: 'lagrange', directory }, { overwrite: true })
    await expect(failure).rejects.toMatchObject({ code: `ERR_TLACACOCA_IDENTITY_${code}` })
    expect(await readdir(directory)).toEqual(['idents.lgr'])
    expect(await readFile(join(directory, 'idents.lgr'))).toEqual(Buffer.from(file))
  })
})

it('changes nothing for Lagrange if idents.lgr cannot be read', async () => {
  const directory = await temporaryFolder()
  await mkdir(join(directory, 'idents.lgr'))
  const failure = writeIdentities([benIdentity], { format: 'lagrange', directory }, { overwrite: true })
  await expect(failure).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_FILE_UNREADABLE',
    path: join(directory, 'idents.lgr'),
  })
  expect(await readdir(directory)).toEqual(['idents.lgr'])
})

describe('scopes for programs that compare texts', () => {
  const written = async (scopes: string[]) => {
    const identities = [{ ...benIdentity, scopes }]
    const lagrange = await temporaryFolder()
    const one = await writeIdentities(identities, { format: 'lagrange', directory: lagrange })
    const file = await readFile(join(lagrange, 'idents.lgr'), 'utf8')
    const amfora = await temporaryFolder()
    const two = await writeIdentities(identities, { format: 'amfora', directory: amfora })
    const toml = await readFile(join(amfora, 'amfora.toml'), 'utf8')
    return { file, toml, problems: [...one.problems, ...two.problems] }
  }

  it('end with a slash, so that they cover nothing that only begins like them', async () => {
    const { file, toml, problems } = await written(['gemini://example.org', 'gemini://example.net/club'])
    expect(file).toContain('gemini://example.org/')
    expect(file).toContain('gemini://example.net/club/')
    // Amfora compares the host as a whole.
    expect(toml).toContain('"example.org" = "/')
    expect(toml).toContain('"example.net/club/" = "/')
    expect(problems.map(({ code }) => code)).toEqual(Array(2).fill('ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED'))
    for (const { message } of problems) expect(message).toContain('itself')
  })

  it.each([
    { scope: 'gemini://example.org/Club/', what: 'capital letters small' },
    { scope: 'scroll://example.org/', what: 'no identities for this protocol' },
  ])('leave out of Amfora what it cannot say: $scope', async ({ scope, what }) => {
    const { file, toml, problems } = await written([scope])
    expect(file).toContain(scope)
    expect(toml).not.toContain('example.org')
    expect(problems).toHaveLength(1)
    expect(problems[0]?.message).toContain(what)
  })

  it('say so if an identity has none, or one that another identity has', async () => {
    const directory = await temporaryFolder()
    const identities = [{ ...benIdentity, scopes: [] }, anaIdentity, { ...(await third()), scopes: anaIdentity.scopes }]
    const { problems } = await writeIdentities(identities, { format: 'amfora', directory })
    const words = problems.map(({ message }) => /has no scope|after 1\.9|another one is|its name/.exec(message)?.[0])
    expect(words).toEqual(['has no scope', 'after 1.9', 'another one is', 'another one is', 'its name'])
    const { identities: read } = await readIdentities({ amfora: join(directory, 'amfora.toml') })
    expect(read).toHaveLength(1)
  })
})

const third = async () => {
  const { certificate, privateKey } = await madeIdentity('Cem')
  return { certificate, privateKey }
}

it('says what a format has no room for', async () => {
  const path = join(await temporaryFolder(), 'x')
  const { problems } = await writeIdentities(both, { format: 'pem', path })
  expect(problems.map(({ message }) => message.replace(/sha256:\w+/, '…'))).toEqual([
    'the format has no room for its name, its notes, its scopes ("gemini://example.org/ gemini://example.net:1966/club/"); … goes without',
    'the format has no room for its scopes ("gemini://example.com/~ben/"); … goes without',
  ])
})

it('takes a host for a host, whatever every object calls so', async () => {
  const directory = await temporaryFolder()
  await writeIdentities([{ ...benIdentity, scopes: ['gemini://__proto__/'] }], { format: 'amfora', directory })
  const { identities } = await readIdentities({ amfora: join(directory, 'amfora.toml') })
  expect(identities).toMatchObject([{ scopes: ['gemini://__proto__/'] }])
})

it('makes no path of a name', async () => {
  const directory = join(await temporaryFolder(), 'x')
  const name = '../../../evil'
  for (const format of ['lagrange', 'amfora'] as const) {
    const { files } = await writeIdentities([{ ...benIdentity, name }], { format, directory: join(directory, format) })
    for (const file of files) expect(file.startsWith(join(directory, format))).toBe(true)
  }
})

it('writes an identity once that is given twice', async () => {
  const directory = await temporaryFolder()
  const { files } = await writeIdentities([benIdentity, benIdentity], { format: 'lagrange', directory })
  expect(files).toHaveLength(3)
})

it('refuses a key of another certificate, and writes nothing', async () => {
  const folder = await temporaryFolder()
  const identity = { ...benIdentity, privateKey: anaIdentity.privateKey }
  await expect(writeIdentities([identity], { format: 'pem', path: join(folder, 'x') })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_KEY_MISMATCH',
  })
  expect(await readdir(folder)).toEqual([])
})

it('refuses an Ed25519 key for Kristall, and writes nothing', async () => {
  const folder = await temporaryFolder()
  const made = await testCertificate({ host: null, usage: 'client', commonName: 'Ana', key: 'Ed25519' })
  const identity = { certificate: made.certificate, privateKey: await loadPrivateKey(made.keyPem) }
  const target = { certFile: join(folder, 'c.pem'), keyFile: join(folder, 'k.pem') }
  await expect(writeIdentities([identity], { format: 'kristall', ...target })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IDENTITY_FORMAT_UNSUPPORTED',
  })
  expect(await readdir(folder)).toEqual([])
})

it('refuses a scope that is none', async () => {
  const path = join(await temporaryFolder(), 'x')
  const identity = { ...benIdentity, scopes: ['https://example.org/'] }
  await expect(writeIdentities([identity], { format: 'pem', path })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_TARGET_INVALID',
  })
})

describe('mistakes of the program', () => {
  it.each([
    { what: 'no target', target: {} },
    { what: 'an unknown format', target: { format: 'qsettings', path: 'x' } },
    { what: 'the name of what every object has', target: { format: 'constructor' } },
    { what: 'a path for Lagrange', target: { format: 'lagrange', path: 'x' } },
    { what: 'PEM without a path', target: { format: 'pem' } },
    { what: 'PEM with a certificate only', target: { format: 'pem', certFile: 'x' } },
    {
      what: 'PEM into one file and two',
      target: { format: 'pem', path: 'x', certFile: 'y', keyFile: 'z' },
    },
    { what: 'one file for both', target: { format: 'pem', certFile: 'x', keyFile: './x' } },
    { what: 'PKCS#12 without a passphrase', target: { format: 'pkcs12', path: 'x' } },
    {
      what: 'other names for Kristall',
      target: { format: 'kristall', certFile: 'c.crt', keyFile: 'k.pem' },
    },
  ])('$what', async ({ target }) => {
    const failure = await writeIdentities([benIdentity], target as never).catch((error: unknown) => error)
    expect(failure instanceof TypeError || failure instanceof RangeError, String(failure)).toBe(true)
  })

  it.each([
    { what: 'a PEM text', identities: ['x'] },
    { what: 'a text', identities: 'x' },
    { what: 'no key', identities: [{ certificate: ben.certificate }] },
    { what: 'a key as text', identities: [{ certificate: ben.certificate, privateKey: ben.keyPem }] },
    { what: 'a certificate as text', identities: [{ ...benIdentity, certificate: ben.certPem }] },
    { what: 'a certificate as text above it', identities: [{ ...benIdentity, chain: [ben.certPem] }] },
    { what: 'a misspelt name', identities: [{ ...benIdentity, nmae: 'x' }] },
    { what: 'scopes as one text', identities: [{ ...benIdentity, scopes: 'gemini://example.org/' }] },
    { what: 'endless notes', identities: [{ ...benIdentity, notes: 'n'.repeat(70_000) }] },
    { what: 'two for a format of one', identities: both },
    { what: 'none for a format of one', identities: [] },
  ])('$what', async ({ identities }) => {
    const target = { format: 'pkcs12', path: '/nonexistent/x', passphrase: 'secret' } as const
    const failure = await writeIdentities(identities as never, target).catch((error: unknown) => error)
    expect(failure instanceof TypeError || failure instanceof RangeError, String(failure)).toBe(true)
    expect(String(failure)).not.toContain('PRIVATE')
  })
})
