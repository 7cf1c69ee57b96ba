import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import SQLite from 'better-sqlite3'
import {
  type ClientIdentityTexts,
  connect,
  createServerContext,
  type Listener,
  parseEndpoint,
  TofuStore,
} from 'tlacacoca'
import { IdentityRegistry, IdentityWallet } from 'tlacacoca/identity'
import { type FixedClock, fixedClock } from 'tlacacoca/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Book, createGuestBook } from '../../docs/examples/guest-book.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { hasOpenssl, openssl } from '../support/tls-clients.ts'

// Accounts from both sides, over TLS: the guest book of the examples as a program of its own, and people who come with a
// wallet and with trust on first use, as a browser would.

const DAY = 86_400_000

interface Answer {
  readonly status: string
  readonly meta: string
  readonly body: string
  /** The address that answered, after redirects. */
  readonly url: string
}

/** One device of somebody's. */
class Browser {
  readonly wallet: IdentityWallet
  readonly #known: TofuStore
  readonly #origin: string

  private constructor(port: number, wallet: IdentityWallet, known: TofuStore) {
    this.#origin = `gemini://localhost:${port}`
    this.wallet = wallet
    this.#known = known
  }

  static async open(port: number, wallet?: IdentityWallet): Promise<Browser> {
    const known = TofuStore.inMemory()
    const browser = new Browser(port, wallet ?? (await IdentityWallet.inMemory()), known)
    onTestFinished(async () => {
      await browser.wallet.close()
      await known.close()
    })
    return browser
  }

  url(path: string): string {
    return `${this.#origin}${path}`
  }

  /** One request with the identity that the wallet has for it, or with another one. */
  async ask(url: string, options: { identity?: ClientIdentityTexts; cameFrom?: string } = {}): Promise<Answer> {
    const { identity, cameFrom } = options
    const from = cameFrom === undefined ? {} : { redirectedFrom: cameFrom }
    const { stream } = await connect({
      endpoint: parseEndpoint(this.#origin.slice('gemini://'.length)),
      verify: this.#known.verifier(),
      ...(identity === undefined ? { clientCertificateStore: this.wallet.store(url, from) } : { identity }),
    })
    stream.write(`${url}\r\n`)
    const [, status = '', meta = '', body = ''] = /^(\d\d) ([^\r\n]*)\r\n(.*)$/s.exec(await text(stream)) ?? []
    return { status, meta, body, url }
  }

  /** A page, by way of all redirects. An input goes to the page that asks for one. */
  async go(path: string, input?: string): Promise<Answer> {
    let answer = await this.ask(this.url(path))
    for (let hops = 0; hops < 5; hops++) {
      if (answer.status === '30') {
        answer = await this.ask(
          new URL(answer.meta, answer.url.replace('gemini:', 'http:')).href.replace('http:', 'gemini:'),
          {
            cameFrom: answer.url,
          },
        )
      } else if (answer.status.startsWith('1') && input !== undefined && !answer.url.includes('?')) {
        answer = await this.ask(`${answer.url}?${encodeURIComponent(input)}`)
      } else {
        break
      }
    }
    return answer
  }

  /** Does what a client does after a status 60, if the user takes the first offer. */
  async takeFirstOffer(path: string): Promise<void> {
    const [offer] = this.wallet.suggest(this.url(path), 60).offers
    if (offer?.kind !== 'create') throw new Error(`offered ${offer?.kind ?? 'nothing'}`)
    await this.wallet.create({ scope: offer.scope })
  }
}

/** The address of a link whose text begins so. */
function linkIn({ body }: Answer, label: string, after = ''): string {
  const rest = body.slice(Math.max(body.indexOf(after), 0))
  const found = rest
    .split('\n')
    .find((line) => line.startsWith('=> ') && line.split(' ').slice(2).join(' ').startsWith(label))
  if (found === undefined) throw new Error(`no link ${label} in ${body}`)
  return found.split(' ')[1] ?? ''
}

const codeIn = ({ body }: Answer): string => /^> (\S+)$/m.exec(body)?.[1] ?? ''
const short = ({ status, meta }: Answer): string => `${status} ${meta}`

/** The guest book as a program of its own, for the tests of one group: it limits requests, and they share an address. */
class Program {
  port = 0
  folder = ''
  #errors = ''
  #stop = async (): Promise<void> => {}

  static forGroup(): Program {
    const program = new Program()
    beforeAll(async () => {
      program.folder = await mkdtemp(join(tmpdir(), 'tlacacoca-guest-book-'))
      await program.start()
    }, 60_000)
    afterAll(async () => {
      await program.stop()
      await rm(program.folder, { recursive: true, force: true })
      // It has had nothing to complain about.
      expect(program.#errors).toBe('')
    })
    return program
  }

  /** On the port that it had; at first on one that is free, by trying. */
  async start(): Promise<void> {
    for (let tries = 0; tries < 10; tries++) {
      // Below those that systems give to clients.
      const port = this.port === 0 ? randomInt(20_000, 30_000) : this.port
      const args = ['--import', 'tsx', 'docs/examples/guest-book.ts', this.folder, `${port}`]
      const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
      const ended = once(child, 'close')
      const complaints = text(child.stderr)
      const { value: line } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
      if (line === `serving the guest book in ${this.folder} at gemini://localhost:${port}/`) {
        this.port = port
        this.#stop = async () => {
          child.kill()
          await ended
          this.#errors += await complaints
        }
        return
      }
      await ended
      if (!(await complaints).includes('LISTEN_FAILED')) throw new Error(await complaints)
    }
    throw new Error('there is no free port')
  }

  stop(): Promise<void> {
    return this.#stop()
  }

  /** Somebody new with an empty wallet, who takes the first offer if a page wants a certificate. */
  async stranger(path: string): Promise<Browser> {
    const browser = await Browser.open(this.port)
    await browser.takeFirstOffer(path)
    return browser
  }

  async member(handle: string): Promise<Browser> {
    const browser = await this.stranger('/join')
    expect((await browser.go('/join', handle)).body).toContain(`# ${handle}\n`)
    return browser
  }
}

describe('the guest book', () => {
  const program = Program.forGroup()

  it('is read by everybody, and joined with a certificate', async () => {
    const browser = await Browser.open(program.port)
    expect(await browser.go('/')).toMatchObject({ status: '20', meta: 'text/gemini' })
    for (const path of ['/join', '/link', '/sign', '/account', '/account/link', '/%61ccount//link', '/recover']) {
      expect((await browser.go(path)).status, path).toBe('60')
    }
    expect(browser.wallet.suggest(browser.url('/join'), 60).offers.map(({ text }) => text)).toEqual([
      `Create a new identity for all of localhost:${program.port}.`,
      `Create a new identity for "/join" and everything below it on localhost:${program.port}.`,
    ])
    await browser.takeFirstOffer('/join')
    expect(short(await browser.go('/sign', 'hello'))).toBe(
      '61 nobody here has this certificate: see /join, /link and /recover',
    )
    expect((await browser.go('/join')).status).toBe('10')
    const account = await browser.go('/join', 'Ana')
    expect(account).toMatchObject({ status: '20', url: browser.url('/account') })
    expect(account.body).toMatch(/^# ana\n## Certificates\n\* no label \(this one\): active, register /)
    expect((await browser.go('/join', 'ana2')).url).toBe(browser.url('/account'))
  })

  it('knows a member after both sides were started anew', async () => {
    const directory = await temporaryFolder()
    const before = await Browser.open(program.port, await IdentityWallet.open({ directory }))
    await before.takeFirstOffer('/join')
    await before.go('/join', 'berta')
    await before.go('/sign', 'I was here')
    await before.wallet.close()
    await program.stop()
    await program.start()
    const after = await Browser.open(program.port, await IdentityWallet.open({ directory }))
    expect((await after.go('/account')).body).toContain('# berta\n')
    expect((await after.go('/')).body).toMatch(/## berta, \d{4}-\d\d-\d\d\n> I was here\n/)
  })

  it('shows what somebody wrote as text, whatever it is', async () => {
    const carl = await program.member('carl')
    const { url } = await carl.go('/sign', '=> gemini://evil.example free\n# Big\r\n```\n\u202eback\u001b[2J')
    expect(url).toBe(carl.url('/'))
    const { body } = await carl.go('/')
    expect(body).toContain('> => gemini://evil.example free # Big ``` back [2J\n')
    expect(await readFile(join(program.folder, 'entries.jsonl'), 'utf8')).not.toContain('\\u')
    const { url: asked } = await carl.go('/sign')
    expect(short(await carl.ask(`${asked}?%FF`))).toBe('59 this is no text')
  })

  it('lets a phone in by a code that is good once, and out of its address', async () => {
    const dora = await program.member('dora')
    const code = codeIn(await dora.go('/account/link'))
    expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{10}$/)
    const phone = await program.stranger('/link')
    expect((await phone.go('/link')).status).toBe('11')
    const account = await phone.go('/link', ` ${code.slice(0, 5).toLowerCase()}-${code.slice(5)}`)
    expect(account).toMatchObject({ status: '20', url: phone.url('/account') })
    expect(account.body).toContain('# dora\n')

    await phone.go(linkIn(account, 'Name it', '(this one)'), 'phone')
    expect((await dora.go('/account')).body).toMatch(/\* phone: active, code /)
    await phone.go('/sign', 'from the phone')
    expect((await dora.go('/')).body).toMatch(/## dora, [\d-]+\n> from the phone\n/)

    const thief = await program.stranger('/link')
    expect(short(await thief.go('/link', code))).toMatch(/^11 That is wrong, was used, or has expired\. /)
  })

  it.runIf(hasOpenssl)('serves a client that is not ours', async () => {
    const [cert, key] = [join(program.folder, 'other.pem'), join(program.folder, 'other.key')]
    const subject = ['-subj', '/CN=somebody', '-days', '30']
    const child = spawn('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ])
    expect((await once(child, 'close'))[0]).toBe(0)
    const ask = (path: string, ...more: string[]): Promise<string> =>
      openssl(
        program.port,
        ['-servername', 'localhost', '-quiet', ...more],
        `gemini://localhost:${program.port}${path}\r\n`,
      )
    const identity = ['-cert', cert, '-key', key]

    expect(await ask('/join')).toContain('60 a client certificate is needed here\r\n')
    expect(await ask('/join', ...identity)).toContain('10 What shall we call you?\r\n')
    expect(await ask('/join?moritz', ...identity)).toContain('30 /account\r\n')
    for (const version of ['-tls1_3', '-tls1_2']) {
      expect(await ask('/account', version, ...identity)).toContain('20 text/gemini\r\n# moritz\n')
      expect(await ask('/account', version)).toContain('60 a client certificate is needed here\r\n')
    }
  })
})

describe('certificates that change, at the guest book', () => {
  const program = Program.forGroup()

  it('takes a certificate that was renewed with the same key once its owner agrees', async () => {
    const emil = await program.member('emil')
    const [{ id } = { id: '' }] = emil.wallet.list()
    const old = await emil.wallet.clientIdentity(id)
    await emil.wallet.renew(id, { validity: { days: 400 } })
    expect(short(await emil.go('/account'))).toBe('61 we know another certificate for this key: see /renew')
    expect((await emil.go('/renew', 'no')).status).toBe('61')
    expect((await emil.go('/renew', 'yes')).body).toContain('# emil\n')
    expect(await emil.ask(emil.url('/account'), { identity: old })).toMatchObject({ status: '61' })
    expect(short(await emil.ask(emil.url('/join'), { identity: old }))).toBe('62 this certificate is superseded')
  })

  it('takes a new key by a statement that the old one signed, once', async () => {
    const fine = await program.member('fine')
    const [{ id } = { id: '' }] = fine.wallet.list()
    const old = await fine.wallet.clientIdentity(id)
    const plan = await fine.wallet.rotate(id)
    const fresh = await fine.wallet.clientIdentity(plan.to.id)
    const endpoint = parseEndpoint(`localhost:${program.port}`)
    const statement = await plan.statement(endpoint)

    const thief = await program.stranger('/rotate')
    expect(short(await thief.go('/rotate', statement))).toMatch(/^11 This statement is not accepted\. /)

    expect(await fine.ask(fine.url(`/rotate?${statement}`), { identity: fresh })).toMatchObject({ status: '30' })
    await plan.mark(endpoint, 'done')
    expect((await fine.go('/account')).body).toContain('# fine\n')
    expect(fine.wallet.forUrl(fine.url('/account'))?.id).toBe(plan.to.id)
    expect((await fine.ask(fine.url('/account'), { identity: old })).status).toBe('61')
    expect((await thief.go('/rotate', statement)).status).toBe('11')
  })

  it('never takes a certificate again that was revoked, and keeps the last one', async () => {
    const gina = await program.member('gina')
    const phone = await program.stranger('/link')
    await phone.go('/link', codeIn(await gina.go('/account/link')))
    const mine = await gina.go('/account')
    expect(short(await gina.go(linkIn(mine, 'Revoke it', 'this one'), 'no'))).toBe('20 text/gemini')
    await gina.go(linkIn(mine, 'Revoke it', '* no label: '), 'yes')
    expect(short(await phone.go('/account'))).toBe('62 this certificate has expired, is not yet valid, or was revoked')
    expect(short(await phone.go('/join', 'gina2'))).toBe('62 this certificate is revoked')
    expect((await gina.go('/account')).body).toMatch(/\* no label: revoked, /)
    expect((await gina.go(linkIn(mine, 'Revoke it', 'this one'), 'yes')).status).toBe('50')
    expect((await gina.go('/account')).status).toBe('20')
    // The same key in another certificate is the same phone.
    const [{ id } = { id: '' }] = phone.wallet.list()
    await phone.wallet.renew(id, { validity: { days: 30 } })
    expect((await phone.go('/renew', 'yes')).status).toBe('51')
  })
})

describe('a life with the guest book', () => {
  const program = Program.forGroup()

  it('from the first visit, by a second device, a renewal and a theft, to a recovery', async () => {
    const directory = await temporaryFolder()
    const open = async (name: string) =>
      Browser.open(program.port, await IdentityWallet.open({ directory: join(directory, name) }))
    // Register, and come back another day: both sides are programs that ended in between.
    const first = await open('laptop')
    await first.takeFirstOffer('/join')
    await first.go('/join', 'olga')
    const codes = (await first.go(linkIn(await first.go('/account'), 'Make recovery codes'), 'yes')).body
    const [code = ''] = codes.match(/^[0-9A-Z]{5}(?:-[0-9A-Z]{5}){3}$/m) ?? []
    await first.wallet.close()
    await program.stop()
    await program.start()
    const laptop = await open('laptop')
    expect((await laptop.go('/account')).body).toContain('# olga\n')

    // Link a phone, which signs.
    const phone = await open('phone')
    await phone.takeFirstOffer('/link')
    await phone.go('/link', codeIn(await laptop.go('/account/link')))
    await phone.go('/sign', 'from the phone')

    // Renew the laptop's certificate with its key.
    const [{ id } = { id: '' }] = laptop.wallet.list()
    const old = await laptop.wallet.clientIdentity(id)
    await laptop.wallet.renew(id, { validity: { days: 400 } })
    expect((await laptop.go('/account')).status).toBe('61')
    expect((await laptop.go('/renew', 'yes')).body).toContain('# olga\n')
    expect((await laptop.ask(laptop.url('/join'), { identity: old })).status).toBe('62')

    // The phone is stolen. It is revoked, and refused from then on: as a member, as a newcomer, and by its codes.
    const stolen = codeIn(await phone.go('/account/link'))
    const account = await laptop.go('/account')
    await laptop.go(linkIn(account, 'Revoke it', '* no label: active, code'), 'yes')
    expect((await phone.go('/account')).status).toBe('62')
    expect((await phone.go('/join', 'olga2')).status).toBe('62')
    expect((await (await program.stranger('/link')).go('/link', stolen)).status).toBe('11')

    // The laptop is lost too. A new one recovers: it has to wait, because the lost one could object. It does not.
    const next = await open('next')
    await next.takeFirstOffer('/recover')
    expect((await next.go('/recover', `olga ${code}`)).url).toBe(next.url('/waiting'))
    expect((await next.go('/account')).status).toBe('61')
    await program.stop()
    const path = join(program.folder, 'users.db')
    const registry = await IdentityRegistry.open({ path, origin: `localhost:${program.port}` })
    const olga = await registry.findUser('olga')
    await registry.close()
    // Three days later, as far as the database knows.
    const db = new SQLite(path)
    db.prepare('UPDATE link SET ready_at = ready_at - ? WHERE user_id = ?').run(3 * DAY, olga?.id)
    db.close()
    await program.start()
    expect((await next.go('/account')).body).toMatch(/^# olga\n[\s\S]*\(this one\): active, recovery /)
    await next.go('/sign', 'back again')
    expect((await next.go('/')).body).toMatch(/## olga, [\d-]+\n> back again\n## olga, [\d-]+\n> from the phone\n/)
  })
})

describe('recovery at the guest book', () => {
  const program = Program.forGroup()

  it('tells the owner of a recovery, who can say no', async () => {
    const hugo = await program.member('hugo')
    const account = await hugo.go('/account')
    const shown = await hugo.go(linkIn(account, 'Make recovery codes'), 'yes')
    const codes = shown.body.match(/^[0-9A-Z]{5}(?:-[0-9A-Z]{5}){3}$/gm) ?? []
    expect(codes).toHaveLength(8)
    expect((await hugo.go('/account')).body).toContain('(8 left)')

    const other = await program.stranger('/recover')
    expect((await other.go('/recover')).status).toBe('11')
    const wrong = await other.go('/recover', 'hugo AAAAA-AAAAA-AAAAA-AAAAA')
    const nobody = await other.go('/recover', `nobody ${codes[0]}`)
    expect(short(wrong)).toMatch(/^11 That is wrong/)
    expect(short(nobody)).toBe(short(wrong))

    const waiting = await other.go('/recover', `Hugo ${codes[0]}`)
    expect(waiting).toMatchObject({ status: '20', url: other.url('/waiting') })
    const [comparison = ''] = /^[0-9A-Z]{8}/m.exec(waiting.body.replace(/^#.*\n/, '')) ?? []
    expect((await other.go('/account')).status).toBe('61')
    const warned = await hugo.go('/account')
    expect(warned.body).toMatch(/^# hugo\n\* Somebody recovers this account\./)
    expect(warned.body).toContain(`* ${comparison} gets in on `)
    await hugo.go(linkIn(warned, 'That is not me'), 'yes')
    expect((await other.go('/waiting')).status).toBe('61')
    expect((await other.go('/recover', `hugo ${codes[0]}`)).status).toBe('11')
    expect((await hugo.go('/account')).body).toMatch(/^# hugo\n## /)
  })
})

describe('strangers at the guest book', () => {
  const program = Program.forGroup()

  it('give nobody the handle of somebody else, or one that looks like it', async () => {
    await program.member('paco')
    const browser = await program.stranger('/join')
    const cyrillic = '\u0440\u0430\u0441\u043e'
    for (const handle of ['paco', 'PACO', 'páco', 'pac0', 'pa\u0441o', cyrillic, 'admin', '../paco', 'paco\nx']) {
      expect(short(await browser.go('/join', handle)), handle).toMatch(/^10 (?:Somebody has this|A name is)/)
    }
    expect((await browser.go('/account')).status).toBe('61')
  })

  it('are stopped if they guess codes', async () => {
    const browser = await program.stranger('/link')
    const answers: string[] = []
    for (let tries = 0; tries < 7; tries++) answers.push((await browser.go('/link', `0000${tries}00000`)).status)
    expect(answers).toEqual(['11', '11', '11', '11', '11', '44', '44'])
  })

  it('do nothing in the name of others by links', async () => {
    const [karl, lena] = [await program.member('karl'), await program.member('lena')]
    const [ofKarl, ofLena] = [await karl.go('/account'), await lena.go('/account')]
    // Prepared without knowing anything, and with what the author knows of the own account.
    const sign = await lena.go('/sign')
    for (const path of ['/sign?spam', `${sign.url.slice(lena.url('').length)}?spam`, '/sign/x?spam']) {
      expect(await karl.go(path), path).toMatchObject({ status: '10' })
    }
    expect((await karl.go('/')).body).not.toContain('spam')
    await lena.go(linkIn(ofLena, 'Make recovery codes'), 'yes')
    expect((await lena.go('/account/recovery?yes')).status).toBe('10')
    expect((await lena.go('/account')).body).toContain('(8 left)')
    for (const action of ['revoke', 'label', 'reject']) {
      const id = linkIn(ofKarl, 'Revoke it').split('/').at(-1)
      expect((await lena.go(`/account/${action}/${id}?yes`)).status, action).toBe('51')
    }
    expect((await karl.go('/account')).body).toBe(ofKarl.body)
  })

  it('find no other pages', async () => {
    const browser = await program.member('nora')
    for (const path of [
      '/nothing',
      '/account/nothing',
      '/account/link/x/y',
      '/join/x/y',
      '/constructor',
      '/__proto__',
    ]) {
      expect(short(await browser.go(path)), path).toBe('51 there is no such page')
    }
  })
})

describe('the guest book, years later', () => {
  /** The guest book in this process, by a clock that can be moved. */
  async function serve(): Promise<{ port: number; clock: FixedClock; browser: () => Promise<Browser> }> {
    const clock = fixedClock(new Date())
    const registry = IdentityRegistry.inMemory({ origin: 'localhost:1965', clock, policy: { handleRequired: true } })
    const site = await testCertificate({ host: 'localhost' })
    const context = await createServerContext({
      certificates: [{ cert: site.certPem, key: site.keyPem }],
      clientCertificates: 'request',
    })
    const book = await Book.open(join(await temporaryFolder(), 'entries.jsonl'))
    const server: Listener = createGuestBook({ registry, context, served: ['localhost'], book, clock })
    const { port } = await server.listen(0)
    onTestFinished(async () => {
      await server.close()
      await registry.close()
    })
    return { port, clock, browser: async () => Browser.open(port, await IdentityWallet.inMemory({ clock })) }
  }

  async function recoveryCodes(browser: Browser): Promise<readonly string[]> {
    const shown = await browser.go(linkIn(await browser.go('/account'), 'Make recovery codes'), 'yes')
    return shown.body.match(/^[0-9A-Z]{5}(?:-[0-9A-Z]{5}){3}$/gm) ?? []
  }

  it('opens an account to a recovery code after three days in which nobody objected', async () => {
    const { clock, browser } = await serve()
    const [owner, fresh] = [await browser(), await browser()]
    await owner.takeFirstOffer('/join')
    await owner.go('/join', 'ana')
    const [code = ''] = await recoveryCodes(owner)
    await fresh.takeFirstOffer('/recover')
    expect((await fresh.go('/recover', `ana ${code}`)).url).toBe(fresh.url('/waiting'))
    clock.advance(3 * DAY - 1)
    expect((await fresh.go('/account')).status).toBe('61')
    clock.advance(1)
    expect((await fresh.go('/account')).body).toMatch(/\(this one\): active, recovery /)
    expect((await owner.go('/account')).body).toContain('(7 left)')
  })

  it('warns before a certificate expires and after, then refuses it, and gives the account to nobody else', async () => {
    const { clock, browser } = await serve()
    const owner = await browser()
    await owner.wallet.create({ scope: owner.url('/'), validity: { days: 30 } })
    await owner.go('/join', 'ana')
    const [code = ''] = await recoveryCodes(owner)
    expect((await owner.go('/account')).body).not.toContain('expire')
    clock.advance(20 * DAY)
    expect((await owner.go('/account')).body).toContain('* This certificate expires soon.')
    clock.advance(11 * DAY)
    expect((await owner.go('/account')).body).toContain('* This certificate has expired')
    clock.advance(30 * DAY)
    expect((await owner.go('/account')).status).toBe('62')

    const stranger = await browser()
    await stranger.takeFirstOffer('/join')
    expect(short(await stranger.go('/join', 'ana'))).toMatch(/^10 Somebody has this name/)
    expect((await stranger.go('/recover', 'ana 00000-00000-00000-00000')).status).toBe('11')

    // Nobody is left who could object, so the owner need not wait.
    const fresh = await browser()
    await fresh.takeFirstOffer('/recover')
    expect((await fresh.go('/recover', `ana ${code}`)).body).toMatch(/^# ana\n/)
  })
})

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
