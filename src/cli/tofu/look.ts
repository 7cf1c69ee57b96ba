// Looking, which changes nothing: list, show, history, check.

import type { Command } from 'commander'
import { escapeText } from '../../logging/safe-text.ts'
import type { HostInfo } from '../../tofu/host-info.ts'
import type { Pin, PinChange } from '../../tofu/pin.ts'
import type { TofuStore } from '../../tofu/tofu-store.ts'
import type { Verdict } from '../../tofu/verdict.ts'
import { readOwn } from '../cert/read.ts'
import type { Cli, Outcome } from '../command.ts'
import { ExitCode } from '../exit-code.ts'
import type { CliIo } from '../io.ts'
import { styled } from '../io.ts'
import { counted, day } from '../options.ts'
import { facts, longTable, table } from '../table.ts'
import { openToRead, readServer } from './store.ts'

/** `tofu list`. Page by page, because a store may hold a million servers. */
export async function list(
  cli: Cli,
  { distrusted }: { readonly distrusted?: boolean },
  command: Command,
): Promise<Outcome> {
  if (distrusted === true) return listMarks(cli, command)
  const { io } = cli
  // Opened here, so that what is wrong with it is an error before anything is printed.
  const known = await openToRead(io, command)
  const hosts = hostsOf(known)
  return { json: mapped(hosts, hostJson), text: listText(io, hosts) }
}

async function* listText(io: CliIo, hosts: AsyncIterable<HostInfo>): AsyncGenerator<string> {
  let isEmpty = true
  const rows = mapped(hosts, (host) => {
    isEmpty = false
    return [host.endpoint, host.state, day(host.firstSeen), day(host.lastSeen), day(host.notAfter), host.fingerprint]
  })
  yield* longTable(io, ['SERVER', 'STATE', 'SINCE', 'LAST SEEN', 'EXPIRES', 'FINGERPRINT'], rows)
  if (isEmpty) yield 'No server is known.'
}

/** Every host, of which one page is in memory at a time. Closes the store at the end. */
async function* hostsOf(known: TofuStore): AsyncGenerator<HostInfo> {
  try {
    let after: string | null = null
    do {
      const page = await known.listHostsPage({ limit: PAGE, ...(after === null ? {} : { after }) })
      yield* page.hosts
      after = page.next
    } while (after !== null)
  } finally {
    await known.close()
  }
}

const PAGE = 500

async function* mapped<T, U>(values: AsyncIterable<T>, change: (value: T) => U): AsyncGenerator<U> {
  for await (const value of values) yield change(value)
}

async function listMarks({ io }: Cli, command: Command): Promise<Outcome> {
  await using known = await openToRead(io, command)
  const marks = await known.listDistrusted()
  const rows = marks.map((mark) => [mark.subject, day(mark.firstSeen), mark.digest, escapeText(mark.note ?? '')])
  const text = await table(io, ['SERVER', 'SINCE', 'FINGERPRINT', 'NOTE'], rows)
  return { json: marks.map(pinJson), text: marks.length === 0 ? 'Nothing is marked as never to be trusted.' : text }
}

/** `tofu show`. */
export async function show({ io }: Cli, server: string, _options: object, command: Command): Promise<Outcome> {
  const endpoint = readServer(server)
  await using known = await openToRead(io, command)
  const pins = await known.pins(endpoint)
  const host = await known.getHostInfo(endpoint)
  const json = {
    endpoint: String(endpoint),
    known: host !== null,
    host: host && hostJson(host),
    pins: pins.map(pinJson),
  }
  if (pins.length === 0) return { json, text: `Nothing is known of ${endpoint}.`, exitCode: ExitCode.no }
  const about = host === null ? `Nothing is pinned for ${endpoint}.` : hostFacts(io, host)
  const isWhole = host !== null && pins.length === 1
  const text = isWhole ? about : `${about}\n\n${await pinTable(io, pins)}`
  return { json, text, exitCode: host === null ? ExitCode.no : ExitCode.ok }
}

function hostFacts(io: CliIo, host: HostInfo): string {
  return facts(io, [
    ['server', host.endpoint],
    ['fingerprint', host.fingerprint],
    ['public key', host.keyFingerprint],
    ['state', host.state === 'verified' ? 'verified: compared by another way than the network' : host.state],
    ['first seen', day(host.firstSeen)],
    ['last seen', `${day(host.lastSeen)}, on ${counted(host.daysSeen, 'day')} in all`],
    ['expires', host.notAfter === null ? 'not known' : day(host.notAfter)],
    ['came by', escapeText(host.source ?? '-')],
    ['note', host.note && escapeText(host.note)],
  ])
}

function pinTable(io: CliIo, pins: readonly Pin[]): Promise<string> {
  const rows = pins.map((pin) => [
    pin.state === 'distrusted' ? styled(io, 'red', pin.state) : pin.state,
    day(pin.firstSeen),
    day(pin.lastSeen),
    pin.digest,
    escapeText(pin.note ?? ''),
  ])
  return table(io, ['STATE', 'SINCE', 'LAST SEEN', 'FINGERPRINT', 'NOTE'], rows)
}

/** `tofu history`. */
export async function history({ io }: Cli, server: string, _options: object, command: Command): Promise<Outcome> {
  const endpoint = readServer(server)
  await using known = await openToRead(io, command)
  const lines = await known.history(endpoint)
  const rows = lines.map((line) => [
    line.at.toISOString(),
    line.cause,
    escapeText(line.decidedBy ?? '-'),
    `${line.old ?? '-'}\n-> ${line.new ?? '-'}`,
  ])
  const text = await table(io, ['AT', 'WHAT', 'BY', 'FINGERPRINTS'], rows)
  if (lines.length > 0) return { json: lines.map(changeJson), text }
  return { json: [], text: `There is no history of ${endpoint}.`, exitCode: ExitCode.no }
}

/** `tofu check`. */
export async function check(
  { io }: Cli,
  server: string,
  { cert }: { readonly cert: string },
  command: Command,
): Promise<Outcome> {
  const endpoint = readServer(server)
  const { certificate, chain } = await readOwn(io, cert)
  await using known = await openToRead(io, command)
  const verdict = await known.judge(endpoint, certificate, { chain })
  const { accepted, word, explanation } = verdict
  const consequence = accepted
    ? styled(io, 'green', 'It would be accepted.')
    : styled(io, 'red', word === 'ask' ? 'It would be refused, unless somebody says yes.' : 'It would be refused.')
  return {
    json: verdictJson(verdict),
    text: `${explanation}\n${consequence}`,
    exitCode: accepted ? ExitCode.ok : ExitCode.no,
  }
}

function hostJson({ pins: _, ...host }: HostInfo) {
  return { ...host, firstSeen: host.firstSeen.toISOString(), lastSeen: host.lastSeen.toISOString(), ...endOf(host) }
}

function pinJson(pin: Pin) {
  return { ...pin, firstSeen: pin.firstSeen.toISOString(), lastSeen: pin.lastSeen.toISOString(), ...endOf(pin) }
}

function endOf({ notAfter }: { readonly notAfter: Date | null }) {
  return { notAfter: notAfter?.toISOString() ?? null }
}

function changeJson(change: PinChange) {
  return { ...change, at: change.at.toISOString() }
}

function verdictJson(verdict: Verdict) {
  const { endpoint, kind, accepted, reason, rule, word, validity, presented, presentedKey, explanation } = verdict
  const pinned =
    'pinned' in verdict
      ? {
          pinned: verdict.pinned,
          pinnedExpired: verdict.pinnedExpired,
          pinnedExpiresInDays: verdict.pinnedExpiresInDays,
          knownForDays: verdict.knownForDays,
          daysSeen: verdict.daysSeen,
          lastSeen: verdict.lastSeen.toISOString(),
        }
      : {}
  const mark = verdict.kind === 'distrusted' ? { mark: pinJson(verdict.mark) } : {}
  const facts = { endpoint, kind, accepted, reason, rule, word, validity, presented, presentedKey }
  return { ...facts, ...pinned, ...mark, explanation }
}
