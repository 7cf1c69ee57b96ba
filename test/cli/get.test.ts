import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../src/certificate/index.ts'
import { Declined } from '../../src/cli/exit-code.ts'
import { exchange } from '../../src/cli/get/exchange.ts'
import { readUrl } from '../../src/cli/get/url.ts'
import { IdentityWallet, originScope } from '../../src/identity/index.ts'
import { dangerouslyAcceptAny } from '../../src/tls/index.ts'
import { TofuStore } from '../../src/tofu/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { runCli, temporaryHome } from '../support/cli.ts'
import { CLI_COMMAND, startCli } from '../support/cli-process.ts'
import { HAS_PSEUDO_TERMINALS, runInTerminal } from '../support/pseudo-terminal.ts'
import { smallServer } from '../support/small-server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const now = Date.now()
const get = (args: readonly string[], options: Parameters<typeof runCli>[1] = {}) =>
  runCli(['get', ...args], { now, ...options })

describe('a page', () => {
  it('goes to the standard output as it is, and everything else to the standard error', async () => {
    const page = Buffer.from([0, 255, 10, 13, 27, 91])
    const { name, certificate, requests } = await smallServer(() =>
      Buffer.concat([Buffer.from('20 image/png\r\n'), page]),
    )
    const result = await get([`gemini://${name}/a?b`])
    expect(result.code).toBe(0)
    expect(Buffer.from(result.stdout, 'utf8')).toEqual(Buffer.from(page.toString('utf8')))
    expect(result.stderr).toContain('20 image/png')
    expect(result.stderr).toContain(certificate.certificate.fingerprint)
    expect(requests).toEqual([{ line: `gemini://${name}/a?b`, fingerprint: null }])
  })

  it('can be had as JSON, with the way there', async () => {
    const { name } = await smallServer((line) =>
      line.endsWith('/') ? '31 /page\r\n' : '20 text/gemini\r\n# Gr\u00fc\u00dfe\n',
    )
    const result = await get([name, '--json'])
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.json()).toMatchObject({
      url: `gemini://${name}/page`,
      status: 20,
      meta: 'text/gemini',
      protocol: 'TLSv1.3',
      encoding: 'utf8',
      body: '# Gr\u00fc\u00dfe\n',
      requests: [
        { status: 31, verdict: 'first_use' },
        { status: 20, verdict: 'trusted' },
      ],
    })
  })

  it('is in base64 in JSON if it is no text', async () => {
    const { name } = await smallServer(() => Buffer.from('20 image/png\r\n\u0000\u0001'))
    expect((await get([name, '--json'])).json()).toMatchObject({ encoding: 'base64', body: 'AAE=' })
  })

  it.each([
    { typed: (name: string) => name, sent: '/' },
    { typed: (name: string) => `${name.toUpperCase()}/A`, sent: '/A' },
    { typed: (name: string) => `gemini://${name}/b\u00fccher und mehr#top`, sent: '/b%C3%BCcher%20und%20mehr' },
    { typed: (name: string) => `${name}/a/../b/./c?d e`, sent: '/b/c?d%20e' },
    { typed: (name: string) => `${name}/a%2Fb`, sent: '/a%2Fb' },
  ])('is asked for as a server wants it: $sent', async ({ typed, sent }) => {
    const { name, requests } = await smallServer(() => '20 text/gemini\r\n')
    expect((await get([typed(name)])).code).toBe(0)
    expect(requests[0]?.line).toBe(`gemini://${name}${sent}`)
  })

  it.each([
    ['https://example.org/'],
    ['gemini://ana@example.org/'],
    ['gemini://'],
    ['gemini://exa mple.org/'],
    ['gemini://example.org:70000/'],
    ['gemini://127.1/'],
    [`gemini://example.org/${'a'.repeat(1010)}`],
  ])('is not asked for by %s', async (url) => {
    const result = await get([url])
    expect(result).toMatchObject({ code: 3, stdout: '' })
    expect(result.stderr).toMatch(/^error: /)
  })
})

describe('an answer without a page', () => {
  it.each([
    { header: '10 Your name?', hint: 'after a ?' },
    { header: '40 not now', hint: null },
    { header: '51 no such page', hint: null },
    { header: '60 who are you?', hint: '--identity' },
  ])('ends with 1 and is shown: $header', async ({ header, hint }) => {
    const { name } = await smallServer(() => `${header}\r\n`)
    const result = await get([name])
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain(header)
    if (hint !== null) expect(result.stderr).toContain(hint)
    const data = (await get([name, '--json'])).json()
    expect(data).toMatchObject({ status: Number(header.slice(0, 2)), meta: header.slice(3) })
  })

  it('cannot steer the terminal', async () => {
    const { name } = await smallServer(() => '51 \u001b]0;title\u0007\u009b2J\r\n')
    const { stderr } = await get([name])
    expect(stderr).toContain('\\u001b]0;title')
    expect(stderr.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u0080-\u009f]/)
  })

  it.each([
    { what: 'nothing', answer: '' },
    { what: 'no status', answer: 'hello\r\n' },
    { what: 'a status of HTTP', answer: 'HTTP/1.1 200 OK\r\n\r\n' },
    { what: 'an unknown status', answer: '99 what\r\n' },
    { what: 'a line without an end', answer: '20 text/gemini' },
    { what: 'an endless line', answer: `20 ${'a'.repeat(5000)}\r\n` },
    { what: 'a redirect to nowhere', answer: '30 gemini://\r\n' },
  ])('is a breach of the protocol if it is $what', async ({ answer }) => {
    const { name } = await smallServer(() => answer)
    const result = await get([name])
    expect(result).toMatchObject({ code: 4, stdout: '' })
    expect(result.stderr).not.toContain('    at ')
  })
})

describe('redirects', () => {
  it('are followed five times, and not a sixth', async () => {
    const { name, requests } = await smallServer((line) => `30 ${line}x\r\n`)
    const result = await get([name])
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain('redirect number 6')
    expect(requests).toHaveLength(6)
  })

  it('are not followed if somebody says so', async () => {
    const { name, requests } = await smallServer(() => '30 /elsewhere\r\n')
    expect((await get([name, '--max-redirects', '0'])).code).toBe(1)
    expect(requests).toHaveLength(1)
  })

  it('to another server are said, and are a first visit of their own', async () => {
    const there = await smallServer(() => '20 text/gemini\r\nthere')
    const here = await smallServer(() => `30 gemini://${there.name}/\r\n`)
    const result = await get([here.name])
    expect(result).toMatchObject({ code: 0, stdout: 'there' })
    expect(result.stderr).toContain(`Redirected to another server: gemini://${there.name}/`)
    expect(result.stderr.match(/first visit/g)).toHaveLength(2)
  })

  it.each([['https://example.org/'], ['titan://localhost/'], ['file:///etc/passwd']])(
    'to %s are not followed',
    async (to) => {
      const { name } = await smallServer(() => `31 ${to}\r\n`)
      const result = await get([name])
      expect(result).toMatchObject({ code: 1, stdout: '' })
      expect(result.stderr).toContain('out of Gemini')
    },
  )
})

describe('trust on first use', () => {
  it('records the first certificate, and knows it the next time', async () => {
    const home = await temporaryHome()
    const { name } = await smallServer(() => '20 text/gemini\r\n')
    expect((await get([name], { home })).stderr).toContain('first visit')
    expect((await get([name], { home })).stderr).toContain('that is known')
  })

  it('refuses another certificate before a byte of the request is sent, and explains', async () => {
    const home = await temporaryHome()
    const first = await smallServer(() => '20 text/gemini\r\n')
    await get([first.name], { home })
    await first.close()
    const second = await smallServer(() => '20 text/gemini\r\nevil', { port: first.port })
    const result = await get([second.name], { home })
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain('ERR_TLACACOCA_CERTIFICATE_CHANGED')
    expect(result.stderr).toContain('somebody between you and the server')
    const command = `tlacacoca tofu trust ${second.name} ${second.certificate.certificate.fingerprint}`
    expect(result.stderr).toContain(command)
    expect(second.requests).toEqual([])
    expect((await get([second.name, '--json'], { home })).json()).toMatchObject({
      error: {
        code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
        verdict: 'changed',
        reason: 'early',
        pinned: first.certificate.certificate.fingerprint,
        presented: second.certificate.certificate.fingerprint,
      },
    })
  })

  it.each([
    { answers: [true], code: 0, later: 'that is known' },
    { answers: [false], code: 1, later: 'first visit' },
  ])('asks at a terminal, and $answers is the answer', async ({ answers, code, later }) => {
    const home = await temporaryHome()
    const { name, requests, certificate } = await smallServer(() => '20 text/gemini\r\n')
    const result = await get([name], { home, answers })
    expect(result.code).toBe(code)
    expect(result.questions).toEqual([expect.stringContaining(certificate.certificate.fingerprint)])
    expect(requests).toHaveLength(answers[0] ? 1 : 0)
    expect((await get([name], { home })).stderr).toContain(later)
  })

  it('takes it for a no if somebody gives up instead of answering', async () => {
    const { name } = await smallServer(() => '20 text/gemini\r\n')
    const onQuestion = () => Promise.reject(new Declined('nothing was changed'))
    const result = await get([name, '--json'], { answers: [], onQuestion })
    expect(result.code).toBe(1)
    expect(result.json()).toMatchObject({ error: { code: 'ERR_TLACACOCA_FIRST_USE_REFUSED', verdict: 'first_use' } })
  })

  it.each([
    { word: 'accept', answers: [], code: 0 },
    { word: 'refuse', answers: [], code: 1 },
    { word: 'refuse', answers: undefined, code: 1 },
    { word: 'ask', answers: undefined, code: 2 },
  ])('does as it is told: --first-use $word', async ({ word, answers, code }) => {
    const { name } = await smallServer(() => '20 text/gemini\r\n')
    const result = await get([name, '--first-use', word], answers === undefined ? {} : { answers })
    expect(result).toMatchObject({ code, questions: [] })
  })

  it('keeps to the store that is named', async () => {
    const [home, folder] = [await temporaryHome(), await temporaryFolder()]
    const { name, port, certificate } = await smallServer(() => '20 text/gemini\r\n')
    const path = join(folder, 'hosts.db')
    expect((await get([name, '--store', path], { home })).code).toBe(0)
    await using known = await TofuStore.open({ path })
    const pins = await known.pins(parseEndpoint(`localhost:${port}`))
    expect(pins.map(({ digest }) => digest)).toEqual([certificate.certificate.fingerprint])
    expect((await get([name, '--first-use', 'refuse'], { home })).code).toBe(1)
  })
})

describe('a connection that fails', () => {
  it('is truncated if the server does not say that it has finished: what came is printed, and it ends with 4', async () => {
    const { name } = await smallServer(() => (stream) => {
      // Without close_notify, as a cut cable would leave it.
      stream.write('20 text/plain\r\nhalf of', () => stream.destroy())
    })
    const result = await get([name])
    expect(result).toMatchObject({ code: 4, stdout: 'half of' })
    expect(result.stderr).toMatch(/ERR_TLACACOCA_(TRUNCATED|CONNECTION_BROKEN)/)
  })

  it('may be read as slowly as somebody likes', async () => {
    const size = 1_000_000
    const { name } = await smallServer(() => Buffer.concat([Buffer.from('20 text/plain\r\n'), Buffer.alloc(size, 'a')]))
    const options = { verify: dangerouslyAcceptAny(), timeoutMs: 1000 }
    const { body, close } = await exchange(readUrl(name), options)
    let bytes = 0
    for await (const chunk of body) {
      if (bytes === 0) await delay(1500)
      bytes += chunk.length
    }
    await close()
    expect(bytes).toBe(size)
  })

  it('is given up if the server is silent', async () => {
    const { name } = await smallServer(() => () => {})
    const result = await get([name, '--timeout', '1', '--json'])
    expect(result.code).toBe(4)
    expect(result.json()).toMatchObject({ error: { code: 'ERR_TLACACOCA_TIMEOUT' } })
  })

  it('ends with 4 if nobody listens', async () => {
    const { name, close } = await smallServer(() => '')
    await close()
    const result = await get([name])
    expect(result.code).toBe(4)
    expect(result.stderr).toContain('ECONNREFUSED')
  })

  it('stops at a page that is too large', async () => {
    const { name } = await smallServer(() => `20 text/plain\r\n${'a'.repeat(5000)}`)
    const result = await get([name, '--max-bytes', '100'])
    expect(result).toMatchObject({ code: 4, stdout: 'a'.repeat(100) })
    expect(result.stderr).toContain('--max-bytes')
    expect((await get([name, '--max-bytes', '5000'])).code).toBe(0)
  })

  it('is let go by Ctrl-C', async () => {
    const { name } = await smallServer(() => (stream) => stream.write('20 text/plain\r\nthe beginning'))
    const running = startCli(['get', name], { now })
    await running.printed('stdout', /the beginning/)
    running.interrupt()
    expect(await running.result).toMatchObject({ code: 130, stdout: 'the beginning' })
  })
})

describe('an identity', () => {
  it('is shown from files, to the first server and not to where it redirects', async () => {
    const folder = await temporaryFolder()
    const { certificate, certPem, keyPem } = await testCertificate({ host: null, usage: 'client', commonName: 'ana' })
    await writeFile(join(folder, 'cert.pem'), certPem)
    await writeFile(join(folder, 'key.pem'), keyPem)
    const there = await smallServer(() => '20 text/gemini\r\n')
    const here = await smallServer(() => `30 gemini://${there.name}/\r\n`)
    const args = ['--cert', join(folder, 'cert.pem'), '--key', join(folder, 'key.pem')]
    const result = await get([here.name, ...args])
    expect(result.code).toBe(0)
    expect(here.requests[0]?.fingerprint).toBe(certificate.fingerprint)
    expect(there.requests[0]?.fingerprint).toBeNull()
    expect(result.stderr).toContain(`not shown to ${there.name}`)
  })

  /** A home with a wallet, and an identity in it for the whole of a server. */
  async function homeWith(scope: string | null) {
    const home = await temporaryHome()
    const wallet = join(await temporaryFolder(), 'identities')
    await using opened = await IdentityWallet.open({ directory: wallet })
    const identity = await opened.create({ name: 'ana', ...(scope === null ? {} : { scope: originScope(scope) }) })
    return { home, wallet, identity }
  }

  it('comes from the wallet by itself where the user has said so, and nowhere else', async () => {
    const [one, two] = [await smallServer(() => '20 text/gemini\r\n'), await smallServer(() => '20 text/gemini\r\n')]
    const { home, wallet, identity } = await homeWith(`gemini://${one.name}/`)
    for (const { name } of [one, two]) expect((await get([name, '--wallet', wallet], { home })).code).toBe(0)
    expect(one.requests[0]?.fingerprint).toBe(identity.fingerprint)
    expect(two.requests[0]?.fingerprint).toBeNull()
    expect((await get([one.name, '--wallet', wallet, '--no-identity'], { home })).code).toBe(0)
    expect(one.requests[1]?.fingerprint).toBeNull()
  })

  it('can be named, and is shown to a second server only if somebody agrees', async () => {
    const [one, two] = [await smallServer(() => '20 text/gemini\r\n'), await smallServer(() => '20 text/gemini\r\n')]
    const { home, wallet, identity } = await homeWith(null)
    const args = ['--wallet', wallet, '--identity', 'ana', '--first-use', 'accept']
    expect((await get([one.name, ...args], { home })).code).toBe(0)
    expect(one.requests[0]?.fingerprint).toBe(identity.fingerprint)
    // Another port of one host is no second host.
    expect((await get([two.name, ...args], { home })).code).toBe(0)
    const elsewhere = two.name.replace('localhost', '127.0.0.1')
    expect(await get([elsewhere, ...args], { home })).toMatchObject({ code: 1, questions: [] })
    const asked = await get([elsewhere, ...args], { home, answers: [false] })
    expect(asked).toMatchObject({ code: 1, questions: [expect.stringContaining('ana')] })
    expect(two.requests).toHaveLength(1)
  })

  it.each([
    { args: ['--identity', 'nobody'], says: 'there is no identity nobody' },
    { args: ['--cert', 'a.pem'], says: 'belong together' },
    { args: ['--cert', 'a.pem', '--key', 'b.pem', '--identity', 'ana'], says: 'excludes' },
    { args: ['--wallet', '/nowhere'], says: 'no wallet' },
  ])('is refused by $args', async ({ args, says }) => {
    const result = await get(['localhost:1', ...args])
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(says) })
  })

  it('is not asked for a passphrase of if nobody has named it', async () => {
    const { name } = await smallServer(() => '20 text/gemini\r\n')
    const home = await temporaryHome()
    const directory = join(home, '.local/share/tlacacoca/identities')
    const wallet = await IdentityWallet.open({ directory, passphrase: 'correct horse battery staple' })
    await wallet.create({ name: 'ana' })
    await wallet.close()
    const result = await get([name], { home, answers: [true] })
    expect(result).toMatchObject({ code: 0, questions: [expect.stringContaining('Trust it?')] })
    expect(result.stderr).toContain('none is shown')
    const named = await get([name, '--identity', 'ana'], { home, answers: ['correct horse battery staple'] })
    expect(named).toMatchObject({ code: 0, questions: ['Passphrase for the wallet'] })
  })
})

describe.runIf(HAS_PSEUDO_TERMINALS)('at a terminal', () => {
  it('asks about a first visit, and shows no control characters of a page', async () => {
    const { name } = await smallServer(() => '20 text/gemini\r\nplain \u001b[31mred\u0007 \u202edrow\ttab\n')
    const env = { HOME: await temporaryFolder(), TERM: 'xterm', XDG_DATA_HOME: '' }
    const session = await runInTerminal([...CLI_COMMAND, 'get', name], [{ after: 'Trust it?', type: 'y' }], { env })
    expect(session).toMatchObject({ code: 0, echoes: true })
    expect(session.screen).toContain('plain \\u001b[31mred\\u0007 \\u202edrow\ttab')
  })

  it('does not pour an image onto it', async () => {
    const { name } = await smallServer(() => '20 image/png\r\nPNGDATA')
    const env = { HOME: await temporaryFolder(), TERM: 'xterm', XDG_DATA_HOME: '' }
    const command = [...CLI_COMMAND, 'get', name, '--first-use', 'accept']
    const session = await runInTerminal(command, [], { env })
    expect(session.code).toBe(2)
    expect(session.screen).not.toContain('PNGDATA')
    expect(session.screen).toContain('> FILE')
  })
})
