import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { encryptPrivateKey } from '../../../src/certificate/private-key.ts'
import { readIdentities } from '../../../src/identity/formats/read-identities.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { madeIdentity } from './made-identities.ts'

const ana = await madeIdentity('Ana')
const ben = await madeIdentity('Ben')
const closedKey = await encryptPrivateKey(ana.privateKey, { passphrase: 'secret' })

/** A folder with the files of two identities, and what Amfora's configuration makes of them. */
async function amfora(toml: string, options: { readonly passphrase?: string } = {}) {
  const directory = await temporaryFolder()
  await writeFile(join(directory, 'ana.crt'), ana.certPem)
  await writeFile(join(directory, 'ana.key'), ana.keyPem)
  await writeFile(join(directory, 'ben.crt'), ben.certPem)
  await writeFile(join(directory, 'ben.key'), ben.keyPem)
  await writeFile(join(directory, 'both.pem'), ben.keyPem + ben.certPem)
  await writeFile(join(directory, 'closed.key'), closedKey)
  const path = join(directory, 'config.toml')
  await writeFile(path, toml.replaceAll('HERE', directory))
  const { identities, problems } = await readIdentities({ amfora: path }, options)
  const scopes = Object.fromEntries(
    identities.map((each) => [each.certificate.equals(ana.certificate) ? 'ana' : 'ben', each.scopes]),
  )
  return { identities, problems, scopes, path }
}

it('reads certificates, keys and scopes', async () => {
  const { identities, problems, scopes } = await amfora(`
[a-general]
home = "gemini://example.org"

[auth]
[auth.certs]
"example.com" = 'ana.crt'
"//example.net:1966/dir" = 'HERE/ana.crt'
"gemini://example.org/~ben/" = 'ben.crt'
[auth.keys]
"example.com" = 'ana.key'
"//example.net:1966/dir" = 'HERE/ana.key'
"gemini://example.org/~ben/" = 'ben.key'
`)
  expect(problems).toEqual([])
  expect(scopes).toEqual({
    ana: ['gemini://example.com/', 'gemini://example.net:1966/dir'],
    ben: ['gemini://example.org/~ben/'],
  })
  expect(identities[0]).toMatchObject({ name: null, notes: null, chain: [], temporary: false })
  expect(identities[0]?.privateKey.equals(ana.privateKey)).toBe(true)
})

it('reads names without quotes, as Amfora does', async () => {
  const { problems, scopes } = await amfora(`
auth.certs.example.com = 'ana.crt'
[auth.keys]
example.com = 'ana.key'
`)
  expect(problems).toEqual([])
  expect(scopes).toEqual({ ana: ['gemini://example.com/'] })
})

it('takes a key of a path above, as Amfora does, but of no other site', async () => {
  const { problems, scopes } = await amfora(`
[auth.certs]
"example.com/a/b" = 'ana.crt'
"example.com.example/a" = 'ben.crt'
[auth.keys]
"example.com" = 'ben.key'
"example.com/a" = 'ana.key'
"example.com/a/b/c" = 'ben.key'
`)
  expect(scopes).toEqual({ ana: ['gemini://example.com/a/b'] })
  expect(problems.map(({ code, line }) => [code.replace('ERR_TLACACOCA_IDENTITY_', ''), line])).toEqual([
    ['KEY_MISSING', 4],
    ['CERTIFICATE_MISSING', 6],
    ['CERTIFICATE_MISSING', 8],
  ])
})

it('reads one file for certificate and key', async () => {
  const { problems, scopes } = await amfora(`
[auth.certs]
"example.com" = 'both.pem'
[auth.keys]
"example.com" = 'both.pem'
`)
  expect(problems).toEqual([])
  expect(scopes).toEqual({ ben: ['gemini://example.com/'] })
})

it('reads a text with the folder it stands for', async () => {
  const { path } = await amfora('')
  const toml = `auth.certs."example.com" = 'ana.crt'\nauth.keys."example.com" = 'ana.key'\n`
  const { identities, problems } = await readIdentities({ amfora: { toml, directory: join(path, '..') } })
  expect(problems).toEqual([])
  expect(identities).toHaveLength(1)
})

it('opens encrypted keys, and each of them once', async () => {
  const lines = Array.from({ length: 40 }, (_, i) => `"example.com/${i}" = `)
  const toml = `[auth.certs]\n${lines.join("'ana.crt'\n")}'ana.crt'\n[auth.keys]\n${lines.join("'closed.key'\n")}'closed.key'`
  const { problems, scopes } = await amfora(toml, { passphrase: 'secret' })
  expect(problems).toEqual([])
  expect(scopes.ana).toHaveLength(40)
  expect((await amfora(toml)).problems.map(({ code }) => code)).toEqual([
    'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED',
    'ERR_TLACACOCA_IDENTITY_KEY_MISSING',
  ])
})

it('has no use for a configuration without identities', async () => {
  for (const toml of ['', '[auth]\n', '[auth.certs]\n[auth.keys]\n', 'auth = 1', 'auth = [1]', 'auth.certs = "x"']) {
    expect(await amfora(toml)).toMatchObject({ identities: [], problems: [] })
  }
})

// Each is one line of [auth.certs], between two that are right.
it.each([
  { line: '"example.net" = "missing.crt"', key: true, code: 'FILE_NOT_FOUND' },
  { line: '"example.net" = "."', key: true, code: 'FILE_UNREADABLE' },
  { line: '"example.net" = "/dev/zero"', key: true, code: 'FILE_UNREADABLE' },
  { line: '"example.net" = ""', key: true, code: 'IDENTITY_FORMAT_INVALID' },
  { line: '"example.net" = 1', key: true, code: 'IDENTITY_FORMAT_INVALID' },
  { line: '"example.net" = ["ana.crt"]', key: true, code: 'IDENTITY_FORMAT_INVALID' },
  { line: '"example.net" = "a\\u0000b"', key: true, code: 'FILE_NOT_FOUND' },
  { line: '"example.net" = "ana.crt"', key: false, code: 'IDENTITY_KEY_MISSING' },
  { line: '"https://example.net" = "ana.crt"', key: false, code: 'IDENTITY_SCOPE_UNSUPPORTED' },
  { line: '"example.net/?q" = "ana.crt"', key: false, code: 'IDENTITY_SCOPE_UNSUPPORTED' },
  { line: '"user@example.net" = "ana.crt"', key: false, code: 'IDENTITY_SCOPE_UNSUPPORTED' },
  { line: '"*.example.net" = "ana.crt"', key: false, code: 'IDENTITY_SCOPE_UNSUPPORTED' },
  { line: '"" = "ana.crt"', key: false, code: 'IDENTITY_SCOPE_UNSUPPORTED' },
])('reports $line with its place, and reads the others', async ({ line, key, code }) => {
  const { problems, scopes, path } = await amfora(`
[auth.certs]
"example.com" = 'ana.crt'
  ${line}
"example.org" = 'ben.crt'
[auth.keys]
"example.com" = 'ana.key'
${key ? '"example.net" = "ana.key"' : ''}
"example.org" = 'ben.key'
`)
  expect(scopes).toEqual({ ana: ['gemini://example.com/'], ben: ['gemini://example.org/'] })
  expect(problems[0]).toMatchObject({ code: `ERR_TLACACOCA_${code}`, file: path, line: 4, column: 3 })
  expect(problems[0]?.message.startsWith(`${path}, line 4, column 3: `)).toBe(true)
})

it('reports a key of another certificate', async () => {
  const { identities, problems } = await amfora(
    `auth.certs."example.com" = 'ana.crt'\nauth.keys."example.com" = 'ben.key'`,
  )
  expect(identities).toEqual([])
  expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_KEY_MISMATCH', file: expect.stringMatching(/ben\.key$/) }])
})

it('looks for a file in the home folder where the name says so', async () => {
  const { problems } = await amfora(
    `auth.certs."example.com" = '~/no such file, surely'\nauth.keys."example.com" = 'ana.key'`,
  )
  expect(problems[0]?.message).toContain(join(homedir(), 'no such file, surely'))
})

it('refuses what is no TOML, with line and column, and without a piece of it', async () => {
  await expect(amfora('[auth.certs]\n"example.com" = secret\n')).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IMPORT_INVALID',
    problems: [{ line: 2, column: 17 }],
    message: expect.not.stringContaining('secret'),
  })
})

it('refuses a file that is missing, no text or too large', async () => {
  const folder = await temporaryFolder()
  const code = (path: string) => readIdentities({ amfora: join(folder, path) }).catch((error: unknown) => error)
  await writeFile(join(folder, 'binary'), Uint8Array.of(0xff, 0xfe))
  await writeFile(join(folder, 'large'), '#'.repeat(1024 * 1024 + 1))
  expect(await code('missing')).toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' })
  expect(await code('binary')).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
  expect(await code('large')).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
})

it('reads no further once there were too many certificates in a file', async () => {
  const directory = await temporaryFolder()
  await writeFile(
    join(directory, 'many.pem'),
    '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'.repeat(2_001),
  )
  await writeFile(join(directory, 'ben.pem'), ben.keyPem + ben.certPem)
  const entries = `"a.example" = 'many.pem'\n"b.example" = 'ben.pem'\n`
  const toml = `[auth.certs]\n${entries}[auth.keys]\n${entries}`
  const { identities, problems } = await readIdentities({ amfora: { toml, directory } })
  expect(identities).toEqual([])
  expect(problems.at(-1)).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE' })
  expect(problems.filter(({ file }) => file?.endsWith('ben.pem'))).toEqual([])
})

it('refuses a text that is too large, as it does a file', async () => {
  const reading = readIdentities({ amfora: { toml: '#'.repeat(1024 * 1024 + 1), directory: '/' } })
  await expect(reading).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE',
    message: '"amfora.toml" has 1048577 characters; 1048576 are read at most',
  })
})

it.each([`'''`, '"""'])('does not take the lines of a long text (%s) for those of an entry', async (quotes) => {
  const entry = `[auth.certs]\n"example.com" = 'ana.crt'\n`
  const { problems } = await amfora(
    `[a-general]\nhome = ${quotes}\n${entry}${quotes}\nother = ${quotes}x${quotes}\n${entry}`,
  )
  expect(problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_KEY_MISSING', line: 8, column: 1 }])
})

it('survives names that are deep, many or those of every object', async () => {
  const deep = `auth.certs.${'a.'.repeat(20_000)}a = 'x'`
  expect((await amfora(deep)).problems).toMatchObject([{ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_INVALID' }])
  const many = Array.from({ length: 1_100 }, (_, i) => `"example.com/${i}" = 'x'`).join('\n')
  const { problems } = await amfora(`[auth.certs]\n${many}`)
  expect(problems[0]).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_FORMAT_EXCESSIVE', line: 1002 })
  const { identities } = await amfora(`[auth.certs]\n"__proto__" = 'ana.crt'\nconstructor = 'ana.crt'\n[auth.keys]\n`)
  expect(identities).toEqual([])
})
