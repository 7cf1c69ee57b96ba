import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type ClientIdentityTexts, connect, createServerContext, endpointFrom, TofuStore } from 'tlacacoca'
import {
  type Certificate,
  type CertificateRequestOptions,
  createCertificateRequest,
  generateSelfSignedCertificate,
  parseCertificates,
} from 'tlacacoca/certificate'
import { fixedClock } from 'tlacacoca/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createDesk, Members, openAuthority } from '../../docs/examples/certificate-desk.ts'
import { testCertificate } from '../support/certificates.ts'
import { bytes } from '../support/crafted-certificates.ts'
import { craftRequest, hostileRequests } from '../support/hostile-requests.ts'
import { issue } from '../support/issued-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// Self-signed certificates and those of an authority, side by side: the desk of the examples as a program of its own, and
// people who come with one, get the other, and lose it again.

const DAY = 86_400_000

/** Somebody's client. It knows the server from the first visit on. */
class Client {
  readonly #port: number
  readonly #known = TofuStore.inMemory()

  constructor(port: number) {
    this.#port = port
  }

  /** The whole answer to one request, by the identity that is shown for it. */
  async ask(path: string, identity?: ClientIdentityTexts): Promise<string> {
    const { stream } = await connect({
      endpoint: endpointFrom('localhost', this.#port),
      verify: this.#known.verifier(),
      ...(identity === undefined ? {} : { identity }),
    })
    stream.write(`gemini://localhost:${this.#port}${path}\r\n`)
    return text(stream)
  }

  /** Somebody new, with a self-signed certificate and, if there is one, a name. */
  async member(name?: string): Promise<ClientIdentityTexts> {
    const { certificate, privateKeyPem } = await generateSelfSignedCertificate({
      usage: 'client',
      commonName: 'whoever',
    })
    const identity = { cert: certificate.toPem(), key: privateKeyPem }
    if (name !== undefined) expect(await this.ask(`/join?${name}`, identity)).toBe('30 /members/\r\n')
    return identity
  }

  /** The address of a page with a question, which is another for everybody. */
  async address(page: string, identity: ClientIdentityTexts): Promise<string> {
    const answer = await this.ask(page, identity)
    const [, address = ''] = /^30 (\S+)\r\n$/.exec(answer) ?? []
    expect(address, answer).toMatch(new RegExp(`^${page}/[A-Za-z0-9_-]{43}$`))
    return address
  }

  /** A certificate of the desk's for a new key. */
  async enrol(
    by: ClientIdentityTexts,
    { page = '/certificate', ...options }: CertificateRequestOptions & { page?: string } = {},
  ): Promise<Enrolled> {
    const { request, privateKeyPem } = await createCertificateRequest(options)
    const address = await this.address(page, by)
    expect(await this.ask(address, by)).toMatch(/^10 /)
    return enrolled(await this.ask(`${address}?${base64url(request.der)}`, by), privateKeyPem)
  }

  /** The addresses at which a member can revoke what the desk has issued, by serial number. */
  async links(identity: ClientIdentityTexts): Promise<ReadonlyMap<string, string>> {
    const answer = await this.ask('/members/', identity)
    return new Map(
      [...answer.matchAll(/^=> (\/revoke\/\S+\/([0-9a-f]+)) /gm)].map(([, link = '', serial = '']) => [serial, link]),
    )
  }
}

interface Enrolled {
  readonly identity: ClientIdentityTexts
  readonly certificate: Certificate
  readonly authority: Certificate
}

function enrolled(answer: string, key: string): Enrolled {
  expect(answer).toMatch(/^20 text\/plain\r\n-----BEGIN CERTIFICATE-----\n/)
  const pem = answer.slice(answer.indexOf('\n') + 1)
  const [certificate, authority, ...more] = parseCertificates(pem)
  if (certificate === undefined || authority === undefined || more.length > 0) throw new Error(answer)
  return { identity: { cert: pem, key }, certificate, authority }
}

const base64url = (der: Uint8Array): string => Buffer.from(der).toString('base64url')

const OVER = '62 this certificate has expired, is not yet valid, or was revoked\r\n'

describe('the certificate desk', () => {
  let port = 0
  let folder = ''
  let stop = async (): Promise<void> => {}
  let complaints = ''

  /** On the port that it had; at first on one that is free, by trying. */
  async function start(): Promise<void> {
    for (let tries = 0; tries < 10; tries++) {
      // Below those that systems give to clients.
      const tried = port === 0 ? randomInt(20_000, 30_000) : port
      const args = ['--import', 'tsx', 'docs/examples/certificate-desk.ts', folder, `${tried}`]
      const env = { ...process.env, CA_PASSPHRASE: 'correct horse battery staple' }
      const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
      const ended = once(child, 'close')
      const errors = text(child.stderr)
      const { value: line } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
      if (line === `serving the certificate desk in ${folder} at gemini://localhost:${tried}/`) {
        port = tried
        stop = async () => {
          child.kill()
          await ended
          complaints += await errors
        }
        return
      }
      await ended
      if (!(await errors).includes('LISTEN_FAILED')) throw new Error(await errors)
    }
    throw new Error('there is no free port')
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tlacacoca-certificate-desk-'))
    await start()
  }, 60_000)
  afterAll(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true })
    // It has had nothing to complain about.
    expect(complaints).toBe('')
  })

  it('is for those who have joined with a certificate', async () => {
    const client = new Client(port)
    expect(await client.ask('/')).toMatch(/^20 text\/gemini\r\n# Certificate desk\n/)
    for (const path of ['/join', '/members/', '/certificate', '/%63ertificate/x?yes', '/renew', '/revoke/x/y?yes']) {
      expect(await client.ask(path), path).toMatch(/^60 /)
    }
    const stranger = await client.member()
    for (const path of ['/members/', '/certificate', '/renew', '/revoke/x/y?yes']) {
      expect(await client.ask(path, stranger), path).toBe('61 this certificate has no right to this\r\n')
    }
    expect(await client.ask('/join', stranger)).toMatch(/^10 What shall we call you/)
    expect(await client.ask('/join?Ana', stranger)).toMatch(/^10 That is no name/)
    expect(await client.ask('/join?ana', stranger)).toBe('30 /members/\r\n')
    expect(await client.ask('/members/', stranger)).toMatch(/^20 text\/gemini\r\n# ana\n/)
    expect(await client.ask('/join?ana', await client.member())).toMatch(/^10 That is no name, or taken/)
    expect(await client.ask('/toString', stranger)).toMatch(/^51 /)
  })

  it('gives a certificate one name, however many are asked for at once', async () => {
    const client = new Client(port)
    const identity = await client.member()
    const answers = await Promise.all(['one', 'two', 'three'].map((name) => client.ask(`/join?${name}`, identity)))
    expect(answers).toContain('30 /members/\r\n')
    const [, name] = /^20 text\/gemini\r\n# (\w+)\n/.exec(await client.ask('/members/', identity)) ?? []
    for (const other of ['one', 'two', 'three'].filter((each) => each !== name)) {
      // Still free.
      expect(await client.ask('/members/', await client.member(other))).toContain(`# ${other}\n`)
    }
  })

  it('issues a certificate that gets its member in, beside the first one, also after a restart', async () => {
    const client = new Client(port)
    const first = await client.member('berta')
    const phone = await client.enrol(first, { subject: [['CN', 'root']], subjectAltNames: { dns: ['evil.example'] } })
    expect(String(phone.certificate.subject)).toBe('CN=berta')
    expect(phone.certificate.subjectAltNames.dns).toEqual([])
    expect(phone.certificate.toX509Certificate().verify(phone.authority.publicKey())).toBe(true)
    for (const when of ['before', 'after']) {
      for (const identity of [first, phone.identity]) {
        expect(await client.ask('/members/', identity), when).toMatch(/^20 text\/gemini\r\n# berta\n/)
      }
      if (when === 'before') {
        await stop()
        await start()
      }
    }
    // With the new one, yet another.
    expect(String((await client.enrol(phone.identity)).certificate.subject)).toBe('CN=berta')
  })

  it('refuses what was taken back from the next request on, for ever, and nothing else', async () => {
    const client = new Client(port)
    const first = await client.member('carl')
    const [phone, laptop] = [await client.enrol(first), await client.enrol(first)]
    const links = await client.links(laptop.identity)
    expect([...links.keys()]).toEqual([phone.certificate.serialNumber, laptop.certificate.serialNumber])
    const link = links.get(phone.certificate.serialNumber) ?? ''
    expect(await client.ask(link, laptop.identity)).toMatch(/^10 Type yes/)
    expect(await client.ask(`${link}?no`, laptop.identity)).toBe('30 /members/\r\n')
    expect(await client.ask('/members/', phone.identity)).toMatch(/^20 /)
    const renewal = await client.address('/renew', phone.identity)

    expect(await client.ask(`${link}?yes`, laptop.identity)).toBe('30 /members/\r\n')
    for (const path of ['/', '/members/', '/certificate', `${renewal}?yes`, '/join', '/join?carl2']) {
      expect(await client.ask(path, phone.identity), path).toBe(OVER)
    }
    for (const identity of [first, laptop.identity]) {
      expect(await client.ask('/members/', identity)).toMatch(/^20 /)
    }
    expect([...(await client.links(first)).keys()]).toEqual([laptop.certificate.serialNumber])
  })

  it('does for nobody what only the member may ask for', async () => {
    const client = new Client(port)
    const [dora, emil] = [await client.member('dora'), await client.member('emil')]
    const phone = await client.enrol(dora)
    const serial = phone.certificate.serialNumber

    // Emil has the serial number, and addresses that were Dora's.
    const [own = ''] = /[^/]+$/.exec(await client.address('/certificate', emil)) ?? []
    expect(await client.ask(`/revoke/${own}/${serial}?yes`, emil)).toMatch(/^51 /)
    expect(await client.ask(`${(await client.links(dora)).get(serial)}?yes`, emil)).toBe('30 /members/\r\n')
    const { request } = await createCertificateRequest()
    const address = await client.address('/certificate', emil)
    expect(await client.ask(`${await client.address('/certificate', dora)}?${base64url(request.der)}`, emil)).toBe(
      `30 ${address}\r\n`,
    )
    // A link that anybody can write asks for nothing, whoever follows it.
    expect(await client.ask(`/certificate?${base64url(request.der)}`, emil)).toBe(`30 ${address}\r\n`)
    expect(await client.links(emil)).toEqual(new Map())

    // A request that was seen, and so is not for his key.
    const seen = base64url(craftRequest())
    await client.ask(`${await client.address('/certificate', dora)}?${seen}`, dora)
    expect(await client.ask(`${address}?${seen}`, emil)).toBe('61 there is no certificate for this key\r\n')
    expect(await client.ask('/members/', phone.identity)).toMatch(/^20 /)
  })

  it('takes no certificate for its own that only looks like it', async () => {
    const client = new Client(port)
    const fine = await client.enrol(await client.member('fine'))
    const forger = issue({ subjectDer: fine.certificate.issuerDer, ca: true, keyUsage: ['keyCertSign'] })
    const forged = issue({
      subjectDer: fine.certificate.subjectDer,
      by: forger,
      serial: bytes(fine.certificate.serialNumber),
      purposes: ['client'],
    })
    const key = forged.keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    const identity = { cert: forged.certificate.toPem(), key }
    expect(forged.certificate.serialNumber).toBe(fine.certificate.serialNumber)
    expect(await client.ask('/members/', identity)).toMatch(/^6[12] /)
    expect(await client.ask('/members/', fine.identity)).toMatch(/^20 /)
  })

  it('says what is wrong with a request, and goes on', async () => {
    const client = new Client(port)
    const gina = await client.member('gina')
    const address = await client.address('/certificate', gina)
    for (const rubbish of ['hello', '-----BEGIN', 'yes', base64url(craftRequest().subarray(0, -1))]) {
      expect(await client.ask(`${address}?${rubbish}`, gina), rubbish).toMatch(/^59 .{10,900}\r\n$/)
    }
    // A line of Gemini has 1,024 bytes.
    const short = hostileRequests.filter(({ code, der }) => code !== null && der.length < 600 && der.length > 0)
    expect(short.length).toBeGreaterThan(30)
    for (const { name, der } of short.filter((_, index) => index % 5 === 0)) {
      expect(await client.ask(`${address}?${base64url(der)}`, gina), name).toMatch(/^59 [^\r\n]{10,900}\r\n$/)
    }
    expect((await client.links(gina)).size).toBe(0)
    expect(String((await client.enrol(gina)).certificate.subject)).toBe('CN=gina')
  })
})

describe('a renewal at the certificate desk', () => {
  async function desk() {
    const clock = fixedClock(new Date())
    const folder = await temporaryFolder()
    const members = new Members(join(folder, 'members.txt'))
    process.env.CA_PASSPHRASE = 'correct horse battery staple'
    const authority = await openAuthority(join(folder, 'ca'), members, { clock })
    const site = await testCertificate({ host: 'localhost' })
    const context = await createServerContext({
      certificates: [{ cert: site.certPem, key: site.keyPem }],
      clientCertificates: 'request',
    })
    const server = createDesk({ authority, members, context, served: ['localhost'], clock })
    const { port } = await server.listen(0, '127.0.0.1')
    onTestFinished(async () => {
      await server.close()
      await authority.close()
    })
    return { clock, authority, client: new Client(port) }
  }

  it('is granted in the last third, for the same key or another, to whoever shows the certificate', async () => {
    const { client, clock } = await desk()
    const first = await client.member('ana')
    const phone = await client.enrol(first)
    const address = await client.address('/renew', phone.identity)
    expect(await client.ask(address, phone.identity)).toMatch(/^10 Type yes/)
    expect(await client.ask(`${address}?yes`, phone.identity)).toBe('50 this certificate is not renewed: too_early\r\n')
    clock.advance(61 * DAY)
    const next = enrolled(await client.ask(`${address}?yes`, phone.identity), phone.identity.key as string)
    expect(next.certificate.publicKeyFingerprint).toBe(phone.certificate.publicKeyFingerprint)
    expect(next.certificate.serialNumber).not.toBe(phone.certificate.serialNumber)
    const other = await client.enrol(phone.identity, { page: '/renew' })
    expect(other.certificate.publicKeyFingerprint).not.toBe(phone.certificate.publicKeyFingerprint)
    for (const { identity } of [phone, next, other]) expect(await client.ask('/members/', identity)).toMatch(/# ana\n/)

    // The old one ends, the next ones do not.
    clock.advance(30 * DAY)
    expect(await client.ask('/members/', phone.identity)).toBe(OVER)
    for (const { identity } of [next, other]) expect(await client.ask('/members/', identity)).toMatch(/# ana\n/)
  })

  it('is for certificates of the desk, and not for those that were taken back', async () => {
    const { client, clock, authority } = await desk()
    const first = await client.member('ana')
    const address = await client.address('/renew', first)
    expect(await client.ask(`${address}?yes`, first)).toBe('50 this certificate is not renewed: unknown\r\n')

    const phone = await client.enrol(first)
    clock.advance(61 * DAY)
    const own = await client.address('/renew', phone.identity)
    await authority.hold(phone.certificate.serialNumber)
    expect(await client.ask(`${own}?yes`, phone.identity)).toBe(OVER)
    await authority.release(phone.certificate.serialNumber)
    await authority.revoke(phone.certificate.serialNumber, { reason: 'key_compromise' })
    expect(await client.ask(`${own}?yes`, phone.identity)).toBe(OVER)
    expect(await client.ask('/members/', first)).toMatch(/^20 /)
  })
})

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
