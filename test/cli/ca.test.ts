// `tlacacoca ca`: what it prints, what it asks, what the authority has done, and how it ends. What it signs is looked at by
// openssl.

import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { access, chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { testCertificate } from '../support/certificates.ts'
import { type CliOptions, runCli, temporaryHome } from '../support/cli.ts'
import { spawnCli, startCli } from '../support/cli-process.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'

/** Nobody keeps root from reading, and Windows has other permissions. */
const MAY_READ_ALL = process.platform === 'win32' || process.getuid?.() === 0

const PASSPHRASE = 'correct horse battery staple'

interface Issued {
  readonly serialNumber: string
  readonly certificatePem: string
  readonly chainPem: string
}

/** An authority whose key is open, because opening one takes longer than everything else. Its time is the real one. */
async function world(options: { readonly now?: number } = {}) {
  const home = await temporaryHome()
  const directory = join(home, 'ca')
  const { now = Date.now() } = options
  const bare = (args: readonly string[], more: CliOptions = {}) => runCli(['ca', ...args], { home, now, ...more })
  const ca = (args: readonly string[], more: CliOptions = {}) => bare(['--directory', directory, ...args], more)
  const made = await bare([
    'init',
    directory,
    '--subject',
    'O=The club',
    '--subject',
    'CN=Club',
    '--dangerously-unencrypted',
  ])
  expect(made.code).toBe(0)
  const root = join(directory, 'ca.cert.pem')
  const csr = join(home, 'request.csr')
  const newRequest = async () => (await createCertificateRequest({ subject: [['CN', 'whatever']] })).requestPem
  await writeFile(csr, await newRequest())
  const sign = async (...args: string[]) => {
    const result = await ca(['sign', '-', '--subject', 'CN=Ana', ...args, '--json'], { stdin: await newRequest() })
    expect(result.code, result.stdout).toBe(0)
    return result.json() as Issued
  }
  return { home, directory, root, csr, bare, ca, sign, newRequest, now }
}

describe('ca init and ca adopt', () => {
  it('makes an authority under a passphrase, and says what it is', async () => {
    const home = await temporaryHome()
    const [directory, secret] = [join(home, 'ca'), join(home, 'secret')]
    await writeFile(secret, `${PASSPHRASE}\n`, { mode: 0o600 })
    const init = (...args: string[]) =>
      runCli(['ca', 'init', directory, '--passphrase-file', secret, ...args], { home, now: Date.now() })
    const made = await init('--subject', 'C=MX', '--subject', 'CN=a=b', '--validity', '3y', '--key', 'P-384', '--json')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(made.json()).toMatchObject({ subject: 'CN=a=b,C=MX', key: 'P-384', pathLength: 1, above: [] })
    const key = join(directory, 'ca.private_key.pem')
    expect((await stat(key)).mode & 0o777).toBe(0o600)
    expect(openssl(['pkey', '-in', key, '-passin', `pass:${PASSPHRASE}`, '-noout', '-text'])).toContain('P-384')
    expect(openssl(['x509', '-in', join(directory, 'ca.cert.pem'), '-noout', '-subject'])).toContain('CN = a=b')

    const before = await readFile(key, 'utf8')
    expect(await init('--subject', 'CN=another')).toMatchObject({ code: 5, stdout: '' })
    expect(await readFile(key, 'utf8')).toBe(before)

    const adopted = await runCli(['ca', 'adopt', directory, '--passphrase-file', secret], { home, now: Date.now() })
    expect(adopted).toMatchObject({ code: 0, stderr: '' })
    expect(adopted.stdout).toMatch(/^authority: +CN=a=b,C=MX$/m)
    await writeFile(secret, 'another\n')
    expect(await runCli(['ca', 'adopt', directory, '--passphrase-file', secret], { home })).toMatchObject({ code: 3 })
  })

  it('warns of a key that is not encrypted, beside the result', async () => {
    const { directory, bare } = await world()
    const adopted = await bare(['adopt', directory, '--json'])
    expect(adopted.stderr).toMatch(/^warning: the key in .* is not encrypted\n$/)
    expect(adopted.json()).toMatchObject({ subject: 'CN=Club,O=The club' })
  })

  it('adopts what openssl made, and changes none of its files', async () => {
    const home = await temporaryHome()
    const [key, cert] = [join(home, 'ca.private_key.pem'), join(home, 'ca.cert.pem')]
    const keyUsage = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign']
    openssl([
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '365'],
      ...['-subj', '/CN=ca.net', '-keyout', key, '-out', cert, ...keyUsage],
    ])
    await chmod(key, 0o600)
    const before = [await readFile(key, 'utf8'), await readFile(cert, 'utf8')]
    const adopted = await runCli(['ca', 'adopt', home, '--json'], { now: Date.now() })
    expect(adopted.json()).toMatchObject({ subject: 'CN=ca.net', pathLength: null })
    expect([await readFile(key, 'utf8'), await readFile(cert, 'utf8')]).toEqual(before)
  })

  it.each([
    { what: 'no name', args: [], code: 2 },
    { what: 'a field without a type', args: ['--subject', 'ca.net'], code: 2 },
    { what: 'a type that there is not', args: ['--subject', 'Q=ca.net'], code: 2 },
    { what: 'a country of three letters', args: ['--subject', 'C=USA'], code: 2 },
    { what: 'a time without a unit', args: ['--subject', 'CN=ca.net', '--validity', '10'], code: 2 },
    { what: 'a time beyond all', args: ['--subject', 'CN=ca.net', '--validity', '9999y'], code: 2 },
    { what: 'a key that there is not', args: ['--subject', 'CN=ca.net', '--key', 'DSA'], code: 2 },
    { what: 'a path length that is none', args: ['--subject', 'CN=ca.net', '--path-length', '-1'], code: 2 },
    {
      what: 'a passphrase that is not there',
      args: ['--subject', 'CN=ca.net', '--passphrase-file', '/nowhere'],
      code: 5,
    },
    {
      what: 'a passphrase for nothing',
      args: ['--subject', 'CN=ca.net', '--passphrase-file', '/nowhere', '--dangerously-unencrypted'],
      code: 2,
    },
  ])('makes nothing for $what, and ends with $code', async ({ args, code }) => {
    const home = await temporaryHome()
    const result = await runCli(['ca', 'init', join(home, 'ca'), ...args], { home })
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(/^error: /)
    await expect(access(join(home, 'ca'))).rejects.toThrow('ENOENT')
  })

  it('refuses a directory that holds no authority, or an exposed one', async () => {
    const { bare, directory, home } = await world()
    expect(await bare(['adopt', home])).toMatchObject({ code: 5, stdout: '' })
    expect(await bare(['adopt', '/nowhere'])).toMatchObject({ code: 5, stdout: '' })
    await chmod(join(directory, 'ca.private_key.pem'), 0o644)
    expect(await bare(['adopt', directory])).toMatchObject({ code: 3, stdout: '' })
  })
})

describe('ca sign', () => {
  it('prints a certificate that openssl verifies, for a request from a file or the standard input', async () => {
    const { ca, csr, root, home } = await world()
    const printed = await ca(['sign', csr, '--subject', 'CN=Ana', '--days', '30'])
    expect(printed.code).toBe(0)
    expect(openssl(['verify', '-CAfile', root], printed.stdout)).toContain('OK')
    expect(openssl(['x509', '-noout', '-subject'], printed.stdout)).toContain('CN = Ana')
    const der = join(home, 'request.der')
    openssl(['req', '-in', csr, '-outform', 'der', '-out', der])
    expect(openssl(['verify', '-CAfile', root], (await ca(['sign', der, '--subject', 'CN=Ana'])).stdout)).toContain(
      'OK',
    )
    const piped = await ca(['sign', '-', '--subject', 'CN=Bea', '--chain'], { stdin: await readFile(csr) })
    expect(piped.stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    expect(openssl(['verify', '-CAfile', root], piped.stdout)).toContain('OK')
  })

  it('signs for a server, and by names of every kind', async () => {
    const { ca, csr, root } = await world()
    const args = [
      'sign',
      csr,
      '--profile',
      'server',
      '--san',
      'dns:EXAMPLE.org',
      '--san',
      'ip:::1',
      '--san',
      'dns:b.example',
    ]
    const { stdout } = await ca(args)
    expect(
      openssl(['verify', '-CAfile', root, '-purpose', 'sslserver', '-verify_hostname', 'b.example'], stdout),
    ).toContain('OK')
    expect(openssl(['x509', '-noout', '-ext', 'subjectAltName'], stdout)).toContain('IP Address:0:0:0:0:0:0:0:1')
  })

  it('writes it to a file, and overwrites nothing', async () => {
    const { ca, csr, home, root } = await world()
    const out = join(home, 'ana.pem')
    const written = await ca(['sign', csr, '--subject', 'CN=Ana', '--out', out])
    expect(written.stdout).toMatch(/^serial number: [0-9a-f]+$/m)
    expect(written.stdout).toContain(`It is in ${out}.`)
    expect(opensslSucceeds(['verify', '-CAfile', root, out])).toBe(true)
    const before = await readFile(out, 'utf8')
    expect(await ca(['sign', csr, '--subject', 'CN=Bea', '--out', out])).toMatchObject({ code: 5, stdout: '' })
    expect(await readFile(out, 'utf8')).toBe(before)
    expect(await ca(['sign', csr, '--subject', 'CN=Bea', '--out', out, '--overwrite'])).toMatchObject({ code: 0 })
  })

  it('signs an authority below, which openssl takes as one', async () => {
    const { ca, csr, root, home } = await world()
    const out = join(home, 'below.pem')
    await ca(['sign', csr, '--intermediate', '--subject', 'CN=Below', '--path-length', '0', '--out', out])
    expect(openssl(['x509', '-in', out, '-noout', '-ext', 'basicConstraints'])).toContain('CA:TRUE, pathlen:0')
    expect(opensslSucceeds(['verify', '-CAfile', root, out])).toBe(true)
  })

  it('asks the hooks of a configuration, and takes its profiles and serial numbers', async () => {
    const { ca, csr, home } = await world()
    const config = join(home, 'my-ca.mjs')
    await writeFile(
      config,
      `let next = 0
      export default ({ SigningHooks, defineProfile }) => ({
        hooks: (context) => new (class extends SigningHooks {
          authorize() {
            return this.clientHash === 'f00d' ? { allow: true, subject: [['OU', 'hooked']] } : undefined
          }
        })(context),
        profiles: [defineProfile({
          name: 'moderators',
          names: { subject: ['OU'] },
          validity: { default: '7d', max: '30d' },
          keyUsage: ['digitalSignature'],
          extendedKeyUsage: ['clientAuth'],
        })],
        defaultProfile: 'moderators',
        serialNumberGenerator: () => '42'.repeat(8),
      })`,
    )
    const signed = await ca(['sign', csr, '--config', config, '--client-hash', 'f00d', '--json'])
    expect(signed.json()).toMatchObject({ subject: 'OU=hooked', profile: 'moderators', serialNumber: '42'.repeat(8) })
    expect(await ca(['sign', csr, '--config', config, '--client-hash', 'beef'])).toMatchObject({ code: 3, stdout: '' })
  })

  it('takes the configuration that its page in the documentation shows', async () => {
    const { ca, csr, home } = await world()
    const page = await readFile(new URL('../../docs/reference/command.md', import.meta.url), 'utf8')
    const config = join(home, 'my-ca.mjs')
    await writeFile(config, /^```mjs\n([\s\S]*?)^```$/m.exec(page)?.[1] ?? '')
    const args = ['sign', csr, '--config', config, '--json', '--client-hash']
    expect((await ca([...args, '5f2b9c0d3e'])).json()).toMatchObject({ subject: 'CN=Ana', profile: 'customers' })
    expect(await ca([...args, 'somebody'])).toMatchObject({ code: 3 })
  })

  it.each([
    { what: 'nothing', text: '' },
    { what: 'a typo', text: 'export default { hook: () => {} }' },
    { what: 'no object', text: 'export default 7' },
    { what: 'what is no JavaScript', text: 'export default {' },
    { what: 'hooks that are none', text: 'export default { hooks: 7 }' },
    { what: 'a profile that is none', text: 'export default { profiles: [{ name: 7 }] }' },
    { what: 'a default profile that there is not', text: "export default { defaultProfile: 'x' }" },
    { what: 'what fails when it is called', text: "export default () => { throw new Error('no') }" },
  ])('refuses a configuration that says $what', async ({ text }) => {
    const { ca, csr, home } = await world()
    await writeFile(join(home, 'my-ca.mjs'), text)
    const result = await ca(['sign', csr, '--subject', 'CN=Ana', '--config', join(home, 'my-ca.mjs')])
    expect(result.stdout).toBe('')
    expect([2, 3]).toContain(result.code)
    expect(result.stderr).not.toMatch(/^ +at /m)
  })

  it('names the file of a request that is none, before anybody is asked for the passphrase', async () => {
    const { home, bare } = await world()
    const result = await bare(['sign', import.meta.filename, '--directory', join(home, 'nowhere')])
    expect(result).toMatchObject({ code: 3, stdout: '' })
    expect(result.stderr).toMatch(`error: ${import.meta.filename}: malformed certificate request: `)
  })

  it.each([
    { what: 'a request that is not there', args: ['/nowhere.csr'], code: 5 },
    { what: 'a request that is none', args: [import.meta.filename], code: 3 },
    { what: 'a profile that there is not', args: ['CSR', '--profile', 'emperor'], code: 3 },
    { what: 'longer than the profile allows', args: ['CSR', '--days', '4000'], code: 3 },
    { what: 'two times', args: ['CSR', '--days', '4', '--validity', '4d'], code: 2 },
    { what: 'days that are none', args: ['CSR', '--days', 'many'], code: 2 },
    { what: 'a time without a unit', args: ['CSR', '--validity', '1'], code: 2 },
    { what: 'a name of no kind', args: ['CSR', '--san', 'example.org'], code: 2 },
    { what: 'a name that is none', args: ['CSR', '--profile', 'server', '--san', 'dns:exa mple'], code: 3 },
    { what: 'a field that the profile has not', args: ['CSR', '--subject', 'C=MX'], code: 3 },
    { what: 'a client that is no word', args: ['CSR', '--client-hash', '../x'], code: 2 },
    { what: 'a path length for nobody', args: ['CSR', '--path-length', '0'], code: 2 },
    { what: 'an authority with a profile', args: ['CSR', '--intermediate', '--profile', 'server'], code: 2 },
    {
      what: 'an authority below what may have none',
      args: ['CSR', '--intermediate', '--subject', 'CN=x', '--path-length', '5'],
      code: 3,
    },
    { what: 'a configuration that is not there', args: ['CSR', '--config', '/nowhere.mjs'], code: 2 },
  ])('refuses $what with exit code $code, and signs nothing', async ({ args, code }) => {
    const { ca, csr } = await world()
    const result = await ca(['sign', ...args.map((arg) => (arg === 'CSR' ? csr : arg))])
    expect(result.stdout).toBe('')
    expect(result.stderr).toMatch(/^error: .*/m)
    expect(result.code, result.stderr).toBe(code)
    const listed = await ca(['list', '--json'])
    expect(listed.code === 5 || (listed.json() as unknown[]).length === 0).toBe(true)
  })
})

describe('ca list', () => {
  it.each([
    { what: 'where there is none', path: 'nowhere', says: /^error: there is no .*ca\.db: name the directory of/ },
    {
      what: 'that is a file',
      path: 'request.csr',
      says: /^error: cannot read .*ca\.db: ENOTDIR: .*; name the directory/,
    },
    { what: 'that has signed nothing', path: 'ca', says: /^error: there is no .*ca\.db: .* has signed nothing yet/ },
  ])('says what is the matter with a directory $what', async ({ path, says }) => {
    const { home, bare } = await world()
    const result = await bare(['list', '--directory', join(home, path)])
    expect(result).toMatchObject({ code: 5, stdout: '', stderr: expect.stringMatching(says) })
  })

  it.skipIf(MAY_READ_ALL)('does not say that there is none where it may not look', async () => {
    const { ca, directory } = await world()
    await chmod(directory, 0)
    onTestFinished(() => chmod(directory, 0o700))
    const result = await ca(['list'])
    expect(result).toMatchObject({ code: 5, stdout: '' })
    expect(result.stderr).toMatch(
      /^error: cannot read .*ca\.db: EACCES: permission denied; name the directory .* belongs/,
    )
  })

  it('lists what was issued in that order, and only what was asked for, without a passphrase', async () => {
    const { ca, sign } = await world()
    const one = await sign('--days', '10')
    const two = await sign('--days', '100', '--client-hash', 'f00d')
    await ca(['hold', two.serialNumber])
    const serials = async (...args: string[]) =>
      ((await ca(['list', '--json', ...args])).json() as Issued[]).map(({ serialNumber }) => serialNumber)
    expect(await serials()).toEqual([one.serialNumber, two.serialNumber])
    expect(await serials('--state', 'held')).toEqual([two.serialNumber])
    expect(await serials('--client-hash', 'f00d')).toEqual([two.serialNumber])
    expect(await serials('--expiring-within', '30d')).toEqual([one.serialNumber])
    expect(await serials('--profile', 'server')).toEqual([])
    const { stdout } = await ca(['list'])
    expect(stdout).toMatch(/^SERIAL NUMBER +STATE +PROFILE +EXPIRES +SUBJECT\n/)
    expect(stdout.trimEnd().split('\n')).toHaveLength(3)
    expect((await ca(['list', '--state', 'revoked'])).stdout).toBe('There are no such certificates.\n')
  })

  it('needs the directory of an authority that has issued something', async () => {
    const { home } = await world()
    expect(await runCli(['ca', 'list', '--directory', home])).toMatchObject({ code: 5, stdout: '' })
    expect(await runCli(['ca', 'audit', '--directory', home, '--json'])).toMatchObject({ code: 5 })
  })

  it('finds the directory by the environment', async () => {
    const { directory, sign } = await world()
    await sign()
    const listed = await runCli(['ca', 'list', '--json'], { env: { CA_DIRECTORY: directory } })
    expect(listed.json()).toHaveLength(1)
  })
})

describe('ca revoke, ca hold and ca crl', () => {
  it('asks, and revokes a certificate by its serial number as openssl shows it', async () => {
    const { ca, sign } = await world()
    const { serialNumber, certificatePem } = await sign()
    const shown = openssl(['x509', '-noout', '-serial'], certificatePem).trim().replace('serial=', '')
    const serial = shown.match(/../g)?.join(':') ?? ''
    const declined = await ca(['revoke', serial], { answers: [false] })
    expect(declined).toMatchObject({ code: 1, stdout: '' })
    expect(declined.questions[0]).toMatch(
      /^Revoke the certificate .* of CN=Ana, valid until \d{4}-\d\d-\d\d, for good\?$/,
    )
    expect(await ca(['revoke', serial])).toMatchObject({ code: 2, stdout: '' })
    const done = await ca(['revoke', serial, '--reason', 'superseded', '--by', 'the secretary', '--json'], {
      answers: [true],
    })
    expect(done.json()).toEqual({ revoked: [serialNumber], reason: 'superseded' })
    expect(await ca(['revoke', serial, '--force'])).toMatchObject({ code: 1, stdout: 'It was revoked before.\n' })
    expect((await ca(['list', '--json'])).json()).toMatchObject([
      { state: 'revoked', revocation: { reason: 'superseded' } },
    ])
    expect((await ca(['audit', '--events'])).stdout).toMatch(/revoked +[0-9a-f]+ +the secretary +superseded$/m)
  })

  it('prints a list that openssl reads, verifies, and finds the certificate in', async () => {
    const { ca, sign, root, home } = await world()
    const { serialNumber, certificatePem } = await sign()
    const crl = async (...args: string[]) => (await ca(['crl', ...args])).stdout
    const file = join(home, 'club.crl')
    await writeFile(file, await crl())
    const check = ['verify', '-crl_check', '-CAfile', root, '-CRLfile', file]
    expect(opensslSucceeds(check, certificatePem)).toBe(true)
    await ca(['revoke', serialNumber, '--reason', 'key_compromise', '--since', '2026-01-01', '--force'])
    await writeFile(file, await crl())
    expect(opensslSucceeds(check, certificatePem)).toBe(false)
    const text = openssl(['crl', '-noout', '-text', '-CAfile', root, '-in', file])
    expect(text).toContain(serialNumber.toUpperCase())
    expect(text).toContain('Key Compromise')
  })

  it('writes the list as DER, and a new one only if it has to or is told to', async () => {
    const { ca, sign, home } = await world()
    await sign()
    const file = join(home, 'club.crl')
    const written = await ca(['crl', '--der', '--out', file, '--json'])
    expect(written.json()).toMatchObject({ number: '1', file })
    expect(openssl(['crl', '-inform', 'der', '-in', file, '-noout', '-crlnumber'])).toContain('1')
    expect(await ca(['crl', '--der', '--out', file])).toMatchObject({ code: 5, stdout: '' })
    expect((await ca(['crl', '--json'])).json()).toMatchObject({ number: '1' })
    expect((await ca(['crl', '--fresh', '--json'])).json()).toMatchObject({ number: '2' })
    expect(await ca(['crl', '--der'])).toMatchObject({ code: 2, stdout: '' })
  })

  it('takes a certificate back for now, and gives it free', async () => {
    const { ca, sign } = await world()
    const { serialNumber } = await sign()
    expect(await ca(['hold', serialNumber])).toMatchObject({ code: 0 })
    expect((await ca(['list', '--json'])).json()).toMatchObject([{ state: 'held' }])
    expect(await ca(['release', serialNumber])).toMatchObject({ code: 0 })
    expect(await ca(['release', serialNumber])).toMatchObject({ code: 3, stdout: '' })
  })

  it.each([
    { what: 'a serial number of nobody', args: ['revoke', 'abcd', '--force'], code: 3 },
    { what: 'a serial number that is none', args: ['hold', 'hello'], code: 3 },
    { what: 'a reason that there is not', args: ['revoke', 'SERIAL', '--reason', 'boredom', '--force'], code: 2 },
    { what: 'a date that is none', args: ['revoke', 'SERIAL', '--since', 'yesterday', '--force'], code: 2 },
    { what: 'a date to come', args: ['revoke', 'SERIAL', '--since', '2999-01-01', '--force'], code: 2 },
  ])('refuses $what with exit code $code, and revokes nothing', async ({ args, code }) => {
    const { ca, sign } = await world()
    const { serialNumber } = await sign()
    const result = await ca(args.map((arg) => (arg === 'SERIAL' ? serialNumber : arg)))
    expect(result).toMatchObject({ code, stdout: '' })
    expect((await ca(['list', '--json'])).json()).toMatchObject([{ state: 'issued' }])
  })
})

describe('ca audit', () => {
  it('says that the record is whole, and gives the hash to be kept', async () => {
    const { ca, sign } = await world()
    await sign()
    const first = (await ca(['audit', '--json'])).json() as { head: string }
    expect(first).toMatchObject({ valid: true, count: 1 })
    await sign()
    const later = await ca(['audit', '--head', first.head])
    expect(later).toMatchObject({ code: 0 })
    expect(later.stdout).toMatch(/^whole: 2 events/)
    expect((await ca(['audit', '--events', '--json'])).json()).toMatchObject([{ position: 1 }, { position: 2 }])
  })

  it('ends with 1 if an event was changed, or the hash that was kept is not there', async () => {
    const { ca, sign, directory } = await world()
    await sign()
    await sign()
    const missing = await ca(['audit', '--head', createHash('sha256').update('other').digest('hex')])
    expect(missing).toMatchObject({ code: 1, stderr: '' })
    expect(missing.stdout).toMatch(/^broken: .* from event 3 on/)
    expect(await ca(['audit', '--head', 'hello'])).toMatchObject({ code: 2, stdout: '' })

    const { default: Database } = await import('better-sqlite3')
    const database = new Database(join(directory, 'ca.db'))
    const triggers = database.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck().all() as string[]
    for (const name of triggers) database.exec(`DROP TRIGGER "${name}"`)
    database.exec("UPDATE audit SET detail = 'nothing to see here' WHERE position = 1")
    database.close()
    const broken = await ca(['audit', '--json'])
    expect(broken.code).toBe(1)
    expect(broken.json()).toMatchObject({ valid: false, position: 1 })
  })
})

/** Sends one request, and gives its status and its body. */
function ask(
  url: string,
  options: Parameters<typeof httpsRequest>[1] & object,
  body = '',
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, options, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode ?? 0, body: text })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const PUT = { method: 'PUT', headers: { 'content-type': 'application/x-pem-file' }, agent: false } as const

describe('ca serve', () => {
  async function served() {
    const made = await world()
    const config = join(made.home, 'my-ca.mjs')
    await writeFile(
      config,
      `export default ({ SigningHooks }) => ({
        hooks: (context) => new (class extends SigningHooks {
          authorize() {
            return this.clientHash === 'f00d' ? '90d' : undefined
          }
        })(context),
      })`,
    )
    const serve = (...args: string[]) =>
      startCli(['ca', 'serve', '--directory', made.directory, '--config', config, '--port', '0', ...args], {
        home: made.home,
        now: made.now,
      })
    return { ...made, config, serve }
  }

  it('signs for those whom the hooks let in, tells so, and ends in good order by a signal', async () => {
    const { serve, newRequest, root } = await served()
    const server = serve('--json')
    const [, url = ''] = await server.printed('stderr', /listens on (http:\S+)/)
    const signed = await ask(`${url}/api/csr/f00d`, PUT, await newRequest())
    expect(signed.status).toBe(200)
    expect(openssl(['verify', '-CAfile', root], JSON.parse(signed.body).signed_x509_pem)).toContain('OK')
    expect((await ask(`${url}/api/csr/beef`, PUT, await newRequest())).status).toBe(403)
    expect((await ask(`${url}/crl`, { agent: false })).status).toBe(200)
    server.signal('SIGTERM')
    const ended = await server.result
    expect(ended).toMatchObject({ code: 0 })
    expect(ended.json()).toEqual({ answered: 3, issued: 1 })
    expect(ended.stderr).toMatch(/^200 PUT sign [0-9a-f]+$/m)
    expect(ended.stderr).toMatch(/^403 PUT sign ERR_TLACACOCA_CSR_NOT_AUTHORIZED: /m)
    await expect(ask(`${url}/crl`, { agent: false })).rejects.toThrow('ECONNREFUSED')
  })

  it('ends with 0 by Ctrl-C, which is how one stops it', async () => {
    const { serve } = await served()
    const server = serve('--quiet')
    await server.printed('stderr', /listens on/)
    server.interrupt()
    expect(await server.result).toMatchObject({ code: 0, stdout: '0 requests answered, 0 certificates issued.\n' })
  })

  it('answers the request that is there when it is stopped', async () => {
    const { directory, home, newRequest } = await served()
    // The hook tells that it was called, and waits.
    const gate = new EventEmitter()
    Object.assign(globalThis, { tlacacocaTestGate: gate })
    onTestFinished(() => {
      Reflect.deleteProperty(globalThis, 'tlacacocaTestGate')
    })
    const config = join(home, 'slow-ca.mjs')
    await writeFile(
      config,
      `export default ({ SigningHooks }) => ({
        hooks: (context) => new (class extends SigningHooks {
          authorize() {
            return new Promise((resolve) => {
              globalThis.tlacacocaTestGate.once('open', () => resolve('90d'))
              globalThis.tlacacocaTestGate.emit('asked')
            })
          }
        })(context),
      })`,
    )
    const server = startCli(['ca', 'serve', '--directory', directory, '--config', config, '--port', '0'], {
      now: Date.now(),
    })
    const [, url = ''] = await server.printed('stderr', /listens on (http:\S+)/)
    const asked = once(gate, 'asked')
    const answer = ask(`${url}/api/csr/f00d`, PUT, await newRequest())
    await asked
    server.signal('SIGTERM')
    await server.printed('stderr', /stopping/)
    gate.emit('open')
    expect((await answer).status).toBe(200)
    expect(await server.result).toMatchObject({ code: 0, stdout: '1 request answered, 1 certificate issued.\n' })
  })

  it('renews over TLS for whoever shows the certificate in the handshake', async () => {
    const { serve, home, root } = await served()
    const [cert, key] = [join(home, 'server.pem'), join(home, 'server.key')]
    const own = await testCertificate({ host: '127.0.0.1' })
    await writeFile(cert, own.certPem)
    await writeFile(key, own.keyPem, { mode: 0o600 })
    const server = serve('--tls-cert', cert, '--tls-key', key)
    const [, url = ''] = await server.printed('stderr', /listens on (https:\S+)/)
    const ana = await createCertificateRequest({})
    const signed = await ask(`${url}/api/csr/f00d`, { ...PUT, ca: own.certPem }, ana.requestPem)
    expect(signed.status).toBe(200)
    const tls = { ca: own.certPem, cert: JSON.parse(signed.body).signed_x509_pem, key: ana.privateKeyPem, agent: false }
    const early = await ask(`${url}/renew`, { ...tls, method: 'POST' } as const)
    expect(early.status).toBe(403)
    expect(early.body).toContain('RENEWAL')
    const stranger = await ask(`${url}/renew`, { ca: own.certPem, method: 'POST', agent: false } as const)
    expect(stranger.status).toBe(403)
    expect(opensslSucceeds(['verify', '-CAfile', root], tls.cert)).toBe(true)
    server.interrupt()
    expect(await server.result).toMatchObject({ code: 0 })
  })

  it.skipIf(process.platform === 'win32')('listens on a Unix socket', async () => {
    const { serve, home } = await served()
    const socketPath = join(home, 'ca.sock')
    const server = serve('--socket', socketPath, '--trusted-proxy', 'unix')
    await server.printed('stderr', /listens on .*ca\.sock/)
    expect((await ask('http://localhost/ca.pem', { socketPath, agent: false })).body).toContain('BEGIN CERTIFICATE')
    server.interrupt()
    expect(await server.result).toMatchObject({ code: 0 })
    await expect(access(socketPath)).rejects.toThrow('ENOENT')
  })

  it('refuses a port that is taken', async () => {
    const { serve, directory, config, bare } = await served()
    const server = serve()
    const [, port = ''] = await server.printed('stderr', /listens on http:\/\/127\.0\.0\.1:(\d+)/)
    const second = await bare(['serve', '--directory', directory, '--config', config, '--port', port])
    expect(second).toMatchObject({ code: 4, stdout: '' })
    expect(second.stderr).toContain('EADDRINUSE')
  })

  it.each([
    { what: 'nobody who decides', args: [], code: 2 },
    { what: 'a configuration without hooks', args: ['--config', 'CONFIG'], code: 2 },
    { what: 'a port that is none', args: ['--dangerously-sign-every-request', '--port', '70000'], code: 2 },
    { what: 'half of what TLS needs', args: ['--dangerously-sign-every-request', '--tls-cert', 'x'], code: 2 },
    { what: 'a profile that there is not', args: ['--dangerously-sign-every-request', '--profile', 'x'], code: 2 },
    { what: 'a proxy that is none', args: ['--dangerously-sign-every-request', '--trusted-proxy', 'x'], code: 3 },
  ])('does not serve for $what', async ({ args, code }) => {
    const { ca, home } = await world()
    const config = join(home, 'my-ca.mjs')
    await writeFile(config, 'export default {}')
    const result = await ca(['serve', '--port', '0', ...args.map((arg) => (arg === 'CONFIG' ? config : arg))])
    expect(result).toMatchObject({ code, stdout: '' })
    expect(result.stderr).toMatch(/^error: /m)
  })
})

describe('as a process', () => {
  it('takes the passphrase from CA_PASSPHRASE_FILE, serves until SIGTERM, and shows the passphrase nowhere', async () => {
    const home = await temporaryHome()
    const [directory, secret] = [join(home, 'ca'), join(home, 'secret')]
    await writeFile(secret, `${PASSPHRASE}\n`, { mode: 0o600 })
    const env = { CA_DIRECTORY: directory, CA_PASSPHRASE_FILE: secret }
    expect(await spawnCli(['ca', 'init', directory, '--subject', 'CN=ca.net'], { home, env }).ended).toMatchObject({
      code: 0,
    })
    const { requestPem } = await createCertificateRequest({})
    const signed = await spawnCli(['ca', 'sign', '-', '--subject', 'CN=Ana'], { home, env, stdin: requestPem }).ended
    expect(signed).toMatchObject({ code: 0, stderr: '' })
    expect(openssl(['verify', '-CAfile', join(directory, 'ca.cert.pem')], signed.stdout)).toContain('OK')

    const server = spawnCli(['ca', 'serve', '--dangerously-sign-every-request', '--port', '0'], { home, env })
    const [, url = ''] = await server.printed('stderr', /listens on (http:\S+)/)
    expect((await ask(`${url}/ca.pem`, { agent: false })).status).toBe(200)
    server.process.kill('SIGTERM')
    const ended = await server.ended
    expect(ended).toMatchObject({ code: 0, signal: null, stdout: '1 request answered, 0 certificates issued.\n' })
    expect(ended.stderr).not.toContain(PASSPHRASE)

    const without = { CA_DIRECTORY: directory, CA_PASSPHRASE_FILE: '', CA_PASSPHRASE: '' }
    const closed = await spawnCli(['ca', 'crl', '--json'], { home, env: without, stdin: '' }).ended
    expect(closed.code).toBe(3)
    expect(JSON.parse(closed.stdout)).toMatchObject({
      error: {
        code: 'ERR_TLACACOCA_AUTHORITY_PASSPHRASE_REQUIRED',
        message: expect.stringContaining('say --passphrase-file, set CA_PASSPHRASE_FILE or'),
      },
    })
  }, 60_000)
})
