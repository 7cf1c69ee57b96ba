import { readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  loadCertificate,
  loadPrivateKey,
  parseCertificates,
  parseFingerprint,
  parseFingerprintQrText,
  parseFingerprintWords,
  parseTlsaRecord,
} from '../../src/certificate/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { CLI_NOW, type CliOptions, runCli } from '../support/cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** A folder with a certificate and its key, as the command makes them. */
async function made(args: readonly string[] = ['example.org'], options: CliOptions = {}) {
  const folder = await temporaryFolder()
  const result = await runCli(['cert', 'new', ...args, '--out', folder, '--json'], options)
  expect(result.code, result.stdout).toBe(0)
  return { folder, cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), result }
}

const DAY = 86_400_000
const later = (days: number): CliOptions => ({ now: CLI_NOW + days * DAY })
const modeOf = async (path: string) => (await stat(path)).mode & 0o777

describe('cert new', () => {
  it('makes a certificate and a key that nobody else can read', async () => {
    const { cert, key, result } = await made(['example.org', '*.example.org', '192.0.2.1'])
    const certificate = await loadCertificate(cert)
    expect(certificate.subjectAltNames).toMatchObject({ dns: ['example.org', '*.example.org'], ip: ['192.0.2.1'] })
    expect(certificate.notAfter).toEqual(new Date(CLI_NOW + 365 * DAY))
    expect([await modeOf(cert), await modeOf(key)]).toEqual([0o644, 0o600])
    expect(result.json()).toMatchObject({
      certFile: cert,
      keyFile: key,
      encrypted: false,
      certificate: { commonName: 'example.org', key: { type: 'ec', curve: 'P-256' } },
    })
  })

  it('says in words where everything is, and never the key', async () => {
    const folder = await temporaryFolder()
    const { code, stdout, stderr } = await runCli(['cert', 'new', 'example.org', '--out', folder])
    const { fingerprint } = await loadCertificate(join(folder, 'cert.pem'))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const said of [join(folder, 'key.pem'), fingerprint, 'not encrypted']) expect(stdout).toContain(said)
    expect(stdout).not.toContain('PRIVATE')
  })

  it('takes a kind of key, days, names and paths', async () => {
    const folder = await temporaryFolder()
    const [cert, key] = [join(folder, 'a', 'x.crt'), join(folder, 'b', 'x.key')]
    const args = ['--cert', cert, '--key', key, '--key-type', 'Ed25519', '--days', '30', '--organization', 'Club']
    expect((await runCli(['cert', 'new', 'example.org', ...args])).code).toBe(0)
    const certificate = await loadCertificate(cert)
    expect(certificate).toMatchObject({ keyType: 'ed25519', notAfter: new Date(CLI_NOW + 30 * DAY) })
    expect(String(certificate.subject)).toContain('O=Club')
    expect(await modeOf(join(folder, 'b'))).toBe(0o700)
  })

  it('makes a mailbox of Misfin', async () => {
    const { cert } = await made(['--mailbox', 'mary@example.org', '--name', 'Mary Shelley'])
    const certificate = await loadCertificate(cert)
    expect(certificate.subject.valuesOf('UID')).toEqual(['mary'])
    expect(certificate.subject.commonName).toBe('Mary Shelley')
    expect(certificate.subjectAltNames.dns).toEqual(['example.org'])
    expect(certificate.extendedKeyUsage).toEqual(['serverAuth', 'clientAuth'])
  })

  const PASSPHRASE = 'correct horse battery staple'

  it.each([
    { by: 'the variable', args: ['--encrypt'], options: { env: { TLACACOCA_PASSPHRASE: PASSPHRASE } } },
    { by: 'a question, asked twice', args: ['--encrypt'], options: { answers: [PASSPHRASE, PASSPHRASE] } },
  ])('encrypts the key under a passphrase from $by', async ({ args, options }) => {
    const { key, result } = await made(['example.org', ...args], options)
    const pem = await readFile(key, 'utf8')
    expect(pem).toContain('ENCRYPTED PRIVATE KEY')
    await expect(loadPrivateKey(pem, { passphrase: PASSPHRASE })).resolves.toBeDefined()
    expect(result.stdout + result.stderr).not.toContain(PASSPHRASE)
  })

  it('encrypts the key under the first line of a file', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'passphrase')
    await writeFile(file, `${PASSPHRASE}\nnot this\n`)
    const { key } = await made(['example.org', '--passphrase-file', file])
    await expect(loadPrivateKey(await readFile(key), { passphrase: PASSPHRASE })).resolves.toBeDefined()
  })

  it('does not encrypt because a variable happens to be set', async () => {
    const { key } = await made(['example.org'], { env: { TLACACOCA_PASSPHRASE: PASSPHRASE } })
    expect(await readFile(key, 'utf8')).toContain('BEGIN PRIVATE KEY')
  })

  it('overwrites nothing, and touches neither file if one of them is there', async () => {
    const { folder, cert, key } = await made()
    const before = await readFile(key, 'utf8')
    const refused = await runCli(['cert', 'new', 'example.org', '--out', folder])
    expect(refused.code).toBe(5)
    expect(refused.stderr).toContain('ERR_TLACACOCA_FILE_EXISTS')
    expect(await readFile(key, 'utf8')).toBe(before)
    const fingerprint = (await loadCertificate(cert)).fingerprint
    expect((await runCli(['cert', 'new', 'example.org', '--out', folder, '--overwrite'])).code).toBe(0)
    expect((await loadCertificate(cert)).fingerprint).not.toBe(fingerprint)
  })

  it.each([
    { args: [], says: 'say for which host' },
    { args: ['example.org', '--days', '0'], says: '--days expected' },
    { args: ['example.org', '--days', '1e3'], says: '--days expected' },
    { args: ['example.org', '--days', '1000001'], says: '--days expected' },
    { args: ['example.org', '--key-type', 'RSA-512'], says: 'Allowed choices' },
    { args: ['example.org', '--cert', 'a.pem'], says: 'belong together' },
    { args: ['example.org', '--cert', 'a.pem', '--key', 'b.pem', '--out', 'c'], says: 'excludes' },
    { args: ['example.org', '--mailbox', 'mary@example.org'], says: 'no others' },
    { args: ['--mailbox', 'mary'], says: 'user@host' },
    { args: ['--mailbox', '@example.org'], says: 'user@host' },
    { args: ['example.org', '--encrypt'], says: 'needs a passphrase' },
    { args: ['example.org', '--name', 'a'.repeat(65)], says: '0 to 64' },
    { args: ['example.org', '--passphrase', 'secret'], says: 'unknown option' },
  ])('refuses $args as a mistake of usage', async ({ args, says }) => {
    const folder = await temporaryFolder()
    const where = args.includes('--cert') ? [] : ['--out', join(folder, 'new')]
    const { code, stdout, stderr } = await runCli(['cert', 'new', ...args, ...where])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(says)
    await expect(stat(join(folder, 'new'))).rejects.toThrow()
  })

  it.each(['not a host', '*.', 'a..example'])('says what is wrong with %o, and makes nothing', async (host) => {
    const folder = join(await temporaryFolder(), 'new')
    const { code, stderr } = await runCli(['cert', 'new', 'example.org', host, '--out', folder])
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('ERR_TLACACOCA_ENDPOINT_INVALID') })
    await expect(stat(folder)).rejects.toThrow()
  })

  it('refuses two different passphrases, and makes nothing', async () => {
    const folder = await temporaryFolder()
    const answers = [PASSPHRASE, 'another one']
    const result = await runCli(['cert', 'new', 'example.org', '--encrypt', '--out', folder], { answers })
    expect(result.code).toBe(2)
    await expect(stat(join(folder, 'key.pem'))).rejects.toThrow()
  })
})

describe('cert show', () => {
  it('says what is in a certificate, and spells its fingerprint in several ways', async () => {
    const { cert } = await made(['example.org', 'example.net'])
    const certificate = await loadCertificate(cert)
    const { code, stdout } = await runCli(['cert', 'show', cert])
    expect(code).toBe(0)
    for (const said of ['example.org, example.net', 'for 365 more days', certificate.fingerprint, 'SHA-1']) {
      expect(stdout).toContain(said)
    }
    const data = await runCli(['cert', 'show', cert, '--json'])
    const { certificates } = data.json() as { certificates: { spellings: Record<string, string> }[] }
    expect(certificates).toHaveLength(1)
    const spellings = Object.values(certificates[0]?.spellings ?? {})
    expect(spellings).toHaveLength(5)
    for (const text of spellings) expect(parseFingerprint(text)).toBe(certificate.fingerprint)
  })

  it('reads PEM and DER from the standard input', async () => {
    const { certificate, certPem } = await testCertificate()
    for (const stdin of [certPem, certificate.der]) {
      const result = await runCli(['cert', 'show', '-', '--json'], { stdin })
      expect(result.json()).toMatchObject({
        certificates: [{ file: '-', fingerprints: { sha256: certificate.fingerprint } }],
      })
    }
  })

  it('shows every certificate of a chain, of several files and of a folder, but no keys', async () => {
    const [one, two] = [await testCertificate({ host: 'one.example' }), await testCertificate({ host: 'two.example' })]
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'chain.pem'), one.certPem + two.certPem)
    await writeFile(join(folder, 'two.der'), two.certificate.der)
    await writeFile(join(folder, 'key.pem'), one.keyPem)
    await writeFile(join(folder, 'notes.txt'), 'nothing')
    const result = await runCli(['cert', 'show', folder, '--json'])
    expect(result.code).toBe(0)
    const { certificates } = result.json() as { certificates: { file: string; number: number; commonName: string }[] }
    expect(certificates.map(({ file, number, commonName }) => [file, number, commonName])).toEqual([
      [join(folder, 'chain.pem'), 1, 'one.example'],
      [join(folder, 'chain.pem'), 2, 'two.example'],
      [join(folder, 'two.der'), 1, 'two.example'],
    ])
  })

  it('shows what it can, names the rest, and ends as the first failure says', async () => {
    const { cert, folder } = await made()
    const broken = join(folder, 'broken.pem')
    await writeFile(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const { code, stdout } = await runCli(['cert', 'show', cert, broken])
    expect(code).toBe(3)
    expect(stdout).toContain('example.org')
    expect(stdout).toContain(broken)
    const data = await runCli(['cert', 'show', cert, broken, '--json'])
    expect(data.json()).toMatchObject({ problems: [{ file: broken, code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }] })
  })

  it.each([
    { what: 'nothing', stdin: '', code: 3 },
    { what: 'text', stdin: 'hello', code: 3 },
    { what: 'half a certificate', stdin: Buffer.from('3082000100', 'hex'), code: 3 },
    { what: 'more than any certificate', stdin: 'x'.repeat(1024 * 1024 + 1), code: 5 },
  ])('refuses $what', async ({ stdin, code }) => {
    const result = await runCli(['cert', 'show', '-'], { stdin })
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(/^error: .*\[ERR_TLACACOCA_/)
  })

  it('says so if a file is not there', async () => {
    const result = await runCli(['cert', 'show', '/nowhere/cert.pem', '--json'])
    expect(result.code).toBe(5)
    expect(result.json()).toMatchObject({ error: { code: 'ERR_TLACACOCA_FILE_NOT_FOUND' } })
  })

  it('ends with 1 for a folder in which there is no certificate', async () => {
    const empty = await temporaryFolder()
    expect(await runCli(['cert', 'show', empty])).toMatchObject({ code: 1, stdout: 'There is no certificate.\n' })
    const data = await runCli(['cert', 'show', empty, '--json'])
    expect(data.code).toBe(1)
    expect(data.json()).toEqual({ certificates: [], problems: [] })
  })

  it('lets no certificate steer the terminal', async () => {
    const { certPem } = await testCertificate({ commonName: 'a\u202eb' })
    const { stdout } = await runCli(['cert', 'show', '-'], { stdin: certPem })
    expect(stdout).not.toContain('\u202e')
  })
})

describe('a file that holds something else', () => {
  it.each([
    { what: 'nothing', content: '' },
    { what: 'text', content: 'hello\n' },
    { what: 'binary junk', content: Buffer.from([0, 1, 2, 255, 254]) },
    { what: 'half a certificate', content: Buffer.from([0x30, 0x82, 0x01, 0x00, 0x30]) },
  ])('is named where there is $what in it', async ({ content }) => {
    const { cert, key, folder } = await made()
    const file = join(folder, 'other')
    await writeFile(file, content)
    const commands = [
      ['show', file],
      ['fingerprint', file],
      ['rotate', file, '--key', key],
      ['renew', cert, '--key', file],
    ]
    for (const args of commands) {
      const { code, stderr } = await runCli(['cert', ...args])
      expect({ code, stderr }, args.join(' ')).toEqual({ code: 3, stderr: expect.stringContaining(`error: ${file}: `) })
    }
    const read = await runCli(['cert', 'show', '-'], { stdin: content })
    expect(read).toMatchObject({ code: 3, stderr: expect.stringMatching(/^error: the standard input: /) })
  })
})

describe('cert check', () => {
  it('finds nothing wrong with a new certificate and its key', async () => {
    const { cert, key } = await made()
    const result = await runCli(['cert', 'check', cert, '--key', key, '--host', 'example.org', '--within', '30'])
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.stdout).toContain('all is well')
  })

  it('says of a folder that it is one, and what reads it', async () => {
    const { folder } = await made()
    const { code, stdout } = await runCli(['cert', 'check', folder])
    const reason = `cannot read ${folder}: EISDIR: it is a folder, and no file`
    expect(code).toBe(1)
    expect(stdout).toBe(`unreadable: ${reason} (name a file in it; cert show reads whole folders)\n`)
    expect((await runCli(['cert', 'check', folder, '--json'])).json()).toMatchObject({
      problems: [{ code: 'unreadable', message: reason }],
    })
  })

  it('lists everything that is wrong at once, and ends with 1', async () => {
    const { cert } = await made(['example.org', '--days', '10'])
    const other = await made()
    const args = ['cert', 'check', cert, '--key', other.key, '--host', 'example.net', '--host', 'example.org', '--json']
    const result = await runCli(args, later(11))
    expect(result.code).toBe(1)
    expect(result.json()).toMatchObject({
      valid: false,
      problems: [
        { code: 'expired' },
        { code: 'key_mismatch' },
        { code: 'wrong_host', message: 'it is not for example.net' },
      ],
    })
  })

  it.each([
    { within: '9', codes: [] },
    { within: '11', codes: ['expires_soon'] },
  ])('looks $within days ahead', async ({ within, codes }) => {
    const { cert } = await made(['example.org', '--days', '10'])
    const result = await runCli(['cert', 'check', cert, '--within', within, '--json'])
    const { problems } = result.json() as { problems: { code: string }[] }
    expect(problems.map(({ code }) => code)).toEqual(codes)
  })

  it('checks for another day', async () => {
    const { cert } = await made()
    expect((await runCli(['cert', 'check', cert, '--at', '2031-05-31'])).code).toBe(0)
    expect((await runCli(['cert', 'check', cert, '--at', '2031-06-02'])).code).toBe(1)
    expect((await runCli(['cert', 'check', cert, '--at', 'tomorrow'])).code).toBe(2)
  })

  it('asks for a passphrase only if the key is encrypted', async () => {
    const PASSPHRASE = 'correct horse battery staple'
    const plain = await made()
    const asked = await runCli(['cert', 'check', plain.cert, '--key', plain.key], { answers: [] })
    expect(asked).toMatchObject({ code: 0, questions: [] })
    const { cert, key } = await made(['example.org', '--encrypt'], { answers: [PASSPHRASE, PASSPHRASE] })
    expect((await runCli(['cert', 'check', cert, '--key', key], { answers: [PASSPHRASE] })).code).toBe(0)
    for (const [options, code] of [
      [{}, 'key_encrypted'],
      [{ answers: ['wrong'] }, 'key_passphrase_wrong'],
    ] as const) {
      const result = await runCli(['cert', 'check', cert, '--key', key, '--json'], options)
      expect(result.json()).toMatchObject({ valid: false, problems: [{ code }] })
    }
  })

  it.each([['missing'], ['not_pem']])('has %s among its answers', async (code) => {
    const folder = await temporaryFolder()
    if (code === 'not_pem') await writeFile(join(folder, 'x.pem'), 'hello')
    const result = await runCli(['cert', 'check', join(folder, 'x.pem'), '--host', 'example.org', '--json'])
    expect(result.code).toBe(1)
    expect(result.json()).toMatchObject({ problems: [{ code }] })
  })

  it('takes a chain only if it is said to be one', async () => {
    const folder = await temporaryFolder()
    const [one, two] = [await testCertificate(), await testCertificate()]
    await writeFile(join(folder, 'chain.pem'), one.certPem + two.certPem)
    const at = ['--at', new Date().toISOString()]
    expect((await runCli(['cert', 'check', join(folder, 'chain.pem'), ...at])).code).toBe(1)
    expect((await runCli(['cert', 'check', join(folder, 'chain.pem'), '--chain', ...at])).code).toBe(0)
  })
})

describe('cert renew', () => {
  it('asks, and puts a certificate for the same key in the place of the old one', async () => {
    const { cert, key } = await made()
    const old = await loadCertificate(cert)
    const result = await runCli(['cert', 'renew', cert, '--key', key, '--days', '90'], {
      ...later(300),
      answers: [true],
    })
    expect(result.code).toBe(0)
    expect(result.questions[0]).toContain('2031-06-01')
    const renewed = await loadCertificate(cert)
    expect(renewed.publicKeyFingerprint).toBe(old.publicKeyFingerprint)
    expect(renewed.notAfter).toEqual(new Date(CLI_NOW + 390 * DAY))
    for (const said of [old.fingerprint, renewed.fingerprint]) expect(result.stdout).toContain(said)
  })

  it.each([
    { how: 'somebody says no', options: { answers: [false] }, code: 1 },
    { how: 'nobody can be asked', options: {}, code: 2 },
  ])('changes nothing if $how', async ({ options, code }) => {
    const { cert, key } = await made()
    const before = await readFile(cert, 'utf8')
    expect((await runCli(['cert', 'renew', cert, '--key', key], options)).code).toBe(code)
    expect(await readFile(cert, 'utf8')).toBe(before)
  })

  it('writes to another file without asking, and overwrites none', async () => {
    const { cert, key, folder } = await made()
    const args = ['cert', 'renew', cert, '--key', key, '--out', join(folder, 'new.pem')]
    expect((await runCli(args)).code).toBe(0)
    expect((await runCli(args)).code).toBe(5)
    expect((await runCli([...args, '--overwrite', '--json'])).code).toBe(0)
  })

  it.each([
    { what: 'the key of another', code: 'ERR_TLACACOCA_KEY_MISMATCH' },
    { what: 'no key', code: 'ERR_TLACACOCA_KEY_MALFORMED' },
  ])('refuses $what', async ({ what, code }) => {
    const { cert } = await made()
    const key = what === 'no key' ? cert : (await made()).key
    const result = await runCli(['cert', 'renew', cert, '--key', key, '--force', '--json'])
    expect(result.code).toBe(3)
    expect(result.json()).toMatchObject({ error: { code } })
  })

  it('does not write through a symbolic link', async () => {
    const { cert, key, folder } = await made()
    await symlink(cert, join(folder, 'link.pem'))
    expect((await runCli(['cert', 'renew', join(folder, 'link.pem'), '--key', key, '--force'])).code).toBe(5)
  })

  it('opens an encrypted key', async () => {
    const PASSPHRASE = 'correct horse battery staple'
    const { cert, key } = await made(['example.org', '--encrypt'], { answers: [PASSPHRASE, PASSPHRASE] })
    const result = await runCli(['cert', 'renew', cert, '--key', key], { answers: [PASSPHRASE, true] })
    expect(result).toMatchObject({ code: 0, questions: [`Passphrase for ${key}`, expect.stringContaining('Replace')] })
    expect((await runCli(['cert', 'renew', cert, '--key', key, '--force'])).code).toBe(3)
  })
})

describe('cert rotate', () => {
  it('makes a new key that the old one vouches for, beside the old files', async () => {
    const { cert, key, folder } = await made()
    const result = await runCli(['cert', 'rotate', cert, '--key', key, '--json'])
    expect(result.code).toBe(0)
    const [next, old, ...others] = parseCertificates(await readFile(join(folder, 'next-cert.pem'), 'utf8'))
    expect(others).toEqual([])
    expect(old?.fingerprint).toBe((await loadCertificate(cert)).fingerprint)
    expect(next?.publicKeyFingerprint).not.toBe(old?.publicKeyFingerprint)
    expect(await modeOf(join(folder, 'next-key.pem'))).toBe(0o600)
    expect(result.json()).toMatchObject({ formerFingerprint: old?.fingerprint, encrypted: false })
    // The pair works, and a second rotation does not replace it unasked.
    const at = ['--chain', '--key', join(folder, 'next-key.pem')]
    expect((await runCli(['cert', 'check', join(folder, 'next-cert.pem'), ...at])).code).toBe(0)
    expect((await runCli(['cert', 'rotate', cert, '--key', key])).code).toBe(5)
  })

  it('keeps the passphrase, and takes another kind of key and another folder', async () => {
    const PASSPHRASE = 'correct horse battery staple'
    const env = { TLACACOCA_PASSPHRASE: PASSPHRASE }
    const { cert, key, folder } = await made(['example.org', '--encrypt'], { env })
    const args = ['--out', join(folder, 'next'), '--key-type', 'Ed25519', '--days', '30']
    expect((await runCli(['cert', 'rotate', cert, '--key', key, ...args], { env })).code).toBe(0)
    const pem = await readFile(join(folder, 'next', 'next-key.pem'), 'utf8')
    expect((await loadPrivateKey(pem, { passphrase: PASSPHRASE })).asymmetricKeyType).toBe('ed25519')
  })

  it('says how what it wrote is looked at again, and that finds it in order', async () => {
    const { cert, key, folder } = await made()
    const { stdout } = await runCli(['cert', 'rotate', cert, '--key', key])
    const [, printed = ''] = /tlacacoca (cert check .*)/.exec(stdout) ?? []
    expect(await runCli(printed.split(' '))).toMatchObject({ code: 0 })
    const hint = await runCli(['cert', 'check', join(folder, 'next-cert.pem')])
    expect(hint).toMatchObject({ code: 1, stdout: expect.stringContaining('say --chain') })
  })

  it('refuses a mailbox, whose next certificate its server issues', async () => {
    const { cert, key } = await made(['--mailbox', 'mary@example.org'])
    const result = await runCli(['cert', 'rotate', cert, '--key', key])
    expect(result.code).toBe(3)
    expect(result.stderr).toContain('ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED')
  })
})

describe('cert fingerprint', () => {
  it('prints the fingerprint and nothing else', async () => {
    const { cert } = await made()
    const certificate = await loadCertificate(cert)
    const line = async (...args: string[]) => (await runCli(['cert', 'fingerprint', cert, ...args])).stdout.trimEnd()
    expect(await line()).toBe(certificate.fingerprint)
    expect(await line('--public-key')).toBe(certificate.publicKeyFingerprint)
    expect(await line('--sha512')).toBe(certificate.sha512Fingerprint)
    expect(parseFingerprint(await line('--style', 'openssh'))).toBe(certificate.fingerprint)
    expect(parseFingerprintWords(await line('--words'))).toBe(certificate.fingerprint)
    expect(parseFingerprintWords(await line('--words', '--public-key'))).toBe(certificate.publicKeyFingerprint)
    expect((await line('--drawing')).split('\n')).toHaveLength(11)
    const tlsa = parseTlsaRecord(await line('--tlsa', '--public-key', '--host', 'example.net:1966'))
    expect([String(tlsa.endpoint), tlsa.fingerprint]).toEqual(['example.net:1966', certificate.publicKeyFingerprint])
    const qr = parseFingerprintQrText(await line('--qr'))
    expect([String(qr.endpoint), qr.fingerprint]).toEqual(['example.org:1965', certificate.fingerprint])
  })

  it.each([
    [['--words', '--qr']],
    [['--style', 'nonsense']],
    [['--sha512', '--words']],
    [['--tlsa', '--host', '192.0.2.1']],
    [['--sha512', '--public-key']],
  ])('refuses %j', async (args) => {
    const { cert } = await made()
    expect(await runCli(['cert', 'fingerprint', cert, ...args])).toMatchObject({ code: 2, stdout: '' })
  })

  it('asks for a host where the certificate has none', async () => {
    const { cert } = await made(['*.example.org'])
    const result = await runCli(['cert', 'fingerprint', cert, '--qr'])
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('--host') })
  })
})
