// A guest book with accounts, over Gemini. Everybody reads; members sign. A certificate is all that it takes to be one,
// and the registry carries the account to the next device, to the next certificate, and back from a disaster.
//
//   npx tsx docs/examples/guest-book.ts FOLDER PORT CERTIFICATE KEY
//
// keeps users and entries in the folder, and makes a certificate for localhost there unless you name one.
import { existsSync } from 'node:fs'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  admit,
  CertificateAuth,
  createServer,
  createServerContext,
  type DenialReason,
  generateSelfSignedCertificate,
  type Listener,
  MiddlewareChain,
  type Peer,
  parseTarget,
  RateLimiter,
  type RequestTarget,
  refuse,
  type ServerContext,
  saveCertificateFiles,
} from 'tlacacoca'
import { type Credential, IdentityError, IdentityRegistry, type Resolution } from 'tlacacoca/identity'
import { statusLine } from './gemini-status.ts'

/** Whoever came with a certificate. */
interface Visitor {
  readonly peer: Peer
  /** The answer to the page's question, on one line. */
  readonly input: string
  /** What follows the page's name in the path. */
  readonly id: string
}

type Member = Visitor & Extract<Resolution, { kind: 'known' }>

interface Page<Who> {
  /** Status 10 or 11 for those who come without input. */
  readonly question?: string
  /**
   * Whether the address ends with the id of the visitor's own credential, which nobody else knows. Without it, a link on
   * any page in the world could answer the question in the visitor's name.
   */
  readonly isPrivate?: boolean
  answer(who: Who): Promise<string>
}

type Pages<Who> = ReadonlyMap<string, Page<Who>>

/** For certificates that have no account. */
function newcomerPages(registry: IdentityRegistry): Pages<Visitor> {
  const join: Page<Visitor> = {
    question: '10 What shall we call you?',
    async answer({ peer, input }) {
      await registry.register(peer, { handle: input })
      return '30 /account'
    },
  }
  // 11 keeps the code off the screen, and the redirect keeps it out of the history.
  const link: Page<Visitor> = {
    question: '11 The code that your other device shows',
    async answer({ peer, input }) {
      await registry.redeemLinkCode(peer, input)
      return '30 /account'
    },
  }
  const renew: Page<Visitor> = {
    question: '10 Type yes if this certificate is to replace the one that we know for its key',
    async answer({ peer, input }) {
      if (isYes(input)) await registry.confirmSameKey(peer)
      return '30 /account'
    },
  }
  const rotate: Page<Visitor> = {
    question: '11 The statement that your client has signed with the old key',
    async answer({ peer, input }) {
      await registry.rotate(peer, input)
      return '30 /account'
    },
  }
  const recover: Page<Visitor> = {
    question: '11 Your name, a space, and a recovery code',
    async answer({ peer, input }) {
      const [handle = '', ...code] = input.split(' ')
      const { kind } = await registry.recover(peer, handle, code.join(''))
      return kind === 'linked' ? '30 /account' : '30 /waiting'
    },
  }
  const waiting: Page<Visitor> = {
    async answer({ peer }) {
      const who = await registry.resolve(peer)
      if (who.kind !== 'pending') return '30 /account'
      const { comparison, readyAt } = who.link
      return page(
        '# Please wait',
        `${comparison} gets in on ${day(readyAt)}, unless somebody with a certificate objects.`,
      )
    },
  }
  return new Map(Object.entries({ join, link, renew, rotate, recover, waiting }))
}

function memberPages(registry: IdentityRegistry, book: Book): Pages<Member> {
  const sign: Page<Member> = {
    question: '10 What would you like to say?',
    isPrivate: true,
    async answer({ user, input }) {
      await book.add({ date: day(new Date()), userId: user.id, handle: user.handle ?? '', text: input })
      return '30 /'
    },
  }
  const account: Page<Member> = {
    async answer({ peer, credential, notices }) {
      const { user, credentials, pending, recoveryCodesLeft } = await registry.account(peer)
      return page(
        `# ${user.handle}`,
        ...notices.map((notice) => `* ${sentences[notice.kind]}`),
        '## Certificates',
        ...credentials.flatMap((each) => describe(each, each.id === credential.id)),
        ...pending.flatMap(({ id, comparison, readyAt }) => [
          `* ${comparison} gets in on ${day(readyAt)}`,
          `=> /account/reject/${id} That is not me`,
        ]),
        '## More',
        '=> /account/link Use this account from another device',
        `=> /account/recovery/${credential.id} Make recovery codes (${recoveryCodesLeft} left)`,
        '=> / To the guest book',
      )
    },
  }
  const link: Page<Member> = {
    async answer({ peer }) {
      const { code, expiresAt } = await registry.createLinkCode(peer)
      return page('# Another device', `Go to /link there before ${expiresAt.toISOString()}, and enter`, `> ${code}`)
    },
  }
  const label: Page<Member> = {
    question: '10 What do you call this certificate?',
    async answer({ peer, id, input }) {
      await registry.rename(peer, id, plain(input.slice(0, 64)))
      return '30 /account'
    },
  }
  const revoke: Page<Member> = {
    question: '10 Type yes if this certificate is never to be accepted again',
    async answer({ peer, id, input }) {
      if (isYes(input)) await registry.revoke(peer, id)
      return '30 /account'
    },
  }
  const reject: Page<Member> = {
    question: '10 Type yes if it is not you who wants to get in',
    async answer({ peer, id, input }) {
      if (isYes(input)) await registry.rejectLink(peer, id)
      return '30 /account'
    },
  }
  const recovery: Page<Member> = {
    question: '10 Type yes for new recovery codes. The earlier ones will be void',
    isPrivate: true,
    async answer({ peer, input }) {
      if (!isYes(input)) return '30 /account'
      const codes = await registry.createRecoveryCodes(peer)
      return page(
        '# Write these down',
        'They are shown this once. Each opens your account once, at /recover.',
        ...codes,
      )
    },
  }
  const inAccount = { link, label, revoke, reject, recovery }
  return new Map([
    ['sign', sign],
    ['account', account],
    ...Object.entries(inAccount).map(([name, each]) => [`account/${name}`, each] as const),
  ])
}

export interface GuestBookOptions {
  readonly registry: IdentityRegistry
  readonly context: ServerContext
  /** The host names that this server answers for. */
  readonly served: readonly string[]
  readonly book: Book
  /** Default: the computer's clock. */
  readonly clock?: () => number
}

export function createGuestBook({ registry, context, served, book, clock = Date.now }: GuestBookOptions): Listener {
  const forNewcomers = newcomerPages(registry)
  const forMembers = memberPages(registry, book)
  const guard = new MiddlewareChain([
    new RateLimiter({ capacity: 100, refillPerSecond: 1 }),
    new CertificateAuth({
      clock,
      rules: [
        ...[...forNewcomers.keys()].map((name) => ({ path: `/${name}`, requireCertificate: true })),
        // The registry looks at the dates by itself, and gives certificates that it knows some days of grace.
        { path: '/sign', lookup: registry.lookup(), expired: 'allow' },
        { path: '/account', lookup: registry.lookup(), expired: 'allow' },
      ],
    }),
  ])
  const parse = (line: string) => parseTarget(line, { schemes: { gemini: 1965 }, served })

  return createServer(context, async (connection) => {
    const request = await admit(connection, { parse, guard, onError: console.error })
    if (!request.allowed) return refuse(connection, hints[request.denialReason] ?? statusLine(request))
    const answer = await answerTo(request.target, connection.peer).catch(failure)
    connection.stream.end(answer.includes('\r\n') ? answer : `${answer}\r\n`)
  })

  async function answerTo({ path, query }: RequestTarget, peer: Peer | null): Promise<string> {
    const { segments } = path
    if (segments.length === 0) return frontPage(book)
    const depth = segments[0] === 'account' ? 2 : 1
    const name = segments.slice(0, depth).join('/')
    const [id = '', ...more] = segments.slice(depth)
    const newcomerPage = forNewcomers.get(name)
    const memberPage = forMembers.get(name)
    if (more.length > 0 || (newcomerPage ?? memberPage) === undefined) return '51 there is no such page'
    if (peer === null) return '60 a client certificate is needed here'

    const who = await registry.resolve(peer)
    const visitor = { peer, id, input: plain(decodeURIComponent(query ?? '')) }
    if (who.kind === 'refused') return `62 this certificate is ${who.reason}`
    if (newcomerPage !== undefined) return who.kind === 'known' ? '30 /account' : ask(newcomerPage, visitor)
    if (who.kind !== 'known' || memberPage === undefined) return '61 please join first'
    if (memberPage.isPrivate && id !== who.credential.id) return `30 /${name}/${who.credential.id}`
    return ask(memberPage, { ...visitor, ...who })
  }
}

async function ask<Who extends Visitor>({ question, answer }: Page<Who>, who: Who): Promise<string> {
  if (question === undefined) return answer(who)
  if (who.input === '') return question
  try {
    return await answer(who)
  } catch (error) {
    const mistake = error instanceof IdentityError ? mistakes[error.code] : undefined
    if (mistake === undefined) throw error
    return `${question.slice(0, 2)} ${mistake}. ${question.slice(3)}`
  }
}

/** What somebody can put right by answering the question once more. */
const mistakes: Partial<Record<IdentityError['code'], string>> = {
  ERR_TLACACOCA_IDENTITY_HANDLE_INVALID: 'A name is 1 to 32 letters and digits, and - _ . between them',
  ERR_TLACACOCA_IDENTITY_HANDLE_TAKEN: 'Somebody has this name, or one that looks like it',
  ERR_TLACACOCA_IDENTITY_CODE_INVALID: 'That is wrong, was used, or has expired',
  ERR_TLACACOCA_IDENTITY_ROTATION_INVALID: 'This statement is not accepted',
}

const hints: Partial<Record<DenialReason, string>> = {
  cert_not_authorized: '61 nobody here has this certificate: see /join, /link and /recover\r\n',
  cert_not_valid: '62 this certificate has expired, is not yet valid, or was revoked\r\n',
  identity_changed: '61 we know another certificate for this key: see /renew\r\n',
}

function failure(error: unknown): string {
  if (error instanceof URIError) return '59 this is no text'
  if (error instanceof IdentityError) {
    switch (error.code) {
      case 'ERR_TLACACOCA_IDENTITY_LIMITED':
        return `44 ${error.retryAfterSeconds ?? 60}`
      case 'ERR_TLACACOCA_IDENTITY_LAST_CREDENTIAL':
        return '50 without this certificate you could not get in any more: link another one first'
      case 'ERR_TLACACOCA_IDENTITY_NOT_FOUND':
        return '51 there is no such thing, or it is not yours'
      case 'ERR_TLACACOCA_IDENTITY_ALREADY_LINKED':
        return '30 /account' // by another request, a moment ago
      case 'ERR_TLACACOCA_IDENTITY_REFUSED':
        return '62 this certificate is not accepted any more'
      case 'ERR_TLACACOCA_IDENTITY_UNKNOWN':
        return '61 this certificate has no account any more'
    }
  }
  console.error(error)
  return '40 something went wrong here'
}

export interface Entry {
  readonly date: string
  /** By this the entries of somebody who wants to leave are found. */
  readonly userId: string
  /** Handles never change, and nobody ever gets the handle of another. */
  readonly handle: string
  readonly text: string
}

/** The entries, in a file with one on each line. */
export class Book {
  readonly entries: Entry[]
  readonly #path: string

  private constructor(path: string, entries: Entry[]) {
    this.#path = path
    this.entries = entries
  }

  static async open(path: string): Promise<Book> {
    const lines = existsSync(path) ? (await readFile(path, 'utf8')).split('\n') : []
    return new Book(
      path,
      lines.filter((line) => line !== '').map((line) => JSON.parse(line)),
    )
  }

  async add(entry: Entry): Promise<void> {
    await appendFile(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
    this.entries.push(entry)
  }
}

function frontPage({ entries }: Book): string {
  const latest = entries.slice(-100).reverse()
  return page(
    '# Guest book',
    '=> /sign Sign it',
    '=> /join Join',
    '=> /account Your account',
    ...latest.flatMap(({ date, handle, text }) => [`## ${handle}, ${date}`, `> ${text}`]),
  )
}

function describe({ id, label, status, source, createdAt, notAfter, lastSeen }: Credential, isThis: boolean): string[] {
  const facts = [
    `${label ?? 'no label'}${isThis ? ' (this one)' : ''}: ${status}`,
    `${source} ${day(createdAt)}`,
    `good until ${day(notAfter)}`,
    `last seen ${day(lastSeen)}`,
  ]
  const links = [`=> /account/label/${id} Name it`, `=> /account/revoke/${id} Revoke it`]
  return [`* ${facts.join(', ')}`, ...(status === 'active' ? links : [])]
}

const sentences = {
  expires_soon: 'This certificate expires soon. Link the next one, or renew it with its key.',
  expired: 'This certificate has expired, and will soon not be accepted. Link another one.',
  same_key: 'This certificate has taken the place of an earlier one.',
  link_requested: 'Somebody wants to use this account.',
  recovery_pending: 'Somebody recovers this account. If that is not you, say so below.',
}

function page(...lines: string[]): string {
  return `20 text/gemini\r\n${lines.join('\n')}\n`
}

/** Text of a stranger's on one line, with nothing that a screen would obey. Gemtext has markup at line starts only. */
function plain(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim()
}

function isYes(input: string): boolean {
  return input.toLowerCase() === 'yes'
}

function day(date: Date | null): string {
  return date?.toISOString().slice(0, 10) ?? 'never'
}

async function main(folder = 'guest-book', port = '1965', certFile?: string, keyFile?: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const pair = { certFile: certFile ?? join(folder, 'cert.pem'), keyFile: keyFile ?? join(folder, 'key.pem') }
  if (certFile === undefined && !existsSync(pair.certFile)) {
    const made = await generateSelfSignedCertificate({ hostname: 'localhost', validDays: 3650 })
    await saveCertificateFiles(made, { certFile: pair.certFile, keyFile: pair.keyFile })
  }
  const context = await createServerContext({ certificates: [pair], clientCertificates: 'request' })
  const registry = await IdentityRegistry.open({
    path: join(folder, 'users.db'),
    origin: `localhost:${port}`,
    policy: { handleRequired: true },
  })
  const book = await Book.open(join(folder, 'entries.jsonl'))
  await createGuestBook({ registry, context, served: ['localhost'], book }).listen(Number(port))
  console.log(`serving the guest book in ${folder} at gemini://localhost:${port}/`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(...process.argv.slice(2))
