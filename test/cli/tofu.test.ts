// `tlacacoca tofu`: what it prints, what it asks, what it leaves in the store, and how it ends.

import { access, readFile, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { CLI_NOW, type CliOptions, runCli, temporaryHome } from '../support/cli.ts'
import { CLI_COMMAND, spawnCli } from '../support/cli-process.ts'
import { HAS_PSEUDO_TERMINALS, runInTerminal } from '../support/pseudo-terminal.ts'

const NOT_AFTER = new Date('2031-01-01T00:00:00Z')
const EXAMPLE = parseEndpoint('example.org:1965')

/** A home with certificates in files, a store, and a way to run commands on both. */
async function world() {
  const home = await temporaryHome()
  const store = join(home, 'pins.db')
  const [first, second] = await Promise.all([certificateIn(home, 'first'), certificateIn(home, 'second')])
  const tofu = (args: readonly string[], options: CliOptions = {}) =>
    runCli(['tofu', '--store', store, ...args], { home, ...options })
  const known = async <T>(look: (opened: TofuStore) => Promise<T>): Promise<T> => {
    await using opened = await TofuStore.open({ path: store, clock: () => CLI_NOW })
    // Awaited here, before the store is closed.
    return await look(opened)
  }
  return { home, store, first, second, tofu, known }
}

async function certificateIn(folder: string, name: string) {
  const made = await testCertificate({ notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: NOT_AFTER })
  const [file, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  await writeFile(file, made.certPem)
  await writeFile(keyFile, made.keyPem, { mode: 0o600 })
  return { ...made, file, keyFile, fingerprint: made.certificate.fingerprint }
}

describe('tofu list', () => {
  it('says that no server is known, and creates no store by that', async () => {
    const home = await temporaryHome()
    expect(await runCli(['tofu', 'list'], { home })).toMatchObject({ code: 0, stdout: 'No server is known.\n' })
    expect((await runCli(['tofu', 'list', '--json'], { home })).json()).toEqual([])
    await expect(access(join(home, '.local'))).rejects.toThrow('ENOENT')
  })

  it('reads the store where the data of programs is kept', async () => {
    const home = await temporaryHome()
    const { file } = await certificateIn(home, 'first')
    expect(await runCli(['tofu', 'trust', 'example.org', '--cert', file], { home })).toMatchObject({ code: 0 })
    expect((await stat(join(home, '.local/share/tlacacoca/pins.db'))).mode & 0o777).toBe(0o600)
    expect((await runCli(['tofu', 'list'], { home })).stdout).toContain('example.org:1965')
  })

  it('refuses to look into a store that was named and is not there', async () => {
    const { tofu, store } = await world()
    const result = await tofu(['list'])
    expect(result).toMatchObject({ code: 5, stdout: '' })
    expect(result.stderr).toBe(`error: there is no store ${store} [ERR_TLACACOCA_FILE_NOT_FOUND]\n`)
    expect((await tofu(['list', '--json'])).json()).toMatchObject({ error: { code: 'ERR_TLACACOCA_FILE_NOT_FOUND' } })
    await expect(access(store)).rejects.toThrow('ENOENT')
  })

  it.each([
    { what: 'a folder', path: '.', reason: 'EISDIR: it is a folder, and no file' },
    { what: 'below a file', path: 'first.pem/pins.db', reason: 'ENOTDIR: not a directory' },
  ])('says why it cannot read a store that is $what, and how to name another one', async ({ path, reason }) => {
    const { home } = await world()
    const store = join(home, path)
    const result = await runCli(['tofu', 'list', '--store', store], { home })
    const text = `cannot read the pin database ${resolve(store)}: ${reason}; --store names another one`
    expect(result).toMatchObject({ code: 5, stdout: '', stderr: `error: ${text} [ERR_TLACACOCA_STORE_FAILED]\n` })
  })

  it('lists every server of several pages, once and in order, as text and as JSON', async () => {
    const { tofu, known, first } = await world()
    const count = 1201
    await known(async (opened) => {
      for (let n = 0; n < count; n++) {
        await opened.trust(parseEndpoint(`host-${String(n).padStart(4, '0')}.example:1965`), first.certificate)
      }
    })
    const listed = (await tofu(['list', '--json'])).json() as { endpoint: string; fingerprint: string }[]
    expect(listed).toHaveLength(count)
    expect(new Set(listed.map(({ endpoint }) => endpoint)).size).toBe(count)
    expect(listed[0]).toEqual({
      endpoint: 'host-0000.example:1965',
      host: 'host-0000.example',
      port: 1965,
      fingerprint: first.fingerprint,
      state: 'trusted',
      firstSeen: '2030-06-01T12:00:00.000Z',
      lastSeen: '2030-06-01T12:00:00.000Z',
      daysSeen: 1,
      notAfter: NOT_AFTER.toISOString(),
      keyFingerprint: first.certificate.publicKeyFingerprint,
      source: 'user',
      note: null,
    })
    const lines = (await tofu(['list'])).stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(count + 1)
    expect(lines[0]).toMatch(/^SERVER +STATE +SINCE +LAST SEEN +EXPIRES +FINGERPRINT$/)
    expect(lines.slice(1)).toEqual(
      listed.map(({ endpoint }) => `${endpoint}  trusted  2030-06-01  2030-06-01  2031-01-01  ${first.fingerprint}`),
    )
  }, 60_000)

  it('has headings in bold where somebody looks on, and no colour elsewhere', async () => {
    const { tofu, first } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    expect((await tofu(['list'], { hasColor: true })).stdout).toContain('\u001b[1mSERVER')
    expect((await tofu(['list'])).stdout).not.toContain('\u001b')
  })

  it('refuses a file that is no store', async () => {
    const { tofu, store } = await world()
    await writeFile(store, 'this is something else')
    expect(await tofu(['list'])).toMatchObject({ code: 5, stdout: '' })
  })
})

describe('tofu trust', () => {
  it('pins a certificate from a file, from the standard input, or by its fingerprint', async () => {
    const { tofu, known, first } = await world()
    await tofu(['trust', 'a.example', '--cert', first.file])
    await tofu(['trust', 'b.example:1966', '--cert', '-'], { stdin: first.certPem })
    await tofu(['trust', '[::1]:1965', first.fingerprint.slice('sha256:'.length).toUpperCase()])
    const hosts = await known((opened) => opened.listHosts())
    expect(hosts.map(({ endpoint, fingerprint }) => [endpoint, fingerprint])).toEqual([
      ['[::1]:1965', first.fingerprint],
      ['a.example:1965', first.fingerprint],
      ['b.example:1966', first.fingerprint],
    ])
  })

  it('keeps a note, and that the certificate was verified', async () => {
    const { tofu, first } = await world()
    const args = ['trust', 'example.org', first.fingerprint, '--verified', '--note', 'from the card', '--json']
    expect((await tofu(args)).json()).toEqual({
      endpoint: 'example.org:1965',
      fingerprint: first.fingerprint,
      state: 'verified',
      replaced: [],
    })
    expect((await tofu(['show', 'example.org', '--json'])).json()).toMatchObject({
      known: true,
      host: { state: 'verified', note: 'from the card' },
    })
  })

  it('shows both fingerprints, and since when, before it replaces one, and replaces it after a yes', async () => {
    const { tofu, known, first, second } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    const result = await tofu(['trust', 'example.org', '--cert', second.file], { answers: [true] })
    expect(result.questions).toEqual([
      `example.org:1965 is pinned to\n  ${first.fingerprint}\n  since 2030-06-01, on 1 day\nPin it to\n  ${second.fingerprint}\ninstead?`,
    ])
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(await known((opened) => opened.getHostInfo(EXAMPLE))).toMatchObject({ fingerprint: second.fingerprint })
  })

  it.each([
    { what: 'a no', options: { answers: [false] }, code: 1, says: 'nothing was changed' },
    { what: 'nobody there to be asked', options: {}, code: 2, says: 'say --force' },
  ])('replaces nothing after $what', async ({ options, code, says }) => {
    const { tofu, known, first, second } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    const result = await tofu(['trust', 'example.org', '--cert', second.file], options)
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toContain(says)
    expect(await known((opened) => opened.getHostInfo(EXAMPLE))).toMatchObject({ fingerprint: first.fingerprint })
  })

  it('replaces nothing if the pin became another one while somebody thought about it', async () => {
    const { tofu, known, first, second } = await world()
    const third = await testCertificate({ notAfter: NOT_AFTER })
    await tofu(['trust', 'example.org', '--cert', first.file])
    const result = await tofu(['trust', 'example.org', '--cert', second.file], {
      answers: [true],
      onQuestion: () => known((opened) => opened.trust(EXAMPLE, third.certificate)),
    })
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain('have changed meanwhile')
    expect((await known((opened) => opened.getHostInfo(EXAMPLE)))?.fingerprint).toBe(third.certificate.fingerprint)
  })

  it('asks nothing with --force, nor where the others are kept', async () => {
    const { tofu, first, second } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    expect(await tofu(['trust', 'example.org', '--cert', second.file, '--keep-others'])).toMatchObject({ code: 0 })
    expect((await tofu(['show', 'example.org', '--json'])).json()).toMatchObject({
      pins: [{ state: 'trusted' }, { state: 'trusted' }],
    })
    const third = await certificateIn((await world()).home, 'third')
    const forced = await tofu(['trust', 'example.org', '--cert', third.file, '--force', '--json'])
    expect(forced.json()).toMatchObject({ replaced: expect.arrayContaining([first.fingerprint, second.fingerprint]) })
  })

  it.each([
    { what: 'neither certificate nor fingerprint', args: ['example.org'], code: 2 },
    { what: 'both', args: ['example.org', 'sha256:00', '--cert', 'first.pem'], code: 2 },
    { what: 'a fingerprint that is none', args: ['example.org', 'hello'], code: 3 },
    { what: 'a host that is none', args: ['exa mple', 'a'.repeat(64)], code: 3 },
    { what: 'a port that is none', args: ['example.org:70000', 'a'.repeat(64)], code: 3 },
    { what: 'a certificate that is not there', args: ['example.org', '--cert', '/nowhere/cert.pem'], code: 5 },
    { what: 'a standard input without a certificate', args: ['example.org', '--cert', '-'], code: 3 },
    { what: 'an option that there is not', args: ['example.org', '--certificate', 'x'], code: 2 },
    { what: 'no server', args: [], code: 2 },
  ])('refuses $what with exit code $code', async ({ args, code }) => {
    const { tofu, store } = await world()
    const result = await tofu(['trust', ...args])
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(/^error: /)
    expect((await tofu(['trust', ...args, '--json'])).json()).toMatchObject({ error: { message: expect.any(String) } })
    await expect(access(store)).rejects.toThrow('ENOENT')
  })
})

describe('tofu show and tofu history', () => {
  it('answers no for a server of which nothing is known', async () => {
    const { tofu, first } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    expect(await tofu(['show', 'other.example'])).toMatchObject({
      code: 1,
      stdout: 'Nothing is known of other.example:1965.\n',
    })
    expect((await tofu(['show', 'other.example', '--json'])).json()).toEqual({
      endpoint: 'other.example:1965',
      known: false,
      host: null,
      pins: [],
    })
    expect(await tofu(['history', 'other.example'])).toMatchObject({ code: 1 })
  })

  it('tells what was pinned, what is marked, and what happened', async () => {
    const { tofu, first, second } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    await tofu(['trust', 'example.org', '--cert', second.file, '--force'])
    await tofu(['distrust', 'example.org', '--cert', first.file, '--note', 'stolen'])
    const { stdout } = await tofu(['show', 'EXAMPLE.org'])
    expect(stdout).toMatch(/^server: +example\.org:1965$/m)
    expect(stdout).toMatch(new RegExp(`^distrusted +2030-06-01 +2030-06-01 +${first.fingerprint} +stolen$`, 'm'))
    const history = (await tofu(['history', 'example.org', '--json'])).json()
    expect(history).toMatchObject([
      { cause: 'trusted', old: null, new: first.fingerprint, decidedBy: 'user' },
      { cause: 'trusted', old: first.fingerprint, new: second.fingerprint },
      { cause: 'distrusted', new: first.fingerprint },
    ])
    expect((await tofu(['history', 'example.org'])).stdout).toContain(`-> ${second.fingerprint}`)
  })
})

describe('tofu check', () => {
  it('says what a certificate would be, changes nothing, and ends with 1 if it would be refused', async () => {
    const { tofu, first, second } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    const same = await tofu(['check', 'example.org', '--cert', first.file])
    expect(same).toMatchObject({ code: 0 })
    expect(same.stdout).toMatch(/It would be accepted\.\n$/)
    const other = await tofu(['check', 'example.org', '--cert', second.file])
    expect(other).toMatchObject({ code: 1, stderr: '' })
    expect(other.stdout).toMatch(/another certificate than the one that is pinned.*\nIt would be refused\.\n$/s)
    expect((await tofu(['check', 'example.org', '--cert', second.file, '--json'])).json()).toMatchObject({
      kind: 'changed',
      accepted: false,
      reason: 'early',
      presented: second.fingerprint,
      pinned: first.fingerprint,
    })
    expect(await tofu(['check', 'new.example', '--cert', '-'], { stdin: second.certPem })).toMatchObject({ code: 0 })
    expect((await tofu(['list', '--json'])).json()).toHaveLength(1)
  })

  it('says that a change would be asked about where the pinned certificate has expired', async () => {
    const { tofu, first, second } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    const later = await tofu(['check', 'example.org', '--cert', second.file], { now: Date.UTC(2031, 5, 1) })
    expect(later).toMatchObject({ code: 1 })
    expect(later.stdout).toContain('It would be refused, unless somebody says yes.')
  })

  it('refuses what is marked as never to be trusted, by its key too', async () => {
    const { tofu, first } = await world()
    await tofu(['distrust', 'example.org', '--cert', first.file, '--key'])
    const result = await tofu(['check', 'example.org', '--cert', first.file, '--json'])
    expect(result.code).toBe(1)
    expect(result.json()).toMatchObject({
      kind: 'distrusted',
      mark: { digest: first.certificate.publicKeyFingerprint },
    })
  })
})

describe('tofu revoke, distrust and clear', () => {
  it('forgets one port without a question, and all ports of a host after one', async () => {
    const { tofu, known, first } = await world()
    for (const server of ['example.org', 'example.org:1966', 'example.org:1967', 'sub.example.org']) {
      await tofu(['trust', server, '--cert', first.file])
    }
    expect(await tofu(['revoke', 'example.org:1966'])).toMatchObject({ code: 0 })
    const declined = await tofu(['revoke', 'example.org'], { answers: [false] })
    expect(declined).toMatchObject({ code: 1, questions: ['Forget the pins of example.org on 2 ports?'] })
    expect(await known((opened) => opened.countByHostname('example.org'))).toBe(2)
    expect((await tofu(['revoke', 'example.org', '--json'], { answers: [true] })).json()).toEqual({ revoked: 2 })
    expect((await known((opened) => opened.listHosts())).map(({ host }) => host)).toEqual(['sub.example.org'])
    expect(await tofu(['revoke', 'example.org'])).toMatchObject({ code: 1 })
    expect(await tofu(['revoke', 'example.org:1965'])).toMatchObject({ code: 1 })
  })

  it('lists marks, and takes one back', async () => {
    const { tofu, first } = await world()
    await tofu(['distrust', 'example.org', '--cert', first.file, '--note', 'stolen'])
    expect((await tofu(['list', '--distrusted', '--json'])).json()).toMatchObject([
      { subject: 'example.org:1965', digest: first.fingerprint, note: 'stolen' },
    ])
    expect((await tofu(['list', '--distrusted'])).stdout).toContain('stolen')
    expect(await tofu(['trust', 'example.org', '--cert', first.file])).toMatchObject({ code: 1 })
    expect(await tofu(['distrust', 'example.org', first.fingerprint, '--lift'])).toMatchObject({ code: 0 })
    expect(await tofu(['distrust', 'example.org', first.fingerprint, '--lift'])).toMatchObject({ code: 1 })
    expect((await tofu(['list', '--distrusted'])).stdout).toBe('Nothing is marked as never to be trusted.\n')
  })

  it('forgets everything but marks, after a yes or with --force', async () => {
    const { tofu, first, store } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    await tofu(['distrust', 'other.example', '--cert', first.file])
    const declined = await tofu(['clear'], { answers: [false] })
    expect(declined).toMatchObject({ code: 1, questions: [`Forget every server in ${store}, and their history?`] })
    expect(await tofu(['clear'])).toMatchObject({ code: 2 })
    expect((await tofu(['clear', '--force', '--json'])).json()).toEqual({ subjects: 1, pins: 1, kept: 1 })
    expect((await tofu(['list'])).stdout).toBe('No server is known.\n')
    expect((await tofu(['list', '--distrusted', '--json'])).json()).toHaveLength(1)
  })
})

describe('tofu purge', () => {
  it('forgets what was not seen for a time, after a yes', async () => {
    const { tofu, first, second } = await world()
    await tofu(['trust', 'old.example', '--cert', first.file])
    const now = CLI_NOW + 400 * 86_400_000
    await tofu(['trust', 'new.example', '--cert', second.file], { now })
    const args = ['purge', '--not-seen-for', '365d']
    const declined = await tofu(args, { now, answers: [false] })
    expect(declined.code).toBe(1)
    expect(declined.questions[0]).toMatch(/^Forget every server in .* that was not seen for 365 days\?$/)
    expect((await tofu([...args, '--force', '--json'], { now })).json()).toMatchObject({ subjects: 1, erased: true })
    expect((await tofu(['list', '--json'], { now })).json()).toMatchObject([{ host: 'new.example' }])
  })

  it.each(['365', '0d', '-1d', '1w', 'long', ''])('refuses %j as a time', async (time) => {
    const { tofu, first } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    const result = await tofu(['purge', `--not-seen-for=${time}`, '--force'], { now: Date.UTC(2500, 0, 1) })
    expect(result).toMatchObject({ code: 2, stdout: '' })
    expect((await tofu(['list', '--json'])).json()).toHaveLength(1)
  })
})

describe('tofu import and tofu export', () => {
  it('brings servers from one store to another, and says how many', async () => {
    const here = await world()
    const there = await world()
    await here.tofu(['trust', 'example.org', '--cert', here.first.file, '--note', 'a friend'])
    const file = join(here.home, 'hosts.toml')
    expect(await here.tofu(['export', file])).toMatchObject({ code: 0, stdout: `1 server is in ${file} now.\n` })
    expect((await stat(file)).mode & 0o777).toBe(0o600)

    const trial = await there.tofu(['import', file, '--dry-run'])
    expect(trial).toMatchObject({ code: 0 })
    expect(trial.stdout).toContain('1 would be added')
    await expect(access(there.store)).rejects.toThrow('ENOENT')

    const done = await there.tofu(['import', file, '--json'])
    expect(done.json()).toMatchObject({ format: 'tlacacoca', added: 1, updated: 0, skipped: 0, conflictCount: 0 })
    expect(done.progress).toMatchObject([{ title: `Reading ${file}` }])
    expect(done.progress[0]?.done).toBe(done.progress[0]?.total)
    expect((await there.tofu(['show', 'example.org', '--json'])).json()).toMatchObject({
      host: { note: 'a friend', fingerprint: here.first.fingerprint },
    })
  })

  it('does not overwrite a file, unless it is told to', async () => {
    const { tofu, first, home } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    const file = join(home, 'hosts.toml')
    await writeFile(file, 'mine')
    expect(await tofu(['export', file])).toMatchObject({ code: 5 })
    expect(await readFile(file, 'utf8')).toBe('mine')
    expect(await tofu(['export', file, '--overwrite'])).toMatchObject({ code: 0 })
    expect(await readFile(file, 'utf8')).toContain(first.fingerprint)
  })

  /** A list that says `second` where `first` is pinned. */
  async function conflict() {
    const here = await world()
    const { tofu, first, second, home } = here
    const file = join(home, 'hosts.toml')
    await tofu(['trust', 'example.org', '--cert', second.file])
    await tofu(['export', file])
    await tofu(['trust', 'example.org', '--cert', first.file, '--force'])
    await tofu(['clear', '--force'])
    await tofu(['trust', 'example.org', '--cert', first.file])
    return { ...here, file }
  }

  it.each([
    { args: [], answers: [], taken: false, questions: 0 },
    { args: ['--on-conflict', 'keep'], answers: [], taken: false, questions: 0 },
    { args: ['--on-conflict', 'take'], answers: [], taken: true, questions: 0 },
    { args: ['--on-conflict', 'ask'], answers: [true], taken: true, questions: 1 },
    { args: ['--on-conflict', 'ask'], answers: [false], taken: false, questions: 1 },
  ])('decides about another certificate by $args and $answers', async ({ args, answers, taken, questions }) => {
    const { tofu, known, file, first, second } = await conflict()
    const result = await tofu(['import', file, ...args, '--json'], { answers })
    expect(result.json()).toMatchObject({
      conflictCount: 1,
      conflicts: [{ endpoint: 'example.org:1965', pinned: first.fingerprint, offered: second.fingerprint, taken }],
      updated: taken ? 1 : 0,
    })
    expect(result.questions).toHaveLength(questions)
    for (const question of result.questions) {
      expect(question).toBe(
        `example.org:1965 is pinned to\n  ${first.fingerprint} since 2030-06-01, on 1 day\nand the list says\n  ${second.fingerprint}\nTake it?`,
      )
    }
    const now = await known((opened) => opened.getHostInfo(EXAMPLE))
    expect(now?.fingerprint).toBe(taken ? second.fingerprint : first.fingerprint)
  })

  it('refuses to ask where nobody is, and imports nothing', async () => {
    const { tofu, file } = await conflict()
    expect(await tofu(['import', file, '--on-conflict', 'ask'])).toMatchObject({ code: 2, stdout: '' })
  })

  it('tells what a replacing import would lose, and does it after a yes only', async () => {
    const { tofu, known, file, first } = await conflict()
    await tofu(['trust', 'mine.example', '--cert', first.file])
    const declined = await tofu(['import', file, '--replace'], { answers: [false] })
    expect(declined.code).toBe(1)
    expect(declined.questions[0]).toMatch(
      /^1 server would be forgotten, and 1 pinned to another certificate\. Replace /,
    )
    expect(await known((opened) => opened.listHosts())).toHaveLength(2)
    const done = await tofu(['import', file, '--replace', '--force', '--json'])
    expect(done.json()).toMatchObject({ updated: 1, removed: 1 })
    expect(await known((opened) => opened.listHosts())).toHaveLength(1)
  })

  it('lists every mistake of a file, and imports nothing of it, or what can be used', async () => {
    const { tofu, home, first } = await world()
    const file = join(home, 'trusted.2.txt')
    const digits = first.fingerprint.slice('sha256:'.length)
    const line = `example.org;1965 ${Date.UTC(2031, 0, 1) / 1000} ${digits}`
    await writeFile(file, `${line}\nbad.example;1965 never ${digits}\nworse.example;1965 1924992000 abc\n`)
    const refused = await tofu(['import', file, '--format', 'lagrange'])
    expect(refused).toMatchObject({ code: 3, stdout: '' })
    expect(refused.stderr).toMatch(/line 2: .*\n.*line 3: /)
    expect((await tofu(['import', file, '--format', 'lagrange', '--json'])).json()).toMatchObject({
      error: { code: 'ERR_TLACACOCA_IMPORT_INVALID', problems: [{ line: 2 }, { line: 3 }] },
    })
    const done = await tofu(['import', file, '--format', 'lagrange', '--skip-unusable'])
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout).toMatch(/1 added.*\n2 entries cannot be used:/)
    expect((await tofu(['list', '--json'])).json()).toMatchObject([{ host: 'example.org' }])
  })

  it('writes into the file of another program, and keeps what it does not know', async () => {
    const { tofu, home, first } = await world()
    const file = join(home, 'known_hosts')
    await tofu(['trust', 'example.org', '--cert', first.file])
    await tofu(['export', file, '--format', 'lagrange'])
    const before = await readFile(file, 'utf8')
    await tofu(['trust', 'other.example', '--cert', first.file])
    const done = await tofu(['export', file, '--format', 'lagrange', '--update', '--json'])
    expect(done.json()).toMatchObject({ hosts: 2, leftOutCount: 0 })
    expect((await readFile(file, 'utf8')).startsWith(before)).toBe(true)
    await tofu(['distrust', 'third.example', '--cert', first.file])
    const left = await tofu(['export', file, '--format', 'lagrange', '--update'])
    expect(left.stdout).toContain('1 pin was left out:\n  third.example:1965: ')
  })

  it('imports a signed list if the right key signed it, and only then', async () => {
    const friend = await world()
    const { tofu, first } = await world()
    await friend.tofu(['trust', 'example.org', '--cert', friend.first.file])
    const file = join(friend.home, 'hosts.toml')
    const signed = await friend.tofu(['export', file, '--sign', friend.first.keyFile, '--json'])
    const signedBy = friend.first.certificate.publicKeyFingerprint
    expect(signed.json()).toMatchObject({ hosts: 1, signature: `${file}.sig`, signedBy })

    const import_ = (...args: string[]) => tofu(['import', file, ...args])
    const other = first.certificate.publicKeyFingerprint
    expect(await import_('--signed-by', other, '--vouched-by', 'Ana')).toMatchObject({ code: 3, stdout: '' })
    expect(await import_('--signed-by', signedBy)).toMatchObject({ code: 2 })
    expect(await import_('--vouched-by', 'Ana')).toMatchObject({ code: 2 })
    expect(await import_('--signed-by', first.fingerprint, '--vouched-by', 'Ana')).toMatchObject({ code: 3 })
    expect(await import_('--signed-by', signedBy, '--vouched-by', 'Ana', '--replace')).toMatchObject({ code: 2 })
    expect(await import_('--signed-by', signedBy, '--vouched-by', 'Ana')).toMatchObject({ code: 0 })
    expect((await tofu(['show', 'example.org', '--json'])).json()).toMatchObject({ host: { source: 'vouched by Ana' } })

    await writeFile(file, `${await readFile(file, 'utf8')}\n# changed\n`)
    expect(await import_('--signed-by', signedBy, '--vouched-by', 'Ana')).toMatchObject({ code: 3 })
  })

  it.each([
    { what: 'two ways to write at once', args: ['export', 'x', '--update', '--overwrite'], code: 2 },
    { what: 'an update of TOML', args: ['export', 'x', '--update'], code: 2 },
    {
      what: 'a signature of the list of another program',
      args: ['export', 'x', '--format', 'gmni', '--sign', 'k'],
      code: 2,
    },
    { what: 'a place for no signature', args: ['export', 'x', '--signature', 'y'], code: 2 },
    { what: 'a format that is not written', args: ['export', 'x', '--format', 'bombadillo'], code: 2 },
    { what: 'a conflict rule that there is not', args: ['import', 'x', '--on-conflict', 'maybe'], code: 2 },
    { what: 'a replacement with gaps', args: ['import', 'x', '--replace', '--skip-unusable'], code: 2 },
    { what: 'a file that is not there', args: ['import', '/nowhere/hosts.toml'], code: 5 },
    { what: 'a file of nobody', args: ['import', import.meta.filename], code: 3 },
  ])('refuses $what with exit code $code', async ({ args, code }) => {
    const { tofu, first } = await world()
    await tofu(['trust', 'example.org', '--cert', first.file])
    const result = await tofu(args)
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(/^error: /)
  })
})

describe('as a process', () => {
  it.skipIf(!HAS_PSEUDO_TERMINALS)(
    'asks at a terminal, and leaves the pin alone after a no',
    async () => {
      const { home, store, first, second, tofu, known } = await world()
      await tofu(['trust', 'example.org', '--cert', first.file])
      const args = ['tofu', '--store', store, 'trust', 'example.org', '--cert', second.file]
      const env = { HOME: home, TERM: 'xterm' }
      const declined = await runInTerminal([...CLI_COMMAND, ...args], [{ after: 'instead?', type: 'n' }], { env })
      expect(declined).toMatchObject({ code: 1, echoes: true })
      expect(declined.screen).toContain(first.fingerprint)
      expect(declined.screen).toContain('nothing was changed')
      expect((await known((opened) => opened.getHostInfo(EXAMPLE)))?.fingerprint).toBe(first.fingerprint)
      const accepted = await runInTerminal([...CLI_COMMAND, ...args], [{ after: 'instead?', type: 'y' }], { env })
      expect(accepted).toMatchObject({ code: 0, echoes: true })
      expect((await known((opened) => opened.getHostInfo(EXAMPLE)))?.fingerprint).toBe(second.fingerprint)
    },
    60_000,
  )

  it('finds its store by HOME and ends with the documented codes', async () => {
    const home = await temporaryHome()
    const { file, certPem } = await certificateIn(home, 'first')
    expect(await spawnCli(['tofu', 'trust', 'example.org', '--cert', file], { home }).ended).toMatchObject({ code: 0 })
    const listed = await spawnCli(['tofu', 'list', '--json'], { home }).ended
    expect(JSON.parse(listed.stdout)).toMatchObject([{ endpoint: 'example.org:1965' }])
    const check = await spawnCli(['tofu', 'check', 'example.org', '--cert', '-'], { home, stdin: certPem }).ended
    expect(check).toMatchObject({ code: 0, stderr: '' })
    const clear = await spawnCli(['tofu', 'clear'], { home, stdin: 'y\n' }).ended
    expect(clear).toMatchObject({ code: 2, stdout: '' })
    expect(await spawnCli(['tofu', 'clear', '--force'], { home }).ended).toMatchObject({ code: 0 })
  }, 60_000)
})
