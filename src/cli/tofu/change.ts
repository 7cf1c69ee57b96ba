// Changing by hand: trust, revoke, distrust, clear, purge.

import type { Command } from 'commander'
import { normalizeHost } from '../../names/host.ts'
import { isLive, type Pin } from '../../tofu/pin.ts'
import type { Cli, Outcome } from '../command.ts'
import { Declined, ExitCode } from '../exit-code.ts'
import { requireYes } from '../io.ts'
import { counted, day, fromUser, millisecondsOf } from '../options.ts'
import {
  type CertificateOptions,
  fingerprintOf,
  namesPort,
  openStore,
  openToRead,
  readPinnable,
  readServer,
  storePath,
} from './store.ts'

interface TrustOptions extends CertificateOptions {
  readonly verified?: boolean
  readonly keepOthers?: boolean
  readonly note?: string
  readonly force?: boolean
}

/** `tofu trust`. What is pinned already is shown before it is replaced. */
export async function trust(
  { io }: Cli,
  server: string,
  fingerprint: string | undefined,
  options: TrustOptions,
  command: Command,
): Promise<Outcome> {
  const endpoint = readServer(server)
  const what = await readPinnable(io, fingerprint, options)
  const chosen = fingerprintOf(what)
  const { verified = false, keepOthers = false, note, force = false } = options
  const wishes = { verified, keepOthers, ...(note === undefined ? {} : { note }) }
  await using known = await openStore(io, command)
  const others = (await known.pins(endpoint)).filter((pin) => isLive(pin.state) && pin.digest !== chosen)
  const replaced = keepOthers ? [] : others
  if (replaced.length > 0) await requireYes(io, replacing(String(endpoint), replaced, chosen), force)
  const [only] = replaced
  if (only !== undefined && replaced.length === 1) {
    // What somebody was asked about is what goes, and nothing else.
    if (!(await known.replace(endpoint, only.digest, what, wishes))) {
      throw new Declined(`the pins of ${endpoint} have changed meanwhile, so nothing was replaced; look again`)
    }
  } else {
    await known.trust(endpoint, what, wishes)
  }
  const state = verified ? 'verified' : 'trusted'
  return {
    json: { endpoint: String(endpoint), fingerprint: chosen, state, replaced: replaced.map(({ digest }) => digest) },
    text: `${endpoint} is pinned to ${chosen} (${state}).`,
  }
}

function replacing(endpoint: string, pins: readonly Pin[], chosen: string): string {
  const old = pins.map((pin) => `  ${pin.digest}\n  since ${day(pin.firstSeen)}, on ${counted(pin.daysSeen, 'day')}\n`)
  return `${endpoint} is pinned to\n${old.join('')}Pin it to\n  ${chosen}\ninstead?`
}

/** `tofu revoke`. A host without a port is all its ports, which is asked about. */
export async function revoke(
  { io }: Cli,
  server: string,
  { force = false }: { readonly force?: boolean },
  command: Command,
): Promise<Outcome> {
  const endpoint = readServer(server)
  await using known = await openToRead(io, command)
  let revoked: number
  if (namesPort(server)) {
    revoked = (await known.revoke(endpoint)) ? 1 : 0
  } else {
    const host = normalizeHost(endpoint.host)
    const ports = await known.countByHostname(host)
    if (ports > 0) await requireYes(io, `Forget the pins of ${host} on ${counted(ports, 'port')}?`, force)
    revoked = await known.revokeByHostname(host)
  }
  const name = namesPort(server) ? String(endpoint) : endpoint.host
  return revoked === 0
    ? { json: { revoked }, text: `Nothing was pinned for ${name}.`, exitCode: ExitCode.no }
    : { json: { revoked }, text: `The pins of ${name} are forgotten. The next visit is a first one.` }
}

interface DistrustOptions extends CertificateOptions {
  readonly key?: boolean
  readonly lift?: boolean
  readonly note?: string
}

/** `tofu distrust`, and with `--lift` the way back. */
export async function distrust(
  { io }: Cli,
  server: string,
  fingerprint: string | undefined,
  options: DistrustOptions,
  command: Command,
): Promise<Outcome> {
  const endpoint = readServer(server)
  const given = await readPinnable(io, fingerprint, options)
  const what = options.key === true && typeof given !== 'string' ? given.publicKeyFingerprint : given
  const marked = fingerprintOf(what)
  const json = { endpoint: String(endpoint), fingerprint: marked }
  if (options.lift === true) {
    await using known = await openToRead(io, command)
    return (await known.liftDistrust(endpoint, marked))
      ? { json: { ...json, lifted: true }, text: `${marked} is unknown at ${endpoint} again, and not trusted.` }
      : { json: { ...json, lifted: false }, text: `There is no such mark at ${endpoint}.`, exitCode: ExitCode.no }
  }
  await using known = await openStore(io, command)
  await known.distrust(endpoint, what, options.note === undefined ? {} : { note: options.note })
  return { json: { ...json, distrusted: true }, text: `${marked} will never be trusted at ${endpoint}.` }
}

/** `tofu clear`. */
export async function clear(
  { io }: Cli,
  { force = false }: { readonly force?: boolean },
  command: Command,
): Promise<Outcome> {
  await using known = await openToRead(io, command)
  await requireYes(io, `Forget every server in ${storePath(io, command)}, and their history?`, force)
  const cleared = await known.clear()
  const { subjects, kept } = cleared
  const marks = kept === 0 ? '' : ` ${counted(kept, 'mark')} of what is never to be trusted stayed.`
  return { json: { ...cleared }, text: `${counted(subjects, 'server is', 'servers are')} forgotten.${marks}` }
}

/** `tofu purge`. */
export async function purge(
  { io }: Cli,
  { notSeenFor, verified = false, force = false }: { notSeenFor: string; verified?: boolean; force?: boolean },
  command: Command,
): Promise<Outcome> {
  const notSeenForDays = Math.ceil(millisecondsOf('--not-seen-for', notSeenFor, io.clock()) / DAY_MS)
  await using known = await openToRead(io, command)
  const path = storePath(io, command)
  await requireYes(io, `Forget every server in ${path} that was not seen for ${counted(notSeenForDays, 'day')}?`, force)
  const purged = await fromUser(() => known.purge({ notSeenForDays, verified }))
  const { subjects, erased } = purged
  const rest = erased
    ? ''
    : ' Their names are not yet erased from the file: something else reads it, or the disk is full.'
  return { json: { ...purged }, text: `${counted(subjects, 'server is', 'servers are')} forgotten.${rest}` }
}

const DAY_MS = 86_400_000
