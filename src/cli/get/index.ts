// `tlacacoca get URL`: one page, by trust on first use.

import { type Command, Option } from 'commander'
import { CertificateChangedError, NotTrustedError } from '../../errors.ts'
import { escapeText } from '../../logging/safe-text.ts'
import type { TofuPolicy, TofuStore, Verdict } from '../../tofu/index.ts'
import { type Cli, newCommand, type Outcome } from '../command.ts'
import { BadAnswer, BadInput, Declined, ExitCode, Explained, UsageError } from '../exit-code.ts'
import { type CliIo, styled } from '../io.ts'
import { readCount } from '../options.ts'
import { withPassphrase } from '../passphrase.ts'
import { openStore } from '../tofu/store.ts'
import { type Answer, exchange } from './exchange.ts'
import { IdentityChooser, type IdentityOptions } from './identity.ts'
import { isText, writePage } from './output.ts'
import { type GeminiUrl, readUrl, redirectFrom } from './url.ts'

interface GetOptions extends IdentityOptions {
  readonly store?: string
  readonly firstUse?: 'ask' | 'accept' | 'refuse'
  readonly identityOverTls12?: boolean
  readonly maxRedirects: string
  readonly maxBytes: string
  readonly timeout: string
}

/** `tlacacoca get` */
export function getCommand(cli: Cli): Command {
  const command = newCommand(cli, 'get')
    .summary('fetch a page by Gemini')
    .description(
      'Fetches a page by Gemini. The page goes to the standard output, everything else to the standard error. The certificates of servers are remembered: one that has changed is explained, and refused.',
    )
    .argument('<url>', 'the URL; gemini:// may be left out')
    .option('--store <file>', 'the file with known hosts (default: that of this program)')
    .addOption(
      new Option(
        '--first-use <word>',
        'what to do at a first visit (default: ask at a terminal, accept elsewhere)',
      ).choices(['ask', 'accept', 'refuse']),
    )
    .option('--identity <name>', 'the identity to show, by its name, id or fingerprint (default: the one for this URL)')
    .option('--no-identity', 'show no identity at all')
    .option('--wallet <folder>', 'the folder with identities (default: that of this program)')
    .option('--cert <file>', 'a certificate to show, instead of --identity')
    .option('--key <file>', 'its private key')
    .option('--identity-over-tls12', 'show it by TLS 1.2 too, where everybody on the way can read it')
    .option('--max-redirects <number>', 'how many redirects to follow, 0 for none', '5')
    .option('--max-bytes <number>', 'how large the page may be', String(64 * 1024 * 1024))
    .option('--timeout <seconds>', 'how long the server may be silent', '30')
  return withPassphrase(command)
    .action(cli.action(get))
    .addHelpText(
      'after',
      `
Ends with 0 if there was a page, 1 if the server refused or is not trusted, 4 if it could not be reached or broke off.

Examples:
  tlacacoca get gemini://localhost/
  tlacacoca get example.org/picture.png > picture.png
  tlacacoca get example.org/club/ --identity ana --first-use refuse`,
    )
}

/** One of the requests that led to a page. */
interface Step {
  readonly url: string
  readonly status: number
  readonly meta: string
  readonly fingerprint: string
  readonly protocol: string
  /** What the known hosts had to say: `trusted`, `first_use` and so on. */
  readonly verdict: string
}

async function get(cli: Cli, text: string, options: GetOptions, command: Command): Promise<Outcome> {
  const { io } = cli
  const maxRedirects = readCount('--max-redirects', options.maxRedirects, { from: 0, to: 100 })
  const maxBytes = readCount('--max-bytes', options.maxBytes, { to: Number.MAX_SAFE_INTEGER })
  const visited: GeminiUrl[] = []
  const steps: Step[] = []
  let url = readUrl(text)
  await using chooser = await IdentityChooser.open(io, options)
  await using visits = await Visits.open(cli, options, command)
  for (;;) {
    const answer = await visits.visit(url, await chooser.choose(url, visited))
    try {
      steps.push(visits.report(url, answer))
      const kind = Math.floor(answer.status / 10)
      if (kind === 2) return await page(cli, answer, steps, maxBytes)
      if (kind !== 3) return refusal(cli, answer, steps)
      visited.push(url)
      const next = nextUrl(url, answer.meta)
      if (next === null) return without(cli, steps, `The redirect leads out of Gemini, to ${escapeText(answer.meta)}`)
      if (visited.length > maxRedirects) {
        return without(cli, steps, `This was redirect number ${visited.length}, and ${maxRedirects} are followed`)
      }
      if (!next.endpoint.equals(url.endpoint)) {
        io.stderr.write(`${styled(io, 'yellow', 'Redirected to another server')}: ${next.text}\n`)
      }
      url = next
    } finally {
      await answer.close()
    }
  }
}

function nextUrl(url: GeminiUrl, meta: string): GeminiUrl | null {
  try {
    return redirectFrom(url, meta)
  } catch (cause) {
    if (!(cause instanceof BadInput)) throw cause
    throw new BadAnswer(`the server redirects to what is no URL: ${cause.message}`, { cause })
  }
}

async function page(cli: Cli, answer: Answer, steps: readonly Step[], maxBytes: number): Promise<Outcome> {
  const body = bounded(answer.body, maxBytes)
  if (!cli.json) {
    await writePage(cli.io, body, answer.meta)
    return { json: null, text: '' }
  }
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  const encoding = isText(answer.meta) ? 'utf8' : 'base64'
  return {
    json: { ...last(steps), requests: steps, encoding, body: Buffer.concat(chunks).toString(encoding) },
    text: '',
  }
}

async function* bounded(body: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let left = maxBytes
  for await (const chunk of body) {
    if (chunk.length > left) {
      yield chunk.subarray(0, left)
      throw new BadAnswer(`the page is larger than ${maxBytes} bytes: see --max-bytes`)
    }
    left -= chunk.length
    yield chunk
  }
}

function refusal(cli: Cli, { status }: Answer, steps: readonly Step[]): Outcome {
  if (status < 20) return without(cli, steps, 'The server asks for a text: write it after a ? at the end of the URL')
  if (status < 60) return without(cli, steps, null)
  return without(cli, steps, 'It is about the identity that is shown: see --identity, and tlacacoca identity')
}

/** There is no page. What the server said is on the standard error already, and the hint goes there too. */
function without({ io, json }: Cli, steps: readonly Step[], hint: string | null): Outcome {
  if (hint !== null && !json) io.stderr.write(`${hint}.\n`)
  return { json: { ...last(steps), requests: steps, hint }, text: '', exitCode: ExitCode.no }
}

function last(steps: readonly Step[]): Step | undefined {
  return steps.at(-1)
}

/** The visits of one command, all of them by the same known hosts and the same policy. */
class Visits implements AsyncDisposable {
  readonly #cli: Cli
  readonly #options: GetOptions
  readonly #timeoutMs: number
  readonly #known: TofuStore
  readonly #policy: TofuPolicy
  /** What the last visit was, if the certificate was not simply the pinned one. */
  readonly #seen: { verdict: Verdict | null }

  private constructor(cli: Cli, options: GetOptions, known: TofuStore, seen: { verdict: Verdict | null }) {
    this.#cli = cli
    this.#options = options
    this.#timeoutMs = readCount('--timeout', options.timeout, { to: 3600 }) * 1000
    this.#policy = policyFor(cli.io, options)
    this.#known = known
    this.#seen = seen
  }

  static async open(cli: Cli, options: GetOptions, command: Command): Promise<Visits> {
    const { io } = cli
    const seen: { verdict: Verdict | null } = { verdict: null }
    const known = await openStore(io, command, {
      onEvent: (event) => {
        if (event.kind !== 'snapshot') seen.verdict = event.verdict
        else io.stderr.write(`Nothing new can be recorded in ${event.path}: ${event.code}\n`)
      },
    })
    try {
      return new Visits(cli, options, known, seen)
    } catch (error) {
      await known.close()
      throw error
    }
  }

  async visit(url: GeminiUrl, credentials: object): Promise<Answer> {
    this.#seen.verdict = null
    try {
      return await exchange(url, {
        verify: this.#known.verifier(this.#policy),
        ...credentials,
        identityOverTls12: this.#options.identityOverTls12 === true ? 'allow' : 'refuse',
        timeoutMs: this.#timeoutMs,
        signal: this.#cli.io.signal,
      })
    } catch (error) {
      throw this.#explained(error)
    }
  }

  /** Says who answered, and what. */
  report(url: GeminiUrl, { peer, status, meta }: Answer): Step {
    const { io, json } = this.#cli
    const { verdict } = this.#seen
    if (!json) {
      const known = `${url.endpoint} shows the certificate that is known, ${peer.fingerprint}.`
      io.stderr.write(`${verdict?.explanation ?? known}\n`)
      io.stderr.write(`${styled(io, 'bold', String(status))} ${escapeText(meta)}\n`)
    }
    return {
      url: url.text,
      status,
      meta,
      fingerprint: peer.fingerprint,
      protocol: peer.protocol,
      verdict: verdict?.kind ?? 'trusted',
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#known.close()
  }

  #explained(error: unknown): unknown {
    const { verdict } = this.#seen
    if (verdict === null) return error
    if (!(error instanceof CertificateChangedError || error instanceof NotTrustedError)) return error
    const { kind, reason, endpoint, presented, explanation } = verdict
    const pinned = 'pinned' in verdict ? { pinned: verdict.pinned } : {}
    const remedy =
      kind === 'changed' ? `\nIf its owner confirms the new one: tlacacoca tofu trust ${endpoint} ${presented}` : ''
    return new Explained(`${explanation}${remedy}`, error, { verdict: kind, reason, endpoint, presented, ...pinned })
  }
}

/** Whoever gives up has not said yes. */
async function saysYes(io: CliIo, question: string): Promise<boolean> {
  try {
    return await io.confirm(question)
  } catch (error) {
    if (error instanceof Declined) return false
    throw error
  }
}

function policyFor(io: CliIo, { firstUse = io.canAsk ? 'ask' : 'accept' }: GetOptions): TofuPolicy {
  if (!io.canAsk) {
    if (firstUse === 'ask') throw new UsageError('nobody can be asked here: say --first-use accept, or refuse')
    return { firstUse }
  }
  const ask = async ({ explanation }: Verdict) => ({ accept: await saysYes(io, `${explanation}\nTrust it?`) })
  return { firstUse, onFirstUse: ask, onChanged: ask }
}
