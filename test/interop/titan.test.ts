import { once } from 'node:events'
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { connect, createServerContext, endpointFrom, type Listener, pins } from 'tlacacoca'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTitanServer, type TitanOptions } from '../../docs/examples/titan-server.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// The Titan example: what gets in, who gets it in, and that what does not get in whole leaves nothing behind.

let site: TestCertificate
let member: TestCertificate
let stranger: TestCertificate
let root = ''
let server: Listener
let port = 0

beforeAll(async () => {
  site = await testCertificate({ host: 'localhost' })
  member = await testCertificate({ host: null, commonName: 'ana', usage: 'client' })
  stranger = await testCertificate({ host: null, commonName: 'bob', usage: 'client' })
})

beforeEach(async () => {
  // What broke off is told there.
  vi.spyOn(console, 'error').mockImplementation(() => {})
  root = await temporaryFolder()
  await start()
})

afterEach(async () => {
  await server.close({ graceMs: 0 })
  vi.restoreAllMocks()
})

async function start(options: Partial<TitanOptions> = {}): Promise<void> {
  const certificates = [{ cert: site.certPem, key: site.keyPem }]
  const context = await createServerContext({ certificates, clientCertificates: 'request' })
  const members = [member.certificate.fingerprint]
  const token = 'swordfish'
  server = createTitanServer({ root, context, served: ['localhost'], members, token, maxBytes: 100, ...options })
  port = (await server.listen(0, '127.0.0.1')).port
}

async function open(identity?: TestCertificate) {
  const own = identity && { identity: { cert: identity.certPem, key: identity.keyPem } }
  const endpoint = endpointFrom('localhost', port)
  const { stream } = await connect({ endpoint, verify: pins([site.certificate.fingerprint]), ...own })
  return stream
}

async function ask(request: string, identity?: TestCertificate): Promise<string> {
  const stream = await open(identity)
  stream.write(request)
  return text(stream)
}

/** A TCP connection and the TLS in it, so that the one can be cut without a word of the other. */
async function cuttable() {
  const socket = connectTcp(port, '127.0.0.1')
  const tls = connectTls({ socket, rejectUnauthorized: false })
  tls.on('error', () => {})
  await once(tls, 'secureConnect')
  return { socket, tls }
}

/** An upload that has begun to be stored. */
const isUnderWay = async (): Promise<boolean> => (await readdir(root)).some((name) => name.startsWith('.upload-'))

describe('an upload', () => {
  it.each([
    ['by the token', ';token=swordfish', null],
    ['by a certificate', '', 'member'],
    ['by a certificate, with a token that is wrong', ';token=guess', 'member'],
  ])('%s can be read by everybody afterwards', async (_how, parameter, identity) => {
    const request = `titan://localhost/note.gmi;mime=text/gemini;size=7${parameter}\r\n# Note\n`
    expect(await ask(request, identity === null ? undefined : member)).toBe('30 gemini://localhost:1965/note.gmi\r\n')
    expect(await ask('gemini://localhost/note.gmi\r\n')).toBe('20 text/gemini\r\n# Note\n')
    expect(await readdir(root)).toEqual(['note.gmi'])
  })

  it.each([
    ['nothing that shows who it is', '60 a client certificate is needed here\r\n', '', () => undefined],
    ['a token that is wrong', '60 a client certificate is needed here\r\n', ';token=swordfisH', () => undefined],
    ['an empty token', '60 a client certificate is needed here\r\n', ';token=', () => undefined],
    ['the certificate of a stranger', '61 this certificate has no right to this\r\n', '', () => stranger],
  ])('with %s is refused', async (_what, answer, parameter, identity) => {
    expect(await ask(`titan://localhost/note.gmi;size=7${parameter}\r\n# Note\n`, identity())).toBe(answer)
    expect(await readdir(root)).toEqual([])
  })

  it('with a certificate that has expired is refused for that', async () => {
    const notBefore = new Date('2020-01-01')
    const lapsed = await testCertificate({ host: null, commonName: 'ana', usage: 'client', notBefore, days: 30 })
    await server.close()
    await start({ members: [lapsed.certificate.fingerprint] })
    expect(await ask('titan://localhost/note.gmi;size=7\r\n# Note\n', lapsed)).toMatch(/^62 /)
  })

  it('by an empty token is refused where the token is not set', async () => {
    await server.close()
    await start({ token: '' })
    expect(await ask('titan://localhost/note.gmi;size=7;token=\r\n# Note\n')).toMatch(/^60 /)
  })

  it.each([
    ['/note.gmi;size=101', '59 the size is needed, and at most 100'],
    ['/note.gmi;size=99999999999999999999', '59 the size is needed, and at most 100'],
    ['/note.gmi;size=-1', '59 the size is needed, and at most 100'],
    ['/note.gmi;size=1e1', '59 the size is needed, and at most 100'],
    ['/note.gmi;size=', '59 the size is needed, and at most 100'],
    ['/note.gmi;mime=text/gemini', '59 the size is needed, and at most 100'],
    ['/note.gmi', '59 the size is needed, and at most 100'],
    ['/note.gmi;size=7;size=8', '59 this is not a request'],
    ['/note.gmi;size=7;mime=text/plain', '59 such a file is text/gemini'],
    ['/folder/note.gmi;size=7', '59 a name ends in .gmi, .txt, .png'],
    ['/note.gmi/;size=7', '59 a name ends in .gmi, .txt, .png'],
    ['/.note.gmi;size=7', '59 a name ends in .gmi, .txt, .png'],
    ['/note.html;size=7', '59 a name ends in .gmi, .txt, .png'],
    ['/;size=7', '59 a name ends in .gmi, .txt, .png'],
    ['/..%2Fnote.gmi;size=7', '59 this is not a request'],
    ['/note.gmi%00;size=7', '59 this is not a request'],
  ])('to %s is refused before anything of it is read', async (target, answer) => {
    expect(await ask(`titan://localhost${target}\r\n`, member)).toBe(`${answer}\r\n`)
    expect(await readdir(root)).toEqual([])
  })

  it('that is too large is answered while the client still sends', async () => {
    const body = 'x'.repeat(300_000)
    expect(await ask(`titan://localhost/note.gmi;size=${body.length}\r\n${body}`, member)).toMatch(/^59 /)
  })

  it('above the root stays in it', async () => {
    expect(await ask('titan://localhost/../note.gmi;size=7\r\n# Note\n', member)).toMatch(/^30 /)
    expect(await readdir(root)).toEqual(['note.gmi'])
  })

  it('over a link replaces the link and not what it leads to', async () => {
    const outside = join(await temporaryFolder(), 'outside.gmi')
    await writeFile(outside, 'outside')
    await symlink(outside, join(root, 'note.gmi'))
    expect(await ask('titan://localhost/note.gmi;size=7\r\n# Note\n', member)).toMatch(/^30 /)
    expect(await readFile(outside, 'utf8')).toBe('outside')
    expect(await readFile(join(root, 'note.gmi'), 'utf8')).toBe('# Note\n')
  })

  it('of nothing makes an empty file', async () => {
    expect(await ask('titan://localhost/note.gmi;size=0\r\n', member)).toMatch(/^30 /)
    expect(await readFile(join(root, 'note.gmi'), 'utf8')).toBe('')
  })

  it('may come byte by byte', async () => {
    const stream = await open(member)
    for (const byte of Buffer.from('titan://localhost/note.gmi;size=7\r\n# Note\n')) {
      await new Promise((resolve) => stream.write(Buffer.of(byte), resolve))
    }
    expect(await text(stream)).toMatch(/^30 /)
    expect(await readFile(join(root, 'note.gmi'), 'utf8')).toBe('# Note\n')
  })

  it('is as long as it said, whatever comes behind it', async () => {
    expect(await ask('titan://localhost/note.gmi;size=6\r\n# Note\nand more', member)).toMatch(/^30 /)
    expect(await readFile(join(root, 'note.gmi'), 'utf8')).toBe('# Note')
  })
})

describe('an upload that does not come whole', () => {
  beforeEach(() => writeFile(join(root, 'note.gmi'), 'before'))

  async function expectNothingLeft(): Promise<void> {
    await expect.poll(() => readdir(root)).toEqual(['note.gmi'])
    expect(await readFile(join(root, 'note.gmi'), 'utf8')).toBe('before')
  }

  it('is answered if the client says that this is all', async () => {
    const stream = await open(member)
    stream.end('titan://localhost/note.gmi;size=7\r\n# No')
    expect(await text(stream)).toBe('59 that was less than announced\r\n')
    await expectNothingLeft()
  })

  it.each(['end', 'resetAndDestroy'] as const)('leaves nothing if the connection breaks off (%s)', async (how) => {
    const { socket, tls } = await cuttable()
    tls.write('titan://localhost/note.gmi;size=7;token=swordfish\r\n# No')
    await expect.poll(isUnderWay).toBe(true)
    socket[how]()
    await expectNothingLeft()
  })

  it('leaves nothing if it takes too long', async () => {
    await server.close()
    await start({ uploadMs: 50 })
    const { tls } = await cuttable()
    tls.write('titan://localhost/note.gmi;size=7;token=swordfish\r\n# No')
    await once(tls.resume(), 'close')
    await expectNothingLeft()
  })

  it('leaves nothing if the server is closed meanwhile', async () => {
    const { tls } = await cuttable()
    tls.write('titan://localhost/note.gmi;size=7;token=swordfish\r\n# No')
    await expect.poll(isUnderWay).toBe(true)
    await server.close({ graceMs: 0 })
    await expectNothingLeft()
  })
})

it('lets an address try few tokens', async () => {
  const answers: string[] = []
  for (let i = 0; i < 5; i++) answers.push(await ask(`titan://localhost/note.gmi;size=1;token=${i}\r\n0`))
  expect(answers.map((answer) => answer.slice(0, 2))).toEqual(['60', '60', '60', '60', '44'])
})

it.each([
  ['gemini://localhost/.upload-1', '51 there is no such page\r\n'],
  ['gemini://localhost/', '51 there is no such page\r\n'],
  ['gemini://example.org/', '53 this is not served here\r\n'],
])('does not show %s', async (url, answer) => {
  await writeFile(join(root, '.upload-1'), 'half of it')
  expect(await ask(`${url}\r\n`)).toBe(answer)
})
