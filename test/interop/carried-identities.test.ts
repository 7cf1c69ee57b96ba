// Identities that go from our command into the clients of other people, and out of them: what arrives at a server is the
// same certificate, so that the account is the same. The server is the guest book of the examples.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServerContext, type Listener } from 'tlacacoca'
import { IdentityRegistry } from 'tlacacoca/identity'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Book, createGuestBook } from '../../docs/examples/guest-book.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { hasProgram } from '../support/field-program.ts'
import { gnutlsCli } from '../support/gnutls-peer.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { sClient, versionSwitch } from '../support/openssl-peer.ts'
import { HAS_PSEUDO_TERMINALS, runInTerminal } from '../support/pseudo-terminal.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const hasTerminals = hasProgram('python3') && HAS_PSEUDO_TERMINALS
const hasOpenssl = hasProgram('openssl', ['version'])
const hasGnutls = hasProgram('gnutls-cli') && hasProgram('certtool')
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const KEY_TYPES = ['ec-p256', 'ed25519', 'rsa-2048'] as const
const PASSPHRASE = 'correct horse battery staple'
/** The account's page, for somebody who came with its certificate. */
const ACCOUNT = /^# ana\n## Certificates\n\* .*\(this one\): active/m

let site: TestCertificate
let folder = ''
let registry: IdentityRegistry
let server: Listener
let origin = ''
let port = 0

beforeAll(async () => {
  site = await testCertificate({ host: 'localhost', subjectAltNames: ['example.org'] })
})

beforeEach(async () => {
  folder = await temporaryFolder()
  await writeFile(join(folder, 'secret'), `${PASSPHRASE}\n`)
  registry = IdentityRegistry.inMemory({ origin: 'localhost:1965', policy: { handleRequired: true } })
  const context = await createServerContext({
    certificates: [{ cert: site.certPem, key: site.keyPem }],
    clientCertificates: 'request',
  })
  const book = await Book.open(join(folder, 'entries.jsonl'))
  server = createGuestBook({ registry, context, served: ['localhost'], book })
  port = (await server.listen(0, '127.0.0.1')).port
  origin = `gemini://localhost:${port}`
})

afterEach(async () => {
  await server.close()
  await registry.close()
})

/** Our command, of a user who has nothing but what earlier calls left. */
async function ours(...args: readonly string[]): Promise<CliResult> {
  const result = await runCli(args, { home: join(folder, 'ours'), now: Date.now() })
  expect(result).toMatchObject({ code: 0 })
  return result
}

/** A new identity of the wallet, by which the guest book has an account since. */
async function becomeAna(keyType: (typeof KEY_TYPES)[number] = 'ec-p256'): Promise<void> {
  await ours('identity', 'new', 'Ana', '--key-type', keyType, '--scope', `${origin}/`, '--whole-site')
  expect((await ours('get', `${origin}/join?ana`)).stdout).toContain('# ana\n')
}

/** Opens a page in Amfora with this configuration, and ends it when the text is on the screen. */
async function amfora(path: string, config: string, until: string): Promise<string> {
  const home = join(folder, 'theirs')
  for (const name of ['config/amfora', 'cache', 'data']) await mkdir(join(home, name), { recursive: true })
  await writeFile(join(home, 'config/amfora/config.toml'), config)
  const env = {
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_DATA_HOME: join(home, 'data'),
    // To one called xterm, Amfora would first send questions that nobody answers here.
    TERM: 'screen-256color',
  }
  const command = `stty rows 24 cols 80; exec amfora ${origin}${path}`
  const { screen, signal } = await runInTerminal(['sh', '-c', command], [], {
    env,
    signalAfter: { text: until, signal: 'SIGTERM' },
  })
  // SIGKILL would mean that the text has not come.
  expect({ signal, screen }).toMatchObject({ signal: 'SIGTERM', screen: expect.stringContaining(until) })
  return screen
}

describe.runIf(hasTerminals && hasOpenssl && hasProgram('amfora'))('Amfora', () => {
  it.each(KEY_TYPES)('gets into the account with an %s identity that our command wrote for it', async (keyType) => {
    await becomeAna(keyType)
    await mkdir(join(folder, 'for-amfora'))
    await ours('identity', 'export', 'Ana', '--format', 'amfora', '--to', join(folder, 'for-amfora'))
    const config = await readFile(join(folder, 'for-amfora/amfora.toml'), 'utf8')
    expect(await amfora('/account', config, '(this one)')).toContain('ana')
  })

  it('is not let into the account without it', async () => {
    await becomeAna()
    await amfora('/account', '', 'needed here.')
  })

  it('has an identity, made as its users make them, which our command takes over with the account', async () => {
    const [cert, key] = [join(folder, 'bea.crt'), join(folder, 'bea.key')]
    openssl([
      ...['req', '-new', '-subj', '/CN=bea', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
      ...['-days', '1825', '-nodes', '-out', cert, '-keyout', key],
    ])
    const auth = `[auth.certs]\n"localhost:${port}" = '${cert}'\n[auth.keys]\n"localhost:${port}" = '${key}'\n`
    const config = `[a-general]\nauto_redirect = true\n${auth}`
    await amfora('/join?bea', config, '(this one)')

    const source = join(folder, 'theirs/config/amfora/config.toml')
    const { added } = (await ours('identity', 'import', source, '--json')).json() as { added: unknown[] }
    const fingerprint = `sha256:${openssl(['x509', '-in', cert, '-noout', '-fingerprint', '-sha256'])
      .replace(/^.*=/, '')
      .replaceAll(':', '')
      .trim()
      .toLowerCase()}`
    expect(added).toMatchObject([{ fingerprint, scopes: [`${origin}/`] }])
    expect((await ours('get', `${origin}/account`)).stdout).toMatch(
      /^# bea\n## Certificates\n\* .*\(this one\): active/,
    )
  })
})

describe.each(KEY_TYPES)('an %s identity in files of its own', (keyType) => {
  async function exportPair(): Promise<{ cert: string; key: string }> {
    await becomeAna(keyType)
    const [cert, key] = [join(folder, 'ana.crt'), join(folder, 'ana.key')]
    await ours('identity', 'export', 'Ana', '--to', cert, '--key', key)
    return { cert, key }
  }

  it.runIf(hasOpenssl).each(VERSIONS)('is shown by openssl s_client by %s', async (version) => {
    const { cert, key } = await exportPair()
    const peer = sClient(port, ['-servername', 'localhost', versionSwitch(version), '-cert', cert, '-key', key])
    peer.type(`${origin}/account\r`)
    expect(await peer.ended()).toMatch(ACCOUNT)
  })

  it.runIf(hasGnutls).each(VERSIONS)('is shown by gnutls-cli by %s', async (version) => {
    const { cert, key } = await exportPair()
    const peer = gnutlsCli(port, version, ['--x509certfile', cert, '--x509keyfile', key])
    await peer.printed(/Handshake was completed/)
    peer.type(`${origin}/account\r`)
    expect(await peer.ended()).toMatch(ACCOUNT)
  })
})

// The other clients of the field take PKCS#12 or make it, and these two programs are what people open it with.
describe.each([
  { ciphers: 'of today', args: [], opens: [] },
  { ciphers: 'of old programs', args: ['--legacy'], opens: ['-legacy'] },
])('an identity in PKCS#12 with the ciphers $ciphers', ({ args, opens }) => {
  async function exportContainer(keyType?: (typeof KEY_TYPES)[number]): Promise<string> {
    await becomeAna(keyType)
    const container = join(folder, 'ana.p12')
    const secret = ['--target-passphrase-file', join(folder, 'secret')]
    await ours('identity', 'export', 'Ana', '--to', container, ...args, ...secret)
    return container
  }

  it.runIf(hasOpenssl)('is opened by openssl pkcs12, and shown by s_client', async () => {
    const container = await exportContainer()
    const taken = join(folder, 'taken.pem')
    openssl(['pkcs12', '-in', container, ...opens, '-nodes', '-passin', `pass:${PASSPHRASE}`, '-out', taken])
    const peer = sClient(port, ['-servername', 'localhost', '-cert', taken, '-key', taken])
    peer.type(`${origin}/account\r`)
    expect(await peer.ended()).toMatch(ACCOUNT)
  })

  it.runIf(hasGnutls)('is opened by certtool, and shown by gnutls-cli', async () => {
    // certtool 3.7 writes keys of elliptic curves without the curve, whoever made them, and reads them never again.
    const container = await exportContainer('rsa-2048')
    const [cert, key] = [join(folder, 'taken.crt'), join(folder, 'taken.key')]
    certtool(['--p12-info', '--inder', '--infile', container, '--outfile', cert])
    certtool(['--key-info', '--pkcs8', '--infile', cert, '--outfile', key])
    const peer = gnutlsCli(port, 'TLSv1.3', ['--x509certfile', cert, '--x509keyfile', key])
    await peer.printed(/Handshake was completed/)
    peer.type(`${origin}/account\r`)
    expect(await peer.ended()).toMatch(ACCOUNT)
  })

  it.runIf(hasOpenssl && hasGnutls)('opens with its own passphrase only', async () => {
    const container = await exportContainer()
    const byOpenssl = (pass: string) =>
      opensslSucceeds(['pkcs12', '-in', container, ...opens, '-noout', '-passin', `pass:${pass}`])
    const byCerttool = (pass: string) =>
      spawnSync('certtool', ['--p12-info', '--inder', '--infile', container, '--password', pass]).status === 0
    for (const opened of [byOpenssl, byCerttool]) {
      expect([opened('wrong'), opened(''), opened(PASSPHRASE)]).toEqual([false, false, true])
    }
  })
})

/** It must succeed. */
function certtool(args: readonly string[]): void {
  execFileSync('certtool', [...args, '--password', PASSPHRASE], { stdio: 'pipe' })
}
