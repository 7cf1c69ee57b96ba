// A Gemini server that gives certificates to its users, beside those that they have made themselves. Whoever joins is known
// by a self-signed certificate. With it, a member gets others from the desk's own authority, for a phone or a program:
// these can be renewed without a word, and taken back one by one.
//
//   CA_PASSPHRASE='a long one' npx tsx docs/examples/certificate-desk.ts FOLDER PORT
//
// keeps everything in FOLDER and serves gemini://localhost:PORT/ until Ctrl-C. A member makes a key and a request by
//
//   openssl ecparam -name prime256v1 -genkey -noout -out phone.key
//   openssl req -new -key phone.key -subj / -outform DER | basenc --base64url -w0 # to be pasted at /certificate
import { createHmac, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  AuthorityError,
  type AuthorityOptions,
  CertificateAuthority,
  CertificateRequestError,
  CsrNotAuthedError,
  type SigningContext,
  SigningHooks,
} from 'tlacacoca/authority'
import { type Certificate, generateSelfSignedCertificate, saveCertificateFiles } from 'tlacacoca/certificate'
import type { RequestTarget } from 'tlacacoca/middleware'
import { admit, CertificateAuth, MiddlewareChain, parseTarget, RateLimiter, refuse } from 'tlacacoca/middleware'
import {
  createServer,
  createServerContext,
  type Listener,
  type ServerConnection,
  type ServerContext,
} from 'tlacacoca/tls'
import { statusLine } from './gemini-status.ts'

/** Who has joined, by the certificate they came with: a file with a fingerprint and a name on each line. */
export class Members {
  readonly #names: Map<string, string>
  readonly #path: string

  constructor(path: string) {
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []
    this.#names = new Map(lines.map((line) => line.split(' ') as [string, string]))
    this.#path = path
  }

  has(name: string): boolean {
    return [...this.#names.values()].includes(name)
  }

  nameOf({ fingerprint }: Certificate): string | null {
    return this.#names.get(fingerprint) ?? null
  }

  /** False if the name is taken, or is none, or the certificate has one. */
  async add(name: string, { fingerprint }: Certificate): Promise<boolean> {
    if (!/^[a-z0-9]{1,32}$/.test(name) || this.has(name) || this.#names.has(fingerprint)) return false
    this.#names.set(fingerprint, name)
    await appendFile(this.#path, `${fingerprint} ${name}\n`, { mode: 0o600 })
    return true
  }
}

/** The desk's authority, which is created with the first run. */
export function openAuthority(path: string, members: Members, options: AuthorityOptions = {}) {
  class MembersOnly extends SigningHooks {
    // Asked for renewals too. Here the client hash is the name of a member who is logged in, and not a word in a URL.
    override async authorize() {
      const name = this.clientHash ?? ''
      const before = await this.context.previousCertificates()
      if (before.some(({ clientHash }) => clientHash !== name)) throw new CsrNotAuthedError('it is the key of another')
      return members.has(name) ? ({ allow: true, subject: [['CN', name]] } as const) : undefined
    }
  }
  const settings = { ...options, hooks: (context: SigningContext) => new MembersOnly(context) }
  return existsSync(path)
    ? CertificateAuthority.open(path, settings)
    : CertificateAuthority.create(path, { ...settings, subject: [['CN', 'Certificate desk']] })
}

const questions = new Map([
  ['certificate', '10 Your request for a certificate (PKCS#10, DER, base64url)'],
  ['renew', '10 Type yes for the next certificate with the same key, or give a request for another key'],
  ['revoke', '10 Type yes if this certificate is never to be accepted again'],
])

export interface DeskOptions {
  readonly authority: CertificateAuthority
  readonly members: Members
  readonly context: ServerContext
  /** The host names that this server answers for. */
  readonly served: readonly string[]
  readonly clock?: () => number
}

export function createDesk({ authority, members, context, served, clock = Date.now }: DeskOptions): Listener {
  const secret = randomBytes(32)
  const revocation = authority.revocationChecker()
  const lookup = {
    async lookup({ certificate }: { readonly certificate: Certificate }) {
      const user = await nameOf(certificate)
      return user === null ? ({ kind: 'unknown' } as const) : ({ kind: 'known', user } as const)
    },
  }
  const forMembers = ['members', ...questions.keys()].map((name) => ({ path: `/${name}`, lookup, revocation }))
  const guard = new MiddlewareChain([
    new RateLimiter({ capacity: 100, refillPerSecond: 1 }),
    new CertificateAuth({
      clock,
      rules: [{ path: '/', requireCertificate: false, revocation }, { path: '/join', revocation }, ...forMembers],
    }),
  ])
  const parse = (line: string) => parseTarget(line, { schemes: { gemini: 1965 }, served })

  return createServer(context, async (connection) => {
    const request = await admit(connection, { parse, guard, onError: console.error })
    if (!request.allowed) return refuse(connection, statusLine(request))
    const answer = await answerTo(request.target, connection).catch(failure)
    connection.stream.end(answer.includes('\r\n') ? answer : `${answer}\r\n`)
  })

  /** By the list, or the authority's own record of this very certificate. What is written in it counts for nothing. */
  async function nameOf(certificate: Certificate): Promise<string | null> {
    const issued = await authority.get(certificate.serialNumber)
    return issued?.certificate?.equals(certificate) ? issued.clientHash : members.nameOf(certificate)
  }

  async function answerTo({ path, query }: RequestTarget, { peer, address }: ServerConnection): Promise<string> {
    const [page = '', key, serial = ''] = path.segments
    if (page === '') return gemtext('# Certificate desk', '=> /join Join', '=> /members/ For members')
    if (peer === null || (page !== 'join' && page !== 'members' && !questions.has(page))) return '51 no such page'
    const name = await nameOf(peer.certificate)
    const input = query ?? '' // a name, a yes or base64url: nothing that would be escaped
    if (page === 'join') {
      if (name !== null || (await members.add(input, peer.certificate))) return '30 /members/'
      return `10 ${input === '' ? '' : 'That is no name, or taken. '}What shall we call you? a to z, and digits`
    }
    if (name === null) return '61 please join first'

    // Nobody else knows this address, or a link on any page in the world could ask in the member's name.
    const own = createHmac('sha256', secret).update(peer.certificate.fingerprint).digest('base64url')
    if (page === 'members') return memberPage(name, own)
    if (key !== own) return page === 'revoke' ? '30 /members/' : `30 /${page}/${own}`
    if (input === '') return questions.get(page) ?? ''
    const isYes = input.toLowerCase() === 'yes'
    if (page === 'revoke') {
      if ((await authority.get(serial))?.clientHash !== name) return '51 there is no such certificate of yours'
      if (isYes) await authority.revoke(serial, { reason: 'unspecified', by: name })
      return '30 /members/'
    }
    const request = Buffer.from(input, 'base64url')
    const issued =
      page === 'renew'
        ? await authority.renew({ current: peer, ...(isYes ? {} : { request }) })
        : await authority.sign({ request, clientHash: name, requester: { peer, address: String(address) } })
    return `20 text/plain\r\n${issued.chainPem}`
  }

  async function memberPage(name: string, own: string): Promise<string> {
    const lines = [`# ${name}`, '=> /certificate Another certificate', '=> /renew Renew the one that you show']
    for await (const { serial, notAfter } of authority.list({ clientHash: name, status: 'issued' })) {
      if (notAfter < clock()) continue
      lines.push(`* ${serial}, until ${new Date(notAfter).toISOString()}`, `=> /revoke/${own}/${serial} Revoke it`)
    }
    return gemtext(...lines)
  }
}

function failure(error: unknown): string {
  if (error instanceof CertificateRequestError) return `59 ${error.message}`
  if (error instanceof CsrNotAuthedError) return '61 there is no certificate for this key'
  if (error instanceof AuthorityError && error.code === 'ERR_TLACACOCA_AUTHORITY_RENEWAL_REFUSED') {
    return `50 this certificate is not renewed: ${error.reason}`
  }
  console.error(error)
  return '40 something went wrong here'
}

function gemtext(...lines: string[]): string {
  return `20 text/gemini\r\n${lines.join('\n')}\n`
}

async function main(folder = 'certificate-desk', port = '1965'): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  if (!existsSync(certFile)) {
    const made = await generateSelfSignedCertificate({ hostname: 'localhost', validDays: 3650 })
    await saveCertificateFiles(made, { certFile, keyFile })
  }
  const members = new Members(join(folder, 'members.txt'))
  const authority = await openAuthority(join(folder, 'ca'), members)
  // Not `trustedAuthorities`: clients that are told its names leave their self-signed certificates at home.
  const context = await createServerContext({ certificates: [{ certFile, keyFile }], clientCertificates: 'request' })
  await createDesk({ authority, members, context, served: ['localhost'] }).listen(Number(port))
  console.log(`serving the certificate desk in ${folder} at gemini://localhost:${port}/`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(...process.argv.slice(2))
