import { chmod, mkdir, readFile, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadCertificate, parseEndpoint } from '../../src/certificate/index.ts'
import { connect, dangerouslyAcceptAny } from '../../src/tls/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { type CliOptions, runCli, temporaryHome } from '../support/cli.ts'
import { spawnCli, startCli } from '../support/cli-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** A folder with some pages, and one that is none of a client's business beside it. */
async function capsule(): Promise<string> {
  const outside = await temporaryFolder()
  const folder = join(outside, 'capsule')
  await mkdir(join(folder, 'docs', 'empty'), { recursive: true })
  await mkdir(join(folder, '.git'))
  await writeFile(join(outside, 'secret.txt'), 'secret')
  await writeFile(join(folder, 'index.gmi'), '# welcome\n')
  await writeFile(join(folder, 'note.txt'), 'a note\n')
  await writeFile(join(folder, 'picture.png'), Buffer.from([1, 2, 3]))
  await writeFile(join(folder, '.git', 'config'), 'secret')
  await writeFile(join(folder, 'docs', 'a b:c.gmi'), 'with a space')
  await writeFile(join(folder, 'docs', '.hidden'), 'secret')
  await symlink(join(outside, 'secret.txt'), join(folder, 'docs', 'link.txt'))
  await symlink(outside, join(folder, 'out'))
  return folder
}

interface Served {
  readonly port: number
  readonly home: string
  readonly running: ReturnType<typeof startCli>
  readonly fetch: (url: string, options?: { identity?: { cert: string; key: string } }) => Promise<string>
}

/** Starts a server on a free port, and waits until it listens. */
async function serve(args: readonly string[], options: CliOptions = {}): Promise<Served> {
  const home = options.home ?? (await temporaryHome())
  const running = startCli(['serve', ...args, '--port', '0'], { now: Date.now(), ...options, home })
  const [, digits] = await running.printed('stderr', /listening .*port=(\d+)/)
  const port = Number(digits)
  return { port, home, running, fetch: (url, more = {}) => fetchFrom(port, url, more) }
}

/** Sends one line, and gives the whole answer. */
async function fetchFrom(
  port: number,
  line: string,
  { identity }: { identity?: { cert: string; key: string } } = {},
): Promise<string> {
  const { stream } = await connect({
    endpoint: parseEndpoint(`localhost:${port}`),
    verify: dangerouslyAcceptAny(),
    ...(identity === undefined ? {} : { identity }),
  })
  stream.write(`${line}\r\n`)
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

/** A file with settings. */
async function settings(text: string): Promise<string> {
  const path = join(await temporaryFolder(), 'capsule.toml')
  await writeFile(path, text)
  return path
}

describe('pages', () => {
  it.each([
    { path: '', answer: '20 text/gemini\r\n# welcome\n' },
    { path: '/', answer: '20 text/gemini\r\n# welcome\n' },
    { path: '/note.txt', answer: '20 text/plain\r\na note\n' },
    { path: '/picture.png', answer: '20 image/png\r\n\u0001\u0002\u0003' },
    { path: '/docs/a%20b%3Ac.gmi', answer: '20 text/gemini\r\nwith a space' },
    { path: '/docs/../note.txt', answer: '20 text/plain\r\na note\n' },
    { path: '/note.txt?query', answer: '20 text/plain\r\na note\n' },
    { path: '/nothing', answer: '51 there is no such page\r\n' },
    { path: '/docs/', answer: '51 there is no such page\r\n' },
    { path: '/docs', answer: '51 there is no such page\r\n' },
    { path: '/.git/config', answer: '51 there is no such page\r\n' },
    { path: '/docs/link.txt', answer: '51 there is no such page\r\n' },
    { path: '/out/secret.txt', answer: '51 there is no such page\r\n' },
    { path: '/../secret.txt', answer: '51 there is no such page\r\n' },
    { path: '/..%2Fsecret.txt', answer: '59 this is not a request\r\n' },
  ])('are those below the folder and no others: "$path"', async ({ path, answer }) => {
    const { fetch } = await serve([await capsule()])
    expect(await fetch(`gemini://localhost${path}`)).toBe(answer)
  })

  it.each([
    { line: 'gemini://example.org/', status: '53' },
    { line: 'gemini://localhost:443/', status: '53' },
    { line: 'https://localhost/', status: '53' },
    { line: '/note.txt', status: '59' },
    { line: 'gemini://ana@localhost/', status: '59' },
    { line: `gemini://localhost/${'a'.repeat(1100)}`, status: '59' },
  ])('are not what is asked for by $line', async ({ line, status }) => {
    const { fetch } = await serve([await capsule()])
    expect(await fetch(line)).toMatch(new RegExp(`^${status} [^\\r\\n]+\\r\\n$`))
  })

  it('are served on the port where it listens and on 1965, from which it may be forwarded', async () => {
    const { fetch, port, running } = await serve([await capsule()])
    expect(await fetch(`gemini://localhost:${port}/`)).toMatch(/^20 /)
    expect(await fetch('gemini://localhost:1965/')).toMatch(/^20 /)
    expect(await fetch(`gemini://localhost:${port === 65535 ? 1 : port + 1}/`)).toMatch(/^53 /)
    expect((await running.printed('stderr', /Serving: +(\S+)/))[1]).toBe(`gemini://localhost:${port}/`)
  })

  it('are served on no other port than a host was given with', async () => {
    const hosts = ['--host', 'localhost:1967', '--host', '[::1]', '--host', 'LOCALHOST:1965']
    const { fetch, port, running } = await serve([await capsule(), ...hosts])
    expect(await fetch('gemini://localhost:1967/')).toMatch(/^20 /)
    expect(await fetch('gemini://localhost/')).toMatch(/^20 /)
    expect(await fetch(`gemini://localhost:${port}/`)).toMatch(/^53 /)
    expect(await fetch(`gemini://[::1]:${port}/`)).toMatch(/^20 /)
    const [, urls] = await running.printed('stderr', /Serving: +(.+)/)
    expect(urls).toBe(`gemini://localhost:1967/ gemini://[::1]:${port}/ gemini://localhost/`)
  })

  it('are listed if somebody says so, without what is hidden and what leads out', async () => {
    const { fetch } = await serve([await capsule(), '--list'])
    expect(await fetch('gemini://localhost/docs')).toBe('31 /docs/\r\n')
    expect(await fetch('gemini://localhost/docs/')).toBe(
      '20 text/gemini\r\n# docs\n\n=> a%20b%3Ac.gmi a b:c.gmi\n=> empty/ empty/\n',
    )
    for (const path of ['/.git/', '/out/', '/docs/../out/', '/nothing/']) {
      expect(await fetch(`gemini://localhost${path}`)).toBe('51 there is no such page\r\n')
    }
  })
})

describe('the certificate', () => {
  it('is made at the first start, for the eyes of its owner, and is the same at the next', async () => {
    const folder = await capsule()
    const first = await serve([folder, '--host', 'localhost', '--host', 'example.org', '--listen', 'localhost'])
    const place = join(first.home, '.local/share/tlacacoca/serve/localhost')
    const { fingerprint, subjectAltNames } = await loadCertificate(join(place, 'cert.pem'))
    expect(subjectAltNames.dns).toEqual(['localhost', 'example.org'])
    expect((await stat(join(place, 'key.pem'))).mode & 0o777).toBe(0o600)
    expect((await stat(place)).mode & 0o777).toBe(0o700)
    await first.running.printed('stderr', new RegExp(fingerprint))
    first.running.interrupt()
    await first.running.result
    const again = await serve(
      [
        folder,
        '--host',
        'example.org',
        '--host',
        'localhost',
        '--listen',
        'localhost',
        '--state',
        join(place, '..', 'x'),
      ],
      { home: first.home },
    )
    again.running.interrupt()
    await again.running.result
    const second = await serve([folder], { home: first.home })
    await second.running.printed('stderr', new RegExp(fingerprint))
  })

  it('that was made for other hosts is not replaced behind anybody’s back', async () => {
    const folder = await capsule()
    const first = await serve([folder])
    const args = ['serve', folder, '--host', 'localhost', '--host', 'example.org', '--port', '0']
    const result = await runCli(args, { home: first.home, now: Date.now() })
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('is not for example.org') })
  })

  it('is renewed with the same key when it has expired', async () => {
    const [folder, home] = [await capsule(), await temporaryHome()]
    const cert = join(home, '.local/share/tlacacoca/serve/localhost/cert.pem')
    const args = ['serve', folder, '--check']
    expect((await runCli(args, { home, now: Date.UTC(2010, 0) })).code).toBe(0)
    const old = await loadCertificate(cert)
    const { running } = await serve([folder], { home })
    await running.printed('stderr', /had expired, and was renewed/)
    const renewed = await loadCertificate(cert)
    expect(renewed.publicKeyFingerprint).toBe(old.publicKeyFingerprint)
    expect(renewed.validityAt(new Date())).toBe('valid')
  })
})

describe('a folder that cannot be served', () => {
  it('is one that is not there, or a file', async () => {
    const folder = await temporaryFolder()
    const [missing, file] = [join(folder, 'missing'), join(folder, 'file')]
    await writeFile(file, '')
    const stderr = `error: there is no folder ${missing} [ERR_TLACACOCA_FILE_NOT_FOUND]\n`
    expect(await runCli(['serve', missing])).toMatchObject({ code: 5, stderr })
    expect(await runCli(['serve', file])).toMatchObject({ code: 2, stderr: `error: ${file} is no folder\n` })
    expect(await runCli(['serve', join(file, 'x')])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('ENOTDIR'),
    })
  })

  // Otherwise everybody would be told that there is no such page.
  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('is one that may not be entered', async () => {
    const folder = await temporaryFolder()
    await chmod(folder, 0o600)
    onTestFinished(() => chmod(folder, 0o700))
    const stderr = `error: cannot read ${folder}: EACCES: permission denied [ERR_TLACACOCA_FILE_UNREADABLE]\n`
    expect(await runCli(['serve', folder, '--check'])).toMatchObject({ code: 5, stderr })
  })
})

it('does not find all well with a port that there is not', async () => {
  const result = await runCli(['serve', await capsule(), '--check', '--port', '99999'])
  expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('--port expected') })
})

describe('settings', () => {
  it('name certificates, hosts, rules and lists, with paths as seen from their file', async () => {
    const folder = await capsule()
    const place = await temporaryFolder()
    const [server, ana, bob] = [
      await testCertificate({ host: 'localhost' }),
      await testCertificate({ host: null, usage: 'client', commonName: 'ana' }),
      await testCertificate({ host: null, usage: 'client', commonName: 'bob' }),
    ]
    await writeFile(join(place, 'cert.pem'), server.certPem)
    await writeFile(join(place, 'key.pem'), server.keyPem)
    await writeFile(join(place, 'club.pem'), bob.certPem)
    await writeFile(
      join(place, 'capsule.toml'),
      `hosts = ["localhost"]
       [[certificates]]
       cert = "cert.pem"
       key = "key.pem"
       [pages]
       list = true
       media_types = { txt = "text/x-note" }
       [[rules]]
       path = "/docs/"
       allowed_fingerprints = ["${ana.certificate.fingerprint}"]
       [[rules]]
       path = "/picture.png"`,
    )
    const { fetch, running } = await serve([folder, '--config', join(place, 'capsule.toml')])
    await running.printed('stderr', new RegExp(server.certificate.fingerprint))
    const as = ({ certPem: cert, keyPem: key }: typeof ana) => ({ identity: { cert, key } })
    expect(await fetch('gemini://localhost/note.txt')).toBe('20 text/x-note\r\na note\n')
    expect(await fetch('gemini://localhost/docs/')).toMatch(/^60 /)
    expect(await fetch('gemini://localhost/docs/', as(bob))).toMatch(/^61 /)
    expect(await fetch('gemini://localhost/docs/', as(ana))).toMatch(/^20 /)
    expect(await fetch('gemini://localhost/picture.png')).toMatch(/^60 /)
    expect(await fetch('gemini://localhost/picture.png', as(bob))).toMatch(/^20 /)
  })

  it('limit and ban', async () => {
    const config = await settings(`
      [bans]
      tolerated = 1
      [[rate_limits]]
      name = "client"
      capacity = 2
      refill_per_second = 0.001`)
    const { fetch, port, running } = await serve([await capsule(), '--config', config])
    for (const status of ['20', '20', '44', '44']) {
      expect((await fetch('gemini://localhost/')).slice(0, 2)).toBe(status)
    }
    // From now on there is not even a handshake.
    await expect(fetchFrom(port, 'gemini://localhost/')).rejects.toThrow()
    running.interrupt()
    const { stderr } = await running.result
    expect(stderr).toContain('request denied')
    expect(stderr).not.toMatch(/127\.0\.0\.1|::1\b/)
  })

  it('deny addresses, from lists and files', async () => {
    const place = await temporaryFolder()
    await writeFile(join(place, 'drop.txt'), '# everybody here\n127.0.0.0/8\n::1\n')
    await writeFile(join(place, 'capsule.toml'), '[access]\ndeny = ["203.0.113.0/24"]\ndeny_files = ["drop.txt"]')
    const { port, running } = await serve([await capsule(), '--config', join(place, 'capsule.toml')])
    await expect(fetchFrom(port, 'gemini://localhost/')).rejects.toThrow()
    await running.printed('stderr', /connection refused/)
  })

  it('believe a proxy that they name', async () => {
    const config = await settings('[proxy_protocol]\ntrusted = ["127.0.0.1", "::1"]\n[access]\ndeny = ["203.0.113.9"]')
    const { port } = await serve([await capsule(), '--config', config, '--listen', '127.0.0.1'])
    const getsIn = (header: string): Promise<boolean> => {
      const socket = connectTcp(port, '127.0.0.1')
      socket.write(header)
      const secure = connectTls({ socket, rejectUnauthorized: false })
      return new Promise((resolve) => {
        const answer = (isIn: boolean) => () => {
          resolve(isIn)
          secure.destroy()
        }
        secure.once('secureConnect', answer(true)).on('error', answer(false)).once('close', answer(false))
      })
    }
    expect(await getsIn('PROXY TCP4 203.0.113.8 192.0.2.1 40000 1965\r\n')).toBe(true)
    expect(await getsIn('PROXY TCP4 203.0.113.9 192.0.2.1 40000 1965\r\n')).toBe(false)
    expect(await getsIn('')).toBe(false)
  })

  it('that are no TOML are refused with line and column', async () => {
    const config = await settings('port = 1965\nhosts = ["a"\n')
    const result = await runCli(['serve', await capsule(), '--config', config, '--json'])
    expect(result.code).toBe(3)
    const { error } = result.json() as { error: { problems: { file: string; line: number; column: number }[] } }
    expect(error.problems).toEqual([
      { file: config, line: expect.any(Number), column: expect.any(Number), message: expect.any(String) },
    ])
    expect(error.problems[0]?.line).toBeGreaterThan(1)
  })

  it('are refused with every mistake at once, each by its key', async () => {
    const config = await settings(`
      prot = 1965
      port = 70000
      hosts = ["localhost", "not a host"]
      [access]
      deny = ["203.0.113.0/24", "300.1.2.3"]
      deny_files = ["missing.txt"]
      default = "perhaps"
      [bans]
      tolerated = 0
      [[rate_limits]]
      capacity = "many"
      [[rate_limits]]
      name = "b"
      refill_per_second = -1
      [[rules]]
      path = "/a"
      require_certificate = "no"
      [[rules]]
      host = "localhost"
      [[rules]]
      path = "/b"
      allowed_fingerprints = ["sha1:00"]
      [[rules]]
      path = "/c"
      authorities = "missing.pem"
      [[certificates]]
      cert = "missing.pem"
      [limits]
      max_per_address = 0
      [proxy_protocol]
      trusted = ["somewhere"]`)
    const folder = await capsule()
    const result = await runCli(['serve', folder, '--config', config, '--check', '--json'])
    expect(result.code).toBe(3)
    const { error } = result.json() as { error: { problems: { key?: string; message: string }[] } }
    expect(error.problems.map(({ key }) => key).sort()).toEqual([
      'access',
      'access.default',
      'access.deny_files',
      'bans',
      'certificates[0]',
      'hosts',
      'limits.max_per_address',
      'port',
      'prot',
      'proxy_protocol',
      'rate_limits[0].capacity',
      'rate_limits[1]',
      'rules[0].require_certificate',
      'rules[1]',
      'rules[2]',
      'rules[3]',
    ])
    const text = await runCli(['serve', folder, '--config', config, '--check'])
    expect(text.stderr).toContain('the settings have 16 mistakes')
    expect(text.stderr).toContain(`${config}:15:7 rate_limits[1]: "refill_per_second" expected`)
    expect(text.stderr).not.toContain('    at ')
  })

  it('tell the lines of a list of addresses that has mistakes', async () => {
    const place = await temporaryFolder()
    await writeFile(join(place, 'drop.txt'), '192.0.2.1\nnonsense\n192.0.2.0/33\n')
    await writeFile(join(place, 'capsule.toml'), '[access]\ndeny_files = ["drop.txt"]')
    const args = ['serve', await capsule(), '--config', join(place, 'capsule.toml'), '--check']
    const { code, stderr } = await runCli(args)
    expect(code).toBe(3)
    expect(stderr).toContain(`${join(place, 'drop.txt')}:2:1`)
    expect(stderr).toContain(`${join(place, 'drop.txt')}:3:1`)
  })

  it('are documented by an example that is in order, and has every setting that there is', async () => {
    const page = await readFile(new URL('../../docs/reference/command.md', import.meta.url), 'utf8')
    const example = /```toml\n(.*?)```/s.exec(page)?.[1] ?? ''
    const place = await temporaryFolder()
    const { certPem, keyPem } = await testCertificate()
    for (const [name, text] of [
      ['cert.pem', certPem],
      ['club-ca.pem', certPem],
      ['key.pem', keyPem],
      ['passphrase', 'correct horse battery staple'],
      ['drop.txt', '198.51.100.0/24'],
      ['friends.txt', '192.0.2.9'],
    ] as const) {
      await writeFile(join(place, name), text)
    }
    const config = join(place, 'capsule.toml')
    const args = ['serve', await capsule(), '--config', config, '--check']
    // As it stands, and with everything that is only mentioned.
    for (const text of [example, example.replace(/^# /gm, '')]) {
      await writeFile(config, text)
      const { code, stderr } = await runCli(args, { now: Date.now() })
      expect(stderr).toBe('')
      expect(code).toBe(0)
    }
    const source = await readFile(new URL('../../src/cli/serve/settings.ts', import.meta.url), 'utf8')
    const names = [...source.matchAll(/\.(?:string|strings|number|integer|boolean|oneOf|tables?)\('(\w+)'/g)]
    expect(names.length).toBeGreaterThan(40)
    for (const [, name = ''] of names) expect(example).toMatch(new RegExp(`\\b${name}\\b`))
  })

  it('can be checked without a server', async () => {
    const config = await settings('[pages]\nlist = true')
    const result = await runCli(['serve', await capsule(), '--config', config, '--check', '--json'])
    expect(result.json()).toMatchObject({
      valid: true,
      hosts: ['localhost'],
      certificates: [{ hostnames: ['localhost'] }],
    })
  })
})

describe('SIGHUP', () => {
  it('takes new rules and certificates, and says what needs a restart', async () => {
    const folder = await capsule()
    const place = await temporaryFolder()
    const [first, second] = [await testCertificate({ host: 'localhost' }), await testCertificate({ host: 'localhost' })]
    const files = async ({ certPem, keyPem }: typeof first) => {
      await writeFile(join(place, 'key.pem'), keyPem)
      await writeFile(join(place, 'cert.pem'), certPem)
    }
    const config = join(place, 'capsule.toml')
    const base = '[[certificates]]\ncert = "cert.pem"\nkey = "key.pem"\n'
    await files(first)
    await writeFile(config, base)
    const { fetch, running, port } = await serve([folder, '--config', config])
    const shown = async () => {
      const { peer, close } = await connect({
        endpoint: parseEndpoint(`localhost:${port}`),
        verify: dangerouslyAcceptAny(),
      })
      await close()
      return peer.fingerprint
    }
    expect(await fetch('gemini://localhost/')).toMatch(/^20 /)
    expect(await shown()).toBe(first.certificate.fingerprint)

    await files(second)
    await writeFile(config, `port = 1\n${base}[[rules]]\npath = "/"`)
    running.signal('SIGHUP')
    await running.printed('stderr', /settings reloaded certificates=new/)
    await running.printed('stderr', /need a restart settings=port/)
    expect(await shown()).toBe(second.certificate.fingerprint)
    expect(await fetch('gemini://localhost/')).toMatch(/^60 /)
  })

  it.each([
    { what: 'settings that are no TOML', text: '[[rules' },
    { what: 'a rule that is none', text: '[[rules]]\npath = "relative"' },
    { what: 'a setting that does not exist', text: 'rule = []' },
  ])('keeps the old ones in the face of $what', async ({ text }) => {
    const config = await settings('[[rules]]\npath = "/docs/"')
    const { fetch, running } = await serve([await capsule(), '--config', config])
    await writeFile(config, text)
    running.signal('SIGHUP')
    await running.printed('stderr', /not reloaded, the old ones go on/)
    expect(await fetch('gemini://localhost/docs/')).toMatch(/^60 /)
    expect(await fetch('gemini://localhost/')).toMatch(/^20 /)
  })

  it('keeps certificate and rules if the certificate cannot be read', async () => {
    const config = await settings('')
    const { fetch, running, home } = await serve([await capsule(), '--config', config])
    await writeFile(config, '[[rules]]\npath = "/"')
    await unlink(join(home, '.local/share/tlacacoca/serve/localhost/key.pem'))
    running.signal('SIGHUP')
    await running.printed('stderr', /not reloaded/)
    expect(await fetch('gemini://localhost/')).toMatch(/^20 /)
  })

  it('does not forget who is banned', async () => {
    const limits = '[bans]\ntolerated = 1\n[[rate_limits]]\nname = "a"\ncapacity = 1\nrefill_per_second = 0.001\n'
    const config = await settings(limits)
    const { fetch, port, running } = await serve([await capsule(), '--config', config])
    for (const status of ['20', '44', '44']) expect((await fetch('gemini://localhost/')).slice(0, 2)).toBe(status)
    await writeFile(config, `${limits}[pages]\nlist = true`)
    running.signal('SIGHUP')
    await running.printed('stderr', /settings reloaded/)
    await expect(fetchFrom(port, 'gemini://localhost/')).rejects.toThrow()
  })
})

describe('the end', () => {
  it('comes by Ctrl-C, with 0 and a count', async () => {
    const home = await temporaryHome()
    const running = startCli(['serve', await capsule(), '--port', '0', '--json'], { now: Date.now(), home })
    const [, port] = await running.printed('stderr', /listening .*port=(\d+)/)
    await fetchFrom(Number(port), 'gemini://localhost/')
    running.interrupt()
    const result = await running.result
    expect(result.code).toBe(0)
    expect(result.json()).toMatchObject({ port: Number(port), requests: 1 })
  })

  it('of a process comes by SIGTERM, and lets an answer that is on its way arrive', async () => {
    const folder = await capsule()
    await writeFile(join(folder, 'large.txt'), Buffer.alloc(20_000_000, 'a'))
    const child = spawnCli(['serve', folder, '--port', '0'], { home: await temporaryHome(), stdin: '' })
    const [, port] = await child.printed('stderr', /listening .*port=(\d+)/)
    const { stream } = await connect({ endpoint: parseEndpoint(`localhost:${port}`), verify: dangerouslyAcceptAny() })
    stream.write('gemini://localhost/large.txt\r\n')
    let bytes = 0
    for await (const chunk of stream) {
      if (bytes === 0) child.process.kill('SIGTERM')
      bytes += chunk.length
    }
    expect(bytes).toBe(20_000_000 + '20 text/plain\r\n'.length)
    expect(await child.ended).toMatchObject({ code: 0, signal: null, stdout: '' })
  })
})

describe('what cannot be served', () => {
  it('is a port that is taken, a folder that is not there, or a file', async () => {
    const folder = await capsule()
    const { port } = await serve([folder])
    const home = await temporaryHome()
    const taken = await runCli(['serve', folder, '--port', String(port)], { home, now: Date.now() })
    expect(taken).toMatchObject({ code: 4, stderr: expect.stringContaining('ERR_TLACACOCA_LISTEN_FAILED') })
    expect((await runCli(['serve', join(folder, 'nowhere')], { home })).code).toBe(5)
    expect((await runCli(['serve', join(folder, 'note.txt')], { home })).code).toBe(2)
    for (const args of [
      ['--port', '70000'],
      ['--port', 'x'],
      ['--host', 'a b'],
      ['--log-level', 'loud'],
    ]) {
      expect((await runCli(['serve', folder, ...args], { home })).code).toBe(2)
    }
    expect((await runCli(['serve', folder, '--config', '/nowhere.toml'], { home })).code).toBe(5)
    await expect(readFile(join(home, '.local'))).rejects.toThrow()
  })
})
