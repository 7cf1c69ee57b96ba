// A Misfin mail server whose certificate is the authority of its mailboxes. Whoever knows a host, by trust on first use,
// so knows everybody who writes from there. This server asks the host of each sender, and tells liars by it.
//
//   npx tsx docs/examples/misfin-server.ts FOLDER HOST MAILBOX…
//
// makes what is missing in FOLDER: the certificate, and an identity for each mailbox, which is for its owner. Mail is
// put into FOLDER/MAILBOX, one file a letter.
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import {
  admit,
  type Certificate,
  CertificateAuth,
  CertificateAuthority,
  CertificateChangedError,
  createCertificateRequest,
  createSecureServer,
  createServerContext,
  endpointFrom,
  formatFingerprint,
  generateSelfSignedCertificate,
  InvalidNameError,
  type Listener,
  MiddlewareChain,
  normalizeHost,
  RateLimiter,
  type RequestTarget,
  refuse,
  type ServerConnection,
  saveCertificateFiles,
  TofuStore,
  targetFromParts,
  validatePath,
} from 'tlacacoca'
import { statusLine } from './gemini-status.ts'
import { certificateOf, MISFIN_PORT } from './misfin-client.ts'
import { readBody, ShortBodyError } from './read-body.ts'

// Misfin(B) has the message on the line, behind a space; here it is one line, so that a stray LF stays an error. In
// Misfin(C) a tab and the length stand there, and the message follows.
const LINE = /^misfin:\/\/([a-z0-9]{1,64})@([^\s/@]+)(?: (.*)|\t(\d{1,5}))$/i
const MAX_MESSAGE = 16_384

const certificateIn = (folder: string): string => join(folder, 'ca/ca.cert.pem')
const keyIn = (folder: string): string => join(folder, 'ca/ca.private_key.pem')

export async function openMailHost(folder: string, hostname: string): Promise<CertificateAuthority> {
  if (!existsSync(certificateIn(folder))) {
    const made = await generateSelfSignedCertificate({ hostname, isCA: true, validDays: 3650 })
    await saveCertificateFiles(made, { certFile: certificateIn(folder), keyFile: keyIn(folder) })
  }
  return CertificateAuthority.open(join(folder, 'ca'))
}

/** Makes an identity: certificate and key in PEM. */
export async function createMailbox(authority: CertificateAuthority, host: string, mailbox: string, blurb = mailbox) {
  const { request, privateKeyPem } = await createCertificateRequest({})
  const { certificatePem } = await authority.sign({
    request,
    profile: 'misfin-mailbox',
    clientHash: mailbox,
    subject: [
      ['CN', blurb],
      ['UID', mailbox],
    ],
    subjectAltNames: { dns: [host] },
  })
  return { cert: certificatePem, key: privateKeyPem }
}

export interface MailServerOptions {
  readonly folder: string
  readonly host: string
  readonly authority: CertificateAuthority
  /** Senders whose mail is not taken: `eve@example.org`. */
  readonly blocked?: readonly string[]
  /** The certificate of another mail server. Throws {@link CertificateChangedError} if it is not the one that we know. */
  readonly authorityOf: (host: string) => Promise<Certificate>
}

export async function createMailServer(options: MailServerOptions): Promise<Listener> {
  const { folder, host, authority, blocked = [], authorityOf } = options
  const senders = {
    async lookup({ certificate }: { readonly certificate: Certificate }) {
      const sender = addressIn(certificate)
      if (sender === null) return { kind: 'refused', detail: 'not of a mailbox' } as const
      if (blocked.includes(sender.address)) return { kind: 'unknown' } as const
      const issuer = sender.host === host ? authority.certificate : await authorityOf(sender.host).catch(changed)
      const question = { leaf: certificate, intermediates: [], at: new Date(), purpose: 'client' } as const
      const isGenuine = issuer !== null && validatePath({ ...question, authorities: [issuer] }).valid
      return isGenuine ? ({ kind: 'known', user: sender.address } as const) : ({ kind: 'identity_changed' } as const)
    },
  }
  const guard = new MiddlewareChain([
    // First, since each message makes us ask its sender's host.
    new RateLimiter({ capacity: 10, refillPerSecond: 0.2 }),
    new CertificateAuth({ rules: [{ path: '/', lookup: senders, revocation: authority.revocationChecker() }] }),
  ])
  const pair = { certFile: certificateIn(folder), keyFile: keyIn(folder) }
  const context = await createServerContext({ certificates: [pair], clientCertificates: 'request' })

  return createSecureServer(context, async (connection) => {
    const parse = (line: string) => parseRequest(line, host)
    const request = await admit(connection, { parse, guard, maxBytes: 2048, onError: console.error })
    if (!request.allowed) {
      const isLiar = request.denialReason === 'identity_changed'
      return refuse(connection, isLiar ? '63 your host does not vouch for you\r\n' : statusLine(request))
    }
    const mailbox = request.target.path.segments[0] ?? ''
    const recipient = await certificateOfMailbox(mailbox)
    if (recipient === null) return refuse(connection, '51 there is no such mailbox\r\n')
    const [, , , onTheLine, length] = LINE.exec(request.line) ?? []
    const size = Number(length ?? 0)
    if (size > MAX_MESSAGE) return refuse(connection, `59 a message has at most ${MAX_MESSAGE} bytes\r\n`)
    try {
      const message = onTheLine ?? (await text(readBody(connection, request, { size, timeoutMs: 30_000 })))
      // One without a text only asks for the fingerprint.
      if (message !== '') await keep(mailbox, letter(connection, message))
      connection.stream.end(`20 ${formatFingerprint(recipient.fingerprint, 'hex')}\r\n`)
    } catch (error) {
      if (!(error instanceof ShortBodyError)) throw error // which destroys the connection
      return refuse(connection, '59 that was less than announced\r\n')
    }
  })

  // A file of its own, so that no letter can look like two, the other one from somebody else.
  async function keep(mailbox: string, letter: string): Promise<void> {
    await mkdir(join(folder, mailbox), { recursive: true, mode: 0o700 })
    const name = `${new Date().toISOString().replaceAll(':', '-')}-${randomUUID()}.gmi`
    await writeFile(join(folder, mailbox, name), letter, { flag: 'wx', mode: 0o600 })
  }

  async function certificateOfMailbox(mailbox: string): Promise<Certificate | null> {
    let latest: Certificate | null = null
    for await (const row of authority.list({ clientHash: mailbox, status: 'issued' })) latest = row.certificate
    return latest
  }
}

function parseRequest(line: string, served: string): RequestTarget {
  const [, mailbox, host] = LINE.exec(line) ?? []
  if (mailbox === undefined || host === undefined) {
    throw new InvalidNameError('ERR_TLACACOCA_TARGET_INVALID', 'this is neither Misfin(B) nor Misfin(C)')
  }
  const parts = { scheme: 'misfin', host, port: MISFIN_PORT, path: `/${mailbox.toLowerCase()}` }
  return targetFromParts(parts, { served: [served] })
}

/** The mailbox is the UID, the host the first name. Null if it is no mailbox's. */
function addressIn(certificate: Certificate): { readonly address: string; readonly host: string } | null {
  const [mailbox = ''] = certificate.subject.valuesOf('UID')
  const [name] = certificate.subjectAltNames.dns
  if (name === undefined || !/^[\w.-]{1,64}$/.test(mailbox)) return null
  try {
    const host = normalizeHost(name)
    return { address: `${mailbox.toLowerCase()}@${host}`, host }
  } catch {
    return null // what its issuer has written there is no host
  }
}

/** That a host has another certificate is an answer. That it cannot be reached is none: the sender may try again. */
function changed(error: unknown): null {
  if (error instanceof CertificateChangedError) return null
  throw error
}

function letter({ peer }: ServerConnection, message: string): string {
  const sender = peer === null ? null : addressIn(peer.certificate)
  const blurb = peer?.certificate.subject.commonName ?? ''
  // Of what would steer a terminal, or turn a line around, only ends of lines and tabs are left.
  const harmless = message.replace(/(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
  return `< ${sender?.address} ${blurb.replace(/\p{C}/gu, ' ')}\n@ ${new Date().toISOString()}\n${harmless}\n`
}

async function main(folder = 'mail', host = 'localhost', ...mailboxes: string[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const authority = await openMailHost(folder, host)
  for (const mailbox of mailboxes) {
    const path = join(folder, `${mailbox}.pem`)
    if (existsSync(path)) continue
    const { cert, key } = await createMailbox(authority, host, mailbox)
    await writeFile(path, cert + key, { mode: 0o600 })
  }
  const known = await TofuStore.open({ path: join(folder, 'known-hosts.db') })
  const authorityOf = (other: string) => certificateOf(endpointFrom(other, MISFIN_PORT), known.verifier())
  await (await createMailServer({ folder, host, authority, authorityOf })).listen(MISFIN_PORT)
  console.log(`taking mail for ${mailboxes.map((mailbox) => `${mailbox}@${host}`).join(', ')}`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(...process.argv.slice(2))
