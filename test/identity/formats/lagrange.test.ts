import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readIdentities } from '../../../src/identity/formats/read-identities.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { iden, lgr, madeIdentity, opensslIdentity } from './made-identities.ts'

const ana = await madeIdentity('Ana')
const ben = await madeIdentity('Ben')
const print = (made: { readonly hex: string }) => Buffer.from(made.hex, 'hex')

/** A folder as Lagrange leaves it. */
async function lagrange(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = await temporaryFolder()
  await mkdir(join(folder, 'idents'))
  for (const [name, contents] of Object.entries(files)) await writeFile(join(folder, name), contents)
  return folder
}
const filesOf = (made: typeof ana, name = made.hex) => ({
  [`idents/${name}.crt`]: made.certPem,
  [`idents/${name}.key`]: made.keyPem,
})
const fingerprints = (identities: readonly { certificate: { fingerprint: string } }[]) =>
  identities.map(({ certificate }) => certificate.fingerprint).sort()
const both = [ana.certificate.fingerprint, ben.certificate.fingerprint].sort()

it('reads certificates, keys, notes and scopes', async () => {
  const folder = await lagrange({
    ...filesOf(ana),
    ...filesOf(ben, 'a name of my own'),
    'idents.lgr': lgr(
      iden(print(ben), { notes: 'Imported on Jan 02, 2026', flags: 3 }),
      iden(print(ana), {
        notes: 'Zeile 1\nZeile 2 – €',
        flags: 2,
        urls: ['gemini://a.example/x/', 'gemini://b.example'],
      }),
    ),
  })
  const { identities, problems } = await readIdentities({ lagrange: folder })
  expect(problems).toEqual([])
  const [first, second] = [...identities].sort((a) => (a.certificate.equals(ana.certificate) ? -1 : 1))
  expect(first).toMatchObject({
    name: null,
    notes: 'Zeile 1\nZeile 2 – €',
    scopes: ['gemini://a.example/x/', 'gemini://b.example/'],
    temporary: false,
  })
  expect(first?.privateKey.equals(ana.privateKey)).toBe(true)
  expect(second).toMatchObject({ notes: 'Imported on Jan 02, 2026', scopes: [], temporary: true })
})

it('writes nothing', async () => {
  const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': lgr() })
  const before = await readdir(folder, { recursive: true })
  await readIdentities({ lagrange: folder })
  expect(await readdir(folder, { recursive: true })).toEqual(before)
})

it('reads EC, RSA and Ed25519 keys under any names', async () => {
  const folder = await temporaryFolder()
  await mkdir(join(folder, 'idents'))
  await opensslIdentity(join(folder, 'idents'), 'ec', ['ecparam', '-name', 'prime256v1', '-genkey'])
  await opensslIdentity(join(folder, 'idents'), 'rsa', ['genrsa', '-traditional'])
  await opensslIdentity(join(folder, 'idents'), 'ED25519', ['genpkey', '-algorithm', 'ED25519'])
  await rename(join(folder, 'idents/ED25519.crt'), join(folder, 'idents/ED25519.CRT'))
  await writeFile(join(folder, 'idents.lgr'), lgr())
  const { identities, problems } = await readIdentities({ lagrange: folder })
  expect(problems).toEqual([])
  expect(identities).toHaveLength(3)
})

it('reads the folder "idents" alone, and says what is missing', async () => {
  const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': lgr() })
  const { identities, problems } = await readIdentities({ lagrange: join(folder, 'idents') })
  expect(identities).toHaveLength(1)
  expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' }])
  expect(problems[0]?.message).toContain('the folder above')
})

it('reads a folder with everything side by side', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'ana.crt'), ana.certPem)
  await writeFile(join(folder, 'ana.key'), ana.keyPem)
  await writeFile(join(folder, 'idents.lgr'), lgr(iden(print(ana), { notes: 'mine' })))
  const { identities, problems } = await readIdentities({ lagrange: folder })
  expect(problems).toEqual([])
  expect(identities).toMatchObject([{ notes: 'mine' }])
})

it('finds nobody in the folder of somebody who has no identities', async () => {
  expect(await readIdentities({ lagrange: await lagrange({}) })).toEqual({ identities: [], problems: [] })
})

it.each([
  { what: 'that is not there', name: 'missing', code: 'ERR_TLACACOCA_FILE_NOT_FOUND' },
  { what: 'that is a file', name: 'idents.lgr', code: 'ERR_TLACACOCA_FILE_UNREADABLE' },
])('refuses a folder $what', async ({ name, code }) => {
  const folder = await lagrange({ 'idents.lgr': lgr() })
  await expect(readIdentities({ lagrange: join(folder, name) })).rejects.toMatchObject({ code })
})

it('refuses a folder of something else', async () => {
  await expect(readIdentities({ lagrange: await temporaryFolder() })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IDENTITY_FORMAT_INVALID',
  })
})

describe('scopes', () => {
  const scopesOf = async (url: string) => {
    const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': lgr(iden(print(ana), { urls: [url] })) })
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toHaveLength(1)
    return { scopes: identities[0]?.scopes, problems }
  }

  it.each([
    { url: 'gemini://example.com', scope: 'gemini://example.com/' },
    { url: 'gemini://EXAMPLE.com:1965', scope: 'gemini://example.com/' },
    { url: 'gemini://example.com:1966/', scope: 'gemini://example.com:1966/' },
    { url: 'gemini://example.com/dir/', scope: 'gemini://example.com/dir/' },
    { url: 'gemini://example.com/page.gmi', scope: 'gemini://example.com/page.gmi' },
    { url: 'titan://example.com/', scope: 'gemini://example.com/' },
    { url: 'gemini://bücher.example', scope: 'gemini://xn--bcher-kva.example/' },
    { url: 'gemini://[::1]/a%20b', scope: 'gemini://[::1]/a%20b' },
    { url: 'gemini://example.com/a/../b/', scope: 'gemini://example.com/b/' },
  ])('reads $url', async ({ url, scope }) => {
    expect(await scopesOf(url)).toEqual({ scopes: [scope], problems: [] })
  })

  it.each([
    'https://example.com/',
    'spartan://example.com/',
    'gemini://example.com/search?q',
    'gemini://user@example.com/',
    'gemini://example.com/#top',
    'gemini:///',
    'gemini://',
    'example.com',
    '',
    'gemini://example.com/\0',
    'gemini://example.com/%2f',
  ])('has no scope for %j, and says so with its place', async (url) => {
    const { scopes, problems } = await scopesOf(url)
    expect(scopes).toEqual([])
    expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_SCOPE_UNSUPPORTED', offset: 8, line: null }])
    expect(problems[0]?.message).toMatch(/idents\.lgr, byte 8: "/)
    expect(problems[0]?.message).not.toMatch(/\0/)
  })

  it('covers nothing that only begins like it', async () => {
    const { IdentityScope, pathScope } = await import('../../../src/identity/wallet/scope.ts')
    const { scopes } = await scopesOf('gemini://example.com')
    const scope = pathScope(scopes?.[0] ?? '')
    expect(IdentityScope.is(scope)).toBe(true)
    expect(scope.covers('gemini://example.com/anything')).toBe(true)
    expect(scope.covers('gemini://example.com.evil.example/')).toBe(false)
    const below = pathScope((await scopesOf('gemini://example.com/club')).scopes?.[0] ?? '')
    expect(below.covers('gemini://example.com/club/x')).toBe(true)
    expect(below.covers('gemini://example.com/clubhouse')).toBe(false)
  })
})

describe('what is wrong with one identity leaves the others alone', () => {
  it.each([
    { what: 'no key', files: { 'idents/x.crt': ana.certPem }, code: 'IDENTITY_KEY_MISSING', file: 'x.crt' },
    {
      what: 'no certificate',
      files: { 'idents/x.key': ana.keyPem },
      code: 'IDENTITY_CERTIFICATE_MISSING',
      file: 'x.key',
    },
    {
      what: 'a key of somebody else',
      files: { 'idents/x.crt': ana.certPem, 'idents/x.key': ben.keyPem },
      code: 'KEY_MISMATCH',
      file: 'x.key',
    },
    {
      what: 'an empty certificate',
      files: { 'idents/x.crt': '', 'idents/x.key': ana.keyPem },
      code: 'IDENTITY_FORMAT_INVALID',
      file: 'x.crt',
    },
    {
      what: 'a huge key',
      files: { 'idents/x.crt': ana.certPem, 'idents/x.key': 'x'.repeat(300_000) },
      code: 'FILE_UNREADABLE',
      file: 'x.key',
    },
  ])('$what', async ({ files, code, file }) => {
    const folder = await lagrange({
      ...filesOf(ben),
      ...(files as Record<string, string>),
      'idents.lgr': lgr(iden(print(ben), { notes: 'B' })),
    })
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toMatchObject([{ notes: 'B' }])
    expect(problems[0]?.code).toBe(`ERR_TLACACOCA_${code}`)
    expect(problems[0]?.file).toBe(join(folder, 'idents', file))
  })

  it('damage in idents.lgr: identities are read, and the notes in front of it', async () => {
    const file = Buffer.concat([lgr(iden(print(ana), { notes: 'A' })), iden(print(ben)).subarray(0, 30)])
    const folder = await lagrange({ ...filesOf(ana), ...filesOf(ben), 'idents.lgr': file })
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(fingerprints(identities)).toEqual(both)
    expect(identities.map(({ notes }) => notes).sort()).toEqual(['A', null])
    expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_INVALID', offset: file.length - 26 }])
    expect(problems[0]?.message).toContain(`byte ${file.length - 26}: a fingerprint should have 32 bytes`)
  })

  it.each([
    { what: 'a later version', file: 'lgL2\x07\0\0\0', code: 'FORMAT_UNSUPPORTED' },
    { what: 'something else', file: 'SQLite format 3\0', code: 'FORMAT_INVALID' },
  ])('idents.lgr is $what', async ({ file, code }) => {
    const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': Buffer.from(file, 'latin1') })
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toHaveLength(1)
    expect(problems).toMatchObject([{ code: `ERR_TLACACOCA_IDENTITY_${code}` }])
  })

  it('idents.lgr is larger than is read', async () => {
    const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': Buffer.alloc(4 * 1024 * 1024 + 1) })
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toHaveLength(1)
    expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_FILE_UNREADABLE' }])
  })

  it('notes of a fingerprint that is none, of which is told once', async () => {
    const folder = await lagrange({
      ...filesOf(ana),
      'idents.lgr': lgr(iden(Buffer.alloc(5), { notes: 'whose?' }), iden(print(ana), { notes: 'mine' })),
    })
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toMatchObject([{ notes: 'mine' }])
    expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_INVALID', offset: expect.any(Number) }])
  })

  it('notes without files, twice the same notes, twice the same files', async () => {
    const folder = await lagrange({
      ...filesOf(ana),
      ...filesOf(ana, 'again'),
      'idents.lgr': lgr(iden(print(ana), { notes: 'first' }), iden(print(ana), { notes: 'second' }), iden(print(ben))),
    })
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toMatchObject([{ notes: 'first' }])
    expect(problems.map(({ code }) => code.replace('ERR_TLACACOCA_IDENTITY_', ''))).toEqual([
      'FORMAT_INVALID',
      'FORMAT_INVALID',
      'CERTIFICATE_MISSING',
    ])
    expect(problems[2]?.message).toContain(ben.hex)
  })
})

describe('links and pipes', () => {
  it('follows a link inside of the folder', async () => {
    const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': lgr() })
    await rename(join(folder, `idents/${ana.hex}.key`), join(folder, 'kept'))
    await symlink('../kept', join(folder, `idents/${ana.hex}.key`))
    expect((await readIdentities({ lagrange: folder })).identities).toHaveLength(1)
  })

  it('reads a folder by way of a link to it', async () => {
    const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': lgr() })
    const link = join(await temporaryFolder(), 'link')
    await symlink(folder, link)
    expect((await readIdentities({ lagrange: link })).identities).toHaveLength(1)
  })

  it.each(['crt', 'key', 'lgr', 'idents'])('does not follow one that leads out: %s', async (which) => {
    const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': lgr(iden(print(ana), { notes: 'secret' })) })
    const outside = await temporaryFolder()
    const name = which === 'idents' ? which : which === 'lgr' ? 'idents.lgr' : `idents/${ana.hex}.${which}`
    await rename(join(folder, name), join(outside, 'moved'))
    await symlink(join(outside, 'moved'), join(folder, name))
    if (which === 'idents') {
      await expect(readIdentities({ lagrange: folder })).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      })
      return
    }
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toHaveLength(which === 'lgr' ? 1 : 0)
    expect(identities.filter(({ notes }) => notes !== null)).toEqual([])
    expect(problems[0]).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE', file: join(folder, name) })
    expect(problems[0]?.message).toContain('leads out of the folder')
  })

  it('takes a folder whose name begins like it for outside', async () => {
    const folder = await lagrange({ ...filesOf(ana), 'idents.lgr': lgr() })
    const twin = `${folder}-twin`
    await rename(folder, twin)
    await mkdir(join(folder, 'idents'), { recursive: true })
    for (const ending of ['crt', 'key']) {
      await symlink(join(twin, `idents/${ana.hex}.${ending}`), join(folder, `idents/x.${ending}`))
    }
    const { identities } = await readIdentities({ lagrange: folder })
    await rename(twin, join(folder, 'twin'))
    expect(identities).toEqual([])
  })

  it('does not wait for a pipe, nor read a device', async () => {
    const folder = await lagrange({ 'idents/a.crt': ana.certPem, 'idents/b.crt': ana.certPem, 'idents.lgr': lgr() })
    execFileSync('mkfifo', [join(folder, 'idents/a.key')])
    await symlink('/dev/zero', join(folder, 'idents/b.key'))
    const { identities, problems } = await readIdentities({ lagrange: folder })
    expect(identities).toEqual([])
    expect(problems.map(({ code }) => code)).toEqual(['ERR_TLACACOCA_FILE_UNREADABLE', 'ERR_TLACACOCA_FILE_UNREADABLE'])
    expect(problems[0]?.message).toContain('not an ordinary file')
  })
})

it('shows a file name in a message so that no terminal obeys it, and so that its end can be read', async () => {
  const long = 'n'.repeat(100)
  const folder = await lagrange({
    'idents/\x1b[2J.crt': ana.certPem,
    'idents/\x1b[3J.crt': 'x'.repeat(300_000),
    'idents/\x1b[3J.key': ana.keyPem,
    [`idents/${long}-end.crt`]: ana.certPem,
    'idents.lgr': lgr(),
  })
  const { problems } = await readIdentities({ lagrange: folder })
  expect(problems.map(({ code }) => code.replace('ERR_TLACACOCA_', ''))).toEqual([
    'IDENTITY_KEY_MISSING',
    'FILE_UNREADABLE',
    'IDENTITY_KEY_MISSING',
  ])
  for (const { message } of problems) expect(message).not.toMatch(/[\x00-\x1f]/)
  expect(problems[1]?.message).toMatch(/\[3J\.crt": it is larger than 262144 bytes$/)
  expect(problems[2]?.message).toContain(`${long}-end.crt: `)
})

it('reads no further once there were too many certificates in a file', async () => {
  const many = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'.repeat(2_001)
  const names = ['a', 'b', 'c']
  const files = names.map((name) => ({ [`idents/${name}.crt`]: many, [`idents/${name}.key`]: ana.keyPem }))
  const folder = await lagrange({ ...Object.assign({}, ...files), 'idents.lgr': lgr() })
  const { identities, problems } = await readIdentities({ lagrange: folder })
  expect(identities).toEqual([])
  // All that is told is about one of them.
  expect(new Set(problems.map(({ file }) => file).filter((file) => file !== null)).size).toBe(1)
  expect(problems.at(-1)).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE' })
})

it('reads no more files than a folder of identities has', async () => {
  const folder = await lagrange({})
  for (let i = 0; i <= 5_000; i++) writeFileSync(join(folder, `idents/${i}`), '')
  await expect(readIdentities({ lagrange: folder })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_FILE_UNREADABLE',
    message: expect.stringContaining('more than 5000 files'),
  })
})
