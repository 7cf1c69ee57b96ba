// `tlacacoca probe HOST`: what a server is like, in plain words. It looks and records nothing.

import type { Command } from 'commander'
import { type Certificate, isCertificateValidForHostname } from '../../certificate/index.ts'
import { weaknessOfKey, weaknessOfSignature } from '../../certificate/strength.ts'
import { ConnectionError, TlacacocaError } from '../../errors.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import { authorities } from '../../tls/index.ts'
import type { Verdict } from '../../tofu/index.ts'
import { dataOf, linesOf, timeLeft } from '../cert/facts.ts'
import { type Cli, newCommand, type Outcome } from '../command.ts'
import { ExitCode, UsageError } from '../exit-code.ts'
import { styled } from '../io.ts'
import { counted, readCount } from '../options.ts'
import { facts } from '../table.ts'
import { openToRead, readServer } from '../tofu/store.ts'
import { type Look, type LookOptions, look } from './look.ts'

interface ProbeOptions {
  readonly store?: string
  readonly request?: string | true
  readonly sni: boolean
  readonly timeout: string
}

/** `tlacacoca probe` */
export function probeCommand(cli: Cli): Command {
  return newCommand(cli, 'probe')
    .summary('look at a server: certificate, TLS, known hosts')
    .description(
      'Looks at a server and says in plain words what it is like: its certificate, how it speaks TLS, and what the known hosts make of it. It trusts nobody, sends no request unless asked to, and records nothing.',
    )
    .argument('<host[:port]>', 'the server; the port is 1965 if none is given')
    .option('--store <file>', 'the file with known hosts (default: that of this program)')
    .option('--request [url]', 'ask for a page too, by Gemini (default: the root), to see how the answer ends')
    .option('--no-sni', 'do not connect a second time to see what the name (SNI) has to do with it')
    .option('--timeout <seconds>', 'how long to wait for the server', '15')
    .action(cli.action(probe))
    .addHelpText(
      'after',
      `
Ends with 1 if the known hosts say that the certificate must not be trusted. Warnings alone end with 0.

Examples:
  tlacacoca probe example.org
  tlacacoca probe localhost:1965 --request --json`,
    )
}

async function probe({ io }: Cli, host: string, options: ProbeOptions, command: Command): Promise<Outcome> {
  const endpoint = readServer(host)
  const settings = { timeoutMs: readCount('--timeout', options.timeout, { to: 3600 }) * 1000, signal: io.signal }
  const request = requestOf(endpoint, options.request)
  const seen = await look(endpoint, { ...settings, ...(request === null ? {} : { request }) })
  const at = new Date(io.clock())
  const { certificate, chain } = seen
  const verdict = await judge()
  const sni = options.sni ? await compareNames(endpoint, certificate, settings) : null
  const matches = answerOf(() => isCertificateValidForHostname(certificate, endpoint.host))
  const authority = await authorityOf(seen)
  const report = { endpoint, seen, verdict, sni, matches, authority, at }
  const warnings = warningsOf(report)
  const { answer, protocol, handshakeMs, wantedAuthorities } = seen

  return {
    json: {
      endpoint: String(endpoint),
      handshakeMs,
      protocol,
      certificate: dataOf(certificate, at),
      chainLength: chain.length,
      matchesHost: matches,
      authority,
      sni,
      clientCertificates: { requested: wantedAuthorities !== null, authorities: wantedAuthorities ?? [] },
      answer,
      verdict: {
        kind: verdict.kind,
        reason: verdict.reason,
        accepted: verdict.accepted,
        explanation: verdict.explanation,
        ...('pinned' in verdict ? { pinned: verdict.pinned } : {}),
      },
      warnings,
    },
    text: [
      `${styled(io, 'bold', String(endpoint))} answers by ${protocol.replace('v', ' ')}, after ${handshakeMs} ms.`,
      linesOf(io, certificate, at),
      facts(io, linesAbout(report)),
      verdict.explanation,
      ...(warnings.length === 0
        ? []
        : [warnings.map(({ message }) => `${styled(io, 'yellow', 'Warning:')} ${message}`).join('\n')]),
    ].join('\n\n'),
    exitCode: verdict.accepted ? ExitCode.ok : ExitCode.no,
  }

  async function judge(): Promise<Verdict> {
    await using known = await openToRead(io, command)
    return await known.judge(endpoint, certificate, { chain })
  }
}

/** Everything that is known once all connections have been made. */
interface Report {
  readonly endpoint: Endpoint
  readonly seen: Look
  readonly verdict: Verdict
  readonly sni: NameComparison | null
  /** Null if the certificate cannot say. */
  readonly matches: boolean | null
  readonly authority: AuthorityOpinion
  readonly at: Date
}

/** What a second connection showed, which asked for no name, or for one that nobody has. */
interface NameComparison {
  /** The name that was asked for; null for none. */
  readonly serverName: string | null
  readonly outcome: 'same_certificate' | 'other_certificate' | 'refused'
  /** Of the other certificate. */
  readonly fingerprint: string | null
  /** What went wrong, if the connection was refused. */
  readonly error: string | null
}

/** RFC 6761 section 6.4: a name that never exists. */
const NOBODY = 'nobody.invalid'

/** Without the name if there is one; with a name if the server was reached by its address, where there was none. */
async function compareNames(endpoint: Endpoint, first: Certificate, settings: LookOptions): Promise<NameComparison> {
  const serverName = endpoint.isAddress ? NOBODY : null
  try {
    const { certificate } = await look(endpoint, { ...settings, serverName })
    const { fingerprint } = certificate
    const outcome = fingerprint === first.fingerprint ? 'same_certificate' : 'other_certificate'
    return { serverName, outcome, fingerprint, error: null }
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error
    return { serverName, outcome: 'refused', fingerprint: null, error: escapeText(error.message) }
  }
}

/** Whether an authority that this computer trusts vouches for the certificate. */
interface AuthorityOpinion {
  readonly vouches: boolean
  /** One word, if not. */
  readonly reason: string | null
}

async function authorityOf({ candidate }: Look): Promise<AuthorityOpinion> {
  const signal = new AbortController().signal
  const decision = await authorities('system').verify({ ...candidate, signal })
  return decision.accept ? { vouches: true, reason: null } : { vouches: false, reason: decision.reason }
}

interface Warning {
  readonly code: string
  readonly message: string
}

/** Soon enough for a clients' warning, late enough for a certificate of 90 days. */
const SOON_DAYS = 21

function warningsOf({ endpoint, seen, sni, matches, at }: Report): Warning[] {
  const { certificate, protocol, answer } = seen
  const warnings: Warning[] = []
  const warn = (code: string, message: string) => warnings.push({ code, message })
  const validity = answerOf(() => certificate.validityAt(at))
  if (validity === null) warn('dates_unreadable', 'the dates of the certificate cannot be read')
  if (validity === 'expired') warn('expired', 'the certificate has expired')
  if (validity === 'not_yet_valid') warn('not_yet_valid', 'the certificate is not yet valid')
  const days = answerOf(() => Math.floor((certificate.notAfter.getTime() - at.getTime()) / 86_400_000))
  if (validity === 'valid' && days !== null && days < SOON_DAYS) {
    warn('expires_soon', `the certificate expires in ${counted(days, 'day')}`)
  }
  if (matches === false) warn('wrong_host', `the certificate is not for ${endpoint.host}`)
  const weak = answerOf(() => weaknessOfKey(certificate)) ?? answerOf(() => weaknessOfSignature(certificate))
  if (weak !== null) warn('weak', weak)
  if (protocol === 'TLSv1.2') {
    warn('old_tls', 'the server speaks no TLS 1.3, so the certificate of a client would travel in clear')
  }
  if (answer?.closeNotify === false) {
    warn('no_close_notify', 'the server broke off without close_notify, so nobody can tell whether a page is complete')
  }
  if (answer !== null && answer.header === null) warn('no_status', 'the server answered without a status line')
  if (sni?.outcome === 'refused' && sni.serverName === null) {
    warn('needs_sni', 'clients that send no name (SNI) do not get in')
  }
  return warnings
}

function linesAbout({ endpoint, seen, sni, matches, authority, at }: Report): [string, string | null][] {
  const { certificate, chain, answer, wantedAuthorities } = seen
  return [
    ['Host name', matches === true ? `the certificate is for ${endpoint.host}` : `NOT for ${endpoint.host}`],
    ['Dates', answerOf(() => timeLeft(certificate, at)) ?? 'unreadable'],
    ['Sent with it', chain.length > 1 ? counted(chain.length - 1, 'more certificate') : 'nothing'],
    [
      'Authority',
      authority.vouches
        ? 'one that this computer trusts vouches for it'
        : `none that this computer trusts (${authority.reason}), as is usual in the small web`,
    ],
    ['Name (SNI)', sni === null ? 'not tried' : sniLine(sni)],
    ['Client certificates', clientLine(wantedAuthorities)],
    ['Answer', answer === null ? 'not asked for (see --request)' : answerLine(answer)],
  ]
}

function sniLine({ serverName, outcome }: NameComparison): string {
  const asked = serverName === null ? 'without a name' : `for the name ${serverName}`
  if (outcome === 'same_certificate') return `makes no difference: the same certificate ${asked}`
  if (outcome === 'other_certificate') return `matters: another certificate ${asked}`
  return `matters: no connection ${asked}`
}

function clientLine(wanted: readonly string[] | null): string {
  if (wanted === null) return 'not asked for in the handshake'
  if (wanted.length === 0) return 'asked for, of anybody'
  return `asked for, of ${escapeText(wanted.join(' or '))}`
}

function answerLine({ header, bytes, closeNotify }: NonNullable<Look['answer']>): string {
  const end =
    closeNotify === true
      ? 'ended by close_notify'
      : closeNotify === false
        ? 'cut off without close_notify'
        : 'not waited for'
  return `${header === null ? 'no status line' : escapeText(header)} (${counted(bytes, 'byte')}, ${end})`
}

function requestOf(endpoint: Endpoint, request: string | true | undefined): string | null {
  if (request === undefined) return null
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  if (request === true) return `gemini://${host}${endpoint.port === 1965 ? '' : `:${endpoint.port}`}/`
  // Exactly this is sent, whatever it is, because a server may be looked at by what it makes of it.
  if (/[\r\n\0]/.test(request)) throw new UsageError('--request expected one line')
  return request
}

/** Null if the certificate is too malformed to tell. */
function answerOf<T>(ask: () => T): T | null {
  try {
    return ask()
  } catch (error) {
    if (error instanceof TlacacocaError) return null
    throw error
  }
}
