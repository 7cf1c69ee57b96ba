// Lists by the standard input and the standard output, and stores without names.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { EXPORT_FORMATS, IMPORT_FORMATS } from '../../src/cli/tofu/exchange.ts'
import { testCertificate } from '../support/certificates.ts'
import { type CliOptions, runCli } from '../support/cli.ts'
import { spawnCli } from '../support/cli-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { FIELD_LINES, SHA1, SHA256 } from '../tofu/formats/field-certificate.ts'

/** A store, and a way to run commands on it. */
async function world() {
  const home = await temporaryFolder()
  const tofu = (args: readonly string[], options: CliOptions = {}) =>
    runCli(['tofu', '--store', join(home, 'pins.db'), ...args], { home, ...options })
  return { home, tofu }
}

/** One with a server in it, and the key of somebody who signs lists. */
async function knowing() {
  const here = await world()
  const { keyPem, certificate } = await testCertificate()
  const keyFile = join(here.home, 'key.pem')
  await writeFile(keyFile, keyPem, { mode: 0o600 })
  await here.tofu(['trust', 'example.org', SHA256])
  return { ...here, keyFile, signedBy: certificate.publicKeyFingerprint }
}

async function databaseBytes(statements: string): Promise<Buffer> {
  const file = join(await temporaryFolder(), 'source.db')
  const db = new SQLite(file)
  db.exec(statements)
  db.close()
  return readFile(file)
}

/** What each program keeps for one server. */
const SOURCES: Record<string, () => string | Promise<string | Buffer>> = {
  ...Object.fromEntries(Object.entries(FIELD_LINES).map(([format, text]) => [format, () => text])),
  tlacacoca: async () => {
    const here = await knowing()
    return (await here.tofu(['export', '-'])).stdout
  },
  'tlacacoca-sqlite': () =>
    databaseBytes(
      `CREATE TABLE known_hosts (hostname TEXT, port INTEGER, fingerprint TEXT, first_seen TEXT, last_seen TEXT);
       INSERT INTO known_hosts VALUES ('example.org', 1965, '${SHA256}', '2026-01-01T00:00:00', '2026-02-01T00:00:00')`,
    ),
  av98: () =>
    databaseBytes(
      `CREATE TABLE cert_cache (hostname text, address text, fingerprint text, first_seen date, last_seen date, count integer);
       INSERT INTO cert_cache VALUES ('example.org', '192.0.2.1', '${SHA256}', '2026-01-01', '2026-02-01', 3)`,
    ),
}

describe('tofu import -', () => {
  // Offpunk's is a folder, and Bombadillo's pins are never imported.
  const formats = IMPORT_FORMATS.filter((format) => format !== 'offpunk' && format !== 'bombadillo')

  it.each(formats)('reads %s by its content, as from a file', async (format) => {
    const content = await SOURCES[format]?.()
    if (content === undefined) throw new Error(`the test has no list of ${format}`)
    const [byInput, byFile] = [await world(), await world()]
    const file = join(byFile.home, 'list')
    await writeFile(file, content)
    const fromFile = (await byFile.tofu(['import', file, '--json'])).json()
    const fromInput = await byInput.tofu(['import', '-', '--json'], { stdin: content })
    expect(fromInput.json()).toEqual(fromFile)
    expect(fromInput.json()).toMatchObject({ format, problems: [] })
    const hosts = (await byInput.tofu(['list', '--json'])).json()
    expect(hosts).toHaveLength(1)
    expect(hosts).toEqual((await byFile.tofu(['list', '--json'])).json())
  })

  it('says which entries of Bombadillo cannot be used, and where they came from', async () => {
    const { tofu } = await world()
    const stdin = `[CERTS]\nexample.org=${SHA1}|1\n`
    const refused = await tofu(['import', '-'], { stdin })
    expect(refused).toMatchObject({ code: 3, stdout: '' })
    expect(refused.stderr).toMatch(/^error: the standard input was not imported: line 2, /)
    const skipped = await tofu(['import', '-', '--skip-unusable'], { stdin })
    expect(skipped).toMatchObject({ code: 0 })
    expect(skipped.stdout).toMatch(/^What came by the standard input is a list of bombadillo\.\n/)
    expect((await tofu(['list', '--json'])).json()).toEqual([])
  })

  it.each([
    { what: 'nothing', stdin: '', code: 3 },
    { what: 'something else', stdin: '{"name": "tlacacoca"}\n', code: 3 },
    { what: 'binary junk', stdin: Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256)), code: 3 },
    { what: 'half a database', stdin: Buffer.from('SQLite format 3\0half of it'), code: 5 },
  ])('refuses $what with exit code $code, and never tells of a file that is gone', async ({ stdin, code }) => {
    const { tofu } = await world()
    const refused = await tofu(['import', '-'], { stdin })
    expect(refused).toMatchObject({ code, stdout: '' })
    expect(refused.stderr).toMatch(/^error: .*the standard input/)
    expect(refused.stderr).not.toContain('tlacacoca-')
    const json = (await tofu(['import', '-', '--json'], { stdin })).json()
    expect(json).toMatchObject({ error: { code: expect.stringMatching(/^ERR_TLACACOCA_/) } })
    expect(JSON.stringify(json)).not.toContain('/list')
  })

  it('imports a signed list if the signature is in a file, and needs its name', async () => {
    const friend = await knowing()
    const { tofu, home } = await world()
    const signature = join(home, 'hosts.sig')
    const exported = await friend.tofu(['export', '-', '--sign', friend.keyFile, '--signature', signature])
    expect(exported.stderr).toContain(friend.signedBy)
    const signed = ['import', '-', '--signed-by', friend.signedBy, '--vouched-by', 'Ana']
    const stdin = exported.stdout
    const nameless = await tofu(signed, { stdin })
    expect(nameless).toMatchObject({ code: 2, stderr: expect.stringContaining('--signature') })
    const changed = await tofu([...signed, '--signature', signature], { stdin: `${stdin}# changed\n` })
    expect(changed).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('the standard input is not what was signed'),
    })
    expect((await tofu([...signed, '--signature', signature], { stdin })).code).toBe(0)
    expect((await tofu(['show', 'example.org', '--json'])).json()).toMatchObject({ host: { source: 'vouched by Ana' } })
  })

  it('asks nobody, since the list comes from where the answer would', async () => {
    const { tofu } = await knowing()
    const other = (await SOURCES['go-gemini']?.()) ?? ''
    const asked = await tofu(['import', '-', '--on-conflict', 'ask'], { stdin: other, answers: [true] })
    expect(asked).toMatchObject({ code: 2, questions: [] })
    const stdin = String(other).replace('example.org', 'other.example')
    const replaced = await tofu(['import', '-', '--replace'], { stdin, answers: [true] })
    expect(replaced).toMatchObject({ code: 2, questions: [], stderr: expect.stringContaining('say --force') })
    expect((await tofu(['list', '--json'])).json()).toMatchObject([{ host: 'example.org' }])
    expect((await tofu(['import', '-', '--replace', '--force'], { stdin })).code).toBe(0)
    expect((await tofu(['list', '--json'])).json()).toMatchObject([{ host: 'other.example' }])
  })

  it('leaves nothing in the folder for temporary files, in good order, by an error, or by Ctrl-C', async () => {
    const home = await temporaryFolder()
    const temporary = await temporaryFolder()
    // The loader of TypeScript has a folder of its own in there.
    const left = async () => (await readdir(temporary)).filter((name) => name.startsWith('tlacacoca-'))
    const run = (args: readonly string[], stdin?: string) =>
      spawnCli(['tofu', ...args], { home, env: { TMPDIR: temporary }, ...(stdin === undefined ? {} : { stdin }) })
    expect((await run(['import', '-'], FIELD_LINES.gmni).ended).code).toBe(0)
    expect((await run(['import', '-'], 'nothing of the kind').ended).code).toBe(3)
    expect((await run(['export', '-']).ended).stdout).toContain('example.org')
    // Half a list, and then nothing.
    const waiting = run(['import', '-'])
    waiting.process.stdin.write(FIELD_LINES.gmni)
    await expect.poll(left, { timeout: 20_000 }).toHaveLength(1)
    waiting.process.kill('SIGINT')
    expect(await waiting.ended).toMatchObject({ code: 130, stdout: '', stderr: 'error: interrupted\n' })
    expect(await left()).toEqual([])
  })

  it.skipIf(process.platform === 'win32').each(['SIGTERM', 'SIGHUP'] as const)(
    'leaves nothing there by %s either, and ends by it',
    async (name) => {
      const temporary = await temporaryFolder()
      const left = async () => (await readdir(temporary)).filter((each) => each.startsWith('tlacacoca-'))
      const { process: child, ended } = spawnCli(['tofu', 'import', '-'], {
        home: temporary,
        env: { TMPDIR: temporary },
      })
      child.stdin.write(FIELD_LINES.gmni)
      await expect.poll(left, { timeout: 20_000 }).toHaveLength(1)
      child.kill(name)
      expect(await ended).toMatchObject({ signal: name })
      expect(await left()).toEqual([])
    },
  )
})

describe('tofu export -', () => {
  it.each(EXPORT_FORMATS)('prints %s as it would write it into a file', async (format) => {
    const { tofu, home } = await world()
    const source = await SOURCES[format]?.()
    await tofu(['import', '-'], { stdin: source ?? '' })
    const file = join(home, 'list')
    const written = await tofu(['export', file, '--format', format])
    expect(written.code).toBe(0)
    const printed = await tofu(['export', '-', '--format', format])
    expect(printed).toMatchObject({ code: 0, stdout: await readFile(file, 'utf8') })
    expect(printed.stderr).toBe(written.stdout.replace(file, 'the standard output'))
    const again = await world()
    expect((await again.tofu(['import', '-', '--json'], { stdin: printed.stdout })).json()).toMatchObject({ added: 1 })
  })

  it('leaves nothing in the folder for temporary files if nobody reads on', async () => {
    const { tofu, home } = await world()
    const temporary = await temporaryFolder()
    // More than a pipe holds.
    const lines = Array.from({ length: 3000 }, (_, i) =>
      FIELD_LINES.gmni.replaceAll('example.org', `h${i}.example.org`),
    )
    expect((await tofu(['import', '-'], { stdin: lines.join('') })).code).toBe(0)
    const args = ['tofu', '--store', join(home, 'pins.db'), 'export', '-']
    const { process: child, printed, ended } = spawnCli(args, { home, env: { TMPDIR: temporary } })
    await printed('stdout', /example/)
    child.stdout.destroy()
    expect(await ended).toMatchObject({ code: 0, stderr: '' })
    expect((await readdir(temporary)).filter((name) => name.startsWith('tlacacoca-'))).toEqual([])
  })

  it.each([
    { args: ['--json'] },
    { args: ['--overwrite'] },
    { args: ['--format', 'gmni', '--update'] },
    { args: ['--sign', 'key.pem'] },
  ])('is not understood with $args', async ({ args }) => {
    const { tofu } = await knowing()
    expect((await tofu(['export', '-', ...args])).code).toBe(2)
  })
})

describe('--hash-names', () => {
  it('makes a store that knows servers and not their names', async () => {
    const { tofu, home } = await world()
    expect((await tofu(['--hash-names', 'trust', 'example.org', SHA256])).code).toBe(0)
    const written = Buffer.concat(
      await Promise.all((await readdir(home)).map((name) => readFile(join(home, name)))),
    ).toString('latin1')
    expect(written).not.toContain('example.org')
    // Whoever asks for a name is answered, with or without the option.
    expect((await tofu(['show', 'example.org', '--json'])).json()).toMatchObject({ known: true })
    expect((await tofu(['--hash-names', 'show', 'example.org'])).code).toBe(0)
    expect((await tofu(['show', 'example.net'])).code).toBe(1)
    const listed = await tofu(['list'])
    expect(listed.stdout + listed.stderr).not.toContain('example.org')
  })

  it('imports lists by file and by input, and exports none', async () => {
    const { tofu } = await world()
    const done = await tofu(['--hash-names', 'import', '-', '--json'], { stdin: FIELD_LINES.gmni })
    expect(done.json()).toMatchObject({ format: 'gmni', added: 1 })
    for (const target of ['-', '/nowhere/list']) {
      const refused = await tofu(['export', target])
      expect(refused).toMatchObject({ code: 5, stdout: '' })
      expect(refused.stderr).toMatch(/names/)
    }
  })

  it('refuses a store that has names already, and changes nothing in it', async () => {
    const { tofu } = await knowing()
    const refused = await tofu(['--hash-names', 'trust', 'example.net', SHA256])
    expect(refused).toMatchObject({ code: 5, stdout: '' })
    expect((await tofu(['list', '--json'])).json()).toMatchObject([{ host: 'example.org' }])
  })
})
